/// Fuzz target: the text of an index that lies in a folder with these files:
///   1   safetensors: a          2   safetensors: b, c          p   PyTorch: a, b
///   x   no model                y   a folder
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/test_folder.h"
#include "formats/sharded.h"
#include "formats/untrusted.h"
#include "fuzz_reader.h"

namespace prwkv::testing {
namespace {

Bytes byte_tensors(const std::vector<std::string>& names) {
  std::string header = "{";
  for (std::size_t i = 0; i < names.size(); ++i) {
    header += fmt::format(R"({}"{}":{{"dtype":"U8","shape":[1],"data_offsets":[{},{}]}})",
                          i == 0 ? "" : ",", names[i], i, i + 1);
  }
  return safetensors(header + "}", names.size());
}

class Folder {
 public:
  Folder() {
    put("1", byte_tensors({"a"}));
    put("2", byte_tensors({"b", "c"}));
    put("p", valid_pth());
    put("x", counting_bytes(64));
    std::filesystem::create_directory(folder_ / "y");
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }

 private:
  void put(const std::string& name, const Bytes& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << as_text(bytes);
  }
  TemporaryFolder folder_;
};

}  // namespace
}  // namespace prwkv::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prwkv;
  using namespace prwkv::testing;
  static const Folder folder;
  const auto text = std::as_bytes(std::span(data, size));
  check_open([](MappedFile index) { return open_sharded(index); }, Bytes(text.begin(), text.end()),
             folder.path("index.json"), folder.path(""));
  return 0;
}
