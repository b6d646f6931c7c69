/// The kernels of one instruction set. Each computes a range of independent units; the backend
/// splits ranges over threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backend/cpu/limit_probes.h"
#include "backend/op_args.h"

namespace prwkv::cpu {

/// y = act(scale · W x + bias + addend) with explicit row strides, so that parts of wider matrices can be operands.
struct Product {
  float* y;            // (T, out), rows y_stride apart
  float* saved;        // the same layout, or nullptr: receives what `act` is applied to
  const float* x;      // (T, in), rows x_stride apart; or what is x_is_transposed
  const std::byte* w;  // (out, in) of `dtype` in `layout`; rows as files have them: any alignment
  const float* bias;   // (out) or nullptr
  std::int64_t T, in, out, x_stride, y_stride;
  DType dtype;
  Act act;
  float scale = 1;
  const float* addend = nullptr;  // laid out like y, or nullptr
  Layout layout = Layout::kRows;
  bool adds = false;         // y += instead of y =; panels of floats, nothing behind them
  bool skips_zeros = false;  // weights by input: those that meet zeros are not read
  const std::byte* activations = nullptr;  // x in its form, but for kFloat
  std::int64_t width = 1;                  // rows of it that are multiplied together
  // Gradients; f32 alone.
  bool x_is_transposed = false;  // x (in, T), its rows x_stride apart
  std::int64_t w_row_bytes =
      0;  // not 0: w (in, out) as it lies, its rows so far apart, out whole panels
  /// Weights by input and one row of x: what the segments of its inputs give. The channels are cut into
  /// parts where there are more threads than segments.
  struct Segments {
    float* sums = nullptr;               // (segments, out)
    std::int64_t* bytes_read = nullptr;  // (segments, parts): weights
    std::int64_t n = 0, parts = 1;
  } segments{};
};

/// Rows of a matrix, to be brought into panels (backend/cpu/panels.h, ops/linear/float_product_cpu.h).
struct Packing {
  std::byte* panels;
  const std::byte* rows;  // as in files; the first of those that are packed now
  std::int64_t in;
  DType dtype;
};

/// n rows of a matrix from row `first` on, to be stored by input (ops/linear/by_input_cpu.h).
struct ByInputPacking {
  std::byte* to;
  const std::byte* rows;  // as in files
  std::int64_t first, n, out, in;
  DType dtype;
};

/// The way back: a matrix that was packed becomes f32, rows as in files.
struct Unpacking {
  float* rows;  // (out, in)
  const std::byte* packed;
  std::int64_t out, in;
  DType dtype;
  Layout layout;
};

/// What activations become before they meet weights of a type.
enum class Form {
  kFloat,  ///< what they are
  kFloatTiles,  ///< a few rows, or where they lie badly, as tiles read them (ops/linear/float_product_cpu.h)
  kBF16Tiles,  ///< the same in bf16, where the processor multiplies that
  kBF16Rows,  ///< rows of bf16, where it multiplies matrices of that (ops/linear/matrix_unit_cpu.h)
  kBytes,     ///< eight bits and a scale (ops/linear/integer_product_cpu.h)
};

/// Activations on their way into a form.
struct Activations {
  Form form;
  std::byte* to;
  const float* x;  // (T, in), rows x_stride apart
  std::int64_t T, in, x_stride, width;
};

// ---- backward: what kernels get beside the arguments of an operation

/// A matrix in memory becomes panels whose lanes are its columns: the weights of a product that sums over its
/// rows.
struct Columns {
  float* panels;  // (columns / lanes, rows, lanes); of bf16 what panel_bytes says
  const std::byte* rows;
  std::int64_t n_rows, n_columns, stride;  // stride in bytes
  DType dtype;
  bool to_bf16 = false;  // of f32, by kStepsOfPairs rows at least
};
/// Activations of such a product: rows are the columns of x.
struct ColumnTiles {
  Form form;
  std::byte* to;
  const float* x;  // (steps, rows), `stride` floats apart
  std::int64_t rows, steps, stride, width;
};
/// Rows that become panels of bf16 together, and columns of x that become rows of it.
inline constexpr std::int64_t kStepsOfPairs = 32, kRowsOfPairs = 16;
/// g_z = scale · g_y ⊙ act'(z).
struct Slopes {
  float* g_z;
  const float *g_y, *z;  // z: nullptr for kNone
  Act act;
  float scale;
};
/// to[c] += Σ over rows of x.
struct ColumnSums {
  float* to;
  const float* x;
  std::int64_t rows, stride;
};
struct LayerNormBackward {
  LayerNormBackwardArgs args;
  float* moments;  // (T, 2): mean and 1 / deviation of each row
};
/// Sequences share parameters, and threads take sequences: each gets a row of its own, to be added up.
struct Wkv4Backward {
  Wkv4BackwardArgs args;
  float* kept;       // (T, A, 2)
  float *g_w, *g_u;  // (sequences, A)
};
/// Where the rows of a state are walked back, unit by unit in memory of its own.
struct StateScratch {
  float* scratch;
  std::int64_t unit_scratch;  // floats
  std::int64_t run;           // tokens whose states are there at a time
};
struct Wkv6Backward : StateScratch {
  Wkv6BackwardArgs args;
  float *g_w, *g_u;  // g_u (sequences, A); g_w likewise if the decay is constant, else (T, A)
};
struct Wkv7Backward : StateScratch {
  Wkv7BackwardArgs args;
};
struct TinyAttentionBackward {
  TinyAttentionBackwardArgs args;
  float* scratch;  // (sequences, 2, C, D)
};

/// Sums over blocks, so that their order does not depend on threads.
struct SumOfSquares {
  static constexpr std::int64_t kBlock = 4096;  ///< elements
  double* sums;                                 // (blocks)
  const float* x;
  std::int64_t n;
};

/// Rows of a state that a backward kernel takes together; RWKV-7's at most.
inline constexpr std::int64_t kStateRows = 4, kMostStateRows = 8;

template <class Args>
using Kernel = void (*)(const Args& args, std::int64_t begin, std::int64_t end);

struct KernelTable {
  std::string_view isa;
  Kernel<EmbeddingArgs> embedding;          // rows
  Kernel<LayerNormArgs> layer_norm;         // rows
  Kernel<Product> product;                  // output channels; of panels whole ones
  Kernel<Product> product_segments;         // units of one row of x; see Product::Segments
  Kernel<Packing> pack;                     // rows; whole panels
  Kernel<ByInputPacking> pack_by_input;     // groups of 32 inputs
  Kernel<Unpacking> unpack;                 // panels, or groups of 32 inputs
  Kernel<Activations> convert_activations;  // rows
  Form (*form)(DType weights, Layout layout, std::int64_t T, std::int64_t x_stride);
  std::int64_t (*activation_bytes)(Form form, std::int64_t in);  // of a row
  std::int64_t (*panel_bytes)(DType dtype, std::int64_t in);     // of one panel; 0: no such panels
  std::int64_t (*by_input_bytes)(DType dtype, std::int64_t out, std::int64_t in);  // 0: not so
  std::int64_t segment_inputs;                                                     // of a segment
  std::int64_t by_input_channels;            // output channels that are computed together
  std::int64_t panel_rows;                   // rows of weights in a panel
  std::int64_t streams;                      // panels that are read side by side
  std::int64_t (*tile_cols)(Form form);      // most rows of activations at once
  Kernel<TokenShiftArgs> token_shift;        // rows; the carried row is the caller's business
  Kernel<TokenDeltaArgs> token_delta;        // rows; likewise
  Kernel<ShiftByArgs> shift_by;              // rows
  Kernel<DataShiftArgs> data_shift;          // rows; on entry y holds maa + W2 z
  Kernel<SpreadArgs> spread;                 // channels
  Kernel<Wkv4Args> wkv4;                     // sequence x group of kChannelGroup channels
  Kernel<Wkv6Args> wkv6;                     // sequence x head
  Kernel<Wkv7Args> wkv7;                     // sequence x head
  Kernel<DeltaKeysArgs> delta_keys;          // rows
  Kernel<GroupNormArgs> group_norm;          // rows
  Kernel<Wkv7OutputArgs> wkv7_output;        // rows
  Kernel<MulArgs> mul;                       // elements
  Kernel<AddArgs> add;                       // elements
  Kernel<LerpArgs> lerp;                     // elements
  Kernel<CopyArgs> copy;                     // elements
  Kernel<GatherRowsArgs> gather_rows;        // rows of the result
  Kernel<TinyAttentionArgs> tiny_attention;  // sequence x channel
  Kernel<CrossEntropyArgs> cross_entropy;    // rows
  Kernel<Columns> pack_columns;              // rows
  Kernel<Slopes> slopes;                     // elements
  Kernel<ColumnTiles> tiles_of_columns;      // columns of x
  Kernel<ColumnSums> column_sums;            // columns
  Kernel<EmbeddingBackwardArgs> embedding_backward;      // channels
  Kernel<LayerNormBackward> layer_norm_backward;         // rows
  Kernel<LayerNormBackward> layer_norm_backward_params;  // channels, behind the rows
  Kernel<TokenShiftBackwardArgs> token_shift_backward;   // channels
  Kernel<TokenDeltaBackwardArgs> token_delta_backward;   // channels
  Kernel<ShiftByBackwardArgs> shift_by_backward;         // channels
  Kernel<SpreadBackwardArgs> spread_backward;            // elements of p
  Kernel<Wkv4Backward> wkv4_backward;                 // sequence x group of kChannelGroup channels
  Kernel<Wkv6Backward> wkv6_backward;                 // sequence x head
  Kernel<Wkv7Backward> wkv7_backward;                 // sequence x head
  Kernel<DeltaKeysBackwardArgs> delta_keys_backward;  // heads
  Kernel<GroupNormBackwardArgs> group_norm_backward;  // heads
  Kernel<Wkv7OutputBackwardArgs> wkv7_output_backward;    // heads
  Kernel<MulBackwardArgs> mul_backward;                   // elements
  Kernel<AddBackwardArgs> add_backward;                   // elements
  Kernel<LerpBackwardArgs> lerp_backward;                 // elements
  Kernel<GatherRowsBackwardArgs> gather_rows_backward;    // channels
  Kernel<TinyAttentionBackward> tiny_attention_backward;  // sequences
  Kernel<SumOfSquares> sum_of_squares;                    // blocks
  Kernel<AdamWArgs> adamw;                                // elements
  LimitProbes (*limits)();                                // what this processor can do at most
};

/// What a panel has at most, whatever the instruction set.
inline constexpr std::int64_t kMostPanelRows = 16;

/// Channels that a piece has at most where weights lie by input and x has several rows: slices of the rows of
/// weights that are long enough for memory, and short enough for L2.
inline constexpr std::int64_t kWidestSlice = 256;

/// Channels of one unit of wkv4: one cache line.
inline constexpr std::int64_t kChannelGroup = 16;

// defines: one function per isa_*.cc, each compiled with that instruction set's flags
const KernelTable& scalar_kernels();
const KernelTable& avx2_kernels();
const KernelTable& avx512_kernels();
const KernelTable& avx512_vnni_kernels();  // and with integer products in one instruction
const KernelTable& avx512_bf16_kernels();  // and with products of bf16
const KernelTable& avx512_amx_kernels();   // and with those of matrices of bf16
const KernelTable& neon_kernels();
const KernelTable& neon_dotprod_kernels();  // and with integer products in one instruction
const KernelTable& neon_i8mm_kernels();     // and with those of two rows by two

}  // namespace prwkv::cpu
