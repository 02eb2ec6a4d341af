import { Arena } from "./arena.ts";
import { supportsRelaxed } from "./relaxed.ts";

/** Compiled builds of the kernels; at least one of them. */
export interface WasmModules {
  simd?: WebAssembly.Module;
  /** The same kernels with relaxed SIMD instructions, to the same bits. */
  relaxed?: WebAssembly.Module;
}

/** Compiled builds, made when they are first asked for; what fails may work the next time. */
export function compiledOnce(modules: () => Promise<WasmModules>): () => Promise<WasmModules> {
  let compiled: Promise<WasmModules> | undefined;
  return () => {
    compiled ??= modules().catch((error: unknown) => {
      compiled = undefined;
      throw error;
    });
    return compiled;
  };
}

/** What the arena of one instance may grow to unless the caller says less: WebAssembly offers 4 GiB, and no slab comes near this. */
export const MAX_ARENA = 2 ** 31;

/**
 * The kernels of the streaming path. Counts are elements, `x`, `y`, `scale` and the like are addresses in bytes. Any count may be 0,
 * no address need be aligned, and an output may not overlap an input, unless a kernel says that it may be one. Names carry the types: `qs8`
 * int8, `qc8w` int8 weights with a scale a channel, `qa8` int8 or uint8 with a zero point besides, `qb8w` and `qb4w` int8 and int4 weights with
 * a scale a block. The *key* of a float is the bits of |x|: keys order as magnitudes do, and NaN is above Infinity.
 */
export interface CompressKernels {
  /** `max |x|` over the finite values of f32[n]; 0 where there is none. */
  f32_absmax(n: number, x: number): number;
  /** Lowers `lo` and raises `hi`, both f32[c] that the caller zeroes first, to the finite values of each channel of f32[outer, c, inner]. Never -0. */
  f32_minmax_channels(outer: number, c: number, inner: number, x: number, lo: number, hi: number): void;
  /**
   * `saturate(roundTiesToEven(x * inv_scale) + zero_point)` to [-128, 127]: f32[n] to int8[n], `zero_point` in -128..127. NaN becomes
   * `zero_point`, ±Infinity saturates. https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
   */
  f32_qs8_quantize(n: number, x: number, y: number, inv_scale: number, zero_point: number): void;
  /**
   * `clamp(roundTiesToEven(x / scale) + zero_point, low, high)` of f32[outer, c, inner], as bytes: int8 where `low` is negative, else uint8.
   * Each channel has its `scale`, f32[c] of positive finite values, and `zero_point`, a byte of the same kind. A division, as the ONNX tools of
   * Python divide. NaN becomes the zero point, ±Infinity saturates.
   */
  f32_qa8_channels(
    outer: number,
    c: number,
    inner: number,
    x: number,
    y: number,
    scale: number,
    zero_point: number,
    low: number,
    high: number,
  ): void;
  /**
   * Symmetric int8 of `c` rows of `inner` floats: scale = f32(m / 127) of a row's finite absmax m, y = roundTiesToEven(x * f32(127 / m)) in
   * [-127, 127]. NaN becomes 0, ±Infinity ±127. A row with m < 2^-100 is zero: scale 1. Otherwise the error of a finite value is at most
   * scale / 2 * (1 + 2^-14). `scale` is f32[c]. https://arxiv.org/abs/2004.09602, section 3.1.2
   */
  f32_qc8w_rows(c: number, inner: number, x: number, y: number, scale: number): void;
  /** Raises `m`, f32[c] that the caller zeroes first, to the finite absmax of each channel of f32[outer, c, inner]. */
  f32_absmax_channels(outer: number, c: number, inner: number, x: number, m: number): void;
  /** From absmax `m` to `scale` and `inv_scale`, all f32[c], by the rule of `f32_qc8w_rows`. */
  qc8w_scales(c: number, m: number, scale: number, inv_scale: number): void;
  /** Symmetric int8 of f32[outer, c, inner] with the f32[c] `inv_scale` of its channels; rounding, NaN and range as `f32_qc8w_rows`. */
  f32_qc8w_channels(outer: number, c: number, inner: number, x: number, y: number, inv_scale: number): void;
  /** As `f32_qc8w_rows` with a scale for each `block_size` ≥ 1 values: `scale` is f32[rows, ceil(k / block_size)]. */
  f32_qb8w_rows(rows: number, k: number, block_size: number, x: number, y: number, scale: number): void;
  /**
   * int4 in blocks of 32 of f32[rows, k] as MatMulNBits reads it and MLAS quantizes it: s the finite value of largest magnitude (of a tie the
   * negative one), scale = s / -8, y = round(x / scale + 8) in 0..15, half away from zero. NaN becomes 8, which is zero. `y` is
   * [rows, ceil(k / 32), 16] bytes, the earlier value of a pair in the low nibble; after a row's end come zeros, and in a byte cut by it the high nibble of the byte before, as MLAS leaves it; `scale` is
   * f32[rows, ceil(k / 32)], zero where 1 / scale overflows (of the sign that the first value has not), and every value of such a block is 8.
   * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
   */
  f32_qb4w_rows(rows: number, k: number, x: number, y: number, scale: number): void;
  /**
   * Block number `block` of `blocks` of `n` columns of a [K, ld] matrix, from the `k` ≤ 32 rows at `x`: column j has its 16 bytes at
   * `y + (j * blocks + block) * 16` and its scale at `scale + (j * blocks + block) * 4`. The same values as `f32_qb4w_rows` transposed.
   */
  f32_qb4w_transpose(k: number, n: number, ld: number, x: number, y: number, scale: number, block: number, blocks: number): void;
  /**
   * NF4 in blocks of 64 of f32[n], as com.microsoft.MatMulBnb4 reads it: `absmax` is f32[ceil(n / 64)], the finite absmax of each block, and a
   * value the nearest of sixteen levels of x / absmax. ceil(n / 2) bytes, the earlier value of a pair in the high nibble. NaN becomes 0,
   * ±Infinity ±absmax. https://arxiv.org/abs/2305.14314, section 3
   */
  f32_nf4(n: number, x: number, y: number, absmax: number): void;
  /** What `f32_nf4` wrote, as f32[n]. */
  nf4_f32(n: number, q: number, absmax: number, y: number): void;
  /** The first `n` columns of the `k` rows of a matrix of `ld` columns, as rows of `k` that lie `to` ≥ k floats apart. */
  f32_transpose(k: number, n: number, ld: number, x: number, y: number, to: number): void;
  /** f32[n] to IEEE half, nearest even, overflow to ±Infinity. NaN keeps sign and top payload bits, quiet. */
  f32_f16(n: number, x: number, y: number): void;
  /** IEEE half to f32[n], exact; NaN becomes quiet. */
  f16_f32(n: number, x: number, y: number): void;
  /** f32[n] to bfloat16, nearest even, overflow to ±Infinity. NaN keeps sign and top payload bits, quiet. */
  f32_bf16(n: number, x: number, y: number): void;
  /** bfloat16 to f32[n]: the same bits with zeros below. */
  bf16_f32(n: number, x: number, y: number): void;
  /** f64[n] to f32, nearest even, overflow to ±Infinity. NaN keeps sign and top payload bits, quiet. */
  f64_f32(n: number, x: number, y: number): void;
  /** f64[n] to IEEE half, rounded once. */
  f64_f16(n: number, x: number, y: number): void;
  /** f64[n] to bfloat16, rounded once. */
  f64_bf16(n: number, x: number, y: number): void;
  /**
   * Adds to `acc`, f64[3]: Σx², Σ(x−x_hat)² and the number of x that are not finite, which count in neither sum. Both inputs are f32[n].
   * Sums are f32 over at most 512 values, then f64, in a fixed order.
   */
  f32_error(n: number, x: number, x_hat: number, acc: number): void;
  /** `f32_error` of f32[outer, c, inner] against int8 `q` and f32[c] `scale`: of `f32_qc8w_channels`, and with outer = 1 of `f32_qc8w_rows`. */
  qc8w_error_channels(outer: number, c: number, inner: number, x: number, q: number, scale: number, acc: number): void;
  /** `f32_error` of what `f32_qa8_channels` wrote. */
  qa8_error_channels(
    outer: number,
    c: number,
    inner: number,
    x: number,
    q: number,
    scale: number,
    zero_point: number,
    low: number,
    acc: number,
  ): void;
  /** `f32_error` of what `f32_qb8w_rows` wrote. */
  qb8w_error_rows(rows: number, k: number, block_size: number, x: number, q: number, scale: number, acc: number): void;
  /** `f32_error` of what `f32_qb4w_rows` wrote. */
  qb4w_error_rows(rows: number, k: number, x: number, q: number, scale: number, acc: number): void;
  /** `f32_error` of what `f32_qb4w_transpose` wrote for the same panel. */
  qb4w_error_transpose(
    k: number,
    n: number,
    ld: number,
    x: number,
    q: number,
    scale: number,
    block: number,
    blocks: number,
    acc: number,
  ): void;
  /**
   * Adds to `c`, f64[m, n], the products of each row of `a`, f32[m, p], with each row of `b`, f32[n, p]; rows lie `lda`, `ldb` and `ldc` elements apart.
   * Sums are f32 over at most 512 samples, then f64, in a fixed order.
   */
  f32_dots(m: number, n: number, p: number, a: number, lda: number, b: number, ldb: number, c: number, ldc: number): void;
  /** Subtracts from `c`, f64[m, n], the products of each row of `a`, f64[m, k], with each row of `b`, f64[n, k]; rows lie `ld…` elements apart. */
  f64_less_dots(m: number, n: number, k: number, a: number, lda: number, b: number, ldb: number, c: number, ldc: number): void;
  /**
   * Counts a digit of the keys of f32[n] that begin with `prefix`: where `key >> prefix_shift == prefix`, adds one to
   * `counts[(key >> shift) & ((1 << bits) - 1)]`, u32[1 << bits]. Prefix 0 with a shift of 31 takes all. `bits` is 2..11, `shift + bits` at
   * most 31. An exact selection needs three passes: 11 bits, then 10 and 10 under the digits found before.
   */
  f32_key_counts(n: number, x: number, prefix: number, prefix_shift: number, shift: number, bits: number, counts: number): void;
  /** How many of f32[n] have a key below `key`. */
  f32_count_below(n: number, x: number, key: number): number;
  /** How many of f32[n] are neither +0 nor -0. */
  f32_count_nonzero(n: number, x: number): number;
  /**
   * f32[n] to f32[n] at `y`, which may be `x`: bit for bit where the key is above `key`, +0 where it is below. Of those at `key` the first
   * `ties` become +0 too and the others stay. Returns how many ties are still to drop.
   */
  f32_mask(n: number, x: number, y: number, key: number, ties: number): number;
  /** `f32_mask` by the keys of the scores `s`, f32[n]. `y` may be `x` or `s`. */
  f32_mask_by(n: number, s: number, x: number, y: number, key: number, ties: number): number;
  /**
   * `|x| * norms` of f32[outer, channels, inner], with f32[channels] `norms`. NaN scores NaN, and so does an infinity times a norm of zero.
   * https://arxiv.org/abs/2306.11695
   */
  f32_scores_wanda(outer: number, channels: number, inner: number, x: number, norms: number, y: number): void;
  /**
   * N:M sparsity of f32[outer, groups * m, inner]: of every `m` in 1..32 values that are `inner` apart, those with the `keep` in 0..m largest
   * keys of `s`, of equal keys the earlier, stay bit for bit; the others become +0. `s` has the shape of `x` and may be `x`.
   * https://arxiv.org/abs/2104.08378
   */
  f32_nm(outer: number, groups: number, m: number, keep: number, inner: number, s: number, x: number, y: number): void;
  /** Adds Σ|x| of each channel of f32[outer, channels, inner] to `acc`, f64[channels]; sums are f64. NaN and Infinity pass into them. */
  f32_l1_channels(outer: number, channels: number, inner: number, x: number, acc: number): void;
  /** Adds Σx² as `f32_l1_channels` does Σ|x|. */
  f32_l2_channels(outer: number, channels: number, inner: number, x: number, acc: number): void;
  /**
   * Σx² of each block of a weight whose element (i < n, j < k, t < inner) is `x[i * n_stride + j * k_stride + t]`. Blocks are 8 along n by 4
   * along k at one t, less at the ends; `y` is f32[ceil(n / 8), ceil(k / 4), inner]. Sums are f32: they overflow to Infinity, NaN passes.
   */
  f32_block_l2(n: number, k: number, inner: number, n_stride: number, k_stride: number, x: number, y: number): void;
  /** The elements of `f32_block_l2` to `y`, laid out alike, which may be `x`: +0 where the byte `keep` of the block is 0, else bit for bit. */
  f32_block_mask(n: number, k: number, inner: number, n_stride: number, k_stride: number, x: number, y: number, keep: number): void;
  /**
   * Packs `n` elements of `size` 1, 2 or 4 bytes: appends to `y` those whose f32 in `mask_values` is neither +0 nor -0, and sets bit `i & 7` of
   * byte `i >> 3` of `bits`, u8[ceil(n / 8)], for each; other bits are 0. Returns how many. NaN is not zero. `y` has room for `n`; the element
   * behind the last appended may be anything.
   */
  compact(n: number, size: number, x: number, mask_values: number, y: number, bits: number): number;
  /** Copies n bytes from `x` to `y`: the yardstick of the benchmarks. */
  memory_copy(n: number, x: number, y: number): void;
}

/** One instance of a build's kernels, with its memory. Instances share nothing. */
export class Kernels<Functions = CompressKernels> {
  readonly variant: "simd" | "relaxed";
  readonly memory: WebAssembly.Memory;
  readonly fn: Functions;
  readonly arena: Arena;

  private constructor(variant: "simd" | "relaxed", memory: WebAssembly.Memory, exports: WebAssembly.Exports, maxBytes: number) {
    this.variant = variant;
    this.memory = memory;
    this.fn = exports as Functions;
    this.arena = new Arena(memory, Number((exports.__heap_base as WebAssembly.Global).value), maxBytes);
  }

  /** Takes the relaxed build where there is one and the runtime has it. `maxBytes` bounds the arena. */
  static instantiate<Functions = CompressKernels>(modules: WasmModules, maxBytes: number = MAX_ARENA): Kernels<Functions> {
    const variant = modules.relaxed !== undefined && (modules.simd === undefined || supportsRelaxed()) ? "relaxed" : "simd";
    const module = modules[variant];
    if (module === undefined) throw new TypeError("Kernels need a compiled module: simd, relaxed or both");
    // A fresh one: the builds of the streaming path take it to be zeros and carry none.
    const memory = new WebAssembly.Memory({ initial: 1 });
    const instance = new WebAssembly.Instance(module, { env: { memory } });
    return new Kernels<Functions>(variant, memory, instance.exports, maxBytes);
  }
}
