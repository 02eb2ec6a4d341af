#!/usr/bin/env node
import { setFlagsFromString } from "node:v8";
import { main } from "../dist/cli/main.js";

// What a run makes is garbage at once. V8 would give it ever more room, tens of megabytes, for next to no time.
setFlagsFromString("--semi-space-growth-factor=1");
process.exit(await main(process.argv.slice(2)));
