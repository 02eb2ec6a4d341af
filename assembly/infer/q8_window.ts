// The windows of an image of bytes, one an output pixel. An address `window` holds int32 of these, in this order; strides are elements.

/** What lies at `window`: `Window` of src/kernels/infer/integer-layout.ts. */
@unmanaged
export class Window {
  h: i32;
  w: i32;
  c: i32;
  oh: i32;
  ow: i32;
  kh: i32;
  kw: i32;
  sh: i32;
  sw: i32;
  dh: i32;
  dw: i32;
  pt: i32;
  pl: i32;
  ldx: i32;
}

/** Whether the windows are the pixels themselves. */
export function is_pointwise(v: Window): bool {
  return v.kh == 1 && v.kw == 1 && v.sh == 1 && v.sw == 1 && v.pt == 0 && v.pl == 0 && v.oh == v.h && v.ow == v.w;
}

/** Copies bytes `at` to `end` of the window of output pixel `i`, in the order ky, kx, c; outside of the image it is `pad`. May write 15 bytes more. */
export function copy_window(v: Window, x: usize, i: i32, at: i32, end: i32, pad: i32, y: usize): void {
  const ow = v.ow,
    kw = v.kw,
    c = v.c,
    w = v.w,
    h = v.h,
    dw = v.dw,
    dh = v.dh;
  const ldx = <usize>v.ldx;
  const oy = i / ow;
  const top = oy * v.sh - v.pt;
  const left = (i - oy * ow) * v.sw - v.pl;
  // Where the taps of a kernel row are neighbours and all in the image, they are one run.
  const taps = dw == 1 && ldx == <usize>c && left >= 0 && left + kw <= w ? kw : 1;
  const length = taps * c;
  const run = at / length;
  let from = at - run * length;
  let ky = (run * taps) / kw;
  let kx = run * taps - ky * kw;
  while (at < end) {
    const n = min(length - from, end - at);
    const iy = top + ky * dh;
    const ix = left + kx * dw;
    if (<u32>iy < <u32>h && <u32>ix < <u32>w) copy(n, x + <usize>(iy * w + ix) * ldx + <usize>from, y);
    else fill(n, pad, y);
    y += <usize>n;
    at += n;
    from = 0;
    kx += taps;
    if (kx >= kw) {
      kx = 0;
      ky++;
    }
  }
}

/** Copies `n` bytes. Quicker than memory.copy, which is a call out of WebAssembly. */
export function copy(n: i32, x: usize, y: usize): void {
  if (n >= 16) {
    const last = <usize>(n - 16);
    for (let i: usize = 0; i < last; i += 16) v128.store(y + i, v128.load(x + i));
    v128.store(y + last, v128.load(x + last));
  } else if (n >= 8) {
    const last = <usize>(n - 8);
    store<u64>(y, load<u64>(x));
    store<u64>(y + last, load<u64>(x + last));
  } else if (n >= 4) {
    const last = <usize>(n - 4);
    store<u32>(y, load<u32>(x));
    store<u32>(y + last, load<u32>(x + last));
  } else {
    for (; n > 0; n--) store<u8>(y++, load<u8>(x++));
  }
}

/** Sets `n` bytes, and up to 15 more. */
export function fill(n: i32, value: i32, y: usize): void {
  const v = i8x16.splat(<i8>value);
  for (; n > 0; n -= 16) {
    v128.store(y, v);
    y += 16;
  }
}
