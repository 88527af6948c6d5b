import { createServer } from "node:http";

const greeting = "Hello from version one";
const port = Number(process.env.PORT ?? 3000);

const server = createServer((request, response) => {
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  response.end(`${greeting}\n`);
});

server.listen(port, () => console.log(`listening on port ${port}`));

// Requests in progress are answered before the pod ends.
process.on("SIGTERM", () => server.close(() => process.exit(0)));
