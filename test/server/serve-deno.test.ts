import { DENO, serveSuite } from "./serve.ts";

serveSuite(DENO);
