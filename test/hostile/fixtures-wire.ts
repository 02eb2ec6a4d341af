/** ONNX models that are broken on the wire. */
import {
  type Bytes,
  bytesField,
  concat,
  type Field,
  floatField,
  intField,
  message,
  packedField,
  stringField,
  varint,
} from "../kit/wire.ts";
import type { Fixture } from "./make-fixtures.ts";

const raw = new Uint8Array(4096).fill(1);
/** A model whose graph holds these fields after its nodes. */
const around = (...fields: Field[]): Bytes =>
  message([intField(1, 8), bytesField(7, message([...graphHead, ...fields])), bytesField(8, message([intField(2, 13)]))]);
const graphHead = [
  bytesField(
    1,
    message([stringField(1, "x"), stringField(1, "w"), stringField(2, "y"), stringField(3, "product"), stringField(4, "MatMul")]),
  ),
  bytesField(11, message([stringField(1, "x")])),
];
const initializer = (...fields: Field[]): Bytes => around(bytesField(5, message(fields)));
const dims = [intField(1, 32), intField(1, 32)];
const head = [...dims, intField(2, 1), stringField(8, "w")];
/** A field whose bytes are given whole, tag included. */
const loose = (...bytes: Uint8Array[]): Field => ({ number: 0, parts: bytes });
const attribute = (...fields: Field[]): Bytes =>
  around(bytesField(1, message([stringField(1, "x"), stringField(3, "odd"), stringField(4, "Transpose"), bytesField(5, message(fields))])));

const format = (name: string, bytes: Uint8Array, says: RegExp, inspects = false): Fixture => ({
  name: `onnx-${name}`,
  bytes,
  error: "FormatError",
  says,
  ...(inspects ? { inspects } : {}),
});
const tag = (field: number, wire: number) => varint(field * 8 + wire);
const empty = bytesField(5, message([stringField(1, "a")]));

export const wireFixtures: Fixture[] = [
  format(
    "length-beyond-file",
    message([intField(1, 8), loose(tag(7, 2), varint(1000), Uint8Array.of(0))]),
    /declares 1000 bytes|middle of|wire type|field number/,
  ),
  format("length-2-63", around(loose(tag(5, 2), varint(2n ** 63n))), /field 5 declares 9223372036854776000 bytes.*byte \d+/),
  format("length-2-64", initializer(...head, loose(tag(9, 2), varint(2n ** 64n - 1n))), /field 9 declares .*byte \d+/),
  format("length-of-name", initializer(...dims, intField(2, 1), loose(tag(8, 2), varint(2 ** 31))), /field 8 declares 2147483648 bytes/),
  format("length-past-message", initializer(...head, loose(tag(9, 2), varint(5000), raw)), /field 9 declares 5000 bytes, 4096 are left/),
  format(
    "dims-2-63",
    initializer(intField(1, 2n ** 63n - 1n), intField(2, 1), stringField(8, "w"), bytesField(9, raw)),
    /'w' has dimension 922337203685477/,
  ),
  format(
    "dims-packed-cut",
    initializer(bytesField(1, Uint8Array.of(32, 0xa0)), intField(2, 1), stringField(8, "w"), bytesField(9, raw)),
    /'w' has dimensions that end in the middle/,
  ),
  format(
    "dims-fixed",
    initializer(loose(tag(1, 5), new Uint8Array(4)), ...head, bytesField(9, raw)),
    /field 1 of a tensor has wire type 5/,
  ),
  format("dims-after-data", initializer(...head, bytesField(9, raw), intField(1, 2)), /field 1 of a tensor follows its data/),
  format("name-after-data", initializer(...head, bytesField(9, raw), stringField(8, "v")), /field 8 of a tensor follows its data/),
  format("data-twice", initializer(...head, bytesField(9, raw), bytesField(9, raw)), /field 9 of a tensor follows its data/),
  format("data-raw-and-float", initializer(...head, bytesField(9, raw), bytesField(4, raw)), /field 4 of a tensor follows its data/),
  format("data-float-and-raw-first", initializer(bytesField(4, raw), bytesField(9, raw), ...head), /'w' carries its data twice/, true),
  format("data-twice-first", initializer(bytesField(9, raw), bytesField(9, raw), ...head), /'w' carries its data twice/, true),
  format("data-short", initializer(...head, bytesField(9, raw.subarray(4))), /'w' holds 4092 bytes; float32\[32,32\] takes 4096/),
  format("data-of-double", initializer(...head, bytesField(10, raw)), /'w' \(float32\) carries its data in field 10, expected 4/, true),
  format("data-of-int64", initializer(...head, bytesField(7, raw)), /'w' \(float32\) carries its data in field 7, expected 4/, true),
  format("data-none", initializer(...head), /'w' has no data; float32\[32,32\]/, true),
  format(
    "halves-cut",
    initializer(...dims, intField(2, 10), stringField(8, "w"), bytesField(5, new Uint8Array(4096).fill(0x80))),
    /'w' ends in the middle of a number/,
    true,
  ),
  format(
    "halves-short",
    initializer(
      ...dims,
      intField(2, 10),
      stringField(8, "w"),
      packedField(
        5,
        Array.from({ length: 1023 }, () => 15360),
      ),
    ),
    /'w' holds 1023 elements, expected 1024|'w' holds/,
    true,
  ),
  format("type-unknown", initializer(...dims, intField(2, 99), stringField(8, "w"), bytesField(9, raw)), /'w' has data type 99/),
  format("type-negative", initializer(...dims, intField(2, -1), stringField(8, "w"), bytesField(9, raw)), /'w' has data type -1/),
  format("type-none", initializer(...dims, stringField(8, "w"), bytesField(9, raw)), /'w' has data type 0/),
  format(
    "attribute-twice",
    around(bytesField(1, message([stringField(3, "odd"), stringField(4, "Relu"), empty, empty]))),
    /'odd' has two values of its attribute 'a'/,
  ),
  format(
    "tensor-twice-in-attribute",
    attribute(stringField(1, "value"), bytesField(5, message(head)), bytesField(5, message(head))),
    /two values of its attribute 'value'/,
  ),
  format("group", around(loose(tag(20, 3), tag(20, 4))), /wire type 3/),
  format("group-end", around(loose(tag(20, 4))), /wire type 4/),
  format("wire-6", around(loose(tag(20, 6))), /wire type 6/),
  format("wire-7", message([intField(1, 8), loose(tag(20, 7))]), /wire type 7.*byte \d+/),
  format("field-0", around(loose(Uint8Array.of(0x02, 0x00))), /field number 0.*byte \d+/),
  format("field-2-29", around(loose(varint(2 ** 32), varint(0))), /field number 536870912/),
  format("field-0-in-opset", message([intField(1, 8), bytesField(8, Uint8Array.of(0, 0))]), /small message has number 0/),
  format(
    "varint-11",
    message([loose(tag(1, 0), new Uint8Array(10).fill(0x80), Uint8Array.of(1))]),
    /varint is longer than 10 bytes.*byte 1/,
  ),
  format(
    "varint-11-in-opset",
    message([intField(1, 8), bytesField(8, concat([tag(2, 0), new Uint8Array(10).fill(0x80), Uint8Array.of(1)]))]),
    /small message ends in the middle of a number/,
  ),
  format("node-is-number", around(intField(1, 1)), /field 1 of a graph has wire type 0/),
  format("graph-is-number", message([intField(1, 8), intField(7, 1)]), /field 7 of a model has wire type 0/),
  format(
    "name-not-utf8",
    initializer(...dims, intField(2, 1), bytesField(8, Uint8Array.of(0xff, 0xfe)), bytesField(9, raw)),
    /field 8 is not UTF-8 text \(at byte \d+\)/,
  ),
  format(
    "input-not-utf8",
    around(bytesField(1, message([bytesField(1, Uint8Array.of(0xc0, 0x80)), stringField(4, "Relu")]))),
    /field 1 is not UTF-8 text \(at byte \d+\)/,
  ),
  format("value-not-utf8", around(bytesField(11, message([bytesField(1, Uint8Array.of(0xed, 0xa0, 0x80))]))), /not UTF-8/),
  format(
    "float-of-two-bytes",
    attribute(stringField(1, "alpha"), bytesField(2, Uint8Array.of(1, 2))),
    /field 2 of a attribute has wire type 2, expected 5|attribute has wire type 2/,
  ),
  format("ints-cut", attribute(stringField(1, "perm"), bytesField(8, Uint8Array.of(0, 0x81))), /'perm' ends in the middle of a number/),
  format("no-graph", message([intField(1, 8), bytesField(8, message([intField(2, 13)]))]), /holds no graph/),
  format("empty-graph", message([intField(1, 8), bytesField(7, new Uint8Array(0))]), /holds no graph/),
  format(
    "float-list",
    attribute(stringField(1, "scales"), floatField(7, 1), loose(tag(7, 0), varint(1))),
    /field 7 of an? attribute has wire type 0/,
  ),
];
