/// The recurrent state of one sequence as a value: copy, average, compare, save, load.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "models/fingerprint.h"
#include "tensor/dtype.h"

namespace prwkv {

class Reader;

/// What a state belongs to; two states can be mixed only if these agree.
struct StateHeader {
  std::string generation;     ///< "7"
  std::int64_t L = 0, C = 0;  ///< layers, channels
  Fingerprint fingerprint;    ///< of the weights
  friend bool operator==(const StateHeader&, const StateHeader&) = default;
};

/// One tensor of the state: name "blocks.3.wkv", sizes as in Model::state_spec, f32 (f64 from an
/// f64 reference engine).
struct StateTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
  friend bool operator==(const StateTensor&, const StateTensor&) = default;
};

class State {
 public:
  StateHeader header;
  DType dtype = DType::kF32;
  std::vector<StateTensor> tensors;
  std::uint64_t tokens_seen = 0;

  [[nodiscard]] std::size_t bytes() const;
  /// Element i of a tensor as double.
  [[nodiscard]] double value(const StateTensor& t, std::size_t i) const;
  friend bool operator==(const State&, const State&) = default;
};

/// Whose weights a state may be used with: those that made it, or any of a model of the same
/// generation and size, as for a fine-tuned one.
enum class Weights { kSame, kAny };

/// Throws Error{kMismatch} unless `state` fits: generation and sizes always, the fingerprint for
/// Weights::kSame.
void expect_fits(const State& state, const StateHeader& model, Weights weights);

/// Σ wᵢ sᵢ / Σ wᵢ, element by element in double; one weight a state, or none for equal weights. In
/// RWKV-4 the sums that (aa, bb, pp) stand for, aa e^pp and bb e^pp, are averaged. The result has
/// seen as many tokens as the one that saw most. Throws Error{kMismatch | kInvalidArgument}.
[[nodiscard]] State average(const std::vector<State>& states,
                            const std::vector<double>& weights = {});

/// Largest and root-mean-square difference of two states' tensors of one name, all blocks together.
struct StateDifference {
  std::string name;  ///< without its block number: "wkv"
  double max_abs = 0, rms = 0;
};
/// Throws Error{kMismatch} unless generation and sizes agree; weights and types may differ.
[[nodiscard]] std::vector<StateDifference> compare(const State& a, const State& b);

/// State files are safetensors files (any program can read the tensors) whose metadata has a
/// version, the header and a checksum over everything else; docs/state_format.md. A session adds to
/// it:
struct StateFile {
  State state;
  std::map<std::string, std::string> extra;  ///< text facts, by names of the session's own
  std::vector<StateTensor> extra_tensors;    ///< f32; names do not begin with "blocks."
};
/// Replaces `path` as a whole or not at all. Throws Error{kFile | kInvalidArgument}.
void save_state_file(const std::string& path, const StateFile& file);
/// Throws Error{kFile | kFormat} for a file that is truncated, altered or no state at all, and
/// Error{kUnsupported} for one of a later version.
[[nodiscard]] StateFile load_state_file(const std::string& path);
/// The same for a file that is mapped, or in memory, already.
[[nodiscard]] StateFile read_state_file(MappedFile file);
/// The checksum that the metadata of this file should have: 16 hexadecimal digits.
[[nodiscard]] std::string state_checksum(const Reader& file);

}  // namespace prwkv
