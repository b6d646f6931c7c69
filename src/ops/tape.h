/// Reverse-mode differentiation over operations: each front records how to push its gradient back.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "backend/arena.h"
#include "backend/backend.h"

namespace prwkv {

/// Gradients of what is being trained, zero at first, shared by all tapes that add to them: weights, and
/// recurrent states.
class ParamGrads {
 public:
  explicit ParamGrads(Backend& backend) : backend_(&backend) {}
  /// Asks for the gradient of `param`. Weights that nobody watches cost nothing.
  void watch(const Tensor& param);
  /// Asks for the gradient of a state, and marks it so that copies of it are known too; the mark belongs to this
  /// object, and to be watched by another one the state is watched again. Both of RWKV-4's sums, or none. A forward pass
  /// overwrites a state, so the gradient means two things: set before a backward pass, or left at zero, it is
  /// that of the state behind the rows; afterwards that of the state before them. Walking back from
  /// piece to piece of a sequence it needs no attention at all.
  void watch_state(Tensor& state);
  /// Gradients begin anew: all of them, or those of states alone.
  void zero();
  void zero_states();
  /// Of all gradients.
  [[nodiscard]] std::size_t bytes() const;
  /// Absent if the parameter or state is not watched.
  [[nodiscard]] Tensor of(const Tensor& param) const;

 private:
  struct Entry {
    Buffer buffer;
    Tensor grad;
  };
  [[nodiscard]] Entry zeros(const Tensor& like) const;

  Backend* backend_;
  std::map<const void*, Entry> entries_;  // by the parameter's address
  std::vector<Entry> states_;             // by −2 − Tensor::var
};

/// A linear record of one forward pass. Values carry their index (`Tensor::var`); gradients are
/// made on first use, in the arena, which is not rewound while a tape is on.
class Tape {
 public:
  Tape(Backend& backend, Arena& arena, ParamGrads& params)
      : backend_(&backend), arena_(&arena), params_(&params) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// Returns `t` as a value of this tape.
  [[nodiscard]] Tensor value(Tensor t);
  /// The accumulated gradient of a value or of what ParamGrads watches, same shape, activation type; absent
  /// for constants.
  [[nodiscard]] Tensor grad(const Tensor& t);
  /// The same for a step that can either set or add: of what nobody has added to yet, `is_new` and the gradient is not
  /// even zero.
  [[nodiscard]] Tensor grad(const Tensor& t, bool& is_new);
  /// Says where the gradient of `t` is, a value that has none yet.
  void set_grad(const Tensor& t, const Tensor& g);
  /// Adds to the gradient of `t`, if it has one.
  void add_to_grad(const Tensor& t, const Tensor& g);
  /// The same with the gradient of `from`, which nobody asks for behind this step: it may become that of `t` itself.
  void pass_on_grad(const Tensor& from, const Tensor& t);
  /// Appends a step; steps run last to first.
  void record(std::function<void(Tape&)> step) { steps_.push_back(std::move(step)); }
  /// Runs all steps. Gradients of the results must have been seeded.
  void run_backward();
  /// Seeds d loss / d loss = 1 and runs all steps.
  void backward_from(const Tensor& loss);

  [[nodiscard]] Backend& backend() const { return *backend_; }
  [[nodiscard]] Arena& arena() const { return *arena_; }
  [[nodiscard]] ParamGrads& params() const { return *params_; }

 private:
  Backend* backend_;
  Arena* arena_;
  ParamGrads* params_;
  std::vector<Tensor> values_, grads_;
  std::vector<std::function<void(Tape&)>> steps_;
};

}  // namespace prwkv
