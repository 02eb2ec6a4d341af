import { describe, expect, test } from "vitest";
import { inferModel } from "../kit/inferred.ts";
import { DataType, encodeModel, i64, type Layout, node, value } from "../kit/onnx.ts";

describe("what a document says of its values", () => {
  /** Reshapes x to a shape that is an initializer, and perhaps an input too. */
  const reshape = (layout: Layout, ir_version: number) =>
    encodeModel(
      {
        opsets: { "": 13 },
        ir_version,
        graph: {
          nodes: [node("Reshape", ["x", "shape"], ["y"])],
          initializers: [i64("shape", [2, -1])],
          inputs: [value("x", DataType.FLOAT, [4, 3])],
          outputs: [],
        },
      },
      layout,
    );

  test("are the elements of an initializer that no feed can replace", async () => {
    expect((await inferModel(reshape({}, 8))).values.get("y")?.shape).toEqual([2, 6]);
    expect((await inferModel(reshape({ list_initializers: true }, 3))).values.get("y")?.shape).toEqual([2, 6]);
  });

  test("are the type and shape alone of an initializer that is the default of an input", async () => {
    const { values } = await inferModel(reshape({ list_initializers: true }, 8));
    expect(values.get("shape")).toEqual({ dtype: "int64", shape: [2] });
    expect(values.get("y")?.shape).toEqual([expect.stringMatching(/^\?/), expect.stringMatching(/^\?/)]);
  });

  test("tells dimensions without a name apart", async () => {
    const graph = { nodes: [], inputs: ["a", "b"].map((name) => value(name, DataType.FLOAT, ["", 3])), outputs: [] };
    const { values } = await inferModel(encodeModel({ opsets: { "": 13 }, graph }));
    expect(values.get("a")?.shape?.[0]).not.toBe(values.get("b")?.shape?.[0]);
  });
});
