/// What every generation of RWKV is to the rest of the program: sizes, parameters, state, and one
/// forward pass.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/model_config.h"
#include "ops/block.h"

namespace prwkv {

/// Sizes of a model. Letters as everywhere: L layers, C channels, A = H N attention channels, F ffn
/// width, V vocabulary.
struct Dims {
  std::int64_t L = 0, C = 0, A = 0, F = 0, V = 0;
  std::int64_t H = 0, N = 0;  ///< heads and channels per head; 0 in RWKV-4
  /// Low-rank sizes by the checkpoint's letters: 6 {"mix", "decay"}, 7 {"w", "a", "v", "g"}, 4a
  /// {"tiny"}.
  std::map<std::string, std::int64_t> ranks;
  int tiny_layer = -1;      ///< 4a: the layer with tiny attention
  bool time_first = false;  ///< 5.0, 5.1: the bonus is stored as `time_first`, u = e^time_first,
                            ///< not as `time_faaaa`
};

/// How a parameter lies in a BlinkDL checkpoint, and so how it must be read, written and counted.
enum class Stored {
  kVector,  ///< any shape with the same elements once dimensions of size 1 are dropped, e.g. (1, 1,
            ///< C)
  kMatrix,  ///< (out, in), used where it lies
  kTransposed,  ///< low-rank parts: (in, out) in the file, (out, in) here; a stack has one more
                ///< dimension in front
};

/// One line of a model's listing.
struct Param {
  std::string name;  ///< as in BlinkDL checkpoints
  Shape shape;       ///< as used here, (out, in) for matrices
  Stored stored = Stored::kVector;
  int layer = -1;             ///< block index; -1 for embedding, head and final norm
  Input input = Input::kAny;  ///< of matrices: what they are multiplied with
};

/// Whether a matrix is an operand of op::linear, in whatever layout the backend likes; the others are
/// tables and stacks, of which single rows and slices are used.
[[nodiscard]] inline bool is_for_linear(const Param& p) {
  return p.stored != Stored::kVector && p.shape.rank == 2 && p.name != "emb.weight";
}
/// A half of a low-rank pair that is a matrix by itself; RWKV-6 has a stack of some, too.
[[nodiscard]] inline bool is_low_rank(const Param& p) {
  return p.stored == Stored::kTransposed && p.shape.rank == 2;
}

/// Walks the parameters of a model: loading, saving, counting, initialising and optimising all use
/// the same listing.
class ParamVisitor {
 public:
  virtual ~ParamVisitor() = default;
  virtual void visit(const Param& param, Tensor& tensor) = 0;
  /// Matrices come here first, for visitors that care about more than the weight.
  virtual void visit_matrix(const Param& param, Matrix& matrix) { visit(param, matrix.weight); }

  void vector(const std::string& name, Tensor& t, const Shape& shape) {
    visit({name, shape, Stored::kVector, layer}, t);
  }
  void matrix(const std::string& name, Matrix& m, const Shape& shape, Input input = Input::kAny) {
    visit_matrix({name, shape, Stored::kMatrix, layer, input}, m);
  }
  void transposed(const std::string& name, Matrix& m, const Shape& shape) {
    visit_matrix({name, shape, Stored::kTransposed, layer}, m);
  }
  void norm(const std::string& prefix, Norm& n, std::int64_t size) {
    vector(prefix + ".weight", n.weight, {size});
    vector(prefix + ".bias", n.bias, {size});
  }
  int layer = -1;  ///< set by the model while it lists block `layer`
};

/// One tensor of recurrent state per slot. (…) below a slot; all f32 except on an f64 reference
/// backend.
struct StateEntry {
  std::string name;    ///< "att_shift", "wkv", …
  Shape shape;         ///< of one slot
  double initial = 0;  ///< value of an empty state
};

/// The tokens of one call, in backend memory.
struct Batch {
  Tensor ids;  // (T) i32
  Seqs seqs;
  op::Wanted wanted;
};

/// Immutable after loading; shared by all sessions. Weights are views, owned elsewhere
/// (LoadedModel).
class Model {
 public:
  virtual ~Model() = default;
  /// "4", "4a", "5.0", "5.1", "5.2", "6", "7"
  [[nodiscard]] virtual std::string_view generation() const = 0;
  [[nodiscard]] const Dims& dims() const { return dims_; }
  /// Lists every parameter, in the order of the forward pass.
  virtual void visit(ParamVisitor& v) = 0;
  [[nodiscard]] virtual std::vector<StateEntry> state_spec(int layer) const = 0;
  /// What the batch wants (op::read_out); `state` (one per layer) moves past it.
  virtual Tensor forward(Ctx& c, const Batch& batch, std::span<LayerState> state) const = 0;

  /// Of GroupNorm `ln_x` (5, 6, 7): 64e-5 in BlinkDL's code; some tools used 1e-5 for 5.x
  /// (docs/numerics.md).
  double groupnorm_eps = kBlinkdlEps.group_norm;
  /// Of the norms in blocks, ln0 among them, and of the last one.
  double layer_norm_eps = kBlinkdlEps.layer_norm, ln_out_eps = kBlinkdlEps.ln_out;

 protected:
  explicit Model(Dims dims) : dims_(std::move(dims)) {}
  Dims dims_;
};

/// Calls `f` for each parameter of a model that is only looked at.
void for_each_param(const Model& model, const std::function<void(const Param&, const Tensor&)>& f);

class Checkpoint;

/// One row of the registry: how a generation is recognised and made.
struct Generation {
  std::string_view name;
  /// Sizes read off tensor names and shapes; false if the checkpoint is not of this generation.
  /// Throws Error{kFormat} if it is, but tensors that give the sizes are missing or mis-shaped.
  bool (*detect)(const Checkpoint& file, Dims& dims);
  /// A model of these sizes whose parameters are still absent.
  std::unique_ptr<Model> (*make)(const Dims& dims);
};

/// The one visible table, newest first; the first that matches wins.
std::span<const Generation> generations();
/// nullptr if there is none of that name.
const Generation* find_generation(std::string_view name);

}  // namespace prwkv
