/// Vocabularies in the text format of rwkv_vocab_v20230424.txt, and the greedy tokenizer that goes
/// with them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tokenizer/tokenizer.h"

namespace prwkv {

/// Reads lines `ID LITERAL LENGTH` (LITERAL: a Python string or bytes literal, LENGTH: its bytes as
/// a check; LF or CRLF; empty lines are skipped). The tokenizer takes the longest token at each
/// place, over bytes, without normalization or special tokens; any bytes come back exactly. `where`
/// names the file in messages, `name` is what Tokenizer::name() says, and vocab_size() is at least
/// `min_size`. Throws Error{kFormat} naming the line for anything else than that: a bad literal, a
/// wrong length, an id or a token that appears twice, an id beyond 2^20, a token above
/// kMaxTokenBytes, a missing single byte.
std::shared_ptr<const Tokenizer> make_world_trie(std::string_view text, const std::string& where,
                                                 std::string name, int min_size = 0);

/// The same from a list, as GGUF stores it: token i has the id i, written as Python prints bytes, with
/// \t \n \r \xHH \\ \'; a backslash before any other character stands for that character. An empty text
/// is an id without a token. Throws Error{kFormat} naming the id for a broken escape and for the same
/// faults as above.
std::shared_ptr<const Tokenizer> make_world_trie(std::span<const std::string_view> escaped,
                                                 const std::string& where, std::string name);

/// Whether `tokenizer` has these tokens and no others. Throws Error{kFormat} for a broken escape.
bool has_tokens(const Tokenizer& tokenizer, std::span<const std::string_view> escaped,
                const std::string& where);

/// Larger files and tokens are refused. (World: 1.1 MB and 128 bytes.)
inline constexpr std::size_t kMaxVocabTextBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxTokenBytes = 1024;

}  // namespace prwkv
