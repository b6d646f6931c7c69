/// Byte-level byte-pair encoding as Hugging Face's tokenizer.json describes it (GPT-NeoX-20B and
/// its kin).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "tokenizer/tokenizer.h"

namespace prwkv {

/// Encoding, in this order: ill-formed UTF-8 becomes U+FFFD; the text is cut at the added tokens
/// that are not "normalized"; the rest is brought to NFC (if the file says so) and cut at the other
/// added tokens; what remains is cut into words as in GPT-2, and each word is merged. `where` names
/// the file in messages and `name` is what Tokenizer::name() says. Throws Error{kFormat} for JSON
/// that is damaged or contradicts itself, Error{kUnsupported} naming any component or option that
/// would change the result and is not implemented: everything but model BPE, normalizer NFC and
/// ByteLevel without a prefix space.
std::shared_ptr<const Tokenizer> make_bpe(std::string_view json, const std::string& where,
                                          std::string name);

/// Larger files are refused. (GPT-NeoX-20B: 2.5 MB.)
inline constexpr std::size_t kMaxTokenizerJsonBytes = std::size_t{64} << 20;
/// Longer added tokens are refused.
inline constexpr std::size_t kMaxAddedTokenBytes = 1024;

}  // namespace prwkv
