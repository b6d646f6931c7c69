/// y = act(scale · W x + bias + addend) for one row of x or many: which of the products computes it.
///
///     floats in panels         float_product_cpu.h
///     blocks in panels         integer_product_cpu.h
///     weights by input         by_input_cpu.h
///     floats as files have them  rows_product_cpu.h
///
/// Each has one accumulation order for every number of rows. Register tiles and cache blocks decide which
/// sums run side by side, never the order inside one: a row's result is bit-identical whatever rows share
/// the call and however the work is cut over threads.
#pragma once

#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/math.h"
#include "ops/linear/by_input_cpu.h"
#include "ops/linear/float_product_cpu.h"
#include "ops/linear/integer_product_cpu.h"
#include "ops/linear/rows_product_cpu.h"
#include "ops/linear/unpack_cpu.h"

namespace prwkv::PRWKV_ISA {

using cpu::Product;

/// Bytes of a panel; 0: there are none of this type.
inline std::int64_t panel_bytes(DType dtype, std::int64_t in) {
  std::int64_t bytes = block_panel_bytes(dtype, in);
  with_float(dtype, [&]<class W>() { bytes = FloatPanel<W>::bytes(in); });
  return bytes;
}
inline void pack(const cpu::Packing& p, std::int64_t begin, std::int64_t end) {
  if (!with_float(p.dtype, [&]<class W>() { pack_float_rows<W>(p, begin, end); }))
    pack_blocks(p, begin, end);
}
inline void pack_by_input(const cpu::ByInputPacking& p, std::int64_t begin, std::int64_t end) {
  is_of_blocks(p.dtype) ? pack_q8_by_input(p, begin, end) : pack_floats_by_input(p, begin, end);
}

/// What T rows of activations, x_stride floats apart, become for weights of a type, how many of them are multiplied
/// together, and the bytes of one.
inline cpu::Form form(DType weights, Layout layout, std::int64_t T, std::int64_t x_stride) {
  if (is_of_blocks(weights)) return cpu::Form::kBytes;
  // So far apart, all rows of a tile would share one set of L1.
  constexpr std::int64_t kSameSet = 4096 / sizeof(float);
  const bool is_apart = T > Vec::tile_cols && x_stride % kSameSet != 0;
  return layout == Layout::kRows || T == 1 || is_apart ? cpu::Form::kFloat : cpu::Form::kFloatTiles;
}
inline std::int64_t tile_cols(cpu::Form form) {
  return form == cpu::Form::kBytes ? Vec::panel_tile_cols : Vec::tile_cols;
}
inline std::int64_t activation_bytes(cpu::Form form, std::int64_t in) {
  switch (form) {
    case cpu::Form::kFloat: break;
    case cpu::Form::kFloatTiles: return in * 4;
    case cpu::Form::kBF16Tiles: return (in + 1) / 2 * 4;
    case cpu::Form::kBF16Rows: return (in + 31) / 32 * 64;
    case cpu::Form::kBytes: return terms_of(in) * (in / 32) * kActivationBytes;
  }
  return 0;
}
inline void convert_activations(const cpu::Activations& a, std::int64_t begin, std::int64_t end) {
  switch (a.form) {
    case cpu::Form::kFloat:
    case cpu::Form::kBF16Tiles:
    case cpu::Form::kBF16Rows: break;  // those are for isa_bf16.h
    case cpu::Form::kFloatTiles: return fill_tiles<F32Weights>(a, begin, end);
    case cpu::Form::kBytes: return quantize_activations(a, begin, end);
  }
}

/// Output channels [begin, end) of all rows, without what follows the sums.
inline void block_product(const Product& p, std::int64_t begin, std::int64_t end) {
  if (p.layout == Layout::kByInput) return q8_by_input(p, begin, end);
  with_block(p.dtype, [&]<class Block>() { block_panels_of<Block>(p, begin, end); });
}
inline void float_product(const Product& p, std::int64_t begin, std::int64_t end) {
  if (p.layout == Layout::kByInput) return floats_by_input(p, begin, end);
  with_float(p.dtype, [&]<class W>() {
    p.layout == Layout::kPacked ? float_panels_of<W>(p, begin, end) : rows_of<W>(p, begin, end);
  });
}

/// y = act(scale · y + bias + addend) of output channels [begin, end).
inline void finish(const Product& p, std::int64_t begin, std::int64_t end) {
  if (p.scale == 1 && p.bias == nullptr && p.addend == nullptr && p.act == Act::kNone &&
      p.saved == nullptr)
    return;
  const Vec scale = Vec::broadcast(p.scale);
  for (std::int64_t t = 0; t < p.T; ++t) {
    float* y = p.y + t * p.y_stride + begin;
    for_vectors(end - begin, [&](std::int64_t i, int n) {
      Vec z = scale * get(y + i, n);
      if (p.bias != nullptr) z = z + get(p.bias + begin + i, n);
      if (p.addend != nullptr) z = z + get(p.addend + t * p.y_stride + begin + i, n);
      if (p.saved != nullptr) put(p.saved + t * p.y_stride + begin + i, n, z);
      put(y + i, n, apply(p.act, z));
    });
  }
}

/// Output channels [begin, end) of all rows.
inline void product(const Product& p, std::int64_t begin, std::int64_t end) {
  if (p.T == 0) return;  // a tile has at least one row of x
  is_of_blocks(p.dtype) ? block_product(p, begin, end) : float_product(p, begin, end);
  finish(p, begin, end);
}
inline void product_segments(const Product& p, std::int64_t begin, std::int64_t end) {
  is_of_blocks(p.dtype) ? segments_of_q8(p, begin, end) : segments_of_floats(p, begin, end);
}

}  // namespace prwkv::PRWKV_ISA
