/// What sets with products of bf16 have beyond avx512_vnni: those products. isa_*.cc defines PRWKV_ISA and
/// PRWKV_WEIGHTS, the kind of bf16 weights: BF16Pairs or BF16Tiles.
///
/// A matrix of bf16 never lies by input here: a product along `in` is twice as fast for many rows.
#pragma once

#include "backend/cpu/simd/quads_avx512.h"
// After the vocabulary they are written in.
#include "backend/cpu/simd/math.h"
#include "ops/linear/linear_cpu.h"
#include "ops/linear/pairs_cpu.h"
#ifdef PRWKV_HAS_AMX
#include "ops/linear/matrix_unit_cpu.h"
#endif
#include "backend/cpu/simd/limits.h"

namespace prwkv::PRWKV_ISA {

using Weights = PRWKV_WEIGHTS;

inline const cpu::KernelTable& base() { return cpu::avx512_vnni_kernels(); }

inline bool is_here(DType dtype, Layout layout) {
  return dtype == DType::kBF16 && layout == Layout::kPacked;
}

inline void product_here(const Product& p, std::int64_t begin, std::int64_t end) {
  if (!is_here(p.dtype, p.layout)) return base().product(p, begin, end);
  if (p.T == 0) return;
  multiply(Weights{}, p, begin, end);
  finish(p, begin, end);
}
inline void pack_here(const cpu::Packing& p, std::int64_t begin, std::int64_t end) {
  p.dtype == DType::kBF16 ? pack_float_rows<Weights>(p, begin, end) : base().pack(p, begin, end);
}
inline void unpack_here(const cpu::Unpacking& u, std::int64_t begin, std::int64_t end) {
  is_here(u.dtype, u.layout) ? unpack_pairs<Weights>(u, begin, end) : base().unpack(u, begin, end);
}
inline void convert_here(const cpu::Activations& a, std::int64_t begin, std::int64_t end) {
  a.form == Weights::kForm ? convert(Weights{}, a, begin, end)
                           : base().convert_activations(a, begin, end);
}
inline void pack_columns_here(const cpu::Columns& a, std::int64_t begin, std::int64_t end) {
  a.to_bf16 ? pack_column_pairs<Weights>(a, begin, end) : base().pack_columns(a, begin, end);
}
inline void convert_columns_here(const cpu::ColumnTiles& a, std::int64_t begin, std::int64_t end) {
  a.form == Weights::kForm ? convert_columns(Weights{}, a, begin, end)
                           : base().tiles_of_columns(a, begin, end);
}
inline cpu::Form form_here(DType weights, Layout layout, std::int64_t T, std::int64_t x_stride) {
  return is_here(weights, layout) ? Weights::kForm : base().form(weights, layout, T, x_stride);
}
inline std::int64_t panel_bytes_here(DType dtype, std::int64_t in) {
  return dtype == DType::kBF16 ? FloatPanel<Weights>::bytes(in) : base().panel_bytes(dtype, in);
}
inline std::int64_t by_input_bytes_here(DType dtype, std::int64_t out, std::int64_t in) {
  return dtype == DType::kBF16 ? 0 : base().by_input_bytes(dtype, out, in);
}

inline cpu::KernelTable with_bf16() {
  cpu::KernelTable table = base();
  table.isa = PRWKV_ISA_NAME;
  table.product = &product_here;
  table.pack = &pack_here;
  table.unpack = &unpack_here;
  table.convert_activations = &convert_here;
  table.pack_columns = &pack_columns_here;
  table.tiles_of_columns = &convert_columns_here;
  table.form = &form_here;
  table.panel_bytes = &panel_bytes_here;
  table.by_input_bytes = &by_input_bytes_here;
  table.limits = &limit_probes;
  return table;
}

}  // namespace prwkv::PRWKV_ISA
