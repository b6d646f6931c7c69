/// Files of text as documents of tokens, with a mark at each token that counts in the loss.
///
/// Two kinds of file:
///
///   JSON Lines   (.jsonl, .ndjson, .json) one record, that is one document, a line; lines may end in CRLF, blank ones are
///                skipped. A record is an object with one of
///                  "text"                                        a text; all of it counts
///                  "messages" or "conversations"                 a list of {"role" or "from", "content" or "value"}
///                  "instruction" [, "input"], "output" or "response"
///                  "prompt", "completion" or "response"
///                  "question", "answer"
///                The first of these that is there decides; a "system" beside all but "text" is a first
///                message. Conversations are rendered by a ChatTemplate, and only what the assistant
///                says, with what ends it, counts.
///   text         (any other name) the bytes of the file, valid UTF-8 or not, are one document
///
/// A byte-order mark at the start of a file is skipped. Behind each document stands end-of-text (id 0);
/// documents without text are left out.
///
/// Passages of a conversation are encoded one by one, not as one text: a token never reaches from a
/// question into an answer, so each counts or does not, and a question has the very tokens that a
/// chat program feeds before the model answers. For the same reason the literal text of special
/// tokens, "<|endoftext|>", is a text like any other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "chat/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace prwkv {

/// Lines of a JSON Lines file are at most this long.
constexpr std::size_t kMaxRecordBytes = std::size_t{64} << 20;

/// Whether the tokens of a text count in the loss.
enum class Loss { kCounted, kLeftOut };

/// Part of a document's text.
struct Passage {
  std::string text;
  Loss loss = Loss::kCounted;
  friend bool operator==(const Passage&, const Passage&) = default;
};

/// The passages of one record; neighbours differ in `loss`. Throws Error{kFormat}; its message begins
/// with `where`.
std::vector<Passage> read_record(std::string_view line, std::string_view where,
                                 const ChatTemplate& chat);

/// What a thread encodes at a time: a record, or about a megabyte of a text.
struct TextPiece {
  std::string_view text;
  std::int64_t line = 0;  ///< from 1; of a record. 0: a text
  bool ends_document = true;
};

/// Cuts a file into pieces. Texts are cut behind a newline where it can be, so that hardly ever a
/// token would have reached across; where depends on the file alone.
class TextSource {
 public:
  /// Throws Error{kFile}, and Error{kUnsupported} for a compressed file.
  explicit TextSource(const std::string& path) : TextSource(MappedFile(path)) {}
  explicit TextSource(MappedFile file);

  /// Views into the file; empty at the end. Throws Error{kFormat} for a line that is too long.
  std::optional<TextPiece> next();
  /// Bytes in front of the next piece.
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] const MappedFile& file() const { return file_; }

 private:
  std::optional<TextPiece> next_record();
  std::optional<TextPiece> next_text();

  MappedFile file_;
  bool records_;
  std::size_t position_ = 0;
  std::int64_t line_ = 0;
};

/// A piece as tokens; `counted` is as long as `ids`.
struct TokenPiece {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> counted;
  bool ends_document = true;
};

/// `path` is the file of the piece, for messages.
TokenPiece encode(const TextPiece& piece, std::string_view path, const ChatTemplate& chat,
                  const Tokenizer& tokenizer);

}  // namespace prwkv
