#define PRWKV_ISA isa_avx512_bf16
#define PRWKV_ISA_NAME "avx512_bf16"
#define PRWKV_HAS_BF16
#include "backend/cpu/simd/quads_avx512.h"
// After the vocabulary they are written in.
#include "backend/cpu/simd/math.h"
#include "ops/linear/linear_cpu.h"

// Products with panels of bf16; all the rest is what isa_avx512_vnni.cc does. A matrix of bf16 never lies by input here:
// a product along `in` is twice as fast for many rows.
namespace prwkv::PRWKV_ISA {

inline const cpu::KernelTable& base() { return cpu::avx512_vnni_kernels(); }

inline bool is_here(DType dtype, Layout layout) {
  return dtype == DType::kBF16 && layout == Layout::kPacked;
}

inline void product_here(const Product& p, std::int64_t begin, std::int64_t end) {
  if (!is_here(p.dtype, p.layout)) return base().product(p, begin, end);
  if (p.T == 0) return;
  float_panels_of<BF16Pairs>(p, begin, end);
  finish(p, begin, end);
}
inline void pack_here(const cpu::Packing& p, std::int64_t begin, std::int64_t end) {
  p.dtype == DType::kBF16 ? pack_float_rows<BF16Pairs>(p, begin, end) : base().pack(p, begin, end);
}
inline void unpack_here(const cpu::Unpacking& u, std::int64_t begin, std::int64_t end) {
  if (!is_here(u.dtype, u.layout)) return base().unpack(u, begin, end);
  using P = FloatPanel<BF16Pairs>;
  for (std::int64_t panel = begin; panel < end; ++panel) {
    for (std::int64_t c = 0; c < u.in; ++c) {
      const auto* pair = reinterpret_cast<const std::uint32_t*>(u.packed + panel * P::bytes(u.in) +
                                                                c / 2 * P::kStepBytes);
      alignas(64) std::uint32_t bits[Vec::size];  // an f32 has those of a bf16 in front
      for (int r = 0; r < Vec::size; ++r)
        bits[r] = c % 2 == 0 ? pair[r] << 16 : pair[r] & 0xffff0000u;
      put_columns(u, panel, c, {Vec::load_f32(reinterpret_cast<const std::byte*>(bits))});
    }
  }
}
inline void convert_here(const cpu::Activations& a, std::int64_t begin, std::int64_t end) {
  a.form == cpu::Form::kBF16Tiles ? fill_tiles<BF16Pairs>(a, begin, end)
                                  : base().convert_activations(a, begin, end);
}
inline cpu::Form form_here(DType weights, Layout layout, std::int64_t T, std::int64_t x_stride) {
  return is_here(weights, layout) ? cpu::Form::kBF16Tiles
                                  : base().form(weights, layout, T, x_stride);
}
inline std::int64_t panel_bytes_here(DType dtype, std::int64_t in) {
  return dtype == DType::kBF16 ? FloatPanel<BF16Pairs>::bytes(in) : base().panel_bytes(dtype, in);
}
inline std::int64_t by_input_bytes_here(DType dtype, std::int64_t out, std::int64_t in) {
  return dtype == DType::kBF16 ? 0 : base().by_input_bytes(dtype, out, in);
}

inline cpu::KernelTable with_bf16() {
  cpu::KernelTable table = base();
  table.isa = PRWKV_ISA_NAME;
  table.product = &product_here;
  table.pack = &pack_here;
  table.unpack = &unpack_here;
  table.convert_activations = &convert_here;
  table.form = &form_here;
  table.panel_bytes = &panel_bytes_here;
  table.by_input_bytes = &by_input_bytes_here;
  return table;
}

}  // namespace prwkv::PRWKV_ISA

const prwkv::cpu::KernelTable& prwkv::cpu::avx512_bf16_kernels() {
  static const KernelTable table = PRWKV_ISA::with_bf16();
  return table;
}
