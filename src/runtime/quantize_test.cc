#include "runtime/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "base/error.h"
#include "base/test_folder.h"
#include "models/random.h"
#include "runtime/compare.h"

namespace prwkv {
namespace {

using ::testing::HasSubstr;

std::vector<std::int32_t> some_tokens(std::size_t n, std::uint32_t seed) {
  std::vector<std::int32_t> tokens;
  for (std::size_t i = 0; i < n; ++i) {
    seed = seed * 1664525 + 1013904223;
    tokens.push_back(static_cast<std::int32_t>(seed >> 24));
  }
  return tokens;
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Quantize : public ::testing::Test {
 protected:
  std::string model(const std::string& shape) {
    const std::string path = folder_ / "model.safetensors";
    write_random_model(model_shape(shape), DType::kF32, path, 3, {});
    return path;
  }
  static std::map<std::string, DType> types(const Quantization& q) {
    std::map<std::string, DType> types;
    for (const QuantizedTensor& t : q.tensors()) types[t.name] = t.to;
    return types;
  }
  prwkv::testing::TemporaryFolder folder_;
};

TEST_F(Quantize, ProtectsWhatIsSensitive) {
  const Checkpoint file(model("rwkv7:L3,C256,V256"));
  const auto found = types(Quantization(file, WeightFormat::kGguf, {.type = DType::kQ4_K}));
  EXPECT_EQ(found.at("emb.weight"), DType::kQ6_K);
  EXPECT_EQ(found.at("head.weight"), DType::kQ6_K);
  EXPECT_EQ(found.at("blocks.0.att.key.weight"), DType::kQ5_K);
  EXPECT_EQ(found.at("blocks.1.att.key.weight"), DType::kQ4_K);
  EXPECT_EQ(found.at("blocks.2.ffn.value.weight"), DType::kQ5_K);
  EXPECT_EQ(found.at("blocks.1.att.w1"), DType::kQ8_0);
  EXPECT_EQ(found.at("blocks.1.att.w2"), DType::kQ8_0);
  EXPECT_EQ(found.at("ln_out.weight"), DType::kF32);
  const auto plain = types(
      Quantization(file, WeightFormat::kGguf, {.type = DType::kQ4_K, .low_rank = DType::kF32}));
  EXPECT_EQ(plain.at("blocks.1.att.w1"), DType::kF32);
  const auto bin = types(Quantization(file, WeightFormat::kRwkvCpp, {.type = DType::kQ4_K}));
  EXPECT_EQ(bin.at("blocks.1.att.w1"), DType::kF32) << "as rwkv.cpp wants it";
}

TEST_F(Quantize, StacksOfLowRankPairsStayPlain) {
  const Checkpoint file(model("rwkv6:L2,C64,V64,N32,mix32,decay32"));
  const auto found = types(Quantization(file, WeightFormat::kGguf, {.type = DType::kQ8_0}));
  EXPECT_EQ(found.at("blocks.1.att.time_maa_w1"), DType::kQ8_0);
  EXPECT_EQ(found.at("blocks.1.att.time_maa_w2"), DType::kF32);
  EXPECT_EQ(found.at("blocks.1.att.time_decay_w2"), DType::kQ8_0);
}

TEST_F(Quantize, OptionsAreAboveTheProtectionAndPatternsAboveAll) {
  const Checkpoint file(model("rwkv7:L4,C256,V256"));
  QuantizePolicy policy{
      .type = DType::kQ4_K,
      .head = DType::kQ8_0,
      .embedding = DType::kF16,
      .first_layer = DType::kQ3_K,
      .last_layer = DType::kQ2_K,
      .tensors = {{"blocks.*.ffn.*", DType::kQ5_0}, {"*.key.weight", DType::kF32}}};
  const auto found = types(Quantization(file, WeightFormat::kGguf, policy));
  EXPECT_EQ(found.at("head.weight"), DType::kQ8_0);
  EXPECT_EQ(found.at("emb.weight"), DType::kF16);
  EXPECT_EQ(found.at("blocks.0.att.value.weight"), DType::kQ3_K);
  EXPECT_EQ(found.at("blocks.3.att.value.weight"), DType::kQ2_K);
  EXPECT_EQ(found.at("blocks.3.ffn.key.weight"), DType::kQ5_0);  // the first that fits
  EXPECT_EQ(found.at("blocks.3.att.key.weight"), DType::kF32);
  EXPECT_EQ(found.at("blocks.1.att.value.weight"), DType::kQ4_K);

  policy.tensors = {{"blocks.*.att.w1", DType::kQ4_K}};
  try {  // there is such a tensor, but low-rank
    const Quantization refused(file, WeightFormat::kGguf, policy);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kInvalidArgument);
    EXPECT_THAT(e.what(), HasSubstr("blocks.*.att.w1"));
  }
}

TEST_F(Quantize, EveryTypeIsProtectedByOneThatIsNoSmaller) {
  const auto bits = [](DType t) {
    return static_cast<double>(info(t).block_bytes) / static_cast<double>(info(t).block_size);
  };
  for (const DType type : quantized_types()) {
    const ProtectedTypes p = protected_types(type);
    EXPECT_EQ(p.type, type);
    EXPECT_GE(bits(p.ends), bits(type)) << name_of(type);
    EXPECT_GE(bits(p.borders), bits(type)) << name_of(type);
  }
}

TEST_F(Quantize, RowsThatDoNotFitAreSaid) {
  const Checkpoint file(model("rwkv7:L3,C64,V256"));
  const Quantization q(file, WeightFormat::kGguf, {.type = DType::kQ4_K});
  for (const QuantizedTensor& t : q.tensors()) {
    if (t.name != "blocks.1.att.key.weight") continue;
    EXPECT_EQ(t.to, DType::kQ5_0);
    EXPECT_EQ(t.reason, "all others; rows of 64 do not fit q4_k");
  }
}

struct Kind {
  const char* shape;
  const char* out;
};
class Calibration : public Quantize, public ::testing::WithParamInterface<Kind> {};

// Random weights see random tokens: even there the calibrated file is closer to the original, at the same
// size, and reads like any other.
TEST_P(Calibration, OfEveryGenerationIsCloserThanNearest) {
  const std::string in = model(GetParam().shape), out = folder_ / GetParam().out,
                    plain = folder_ / (std::string("plain-") + GetParam().out);
  const Checkpoint file(in);
  const WeightFormat format = weight_format_of(out).value();
  Quantization q(file, format, {.type = DType::kQ4_0});
  q.write(plain);
  const auto before = types(q);
  std::int64_t last = 0;
  q.calibrate(some_tokens(2048, 1), {.threads = 2}, [&](std::int64_t done, std::int64_t total) {
    EXPECT_GT(done, last);
    EXPECT_LE(done, total);
    last = done;
    return true;
  });
  EXPECT_EQ(types(q), before);
  q.write(out);
  EXPECT_EQ(std::filesystem::file_size(out), std::filesystem::file_size(plain));

  const auto original = Engine::open(in);
  const std::vector others = {Engine::open(out), Engine::open(plain)};
  const auto found = compare_models(original, others, some_tokens(1000, 2));
  EXPECT_GT(found[1].kl, 0);
  EXPECT_LT(found[0].kl, 0.9 * found[1].kl);
  for (const QuantizedTensor& t : q.tensors()) {
    if (t.rounding == "calibrated") {
      EXPECT_LE(t.cost.calibrated, t.cost.nearest) << t.name;
    }
  }

  // What the report calls nearest is the file without calibration.
  EngineOptions nearest;
  nearest.load.dtypes = q.matrix_types();
  const std::vector twins = {Engine::open(in, nearest)};
  const auto twin = compare_models(original, twins, some_tokens(200, 2));
  const auto same = compare_models(original, std::span(others).subspan(1), some_tokens(200, 2));
  // rwkv.cpp stores decays transformed, which costs a rounding.
  EXPECT_NEAR(twin[0].kl, same[0].kl, 1e-3 * same[0].kl);
}

TEST_P(Calibration, EqualBytesForAnyNumberOfThreads) {
  const Checkpoint file(model(GetParam().shape));
  std::string first;
  for (const int threads : {1, 2, 3}) {
    const std::string out = folder_ / GetParam().out;
    Quantization q(file, weight_format_of(out).value(), {.type = DType::kQ4_0});
    q.calibrate(some_tokens(300, 1), {.threads = threads});
    q.write(out);
    if (first.empty()) first = content(out);
    EXPECT_TRUE(content(out) == first) << threads;
  }
}

INSTANTIATE_TEST_SUITE_P(Generations, Calibration,
                         ::testing::Values(Kind{"rwkv4:L3,C64,V256", "m.bin"},
                                           Kind{"rwkv5.0:L3,C64,V256,N32", "m.bin"},
                                           Kind{"rwkv5.2:L3,C64,V256,N32", "m.bin"},
                                           Kind{"rwkv6:L3,C64,V256,N32", "m.gguf"},
                                           Kind{"rwkv6:L3,C64,V256,N32", "m.bin"},
                                           Kind{"rwkv7:L3,C64,V256,N32", "m.gguf"}),
                         [](const auto& i) {
                           std::string name = std::string(i.param.shape) + i.param.out;
                           std::erase_if(name, [](char c) { return !std::isalnum(c); });
                           return name;
                         });

TEST_F(Quantize, ACancelledCalibrationSaysSo) {
  const Checkpoint file(model("rwkv7:L2,C64,V256"));
  Quantization q(file, WeightFormat::kGguf, {.type = DType::kQ4_0});
  try {
    q.calibrate(some_tokens(64, 1), {}, [](std::int64_t, std::int64_t) { return false; });
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kCancelled);
  }
  EXPECT_FALSE(q.is_calibrated());
}

TEST(CalibrationSample, IsTakenFromAllOverTheText) {
  std::vector<std::int32_t> text(1000);
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<std::int32_t>(i) + 1;
  const auto sample = calibration_sample(text, 0, 100, 20);
  ASSERT_EQ(sample.size(), 100);
  for (std::size_t i = 0; i < 100; i += 20) {
    EXPECT_EQ(sample[i], 0);
    EXPECT_EQ(sample[i + 19], sample[i + 1] + 18);
  }
  EXPECT_EQ(sample[1], 1);
  EXPECT_GT(sample[81], 700);
  EXPECT_EQ(calibration_sample(std::span(text).first(5), 0, 100, 20),
            (std::vector<std::int32_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(calibration_sample(text, 0, 3, 20).size(), 3);
}

}  // namespace
}  // namespace prwkv
