import { FormatError, LimitError } from "../../errors.ts";
import { BYTES, bytesHeader, FIXED32, FIXED64, packed, VARINT, varint } from "../../io/protobuf.ts";
import type { Reader } from "../../io/reader.ts";
import { type Payload, passingPayload } from "../../payload.ts";
import { type Field, type Leaf, type Message, open } from "./message.ts";
import { isPayload, type Kind, Model, OPEN, TensorProto, WIRES } from "./proto.ts";

/** Subgraphs within subgraphs that a reader follows: ONNX models in use nest two or three; more is an attack on the stack. */
export const MAX_DEPTH = 24;
/** Everything that is not bulk data (nodes, names, small tensors) is held until the end: 32 MiB is some 20,000 nodes. */
export const MAX_GRAPH_BYTES = 32 << 20;
/** What V8 takes for the objects that stand for a field, a message, and a node or tensor with what is made of it; measured. */
const COST = { field: 136, message: 144, whole: 400 };
/** Tensor data shorter than this is part of the graph; the smallest weight a scheme takes (1024 × 16 bits) is not. */
export const INLINE = 2048;
/** Fields of a tensor that tell what its data is, or are data. */
const HEADER: ReadonlySet<number> = new Set([TensorProto.dims, TensorProto.data_type, TensorProto.name, TensorProto.string_data]);

/** Bytes of a buffer that small fields share. */
const SLAB = 1 << 16;

/** What stands in a model file, in the order it stands there. */
export type Item =
  /** A field of ModelProto. */
  | { kind: "model"; field: Leaf }
  /** A field of GraphProto, nodes included; initializers come as `initializer`. */
  | { kind: "graph"; field: Field }
  /**
   * An initializer, at the start of its bulk data or, where that came before the header was complete or is small, at its end.
   * `passing` is the bulk data while it goes by; it must be consumed or passed over before the next item is asked for,
   * and then `message` holds the fields after it too.
   */
  | { kind: "initializer"; message: Message; passing: Passing | undefined };

/** Bulk data at the reader's position. */
export interface Passing {
  field: number;
  /** Where it starts in the source. */
  offset: number;
  /** Consumers that keep the data set this to what they keep it in; the message then carries that. */
  payload: Payload;
  /** The fields after it, as the bytes they are. Consuming them leaves them out of the message. */
  trailing: Payload;
}

/** How bulk data inside nodes, or ahead of its header, is kept. */
export type Hold = (payload: Payload, offset: number) => Promise<Payload>;

interface Tag {
  field: number;
  wire: number;
  offset: number;
}

/** Reads a ModelProto item by item. https://protobuf.dev/programming-guides/encoding/ */
export class Parser {
  readonly #reader: Reader;
  readonly #hold: Hold;
  /** Whether a tensor's header has what streaming needs; asked at the start of its bulk data, which is in `field`. */
  readonly #ready: (message: Message, field: number) => boolean;
  #held = 0;
  #slab = new Uint8Array(0);

  constructor(reader: Reader, hold: Hold, ready: (message: Message, field: number) => boolean) {
    this.#reader = reader;
    this.#hold = hold;
    this.#ready = ready;
    reader.format = "ONNX model";
  }

  async *items(): AsyncGenerator<Item> {
    while (!(await this.#reader.atEnd())) {
      const tag = await this.#tag("model");
      if (tag.field !== Model.graph) {
        yield { kind: "model", field: await this.#leaf(tag, undefined) };
        continue;
      }
      const end = await this.#length(tag, undefined);
      while (this.#reader.position < end) {
        const inner = await this.#tag("graph");
        if (OPEN.graph[inner.field] === "tensor") yield* this.#initializer(inner, end);
        else yield { kind: "graph", field: await this.#field(inner, "graph", end, 1) };
      }
      this.#exact(end, tag);
    }
  }

  async *#initializer(tag: Tag, limit: number): AsyncGenerator<Item> {
    const start = await this.#length(tag, limit).then((end) => ({ end, offset: this.#reader.position }));
    const message: Message = { kind: "tensor", offset: start.offset, fields: [] };
    this.#account(0, tag, COST.whole);
    const item: Item = { kind: "initializer", message, passing: undefined };
    let passed = false;
    while (this.#reader.position < start.end) {
      const inner = await this.#tag("tensor");
      if (!passed && isPayload("tensor", inner.field) && inner.wire === BYTES && this.#ready(message, inner.field)) {
        const end = await this.#length(inner, start.end);
        const offset = this.#reader.position;
        if (end - offset >= INLINE) {
          passed = true;
          const tail = async () => (await this.#tail(start.end, tag)).bytes;
          const trailing: Payload = {
            length: start.end - end,
            again: false,
            async *chunks() {
              yield await tail();
            },
          };
          const passing: Passing = {
            field: inner.field,
            offset,
            payload: passingPayload(this.#reader, end - this.#reader.position, "tensor data"),
            trailing,
          };
          yield { ...item, passing };
          if (this.#reader.position < end) await this.#reader.skip(end - this.#reader.position, "tensor data");
          message.fields.push({ field: inner.field, payload: passing.payload });
          if (this.#reader.position < start.end) message.fields.push(...(await this.#tail(start.end, tag)).fields);
        } else message.fields.push(await this.#content(inner, end));
      } else message.fields.push(await this.#field(inner, "tensor", start.end, 1));
    }
    this.#exact(start.end, tag);
    if (!passed) yield item;
  }

  /** What stands after a tensor's bulk data: nothing that would change what the data meant. */
  async #tail(end: number, tag: Tag): Promise<{ bytes: Uint8Array; fields: Leaf[] }> {
    const offset = this.#reader.position;
    this.#account(end - offset, tag);
    const bytes = await this.#reader.take(end - offset, "a tensor");
    const { fields } = open({ field: tag.field, bytes, start: 0, value: 0 }, offset);
    for (const { field, bytes: content, value } of fields) {
      this.#account(0, tag);
      this.#expectWire("tensor", { field, wire: (content[0] as number) % 8, offset });
      if (HEADER.has(field) || isPayload("tensor", field) || (field === TensorProto.data_location && value !== 0)) {
        throw this.#broken(`field ${field} of a tensor follows its data`, offset);
      }
    }
    return { bytes, fields };
  }

  async #field(tag: Tag, kind: Kind, limit: number, depth: number): Promise<Field> {
    if (tag.wire === BYTES) {
      const open = OPEN[kind][tag.field];
      if (open) return { field: tag.field, message: await this.#message(tag, open, limit, depth) };
      if (isPayload(kind, tag.field)) {
        const end = await this.#length(tag, limit);
        const offset = this.#reader.position;
        if (end - offset < INLINE) return this.#content(tag, end);
        const payload = await this.#hold(passingPayload(this.#reader, end - this.#reader.position, "tensor data"), offset);
        if (this.#reader.position < end) await this.#reader.skip(end - this.#reader.position, "tensor data");
        return { field: tag.field, payload };
      }
    }
    return this.#leaf(tag, limit);
  }

  async #message(tag: Tag, kind: Kind, limit: number, depth: number): Promise<Message> {
    if (depth > MAX_DEPTH) throw new LimitError("MAX_DEPTH", `Messages nest deeper than ${MAX_DEPTH} levels`, { offset: tag.offset });
    const end = await this.#length(tag, limit);
    const message: Message = { kind, offset: this.#reader.position, fields: [] };
    this.#account(0, tag, kind === "attribute" ? COST.message : COST.whole);
    while (this.#reader.position < end) message.fields.push(await this.#field(await this.#tag(kind), kind, end, depth + 1));
    this.#exact(end, tag);
    return message;
  }

  async #tag(kind: Kind | "model"): Promise<Tag> {
    const offset = this.#reader.position;
    const value = await this.#reader.varint();
    const field = Math.floor(value / 8);
    if (field < 1 || field > 0x1fffffff) throw this.#broken(`field number ${field} does not exist`, offset);
    const tag = { field, wire: value % 8, offset };
    this.#expectWire(kind, tag);
    return tag;
  }

  #expectWire(kind: Kind | "model", { field, wire, offset }: Tag): void {
    const expected = WIRES[kind][field];
    if (expected && !expected.includes(wire))
      throw this.#broken(`field ${field} of a ${kind} has wire type ${wire}, expected ${expected.join(" or ")}`, offset);
  }

  /** Reads a length and returns where its content ends. */
  async #length(tag: Tag, limit: number | undefined): Promise<number> {
    if (tag.wire !== BYTES) throw this.#broken(`field ${tag.field} has wire type ${tag.wire}, expected 2 (length-delimited)`, tag.offset);
    const length = await this.#reader.varint();
    const end = this.#reader.position + length;
    const last = limit ?? this.#reader.size ?? Number.MAX_SAFE_INTEGER;
    if (end > last) throw this.#broken(`field ${tag.field} declares ${length} bytes, ${last - this.#reader.position} are left`, tag.offset);
    return end;
  }

  async #leaf(tag: Tag, limit: number | undefined): Promise<Leaf> {
    switch (tag.wire) {
      case VARINT: {
        await this.#reader.varint();
        const value = this.#reader.lastVarint();
        this.#within(limit, tag);
        return this.#made(tag, value, packed(value).next().value as number);
      }
      case FIXED64:
        return this.#fixed(tag, 8, limit);
      case FIXED32:
        return this.#fixed(tag, 4, limit);
      case BYTES:
        return this.#content(tag, await this.#length(tag, limit));
      default:
        throw this.#broken(`field ${tag.field} has wire type ${tag.wire}, which ONNX does not use`, tag.offset);
    }
  }

  async #fixed(tag: Tag, size: number, limit: number | undefined): Promise<Leaf> {
    const value = await this.#reader.take(size, `field ${tag.field}`);
    this.#within(limit, tag);
    return this.#made(tag, value, 0);
  }

  async #content(tag: Tag, end: number): Promise<Leaf> {
    const length = end - this.#reader.position;
    this.#account(length, tag);
    const header = bytesHeader(tag.field, length);
    const bytes = this.#room(header.byteLength + length);
    bytes.set(header);
    await this.#reader.into(bytes.subarray(header.byteLength), `field ${tag.field}`);
    return { field: tag.field, bytes, start: header.byteLength, value: 0 };
  }

  #made(tag: Tag, content: Uint8Array, value: number): Leaf {
    const header = varint(tag.field * 8 + tag.wire);
    this.#account(header.byteLength + content.byteLength, tag);
    const bytes = this.#room(header.byteLength + content.byteLength);
    bytes.set(header);
    bytes.set(content, header.byteLength);
    return { field: tag.field, bytes, start: header.byteLength, value };
  }

  /** Fresh bytes for a field. Small ones share a buffer: thousands of buffers cost more than what is in them. */
  #room(length: number): Uint8Array {
    if (length > SLAB / 8) return new Uint8Array(length);
    if (this.#slab.byteLength < length) this.#slab = new Uint8Array(SLAB);
    const room = this.#slab.subarray(0, length);
    this.#slab = this.#slab.subarray(length);
    return room;
  }

  /** Counts what is held, with what an object costs. */
  #account(bytes: number, tag: Tag, cost = COST.field): void {
    this.#held += bytes + cost;
    if (this.#held > MAX_GRAPH_BYTES) {
      const what = `Nodes, names and small tensors take more than ${MAX_GRAPH_BYTES} bytes of memory while they are read`;
      throw new LimitError("MAX_GRAPH_BYTES", `${what}: some 20,000 nodes do; simplify the graph, or split it`, { offset: tag.offset });
    }
  }

  #within(limit: number | undefined, tag: Tag): void {
    if (limit !== undefined && this.#reader.position > limit)
      throw this.#broken(`field ${tag.field} runs past the end of its message`, tag.offset);
  }

  #exact(end: number, tag: Tag): void {
    if (this.#reader.position !== end) throw this.#broken(`the fields of message ${tag.field} do not fill it exactly`, tag.offset);
  }

  #broken(what: string, offset: number): FormatError {
    return new FormatError(`Cannot read the ONNX model: ${what}`, { offset, format: "onnx" });
  }
}
