#include "models/lora.h"

#include <fmt/core.h>

#include <charconv>
#include <cmath>

#include "base/quote.h"
#include "models/checkpoint.h"

namespace prwkv {
namespace {

constexpr std::string_view kWeight = ".weight";

/// Adapters of other kinds, by how their tensors' names end.
struct OtherKind {
  std::string_view suffix, name;
};
constexpr OtherKind kOtherKinds[] = {{".bone", "Bone"}, {".disha", "DiSHA"}};

[[noreturn]] void bad_pair(const std::string& path, const Param& p, const std::string& expected,
                           const std::string& found) {
  throw Error(Code::kMismatch,
              fmt::format("{}: the adapter of '{}' does not fit the model", path, p.name),
              {.expected = expected, .found = found});
}

}  // namespace

std::string lora_name(std::string_view matrix, char which) {
  if (matrix.ends_with(kWeight)) matrix.remove_suffix(kWeight.size());
  return fmt::format("{}.lora_{}", matrix, which);
}

LoraFile::LoraFile(const std::string& path, std::optional<double> alpha, const std::string& init)
    : reader_(open_weights(path)) {
  bool has_pair = false;
  for (const StoredTensor& t : reader_->tensors()) {
    unused_.insert(t.name);
    has_pair = has_pair || t.name.ends_with(".lora_A");
    for (const OtherKind& kind : kOtherKinds) {
      if (!t.name.ends_with(kind.suffix)) continue;
      throw Error(Code::kUnsupported, fmt::format("{}: a {} adapter", path, kind.name),
                  {.expected = "LoRA: pairs of .lora_A and .lora_B", .found = in_quotes(t.name)});
    }
  }
  if (!has_pair) {
    throw Error(Code::kFormat, fmt::format("{}: no LoRA file", path),
                {.expected = "tensors like blocks.0.att.key.lora_A",
                 .found = unused_.empty() ? "no tensors" : in_quotes(*unused_.begin()),
                 .hint = "a file with time_state tensors belongs to --init-state"});
  }
  const auto& said = reader_->metadata();
  if (const auto it = said.find(kLoraAlphaKey); !alpha && init.empty() && it != said.end()) {
    double value = 0;
    const char* end = it->second.data() + it->second.size();
    const auto [p, error] = std::from_chars(it->second.data(), end, value);
    if (error == std::errc{} && p == end) alpha = value;
  }
  if (!init.empty()) {
    if (alpha) {
      throw Error(Code::kInvalidArgument, fmt::format("{}: PiSSA has no alpha", path),
                  {.hint = "leave --lora-alpha out, or --lora-init for LoRA"});
    }
    init_.reset(new LoraFile(init));
    alpha_ = 1;
    return;
  }
  if (!alpha) {
    throw Error(Code::kInvalidArgument, fmt::format("{}: alpha is not known", path),
                {.expected = "the lora_alpha that the adapters were trained with",
                 .hint = "name it with --lora-alpha"});
  }
  if (!std::isfinite(*alpha)) fail(Code::kInvalidArgument, "{}: alpha is {}", path, *alpha);
  alpha_ = *alpha;
}

LoraFile::LoraFile(const std::string& path) : reader_(open_weights(path)) {
  for (const StoredTensor& t : reader_->tensors()) unused_.insert(t.name);
}

const StoredTensor* LoraFile::take(std::string_view name) {
  const StoredTensor* t = reader_->find(name);
  if (t == nullptr) return nullptr;
  unused_.erase(unused_.find(name));
  if (!is_float(t->dtype) && t->dtype != DType::kF64) {
    throw Error(Code::kUnsupported,
                fmt::format("{}: {} is no float tensor", path(), in_quotes(name)),
                {.expected = "f32, f16, bf16 or f64", .found = std::string(name_of(t->dtype))});
  }
  return t;
}

std::vector<double> LoraFile::values(std::string_view name) {
  const StoredTensor& t = *take(name);
  std::vector<double> all(static_cast<std::size_t>(t.numel()));
  SourceReader(Source::of(t.name, t.dtype, t.bytes, t.shape)).read(0, std::span<double>(all));
  return all;
}

std::optional<LoraFile::Pair> LoraFile::pair_of(const Param& p) {
  std::optional<Pair> pair = pair_of(p, "lora_");
  if (!pair) return std::nullopt;
  if (!is_for_linear(p))
    bad_pair(path(), p, "adapters of matrices that activations are multiplied with", p.name);
  const std::int64_t rank = pair->rank;
  pair->scale = static_cast<float>(alpha_ / static_cast<double>(rank));
  if (init_ == nullptr) return pair;
  pair->scale = 1;
  const std::optional<Pair> first = init_->pair_of(p, "init_lora_");
  if (!first || first->rank != rank) {
    bad_pair(init_->path(), p, fmt::format("an initial pair of rank {}", rank),
             first ? fmt::format("one of rank {}", first->rank) : "none");
  }
  pair->a.insert(pair->a.end(), first->a.begin(), first->a.end());
  std::vector<double> both;
  both.reserve(2 * pair->b.size());
  const auto n = static_cast<std::ptrdiff_t>(rank);
  for (auto row = std::ptrdiff_t{0}; row < std::ssize(pair->b); row += n) {
    both.insert(both.end(), pair->b.begin() + row, pair->b.begin() + row + n);
    for (auto r = row; r < row + n; ++r) both.push_back(-first->b[static_cast<std::size_t>(r)]);
  }
  pair->b = std::move(both);
  pair->rank = 2 * rank;
  return pair;
}

std::optional<LoraFile::Pair> LoraFile::pair_of(const Param& p, std::string_view prefix) {
  if (!p.name.ends_with(kWeight)) return std::nullopt;
  const std::string_view matrix =
      std::string_view(p.name).substr(0, p.name.size() - kWeight.size());
  const std::string names[] = {fmt::format("{}.{}A", matrix, prefix),
                               fmt::format("{}.{}B", matrix, prefix)};
  const StoredTensor *a = reader_->find(names[0]), *b = reader_->find(names[1]);
  if (a == nullptr && b == nullptr) return std::nullopt;
  if (a == nullptr || b == nullptr) {
    bad_pair(path(), p, fmt::format("both of .{0}A and .{0}B", prefix),
             a != nullptr ? names[0] : names[1]);
  }
  const std::int64_t rank = a->shape.empty() ? 0 : a->shape[0];
  const std::vector<std::int64_t> shape_a = {rank, p.shape[1]}, shape_b = {p.shape[0], rank};
  if (rank < 1 || a->shape != shape_a || b->shape != shape_b) {
    bad_pair(path(), p, fmt::format("A (rank, {}) and B ({}, rank)", p.shape[1], p.shape[0]),
             fmt::format("{} and {}", a->shape_str(), b->shape_str()));
  }
  return Pair{.rank = rank, .a = values(names[0]), .b = values(names[1]), .scale = 1};
}

std::optional<Source> LoraFile::whole(const Param& p, const Dims& dims) {
  const StoredTensor* t = take(p.name);
  if (t == nullptr) return std::nullopt;
  const Source source = Source::of(t->name, t->dtype, t->bytes, t->shape);
  expect_parameter(*reader_, p, source, dims);
  replaced_.insert(p.name);
  return source;
}

void LoraFile::expect_all_used() const {
  if (init_ != nullptr) init_->expect_all_used();
  if (unused_.empty()) return;
  throw Error(
      Code::kMismatch,
      fmt::format("{}: {} tensors belong to no matrix of the model", path(), unused_.size()),
      {.expected = "adapters that were trained on this model",
       .found = in_quotes(*unused_.begin())});
}

}  // namespace prwkv
