import { elements } from "../../tensor.ts";
import type { Lower } from "./lower.ts";

export const Activate: Lower = ({ node: { attributes }, inputs: [x], outputs: [y], fn }) => {
  if (!x || !y) return undefined;
  const { kind, alpha, beta } = attributes as { kind: number; alpha: number; beta: number };
  const n = elements(x.shape);
  return () => fn.f32_activate(n, x.address, y.address, kind, alpha, beta);
};
