#include "ops/tape.h"

namespace prwkv {

ParamGrads::Entry ParamGrads::zeros(const Tensor& like) const {
  Entry e;
  e.grad.shape = like.shape;
  e.grad.dtype = backend_->activation_dtype();
  e.buffer = backend_->allocate(e.grad.bytes());
  backend_->will_stream(e.buffer);
  e.grad.data = e.buffer.data();
  return e;
}

void ParamGrads::watch(const Tensor& param) {
  if (!entries_.contains(param.data)) entries_.emplace(param.data, zeros(param));
}

void ParamGrads::watch_state(Tensor& state) {
  state.var = -2 - static_cast<int>(states_.size());
  states_.push_back(zeros(state));
}

void ParamGrads::zero() {
  for (const auto& [address, entry] : entries_) backend_->zero(entry.grad);
  zero_states();
}

void ParamGrads::zero_states() {
  for (const Entry& entry : states_) backend_->zero(entry.grad);
}

std::size_t ParamGrads::bytes() const {
  std::size_t total = 0;
  for (const auto& [address, entry] : entries_) total += entry.grad.bytes();
  for (const Entry& entry : states_) total += entry.grad.bytes();
  return total;
}

Tensor ParamGrads::of(const Tensor& param) const {
  if (param.var < -1) {
    const auto i = static_cast<std::size_t>(-2 - param.var);
    if (i >= states_.size() || states_[i].grad.shape != param.shape)
      fail(Code::kInternal, "a state {} that is watched elsewhere", param.shape.str());
    return states_[i].grad;
  }
  const auto it = entries_.find(param.data);
  return it == entries_.end() ? Tensor{} : it->second.grad;
}

Tensor Tape::value(Tensor t) {
  t.var = static_cast<int>(values_.size());
  values_.push_back(t);
  grads_.emplace_back();
  return t;
}

Tensor Tape::grad(const Tensor& t) {
  bool is_new = false;
  const Tensor g = grad(t, is_new);
  if (is_new) backend_->zero(g);
  return g;
}

Tensor Tape::grad(const Tensor& t, bool& is_new) {
  is_new = false;
  if (!t) return {};
  if (t.var < 0) return params_->of(t);
  if (static_cast<std::size_t>(t.var) >= values_.size() ||
      values_[static_cast<std::size_t>(t.var)].data != t.data) {
    fail(Code::kInternal,
         "a value of another tape reached this one: pass it through the block's inputs");
  }
  Tensor& g = grads_[static_cast<std::size_t>(t.var)];
  if (!g) {
    is_new = true;
    g = arena_->make(values_[static_cast<std::size_t>(t.var)].shape, backend_->activation_dtype());
  }
  return g.reshaped(t.shape);
}

void Tape::set_grad(const Tensor& t, const Tensor& g) {
  Tensor& place = grads_[static_cast<std::size_t>(t.var)];
  if (place) fail(Code::kInternal, "a value has a gradient already");
  place = g.reshaped(values_[static_cast<std::size_t>(t.var)].shape);
}

void Tape::add_to_grad(const Tensor& t, const Tensor& g) {
  bool is_new = false;
  const Tensor to = grad(t, is_new);
  if (!to) return;
  is_new ? backend_->copy({to, g}) : backend_->add_backward({to, g});
}

void Tape::pass_on_grad(const Tensor& from, const Tensor& t) {
  const Tensor g = grad(from);
  if (t && t.var >= 0 && !grads_[static_cast<std::size_t>(t.var)])
    set_grad(t, g);
  else
    add_to_grad(t, g);
}

void Tape::run_backward() {
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) (*step)(*this);
}

void Tape::backward_from(const Tensor& loss) {
  const double one = 1;
  const float one_f32 = 1;
  const Tensor seed = grad(loss);
  backend_->upload(seed, seed.dtype == DType::kF64 ? static_cast<const void*>(&one) : &one_f32);
  run_backward();
}

}  // namespace prwkv
