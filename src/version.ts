/** The engine's version, as it stands in reports and in the files it writes. */
export const VERSION = "0.1.0";
