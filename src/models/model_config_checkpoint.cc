#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "formats/reader.h"
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
    if (v.key.ends_with(".wkv.head_size")) config.head_size = v.value.integer();
  }
  return config;
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

ModelConfig from_json(const std::string& path, const ConfigOwner& owner) {
  const MappedFile file(path);
  constexpr std::size_t kMostBytes = std::size_t{1} << 20;
  if (file.bytes().size() > kMostBytes) {
    throw Error(Code::kFormat, path + ": is too large to describe a model",
                {.expected = fmt::format("at most {} bytes", kMostBytes),
                 .found = fmt::format("{}", file.bytes().size()),
                 .hint = "no config.json is needed: it may be removed"});
  }
  const Json json =
      parse_json({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, path);
  ModelConfig config;
  if (!json.is_object() || !is_of(owner, json)) return config;
  if (const auto eps = number(json, {"layer_norm_epsilon", "norm_eps"}))
    config.layer_norm_eps = checked_eps(*eps, path, "layer_norm_epsilon or norm_eps");
  if (const auto divisor = number(json, {"head_size_divisor"})) {
    checked_eps(1e-5 * *divisor * *divisor, path, "head_size_divisor");
    config.head_size_divisor = divisor;
  }
  if (const auto size = number(json, {"head_size", "head_dim"}); size && *size >= 1 && *size < 1e6)
    config.head_size = static_cast<std::int64_t>(*size);
  return config;
}

}  // namespace

ModelConfig config_of(const Reader& reader, const ConfigOwner& owner) {
  if (!reader.values().empty()) return from_metadata(reader);
  const std::string path =
      (std::filesystem::path(reader.path()).parent_path() / "config.json").string();
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) ? from_json(path, owner) : ModelConfig{};
}

}  // namespace prwkv
