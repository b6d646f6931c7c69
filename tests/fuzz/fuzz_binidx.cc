/// Fuzz target: a pair of token data. The first two bytes are the length of the index, little-endian;
/// the index follows, and what is left are the tokens.
/// A pair may be refused only by prwkv::Error; what is accepted must be consistent, and must come back
/// when it is written anew.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "formats/binidx.h"

namespace {

using namespace prwkv;
using Bytes = std::vector<std::byte>;
using Ids = std::vector<std::int32_t>;

void require(bool condition) {
  if (!condition) std::abort();
}

/// All ids, one document after the other; documents must tile the tokens.
std::vector<Ids> documents_of(const Binidx& data, std::int64_t vocabulary) {
  std::vector<Ids> documents;
  std::int64_t end = 0;
  for (std::int64_t i = 0; i < data.documents(); ++i) {
    const TokenRange range = data.document(i);
    require(range.first == end && range.count >= 0);
    end += range.count;
    documents.emplace_back(static_cast<std::size_t>(range.count));
    data.read(range.first, documents.back(), vocabulary);
    for (const std::int32_t id : documents.back()) require(id >= 0 && id < vocabulary);
  }
  require(end == data.tokens());
  return documents;
}

void check(Bytes index, Bytes tokens) {
  try {
    const Binidx data(MappedFile::from_bytes("fuzz.bin", std::move(tokens)),
                      MappedFile::from_bytes("fuzz.idx", std::move(index)));
    const std::vector<Ids> documents = documents_of(data, 1000);

    Bytes new_tokens, new_index;
    const auto append_to = [](Bytes& to) {
      return
          [&to](std::span<const std::byte> part) { to.insert(to.end(), part.begin(), part.end()); };
    };
    BinidxEncoder encoder("fuzz", TokenType::kU16, append_to(new_tokens));
    for (const Ids& ids : documents) {
      encoder.add(ids);
      encoder.end_document();
    }
    encoder.finish(append_to(new_index));
    const Binidx again(MappedFile::from_bytes("fuzz.bin", std::move(new_tokens)),
                       MappedFile::from_bytes("fuzz.idx", std::move(new_index)));
    require(documents_of(again, 1000) == documents);
  } catch (const Error& e) {
    require(std::string_view(e.what()).starts_with("fuzz."));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto rest = std::as_bytes(std::span(data + 2, size - 2));
  const std::size_t length = std::min<std::size_t>(data[0] | data[1] << 8, rest.size());
  const auto index = rest.first(length), tokens = rest.subspan(length);
  check({index.begin(), index.end()}, {tokens.begin(), tokens.end()});
  return 0;
}
