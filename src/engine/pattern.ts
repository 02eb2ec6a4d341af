import { LimitError } from "../errors.ts";

/** Steps that a recipe's patterns may take over all names: some ten seconds of a matcher that backtracks at its worst. */
export const MAX_PATTERN_WORK = 1e10;

/** What a recipe's patterns may take in all. */
export class PatternWork {
  #done = 0;

  /** Whether a name matches. @throws {LimitError} where all names together might take too long. */
  test(pattern: Pattern, name: string): boolean {
    this.#done += pattern.worst(name.length);
    if (this.#done > MAX_PATTERN_WORK) {
      const what = `The recipe's pattern '${pattern.source}' may take too long on tensor names like '${name}'; use fewer of * + ? and |`;
      throw new LimitError("MAX_PATTERN_WORK", what, { tensor: name });
    }
    return pattern.test(name);
  }
}

/** A recipe's regular expression, with a bound on what a backtracking matcher may take for it. */
export class Pattern {
  readonly source: string;
  readonly #regex: RegExp;
  readonly #loops: number;
  readonly #choices: number;

  constructor(source: string) {
    this.source = source;
    this.#regex = new RegExp(source, "u");
    const plain = source.replace(/\\.|\[(?:\\.|[^\]\\])*\]/gsu, (part) => (/^\\[1-9k]/.test(part) ? "x*" : "x")); // a back reference walks too
    const loops = plain.match(/[*+]\??|\{[^}]*\}\??/gu) ?? [];
    const optional = plain.replace(/[*+]\??|\{[^}]*\}\??/gu, "").match(/(?<!\()\?/gu) ?? [];
    this.#loops = loops.length;
    this.#choices = 2 ** optional.length * alternatives(plain);
  }

  /** Ways in which a name of `length` characters can be tried: where a match starts, where each loop ends, which alternative. */
  worst(length: number): number {
    let ways = this.#choices;
    for (let i = 1; i <= this.#loops + 1; i++) ways *= (length + i) / i;
    return ways;
  }

  test(name: string): boolean {
    return this.#regex.test(name);
  }
}

/** The product of the number of alternatives of each group. */
function alternatives(plain: string): number {
  const open = [1];
  let product = 1;
  for (const char of plain) {
    if (char === "(") open.push(1);
    else if (char === "|") open.push((open.pop() as number) + 1);
    else if (char === ")") product *= open.pop() ?? 1;
  }
  return product * (open[0] ?? 1);
}
