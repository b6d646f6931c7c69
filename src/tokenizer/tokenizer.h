/// Text to token ids and back, for every vocabulary RWKV models use.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prwkv {

/// Immutable after construction and safe to use from several threads.
class Tokenizer {
 public:
  /// The embedded vocabulary that models with this many embedding rows were trained with: "world"
  /// (65,536), "neox" (50,277, or padded to 50,304), "bytes" (256); empty for any other number.
  [[nodiscard]] static std::string_view default_name(std::int64_t embedding_rows);
  /// That vocabulary; null for any other number: a custom one has to be named.
  [[nodiscard]] static std::shared_ptr<const Tokenizer> default_for(std::int64_t embedding_rows);
  /// The same for a model: anything whose dims().V counts the rows of its embedding.
  template <class Model>
  requires requires(const Model& model) { model.dims().V; }
  [[nodiscard]] static std::shared_ptr<const Tokenizer> default_for(const Model& model) {
    return default_for(model.dims().V);
  }

  virtual ~Tokenizer() = default;
  /// "world", "neox", "bytes", or the file's name for a custom vocabulary.
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// One more than the largest id. The embedded World vocabulary counts the six unused ids at the
  /// end, so that it agrees with the rows of the models' embeddings.
  [[nodiscard]] virtual int vocab_size() const = 0;
  /// Any bytes are accepted. World encodes them as they are; NeoX replaces ill-formed UTF-8 by
  /// U+FFFD first and applies NFC. No begin- or end-of-text token is added. With `parse_special`
  /// the literal text of special tokens (NeoX: "<|endoftext|>", "<|padding|>") becomes their id, as
  /// in Hugging Face's `tokenizers`.
  [[nodiscard]] virtual std::vector<std::int32_t> encode(std::string_view text,
                                                         bool parse_special) const = 0;
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const {
    return encode(text, true);
  }
  /// The bytes of one token; empty for special tokens (end of text) and ids outside the vocabulary.
  [[nodiscard]] virtual std::string_view token_bytes(std::int32_t id) const = 0;
  /// True for ids that stand for no text: end of text, padding, unused ids.
  [[nodiscard]] virtual bool is_special(std::int32_t id) const = 0;
  /// The id that separates documents and ends generation: 0 in every RWKV vocabulary.
  [[nodiscard]] virtual std::int32_t end_of_text() const { return 0; }

  /// Concatenated token bytes; may be ill-formed UTF-8 when the ids cut a character.
  [[nodiscard]] std::string decode_bytes(const std::vector<std::int32_t>& ids) const;
  /// The same as well-formed UTF-8: ill-formed parts become U+FFFD.
  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const;
};

/// The embedded rwkv_vocab_v20230424 (65,536 ids). Like the next one it builds a new object with
/// each call, in tens of milliseconds: whoever needs it twice keeps it.
std::shared_ptr<const Tokenizer> world_tokenizer();
/// The embedded GPT-NeoX-20B byte-level BPE (50,277 ids).
std::shared_ptr<const Tokenizer> neox_tokenizer();
/// 256 ids, one a byte.
std::shared_ptr<const Tokenizer> byte_tokenizer();
/// A vocabulary file: rwkv_vocab text format or tokenizer.json, told by content.
/// Throws Error{kFile | kFormat | kUnsupported}.
std::shared_ptr<const Tokenizer> load_tokenizer(const std::string& path);
/// "world", "neox", "bytes" or a path.
std::shared_ptr<const Tokenizer> tokenizer_by_name(const std::string& name_or_path);

/// Turns a stream of token bytes into text that never ends inside a character: what may still
/// become a valid character is held back (at most 3 bytes), what cannot becomes U+FFFD, one per
/// maximal ill-formed part.
class StreamDecoder {
 public:
  /// Adds bytes and returns the text that is complete now.
  std::string push(std::string_view bytes);
  /// The end: whatever is held back is ill-formed.
  std::string flush();
  /// The bytes held back, so that a session can be saved and resumed mid-character.
  [[nodiscard]] const std::string& pending() const { return pending_; }
  void set_pending(std::string bytes) { pending_ = std::move(bytes); }

 private:
  std::string pending_;
};

}  // namespace prwkv
