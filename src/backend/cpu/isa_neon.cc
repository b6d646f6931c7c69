#define PRWKV_ISA isa_neon
#define PRWKV_ISA_NAME "neon"
#define PRWKV_HAS_NEON
#include "backend/cpu/simd/quads_neon.h"
// After the vocabulary it is written in.
#include "backend/cpu/isa_kernels.h"

const prwkv::cpu::KernelTable& prwkv::cpu::neon_kernels() { return PRWKV_ISA::kTable; }
