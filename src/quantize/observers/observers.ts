import { minmax } from "./minmax.ts";
import type { Observer } from "./observer.ts";

/** Observers by the name that a recipe gives them: a new one is a file in this folder and a line here. */
export const OBSERVERS: Readonly<Record<string, () => Observer>> = { minmax };
