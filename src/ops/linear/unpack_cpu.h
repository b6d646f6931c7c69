/// Packed matrices as f32 again, rows as files have them: what the way back reads (gradient_cpu.h), so that weights
/// that are packed to generate serve training too. Blocks give the bits that `decode` gives.
#pragma once

#include "ops/linear/by_input_cpu.h"

namespace prwkv::PRWKV_ISA {

/// Columns [first, first + n) of a panel's rows, lanes[k] being column first + k.
template <int n>
inline void put_columns(const cpu::Unpacking& u, std::int64_t panel, std::int64_t first,
                        const Vec (&lanes)[n]) {
  alignas(64) float turned[n][Vec::size];
  for (int k = 0; k < n; ++k) lanes[k].store(turned[k]);
  const std::int64_t row = panel * Vec::size, left = u.out - row;
  for (std::int64_t r = 0; r < (left < Vec::size ? left : Vec::size); ++r) {
    float* to = u.rows + (row + r) * u.in + first;
    for (int k = 0; k < n; ++k) to[k] = turned[k][r];
  }
}

/// Panels [begin, end).
template <class W>
inline void unpack_float_panels(const cpu::Unpacking& u, std::int64_t begin, std::int64_t end) {
  static_assert(W::kColumns == 1);
  using P = FloatPanel<W>;
  constexpr int kAtOnce = 16;  // columns: a line of each row
  for (std::int64_t panel = begin; panel < end; ++panel) {
    const std::byte* from = u.packed + panel * P::bytes(u.in);
    std::int64_t c = 0;
    for (; c + kAtOnce <= u.in; c += kAtOnce) {
      Vec lanes[kAtOnce];
      for (int k = 0; k < kAtOnce; ++k) lanes[k] = W::load(from + (c + k) * P::kStepBytes);
      put_columns(u, panel, c, lanes);
    }
    for (; c < u.in; ++c) put_columns(u, panel, c, {W::load(from + c * P::kStepBytes)});
  }
}

/// Four columns of a panel: the codes of a quad.
template <class P>
inline void codes_of(const std::byte* quad, Vec (&lanes)[4]) {
  alignas(64) float codes[4][Vec::size];
  for (int r = 0; r < Vec::size; ++r) {
    for (int k = 0; k < 4; ++k) {
      const std::byte code = quad[4 * r + k];
      const int value = P::kIsSigned && P::kZero == 0 ? static_cast<std::int8_t>(code)
                                                      : static_cast<int>(code) - P::kZero;
      codes[k][r] = static_cast<float>(value);
    }
  }
  for (int k = 0; k < 4; ++k) lanes[k] = Vec::load(codes[k]);
}

template <class Block>
inline void unpack_block_panels(const cpu::Unpacking& u, std::int64_t begin, std::int64_t end) {
  using P = Panel<Block>;
  using W = WideFor<Block>;
  constexpr int kElements = P::Q::kElements, kQuads = 8;
  for (std::int64_t panel = begin; panel < end; ++panel) {
    const std::byte* from = u.packed + panel * P::bytes(u.in);
    for (std::int64_t first = 0; first < u.in; first += kElements, from += P::kBlockBytes) {
      alignas(64) std::byte wide[P::kGroups * W::kBlockBytes];
      widen<Block>(from, 1, wide);
      for (int g = 0; g < P::kGroups; ++g) {
        const std::byte* group = wide + g * W::kBlockBytes;
        for (int k = 0; k < kQuads; ++k) {
          const int share = k * P::kShares / kQuads;
          const Vec scale = W::scales(group, share);
          Vec lanes[4];
          codes_of<P>(group + W::kHeader + k * Quads::size, lanes);
          for (Vec& w : lanes) {
            if constexpr (P::kHasOffset)
              w = fma(w, scale, Vec::zero() - W::minima(group, share));
            else
              w = w * scale;
          }
          put_columns(u, panel, first + 32 * g + 4 * k, lanes);
        }
      }
    }
  }
}

/// Groups [begin, end) of 32 inputs of a matrix that lies by input: value(input, channel) for a vector of channels.
template <class Value>
inline void unpack_by_input(const cpu::Unpacking& u, std::int64_t begin, std::int64_t end,
                            const Value& value) {
  constexpr int kAtOnce = 16;
  for (std::int64_t i = 32 * begin; i < 32 * end; i += kAtOnce) {
    for (std::int64_t channel = 0; channel < u.out; channel += Vec::size) {
      Vec lanes[kAtOnce];
      for (int k = 0; k < kAtOnce; ++k) lanes[k] = value(i + k, channel);
      put_columns(u, channel / Vec::size, i, lanes);
    }
  }
}

inline void unpack_floats(const cpu::Unpacking& u, std::int64_t begin, std::int64_t end) {
  with_float(u.dtype, [&]<class W>() {
    if (u.layout == Layout::kPacked) return unpack_float_panels<W>(u, begin, end);
    unpack_by_input(u, begin, end, [&](std::int64_t input, std::int64_t channel) {
      return W::load(u.packed + (input * u.out + channel) * W::kBytes);
    });
  });
}

inline void unpack_blocks(const cpu::Unpacking& u, std::int64_t begin, std::int64_t end) {
  if (u.layout == Layout::kPacked) {
    with_block(u.dtype, [&]<class Block>() { unpack_block_panels<Block>(u, begin, end); });
    return;
  }
  unpack_by_input(u, begin, end, [&](std::int64_t input, std::int64_t channel) {
    const std::byte* group = u.packed + input / 32 * u.out * kQ8Bytes;
    const std::byte* codes = group + input % 32 * u.out;
    alignas(64) float q[Vec::size];
    for (int r = 0; r < Vec::size; ++r) {
      const int code = static_cast<int>(codes[place_of(channel + r)]);
      q[r] = static_cast<float>(static_cast<std::int8_t>(code - Sums::kSignedZero));
    }
    return Vec::load(q) * Vec::load_f16(group + 32 * u.out + 2 * channel);
  });
}

/// Panels of a packed matrix, or groups of 32 inputs of one that lies by input.
inline void unpack(const cpu::Unpacking& u, std::int64_t begin, std::int64_t end) {
  is_of_blocks(u.dtype) ? unpack_blocks(u, begin, end) : unpack_floats(u, begin, end);
}

}  // namespace prwkv::PRWKV_ISA
