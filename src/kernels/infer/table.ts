// The rows of the inference kernels. Only tests and benches import them; nothing here is shipped.
import type { Row } from "../row.ts";
import * as float from "./float-rows.ts";
import * as integer from "./integer-rows.ts";
import type { InferKernels } from "./kernels.ts";
import * as sparse from "./sparse-rows.ts";
import * as vector from "./vector-rows.ts";
import * as winograd from "./winograd-rows.ts";

export const table: readonly Row<string & keyof InferKernels>[] = [
  ...float.rows,
  ...winograd.rows,
  ...integer.rows,
  ...sparse.rows,
  ...vector.rows,
];
