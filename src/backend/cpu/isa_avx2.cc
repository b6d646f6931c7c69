#define PRWKV_ISA isa_avx2
#define PRWKV_ISA_NAME "avx2"
#include "backend/cpu/simd/quads_avx2.h"
// After the vocabulary it is written in.
#include "backend/cpu/isa_kernels.h"

const prwkv::cpu::KernelTable& prwkv::cpu::avx2_kernels() { return PRWKV_ISA::kTable; }
