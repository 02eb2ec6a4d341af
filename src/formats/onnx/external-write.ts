/** Writing tensor data to files beside the model: https://github.com/onnx/onnx/blob/main/docs/ExternalData.md */
import { bytesHeader, concat, int, message as messageField, string } from "../../io/protobuf.ts";
import { memoryPayload, type Payload } from "../../payload.ts";
import type { TensorInfo } from "../../tensor.ts";
import { dataLength, EXTERNAL, isData, isReference, type Place } from "./external-read.ts";
import { content, type Field, isBulk, isNested, type Leaf, leaf, numberOf, textOf } from "./message.ts";
import { DATA_TYPES, dataType, GraphProto, StringStringEntry, TensorProto } from "./proto.ts";
import { isPlain } from "./tensor.ts";

/** Gives data of a tensor a place in another file, or none. */
export type FindPlace = (length: number, tensor: string) => Place | undefined;

/** The fields of a TensorProto that say where its data stands. */
function placeFields({ location, offset, length }: Place): Leaf[] {
  const entries = { location, offset: String(offset), length: String(length) };
  const references = Object.entries(entries).map(([key, value]) =>
    encoded(TensorProto.external_data, concat([string(StringStringEntry.key, key), string(StringStringEntry.value, value)])),
  );
  const bytes = int(TensorProto.data_location, EXTERNAL);
  return [...references, { field: TensorProto.data_location, bytes, start: 1, value: EXTERNAL }];
}

const encoded = (field: number, body: Uint8Array): Leaf => leaf(field, messageField(field, [body]), body.byteLength);

/** The whole initializer of a tensor whose data stands in another file. */
export function externalInitializer({ name, dtype, shape }: TensorInfo, place: Place): Uint8Array {
  const body = concat([
    ...shape.map((d) => int(TensorProto.dims, d)),
    int(TensorProto.data_type, dataType(dtype)),
    string(TensorProto.name, name),
    ...placeFields(place).map(({ bytes }) => bytes),
  ]);
  return concat([bytesHeader(GraphProto.initializer, body.byteLength), body]);
}

/** Data that left its tensor. */
export interface Moved {
  place: Place;
  payload: Payload;
}

/**
 * The field with the data of every tensor in it at the place that `find` gives; a tensor that gets none stays as it is, as does data in a
 * typed field that does not lie there as raw data would. What has moved is added to `moved`.
 */
export function moveData(field: Field, find: FindPlace, moved: Moved[]): Field {
  if (!isNested(field)) return field;
  const { message } = field;
  if (message.kind !== "tensor") {
    const fields = message.fields.map((inner) => moveData(inner, find, moved));
    return fields.every((inner, i) => inner === message.fields[i]) ? field : { field: field.field, message: { ...message, fields } };
  }
  const [data, ...more] = message.fields.filter(isData);
  const dtype = DATA_TYPES[numberOf(message, TensorProto.data_type) ?? 0];
  if (!data || more.length > 0 || !dtype || !isPlain(data.field, dtype)) return field;
  const place = find(dataLength(data), textOf(message, TensorProto.name));
  if (!place) return field;
  moved.push({ place, payload: isBulk(data) ? data.payload : memoryPayload(content(data)) });
  const rest = message.fields.filter((inner) => inner !== data && !isReference(inner));
  return { field: field.field, message: { ...message, fields: [...rest, ...placeFields(place)] } };
}
