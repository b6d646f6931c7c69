#define PRWKV_ISA isa_scalar
#define PRWKV_ISA_NAME "scalar"
#include "backend/cpu/simd/quads_scalar.h"
// After the vocabulary it is written in.
#include "backend/cpu/isa_kernels.h"

const prwkv::cpu::KernelTable& prwkv::cpu::scalar_kernels() { return PRWKV_ISA::kTable; }
