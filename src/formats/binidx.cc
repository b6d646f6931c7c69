#include "formats/binidx.h"

#include <algorithm>
#include <concepts>
#include <cstring>
#include <filesystem>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "formats/byte_builder.h"
#include "formats/untrusted.h"

namespace prwkv {
namespace {

constexpr std::string_view kIndexMagic("MMIDIDX\0\0", 9);
constexpr std::uint64_t kIndexVersion = 1;
constexpr std::size_t kBinidxBuffer = std::size_t{1} << 20;  // bytes that are written at once
constexpr std::string_view kOtherPair =
    "do the two files belong together, and were both copied to their end?";

struct TokenTypeInfo {
  std::uint8_t number;
  std::string_view name;
  std::int64_t width;  ///< bytes of one id; 0: known, but refused
};
constexpr TokenTypeInfo kTokenTypes[] = {
    {1, "u8", 1},  {2, "i8", 1},    {3, "i16", 2},    {4, "i32", 4},
    {5, "i64", 8}, {6, "float", 0}, {7, "double", 0}, {8, "u16", 2},
};

const TokenTypeInfo& info_of(TokenType type) {
  return *std::find_if(std::begin(kTokenTypes), std::end(kTokenTypes),
                       [&](const auto& t) { return t.number == static_cast<std::uint8_t>(type); });
}

/// Calls f with a value of the type in which ids are stored.
template <class F>
auto with_stored_type(TokenType type, const F& f) {
  switch (type) {
    case TokenType::kU8: return f(std::uint8_t{});
    case TokenType::kI8: return f(std::int8_t{});
    case TokenType::kI16: return f(std::int16_t{});
    case TokenType::kI32: return f(std::int32_t{});
    case TokenType::kI64: return f(std::int64_t{});
    case TokenType::kU16: break;
  }
  return f(std::uint16_t{});
}

/// Value number `i` of an array that nothing aligns.
template <std::integral T>
T value_at(std::span<const std::byte> values, std::int64_t i) {
  T value;
  std::memcpy(&value, values.data() + static_cast<std::size_t>(i) * sizeof value, sizeof value);
  return value;
}

/// The first value that is no id below `vocabulary`; -1 if all are.
template <std::integral T>
std::int64_t first_unfit(std::span<const std::byte> values, std::int64_t vocabulary) {
  const auto count = static_cast<std::int64_t>(values.size() / sizeof(T));
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();  // what is read into
  const auto limit = static_cast<std::uint64_t>(std::clamp<std::int64_t>(vocabulary, 0, kMost));
  for (std::int64_t i = 0; i < count; ++i) {
    // As an unsigned number, a negative one is beyond every vocabulary.
    const auto value = static_cast<std::uint64_t>(std::int64_t{value_at<T>(values, i)});
    if (value >= limit) return i;
  }
  return -1;
}

[[noreturn]] void refuse_index(const MappedFile& index, std::string_view what, std::string expected,
                               std::string found) {
  throw Error(Code::kFormat, fmt::format("{}: {}", index.path(), what),
              {.expected = std::move(expected), .found = std::move(found), .hint = {}});
}

}  // namespace

std::string_view name_of(TokenType type) { return info_of(type).name; }
std::int64_t width_of(TokenType type) { return info_of(type).width; }

// ---- reading

std::optional<std::string> Binidx::pair_name(const std::string& path) {
  for (const std::string_view suffix : {".bin", ".idx"}) {
    if (path.ends_with(suffix)) return path.substr(0, path.size() - suffix.size());
  }
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return std::nullopt;
  const bool both = std::filesystem::exists(path + ".bin", ignored) &&
                    std::filesystem::exists(path + ".idx", ignored);
  return both ? std::optional(path) : std::nullopt;
}

Binidx Binidx::open(const std::string& name) {
  const auto map = [](const std::string& path) {
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) return MappedFile(path);
    throw Error(Code::kFile, path + ": there is no such file",
                {.expected = "token data as a pair of files, NAME.bin and NAME.idx",
                 .found = {},
                 .hint = "is the path right?"});
  };
  MappedFile index = map(name + ".idx");
  return {map(name + ".bin"), std::move(index)};
}

Binidx::Binidx(MappedFile tokens, MappedFile index)
    : token_file_(std::move(tokens)), index_file_(std::move(index)) {
  read_index();
  check_pieces();
  check_marks();
}

void Binidx::read_index() {
  const std::string& path = index_file_.path();
  if (!index_file_.text().starts_with(kIndexMagic)) {
    refuse_index(index_file_, "is not the index of token data", "MMIDIDX at the start",
                 in_quotes(index_file_.text().substr(0, kIndexMagic.size())));
  }
  ByteCursor in(index_file_.bytes(), path, "the index");
  in.take(kIndexMagic.size());
  if (const auto version = in.read<std::uint64_t>(); version != kIndexVersion) {
    throw Error(
        Code::kUnsupported, path + ": is of an unknown version",
        {.expected = std::to_string(kIndexVersion), .found = std::to_string(version), .hint = {}});
  }
  const auto number = in.read<std::uint8_t>();
  const auto* const type = std::find_if(std::begin(kTokenTypes), std::end(kTokenTypes),
                                        [&](const auto& t) { return t.number == number; });
  if (type == std::end(kTokenTypes))
    refuse_index(index_file_, "has an unknown type of ids", "1 to 8", std::to_string(number));
  if (type->width == 0) {
    throw Error(Code::kUnsupported, path + ": has ids that are no integers",
                {.expected = "integers, of RWKV's data u16",
                 .found = fmt::format("type {}, {}", number, type->name),
                 .hint = "make the data anew with integers"});
  }
  type_ = static_cast<TokenType>(number);
  const auto pieces = in.read<std::uint64_t>(), marks = in.read<std::uint64_t>();
  sizes_ = in.take(pieces, sizeof(std::int32_t));
  pointers_ = in.take(pieces, sizeof(std::int64_t));
  marks_ = in.take(marks, sizeof(std::int64_t));
  if (!in.at_end()) {
    refuse_index(index_file_, "goes on behind its last table",
                 fmt::format("{} bytes", in.position()),
                 fmt::format("{} bytes", index_file_.bytes().size()));
  }
  if (marks == 0)
    refuse_index(index_file_, "does not say where documents begin", "a 0 at least", "");
  // Both are bounded by the file's size.
  pieces_ = static_cast<std::int64_t>(pieces);
  documents_ = static_cast<std::int64_t>(marks) - 1;
}

void Binidx::check_pieces() {
  std::int64_t end = 0;  // in bytes
  for (std::int64_t i = 0; i < pieces_; ++i) {
    const auto size = value_at<std::int32_t>(sizes_, i);
    if (size < 0) {
      refuse_index(index_file_, fmt::format("piece {} has a negative size", i), "at least 0",
                   std::to_string(size));
    }
    if (const auto pointer = value_at<std::int64_t>(pointers_, i); pointer != end) {
      refuse_index(index_file_, fmt::format("piece {} is not where the one before ends", i),
                   fmt::format("byte {}", end), fmt::format("byte {}", pointer));
    }
    if (!checked_add(end, size * width_of(type_), end))
      refuse_index(index_file_, "promises more tokens than any file has", "", "");
  }
  if (const auto bytes = token_file_.bytes().size(); static_cast<std::uint64_t>(end) != bytes) {
    throw Error(
        Code::kMismatch,
        fmt::format("{}: is not of the size that {} says", token_file_.path(), index_file_.path()),
        {.expected = fmt::format("{} bytes", end),
         .found = fmt::format("{} bytes", bytes),
         .hint = std::string(kOtherPair)});
  }
  tokens_ = end / width_of(type_);
}

void Binidx::check_marks() const {
  std::int64_t before = 0;
  for (std::int64_t i = 0; i <= documents_; ++i) {
    const auto mark = value_at<std::int64_t>(marks_, i);
    const std::int64_t highest = i == 0 ? 0 : pieces_;
    if (mark < before || mark > highest) {
      refuse_index(index_file_, fmt::format("mark {} of the documents is impossible", i),
                   i == 0 ? "0" : fmt::format("{} to {}", before, highest), std::to_string(mark));
    }
    before = mark;
  }
  if (before != pieces_) {
    refuse_index(index_file_, "has pieces behind the last document", std::to_string(before),
                 fmt::format("{} pieces", pieces_));
  }
}

TokenRange Binidx::document(std::int64_t number) const {
  const auto begin_of = [this](std::int64_t piece) {
    return piece == pieces_ ? tokens_ : value_at<std::int64_t>(pointers_, piece) / width_of(type_);
  };
  if (number < 0 || number >= documents_) {
    fail(Code::kInvalidArgument, "{}: there is no document {}, only {}", index_file_.path(), number,
         documents_);
  }
  const std::int64_t first = begin_of(value_at<std::int64_t>(marks_, number));
  return {first, begin_of(value_at<std::int64_t>(marks_, number + 1)) - first};
}

std::span<const std::byte> Binidx::bytes_of(TokenRange range) const {
  if (range.first < 0 || range.count < 0 || range.first > tokens_ ||
      range.count > tokens_ - range.first) {
    fail(Code::kInvalidArgument, "{}: there are no {} tokens from {} on, only {} in all",
         token_file_.path(), range.count, range.first, tokens_);
  }
  const auto width = static_cast<std::size_t>(width_of(type_));
  return token_file_.bytes().subspan(static_cast<std::size_t>(range.first) * width,
                                     static_cast<std::size_t>(range.count) * width);
}

void Binidx::check(TokenRange range, std::int64_t vocabulary) const {
  const auto bytes = bytes_of(range);
  with_stored_type(type_, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t bad = first_unfit<T>(bytes, vocabulary);
    if (bad < 0) return;
    throw Error(
        Code::kMismatch,
        fmt::format("{}: token {} is not in the vocabulary", token_file_.path(), range.first + bad),
        {.expected = fmt::format("an id from 0 to {}", vocabulary - 1),
         .found = std::to_string(std::int64_t{value_at<T>(bytes, bad)}),
         .hint = "was the data made for another tokenizer?"});
  });
}

void Binidx::read(std::int64_t first, std::span<std::int32_t> ids, std::int64_t vocabulary) const {
  const TokenRange range{first, static_cast<std::int64_t>(ids.size())};
  check(range, vocabulary);
  const auto bytes = bytes_of(range);
  with_stored_type(type_, [&](auto zero) {
    for (std::int64_t i = 0; i < range.count; ++i) {
      ids[static_cast<std::size_t>(i)] =
          static_cast<std::int32_t>(std::int64_t{value_at<decltype(zero)>(bytes, i)});
    }
  });
}

// ---- writing

BinidxEncoder::BinidxEncoder(std::string name, TokenType type, Put put_tokens)
    : name_(std::move(name)), type_(type), put_tokens_(std::move(put_tokens)) {}

void BinidxEncoder::add(std::span<const std::int32_t> ids) {
  const auto count = static_cast<std::int64_t>(ids.size());
  if (count > std::numeric_limits<std::int32_t>::max() - in_document_) {
    throw Error(Code::kUnsupported,
                fmt::format("{}: document {} is too long for an index", name_, documents()),
                {.expected = "at most 2147483647 tokens",
                 .found = fmt::format("{} at least", in_document_ + count),
                 .hint = "divide it into several"});
  }
  with_stored_type(type_, [&](auto zero) {
    using T = decltype(zero);
    for (const std::int32_t id : ids) {
      if (id >= 0 && std::in_range<T>(id)) continue;
      fail(Code::kInvalidArgument, "{}: id {} cannot be stored as {}", name_, id, name_of(type_));
    }
    std::size_t at = buffer_.size();
    buffer_.resize(at + ids.size() * sizeof(T));
    for (const std::int32_t id : ids) {
      const auto value = static_cast<T>(id);
      std::memcpy(buffer_.data() + at, &value, sizeof value);
      at += sizeof value;
    }
  });
  tokens_ += count;
  in_document_ += count;
  if (buffer_.size() < kBinidxBuffer) return;
  put_tokens_(buffer_);
  buffer_.clear();
}

void BinidxEncoder::end_document() {
  sizes_.push_back(static_cast<std::int32_t>(std::exchange(in_document_, 0)));
}

void BinidxEncoder::finish(const Put& put_index) {
  if (in_document_ > 0)
    fail(Code::kInvalidArgument, "{}: document {} was not ended", name_, documents());
  put_tokens_(std::exchange(buffer_, {}));
  const auto put = [&](const ByteBuilder& part) {
    put_index(std::as_bytes(std::span(part.bytes())));
  };
  const auto n = static_cast<std::uint64_t>(sizes_.size());
  put(ByteBuilder()
          .text(kIndexMagic)
          .put<std::uint64_t>(kIndexVersion)
          .put<std::uint8_t>(static_cast<std::uint8_t>(type_))
          .put<std::uint64_t>(n)
          .put<std::uint64_t>(n + 1));
  put_index(std::as_bytes(std::span(sizes_)));
  // Tables of millions of documents go out in parts.
  const auto put_table = [&](std::uint64_t count, const auto& next) {
    for (std::uint64_t i = 0; i < count;) {
      ByteBuilder part;
      for (; i < count && part.size() < kBinidxBuffer; ++i) part.put<std::int64_t>(next(i));
      put(part);
    }
  };
  std::int64_t end = 0;
  put_table(n, [&](std::uint64_t i) {
    return std::exchange(end, end + sizes_[static_cast<std::size_t>(i)] * width_of(type_));
  });
  put_table(n + 1, [](std::uint64_t i) { return static_cast<std::int64_t>(i); });
}

BinidxWriter::BinidxWriter(const std::string& name, TokenType type)
    : tokens_(name + ".bin"),
      index_(name + ".idx"),
      encoder_(name, type, [this](std::span<const std::byte> bytes) { tokens_.write(bytes); }) {}

void BinidxWriter::finish() {
  encoder_.finish([this](std::span<const std::byte> bytes) { index_.write(bytes); });
  tokens_.commit();
  index_.commit();
}

}  // namespace prwkv
