/** A BERT tokenizer as Hugging Face writes it: the files beside a model, for a vocabulary of `size` pieces. */
export function wordpiece(size: number): Record<"tokenizer.json" | "tokenizer_config.json" | "special_tokens_map.json", string> {
  const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
  const letters = [..."abcdefghijklmnopqrstuvwxyz"];
  const words = ["the", "small", "model", "runs", "at", "edge", "and", "says", "what", "it", "did", "."];
  const pieces = [...special, ...words, ...letters.filter((l) => !words.includes(l)), ...letters.map((l) => `##${l}`)];
  while (pieces.length < size) pieces.push(`[unused${pieces.length}]`);
  const vocab = Object.fromEntries(pieces.slice(0, size).map((piece, id) => [piece, id]));
  const token = (name: string) => ({
    id: special.indexOf(name),
    content: name,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  const names = { unk_token: "[UNK]", sep_token: "[SEP]", pad_token: "[PAD]", cls_token: "[CLS]", mask_token: "[MASK]" };
  const part = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const ids = (id: string) => ({ id, ids: [special.indexOf(id)], tokens: [id] });
  return {
    "tokenizer.json": JSON.stringify({
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: special.map(token),
      normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
      pre_tokenizer: { type: "BertPreTokenizer" },
      post_processor: {
        type: "TemplateProcessing",
        single: [part("[CLS]"), { Sequence: { id: "A", type_id: 0 } }, part("[SEP]")],
        pair: [part("[CLS]"), { Sequence: { id: "A", type_id: 0 } }, part("[SEP]"), { Sequence: { id: "B", type_id: 1 } }, part("[SEP]")],
        special_tokens: { "[CLS]": ids("[CLS]"), "[SEP]": ids("[SEP]") },
      },
      decoder: { type: "WordPiece", prefix: "##", cleanup: true },
      model: { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: 100, vocab },
    }),
    "tokenizer_config.json": JSON.stringify({ tokenizer_class: "BertTokenizer", do_lower_case: true, model_max_length: 64, ...names }),
    "special_tokens_map.json": JSON.stringify(names),
  };
}
