/**
 * The least module with a relaxed instruction in it:
 *
 *     (module (func (result v128) i32.const 0 i8x16.splat i32x4.relaxed_trunc_f32x4_s))
 */
const RELAXED = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // \0asm, version 1
  ...[0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b], // types: () → v128
  ...[0x03, 0x02, 0x01, 0x00], // functions
  ...[0x0a, 0x0b, 0x01, 0x09, 0x00, 0x41, 0x00, 0xfd, 0x0f, 0xfd, 0x81, 0x02, 0x0b], // code
);

/** Whether this runtime has relaxed SIMD. Node 20 says no, and rightly: what it has behind a flag computes wrong results. */
export const supportsRelaxed = (): boolean => WebAssembly.validate(RELAXED);
