/// Writes the seed inputs of the fuzz targets for weight files: make_seeds tests/fuzz/corpus
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>

#include "formats/binidx_test_files.h"
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

/// An index with its length in front, and the tokens, as fuzz_binidx.cc explains.
void write_binidx(const Corpus& corpus) {
  const auto add = [&](const std::string& name, const IndexParts& parts, const Bytes& tokens) {
    const Bytes index = build_index(parts);
    corpus.add(name, "", ByteWriter{}.u16(index.size()).raw(index).raw(tokens).bytes);
  };
  const Bytes five = ByteWriter{}.u16(1).u16(2).u16(300).u16(4).u16(999).bytes;
  add("pair", {}, five);
  add("pieces", {.marks = {0, 2, 3, 3}}, five);
  add("empty", {.sizes = {}, .pointers = {}, .marks = {0}}, {});
  add("bytes", {.type = 1, .sizes = {4}, .pointers = {0}, .marks = {0, 1}}, counting_bytes(4));
  add("i32", {.type = 4, .sizes = {1, 1}, .pointers = {0, 4}, .marks = {0, 1, 2}},
      ByteWriter{}.i32(999).i32(-1).bytes);
  add("i64", {.type = 5, .sizes = {1}, .pointers = {0}, .marks = {0, 1}},
      ByteWriter{}.u64(999).bytes);
  add("floats", {.type = 6}, five);
  add("overlap", {.pointers = {0, 4, 4}}, five);
  add("claims", {.claimed_pieces = std::uint64_t{1} << 62, .claimed_marks = ~std::uint64_t{0}},
      five);
}

/// Choices and parts as fuzz_checkpoint.cc explains them.
void write_checkpoint(const Corpus& corpus) {
  const auto add = [&](const std::string& name, std::string text,
                       std::initializer_list<std::string> parts = {}) {
    for (const std::string& part : parts) text += "\x1e" + part;
    corpus.add(name, "", to_bytes(text));
  };
  struct Row {
    const char *name, *choices;  // format, generation, naming
  };
  for (const auto& [name, choices] :
       {Row{"7", "000"},        Row{"6", "010"},     Row{"5.2", "020"},   Row{"5.1", "030"},
        Row{"5.0", "040"},      Row{"4a", "050"},    Row{"4", "060"},     Row{"7_gguf", "101"},
        Row{"6_gguf", "111"},   Row{"7_cpp", "202"}, Row{"6_cpp", "212"}, Row{"5.2_cpp", "222"},
        Row{"5.0_cpp", "242"},  Row{"4_cpp", "262"}, Row{"6_hf", "013"},  Row{"5.2_hf", "023"},
        Row{"4_hf", "063"},     Row{"7_fla", "004"}, Row{"6_fla", "014"}, Row{"7_port", "005"},
        Row{"5.2_port", "325"}, Row{"7_pth", "300"}})
    add(name, choices);

  // Sizes, types, what is exported: format, names, type; rows, backend, types there.
  add("7_f16_to_gguf",
      "000"
      "0100000"
      "110"
      "10?"
      "0000");
  add("6_q8_to_gguf",
      "111"
      "0155512"
      "=00"
      "100"
      "0101");
  add("7_k_quants",
      "101"
      "1554344"
      "@00"
      "000"
      "0007");
  add("7_to_fla",
      "000"
      "0000000"
      "200"
      "011"
      "0110");
  add("4_to_hf",
      "060"
      "2012130"
      "330"
      "310"
      "0000");
  add("5.2_to_cpp",
      "020"
      "0112230"
      "0"
      "100"
      "20;"
      "0002");
  add("7_iq4_nl",
      "101"
      "0155545"
      "C00"
      "10:"
      "0000");
  add("nan",
      "000"
      "0000000"
      "002"
      "102"
      "0000");
  add("one_of_all",
      "010"
      "1311111"
      "000"
      "100"
      "0000");

  const std::string config =
      R"(c{"num_hidden_layers":2,"hidden_size":8,"head_dim":4,"norm_eps":1e-5})";
  const std::string card =
      "ttokenizer.chat_template x\ntgeneral.license mit\ntgeneral.name \"\xff\\";
  add("folder_fla", "004",
      {config, R"(g{"temperature":0.5,"top_p":1,"top_k":40,"do_sample":false})",
       R"(t{"chat_template":[{"name":"default","template":"{{x}}"}]})",
       R"(j{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]},)"
       R"("added_tokens":[{"id":3,"content":"<|endoftext|>","special":true}]})"});
  add("folder_flat_r_k", "000", {config, "es@r_k 8", "k" + card});
  add("folder_divisor", "020",
      {R"(c{"head_size_divisor":8,"layer_norm_epsilon":1e-3})",
       "v1 'a' 1\n2 b'\\xff' 1\n3 ' b' 2\n", R"(g{"temperature":1e300})",
       R"(t{"chat_template":"x"})"});
  add("folder_of_another", "063", {R"(c{"n_layer":24,"n_embd":768,"norm_eps":0})"});
  add("gguf_tokens", "101",
      {"ktgeneral.architecture rwkv7\nfrwkv7.attention.layer_norm_epsilon 1e-5\n"
       "urwkv7.wkv.head_size 4\nttokenizer.ggml.model rwkv\n"
       "Ttokenizer.ggml.tokens <s>,a,b,\\n,\\xff,\\\\,ab\nItokenizer.ggml.token_type "
       "3,1,1,1,1,4,5\n" +
       card});
  add("gguf_divided",
      "111"
      "2000000"
      "000"
      "100",
      {"ktgeneral.architecture rwkv6\nurwkv6.rescale_every_n_layers 1\nttokenizer.ggml.model "
       "no_vocab"});
  add("gguf_hybrid", "101", {"ktgeneral.architecture arwkv7"});
  add("gguf_odd", "101",
      {"kdrwkv7.attention.layer_norm_epsilon 2\nirwkv7.wkv.head_size -1\nbgeneral.x 1\n"
       "ttokenizer.ggml.model gpt2"});

  add("wrapped", "000", {"epmodule.\ntA7"});
  add("adapter", "000", {"epbase_model.model.\nn0blocks.0.att.key.lora_A"});
  add("hybrid", "000", {"ea0model.layers.0.self_attn.w_lora.0 2 2"});
  add("research", "000", {"ea0blocks.1.ffn.enn.weight 2 2"});
  add("pointer_head", "060", {"ea0head_q.weight 2 2"});
  add("tuned_state", "000", {"eX0\na0blocks.0.att.time_state 2 4 4"});
  add("incomplete", "000", {"ex@ffn.value "});
  add("transposed", "000", {"er@att.w1 \nr@ffn.key \nr@head "});
  add("blocks_apart", "000", {"ebP4095\nbQ4096\nbR-1"});
  add("twice", "004", {"ea0model.emb.weight 7 8\na0emb.weight 7 8"});
  add("no_rows", "000", {"es@emb 0 8\nS@att.v1 0 4"});
  add("no_heads", "000", {"eS@r_k 0 4"});
  add("huge_and_empty", "014", {"eS@x_proj.0.linear 5497558138880 0\nS@x_proj.2 0 5497558138880"});
  add("of_bytes",
      "000"
      "0000000"
      "660"
      "100");
  add("unused_bytes",
      "004"
      "0000000"
      "000"
      "00",
      {"ea7model.layers.0.attn.v_lora.lora.0.weight 2 8"});
  add("of_integers", "000", {"et@emb 4\nt@ln1 7\nt@head 8"});
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
    write_binidx({argv[1], "fuzz_binidx"});
    write_checkpoint({argv[1], "fuzz_checkpoint"});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
