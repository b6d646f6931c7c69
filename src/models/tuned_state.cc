#include "models/tuned_state.h"

#include <fmt/core.h>

#include "base/quote.h"
#include "formats/reader.h"
#include "models/source.h"

namespace prwkv {

std::string time_state_name(std::int64_t layer) {
  return fmt::format("blocks.{}.att.time_state", layer);
}

std::size_t tuned_entry(const Model& model) {
  const std::vector<StateEntry> spec = model.state_spec(0);
  for (std::size_t i = 0; i < spec.size(); ++i) {
    if (spec[i].name == "wkv") return i;
  }
  throw Error(Code::kUnsupported,
              fmt::format("RWKV-{} has no matrix state to begin with", model.generation()),
              {.expected = "RWKV-5, 6 or 7"});
}

std::vector<std::vector<float>> read_tuned_state(const std::string& path, const Model& model) {
  const std::size_t entry = tuned_entry(model);
  const std::unique_ptr<Reader> file = open_weights(path);
  std::vector<std::vector<float>> layers(static_cast<std::size_t>(model.dims().L));
  bool has_any = false;
  for (const StoredTensor& t : file->tensors()) {
    if (!t.name.ends_with(".time_state")) continue;
    const auto bad = [&](const std::string& expected, const std::string& found) {
      throw Error(Code::kMismatch,
                  fmt::format("{}: {} does not fit the model", path, in_quotes(t.name)),
                  {.expected = expected, .found = found});
    };
    std::size_t l = 0;
    while (l < layers.size() && t.name != time_state_name(static_cast<std::int64_t>(l))) ++l;
    if (l == layers.size()) bad(fmt::format("a layer below {}", layers.size()), in_quotes(t.name));
    const Shape shape = model.state_spec(static_cast<int>(l))[entry].shape;
    if (t.shape != shape.sizes()) bad(shape.str(), t.shape_str());
    if (!is_float(t.dtype) && t.dtype != DType::kF64)
      bad("f32, f16, bf16 or f64", std::string(name_of(t.dtype)));
    layers[l].resize(static_cast<std::size_t>(shape.numel()));
    SourceReader(Source::of(t.name, t.dtype, t.bytes, t.shape)).read(0, layers[l]);
    has_any = true;
  }
  if (!has_any) {
    throw Error(Code::kFormat, fmt::format("{}: no tuned state", path),
                {.expected = "tensors like blocks.0.att.time_state",
                 .found = file->tensors().empty() ? "no tensors"
                                                  : in_quotes(file->tensors().front().name)});
  }
  return layers;
}

}  // namespace prwkv
