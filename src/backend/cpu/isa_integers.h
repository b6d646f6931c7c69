/// Products with blocks alone, for processors whose instructions for bytes go beyond those of another set:
/// isa_*.cc defines PRWKV_BASE, the function that gives its table. All the rest is what that one does.
#pragma once

#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/limits.h"
#include "backend/cpu/simd/math.h"
#include "ops/linear/linear_cpu.h"

namespace prwkv::PRWKV_ISA {

inline void product_or_base(const Product& p, std::int64_t begin, std::int64_t end) {
  if (!is_of_blocks(p.dtype)) return cpu::PRWKV_BASE().product(p, begin, end);
  if (p.T == 0) return;
  block_product(p, begin, end);
  finish(p, begin, end);
}
inline void segments_or_base(const Product& p, std::int64_t begin, std::int64_t end) {
  is_of_blocks(p.dtype) ? segments_of_q8(p, begin, end)
                        : cpu::PRWKV_BASE().product_segments(p, begin, end);
}
inline void pack_or_base(const cpu::Packing& p, std::int64_t begin, std::int64_t end) {
  is_of_blocks(p.dtype) ? pack_blocks(p, begin, end) : cpu::PRWKV_BASE().pack(p, begin, end);
}
inline void pack_by_input_or_base(const cpu::ByInputPacking& p, std::int64_t begin,
                                  std::int64_t end) {
  is_of_blocks(p.dtype) ? pack_q8_by_input(p, begin, end)
                        : cpu::PRWKV_BASE().pack_by_input(p, begin, end);
}
inline void unpack_or_base(const cpu::Unpacking& u, std::int64_t begin, std::int64_t end) {
  is_of_blocks(u.dtype) ? unpack_blocks(u, begin, end) : cpu::PRWKV_BASE().unpack(u, begin, end);
}
inline void convert_or_base(const cpu::Activations& a, std::int64_t begin, std::int64_t end) {
  a.form == cpu::Form::kBytes ? quantize_activations(a, begin, end)
                              : cpu::PRWKV_BASE().convert_activations(a, begin, end);
}

inline cpu::KernelTable with_integers() {
  cpu::KernelTable table = cpu::PRWKV_BASE();
  table.isa = PRWKV_ISA_NAME;
  table.product = &product_or_base;
  table.product_segments = &segments_or_base;
  table.pack = &pack_or_base;
  table.pack_by_input = &pack_by_input_or_base;
  table.unpack = &unpack_or_base;
  table.convert_activations = &convert_or_base;
  table.tile_cols = &tile_cols;
  table.limits = &limit_probes;
  return table;
}

}  // namespace prwkv::PRWKV_ISA
