/** Upsample and Resize. https://onnx.ai/onnx/operators/onnx__Resize.html */
import { edited, makeNode, type Node } from "../graph.ts";
import { type Step, without } from "./step.ts";
import type { Workbench } from "./workbench.ts";

/** Upsample at 9: scales become an input. */
export const scalesInput: Step = (node, bench) => {
  const scales = bench.floats(node, "scales") ?? bench.refuse(node, "has no attribute 'scales'");
  if (!scales.every((scale) => scale >= 1)) bench.refuse(node, `has scales [${scales}], and none may be below 1`);
  return [edited(node, { input: [bench.input(node), bench.floatVector("scales", scales)], attributes: without(node, "scales") })];
};

/** Upsample at 10: a Resize whose scales are at least 1. */
export const toResize: Step = (node, bench) => {
  bench.enlarging.add(scalesOf(node, bench));
  return [edited(node, { op_type: "Resize" })];
};

function scalesOf(node: Node, bench: Workbench): string {
  bench.input(node, 2);
  return node.input[1] || bench.refuse(node, "has no scales");
}

/**
 * Resize at 11, which put coordinates at the centres of pixels; until then they were `asymmetric`. The nearest pixel was the one below
 * where the image grows along an axis, and the one above where it shrinks: one Resize grows, then another shrinks, unless none can.
 */
export const coordinates: Step = (node, bench) => {
  const scales = scalesOf(node, bench);
  const x = bench.input(node, 2);
  const [y = ""] = node.output;
  const mode = bench.text(node, "mode", "nearest");
  if (mode !== "nearest" && mode !== "linear") bench.refuse(node, `has mode '${mode}', expected nearest or linear`);
  const roi = bench.floatVector("roi", []);
  const resize = (from: string, by: string, to: string, nearest_mode: string) =>
    edited(node, {
      input: [from, roi, by],
      output: [to],
      attributes: {
        ...node.attributes,
        coordinate_transformation_mode: "asymmetric",
        ...(mode === "nearest" ? { nearest_mode } : {}),
      },
    });
  if (mode === "linear" || bench.enlarging.has(scales)) return [resize(x, scales, y, "floor")];
  const part = (what: string) => bench.fresh(`${y}_${what}`);
  const [grows, shrinks, grown] = [part("growing_scales"), part("shrinking_scales"), part("grown")];
  const one = bench.float("scale", 1);
  const first = resize(x, grows, grown, "floor");
  return [
    makeNode("Max", [scales, one], [grows]),
    makeNode("Min", [scales, one], [shrinks]),
    { ...first, name: node.name && `${node.name}_growing` },
    resize(grown, shrinks, y, "ceil"),
  ];
};

/**
 * Resize at 13 takes no empty scales beside sizes, and knows `tf_half_pixel_for_nn` no more: with the pixel below it,
 * it is `half_pixel` rounded, half a pixel less.
 */
export const oneSize: Step = (node, bench) => {
  const [x = "", roi = "", scales = "", sizes = ""] = node.input;
  let made = node;
  if (sizes && scales) made = edited(made, { input: [x, roi, "", sizes] });
  if (bench.text(node, "coordinate_transformation_mode", "half_pixel") !== "tf_half_pixel_for_nn") return [made];
  if (bench.text(node, "mode", "nearest") !== "nearest" || bench.text(node, "nearest_mode", "round_prefer_floor") !== "floor")
    bench.refuse(node, "uses tf_half_pixel_for_nn with a pixel other than the one below");
  const attributes = { ...node.attributes, coordinate_transformation_mode: "half_pixel", nearest_mode: "round_prefer_ceil" };
  return [edited(made, { attributes })];
};
