/// Every kernel, compiled once for each instruction set. isa_*.cc defines PRWKV_ISA, includes its
/// vec_*.h and then this.
///
/// Nothing below calls a std:: function or shares an inline function with another file: everything
/// lives in the ISA's own namespace, so the linker cannot mix instruction sets (tools/check_isa.sh
/// looks at the result).
#pragma once

#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/limits.h"
#include "backend/cpu/simd/math.h"
#include "ops/elementwise/elementwise_cpu.h"
#include "ops/embedding/embedding_cpu.h"
#include "ops/layer_norm/layer_norm_cpu.h"
#include "ops/linear/gradient_cpu.h"
#include "ops/linear/linear_cpu.h"
#include "ops/optimizer/optimizer_cpu.h"
#include "ops/output_norm/output_norm_cpu.h"
#include "ops/read_out/read_out_cpu.h"
#include "ops/tiny_attention/tiny_attention_cpu.h"
#include "ops/token_shift/token_shift_cpu.h"
#include "ops/wkv4/wkv4_cpu.h"
#include "ops/wkv6/wkv6_cpu.h"
#include "ops/wkv7/wkv7_cpu.h"

namespace prwkv::PRWKV_ISA {

inline constexpr cpu::KernelTable kTable = {
    .isa = PRWKV_ISA_NAME,
    .embedding = &embedding,
    .layer_norm = &layer_norm,
    .product = &product,
    .product_segments = &product_segments,
    .pack = &pack,
    .pack_by_input = &pack_by_input,
    .unpack = &unpack,
    .convert_activations = &convert_activations,
    .form = &form,
    .activation_bytes = &activation_bytes,
    .panel_bytes = &panel_bytes,
    .by_input_bytes = &by_input_bytes,
    .segment_inputs = kSegment,
    .by_input_channels = kChannels,
    .panel_rows = Vec::size,
    .streams = kStreams,
    .tile_cols = &tile_cols,
    .token_shift = &token_shift,
    .token_delta = &token_delta,
    .shift_by = &shift_by,
    .data_shift = &data_shift,
    .spread = &spread,
    .wkv4 = &wkv4,
    .wkv6 = &wkv6,
    .wkv7 = &wkv7,
    .delta_keys = &delta_keys,
    .group_norm = &group_norm,
    .wkv7_output = &wkv7_output,
    .mul = &mul,
    .add = &add,
    .lerp = &lerp,
    .copy = &copy,
    .gather_rows = &gather_rows,
    .tiny_attention = &tiny_attention,
    .cross_entropy = &cross_entropy,
    .pack_columns = &pack_columns,
    .slopes = &slopes,
    .tiles_of_columns = &tiles_of_columns,
    .column_sums = &column_sums,
    .embedding_backward = &embedding_backward,
    .layer_norm_backward = &layer_norm_backward,
    .layer_norm_backward_params = &layer_norm_backward_params,
    .token_shift_backward = &token_shift_backward,
    .token_delta_backward = &token_delta_backward,
    .shift_by_backward = &shift_by_backward,
    .spread_backward = &spread_backward,
    .wkv4_backward = &wkv4_backward,
    .wkv6_backward = &wkv6_backward,
    .wkv7_backward = &wkv7_backward,
    .delta_keys_backward = &delta_keys_backward,
    .group_norm_backward = &group_norm_backward,
    .wkv7_output_backward = &wkv7_output_backward,
    .mul_backward = &mul_backward,
    .add_backward = &add_backward,
    .lerp_backward = &lerp_backward,
    .gather_rows_backward = &gather_rows_backward,
    .tiny_attention_backward = &tiny_attention_backward,
    .sum_of_squares = &sum_of_squares,
    .adamw = &adamw,
    .limits = &limit_probes,
};

}  // namespace prwkv::PRWKV_ISA
