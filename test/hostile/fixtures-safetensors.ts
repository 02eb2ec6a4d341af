/** Safetensors files that must be refused. */
import { safetensors } from "./corpus.ts";
import type { Fixture } from "./make-fixtures.ts";

const F32 = (shape: readonly unknown[], from: number, to: number, rest: object = {}) => ({
  dtype: "F32",
  shape,
  data_offsets: [from, to],
  ...rest,
});
const zeros = (n: number): Uint8Array => new Uint8Array(n);
const file = (header: unknown, data = 0, length?: bigint): Uint8Array => safetensors(header, zeros(data), length);
const format = (name: string, bytes: Uint8Array, says: RegExp): Fixture => ({ name: `st-${name}`, bytes, error: "FormatError", says });

export const safetensorsFixtures: Fixture[] = [
  format("header-length-2-63", file("{}", 0, 2n ** 63n), /claims 9223372036854776000 bytes.*byte 0/),
  format("header-length-2-64", file("{}", 0, 2n ** 64n - 1n), /header claims .*byte 0/),
  format("header-length-over-format", file("{}", 0, 100_000_001n), /claims 100000001 bytes; safetensors allows 100000000/),
  { name: "st-header-length-over-limit", bytes: file("{}", 0, 9n << 20n), error: "LimitError", says: /MAX_HEADER_BYTES/ },
  format("header-length-beyond-file", file("{}", 0, 100n), /100 bytes|the header/),
  format("header-length-zero", file("", 0, 0n), /leading bytes|header|middle/),
  format("header-cut-utf8", safetensors('{"a\xff"'.slice(0, 4), zeros(0), 4n), /not JSON/),
  format(
    "header-not-utf8",
    (() => {
      const bytes = file({ wxyz: F32([1], 0, 4) }, 4);
      bytes[10] = 0xff;
      return bytes;
    })(),
    /not JSON/,
  ),
  format("header-array", file("[]{"), /leading bytes|start with/),
  format("header-trailing-comma", file('{"a":1,}'), /not JSON/),
  format(
    "offset-beyond-file",
    file({ w: F32([32, 32], 0, 4096) }, 4000),
    /take 4096 bytes of data, the file holds 4000|tensor 'w': 4096 bytes were declared, 4000 are there|tensor data: 4096 bytes were declared, 4000 are there/,
  ),
  format(
    "offset-2-63",
    file(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[9223372036854775808,9223372036854775812]}}`, 4),
    /'w'.*data_offsets/,
  ),
  format("offset-negative", file({ w: F32([1], -4, 0) }, 4), /'w'.*data_offsets/),
  format("offset-fraction", file({ w: F32([1], 0.5, 4.5) }, 4), /'w'.*data_offsets/),
  format("offset-backwards", file({ w: F32([1], 4, 0) }, 4), /'w' spans -4 bytes/),
  format("offset-three", file({ w: { dtype: "F32", shape: [1], data_offsets: [0, 4, 8] } }, 8), /'w'.*data_offsets/),
  format("shape-negative", file({ w: F32([-1], 0, 4) }, 4), /'w'.*shape/),
  format("shape-text", file({ w: F32(["1"], 0, 4) }, 4), /'w'.*shape/),
  format("shape-overflow", file({ w: F32([2 ** 31, 2 ** 31, 2 ** 31], 0, 4) }, 4), /'w'.*more elements than can be counted/),
  format("shape-wraps-2-64", file({ w: F32([2 ** 32, 2 ** 32], 0, 0) }), /'w'.*more elements/),
  format("overlap", file({ a: F32([2], 0, 8), b: F32([2], 4, 12) }, 12), /'b' starts at data byte 4, inside.*byte \d+/),
  format("same-bytes-twice", file({ a: F32([2], 0, 8), b: F32([2], 0, 8) }, 8), /'b' starts at data byte 0, inside/),
  format("hole", file({ a: F32([1], 0, 4), b: F32([1], 8, 12) }, 12), /'b' starts at data byte 8, after a hole/),
  format("bytes-before", file({ a: F32([1], 4, 8) }, 8), /'a' starts at data byte 4/),
  format(
    "bytes-after",
    file({ a: F32([32, 32], 0, 4096) }, 4100),
    /goes on after the last tensor|take 4096 bytes of data, the file holds 4100/,
  ),
  format(
    "duplicate",
    file('{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
    /key twice/,
  ),
  format(
    "duplicate-escaped",
    file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
    /key twice/,
  ),
  format("duplicate-inner", file('{"w":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4), /key twice/),
  format(
    "duplicate-metadata",
    file('{"__metadata__":{"a":"1","a":"2"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
    /key twice/,
  ),
  format(
    "duplicate-metadata-itself",
    file('{"__metadata__":{},"__metadata__":{},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
    /key twice/,
  ),
  format("dtype-unknown", file({ w: { dtype: "F128", shape: [1], data_offsets: [0, 16] } }, 16), /'w' has dtype "F128"/),
  format("dtype-of-prototype", file({ w: { dtype: "constructor", shape: [1], data_offsets: [0, 4] } }, 4), /'w' has dtype "constructor"/),
  format("dtype-missing", file({ w: { shape: [1], data_offsets: [0, 4] } }, 4), /'w' has dtype/),
  format("dtype-size", file({ w: { dtype: "F16", shape: [4], data_offsets: [0, 16] } }, 16), /'w' spans 16 bytes; F16\[4\] takes 8/),
  format("dtype-half-byte", file({ w: { dtype: "F4", shape: [3], data_offsets: [0, 2] } }, 2), /'w'.*whole bytes/),
  format("key-unknown", file({ w: F32([1], 0, 4, { extra: 1 }) }, 4), /'w' has the unknown key 'extra'/),
  format("entry-null", file({ w: null }), /'w' has no description/),
  format("entry-number", file({ w: 4 }), /'w' has no description/),
  format("metadata-number", file({ __metadata__: { a: 1 }, w: F32([1], 0, 4) }, 4), /__metadata__ must map strings/),
  format("metadata-text", file({ __metadata__: "pt", w: F32([1], 0, 4) }, 4), /__metadata__ must map strings|key twice/),
  format("metadata-list", file({ __metadata__: ["pt"], w: F32([1], 0, 4) }, 4), /__metadata__ must map strings/),
  { name: "st-empty", bytes: file({}), error: "UnsupportedError", says: /no weights/, inspects: true },
];
