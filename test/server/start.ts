/** A process that serves: `node|deno|bun start.ts FOLDER STALL_SECONDS MAX_RUNNING`. Prints its address; ends with its standard input. */
import { argv, exit, stdin } from "node:process";
import { serve } from "../../src/serve.ts";

const [models = "", stall = "60", running = "2"] = argv.slice(2);
const { url, close } = await serve({ port: 0, models, limits: { STALL_SECONDS: Number(stall), MAX_RUNNING: Number(running) } });
console.log(url);
stdin.on("end", async () => {
  await close();
  console.log("closed");
  exit(0);
});
stdin.resume();
