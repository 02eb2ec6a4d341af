import type { Row } from "../row.ts";
import type { IntegerKernels } from "./integer.ts";

export const rows: readonly Row<string & keyof IntegerKernels>[] = [];
