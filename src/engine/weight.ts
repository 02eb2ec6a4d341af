import type { Encoding } from "../encoding.ts";
import type { Output } from "../io/output.ts";
import type { Kernels } from "../kernels/kernels.ts";
import type { Payload } from "../payload.ts";
import { type EncodingError, encoder } from "../quantize/encoder.ts";
import { Slabs } from "../quantize/slabs.ts";
import { elements, type FloatDType, type TensorInfo } from "../tensor.ts";
import type { Held } from "./lookahead.ts";

/** What a run works with. */
export interface Workshop {
  kernels: Kernels;
  out: Output;
}

/**
 * Encodes one weight: its values, then its scales. `begin` is called with the number and length of a part before its bytes.
 * `hold` keeps a payload that can be read once, where the encoding needs more than one pass.
 */
export async function encodeWeight(
  { kernels, out }: Workshop,
  weight: TensorInfo,
  encoding: Encoding,
  payload: Payload,
  begin: (part: number, length: number) => void,
  hold: (payload: Payload) => Promise<Held>,
): Promise<EncodingError> {
  const { arena } = kernels;
  const mark = arena.mark();
  let held: Held | undefined;
  try {
    const { passes, takes, unit, lengths, scale, error } = encoder(kernels, weight.dtype as FloatDType, weight.shape, encoding);
    if (passes.length > 1) held = await hold(payload);
    const slabs = new Slabs(kernels, weight.dtype as FloatDType, takes, unit, elements(weight.shape));
    begin(0, lengths[0]);
    for (const pass of passes) {
      for await (const chunk of (held?.payload ?? payload).chunks()) {
        for (const [x, n] of slabs.push(chunk)) out.put(pass.take(x, n));
        await out.drain();
      }
      for (const [x, n] of slabs.flush()) out.put(pass.take(x, n));
      for (const bytes of pass.end?.() ?? []) await out.write(bytes);
    }
    if (lengths[1] !== undefined) {
      begin(1, lengths[1]);
      await out.write(scale());
    }
    return error();
  } finally {
    held?.release();
    arena.reset(mark);
  }
}
