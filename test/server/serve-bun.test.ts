import { BUN, serveSuite } from "./serve.ts";

serveSuite(BUN);
