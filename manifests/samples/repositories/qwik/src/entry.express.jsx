import { fileURLToPath } from "node:url";
import { createQwikCity } from "@builder.io/qwik-city/middleware/node";
import qwikCityPlan from "@qwik-city-plan";
import { manifest } from "@qwik-client-manifest";
import express from "express";
import render from "./entry.ssr";

const { router, notFound } = createQwikCity({ render, qwikCityPlan, manifest });

const app = express();
app.use(express.static(fileURLToPath(new URL("../dist", import.meta.url)), { redirect: false }));
app.use(router);
app.use(notFound);

const server = app.listen(process.env.PORT ?? 3000);

process.on("SIGTERM", () => server.close());
