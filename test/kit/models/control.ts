/** Models whose weights stand inside subgraphs, or are used there. */
import { f32, type GraphSpec, i64, node, randn, tensor, value } from "../onnx.ts";
import { BOOL, type Feeds, FLOAT, floats, generator, INT64 } from "./model.ts";

const flag = (on: boolean): Feeds[string] => ({ type: "bool", dims: [], data: Uint8Array.of(on ? 1 : 0) });

/** x[?,32] (outer scope) → MatMul `w` [32,64] (initializer) → MatMul `k` [64,32] (Constant): the same names in both branches. */
function branch(seed: number): GraphSpec {
  const k = f32("", [64, 32], randn(64 * 32, seed + 1, 0.125));
  return {
    name: `branch${seed}`,
    nodes: [
      node("Constant", [], ["k"], { value: { tensor: k } }),
      node("MatMul", ["x", "w"], ["a"]),
      node(seed === 1 ? "Relu" : "Tanh", ["a"], ["b"]),
      node("MatMul", ["b", "k"], ["c"]),
      node("Add", ["c", "shared"], ["out"]),
    ],
    initializers: [f32("w", [32, 64], randn(32 * 64, seed, 0.18))],
    inputs: [],
    outputs: [value("out", FLOAT, ["rows", 32])],
  };
}

/** Both branches are reached by `inputs` and `more`. A weight of the outer scope, `shared`, is used in the branches only. */
export const ifModel = generator("if", "If: initializers and Constants of the same names in both branches; an outer weight", () => ({
  graph: {
    nodes: [
      node("If", ["condition"], ["chosen"], { then_branch: { graph: branch(1) }, else_branch: { graph: branch(3) } }),
      node("MatMul", ["chosen", "head"], ["y"]),
    ],
    initializers: [f32("shared", [1, 32], randn(32, 8, 0.1)), f32("head", [32, 32], randn(32 * 32, 9, 0.18))],
    inputs: [value("x", FLOAT, ["rows", 32]), value("condition", BOOL, [])],
    outputs: [value("y", FLOAT, ["rows", 32])],
  },
  inputs: { x: floats([4, 32], 5), condition: flag(true) },
  more: [{ x: floats([4, 32], 5), condition: flag(false) }],
}));

/** Three times h ← tanh(h × `recurrent` [40,40]); the weight belongs to the outer graph. */
export const loopModel = generator("loop", "Loop whose body multiplies by an outer weight", () => ({
  graph: {
    nodes: [
      node("Loop", ["trips", "go", "x"], ["y"], {
        body: {
          graph: {
            name: "body",
            nodes: [node("MatMul", ["h", "recurrent"], ["m"]), node("Tanh", ["m"], ["h_next"]), node("Identity", ["go_in"], ["go_next"])],
            inputs: [value("step", INT64, []), value("go_in", BOOL, []), value("h", FLOAT, [2, 40])],
            outputs: [value("go_next", BOOL, []), value("h_next", FLOAT, [2, 40])],
          },
        },
      }),
    ],
    initializers: [i64("trips", [3], []), tensor("go", BOOL, [], Uint8Array.of(1)), f32("recurrent", [40, 40], randn(40 * 40, 1, 0.2))],
    inputs: [value("x", FLOAT, [2, 40])],
    outputs: [value("y", FLOAT, [2, 40])],
  },
  inputs: { x: floats([2, 40], 5) },
}));
