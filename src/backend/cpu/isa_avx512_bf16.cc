#define PRWKV_ISA isa_avx512_bf16
#define PRWKV_ISA_NAME "avx512_bf16"
#define PRWKV_HAS_VNNI
#define PRWKV_HAS_BF16
#include "backend/cpu/simd/quads_avx512.h"
// After the vocabulary it is written in.
#include "backend/cpu/isa_products.h"

const prwkv::cpu::KernelTable& prwkv::cpu::avx512_bf16_kernels() {
  static const KernelTable table = PRWKV_ISA::with_products(avx512_kernels());
  return table;
}
