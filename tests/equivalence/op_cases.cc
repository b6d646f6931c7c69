#include "equivalence/op_cases.h"

#include <algorithm>
#include <limits>

namespace prwkv::test {
namespace {

using Data = std::shared_ptr<CaseData>;
using Doubles = std::vector<double>;
using Lengths = std::vector<std::int64_t>;
using Cases = std::vector<OpCase>;

constexpr DType kWeightTypes[] = {DType::kF32, DType::kF16, DType::kBF16};
constexpr DType kBlockTypes[] = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0,   DType::kQ5_1,
                                 DType::kQ8_0, DType::kQ2_K, DType::kQ3_K,   DType::kQ4_K,
                                 DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS};
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kHeadSizes[] = {4, 8, 16, 32, 64, 100};

Data data_for(const std::string& op, const std::string& name) {
  return std::make_shared<CaseData>(op + "." + name);
}

// ---- What bounds are made of

Doubles values(const Tensor& t) {
  Doubles v(static_cast<std::size_t>(t.numel()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = ref::load(t, static_cast<std::int64_t>(i));
  return v;
}

double largest(const Tensor& t) {
  double m = 0;
  for (const double x : values(t)) m = std::max(m, std::abs(x));
  return m;
}

/// The same bound for every value.
std::function<Doubles()> everywhere(const Tensor& t, double bound) {
  return [=] { return Doubles(static_cast<std::size_t>(t.numel()), bound); };
}
/// Results that are inputs, moved or widened.
std::function<Doubles()> exactly(const Tensor& t) { return everywhere(t, 0); }

void make_absolute(const Tensor& t) {
  for (std::int64_t i = 0; i < t.numel(); ++i) {
    if (t.dtype == DType::kF64) t.as<double>()[i] = std::abs(t.as<double>()[i]);
    if (t.dtype == DType::kF32) t.as<float>()[i] = std::abs(t.as<float>()[i]);
    if (t.dtype == DType::kF16 || t.dtype == DType::kBF16) t.as<std::uint16_t>()[i] &= 0x7fff;
  }
}

/// What the operation yields in exact arithmetic when every operand is replaced by its magnitude.
/// For results that are sums of products this is Σ|terms|, to which rounding errors are
/// proportional.
template <class Args>
Doubles of_magnitudes(const Args& args, const Tensor& wanted) {
  RefBackend exact(DType::kF64);
  Placed<Args> placed(exact, args, 0);
  for (Tensor* t : tensors_of(placed.args)) make_absolute(*t);
  call(exact, placed.args);
  return placed.read(wanted);
}

template <class Args>
Doubles exact_result(const Args& args, const Tensor& wanted) {
  RefBackend exact(DType::kF64);
  Placed<Args> placed(exact, args, 0);
  call(exact, placed.args);
  return placed.read(wanted);
}

/// `roundings` errors in a row on sums of products.
template <class Args>
std::function<Doubles()> rounded(const Args& args, const Tensor& wanted, double roundings) {
  return [=] {
    Doubles b = of_magnitudes(args, wanted);
    for (double& x : b) x = roundings * kU * x + kTiny;
    return b;
  };
}

/// Roundings on the way of one term of a sum of n products: vectors of at least 8 lanes, a product
/// that is rounded where there is no fused multiply-add, and the tree that adds the lanes.
double roundings_of_sum(std::int64_t n) { return static_cast<double>((n + 7) / 8) + 1 + 4; }

/// The same where terms of 512 are added one after the other (ops/linear/by_input_cpu.h).
double roundings_of_segments(std::int64_t n) {
  constexpr std::int64_t kSegment = 512;
  return static_cast<double>(std::min(n, kSegment) * 2 + n / kSegment + 1);
}

/// Error of act(z) when z itself is off by `dz`.
double act_error(Act act, double z, double dz) {
  const double y = ref::apply(act, z);
  const double moved =
      std::max(std::abs(ref::apply(act, z + dz) - y), std::abs(ref::apply(act, z - dz) - y));
  return moved + test::act_error(act, z);
}

// ---- Embedding and copies: nothing is computed

Cases embedding_cases() {
  Cases cases;
  const auto add = [&](const std::string& name, DType dtype, std::int64_t V, std::int64_t C,
                       std::int64_t T, std::size_t misaligned) {
    const Data d = data_for("embedding", name);
    Doubles ids(static_cast<std::size_t>(T));
    std::vector<std::int64_t> rows;
    for (std::int64_t t = 0; t < T; ++t) rows.push_back(t == 0 ? V - 1 : d->random.below(V));
    const EmbeddingArgs a{d->output({T, C}), d->weight({V, C}, dtype), d->ints(rows)};
    cases.push_back(make_case("embedding", name, d, a, {{"y", a.y, exactly(a.y)}},
                              {misaligned, T == kManyRows ? T : 0}));
  };
  for (const DType dtype : kWeightTypes) {
    const std::string type(name_of(dtype));
    add(type + "_one_token", dtype, 5, 64, 1, 0);
    add(type + "_odd_channels", dtype, 61, 63, 7, 0);
    add(type + "_one_channel", dtype, 3, 1, 5, 0);
    add(type + "_unaligned", dtype, 100, 1000, 63, 1);
  }
  for (const DType dtype : kBlockTypes) {
    const std::string type(name_of(dtype));
    const std::int64_t size = info(dtype).block_size;
    add(type + "_one_block", dtype, 5, size, 1, 0);
    add(type + "_odd_blocks_unaligned", dtype, 41, 5 * size, 63, 1);
  }
  return cases;
}

Cases embedding_rows() {
  const Data d = data_for("embedding", "rows");
  std::vector<std::int64_t> ids;
  for (std::int64_t t = 0; t < kManyRows; ++t) ids.push_back(d->random.below(97));
  const EmbeddingArgs a{d->output({kManyRows, 33}), d->weight({97, 33}, DType::kF16), d->ints(ids)};
  return {make_case("embedding", "rows", d, a, {{"y", a.y, exactly(a.y)}}, {0, kManyRows})};
}

/// Every bit pattern of a 16-bit type, denormals, infinities and NaN included.
Tensor all_patterns(CaseData& d, DType dtype) {
  Tensor t = d.weight({256, 256}, dtype);
  for (std::int64_t i = 0; i < t.numel(); ++i)
    t.as<std::uint16_t>()[i] = static_cast<std::uint16_t>(i);
  return t;
}

Cases copy_cases() {
  Cases cases;
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    const std::string name = std::string(name_of(dtype)) + "_every_bit_pattern";
    const Data d = data_for("copy", name);
    const CopyArgs a{d->output({256, 256}), all_patterns(*d, dtype)};
    cases.push_back(make_case("copy", name, d, a, {{"y", a.y, exactly(a.y)}}));
  }
  for (const DType dtype : kWeightTypes) {
    for (const std::int64_t n : {1, 7, 63, 1000, 20001}) {
      const std::string name = fmt::format("{}_{}_unaligned", name_of(dtype), n);
      const Data d = data_for("copy", name);
      const CopyArgs a{d->output({n}), d->weight({n}, dtype)};
      cases.push_back(make_case("copy", name, d, a, {{"y", a.y, exactly(a.y)}}, {1, 0}));
    }
  }
  return cases;
}

Cases copy_rows() {
  const Data d = data_for("copy", "rows");
  const CopyArgs a{d->output({kManyRows, 33}), d->uniform({kManyRows, 33})};
  return {make_case("copy", "rows", d, a, {{"y", a.y, exactly(a.y)}}, {0, kManyRows})};
}

Cases gather_rows_cases() {
  Cases cases;
  struct Row {
    const char* name;
    std::vector<std::int64_t> rows;
    std::int64_t T, C;
  };
  for (const auto& [name, rows, T, C] :
       {Row{"last_of_one", {0}, 1, 63}, Row{"backwards", {6, 3, 0}, 7, 1000},
        Row{"repeated", {2, 2, 2, 2, 2}, 3, 4}}) {
    const Data d = data_for("gather_rows", name);
    const GatherRowsArgs a{d->output({static_cast<std::int64_t>(rows.size()), C}),
                           d->uniform({T, C}), d->ints(rows)};
    cases.push_back(make_case("gather_rows", name, d, a, {{"y", a.y, exactly(a.y)}}));
  }
  return cases;
}

Cases gather_rows_rows() {
  const Data d = data_for("gather_rows", "rows");
  std::vector<std::int64_t> rows;
  for (std::int64_t t = 0; t < kManyRows; ++t) rows.push_back(d->random.below(100));
  const GatherRowsArgs a{d->output({kManyRows, 33}), d->uniform({100, 33}), d->ints(rows)};
  return {make_case("gather_rows", "rows", d, a, {{"y", a.y, exactly(a.y)}}, {0, kManyRows})};
}

// ---- Norms

struct NormShape {
  std::string name;
  std::int64_t T, H, N;
  double mean = 0, spread = 1;
};

/// Error of normal ⊙ w + b for the groups of N channels of x: a sum for the mean, one for the
/// variance, a square root, a division and a handful of roundings, each carried through to the
/// result.
Doubles norm_bound(const Tensor& x, const Tensor& w, const Tensor& b, std::int64_t N, double eps) {
  const Doubles X = values(x), W = values(w), B = values(b);
  Doubles bound(X.size());
  const auto n = static_cast<double>(N);
  for (std::size_t at = 0; at < X.size(); at += static_cast<std::size_t>(N)) {
    double mean = 0, magnitude = 0, variance = 0;
    for (std::size_t i = at; i < at + static_cast<std::size_t>(N); ++i)
      mean += X[i] / n, magnitude += std::abs(X[i]) / n;
    for (std::size_t i = at; i < at + static_cast<std::size_t>(N); ++i)
      variance += (X[i] - mean) * (X[i] - mean) / n;
    const double rstd = 1 / std::sqrt(variance + eps),
                 d_mean = (roundings_of_sum(N) + 1) * kU * magnitude;
    // An error of the mean moves the variance only in second order: deviations sum to zero.
    const double d_rstd =
        0.5 * ((roundings_of_sum(N) + 6) * kU + d_mean * d_mean * rstd * rstd) + 2 * kU;
    for (std::size_t i = at; i < at + static_cast<std::size_t>(N); ++i) {
      const std::size_t c = i % W.size();
      const double normal = std::abs(X[i] - mean) * rstd;
      bound[i] = std::abs(W[c]) * (d_mean * rstd + normal * (d_rstd + 4 * kU)) +
                 kU * std::abs(B[c]) + kTiny;
    }
  }
  return bound;
}

Cases layer_norm_of(const std::vector<NormShape>& shapes, bool rows) {
  Cases cases;
  for (const NormShape& s : shapes) {
    for (const bool in_place : {false, true}) {
      const std::string name = s.name + (in_place ? "_in_place" : "");
      const Data d = data_for("layer_norm", name);
      const Tensor x = d->uniform({s.T, s.N}, s.mean - s.spread, s.mean + s.spread);
      const LayerNormArgs a{in_place ? x : d->output({s.T, s.N}), x, d->uniform({s.N}),
                            d->uniform({s.N}), 1e-5};
      const auto bound = [=, keep = d] { return norm_bound(a.x, a.w, a.b, s.N, a.eps); };
      cases.push_back(
          make_case("layer_norm", name, d, a, {{"y", a.y, bound}}, {0, rows ? s.T : 0}));
    }
  }
  return cases;
}

Cases layer_norm_cases() {
  Cases cases = layer_norm_of({{"one_token", 1, 1, 64},
                               {"odd_channels", 7, 1, 63},
                               {"one_channel", 3, 1, 1},
                               {"thousand", 5, 1, 1000},
                               {"4096", 2, 1, 4096},
                               {"large_mean", 5, 1, 1000, 1000, 1},
                               {"tiny_values", 3, 1, 100, 0, 1e-20},
                               {"constant_rows", 3, 1, 100, 0.1, 0},
                               {"many_rows", 63, 1, 768}},
                              false);
  const Data d = data_for("layer_norm", "nan_stays_in_its_row");
  const Tensor x = d->uniform({4, 21});
  ref::store(x, 1 * 21 + 20, kNaN);
  ref::store(x, 2 * 21 + 3, kInf);
  const LayerNormArgs a{d->output({4, 21}), x, d->uniform({21}), d->uniform({21}), 1e-5};
  const auto bound = [=, keep = d] { return norm_bound(a.x, a.w, a.b, 21, a.eps); };
  cases.push_back(make_case("layer_norm", "nan_stays_in_its_row", d, a, {{"y", a.y, bound}}));
  return cases;
}

Cases layer_norm_rows() { return layer_norm_of({{"rows", kManyRows, 1, 133}}, true); }

Cases group_norm_of(const std::vector<NormShape>& shapes, bool rows) {
  Cases cases;
  for (const NormShape& s : shapes) {
    for (const bool gated : {false, true}) {
      for (const bool in_place : {false, true}) {
        const std::string name = s.name + (gated ? "_gated" : "") + (in_place ? "_in_place" : "");
        const Data d = data_for("group_norm", name);
        const std::int64_t A = s.H * s.N;
        const Tensor x = d->uniform({s.T, A}, s.mean - s.spread, s.mean + s.spread);
        const GroupNormArgs a{in_place ? x : d->output({s.T, A}),
                              x,
                              d->uniform({A}),
                              d->uniform({A}),
                              gated ? d->uniform({s.T, A}, -2, 2) : Tensor{},
                              s.H,
                              64e-5};
        const auto bound = [=, keep = d] {
          Doubles b = norm_bound(a.x, a.w, a.b, s.N, a.eps);
          const Doubles y = exact_result(a, a.y);
          for (std::size_t i = 0; a.g && i < b.size(); ++i) {
            b[i] =
                b[i] * std::abs(ref::load(a.g, static_cast<std::int64_t>(i))) + kU * std::abs(y[i]);
          }
          return b;
        };
        cases.push_back(
            make_case("group_norm", name, d, a, {{"y", a.y, bound}}, {0, rows ? s.T : 0}));
      }
    }
  }
  return cases;
}

std::vector<NormShape> head_shapes() {
  std::vector<NormShape> shapes;
  for (const std::int64_t N : kHeadSizes)
    shapes.push_back({fmt::format("heads_of_{}", N), 5, 3, N});
  shapes.push_back({"one_token", 1, 12, 64});
  shapes.push_back({"odd_length", 63, 2, 64});
  shapes.push_back({"large_mean", 3, 2, 64, 100, 1});
  shapes.push_back({"constant", 3, 2, 8, 0.1, 0});
  return shapes;
}

Cases group_norm_cases() { return group_norm_of(head_shapes(), false); }
Cases group_norm_rows() { return group_norm_of({{"rows", kManyRows, 3, 20}}, true); }

Cases wkv7_output_of(const std::vector<NormShape>& shapes, bool rows) {
  Cases cases;
  for (const NormShape& s : shapes) {
    for (const bool in_place : {false, true}) {
      const std::string name = s.name + (in_place ? "_in_place" : "");
      const Data d = data_for("wkv7_output", name);
      const std::int64_t A = s.H * s.N;
      const auto activation = [&] { return d->uniform({s.T, A}); };
      const Tensor x = d->uniform({s.T, A}, s.mean - s.spread, s.mean + s.spread);
      const Wkv7OutputArgs a{in_place ? x : d->output({s.T, A}),
                             x,
                             activation(),
                             activation(),
                             activation(),
                             activation(),
                             d->uniform({A}),
                             d->uniform({A}),
                             d->uniform({A}),
                             s.H,
                             64e-5};
      const auto bound = [=, keep = d] {
        Doubles b = norm_bound(a.x, a.w, a.b, s.N, a.eps);
        const Doubles y = exact_result(a, a.y), r = values(a.r), k = values(a.k), v = values(a.v),
                      g = values(a.g);
        const Doubles r_k = values(a.r_k);
        for (std::size_t i = 0; i < b.size(); ++i) {
          const std::size_t head =
              i / static_cast<std::size_t>(s.N) * static_cast<std::size_t>(s.N);
          double terms = 0;
          for (std::size_t c = head; c < head + static_cast<std::size_t>(s.N); ++c) {
            terms += std::abs(r[c] * k[c] * r_k[c % r_k.size()]);
          }
          const double bonus = (roundings_of_sum(s.N) + 3) * kU * terms * std::abs(v[i]);
          b[i] = (b[i] + bonus) * std::abs(g[i]) + 2 * kU * std::abs(y[i]);
        }
        return b;
      };
      cases.push_back(
          make_case("wkv7_output", name, d, a, {{"y", a.y, bound}}, {0, rows ? s.T : 0}));
    }
  }
  return cases;
}

Cases wkv7_output_cases() { return wkv7_output_of(head_shapes(), false); }
Cases wkv7_output_rows() { return wkv7_output_of({{"rows", kManyRows, 3, 20}}, true); }

// ---- Products

struct Part {
  std::int64_t in, out;
  DType dtype = DType::kF32;
  Act act = Act::kNone;
  bool bias = false, saved = false;
  float scale = 1;
  Input input = Input::kAny;
};

/// max(x, 0)², most of them zero.
Tensor squared_relus(CaseData& d, const Shape& shape) {
  const Tensor x = d.uniform(shape);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const double above = std::max(0.0, ref::load(x, i) - 0.6);
    ref::store(x, i, above * above);
  }
  return x;
}

/// What rounding the activations of a projection adds to the error of its sums.
Doubles error_of_rounding(const Projection& q, DType weights, const Arithmetic& arithmetic) {
  const std::int64_t T = q.x.dim(0), in = q.x.dim(1), out = q.y.dim(1);
  const bool to_bytes = is_block(weights) && arithmetic.rounds_for_blocks;
  const bool to_bf16 = weights == DType::kBF16 && arithmetic.rounds_for_bf16;
  Doubles error(static_cast<std::size_t>(T * out));
  if (!to_bytes && !to_bf16) return error;
  const Doubles x = values(q.x), w = values(q.w);
  const auto at = [](const Doubles& v, std::int64_t i) {
    return std::abs(v[static_cast<std::size_t>(i)]);
  };
  constexpr std::int64_t kGroup = 32;
  constexpr double kSmallest = 1e-36, kDenormal = 1.2e-38;  // what counts as zero
  for (std::int64_t t = 0; t < T; ++t) {
    for (std::int64_t o = 0; o < out; ++o) {
      double sum = 0;
      for (std::int64_t i = 0; i < in; ++i) {
        if (to_bf16) {
          // Eight bits of a significand, and no denormal numbers anywhere.
          sum += at(w, o * in + i) * at(x, t * in + i) * 0x1p-8 +
                 kDenormal * (at(w, o * in + i) + at(x, t * in + i) + 2);
          continue;
        }
        if (i % kGroup != 0) continue;
        double most_x = 0, most_w = 0, sum_x = 0, sum_w = 0;
        for (std::int64_t j = i; j < i + kGroup; ++j) {
          most_x = std::max(most_x, at(x, t * in + j));
          most_w = std::max(most_w, at(w, o * in + j));
          sum_x += at(x, t * in + j);
          sum_w += at(w, o * in + j);
        }
        // Half a step of 127, twice over in narrow rows. Types with offsets take the difference of two sums, each at most some
        // times the largest weight.
        sum += sum_w * (most_x / (in <= 256 ? 254 * 254 : 254) * 1.0001 + kSmallest) +
               4 * most_w * sum_x * kU * (static_cast<double>(in) / 16 + 8);
      }
      error[static_cast<std::size_t>(t * out + o)] = q.scale * sum;
    }
  }
  return error;
}

OpCase linear_case(const std::string& name, std::int64_t T, const std::vector<Part>& parts,
                   const Data& d, const CaseOptions& options = {}) {
  LinearArgs a;
  a.n = static_cast<int>(parts.size());
  std::vector<Written> written;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Part& p = parts[i];
    Projection& q = a.part[i];
    const bool is_sparse = p.input == Input::kSquaredRelu;
    q.x = is_sparse ? squared_relus(*d, {T, p.in}) : d->uniform({T, p.in});
    // Results of size 1 whatever the length, so that activation functions are used where they bend.
    q.w = d->weight({p.out, p.in}, p.dtype, 3 / std::sqrt(static_cast<double>(p.in)));
    if (is_sparse) q.w.layout = Layout::kByInput;  // if the backend likes to
    q.y = d->output({T, p.out});
    q.act = p.act;
    q.scale = p.scale;
    if (p.bias) q.bias = d->uniform({p.out});
    if (p.saved) q.saved = d->output({T, p.out});
  }
  // What the operands are, in types whose magnitudes can be taken.
  LinearArgs plain = a;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    plain.part[i].w.layout = Layout::kRows;
    if (is_block(parts[i].dtype)) plain.part[i].w = d->decoded(plain.part[i].w);
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    // Blocks are added in groups, floats in segments if they are packed, which those at odd addresses
    // are not.
    const bool in_segments = parts[i].input == Input::kSquaredRelu ||
                             (is_float(parts[i].dtype) && options.misaligned == 0);
    const auto sum_error = [plain, i, keep = d, dtype = parts[i].dtype,
                            in_segments](const Arithmetic& arithmetic) {
      LinearArgs one;
      one.n = 1;
      one.part[0] = plain.part[i];
      one.part[0].act = Act::kNone;
      const Projection& q = one.part[0];
      const std::int64_t in = q.x.dim(1);
      const double roundings = in_segments ? roundings_of_segments(in) : roundings_of_sum(in);
      Doubles b = rounded(one, q.y, roundings + 2)();
      const Doubles more = error_of_rounding(q, dtype, arithmetic);
      for (std::size_t j = 0; j < b.size(); ++j) b[j] += more[j];
      return b;
    };
    const auto act_bound = [plain, i, sum_error](const Arithmetic& arithmetic) {
      LinearArgs one;
      one.n = 1;
      one.part[0] = plain.part[i];
      one.part[0].act = Act::kNone;
      Doubles b = sum_error(arithmetic);
      const Doubles z = exact_result(one, one.part[0].y);
      for (std::size_t j = 0; j < b.size(); ++j) b[j] = act_error(plain.part[i].act, z[j], b[j]);
      return b;
    };
    written.push_back({"y", a.part[i].y, {}, act_bound});
    if (parts[i].saved) written.push_back({"saved", a.part[i].saved, {}, sum_error});
  }
  return make_case("linear", name, d, a, written, options);
}

Cases linear_cases() {
  Cases cases;
  const auto add = [&](const std::string& name, std::int64_t T, const std::vector<Part>& parts,
                       std::size_t misaligned = 0) {
    cases.push_back(linear_case(name, T, parts, data_for("linear", name), {misaligned, 0}));
  };
  for (const DType t : kWeightTypes) {
    const std::string type(name_of(t));
    for (const std::int64_t in : {1, 7, 1024, 1025, 2049, 4096}) {
      // One row, each width of a tile, more rows than a tile has, more than a block of tiles has.
      for (const std::int64_t T : {1, 2, 5, 6, 7, 16, 63}) {
        if (kFewCases && (in > 1025 || (in > 7 && T > 7))) continue;
        add(fmt::format("{}_in_{}_rows_{}", type, in, T), T, {{in, in == 4096 ? 9 : 37, t}});
      }
    }
    add(type + "_rows_97", 97, {{1025, 37, t}});
    if (!kFewCases) add(type + "_columns_in_groups", 97, {{8192 + 11, 21, t}});
    add(type + "_rows_200", 200, {{77, 3, t}});
    add(type + "_one_output", 3, {{1000, 1, t}});
    add(type + "_many_outputs", 2, {{64, 1000, t}});
    for (const std::size_t off : {std::size_t{1}, std::size_t{2}, std::size_t{3}}) {
      for (const std::int64_t T : {1, 4, 20}) {
        add(fmt::format("{}_unaligned_{}_rows_{}", type, off, T), T, {{63, 21, t}, {64, 16, t}},
            off);
      }
    }
    add(type + "_bias_and_saved", 5,
        {{100, 19, t, Act::kSilu, true, true},
         {31, 8, t, Act::kReluSq, false, true},
         {64, 64, t, Act::kNone, true, true}});
  }
  for (const DType t : kBlockTypes) {
    const std::string type(name_of(t));
    for (const std::int64_t blocks : {1, 3, 11}) {
      const std::int64_t in = blocks * info(t).block_size;
      for (const std::int64_t T : {1, 2, 5, 6, 7, 16, 63}) {
        if (kFewCases && (blocks > 3 || T > 7)) continue;
        add(fmt::format("{}_in_{}_rows_{}", type, in, T), T, {{in, blocks == 3 ? 9 : 37, t}},
            static_cast<std::size_t>(T % 4));
      }
    }
    if (!kFewCases) add(type + "_columns_in_groups", 97, {{8192 + 256, 21, t}});
    add(type + "_one_output", 3, {{info(t).block_size, 1, t}});
    add(type + "_bias_and_saved", 5, {{info(t).block_size, 19, t, Act::kSilu, true, true, 0.25f}});
  }
  for (const DType t : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0}) {
    const std::string type(name_of(t));
    const Input zeros = Input::kSquaredRelu;
    for (const std::int64_t in : {32, 288, 512, 544, 1600}) {
      for (const std::int64_t T : {1, 2, 5, 6, 7, 16, 63, 97}) {
        if (kFewCases && (in > 544 || T > 7)) continue;
        add(fmt::format("{}_zeros_in_{}_rows_{}", type, in, T), T,
            {{in, in == 544 ? 192 : 64, t, Act::kNone, false, false, 1, zeros}});
      }
    }
    for (const std::int64_t T : {1, 5}) {
      // Shapes that cannot be stored by input, and several projections of both kinds.
      add(fmt::format("{}_zeros_of_all_kinds_rows_{}", type, T), T,
          {{320, 50, t, Act::kNone, false, false, 1, zeros},
           {640, 64, t, Act::kSilu, true, true, 0.5f, zeros},
           {320, 64, t},
           {1024, 128, t, Act::kTanh, true, false, 1, zeros}});
    }
  }
  for (const Act act : {Act::kNone, Act::kSigmoid, Act::kTanh, Act::kSilu, Act::kReluSq, Act::kExp,
                        Act::kNegExp, Act::kExpNegExp, Act::kDecay7}) {
    for (const std::int64_t T : {1, 9}) {
      add(fmt::format("act_{}_rows_{}", static_cast<int>(act), T), T,
          {{64, 50, DType::kF32, act, true}});
    }
  }
  for (const std::int64_t T : {1, 9}) {
    add(fmt::format("scaled_rows_{}", T), T,
        {{64, 50, DType::kF32, Act::kNone, false, false, 4.0f},
         {65, 31, DType::kF16, Act::kTanh, true, true, 0.3f},
         {33, 17, DType::kBF16, Act::kNone, true, false, 0.25f}});
  }
  add("eight_parts_of_all_types", 6,
      {{64, 30, DType::kF32},
       {64, 31, DType::kF16, Act::kTanh},
       {7, 5, DType::kBF16, Act::kSigmoid, true},
       {100, 1, DType::kF16},
       {64, 64, DType::kF32, Act::kReluSq},
       {1, 1, DType::kBF16},
       {33, 17, DType::kF16, Act::kDecay7, true},
       {1025, 12, DType::kBF16}});
  add("eight_parts_of_one_row", 1,
      {{64, 30, DType::kF32},
       {64, 31, DType::kF16, Act::kTanh},
       {7, 5, DType::kBF16, Act::kSigmoid, true},
       {100, 1, DType::kF16},
       {64, 64, DType::kF32, Act::kReluSq},
       {1, 1, DType::kBF16},
       {33, 17, DType::kF16, Act::kDecay7, true},
       {1025, 12, DType::kBF16}});
  for (const DType t : {DType::kF16, DType::kBF16}) {
    // x picks single weights, so every result is one weight: denormal, infinite, NaN or plain.
    for (const std::int64_t T : {1, 16}) {
      const std::string name = fmt::format("{}_special_weights_rows_{}", name_of(t), T);
      const Data d = data_for("linear", name);
      LinearArgs a;
      a.n = 1;
      a.part[0].w = all_patterns(*d, t).reshaped({65536, 1});
      a.part[0].x = d->fill({T, 1}, [](std::int64_t) { return 1; });
      a.part[0].y = d->output({T, 65536});
      const auto bound = [y = a.part[0].y, t](const Arithmetic& arithmetic) {
        constexpr double kDenormal = 1.2e-38;  // counts as zero where bf16 is multiplied
        const bool flushes = t == DType::kBF16 && arithmetic.rounds_for_bf16;
        return everywhere(y, flushes ? kDenormal : 0)();
      };
      cases.push_back(make_case("linear", name, d, a, {{"y", a.part[0].y, {}, bound}}));
    }
  }
  for (const std::int64_t T : {4, 20}) {
    const std::string name = fmt::format("nan_stays_in_its_row_rows_{}", T);
    const Data d = data_for("linear", name);
    LinearArgs a;
    a.n = 1;
    a.part[0].x = d->uniform({T, 21});
    ref::store(a.part[0].x, 1 * 21 + 20, kNaN);  // in the tail of a vector
    ref::store(a.part[0].x, 2 * 21 + 3, kInf);
    a.part[0].w = d->weight({13, 21}, DType::kF32);
    a.part[0].y = d->output({T, 13});
    cases.push_back(make_case("linear", name, d, a,
                              {{"y", a.part[0].y, rounded(a, a.part[0].y, roundings_of_sum(21))}}));
  }
  for (const Layout layout :
       {Layout::kRows, Layout::kByInput}) {  // packed, if the backend likes to
    const std::string name = layout == Layout::kRows ? "no_rows" : "no_rows_by_input";
    const Data d = data_for("linear", name);
    LinearArgs a;
    a.n = 1;
    a.part[0] = {d->output({0, 64}),
                 d->uniform({0, 32}),
                 d->weight({64, 32}, DType::kF32),
                 d->uniform({64}),
                 Act::kNone,
                 {},
                 1,
                 {}};
    a.part[0].w.layout = layout;
    cases.push_back(make_case("linear", name, d, a, {{"y", a.part[0].y, exactly(a.part[0].y)}}));
  }
  return cases;
}

Cases linear_rows() {
  Cases cases;
  for (const DType t : kWeightTypes) {
    for (const std::size_t misaligned :
         {std::size_t{0}, std::size_t{1}}) {  // packed, and as files have them
      const std::string name =
          fmt::format("{}_{}_rows", name_of(t), misaligned == 0 ? "packed" : "plain");
      cases.push_back(linear_case(name, kManyRows,
                                  {{1025, 37, t},
                                   {63, 41, t, Act::kTanh, true},
                                   {2049, 6, t, Act::kSilu},
                                   {7, 5, t, Act::kNone, true, true}},
                                  data_for("linear", name), {misaligned, kManyRows}));
    }
  }
  for (const DType t : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0}) {
    const std::string name = fmt::format("{}_zeros_rows", name_of(t));
    const Input zeros = Input::kSquaredRelu;
    cases.push_back(linear_case(name, kManyRows,
                                {{1056, 64, t, Act::kNone, false, false, 1, zeros},
                                 {512, 128, t, Act::kTanh, true, false, 1, zeros}},
                                data_for("linear", name), {1, kManyRows}));
  }
  for (const DType t : kBlockTypes) {
    const std::string name = fmt::format("{}_rows", name_of(t));
    cases.push_back(linear_case(name, kManyRows,
                                {{3 * info(t).block_size, 21, t}, {768, 5, t, Act::kTanh, true}},
                                data_for("linear", name), {1, kManyRows}));
  }
  return cases;
}

// ---- Token shift

struct ShiftShape {
  std::string name;
  Lengths lengths;
  std::int64_t C;
};

std::vector<ShiftShape> shift_shapes() {
  return {{"one_token", {1}, 64},          {"odd_length", {63}, 33},
          {"decode", {1, 1, 1, 1, 1}, 20}, {"ragged", {1, 20, 7, 1}, 100},
          {"empty_first", {0, 5, 3}, 17},  {"empty_last", {4, 0}, 64},
          {"only_empty", {0, 0}, 16},      {"thousand", {40, 24}, 1000},
          {"one_channel", {3, 2}, 1}};
}

/// The rows before x's, as the kernels see them.
Doubles shifted(const Tensor& x, const Tensor& state, const Seqs& seqs) {
  Doubles before(static_cast<std::size_t>(x.numel()));
  const std::int64_t C = x.dim(1);
  for (std::int64_t s = 0; s < seqs.n; ++s) {
    for (std::int64_t t = seqs[s].begin; t < seqs[s].end; ++t) {
      for (std::int64_t c = 0; c < C; ++c) {
        before[static_cast<std::size_t>(t * C + c)] = t > seqs[s].begin
                                                          ? ref::load(x, (t - 1) * C + c)
                                                          : ref::load(state, seqs[s].slot * C + c);
      }
    }
  }
  return before;
}

Cases token_shift_of(const std::vector<ShiftShape>& shapes, std::int64_t cut) {
  Cases cases;
  for (const ShiftShape& s : shapes) {
    for (const ShiftMix mix : {ShiftMix::kCurrent, ShiftMix::kPrevious}) {
      for (const int n : {1, 2, 6}) {
        const std::string name =
            fmt::format("{}_{}_{}", s.name, n, mix == ShiftMix::kCurrent ? "current" : "previous");
        const Data d = data_for("token_shift", name);
        TokenShiftArgs a;
        a.seqs = d->seqs(s.lengths);
        a.x = d->uniform({a.seqs.rows, s.C}, -3, 3);
        a.state = d->uniform({a.seqs.slots, s.C}, -3, 3);
        a.n = n;
        a.mix = mix;
        std::vector<Written> written = {{"state", a.state, exactly(a.state)}};
        for (int i = 0; i < n; ++i) {
          const auto at = static_cast<std::size_t>(i);
          a.mu[at] = d->uniform({s.C}, -0.2, 1.2);
          a.y[at] = d->output({a.seqs.rows, s.C});
        }
        for (int i = 0; i < n; ++i) {
          const Tensor mu = a.mu[static_cast<std::size_t>(i)];
          // Five roundings at most (1 − μ, two products, a difference, a sum) of terms no larger
          // than this.
          const auto bound = [=, keep = d] {
            const Doubles before = shifted(a.x, a.state, a.seqs);
            Doubles b(before.size());
            for (std::size_t j = 0; j < b.size(); ++j) {
              const double now = std::abs(ref::load(a.x, static_cast<std::int64_t>(j)));
              const double m = std::abs(ref::load(mu, static_cast<std::int64_t>(j) % s.C));
              b[j] = 5 * kU * (now * (1 + m) + std::abs(before[j]) * (1 + m)) + kTiny;
            }
            return b;
          };
          written.push_back({"y", a.y[static_cast<std::size_t>(i)], bound});
        }
        cases.push_back(make_case("token_shift", name, d, a, written, {0, cut}));
      }
    }
  }
  return cases;
}

Cases token_shift_cases() { return token_shift_of(shift_shapes(), 0); }
Cases token_shift_rows() { return token_shift_of({{"rows", {kManyRows}, 33}}, kManyRows); }

Cases token_delta_of(const std::vector<ShiftShape>& shapes, std::int64_t cut) {
  Cases cases;
  for (const ShiftShape& s : shapes) {
    const Data d = data_for("token_delta", s.name);
    const Seqs seqs = d->seqs(s.lengths);
    const TokenDeltaArgs a{d->output({seqs.rows, s.C}), d->uniform({seqs.slots, s.C}),
                           d->uniform({seqs.rows, s.C}), seqs};
    const auto bound = [=, keep = d] {
      Doubles b = exact_result(a, a.delta);
      for (double& x : b) x = kU * std::abs(x);
      return b;
    };
    cases.push_back(make_case("token_delta", s.name, d, a,
                              {{"delta", a.delta, bound}, {"state", a.state, exactly(a.state)}},
                              {0, cut}));
  }
  return cases;
}

Cases token_delta_cases() { return token_delta_of(shift_shapes(), 0); }
Cases token_delta_rows() { return token_delta_of({{"rows", {kManyRows}, 33}}, kManyRows); }

Cases shift_by_of(const std::vector<std::pair<std::int64_t, std::int64_t>>& shapes,
                  std::int64_t cut) {
  Cases cases;
  for (const auto& [T, C] : shapes) {
    const std::string name = fmt::format("{}_rows_of_{}", T, C);
    const Data d = data_for("shift_by", name);
    const ShiftByArgs a{d->output({T, C}), d->uniform({T, C}), d->uniform({T, C}), d->uniform({C})};
    cases.push_back(make_case("shift_by", name, d, a, {{"y", a.y, rounded(a, a.y, 2)}}, {0, cut}));
  }
  return cases;
}

Cases shift_by_cases() { return shift_by_of({{1, 64}, {63, 33}, {5, 1}, {2, 1000}, {0, 8}}, 0); }
Cases shift_by_rows() { return shift_by_of({{kManyRows, 33}}, kManyRows); }

Cases data_shift_of(const std::vector<std::array<std::int64_t, 3>>& shapes, std::int64_t cut) {
  Cases cases;
  for (const auto& [T, C, D] : shapes) {
    for (const DType dtype : kWeightTypes) {
      const std::string name = fmt::format("{}_{}_rows_of_{}_rank_{}", name_of(dtype), T, C, D);
      const Data d = data_for("data_shift", name);
      DataShiftArgs a;
      a.x = d->uniform({T, C});
      a.delta = d->uniform({T, C});
      a.z = d->uniform({T, 5 * D});
      std::vector<Written> written;
      for (std::size_t q = 0; q < DataShiftArgs::kMax; ++q) {
        a.y[q] = d->output({T, C});
        a.w2[q] = d->weight({C, D}, dtype, 0.3);
        a.maa[q] = d->uniform({C});
      }
      for (std::size_t q = 0; q < DataShiftArgs::kMax; ++q) {
        const Tensor& y = a.y[q];
        Projection second{
            .y = y, .x = d->output({T, D}), .w = a.w2[q], .bias = {}, .saved = {}, .addend = {}};
        for (std::int64_t i = 0; i < T * D; ++i) {
          const std::int64_t from = i / D * 5 * D + static_cast<std::int64_t>(q) * D + i % D;
          ref::store(second.x, i, ref::load(a.z, from));
        }
        written.push_back({"y", y, {}, [=, keep = d](const Arithmetic& arithmetic) {
                             Doubles b = rounded(a, y, roundings_of_sum(second.x.dim(1)) + 1 + 2)();
                             const Doubles more = error_of_rounding(second, dtype, arithmetic);
                             const Doubles delta = values(a.delta);
                             for (std::size_t i = 0; i < b.size(); ++i)
                               b[i] += more[i] * std::abs(delta[i]);
                             return b;
                           }});
      }
      cases.push_back(make_case("data_shift", name, d, a, written, {1, cut}));
    }
  }
  return cases;
}

Cases data_shift_cases() {
  return data_shift_of({{1, 64, 32}, {5, 33, 4}, {63, 20, 7}, {2, 1000, 32}, {7, 16, 1}}, 0);
}
Cases data_shift_rows() { return data_shift_of({{kManyRows, 33, 20}}, kManyRows); }

// ---- Element by element

Cases spread_cases() {
  Cases cases;
  for (const Act act : {Act::kNone, Act::kNegExp, Act::kExp, Act::kExpNegExp}) {
    for (const auto& [A, n] : {std::pair<std::int64_t, std::int64_t>{64, 64},
                               {63, 63},
                               {64, 1},
                               {300, 3},
                               {1000, 250},
                               {12, 3}}) {
      const std::string name = fmt::format("act_{}_{}_over_{}", static_cast<int>(act), n, A);
      const Data d = data_for("spread", name);
      const SpreadArgs a{d->output({A}), d->uniform({n}, -6, 2), act};
      const auto bound = [=, keep = d, each = A / n, channels = A] {
        Doubles b(static_cast<std::size_t>(channels));
        for (std::size_t i = 0; i < b.size(); ++i) {
          b[i] = test::act_error(a.act, ref::load(a.p, static_cast<std::int64_t>(i) / each));
        }
        return b;
      };
      cases.push_back(make_case("spread", name, d, a, {{"y", a.y, bound}}));
    }
  }
  return cases;
}

/// y = a, y = b or neither, for shapes from one value to more than one thread's share.
template <class Args, class Make>
Cases element_wise(const std::string& op, const std::vector<std::string>& places, const Make& make,
                   double roundings, bool rows) {
  Cases cases;
  for (const auto& [T, C] : {std::pair<std::int64_t, std::int64_t>{1, 1},
                             {1, 63},
                             {3, 1000},
                             {97, 401},
                             {0, 4},
                             {kManyRows, 33}}) {
    if (rows != (T == kManyRows)) continue;
    for (const std::string& place : places) {
      const std::string name = fmt::format("{}_by_{}{}", T, C, place);
      const Data d = data_for(op, name);
      const Args a = make(*d, Shape{T, C}, place);
      cases.push_back(
          make_case(op, name, d, a, {{"y", a.y, rounded(a, a.y, roundings)}}, {0, rows ? T : 0}));
    }
  }
  return cases;
}

Cases mul_of(bool rows) {
  return element_wise<MulArgs>(
      "mul", {"", "_onto_a", "_onto_b"},
      [](CaseData& d, const Shape& s, const std::string& place) {
        const Tensor a = d.uniform(s), b = d.uniform(s);
        return MulArgs{place == "_onto_a" ? a : place == "_onto_b" ? b : d.output(s), a, b};
      },
      1, rows);
}
Cases add_of(bool rows) {
  return element_wise<AddArgs>(
      "add", {"", "_onto_a"},
      [](CaseData& d, const Shape& s, const std::string& place) {
        const Tensor a = d.uniform(s), b = d.uniform(s);
        return AddArgs{place == "_onto_a" ? a : d.output(s), a, b};
      },
      1, rows);
}
Cases lerp_of(bool rows) {
  // With every operand at its magnitude the result would be a − a m + b m; m ≥ 0 here, and 2 |a|
  // covers the difference.
  Cases cases;
  for (const auto& [T, C] : {std::pair<std::int64_t, std::int64_t>{1, 1},
                             {1, 63},
                             {3, 1000},
                             {97, 401},
                             {0, 4},
                             {kManyRows, 33}}) {
    if (rows != (T == kManyRows)) continue;
    for (const bool in_place : {false, true}) {
      const std::string name = fmt::format("{}_by_{}{}", T, C, in_place ? "_onto_a" : "");
      const Data d = data_for("lerp", name);
      const Tensor from = d->uniform({T, C});
      const LerpArgs a{in_place ? from : d->output({T, C}), from, d->uniform({T, C}),
                       d->uniform({T, C}, 0, 1)};
      const auto bound = [=, keep = d] {
        Doubles b(static_cast<std::size_t>(a.y.numel()));
        for (std::size_t i = 0; i < b.size(); ++i) {
          const auto at = static_cast<std::int64_t>(i);
          b[i] = 3 * kU * (2 * std::abs(ref::load(a.a, at)) + std::abs(ref::load(a.b, at)));
        }
        return b;
      };
      cases.push_back(make_case("lerp", name, d, a, {{"y", a.y, bound}}, {0, rows ? T : 0}));
    }
  }
  return cases;
}

// ---- Recurrences

struct RecurrentShape {
  std::string name;
  Lengths lengths;
  std::int64_t H, N;
};

std::vector<RecurrentShape> recurrent_shapes() {
  std::vector<RecurrentShape> shapes = {
      {"one_token", {1}, 2, 64},       {"odd_length", {63}, 1, 64},
      {"decode", {1, 1, 1, 1}, 3, 16}, {"ragged", {1, 40, 7, 1}, 3, 32},
      {"empty_first", {0, 5}, 1, 64},  {"empty_last", {4, 0}, 2, 8},
      {"only_empty", {0}, 2, 8},       {"long", {1000}, 1, 8},
  };
  for (const std::int64_t N : kHeadSizes)
    shapes.push_back({fmt::format("heads_of_{}", N), {9, 3}, 2, N});
  return shapes;
}

/// Steps of the longest sequence.
double longest(const Seqs& seqs) {
  std::int64_t T = 0;
  for (std::int64_t s = 0; s < seqs.n; ++s) T = std::max(T, seqs[s].end - seqs[s].begin);
  return static_cast<double>(T);
}

struct Wkv4Shape {
  std::string name;
  Lengths lengths;
  std::int64_t A;
  double key = 3;
  bool fresh = false;
};

Cases wkv4_of(const std::vector<Wkv4Shape>& shapes, std::int64_t cut) {
  Cases cases;
  for (const Wkv4Shape& s : shapes) {
    const Data d = data_for("wkv4", s.name);
    Wkv4Args a;
    a.seqs = d->seqs(s.lengths);
    const Shape rows = {a.seqs.rows, s.A}, slots = {a.seqs.slots, s.A};
    a.y = d->output(rows);
    a.k = d->uniform(rows, -s.key, s.key);
    a.v = d->uniform(rows);
    a.w = d->fill({s.A}, [&](std::int64_t) { return -std::exp(d->random.uniform(-6, 2)); });
    a.u = d->uniform({s.A}, -2, 2);
    a.bb = s.fresh ? d->fill(slots, [](std::int64_t) { return 0; }) : d->uniform(slots, 0.5, 3);
    // A weighted sum of values below 1, as it always is.
    a.aa = d->fill(slots,
                   [&](std::int64_t i) { return ref::load(a.bb, i) * d->random.uniform(-1, 1); });
    a.pp = s.fresh ? d->fill(slots, [](std::int64_t) { return -1e38; }) : d->uniform(slots, -2, 2);
    // Each step multiplies weights by e^x with |x| ≤ P rounded to 2 u P, two exponentials of
    // kExpUlps, and three more roundings; a quotient of two sums of such weights moves at most
    // twice as much as a weight.
    const auto relative = [=, keep = d] {
      const double P = largest(a.k) + largest(a.u) + largest(a.w) + (s.fresh ? 0 : largest(a.pp));
      return (longest(a.seqs) + 1) * (4 * kU * P + 8 * kU + 4 * kU);
    };
    const auto weights = [=](const Tensor& of, double scale) {
      return [=, keep = d] {
        Doubles b = exact_result(a, of);
        for (double& x : b) x = 2 * relative() * scale * std::abs(x) + kTiny;
        return b;
      };
    };
    const auto exponent = [=, keep = d] {
      Doubles b = exact_result(a, a.pp);
      for (double& x : b)
        x = (longest(a.seqs) + 1) * 2 * kU * (std::abs(x) + s.key + largest(a.w)) + kTiny;
      return b;
    };
    const auto everywhere_relative = [=] {
      return Doubles(static_cast<std::size_t>(a.y.numel()), 2 * relative());
    };
    cases.push_back(make_case("wkv4", s.name, d, a,
                              {{"y", a.y, everywhere_relative},
                               {"aa", a.aa, weights(a.bb, 1)},
                               {"bb", a.bb, weights(a.bb, 1)},
                               {"pp", a.pp, exponent}},
                              {0, cut}));
  }
  return cases;
}

Cases wkv4_cases() {
  return wkv4_of({{"one_token", {1}, 64},
                  {"one_fresh_token", {1}, 64, 3, true},
                  {"odd_length", {63}, 33},
                  {"decode", {1, 1, 1}, 100},
                  {"ragged", {1, 20, 7, 1}, 40},
                  {"empty_first", {0, 5}, 17},
                  {"empty_last", {4, 0}, 16},
                  {"only_empty", {0}, 16},
                  {"long", {1000}, 20},
                  {"large_keys", {50}, 20, 80},
                  {"huge_keys", {50}, 20, 1000, true},
                  {"one_channel", {9}, 1}},
                 0);
}
Cases wkv4_rows() {
  return wkv4_of({{"rows", {kManyRows}, 33}, {"rows_fresh", {kManyRows}, 33, 20, true}}, kManyRows);
}

Cases wkv6_of(const std::vector<RecurrentShape>& shapes, std::int64_t cut) {
  Cases cases;
  for (const RecurrentShape& s : shapes) {
    for (const bool constant : {false, true}) {
      const std::string name = s.name + (constant ? "_constant_decay" : "");
      const Data d = data_for("wkv6", name);
      Wkv6Args a;
      a.seqs = d->seqs(s.lengths);
      const std::int64_t A = s.H * s.N;
      const Shape rows = {a.seqs.rows, A};
      a.y = d->output(rows);
      a.state = d->uniform({a.seqs.slots, s.H, s.N, s.N});
      a.r = d->uniform(rows);
      a.k = d->uniform(rows);
      a.v = d->uniform(rows);
      a.w = d->uniform(constant ? Shape{1, A} : rows, 0, 0.999);
      a.u = d->uniform({A});
      // A term of the state is rounded three times a step, then summed over the keys.
      const double steps = 3 * longest(a.seqs);
      cases.push_back(make_case("wkv6", name, d, a,
                                {{"y", a.y, rounded(a, a.y, steps + roundings_of_sum(s.N) + 4)},
                                 {"state", a.state, rounded(a, a.state, steps)}},
                                {0, cut}));
    }
  }
  return cases;
}

Cases wkv6_cases() { return wkv6_of(recurrent_shapes(), 0); }
Cases wkv6_rows() { return wkv6_of({{"rows", {kManyRows}, 2, 20}}, kManyRows); }

/// ‖diag(w) + α βᵀ‖₂ for one head and token, by power iteration; 1 % is added for what has not
/// converged.
double step_norm(std::int64_t N, const double* w, const double* alpha, const double* beta) {
  Doubles x(static_cast<std::size_t>(N), 1 / std::sqrt(static_cast<double>(N))), y(x.size());
  double norm = 0;
  for (int i = 0; i < 30; ++i) {
    // y = Aᵀ x, x = A y with A = diag(w) + α βᵀ.
    double dot = 0;
    for (std::size_t j = 0; j < x.size(); ++j) dot += alpha[j] * x[j];
    for (std::size_t j = 0; j < x.size(); ++j) y[j] = w[j] * x[j] + beta[j] * dot;
    dot = 0;
    for (std::size_t j = 0; j < x.size(); ++j) dot += beta[j] * y[j];
    double square = 0;
    for (std::size_t j = 0; j < x.size(); ++j) {
      x[j] = w[j] * y[j] + alpha[j] * dot;
      square += x[j] * x[j];
    }
    norm = std::sqrt(std::sqrt(square));
    for (double& v : x) v /= std::max(std::sqrt(square), 1e-300);
  }
  return 1.01 * norm;
}

struct Wkv7Bounds {
  Doubles y, state;
};

/// Errors of a row of the state follow e ← ‖A_t‖₂ e + (what this step rounds), since a row moves by
/// s ← s A_t + v k. With |·| in place of the operator norm the bound would grow as 2^T and say
/// nothing.
Wkv7Bounds wkv7_bounds(const Wkv7Args& a) {
  const std::int64_t H = a.state.dim(1), N = a.state.dim(2), A = H * N;
  const auto n = static_cast<std::size_t>(N);
  const Doubles r = values(a.r), w = values(a.w), k = values(a.k), v = values(a.v),
                alpha = values(a.alpha), beta = values(a.beta);
  Doubles S = values(a.state);
  Wkv7Bounds bounds{Doubles(r.size()), Doubles(S.size(), 0)};
  const double sum = roundings_of_sum(N) * kU;
  for (std::int64_t s = 0; s < a.seqs.n; ++s) {
    for (std::int64_t h = 0; h < H; ++h) {
      Doubles error(n, 0);
      double* M = S.data() + (a.seqs[s].slot * H + h) * N * N;
      for (std::int64_t t = a.seqs[s].begin; t < a.seqs[s].end; ++t) {
        const auto at = static_cast<std::size_t>(t * A + h * N);
        const double norm = step_norm(N, &w[at], &alpha[at], &beta[at]);
        double query = 0;
        for (std::size_t j = 0; j < n; ++j) query += r[at + j] * r[at + j];
        for (std::size_t i = 0; i < n; ++i) {
          double* row = M + i * n;
          double sa = 0, magnitude = 0, local = 0, terms = 0;
          for (std::size_t j = 0; j < n; ++j)
            sa += row[j] * alpha[at + j], magnitude += std::abs(row[j] * alpha[at + j]);
          for (std::size_t j = 0; j < n; ++j) {
            const double kept = row[j] * w[at + j], removed = sa * beta[at + j],
                         added = v[at + i] * k[at + j];
            const double step = 4 * kU * (std::abs(kept) + std::abs(removed) + std::abs(added)) +
                                sum * magnitude * std::abs(beta[at + j]);
            local += step * step;
            row[j] = kept + removed + added;
            terms += std::abs(row[j] * r[at + j]);
          }
          error[i] = norm * error[i] + std::sqrt(local);
          bounds.y[at + i] = error[i] * std::sqrt(query) + sum * terms + kTiny;
        }
      }
      for (std::size_t i = 0; i < n; ++i) {
        const auto row = static_cast<std::size_t>((a.seqs[s].slot * H + h) * N * N) + i * n;
        std::fill_n(bounds.state.begin() + static_cast<std::ptrdiff_t>(row), n, error[i]);
      }
    }
  }
  return bounds;
}

Cases wkv7_of(const std::vector<RecurrentShape>& shapes, std::int64_t cut) {
  Cases cases;
  for (const RecurrentShape& s : shapes) {
    const Data d = data_for("wkv7", s.name);
    Wkv7Args a;
    a.seqs = d->seqs(s.lengths);
    const std::int64_t A = s.H * s.N;
    const Shape rows = {a.seqs.rows, A};
    a.y = d->output(rows);
    a.state = d->uniform({a.seqs.slots, s.H, s.N, s.N});
    a.r = d->uniform(rows);
    a.w = d->uniform(rows, 0.545, 1);
    a.k = d->uniform(rows);
    a.v = d->uniform(rows);
    // As delta_keys makes them: α a unit vector a head, β = −α ⊙ a with a in (0, 1).
    a.alpha = d->uniform(rows);
    for (std::int64_t i = 0; i < a.alpha.numel(); i += s.N) {
      double square = 0;
      for (std::int64_t j = i; j < i + s.N; ++j)
        square += ref::load(a.alpha, j) * ref::load(a.alpha, j);
      for (std::int64_t j = i; j < i + s.N; ++j)
        ref::store(a.alpha, j, static_cast<float>(ref::load(a.alpha, j) / std::sqrt(square)));
    }
    a.beta = d->fill(
        rows, [&](std::int64_t i) { return -ref::load(a.alpha, i) * d->random.uniform(0, 1); });
    cases.push_back(make_case("wkv7", s.name, d, a,
                              {{"y", a.y, [=, keep = d] { return wkv7_bounds(a).y; }},
                               {"state", a.state, [=, keep = d] { return wkv7_bounds(a).state; }}},
                              {0, cut}));
  }
  return cases;
}

Cases wkv7_cases() { return wkv7_of(recurrent_shapes(), 0); }
Cases wkv7_rows() {
  return wkv7_of({{"rows", {kManyRows}, 2, 20}, {"rows_of_64", {kManyRows}, 1, 64}}, kManyRows);
}

Cases delta_keys_of(const std::vector<NormShape>& shapes, std::int64_t cut) {
  Cases cases;
  for (const NormShape& s : shapes) {
    const Data d = data_for("delta_keys", s.name);
    const std::int64_t A = s.H * s.N;
    const Shape rows = {s.T, A};
    DeltaKeysArgs a{d->output(rows),        d->output(rows),
                    d->output(rows),        d->uniform(rows, -s.spread, s.spread),
                    d->uniform(rows, 0, 1), d->uniform({A}),
                    d->uniform({A}),        s.H};
    // Half the error of the sum of squares, a root, a quotient and four products.
    const auto relative = [=](const Tensor& t) {
      return [=, keep = d] {
        Doubles b = exact_result(a, t);
        for (double& x : b) x = (0.5 * (roundings_of_sum(s.N) + 3) + 8) * kU * std::abs(x) + kTiny;
        return b;
      };
    };
    const auto key = [=, keep = d] {
      Doubles b(static_cast<std::size_t>(a.k.numel()));
      for (std::size_t i = 0; i < b.size(); ++i) {
        const auto at = static_cast<std::int64_t>(i);
        b[i] = 4 * kU * std::abs(ref::load(a.k, at)) * (1 + std::abs(ref::load(a.k_a, at % A))) +
               kTiny;
      }
      return b;
    };
    cases.push_back(make_case("delta_keys", s.name, d, a,
                              {{"k_new", a.k_new, key},
                               {"alpha", a.alpha, relative(a.alpha)},
                               {"beta", a.beta, relative(a.beta)}},
                              {0, cut}));
  }
  return cases;
}

Cases delta_keys_cases() {
  std::vector<NormShape> shapes = {{"one_token", 1, 12, 64},
                                   {"odd_length", 63, 2, 64},
                                   {"zero_keys", 3, 2, 8, 0, 0},
                                   {"below_the_floor", 3, 2, 16, 0, 1e-14},
                                   {"small_keys", 3, 2, 16, 0, 1e-9}};
  for (const std::int64_t N : kHeadSizes)
    shapes.push_back({fmt::format("heads_of_{}", N), 5, 3, N});
  return delta_keys_of(shapes, 0);
}
Cases delta_keys_rows() { return delta_keys_of({{"rows", kManyRows, 3, 20}}, kManyRows); }

struct TinyShape {
  std::string name;
  Lengths lengths;
  std::int64_t C, D;
};

Cases tiny_attention_of(const std::vector<TinyShape>& shapes, std::int64_t cut) {
  Cases cases;
  for (const TinyShape& s : shapes) {
    const Data d = data_for("tiny_attention", s.name);
    TinyAttentionArgs a;
    a.seqs = d->seqs(s.lengths);
    a.y = d->output({a.seqs.rows, s.C});
    a.state = d->uniform({a.seqs.slots, s.C, s.D});
    a.q = d->uniform({a.seqs.rows, s.D});
    a.k = d->uniform({a.seqs.rows, s.D});
    a.v = d->uniform({a.seqs.rows, s.C});
    const double steps = 2 * longest(a.seqs);
    cases.push_back(make_case("tiny_attention", s.name, d, a,
                              {{"y", a.y, rounded(a, a.y, steps + roundings_of_sum(s.D) + 4)},
                               {"state", a.state, rounded(a, a.state, steps)}},
                              {0, cut}));
  }
  return cases;
}

Cases tiny_attention_cases() {
  return tiny_attention_of({{"one_token", {1}, 64, 16},
                            {"odd_length", {63}, 33, 12},
                            {"decode", {1, 1, 1}, 20, 7},
                            {"ragged", {1, 20, 7, 1}, 40, 256},
                            {"empty_first", {0, 5}, 17, 1},
                            {"empty_last", {4, 0}, 16, 32},
                            {"only_empty", {0}, 16, 8},
                            {"long", {1000}, 5, 9}},
                           0);
}
Cases tiny_attention_rows() {
  return tiny_attention_of({{"rows", {kManyRows}, 33, 20}}, kManyRows);
}

Cases cross_entropy_cases() {
  Cases cases;
  struct Row {
    std::string name;
    std::int64_t T, V;
    double spread;
  };
  for (const auto& [name, T, V, spread] :
       {Row{"one_token", 1, 256, 5}, Row{"odd_vocabulary", 7, 61, 5}, Row{"two_classes", 63, 2, 5},
        Row{"world", 3, 65536, 10}, Row{"huge_logits", 5, 100, 3e4},
        Row{"equal_logits", 4, 1000, 0}}) {
    const Data d = data_for("cross_entropy", name);
    std::vector<std::int64_t> targets;
    for (std::int64_t t = 0; t < T; ++t) targets.push_back(t == 0 ? V - 1 : d->random.below(V));
    if (T > 2) targets[1] = -1;
    const CrossEntropyArgs a{d->output({T}),
                             d->output({T, V}),
                             d->uniform({T, V}, -spread, spread),
                             d->ints(targets),
                             0.25,
                             1e-3};
    // z − max is rounded once, e^· has its own error, the rest is done in double and rounded at the
    // end.
    const double loss_size = 2 * spread + std::log(static_cast<double>(V)), term = 2 * spread + 8;
    cases.push_back(
        make_case("cross_entropy", name, d, a,
                  {{"loss", a.loss, everywhere(a.loss, kU * (2 * spread + 4 + loss_size))},
                   {"gradient", a.gradient,
                    everywhere(a.gradient, 0.25 * kU * (2 * term + 1e-3 * spread))}}));
  }
  return cases;
}

struct Row {
  const char* op;
  Cases (*cases)();
  Cases (*rows)();  // nullptr: it has no rows
};

constexpr Row kTable[] = {
    {"embedding", embedding_cases, embedding_rows},
    {"layer_norm", layer_norm_cases, layer_norm_rows},
    {"linear", linear_cases, linear_rows},
    {"token_shift", token_shift_cases, token_shift_rows},
    {"token_delta", token_delta_cases, token_delta_rows},
    {"shift_by", shift_by_cases, shift_by_rows},
    {"data_shift", data_shift_cases, data_shift_rows},
    {"spread", spread_cases, nullptr},
    {"wkv4", wkv4_cases, wkv4_rows},
    {"wkv6", wkv6_cases, wkv6_rows},
    {"wkv7", wkv7_cases, wkv7_rows},
    {"delta_keys", delta_keys_cases, delta_keys_rows},
    {"group_norm", group_norm_cases, group_norm_rows},
    {"wkv7_output", wkv7_output_cases, wkv7_output_rows},
    {"mul", [] { return mul_of(false); }, [] { return mul_of(true); }},
    {"add", [] { return add_of(false); }, [] { return add_of(true); }},
    {"lerp", [] { return lerp_of(false); }, [] { return lerp_of(true); }},
    {"copy", copy_cases, copy_rows},
    {"gather_rows", gather_rows_cases, gather_rows_rows},
    {"tiny_attention", tiny_attention_cases, tiny_attention_rows},
    {"cross_entropy", cross_entropy_cases, nullptr},
};

const Row* find(const std::string& op) {
  const auto* row =
      std::find_if(std::begin(kTable), std::end(kTable), [&](const Row& r) { return r.op == op; });
  return row == std::end(kTable) ? nullptr : row;
}

}  // namespace

double act_error(Act act, double z) {
  const double y = ref::apply(act, z), s = ref::sigmoid(z);
  switch (act) {
    case Act::kNone: return 0;
    case Act::kReluSq: return ulp(y) / 2;
    case Act::kExp:
    case Act::kNegExp: return kExpUlps * ulp(y);
    case Act::kSigmoid: return kSigmoidUlps * ulp(y) + kTiny;
    case Act::kTanh: return kTanhUlps * ulp(y);
    // σ has lost its precision where it is below the smallest normal number.
    case Act::kSilu: return (kSigmoidUlps + 1) * ulp(y) + std::abs(z) * kTiny;
    // The error of the inner exponential moves the argument of the outer one.
    case Act::kExpNegExp: return kExpUlps * (ulp(y) + (y > 0 ? y * ulp(std::exp(z)) : 0));
    case Act::kDecay7: return kExpUlps * ulp(y) + y * (kSigmoidUlps + 2) * ulp(s);
  }
  return 0;
}

std::vector<std::string> forward_ops() {
#define X(op, Args) #op,
  return {PRWKV_FORWARD_OPS(X)};
#undef X
}

std::vector<std::string> row_ops() {
  std::vector<std::string> names;
  for (const Row& row : kTable) {
    if (row.rows != nullptr) names.emplace_back(row.op);
  }
  return names;
}

Cases op_cases(const std::string& op) { return find(op) == nullptr ? Cases{} : find(op)->cases(); }
Cases many_row_cases(const std::string& op) { return find(op)->rows(); }

}  // namespace prwkv::test
