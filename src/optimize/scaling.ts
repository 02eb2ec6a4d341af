import type { Payload } from "../payload.ts";
import type { Scaling } from "./model.ts";

/** float32 data, multiplied as it is read; each product is rounded once. */
export function scaledPayload(payload: Payload, { inner, factors }: Scaling): Payload {
  return {
    length: payload.length,
    again: payload.again,
    async *chunks() {
      let index = 0; // of the next element
      const rest = new Uint8Array(4); // an element that a chunk's end has cut
      let fill = 0;
      let room = new Uint8Array(0);
      for await (const chunk of payload.chunks()) {
        const count = (fill + chunk.byteLength) >> 2;
        if (room.byteLength < count * 4) room = new Uint8Array(count * 4);
        const bytes = room.subarray(0, count * 4);
        bytes.set(rest.subarray(0, fill));
        const taken = Math.max(0, Math.min(chunk.byteLength, count * 4 - fill));
        if (count === 0) rest.set(chunk, fill);
        else {
          bytes.set(chunk.subarray(0, taken), fill);
          rest.set(chunk.subarray(taken));
        }
        fill = count === 0 ? fill + chunk.byteLength : chunk.byteLength - taken;
        const values = new Float32Array(room.buffer, 0, count);
        for (let i = 0; i < count; ) {
          const factor = factors[Math.floor(index / inner) % factors.length] as number;
          const end = Math.min(count, i + inner - (index % inner));
          index += end - i;
          for (; i < end; i++) values[i] = (values[i] as number) * factor;
        }
        if (count > 0) yield bytes;
      }
    },
  };
}
