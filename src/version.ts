/** The engine's version, as it stands in reports and in the files it writes. */
export const VERSION = "0.1.0";

/** What the keys of the metadata that Edgeslim writes into models begin with. */
export const METADATA_PREFIX = "edgeslim.";
