#include "models/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <span>

#include "backend/backend.h"
#include "base/error.h"
#include "formats/reader.h"

namespace prwkv {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> generation_names() {
  std::vector<std::string> names;
  for (const Generation& g : generations()) names.emplace_back(g.name);
  return names;
}

std::string small(const std::string& generation) {
  return "rwkv" + generation + ":L4,C64,V300" + (generation.starts_with('4') ? "" : ",N16");
}

class RandomModels : public ::testing::Test {
 protected:
  RandomModels() {
    std::string pattern = ::testing::TempDir() + "prwkv_random_XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = pattern;
  }
  ~RandomModels() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  [[nodiscard]] std::string path(const std::string& name = "model") const {
    return folder_ + "/" + name;
  }

 private:
  std::string folder_;
};

/// Every parameter's bytes, as the kernels see them.
std::map<std::string, std::vector<std::byte>> bytes_of(const LoadedModel& m, Backend& backend) {
  std::map<std::string, std::vector<std::byte>> all;
  for_each_param(*m.model, [&](const Param& p, const Tensor& t) {
    auto& bytes = all[p.name];
    bytes.resize(t.bytes());
    backend.download(bytes.data(), t);
  });
  return all;
}

TEST_F(RandomModels, AreTheSameInAFileAndInMemory) {
  for (const std::string& generation : generation_names()) {
    const ModelShape shape = model_shape(small(generation));
    for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
      for (const char* name : {"cpu", "ref"}) {
        const auto backend =
            make_backend({.name = name, .dtype = DType::kF64, .threads = 1, .isa = {}});
        write_random_model(shape, dtype, path(), 3);
        const LoadedModel file = load_model(path(), *backend),
                          memory = random_model(shape, dtype, *backend, 3);
        EXPECT_EQ(file.model->generation(), generation);
        EXPECT_EQ(file.fingerprint, memory.fingerprint);
        EXPECT_EQ(bytes_of(file, *backend), bytes_of(memory, *backend))
            << generation << " " << name_of(dtype);
      }
    }
  }
}

// Blocks of matrices come from a table, and no file of f16 has them; those of low-rank pairs are rounded from its numbers.
TEST_F(RandomModels, OfBlocksHaveTheLowRankPairsOfAFile) {
  for (const char* name :
       {"rwkv6:L2,C64,V64,N32,mix32,decay32", "rwkv7:L2,C64,V64,N32,w32,a64,v32,g32"}) {
    const ModelShape shape = model_shape(name);
    const auto backend = make_backend({.name = "cpu", .threads = 1, .packing = Packing::kEachCall});
    write_random_model(shape, DType::kF16, path(), 3);
    const LoadedModel file = load_model(path(), *backend, {.dtype = DType::kQ4_0}),
                      memory = random_model(shape, DType::kQ4_0, *backend, 3);
    const auto expected = bytes_of(file, *backend), found = bytes_of(memory, *backend);
    int pairs = 0;
    for_each_param(*memory.model, [&](const Param& p, const Tensor& t) {
      EXPECT_EQ(t.bytes(), expected.at(p.name).size()) << p.name;
      if (!is_low_rank(p)) return;
      ++pairs;
      EXPECT_EQ(t.dtype, DType::kQ8_0) << p.name;
      EXPECT_EQ(found.at(p.name), expected.at(p.name)) << p.name;
    });
    EXPECT_GE(pairs, 6);
  }
}

TEST_F(RandomModels, DependOnTheSeedAlone) {
  const ModelShape shape = model_shape(small("7"));
  const auto backend = make_backend({.name = "ref", .dtype = DType::kF32, .threads = 1, .isa = {}});
  const auto zero = bytes_of(random_model(shape, DType::kF16, *backend, 0), *backend);
  EXPECT_EQ(bytes_of(random_model(shape, DType::kF16, *backend, 0), *backend), zero);
  const auto one = bytes_of(random_model(shape, DType::kF16, *backend, 1), *backend);
  for (const auto& [name, bytes] : zero) EXPECT_NE(one.at(name), bytes) << name;
}

TEST_F(RandomModels, HaveNoTwoRowsOrParametersAlike) {
  const auto backend = make_backend({.name = "ref", .dtype = DType::kF32, .threads = 1, .isa = {}});
  const auto all =
      bytes_of(random_model(model_shape("rwkv7:L2,C512,V20000"), DType::kF16, *backend), *backend);
  const auto text = [](std::span<const std::byte> bytes) {
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  std::set<std::string> rows, parameters;
  const auto& head = all.at("head.weight");
  for (std::size_t at = 0; at < head.size(); at += 512 * 2) {
    rows.insert(text(std::span(head).subspan(at, 512 * 2)));
  }
  EXPECT_EQ(rows.size(), 20000U);
  for (const auto& [name, bytes] : all) EXPECT_TRUE(parameters.insert(text(bytes)).second) << name;
}

TEST_F(RandomModels, HaveTheMomentsTheyShould) {
  const ModelShape shape = model_shape("rwkv7:L2,C256,V5000");
  write_random_model(shape, DType::kF32, path());
  const auto file = open_weights(path());
  const auto moments = [&](const char* name) {
    const StoredTensor* t = file->find(name);
    double sum = 0, squares = 0;
    const auto n = static_cast<double>(t->numel());
    for (std::size_t at = 0; at < t->bytes.size(); at += sizeof(float)) {
      float x = 0;
      std::memcpy(&x, t->bytes.data() + at, sizeof x);
      sum += static_cast<double>(x);
      squares += static_cast<double>(x) * static_cast<double>(x);
    }
    return std::pair(sum / n, std::sqrt(squares / n));
  };
  const auto expect = [&](const char* name, double rms) {
    const auto [mean, found] = moments(name);
    EXPECT_NEAR(mean, 0, 0.02 * rms) << name;
    EXPECT_NEAR(found, rms, 0.02 * rms) << name;
  };
  expect("head.weight", 1 / std::sqrt(256.0));
  expect("blocks.1.att.key.weight", 1 / std::sqrt(256.0));
  expect("blocks.1.ffn.value.weight", 1 / std::sqrt(1024.0) / 2);
  EXPECT_NEAR(moments("ln_out.weight").first, 1, 0.05);
  EXPECT_NEAR(moments("blocks.0.att.x_k").first, 0.5, 0.1);
}

TEST_F(RandomModels, HaveTheShapesOfBlinkDLsFiles) {
  using Sizes = std::vector<std::int64_t>;
  struct Case {
    const char* generation;
    std::map<std::string, Sizes> shapes;  ///< with C = 64, H = 4, N = 16, V = 300
  };
  const std::array<Case, 7> cases = {{
      {"4",
       {{"att.time_decay", {64}},
        {"att.time_first", {64}},
        {"att.time_mix_k", {1, 1, 64}},
        {"ffn.time_mix_r", {1, 1, 64}},
        {"ffn.key.weight", {256, 64}},
        {"ln1.weight", {64}}}},
      {"4a", {{"att.time_decay", {64}}, {"ffn.value.weight", {64, 256}}}},
      {"5.0",
       {{"att.time_decay", {4}},
        {"att.time_first", {4}},
        {"att.time_mix_v", {1, 1, 64}},
        {"att.ln_x.bias", {64}}}},
      {"5.1",
       {{"att.time_decay", {4}},
        {"att.time_faaaa", {4}},
        {"att.time_mix_g", {1, 1, 64}},
        {"ffn.key.weight", {224, 64}}}},
      {"5.2",
       {{"att.time_decay", {4, 16}}, {"att.time_faaaa", {4, 16}}, {"att.gate.weight", {64, 64}}}},
      {"6",
       {{"att.time_decay", {1, 1, 64}},
        {"att.time_faaaa", {4, 16}},
        {"att.time_maa_x", {1, 1, 64}},
        {"att.time_maa_w1", {64, 160}},
        {"att.time_maa_w2", {5, 32, 64}},
        {"att.time_decay_w1", {64, 64}},
        {"ffn.time_maa_k", {1, 1, 64}}}},
      {"7",
       {{"att.x_r", {1, 1, 64}},
        {"att.w0", {1, 1, 64}},
        {"att.w1", {64, 32}},
        {"att.w2", {32, 64}},
        {"att.k_k", {1, 1, 64}},
        {"att.k_a", {1, 1, 64}},
        {"att.r_k", {4, 16}},
        {"ffn.x_k", {1, 1, 64}},
        {"att.g1", {64, 32}}}},
  }};
  for (const Case& c : cases) {
    write_random_model(model_shape(small(c.generation)), DType::kBF16, path());
    const auto file = open_weights(path());
    for (const auto& [name, shape] : c.shapes) {
      const StoredTensor* t = file->find("blocks.1." + name);
      ASSERT_NE(t, nullptr) << c.generation << " " << name;
      EXPECT_EQ(t->shape, shape) << c.generation << " " << name;
      EXPECT_EQ(t->dtype, DType::kBF16);
    }
    EXPECT_EQ(file->find("emb.weight")->shape, (Sizes{300, 64}));
  }
}

TEST_F(RandomModels, WriteWhatTheyAnnounce) {
  const ModelShape shape = model_shape("rwkv6:L2,C128,V70000");
  std::size_t last = 0, calls = 0, total = 0;
  write_random_model(shape, DType::kF16, path(), 0, [&](std::size_t done, std::size_t of) {
    EXPECT_GT(done, last);
    last = done;
    total = of;
    ++calls;
    return true;
  });
  EXPECT_EQ(last, total);
  EXPECT_EQ(total, shape.bytes(DType::kF16));
  EXPECT_EQ(total, 2 * static_cast<std::size_t>(shape.parameters()));
  EXPECT_GT(calls, 20U);
  std::size_t stored = 0;
  const auto file = open_weights(path());
  for (const StoredTensor& t : file->tensors()) stored += t.bytes.size();
  EXPECT_EQ(stored, total);
}

TEST_F(RandomModels, LeaveNoFileWhenStopped) {
  try {
    write_random_model(model_shape(small("7")), DType::kF16, path(), 0,
                       [](std::size_t, std::size_t) { return false; });
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kCancelled);
  }
  EXPECT_TRUE(std::filesystem::is_empty(std::filesystem::path(path()).parent_path()));
}

TEST(ModelShapes, AreThoseOfTheReleasedModels) {
  struct Case {
    const char* name;
    double parameters;  ///< as published
  };
  for (const Case& c : {Case{"rwkv4:169m", 169.3e6},
                        {"rwkv4:430m", 430.4e6},
                        {"rwkv4:1b5", 1.515e9},
                        {"rwkv4:3b", 2.985e9},
                        {"rwkv4:7b", 7.393e9},
                        {"rwkv4:14b", 14.15e9},
                        {"rwkv6:1b6", 1.6e9},
                        {"rwkv6:3b", 3.1e9},
                        {"rwkv6:7b", 7.6e9},
                        {"rwkv7:0.1b", 191e6},
                        {"rwkv7:0.4b", 450e6},
                        {"rwkv7:1.5b", 1.53e9},
                        {"rwkv7:2.9b", 2.95e9},
                        {"rwkv7:7.2b", 7.2e9}}) {
    const auto found = static_cast<double>(model_shape(c.name).parameters());
    EXPECT_NEAR(found, c.parameters, 0.01 * c.parameters) << c.name;
  }
  EXPECT_EQ(model_shape_names().size(), 14U);
  const Dims d = model_shape("rwkv7:2.9b").dims;
  EXPECT_EQ((std::array{d.L, d.C, d.A, d.F, d.V, d.H, d.N}),
            (std::array<std::int64_t, 7>{32, 2560, 2560, 10240, 65536, 40, 64}));
  EXPECT_EQ(d.ranks.at("g"), 320);
  EXPECT_EQ(model_shape("rwkv6:7b").dims.ranks.at("mix"), 64);
  EXPECT_EQ(model_shape("rwkv6:3b").dims.F, 8960);
}

TEST(ModelShapes, CanBeSpeltOut) {
  const Dims d = model_shape("rwkv7:L3,C128,A64,F96,V500,N16,w8,a9,v10,g11").dims;
  EXPECT_EQ((std::array{d.L, d.C, d.A, d.F, d.V, d.H, d.N}),
            (std::array<std::int64_t, 7>{3, 128, 64, 96, 500, 4, 16}));
  EXPECT_EQ(d.ranks,
            (std::map<std::string, std::int64_t>{{"w", 8}, {"a", 9}, {"v", 10}, {"g", 11}}));
  EXPECT_EQ(model_shape("rwkv4a:L8,C512,tiny7").dims.tiny_layer, 6);
  EXPECT_TRUE(model_shape("rwkv5.0:L1,C64").dims.time_first);
  EXPECT_EQ(model_shape("rwkv4:L1,C64").dims.V, 50277);
}

TEST(ModelShapes, RefuseNonsense) {
  for (const char* name :
       {"", "rwkv7", "rwkv7:", "rwkv7:0.5b", "7:0.1b", "rwkv8:L1,C64", "rwkv7:L1", "rwkv7:C64,N32",
        "rwkv7:L1,C64,N0", "rwkv7:L1,C64,N-3", "rwkv7:L1,C64,N48", "rwkv7:L1,C64,L1",
        "rwkv7:L1,,C64", "rwkv7:L1,C64,x3", "rwkv6:L1,C64,w3", "rwkv4:L1,C64,N32", "rwkv7:L1,C64x",
        "rwkv7:L1,C9999999999999999999"}) {
    try {
      (void)model_shape(name);
      ADD_FAILURE() << name;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kInvalidArgument);
      EXPECT_THAT(e.what(), HasSubstr("rwkv7:0.4b"));
    }
  }
}

TEST(ModelShapes, RefuseWhatDoesNotFit) {
  const auto backend = make_backend({.name = "ref", .dtype = DType::kF32, .threads = 1, .isa = {}});
  try {
    (void)random_model(model_shape("rwkv7:L1000,C65536"), DType::kF32, *backend);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kOutOfMemory);
    EXPECT_THAT(e.what(), HasSubstr("GiB of memory planned"));
    EXPECT_THAT(e.what(), HasSubstr("GiB available"));
  }
  EXPECT_THROW((void)random_model(model_shape("rwkv7:L1,C64"), DType::kI8, *backend), Error);
}

}  // namespace
}  // namespace prwkv
