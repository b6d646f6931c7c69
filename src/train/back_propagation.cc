#include "train/back_propagation.h"

#include <algorithm>

namespace prwkv {
namespace {

std::size_t whole_lines(std::size_t bytes) {
  constexpr std::size_t kLine = 64;
  return (bytes + kLine - 1) / kLine * kLine;
}

const PassOptions& checked(const PassOptions& o) {
  if (o.chunk < 1 || o.sequences < 1 || o.context < 1 || o.truncate < 0)
    fail(Code::kInvalidArgument, "a pass of {} sequences of {} tokens in chunks of {}", o.sequences,
         o.context, o.chunk);
  return o;
}

}  // namespace

BackPropagation::BackPropagation(const Model& model, Backend& backend, Arena& arena,
                                 ParamGrads& gradients, const PassOptions& options,
                                 InitialState initial)
    : model_(model),
      backend_(backend),
      arena_(arena),
      gradients_(gradients),
      options_(checked(options)),
      initial_(std::move(initial)),
      running_(make_states(1)),
      state_(running_.points.front()),
      between_(make_states(options.saved_states())) {
  if (options_.window_of(options_.chunks_of(options_.context)) > 1 || !initial_.wkv.empty()) {
    for (LayerState& layer : state_) {
      for (Tensor& t : layer.tensors) gradients_.watch_state(t);
    }
  }
}

BackPropagation::Saved BackPropagation::make_states(std::int64_t points) const {
  Saved saved;
  const std::size_t one = bytes_of_one();
  saved.buffer = backend_.allocate(one * static_cast<std::size_t>(points));
  auto* at = static_cast<std::byte*>(saved.buffer.data());
  for (std::int64_t point = 0; point < points; ++point) {
    std::vector<LayerState>& layers = saved.points.emplace_back();
    for (int l = 0; l < model_.dims().L; ++l) {
      layers.emplace_back();
      for (const StateEntry& e : model_.state_spec(l)) {
        Tensor t;
        t.dtype = backend_.activation_dtype();
        t.shape = e.shape.stacked(options_.sequences);
        t.data = at;
        at += whole_lines(t.bytes());
        layers.back().tensors.push_back(t);
      }
    }
  }
  return saved;
}

std::size_t BackPropagation::bytes_of_one() const {
  std::size_t one = 0;
  for (int l = 0; l < model_.dims().L; ++l) {
    for (const StateEntry& e : model_.state_spec(l)) {
      Tensor t;
      t.dtype = backend_.activation_dtype();
      t.shape = e.shape.stacked(options_.sequences);
      one += whole_lines(t.bytes());
    }
  }
  return one;
}

std::size_t BackPropagation::state_bytes() const {
  const bool has_gradient = state_.front().tensors.front().var < -1;
  return bytes_of_one() * (1 + (has_gradient ? 1 : 0) + between_.points.size());
}

void BackPropagation::copy(const std::vector<LayerState>& to, const std::vector<LayerState>& from) {
  for (std::size_t l = 0; l < to.size(); ++l) {
    for (std::size_t i = 0; i < to[l].tensors.size(); ++i)
      backend_.transfer(to[l].tensors[i], from[l].tensors[i]);
  }
}

// Every sequence begins with the model's empty state, or with the one that is tuned.
void BackPropagation::begin(std::int64_t sequences) {
  const ArenaScope scope(arena_);
  const Tensor zeros =
      arena_.ints(std::vector<std::int32_t>(static_cast<std::size_t>(sequences), 0));
  for (std::size_t l = 0; l < state_.size(); ++l) {
    const std::vector<StateEntry> spec = model_.state_spec(static_cast<int>(l));
    for (std::size_t i = 0; i < spec.size(); ++i) {
      const Tensor& t = state_[l].tensors[i];
      if (!initial_.wkv.empty() && i == initial_.entry && initial_.wkv[l]) {
        const std::int64_t n = initial_.wkv[l].numel();
        backend_.gather_rows({t.rows(0, sequences).reshaped({sequences, n}),
                              initial_.wkv[l].reshaped({1, n}), zeros});
      } else {
        backend_.fill(t, spec[i].initial);
      }
    }
  }
}

// The way back from `begin`: all sequences share the tuned state.
void BackPropagation::to_initial_state(std::int64_t sequences) {
  const ArenaScope scope(arena_);
  const Tensor zeros =
      arena_.ints(std::vector<std::int32_t>(static_cast<std::size_t>(sequences), 0));
  for (std::size_t l = 0; l < initial_.wkv.size(); ++l) {
    const Tensor& p = initial_.wkv[l];
    if (!p) continue;
    const Tensor g = gradients_.of(p);
    if (!g) continue;
    const std::int64_t n = p.numel();
    const Tensor from = gradients_.of(state_[l].tensors[initial_.entry]);
    backend_.gather_rows_backward(
        {g.reshaped({1, n}), from.rows(0, sequences).reshaped({sequences, n}), zeros});
  }
}

std::int64_t BackPropagation::chunks_of(std::span<const Sample> samples) const {
  std::size_t longest = 1;
  for (const Sample& s : samples) longest = std::max(longest, s.inputs.size());
  return options_.chunks_of(static_cast<std::int64_t>(longest));
}

void BackPropagation::check(std::span<const Sample> samples) const {
  if (static_cast<std::int64_t>(samples.size()) > options_.sequences)
    fail(Code::kInternal, "{} sequences in a pass of {}", samples.size(), options_.sequences);
  for (const Sample& s : samples) {
    if (static_cast<std::int64_t>(s.inputs.size()) > options_.context ||
        s.inputs.size() != s.targets.size())
      fail(Code::kInternal, "a sample of {} inputs and {} targets in a context of {}",
           s.inputs.size(), s.targets.size(), options_.context);
  }
}

// Sequences that have ended take part without rows: their state and its gradient stay what they are. Without a scale
// only the state is wanted.
Losses BackPropagation::run_chunk(std::span<const Sample> samples, std::int64_t chunk, Ctx& c,
                                  std::optional<double> scale) {
  std::vector<std::int32_t> ids, targets, begins = {0}, slots;
  Losses losses;
  for (const Sample& s : samples) {
    const auto n = static_cast<std::int64_t>(s.inputs.size()),
               first = std::min(n, chunk * options_.chunk),
               last = std::min(n, first + options_.chunk);
    ids.insert(ids.end(), s.inputs.begin() + first, s.inputs.begin() + last);
    targets.insert(targets.end(), s.targets.begin() + first, s.targets.begin() + last);
    slots.push_back(static_cast<std::int32_t>(slots.size()));
    begins.push_back(static_cast<std::int32_t>(ids.size()));
  }
  losses.counted = std::count_if(targets.begin(), targets.end(), [](auto t) { return t >= 0; });
  const auto n = static_cast<std::int64_t>(samples.size());
  Batch batch = {.ids = arena_.ints(ids),
                 .seqs = {.begin = arena_.ints(begins),
                          .slot = arena_.ints(slots),
                          .n = n,
                          .rows = begins.back(),
                          .slots = options_.sequences},
                 .wanted = {}};
  if (scale)
    batch.wanted = {.targets = arena_.ints(targets), .scale = *scale, .l2wrap = options_.l2wrap};
  const Tensor loss = model_.forward(c, batch, state_);
  if (!scale) return {};
  if (c.tape != nullptr) c.tape->run_backward();
  for (const double x : backend_.values(loss)) losses.sum += x;
  return losses;
}

Losses BackPropagation::backward(std::span<const Sample> samples, double scale,
                                 const std::function<bool()>& keep_going) {
  check(samples);
  const auto ask = [&] {
    if (keep_going && !keep_going()) fail(Code::kCancelled, "stopped inside a step");
  };
  const auto n = static_cast<std::int64_t>(samples.size());
  const std::int64_t chunks = chunks_of(samples), window = options_.window_of(chunks);
  Losses total;
  begin(n);
  for (std::int64_t first = 0; first < chunks; first += window) {
    const std::int64_t last = std::min(chunks, first + window);
    const auto before = [&](std::int64_t chunk) -> const std::vector<LayerState>& {
      return between_.points[static_cast<std::size_t>(chunk - first)];
    };
    const bool goes_back = last - first > 1;
    if (goes_back) copy(before(first), state_);
    for (std::int64_t chunk = first; chunk + 1 < last; ++chunk) {
      ask();
      const ArenaScope scope(arena_);
      Ctx plain{.backend = backend_, .arena = arena_};
      (void)run_chunk(samples, chunk, plain, std::nullopt);
      copy(before(chunk + 1), state_);
    }
    gradients_.zero_states();
    for (std::int64_t chunk = last; chunk-- > first;) {
      ask();
      if (chunk + 1 < last) copy(state_, before(chunk));
      const ArenaScope scope(arena_);
      Tape tape(backend_, arena_, gradients_);
      Ctx taped{.backend = backend_,
                .arena = arena_,
                .tape = &tape,
                .checkpoint = options_.block_checkpoints};
      total += run_chunk(samples, chunk, taped, scale);
      if (goes_back && chunk + 1 == last && last < chunks) copy(before(last), state_);
    }
    if (first == 0 && !initial_.wkv.empty()) to_initial_state(n);
    if (goes_back && last < chunks) copy(state_, before(last));
  }
  return total;
}

Losses BackPropagation::forward(std::span<const Sample> samples,
                                const std::function<bool()>& keep_going) {
  check(samples);
  Losses total;
  begin(static_cast<std::int64_t>(samples.size()));
  for (std::int64_t chunk = 0; chunk < chunks_of(samples); ++chunk) {
    if (keep_going && !keep_going()) fail(Code::kCancelled, "stopped while losses were computed");
    const ArenaScope scope(arena_);
    Ctx plain{.backend = backend_, .arena = arena_};
    total += run_chunk(samples, chunk, plain, 1);
  }
  return total;
}

}  // namespace prwkv
