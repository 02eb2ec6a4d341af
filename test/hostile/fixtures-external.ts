/** ONNX models whose data stands in other files, named as no file may be or with numbers that lie: refused without a look at the files. */
import { type Bytes, bytesField, type Field, intField, message, stringField } from "../kit/wire.ts";
import type { Fixture } from "./make-fixtures.ts";

type Entries = readonly (readonly [key: string, value: string])[];

const raw = new Uint8Array(4096).fill(1);
const fine: Entries = [["location", "model.onnx_data"]];
const external = (entries: Entries, location = 1): Field[] => [
  ...entries.map(([key, value]) => bytesField(13, message([stringField(1, key), stringField(2, value)]))),
  intField(14, location),
];
const tensor = (fields: readonly Field[], data_type = 1): Field[] => [
  ...[32, 32].map((d) => intField(1, d)),
  intField(2, data_type),
  stringField(8, "w"),
  ...fields,
];
const value = (number: number, name: string) => bytesField(number, message([stringField(1, name)]));
const product = bytesField(1, message([...["x", "w"].map((name) => stringField(1, name)), stringField(2, "y"), stringField(4, "MatMul")]));
const opset = bytesField(8, message([intField(2, 13)]));
const around = (graph: readonly Field[], ...rest: readonly Field[]): Bytes =>
  message([intField(1, 8), bytesField(7, message([...graph, value(11, "x"), value(12, "y")])), opset, ...rest]);
const model = (...fields: Field[]): Bytes => around([product, bytesField(5, message(fields))]);
/** A Constant node that gives w, as field `number`: 1 of a graph, 7 of a function. */
const constant = (number: number, fields: readonly Field[]): Field => {
  const attribute = message([stringField(1, "value"), bytesField(5, message(fields)), intField(20, 4)]);
  return bytesField(number, message([stringField(2, "w"), stringField(4, "Constant"), bytesField(5, attribute)]));
};
const sparse = bytesField(15, message([bytesField(1, message([...tensor(external(fine))])), intField(3, 32)]));

const format = (name: string, bytes: Uint8Array, says: RegExp): Fixture => ({
  name: `onnx-external-${name}`,
  bytes,
  error: "FormatError",
  says,
});
const at = (name: string, location: string, says: RegExp): Fixture =>
  format(name, model(...tensor(external([["location", location]]))), new RegExp(`'w' keeps its data in '.*', which ${says.source}`, "s"));
const unsupported = (name: string, bytes: Uint8Array, says: RegExp, inspects: boolean): Fixture => ({
  name: `onnx-external-${name}`,
  bytes,
  error: "UnsupportedError",
  says,
  inspects,
});

export const externalFixtures: Fixture[] = [
  unsupported("alone", model(...tensor(external(fine))), /'w' keeps its data in another file, 'model.onnx_data' .*give the folder/, true),
  unsupported(
    "constant-alone",
    around([
      constant(
        1,
        tensor(external(fine)).filter(({ number }) => number !== 8),
      ),
      product,
    ]),
    /'w' keeps its data in another file, 'model.onnx_data'/,
    true,
  ),
  at("parent", "../../etc/passwd", /leads out of its folder/),
  at("parent-inside", "data/../../secret", /leads out of its folder/),
  at("parent-after-dot", "./../secret", /leads out of its folder/),
  at("absolute", "/etc/passwd", /is absolute/),
  at("backslash", "..\\secret", /has a backslash/),
  at("drive", "C:secret", /has a colon/),
  at("url", "https://example.com/secret", /has a colon/),
  at("scheme", "file:secret", /has a colon/),
  at("nul", "model.onnx_data\0.png", /has a control character/),
  at("line", "model\n.data", /has a control character/),
  at("empty", "", /is no name/),
  at("dot", "./", /is no name/),
  at("folder", "data/", /has an empty step/),
  at("empty-step", "a//b", /has an empty step/),
  format("no-location", model(...tensor(external([["offset", "0"]]))), /'w' keeps its data in '', which is no name/),
  format("location-twice", model(...tensor(external([...fine, ["location", "other"]]))), /'w' says twice what the location/),
  format("offset-negative", model(...tensor(external([...fine, ["offset", "-1"]]))), /'w' has '-1' for the offset .*decimal/),
  format("offset-hexadecimal", model(...tensor(external([...fine, ["offset", "0x10"]]))), /'w' has '0x10' for the offset/),
  format("offset-empty", model(...tensor(external([...fine, ["offset", ""]]))), /'w' has '' for the offset/),
  format("offset-spaced", model(...tensor(external([...fine, ["offset", " 1"]]))), /'w' has ' 1' for the offset/),
  format("offset-exponent", model(...tensor(external([...fine, ["offset", "1e3"]]))), /'w' has '1e3' for the offset/),
  format("offset-2-64", model(...tensor(external([...fine, ["offset", "18446744073709551616"]]))), /for the offset/),
  format("length-negative", model(...tensor(external([...fine, ["length", "-4096"]]))), /'w' has '-4096' for the length/),
  format(
    "length-short",
    model(...tensor(external([...fine, ["length", "4095"]]))),
    /'w' holds 4095 bytes in 'model.onnx_data'; float32\[32,32\] takes 4096/,
  ),
  format("length-long", model(...tensor(external([...fine, ["length", "8192"]]))), /'w' holds 8192 bytes .* takes 4096/),
  format("location-2", model(...tensor(external(fine, 2))), /'w' has data location 2/),
  format("strings", model(...tensor(external(fine), 8)), /'w' holds strings, which cannot stand in another file/),
  format("and-raw", model(...tensor([bytesField(9, raw), ...external(fine)])), /field 14 of a tensor follows its data/),
  format("and-raw-after", model(...tensor([...external(fine), bytesField(9, raw)])), /'w' carries its data twice/),
  format("and-small-raw", model(...tensor([bytesField(9, raw.subarray(0, 64)), ...external(fine)])), /'w' carries its data twice/),
  format("and-floats", model(...tensor([...external(fine), bytesField(4, raw)])), /'w' carries its data twice/),
  format("constant-parent", around([constant(1, tensor(external([["location", "../w"]]))), product]), /'w' keeps its data in '\.\.\/w'/),
  unsupported("sparse", around([product, sparse]), /'w', which is sparse or within a function.*merge the model/, false),
  unsupported(
    "function",
    around([product, bytesField(5, message(tensor([bytesField(9, raw)])))], bytesField(25, message([constant(7, tensor(external(fine)))]))),
    /'w', which is sparse or within a function/,
    false,
  ),
];
