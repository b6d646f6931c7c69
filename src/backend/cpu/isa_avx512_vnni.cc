#define PRWKV_ISA isa_avx512_vnni
#define PRWKV_ISA_NAME "avx512_vnni"
#define PRWKV_HAS_VNNI
#include "backend/cpu/simd/quads_avx512.h"
// After the vocabulary it is written in.
#include "backend/cpu/isa_products.h"

const prwkv::cpu::KernelTable& prwkv::cpu::avx512_vnni_kernels() {
  static const KernelTable table = PRWKV_ISA::with_products(avx512_kernels());
  return table;
}
