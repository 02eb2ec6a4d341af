import Table from "cli-table3";
import { printable } from "./units.ts";

/** Columns without borders or colours, fit for a pipe; without a head where none is given. */
export function table(rows: string[][], head: string[] = []): string {
  const none = {
    top: "",
    "top-mid": "",
    "top-left": "",
    "top-right": "",
    bottom: "",
    "bottom-mid": "",
    "bottom-left": "",
    "bottom-right": "",
  };
  const chars = { ...none, left: "  ", "left-mid": "", mid: "", "mid-mid": "", right: "", "right-mid": "", middle: "  " };
  const made = new Table({ chars, head, style: { head: [], border: [], "padding-left": 0, "padding-right": 0 } });
  made.push(...rows.map((row) => row.map(printable)));
  return `${made.toString().replaceAll(/ +$/gm, "")}\n`;
}
