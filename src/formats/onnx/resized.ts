import { int, message, string } from "../../io/protobuf.ts";
import type { Dims } from "../../ops/value.ts";
import { isLeaf, type Leaf, leaf, open, textOf } from "./message.ts";
import { GraphProto, TypeProto, ValueInfo } from "./proto.ts";

const DECLARING: readonly number[] = [GraphProto.input, GraphProto.value_info];

/** A declaration of a value (ValueInfoProto) with the shape that `shapeOf` gives it; any other field as it is. */
export function resized(field: Leaf, shapeOf: (name: string) => Dims | undefined): Leaf {
  if (!DECLARING.includes(field.field)) return field;
  const shape = shapeOf(textOf(open(field), ValueInfo.name));
  return shape ? withShape(field, [ValueInfo.type, TypeProto.tensor_type], shape) : field;
}

/** The message of a field with another shape in the type that `path` leads to; a type without a shape stays without. */
function withShape(field: Leaf, [next, ...path]: readonly number[], shape: Dims): Leaf {
  const body = open(field)
    .fields.filter(isLeaf)
    .map((inner) => {
      if (next !== undefined) return inner.field === next ? withShape(inner, path, shape).bytes : inner.bytes;
      // TypeProto.Tensor.shape { dim* { dim_value 1 | dim_param 2 } }
      return inner.field === 2
        ? message(
            2,
            shape.map((d) => message(1, [typeof d === "number" ? int(1, d) : string(2, d)])),
          )
        : inner.bytes;
    });
  return leaf(
    field.field,
    message(field.field, body),
    body.reduce((n, bytes) => n + bytes.byteLength, 0),
  );
}
