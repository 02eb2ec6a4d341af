// The scratch of the int8 products: offsets into `work`. A block of rows meets a block of columns, in slices of k.

/** Most rows of a block, columns of a block, and bytes of a row in a slice. */
export const ROWS: i32 = 64;
export const COLUMNS: i32 = 512;
export const DEPTH: i32 = 1024;

/** int32[rows, columns rounded up to 16]: the sums. */
export const SUMS: usize = 0;
/** Packed rows: up to two bytes for each byte. */
export const PACKED: usize = SUMS + <usize>(ROWS * COLUMNS * 4);
/** What each column's sums start from, int32; its scale and its bias, float32. */
export const START: usize = PACKED + <usize>(ROWS * DEPTH * 2);
export const SCALE: usize = START + <usize>(COLUMNS * 4);
export const BIAS: usize = SCALE + <usize>(COLUMNS * 4);
/** 64 times the sum of each packed row, int32. */
export const ROW_SUMS: usize = BIAS + <usize>(COLUMNS * 4);
/** Four rows of windows; a copy may write 15 bytes past the end of a row. */
export const PITCH: usize = <usize>DEPTH + 16;
export const WINDOWS: usize = ROW_SUMS + <usize>(ROWS * 4);
/** The ends of four rows, 16 bytes each. */
export const TAIL: usize = WINDOWS + PITCH * 4;
/** What turns sums into bytes, as `emit` of q8_output.ts has it; a few zero points. */
export const EMIT: usize = TAIL + 64;
export const PAD: usize = EMIT + 80;
/** Bytes of all of it: at most `INTEGER_WORK_BYTES` of src/kernels/infer/integer-layout.ts. */
export const WORK: usize = PAD + 16;
