#include "runtime/calibration.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "backend/arena.h"
#include "backend/backend.h"
#include "base/thread_pool.h"
#include "quant/blocks.h"
#include "quant/metric.h"
#include "quant/panels.h"

namespace prwkv {
namespace {

using Floats = std::vector<float>;

Floats allocated(std::int64_t rows, std::int64_t columns) {
  return Floats(static_cast<std::size_t>(rows * columns));
}

/// The first half of the rows is the original's stream, the second the quantized model's.
enum class Stream { kOriginal, kQuantized };
Tensor half(const Tensor& t, Stream stream) {
  const std::int64_t n = t.dim(0) / 2;
  return t.rows(stream == Stream::kOriginal ? 0 : n, n);
}

/// Sees the inputs of every matrix on the way.
class CalibratingBackend final : public Backend {
 public:
  CalibratingBackend(std::unique_ptr<Backend> inner, const CalibrationOptions& options)
      : inner_(std::move(inner)), options_(options), pool_(options.threads), arena_(*inner_) {}

  [[nodiscard]] std::string_view name() const override { return inner_->name(); }
  [[nodiscard]] std::string description() const override { return inner_->description(); }
  [[nodiscard]] DType activation_dtype() const override { return inner_->activation_dtype(); }
  [[nodiscard]] bool reads_host_memory() const override { return inner_->reads_host_memory(); }
  [[nodiscard]] Buffer allocate(std::size_t bytes) override { return inner_->allocate(bytes); }
  void upload(const Tensor& to, const void* source) override { inner_->upload(to, source); }
  void download(void* to, const Tensor& source) override { inner_->download(to, source); }
  void transfer(const Tensor& to, const Tensor& source) override { inner_->transfer(to, source); }
  void zero(const Tensor& t) override { inner_->zero(t); }
  void sync() override { inner_->sync(); }

#define X(op, Args) void op(const Args& args) override;
  PRWKV_FORWARD_OPS(X)
#undef X

  void expect(const void* weights, std::string name, DType dtype, std::int64_t elements) {
    targets_[weights] = {std::move(name), dtype};
    total_ += elements;
  }
  void report_to(const CalibrationProgress& progress) { progress_ = progress; }
  std::map<std::string, QuantizedMatrix> take() { return std::move(done_); }

 protected:
  // Buffers belong to the backend inside.
  void release(void*, std::size_t) noexcept override {}

 private:
  struct Target {
    std::string name;
    DType dtype;
  };

  /// What is known of one input.
  struct Inputs {
    Inputs(quant::Metric m, Floats d) : metric(std::move(m)), drift(std::move(d)) {}
    quant::Metric metric;
    Floats drift;  ///< Σ_t x̂ (x − x̂)ᵀ, (n, n)
  };

  quant::Product kernel_product();
  Floats product(const Floats& x, std::int64_t rows, const Floats& w, std::int64_t out,
                 std::int64_t in);
  Inputs inputs_of(const Tensor& x);
  Floats wanted_of(const Projection& p, const Target& target, Inputs& inputs);
  void quantize(const Projection& p, const Target& target, Inputs& inputs);
  Tensor replacement(const Tensor& w) const;
  Tensor packed_replacement(const Tensor& w);
  void finished(const Target& target, QuantizedMatrix matrix);

  std::unique_ptr<Backend> inner_;
  CalibrationOptions options_;
  ThreadPool pool_;
  std::map<const void*, Target> targets_;
  Arena arena_;  // of the backend inside
  std::map<std::string, QuantizedMatrix> done_;
  std::map<std::string, Tensor> packed_;  // those of them that `linear` has used
  std::int64_t total_ = 0, elements_ = 0;
  CalibrationProgress progress_;
};

#define X(op, Args) \
  void CalibratingBackend::op(const Args& args) { inner_->op(args); }
X(layer_norm, LayerNormArgs)
X(token_shift, TokenShiftArgs)
X(token_delta, TokenDeltaArgs)
X(shift_by, ShiftByArgs)
X(data_shift, DataShiftArgs)
X(spread, SpreadArgs)
X(wkv4, Wkv4Args)
X(wkv6, Wkv6Args)
X(wkv7, Wkv7Args)
X(delta_keys, DeltaKeysArgs)
X(group_norm, GroupNormArgs)
X(wkv7_output, Wkv7OutputArgs)
X(mul, MulArgs)
X(add, AddArgs)
X(lerp, LerpArgs)
X(copy, CopyArgs)
X(gather_rows, GatherRowsArgs)
X(tiny_attention, TinyAttentionArgs)
X(cross_entropy, CrossEntropyArgs)
#undef X

void expect_storable(const std::string& name, const Floats& values, DType dtype) {
  constexpr float kLargest = 65504;
  for (const float x : values) {
    if (std::abs(x) <= kLargest) continue;
    throw Error(Code::kUnsupported,
                fmt::format("tensor '{}' has values that {} cannot hold", name, name_of(dtype)),
                {.expected = "finite numbers, at most 65504", .found = fmt::format("{}", x)});
  }
}

void CalibratingBackend::finished(const Target& target, QuantizedMatrix matrix) {
  elements_ += matrix.shape.numel();
  done_[target.name] = std::move(matrix);
  if (progress_ && !progress_(elements_, total_))
    fail(Code::kCancelled, "stopped while calibrating");
}

void CalibratingBackend::embedding(const EmbeddingArgs& args) {
  const auto target = targets_.find(args.table.data);
  if (target == targets_.end()) return inner_->embedding(args);
  const auto& [name, dtype] = target->second;
  QuantizedMatrix matrix{.dtype = dtype, .shape = args.table.shape, .blocks = {}, .cost = {}};
  matrix.blocks.resize(row_bytes(dtype, args.table.numel()));
  const std::int64_t n = args.table.dim(1);
  Floats row(static_cast<std::size_t>(n));
  for (std::int64_t r = 0; r < args.table.dim(0); ++r) {
    const Tensor from = args.table.rows(r, 1);
    quant::dequantize(from.dtype, from.as<const std::byte>(), n, row.data());
    expect_storable(name, row, dtype);
    quant::quantize(dtype, row.data(), n,
                    matrix.blocks.data() + static_cast<std::size_t>(r) * row_bytes(dtype, n));
  }
  finished(target->second, std::move(matrix));
  for (const Stream stream : {Stream::kOriginal, Stream::kQuantized}) {
    inner_->embedding({.y = half(args.y, stream),
                       .table = stream == Stream::kOriginal ? args.table : replacement(args.table),
                       .ids = half(args.ids, stream)});
  }
}

void CalibratingBackend::linear(const LinearArgs& args) {
  // Matrices of one step may share their input.
  std::map<const void*, std::vector<const Projection*>> by_input;
  for (int i = 0; i < args.n; ++i) {
    const Projection& p = args.part[static_cast<std::size_t>(i)];
    const auto target = targets_.find(p.w.data);
    if (target != targets_.end() && !done_.contains(target->second.name))
      by_input[p.x.data].push_back(&p);
  }
  for (const auto& [ignored, parts] : by_input) {
    Inputs inputs = inputs_of(parts.front()->x);
    for (const Projection* p : parts) quantize(*p, targets_.at(p->w.data), inputs);
  }
  for (const Stream stream : {Stream::kOriginal, Stream::kQuantized}) {
    LinearArgs part = args;
    for (int i = 0; i < args.n; ++i) {
      Projection& p = part.part[static_cast<std::size_t>(i)];
      p.x = half(p.x, stream);
      p.y = half(p.y, stream);
      if (stream == Stream::kQuantized) p.w = packed_replacement(p.w);
    }
    inner_->linear(part);
  }
}

Tensor CalibratingBackend::replacement(const Tensor& w) const {
  const auto target = targets_.find(w.data);
  if (target == targets_.end()) return w;
  const QuantizedMatrix& matrix = done_.at(target->second.name);
  return {.data = const_cast<std::byte*>(matrix.blocks.data()),  // only read
          .shape = matrix.shape,
          .dtype = matrix.dtype};
}

/// In the layout of the backend inside.
Tensor CalibratingBackend::packed_replacement(const Tensor& w) {
  const auto target = targets_.find(w.data);
  if (target == targets_.end()) return w;
  const QuantizedMatrix& matrix = done_.at(target->second.name);
  Tensor& packed = packed_[target->second.name];
  if (!packed) {
    packed = arena_.make_packed(matrix.shape, matrix.dtype, Input::kAny);
    inner_->put_rows(packed, 0, matrix.shape[0], matrix.blocks.data());
  }
  return packed;
}

/// y = x wᵀ, with the kernels of the backend.
quant::Product CalibratingBackend::kernel_product() {
  return [this](float* y, const float* x, std::int64_t rows, const float* w, std::int64_t out,
                std::int64_t in) {
    // Inputs are only read.
    const auto tensor = [](const float* data, std::int64_t a, std::int64_t b) {
      return Tensor{.data = const_cast<float*>(data), .shape = {a, b}, .dtype = DType::kF32};
    };
    LinearArgs args;
    args.n = 1;
    args.part[0].y = tensor(y, rows, out);
    args.part[0].x = tensor(x, rows, in);
    args.part[0].w = tensor(w, out, in);
    inner_->linear(args);
    inner_->sync();
  };
}

Floats CalibratingBackend::product(const Floats& x, std::int64_t rows, const Floats& w,
                                   std::int64_t out, std::int64_t in) {
  Floats y = allocated(rows, out);
  kernel_product()(y.data(), x.data(), rows, w.data(), out, in);
  return y;
}

CalibratingBackend::Inputs CalibratingBackend::inputs_of(const Tensor& x) {
  inner_->sync();
  const std::int64_t n = x.dim(1), T = x.dim(0) / 2;
  const auto* original = half(x, Stream::kOriginal).as<const float>();
  const auto* quantized = half(x, Stream::kQuantized).as<const float>();
  Floats seen = allocated(n, T), off = allocated(n, T);  // x̂ and x − x̂, an input channel a row
  pool_.parallel_for(n, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = 0; t < T; ++t) {
      for (std::int64_t i = begin; i < end; ++i) {
        const float x_hat = quantized[t * n + i];
        seen[static_cast<std::size_t>(i * T + t)] = x_hat;
        off[static_cast<std::size_t>(i * T + t)] = original[t * n + i] - x_hat;
      }
    }
  });
  Floats drift = product(seen, n, off, n, T);
  off = Floats();
  Floats moments = product(seen, n, seen, n, T);
  seen = Floats();
  return {quant::Metric(std::move(moments), n, options_.damping, pool_), std::move(drift)};
}

/// w* of each row.
Floats CalibratingBackend::wanted_of(const Projection& p, const Target& target, Inputs& inputs) {
  const std::int64_t rows = p.w.dim(0), n = p.w.dim(1);
  Floats w = allocated(rows, n);
  pool_.parallel_for(rows, 16, [&](std::int64_t begin, std::int64_t end) {
    const Tensor from = p.w.rows(begin, end - begin);
    quant::dequantize(from.dtype, from.as<const std::byte>(), from.numel(), w.data() + begin * n);
  });
  expect_storable(target.name, w, target.dtype);
  Floats correction = product(w, rows, inputs.drift, n, n);
  const quant::Product kernels = kernel_product();
  quant::Panels(inputs.metric, rows, pool_, kernels).solve(correction.data());
  for (std::size_t i = 0; i < w.size(); ++i) correction[i] += w[i];
  return correction;
}

void CalibratingBackend::quantize(const Projection& p, const Target& target, Inputs& inputs) {
  const Floats wanted = wanted_of(p, target, inputs);
  QuantizedMatrix matrix{.dtype = target.dtype,
                         .shape = p.w.shape,
                         .blocks = {},
                         .cost = {},
                         .inputs = p.x.dim(0) / 2};
  matrix.blocks.resize(row_bytes(target.dtype, p.w.numel()));
  matrix.cost = quant::quantize_calibrated(target.dtype, wanted.data(), p.w.dim(0), inputs.metric,
                                           matrix.blocks.data(), pool_, kernel_product());
  finished(target, std::move(matrix));
}

/// The text as sequences from the empty state.
std::vector<std::span<const std::int32_t>> sequences_of(std::span<const std::int32_t> tokens,
                                                        std::size_t length) {
  std::vector<std::span<const std::int32_t>> sequences;
  for (std::size_t at = 0; at < tokens.size(); at += length)
    sequences.push_back(tokens.subspan(at, std::min(length, tokens.size() - at)));
  return sequences;
}

/// Predictions are wanted only for the sake of the head's inputs, and take V numbers a row.
constexpr std::size_t kMostLogits = std::size_t{1} << 26;

}  // namespace

std::vector<std::int32_t> calibration_sample(std::span<const std::int32_t> text,
                                             std::int32_t end_of_text, std::size_t most,
                                             std::size_t length) {
  const std::size_t step = std::max<std::size_t>(length, 2) - 1;  // what a sequence has of the text
  const std::size_t all = (text.size() + step - 1) / step;
  const std::size_t wanted =
      std::clamp<std::size_t>(most / (step + 1), 1, std::max<std::size_t>(all, 1));
  std::vector<std::int32_t> sample;
  for (std::size_t i = 0; i < wanted; ++i) {
    const auto rest = text.subspan(std::min(i * all / wanted * step, text.size()));
    sample.push_back(end_of_text);
    const auto part = rest.first(std::min(step, rest.size()));
    sample.insert(sample.end(), part.begin(), part.end());
  }
  if (sample.size() > most) sample.resize(most);
  return sample;
}

std::map<std::string, QuantizedMatrix> calibrate(const std::string& path,
                                                 const std::map<std::string, DType>& types,
                                                 std::span<const std::int32_t> tokens,
                                                 const CalibrationOptions& options,
                                                 const CalibrationProgress& progress) {
  if (tokens.empty()) fail(Code::kInvalidArgument, "there is no token to calibrate with");
  auto owned = std::make_unique<CalibratingBackend>(
      make_backend({.name = "cpu", .threads = options.threads}), options);
  CalibratingBackend& backend = *owned;
  LoadOptions load;
  load.groupnorm_eps = options.groupnorm_eps;
  // Matrices are read row by row here, and blocks would be packed.
  const Checkpoint file(path);
  for (const auto& [name, source] : file.sources()) {
    if (is_block(source.dtype)) load.dtypes[name] = DType::kF32;
  }
  LoadedModel model = load_model(path, backend, load);
  for_each_param(*model.model, [&](const Param& p, const Tensor& t) {
    if (const auto type = types.find(p.name); type != types.end())
      backend.expect(t.data, p.name, type->second, t.numel());
  });
  backend.report_to(progress);
  const auto V = static_cast<std::size_t>(model.model->dims().V);
  EngineOptions in_one_pass;
  in_one_pass.chunk_rows = static_cast<int>(2 * tokens.size());
  const auto engine = std::make_shared<Engine>(std::move(owned), std::move(model), in_one_pass);

  const auto sequences = sequences_of(tokens, options.sequence_length);
  std::vector<Session> sessions;
  std::vector<Work> work;
  for (std::size_t i = 0; i < 2 * sequences.size(); ++i) sessions.push_back(engine->session());
  for (std::size_t stream = 0; stream < 2; ++stream) {
    std::size_t logits = 0;
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      logits += 2 * sequences[i].size() * V;
      const bool is_too_much = i > 0 && logits > kMostLogits;
      work.push_back({.session = &sessions[stream * sequences.size() + i],
                      .tokens = sequences[i],
                      .want = is_too_much ? Logits::kNone : Logits::kAll});
    }
  }
  engine->run(work);
  return backend.take();
}

}  // namespace prwkv
