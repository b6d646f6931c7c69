/// The codec of block types: the specification that fast kernels are tested against.
///
/// A block holds 32 or 256 neighbouring elements of a row as small integers and the scales that turn
/// them into numbers. Layouts are those of GGUF, byte for byte; equations stand beside each codec in
/// decode.cc.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace prwkv::quant {

/// n elements as f32, each rounded as the equation of the type is written. n must be a multiple of the
/// block size; plain float types are accepted as well. Blocks may start at any byte.
void dequantize(DType dtype, const std::byte* blocks, std::int64_t n, float* values);

/// n values to blocks. n must be a multiple of the block size; plain float types round to nearest even.
/// Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0 give the bytes that ggml's formulas give; the other types search for
/// the scales of least squared error (search.h), without calibration. Equal values give equal bytes.
/// Blocks hold finite numbers only: what is too large for the type saturates, NaN becomes 0.
void quantize(DType dtype, const float* values, std::int64_t n, std::byte* blocks);

/// `wanted` if rows of `columns` elements fit its blocks; else the next larger type with blocks of 32,
/// as in llama.cpp's quantizer (Q2_K, Q3_K, IQ4_XS: IQ4_NL; Q4_K: Q5_0; Q5_K: Q5_1; Q6_K: Q8_0); f16
/// where that does not fit either.
[[nodiscard]] DType fitting(DType wanted, std::int64_t columns);

}  // namespace prwkv::quant
