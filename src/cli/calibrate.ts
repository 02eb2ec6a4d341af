import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { Calibration } from "../engine/calibration.ts";
import { fileSource } from "../io/file.ts";
import type { Source } from "../io/source.ts";
import { openSamples } from "../runtime/samples.ts";
import { openFolder } from "./folder.ts";
import { missing, withName } from "./model.ts";

export interface OpenedSamples {
  calibration: Calibration;
  close(): Promise<void>;
}

/** Opens the samples that `--calibrate` names: a folder or a file. */
export async function openCalibration(path: string, signal: AbortSignal): Promise<OpenedSamples> {
  const { files, close } = await openFiles(path, signal);
  const samples: Calibration["samples"] = (inputs) =>
    openSamples(files, inputs).catch((error: unknown) => {
      throw withName(error, path);
    });
  return { calibration: { samples }, close };
}

async function openFiles(path: string, signal: AbortSignal): Promise<{ files: Map<string, Source>; close(): Promise<void> }> {
  try {
    if ((await stat(path)).isDirectory()) {
      const { files, close } = await openFolder(path, signal);
      return { files: new Map(Object.entries(files)), close };
    }
    const file = await fileSource(path);
    return { files: new Map([[basename(path), file]]), close: () => file.close() };
  } catch (error) {
    throw missing(`Cannot read the samples ${path}`, error);
  }
}
