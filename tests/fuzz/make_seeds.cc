/// Writes the seed inputs of the fuzz targets for weight formats: make_seeds tests/fuzz/corpus
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>

#include "formats/test_files.h"

namespace prwkv::testing {
namespace {

class Corpus {
 public:
  Corpus(const std::string& root, const std::string& target) : folder_(root + "/" + target) {
    std::filesystem::create_directories(folder_);
  }
  void add(const std::string& name, std::string_view mode, const Bytes& bytes) const {
    std::ofstream out(folder_ + "/" + name, std::ios::binary);
    out << mode;
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    if (!out.flush()) throw Error(Code::kFile, folder_ + "/" + name + ": cannot be written");
  }

 private:
  std::string folder_;
};

/// What the fuzz target puts back.
Bytes without_frame(const Bytes& pickle) { return {pickle.begin() + 2, pickle.end() - 1}; }

void write_safetensors(const Corpus& corpus) {
  corpus.add("file", "f", valid_safetensors());
  corpus.add("html", "f", to_bytes("<!DOCTYPE html>"));
  corpus.add("header", "h",
             to_bytes(R"({"__metadata__":{"k":"v"},)"
                      R"("a":{"dtype":"F32","shape":[3,5],"data_offsets":[0,60]},)"
                      R"("b":{"dtype":"I32","shape":[],"data_offsets":[60,64]}} )"));
  corpus.add("empty_tensor", "h",
             to_bytes(R"({"a":{"shape":[2,0],"data_offsets":[0,0],"dtype":"U8"},)"
                      R"("\u0062":{"dtype":"F64","shape":[8],"data_offsets":[0,64]}})"));
  corpus.add("overflow", "h",
             to_bytes(R"({"a":{"dtype":"F64","shape":[2305843009213693952,8],)"
                      R"("data_offsets":[0,18446744073709551615]}})"));
}

void write_pth(const Corpus& corpus) {
  corpus.add("file", "f", valid_pth());
  corpus.add("file_zip64", "f", valid_zip64_pth());
  corpus.add("pickle", "p", without_frame(valid_pickle()));
  PickleWriter wrapped;
  wrapped.op("}(").text("epoch").integer(70000).text("state_dict").op("}q\x01(").text("a");
  wrapped.global("torch._utils", "_rebuild_parameter").tensor({.sizes = {3, 2}, .strides = {1, 3}});
  wrapped.op("q\x02\x88").ordered_dict().op("\x87R").text("b").op("h\x02uu");
  corpus.add("wrapped", "P", without_frame(wrapped.finish()));
  PickleWriter odd;
  odd.global("collections", "OrderedDict").op(")\x81").text("e");
  odd.tensor({.key = "2", .storage_numel = 0, .sizes = {0}, .strides = {1}}).op("s");
  odd.text("x").tensor({.offset = 5, .sizes = {2, 2}, .strides = {0, 0}}).op("s");
  odd.text("l").op("](K\x01N\x89").op("G????????").op("es");
  odd.op("}").text("_metadata").op("}sb");
  corpus.add("odd", "p", without_frame(odd.finish()));
  PickleWriter bomb;
  bomb.op("}").text("a").tensor({.sizes = {1 << 20, 1 << 20}, .strides = {0, 0}}).op("s");
  corpus.add("stride_bomb", "p", without_frame(bomb.finish()));
  PickleWriter wrap;
  wrap.op("}").text("a").tensor({.sizes = {2, 2}, .strides = {INT64_MAX, INT64_MAX}}).op("s");
  corpus.add("stride_wrap", "p", without_frame(wrap.finish()));
  PickleWriter evil;
  corpus.add("evil", "p",
             without_frame(evil.global("posix", "system").text("id").op("\x85R").finish()));
}

void write_rwkvcpp(const Corpus& corpus) {
  corpus.add("file", "", valid_rwkvcpp());
  corpus.add("rank3", "",
             build_rwkvcpp({.version = 100, .type = 1},
                           {{"blocks.0.att.x_rwkvag", {2, 1, 6}, 1, counting_bytes(24)},
                            {"empty", {0}, 0, {}}}));
  corpus.add("quantized", "", build_rwkvcpp({}, {{"w", {32}, 7, counting_bytes(22)}}));
  corpus.add("superblocks", "",
             build_rwkvcpp({.type = 15}, {{"w", {256, 2}, 15, counting_bytes(420)}}));
  corpus.add("old_quantized", "",
             build_rwkvcpp({.version = 100}, {{"w", {32}, 2, counting_bytes(20)}}));
}

void write_gguf(const Corpus& corpus) {
  corpus.add("file", "f", valid_gguf());
  corpus.add("file_v2", "f",
             build_gguf({.version = 2,
                         .values = {gguf_u32("general.alignment", 8), gguf_u32("split.count", 1)},
                         .tensors = {{}},
                         .data = counting_bytes(32),
                         .alignment = 8}));
  const Bytes pair = ByteWriter{}.u32(7).u64(2).text(std::string_view("\0\1", 2)).bytes;
  const GgufPair values[] = {
      gguf_text("general.name", "RWKV"),
      gguf_array("tokenizer.ggml.tokens", 8, 2, ByteWriter{}.u64(1).text("a").u64(0).bytes),
      gguf_array("tokenizer.ggml.token_type", 5, 2, counting_bytes(8)),
      gguf_array("nested", 9, 2, ByteWriter{}.raw(pair).raw(pair).bytes),
      {"f64", 12, counting_bytes(8)},
      {"bool", 7, counting_bytes(1)},
  };
  ByteWriter entries;
  entries.text("\6");
  for (const GgufPair& v : values) entries.raw(gguf_string(v.key)).u32(v.type).raw(v.bytes);
  corpus.add("values", "v", entries.bytes);
  ByteWriter records;
  records.text("\3").raw(gguf_string("a")).u32(2).u64(2).u64(3).u32(0).u64(0);
  records.raw(gguf_string("b")).u32(1).u64(32).u32(8).u64(32);
  records.raw(gguf_string("c")).u32(4).u64(16).u64(4).u64(1).u64(1).u32(30).u64(96);
  corpus.add("tensors", "t", records.bytes);
  corpus.add("choices", "g", counting_bytes(200));
  Bytes usual = counting_bytes(120);
  for (std::size_t i = 1; i < usual.size(); i += 2) usual[i] = std::byte{3};
  corpus.add("choices_of_few", "g", usual);
}

void write_sharded(const Corpus& corpus) {
  corpus.add("index", "",
             to_bytes(R"({"metadata":{"total_size":3},"weight_map":{"a":"1","b":"2","c":"2"}})"));
  corpus.add("pytorch", "", to_bytes(R"({"weight_map":{"a":"p","b":"p"}})"));
  corpus.add("two_formats", "", to_bytes(R"({"weight_map":{"a":"1","b":"p"}})"));
  corpus.add("outside", "", to_bytes(R"({"weight_map":{"a":"../1","b":"/etc/passwd","c":".."}})"));
  corpus.add("others", "", to_bytes(R"({"weight_map":{"a":"x","b":"y","c":"\u0000","d":"z"}})"));
  corpus.add("nested", "",
             to_bytes(R"({"metadata":[[{"k":[1,-1,0.5,true,null]}]],"weight_map":{}})"));
}

}  // namespace
}  // namespace prwkv::testing

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: prwkv_fuzz_seeds FOLDER\n", stderr);
    return 2;
  }
  try {
    using namespace prwkv::testing;
    write_safetensors({argv[1], "fuzz_safetensors"});
    write_pth({argv[1], "fuzz_pth"});
    write_rwkvcpp({argv[1], "fuzz_rwkvcpp"});
    write_gguf({argv[1], "fuzz_gguf"});
    write_sharded({argv[1], "fuzz_sharded"});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
