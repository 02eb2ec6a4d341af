/** NumPy's array files: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
import { FormatError, LimitError, UnsupportedError } from "../errors.ts";
import { arrayOf, type DType, elements, type Tensor, tensorBytes } from "../tensor.ts";
import { concat } from "./protobuf.ts";
import { memorySource, type Source } from "./source.ts";

/** NumPy itself refuses a longer header when it does not trust the file. */
const MAX_NPY_HEADER = 10_000;
/** NumPy's own limit before version 2; it has 64 since. */
const MAX_NPY_RANK = 64;
/** An array that is read in one piece may have so many bytes unless the caller says less. */
export const MAX_ARRAY_BYTES = 2 ** 31;

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

// biome-ignore format: a table
const DTYPES: Readonly<Record<string, DType>> = {
  b1: "bool", i1: "int8", u1: "uint8", i2: "int16", u2: "uint16", i4: "int32", u4: "uint32", i8: "int64", u8: "uint64",
  f2: "float16", f4: "float32", f8: "float64", c8: "complex64", c16: "complex128",
};
const WORDS = new Map(Object.entries(DTYPES).map(([word, dtype]) => [dtype, word]));

/** An array in a file, read when it is asked for. */
export interface NpyArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** All of it. */
  read(): Promise<Tensor>;
  /** Entries `start` to `start + count` of the first axis. */
  rows(start: number, count: number): Promise<Tensor>;
}

interface Header {
  dtype: DType;
  shape: readonly number[];
  fortran: boolean;
  /** Bytes of an element. */
  width: number;
  /** Whether each string is UTF-32, not bytes. */
  utf32: boolean;
  big: boolean;
  /** Where the elements begin. */
  offset: number;
}

const broken = (message: string, offset?: number): FormatError =>
  new FormatError(message, { format: "npy", ...(offset !== undefined && { offset }) });

/**
 * Opens an array: of bool, integers, float16 to float64, complex numbers or text, of either byte order, in C or Fortran order.
 * @throws {FormatError} where it is not NumPy's format, {UnsupportedError} for Python objects, dates and structures, {LimitError} beyond `limit` bytes.
 */
export async function openNpy(source: Source, limit: number = MAX_ARRAY_BYTES): Promise<NpyArray> {
  const header = await readHeader(source);
  const { dtype, shape, width, offset } = header;
  const bytes = elements(shape) * width;
  if (!Number.isSafeInteger(bytes)) throw broken(`The array's shape (${shape}) has more elements than any file`);
  if (source.size - offset !== bytes)
    throw broken(`The array's shape (${shape}) of ${dtype} takes ${bytes} bytes, and ${source.size - offset} are there`, offset);
  const take = async (start: number, length: number): Promise<Uint8Array> => {
    if (length > limit) throw new LimitError("MAX_ARRAY_BYTES", `The array has ${length} bytes, of ${limit} that are read in one piece`);
    return length === 0 ? new Uint8Array(0) : source.read(offset + start, length);
  };
  const read = async (): Promise<Tensor> => {
    const tensor = decoded(header, shape, await take(0, bytes));
    return header.fortran && shape.length > 1 ? rowMajor(tensor) : tensor;
  };
  return {
    dtype,
    shape,
    read,
    async rows(start, count) {
      const part = [count, ...shape.slice(1)];
      const row = elements(part.slice(1));
      if (!header.fortran || shape.length < 2) return decoded(header, part, await take(start * row * width, count * row * width));
      const { data } = await read();
      const lanes = lanesOf(dtype);
      return { dtype, shape: part, data: data.slice(start * row * lanes, (start + count) * row * lanes) as Tensor["data"] };
    },
  };
}

/** An array whose file is in memory. */
export const readNpy = async (bytes: Uint8Array): Promise<Tensor> => (await openNpy(memorySource(bytes))).read();

async function readHeader(source: Source): Promise<Header> {
  const head = await source.read(0, Math.min(12, source.size));
  if (head.byteLength < 10 || !MAGIC.every((byte, i) => head[i] === byte))
    throw broken("The file is no NumPy array: it does not begin with \\x93NUMPY", 0);
  const major = head[6] as number;
  if (major < 1 || major > 3) throw broken(`The array is of format version ${major}.${head[7]}; there are 1.0, 2.0 and 3.0`, 6);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const start = major === 1 ? 10 : 12;
  const length = major === 1 ? view.getUint16(8, true) : head.byteLength < 12 ? 0 : view.getUint32(8, true);
  if (length > MAX_NPY_HEADER)
    throw new LimitError("MAX_NPY_HEADER", `The array's header has ${length} bytes, of ${MAX_NPY_HEADER}; is the file damaged?`);
  if (start + length > source.size) throw broken(`The file ends in the header, which has ${length} bytes`, 8);
  const text = new TextDecoder(major === 3 ? "utf-8" : "latin1").decode(await source.read(start, length));
  return { ...parseHeader(text, start), offset: start + length };
}

/** Parses the Python dictionary that a header is: of three keys, in any order. */
function parseHeader(text: string, offset: number): Omit<Header, "offset"> {
  const fields = new Map<string, string>();
  const field = /\s*(?:'(\w+)'|"(\w+)")\s*:\s*('[^'\\]*'|"[^"\\]*"|True|False|\([\dL,\s]*\)|\[[^\]]*\])\s*(?:,|(?=\}))/y;
  const body = text.trim();
  if (!body.startsWith("{") || !body.endsWith("}")) throw broken("The array's header is not a Python dictionary", offset);
  field.lastIndex = 1;
  for (let match = field.exec(body); match; match = field.exec(body)) fields.set(match[1] ?? (match[2] as string), match[3] as string);
  const [descr = "", order = "", shape = ""] = ["descr", "fortran_order", "shape"].map((key) => fields.get(key));
  if (fields.size !== 3 || !/^['"[]/.test(descr) || !/^(True|False)$/.test(order) || !shape.startsWith("("))
    throw broken("The array's header does not say descr, fortran_order and shape, and nothing else", offset);
  const dims = (shape.match(/\d+/g) ?? []).map(Number);
  if (dims.length > MAX_NPY_RANK || !dims.every(Number.isSafeInteger)) throw broken("The array's shape is none that an array has", offset);
  return { ...elementType(descr.slice(1, -1)), shape: dims, fortran: order === "True" };
}

function elementType(descr: string): Pick<Header, "dtype" | "width" | "utf32" | "big"> {
  const [, order = "", kind = "", size = ""] = /^([<>|=]?)([a-zA-Z?])(\d{0,6})$/.exec(descr) ?? [];
  const dtype = Object.hasOwn(DTYPES, kind + size) ? DTYPES[kind + size] : undefined;
  const big = order === ">";
  if (dtype) return { dtype, width: Number(size), utf32: false, big };
  if ((kind === "U" || kind === "S") && size !== "") {
    const utf32 = kind === "U";
    return { dtype: "string", width: Number(size) * (utf32 ? 4 : 1), utf32, big };
  }
  const why = kind === "O" ? "Python objects, which only Python reads (pickle)" : `elements of the type '${descr}'`;
  throw new UnsupportedError(
    `The array holds ${why}; expected bool, integers, floats, complex numbers or text: convert it with astype, as to float32`,
  );
}

/** Numbers of an element. */
const lanesOf = (dtype: DType): number => (dtype.startsWith("complex") ? 2 : 1);

/** Elements in the order in which they are stored. */
function decoded({ dtype, width, utf32, big }: Header, shape: readonly number[], bytes: Uint8Array): Tensor {
  if (dtype === "string") return { dtype, shape, data: texts(bytes, elements(shape), width, utf32, big) };
  if (dtype === "bool") return { dtype, shape, data: bytes.map((byte) => (byte === 0 ? 0 : 1)) };
  const unit = width / lanesOf(dtype);
  return { dtype, shape, data: arrayOf(dtype, big && unit > 1 ? swapped(bytes, unit) : bytes) };
}

function swapped(bytes: Uint8Array, unit: number): Uint8Array {
  const out = new Uint8Array(bytes.byteLength);
  for (let at = 0; at < out.length; at += unit) for (let i = 0; i < unit; i++) out[at + i] = bytes[at + unit - 1 - i] as number;
  return out;
}

function texts(bytes: Uint8Array, count: number, width: number, utf32: boolean, big: boolean): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder();
  return Array.from({ length: count }, (_, i) => {
    if (!utf32) return decoder.decode(bytes.subarray(i * width, (i + 1) * width)).replace(/\0+$/, "");
    const points: number[] = [];
    for (let at = i * width; at < (i + 1) * width; at += 4) points.push(view.getUint32(at, !big));
    while (points.at(-1) === 0) points.pop();
    if (points.some((point) => point > 0x10ffff)) throw broken("A text of the array has characters that are none");
    return String.fromCodePoint(...points);
  });
}

/** Elements whose first axis changes fastest, in row-major order. */
function rowMajor({ dtype, shape, data }: Tensor): Tensor {
  const lanes = lanesOf(dtype);
  const strides = shape.map((_, axis) => elements(shape.slice(0, axis)));
  const out = data.slice() as unknown[];
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < data.length; to += lanes) {
    for (let lane = 0; lane < lanes; lane++) out[to + lane] = data[from * lanes + lane];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const size = shape[axis] as number;
      const stride = strides[axis] as number;
      from += stride;
      if (++(index[axis] as number) < size) break;
      from -= stride * size;
      index[axis] = 0;
    }
  }
  return { dtype, shape, data: out as unknown as Tensor["data"] };
}

/**
 * The file of an array, little-endian, in C order; text as UTF-32, as NumPy keeps it.
 * @throws {UnsupportedError} for types that NumPy does not have.
 */
export function writeNpy(tensor: Tensor): Uint8Array {
  const { dtype, shape } = tensor;
  const word = WORDS.get(dtype);
  const [descr, bytes] = dtype === "string" ? utf32Bytes(tensor.data as readonly string[]) : [word, word && tensorBytes(tensor)];
  if (!descr || !bytes) throw new UnsupportedError(`NumPy has no type ${dtype}`);
  const order = /^[biu]1$/.test(descr) ? "|" : "<";
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${order}${descr}', 'fortran_order': False, 'shape': (${dims}), }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64; // readers map the elements as they lie
  const head = new TextEncoder().encode(`${"\0".repeat(10)}${text.padEnd(length - 11)}\n`);
  head.set([...MAGIC, 1, 0, (length - 10) & 255, (length - 10) >> 8]);
  return concat([head, bytes]);
}

function utf32Bytes(strings: readonly string[]): [descr: string, bytes: Uint8Array] {
  const points = strings.map((text) => Array.from(text, (char) => char.codePointAt(0) as number));
  const width = points.reduce((most, { length }) => Math.max(most, length), 1);
  const out = new Uint32Array(strings.length * width);
  points.forEach((text, i) => {
    out.set(text, i * width);
  });
  return [`U${width}`, new Uint8Array(out.buffer)];
}
