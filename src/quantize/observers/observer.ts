/** What an activation is to be quantized over; values beyond it saturate. */
export interface Range {
  min: number;
  max: number;
}

/** Watches a value of the graph while samples run, and says in the end over what range to quantize it. */
export interface Observer {
  /** Takes all elements that the value has for one sample: any number of finite ones. */
  observe(elements: Float32Array): void;
  /** The range of what has been observed; undefined before any element has. */
  range(): Range | undefined;
}
