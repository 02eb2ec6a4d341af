/** What running a model costs, counted in its graph. */
import { inferModel } from "./inferred.ts";
import { product } from "./models/model.ts";
import { DataType, encodeModel, type GraphSpec, type ModelSpec } from "./onnx.ts";

/** Elements of the initializers whose names `counts`. */
export const parameters = ({ initializers = [] }: GraphSpec, counts: (name: string) => boolean = () => true): number =>
  initializers.reduce((sum, { name, dims }) => sum + (counts(name) ? product(dims) : 0), 0);

/** Multiply-adds of the convolutions and matrix products of a model whose shapes are all known. */
export async function multiplyAdds({ graph, ...rest }: ModelSpec): Promise<number> {
  // Shapes do not depend on what is float: weights stand in a file that nobody reads.
  const initializers = graph.initializers?.map((each) =>
    each.data_type === DataType.FLOAT ? { ...each, external: { location: "weights" } } : each,
  );
  const { document, values } = await inferModel(encodeModel({ ...rest, graph: { ...graph, ...(initializers && { initializers }) } }));
  let sum = 0;
  for (const { op_type, name, input, output } of document.main.nodes) {
    if (op_type !== "Conv" && op_type !== "Gemm" && op_type !== "MatMul") continue;
    const shapes = [output[0], input[0], input[1]].map((value) => values.get(value ?? "")?.shape);
    const [out, x, w] = shapes.map((shape) => shape?.map(Number));
    if (!out || !x || !w) throw new RangeError(`Cannot count ${op_type} '${name}': expected known shapes, got ${JSON.stringify(shapes)}`);
    sum += product(out) * (op_type === "Conv" ? product(w.slice(1)) : (x.at(-1) as number));
  }
  return sum;
}
