/// One block of a model: where its weights, its scratch memory and its place on the tape begin and
/// end.
#pragma once

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "ops/op.h"

namespace prwkv {

/// The recurrent state of one layer: tensors (slots, …) in the order of the model's state_spec().
struct LayerState {
  std::vector<Tensor> tensors;
  /// auto [att_shift, wkv, ffn_shift] = s.as<3>();
  template <std::size_t n>
  [[nodiscard]] std::array<Tensor, n> as() const {
    if (tensors.size() < n)
      fail(Code::kInternal, "a layer has {} state tensors, the model wants {}", tensors.size(), n);
    std::array<Tensor, n> a;
    std::copy_n(tensors.begin(), n, a.begin());
    return a;
  }
};

namespace op {

/// Holds the weights of a layer for the duration of a scope and asks for the next one meanwhile.
class LayerLease {
 public:
  LayerLease(LayerSource* source, int layer) : source_(source), layer_(layer) {
    if (source_ == nullptr) return;
    source_->acquire(layer_);
    source_->prefetch(layer_ + 1);
  }
  LayerLease(const LayerLease&) = delete;
  LayerLease& operator=(const LayerLease&) = delete;
  ~LayerLease() {
    if (source_ != nullptr) source_->release(layer_);
  }

 private:
  LayerSource* source_;
  int layer_;
};

/// The way back through a block that lies on a tape of its own, with `leaves` and `results` as it sees inputs and
/// outputs. Gradients of what is inside are gone behind it, so all blocks share the memory for them.
template <std::size_t n>
void run_block_back(Tape& tape, Tape& inner, const std::array<Tensor, n>& in,
                    const std::array<Tensor, n>& out, const std::array<Tensor, n>& leaves,
                    const std::array<Tensor, n>& results) {
  std::array<Tensor, n> g_in, g_out;
  std::array<bool, n> is_new{};
  for (std::size_t i = 0; i < n; ++i) {
    g_out[i] = tape.grad(out[i]);
    g_in[i] = tape.grad(in[i], is_new[i]);
  }
  const ArenaScope scope(tape.arena());
  for (std::size_t i = 0; i < n; ++i) inner.add_to_grad(results[i], g_out[i]);
  inner.run_backward();
  for (std::size_t i = 0; i < n; ++i) {
    if (!g_in[i]) continue;
    const Tensor g = inner.grad(leaves[i]);
    is_new[i] ? tape.backend().copy({g_in[i], g}) : tape.backend().add_backward({g_in[i], g});
  }
}

/// Runs `body(Ctx&, inputs, LayerState&) -> outputs` and keeps its temporaries for the way back.
template <std::size_t n, class Body>
std::array<Tensor, n> taped_block(Ctx& c, const std::array<Tensor, n>& in, LayerState& state,
                                  Body body) {
  const auto inner = std::make_shared<Tape>(c.backend, c.arena, c.tape->params());
  Ctx taped{.backend = c.backend, .arena = c.arena, .tape = inner.get(), .observer = c.observer};
  std::array<Tensor, n> leaves;
  for (std::size_t i = 0; i < n; ++i) leaves[i] = inner->value(in[i]);
  const std::array<Tensor, n> results = body(taped, leaves, state);
  std::array<Tensor, n> out;
  for (std::size_t i = 0; i < n; ++i) out[i] = c.tape->value(results[i]);
  c.tape->record([=](Tape& tape) { run_block_back(tape, *inner, in, out, leaves, results); });
  return out;
}

/// The same without keeping them: only inputs, outputs and a copy of the incoming state survive. The
/// backward pass runs it a second time. Outputs are the inputs updated in place (`add_to`) or `keep`s at
/// their addresses.
template <std::size_t n, class Body>
std::array<Tensor, n> checkpoint(Ctx& c, int layer, const std::array<Tensor, n>& in,
                                 LayerState& state, Body body) {
  LayerState before;
  for (const Tensor& s : state.tensors) {
    before.tensors.push_back(c.copy_of(s));
  }
  std::array<Tensor, n> out;
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = c.make(in[i].shape);
    c.backend.copy({out[i], in[i]});
  }
  Ctx plain{.backend = c.backend, .arena = c.arena, .observer = c.observer};
  {
    const ArenaScope scope(c.arena);
    out = body(plain, out, state);
  }
  for (Tensor& t : out) t = c.tape->value(t);
  c.tape->record([=, source = c.layers](Tape& tape) {
    // The gradients of inputs outlive what follows.
    for (std::size_t i = 0; i < n; ++i) (void)tape.grad(in[i]), (void)tape.grad(out[i]);
    const LayerLease lease(source, layer);
    const ArenaScope scope(tape.arena());
    LayerState again = before;
    Tape inner(tape.backend(), tape.arena(), tape.params());
    Ctx taped{.backend = tape.backend(), .arena = tape.arena(), .tape = &inner};
    std::array<Tensor, n> leaves;
    for (std::size_t i = 0; i < n; ++i) leaves[i] = inner.value(in[i]);
    const std::array<Tensor, n> results = body(taped, leaves, again);
    run_block_back(tape, inner, in, out, leaves, results);
  });
  return out;
}

/// A part of a block, whose temporaries are not needed behind it. Its result must lie in memory that was
/// there before; for a tape all are kept.
template <class Body>
Tensor part(Ctx& c, Body body) {
  if (c.tape != nullptr) return body();
  const ArenaScope scope(c.arena);
  return body();
}

/// One block: `body(Ctx&, inputs, LayerState&) -> outputs`, inputs being what flows through all
/// blocks (x, and v_first in RWKV-7). Generating, its temporaries are freed at the end; training,
/// they are kept for the tape, or computed again if the context asks for checkpoints. A model's
/// loop is the same for all three.
template <std::size_t n, class Body>
std::array<Tensor, n> block(Ctx& c, int layer, const std::array<Tensor, n>& in, LayerState& state,
                            Body body) {
  const LayerLease lease(c.layers, layer);
  if (c.tape != nullptr)
    return c.checkpoint ? checkpoint(c, layer, in, state, body) : taped_block(c, in, state, body);
  const ArenaScope scope(c.arena);
  std::array<Tensor, n> out = body(c, in, state);
  for (std::size_t i = 0; i < n; ++i) {
    if (out[i].data != in[i].data)
      fail(Code::kInternal, "layer {}: output {} does not outlive its block", layer, i);
  }
  return out;
}

}  // namespace op
}  // namespace prwkv
