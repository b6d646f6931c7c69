/// What a weight file holds and what stands beside it: other models are refused by name, config.json
/// and vocabularies are used where they belong to the model.
#include <gtest/gtest.h>

#include <fstream>

#include "base/mapped_file.h"
#include "formats/writer.h"
#include "models/export.h"
#include "models/model_card.h"
#include "models/model_tokenizer.h"
#include "support/engines.h"
#include "support/error_of.h"
#include "support/paths.h"
#include "tokenizer/world_trie.h"

namespace prwkv::test {
namespace {

using Tensors = std::vector<TensorSpec>;

void write_zeros(Writer& out, const Tensors& tensors) {
  for (const TensorSpec& t : tensors) out.write(std::vector<std::byte>(t.byte_count()));
  out.finish();
}

// ---- refusals

constexpr const char* kHybrid =
    "its attention is RWKV's, the rest Qwen's: llama.cpp runs it, this version does not";
constexpr const char* kElsewhere =
    "prwkv runs RWKV 4 to 7; transformers or llama.cpp run other models";

std::string message(const std::string& what, const std::string& found, const std::string& hint) {
  return fmt::format(": this is {}\n  found     {}\n  hint      {}", what, found, hint);
}

class Refusals : public testing::Test {
 protected:
  std::string refusal_of(const std::vector<std::string>& names, const char* architecture) {
    Tensors tensors;
    for (const std::string& name : names) tensors.push_back({name, DType::kF32, {2, 2}});
    const std::string path = folder_ / (architecture == nullptr ? "m.safetensors" : "m.gguf");
    if (architecture == nullptr) {
      SafetensorsWriter out(path, tensors);
      write_zeros(out, tensors);
    } else {
      GgufWriter out(path, tensors, {{"general.architecture", std::string(architecture)}});
      write_zeros(out, tensors);
    }
    const std::string error = error_of([&] { (void)engine_for_file(path, {}); });
    return error.starts_with(path) ? error.substr(path.size()) : error;
  }
  TemporaryFolder folder_;
};

TEST_F(Refusals, NameWhatGgufFilesHold) {
  const std::vector<std::string> names = {"token_embd.weight", "blk.0.attn_q.weight"};
  EXPECT_EQ(refusal_of(names, "rwkv6qwen2"),
            message("QRWKV6 (rwkv6qwen2)", "general.architecture = 'rwkv6qwen2'", kHybrid));
  EXPECT_EQ(refusal_of(names, "arwkv7"),
            message("ARWKV-7 (arwkv7)", "general.architecture = 'arwkv7'", kHybrid));
  EXPECT_EQ(refusal_of(names, "llama"),
            message("no RWKV model", "general.architecture = 'llama'", kElsewhere));
}

TEST_F(Refusals, NameWhatTensorsShow) {
  struct Row {
    std::vector<std::string> names;
    std::string what, found, hint;
  };
  const std::string adapter = "give the model that it was trained on, and this file with --lora";
  const std::string research = "it is not a language model of a released generation";
  const Row rows[] = {
      {{"model.layers.3.self_attn.time_maa_w1", "model.layers.3.self_attn.q_proj.weight"},
       "QRWKV6 (rwkv6qwen2)",
       "'model.layers.#.self_attn.time_maa_w1'",
       kHybrid},
      {{"model.layers.0.self_attn.time_mixer.r_k", "model.embed_tokens.weight"},
       "ARWKV-7 (arwkv7)",
       "'model.layers.#.self_attn.time_mixer.r_k'",
       kHybrid},
      {{"model.layers.0.self_attn.q_proj.weight", "model.embed_tokens.weight"},
       "a transformer, not an RWKV model",
       "'model.layers.#.self_attn.q_proj.weight'",
       kElsewhere},
      {{"transformer.h.0.attn.c_attn.weight"},
       "a transformer, not an RWKV model",
       "'transformer.h.#.attn.c_attn.weight'",
       kElsewhere},
      {{"backbone.layers.0.mixer.A_log"},
       "a Mamba model, not an RWKV model",
       "'backbone.layers.#.mixer.A_log'",
       kElsewhere},
      {{"blocks.0.rosa.q.weight", "emb.weight"},
       "a ROSA language model (RWKV-8 research)",
       "'blocks.#.rosa.q.weight'",
       research},
      {{"blocks.0.att.time_state", "blocks.1.att.time_state"},
       "a tuned state, not a model",
       "'blocks.#.att.time_state'",
       "give the model that it was tuned for, and this file with --init-state"},
      {{"blocks.0.att.key.lora_A", "blocks.0.att.key.lora_B"},
       "a LoRA adapter, not a model",
       "'blocks.#.att.key.lora_A'",
       adapter},
      {{"base_model.model.rwkv.blocks.0.attention.key.lora_A.weight"},
       "a LoRA adapter, not a model",
       "'base_model.model.rwkv.blocks.#.attention.key.lora_A.weight'",
       adapter},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(refusal_of(row.names, nullptr), message(row.what, row.found, row.hint));
  }
}

TEST_F(Refusals, NameLaterGenerationsInsteadOfRunningThemAs7) {
  struct Row {
    std::vector<std::string> names;
    std::string what;
  };
  const Row rows[] = {
      {{"blocks.0.ffn.s_emb.weight"}, "RWKV-7a"},
      {{"blocks.1.ffn.s_emb.weight"}, "RWKV-7a"},
      {{"blocks.0.qkv.k_emb.weight"}, "RWKV-7b"},
      {{"blocks.0.ffn.enn.weight"}, "RWKV-8 rc00"},
      {{"blocks.0.qkv.kkup.weight"}, "RWKV-8 rc00-hybrid"},
  };
  for (const Row& row : rows) {
    std::vector<std::string> names = {"emb.weight", "blocks.0.att.r_k"};
    names.insert(names.end(), row.names.begin(), row.names.end());
    EXPECT_EQ(refusal_of(names, nullptr),
              fmt::format(": this checkpoint is {}, which this version cannot run\n"
                          "  expected  RWKV 4, 4a, 5.0, 5.1, 5.2, 6 or 7\n  found     {}",
                          row.what, row.names[0]));
  }
}

TEST_F(Refusals, SayWhatIsThereOtherwise) {
  EXPECT_EQ(
      refusal_of({"weights.0"}, nullptr),
      ": this holds no RWKV model that can be run\n"
      "  expected  tensors named as in BlinkDL's checkpoints (emb.weight, blocks.0.att.…), or as "
      "in GGUF, rwkv.cpp or Hugging Face files of RWKV\n"
      "  found     'weights.0' and others\n"
      "  hint      prwkv inspect lists what is in it");
}

TEST_F(Refusals, SayThatIntegersAreNoWeights) {
  const std::string path = folder_ / "m.safetensors";
  std::string bytes(MappedFile(repository_file("tests/golden/rwkv7.safetensors")).text());
  const std::string type = R"("emb.weight":{"dtype":"F32")";
  ASSERT_NE(bytes.find(type), std::string::npos);
  bytes[bytes.find(type) + type.size() - 4] = 'I';
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_EQ(error_of([&] { (void)engine_for_file(path, {}); }),
            path +
                ": tensor 'emb.weight' has the wrong type\n"
                "  expected  f16, bf16, f32, f64 or a block type\n  found     i32\n"
                "  hint      quantized by another program? Use the model as it was released");
}

// ---- config.json

const std::string kMayBeRemoved =
    "\n  hint      fetch it again, or remove it: a model runs without it, with what is usual for "
    "its "
    "generation";

class Config : public testing::Test {
 protected:
  Config() { std::filesystem::copy(repository_file("tests/golden/rwkv7.safetensors"), model_); }
  void config(const std::string& text) { std::ofstream(folder_ / "config.json") << text; }
  LoadedModel load(const LoadOptions& options = {}) {
    return load_model(model_, *backend_, options);
  }
  TemporaryFolder folder_;
  std::string model_ = folder_ / "model.safetensors";
  std::unique_ptr<Backend> backend_ = make_backend({.name = "ref", .dtype = DType::kF32});
};

TEST_F(Config, IsNotNeeded) {
  const LoadedModel m = load();
  EXPECT_EQ(m.model->layer_norm_eps, 1e-5);
  EXPECT_EQ(m.model->groupnorm_eps, 64e-5);
}

TEST_F(Config, GivesTheConstantsOfNorms) {
  config(R"({"hidden_size": 48, "layer_norm_epsilon": 1e-6, "head_size_divisor": 4, "x": [1]})");
  const LoadedModel m = load();
  EXPECT_EQ(m.model->layer_norm_eps, 1e-6);
  EXPECT_EQ(m.model->ln_out_eps, 1e-6);
  EXPECT_DOUBLE_EQ(m.model->groupnorm_eps, 16e-5);
  EXPECT_EQ(load({.dtype = {}, .groupnorm_eps = 2e-5}).model->groupnorm_eps, 2e-5);
}

TEST_F(Config, OfAnotherModelIsNotUsed) {
  config(R"({"hidden_size": 64, "layer_norm_epsilon": 1e-6})");
  EXPECT_EQ(load().model->layer_norm_eps, 1e-5);
  config(R"({"num_hidden_layers": 24, "layer_norm_epsilon": 1e-6})");
  EXPECT_EQ(load().model->layer_norm_eps, 1e-5);
}

TEST_F(Config, ThatIsWrongAboutSizesDoesNoHarm) {
  config(R"({"hidden_size": 48, "head_dim": 7, "num_heads": 99, "vocab_size": 3,
             "intermediate_size": null, "bos_token_id": 1, "eos_token_id": 2})");
  EXPECT_EQ(load().model->dims().N, 16);
}

TEST_F(Config, ThatCannotBeUsedIsAnError) {
  config("{\"hidden_size\": ");
  const std::string error = error_of([&] { (void)load(); });
  EXPECT_TRUE(error.starts_with(folder_ / "config.json: not valid JSON")) << error;
  EXPECT_TRUE(error.ends_with(kMayBeRemoved)) << error;
  config(R"({"norm_eps": -1})");
  EXPECT_EQ(error_of([&] { (void)load(); }),
            (folder_ / "config.json") +
                ": 'layer_norm_epsilon or norm_eps' cannot be the eps of a norm\n"
                "  expected  a number between 0 and 1\n  found     -1" +
                kMayBeRemoved);
}

TEST_F(Config, ThatIsEmptyIsAnErrorThatSaysWhatToDo) {
  for (const char* name : {"config.json", "generation_config.json"}) {
    std::ofstream(folder_ / name).close();
    EXPECT_EQ(error_of([&] { (void)load(); }), (folder_ / name) + ": is empty" + kMayBeRemoved);
    std::filesystem::remove(folder_ / name);
  }
  config("{}");
  std::ofstream(folder_ / "tokenizer_config.json").close();
  EXPECT_EQ(error_of([&] { Export(Checkpoint(model_), {}); }),
            (folder_ / "tokenizer_config.json") + ": is empty" + kMayBeRemoved);
}

TEST_F(Config, ThatIsBrokenDoesNoHarmToGguf) {
  const std::string gguf = folder_ / "model.gguf";
  Export(Checkpoint(model_), {.format = WeightFormat::kGguf, .dtype = {}}).write(gguf);
  for (const char* text : {"", "{", R"({"norm_eps": -1, "top_p": 2})"}) {
    for (const char* name : {"config.json", "generation_config.json", "tokenizer_config.json"})
      std::ofstream(folder_ / name) << text;
    const Checkpoint file(gguf);
    EXPECT_EQ(file.config().layer_norm_eps, 1e-5) << text;
    EXPECT_EQ(file.config().sampling.top_p, std::nullopt) << text;
    EXPECT_EQ(model_card(file.reader()).count(kChatTemplate), 0u) << text;
  }
}

TEST_F(Config, OfGenerationIsHowTextIsDrawn) {
  std::ofstream(folder_ / "generation_config.json")
      << R"({"temperature": 0.5, "top_p": 0.25, "top_k": 7,
      "do_sample": true, "eos_token_id": 2, "max_new_tokens": 9})";
  const SamplingOptions s = Engine::open(model_, {})->session().sampler().options();
  EXPECT_EQ(s.temperature, 0.5);
  EXPECT_EQ(s.top_p, 0.25);
  EXPECT_EQ(s.top_k, 7);
  std::ofstream(folder_ / "generation_config.json") << R"({"do_sample": false})";
  const SamplingOptions greedy = Engine::open(model_, {})->session().sampler().options();
  EXPECT_EQ(greedy.temperature, 0);
  EXPECT_EQ(greedy.top_p, SamplingOptions{}.top_p);
  std::ofstream(folder_ / "generation_config.json") << R"({"top_p": 2})";
  EXPECT_EQ(error_of([&] { (void)load(); }),
            (folder_ / "generation_config.json") +
                ": 'top_p' is out of range\n  expected  a number from 0 to 1\n  found     2" +
                kMayBeRemoved);
  // One that stands beside another model's config.json is as little ours as that.
  config(R"({"hidden_size": 64})");
  EXPECT_EQ(Engine::open(model_, {})->session().sampler().options().top_p, SamplingOptions{}.top_p);
}

// ---- vocabularies

/// `text` as GGUF files escape tokens: as Python prints bytes.
std::string escaped(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\' || c == '\'')
      text += fmt::format("\\{}", c);
    else if (byte < 32 || byte > 126)
      text += fmt::format("\\x{:02x}", byte);
    else
      text += c;
  }
  return text;
}

class Vocabulary : public testing::Test {
 protected:
  using Metadata = std::vector<GgufEntry>;
  std::string gguf(const Metadata& more) {
    Metadata metadata = {{"general.architecture", std::string("rwkv7")}};
    metadata.insert(metadata.end(), more.begin(), more.end());
    const Tensors tensors = {{"token_embd.weight", DType::kF32, {2, 2}}};
    GgufWriter out(folder_ / "m.gguf", tensors, metadata);
    write_zeros(out, tensors);
    return folder_ / "m.gguf";
  }
  static std::vector<std::string> all_bytes() {
    std::vector<std::string> tokens = {"<s>"};
    for (int byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      tokens.push_back(escaped({&c, 1}));
    }
    return tokens;
  }
  std::shared_ptr<const Tokenizer> of(const std::vector<std::string>& tokens,
                                      std::int64_t rows = 65536) {
    std::vector<std::int32_t> types(tokens.size(), 1);
    types[0] = 3;
    return tokenizer_of(Checkpoint(gguf({{"tokenizer.ggml.model", std::string("rwkv")},
                                         {"tokenizer.ggml.tokens", tokens},
                                         {"tokenizer.ggml.token_type", types}})),
                        rows);
  }
  TemporaryFolder folder_;
};

TEST_F(Vocabulary, InsideAFileIsUsed) {
  auto tokens = all_bytes();
  for (const char* more : {R"(\r\n)", R"(it\'s)", R"(\\)", R"(\xe4\xb8\xad)", "中文", R"(\q!)"})
    tokens.emplace_back(more);
  tokens.erase(std::find(tokens.begin(), tokens.end(), R"(\\)"));
  const auto t = of(tokens);
  EXPECT_EQ(t->name(), "in the file");
  EXPECT_EQ(t->vocab_size(), static_cast<int>(tokens.size()));
  EXPECT_TRUE(t->is_special(0));
  const std::string text = "\r\nit's <s> \\中文q!";
  EXPECT_EQ(t->decode(t->encode(text)), text);
  EXPECT_EQ(t->encode("\r\n").size(), 1U);
  EXPECT_EQ(t->token_bytes(t->encode("中文").at(0)), "中文");
  EXPECT_EQ(t->encode("q!").size(), 1U);  // \q is q
}

TEST_F(Vocabulary, ThatIsWorldIsCalledWorld) {
  const auto world = world_tokenizer();
  std::vector<std::string> tokens = {"<s>"};
  for (int id = 1; id < 65530; ++id) tokens.push_back(escaped(world->token_bytes(id)));
  EXPECT_EQ(of(tokens)->name(), "world");
  tokens.back() = "a token of no other vocabulary";
  EXPECT_EQ(of(tokens)->name(), "in the file");
}

TEST_F(Vocabulary, InsideAFileMustBeComplete) {
  const std::string path = folder_ / "m.gguf";
  auto tokens = all_bytes();
  tokens.erase(tokens.begin() + 98);
  EXPECT_EQ(error_of([&] { (void)of(tokens); }),
            path +
                ": no token for the single byte 0x61\n"
                "  expected  a token for each of the 256 bytes, so that every text can be encoded\n"
                "  found     255 other tokens\n  hint      is the file complete?");
  tokens = all_bytes();
  tokens.emplace_back("a");
  EXPECT_EQ(error_of([&] { (void)of(tokens); }), path +
                                                     ": tokens 98 and 257 are the same\n"
                                                     "  expected  every token once\n"
                                                     "  found     \"a\"");
  for (const char* broken : {R"(\x4)", R"(a\xg0)", R"(\x)"}) {
    tokens.back() = broken;
    EXPECT_TRUE(error_of([&] { (void)of(tokens); })
                    .starts_with(path + ": token 257 has an escape that cannot be read\n"
                                        "  expected  two hexadecimal digits after \\x"))
        << broken;
  }
  tokens.back() = "a\\";
  EXPECT_TRUE(error_of([&] { (void)of(tokens); })
                  .starts_with(path + ": token 257 has an escape that cannot be read\n"
                                      "  expected  a character after the backslash"));
}

TEST_F(Vocabulary, OfAnotherKindHasToBeNamed) {
  const auto tokenizer = [&](const Metadata& m) {
    return error_of([&] { (void)tokenizer_of(Checkpoint(gguf(m)), 65536); });
  };
  const std::string path = folder_ / "m.gguf";
  EXPECT_EQ(tokenizer({{"tokenizer.ggml.model", std::string("llama")}}),
            path +
                ": its tokenizer is of a kind unknown here\n"
                "  expected  tokenizer.ggml.model = 'rwkv' or 'gpt2'\n  found     'llama'\n"
                "  hint      name the vocabulary: --vocab world, neox or a file");
  EXPECT_EQ(tokenizer({{"tokenizer.ggml.model", std::string("rwkv")}}),
            path +
                ": its tokenizer has no tokens\n"
                "  expected  tokenizer.ggml.tokens, a list of texts\n  found     no such key\n"
                "  hint      name the vocabulary: --vocab world");
  EXPECT_EQ(tokenizer({{"tokenizer.ggml.model", std::string("rwkv")},
                       {"tokenizer.ggml.tokens", all_bytes()},
                       {"tokenizer.ggml.token_type", std::vector<std::int32_t>{1, 1}}}),
            path +
                ": its tokens and their types do not match\n"
                "  expected  tokenizer.ggml.token_type, 257 numbers\n  found     [2 of i32]\n"
                "  hint      name the vocabulary: --vocab world");
  EXPECT_EQ(tokenizer({{"tokenizer.ggml.model", std::string("gpt2")}}),
            path +
                ": its tokenizer has no merges\n"
                "  expected  tokenizer.ggml.merges, a list of texts\n  found     no such key\n"
                "  hint      name the vocabulary: --vocab neox");
  EXPECT_EQ(tokenizer({{"tokenizer.ggml.model", std::string("gpt2")},
                       {"tokenizer.ggml.pre", std::string("qwen2")}}),
            path +
                ": its tokenizer cuts words in an unknown way\n"
                "  expected  tokenizer.ggml.pre = 'gpt-2'\n  found     'qwen2'\n"
                "  hint      name the vocabulary: --vocab neox or a file");
  EXPECT_EQ(tokenizer({{"tokenizer.ggml.model", std::string("none")}}), "no error");
}

TEST_F(Vocabulary, BesideAFileIsUsedIfItFits) {
  const std::string model = folder_ / "m.safetensors";
  const Tensors tensors = {{"emb.weight", DType::kF32, {2, 2}}};
  SafetensorsWriter out(model, tensors);
  write_zeros(out, tensors);
  EXPECT_EQ(tokenizer_of(Checkpoint(model), 300), nullptr);
  EXPECT_EQ(tokenizer_of(Checkpoint(model), 256)->name(), "bytes");
  {
    std::ofstream vocab(folder_ / "rwkv_vocab_v20230424.txt");
    for (int byte = 0; byte < 256; ++byte)
      vocab << fmt::format("{} b'\\x{:02x}' 1\n", byte + 1, byte);
    vocab << "257 'ab' 2\n";
  }
  EXPECT_EQ(tokenizer_of(Checkpoint(model), 300)->name(), "rwkv_vocab_v20230424.txt");
  EXPECT_EQ(tokenizer_of(Checkpoint(model), 258)->encode("abc").size(), 2U);
  // Too many tokens for this model, or far too few.
  EXPECT_EQ(tokenizer_of(Checkpoint(model), 256)->name(), "bytes");
  EXPECT_EQ(tokenizer_of(Checkpoint(model), 50277)->name(), "neox");
}

}  // namespace
}  // namespace prwkv::test
