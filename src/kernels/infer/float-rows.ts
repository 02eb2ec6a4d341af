import type { Row } from "../row.ts";
import type { FloatKernels } from "./float.ts";

export const rows: readonly Row<string & keyof FloatKernels>[] = [];
