/// Training data as token ids, the way RWKV's trainers keep it ("binidx"): a pair of files.
///
///     NAME.bin   the ids of all documents, one after the other
///     NAME.idx   "MMIDIDX\0\0"  u64 version = 1  u8 type  u64 pieces  u64 marks
///                i32 sizes[pieces]     ids of each piece
///                i64 pointers[pieces]  byte of NAME.bin at which each piece begins
///                i64 marks[marks]      document d is the pieces marks[d] … marks[d + 1] − 1
///
/// Everything is little-endian and nothing is aligned. The pieces lie end to end; nearly always a
/// document is one piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/atomic_file.h"
#include "base/mapped_file.h"

namespace prwkv {

/// How ids are stored; the numbers are those of the file.
enum class TokenType : std::uint8_t { kU8 = 1, kI8 = 2, kI16 = 3, kI32 = 4, kI64 = 5, kU16 = 8 };

/// "u16" and so on.
std::string_view name_of(TokenType type);
/// Bytes of one id.
std::int64_t width_of(TokenType type);

/// `count` tokens from number `first` on.
struct TokenRange {
  std::int64_t first = 0, count = 0;
  friend bool operator==(const TokenRange&, const TokenRange&) = default;
};

/// A pair that is mapped into memory. The index has been checked as a whole; ids are checked when
/// they are read.
class Binidx {
 public:
  /// NAME, if `path` stands for a pair: NAME.bin, NAME.idx, or NAME where there is no file of that
  /// name but both others. Empty otherwise.
  [[nodiscard]] static std::optional<std::string> pair_name(const std::string& path);
  /// The pair NAME.bin, NAME.idx. Throws Error{kFile | kFormat | kUnsupported | kMismatch}.
  [[nodiscard]] static Binidx open(const std::string& name);
  /// The same for files that are open already.
  Binidx(MappedFile tokens, MappedFile index);

  [[nodiscard]] TokenType type() const { return type_; }
  [[nodiscard]] std::int64_t tokens() const { return tokens_; }
  [[nodiscard]] std::int64_t documents() const { return documents_; }
  /// Documents tile the tokens, in order; some may be empty.
  [[nodiscard]] TokenRange document(std::int64_t number) const;

  /// Copies ids.size() tokens from number `first` on. Throws Error{kMismatch} naming the file and
  /// the position of an id that is negative or not below `vocabulary`.
  void read(std::int64_t first, std::span<std::int32_t> ids, std::int64_t vocabulary) const;
  /// Only the check.
  void check(TokenRange range, std::int64_t vocabulary) const;

  [[nodiscard]] const MappedFile& token_file() const { return token_file_; }
  [[nodiscard]] const MappedFile& index_file() const { return index_file_; }

 private:
  void read_index();
  void check_pieces();
  void check_marks() const;
  [[nodiscard]] std::span<const std::byte> bytes_of(TokenRange range) const;

  MappedFile token_file_, index_file_;
  TokenType type_ = TokenType::kU16;
  std::int64_t tokens_ = 0, pieces_ = 0, documents_ = 0;
  std::span<const std::byte> sizes_, pointers_, marks_;  // in the index
};

/// Turns documents into the bytes of both files, wherever these should go. Four bytes a document
/// stay in memory until the end.
class BinidxEncoder {
 public:
  using Put = std::function<void(std::span<const std::byte>)>;
  /// `name` stands for the data in messages; `put_tokens` takes the bytes of NAME.bin.
  BinidxEncoder(std::string name, TokenType type, Put put_tokens);

  /// The next ids of the document in the making. Throws Error{kInvalidArgument} for one that does
  /// not fit the type, and Error{kUnsupported} for a document of more than 2³¹ − 1.
  void add(std::span<const std::int32_t> ids);
  /// Ends the document, also one without ids.
  void end_document();
  /// What is left of NAME.bin, then NAME.idx piece by piece. Throws Error{kInvalidArgument} inside a
  /// document.
  void finish(const Put& put_index);

  [[nodiscard]] std::int64_t tokens() const { return tokens_; }
  [[nodiscard]] std::int64_t documents() const { return static_cast<std::int64_t>(sizes_.size()); }

 private:
  std::string name_;
  TokenType type_;
  Put put_tokens_;
  std::vector<std::byte> buffer_;
  std::vector<std::int32_t> sizes_;
  std::int64_t tokens_ = 0, in_document_ = 0;
};

/// The same into files. Without finish() whatever stood there before stays. The two files are
/// renamed one after the other: who opens the pair in between sees sizes that do not fit, or, where
/// they happen to fit, the new tokens with the old documents.
class BinidxWriter {
 public:
  /// Writes NAME.bin and NAME.idx. Throws Error{kFile}, as all members do.
  BinidxWriter(const std::string& name, TokenType type);

  void add(std::span<const std::int32_t> ids) { encoder_.add(ids); }
  void end_document() { encoder_.end_document(); }
  void finish();

  [[nodiscard]] std::int64_t tokens() const { return encoder_.tokens(); }
  [[nodiscard]] std::int64_t documents() const { return encoder_.documents(); }

 private:
  AtomicFile tokens_, index_;
  BinidxEncoder encoder_;
};

}  // namespace prwkv
