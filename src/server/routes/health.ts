import type { Context } from "hono";
import { VERSION } from "../../version.ts";

/** Open Inference Protocol, the parts that tell of the server: https://github.com/kserve/open-inference-protocol */
export const serverMetadata = (c: Context): Response => c.json({ name: "edgeslim", version: VERSION, extensions: ["binary_tensor_data"] });

export const live = (c: Context): Response => c.json({ live: true });

export const ready = (c: Context): Response => c.json({ ready: true });
