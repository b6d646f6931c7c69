#include "tokenizer/world_trie.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/quote.h"
#include "tokenizer/byte_trie.h"
#include "tokenizer/token_bytes.h"
#include "tokenizer/utf8.h"

namespace prwkv {
namespace {

class WorldTrie final : public Tokenizer {
 public:
  WorldTrie(std::string name, TokenBytes bytes, ByteTrie trie)
      : name_(std::move(name)), bytes_(std::move(bytes)), trie_(std::move(trie)) {}

  std::string_view name() const override { return name_; }
  int vocab_size() const override { return bytes_.size(); }
  std::vector<std::int32_t> encode(std::string_view text, bool /*parse_special*/) const override {
    std::vector<std::int32_t> ids;
    ids.reserve(text.size() / 4 + 8);
    while (!text.empty()) {
      // Never none: every single byte is a token.
      const ByteTrie::Match match = trie_.longest(text);
      ids.push_back(match.id);
      text.remove_prefix(match.length);
    }
    return ids;
  }
  std::string_view token_bytes(std::int32_t id) const override { return bytes_[id]; }
  bool is_special(std::int32_t id) const override { return bytes_[id].empty(); }

 private:
  std::string name_;
  TokenBytes bytes_;
  ByteTrie trie_;
};

/// The line that is being read, for messages.
struct Line {
  const std::string& where;
  int number;
  std::string_view text;

  [[noreturn]] void fail(std::string_view what, std::string expected, std::string hint = {}) const {
    throw Error(Code::kFormat, fmt::format("{}:{}: {}", where, number, what),
                {.expected = std::move(expected),
                 .found = in_double_quotes(text),
                 .hint = std::move(hint)});
  }
};

std::optional<std::uint32_t> number(std::string_view digits, int base) {
  std::uint32_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, base);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

/// Reads one escape, whose backslash is gone already, and removes it from `rest`.
void append_escape(std::string& out, std::string_view& rest, bool is_bytes, const Line& line) {
  constexpr std::string_view kLetters = "\\'\"abfnrtv", kMeanings = "\\'\"\a\b\f\n\r\t\v";
  if (rest.empty()) line.fail("the token ends inside an escape", "a character after the backslash");
  const char letter = rest[0];
  if (const std::size_t i = kLetters.find(letter); i != std::string_view::npos) {
    out += kMeanings[i];
    rest.remove_prefix(1);
    return;
  }
  std::optional<std::uint32_t> value;
  std::size_t length = 0;
  if (letter >= '0' && letter <= '7') {
    length = std::min(rest.find_first_not_of("01234567"), std::min<std::size_t>(3, rest.size()));
    value = number(rest.substr(0, length), 8);
    if (*value > 0xff) value.reset();
  } else if (letter == 'x' || (!is_bytes && (letter == 'u' || letter == 'U'))) {
    length = letter == 'x' ? 3 : letter == 'u' ? 5 : 9;
    if (rest.size() >= length) value = number(rest.substr(1, length - 1), 16);
  }
  if (!value) {
    line.fail("the token has an escape that cannot be read",
              is_bytes
                  ? R"(\\ \' \" \a \b \f \n \r \t \v \xHH or octal up to \377)"
                  : R"(\\ \' \" \a \b \f \n \r \t \v \xHH \uXXXX \UXXXXXXXX or octal up to \377)");
  }
  if (is_bytes) {
    out += static_cast<char>(*value);
  } else if (*value > 0x10ffff || (*value >= 0xd800 && *value < 0xe000)) {
    line.fail("the token has an escape that is no character",
              "a code point up to 10ffff that is not a surrogate (d800 to dfff)");
  } else {
    append_utf8(out, *value);
  }
  rest.remove_prefix(length);
}

/// Appends what a Python literal stands for: '…' and "…" as UTF-8, b'…' and b"…" as bytes.
void append_literal(std::string& out, std::string_view rest, const Line& line) {
  const bool is_bytes = rest.starts_with('b');
  if (is_bytes) rest.remove_prefix(1);
  if (rest.size() < 2 || (rest[0] != '\'' && rest[0] != '"') || rest.back() != rest[0]) {
    line.fail("the token is not a Python literal", R"('...', "...", b'...' or b"...")");
  }
  const char quote = rest[0];
  rest = rest.substr(1, rest.size() - 2);
  while (!rest.empty()) {
    const char c = rest[0];
    if (c == '\\') {
      rest.remove_prefix(1);
      append_escape(out, rest, is_bytes, line);
      continue;
    }
    if (c == quote) {
      line.fail("the token has its own quote inside", "a backslash before that quote");
    }
    const Utf8Step step = next_utf8(rest);
    if (step.kind != Utf8Step::kWellFormed) {
      line.fail("the token is not well-formed UTF-8", "UTF-8");
    }
    if (is_bytes && step.length > 1) {
      line.fail("the bytes literal has a character beyond ASCII", R"(\xHH for such bytes)");
    }
    out += rest.substr(0, step.length);
    rest.remove_prefix(step.length);
  }
}

/// Every text can be encoded only if each byte is a token.
void check_bytes(const ByteTrie& trie, std::size_t tokens, const std::string& where) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (trie.longest({&c, 1}).id >= 0) continue;
    throw Error(Code::kFormat,
                fmt::format("{}: no token for the single byte 0x{:02x}", where, byte),
                {.expected = "a token for each of the 256 bytes, so that every text can be encoded",
                 .found = fmt::format("{} other tokens", tokens),
                 .hint = "is the file complete?"});
  }
}

/// Reads the lines, then builds the trie and checks on it what no line shows alone.
class VocabParser {
 public:
  VocabParser(std::string_view text, const std::string& where) : where_(where) {
    if (text.size() > kMaxVocabTextBytes) {
      fail(Code::kFormat, "{}: {} bytes are too much for a vocabulary (limit {})", where,
           text.size(), kMaxVocabTextBytes);
    }
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
    for (int line = 1; !text.empty(); ++line) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view content = text.substr(0, end);
      if (content.ends_with('\r')) content.remove_suffix(1);
      if (!content.empty()) read({where_, line, content});
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  std::shared_ptr<const Tokenizer> finish(std::string name, int min_size) {
    bytes_.grow_to(min_size);
    std::vector<ByteTrie::Entry> entries;
    for (std::int32_t id = 0; id < bytes_.size(); ++id) {
      if (!bytes_[id].empty()) entries.push_back({bytes_[id], id});
    }
    ByteTrie trie(entries, where_);
    check_bytes(trie, entries.size(), where_);
    check_unique(trie, entries);
    return std::make_shared<WorldTrie>(std::move(name), std::move(bytes_), std::move(trie));
  }

 private:
  void read(const Line& line) {
    const std::size_t first = line.text.find(' '), last = line.text.rfind(' ');
    if (first == std::string_view::npos || first == last) {
      line.fail("not a line of a vocabulary", "ID LITERAL LENGTH, e.g. 11 '\\n' 1");
    }
    const auto id = number(line.text.substr(0, first), 10);
    if (!id || *id > kMaxTokenId) {
      line.fail("the id is not usable", fmt::format("a number from 0 to {}", kMaxTokenId));
    }
    token_.clear();
    append_literal(token_, line.text.substr(first + 1, last - first - 1), line);
    if (number(line.text.substr(last + 1), 10) != token_.size()) {
      line.fail("the length does not agree with the token",
                fmt::format("{}, the number of bytes of the token", token_.size()));
    }
    if (token_.empty() || token_.size() > kMaxTokenBytes) {
      line.fail("the token is empty or too long", fmt::format("1 to {} bytes", kMaxTokenBytes));
    }
    const auto signed_id = static_cast<std::int32_t>(*id);
    if (!bytes_[signed_id].empty()) {
      line.fail(fmt::format("id {} appears a second time", *id), "every id once",
                fmt::format("the first one is {}", in_double_quotes(bytes_[signed_id])));
    }
    bytes_.set(signed_id, token_);
    lines_.resize(static_cast<std::size_t>(bytes_.size()));
    lines_[*id] = line.number;
  }

  void check_unique(const ByteTrie& trie, const std::vector<ByteTrie::Entry>& entries) const {
    for (const ByteTrie::Entry& entry : entries) {
      const std::int32_t id = trie.longest(entry.bytes).id;
      if (id == entry.id) continue;
      const int first = lines_[static_cast<std::size_t>(id)];
      const int second = lines_[static_cast<std::size_t>(entry.id)];
      throw Error(
          Code::kFormat,
          fmt::format("{}:{}: a token appears a second time", where_, std::max(first, second)),
          {.expected = "every token once",
           .found = fmt::format("{}, which is in line {} too", in_double_quotes(entry.bytes),
                                std::min(first, second))});
    }
  }

  const std::string& where_;
  TokenBytes bytes_;
  std::vector<int> lines_;  // of each id, for messages
  std::string token_;
};

/// The bytes of a token of a GGUF file.
std::string unescaped(std::string_view text, std::size_t id, const std::string& where) {
  constexpr std::string_view kLetters = "tnr", kMeanings = "\t\n\r";
  const auto broken = [&](std::string_view expected) {
    throw Error(Code::kFormat,
                fmt::format("{}: token {} has an escape that cannot be read", where, id),
                {.expected = std::string(expected), .found = in_double_quotes(text)});
  };
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    if (++i == text.size()) broken("a character after the backslash");
    if (const std::size_t letter = kLetters.find(text[i]); letter != kLetters.npos) {
      bytes += kMeanings[letter];
    } else if (text[i] == 'x') {
      const auto value = number(text.substr(i + 1, 2), 16);
      if (!value || text.size() - i < 3) broken("two hexadecimal digits after \\x");
      bytes += static_cast<char>(*value);
      i += 2;
    } else {
      bytes += text[i];
    }
  }
  return bytes;
}

}  // namespace

std::shared_ptr<const Tokenizer> make_world_trie(std::span<const std::string_view> escaped,
                                                 const std::string& where, std::string name) {
  TokenBytes bytes;
  if (escaped.size() > static_cast<std::size_t>(kMaxTokenId)) {
    throw Error(Code::kFormat, where + ": too many tokens for a vocabulary",
                {.expected = fmt::format("at most {}", kMaxTokenId),
                 .found = fmt::format("{}", escaped.size())});
  }
  for (std::size_t id = 0; id < escaped.size(); ++id) {
    const std::string token = unescaped(escaped[id], id, where);
    if (token.size() > kMaxTokenBytes) {
      throw Error(Code::kFormat, fmt::format("{}: token {} is too long", where, id),
                  {.expected = fmt::format("at most {} bytes", kMaxTokenBytes),
                   .found = fmt::format("{}", token.size())});
    }
    bytes.set(static_cast<std::int32_t>(id), token);
  }
  std::vector<ByteTrie::Entry> entries;
  for (std::int32_t id = 0; id < bytes.size(); ++id) {
    if (!bytes[id].empty()) entries.push_back({bytes[id], id});
  }
  ByteTrie trie(entries, where);
  check_bytes(trie, entries.size(), where);
  for (const ByteTrie::Entry& entry : entries) {
    const std::int32_t other = trie.longest(entry.bytes).id;
    if (other == entry.id) continue;
    throw Error(Code::kFormat,
                fmt::format("{}: tokens {} and {} are the same", where, std::min(other, entry.id),
                            std::max(other, entry.id)),
                {.expected = "every token once", .found = in_double_quotes(entry.bytes)});
  }
  return std::make_shared<WorldTrie>(std::move(name), std::move(bytes), std::move(trie));
}

bool has_tokens(const Tokenizer& tokenizer, std::span<const std::string_view> escaped,
                const std::string& where) {
  const std::size_t n = std::max(escaped.size(), static_cast<std::size_t>(tokenizer.vocab_size()));
  for (std::size_t id = 0; id < n; ++id) {
    const std::string token = id < escaped.size() ? unescaped(escaped[id], id, where) : "";
    if (token != tokenizer.token_bytes(static_cast<std::int32_t>(id))) return false;
  }
  return true;
}

std::shared_ptr<const Tokenizer> make_world_trie(std::string_view text, const std::string& where,
                                                 std::string name, int min_size) {
  return VocabParser(text, where).finish(std::move(name), min_size);
}

}  // namespace prwkv
