#include "train/init.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <numbers>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "models/random.h"

namespace prwkv {
namespace {

using Values = std::vector<float>;

std::unique_ptr<Model> model_of(const std::string& shape) {
  const ModelShape s = model_shape(shape);
  return s.generation->make(s.dims);
}

std::map<std::string, Param> params_of(const Model& model) {
  std::map<std::string, Param> all;
  for_each_param(model, [&](const Param& p, const Tensor&) { all.emplace(p.name, p); });
  return all;
}

Values values_of(const Param& p, const Model& model, std::uint64_t seed = 0) {
  ThreadPool pool(1);
  return initial_values(p, model, {.seed = seed}, pool);
}

// ---- the formulas

struct Listed {
  const char* name;
  std::vector<double> values;
};
struct ListedModel {
  const char* shape;
  std::vector<Listed> parameters;
};

// Worked out from the formulas of BlinkDL's training code with Python's floats, for layers whose ρ₀ and ρ₁
// are neither 0 nor 1, the first and the last one, and one that is alone.
const std::vector<ListedModel>& listed_models() {
  static const std::vector<ListedModel> models = {
      {"rwkv4:L4,C8,V40",
       {
           {"blocks.1.att.time_decay",
            {-5, -4.118318, -3.065897, -1.937687, -0.7572556, 0.4635914, 1.717644, 3}},
           {"blocks.1.att.time_first",
            {-1.203973, -0.7039728, -1.703973, -1.203973, -0.7039728, -1.703973, -1.203973,
             -0.7039728}},
           {"blocks.1.att.time_mix_k",
            {0, 0.2102241, 0.3535534, 0.4792073, 0.5946036, 0.7029267, 0.8059274, 0.904703}},
           {"blocks.1.att.time_mix_v",
            {0.1, 0.3102241, 0.4535534, 0.5792073, 0.6946036, 0.8029267, 0.9059274, 1.004703}},
           {"blocks.1.att.time_mix_r",
            {0, 0.458502, 0.5946036, 0.692248, 0.7711054, 0.8384072, 0.8977346, 0.9511588}},
           {"blocks.1.ffn.time_mix_k",
            {0, 0.2102241, 0.3535534, 0.4792073, 0.5946036, 0.7029267, 0.8059274, 0.904703}},
           {"blocks.1.ffn.time_mix_r",
            {0, 0.2102241, 0.3535534, 0.4792073, 0.5946036, 0.7029267, 0.8059274, 0.904703}},
           {"blocks.0.att.time_decay",
            {-5, -2.951097, -1.671548, -0.5791453, 0.4070869, 1.321212, 2.1817, 3}},
           {"blocks.0.att.time_mix_v", {0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875}},
           {"blocks.3.att.time_decay",
            {-5, -4.836735, -4.346939, -3.530612, -2.387755, -0.9183673, 0.877551, 3}},
           {"blocks.3.att.time_mix_v",
            {0.3, 0.8946036, 1.007107, 1.082542, 1.140896, 1.18914, 1.230605, 1.267168}},
       }},
      {"rwkv5.0:L4,C8,V40,N2",
       {
           {"blocks.1.att.time_decay", {-6, -4.560431, -2.842089, -1}},
           {"blocks.1.att.time_first", {-3, -3, -3, -3}},
           {"blocks.1.att.time_mix_v",
            {0.1, 0.3102241, 0.4535534, 0.5792073, 0.6946036, 0.8029267, 0.9059274, 1.004703}},
       }},
      {"rwkv5.1:L4,C8,V40,N2",
       {
           {"blocks.1.att.time_decay", {-6, -4.560431, -2.842089, -1}},
           {"blocks.1.att.time_faaaa", {0.3333333, 0.2222222, 0.1111111, 0}},
           {"blocks.1.att.time_mix_g",
            {0, 0.458502, 0.5946036, 0.692248, 0.7711054, 0.8384072, 0.8977346, 0.9511588}},
       }},
      {"rwkv5.2:L4,C8,V40,N2",
       {
           {"blocks.1.att.time_decay",
            {-6, -5.448948, -4.791186, -4.086054, -3.348285, -2.585255, -1.801473, -1}},
           {"blocks.1.att.time_faaaa",
            {0.3333333, 0.3857143, 0.1380952, 0.1904762, 0.2428571, -0.004761905, 0.04761905, 0.1}},
           {"blocks.1.att.time_mix_k",
            {0, 0.2102241, 0.3535534, 0.4792073, 0.5946036, 0.7029267, 0.8059274, 0.904703}},
           {"blocks.1.att.time_mix_v",
            {0.1, 0.3102241, 0.4535534, 0.5792073, 0.6946036, 0.8029267, 0.9059274, 1.004703}},
           {"blocks.1.att.time_mix_r",
            {0, 0.458502, 0.5946036, 0.692248, 0.7711054, 0.8384072, 0.8977346, 0.9511588}},
           {"blocks.1.att.time_mix_g",
            {0, 0.458502, 0.5946036, 0.692248, 0.7711054, 0.8384072, 0.8977346, 0.9511588}},
           {"blocks.1.ffn.time_mix_k",
            {0, 0.2102241, 0.3535534, 0.4792073, 0.5946036, 0.7029267, 0.8059274, 0.904703}},
           {"blocks.1.ffn.time_mix_r",
            {0, 0.2102241, 0.3535534, 0.4792073, 0.5946036, 0.7029267, 0.8059274, 0.904703}},
           {"blocks.1.att.ln_x.weight",
            {0.6155722, 0.6155722, 0.6155722, 0.6155722, 0.6155722, 0.6155722, 0.6155722,
             0.6155722}},
       }},
      {"rwkv6:L4,C8,V40,N2",
       {
           {"blocks.1.att.time_decay",
            {-6, -5.448948, -4.791186, -4.086054, -3.348285, -2.585255, -1.801473, -1}},
           {"blocks.1.att.time_faaaa",
            {0.3333333, 0.3857143, 0.1380952, 0.1904762, 0.2428571, -0.004761905, 0.04761905, 0.1}},
           {"blocks.1.att.time_maa_x",
            {1, 0.7897759, 0.6464466, 0.5207927, 0.4053964, 0.2970733, 0.1940726, 0.09529698}},
           {"blocks.1.att.time_maa_w",
            {1, 0.7897759, 0.6464466, 0.5207927, 0.4053964, 0.2970733, 0.1940726, 0.09529698}},
           {"blocks.1.att.time_maa_k",
            {1, 0.7897759, 0.6464466, 0.5207927, 0.4053964, 0.2970733, 0.1940726, 0.09529698}},
           {"blocks.1.att.time_maa_v",
            {0.9, 0.6897759, 0.5464466, 0.4207927, 0.3053964, 0.1970733, 0.09407255, -0.004703019}},
           {"blocks.1.att.time_maa_r",
            {1, 0.541498, 0.4053964, 0.307752, 0.2288946, 0.1615928, 0.1022654, 0.04884122}},
           {"blocks.1.att.time_maa_g",
            {1, 0.541498, 0.4053964, 0.307752, 0.2288946, 0.1615928, 0.1022654, 0.04884122}},
           {"blocks.1.ffn.time_maa_k",
            {1, 0.5840809, 0.4428066, 0.3388585, 0.2535461, 0.1798621, 0.1142902, 0.0547762}},
           {"blocks.1.ffn.time_maa_r",
            {1, 0.5840809, 0.4428066, 0.3388585, 0.2535461, 0.1798621, 0.1142902, 0.0547762}},
           {"blocks.1.att.ln_x.weight",
            {0.6155722, 0.6155722, 0.6155722, 0.6155722, 0.6155722, 0.6155722, 0.6155722,
             0.6155722}},
           {"blocks.0.att.time_decay",
            {-6, -4.719436, -3.919717, -3.236966, -2.620571, -2.049242, -1.511438, -1}},
           {"blocks.0.att.time_faaaa", {0, 0.1, -0.1, 0, 0.1, -0.1, 0, 0.1}},
           {"blocks.0.att.time_maa_v", {1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125}},
           {"blocks.3.att.time_decay",
            {-6, -5.897959, -5.591837, -5.081633, -4.367347, -3.44898, -2.326531, -1}},
           {"blocks.3.att.time_faaaa",
            {1, 0.9571429, 0.6142857, 0.5714286, 0.5285714, 0.1857143, 0.1428571, 0.1}},
           {"blocks.3.att.time_maa_v",
            {0.7, 0.1053964, -0.007106781, -0.08254229, -0.1408964, -0.1891397, -0.2306049,
             -0.2671682}},
       }},
      {"rwkv7:L4,C8,V40,N4",
       {
           {"blocks.1.att.x_r",
            {1, 0.2679572, 0.1877476, 0.1368134, 0.09874954, 0.06807277, 0.0422345, 0.01983045}},
           {"blocks.1.att.x_w",
            {1, 0.7542949, 0.607708, 0.4842122, 0.3736678, 0.2718531, 0.1764948, 0.08619099}},
           {"blocks.1.att.x_k",
            {1, 0.6643569, 0.5170318, 0.4024608, 0.3050409, 0.2186655, 0.1401808, 0.06770313}},
           {"blocks.1.att.x_v",
            {1, 0.6643569, 0.5170318, 0.4024608, 0.3050409, 0.2186655, 0.1401808, 0.06770313}},
           {"blocks.1.att.x_a",
            {1, 0.7542949, 0.607708, 0.4842122, 0.3736678, 0.2718531, 0.1764948, 0.08619099}},
           {"blocks.1.att.x_g",
            {1, 0.2679572, 0.1877476, 0.1368134, 0.09874954, 0.06807277, 0.0422345, 0.01983045}},
           {"blocks.1.att.w0",
            {-8, -5.566312, -4.525953, -1.601968, -5.707472, -2.413247, -0.6190759, 3}},
           {"blocks.1.att.a0",
            {-0.69, -0.3661905, -0.242381, 0.08142857, -0.4614286, -0.137619, -0.01380952, 0.31}},
           {"blocks.1.att.v0",
            {0.93, 0.8728571, 0.8157143, 0.7585714, 0.7014286, 0.6442857, 0.5871429, 0.53}},
           {"blocks.1.att.k_k",
            {0.76, 0.7457143, 0.7314286, 0.7171429, 0.7028571, 0.6885714, 0.6742857, 0.66}},
           {"blocks.1.att.k_a", {1.02, 1.02, 1.02, 1.02, 1.02, 1.02, 1.02, 1.02}},
           {"blocks.1.att.r_k", {-0.04, -0.04, -0.04, -0.04, -0.04, -0.04, -0.04, -0.04}},
           {"blocks.1.att.ln_x.weight",
            {0.6155722, 0.6155722, 0.6155722, 0.6155722, 0.6155722, 0.6155722, 0.6155722,
             0.6155722}},
           {"blocks.1.ffn.x_k",
            {1, 0.4820872, 0.3550821, 0.2668027, 0.1969322, 0.1381828, 0.08700457, 0.04137007}},
           {"blocks.0.att.w0",
            {-8, -4.920635, -3.507937, -0.4285714, -4.571429, -1.492063, -0.07936508, 3}},
           {"blocks.0.att.ln_x.weight",
            {0.3789291, 0.3789291, 0.3789291, 0.3789291, 0.3789291, 0.3789291, 0.3789291,
             0.3789291}},
           {"blocks.0.ffn.x_k", {1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125}},
           {"blocks.3.att.w0",
            {-8, -5.655329, -4.732426, -1.897959, -6.040816, -2.716553, -0.814059, 3}},
           {"blocks.3.att.ln_x.weight", {1, 1, 1, 1, 1, 1, 1, 1}},
           {"blocks.3.ffn.x_k",
            {1, 0.008089918, 0.005400577, 0.003824034, 0.002703944, 0.001834267, 0.001123127,
             0.000521471}},
       }},
      {"rwkv4:L1,C8,V40",
       {
           {"blocks.0.att.time_decay",
            {-5, -2.951097, -1.671548, -0.5791453, 0.4070869, 1.321212, 2.1817, 3}},
           {"blocks.0.att.time_mix_v", {0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875}},
       }},
      {"rwkv6:L1,C8,V40,N2",
       {
           {"blocks.0.att.time_decay",
            {-6, -4.719436, -3.919717, -3.236966, -2.620571, -2.049242, -1.511438, -1}},
           {"blocks.0.att.time_faaaa", {0, 0.1, -0.1, 0, 0.1, -0.1, 0, 0.1}},
           {"blocks.0.att.time_maa_v", {1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125}},
       }},
      {"rwkv7:L1,C8,V40,N4",
       {
           {"blocks.0.att.w0",
            {-8, -4.920635, -3.507937, -0.4285714, -4.571429, -1.492063, -0.07936508, 3}},
           {"blocks.0.att.ln_x.weight", {1, 1, 1, 1, 1, 1, 1, 1}},
           {"blocks.0.ffn.x_k", {1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125}},
       }},
  };
  return models;
}

TEST(InitialValues, FollowTheFormulas) {
  for (const auto& [shape, parameters] : listed_models()) {
    const auto model = model_of(shape);
    const auto params = params_of(*model);
    for (const auto& [name, expected] : parameters) {
      ASSERT_TRUE(params.contains(name)) << shape << " " << name;
      const Values found = values_of(params.at(name), *model);
      ASSERT_EQ(found.size(), expected.size()) << shape << " " << name;
      for (std::size_t i = 0; i < found.size(); ++i) {
        // Seven digits stand above.
        EXPECT_NEAR(static_cast<double>(found[i]), expected[i],
                    1e-6 * std::max(1.0, std::abs(expected[i])))
            << shape << " " << name << " " << i;
      }
    }
  }
}

// XXH3 of the name and SplitMix64, in Python: these numbers are the same on every machine.
TEST(InitialValues, DrawFromAStreamOfSeedAndName) {
  struct Case {
    const char* name;
    std::size_t at;
    double value;
  };
  const auto model = model_of("rwkv6:L4,C8,V40,N2");
  const auto params = params_of(*model);
  for (const Case& c : {Case{"emb.weight", 0, 9.3281940733154262e-05},
                        {"emb.weight", 1, 5.4132619575677814e-05},
                        {"emb.weight", 319, -5.681874908241598e-05},
                        {"blocks.1.att.time_decay_w2", 0, 0.0025548158470211015},
                        {"blocks.1.att.time_decay_w2", 511, 0.0012616407002660757},
                        {"blocks.1.att.time_maa_w2", 1, -0.0091498595690245252},
                        {"blocks.1.att.time_maa_w2", 1279, 0.0094099587800066959}}) {
    const Values values = values_of(params.at(c.name), *model, 7);
    ASSERT_LT(c.at, values.size());
    EXPECT_EQ(values[c.at], static_cast<float>(c.value)) << c.name << " " << c.at;
  }
}

// ---- which law each parameter follows

/// Of a matrix (rows, cols): by how much the products of its rows, or columns if they are fewer, differ
/// from those of orthogonal ones of length `gain`, as a share of gain².
double distance_from_orthogonal(const Values& w, std::int64_t rows, std::int64_t cols,
                                double gain) {
  const std::int64_t n = std::min(rows, cols), m = std::max(rows, cols);
  const std::int64_t along_n = rows < cols ? cols : 1, along_m = rows < cols ? 1 : cols;
  std::vector<double> row(static_cast<std::size_t>(n)), gram(static_cast<std::size_t>(n * n));
  for (std::int64_t k = 0; k < m; ++k) {
    for (std::int64_t i = 0; i < n; ++i) {
      row[static_cast<std::size_t>(i)] =
          static_cast<double>(w[static_cast<std::size_t>(i * along_n + k * along_m)]);
    }
    double* out = gram.data();
    for (const double a : row) {
      for (const double b : row) *out++ += a * b;
    }
  }
  double worst = 0;
  for (std::int64_t i = 0; i < n * n; ++i) {
    const double wanted = i % (n + 1) == 0 ? 1 : 0;
    const double found = gram[static_cast<std::size_t>(i)] / (gain * gain) - wanted;
    worst = std::isnan(found) ? found : std::max(worst, std::abs(found));
  }
  return worst;
}

// Ten times what is found: f32, and some hundred columns.
constexpr double kOrthogonal = 1e-5;

struct Laws {
  const char* shape;
  std::vector<const char*> zeros, ones;
  std::map<std::string, double> bounds;  ///< of uniform numbers
  std::map<std::string, double> gains;   ///< of orthogonal matrices
};

// Names are those of layer 1. C = 16, F = 4 C, V = 2.5 C or, in the last row, V < C.
const std::vector<Laws>& laws() {
  const double head = 0.5 * std::sqrt(2.5);
  static const std::vector<Laws> all = {
      {"rwkv4:L2,C16,V40",
       {"ln1.bias", "ln2.bias", "att.key.weight", "att.receptance.weight", "att.output.weight",
        "ffn.receptance.weight", "ffn.value.weight", "ln_out.bias"},
       {"ln1.weight", "ln2.weight", "ln_out.weight"},
       {{"emb.weight", 1e-4}},
       {{"head.weight", head}, {"att.value.weight", 1}, {"ffn.key.weight", 2}}},
      {"rwkv4a:L2,C16,V40,tiny36",
       {"att.key.weight", "att.receptance.weight", "att.output.weight", "tiny_ln.bias"},
       {"tiny_ln.weight"},
       {},
       {{"tiny_q.weight", 1.5}, {"tiny_k.weight", 1.5}, {"tiny_v.weight", 1}}},
      {"rwkv5.0:L2,C16,V40,N4",
       {"att.ln_x.bias", "att.output.weight", "ffn.receptance.weight", "ffn.value.weight"},
       {"att.ln_x.weight"},
       {{"emb.weight", 1e-4}},
       {{"head.weight", head},
        {"att.receptance.weight", 1},
        {"att.key.weight", 0.1},
        {"att.value.weight", 1},
        {"ffn.key.weight", 1}}},
      {"rwkv5.1:L2,C16,V40,N4",
       {"att.output.weight", "ffn.receptance.weight", "ffn.value.weight"},
       {},
       {},
       {{"att.key.weight", 0.1}, {"att.gate.weight", 0.1}, {"ffn.key.weight", 1}}},
      {"rwkv5.2:L2,C16,V40,N4",
       {"att.output.weight", "ffn.receptance.weight", "ffn.value.weight"},
       {},
       {},
       {{"att.key.weight", 0.1}, {"att.gate.weight", 0.1}, {"ffn.key.weight", 1}}},
      {"rwkv6:L2,C16,V40,N4",
       {"att.time_maa_w1", "att.time_decay_w1", "att.output.weight", "ffn.receptance.weight",
        "ffn.value.weight", "att.ln_x.bias"},
       {"ln1.weight", "att.ln_x.weight"},
       {{"att.time_maa_w2", 0.01}, {"att.time_decay_w2", 0.01}},
       {{"head.weight", head},
        {"att.receptance.weight", 1},
        {"att.key.weight", 0.1},
        {"att.value.weight", 1},
        {"att.gate.weight", 0.1},
        {"ffn.key.weight", 1}}},
      // g2 is (32, 16) in a file, taller than wide; the others are not.
      {"rwkv7:L2,C16,V40,N4,w8,a16,v4,g32",
       {"att.w1", "att.a1", "att.v1", "att.g1", "att.output.weight", "ffn.value.weight"},
       {"ln1.weight", "att.ln_x.weight"},
       {{"emb.weight", 1e-4}},
       {{"head.weight", head},
        {"att.receptance.weight", 1},
        {"att.key.weight", 0.1},
        {"att.value.weight", 1},
        {"ffn.key.weight", 1},
        {"att.w2", 0.1},
        {"att.a2", 0.1},
        {"att.v2", 0.1},
        {"att.g2", 0.1 * std::numbers::sqrt2}}},
      {"rwkv7:L2,C64,V40,N32", {}, {}, {}, {{"head.weight", 0.5}}},
  };
  return all;
}

TEST(InitialValues, FollowTheLawsOfTheGeneration) {
  for (const Laws& of : laws()) {
    SCOPED_TRACE(of.shape);
    const auto model = model_of(of.shape);
    const auto params = params_of(*model);
    const auto param = [&params](const std::string& name) {
      const auto found = params.find("blocks.1." + name);
      return found != params.end() ? found->second : params.at(name);
    };
    for (const char* name : of.zeros) {
      EXPECT_THAT(values_of(param(name), *model), ::testing::Each(0.0F)) << name;
    }
    for (const char* name : of.ones) {
      EXPECT_THAT(values_of(param(name), *model), ::testing::Each(1.0F)) << name;
    }
    for (const auto& [name, bound] : of.bounds) {
      double square = 0, largest = 0;
      const Values values = values_of(param(name), *model);
      for (const float x : values) {
        square += static_cast<double>(x) * static_cast<double>(x);
        largest = std::max(largest, std::abs(static_cast<double>(x)));
      }
      const auto n = static_cast<double>(values.size());
      EXPECT_LE(largest, bound * (1 + 1e-7)) << name;
      // Of (x / bound)²: mean 1/3, variance 4/45.
      EXPECT_NEAR(square / n / (bound * bound), 1.0 / 3, 5 * std::sqrt(4.0 / 45 / n)) << name;
    }
    for (const auto& [name, gain] : of.gains) {
      const Param p = param(name);
      EXPECT_LT(distance_from_orthogonal(values_of(p, *model), p.shape[0], p.shape[1], gain),
                kOrthogonal)
          << name;
    }
  }
}

TEST(InitialValues, ExistForEveryParameterOfEveryGeneration) {
  for (const Generation& generation : generations()) {
    for (const bool time_first : {false, true}) {
      for (const char* sizes :
           {":L1,C64,F96,V300", ":L3,C64,V70", ":L2,C1,F1,V1", ":L2,C32,A64,V9"}) {
        ModelShape shape = model_shape("rwkv" + std::string(generation.name) + sizes +
                                       (generation.name.starts_with('4') ? "" : ",N1"));
        shape.dims.time_first = time_first;
        const auto model = generation.make(shape.dims);
        for (const auto& [name, p] : params_of(*model)) {
          const Values values = values_of(p, *model);
          EXPECT_EQ(std::ssize(values), p.shape.numel()) << sizes << " " << name;
          EXPECT_TRUE(
              std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); }))
              << generation.name << sizes << " " << name;
        }
      }
    }
  }
}

TEST(InitialValues, OfAnUnknownParameterAreAnError) {
  ThreadPool pool(1);
  const auto model = model_of("rwkv7:L2,C8,V9,N4");
  for (const char* name : {"blocks.1.att.time_maa_x", "blocks.1.att.w00", "blocks.x.att.w0",
                           "blocks.1att.w0", "blocks.", "w0", ""}) {
    try {
      (void)initial_values({.name = name, .shape = {8}}, *model, {}, pool);
      ADD_FAILURE() << name;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kInternal);
      EXPECT_EQ(std::string(e.what()),
                fmt::format("no initial values are known for '{}' of RWKV-7", name));
    }
  }
}

TEST(InitialValues, OfTheEmbeddingAreAsLargeAsAsked) {
  ThreadPool pool(1);
  const auto model = model_of("rwkv4:L1,C64,V100");
  const Param emb = params_of(*model).at("emb.weight");
  const Values usual = initial_values(emb, *model, {}, pool),
               large = initial_values(emb, *model, {.emb_scale = 0x1p-10}, pool);
  for (std::size_t i = 0; i < usual.size(); ++i) {
    ASSERT_FLOAT_EQ(usual[i] * (0x1p-10F / 1e-4F), large[i]);
  }
  EXPECT_THAT(initial_values(emb, *model, {.emb_scale = 0}, pool), ::testing::Each(0.0F));
  for (const double scale : {-1e-4, std::numeric_limits<double>::infinity(), std::nan("")}) {
    try {
      (void)initial_values(emb, *model, {.emb_scale = scale}, pool);
      ADD_FAILURE() << scale;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kInvalidArgument);
      EXPECT_THAT(e.what(), ::testing::StartsWith("emb_scale must be finite and not negative"));
    }
  }
}

// ---- orthogonal matrices

/// A head of any sizes. Its gain is 0.5, times √(rows / cols) if that is more than 1.
Param head_of(std::int64_t rows, std::int64_t cols) {
  return {.name = "head.weight", .shape = {rows, cols}, .stored = Stored::kMatrix};
}
double gain_of(std::int64_t rows, std::int64_t cols) {
  return 0.5 * std::sqrt(std::max(1.0, static_cast<double>(rows) / static_cast<double>(cols)));
}

struct Sizes {
  std::int64_t rows, cols;
};
// Reflections for most; 256 × 128 and what is larger and as tall or as wide by products.
constexpr Sizes kSizes[] = {
    {1, 1},     {1, 2},     {2, 1},     {1, 1000},  {1000, 1},  {2, 2},      {2, 3},
    {3, 2},     {16, 8},    {63, 64},   {64, 64},   {65, 64},   {255, 128},  {128, 255},
    {300, 300}, {256, 127}, {256, 128}, {128, 256}, {257, 128}, {1025, 129}, {129, 1025},
    {600, 260}, {5000, 17}, {17, 5000}, {400, 300}, {301, 399}, {8191, 128},
};

TEST(OrthogonalValues, AreOrthogonalWhateverTheSizes) {
  const auto model = model_of("rwkv7:L1,C8,V9,N4");
  for (const auto [rows, cols] : kSizes) {
    const Values w = values_of(head_of(rows, cols), *model);
    EXPECT_LT(distance_from_orthogonal(w, rows, cols, gain_of(rows, cols)), kOrthogonal)
        << rows << " x " << cols;
  }
}

/// The normal numbers that a parameter begins with: those of Box and Muller from SplitMix64.
std::vector<double> normal_numbers(const std::string& name, std::uint64_t seed, std::int64_t n) {
  std::uint64_t state = hash64(std::as_bytes(std::span(name)), seed);
  const auto uniform = [&state] {  // in [0, 1)
    std::uint64_t z = state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return static_cast<double>((z ^ (z >> 31U)) >> 11U) * 0x1p-53;
  };
  std::vector<double> numbers;
  while (std::ssize(numbers) < n) {
    const double r = std::sqrt(-2 * std::log(uniform() + 0x1p-53));
    const double angle = 2 * std::numbers::pi * uniform();
    // The angle counts from −π, so both signs turn.
    numbers.push_back(-r * std::cos(angle));
    numbers.push_back(-r * std::sin(angle));
  }
  numbers.resize(static_cast<std::size_t>(n));
  return numbers;
}

// There is one Q whose R = QᵀG has nothing below its diagonal and positive numbers on it; of a Gaussian G,
// that Q is Haar.
TEST(OrthogonalValues, AreTheQOfAGaussianMatrixWhoseRHasAPositiveDiagonal) {
  const auto model = model_of("rwkv7:L1,C8,V9,N4");
  for (const auto [rows, cols] : kSizes) {
    const std::int64_t m = std::max(rows, cols), n = std::min(rows, cols);
    const Values w = values_of(head_of(rows, cols), *model, 5);
    const std::vector<double> g = normal_numbers("head.weight", 5, m * n);
    const double gain = gain_of(rows, cols);
    std::vector<double> r(static_cast<std::size_t>(n * n));
    for (std::int64_t k = 0; k < m; ++k) {
      for (std::int64_t i = 0; i < n; ++i) {
        const auto at = static_cast<std::size_t>(rows < cols ? i * cols + k : k * cols + i);
        const double q = static_cast<double>(w[at]) / gain;
        for (std::int64_t j = 0; j < n; ++j) {
          r[static_cast<std::size_t>(i * n + j)] += q * g[static_cast<std::size_t>(k * n + j)];
        }
      }
    }
    double below = 0, smallest = std::numeric_limits<double>::infinity();
    for (std::int64_t i = 0; i < n; ++i) {
      smallest = std::min(smallest, r[static_cast<std::size_t>(i * n + i)]);
      for (std::int64_t j = 0; j < i; ++j) {
        below = std::max(below, std::abs(r[static_cast<std::size_t>(i * n + j)]));
      }
    }
    EXPECT_GT(smallest, 0) << rows << " x " << cols;
    EXPECT_LT(below, kOrthogonal * std::sqrt(static_cast<double>(m))) << rows << " x " << cols;
  }
}

// Elements of a Haar matrix of 3 rows and columns: mean 0, square 1/3, fourth power 1/5, and the square of
// one times that of its neighbour in the diagonal 2/15. Bounds are five deviations or more.
TEST(OrthogonalValues, AreDistributedUniformly) {
  const auto model = model_of("rwkv7:L1,C8,V9,N4");
  constexpr int kDraws = 4000;
  std::array<std::array<double, 3>, 9> sums{};
  double together = 0, turned = 0;
  for (int seed = 0; seed < kDraws; ++seed) {
    const Values w = values_of(head_of(3, 3), *model, static_cast<std::uint64_t>(seed));
    std::array<double, 9> q{};
    for (std::size_t i = 0; i < 9; ++i) {
      q[i] = static_cast<double>(w[i]) / 0.5;
      for (int power = 0; power < 3; ++power) {
        sums[i][static_cast<std::size_t>(power)] += std::pow(q[i], std::array{1, 2, 4}[power]);
      }
    }
    together += q[0] * q[0] * q[4] * q[4];
    const double det = q[0] * (q[4] * q[8] - q[5] * q[7]) - q[1] * (q[3] * q[8] - q[5] * q[6]) +
                       q[2] * (q[3] * q[7] - q[4] * q[6]);
    turned += det > 0 ? 1 : 0;
  }
  for (const auto& [first, second, fourth] : sums) {
    EXPECT_NEAR(first / kDraws, 0, 0.05);
    EXPECT_NEAR(second / kDraws, 1.0 / 3, 0.025);
    EXPECT_NEAR(fourth / kDraws, 1.0 / 5, 0.025);
  }
  EXPECT_NEAR(together / kDraws, 2.0 / 15, 0.02);
  EXPECT_NEAR(turned / kDraws, 0.5, 0.04);
}

// A single column is G's, so that its elements are as good as normal: the fourth moment is 3 n / (n + 2).
TEST(OrthogonalValues, OfOneColumnAreNormalNumbers) {
  const auto model = model_of("rwkv7:L1,C8,V9,N4");
  constexpr std::int64_t kRows = 40000;
  const Values w = values_of(head_of(kRows, 1), *model);
  double mean = 0, third = 0, fourth = 0;
  for (const float x : w) {
    const double z =
        static_cast<double>(x) / 0.5;  // length √rows · 0.5, so the square is 1 on average
    mean += z / kRows;
    third += z * z * z / kRows;
    fourth += z * z * z * z / kRows;
  }
  EXPECT_NEAR(mean, 0, 5 / std::sqrt(kRows));
  EXPECT_NEAR(third, 0, 5 * std::sqrt(15.0 / kRows));
  EXPECT_NEAR(fourth, 3, 5 * std::sqrt(96.0 / kRows));
}

// ---- what a value depends on

TEST(InitialValues, DoNotDependOnTheNumberOfThreads) {
  ThreadPool one(1), three(3);
  for (const Generation& generation : generations()) {
    const auto model = model_of("rwkv" + std::string(generation.name) + ":L2,C64,V300" +
                                (generation.name.starts_with('4') ? "" : ",N32"));
    for (const auto& [name, p] : params_of(*model)) {
      EXPECT_EQ(initial_values(p, *model, {}, one), initial_values(p, *model, {}, three)) << name;
    }
  }
  // Large enough for many tasks each.
  const auto model = model_of("rwkv7:L1,C8,V9,N4");
  for (const auto [rows, cols] : {Sizes{3001, 400}, {200, 3001}, {150, 150}}) {
    EXPECT_EQ(initial_values(head_of(rows, cols), *model, {}, one),
              initial_values(head_of(rows, cols), *model, {}, three))
        << rows << " x " << cols;
  }
  const Param emb{.name = "emb.weight", .shape = {1001, 77}, .stored = Stored::kMatrix};
  EXPECT_EQ(initial_values(emb, *model, {}, one), initial_values(emb, *model, {}, three));
}

TEST(InitialValues, DifferFromSeedToSeedAndFromNameToName) {
  ThreadPool pool(1);
  for (const char* shape :
       {"rwkv4:L3,C64,V300", "rwkv6:L3,C64,V300,N32", "rwkv7:L3,C64,V300,N32"}) {
    const auto model = model_of(shape);
    std::set<Values> seen;
    for (const auto& [name, p] : params_of(*model)) {
      const Values a = initial_values(p, *model, {.seed = 1}, pool);
      const Values b = initial_values(p, *model, {.seed = 2}, pool);
      EXPECT_EQ(a, initial_values(p, *model, {.seed = 1}, pool)) << name;
      const bool drawn = p.stored != Stored::kVector && a[0] != 0;
      EXPECT_EQ(a != b, drawn) << name;
      if (!drawn) continue;
      EXPECT_TRUE(seen.insert(a).second) << name;
      EXPECT_TRUE(seen.insert(b).second) << name;
    }
    EXPECT_GE(seen.size(), 2U * 8);
  }
}

}  // namespace
}  // namespace prwkv
