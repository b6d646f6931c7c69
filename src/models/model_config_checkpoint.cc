#include <array>
#include <charconv>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "formats/reader.h"
#include "models/description.h"
#include "models/model_config.h"

namespace prwkv {
namespace {

/// A number that the engine would compute with.
double checked_eps(double eps, const std::string& where, std::string_view key) {
  if (eps > 0 && eps < 1) return eps;
  throw Error(Code::kFormat, fmt::format("{}: '{}' cannot be the eps of a norm", where, key),
              {.expected = "a number between 0 and 1", .found = fmt::format("{}", eps)});
}

// The number that was meant: 1e-5 is not the same in f32 and in f64.
double decimal(const FileValue& value) {
  const double number = value.number().value();
  if (value.type() != ValueType::kF32) return number;
  return std::stod(fmt::format("{}", static_cast<float>(number)));
}

ModelConfig from_metadata(const Reader& reader) {
  ModelConfig config;
  for (const NamedValue& v : reader.values()) {
    if (v.key.ends_with(".attention.layer_norm_epsilon") && v.value.number())
      config.layer_norm_eps = checked_eps(decimal(v.value), reader.path(), v.key);
    if (v.key.ends_with(".attention.group_norm_epsilon") && v.value.number())
      config.group_norm_eps = checked_eps(decimal(v.value), reader.path(), v.key);
    if (v.key.ends_with(".wkv.head_size")) config.head_size = v.value.integer();
  }
  return config;
}

/// What a safetensors file of ours says where it is not BlinkDL's.
void add_stated_eps(ModelConfig& config, const Reader& reader) {
  const auto stated = [&](const char* key, std::optional<double>& eps) {
    const auto found = reader.metadata().find(key);
    if (found == reader.metadata().end()) return;
    double number = 0;
    const char* end = found->second.data() + found->second.size();
    const auto parsed = std::from_chars(found->second.data(), end, number);
    eps =
        checked_eps(parsed.ec == std::errc() && parsed.ptr == end ? number : 0, reader.path(), key);
  };
  if (reader.format() != "safetensors") return;
  stated(kLayerNormKey, config.layer_norm_eps);
  stated(kLnOutKey, config.ln_out_eps);
  stated(kGroupNormKey, config.group_norm_eps);
}

/// The number under the first of these keys.
std::optional<double> number(const Json& json, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto found = json.find(key);
    if (found != json.end() && found->is_number()) return found->get<double>();
  }
  return {};
}

bool is_of(const ConfigOwner& owner, const Json& json) {
  const auto agrees = [&](std::initializer_list<const char*> keys, std::int64_t size) {
    const auto stated = number(json, keys);
    return !stated || *stated == static_cast<double>(size);
  };
  return agrees({"num_hidden_layers", "n_layer"}, owner.layers) &&
         agrees({"hidden_size", "n_embd"}, owner.channels);
}

ModelConfig from_json(const Json& json, const std::string& path) {
  ModelConfig config;
  if (const auto eps = number(json, {"layer_norm_epsilon", "norm_eps"}))
    config.layer_norm_eps = checked_eps(*eps, path, "layer_norm_epsilon or norm_eps");
  if (const auto divisor = number(json, {"head_size_divisor"})) {
    config.group_norm_eps = checked_eps(1e-5 * *divisor * *divisor, path, "head_size_divisor");
  }
  if (const auto size = number(json, {"head_size", "head_dim"}); size && *size >= 1 && *size < 1e6)
    config.head_size = static_cast<std::int64_t>(*size);
  return config;
}

/// The number under a key, which must lie between two.
std::optional<double> number_between(const Json& json, const char* key, double least, double most,
                                     const std::string& path) {
  const auto value = number(json, {key});
  if (!value || (*value >= least && *value <= most)) return value;
  throw Error(Code::kFormat, fmt::format("{}: '{}' is out of range", path, key),
              {.expected = fmt::format("a number from {} to {}", least, most),
               .found = fmt::format("{}", *value)});
}

SamplingDefaults sampling_from_json(const Json& json, const std::string& path) {
  SamplingDefaults sampling;
  if (!json.is_object()) return sampling;
  constexpr double kHottest = 1e3, kMostCandidates = 1e9;
  sampling.temperature = number_between(json, "temperature", 0, kHottest, path);
  sampling.top_p = number_between(json, "top_p", 0, 1, path);
  if (const auto k = number_between(json, "top_k", 0, kMostCandidates, path))
    sampling.top_k = static_cast<int>(*k);
  const auto sample = json.find("do_sample");
  if (sample != json.end() && *sample == false) sampling.temperature = 0;
  return sampling;
}

ModelConfig from_folder(const std::filesystem::path& folder, const ConfigOwner& owner) {
  const std::filesystem::path path = folder / "config.json",
                              generation_path = folder / "generation_config.json";
  const Json json = description(path);
  ModelConfig config;
  if (json.is_object()) {
    if (!is_of(owner, json)) return config;
    config = from_json(json, path.string());
  }
  config.sampling = sampling_from_json(description(generation_path), generation_path.string());
  return config;
}

}  // namespace

ModelConfig config_of(const Reader& reader, const ConfigOwner& owner) {
  const std::filesystem::path folder = std::filesystem::path(reader.path()).parent_path();
  if (reader.values().empty()) {
    ModelConfig config;
    try {
      config = from_folder(folder, owner);
    } catch (const Error& e) {
      throw e.or_hint(kMayBeRemoved);
    }
    add_stated_eps(config, reader);
    return config;
  }
  ModelConfig config = from_metadata(reader);
  try {
    config.sampling = from_folder(folder, owner).sampling;
  } catch (const Error&) {
    // The file describes itself. What lies beside it may help, but is no reason to refuse it.
  }
  return config;
}

}  // namespace prwkv
