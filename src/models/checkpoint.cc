#include "models/checkpoint.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/quote.h"

namespace prwkv {
namespace {

/// N of "rwkv6.rescale_every_n_layers"; 0 if the file does not say.
std::int64_t rescale_every(const Reader& reader) {
  for (const NamedValue& v : reader.values()) {
    if (!v.key.ends_with(".rescale_every_n_layers")) continue;
    const auto n = v.value.integer();
    if (n && *n >= 0) return *n;
    throw Error(Code::kFormat, fmt::format("{}: '{}' is no number of layers", reader.path(), v.key),
                {.found = in_quotes(v.value.str())});
  }
  return 0;
}

const Naming& naming_in(const Reader& reader) {
  std::set<std::string_view> names;
  for (const StoredTensor& t : reader.tensors()) names.insert(unwrapped(t.name));
  return naming_of(reader.format(), [&](std::string_view name) { return names.contains(name); });
}

}  // namespace

Checkpoint::Checkpoint(const std::string& path)
    : reader_(open_weights(path)),
      naming_(&naming_in(*reader_)),
      rescale_every_(rescale_every(*reader_)) {
  const RuleIndex rules(*naming_, RuleIndex::From::kStored);
  const std::int64_t every = rescale_every_;
  for (const StoredTensor& t : reader_->tensors()) {
    const std::string_view name = unwrapped(t.name);
    const Source stored = Source::of(t.name, t.dtype, t.bytes, t.shape);
    const auto found = rules.find(name);
    if (!found) {
      add(std::string(name), stored);
      continue;
    }
    const NamingRule& rule = *found->rule;
    const auto parts = static_cast<std::int64_t>(rule.blinkdl.size());
    if (parts > 1 && (t.shape.empty() || t.shape[0] != parts)) wrong_stored_shape(t, rule);
    for (std::int64_t i = 0; i < parts; ++i) {
      const std::string blinkdl = found->fill(rule.blinkdl[static_cast<std::size_t>(i)]);
      const std::int64_t block = block_of(blinkdl);
      if (!rule.stand_in.empty() && block == 0) continue;
      auto source = as_blinkdl(rule, parts > 1 ? stored.slice(i) : stored);
      if (!source) wrong_stored_shape(t, rule);
      if (rule.rescaled && every > 0 && block >= 0) {
        constexpr std::int64_t kMostHalvings = 64;  // no activation is smaller by so much
        if (block / every > kMostHalvings) {
          fail(Code::kFormat, "{}: block {} divided every {} layers leaves nothing of it",
               this->path(), block, every);
        }
        source->scale = std::ldexp(1.0F, static_cast<int>(block / every));
      }
      add(blinkdl, *source);
    }
  }
  const Source* emb = find("emb.weight");
  const std::int64_t channels = emb == nullptr || emb->axes.empty() ? 0 : emb->axes.back().size;
  config_ = config_of(*reader_, {.layers = layers_, .channels = channels});
}

void Checkpoint::add(std::string blinkdl_name, const Source& source) {
  layers_ = std::max(layers_, block_of(blinkdl_name) + 1);
  const auto [there, is_new] = sources_.emplace(std::move(blinkdl_name), source);
  if (is_new) return;
  throw Error(Code::kFormat,
              fmt::format("{}: two tensors are the same parameter {}", path(), there->first),
              {.found = fmt::format("'{}' and '{}'", there->second.name, source.name)});
}

void Checkpoint::wrong_stored_shape(const StoredTensor& t, const NamingRule& rule) const {
  std::string expected = "at least two dimensions";
  if (rule.blinkdl.size() > 1)
    expected = fmt::format("a first dimension of {}", rule.blinkdl.size());
  else if (!rule.order.empty())
    expected = fmt::format("two dimensions, one a multiple of {}", rule.order.size());
  throw Error(Code::kFormat, fmt::format("{}: tensor '{}' has the wrong shape", path(), t.name),
              {.expected = expected, .found = t.shape_str()});
}

const Source* Checkpoint::find(std::string_view name) const {
  const auto it = sources_.find(name);
  return it == sources_.end() ? nullptr : &it->second;
}

void expect_parameter(const Reader& reader, const Param& p, const Source& s, const Dims& dims) {
  const std::string in_file = s.name == p.name ? "" : fmt::format(" in '{}'", s.name);
  if (!is_float(s.dtype) && !is_block(s.dtype)) {
    throw Error(Code::kFormat,
                fmt::format("{}: tensor '{}' has the wrong type", reader.path(), p.name),
                {.expected = "f16, bf16, f32, f64 or a block type",
                 .found = std::string(name_of(s.dtype)) + in_file,
                 .hint = "quantized by another program? Use the model as it was released"});
  }
  const std::vector<std::int64_t> expected = blinkdl_shape(p, dims);
  std::vector<std::int64_t> found = s.shape();
  if (p.stored == Stored::kVector ? same_vector(found, expected) : found == expected) return;
  if (found.size() >= 2) std::swap(found.end()[-1], found.end()[-2]);
  throw Error(Code::kFormat,
              fmt::format("{}: tensor '{}' has the wrong shape", reader.path(), p.name),
              {.expected = fmt::format("({})", fmt::join(expected, ", ")),
               .found = reader.find(s.name)->shape_str() + in_file,
               .hint = found == expected ? "it looks transposed"
                                         : "is this checkpoint complete, and of one model?"});
}

const Source& Checkpoint::parameter(const Param& p, const Dims& dims) const {
  const Source* s = find(p.name);
  if (s == nullptr) {
    throw Error(Code::kFormat, fmt::format("{}: tensor '{}' is missing", path(), p.name),
                {.expected = fmt::format("({})", fmt::join(blinkdl_shape(p, dims), ", ")),
                 .found = "no tensor of that name",
                 .hint = "is this checkpoint complete?"});
  }
  expect_parameter(*reader_, p, *s, dims);
  return *s;
}

std::vector<std::int64_t> Checkpoint::squeezed(const std::string& name) const {
  const Source* s = find(name);
  if (s == nullptr) {
    throw Error(Code::kFormat, fmt::format("{}: tensor '{}' is missing", path(), name),
                {.hint = "is this checkpoint complete?"});
  }
  std::vector<std::int64_t> shape = s->shape();
  std::erase(shape, 1);
  return shape;
}

std::pair<std::int64_t, std::int64_t> Checkpoint::heads(const std::string& name,
                                                        std::int64_t channels) const {
  const auto shape = squeezed(name);
  if (shape.size() >= 2) return {shape[0], shape[1]};
  const std::int64_t N = config_.head_size.value_or(channels);
  return N > 0 && channels % N == 0 ? std::pair(channels / N, N)
                                    : std::pair(std::int64_t{1}, channels);
}

std::int64_t Checkpoint::dim(const std::string& name, std::size_t i) const {
  const auto shape = squeezed(name);
  if (i < shape.size()) return shape[i];
  throw Error(Code::kFormat, fmt::format("{}: tensor '{}' has the wrong shape", path(), name),
              {.expected = fmt::format("at least {} dimensions larger than 1", i + 1),
               .found = reader_->find(find(name)->name)->shape_str()});
}

}  // namespace prwkv
