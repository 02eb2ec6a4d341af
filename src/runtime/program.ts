import { LimitError, UnsupportedError } from "../errors.ts";
import { definedNames, describe, type Graph, graphs, type Node } from "../graph/graph.ts";
import type { InferKernels } from "../kernels/infer/kernels.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { isTensor } from "../ops/op.ts";
import { bytesIn } from "../payload.ts";
import { arrayOf, byteLength, type Tensor, tensorAt, tensorBytes } from "../tensor.ts";
import { evaluate } from "./evaluate.ts";
import type { Operand } from "./operand.ts";
import { type Packing, packedAway, packingOf } from "./packing.ts";
import type { Held, Prepared } from "./prepare.ts";

/** Scratch that kernels pack into. */
export const WORK_BYTES = 512 << 10;

/** A tensor on its way into the memory: as it is, or packed for a kernel. */
interface Wanted {
  held: Held;
  packing: Packing | undefined;
  /** What is packed with it. */
  besides: readonly (Held | undefined)[];
}

type Placed = Pick<Operand, "address" | "form" | "stride">;

const keyOf = (packing: Packing | undefined): string => packing?.key ?? "";

/** A prepared model with its constants in the memory of kernels of its own. */
export class Program {
  readonly prepared: Prepared;
  readonly kernels: Kernels<InferKernels>;
  /** What the model and its runs may take. */
  readonly maxBytes: number;
  /** Address of `WORK_BYTES` that any kernel may use while it runs. */
  readonly work: number;
  readonly #addresses = new Map<Held, Map<string, Placed>>();
  readonly #defined: ReadonlyMap<Graph, ReadonlySet<string>>;

  private constructor(prepared: Prepared, kernels: Kernels<InferKernels>, maxBytes: number) {
    this.maxBytes = maxBytes;
    this.prepared = prepared;
    this.kernels = kernels;
    this.work = kernels.arena.alloc(WORK_BYTES);
    this.#defined = new Map([...graphs(prepared.document.main)].map((graph) => [graph, new Set(definedNames(graph))]));
  }

  /** Reads every constant that a node needs, packed as its kernel wants it. */
  static async load(prepared: Prepared, kernels: Kernels<InferKernels>, maxBytes: number): Promise<Program> {
    const program = new Program(prepared, kernels, maxBytes);
    const wanted = [...program.#wanted()];
    const bytes = wanted.reduce((n, { held, packing }) => n + (packing?.bytes ?? byteLength(held.info.dtype, held.info.shape)), 0);
    if (!(bytes <= maxBytes)) {
      const what = `The model's constants take ${bytes} bytes in memory, of ${maxBytes}`;
      throw new LimitError("MAX_MODEL_MEMORY", `${what}; compress it further, or run it where there is more memory`);
    }
    // The memory grows once, for all of them.
    const { arena } = kernels;
    const mark = arena.mark();
    arena.alloc(bytes);
    arena.reset(mark);
    for (const each of wanted) await program.#load(each);
    return program;
  }

  /** A constant that `graph` sees under a name. */
  held(graph: Graph, name: string): Held | undefined {
    for (let scope: Graph | undefined = graph; scope; scope = scope.parent) {
      const found = this.prepared.held.get(scope)?.get(name);
      if (found) return found;
      if (this.#defined.get(scope)?.has(name)) return undefined;
    }
    return undefined;
  }

  /** Where a constant lies, as input `index` of a node, or as it is. */
  operand(held: Held, node?: Node, index = 0): Operand | undefined {
    const packing = node && packingOf(node, index, held.info);
    const placed = this.#addresses.get(held)?.get(keyOf(packing));
    return placed && { dtype: held.info.dtype, shape: held.info.shape, ...placed };
  }

  /** The elements of a constant: a view that lasts until the memory grows. */
  tensor(held: Held): Tensor {
    const operand = this.operand(held);
    if (held.tensor || !operand) return held.tensor as Tensor;
    return this.view(operand);
  }

  view({ dtype, shape, address }: Operand): Tensor {
    return tensorAt(dtype, shape, this.kernels.memory.buffer as ArrayBuffer, address);
  }

  *#wanted(): Generator<Wanted> {
    const seen = new Map<Held, Set<string>>();
    const want = function* (held: Held | undefined, packing?: Packing, besides: Wanted["besides"] = []): Generator<Wanted> {
      if (!held || held.tensor?.dtype === "string" || seen.get(held)?.has(keyOf(packing))) return;
      seen.set(held, (seen.get(held) ?? new Set()).add(keyOf(packing)));
      yield { held, packing, besides };
    };
    for (const graph of graphs(this.prepared.document.main)) {
      for (const node of graph.nodes) {
        const inputs = node.input.map((name) => (name ? this.held(graph, name) : undefined));
        const away = packedAway(node, (name) => this.held(graph, name)?.info);
        for (const [index, held] of inputs.entries()) {
          if (!held || away.has(index)) continue;
          const packing = packingOf(node, index, held.info);
          yield* want(
            held,
            packing,
            packing?.besides?.map((i) => inputs[i]),
          );
        }
      }
      for (const name of graph.outputs) yield* want(this.held(graph, name));
    }
    const { main } = this.prepared.document;
    for (const name of this.prepared.defaults) yield* want(this.held(main, name));
  }

  async #load({ held, packing, besides }: Wanted): Promise<void> {
    const { arena, fn } = this.kernels;
    const bytes = byteLength(held.info.dtype, held.info.shape);
    const address = arena.alloc(packing?.bytes ?? bytes);
    const mark = arena.mark();
    const to = packing ? arena.alloc(bytes) : address;
    await this.#write(held, to, bytes);
    const others: number[] = [];
    for (const other of besides) others.push(other ? await this.#beside(other) : 0);
    const form = packing?.look?.(fn, to, this.kernels.variant, others);
    packing?.pack(fn, to, address, others, form);
    arena.reset(form ? address : mark);
    if (form) arena.alloc(form.bytes);
    const addresses = this.#addresses.get(held) ?? new Map<string, Placed>();
    this.#addresses.set(held, addresses.set(keyOf(packing), { address, form: form?.form, stride: form?.stride }));
  }

  /** The address of a tensor that is there while another one is packed. */
  async #beside(held: Held): Promise<number> {
    const bytes = byteLength(held.info.dtype, held.info.shape);
    const address = this.kernels.arena.alloc(bytes);
    await this.#write(held, address, bytes);
    return address;
  }

  async #write(held: Held, address: number, bytes: number): Promise<void> {
    const { arena } = this.kernels;
    if (!held.payload || held.made) {
      arena.u8(address, bytes).set(tensorBytes(await this.#elements(held)));
      return;
    }
    let at = address;
    for await (const chunk of held.payload.chunks()) {
      if (at + chunk.byteLength > address + bytes) break;
      arena.u8(at, chunk.byteLength).set(chunk);
      at += chunk.byteLength;
    }
    if (at !== address + bytes || held.payload.length !== bytes)
      throw new UnsupportedError(`Tensor '${held.info.name}' has ${held.payload.length} bytes, expected ${bytes}`, {
        tensor: held.info.name,
      });
  }

  /** The elements of a constant, made where another node makes it; `all` are those that have been made on the way. */
  async #elements(held: Held, all = new Map<Held, Tensor>()): Promise<Tensor> {
    const { info, payload, tensor, made } = held;
    const place = { tensor: info.name };
    const known = tensor ?? all.get(held);
    if (known) return known;
    if (made) {
      const { node } = made;
      const inputs: (Tensor | undefined)[] = [];
      for (const input of made.inputs) inputs.push(input && (await this.#elements(input, all)));
      const surroundings = { known: this.prepared.known, room: this.maxBytes };
      const result = evaluate(node, inputs, surroundings)[node.output.indexOf(info.name)];
      if (isTensor(result)) {
        all.set(held, result);
        return result;
      }
      throw new UnsupportedError(`${describe(node)} makes no tensor '${info.name}'`, { node: node.name });
    }
    if (payload) return { dtype: info.dtype, shape: info.shape, data: arrayOf(info.dtype, await bytesIn(payload)) };
    throw new UnsupportedError(`The elements of tensor '${info.name}' (${info.dtype}) cannot be read; save them as raw_data`, place);
  }
}
