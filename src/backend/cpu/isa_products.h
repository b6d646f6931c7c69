/// The products alone, compiled for processors that have instructions for them beyond those of
/// another table.
#pragma once

#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/limits.h"
#include "backend/cpu/simd/math.h"
#include "ops/linear/linear_cpu.h"

namespace prwkv::PRWKV_ISA {

inline cpu::KernelTable with_products(cpu::KernelTable table) {
  table.isa = PRWKV_ISA_NAME;
  table.product = &product;
  table.product_segments = &segments_of;
  table.pack = &pack;
  table.pack_by_input = &pack_by_input;
  table.convert_activations = &convert_activations;
  table.form = &form;
  table.activation_bytes = &activation_bytes;
  table.panel_bytes = &panel_bytes;
  table.by_input_bytes = &by_input_bytes;
  table.tile_cols = &tile_cols;
  table.limits = &limit_probes;
  return table;
}

}  // namespace prwkv::PRWKV_ISA
