import type { Node } from "../graph/graph.ts";
import { computed } from "./dims.ts";
import { type Context, int, numbers, text } from "./op.ts";
import type { Dim, Dims } from "./value.ts";

/** Places of a window along each spatial axis, by the attributes that convolutions and pools share. Undefined where they do not fit. */
export function windowDims(node: Node, dims: Dims, kernel: Dims, context: Context): Dims | undefined {
  const [strides, dilations, pads] = ["strides", "dilations", "pads"].map((name) => numbers(node, name));
  const auto = text(node, "auto_pad", "NOTSET");
  const up = int(node, "ceil_mode", 0) === 1;
  if (kernel.length !== dims.length) return undefined;
  const result = dims.map((dim, i): Dim | undefined => {
    const stride = strides?.[i] ?? 1;
    const dilation = dilations?.[i] ?? 1;
    const [before, after] = auto === "VALID" ? [0, 0] : [pads?.[i] ?? 0, pads?.[i + dims.length] ?? 0];
    if (auto === "SAME_UPPER" || auto === "SAME_LOWER") return computed(`same/${stride}`, [dim], context, (d) => Math.ceil(d / stride));
    return computed(`window/${[stride, dilation, before, after, up]}`, [dim, kernel[i] as Dim], context, (d, k) => {
      const room = d + before + after - (dilation * (k - 1) + 1);
      const places = (up ? Math.ceil : Math.floor)(room / stride) + 1;
      // A window that would start in the padding behind the end is left out.
      return up && (places - 1) * stride >= d + before ? places - 1 : places;
    });
  });
  return result.includes(undefined) ? undefined : (result as Dims);
}
