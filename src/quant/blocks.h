/// The codec of block types: the specification that fast kernels are tested against.
///
/// A block holds 32 or 256 neighbouring elements of a row as small integers and the scales that turn
/// them into numbers. Layouts are those of GGUF, byte for byte; equations stand beside each codec in
/// blocks.cc.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace prwkv::quant {

/// n elements as f32, each rounded as the equation of the type is written. n must be a multiple of the
/// block size; plain float types are accepted as well. Blocks may start at any byte.
void dequantize(DType dtype, const std::byte* blocks, std::int64_t n, float* values);

/// n values to the type's nearest: for each block the scale that the type's usual rule gives, then each
/// element rounded (no calibration). n must be a multiple of the block size; plain float types round
/// to nearest even. NaN and infinities become what a block of their scale can hold: check before.
void quantize(DType dtype, const float* values, std::int64_t n, std::byte* blocks);

/// `wanted` if rows of `columns` elements fit its blocks; else the type that takes its place:
/// 256-element types fall back to the 32-element type of the same or the next larger size, and where
/// that does not fit either, to f16.
[[nodiscard]] DType fitting(DType wanted, std::int64_t columns);

}  // namespace prwkv::quant
