#define PRWKV_ISA isa_avx512
#define PRWKV_ISA_NAME "avx512"
#include "backend/cpu/simd/quads_avx512.h"
// After the vocabulary it is written in.
#include "backend/cpu/isa_kernels.h"

const prwkv::cpu::KernelTable& prwkv::cpu::avx512_kernels() { return PRWKV_ISA::kTable; }
