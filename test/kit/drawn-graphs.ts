/** Graphs of images and of rows, drawn at random: every operator on what came before, in geometries that no exporter would write. */
import { DataType, encodeModel, f32, i64, type NodeSpec, node, randn, rng, type TensorSpec } from "./onnx.ts";

const { FLOAT } = DataType;

export interface DrawnGraph {
  bytes: Uint8Array;
  /** Of the input `x`. */
  shape: number[];
}

/** A graph of some `steps` operators at `opset`. Each is one onnxruntime runs; its outputs are all values that nobody reads, and some that are. */
export function drawnGraph(seed: number, steps: number, opset: number): DrawnGraph {
  const random = rng(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const upTo = (n: number) => Math.floor(random() * n);
  const nodes: NodeSpec[] = [];
  const initializers: TensorSpec[] = [];
  const shape = [pick([1, 1, 2]), pick([1, 3, 4, 8, 12]), 5 + upTo(12), 5 + upTo(12)];
  const values: { name: string; shape: number[] }[] = [{ name: "x", shape }];
  const read = new Set<string>();
  const constant = (dims: readonly number[], scale = 1): string => {
    const name = `c${initializers.length}`;
    const size = dims.reduce((n, d) => n * d, 1);
    initializers.push(
      f32(
        name,
        dims,
        randn(size, seed * 1000 + initializers.length).map((v) => v * scale),
      ),
    );
    return name;
  };
  const integers = (list: readonly number[]): string => {
    const name = `c${initializers.length}`;
    initializers.push(i64(name, list));
    return name;
  };
  const put = (op_type: string, inputs: string[], dims: number[], attributes: NodeSpec["attributes"] = {}): void => {
    if (dims.some((d) => d < 1) || dims.reduce((n, d) => n * d, 1) > 60_000) return;
    const name = `v${nodes.length}`;
    nodes.push(node(op_type, inputs, [name], attributes));
    for (const input of inputs) read.add(input);
    values.push({ name, shape: dims });
  };
  const latest = () => values[Math.max(0, values.length - 1 - upTo(3))] as (typeof values)[number];

  /** Sizes of a window's places, and its attributes. */
  const windowed = ([h, w]: number[], mayPad: boolean) => {
    const kernel = [1 + upTo(4), 1 + upTo(4)];
    const [strides, dilations] = [[1 + upTo(3), 1 + upTo(3)], random() < 0.3 ? [1 + upTo(2), 1 + upTo(2)] : [1, 1]];
    const pads = mayPad ? kernel.concat(kernel).map((k) => upTo(k)) : [0, 0, 0, 0];
    const places = [h as number, w as number].map((d, i) => {
      const room = d + (pads[i] as number) + (pads[i + 2] as number) - ((kernel[i] as number) - 1) * (dilations[i] as number) - 1;
      return room < 0 ? 0 : Math.floor(room / (strides[i] as number)) + 1;
    });
    return { kernel, places, attributes: { kernel_shape: kernel, strides, dilations, pads } };
  };
  const kinds: Record<string, (x: { name: string; shape: number[] }) => void> = {
    conv({ name, shape: [n = 1, c = 1, ...plane] }) {
      const group = pick([1, 1, 1, c, c % 2 === 0 ? 2 : 1]);
      const m = group * pick([1, 2, 3, 4, 8].filter((k) => k * group <= 48));
      const { kernel, places, attributes } = random() < 0.4 ? like(plane) : windowed(plane, true);
      const bias = random() < 0.6 ? [constant([m])] : [];
      put("Conv", [name, constant([m, c / group, ...kernel], 0.4), ...bias], [n, m, ...places], { ...attributes, group });
    },
    transposed({ name, shape: [n = 1, c = 1, ...plane] }) {
      const [m, k, s] = [pick([1, 3, 8]), 1 + upTo(3), 1 + upTo(2)];
      const places = plane.map((d) => (d - 1) * s + k);
      put("ConvTranspose", [name, constant([c, m, k, k], 0.4)], [n, m, ...places], { kernel_shape: [k, k], strides: [s, s] });
    },
    pool({ name, shape: [n = 1, c = 1, ...plane] }) {
      const { places, attributes } = windowed(plane, true);
      const { dilations, ...rest } = attributes;
      // Taps that are apart may all lie in the padding, which is refused.
      if (dilations.some((d) => d > 1) && rest.pads.some((pad) => pad > 0)) return;
      if (random() < 0.5) put("MaxPool", [name], [n, c, ...places], opset >= 10 ? attributes : rest);
      else if (dilations.every((d) => d === 1)) put("AveragePool", [name], [n, c, ...places], { ...rest, count_include_pad: upTo(2) });
    },
    global: ({ name, shape: [n = 1, c = 1] }) => put(pick(["GlobalAveragePool", "GlobalMaxPool"]), [name], [n, c, 1, 1]),
    activation({ name, shape: dims }) {
      const op = pick(["Relu", "Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid", "Elu", "Softplus", "Abs", "Neg", "Erf"]);
      put(op, [name], dims);
    },
    silu({ name, shape: dims }) {
      put("Sigmoid", [name], dims);
      put("Mul", [name, (values.at(-1) as { name: string }).name], dims);
    },
    scalar: ({ name, shape: dims }) =>
      put(pick(["Add", "Mul", "Sub", "Div"]), random() < 0.5 ? [name, constant([])] : [constant([1]), name], dims),
    channel: ({ name, shape: dims }) => put(pick(["Add", "Mul"]), [name, constant([dims[1] as number, 1, 1])], dims),
    row: ({ name, shape: dims }) => put(pick(["Add", "Mul"]), [name, constant([dims[3] as number])], dims),
    norm({ name, shape: dims }) {
      const c = dims[1] as number;
      const list = [constant([c]), constant([c]), constant([c])];
      initializers.push(f32(`var${nodes.length}`, [c], new Float32Array(c).fill(0.7)));
      put("BatchNormalization", [name, ...list, `var${nodes.length}`], dims);
    },
    sum({ name, shape: dims }) {
      const other = values.find((each) => each.name !== name && each.shape.join() === dims.join());
      if (other) put(pick(["Add", "Mul", "Sub", "Max"]), random() < 0.5 ? [name, other.name] : [other.name, name], dims);
    },
    gate({ name, shape: dims }) {
      const gate = values.find(({ shape: [n, c, h, w] }) => h === 1 && w === 1 && c === dims[1] && n === dims[0]);
      if (gate) put("Mul", [name, gate.name], dims);
    },
    concat({ name, shape: dims }) {
      const axis = 1 + upTo(3);
      const other = values.findLast((each) => each.name !== name && each.shape.every((d, i) => i === axis || d === dims[i]));
      if (other) put("Concat", [name, other.name], dims.with(axis, (dims[axis] as number) + (other.shape[axis] as number)), { axis });
    },
    turn({ name, shape: dims }) {
      const perm = pick([
        [0, 2, 3, 1],
        [0, 3, 1, 2],
        [0, 1, 3, 2],
        [0, 2, 1, 3],
      ]);
      put(
        "Transpose",
        [name],
        perm.map((axis) => dims[axis] as number),
        { perm },
      );
    },
    shuffle({ name, shape: [n = 1, c = 1, h = 1, w = 1] }) {
      if (c % 2 !== 0) return;
      put("Reshape", [name, integers([n, 2, c / 2, h, w])], [n, 2, c / 2, h, w]);
      put("Transpose", [(values.at(-1) as { name: string }).name], [n, c / 2, 2, h, w], { perm: [0, 2, 1, 3, 4] });
      put("Reshape", [(values.at(-1) as { name: string }).name, integers([n, c, h, w])], [n, c, h, w]);
    },
    pad({ name, shape: dims }) {
      const pads = [0, upTo(2), upTo(3), upTo(3), 0, upTo(2), upTo(3), upTo(3)];
      put(
        "Pad",
        [name, integers(pads)],
        dims.map((d, i) => d + (pads[i] as number) + (pads[i + 4] as number)),
      );
    },
    slice({ name, shape: dims }) {
      const axis = 1 + upTo(3);
      const size = dims[axis] as number;
      if (size > 2)
        put("Slice", [name, integers([1]), integers([size]), integers([axis - (random() < 0.5 ? 4 : 0)])], dims.with(axis, size - 1));
    },
    halves({ name, shape: dims }) {
      const axis = 1 + upTo(3);
      const size = dims[axis] as number;
      if (size % 2 !== 0) return;
      const [shape, names] = [dims.with(axis, size / 2), [0, 1].map((i) => `v${nodes.length}_${i}`)];
      nodes.push(node("Split", [name], names, { axis }));
      read.add(name);
      values.push(...names.map((half) => ({ name: half, shape })));
    },
    resize({ name, shape: [n = 1, c = 1, h = 1, w = 1] }) {
      const [region, scales] = [`c${initializers.length}`, `c${initializers.length + 1}`];
      initializers.push(f32(region, [0], new Float32Array(0)), f32(scales, [4], Float32Array.of(1, 1, 2, 2)));
      const [mode, coordinate_transformation_mode] = [pick(["nearest", "linear"]), pick(["asymmetric", "half_pixel", "align_corners"])];
      const attributes = { mode, coordinate_transformation_mode, nearest_mode: "floor" };
      put("Resize", [name, region, scales], [n, c, 2 * h, 2 * w], attributes);
    },
    reduce({ name, shape: dims }) {
      const axes = pick([[2, 3], [1], [3], [2]]);
      put(
        pick(["ReduceMean", "ReduceMax", "ReduceMin"]),
        [name],
        dims.map((d, i) => (axes.includes(i) ? 1 : d)),
        { axes, keepdims: 1 },
      );
    },
    softmax: ({ name, shape: dims }) => put("Softmax", [name], dims, { axis: opset < 13 ? 1 : pick([1, 3, -1]) }),
    matmul({ name, shape: dims }) {
      const [k, n] = [dims[3] as number, pick([1, 5, 8, 9])];
      put("MatMul", [name, constant([k, n], 0.4)], dims.with(3, n));
    },
  };
  /** A window that keeps the plane's size. */
  const like = (plane: number[]) => {
    const k = pick([1, 3, 3, 5]);
    const pad = (k - 1) / 2;
    return {
      kernel: [k, k],
      places: plane,
      attributes: { kernel_shape: [k, k], strides: [1, 1], dilations: [1, 1], pads: [pad, pad, pad, pad] },
    };
  };
  while (nodes.length < steps) {
    const x = latest();
    const kind = pick(Object.keys(kinds));
    if (x.shape.length === 4) kinds[kind]?.(x);
  }
  const outputs = values.slice(1).filter(({ name }) => !read.has(name) || random() < 0.1);
  const graph = {
    nodes,
    initializers,
    inputs: [{ name: "x", data_type: FLOAT, dims: shape }],
    outputs: outputs.map(({ name, shape: dims }) => ({ name, data_type: FLOAT, dims })),
  };
  return { bytes: encodeModel({ graph, opsets: { "": opset } }), shape };
}
