import type { Row } from "../row.ts";
import * as cast from "./cast-rows.ts";
import * as copy from "./copy-rows.ts";
import * as elementwise from "./elementwise-rows.ts";
import * as image from "./image-rows.ts";
import * as recurrent from "./recurrent-rows.ts";
import * as reduce from "./reduce-rows.ts";
import type { VectorKernels } from "./vector.ts";

const families = [elementwise, cast, reduce, copy, image, recurrent];

export const rows: readonly Row<string & keyof VectorKernels>[] = families.flatMap((family) => family.rows);
