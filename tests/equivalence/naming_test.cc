/// The tables of names in both directions, and one tiny model of each generation in every format and
/// naming: the same model, whatever file it comes in.
#include "models/naming.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "base/json.h"
#include "formats/writer.h"
#include "quant/blocks.h"
#include "support/engines.h"
#include "support/paths.h"

namespace prwkv::test {
namespace {

std::unique_ptr<Model> model_in(const Checkpoint& file) {
  const Detected found = detect(file);
  return found.generation->make(found.dims);
}

std::vector<NamedTensor> named(const Naming& naming, const Checkpoint& file,
                               const NamedOptions& options = {}) {
  const std::unique_ptr<Model> model = model_in(file);
  const auto source_of = [&](const Param& p) -> const Source& {
    return file.parameter(p, model->dims());
  };
  return named_tensors(naming, *model, source_of, options);
}

std::vector<TensorSpec> specs_of(const std::vector<NamedTensor>& tensors) {
  std::vector<TensorSpec> specs;
  for (const NamedTensor& t : tensors) specs.push_back({t.name, DType::kF32, t.shape});
  return specs;
}

void write(Writer& out, const std::vector<NamedTensor>& tensors) {
  for (const NamedTensor& t : tensors) {
    for (const Source& part : t.parts) {
      std::vector<float> values(static_cast<std::size_t>(part.numel()));
      SourceReader(part).read(0, values);
      out.write(std::as_bytes(std::span(values)));
    }
  }
  out.finish();
}

/// Divides more than once in the three layers of the tiny models.
constexpr std::int64_t kRescaleEvery = 1;

std::vector<GgufEntry> gguf_metadata(const Checkpoint& file) {
  const Detected found = detect(file);
  const std::string a = fmt::format("rwkv{}", found.generation->name);
  return {{"general.architecture", a},
          {a + ".wkv.head_size", static_cast<std::uint32_t>(found.dims.N)},
          {a + ".rescale_every_n_layers",
           static_cast<std::uint32_t>(a == "rwkv6" ? kRescaleEvery : 0)}};
}

/// How a tiny model is written.
struct Form {
  const char *name, *naming, *extension;
  bool older_spellings = false;
  const char* prefix = "";
};
/// The name of the case in listings; the default prints addresses.
void PrintTo(const Form& form, std::ostream* out) { *out << form.name; }
constexpr Form kForms[] = {
    {"safetensors", "blinkdl", "safetensors"},
    {"wrapped", "blinkdl", "safetensors", false, "module."},
    {"pth", "blinkdl", "pth"},
    {"bin", "rwkv.cpp", "bin"},
    {"gguf", "gguf", "gguf"},
    {"gguf_of_older_converters", "gguf", "gguf", true},
    {"hf", "hf", "safetensors"},
    {"fla", "fla", "safetensors"},
    {"fla_of_older_versions", "fla", "safetensors", true},
    {"port", "port", "safetensors"},
    {"port_of_other_spellings", "port", "safetensors", true},
    {"sharded", "blinkdl", "index.json"},
};

/// The last rule that gives a name in place of the first.
Naming with_other_spellings(Naming naming) {
  auto& rules = naming.rules;
  const auto open = std::stable_partition(
      rules.begin(), rules.end(), [](const NamingRule& r) { return !r.stored.ends_with('*'); });
  std::reverse(rules.begin(), open);
  return naming;
}

void write_sharded(const TemporaryFolder& folder, const std::vector<NamedTensor>& tensors) {
  const std::size_t half = tensors.size() / 2;
  Json index;
  for (const std::size_t begin : {std::size_t{0}, half}) {
    const std::vector<NamedTensor> part(
        tensors.begin() + static_cast<std::ptrdiff_t>(begin),
        begin == 0 ? tensors.begin() + static_cast<std::ptrdiff_t>(half) : tensors.end());
    const std::string name = begin == 0 ? "a.safetensors" : "b.safetensors";
    for (const NamedTensor& t : part) index["weight_map"][t.name] = name;
    SafetensorsWriter out(folder / name, specs_of(part));
    write(out, part);
  }
  std::ofstream(folder / "model.index.json") << index.dump();
}

std::string write_form(const Form& form, const Naming& naming, const Checkpoint& file,
                       const TemporaryFolder& folder) {
  const bool divides = std::string(form.naming) == "gguf";
  std::vector<NamedTensor> tensors =
      named(naming, file, {.rescale_every_n_layers = divides ? kRescaleEvery : 0});
  for (NamedTensor& t : tensors) t.name = form.prefix + t.name;
  const std::string extension = form.extension, path = folder / ("model." + extension);
  const auto specs = specs_of(tensors);
  if (extension == "safetensors") {
    SafetensorsWriter out(path, specs);
    write(out, tensors);
  } else if (extension == "pth") {
    PthWriter out(path, specs);
    write(out, tensors);
  } else if (extension == "gguf") {
    GgufWriter out(path, specs, gguf_metadata(file));
    write(out, tensors);
  } else if (extension == "bin") {
    const Dims d = detect(file).dims;
    RwkvCppWriter out(path, specs, {.n_vocab = d.V, .n_embed = d.C, .n_layer = d.L});
    write(out, tensors);
  } else {
    write_sharded(folder, tensors);
  }
  return path;
}

using Param = std::tuple<std::string, Form>;

std::string param_name(const testing::TestParamInfo<Param>& p) {
  std::string name = std::get<0>(p.param) + "_as_" + std::get<1>(p.param).name;
  for (char& c : name) c = c == '.' || c == '-' ? '_' : c;
  return name;
}

class SameModel : public testing::TestWithParam<Param> {};

TEST_P(SameModel, AnyFile) {
  const auto& [name, form] = GetParam();
  const Golden golden = load_golden(name);
  const Naming& table = *find_naming(form.naming, golden.generation);
  const Naming naming = form.older_spellings ? with_other_spellings(table) : table;
  const TemporaryFolder folder;
  const std::string path = write_form(form, naming, Checkpoint(golden.path), folder);

  const EngineSpec spec{.load = {.dtype = {}, .groupnorm_eps = golden.groupnorm_eps}};
  const auto before = engine_for_file(golden.path, spec), after = engine_for_file(path, spec);
  EXPECT_EQ(Checkpoint(path).naming().name, form.naming);
  EXPECT_EQ(after->info().generation, golden.generation);
  EXPECT_EQ(after->info().fingerprint, before->info().fingerprint);
  const Pass expected = run_whole(*before, golden.tokens), found = run_whole(*after, golden.tokens);
  const bool transformed = std::string(form.naming) == "rwkv.cpp" && golden.generation < "6";
  if (!transformed) {
    EXPECT_EQ(difference(found, expected), "");
    return;
  }
  // The decay goes through f32 as an exponential and back.
  const double share = largest_difference(found.logits, expected.logits) / spread(expected.logits);
  EXPECT_LE(share, 1e-5);
  std::printf("largest difference %.2g of the spread\n", share);
}

/// Every form that programs have for a generation.
std::vector<Param> all_forms() {
  std::vector<Param> cases;
  for (const std::string& name : golden_names()) {
    const std::string generation = name.substr(4, name.find('-') - 4);  // "rwkv5.1-first"
    for (const Form& form : kForms) {
      if (find_naming(form.naming, generation) != nullptr) cases.emplace_back(name, form);
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Files, SameModel, testing::ValuesIn(all_forms()), param_name);

// ---- the tables

struct Table {
  const Naming* naming;
  std::string model;
};

std::vector<Table> tables() {
  std::vector<Table> all;
  for (const std::string& name : golden_names()) {
    const std::string generation = load_golden(name).generation;
    for (const char* naming : {"gguf", "rwkv.cpp", "hf", "fla", "port", "blinkdl"}) {
      if (const Naming* table = find_naming(naming, generation)) all.push_back({table, name});
    }
  }
  return all;
}

TEST(Namings, LeadFromEveryParameterToAFileAndBack) {
  for (const auto& [naming, name] : tables()) {
    SCOPED_TRACE(fmt::format("{} in {}", name, naming->name));
    const RuleIndex to_file(*naming, RuleIndex::From::kBlinkdl);
    const RuleIndex to_blinkdl(*naming, RuleIndex::From::kStored);
    for_each_param(*model_in(Checkpoint(load_golden(name).path)),
                   [&](const prwkv::Param& p, const Tensor&) {
                     const auto there = to_file.find(p.name);
                     ASSERT_TRUE(there) << p.name;
                     const std::string stored = there->fill(there->rule->stored);
                     const auto back = to_blinkdl.find(stored);
                     ASSERT_TRUE(back) << stored;
                     EXPECT_EQ(back->fill(back->rule->blinkdl.at(there->place)), p.name);
                     EXPECT_EQ(back->rule, there->rule) << stored;
                   });
  }
}

TEST(Namings, KeepTheNumberOfElements) {
  for (const auto& [naming, name] : tables()) {
    SCOPED_TRACE(fmt::format("{} in {}", name, naming->name));
    std::set<std::string> names;
    for (const NamedTensor& t : named(*naming, Checkpoint(load_golden(name).path))) {
      std::int64_t elements = 1, in_parts = 0;
      for (const std::int64_t size : t.shape) elements *= size;
      for (const Source& part : t.parts) in_parts += part.numel();
      EXPECT_EQ(in_parts, elements) << t.name;
      EXPECT_TRUE(names.insert(t.name).second) << t.name << " twice";
    }
  }
}

// As the original programs write them (C 48, H 3, N 16, low-rank sizes as in tests/golden).
struct Written {
  const char *naming, *model, *tensor;
  std::vector<std::int64_t> shape;
};
const Written kWritten[] = {
    {"gguf", "rwkv7", "blk.1.time_mix_lerp_fused.weight", {6, 1, 1, 48}},
    {"gguf", "rwkv7", "blk.1.time_mix_r_k.weight", {48}},
    {"gguf", "rwkv7", "blk.1.time_mix_w1.weight", {8, 48}},
    {"gguf", "rwkv7", "blk.1.time_mix_w2.weight", {48, 8}},
    {"gguf", "rwkv7", "blk.0.time_mix_v0.weight", {48}},
    {"gguf", "rwkv7", "blk.0.time_mix_v1.weight", {6, 48}},
    {"gguf", "rwkv7", "token_embd_norm.bias", {48}},
    {"gguf", "rwkv6", "blk.1.time_mix_lerp_fused.weight", {5, 1, 1, 48}},
    {"gguf", "rwkv6", "blk.1.time_mix_lerp_x.weight", {48}},
    {"gguf", "rwkv6", "blk.1.time_mix_w1.weight", {20, 48}},
    {"gguf", "rwkv6", "blk.1.time_mix_w2.weight", {5, 48, 4}},
    {"gguf", "rwkv6", "blk.1.time_mix_first.weight", {3, 16}},
    {"gguf", "rwkv6", "blk.1.time_mix_decay.weight", {48}},
    {"rwkv.cpp", "rwkv7", "blocks.1.att.x_rwkvag", {6, 1, 48}},
    {"rwkv.cpp", "rwkv7", "blocks.1.att.w0", {1, 1, 48}},
    {"rwkv.cpp", "rwkv7", "blocks.1.att.r_k", {3, 16}},
    {"rwkv.cpp", "rwkv6", "blocks.1.att.time_decay", {3, 16, 1}},
    {"rwkv.cpp", "rwkv6", "blocks.1.att.time_maa_w2", {5, 48, 4}},
    {"rwkv.cpp", "rwkv6", "blocks.1.att.time_maa_k", {48}},
    {"rwkv.cpp", "rwkv5.2", "blocks.1.att.time_faaaa", {3, 16, 1}},
    {"rwkv.cpp", "rwkv5.0", "blocks.1.att.time_first", {4, 1, 1}},
    {"rwkv.cpp", "rwkv4", "blocks.1.att.time_mix_k", {48}},
    {"hf", "rwkv4", "rwkv.blocks.1.attention.time_mix_key", {1, 1, 48}},
    {"hf", "rwkv4", "rwkv.blocks.0.pre_ln.weight", {48}},
    {"hf", "rwkv6", "rwkv.blocks.1.attention.time_maa_w1", {48, 20}},
    {"fla", "rwkv7", "model.layers.1.attn.x_r", {1, 1, 48}},
    {"fla", "rwkv7", "model.layers.1.attn.w_lora.lora.0.weight", {8, 48}},
    {"fla", "rwkv7", "model.layers.1.attn.w_lora.lora.2.bias", {48}},
    {"fla", "rwkv7", "model.layers.1.ffn.x_k", {48}},
    {"fla", "rwkv6", "model.layers.1.attn.x_bias", {5, 48}},
    {"fla", "rwkv6", "model.layers.1.attn.x_proj.0.linear.weight", {20, 48}},
    {"fla", "rwkv6", "model.layers.1.attn.x_proj.2.weight", {48, 20}},
};

TEST(Namings, GiveTheShapesOfTheOriginalPrograms) {
  for (const Written& w : kWritten) {
    const Golden golden = load_golden(w.model);
    const auto tensors = named(*find_naming(w.naming, golden.generation), Checkpoint(golden.path));
    const auto t = std::find_if(tensors.begin(), tensors.end(),
                                [&](const NamedTensor& n) { return n.name == w.tensor; });
    ASSERT_NE(t, tensors.end()) << w.tensor;
    EXPECT_EQ(t->shape, w.shape) << w.naming << " " << w.model << " " << w.tensor;
  }
}

std::vector<float> values_of(const Source& s) {
  std::vector<float> values(static_cast<std::size_t>(s.numel()));
  SourceReader(s).read(0, values);
  return values;
}

// fla has the mixes in the order r, w, k, v, g. Written out by hand, from its conversion script.
TEST(Namings, FlaOrdersTheMixesOfRwkv6ByItself) {
  const Golden golden = load_golden("rwkv6");
  const Checkpoint file(golden.path);
  const auto tensors = named(*find_naming("fla", "6"), file);
  const auto find = [&](const char* name) {
    return *std::find_if(tensors.begin(), tensors.end(),
                         [&](const NamedTensor& t) { return t.name == name; });
  };
  constexpr std::size_t C = 48, D = 4;
  const auto w1 = values_of(*file.find("blocks.1.att.time_maa_w1"));  // (C, 5 D)
  const auto w2 = values_of(*file.find("blocks.1.att.time_maa_w2"));  // (5, D, C)
  const auto fla1 = values_of(find("model.layers.1.attn.x_proj.0.linear.weight").parts[0]);
  const auto fla2 = values_of(find("model.layers.1.attn.x_proj.2.weight").parts[0]);
  constexpr std::size_t kFlaPlace[] = {1, 2, 3, 0, 4};  // of w, k, v, r, g
  for (std::size_t mix = 0; mix < 5; ++mix) {
    for (std::size_t d = 0; d < D; ++d) {
      for (std::size_t c = 0; c < C; ++c) {
        const std::size_t row = kFlaPlace[mix] * D + d;
        ASSERT_EQ(fla1[row * C + c], w1[c * 5 * D + mix * D + d]) << mix << " " << d << " " << c;
        ASSERT_EQ(fla2[c * 5 * D + row], w2[(mix * D + d) * C + c]) << mix << " " << d << " " << c;
      }
    }
  }
}

TEST(Namings, AreLookedUpByTheWholeName) {
  const RuleIndex rules(*find_naming("gguf", "7"), RuleIndex::From::kStored);
  EXPECT_TRUE(rules.find("blk.12.time_mix_w1.weight"));
  for (const char* name :
       {"blk.time_mix_w1.weight", "blk.1x.time_mix_w1.weight", "time_mix_w1.weight",
        "blk.1.time_mix_w1", "blk.1.time_mix_w1.weight.", ""}) {
    EXPECT_FALSE(rules.find(name)) << name;
  }
}

TEST(Namings, NumberTheFirstPartOfDigits) {
  EXPECT_EQ(numbered("blocks.12.att.w1").name, "blocks.#.att.w1");
  EXPECT_EQ(numbered("blocks.12.att.w1").number, "12");
  EXPECT_EQ(numbered("a.0.b.1.c").name, "a.#.b.1.c");
  EXPECT_EQ(numbered("7").name, "#");
  EXPECT_EQ(numbered("w1.2x.").name, "w1.2x.");
  EXPECT_EQ(numbered("").name, "");
}

// ---- views

TEST(Source, ReadsAnyPartOfAnyView) {
  std::vector<float> stored(2 * 3 * 4);
  for (std::size_t i = 0; i < stored.size(); ++i) stored[i] = static_cast<float>(i);
  const std::vector<std::int64_t> sizes = {2, 3, 4};
  const Source s = Source::of("t", DType::kF32, std::as_bytes(std::span(stored)), sizes);
  const std::vector<int> turned = {1, 0};
  struct View {
    const char* name;
    Source source;
    std::vector<std::int64_t> shape;
    std::vector<float> begin;
    bool dense;
  };
  const View views[] = {
      {"as it is", s, {2, 3, 4}, {0, 1, 2, 3, 4, 5}, true},
      {"transposed", s.transposed(), {2, 4, 3}, {0, 4, 8, 1, 5, 9, 2}, false},
      {"slice", s.slice(1), {3, 4}, {12, 13, 14, 15, 16}, true},
      {"column blocks", s.with_blocks(2, turned), {2, 3, 4}, {2, 3, 0, 1, 6, 7, 4, 5}, false},
      {"row blocks", s.with_blocks(0, turned), {2, 3, 4}, {12, 13, 14}, false},
      {"blocks turned twice",
       s.with_blocks(2, turned).with_blocks(2, turned),
       {2, 3, 4},
       {0, 1},
       true},
      {"split", s.split(2, 2), {2, 3, 2, 2}, {0, 1, 2, 3}, true},
      {"moved", s.moved(2, 0), {4, 2, 3}, {0, 4, 8, 12, 16, 20, 1}, false},
  };
  for (const View& v : views) {
    SCOPED_TRACE(v.name);
    EXPECT_EQ(v.source.shape(), v.shape);
    EXPECT_EQ(v.source.is_dense(), v.dense);
    const auto all = values_of(v.source);
    EXPECT_TRUE(std::equal(v.begin.begin(), v.begin.end(), all.begin()));
    std::vector<float> copied(all.size());
    SourceReader(v.source).copy(0, std::as_writable_bytes(std::span(copied)));
    EXPECT_EQ(copied, all);
    for (std::size_t first = 0; first < all.size(); ++first) {
      for (std::size_t n = 0; first + n <= all.size(); ++n) {
        std::vector<float> part(n);
        SourceReader(v.source).read(static_cast<std::int64_t>(first), part);
        ASSERT_TRUE(
            std::equal(part.begin(), part.end(), all.begin() + static_cast<std::ptrdiff_t>(first)));
      }
    }
  }
}

TEST(Source, UndoesScalesAndTransforms) {
  const std::vector<float> raw = {-3, -0.5F, 0.25F, 1};
  const std::vector<std::int64_t> sizes = {4};
  for (const Transform t :
       {Transform::kNone, Transform::kNegExp, Transform::kExp, Transform::kExpNegExp}) {
    Source s = Source::of("t", DType::kF32, std::as_bytes(std::span(raw)), sizes).transformed(t);
    s.scale = t == Transform::kNone ? 4.0F : 1.0F;
    const std::vector<float> stored = values_of(s);
    Source back = Source::of("t", DType::kF32, std::as_bytes(std::span(stored)), sizes);
    back.undo = t;
    back.scale = 1 / s.scale;
    const std::vector<float> again = values_of(back);
    for (std::size_t i = 0; i < raw.size(); ++i)
      EXPECT_NEAR(again[i], raw[i], 1e-6 * std::abs(raw[i]));
    // Written as it was read, nothing is computed.
    EXPECT_EQ(back.transformed(t).undo, Transform::kNone);
    EXPECT_EQ(back.transformed(t).apply, Transform::kNone);
  }
}

TEST(Source, DecodesBlocksInAnyOrder) {
  std::vector<float> values(2 * 64);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7) - 3;
  std::vector<std::byte> blocks(row_bytes(DType::kQ8_0, 128));
  quant::quantize(DType::kQ8_0, values.data(), 128, blocks.data());
  std::vector<float> decoded(128);
  quant::dequantize(DType::kQ8_0, blocks.data(), 128, decoded.data());
  const Source s = Source::of("t", DType::kQ8_0, blocks, std::vector<std::int64_t>{2, 64});
  EXPECT_EQ(values_of(s), decoded);
  std::vector<float> part(50);
  SourceReader(s).read(39, part);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), decoded.begin() + 39));
  const auto turned = values_of(s.transposed());
  for (std::size_t r = 0; r < 2; ++r) {
    for (std::size_t c = 0; c < 64; ++c) ASSERT_EQ(turned[c * 2 + r], decoded[r * 64 + c]);
  }
}

}  // namespace
}  // namespace prwkv::test
