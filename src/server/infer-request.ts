import { UnsupportedError } from "../errors.ts";
import { concat } from "../io/protobuf.ts";
import { isTensor } from "../ops/op.ts";
import type { Feeds, Results } from "../runtime/model.ts";
import { broken, datatypeOf, dtypeOf, fromBinary, fromJson, shapeOf, toBinary, toJson } from "./tensors.ts";

/** An inference as it was asked for. */
export interface InferRequest {
  id: string | undefined;
  feeds: Feeds;
  /** The outputs that are wanted, and whether each is sent as bytes; all of them where it is not said. */
  outputs: { name: string; binary: boolean }[] | undefined;
  /** Whether those that are not named are sent as bytes. */
  binary: boolean;
}

type Fields = Record<string, unknown>;

/** The header that says where in a body the JSON ends and the bytes of tensors begin. */
export const JSON_LENGTH = "inference-header-content-length";

/** Reads the body of an inference; `length` is what its header says of the JSON. @throws {FormatError} that says where it breaks the protocol. */
export function parseRequest(body: Uint8Array, length: string | undefined): InferRequest {
  const end = length === undefined ? body.byteLength : Number(length);
  if (!Number.isSafeInteger(end) || end < 1 || end > body.byteLength)
    throw broken(`Inference-Header-Content-Length is ${length}; expected the bytes of the JSON, within the ${body.byteLength} of the body`);
  const request = fields(parseJson(body.subarray(0, end)), "The request");
  const { id, inputs } = request;
  if (id !== undefined && typeof id !== "string") throw broken("'id' is not a string");
  if (!Array.isArray(inputs)) throw broken("The request has no list 'inputs'");
  let at = end;
  const take = (size: unknown, where: string): Uint8Array => {
    if (!Number.isSafeInteger(size) || (size as number) < 0 || at + (size as number) > body.byteLength)
      throw broken(`${where} has binary_data_size ${String(size).slice(0, 30)}; ${body.byteLength - at} bytes are left in the body`);
    at += size as number;
    return body.subarray(at - (size as number), at);
  };
  const feeds = new Map<string, ReturnType<typeof fromBinary>>();
  inputs.forEach((each, i) => {
    const input = fields(each, `inputs[${i}]`);
    const name = nameOf(input, `inputs[${i}]`, feeds);
    const where = `The input '${name}'`;
    const dtype = dtypeOf(input.datatype, where);
    const shape = shapeOf(input.shape, where);
    const { binary_data_size: size } = parametersOf(input, where);
    if (size !== undefined && input.data !== undefined) throw broken(`${where} has both 'data' and the parameter 'binary_data_size'`);
    feeds.set(name, size === undefined ? fromJson(dtype, shape, input.data, where) : fromBinary(dtype, shape, take(size, where), where));
  });
  if (at !== body.byteLength) throw broken(`${body.byteLength - at} bytes of the body belong to no input (binary_data_size)`);
  const binary = flag(parametersOf(request, "The request").binary_data_output, "binary_data_output") ?? false;
  return { id, feeds: Object.fromEntries(feeds), outputs: outputsOf(request.outputs, binary), binary };
}

function outputsOf(outputs: unknown, binary: boolean): InferRequest["outputs"] {
  if (outputs === undefined) return undefined;
  if (!Array.isArray(outputs)) throw broken("'outputs' is not a list");
  if (outputs.length === 0) return undefined;
  const named = new Map<string, boolean>();
  outputs.forEach((each, i) => {
    const output = fields(each, `outputs[${i}]`);
    const name = nameOf(output, `outputs[${i}]`, named);
    const parameters = parametersOf(output, `The output '${name}'`);
    if (parameters.classification !== undefined)
      throw new UnsupportedError(`The output '${name}' asks for 'classification', which there is not; take the scores`);
    named.set(name, flag(parameters.binary_data, "binary_data") ?? binary);
  });
  return [...named].map(([name, isBinary]) => ({ name, binary: isBinary }));
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw broken(`The request is not JSON: ${(error as Error).message}`);
  }
}

function fields(value: unknown, where: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw broken(`${where} is not a JSON object`);
}

function nameOf({ name }: Fields, where: string, before: ReadonlyMap<string, unknown>): string {
  if (typeof name !== "string") throw broken(`${where} has no 'name'`);
  if (before.has(name)) throw broken(`'${name}' is there twice`);
  return name;
}

function parametersOf({ parameters }: Fields, where: string): Fields {
  const found = parameters === undefined ? {} : fields(parameters, `'parameters' of ${where}`);
  if (found.shared_memory_region !== undefined) throw new UnsupportedError(`${where} names a shared memory region, which there is not`);
  return found;
}

function flag(value: unknown, name: string): boolean | undefined {
  if (value === undefined || typeof value === "boolean") return value;
  throw broken(`'${name}' is not true or false`);
}

/** The body of an answer: JSON, and behind it the bytes of tensors where some are sent as such. `jsonBytes` tells where they begin. */
export function answerBody(model: Fields, request: InferRequest, results: Results): { body: Uint8Array; jsonBytes: number | undefined } {
  const { id, outputs, binary } = request;
  const wanted = outputs ?? Object.keys(results).map((name) => ({ name, binary }));
  const parts: Uint8Array[] = [];
  const texts = wanted.map(({ name, binary: isBinary }) => {
    const tensor = results[name];
    if (!isTensor(tensor)) throw new UnsupportedError(`The output '${name}' is a sequence or optional, which the protocol has not`);
    const head = { name, datatype: datatypeOf(tensor.dtype), shape: tensor.shape };
    if (!isBinary) return `${JSON.stringify(head).slice(0, -1)},"data":${toJson(tensor)}}`;
    const bytes = toBinary(tensor);
    parts.push(bytes);
    return JSON.stringify({ ...head, parameters: { binary_data_size: bytes.byteLength } });
  });
  const head = JSON.stringify({ ...model, ...(id !== undefined && { id }) });
  const json = new TextEncoder().encode(`${head.slice(0, -1)},"outputs":[${texts.join()}]}`);
  return parts.length === 0 ? { body: json, jsonBytes: undefined } : { body: concat([json, ...parts]), jsonBytes: json.byteLength };
}
