#include "models/loader.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "models/refusals.h"
#include "quant/blocks.h"
#include "tensor/half.h"

namespace prwkv {
namespace {

/// Binds each parameter to the file: in place where the bytes are already what kernels read, else
/// converted once.
class Binder final : public ParamVisitor {
 public:
  Binder(LoadedModel& model, const Dims& dims, Backend& backend, const LoadOptions& options)
      : file_(*model.file),
        dims_(dims),
        backend_(backend),
        arena_(*model.weights),
        adapters_(model.adapters),
        lora_(model.lora.get()),
        options_(options) {}

  void visit(const Param& p, Tensor& t) override { bind_vector(p, source_of(p), t); }
  void visit_matrix(const Param& p, Matrix& m) override {
    bind_matrix(p, source_of(p), m);
    if (lora_ != nullptr) adapt(p, m);
  }

 private:
  Source source_of(const Param& p) {
    if (lora_ != nullptr) {
      if (const std::optional<Source> own = lora_->whole(p, dims_)) return *own;
    }
    return file_.parameter(p, dims_);
  }

  void adapt(const Param& p, Matrix& m) {
    const std::optional<LoraFile::Pair> pair = lora_->pair_of(p);
    if (!pair) return;
    const auto matrix = [&](const std::vector<double>& values, std::int64_t out, std::int64_t in) {
      Matrix half{.weight = arena_.make_packed({out, in}, DType::kF32, Input::kAny)};
      const std::int64_t sizes[] = {out, in};
      upload(half.weight, Source::of(p.name, DType::kF64, std::as_bytes(std::span(values)), sizes));
      return half;
    };
    auto adapter = std::make_unique<Adapter>(
        Adapter{matrix(pair->a, pair->rank, p.shape[1]), matrix(pair->b, p.shape[0], pair->rank)});
    adapter->b.scale = pair->scale;
    m.adapter = adapter.get();
    adapters_.emplace(p.name, std::move(adapter));
  }

  // Small: read into the activation type, so that kernels need one type only and transformed values
  // keep all bits.
  void bind_vector(const Param& p, const Source& s, Tensor& t) {
    t = arena_.make({p.shape.numel()}, backend_.activation_dtype());
    if (backend_.is_dry_run()) return;
    const auto upload = [&](auto values) {
      SourceReader(s).read(0, values);
      backend_.upload(t, values.data());
    };
    const auto n = static_cast<std::size_t>(p.shape.numel());
    if (t.dtype == DType::kF64)
      upload(std::vector<double>(n));
    else
      upload(std::vector<float>(n));
  }

  void bind_matrix(const Param& p, const Source& s, Matrix& m) {
    Source wanted = p.stored == Stored::kTransposed ? s.transposed() : s;
    // Where something is trained, what an adapters' file replaces is too.
    const bool is_trained =
        options_.trained && (options_.trained(p) || (lora_ != nullptr && lora_->replaces(p.name)));
    // Kernels multiply results, not weights; but what is trained is written as it is.
    if (!is_trained) m.scale = std::exchange(wanted.scale, 1.0F);
    const auto own = options_.dtypes.find(p.name);
    const std::optional<DType> asked =
        own != options_.dtypes.end() ? std::optional(own->second) : options_.dtype;
    const bool is_named = own != options_.dtypes.end() && is_low_rank(p) && is_block(own->second);
    const DType dtype = is_trained ? backend_.activation_dtype()
                        : is_named ? quant::fitting(own->second, p.shape[1])
                        : asked    ? matrix_type(p, *asked, kept(wanted))
                                   : kept(wanted);
    const bool packs = is_for_linear(p) && !is_trained && backend_.packed(dtype, p.shape, p.input);
    if (!packs && !is_trained && dtype == s.dtype && wanted.is_dense() &&
        backend_.reads_host_memory()) {
      m.weight.shape = p.shape;
      m.weight.dtype = dtype;
      m.weight.data = const_cast<std::byte*>(wanted.dense_bytes().data());  // only read
      return;
    }
    m.weight = packs ? arena_.make_packed(p.shape, dtype, p.input) : arena_.make(p.shape, dtype);
    upload(m.weight, wanted);
    file_.reader().done_with(s.bytes);  // its pages are not needed again
  }

  /// The type in which a matrix is kept if nothing else is asked for. Kernels know f32, f16, bf16 and
  /// blocks, which only make sense along the rows that were stored.
  DType kept(const Source& s) const {
    const bool narrows = s.dtype == DType::kF64 && backend_.activation_dtype() != DType::kF64;
    const bool is_stack = s.axes.size() > 2;
    return narrows || (is_block(s.dtype) && (!s.is_dense() || is_stack)) ? DType::kF32 : s.dtype;
  }

  // Some rows at a time, so that a conversion never holds a matrix twice.
  void upload(const Tensor& t, const Source& source) {
    if (backend_.is_dry_run()) return;
    constexpr std::int64_t kPiece = std::int64_t{1} << 20;  // elements
    const std::int64_t n = t.dim(-1), rows = t.numel() / std::max<std::int64_t>(n, 1);
    constexpr std::int64_t kRows = Backend::kPackedRows;
    const std::int64_t step =
        std::max<std::int64_t>(1, kPiece / std::max<std::int64_t>(n, 1) / kRows) * kRows;
    const Tensor flat = t.reshaped({rows, n});
    const std::size_t bytes = row_bytes(t.dtype, n);
    SourceReader reader(source);
    std::vector<std::byte> staged;
    std::vector<float> values;
    for (std::int64_t r = 0; r < rows; r += step) {
      const std::int64_t count = std::min(step, rows - r);
      if (t.dtype == source.dtype && source.is_dense() && source.is_raw()) {
        const std::span rest = source.dense_bytes().subspan(static_cast<std::size_t>(r) * bytes);
        const std::span part = rest.first(static_cast<std::size_t>(count) * bytes);
        backend_.put_rows(flat, r, count, part.data());
        file_.reader().done_with(part);  // or the largest matrix would be there twice
        continue;
      }
      staged.resize(static_cast<std::size_t>(count) * bytes);
      if (t.dtype == source.dtype && source.is_raw()) {
        reader.copy(r * n, staged);
      } else if (t.dtype == DType::kF64) {
        std::vector<double> exact(static_cast<std::size_t>(count * n));
        reader.read(r * n, exact);
        std::memcpy(staged.data(), exact.data(), staged.size());
      } else {
        values.resize(static_cast<std::size_t>(count * n));
        reader.read(r * n, values);
        quant::quantize(t.dtype, values.data(), count * n, staged.data());
      }
      backend_.put_rows(flat, r, count, staged.data());
    }
  }

  const Checkpoint& file_;
  const Dims& dims_;
  Backend& backend_;
  Arena& arena_;
  Adapters& adapters_;
  LoraFile* lora_;
  LoadOptions options_;
};

/// Sizes come from a file: refuse what no model has before anything is allocated for it.
void check_dims(const Checkpoint& file, std::string_view generation, const Dims& d) {
  const auto bad = [&](const char* what, std::int64_t value) {
    throw Error(Code::kFormat,
                fmt::format("{}: RWKV-{} with {} {}", file.path(), generation, value, what),
                {.hint = "is this checkpoint complete?"});
  };
  constexpr std::int64_t kMost = std::int64_t{1} << 24;
  for (const auto& [what, value] : {std::pair{"layers", d.L},
                                    {"channels", d.C},
                                    {"attention channels", d.A},
                                    {"ffn channels", d.F},
                                    {"vocabulary entries", d.V}}) {
    if (value <= 0 || value > kMost) bad(what, value);
  }
  for (const auto& [name, rank] : d.ranks) {
    if (rank <= 0 || rank > kMost) bad("as a low-rank size", rank);
  }
  const bool has_heads = !generation.starts_with('4');
  if (has_heads && (d.H <= 0 || d.N <= 0 || d.H * d.N != d.A)) {
    throw Error(Code::kFormat,
                fmt::format("{}: heads do not match the attention channels", file.path()),
                {.expected = fmt::format("{} = heads x channels per head", d.A),
                 .found = fmt::format("{} x {}", d.H, d.N)});
  }
}

}  // namespace

DType matrix_type(const Param& p, DType wanted, DType otherwise) {
  if (!is_block(wanted)) return wanted;
  if (p.stored == Stored::kMatrix) return quant::fitting(wanted, p.shape[1]);
  return is_low_rank(p) ? quant::fitting(kLowRankBlocks, p.shape[1]) : otherwise;
}

Detected detect(const Checkpoint& file) {
  refuse_known(file);
  Detected found;
  for (const Generation& g : generations()) {
    if (!g.detect(file, found.dims)) continue;
    found.generation = &g;
    check_dims(file, g.name, found.dims);
    return found;
  }
  found.dims = {};
  return found;
}

NormEps norm_eps_of(const Checkpoint& file, const Detected& found) {
  const ModelConfig& config = file.config();
  const std::string_view naming = file.naming().name;
  NormEps eps;
  if (config.layer_norm_eps) {
    eps.layer_norm = *config.layer_norm_eps;
    // transformers gives its constant to the norms in blocks alone.
    if (naming != "hf") eps.ln_out = *config.layer_norm_eps;
    if (naming == "fla" && found.generation->name == "7")
      eps.group_norm = static_cast<double>(found.dims.N) * *config.layer_norm_eps;
  }
  eps.ln_out = config.ln_out_eps.value_or(eps.ln_out);
  eps.group_norm = config.group_norm_eps.value_or(eps.group_norm);
  return eps;
}

LoadedModel load_model(const std::string& path, Backend& backend, const LoadOptions& options) {
  LoadedModel m;
  m.file = std::make_unique<Checkpoint>(path);
  const Detected found = detect(*m.file);
  if (found.generation == nullptr) refuse_unknown(*m.file);
  m.model = found.generation->make(found.dims);
  const NormEps eps = norm_eps_of(*m.file, found);
  m.model->layer_norm_eps = eps.layer_norm;
  m.model->ln_out_eps = eps.ln_out;
  m.model->groupnorm_eps = options.groupnorm_eps.value_or(eps.group_norm);
  m.weights = std::make_unique<Arena>(backend, Arena::For::kWeights);
  if (!options.lora.empty())
    m.lora = std::make_unique<LoraFile>(options.lora, options.lora_alpha, options.lora_init);
  Binder binder(m, found.dims, backend, options);
  m.model->visit(binder);
  if (m.lora != nullptr) m.lora->expect_all_used();
  backend.sync();
  m.fingerprint = fingerprint_of(*m.file);
  return m;
}

}  // namespace prwkv
