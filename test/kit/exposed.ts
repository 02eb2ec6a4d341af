import { type Bytes, bytesField, concat, message, stringField } from "./wire.ts";

/** The model with each named value as an output, of the type that a runtime finds: protobuf readers join the pieces of a graph. */
export const exposed = (model: Uint8Array, names: readonly string[]): Bytes =>
  concat([model, message([bytesField(7, message(names.map((name) => bytesField(12, message([stringField(1, name)])))))])]);
