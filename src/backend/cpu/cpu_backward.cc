/// The backward pass on the CPU. What rows share, the gradients of parameters, has one owner each: a thread takes
/// channels, heads or sequences, never rows, so sums have one order whatever the number of threads.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "backend/cpu/cpu_backend.h"

namespace prwkv {
namespace {

// A line of each row, times four: what a thread takes of the channels at a time, so that rows are read in pieces
// that memory likes.
constexpr std::int64_t kChannelsAtOnce = 64;
// Elementary operations are cheap, waking a thread is not.
constexpr std::int64_t kElementsAtOnce = 16 * 1024;

/// A matrix whose rows lie one after the other, as the weights of a product that sums over them.
cpu::Columns columns_of(const Tensor& matrix) {
  return {.panels = nullptr,
          .rows = matrix.as<const std::byte>(),
          .n_rows = matrix.dim(0),
          .n_columns = matrix.dim(1),
          .stride = static_cast<std::int64_t>(row_bytes(matrix.dtype, matrix.dim(1))),
          .dtype = matrix.dtype};
}

std::int64_t longest(const Seqs& seqs) {
  std::int64_t most = 0;
  for (std::int64_t s = 0; s < seqs.n; ++s) most = std::max(most, seqs[s].end - seqs[s].begin);
  return most;
}

}  // namespace

void CpuBackend::column_sums(const Tensor& to, const float* x, std::int64_t rows) {
  if (!to) return;
  const std::int64_t n = to.numel();
  const cpu::ColumnSums args = {.to = to.as<float>(), .x = x, .rows = rows, .stride = n};
  parallel_for(n, kChannelsAtOnce, [&](std::int64_t begin, std::int64_t end) {
    kernels_.column_sums(args, begin, end);
  });
}

namespace {

/// Whether the processor sees the next row coming, rows being so many bytes apart.
bool sees_next_row(std::int64_t stride) { return stride <= 2048; }

/// Whether the columns of a matrix can be lanes where they are: whole panels of f32, in L2, rows not all in the same few
/// sets of L1.
bool serves_as_it_lies(const cpu::Columns& m, std::int64_t lanes) {
  constexpr std::int64_t kLine = 64, kSets = 64, kLeastPlaces = 4, kCache = 2 << 20;
  return m.dtype == DType::kF32 && m.n_columns % lanes == 0 && sees_next_row(m.stride) &&
         m.stride % kLine == 0 && kSets / std::gcd(m.stride / kLine, kSets) >= kLeastPlaces &&
         m.stride * m.n_rows <= kCache;
}

/// The columns [begin, end) of a matrix of floats; begin is the first of a panel.
cpu::Columns slice_of(cpu::Columns m, std::int64_t begin, std::int64_t end) {
  m.rows += row_bytes(m.dtype, begin);
  m.panels += begin * m.n_rows;
  m.n_columns = end - begin;
  return m;
}

}  // namespace

cpu::Product CpuBackend::product_of(const GradientProduct& g) const {
  return {.y = g.y,
          .saved = nullptr,
          .x = g.x,
          .w = g.weights.rows,
          .bias = nullptr,
          .T = g.rows,
          .in = g.weights.n_rows,
          .out = g.weights.n_columns,
          .x_stride = g.x_stride,
          .y_stride = g.y_stride,
          .dtype = DType::kF32,
          .act = Act::kNone,
          .layout = Layout::kPacked,
          .adds = g.adds,
          .width = tile_width(cpu::Form::kFloatTiles, g.rows),
          .x_is_transposed = g.x_is_transposed};
}

// The lanes of the product are the columns of `weights`. What has to be copied first is copied by the thread that is about
// to use it, as far as possible: it is in its cache then.
void CpuBackend::add_product(const GradientProduct& g) {
  const std::int64_t lanes = kernels_.panel_rows, columns = g.weights.n_columns,
                     steps = g.weights.n_rows;
  if (g.rows == 0 || columns == 0 || steps == 0) return;
  if (products_in_bf16_ && g.may_be_in_bf16 && g.weights.dtype == DType::kF32)
    return add_product_of_bf16(g);
  cpu::Product p = product_of(g);
  const bool needs_tiles =
      g.x_is_transposed ? !sees_next_row(g.x_stride * static_cast<std::int64_t>(sizeof(float)))
                        : form_of(p) == cpu::Form::kFloatTiles;
  cpu::Columns weights = g.weights;
  if (serves_as_it_lies(weights, lanes)) {
    p.w_row_bytes = weights.stride;
  } else {
    weights.panels = floats(panels_, (columns + lanes - 1) / lanes * lanes * steps);
    p.w = reinterpret_cast<const std::byte*>(weights.panels);
    if (!needs_tiles && !is_block(weights.dtype)) {
      if (!g.x_is_transposed) convert_activations(&p, 1);  // one row is a tile
      const std::int64_t strip = units_of_piece(p, kPieceBytes);
      return parallel_for(
          (columns + strip - 1) / strip, 1, [&](std::int64_t first, std::int64_t last) {
            const std::int64_t begin = first * strip, end = std::min(last * strip, columns);
            kernels_.pack_columns(slice_of(weights, begin, end), 0, steps);
            kernels_.product(p, begin, end);
          });
    }
    parallel_for(
        steps, std::max<std::int64_t>(1, kElementsAtOnce / columns),
        [&](std::int64_t begin, std::int64_t end) { kernels_.pack_columns(weights, begin, end); });
  }
  if (!needs_tiles) {
    if (!g.x_is_transposed) convert_activations(&p, 1);
    return run_pieces(&p, 1);
  }
  float* tiles = floats(activations_, g.rows * steps);
  p.activations = reinterpret_cast<const std::byte*>(tiles);
  const std::int64_t slice = std::max<std::int64_t>(1, kLeastRows / p.width) * p.width;
  parallel_for((g.rows + slice - 1) / slice, 1, [&](std::int64_t first, std::int64_t last) {
    const std::int64_t begin = first * slice, end = std::min(last * slice, g.rows);
    if (g.x_is_transposed) {
      kernels_.tiles_of_columns({.form = cpu::Form::kFloatTiles,
                                 .to = reinterpret_cast<std::byte*>(tiles),
                                 .x = g.x,
                                 .rows = g.rows,
                                 .steps = steps,
                                 .stride = g.x_stride,
                                 .width = p.width},
                                begin, end);
    } else {
      kernels_.convert_activations({.form = cpu::Form::kFloatTiles,
                                    .to = reinterpret_cast<std::byte*>(tiles),
                                    .x = g.x,
                                    .T = g.rows,
                                    .in = steps,
                                    .x_stride = g.x_stride,
                                    .width = p.width},
                                   begin, end);
    }
    kernels_.product(rows_of(p, begin, end), 0, columns);
  });
}

void CpuBackend::add_product_of_bf16(const GradientProduct& g) {
  const std::int64_t steps = g.weights.n_rows, columns = g.weights.n_columns;
  cpu::Product p = product_of(g);
  p.dtype = DType::kBF16;
  cpu::Columns weights = g.weights;
  weights.to_bf16 = true;
  const std::int64_t panels = (columns + kernels_.panel_rows - 1) / kernels_.panel_rows;
  std::byte* packed =
      room(panels_, static_cast<std::size_t>(panels * kernels_.panel_bytes(DType::kBF16, steps)));
  weights.panels = reinterpret_cast<float*>(packed);
  p.w = packed;
  const auto in_groups = [&](std::int64_t count, std::int64_t of, std::int64_t work,
                             const auto& f) {
    parallel_for(
        (count + of - 1) / of, std::max<std::int64_t>(1, kElementsAtOnce / (of * work)),
        [&](std::int64_t first, std::int64_t last) { f(first * of, std::min(last * of, count)); });
  };
  in_groups(steps, cpu::kStepsOfPairs, columns, [&](std::int64_t begin, std::int64_t end) {
    kernels_.pack_columns(weights, begin, end);
  });
  if (g.x_is_transposed) {
    const cpu::Form form = form_of(p);
    p.width = tile_width(form, g.rows);
    std::byte* tiles = room(
        activations_, static_cast<std::size_t>(g.rows * kernels_.activation_bytes(form, steps)));
    in_groups(g.rows, cpu::kRowsOfPairs, steps, [&](std::int64_t begin, std::int64_t end) {
      kernels_.tiles_of_columns({.form = form,
                                 .to = tiles,
                                 .x = g.x,
                                 .rows = g.rows,
                                 .steps = steps,
                                 .stride = g.x_stride,
                                 .width = p.width},
                                begin, end);
    });
    p.activations = tiles;
    p.x_is_transposed = false;
  } else {
    convert_activations(&p, 1);
  }
  run_pieces(&p, 1);
}

Tensor CpuBackend::unpacked(const Tensor& w) {
  const std::int64_t out = w.dim(0), in = w.dim(1);
  Tensor rows = w;
  rows.dtype = DType::kF32;
  rows.layout = Layout::kRows;
  rows.data = floats(unpacked_, out * in);
  const cpu::Unpacking args = {.rows = rows.as<float>(),
                               .packed = w.as<const std::byte>(),
                               .out = out,
                               .in = in,
                               .dtype = w.dtype,
                               .layout = w.layout};
  const std::int64_t units = w.layout == Layout::kByInput
                                 ? in / 32
                                 : (out + kernels_.panel_rows - 1) / kernels_.panel_rows;
  parallel_for(units, std::max<std::int64_t>(1, kElementsAtOnce * units / (out * in)),
               [&](std::int64_t begin, std::int64_t end) { kernels_.unpack(args, begin, end); });
  return rows;
}

void CpuBackend::linear_backward(const LinearBackwardArgs& a) {
  const std::int64_t T = a.x.dim(0), in = a.x.dim(1), out = a.g_y.dim(1);
  if (T == 0) return;
  const float* g_z = a.g_y.as<float>();
  const auto scaled_slopes = [&](float scale) {
    float* to = floats(gradients_, T * out);
    const cpu::Slopes args = {.g_z = to,
                              .g_y = a.g_y.as<float>(),
                              .z = a.z ? a.z.as<float>() : nullptr,
                              .act = a.act,
                              .scale = scale};
    parallel_for(T * out, kElementsAtOnce,
                 [&](std::int64_t begin, std::int64_t end) { kernels_.slopes(args, begin, end); });
    g_z = to;
  };
  if (a.z) scaled_slopes(1);
  column_sums(a.g_bias, g_z, T);
  if (a.g_addend) {
    Tensor from = a.g_y;
    from.data = const_cast<float*>(g_z);
    add_backward({a.g_addend, from});
  }
  if (a.scale != 1) scaled_slopes(a.scale);
  if (a.g_x) {
    add_product({.adds = !a.sets_g_x,
                 .y = a.g_x.as<float>(),
                 .rows = T,
                 .y_stride = in,
                 .x = g_z,
                 .x_stride = out,
                 .x_is_transposed = false,
                 .weights = columns_of(a.w.layout == Layout::kRows ? a.w : unpacked(a.w)),
                 .may_be_in_bf16 = a.w.dtype == DType::kF32});
  }
  if (a.g_w) {
    add_product({.y = a.g_w.as<float>(),
                 .rows = out,
                 .y_stride = in,
                 .x = g_z,
                 .x_stride = out,
                 .x_is_transposed = true,
                 .weights = columns_of(a.x)});
  }
}

// With μ = maa + W2 z and g_μ = g_y ⊙ δ, for each of the five: the rest are products.
void CpuBackend::data_shift_backward(const DataShiftBackwardArgs& a) {
  const std::int64_t T = a.delta.dim(0), C = a.delta.dim(1), D = a.w2[0].dim(1),
                     stride = a.z.dim(1);
  if (T == 0) return;
  Tensor mu = a.delta, g_mu = a.delta;
  mu.data = floats(gradients_, 2 * T * C);
  g_mu.data = mu.as<float>() + T * C;
  for (std::size_t q = 0; q < DataShiftArgs::kMax; ++q) {
    const float* z = a.z.as<float>() + static_cast<std::int64_t>(q) * D;
    cpu::Product shift = {.y = mu.as<float>(),
                          .saved = nullptr,
                          .x = z,
                          .w = a.w2[q].as<std::byte>(),
                          .bias = a.maa[q].as<float>(),
                          .T = T,
                          .in = D,
                          .out = C,
                          .x_stride = stride,
                          .y_stride = C,
                          .dtype = a.w2[q].dtype,
                          .act = Act::kNone};
    products(&shift, 1);
    zero(g_mu);
    mul_backward({a.g_delta, g_mu, a.g_y[q], a.delta, mu});
    if (a.g_x) add_backward({a.g_x, a.g_y[q]});
    column_sums(a.g_maa[q], g_mu.as<float>(), T);
    if (a.g_z) {
      add_product({.y = a.g_z.as<float>() + static_cast<std::int64_t>(q) * D,
                   .rows = T,
                   .y_stride = stride,
                   .x = g_mu.as<float>(),
                   .x_stride = C,
                   .x_is_transposed = false,
                   .weights = columns_of(a.w2[q])});
    }
    if (a.g_w2[q]) {
      add_product({.y = a.g_w2[q].as<float>(),
                   .rows = C,
                   .y_stride = D,
                   .x = g_mu.as<float>(),
                   .x_stride = C,
                   .x_is_transposed = true,
                   .weights = {.panels = nullptr,
                               .rows = reinterpret_cast<const std::byte*>(z),
                               .n_rows = T,
                               .n_columns = D,
                               .stride = stride * static_cast<int>(sizeof(float)),
                               .dtype = DType::kF32}});
    }
  }
}

void CpuBackend::layer_norm_backward(const LayerNormBackwardArgs& a) {
  const std::int64_t T = a.x.dim(0), C = a.x.dim(1);
  const cpu::LayerNormBackward args = {.args = a, .moments = floats(kept_, 2 * T)};
  parallel_for(T, std::max<std::int64_t>(1, kElementsAtOnce / C),
               [&](std::int64_t begin, std::int64_t end) {
                 kernels_.layer_norm_backward(args, begin, end);
               });
  if (!a.g_w && !a.g_b) return;
  parallel_for(C, kChannelsAtOnce, [&](std::int64_t begin, std::int64_t end) {
    kernels_.layer_norm_backward_params(args, begin, end);
  });
}

void CpuBackend::wkv4_backward(const Wkv4BackwardArgs& a) {
  const std::int64_t T = a.k.dim(0), A = a.k.dim(1), n = a.seqs.n;
  float* all = floats(kept_, 2 * T * A + 2 * n * A);
  const cpu::Wkv4Backward args = {
      .args = a, .kept = all, .g_w = all + 2 * T * A, .g_u = all + (2 * T + n) * A};
  const std::int64_t groups = (A + cpu::kChannelGroup - 1) / cpu::kChannelGroup;
  parallel_for(n * groups, 1, [&](std::int64_t begin, std::int64_t end) {
    kernels_.wkv4_backward(args, begin, end);
  });
  column_sums(a.g_w, args.g_w, n);
  column_sums(a.g_u, args.g_u, n);
}

// Two times √T states are there at a time: those where runs begin, and those of one run.
cpu::StateScratch CpuBackend::state_scratch(const Tensor& state, const Seqs& seqs,
                                            std::int64_t more_floats) {
  const std::int64_t H = state.dim(1), N = state.dim(2), T = longest(seqs);
  const auto run = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(T)))));
  // The beginnings of runs, the states of one and what follows it, their gradient; a number for each token and row.
  const std::int64_t unit =
      ((T + run - 1) / run + run + 2) * cpu::kStateRows * N + run * cpu::kStateRows;
  return {
      .scratch = floats(kept_, seqs.n * H * unit + more_floats), .unit_scratch = unit, .run = run};
}

void CpuBackend::wkv6_backward(const Wkv6BackwardArgs& a) {
  const std::int64_t H = a.state.dim(1), A = H * a.state.dim(2), n = a.seqs.n;
  const bool is_constant = a.w.numel() == A;
  const cpu::StateScratch scratch = state_scratch(a.state, a.seqs, 2 * n * A);
  float* sums = scratch.scratch + n * H * scratch.unit_scratch;
  std::fill_n(sums, 2 * n * A, 0.0f);
  const cpu::Wkv6Backward args = {scratch, a, is_constant ? sums : a.g_w.as<float>(), sums + n * A};
  parallel_for(n * H, 1, [&](std::int64_t begin, std::int64_t end) {
    kernels_.wkv6_backward(args, begin, end);
  });
  if (is_constant && a.g_w) column_sums(a.g_w.reshaped({A}), args.g_w, n);
  column_sums(a.g_u, args.g_u, n);
}

void CpuBackend::wkv7_backward(const Wkv7BackwardArgs& a) {
  // States in front of each run, the running one and its gradient; of one run what Wkv7Run lays together.
  constexpr std::int64_t kRun = 16;
  const std::int64_t H = a.state.dim(1), N = a.state.dim(2),
                     runs = (longest(a.seqs) + kRun - 1) / kRun,
                     unit = (runs + 2) * N * N + kRun * 13 * N +
                            (kRun + 1) * cpu::kMostStateRows * N + kRun * cpu::kMostStateRows;
  const cpu::Wkv7Backward args = {
      {.scratch = floats(kept_, a.seqs.n * H * unit), .unit_scratch = unit, .run = kRun}, a};
  parallel_for(a.seqs.n * a.state.dim(1), 1, [&](std::int64_t begin, std::int64_t end) {
    kernels_.wkv7_backward(args, begin, end);
  });
}

void CpuBackend::tiny_attention_backward(const TinyAttentionBackwardArgs& a) {
  const std::int64_t C = a.v.dim(1), D = a.q.dim(1);
  const cpu::TinyAttentionBackward args = {.args = a,
                                           .scratch = floats(kept_, a.seqs.n * 2 * C * D)};
  parallel_for(a.seqs.n, 1, [&](std::int64_t begin, std::int64_t end) {
    kernels_.tiny_attention_backward(args, begin, end);
  });
}

void CpuBackend::sum_of_squares(const SumOfSquaresArgs& a) {
  const std::int64_t n = a.x.numel(),
                     blocks = (n + cpu::SumOfSquares::kBlock - 1) / cpu::SumOfSquares::kBlock;
  auto* sums =
      reinterpret_cast<double*>(room(kept_, static_cast<std::size_t>(blocks) * sizeof(double)));
  const cpu::SumOfSquares args = {.sums = sums, .x = a.x.as<float>(), .n = n};
  parallel_for(
      blocks, kElementsAtOnce / cpu::SumOfSquares::kBlock,
      [&](std::int64_t begin, std::int64_t end) { kernels_.sum_of_squares(args, begin, end); });
  a.sum.as<float>()[0] = static_cast<float>(std::accumulate(sums, sums + blocks, 0.0));
}

// The rest is one line each: how many independent units, and how many a thread takes.
#define PRWKV_RUN(op, Args, units, at_once)                                                  \
  void CpuBackend::op(const Args& a) {                                                       \
    parallel_for((units), (at_once),                                                         \
                 [&](std::int64_t begin, std::int64_t end) { kernels_.op(a, begin, end); }); \
  }
PRWKV_RUN(embedding_backward, EmbeddingBackwardArgs, a.g_y.dim(1), kChannelsAtOnce)
PRWKV_RUN(token_shift_backward, TokenShiftBackwardArgs, a.x.dim(1), kChannelsAtOnce)
PRWKV_RUN(token_delta_backward, TokenDeltaBackwardArgs, a.g_delta.dim(1), kChannelsAtOnce)
PRWKV_RUN(shift_by_backward, ShiftByBackwardArgs, a.delta.dim(1), kChannelsAtOnce)
PRWKV_RUN(spread_backward, SpreadBackwardArgs, a.g_p.numel(), kChannelsAtOnce)
PRWKV_RUN(delta_keys_backward, DeltaKeysBackwardArgs, a.H, 1)
PRWKV_RUN(group_norm_backward, GroupNormBackwardArgs, a.H, 1)
PRWKV_RUN(wkv7_output_backward, Wkv7OutputBackwardArgs, a.H, 1)
PRWKV_RUN(mul_backward, MulBackwardArgs, a.g_y.numel(), kElementsAtOnce)
PRWKV_RUN(add_backward, AddBackwardArgs, a.g_y.numel(), kElementsAtOnce)
PRWKV_RUN(lerp_backward, LerpBackwardArgs, a.g_y.numel(), kElementsAtOnce)
PRWKV_RUN(gather_rows_backward, GatherRowsBackwardArgs, a.g_y.dim(1), kChannelsAtOnce)
PRWKV_RUN(adamw, AdamWArgs, a.p.numel(), kElementsAtOnce)
#undef PRWKV_RUN

}  // namespace prwkv
