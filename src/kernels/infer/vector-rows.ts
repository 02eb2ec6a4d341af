import type { Row } from "../row.ts";
import * as cast from "./cast-rows.ts";
import * as copy from "./copy-rows.ts";
import * as elementwise from "./elementwise-rows.ts";
import * as reduce from "./reduce-rows.ts";
import type { VectorKernels } from "./vector.ts";

export const rows: readonly Row<string & keyof VectorKernels>[] = [...elementwise.rows, ...cast.rows, ...reduce.rows, ...copy.rows];
