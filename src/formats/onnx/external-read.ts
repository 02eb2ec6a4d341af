/** Reading tensor data in files beside the model: https://github.com/onnx/onnx/blob/main/docs/ExternalData.md */
import { FormatError, LimitError, UnsupportedError } from "../../errors.ts";
import { BYTES, bytes as encodedBytes } from "../../io/protobuf.ts";
import type { Payload } from "../../payload.ts";
import { byteLength, type TensorInfo } from "../../tensor.ts";
import { content, type Field, isBulk, isLeaf, isNested, type Leaf, leaf, type Message, numberOf, open, textOf } from "./message.ts";
import { type Item, MAX_DEPTH } from "./parse.ts";
import {
  AttributeProto,
  GraphProto,
  isPayload,
  Model,
  NodeProto,
  OPEN,
  SparseTensorProto,
  StringStringEntry,
  TensorProto,
} from "./proto.ts";
import { tensorInfo } from "./tensor.ts";

/** Where the data of a tensor stands. */
export interface Place {
  /** The file's path from the folder of the model, with slashes. */
  location: string;
  /** Bytes. */
  offset: number;
  length: number;
}

/** TensorProto.DataLocation. */
export const EXTERNAL = 1;

/** A tensor with data in another file. */
export interface ExternalTensor {
  info: TensorInfo;
  message: Message;
  place: Place;
}

/** The tensors of a part of a model whose data stands in other files. Everything is checked that can be without those files. */
export function* externalTensors(item: Item): Generator<ExternalTensor> {
  if (item.kind === "initializer") {
    if (isExternal(item.message)) yield externalTensor(item.message, undefined, item.passing !== undefined);
  } else yield* within(item.field, item.kind, undefined);
}

const isExternal = (message: Message): boolean => (numberOf(message, TensorProto.data_location) ?? 0) !== 0;

/** `value` is the name of the value that a Constant's tensor, which has none, becomes. */
function* within(field: Field, kind: string, value: string | undefined): Generator<ExternalTensor> {
  if (isLeaf(field)) refuseHidden(field, kind, 0);
  if (!isNested(field)) return;
  const { message } = field;
  if (message.kind === "tensor") {
    if (isExternal(message)) yield externalTensor(message, textOf(message, TensorProto.name) || value, false);
    return;
  }
  const named = message.kind === "node" ? textOf(message, NodeProto.output) : value;
  for (const inner of message.fields) yield* within(inner, message.kind, named);
}

/** Parts of a model that are kept as bytes, and what is in them: fields by the kind of message they are. */
const HIDDEN: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  ...OPEN,
  model: { [Model.training_info]: "training", [Model.functions]: "function" },
  training: { 1: "graph", 2: "graph" }, // initialization, algorithm
  function: { 7: "node" },
  graph: { ...OPEN.graph, [GraphProto.sparse_initializer]: "sparse" },
  attribute: { ...OPEN.attribute, [AttributeProto.sparse_tensor]: "sparse", 23: "sparse" }, // sparse_tensors
  sparse: { [SparseTensorProto.values]: "tensor", [SparseTensorProto.indices]: "tensor" },
};

/** Refuses data in other files where it would stay there: the result would read the source's files, which may not be beside it. */
function refuseHidden(field: Leaf, kind: string, depth: number): void {
  const inner = HIDDEN[kind]?.[field.field];
  if (!inner || (field.bytes[0] as number) % 8 !== BYTES) return;
  if (depth > MAX_DEPTH) throw new LimitError("MAX_DEPTH", `Messages nest deeper than ${MAX_DEPTH} levels`);
  const message = open(field);
  if (inner !== "tensor") for (const each of message.fields) refuseHidden(each, inner, depth + 1);
  else if (isExternal(message)) {
    const tensor = textOf(message, TensorProto.name);
    const what = `Tensor '${tensor}', which is sparse or within a function or training graph, keeps its data in another file; merge the model into one file first`;
    throw new UnsupportedError(what, { tensor });
  }
}

function externalTensor(message: Message, name: string | undefined, carries: boolean): ExternalTensor {
  const info = tensorInfo(message, name);
  const broken = (what: string) =>
    new FormatError(`Tensor '${info.name}' ${what}`, { offset: message.offset, tensor: info.name, format: "onnx" });
  const where = numberOf(message, TensorProto.data_location);
  if (where !== EXTERNAL) throw broken(`has data location ${where}, which ONNX does not define`);
  if (info.dtype === "string") throw broken("holds strings, which cannot stand in another file");
  if (carries || message.fields.some((field) => isData(field) && dataLength(field) > 0))
    throw broken("carries its data twice: here, and in another file");
  const entries = new Map<string, string>();
  for (const field of message.fields) {
    if (field.field !== TensorProto.external_data || !isLeaf(field)) continue;
    const entry = open(field, message.offset);
    const key = textOf(entry, StringStringEntry.key);
    if (entries.has(key)) throw broken(`says twice what the ${key} of its data in another file is`);
    entries.set(key, textOf(entry, StringStringEntry.value));
  }
  const number = (key: string, otherwise: number): number => {
    const text = entries.get(key);
    if (text === undefined) return otherwise;
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text)))
      throw broken(`has '${text}' for the ${key} of its data in another file; expected a decimal number of bytes`);
    return Number(text);
  };
  const location = (entries.get("location") ?? "").replace(/^(\.\/)+/, "");
  const fault = locationFault(location);
  if (fault) throw broken(`keeps its data in '${location}', which ${fault}; expected the path of a file in the model's folder or below`);
  const wanted = byteLength(info.dtype, info.shape);
  const length = number("length", wanted);
  if (length !== wanted) throw broken(`holds ${length} bytes in '${location}'; ${info.dtype}[${info.shape}] takes ${wanted}`);
  return { info, message, place: { location, offset: number("offset", 0), length } };
}

/** What is wrong with a path that must stay in a folder on every system, joined to a directory or to a URL; undefined for nothing. */
function locationFault(location: string): string | undefined {
  if (location === "") return "is no name";
  if (/\p{Cc}/u.test(location)) return "has a control character";
  if (location.includes("\\")) return "has a backslash";
  if (location.includes(":")) return "has a colon, as drives and URLs do";
  if (location.startsWith("/")) return "is absolute";
  const segments = location.split("/");
  if (segments.includes("..")) return "leads out of its folder";
  if (segments.includes("") || segments.includes(".")) return "has an empty step";
  return undefined;
}

export const isData = (field: Field): field is Exclude<Field, { message: Message }> =>
  isBulk(field) || (isLeaf(field) && isPayload("tensor", field.field));
export const dataLength = (field: Field): number => (isBulk(field) ? field.payload.length : content(field as Leaf).byteLength);
export const isReference = (field: Field): boolean =>
  field.field === TensorProto.external_data || field.field === TensorProto.data_location;

/** Gives a tensor its data as if it had always carried them: bytes as small data is, a payload as bulk data is. */
export function carryData(message: Message, data: Uint8Array | Payload): void {
  const carried = data instanceof Uint8Array ? rawField(data) : { field: TensorProto.raw_data, payload: data };
  message.fields = [...message.fields.filter((field) => !isReference(field) && !isData(field)), carried];
}

const rawField = (data: Uint8Array): Leaf => leaf(TensorProto.raw_data, encodedBytes(TensorProto.raw_data, data), data.byteLength);
