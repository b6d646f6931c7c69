/// AdamW over the parameters of a model, with RWKV's groups, and clipping by the norm of all gradients.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/model.h"

namespace prwkv {

/// How a parameter takes part.
struct ParamGroup {
  double lr = 1;        ///< times the learning rate
  bool decays = false;  ///< weight decay
};
/// BlinkDL's groups (RWKV-LM, src/model.py of each generation): decays learn twice as fast, RWKV-4's and 5.0's bonus
/// three times; only matrices decay, and not the low-rank pairs.
[[nodiscard]] ParamGroup group_of(const Param& param);

/// Something that is trained.
struct Trained {
  std::string
      name;  ///< of a parameter as in BlinkDL checkpoints, of an adapter or a state as in their files
  Tensor value;  ///< in the activation type
  ParamGroup group{};
};

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.99, eps = 1e-18;
  double weight_decay = 0.1;
  double clip = 1;  ///< of the norm of all gradients; 0: never
};

class AdamW {
 public:
  /// The parameters' moments, zero at first. Everything must outlive this.
  AdamW(Backend& backend, std::span<const Trained> parameters, const AdamWOptions& options);

  /// ‖g‖ over all gradients. Not finite if one of them is not.
  [[nodiscard]] double norm(const ParamGrads& gradients);
  /// Step t = 1, 2, … with gradients of this norm.
  void step(const ParamGrads& gradients, double norm, double lr, std::int64_t t);

  /// The first parameter whose values have no finite norm.
  [[nodiscard]] const Trained* first_not_finite() const;

  /// First and second moment of parameter i, f32 or f64 like it.
  [[nodiscard]] const Tensor& m(std::size_t i) const { return moments_[2 * i]; }
  [[nodiscard]] const Tensor& v(std::size_t i) const { return moments_[2 * i + 1]; }
  [[nodiscard]] std::size_t bytes() const;

 private:
  Backend& backend_;
  std::span<const Trained> parameters_;
  AdamWOptions options_;
  std::vector<Buffer> memory_;
  std::vector<Tensor> moments_;
  Tensor squares_;  // (parameters)
};

}  // namespace prwkv
