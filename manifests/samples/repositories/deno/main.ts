import { Hono } from "hono";

const app = new Hono().get("/", (context) => context.text("Hello from Deno\n"));

const server = Deno.serve({ port: Number(Deno.env.get("PORT") ?? 8000) }, app.fetch);

Deno.addSignalListener("SIGTERM", () => server.shutdown());
