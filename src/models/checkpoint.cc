#include "models/checkpoint.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"
#include "models/naming.h"

namespace prwkv {
namespace {

// Training frameworks wrap the model and prefix every name.
constexpr std::array<std::string_view, 2> kWrappers = {"_forward_module.", "module."};

std::string_view unwrapped(std::string_view name) {
  for (const std::string_view w : kWrappers) {
    if (name.starts_with(w)) name.remove_prefix(w.size());
  }
  return name;
}

/// The block index of "blocks.12.…", or −1.
std::int64_t block_of(std::string_view name) {
  constexpr std::string_view kBlocks = "blocks.";
  if (!name.starts_with(kBlocks)) return -1;
  std::int64_t index = -1;
  const char *begin = name.data() + kBlocks.size(), *end = name.data() + name.size();
  const auto [p, error] = std::from_chars(begin, end, index);
  // More layers than this exist in no model; a hostile index must not become a hostile allocation.
  constexpr std::int64_t kMostLayers = 4096;
  return error == std::errc{} && p != end && *p == '.' && index >= 0 && index < kMostLayers ? index
                                                                                            : -1;
}

bool fits(const NamingRule& rule, std::string_view name, const Reader& reader) {
  if (!name.ends_with(rule.suffix)) return false;
  if (rule.only_with.empty()) return true;
  const bool negated = rule.only_with.starts_with('!');
  const std::string_view wanted = rule.only_with.substr(negated ? 1 : 0);
  const auto& all = reader.tensors();
  const bool found = std::any_of(all.begin(), all.end(),
                                 [&](const StoredTensor& t) { return t.name.ends_with(wanted); });
  return found != negated;
}

}  // namespace

Checkpoint::Checkpoint(const std::string& path) : reader_(open_weights(path)) {
  const Naming& naming = naming_of(*reader_);
  std::vector<const NamingRule*> active;  // the rules whose condition on the whole file holds
  for (const NamingRule& rule : naming.rules) {
    if (fits(rule, rule.suffix, *reader_)) active.push_back(&rule);
  }
  for (const StoredTensor& t : reader_->tensors()) {
    const std::string_view name = unwrapped(t.name);
    layers_ = std::max(layers_, block_of(name) + 1);
    Source source{.tensor = &t, .shape = t.shape, .bytes = t.bytes};
    const auto rule = std::find_if(active.begin(), active.end(),
                                   [&](const NamingRule* r) { return name.ends_with(r->suffix); });
    if (rule == active.end()) {
      sources_.emplace(name, source);
      continue;
    }
    source.transform = (*rule)->transform;
    source.transposed = (*rule)->transposed && t.shape.size() >= 2;
    if (source.transposed) std::swap(source.shape.end()[-1], source.shape.end()[-2]);
    const auto& slices = (*rule)->slices;
    if (slices.empty()) {
      sources_.emplace(name, source);
      continue;
    }
    const auto count = static_cast<std::int64_t>(slices.size());
    if (t.shape.empty() || t.shape[0] != count) {
      throw Error(
          Code::kFormat, fmt::format("{}: tensor '{}' has the wrong shape", this->path(), t.name),
          {.expected = fmt::format("a first dimension of {}", count), .found = t.shape_str()});
    }
    const std::size_t each = t.bytes.size() / slices.size();
    source.shape.erase(source.shape.begin());
    for (std::size_t i = 0; i < slices.size(); ++i) {
      source.bytes = t.bytes.subspan(i * each, each);
      sources_.emplace(
          std::string(name.substr(0, name.size() - (*rule)->suffix.size())).append(slices[i]),
          source);
    }
  }
}

const Source* Checkpoint::find(std::string_view name) const {
  const auto it = sources_.find(name);
  return it == sources_.end() ? nullptr : &it->second;
}

std::vector<std::int64_t> Checkpoint::squeezed(const std::string& name) const {
  const Source* s = find(name);
  if (s == nullptr) {
    throw Error(Code::kFormat, fmt::format("{}: tensor '{}' is missing", path(), name),
                {.hint = "is this checkpoint complete?"});
  }
  std::vector<std::int64_t> shape = s->shape;
  std::erase(shape, 1);
  return shape;
}

std::int64_t Checkpoint::dim(const std::string& name, std::size_t i) const {
  const auto shape = squeezed(name);
  if (i < shape.size()) return shape[i];
  throw Error(Code::kFormat, fmt::format("{}: tensor '{}' has the wrong shape", path(), name),
              {.expected = fmt::format("at least {} dimensions larger than 1", i + 1),
               .found = find(name)->tensor->shape_str()});
}

}  // namespace prwkv
