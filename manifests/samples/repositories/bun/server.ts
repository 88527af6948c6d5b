import { Hono } from "hono";

const app = new Hono().get("/", (context) => context.text("Hello from Bun\n"));

const server = Bun.serve({ port: Number(process.env.PORT ?? 3000), fetch: app.fetch });

process.on("SIGTERM", async () => {
  await server.stop();
  process.exit(0);
});
