import { activate } from "./activation";

/** What follows a product, on rows that are still in the cache: the activation, and z before or after it. */
export function finish(m: i32, n: i32, y: usize, ldy: i32, z: usize, ldz: i32, z_first: i32, kind: i32, alpha: f32, beta: f32): void {
  if (z == 0 && kind == 0) return;
  if (ldy == n && (z == 0 || ldz == n)) {
    n *= m;
    m = 1;
  }
  for (; m > 0; m--) {
    if (z != 0 && z_first != 0) add(n, z, y);
    if (kind != 0) activate(n, y, y, kind, alpha, beta);
    if (z != 0 && z_first == 0) add(n, z, y);
    y += (<usize>ldy) << 2;
    if (z != 0) z += (<usize>ldz) << 2;
  }
}

/** y += x */
// @ts-ignore: decorator
@inline
export function add(n: i32, x: usize, y: usize): void {
  for (; n >= 4; n -= 4) {
    v128.store(y, f32x4.add(v128.load(y), v128.load(x)));
    x += 16;
    y += 16;
  }
  for (; n > 0; n--) {
    store<f32>(y, load<f32>(y) + load<f32>(x));
    x += 4;
    y += 4;
  }
}
