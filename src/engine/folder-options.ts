import type { FolderSink } from "../io/folder.ts";
import type { CompressOptions, Plan, Progress, RunOptions } from "./compress.ts";

export interface FolderOptions extends Omit<CompressOptions, "onPlan" | "onProgress" | "external"> {
  /** Where the files go; into memory unless said. */
  into?: FolderSink | undefined;
  /** Bytes of a file of weights at most: safetensors are cut anew, ONNX models keep their weights in files beside them. */
  shard?: number | undefined;
  /** Called once for each file of a model, before its first byte. */
  onPlan?: ((plan: Plan & { file: string }) => void) | undefined;
  /** `file` is the one that is being made; the counts are of the model that it belongs to. */
  onProgress?: ((progress: Progress & { file: string }) => void) | undefined;
}

/** What a run that makes one part of a folder is told. */
export interface PartOptions extends Omit<FolderOptions, "into">, Pick<RunOptions, "onUnmatched"> {}
