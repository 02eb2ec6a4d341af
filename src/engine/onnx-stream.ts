import { FormatError, UnsupportedError } from "../errors.ts";
import { Document } from "../formats/onnx/document.ts";
import { enclosedLength, GraphWriter, MAX_MODEL_BYTES } from "../formats/onnx/layout.ts";
import { encodeField, type Field, fieldLength, isBulk, type Message } from "../formats/onnx/message.ts";
import { type Item, Parser, type Passing } from "../formats/onnx/parse.ts";
import { GraphProto } from "../formats/onnx/proto.ts";
import { nestedDefinitions } from "../formats/onnx/read.ts";
import { NEWEST_NEED } from "../formats/onnx/represent.ts";
import { checkLength, headerComplete, tensorData, tensorInfo } from "../formats/onnx/tensor.ts";
import { checkGraph } from "../graph/graph.ts";
import { Names } from "../graph/names.ts";
import { bytesHeader } from "../io/protobuf.ts";
import { memoryPayload, type Payload } from "../payload.ts";
import { standsTwice } from "./decide.ts";
import { Decisions } from "./decisions.ts";
import { layersOf } from "./layers.ts";
import type { Held } from "./lookahead.ts";
import { bytesOf, encodedFields, noteUntouched, type OnnxFacts, type OnnxRun, tooLarge, writeEncoded, writeField } from "./onnx.ts";
import { noteUnfit, warnUnpacked } from "./onnx-half.ts";
import { raiseOpset } from "./onnx-opset.ts";
import { patchGraph } from "./onnx-patch.ts";
import { graphFields, modelTail } from "./onnx-tail.ts";
import { type Definition, type Encoded, encodedParts } from "./onnx-weights.ts";
import { warnOfOperators } from "./runtimes.ts";

/** What stays of bulk data once it has been encoded. */
const NO_DATA = memoryPayload(new Uint8Array(0));

/** A weight that waits for the nodes that use it. */
interface Pending {
  definition: Definition;
  /** The initializer as it came; nested ones are written with their node. */
  message?: Message;
  held: Held | undefined;
}

/**
 * Compresses a model that is read once. Weights are encoded as they pass, where the nodes that use them have been read;
 * others are held until they are, at the latest until the end. Nodes are written last, when the opset is known.
 */
export class OnnxStream {
  readonly #run: OnnxRun;
  readonly #writer: GraphWriter;
  readonly #document = new Document();
  readonly #names = new Names();
  readonly #encoded: Encoded[] = [];
  readonly #decisions: Decisions;
  readonly #defined: Pick<Definition, "info" | "home">[] = [];
  readonly #holds = new Map<Payload, Held>();
  #pending: Pending[] = [];
  #scanned = -1;

  constructor(run: OnnxRun, layout: "patched" | "pieced") {
    this.#run = run;
    this.#decisions = new Decisions(this.#document, run.decider);
    this.#writer = new GraphWriter(run.out, layout);
    run.onPlan({ format: "onnx", layout });
  }

  async compress(): Promise<OnnxFacts> {
    const { reader, out, log, decider, recipe, siblings } = this.#run;
    const document = this.#document;
    for await (const item of new Parser(reader, (payload) => this.#holdNested(payload), headerComplete).items()) {
      await siblings.merge(item);
      if (item.kind !== "model" && !document.begun) {
        if (document.opset < NEWEST_NEED) document.deferOpset();
        for (const leaf of document.before) out.put(leaf.bytes);
      }
      if (item.kind === "initializer") await this.#initializer(item);
      else {
        document.add(item);
        if (item.kind === "graph") await this.#node(item.field);
      }
    }
    if (!document.begun) throw new FormatError("The model holds no graph", { format: "onnx" });
    checkGraph(document.main);
    await this.#settle(() => true);
    this.#decisions.verify();
    noteUntouched(document, log);
    decider.finish();
    if (!log.changed && this.#encoded.length === 0) throw new UnsupportedError(`The recipe would change nothing: ${log.whyNothing()}`);

    log.layers = layersOf(document.values, this.#defined);
    const { opset } = document;
    warnUnpacked(decider, this.#encoded, log);
    raiseOpset(document, this.#encoded, this.#names, log);
    patchGraph(document, this.#encoded, this.#names);
    for (const each of this.#encoded) if (each.local) document.origins.add(each.definition.home, encodedFields(this.#run, each));
    warnOfOperators(document, this.#run.runtime, log);
    const fields = graphFields(document, this.#encoded, log);
    const all = [...fields.nodes, ...fields.rest];
    this.#writer.piece(all.reduce((n, field) => n + fieldLength(field), 0));
    for (const field of all) for await (const bytes of encodeField(field)) await out.write(bytes);
    await this.#writer.close();
    for (const bytes of modelTail(document, recipe, log)) out.put(bytes);
    if (out.length > MAX_MODEL_BYTES) throw tooLarge(out.length);
    return { opset, layout: this.#writer.layout };
  }

  /** Weights inside a node that has just been read wait for its readers, which follow it. */
  async #node(field: Field): Promise<void> {
    const node = this.#document.main.nodes.at(-1);
    if (field.field !== GraphProto.node || !node) return;
    this.#names.addNode(node);
    for await (const definition of nestedDefinitions(this.#document, this.#document.main, [node])) {
      this.#defined.push({ info: definition.info, home: definition.home });
      const plain = definition.kept ?? this.#run.decider.plainReason(definition.info);
      if (plain) await this.#keep(definition, plain);
      else this.#pending.push({ definition, held: undefined });
    }
  }

  async #initializer(item: Item & { kind: "initializer" }): Promise<void> {
    const { message, passing } = item;
    const info = tensorInfo(message);
    this.#document.add(item, info);
    this.#names.add(info.name);
    if (passing) checkLength(info, passing.field, passing.payload.length, passing.offset);
    const payload = passing ? passing.payload : await tensorData(message, info);
    const definition: Definition = { info, home: this.#document.main, payload, bulk: message.fields.filter(isBulk) };
    this.#defined.push({ info, home: this.#document.main });
    const plain = this.#run.decider.plainReason(info);
    if (!plain && payload && !this.#decisions.isKnown(definition)) return this.#wait(definition, message, passing);

    const decision = plain || !payload ? undefined : this.#decisions.make(definition);
    if (decision && decision.kind !== "keep" && payload) {
      const encoded = encodedParts(definition, decision, this.#names);
      this.#encoded.push(encoded);
      if (!payload.again) await this.#makeRoom(payload.length);
      if (standsTwice(decision)) await this.#writeTwice(encoded, payload, message, passing);
      else await writeEncoded(this.#run, this.#writer, encoded, payload);
      return this.#release(definition);
    }
    await this.#keep(definition, plain ?? (decision?.kind === "keep" ? decision.reason : "no data"));
    if (passing) await this.#passThrough(message, passing);
    else await writeField(this.#run, this.#writer, { field: GraphProto.initializer, message });
    this.#release(definition);
  }

  /** Writes a weight in float, and then encoded. */
  async #writeTwice(encoded: Encoded, payload: Payload, message: Message, passing: Passing | undefined): Promise<void> {
    if (!passing) {
      await writeField(this.#run, this.#writer, { field: GraphProto.initializer, message });
      return writeEncoded(this.#run, this.#writer, encoded, payload);
    }
    const held = await this.#run.lookahead.hold(payload, encoded.definition.info.name, "it stands twice in the result");
    await this.#passThrough(message, { ...passing, payload: held.payload });
    await writeEncoded(this.#run, this.#writer, encoded, held.payload);
    held.release();
  }

  /** Gives back what the parser had held of a definition that has been written. */
  #release({ bulk }: Definition): void {
    for (const field of bulk) {
      this.#holds.get(field.payload)?.release();
      this.#holds.delete(field.payload);
      field.payload = NO_DATA;
    }
  }

  /** Copies an initializer that is passing by. */
  async #passThrough(message: Message, { field, payload, trailing }: Passing): Promise<void> {
    const { out } = this.#run;
    const header = bytesHeader(field, payload.length);
    const length = message.fields.reduce((n, f) => n + fieldLength(f), 0) + header.byteLength + payload.length + trailing.length;
    this.#writer.piece(enclosedLength(GraphProto.initializer, length));
    out.put(bytesHeader(GraphProto.initializer, length));
    for (const before of message.fields) for await (const bytes of encodeField(before)) out.put(bytes);
    out.put(header);
    for await (const chunk of payload.chunks()) await out.write(chunk);
    for await (const chunk of trailing.chunks()) await out.write(chunk);
  }

  async #wait(definition: Definition, message: Message, passing: Passing | undefined): Promise<void> {
    let held: Held | undefined;
    if (passing) {
      await this.#makeRoom(passing.payload.length);
      const why = this.#decisions.isUsed(definition)
        ? "what it is multiplied by comes after it in the file"
        : "no node before it in the file uses it";
      held = await this.#run.lookahead.hold(passing.payload, definition.info.name, why);
      passing.payload = held.payload;
      definition.payload = held.payload;
    }
    this.#pending.push({ definition, message, held });
  }

  async #holdNested(payload: Payload): Promise<Payload> {
    await this.#makeRoom(payload.length);
    const held = await this.#run.lookahead.hold(payload, "within a node", "the nodes that use it follow it in the file");
    this.#holds.set(held.payload, held);
    return held.payload;
  }

  /** Under pressure, weights whose first use is known are encoded by what is known. */
  async #makeRoom(bytes: number): Promise<void> {
    const nodes = this.#document.main.nodes.length;
    if (this.#run.lookahead.fits(bytes) || this.#scanned === nodes) return; // without new nodes no use is new
    this.#scanned = nodes;
    const { dynamic } = this.#run.decider;
    await this.#settle((definition) => this.#decisions.isKnown(definition) && !(dynamic && definition.home.parent)); // those are written with their nodes
  }

  /** Decides about waiting weights and writes those that stand by themselves. */
  async #settle(ready: (definition: Definition) => boolean): Promise<void> {
    const waiting = this.#pending;
    this.#pending = waiting.filter(({ definition }) => !ready(definition));
    for (const { definition, message, held } of waiting) {
      if (!ready(definition)) continue;
      const decision = this.#decisions.make(definition);
      if (decision.kind === "keep" || !definition.payload) {
        await this.#keep(definition, decision.kind === "keep" ? decision.reason : "no data");
        if (!message) continue; // it stays in its node
        await writeField(this.#run, this.#writer, { field: GraphProto.initializer, message });
      } else {
        const encoded = encodedParts(definition, decision, this.#names);
        this.#encoded.push(encoded);
        if (encoded.local) continue; // it is written with its node
        const twice = standsTwice(decision);
        if (twice && message) await writeField(this.#run, this.#writer, { field: GraphProto.initializer, message });
        await writeEncoded(this.#run, this.#writer, encoded, definition.payload);
        if (twice && !message) continue; // its float form stays in its node
      }
      this.#release(definition);
      held?.release();
    }
  }

  async #keep(definition: Definition, reason: string): Promise<void> {
    const { info } = definition;
    if (this.#run.decider.computesInHalf) await noteUnfit(this.#document, definition);
    this.#run.decider.decide({ ...info, role: { op: "" } }); // patterns that name it have matched
    this.#run.log.kept(info, reason, bytesOf(info));
  }
}
