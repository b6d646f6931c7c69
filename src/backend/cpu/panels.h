/// Panels: matrices of blocks as the integer products of ops/linear want them.
///
/// A panel holds Vec::size neighbouring rows of the matrix, one for each lane of a register, and is
/// read from its first byte to its last. For each block of columns, 32 or 256 of them:
///
///     d         f16 [row]             then the f16 of the offsets, if the type has them
///     scales    i8  [sub-block][row]  then those of the offsets; types of 256 only. Where both have four
///                                     bits (Q2_K), one byte: the scale, and the offset's above it
///     codes     for each 32 columns (a group), kLow + kHigh bits of every code
///
/// Codes lie in quads: four neighbouring columns of every row, 4 · Vec::size bytes, the operand of one
/// integer instruction. A group has eight. Several share their bytes when codes are smaller:
///
///     bits  quads of bytes   bits of quad k
///     8     8                k, whole
///     4     4                k mod 4, low or high half
///     2     2                k / 4, two bits from 2 (k mod 4)
///     1     1                the only one, bit k
///
/// A panel has the size of its rows in the file, but for the types whose scales had six bits (at most
/// 4 % more). The last panel of a matrix is filled up with rows of zeros.
#pragma once

#include <cstring>
#include <type_traits>
#include <utility>

#include "backend/cpu/block_weights.h"

namespace prwkv::PRWKV_ISA {

template <class Block>
struct Panel {
  using Q = Quants<Block>;
  static constexpr int kRows = Vec::size, kSub = kSubBlocks<Block>;
  static constexpr bool kIsLarge = Q::kElements == 256;
  static constexpr int kHalves = 2 * kRows;  ///< bytes of an f16 for each row
  static constexpr int kMultipliers = kHalves * (Q::kHasOffset ? 2 : 1);
  static constexpr int kOffsetMultipliers = kMultipliers + kSub * kRows;
  static constexpr bool kInNibbles = std::is_same_v<Block, quant::BlockQ2_K>;
  static constexpr int kHeader =
      kMultipliers + (kIsLarge ? kSub * kRows * (Q::kHasOffset && !kInNibbles ? 2 : 1) : 0);
  static constexpr int kGroupBytes = (Q::kLow + Q::kHigh) * Quads::size;
  static constexpr int kGroups = Q::kElements / 32;
  static constexpr int kShares = 32 / Q::kShare;  ///< scales of a group
  static constexpr bool kHasOffset = Q::kHasOffset;
  /// Bytes of a panel for each block of columns.
  static constexpr int kBlockBytes = kHeader + kGroups * kGroupBytes;
  static constexpr int kPart = kBlockBytes / kGroups;  ///< of these, for each group

  /// What Sums start from is −zero · Σ x; 0: none.
  static constexpr bool kIsSigned = Q::kCoding != Coding::kPlain;
  static constexpr int kZero = kIsSigned ? Sums::kSignedZero : Q::kZero;

  static constexpr std::int64_t bytes(std::int64_t in) { return in / Q::kElements * kBlockBytes; }

  /// Scales of sub-block i of each row.
  static Vec scales(const std::byte* block, int i) {
    const Vec d = Vec::load_f16(block);
    if constexpr (kInNibbles)
      return d * Vec::load_low_nibbles(block + kMultipliers + i * kRows);
    else if constexpr (kIsLarge)
      return d * Vec::load_i8(block + kMultipliers + i * kRows);
    else
      return d;
  }
  /// Offsets with the opposite sign.
  static Vec minima(const std::byte* block, int i) {
    const Vec d = Vec::load_f16(block + kHalves);
    if constexpr (kInNibbles)
      return d * Vec::load_high_nibbles(block + kMultipliers + i * kRows);
    else if constexpr (kIsLarge)
      return d * Vec::load_i8(block + kOffsetMultipliers + i * kRows);
    else
      return Vec::zero() - d;
  }

  /// Quad k of a group, ready for `dot`, or for `dot_signed` where the type is signed.
  template <int k>
  static Quads quad(const std::byte* group) {
    const Quads low = low_bits<k>(group);
    if constexpr (Q::kCoding == Coding::kLevels)
      return lookup(kLevels.v, low);
    else if constexpr (Q::kHigh > 0)
      return low | high_bits<k>(group + Q::kLow * Quads::size);
    else
      return low;
  }

 private:
  struct Levels {
    std::int8_t v[16];
  };
  static constexpr Levels kLevels = [] {
    Levels levels{};
    for (int i = 0; i < 16; ++i)
      levels.v[i] = static_cast<std::int8_t>(quant::kIq4Levels[i] + Sums::kSignedZero);
    return levels;
  }();

  template <int k>
  static Quads low_bits(const std::byte* p) {
    if constexpr (Q::kLow == 8)
      return Quads::load(p + k * Quads::size);
    else if constexpr (Q::kLow == 4)
      return field<k / 4 * 4, 15>(Quads::load(p + k % 4 * Quads::size));
    else
      return field<k % 4 * 2, 3>(Quads::load(p + k / 4 * Quads::size));
  }
  template <int k>
  static Quads high_bits(const std::byte* p) {
    if constexpr (Q::kHigh == 2)
      return moved<Q::kLow - k % 4 * 2, 3 << Q::kLow>(Quads::load(p + k / 4 * Quads::size));
    else
      return moved<Q::kLow - k, 1 << Q::kLow>(Quads::load(p));
  }
};

/// Panels for many tiles of activations: codes are bytes, scales and offsets f32, all unpacked once. A block
/// has 32 columns:
///
///     scales    f32 [share][row]   then the offsets with the opposite sign, if there are any
///     codes     8 quads
///
/// Types whose codes mean the same share one such panel, and the code that multiplies it.
template <int zero, bool is_signed, int shares, bool has_offset>
struct WidePanel {
  static constexpr int kRows = Vec::size, kGroups = 1, kShares = shares, kZero = zero;
  static constexpr bool kIsSigned = is_signed, kHasOffset = has_offset;
  static constexpr int kFloats = 4 * kRows;  ///< bytes of an f32 for each row
  static constexpr int kHeader = shares * (has_offset ? 2 : 1) * kFloats;
  static constexpr int kGroupBytes = 8 * Quads::size;
  static constexpr int kBlockBytes = kHeader + kGroupBytes;
  static constexpr int kPart = kBlockBytes;

  static Vec scales(const std::byte* block, int i) { return Vec::load_f32(block + i * kFloats); }
  static Vec minima(const std::byte* block, int i) {
    return Vec::load_f32(block + (shares + i) * kFloats);
  }
  template <int k>
  static Quads quad(const std::byte* group) {
    return Quads::load(group + k * Quads::size);
  }
};
/// What the panels of a type become.
template <class Block>
using WideFor = WidePanel<Panel<Block>::kZero, Panel<Block>::kIsSigned, Panel<Block>::kShares,
                          Panel<Block>::kHasOffset>;

/// So many blocks of a panel.
template <class Block>
inline void widen(const std::byte* block, std::int64_t blocks, std::byte* wide) {
  using P = Panel<Block>;
  using W = WideFor<Block>;
  for (std::int64_t b = 0; b < blocks; ++b, block += P::kBlockBytes) {
    for (int g = 0; g < P::kGroups; ++g, wide += W::kBlockBytes) {
#pragma GCC unroll 2
      for (int i = 0; i < P::kShares; ++i) {
        auto* scales = reinterpret_cast<float*>(wide + i * W::kFloats);
        P::scales(block, g * P::kShares + i).store(scales);
        if constexpr (P::kHasOffset)
          P::minima(block, g * P::kShares + i).store(scales + P::kShares * P::kRows);
      }
      const std::byte* group = block + P::kHeader + g * P::kGroupBytes;
      [&]<int... k>(std::integer_sequence<int, k...>) {
        (P::template quad<k>(group).store(wide + W::kHeader + k * Quads::size), ...);
      }
      (std::make_integer_sequence<int, 8>{});
    }
  }
}

/// Adds the codes of one row in a group to its quads, which are zero before.
template <class Block>
inline void pack_codes(const Bytes& codes, int row, std::byte* group) {
  using Q = Quants<Block>;
  std::uint32_t quads[8];
  std::memcpy(quads, &codes, sizeof quads);
  const auto add = [row](std::byte* plane, int place, std::uint32_t bits) {
    std::byte* at = plane + place * Quads::size + 4 * row;
    std::uint32_t now;
    std::memcpy(&now, at, sizeof now);
    now |= bits;
    std::memcpy(at, &now, sizeof now);
  };
  for (int k = 0; k < 8; ++k) {
    if constexpr (Q::kLow == 8) add(group, k, quads[k]);
    if constexpr (Q::kLow == 4) add(group, k % 4, (quads[k] & 0x0f0f0f0fu) << (k / 4 * 4));
    if constexpr (Q::kLow == 2) add(group, k / 4, (quads[k] & 0x03030303u) << (k % 4 * 2));
    const std::uint32_t high = quads[k] >> Q::kLow;
    std::byte* plane = group + Q::kLow * Quads::size;
    if constexpr (Q::kHigh == 2) add(plane, k / 4, (high & 0x03030303u) << (k % 4 * 2));
    if constexpr (Q::kHigh == 1) add(plane, 0, (high & 0x01010101u) << k);
  }
}

/// The blocks of one row into its lanes of a panel of zeros.
template <class Block>
inline void pack_row(const Block* blocks, std::int64_t count, int row, std::byte* panel) {
  using P = Panel<Block>;
  using Q = Quants<Block>;
  for (std::int64_t i = 0; i < count; ++i, panel += P::kBlockBytes) {
    const Block& b = blocks[i];
    std::memcpy(panel + 2 * row, b.d, 2);
    if constexpr (Q::kHasOffset) std::memcpy(panel + P::kHalves + 2 * row, offset_of(b), 2);
    if constexpr (P::kIsLarge) {
      std::int8_t scale[P::kSub], minimum[P::kSub];
      Q::multipliers(b, scale, minimum);
      for (int s = 0; s < P::kSub; ++s) {
        if constexpr (P::kInNibbles)
          scale[s] = static_cast<std::int8_t>(scale[s] | minimum[s] << 4);
        std::memcpy(panel + P::kMultipliers + s * P::kRows + row, scale + s, 1);
        if constexpr (Q::kHasOffset && !P::kInNibbles)
          std::memcpy(panel + P::kOffsetMultipliers + s * P::kRows + row, minimum + s, 1);
      }
    }
    for (int g = 0; g < P::kGroups; ++g) {
      Bytes codes = Q::codes(b, g);
      if constexpr (Q::kCoding == Coding::kSigned) codes = minus(codes, -Sums::kSignedZero);
      pack_codes<Block>(codes, row, panel + P::kHeader + g * P::kGroupBytes);
    }
  }
}

/// Rows [begin, end) of a matrix of blocks into its panels; begin is the first row of a panel.
template <class Block>
inline void pack_rows(const cpu::Packing& p, std::int64_t begin, std::int64_t end) {
  using P = Panel<Block>;
  const std::int64_t blocks = p.in / P::Q::kElements;
  for (std::int64_t first = begin; first < end; first += P::kRows) {
    std::byte* panel = p.panels + first / P::kRows * P::bytes(p.in);
    std::memset(panel, 0, static_cast<std::size_t>(P::bytes(p.in)));
    const std::int64_t n = end - first < P::kRows ? end - first : P::kRows;
    for (int r = 0; r < n; ++r) {
      const std::byte* row =
          p.rows + (first + r - begin) * blocks * static_cast<int>(sizeof(Block));
      pack_row(reinterpret_cast<const Block*>(row), blocks, r, panel);
    }
  }
}
inline void pack_blocks(const cpu::Packing& p, std::int64_t begin, std::int64_t end) {
  with_block(p.dtype, [&]<class Block>() { pack_rows<Block>(p, begin, end); });
}

/// Bytes of one panel; 0 for types without blocks.
inline std::int64_t block_panel_bytes(DType dtype, std::int64_t in) {
  std::int64_t bytes = 0;
  with_block(dtype, [&]<class Block>() { bytes = Panel<Block>::bytes(in); });
  return bytes;
}
/// Whether a type has blocks: activations become bytes for them.
inline bool is_of_blocks(DType dtype) { return block_panel_bytes(dtype, 256) > 0; }

}  // namespace prwkv::PRWKV_ISA
