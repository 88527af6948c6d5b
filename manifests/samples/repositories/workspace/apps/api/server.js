import { hello } from "@sample/words";
import polka from "polka";

const port = Number(process.env.PORT ?? 3000);

const app = polka()
  .get("/", (request, response) => response.end(hello("a workspace")))
  .listen(port, () => console.log(`listening on port ${port}`));

process.on("SIGTERM", () => app.server.close(() => process.exit(0)));
