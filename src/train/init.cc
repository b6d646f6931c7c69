/// First the tables, a line a parameter; then the numbers: formulas, uniform ones, orthogonal matrices.
///
/// Orthogonal matrices are the one place that needs linear algebra, so Eigen is included here alone: with
/// what is under MPL2, and without threads of its own.
#include "train/init.h"

#define EIGEN_MPL2_ONLY
#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Cholesky>
#include <Eigen/QR>
#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cmath>
#include <functional>
#include <new>
#include <numbers>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include "base/error.h"
#include "base/hash.h"

namespace prwkv {
namespace {

// ---- how values come about

/// Of element n, counted through the whole parameter.
struct ByFormula {
  std::function<double(double n)> value;
};
/// Between −bound and bound.
struct UniformValues {
  double bound = 0;
};
/// Rows or columns, whichever are fewer, orthogonal and `gain` long; uniformly distributed among all
/// such matrices (Haar).
struct OrthogonalValues {
  double gain = 1;
};
using Recipe = std::variant<ByFormula, UniformValues, OrthogonalValues>;

template <class F>
Recipe formula(F f) {
  return ByFormula{std::move(f)};
}
Recipe constant(double value) {
  return formula([value](double) { return value; });
}
Recipe uniform(double bound) { return UniformValues{bound}; }
Recipe orthogonal(double gain) { return OrthogonalValues{gain}; }

/// Names as in the listing, without "blocks.l.".
using RecipeTable = std::vector<std::pair<std::string_view, Recipe>>;

/// The letters of the formulas, for one parameter.
struct InitLetters {
  double L = 1, l = 0;  ///< layers, and the one that it is in
  double rho0 = 0;      ///< l / (L − 1): from 0 to 1; 0 in a model of one layer
  double rho1 = 1;      ///< 1 − l / L: from 1 to 1 / L
  double N = 0;         ///< channels of a head
  double size = 1;      ///< elements
  /// √(rows / cols) of a matrix that has more rows than columns as the training code holds it, which
  /// for low-rank pairs is (in, out); else 1.
  double tall = 1;

  /// n over all: C channels, from 0 to nearly 1.
  [[nodiscard]] double d(double n) const { return n / size; }
  /// From 0 to 1: over A channels, or H heads.
  [[nodiscard]] double h(double n) const { return size > 1 ? n / (size - 1) : 0; }
};

/// 0, 1, −1, and so on: a little more or less from one channel to the next.
double zigzag(double n) { return std::fmod(n + 1, 3) - 1; }

/// Weights of the current token in a token shift: from 0 in the first channel to nearly 1 in the last.
Recipe current(const InitLetters& s, double power, double offset = 0) {
  return formula([=](double n) { return std::pow(s.d(n), power) + offset; });
}
/// Those of the previous one, which RWKV-6 and 7 store.
Recipe previous(const InitLetters& s, double power, double offset = 0) {
  return formula([=](double n) { return 1 - (std::pow(s.d(n), power) + offset); });
}

// ---- the tables, after BlinkDL's RWKV-LM

/// RWKV-v4neo/src/model.py, and what all generations share.
RecipeTable shared_recipes(const InitLetters& s, const InitOptions& options) {
  return {
      {"emb.weight", uniform(options.emb_scale)},
      {"head.weight", orthogonal(0.5 * s.tall)},
      {"ln0.weight", constant(1)},
      {"ln0.bias", constant(0)},
      {"ln1.weight", constant(1)},
      {"ln1.bias", constant(0)},
      {"ln2.weight", constant(1)},
      {"ln2.bias", constant(0)},
      {"ln_out.weight", constant(1)},
      {"ln_out.bias", constant(0)},
  };
}

/// RWKV-v4neo/src/model.py. 4a's tiny attention falls under its rule for matrices of no special mention;
/// what it adds is as small as the embedding at first.
RecipeTable recipes_of_4(const InitLetters& s) {
  return {
      {"att.time_decay",
       formula([s](double i) { return -5 + 8 * std::pow(s.h(i), 0.7 + 1.3 * s.rho0); })},
      {"att.time_first", formula([](double i) { return std::log(0.3) + 0.5 * zigzag(i); })},
      {"att.time_mix_k", current(s, s.rho1)},
      {"att.time_mix_v", current(s, s.rho1, 0.3 * s.rho0)},
      {"att.time_mix_r", current(s, 0.5 * s.rho1)},
      {"att.key.weight", constant(0)},
      {"att.value.weight", orthogonal(s.tall)},
      {"att.receptance.weight", constant(0)},
      {"att.output.weight", constant(0)},
      {"ffn.time_mix_k", current(s, s.rho1)},
      {"ffn.time_mix_r", current(s, s.rho1)},
      {"ffn.key.weight", orthogonal(s.tall)},
      {"ffn.receptance.weight", constant(0)},
      {"ffn.value.weight", constant(0)},
      {"tiny_ln.weight", constant(1)},
      {"tiny_ln.bias", constant(0)},
      {"tiny_q.weight", orthogonal(s.tall)},
      {"tiny_k.weight", orthogonal(s.tall)},
      {"tiny_v.weight", orthogonal(s.tall)},
  };
}

/// Matrices and `ln_x` from RWKV-5 on (RWKV-v5/src/model.py, RWKV-v7/train_temp/src/model.py). Without
/// RWKV-4's softmax-like average and sigmoid, its zeros for key, receptance and output would be a point
/// that no gradient leads away from.
RecipeTable matrices_from_5_on(const InitLetters& s) {
  return {
      {"att.receptance.weight", orthogonal(1)},
      {"att.key.weight", orthogonal(0.1)},
      {"att.value.weight", orthogonal(1)},
      {"att.gate.weight", orthogonal(0.1)},
      {"att.ln_x.weight", constant(std::pow((1 + s.l) / s.L, 0.7))},
      {"att.ln_x.bias", constant(0)},
      {"att.output.weight", constant(0)},
      {"ffn.key.weight", orthogonal(1)},
      {"ffn.receptance.weight", constant(0)},
      {"ffn.value.weight", constant(0)},
  };
}

RecipeTable joined(RecipeTable a, const RecipeTable& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Of heads in 5.0 and 5.1, of channels in 5.2 and 6.
Recipe decay_5(const InitLetters& s) {
  return formula([s](double n) { return -6 + 5 * std::pow(s.h(n), 0.7 + 1.3 * s.rho0); });
}

/// u of 5.2 and 6.
Recipe bonus_5_2(const InitLetters& s) {
  return formula([s](double n) { return s.rho0 * (1 - s.h(n)) + 0.1 * zigzag(n); });
}

/// All but time_faaaa. Where the bonus is stored as time_first, u = e^time_first.
RecipeTable recipes_of_5(const InitLetters& s) {
  const RecipeTable own = {
      {"att.time_mix_k", current(s, s.rho1)},
      {"att.time_mix_v", current(s, s.rho1, 0.3 * s.rho0)},
      {"att.time_mix_r", current(s, 0.5 * s.rho1)},
      {"att.time_mix_g", current(s, 0.5 * s.rho1)},
      {"att.time_decay", decay_5(s)},
      {"att.time_first", constant(-3)},
      {"ffn.time_mix_k", current(s, s.rho1)},
      {"ffn.time_mix_r", current(s, s.rho1)},
  };
  return joined(matrices_from_5_on(s), own);
}

/// The preview in RWKV-v4neo/src/model.py.
RecipeTable recipes_of_5_0_and_5_1(const InitLetters& s) {
  const Recipe bonus = formula([s](double h) { return s.rho0 * (1 - s.h(h)); });
  return joined(recipes_of_5(s), {{"att.time_faaaa", bonus}});
}

/// RWKV-v5/src/model.py
RecipeTable recipes_of_5_2(const InitLetters& s) {
  return joined(recipes_of_5(s), {{"att.time_faaaa", bonus_5_2(s)}});
}

/// RWKV-v5/src/model.py. Mixes are those of 5.2 as weights of the previous token.
RecipeTable recipes_of_6(const InitLetters& s) {
  const RecipeTable own = {
      {"att.time_maa_x", previous(s, s.rho1)},
      {"att.time_maa_w", previous(s, s.rho1)},
      {"att.time_maa_k", previous(s, s.rho1)},
      {"att.time_maa_v", previous(s, s.rho1, 0.3 * s.rho0)},
      {"att.time_maa_r", previous(s, 0.5 * s.rho1)},
      {"att.time_maa_g", previous(s, 0.5 * s.rho1)},
      {"att.time_maa_w1", constant(0)},
      {"att.time_maa_w2", uniform(0.01)},
      {"att.time_decay", decay_5(s)},
      {"att.time_decay_w1", constant(0)},
      {"att.time_decay_w2", uniform(0.01)},
      {"att.time_faaaa", bonus_5_2(s)},
      {"ffn.time_maa_k", previous(s, std::pow(s.rho1, 3))},
      {"ffn.time_maa_r", previous(s, std::pow(s.rho1, 3))},
  };
  return joined(matrices_from_5_on(s), own);
}

/// RWKV-v7/train_temp/src/model.py
RecipeTable recipes_of_7(const InitLetters& s) {
  const auto lin = [s](double n) { return s.h(n) - 0.5; };
  // From −1 to 1 within each head, with the sign kept when squared.
  const auto zz = [s](double n) {
    const double half = (s.N - 1) / 2;
    const double z = half > 0 ? (std::fmod(n, s.N) - half) / half : 0;
    return z * std::abs(z);
  };
  const Recipe low_rank = orthogonal(0.1 * s.tall);
  const RecipeTable own = {
      {"att.x_r", previous(s, 0.2 * s.rho1)},
      {"att.x_w", previous(s, 0.9 * s.rho1)},
      {"att.x_k", previous(s, 0.7 * s.rho1)},
      {"att.x_v", previous(s, 0.7 * s.rho1)},
      {"att.x_a", previous(s, 0.9 * s.rho1)},
      {"att.x_g", previous(s, 0.2 * s.rho1)},
      {"att.w0", formula([=](double n) {
         return -6 + 6 * std::pow(s.h(n), 1 + std::pow(s.rho0, 0.3)) + 0.5 + 2.5 * zz(n);
       })},
      {"att.a0", formula([=](double n) { return -0.19 + 0.3 * zz(n) + 0.4 * lin(n); })},
      {"att.v0", formula([=](double n) { return 0.73 - 0.4 * lin(n); })},
      {"att.k_k", formula([=](double n) { return 0.71 - 0.1 * lin(n); })},
      {"att.k_a", constant(1.02)},
      {"att.r_k", constant(-0.04)},
      {"att.w1", constant(0)},
      {"att.w2", low_rank},
      {"att.a1", constant(0)},
      {"att.a2", low_rank},
      {"att.v1", constant(0)},
      {"att.v2", low_rank},
      {"att.g1", constant(0)},
      {"att.g2", low_rank},
      {"ffn.x_k", previous(s, std::pow(s.rho1, 4))},
  };
  return joined(matrices_from_5_on(s), own);
}

struct RecipesOfGeneration {
  std::string_view generation;
  RecipeTable (*recipes)(const InitLetters& s);
};
constexpr std::array kRecipes = {
    RecipesOfGeneration{"4", recipes_of_4},
    RecipesOfGeneration{"4a", recipes_of_4},
    RecipesOfGeneration{"5.0", recipes_of_5_0_and_5_1},
    RecipesOfGeneration{"5.1", recipes_of_5_0_and_5_1},
    RecipesOfGeneration{"5.2", recipes_of_5_2},
    RecipesOfGeneration{"6", recipes_of_6},
    RecipesOfGeneration{"7", recipes_of_7},
};

/// "blocks.3.att.w0" -> 3 and "att.w0"; 0 and the whole name outside of blocks.
std::pair<std::int64_t, std::string_view> layer_and_rest(std::string_view name) {
  constexpr std::string_view kBlocks = "blocks.";
  if (!name.starts_with(kBlocks)) return {0, name};
  std::int64_t layer = 0;
  const char* end = name.data() + name.size();
  const auto [p, error] = std::from_chars(name.data() + kBlocks.size(), end, layer);
  if (error != std::errc{} || p == end || *p != '.') return {0, name};
  return {layer, {p + 1, end}};
}

InitLetters letters_of(const Param& p, const Dims& d) {
  InitLetters s;
  s.L = static_cast<double>(d.L);
  s.l = static_cast<double>(layer_and_rest(p.name).first);
  if (d.L > 1) s.rho0 = s.l / (s.L - 1);
  s.rho1 = 1 - s.l / s.L;
  s.N = static_cast<double>(d.N);
  s.size = static_cast<double>(p.shape.numel());
  if (p.stored != Stored::kVector) {
    auto rows = static_cast<double>(p.shape[p.shape.rank - 2]);
    auto cols = static_cast<double>(p.shape[p.shape.rank - 1]);
    if (p.stored == Stored::kTransposed) std::swap(rows, cols);
    s.tall = std::sqrt(std::max(1.0, rows / cols));
  }
  return s;
}

Recipe recipe_of(const Param& p, const Model& model, const InitOptions& options) {
  const InitLetters s = letters_of(p, model.dims());
  const std::string_view name = layer_and_rest(p.name).second;
  for (const auto& [generation, recipes] : kRecipes) {
    if (generation != model.generation()) continue;
    for (const auto& [of, recipe] : joined(shared_recipes(s, options), recipes(s))) {
      if (of == name) return recipe;
    }
  }
  fail(Code::kInternal, "no initial values are known for '{}' of RWKV-{}", p.name,
       model.generation());
}

// ---- numbers

/// One parameter's own random numbers. Number n does not depend on which were drawn before it.
class OwnNumbers {
 public:
  OwnNumbers(const std::string& name, std::uint64_t seed)
      : start_(hash64(std::as_bytes(std::span(name)), seed)) {}

  /// In [−1, 1).
  [[nodiscard]] double uniform(std::uint64_t n) const {
    return static_cast<double>(bits(n) >> 11U) * 0x1p-52 - 1;
  }
  /// Normal numbers 2 i and 2 i + 1 (Box and Muller 1958).
  [[nodiscard]] std::pair<double, double> normals(std::uint64_t i) const {
    const double u = static_cast<double>((bits(2 * i) >> 11U) + 1) * 0x1p-53;  // in (0, 1]
    const double angle = std::numbers::pi * uniform(2 * i + 1);
    const double r = std::sqrt(-2 * std::log(u));
    return {r * std::cos(angle), r * std::sin(angle)};
  }

 private:
  /// SplitMix64 (Steele et al. 2014), whose state after n steps is known without taking them.
  [[nodiscard]] std::uint64_t bits(std::uint64_t n) const {
    std::uint64_t z = start_ + (n + 1) * 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }

  std::uint64_t start_;
};

constexpr std::int64_t kNumbersAtATime = 4096;

void fill_uniform(std::span<float> out, double bound, const OwnNumbers& numbers, ThreadPool& pool) {
  pool.parallel_for(std::ssize(out), kNumbersAtATime, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      out[static_cast<std::size_t>(i)] =
          static_cast<float>(bound * numbers.uniform(static_cast<std::uint64_t>(i)));
    }
  });
}

void fill_normal(std::span<float> out, const OwnNumbers& numbers, ThreadPool& pool) {
  const std::int64_t pairs = (std::ssize(out) + 1) / 2;
  pool.parallel_for(pairs, kNumbersAtATime, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto [a, b] = numbers.normals(static_cast<std::uint64_t>(i));
      const auto at = static_cast<std::size_t>(2 * i);
      out[at] = static_cast<float>(a);
      if (at + 1 < out.size()) out[at + 1] = static_cast<float>(b);
    }
  });
}

// ---- orthogonal matrices

using RowMajorF = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixRows = Eigen::Map<RowMajorF>;

/// Calls f(i) for all i below `count`. Eigen may find no memory for its scratch, and what tasks of a pool
/// throw ends the process.
template <class F>
void for_each_index(std::int64_t count, ThreadPool& pool, const F& f) {
  std::atomic<bool> no_memory{false};
  pool.parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
    try {
      for (std::int64_t i = begin; i < end; ++i) f(i);
    } catch (const std::bad_alloc&) {
      no_memory = true;
    }
  });
  if (no_memory) throw std::bad_alloc();
}

/// The upper triangle of GᵀG; what is below the diagonal is partly zero. Products of some hundred rows in
/// f32, their sum in f64: a sum of all rows in f32 would be off by ten times as much.
Eigen::MatrixXd gram(const MatrixRows& g, ThreadPool& pool) {
  constexpr Eigen::Index kTile = 128, kRows = 256;
  const Eigen::Index n = g.cols(), tiles = (n + kTile - 1) / kTile;
  Eigen::MatrixXd sums = Eigen::MatrixXd::Zero(n, n);
  // A tile is summed by one thread from the first row to the last, so the order of sums is always the same.
  for_each_index(tiles * tiles, pool, [&](std::int64_t tile) {
    const Eigen::Index i = tile / tiles * kTile, j = tile % tiles * kTile;
    if (i > j) return;
    const Eigen::Index height = std::min(kTile, n - i), width = std::min(kTile, n - j);
    Eigen::MatrixXf product(height, width);
    for (Eigen::Index r = 0; r < g.rows(); r += kRows) {
      const Eigen::Index rows = std::min(kRows, g.rows() - r);
      product.noalias() = g.block(r, i, rows, height).transpose() * g.block(r, j, rows, width);
      sums.block(i, j, height, width) += product.cast<double>();
    }
  });
  return sums;
}

/// G ← gain · Q of G = Q R, by way of RᵀR = GᵀG: products only, which all threads share. The error is
/// that of f32 times the square of G's condition, which for a Gaussian matrix is
/// (√m + √n) / (√m − √n), so with m ≥ 2 n below 6: once is enough.
void cholesky_qr(MatrixRows g, double gain, ThreadPool& pool) {
  constexpr Eigen::Index kRows = 256;
  const Eigen::LLT<Eigen::MatrixXd, Eigen::Upper> cholesky(gram(g, pool));
  if (cholesky.info() != Eigen::Success) {
    fail(Code::kInternal, "a random ({}, {}) matrix has dependent columns", g.rows(), g.cols());
  }
  const Eigen::MatrixXd r = cholesky.matrixU();
  const Eigen::MatrixXf scaled = (r / gain).cast<float>();
  for_each_index((g.rows() + kRows - 1) / kRows, pool, [&](std::int64_t i) {
    auto rows = g.middleRows(i * kRows, std::min(kRows, g.rows() - i * kRows));
    scaled.triangularView<Eigen::Upper>().solveInPlace<Eigen::OnTheRight>(rows);
  });
}

/// The same by Householder's reflections, which do not ask how well conditioned G is. They leave the signs
/// of R's diagonal open; with all of them positive, as they are above, Q is unique and Haar.
void householder_qr(MatrixRows g, double gain) {
  const Eigen::HouseholderQR<Eigen::MatrixXf> qr(g);
  Eigen::MatrixXf q = qr.householderQ() * Eigen::MatrixXf::Identity(g.rows(), g.cols());
  const auto scale = static_cast<float>(gain);
  for (Eigen::Index i = 0; i < g.cols(); ++i) {
    q.col(i) *= qr.matrixQR()(i, i) < 0 ? -scale : scale;
  }
  g = q;
}

/// (rows, cols), row-major.
std::vector<float> orthogonal_matrix(std::int64_t rows, std::int64_t cols, double gain,
                                     const OwnNumbers& numbers, ThreadPool& pool) {
  std::vector<float> values(static_cast<std::size_t>(rows * cols));
  fill_normal(values, numbers, pool);
  const std::int64_t m = std::max(rows, cols), n = std::min(rows, cols);
  MatrixRows tall(values.data(), m, n);
  // Few columns may happen to be nearly dependent, and do not take long either way.
  if (m >= 2 * n && n >= 128) {
    cholesky_qr(tall, gain, pool);
  } else {
    householder_qr(tall, gain);
  }
  if (rows < cols) {
    std::vector<float> wide(values.size());
    MatrixRows(wide.data(), rows, cols) = tall.transpose();
    return wide;
  }
  return values;
}

}  // namespace

std::vector<float> initial_values(const Param& param, const Model& model,
                                  const InitOptions& options, ThreadPool& pool) {
  if (!std::isfinite(options.emb_scale) || options.emb_scale < 0) {
    fail(Code::kInvalidArgument, "emb_scale must be finite and not negative, not {}",
         options.emb_scale);
  }
  const Recipe recipe = recipe_of(param, model, options);
  const OwnNumbers numbers(param.name, options.seed);
  if (const auto* o = std::get_if<OrthogonalValues>(&recipe)) {
    return orthogonal_matrix(param.shape[0], param.shape[1], o->gain, numbers, pool);
  }
  std::vector<float> values(static_cast<std::size_t>(param.shape.numel()));
  if (const auto* u = std::get_if<UniformValues>(&recipe)) {
    fill_uniform(values, u->bound, numbers, pool);
  } else {
    const auto& value = std::get<ByFormula>(recipe).value;
    for (std::size_t n = 0; n < values.size(); ++n) {
      values[n] = static_cast<float>(value(static_cast<double>(n)));
    }
  }
  return values;
}

}  // namespace prwkv
