#include "formats/sharded.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "formats/untrusted.h"

namespace prwkv {
namespace {

namespace fs = std::filesystem;

// A tensor's entry takes about a hundred bytes.
constexpr std::size_t kMaxIndexBytes = std::size_t{32} << 20;
constexpr std::size_t kMaxJsonNesting = 16;
constexpr const char* kIndexForm = "one JSON object in UTF-8";
constexpr const char* kWeightMapForm = R"("weight_map": {"TENSOR": "FILE", ...})";

/// Which file each tensor is in.
using WeightMap = std::map<std::string, std::string, std::less<>>;

// Reads the index as a stream of events, so that nothing but the weight map takes memory. All other
// entries ("metadata") are passed over.
class IndexParser final : public nlohmann::json_sax<Json> {
 public:
  explicit IndexParser(const std::string& path) : path_(path) {}

  WeightMap weight_map;
  bool has_weight_map = false;

  bool start_object(std::size_t) override {
    if (depth_ == 1 && at_weight_map_) {
      if (has_weight_map) {
        throw Error(Code::kFormat, path_ + ": the index has its weight_map twice",
                    {.expected = "each key once",
                     .found = fmt::format("another one behind {} tensors", weight_map.size())});
      }
      has_weight_map = true;
    } else {
      pass_over("an object");
    }
    return enter();
  }
  bool key(string_t& key) override {
    if (depth_ == 1) at_weight_map_ = key == "weight_map";
    if (in_weight_map()) tensor_ = key;
    return true;
  }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override { return pass_over("a list") && enter(); }
  bool end_array() override { return leave(); }
  bool string(string_t& file) override {
    if (!in_weight_map()) return pass_over("a text");
    if (weight_map.size() == kMaxTensors) too_many(path_, "tensors", kMaxTensors, tensor_);
    if (const auto [first, is_new] = weight_map.emplace(tensor_, file); !is_new) {
      throw Error(
          Code::kFormat, fmt::format("{}: tensor {} appears twice", path_, in_quotes(tensor_)),
          {.expected = "each name once",
           .found = fmt::format("in {} and in {}", in_quotes(first->second), in_quotes(file))});
    }
    return true;
  }
  bool null() override { return pass_over("null"); }
  bool boolean(bool) override { return pass_over("a truth value"); }
  bool number_integer(number_integer_t) override { return pass_over("a number"); }
  bool number_unsigned(number_unsigned_t) override { return pass_over("a number"); }
  bool number_float(number_float_t, const string_t&) override { return pass_over("a number"); }
  bool binary(binary_t&) override { return pass_over("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    throw Error(Code::kFormat, path_ + ": is not valid JSON",
                {.expected = kIndexForm, .found = fmt::format("an error at byte {}", position)});
  }

 private:
  [[nodiscard]] bool in_weight_map() const { return depth_ == 2 && at_weight_map_; }
  // What is not an entry of the weight map must not stand in its place.
  bool pass_over(std::string_view what) const {
    if (!at_weight_map_ || depth_ == 0) return true;
    throw Error(Code::kFormat,
                fmt::format("{}: the weight_map has {} in the wrong place", path_, what),
                {.expected = kWeightMapForm,
                 .found = depth_ == 1 ? "in place of the whole map"
                                      : "in place of the file of tensor " + in_quotes(tensor_)});
  }
  bool enter() {
    if (depth_ == kMaxJsonNesting) {
      throw Error(Code::kFormat, path_ + ": JSON is nested too deeply",
                  {.expected = fmt::format("at most {} levels", kMaxJsonNesting),
                   .found = fmt::format("at least {}", depth_ + 1)});
    }
    ++depth_;
    return true;
  }
  bool leave() {
    --depth_;
    return true;
  }

  const std::string& path_;
  std::size_t depth_ = 0;
  bool at_weight_map_ = false;
  std::string tensor_;
};

WeightMap read_index(const MappedFile& index) {
  const std::string& path = index.path();
  const std::string_view text = index.text();
  if (text.size() > kMaxIndexBytes) {
    throw Error(Code::kFormat, path + ": is too long for the index of a model",
                {.expected = fmt::format("at most {} bytes", kMaxIndexBytes),
                 .found = std::to_string(text.size())});
  }
  // The JSON library takes a NUL for the end of the text; nothing may hide behind it.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    throw Error(Code::kFormat, path + ": is not valid JSON",
                {.expected = kIndexForm, .found = fmt::format("a NUL at byte {}", nul + 1)});
  }
  IndexParser parser(path);
  Json::sax_parse(text, &parser);
  if (!parser.has_weight_map) {
    throw Error(Code::kUnsupported, path + ": is a JSON text, not a model",
                {.expected = kWeightMapForm,
                 .found = "no such key",
                 .hint = "give the weight file that stands beside it (.safetensors or .pth)"});
  }
  if (parser.weight_map.empty()) {
    throw Error(Code::kFormat, path + ": holds no tensors",
                {.expected = kWeightMapForm, .found = "an empty one"});
  }
  return std::move(parser.weight_map);
}

void check_shard_name(const std::string& path, const std::string& name) {
  std::string flaw = name_flaw(name, kMaxNameBytes);
  if (flaw.empty() && name.find_first_of("/\\") != std::string::npos) flaw = "a path";
  if (name == "." || name == "..") flaw = "a folder";
  if (flaw.empty()) return;
  throw Error(Code::kFormat, fmt::format("{}: names the file {}", path, in_quotes(name)),
              {.expected = "the name of a file in the same folder",
               .found = flaw,
               .hint = "nothing outside the model's folder is opened"});
}

class Sharded final : public Reader {
 public:
  explicit Sharded(const MappedFile& index) : Reader(index.path()) {
    const WeightMap weight_map = read_index(index);
    std::map<std::string_view, std::size_t> tensors_in;  // how many, for each file
    for (const auto& [tensor, name] : weight_map) ++tensors_in[name];
    if (tensors_in.size() > kMaxShards) {
      throw Error(Code::kFormat, path() + ": names too many files",
                  {.expected = fmt::format("at most {}", kMaxShards),
                   .found = std::to_string(tensors_in.size())});
    }
    for (const auto& [name, count] : tensors_in) check_shard_name(path(), std::string(name));
    const fs::path folder = fs::path(path()).parent_path();
    for (const auto& [name, count] : tensors_in) {
      auto shard = open_weights(MappedFile((folder / name).string()));
      check(*shard, weight_map, name, count);
      add_shard(std::move(shard));
    }
  }
  [[nodiscard]] std::string_view format() const override { return format_; }

 private:
  // All tensors of the shard are the index's, and are as many as the index says: so none is missing.
  void check(const Reader& shard, const WeightMap& weight_map, std::string_view name,
             std::size_t count) {
    if (format_.empty()) format_ = shard.format();
    if (shard.format() != format_ || (format_ != "safetensors" && format_ != "pth")) {
      throw Error(Code::kUnsupported, shard.path() + ": is no part of a model in several files",
                  {.expected = "safetensors throughout, or PyTorch files throughout",
                   .found = std::string(shard.format()),
                   .hint = "are index and files of one model?"});
    }
    for (const StoredTensor& t : shard.tensors()) {
      const auto entry = weight_map.find(t.name);
      if (entry == weight_map.end() || entry->second != name) {
        const auto in_map = [&](std::string_view file) {
          return fmt::format("{}: {}", in_double_quotes(t.name), in_double_quotes(file));
        };
        throw Error(Code::kFormat,
                    fmt::format("{}: tensor '{}' is not in the index", shard.path(), t.name),
                    {.expected = in_map(name) + " in its weight_map",
                     .found = entry == weight_map.end() ? "no such key" : in_map(entry->second),
                     .hint = "are index and files of one model?"});
      }
    }
    if (shard.tensors().size() == count) return;
    const auto missing = std::find_if(weight_map.begin(), weight_map.end(), [&](const auto& entry) {
      return entry.second == name && shard.find(entry.first) == nullptr;
    });
    throw Error(Code::kFormat,
                fmt::format("{}: tensor {} is missing", shard.path(), in_quotes(missing->first)),
                {.expected = fmt::format("the {} tensors that the index has in this file", count),
                 .found = fmt::format("{} tensors", shard.tensors().size()),
                 .hint = "are index and files of one model?"});
  }

  std::string_view format_;
};

// Weight files that lie beside models without being one.
constexpr std::string_view kOtherFiles[] = {"training_args.bin", "optimizer.", "scheduler.",
                                            "rng_state", "adapter_model."};
constexpr std::string_view kExtensions[] = {".safetensors", ".pth", ".pt", ".bin", ".gguf"};
constexpr const char* kUsualNames[] = {"model.safetensors.index.json", "model.safetensors",
                                       "pytorch_model.bin.index.json", "pytorch_model.bin"};

bool is_weight_file(std::string_view name) {
  return has_weight_extension(name) &&
         std::none_of(std::begin(kOtherFiles), std::end(kOtherFiles),
                      [&](std::string_view other) { return name.starts_with(other); });
}

bool is_deepspeed(std::string_view name) {
  return name == "zero_to_fp32.py" || name.starts_with("zero_pp_rank_") ||
         name.starts_with("mp_rank_") || name.starts_with("global_step");
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (fs::directory_iterator i(folder, ignored), end; i != end; i.increment(ignored))
    names.push_back(i->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 8;
  if (names.empty()) return "nothing";
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i)
    shown.push_back(in_quotes(names[i]));
  return fmt::format("{}{}", fmt::join(shown, ", "), names.size() > kShown ? ", ..." : "");
}

}  // namespace

std::unique_ptr<Reader> open_sharded(const MappedFile& index) {
  return std::make_unique<Sharded>(index);
}

bool has_weight_extension(std::string_view name) {
  return std::any_of(std::begin(kExtensions), std::end(kExtensions),
                     [&](std::string_view e) { return name.ends_with(e); });
}

std::string weight_file_in(const std::string& folder) {
  const std::vector<std::string> names = names_in(folder);
  const auto path_of = [&](const std::string& name) { return (fs::path(folder) / name).string(); };
  for (const char* usual : kUsualNames) {
    if (std::binary_search(names.begin(), names.end(), usual)) return path_of(usual);
  }
  if (const auto sign = std::find_if(names.begin(), names.end(), is_deepspeed);
      sign != names.end()) {
    throw Error(Code::kUnsupported, folder + ": is a DeepSpeed checkpoint folder",
                {.expected = "one weight file",
                 .found = in_quotes(*sign),
                 .hint = "merge its shards first: python zero_to_fp32.py FOLDER rwkv.pth"});
  }
  std::vector<std::string> candidates;
  std::copy_if(names.begin(), names.end(), std::back_inserter(candidates), is_weight_file);
  if (candidates.size() == 1) return path_of(candidates[0]);
  if (candidates.empty()) {
    throw Error(Code::kFile, folder + ": is a folder without a weight file",
                {.expected = fmt::format("{}, or one file that ends in {}", kUsualNames[1],
                                         fmt::join(kExtensions, ", ")),
                 .found = some_of(names),
                 .hint = "give the file that holds the weights"});
  }
  throw Error(Code::kFile, folder + ": is a folder with several weight files",
              {.expected = fmt::format("{}, or one weight file", fmt::join(kUsualNames, ", ")),
               .found = some_of(candidates),
               .hint = candidates[0].find("-of-") != std::string::npos
                           ? "parts of one model? Then fetch its index (.index.json) as well"
                           : "give the file that you mean"});
}

}  // namespace prwkv
