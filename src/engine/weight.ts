import type { Encoding } from "../encoding.ts";
import { LimitError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { Slabs } from "../kernels/slabs.ts";
import type { Payload } from "../payload.ts";
import type { EncodingError } from "../quantize/encoder.ts";
import { encoder } from "../quantize/encoders.ts";
import { elements, type FloatDType, type TensorInfo } from "../tensor.ts";
import { type Held, MAX_LOOKAHEAD } from "./lookahead.ts";

/** A passing weight up to this size is walked more than once where it lies, in WASM memory. */
const MAX_RESIDENT = MAX_LOOKAHEAD;

/**
 * Encodes one weight: yields its values, then its scales and zero points, with the number of the part; bytes are valid until the next are
 * asked for. `hold` keeps a payload that can be read once, where the encoding needs more than one pass and it is too large for WASM memory.
 * `done` is told the error when all has been made.
 */
export async function* encodeWeight(
  kernels: Kernels,
  weight: TensorInfo,
  encoding: Encoding,
  payload: Payload,
  hold: (payload: Payload) => Promise<Held>,
  done: (error: EncodingError) => void,
): AsyncGenerator<[part: number, bytes: Uint8Array]> {
  const { arena } = kernels;
  const mark = arena.mark();
  let held: Held | undefined;
  try {
    const { passes, takes, unit, rest, error } = encoder(kernels, weight.dtype as FloatDType, weight.shape, encoding);
    const count = elements(weight.shape);
    const slabs = new Slabs(kernels, weight.dtype as FloatDType, takes, unit, count);
    const again = passes.length > 1 && !payload.again;
    const resident = again && payload.length <= MAX_RESIDENT ? await settle(kernels, payload) : undefined;
    if (again && resident === undefined) held = await hold(payload);

    for (const pass of passes) {
      for await (const [x, n] of resident === undefined ? walk(slabs, held?.payload ?? payload) : slabs.over(resident, count)) {
        const bytes = pass.take(x, n);
        if (bytes.byteLength > 0) yield [0, bytes];
      }
      for (const bytes of pass.end?.() ?? []) yield [0, bytes];
    }
    for (const [i, bytes] of rest().entries()) yield [i + 1, bytes];
    done(error());
  } catch (cause) {
    if (cause instanceof LimitError && cause.place.tensor === undefined) {
      throw new LimitError(cause.limit, `Tensor '${weight.name}' (${weight.dtype}[${weight.shape}]) does not fit: ${cause.message}`, {
        tensor: weight.name,
      });
    }
    throw cause;
  } finally {
    held?.release();
    arena.reset(mark);
  }
}

/** The scales and zero points of a weight alone, where the first of its passes finds them. */
export async function weightScales(kernels: Kernels, weight: TensorInfo, encoding: Encoding, payload: Payload): Promise<Uint8Array[]> {
  const { arena } = kernels;
  const mark = arena.mark();
  try {
    const dtype = weight.dtype as FloatDType;
    const { passes, takes, unit, rest } = encoder(kernels, dtype, weight.shape, encoding);
    const [observe] = passes;
    for await (const [x, n] of walk(new Slabs(kernels, dtype, takes, unit, elements(weight.shape)), payload)) observe?.take(x, n);
    for (const _none of observe?.end?.() ?? []);
    return rest().map((bytes) => bytes.slice());
  } finally {
    arena.reset(mark);
  }
}

async function* walk(slabs: Slabs, payload: Payload): AsyncGenerator<[x: number, n: number]> {
  for await (const chunk of payload.chunks()) yield* slabs.push(chunk);
  yield* slabs.flush();
}

/** Puts a payload into WASM memory and returns its address. */
async function settle({ arena }: Kernels, payload: Payload): Promise<number> {
  const address = arena.alloc(payload.length);
  let fill = 0;
  for await (const chunk of payload.chunks()) {
    arena.u8(address + fill, chunk.byteLength).set(chunk);
    fill += chunk.byteLength;
  }
  return address;
}
