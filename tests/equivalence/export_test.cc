/// What conversion must not lose or change: the vocabulary, the constants of norms, metadata, values.
#include "models/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "formats/writer.h"
#include "models/random.h"
#include "support/engines.h"
#include "support/error_of.h"
#include "support/paths.h"

namespace prwkv::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

/// Converts, and says what was not carried over. A name that ends in '/' is a Hugging Face folder.
std::vector<std::string> convert(const std::string& in, const std::string& out,
                                 std::optional<DType> dtype = {}) {
  const Checkpoint source(in);
  const bool is_folder = out.ends_with('/');
  ExportOptions options{.dtype = dtype, .in_hf_folder = is_folder};
  if (is_folder) options.names = ExportNames::kHuggingFace;
  options.format = is_folder ? WeightFormat::kSafetensors : weight_format_of(out).value();
  const Export plan(source, options);
  if (is_folder) fs::create_directories(out);
  plan.write(is_folder ? out + "model.safetensors" : out);
  if (is_folder) {
    for (const HfFile& file : plan.hf_files()) std::ofstream(out + file.name) << file.content;
  }
  return plan.not_carried();
}

class Carried : public testing::Test {
 protected:
  std::string model(const std::string& shape, const std::string& name = "model.safetensors") {
    fs::create_directories(fs::path(folder_ / name).parent_path());
    write_random_model(model_shape(shape), DType::kF32, folder_ / name, 1, {});
    return folder_ / name;
  }
  static std::shared_ptr<const Tokenizer> tokenizer(const std::string& path) {
    const Checkpoint file(path);
    return tokenizer_of(file, detect(file).dims.V);
  }
  /// Tokens of both, in the same order, and the same cuts of a text.
  static void expect_same(const std::string& a, const std::string& b) {
    const auto x = tokenizer(a), y = tokenizer(b);
    ASSERT_NE(x, nullptr) << a;
    ASSERT_NE(y, nullptr) << b;
    const std::string text = "abab it's \"quoted\" \\ and 'single'\n\n\t中文 \xff zz<|end|>";
    EXPECT_EQ(x->encode(text), y->encode(text)) << a << " and " << b;
    const int n = std::max(x->vocab_size(), y->vocab_size());
    for (int id = 0; id < n; ++id)
      ASSERT_EQ(x->token_bytes(id), y->token_bytes(id)) << "token " << id << " of " << b;
  }
  /// Lines for all bytes and these tokens.
  void write_vocabulary(const std::string& path, const std::vector<std::string>& more) {
    std::ofstream out(path);
    for (int byte = 0; byte < 256; ++byte)
      out << fmt::format("{} b'\\x{:02x}' 1\n", byte + 1, byte);
    for (std::size_t i = 0; i < more.size(); ++i) out << fmt::format("{} {}\n", 257 + i, more[i]);
  }
  TemporaryFolder folder_;
};

TEST_F(Carried, AVocabularyThroughEveryFormat) {
  const std::string in = model("rwkv7:L1,C64,V300");
  write_vocabulary(folder_ / "rwkv_vocab_mine.txt",
                   {"'ab' 2", "b'\\'s' 2", "'\\\\ ' 2", "'中文' 6", "'\\n\\n' 2", "\"'\\\"\" 2"});
  for (const char* name : {"a", "b", "c"}) fs::create_directory(folder_ / name);
  EXPECT_THAT(convert(in, folder_ / "a/m.gguf"), IsEmpty());
  EXPECT_THAT(convert(folder_ / "a/m.gguf", folder_ / "hf/"), IsEmpty());
  EXPECT_THAT(convert(folder_ / "hf/", folder_ / "b/m.gguf"), IsEmpty());
  EXPECT_THAT(convert(folder_ / "b/m.gguf", folder_ / "c/m.gguf"), IsEmpty());
  for (const char* out : {"a/m.gguf", "hf/", "b/m.gguf", "c/m.gguf"})
    expect_same(in, folder_ / out);
  EXPECT_TRUE(fs::exists(folder_ / "hf/rwkv_vocab.txt"));
  // Weights alone have no place for it, and that is said.
  EXPECT_THAT(convert(folder_ / "a/m.gguf", folder_ / "c/m.pth"),
              Contains("the vocabulary (in the file)"));
}

TEST_F(Carried, AVocabularyOfWorldsSizeThatIsNotWorld) {
  const std::string in = model("rwkv7:L1,C64,V65536");
  write_vocabulary(folder_ / "rwkv_vocab_v20230424.txt", {"'abab' 4"});
  {
    std::ofstream out(folder_ / "rwkv_vocab_v20230424.txt", std::ios::app);
    for (int id = 258; id < 65530; ++id)
      out << fmt::format("{} 'token {}' {}\n", id, id, 6 + std::to_string(id).size());
  }
  fs::create_directory(folder_ / "a");
  EXPECT_THAT(convert(in, folder_ / "a/m.gguf"), IsEmpty());
  EXPECT_THAT(convert(folder_ / "a/m.gguf", folder_ / "hf/"), IsEmpty());
  expect_same(in, folder_ / "a/m.gguf");
  expect_same(in, folder_ / "hf/");
}

TEST_F(Carried, TheUsualVocabularies) {
  for (const char* rows : {"65536", "50277", "50304"}) {
    const std::string folder = folder_ / rows;
    const std::string in =
        model(std::string("rwkv7:L1,C64,V") + rows, std::string(rows) + "/m.safetensors");
    EXPECT_THAT(convert(in, folder + "/m.gguf"), IsEmpty());
    EXPECT_THAT(convert(folder + "/m.gguf", folder + "/hf/"), IsEmpty());
    EXPECT_THAT(convert(folder + "/m.gguf", folder + "/m.pth"),
                Not(Contains(HasSubstr("vocabulary"))));
    const auto name = std::string(rows) == "65536" ? "world" : "neox";
    for (const char* out : {"/m.gguf", "/hf/", "/m.pth"})
      EXPECT_EQ(tokenizer(folder + out)->name(), name) << rows << out;
  }
}

TEST_F(Carried, AByteLevelBpe) {
  const std::string in = model("rwkv7:L1,C64,V300");
  // GPT-2's alphabet: printable bytes for themselves, the others from U+0100 on.
  OrderedJson vocab = OrderedJson::object();
  int next = 0x100, id = 1;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
    const int c = printable ? byte : next++;
    const std::string text = c < 0x80 ? std::string(1, static_cast<char>(c))
                                      : std::string{static_cast<char>(0xc0 | (c >> 6)),
                                                    static_cast<char>(0x80 | (c & 0x3f))};
    vocab[text] = id++;
  }
  vocab["ab"] = id++;
  vocab["abab"] = id++;
  const auto added = [](int number, const char* text, bool special) {
    return OrderedJson{{"id", number},        {"content", text},      {"special", special},
                       {"normalized", false}, {"single_word", false}, {"lstrip", false},
                       {"rstrip", false}};
  };
  const OrderedJson bytes = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  const OrderedJson json = {
      {"added_tokens", {added(0, "<|end|>", true), added(id, "zz", false)}},
      {"pre_tokenizer", bytes},
      {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b", "ab ab"}}}}};
  std::ofstream(folder_ / "tokenizer.json") << json.dump();
  ASSERT_EQ(tokenizer(in)->encode("ababzz<|end|>"), (std::vector<std::int32_t>{258, 259, 0}));
  fs::create_directory(folder_ / "a");
  EXPECT_THAT(convert(in, folder_ / "a/m.gguf"), IsEmpty());
  EXPECT_THAT(convert(folder_ / "a/m.gguf", folder_ / "hf/"), IsEmpty());
  expect_same(in, folder_ / "a/m.gguf");
  expect_same(in, folder_ / "hf/");
}

TEST_F(Carried, MetadataOfGguf) {
  const std::string plain = model("rwkv7:L1,C64,V300"), in = folder_ / "in.gguf";
  (void)convert(plain, in);
  {  // the same again, with more to say
    const auto reader = open_weights(in);
    std::vector<TensorSpec> specs(reader->tensors().begin(), reader->tensors().end());
    std::vector<GgufEntry> entries;
    for (const NamedValue& v : reader->values())
      entries.push_back(
          {std::string(v.key), GgufRaw{v.value.type(),
                                       {reinterpret_cast<const char*>(v.value.bytes().data()),
                                        v.value.bytes().size()}}});
    entries.push_back({"general.tags", std::vector<std::string>{"text", "rnn"}});
    entries.push_back({"general.license", std::string("mit")});
    entries.push_back({"general.base_model.count", std::uint32_t{1}});
    entries.push_back({"custom.scale", 0.5f});
    entries.push_back({"rwkv7.something_new", std::uint32_t{3}});
    for (GgufEntry& e : entries) {
      if (e.key == "rwkv7.context_length") e.value = std::uint32_t{4096};
    }
    GgufWriter out(folder_ / "rich.gguf", specs, entries);
    for (const StoredTensor& t : reader->tensors()) out.write(t.bytes);
    out.finish();
  }
  EXPECT_THAT(convert(folder_ / "rich.gguf", folder_ / "copy.gguf", DType::kQ8_0), IsEmpty());
  const auto rich = open_weights(folder_ / "rich.gguf"), copy = open_weights(folder_ / "copy.gguf");
  for (const NamedValue& v : rich->values()) {
    if (v.key == "general.file_type") continue;
    const FileValue* const other = copy->value(v.key);
    ASSERT_NE(other, nullptr) << v.key;
    EXPECT_EQ(other->type(), v.value.type()) << v.key;
    EXPECT_TRUE(std::equal(other->bytes().begin(), other->bytes().end(), v.value.bytes().begin(),
                           v.value.bytes().end()))
        << v.key;
  }
  EXPECT_EQ(copy->value("general.file_type")->str(), "7");
  // safetensors has texts alone.
  EXPECT_THAT(convert(folder_ / "rich.gguf", folder_ / "m.safetensors"),
              ElementsAre("rwkv7.context_length", "general.tags", "custom.scale"));
  (void)convert(folder_ / "m.safetensors", folder_ / "back.gguf");
  EXPECT_EQ(open_weights(folder_ / "back.gguf")->value("general.base_model.count")->type(),
            ValueType::kU32);
  EXPECT_EQ(open_weights(folder_ / "m.safetensors")->metadata().at("license"), "mit");
  EXPECT_THAT(convert(folder_ / "rich.gguf", folder_ / "m.pth"), Contains("license"));
}

/// The constants of norms after a conversion.
NormEps eps_in(const std::string& path) {
  const Checkpoint file(path);
  return norm_eps_of(file, detect(file));
}

TEST_F(Carried, TheConstantsOfNorms) {
  const auto folder_with = [&](const std::string& shape, const char* name,
                               const std::string& config) {
    (void)convert(model(shape, std::string(name) + ".safetensors"), folder_ / name + "/");
    std::ofstream(folder_ / name + "/config.json") << config;
    return folder_ / name + "/";
  };
  const std::string seven = folder_with("rwkv7:L1,C64,V300,N32", "seven", R"({"norm_eps": 1e-6})");
  const NormEps fla{1e-6, 1e-6, 32e-6};
  ASSERT_EQ(eps_in(seven), fla);
  for (const char* out : {"7.safetensors", "7/"}) {
    EXPECT_THAT(convert(seven, folder_ / out), IsEmpty()) << out;
    EXPECT_EQ(eps_in(folder_ / out), fla) << out;
  }
  EXPECT_THAT(convert(seven, folder_ / "7.gguf"),
              ElementsAre("the eps of ln_x, 3.2e-05, to llama.cpp, which does not read it"));
  EXPECT_EQ(eps_in(folder_ / "7.gguf"), fla);
  EXPECT_EQ(error_of([&] { (void)convert(seven, folder_ / "7.pth"); }),
            seven +
                "model.safetensors: the layer norms have an eps that the new file cannot state\n"
                "  expected  1e-05\n  found     1e-06\n"
                "  hint      write .safetensors, which can");
  // What BlinkDL's files mean is not what fla computes where heads are not of 64 channels.
  EXPECT_THAT(convert(folder_ / "seven.safetensors", folder_ / "8/"),
              ElementsAre("the eps of ln_x, 0.00064, to programs that compute with 0.00032"));
  EXPECT_EQ(eps_in(folder_ / "8/"), kBlinkdlEps);

  const std::string five =
      folder_with("rwkv5.2:L1,C64,V300", "five", R"({"head_size_divisor": 1})");
  const NormEps one{1e-5, 1e-5, 1e-5};
  ASSERT_EQ(eps_in(five), one);
  for (const char* out : {"5.safetensors", "5/"}) {
    EXPECT_THAT(convert(five, folder_ / out), IsEmpty()) << out;
    EXPECT_EQ(eps_in(folder_ / out), one) << out;
  }
  EXPECT_THAT(convert(five, folder_ / "5.pth"),
              Contains("the eps of ln_x, 1e-05: run with --groupnorm-eps 1e-05"));

  const std::string four =
      folder_with("rwkv4:L1,C64,V300", "four", R"({"layer_norm_epsilon": 1e-6})");
  const NormEps blocks{1e-6, 1e-5, 64e-5};
  ASSERT_EQ(eps_in(four), blocks);
  for (const char* out : {"4.safetensors", "4/"}) {
    EXPECT_THAT(convert(four, folder_ / out), IsEmpty()) << out;
    EXPECT_EQ(eps_in(folder_ / out), blocks) << out;
  }
}

TEST_F(Carried, AModelOfOneHead) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> outs = {
      {"5.2", {".safetensors", ".pth", ".bin", "/"}},
      {"6", {".safetensors", ".pth", ".bin", ".gguf", "/"}},
      {"7", {".safetensors", ".pth", ".gguf", "/"}}};
  for (const auto& [generation, names] : outs) {
    const std::string in =
        model("rwkv" + generation + ":L2,C64,V300,N64", generation + "-in.safetensors");
    const Pass expected = run_whole(*engine_for_file(in, {}), {1, 2, 3, 4, 5});
    for (const std::string& name : names) {
      const std::string out = folder_ / generation + "-out" + name;
      (void)convert(in, out);
      if (name == "/") fs::remove(out + "config.json");  // it helps, and must not be needed
      const Checkpoint file(out);
      const Detected found = detect(file);
      ASSERT_NE(found.generation, nullptr) << out;
      EXPECT_EQ(found.generation->name, generation) << out;
      EXPECT_EQ(found.dims.H, 1) << out;
      EXPECT_EQ(found.dims.N, 64) << out;
      const Pass pass = run_whole(*engine_for_file(out, {}), {1, 2, 3, 4, 5});
      const double tolerance = name == ".bin" ? 1e-5 * spread(expected.logits) : 0;
      EXPECT_LE(largest_difference(pass.logits, expected.logits), tolerance) << out;
    }
  }
}

TEST_F(Carried, WhatAFolderSaysOfItsModel) {
  (void)convert(model("rwkv7:L1,C64,V300"), folder_ / "in/");
  std::ofstream(folder_ / "in/chat_template.jinja") << "{{ messages }}";
  std::ofstream(folder_ / "in/tokenizer_config.json")
      << R"({"chat_template": [{"name": "default", "template": "old"}, {"name": "tool_use", "template": "T"}]})";
  std::ofstream(folder_ / "in/README.md")
      << "---\nlicense: apache-2.0\nauthor: \"X Y\"\n---\nlicense: no\n";
  const ModelCard expected = {{"license", "apache-2.0"},
                              {"author", "X Y"},
                              {"chat_template", "{{ messages }}"},
                              {"chat_template.tool_use", "T"}};
  std::string from = folder_ / "in/";
  for (const char* name : {"a.gguf", "b/", "c.gguf", "d.safetensors", "e.gguf"}) {
    EXPECT_THAT(convert(from, folder_ / name), IsEmpty()) << name;
    from = folder_ / name;
    const auto reader = open_weights(from);
    ModelCard card = model_card(*reader);
    for (const char* other : {"type", "random_weights", "vocab"}) card.erase(other);
    EXPECT_EQ(card, expected) << name;
  }
  EXPECT_EQ(open_weights(from)->value("tokenizer.chat_templates")->texts()->at(0), "tool_use");
}

TEST_F(Carried, OnlyValuesThatTheNewTypeHolds) {
  const std::string plain = model("rwkv4:L1,C64,V300");
  const auto with = [&](DType dtype, double value) {
    const auto reader = open_weights(plain);
    std::vector<TensorSpec> specs(reader->tensors().begin(), reader->tensors().end());
    for (TensorSpec& t : specs) t.dtype = dtype;
    SafetensorsWriter out(folder_ / "odd.safetensors", specs);
    for (const TensorSpec& t : specs) {
      for (std::int64_t i = 0; i < t.numel(); ++i) {
        const double x = t.name == "head.weight" && i == 100 ? value : 0.01;
        const auto narrow = static_cast<float>(x);
        out.write(dtype == DType::kF64 ? std::as_bytes(std::span(&x, 1))
                                       : std::as_bytes(std::span(&narrow, 1)));
      }
    }
    out.finish();
    return folder_ / "odd.safetensors";
  };
  const auto refusal = [&](DType dtype) {
    return error_of(
        [&] { (void)convert(folder_ / "odd.safetensors", folder_ / "out.safetensors", dtype); });
  };
  const auto message = [&](const char* type, const char* most, const char* found) {
    return fmt::format(
        "{}: tensor 'head.weight' has values that {} cannot hold\n  expected  at most {}\n"
        "  found     {}\n  hint      give --dtype f32, or bf16",
        folder_ / "odd.safetensors", type, most, found);
  };
  (void)with(DType::kF64, 1e300);
  EXPECT_EQ(refusal(DType::kF32), message("f32", "3.4028234663852886e+38", "1e+300"));
  EXPECT_EQ(refusal(DType::kF16), message("f16", "65504", "1e+300"));
  EXPECT_EQ(refusal(DType::kBF16), message("bf16", "3.3895313892515355e+38", "1e+300"));
  (void)with(DType::kF32, 3.4e38);
  EXPECT_EQ(refusal(DType::kBF16), message("bf16", "3.3895313892515355e+38", "3.4e+38"));
  EXPECT_EQ(refusal(DType::kF32), "no error");
  // What is infinite already stays so.
  (void)with(DType::kF64, std::numeric_limits<double>::infinity());
  EXPECT_EQ(refusal(DType::kF32), "no error");
  EXPECT_FALSE(fs::exists(folder_ / "out.safetensors.tmp"));
}

}  // namespace
}  // namespace prwkv::test
