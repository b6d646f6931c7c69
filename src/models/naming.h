/// How programs rename and reshape BlinkDL's tensors. One table a naming, read in both directions:
/// from a file to BlinkDL's names, and from those to the names of a file to be written. No code
/// with ifs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/model.h"
#include "models/source.h"

namespace prwkv {

/// One line of a table: a tensor in the file, and the BlinkDL tensor or tensors it holds.
///
/// In a name `#` stands for the block's number, a `*` at the end for any rest (the same on both
/// sides). Rules without `*` go before those with. If two rules give one BlinkDL name, the first is
/// what is written; the others are older spellings, which are only read.
struct NamingRule {
  std::string_view stored;
  /// One name; or several, if the tensor is a stack of them along its first dimension.
  std::vector<std::string_view> blinkdl;
  bool transposed = false;  ///< the last two dimensions are swapped in the file
  Transform transform = Transform::kNone;
  /// Sizes in a file that is written: letters of Dims and digits, as in "HN1" or "611C". Empty: the
  /// naming's usual form. Reading does not need it, since dimensions of size 1 do not matter.
  std::string_view shape{};
  /// Block b of BlinkDL's tensor is block order[b] of the file's, along the dimension in which the
  /// blocks lie side by side: BlinkDL's last, or, with `unstacked`, …
  std::vector<int> order{};
  /// … its first, which the file merges with the second before it transposes.
  bool unstacked = false;
  /// Stored divided by 2^⌊block / rescale_every_n_layers⌋, if the file names that number.
  bool rescaled = false;
  /// Block 0 has no such tensor, and the program wants one: a copy of this BlinkDL tensor, which is
  /// ignored when read.
  std::string_view stand_in{};
};

struct Naming {
  std::string_view
      name;  ///< "gguf", "rwkv.cpp", "hf" (transformers and its ports), "fla", "blinkdl"
  std::string_view format;                    ///< of files that use it; empty: any
  std::vector<std::string_view> generations;  ///< that it can hold; empty: all
  /// A file has this naming if it holds one of these tensors; empty: any file.
  std::vector<std::string_view> told_by;
  bool squeezed = false;  ///< vectors are written without dimensions of size 1
  std::vector<NamingRule> rules;
};

/// All tables; the first that fits a file wins, the last, BlinkDL's own, fits all.
std::span<const Naming> namings();
/// The naming of a file of this format, where `has` knows the names in it, unwrapped.
const Naming& naming_of(std::string_view format, const std::function<bool(std::string_view)>& has);
/// The table of this name for models of a generation ("5.2"); nullptr if that program has none.
const Naming* find_naming(std::string_view name, std::string_view generation);

/// What training frameworks put in front of every name is taken off: "module.", "_forward_module.".
std::string_view unwrapped(std::string_view stored_name);
/// The block index of "blocks.12.…", or −1.
std::int64_t block_of(std::string_view blinkdl_name);

/// A name with the block's number, its first part that consists of digits, as '#'.
struct NumberedName {
  std::string name;    ///< "blocks.#.att.w0"
  std::string number;  ///< "12"; empty if there is none
};
NumberedName numbered(std::string_view name);

/// Looks names up in one direction of a table, in time that does not depend on its length.
class RuleIndex {
 public:
  enum class From { kStored, kBlinkdl };
  RuleIndex(const Naming& naming, From from);

  struct Found {
    const NamingRule* rule = nullptr;
    std::size_t place = 0;     ///< in the rule's stack, if names are BlinkDL's
    std::string number, rest;  ///< what `#` and `*` stand for
    /// A pattern of the rule with these put in.
    [[nodiscard]] std::string fill(std::string_view pattern) const;
  };
  [[nodiscard]] std::optional<Found> find(std::string_view name) const;

 private:
  struct Entry {
    const NamingRule* rule;
    std::size_t place;
  };
  std::map<std::string_view, Entry> exact_;
  std::vector<std::pair<std::string_view, Entry>> open_;  ///< patterns that end in `*`, without it
};

/// A stored tensor as BlinkDL's, for a rule that does not stack: reshaped, and with transforms to
/// undo. Empty if its sizes do not fit the rule.
std::optional<Source> as_blinkdl(const NamingRule& rule, Source stored);
/// The way back: values in the order of the file, with transforms to apply. The axes are what is
/// read one after another; the file's sizes may merge some.
Source as_stored(const NamingRule& rule, const Source& blinkdl);

/// A tensor of a file to be written.
struct NamedTensor {
  std::string name;                 ///< in that file
  std::vector<std::int64_t> shape;  ///< in that file, slowest first
  std::vector<Source> parts;        ///< its values: these, one after another
  Param param;                      ///< what it is to the model; of a stack, the first
};

struct NamedOptions {
  /// Divide what the naming calls `rescaled` by 2^⌊block / this⌋; 0: do not.
  std::int64_t rescale_every_n_layers = 0;
};

/// Values of a parameter, in BlinkDL's layout.
using SourceOf = std::function<const Source&(const Param&)>;

/// All parameters of `model` under the names of a file, in the order of the listing. Throws
/// Error{kUnsupported} for one that the naming has no name for, and what `source_of` throws.
std::vector<NamedTensor> named_tensors(const Naming& naming, const Model& model,
                                       const SourceOf& source_of, const NamedOptions& options = {});

/// Whether a vector of one shape can be read as one of another: dimensions of size 1 do not matter, and
/// one of the two may be flat, as (A) for (H, N).
bool same_vector(const std::vector<std::int64_t>& found, const std::vector<std::int64_t>& expected);

/// Sizes of a parameter in BlinkDL's files: (1, 1, C) for most vectors over channels, (in, out) for
/// low-rank parts.
std::vector<std::int64_t> blinkdl_shape(const Param& param, const Dims& dims);

}  // namespace prwkv
