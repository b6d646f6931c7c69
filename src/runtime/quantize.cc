#include "runtime/quantize.h"

#include <algorithm>
#include <array>

#include "quant/blocks.h"

namespace prwkv {
namespace {

// Embedding and head of a large vocabulary are a tenth to a third of a model, so that they get what is
// nearly exact and not more; two layers of some twenty cost little.
constexpr std::array<ProtectedTypes, 12> kProtected = {{
    {DType::kQ8_0, DType::kQ8_0, DType::kQ8_0},
    {DType::kQ6_K, DType::kQ8_0, DType::kQ8_0},
    {DType::kQ5_K, DType::kQ6_K, DType::kQ6_K},
    {DType::kQ5_1, DType::kQ8_0, DType::kQ8_0},
    {DType::kQ5_0, DType::kQ8_0, DType::kQ8_0},
    {DType::kQ4_K, DType::kQ6_K, DType::kQ5_K},
    {DType::kQ4_1, DType::kQ8_0, DType::kQ5_1},
    {DType::kQ4_0, DType::kQ8_0, DType::kQ5_1},
    {DType::kIQ4_NL, DType::kQ8_0, DType::kQ5_1},
    {DType::kIQ4_XS, DType::kQ6_K, DType::kQ5_K},
    {DType::kQ3_K, DType::kQ6_K, DType::kQ5_K},
    {DType::kQ2_K, DType::kQ6_K, DType::kQ4_K},
}};

/// Whether a name fits a pattern in which `*` stands for any characters.
bool fits_pattern(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() != '*')
    return !name.empty() && pattern.front() == name.front() &&
           fits_pattern(pattern.substr(1), name.substr(1));
  // Neighbouring stars are one: without this the time would grow exponentially with them.
  while (!pattern.empty() && pattern.front() == '*') pattern.remove_prefix(1);
  if (pattern.empty()) return true;
  for (std::size_t at = 0; at < name.size(); ++at) {
    if (fits_pattern(pattern, name.substr(at))) return true;
  }
  return false;
}

}  // namespace

ProtectedTypes protected_types(DType type) {
  const auto* at = std::find_if(kProtected.begin(), kProtected.end(),
                                [&](const ProtectedTypes& p) { return p.type == type; });
  return at != kProtected.end() ? *at : ProtectedTypes{type, type, type};
}

std::vector<DType> quantized_types() {
  std::vector<DType> types;
  types.reserve(kProtected.size());
  for (const ProtectedTypes& p : kProtected) types.push_back(p.type);
  return types;
}

Quantization::Quantization(const Checkpoint& file, WeightFormat format, QuantizePolicy policy)
    : file_(file), format_(format), policy_(std::move(policy)) {
  make_plan();
  list_tensors();
  expect_patterns_fit();
}

Quantization::Choice Quantization::choice_of(const Param& p) const {
  if (p.stored != Stored::kMatrix)
    return {policy_.low_rank, p.stored == Stored::kVector ? "vector" : "low-rank part"};
  const ProtectedTypes safe = protected_types(policy_.type);
  for (const auto& [pattern, type] : policy_.tensors) {
    if (fits_pattern(pattern, p.name)) return {type, "as asked"};
  }
  if (p.name == "head.weight") return {policy_.head.value_or(safe.ends), "head"};
  if (p.name == "emb.weight") return {policy_.embedding.value_or(safe.ends), "embedding"};
  const std::int64_t last = file_.layers() - 1;
  if (p.layer == 0) return {policy_.first_layer.value_or(safe.borders), "first layer"};
  if (p.layer == last) return {policy_.last_layer.value_or(safe.borders), "last layer"};
  return {policy_.type, "all others"};
}

void Quantization::make_plan() {
  ExportOptions options;
  options.format = format_;
  options.dtype_of = [this](const Param& p) { return std::optional(choice_of(p).type); };
  for (const auto& [name, matrix] : matrices_) {
    Source source =
        Source::of(name, matrix.dtype, matrix.blocks, std::array{matrix.shape[0], matrix.shape[1]});
    source.scale = file_.find(name)->scale;  // the blocks are those of the stored values
    options.replaced.emplace(name, source);
  }
  export_ = std::make_unique<Export>(file_, options);
}

void Quantization::list_tensors() {
  tensors_.clear();
  for (std::size_t i = 0; i < export_->tensors().size(); ++i) {
    const TensorSpec& spec = export_->tensors()[i];
    const NamedTensor& named = export_->named(i);
    const Param& p = named.param;
    QuantizedTensor t{
        .name = p.name,
        .param = p,
        .from = file_.has(p.name) ? file_.find(p.name)->dtype : named.parts.front().dtype,
        .to = spec.dtype,
        .elements = spec.numel(),
        .bytes = spec.byte_count(),
        .reason = {},
        .rounding = {},
        .cost = {}};
    const auto matrix = matrices_.find(p.name);
    const Choice choice = choice_of(p);
    t.reason = choice.reason;
    if (p.stored == Stored::kMatrix) {
      if (choice.type != t.to)
        t.reason += is_block(t.to) ? fmt::format("; rows of {} do not fit {}", p.shape[1],
                                                 name_of(choice.type))
                                   : fmt::format("; {} files have it plain", name_of(format_));
    }
    if (matrix != matrices_.end() && matrix->second.inputs > 0) {
      t.rounding = "calibrated";
      t.cost = matrix->second.cost;
    } else {
      t.rounding = t.from == t.to ? "as it is" : "nearest";
    }
    tensors_.push_back(std::move(t));
  }
}

void Quantization::expect_patterns_fit() const {
  for (const auto& rule : policy_.tensors) {
    const std::string& pattern = rule.first;
    const bool fits = std::any_of(tensors_.begin(), tensors_.end(), [&](const QuantizedTensor& t) {
      return t.param.stored == Stored::kMatrix && fits_pattern(pattern, t.name);
    });
    if (fits) continue;
    throw Error(
        Code::kInvalidArgument,
        fmt::format("{}: no matrix has a name like '{}'", file_.path(), pattern),
        {.expected = "BlinkDL's names, such as blocks.*.att.key.weight; vectors are f32 in any "
                     "case, low-rank parts what --low-rank-type says",
         .hint = "'prwkv quantize --dry-run' lists them"});
  }
}

std::map<std::string, DType, std::less<>> Quantization::matrix_types() const {
  std::map<std::string, DType, std::less<>> types;
  for (const QuantizedTensor& t : tensors_) {
    if (is_block(t.to) && t.from != t.to) types.emplace(t.name, t.to);
  }
  return types;
}

void Quantization::calibrate(std::span<const std::int32_t> tokens,
                             const CalibrationOptions& options,
                             const CalibrationProgress& progress) {
  // Low-rank pairs are rounded to nearest: their eight bits cost next to nothing (docs/numerics.md).
  auto types = matrix_types();
  for (const QuantizedTensor& t : tensors_) {
    if (is_low_rank(t.param)) types.erase(t.name);
  }
  matrices_ =
      prwkv::calibrate(file_.path(), {types.begin(), types.end()}, tokens, options, progress);
  make_plan();
  const std::vector<QuantizedTensor> before = std::move(tensors_);
  list_tensors();
  for (std::size_t i = 0; i < tensors_.size(); ++i) tensors_[i].from = before[i].from;
}

void Quantization::write(const std::string& path, const ExportProgress& progress) const {
  export_->write(path, progress);
}

}  // namespace prwkv
