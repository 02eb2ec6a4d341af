// One run of bench/node.ts, in a process of its own so that its memory can be told: `node bench/node-one.ts edgeslim|hashing|protobufjs|nothing MiB`.
import { compressInto, type Sink } from "../src/index.ts";
import { bigOnnx } from "../test/kit/big.ts";
import { decodeAndEncode } from "./baselines/protobufjs.ts";

const [what, mebibytes] = process.argv.slice(2);
const model = bigOnnx({ bytes: Number(mebibytes) * 2 ** 20, k: 1024, n: 1024, reuse: true });

function stream(): ReadableStream<Uint8Array> {
  const chunks = model.chunks()[Symbol.iterator]();
  return new ReadableStream(
    {
      pull(controller) {
        const { done, value } = chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    },
    { highWaterMark: 0 },
  );
}

const nowhere: Sink = { write: async () => {}, close: async () => {}, abort: async () => {} };

let bytes = 0;
const start = performance.now();
if (what === "edgeslim" || what === "hashing") {
  bytes = (await compressInto(stream(), { quantize: "w8" }, nowhere, { hash: what === "hashing" })).output.bytes;
} else if (what === "protobufjs") {
  const whole = new Uint8Array(model.size);
  let fill = 0;
  for (const chunk of model.chunks()) {
    whole.set(chunk, fill);
    fill += chunk.byteLength;
  }
  bytes = decodeAndEncode(whole).byteLength;
}
const seconds = (performance.now() - start) / 1000;
console.log(JSON.stringify({ seconds, size: model.size, bytes, peak: process.resourceUsage().maxRSS * 1024 }));
