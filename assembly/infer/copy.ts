import { f32_transpose } from "../compress/transpose";
import { zip16_high, zip16_low, zip32_high, zip32_low, zip8_high, zip8_low } from "../lanes";

// Elements of 1, 2, 4 or 8 bytes that change their places.

/** From here on a call of memory.copy is quicker than a loop. */
const LONG: usize = 128;

/** Copies `n` bytes. */
// @ts-ignore: decorator
@inline
function copy(n: usize, x: usize, y: usize): void {
  if (n >= LONG) {
    memory.copy(y, x, n);
    return;
  }
  for (; n >= 16; n -= 16) {
    v128.store(y, v128.load(x));
    x += 16;
    y += 16;
  }
  for (; n >= 4; n -= 4) {
    store<u32>(y, load<u32>(x));
    x += 4;
    y += 4;
  }
  for (; n > 0; n--) store<u8>(y++, load<u8>(x++));
}

/** `rows` of `n` bytes that lie `ldx` bytes apart at `x`, and `ldy` at `y`. */
export function copy_2d(rows: i32, n: usize, x: usize, ldx: usize, y: usize, ldy: usize): void {
  if (ldx == n && ldy == n) {
    memory.copy(y, x, <usize>rows * n);
    return;
  }
  for (; rows > 0; rows--) {
    copy(n, x, y);
    x += ldx;
    y += ldy;
  }
}

/** Sets f32[n]. */
export function f32_fill(n: i32, y: usize, value: f32): void {
  const v = f32x4.splat(value);
  for (; n >= 4; n -= 4) {
    v128.store(y, v);
    y += 16;
  }
  for (; n > 0; n--) {
    store<f32>(y, value);
    y += 4;
  }
}

/** Sets `n` bytes. */
export function u8_fill(n: usize, y: usize, value: i32): void {
  memory.fill(y, <u8>value, n);
}

/** Rows of `n` bytes by their numbers. */
export function gather_rows(count: i32, n: usize, x: usize, indices: usize, wide: i32, y: usize, limit: i32): i32 {
  for (let i = 0; i < count; i++) {
    const index = wide ? load<i64>(indices + ((<usize>i) << 3)) : <i64>load<i32>(indices + ((<usize>i) << 2));
    const row = index < 0 ? index + limit : index;
    if (row < 0 || row >= limit) return i;
    copy(n, x + <usize>row * n, y);
    y += n;
  }
  return -1;
}

/** Sizes, strides in x and in y, and places of the axes that are left, in bytes but for sizes and places. */
const SIZE = memory.data(24, 4);
const FROM = memory.data(24, 4);
const TO = memory.data(24, 4);
const AT = memory.data(24, 4);

// @ts-ignore: decorator
@inline
function get(list: usize, i: i32): i32 {
  return load<i32>(list + ((<usize>i) << 2));
}

// @ts-ignore: decorator
@inline
function set(list: usize, i: i32, value: i32): void {
  store<i32>(list + ((<usize>i) << 2), value);
}

/** Reads the axes, without those of one element and with those together that are one in x; returns how many, or -1 where one is empty. */
function read_axes(width: i32, rank: i32, axes: usize): i32 {
  let count = 0;
  for (let i = 0; i < rank; i++) {
    const size = get(axes, i);
    const from = get(axes, rank + i) * width;
    if (size == 0) return -1;
    if (size == 1) continue;
    if (count > 0 && get(FROM, count - 1) == size * from) {
      set(SIZE, count - 1, get(SIZE, count - 1) * size);
      set(FROM, count - 1, from);
      continue;
    }
    set(SIZE, count, size);
    set(FROM, count, from);
    count++;
  }
  for (let i = count - 1, to = width; i >= 0; i--) {
    set(TO, i, to);
    set(AT, i, 0);
    to *= get(SIZE, i);
  }
  return count;
}

/** Takes an axis out of those that are walked. */
function remove_axis(axis: i32, count: i32): void {
  for (let i = axis; i < count - 1; i++) {
    set(SIZE, i, get(SIZE, i + 1));
    set(FROM, i, get(FROM, i + 1));
    set(TO, i, get(TO, i + 1));
  }
}

/** The elements of two rows in turns. */
function zip(width: i32, n: i32, a: usize, b: usize, y: usize): void {
  let bytes = n * width;
  for (; bytes >= 16; bytes -= 16) {
    const p = v128.load(a),
      q = v128.load(b);
    v128.store(y, width == 4 ? zip32_low(p, q) : width == 2 ? zip16_low(p, q) : zip8_low(p, q));
    v128.store(y, width == 4 ? zip32_high(p, q) : width == 2 ? zip16_high(p, q) : zip8_high(p, q), 16);
    a += 16;
    b += 16;
    y += 32;
  }
  const rest = bytes / width;
  if (width == 4) zip_rest<u32>(rest, a, b, y);
  else if (width == 2) zip_rest<u16>(rest, a, b, y);
  else zip_rest<u8>(rest, a, b, y);
}

function zip_rest<T>(n: i32, a: usize, b: usize, y: usize): void {
  for (; n > 0; n--) {
    store<T>(y, load<T>(a));
    store<T>(y, load<T>(b), sizeof<T>());
    a += sizeof<T>();
    b += sizeof<T>();
    y += 2 * sizeof<T>();
  }
}

function inner(width: i32, rows: i32, columns: i32, x: usize, from: i32, y: usize, to: i32): void {
  if (columns == 1 && from == width) copy(<usize>rows * width, x, y);
  else if (rows == 2 && to == 2 * width && width <= 4) zip(width, columns, x, x + <usize>from, y);
  else if (width == 4 && columns > 1) f32_transpose(rows, columns, from >> 2, x, y, to >> 2);
  else if (width == 1 && columns > 1) transpose8(rows, columns, x, from, y, to);
  else if (width == 1) each<u8>(rows, columns, x, from, y, to);
  else if (width == 2) each<u16>(rows, columns, x, from, y, to);
  else if (width == 4) each<u32>(rows, columns, x, from, y, to);
  else each<u64>(rows, columns, x, from, y, to);
}

/** Writes `rows` of elements that lie together, `from` bytes apart, as so many columns of rows that lie `to` bytes apart. */
function each<T>(rows: i32, columns: i32, x: usize, from: i32, y: usize, to: i32): void {
  for (let j = 0; j < columns; j++) {
    let p = x;
    let q = y;
    for (let i = 0; i < rows; i++) {
      store<T>(q, load<T>(p));
      p += from;
      q += sizeof<T>();
    }
    x += sizeof<T>();
    y += to;
  }
}

/** `each` of bytes, in blocks of eight by eight. */
function transpose8(rows: i32, columns: i32, x: usize, from: i32, y: usize, to: i32): void {
  let j = 0;
  for (; j + 8 <= columns; j += 8) {
    let p = x;
    let q = y;
    let i = 0;
    for (; i + 8 <= rows; i += 8) {
      const a = zip8_low(v128.load64_zero(p), v128.load64_zero(p + from));
      const b = zip8_low(v128.load64_zero(p + 2 * from), v128.load64_zero(p + 3 * from));
      p += 4 * from;
      const c = zip8_low(v128.load64_zero(p), v128.load64_zero(p + from));
      const d = zip8_low(v128.load64_zero(p + 2 * from), v128.load64_zero(p + 3 * from));
      p += 4 * from;
      const ab = zip16_low(a, b);
      const cd = zip16_low(c, d);
      store_columns(v128.shuffle<i32>(ab, cd, 0, 4, 1, 5), q, to);
      store_columns(v128.shuffle<i32>(ab, cd, 2, 6, 3, 7), q + 2 * to, to);
      const ab2 = zip16_high(a, b);
      const cd2 = zip16_high(c, d);
      store_columns(v128.shuffle<i32>(ab2, cd2, 0, 4, 1, 5), q + 4 * to, to);
      store_columns(v128.shuffle<i32>(ab2, cd2, 2, 6, 3, 7), q + 6 * to, to);
      q += 8;
    }
    each<u8>(rows - i, 8, p, from, q, to);
    x += 8;
    y += 8 * to;
  }
  each<u8>(rows, columns - j, x, from, y, to);
}

// @ts-ignore: decorator
@inline
function store_columns(v: v128, y: usize, to: i32): void {
  v128.store64_lane(y, v, 0);
  v128.store64_lane(y + to, v, 1);
}

/** Elements of x by strides, in the order of y. */
export function strided_copy(width: i32, rank: i32, axes: usize, x: usize, y: usize): void {
  let count = read_axes(width, rank, axes);
  if (count < 0) return;
  // The innermost axis of y, and where it is not that of x, the one that is.
  let rows = 1;
  let from = width;
  let columns = 1;
  let to = 0;
  if (count > 0) {
    count--;
    rows = get(SIZE, count);
    from = get(FROM, count);
    for (let i = count - 1; i >= 0 && from != width; i--) {
      if (get(FROM, i) != width) continue;
      columns = get(SIZE, i);
      to = get(TO, i);
      remove_axis(i, count);
      count--;
      break;
    }
  }
  for (;;) {
    inner(width, rows, columns, x, from, y, to);
    let axis = count - 1;
    for (; axis >= 0; axis--) {
      const at = get(AT, axis) + 1;
      x += get(FROM, axis);
      y += get(TO, axis);
      if (at < get(SIZE, axis)) {
        set(AT, axis, at);
        break;
      }
      x -= at * get(FROM, axis);
      y -= at * get(TO, axis);
      set(AT, axis, 0);
    }
    if (axis < 0) return;
  }
}
