import type { Observer } from "./observer.ts";

/** The least and the greatest value of all samples: nothing saturates, and one outlier makes every step coarser. */
export function minmax(): Observer {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  return {
    observe(elements) {
      for (let i = 0; i < elements.length; i++) {
        const x = elements[i] as number;
        if (x < min) min = x;
        if (x > max) max = x;
      }
    },
    range: () => (min <= max ? { min, max } : undefined),
  };
}
