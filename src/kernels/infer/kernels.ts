import type { FloatKernels } from "./float.ts";
import type { IntegerKernels } from "./integer.ts";
import type { SparseKernels } from "./sparse.ts";
import type { VectorKernels } from "./vector.ts";

/** The kernels that run models: `assembly/infer/`. No address need be aligned, any count may be 0, and an output may not overlap an input unless said. */
export interface InferKernels extends FloatKernels, IntegerKernels, SparseKernels, VectorKernels {}
