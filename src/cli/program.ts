import { Command, InvalidArgumentError, Option } from "commander";
import { AVAILABLE } from "../engine/decide.ts";
import { ALL_WEB, SCHEME_NAMES } from "../engine/recipe.ts";
import { parseBytes } from "../io/bytes.ts";
import { VERSION } from "../version.ts";
import { type CompareFlags, compareCommand } from "./compare.ts";
import { type CompressFlags, compressCommand } from "./compress.ts";
import { inspectCommand } from "./inspect.ts";
import { type RunFlags, runCommand } from "./run.ts";
import { serveCommand } from "./serve.ts";
import { printable } from "./units.ts";

const EXAMPLES = `
Examples:
  edgeslim compress model.onnx -o model.w8.onnx --quantize w8
  edgeslim compress model.safetensors -o small.safetensors --quantize fp16 --report report.html
  edgeslim compress my-model/ -o out/ --quantize all-web
  curl -s https://example.com/model.onnx | edgeslim compress - -o - --quantize w8 > model.w8.onnx
  edgeslim inspect model.onnx
  edgeslim run model.onnx --input image=image.npy -o out/ --repeat 20
  edgeslim compare model.onnx model.w8.onnx --input image=image.npy

Exit codes: 0 done; 1 failed; 2 wrong usage; 3 the model or the recipe is invalid or unsupported; 4 a target was not met;
130 interrupted.`;

/** The commands and their flags. `signal` aborts what runs. */
export function program(signal: AbortSignal): Command {
  const edgeslim = base(new Command("edgeslim"))
    .description("Compresses ONNX and safetensors models as a stream, and runs ONNX models.")
    .version(VERSION, "-V, --version", "print the version")
    .helpCommand(false)
    .addHelpText("after", EXAMPLES);
  const command = (usage: string): Command => {
    const made = base(edgeslim.command(usage));
    return made.helpOption("-h, --help", "print this help");
  };

  command("compress")
    .description("Compress a model. It is read as a stream: memory is bounded by its largest tensor.")
    .argument("<model>", "ONNX or safetensors file, or a folder of them; - is standard input")
    .requiredOption("-o, --output <file>", "where the result goes, once it is complete: a file or a folder; - is standard output")
    .addOption(
      new Option("-q, --quantize <scheme>", `${AVAILABLE.join(", ")}; ${ALL_WEB} makes each that browsers use, in a folder`).argParser(
        schemeWord,
      ),
    )
    .addOption(
      new Option(
        "--prune <structure>",
        "what is to go: channel:0.3 (that share of the channels), unstructured:0.5, 2:4 or block:0.5",
      ).argParser(pruneForm),
    )
    .addOption(new Option("--optimize", "simplify the graph first: fold constants and normalizations, drop what does nothing"))
    .option("--recipe <file>", "a recipe in JSON; the flags above override its parts")
    .option("--report <file>", "what was done to every tensor, as .json or .html")
    .option(
      "--calibrate <samples>",
      "for w8a8, and for pruning by samples, what the model will see: a folder of .npz or .npy, a sample each, or one such file",
    )
    .addOption(new Option("--shard <size>", "bytes that a file of weights may have, as in 25MiB, 2GB or 500000").argParser(bytes))
    .action((model: string, flags: CompressFlags) => compressCommand(model, flags, signal));

  command("inspect")
    .description("Show a model's format, operators, tensors and what each scheme would give.")
    .argument("<model>", "ONNX or safetensors file, or a folder of them; - is standard input")
    .option("--json", "print JSON")
    .action((model: string, flags: { json?: boolean }) => inspectCommand(model, flags, signal));

  command("run")
    .description("Run a model on arrays, write its outputs as .npy and tell how long it takes.")
    .argument("<model>", "ONNX file; - is standard input")
    .addOption(inputs())
    .option("-o, --output <folder>", "where NAME.npy is written for each output", ".")
    .addOption(new Option("--repeat <number>", "runs after the first, to tell the latency of").argParser(repeats).default(0))
    .action((model: string, flags: RunFlags) => runCommand(model, flags, signal));

  command("compare")
    .description("Tell how far a model's outputs are from another's, and in which layer that arises; sizes and latency of both.")
    .argument("<a>", "the model that is right, as an ONNX file; - is standard input")
    .argument("<b>", "the model that is compared with it")
    .addOption(inputs())
    .addOption(
      new Option("--shape <name=shape>", "the shape of an input that is drawn, as in image=1,3,224,224; else what a run binds is 1")
        .argParser((value: string, before: [string, number[]][]) => [...before, shape(value)])
        .default([], "none"),
    )
    .option("--json", "print JSON")
    .action((a: string, b: string, flags: CompareFlags) => compareCommand(a, b, flags, signal));

  command("serve")
    .description("Serve compression over HTTP on this machine, as the Worker does at the edge.")
    .option("-p, --port <number>", "port to listen on; 0 takes a free one", port, 8787)
    .option("--models <folder>", "keep models in this folder")
    .action((flags: { port: number; models?: string }) => serveCommand(flags, signal));

  return edgeslim;
}

function base(command: Command): Command {
  return command
    .exitOverride()
    .showHelpAfterError("Try 'edgeslim --help', or --help after a command.")
    .configureHelp({ helpWidth: 100 })
    .configureOutput({
      outputError: (text, write) =>
        write(
          `${text
            .trimEnd()
            .replace(/^error: /, "edgeslim: ")
            .split("\n")
            .map(printable)
            .join("\n")}\n`,
        ),
    });
}

const inputs = (): Option =>
  new Option("-i, --input <name=file>", "an input as NAME=FILE.npy, or FILE.npz with the inputs by their names; may be given again")
    .argParser((value: string, before: string[]) => [...before, value])
    .default([], "none");

function shape(text: string): [name: string, shape: number[]] {
  const [, name, dims] = /^(.+)=(\d{1,9}(?:,\d{1,9})*|)$/.exec(text) ?? [];
  if (name !== undefined && dims !== undefined) return [name, dims === "" ? [] : dims.split(",").map(Number)];
  throw new InvalidArgumentError("Expected the name of an input and its lengths, as in image=1,3,224,224.");
}

function repeats(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a number of runs from 0 to 999999.");
}

function schemeWord(word: string): string {
  const words: string[] = [...SCHEME_NAMES, ALL_WEB];
  if (words.includes(word)) return word;
  throw new InvalidArgumentError(`Expected one of ${words.join(", ")}.`);
}

function pruneForm(form: string): string {
  if (/^((unstructured|channel|block):(0?\.\d+)|[1-9]\d?:[1-9]\d?)$/.test(form)) return form;
  throw new InvalidArgumentError("Expected unstructured:RATIO, channel:RATIO, block:RATIO or N:M, as in channel:0.3 or 2:4.");
}

function bytes(text: string): number {
  const size = parseBytes(text);
  if (size !== undefined) return size;
  throw new InvalidArgumentError("Expected a number of bytes above 0, with B, kB, MB, GB, KiB, MiB or GiB: 25MiB, 2GB, 500000.");
}

function port(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 65536) return Number(text);
  throw new InvalidArgumentError("Expected a number from 0 to 65535.");
}
