/// Fuzz target: the first byte says what the others are.
///   'v'   a vocabulary in rwkv_vocab text format     'j'   a tokenizer.json
///   'w'   text for the World tokenizer               'n'   text for GPT-NeoX
///   's'   bytes for the stream decoder, cut into pieces by its second byte
/// Files may be refused only by prwkv::Error; what is accepted must encode and decode consistently.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "tokenizer/bpe.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/world_trie.h"

namespace {

using prwkv::Tokenizer;

void require(bool condition) {
  if (!condition) std::abort();
}

constexpr std::string_view kSample =
    "Hello  w\xc3\xb6rld \xf0\x9f\x99\x82\xff don't\n\n1234 e\xcc\x81<|endoftext|>";

void check_ids(const Tokenizer& tokenizer, std::string_view text) {
  for (const bool parse_special : {false, true}) {
    const auto ids = tokenizer.encode(text, parse_special);
    for (const std::int32_t id : ids) require(id >= 0 && id < tokenizer.vocab_size());
    require(prwkv::StreamDecoder().push(tokenizer.decode(ids)) == tokenizer.decode(ids));
  }
}

void check_exact(const Tokenizer& tokenizer, std::string_view text) {
  require(tokenizer.decode_bytes(tokenizer.encode(text)) == text);
  check_ids(tokenizer, text);
}

/// Decoded text, without special tokens, is in its final form: it encodes and decodes to itself.
void check_stable(const Tokenizer& tokenizer, std::string_view text) {
  const std::string once = tokenizer.decode_bytes(tokenizer.encode(text, false));
  require(tokenizer.decode_bytes(tokenizer.encode(once, false)) == once);
  check_ids(tokenizer, text);
}

void check_stream(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::size_t step = static_cast<unsigned char>(bytes[0]) % 8 + 1;
  bytes.remove_prefix(1);
  prwkv::StreamDecoder whole, parts;
  std::string expected = whole.push(bytes);
  expected += whole.flush();
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += step) {
    text += parts.push(bytes.substr(i, step));
    require(parts.pending().size() <= 3);
  }
  require(text + parts.flush() == expected);
  require(prwkv::StreamDecoder().push(expected) == expected);  // it is well-formed
}

template <class Load>
void check_file(const Load& load) {
  std::shared_ptr<const Tokenizer> tokenizer;
  try {
    tokenizer = load();
  } catch (const prwkv::Error&) {
    return;
  }
  check_ids(*tokenizer, kSample);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto world = prwkv::world_tokenizer();
  static const auto neox = prwkv::neox_tokenizer();
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'v': check_file([&] { return prwkv::make_world_trie(rest, "fuzz", "fuzz"); }); break;
    case 'j': check_file([&] { return prwkv::make_bpe(rest, "fuzz", "fuzz"); }); break;
    case 'w': check_exact(*world, rest); break;
    case 'n': check_stable(*neox, rest); break;
    case 's': check_stream(rest); break;
    default: break;
  }
  return 0;
}
