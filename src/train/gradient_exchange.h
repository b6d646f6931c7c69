/// Where replicas of a model that train on different data meet.
#pragma once

#include <span>

#include "backend/backend.h"

namespace prwkv {

/// The sum of gradients over all replicas. The trainer calls it once a step, behind the last backward pass and in front of
/// the optimizer, and divides by nothing: each replica scales its losses by what all of them count together.
class GradientExchange {
 public:
  virtual ~GradientExchange() = default;
  /// Replicas, and which one this is: it takes every size()-th sample of a step.
  [[nodiscard]] virtual int size() const { return 1; }
  [[nodiscard]] virtual int rank() const { return 0; }
  /// The sum over replicas of a number.
  [[nodiscard]] virtual double sum(double value) { return value; }
  /// Each tensor becomes the sum of what all replicas have. The same tensors in the same order everywhere.
  virtual void sum(Backend&, std::span<const Tensor>) {}
};

}  // namespace prwkv
