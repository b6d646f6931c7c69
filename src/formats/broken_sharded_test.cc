// Models in several files, and folders, that are damaged, hostile or ambiguous.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "base/test_folder.h"
#include "formats/broken_file.h"
#include "formats/untrusted.h"

namespace prwkv::testing {
namespace {

constexpr const char* kIndex = "model.safetensors.index.json";

using Files = std::vector<std::pair<std::string, Bytes>>;

struct BrokenFolder {
  const char* name;
  std::function<Files()> files;
  const char* open;     ///< what the user gives: a file in the folder, or "" for the folder
  const char* message;  ///< first line, behind the folder's path
};
std::ostream& operator<<(std::ostream& out, const BrokenFolder& b) { return out << b.name; }

/// An index whose weight_map is `entries`, beside two files with one tensor each: 1 has a, 2 has b.
Bytes one_tensor(const std::string& name) {
  return safetensors(
      fmt::format(R"({{"{}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}})", name), 1);
}
Files with_index(const std::string& index) {
  return {{kIndex, to_bytes(index)}, {"1", one_tensor("a")}, {"2", one_tensor("b")}};
}
Files with_map(const std::string& entries) {
  return with_index(
      fmt::format(R"({{"metadata":{{"total_size":2}},"weight_map":{{{}}}}})", entries));
}
Files with_second_shard(const Bytes& shard) {
  return {{kIndex, to_bytes(R"({"weight_map":{"a":"1","b":"2"}})")},
          {"1", one_tensor("a")},
          {"2", shard}};
}

const BrokenFolder kIndexes[] = {
    {"index_without_weight_map", [] { return with_index(R"({"metadata":{}})"); }, kIndex,
     "model.safetensors.index.json: is a JSON text, not a model"},
    {"index_is_config",
     [] {
       return Files{{"config.json", to_bytes(R"({"model_type":"rwkv7"})")}};
     },
     "config.json", "config.json: is a JSON text, not a model"},
    {"index_cut", [] { return with_index(R"({"weight_map":{"a":"1")"); }, kIndex,
     "model.safetensors.index.json: is not valid JSON"},
    {"index_with_nul",
     [] { return with_index(std::string(R"({"weight_map":{"a":"1","b":"2"}})") + '\0'); }, kIndex,
     "model.safetensors.index.json: is not valid JSON"},
    {"index_two_values", [] { return with_index(R"({"weight_map":{"a":"1","b":"2"}} {})"); },
     kIndex, "model.safetensors.index.json: is not valid JSON"},
    {"index_two_maps",
     [] { return with_index(R"({"weight_map":{"a":"1"},"weight_map":{"b":"2"}})"); }, kIndex,
     "model.safetensors.index.json: the index has its weight_map twice"},
    {"index_map_is_list", [] { return with_index(R"({"weight_map":["1","2"]})"); }, kIndex,
     "model.safetensors.index.json: the weight_map has a list in the wrong place"},
    {"index_map_is_text", [] { return with_index(R"({"weight_map":"1"})"); }, kIndex,
     "model.safetensors.index.json: the weight_map has a text in the wrong place"},
    {"index_map_is_null", [] { return with_index(R"({"weight_map":null})"); }, kIndex,
     "model.safetensors.index.json: the weight_map has null in the wrong place"},
    {"index_file_is_number", [] { return with_map(R"("a":1)"); }, kIndex,
     "model.safetensors.index.json: the weight_map has a number in the wrong place"},
    {"index_file_is_object", [] { return with_map(R"("a":{"b":"c"})"); }, kIndex,
     "model.safetensors.index.json: the weight_map has an object in the wrong place"},
    {"index_file_is_list", [] { return with_map(R"("a":["1"])"); }, kIndex,
     "model.safetensors.index.json: the weight_map has a list in the wrong place"},
    {"index_deep", [] { return with_index(R"({"metadata":)" + std::string(1000000, '[')); }, kIndex,
     "model.safetensors.index.json: JSON is nested too deeply"},
    {"index_tensor_twice", [] { return with_map(R"("a":"1","a":"2")"); }, kIndex,
     "model.safetensors.index.json: tensor 'a' appears twice"},
    {"index_empty_map", [] { return with_map(""); }, kIndex,
     "model.safetensors.index.json: holds no tensors"},
    {"index_too_many_tensors",
     [] {
       std::string entries = R"("a":"1")";
       for (std::size_t i = 0; i < kMaxTensors; ++i) entries += fmt::format(R"(,"{}":"1")", i);
       return with_map(entries);
     },
     kIndex, "model.safetensors.index.json: has too many tensors"},
    {"index_too_many_files",
     [] {
       std::string entries = R"("a":"1")";
       for (std::size_t i = 0; i < kMaxShards; ++i) entries += fmt::format(R"(,"{0}":"f{0}")", i);
       return with_map(entries);
     },
     kIndex, "model.safetensors.index.json: names too many files"},
    {"index_too_long",
     [] { return with_index("{" + std::string(std::size_t{32} << 20, ' ') + "}"); }, kIndex,
     "model.safetensors.index.json: is too long for the index of a model"},
    {"index_names_absolute_path", [] { return with_map(R"("a":"/etc/passwd")"); }, kIndex,
     "model.safetensors.index.json: names the file '/etc/passwd'"},
    {"index_names_parent", [] { return with_map(R"("a":"../1")"); }, kIndex,
     "model.safetensors.index.json: names the file '../1'"},
    {"index_names_dots", [] { return with_map(R"("a":"..")"); }, kIndex,
     "model.safetensors.index.json: names the file '..'"},
    {"index_names_dot", [] { return with_map(R"("a":".")"); }, kIndex,
     "model.safetensors.index.json: names the file '.'"},
    {"index_names_backslash", [] { return with_map(R"("a":"..\\1")"); }, kIndex,
     "model.safetensors.index.json: names the file '..\\1'"},
    {"index_names_nothing", [] { return with_map(R"("a":"")"); }, kIndex,
     "model.safetensors.index.json: names the file ''"},
    {"index_names_nul", [] { return with_map(R"("a":"1\u0000")"); }, kIndex,
     R"(model.safetensors.index.json: names the file '1\x00')"},
    {"index_names_itself", [] { return with_map(R"("a":"model.safetensors.index.json")"); }, kIndex,
     "model.safetensors.index.json: is a JSON text, not a weight file"},
    {"index_names_missing_file", [] { return with_map(R"("a":"1","b":"3")"); }, kIndex,
     "3: cannot be opened"},
    {"index_names_folder",
     [] {
       Files files = with_map(R"("a":"sub")");
       files.emplace_back("sub/1", Bytes{});
       return files;
     },
     kIndex, "sub: is not a regular file"},
};

const BrokenFolder kShards[] = {
    {"shard_empty", [] { return with_second_shard({}); }, kIndex, "2: is empty"},
    {"shard_is_no_model", [] { return with_second_shard(Bytes(64)); }, kIndex,
     "2: is no weight file of a known format"},
    {"shard_cut",
     [] {
       Bytes shard = one_tensor("b");
       shard.pop_back();
       return with_second_shard(shard);
     },
     kIndex, "2: is incomplete"},
    {"shard_of_other_format", [] { return with_second_shard(valid_pth()); }, kIndex,
     "2: is no part of a model in several files"},
    {"shard_gguf",
     [] {
       return Files{{kIndex, to_bytes(R"({"weight_map":{"a":"1","b":"1"}})")}, {"1", valid_gguf()}};
     },
     kIndex, "1: is no part of a model in several files"},
    {"shard_with_other_tensor", [] { return with_second_shard(one_tensor("c")); }, kIndex,
     "2: tensor 'c' is not in the index"},
    {"shard_with_tensor_of_another", [] { return with_second_shard(one_tensor("a")); }, kIndex,
     "2: tensor 'a' is not in the index"},
    {"shard_lacks_tensor", [] { return with_map(R"("a":"1","b":"2","c":"2")"); }, kIndex,
     "2: tensor 'c' is missing"},
    {"shard_with_more_tensors",
     [] {
       return Files{{kIndex, to_bytes(R"({"weight_map":{"a":"1"}})")}, {"1", valid_safetensors()}};
     },
     kIndex, "1: tensor 'b' is not in the index"},
    {"shards_swapped", [] { return with_map(R"("a":"2","b":"1")"); }, kIndex,
     "1: tensor 'a' is not in the index"},
};

const BrokenFolder kFolders[] = {
    {"folder_empty",
     [] {
       return Files{{"README.md", {}}};
     },
     "", ": is a folder without a weight file"},
    {"folder_of_other_files",
     [] {
       return Files{{"training_args.bin", {}}, {"optimizer.pt", {}}, {"rng_state.pth", {}}};
     },
     "", ": is a folder without a weight file"},
    {"folder_two_models",
     [] {
       return Files{{"rwkv-0.1b.pth", {}}, {"rwkv-0.4b.pth", {}}};
     },
     "", ": is a folder with several weight files"},
    {"folder_shards_without_index",
     [] {
       return Files{{"model-00001-of-00002.safetensors", {}},
                    {"model-00002-of-00002.safetensors", {}}};
     },
     "", ": is a folder with several weight files"},
    {"folder_many_models",
     [] {
       Files files;
       for (int i = 0; i < 20; ++i) files.emplace_back(fmt::format("m{:02}.gguf", i), Bytes{});
       return files;
     },
     "", ": is a folder with several weight files"},
    {"folder_deepspeed",
     [] {
       return Files{{"mp_rank_00_model_states.pt", {}}, {"zero_to_fp32.py", {}}};
     },
     "", ": is a DeepSpeed checkpoint folder"},
    {"folder_with_empty_model",
     [] {
       return Files{{"model.safetensors", {}}, {"rwkv.pth", {}}};
     },
     "", "model.safetensors: is empty"},
};

class BrokenFolderTest : public ::testing::TestWithParam<BrokenFolder> {};

TEST_P(BrokenFolderTest, IsRefusedWithItsMessage) {
  const TemporaryFolder folder;
  for (const auto& [name, bytes] : GetParam().files()) {
    std::filesystem::create_directories(std::filesystem::path(folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << as_text(bytes);
  }
  std::string error = error_of([&] { open_weights(folder / GetParam().open); });
  // Where the folder happens to lie is no part of the message.
  for (std::size_t at = 0; (at = error.find(folder / "", at)) != std::string::npos;)
    error.erase(at, (folder / "").size());
  EXPECT_EQ(first_line(error), GetParam().message) << error;
  expect_whole_message(GetParam().name, error);
}

std::string folder_case_name(const ::testing::TestParamInfo<BrokenFolder>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Index, BrokenFolderTest, ::testing::ValuesIn(kIndexes), folder_case_name);
INSTANTIATE_TEST_SUITE_P(Shard, BrokenFolderTest, ::testing::ValuesIn(kShards), folder_case_name);
INSTANTIATE_TEST_SUITE_P(Folder, BrokenFolderTest, ::testing::ValuesIn(kFolders), folder_case_name);

}  // namespace
}  // namespace prwkv::testing
