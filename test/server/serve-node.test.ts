import { NODE, serveSuite } from "./serve.ts";

serveSuite(NODE);
