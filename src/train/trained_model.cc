#include "train/trained_model.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "formats/writer.h"
#include "models/tuned_state.h"
#include "train/host_copy.h"
#include "train/sample_order.h"

namespace prwkv {
namespace {

constexpr const char *kEmb = "emb", *kHead = "head", *kLn = "ln", *kAtt = "att", *kFfn = "ffn",
                     *kTime = "time";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Walks the listing with the matrices themselves.
struct EachMatrix final : ParamVisitor {
  explicit EachMatrix(std::function<void(const Param&, Matrix&)> f) : each(std::move(f)) {}
  void visit(const Param&, Tensor&) override {}
  void visit_matrix(const Param& p, Matrix& m) override { each(p, m); }
  std::function<void(const Param&, Matrix&)> each;
};

/// Uniform in [−bound, bound): a number of its own for each element of each name.
std::vector<float> uniform_values(std::string_view name, std::uint64_t seed, std::size_t n,
                                  double bound) {
  const std::uint64_t key = hash64(std::as_bytes(std::span(name)), mix64(seed));
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto unit = static_cast<double>(mix64(key + i) >> 11U) * 0x1p-53;
    values[i] = static_cast<float>(bound * (2 * unit - 1));
  }
  return values;
}

/// A trained parameter in the layout of BlinkDL's files.
Source stored(const HostCopy& values, const Param& p, const Dims& dims) {
  if (p.stored == Stored::kTransposed) return values.source(p.name, p.shape.sizes()).transposed();
  return values.source(p.name, blinkdl_shape(p, dims));
}

}  // namespace

std::string_view name_of(Method method) {
  constexpr std::string_view kNames[] = {"full", "lora", "state"};
  return kNames[static_cast<std::size_t>(method)];
}

std::string_view part_of(const Param& p) {
  if (p.name.starts_with("emb.")) return kEmb;
  if (p.name.starts_with("head.")) return kHead;
  if (contains(p.name, ".ln") || contains(p.name, ".tiny_ln") || p.name.starts_with("ln_out"))
    return kLn;
  if (p.stored == Stored::kVector) return kTime;
  return contains(p.name, ".ffn.") ? kFfn : kAtt;
}

const std::vector<std::string_view>& part_names() {
  static const std::vector<std::string_view> names = {kEmb, kHead, kLn, kAtt, kFfn, kTime};
  return names;
}

namespace {

void check_selection(const Selection& s) {
  for (const std::string& part : s.parts) {
    const auto& names = part_names();
    if (std::find(names.begin(), names.end(), part) != names.end()) continue;
    throw Error(Code::kInvalidArgument, fmt::format("a model has no part '{}'", part),
                {.expected = fmt::format("some of {}", fmt::join(names, ", "))});
  }
  if (s.method == Method::kLora && (s.lora_rank < 1 || !std::isfinite(s.lora_alpha)))
    fail(Code::kInvalidArgument, "adapters of rank {} with alpha {}", s.lora_rank, s.lora_alpha);
}

bool takes_part(const Selection& s, int layer) {
  return s.layers.empty() || s.layers.contains(layer);
}
bool is_selected(const Selection& s, const Param& p) {
  return p.layer < 0 || takes_part(s, p.layer);
}

/// Whether adapters go with this part, if it is selected.
bool takes_adapters(std::string_view part) { return part == kAtt || part == kFfn || part == kHead; }

bool is_whole(const Selection& s, const Param& p) {
  const std::string_view part = part_of(p);
  switch (s.method) {
    case Method::kFull: return is_selected(s, p) && (s.parts.empty() || s.parts.contains(part));
    case Method::kLora: return is_selected(s, p) && s.parts.contains(part) && !takes_adapters(part);
    case Method::kState: break;
  }
  return false;
}

// Of low-rank pairs there are no adapters of still lower rank.
bool is_adapted(const Selection& s, const Param& p) {
  if (s.method != Method::kLora || p.stored != Stored::kMatrix || !is_for_linear(p)) return false;
  const std::string_view part = part_of(p);
  if (!takes_adapters(part) || !is_selected(s, p)) return false;
  return s.parts.empty() ? part != kHead : s.parts.contains(part);
}

}  // namespace

TrainedModel::TrainedModel(const std::string& path, Backend& backend, const Selection& selection,
                           LoadOptions options, const std::string& init_state)
    : backend_(backend), selection_(selection) {
  check_selection(selection);
  options.trained = [&](const Param& p) { return is_whole(selection, p); };
  model_ = load_model(path, backend, options);
  // What an adapters' file has as a whole was trained, and goes on being.
  const auto whole = [&](const Param& p) {
    return is_whole(selection, p) || (model_.lora != nullptr && model_.lora->replaces(p.name));
  };
  for (const int l : selection.layers) {
    if (l < 0 || l >= model().dims().L)
      fail(Code::kInvalidArgument, "the model has layers 0 to {}, there is no layer {}",
           model().dims().L - 1, l);
  }
  std::set<std::string> adapted;
  for_each_param(model(), [&](const Param& p, const Tensor& t) {
    elements_ += p.shape.numel();
    if (whole(p)) {
      trained_.push_back({p.name, t, group_of(p)});
      whole_.push_back(p);
    }
    if (is_adapted(selection, p)) adapted.insert(p.name);
    if (p.stored != Stored::kVector && p.name != "emb.weight")
      flops_ += static_cast<double>(p.shape.numel()) * (whole(p) ? 6 : 4);
  });
  if (selection.method == Method::kLora) {
    add_adapters(selection, adapted);
    if (model_.adapters.empty())
      throw Error(Code::kInvalidArgument, "no matrix gets an adapter",
                  {.expected = "att, ffn or head among the parts",
                   .hint = "vectors and norms alone are trained with the method full"});
  }
  if (selection.method == Method::kState) add_states(init_state);
  if (model_.lora != nullptr || !init_state.empty()) {
    for (const std::vector<Trained>* given : {&trained_, &kept_}) {
      for (const Trained& t : *given) {
        given_hash_ = hash64(std::as_bytes(std::span(t.name)), given_hash_);
        given_hash_ = hash64(HostCopy(backend_, t.value).bytes(), given_hash_);
      }
    }
  }
  if (trained_.empty())
    throw Error(Code::kInvalidArgument, "nothing of the model is trained",
                {.hint = "look at the layers and parts that were named"});
}

Tensor TrainedModel::make(const Shape& shape) {
  return model_.weights->make(shape, backend_.activation_dtype());
}

// A as Kaiming's rule for linear layers draws it, B zero: at first an adapter changes nothing (Hu et al. 2021).
void TrainedModel::add_adapters(const Selection& s, const std::set<std::string>& matrices) {
  EachMatrix visitor([&](const Param& p, Matrix& m) {
    if (!matrices.contains(p.name) || m.adapter != nullptr) return;
    if (model_.lora != nullptr) {
      if (s.parts.empty()) return;
      throw Error(Code::kInvalidArgument,
                  fmt::format("the file with adapters has none for '{}'", p.name),
                  {.hint = "adapters that are gone on with have their place; leave the part out"});
    }
    const std::int64_t out = p.shape[0], in = p.shape[1];
    auto adapter = std::make_unique<Adapter>();
    adapter->a.weight = make({s.lora_rank, in});
    adapter->b.weight = make({out, s.lora_rank});
    adapter->b.scale = static_cast<float>(s.lora_alpha / static_cast<double>(s.lora_rank));
    backend_.put(adapter->a.weight,
                 uniform_values(p.name, s.seed, static_cast<std::size_t>(s.lora_rank * in),
                                1 / std::sqrt(static_cast<double>(in))));
    backend_.zero(adapter->b.weight);
    m.adapter = adapter.get();
    model_.adapters.emplace(p.name, std::move(adapter));
  });
  model_.model->visit(visitor);
  for (const auto& [name, adapter] : model_.adapters) {
    trained_.push_back({lora_name(name, 'A'), adapter->a.weight});
    trained_.push_back({lora_name(name, 'B'), adapter->b.weight});
    flops_ += 6 * static_cast<double>(adapter->a.weight.numel() + adapter->b.weight.numel());
  }
  if (model_.lora != nullptr) selection_.lora_alpha = model_.lora->alpha();
}

void TrainedModel::add_states(const std::string& init_state) {
  initial_.entry = tuned_entry(model());
  std::vector<std::vector<float>> values(static_cast<std::size_t>(model().dims().L));
  if (!init_state.empty()) values = read_tuned_state(init_state, model());
  for (int l = 0; l < model().dims().L; ++l) {
    initial_.wkv.emplace_back();
    const bool is_trained = takes_part(selection_, l);
    if (!is_trained && values[static_cast<std::size_t>(l)].empty()) continue;
    Tensor& t = initial_.wkv.back();
    t = make(model().state_spec(l)[initial_.entry].shape);
    const std::vector<float>& given = values[static_cast<std::size_t>(l)];
    if (given.empty())
      backend_.zero(t);
    else
      backend_.put(t, given);
    (is_trained ? trained_ : kept_).push_back({time_state_name(l), t});
  }
}

std::uint64_t TrainedModel::start_hash() const {
  constexpr std::size_t kAtOnce = std::size_t{1}
                                  << 20;  // so that the file is never in memory as a whole
  std::uint64_t hash = 0;
  const Reader& reader = file().reader();
  for (const StoredTensor& t : reader.tensors()) {
    hash = hash64(std::as_bytes(std::span(t.name)), hash);
    for (std::size_t at = 0; at < t.bytes.size(); at += kAtOnce) {
      const auto block = t.bytes.subspan(at, std::min(kAtOnce, t.bytes.size() - at));
      hash = hash64(block, hash);
      reader.done_with(block);
    }
  }
  return hash;
}

std::int64_t TrainedModel::trained_elements() const {
  std::int64_t total = 0;
  for (const Trained& t : trained_) total += t.value.numel();
  return total;
}

std::size_t TrainedModel::weight_bytes() const {
  std::size_t total = 0;
  for_each_param(model(), [&](const Param&, const Tensor& t) { total += t.bytes(); });
  for (std::size_t i = whole_.size(); i < trained_.size(); ++i) total += trained_[i].value.bytes();
  return total;
}

void TrainedModel::save(const std::string& path, std::optional<DType> dtype) const {
  if (selection_.method == Method::kFull)
    save_model(path, dtype);
  else
    save_parts(path);
}

void TrainedModel::save_model(const std::string& path, std::optional<DType> dtype) const {
  const std::optional<WeightFormat> format = weight_format_of(path);
  if (format != WeightFormat::kSafetensors && format != WeightFormat::kPth)
    throw Error(Code::kInvalidArgument, fmt::format("{}: a trained model is not written so", path),
                {.expected = "a name ending in .safetensors or .pth"});
  std::vector<HostCopy> values;
  for (const Trained& t : trained_) values.emplace_back(backend_, t.value);
  ExportOptions options{.format = *format, .dtype = dtype};
  for (std::size_t i = 0; i < whole_.size(); ++i)
    options.replaced.emplace(whole_[i].name, stored(values[i], whole_[i], model().dims()));
  // A matrix keeps the type that it had in the file, unless blocks were all there was.
  options.dtype_of = [&](const Param& p) -> std::optional<DType> {
    if (dtype) return std::nullopt;
    const Source* s = file().find(p.name);
    return s == nullptr || is_block(s->dtype) || s->dtype == DType::kF64 ? DType::kF32 : s->dtype;
  };
  Export(file(), options).write(path);
}

void TrainedModel::save_parts(const std::string& path) const {
  std::vector<HostCopy> values;
  std::vector<Source> sources;
  std::vector<TensorSpec> specs;
  std::vector<Trained> all = trained_;
  all.insert(all.end(), kept_.begin(), kept_.end());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Trained& t = all[i];
    values.emplace_back(backend_, t.value);
    sources.push_back(i < whole_.size() ? stored(values[i], whole_[i], model().dims())
                                        : values[i].source(t.name, t.value.shape.sizes()));
    specs.push_back({t.name, DType::kF32, sources.back().shape()});
  }
  const auto write = [&](Writer& out) {
    std::vector<float> piece;
    for (const Source& source : sources) {
      SourceReader reader(source);
      constexpr std::int64_t kPiece = std::int64_t{1} << 18;
      for (std::int64_t first = 0; first < source.numel(); first += kPiece) {
        piece.resize(static_cast<std::size_t>(std::min(kPiece, source.numel() - first)));
        reader.read(first, piece);
        out.write(std::as_bytes(std::span(piece)));
      }
    }
    out.finish();
  };
  switch (weight_format_of(path).value_or(WeightFormat::kGguf)) {
    case WeightFormat::kSafetensors: {
      std::map<std::string, std::string> said = {{"format", "pt"}};
      if (selection_.method == Method::kLora)
        said.emplace(kLoraAlphaKey, fmt::format("{}", selection_.lora_alpha));
      SafetensorsWriter out(path, specs, said);
      return write(out);
    }
    case WeightFormat::kPth: {
      PthWriter out(path, specs);
      return write(out);
    }
    default:
      throw Error(Code::kInvalidArgument, fmt::format("{}: nothing is written so", path),
                  {.expected = "a name ending in .safetensors or .pth"});
  }
}

}  // namespace prwkv
