#define PRWKV_ISA isa_neon_i8mm
#define PRWKV_ISA_NAME "neon_i8mm"
#define PRWKV_HAS_NEON
#define PRWKV_HAS_DOTPROD
#define PRWKV_HAS_I8MM
#define PRWKV_BASE neon_kernels
#include "backend/cpu/simd/quads_neon.h"
// After the vocabulary it is written in.
#include "backend/cpu/isa_integers.h"

const prwkv::cpu::KernelTable& prwkv::cpu::neon_i8mm_kernels() {
  static const KernelTable table = PRWKV_ISA::with_integers();
  return table;
}
