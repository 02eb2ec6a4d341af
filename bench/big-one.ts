// One run of bench/big.ts, in a process of its own so that its memory can be told: `node bench/big-one.ts FOLDER INTO SCHEME [SHARD]`.
import { join } from "node:path";
import { compressInto, type SchemeName } from "../src/index.ts";
import { FileSink, type FileSource, fileSource } from "../src/io/file.ts";

const [folder = "", into = "", scheme, shard] = process.argv.slice(2);
const opened: FileSource[] = [];
const openFile = async (name: string): Promise<FileSource> => {
  const source = await fileSource(join(folder, name));
  opened.push(source);
  return source;
};

const start = performance.now();
const report = await compressInto(
  await openFile("model.onnx"),
  { quantize: scheme as SchemeName },
  await FileSink.create(join(into, "model.onnx")),
  {
    siblings: openFile,
    external: { name: "model.onnx", open: (name) => FileSink.create(join(into, name)), ...(shard && { shard: Number(shard) }) },
  },
);
const seconds = (performance.now() - start) / 1000;
await Promise.all(opened.map((source) => source.close()));
console.log(
  JSON.stringify({ seconds, bytes: report.output.bytes, files: report.output.files, peak: process.resourceUsage().maxRSS * 1024 }),
);
