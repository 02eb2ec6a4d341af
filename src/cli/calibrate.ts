import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { Calibration } from "../engine/calibrate.ts";
import { calibrationOn } from "../engine/calibration.ts";
import { load } from "../index.ts";
import { fileSource } from "../io/file.ts";
import { isSource, type Source } from "../io/source.ts";
import { readPorts } from "../runtime/ports.ts";
import { openSamples } from "../runtime/samples.ts";
import { UsageError } from "./exit.ts";
import { openFolder } from "./folder.ts";
import { type Model, missing, withName } from "./model.ts";

export interface OpenedSamples {
  calibration: Calibration;
  close(): Promise<void>;
}

/** Opens the samples that `--calibrate` names, a folder or a file, for a model. */
export async function openCalibration(path: string, { name, source, siblings }: Model, signal: AbortSignal): Promise<OpenedSamples> {
  if (!isSource(source)) throw new UsageError(`Cannot calibrate ${name}: it is read once; name a file`);
  const { files, close } = await openFiles(path, signal);
  try {
    const { inputs } = await readPorts(source, siblings, signal);
    const samples = await openSamples(files, inputs).catch((error: unknown) => {
      throw withName(error, path);
    });
    return { calibration: calibrationOn(source, samples, { load, siblings, signal }), close };
  } catch (error) {
    await close();
    throw error;
  }
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
