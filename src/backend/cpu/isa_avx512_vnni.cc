#define PRWKV_ISA isa_avx512_vnni
#define PRWKV_ISA_NAME "avx512_vnni"
#define PRWKV_HAS_VNNI
#define PRWKV_BASE avx512_kernels
#include "backend/cpu/simd/quads_avx512.h"
// After the vocabulary it is written in.
#include "backend/cpu/isa_integers.h"

const prwkv::cpu::KernelTable& prwkv::cpu::avx512_vnni_kernels() {
  static const KernelTable table = PRWKV_ISA::with_integers();
  return table;
}
