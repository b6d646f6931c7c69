#define PRWKV_ISA isa_avx512_amx
#define PRWKV_ISA_NAME "avx512_amx"
#define PRWKV_HAS_BF16
#define PRWKV_HAS_AMX
#define PRWKV_WEIGHTS BF16Tiles
#include "backend/cpu/isa_bf16.h"

const prwkv::cpu::KernelTable& prwkv::cpu::avx512_amx_kernels() {
  static const KernelTable table = PRWKV_ISA::with_bf16();
  return table;
}
