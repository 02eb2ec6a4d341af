import type { Output } from "../../io/output.ts";
import { bytesHeader, concat, int, string, varint, varintLength } from "../../io/protobuf.ts";
import type { TensorInfo } from "../../tensor.ts";
import { dataType, GraphProto, Model, TensorProto } from "./proto.ts";

/**
 * How a graph lies in its file. All three hold the same fields:
 * - `canonical`: one graph of a length known beforehand, nodes first;
 * - `patched`: one graph, nodes last, its length (five bytes wide) written at the end;
 * - `pieced`: many graph fields, which protobuf parsers merge; no length is needed before the end.
 */
export type Layout = "canonical" | "patched" | "pieced";

const GRAPH_TAG = varint(Model.graph * 8 + 2);
/** Readers accept a length padded to five bytes; at ten some refuse. Five hold 2^35. */
const PADDED = 5;
/** Protobuf parsers stop at 2 GiB. */
export const MAX_MODEL_BYTES = 2 ** 31 - 1;

/** Writes the graph's fields as the layout asks. */
export class GraphWriter {
  readonly #out: Output;
  readonly layout: Layout;
  readonly #length: number | undefined;
  #open: number | undefined; // where the graph's length stands

  constructor(out: Output, layout: Layout, length?: number) {
    this.#out = out;
    this.layout = layout;
    this.#length = length;
  }

  /** Announces `length` bytes of whole fields. */
  piece(length: number): void {
    if (this.layout === "pieced") {
      this.#out.put(bytesHeader(Model.graph, length));
    } else if (this.#open === undefined) {
      this.#out.put(GRAPH_TAG);
      this.#open = this.#out.length;
      this.#out.put(this.layout === "canonical" ? varint(this.#length as number) : varint(0, PADDED));
    }
  }

  async close(): Promise<void> {
    if (this.layout !== "patched" || this.#open === undefined) return;
    const length = this.#out.length - this.#open - PADDED;
    await this.#out.patch(this.#open, varint(length, PADDED));
  }
}

/** What stands before the data of a TensorProto with raw data. */
export const tensorHeader = (info: TensorInfo, dataLength: number): Uint8Array =>
  concat([
    ...info.shape.map((d) => int(TensorProto.dims, d)),
    int(TensorProto.data_type, dataType(info.dtype)),
    string(TensorProto.name, info.name),
    bytesHeader(TensorProto.raw_data, dataLength),
  ]);

/** What stands before the data of an initializer with raw data, its own tag included. */
export function initializerHeader(info: TensorInfo, dataLength: number): Uint8Array {
  const header = tensorHeader(info, dataLength);
  return concat([bytesHeader(GraphProto.initializer, header.byteLength + dataLength), header]);
}

/** Encoded length of a length-delimited field with `length` bytes of content. */
export const enclosedLength = (field: number, length: number): number => varintLength(field * 8) + varintLength(length) + length;
