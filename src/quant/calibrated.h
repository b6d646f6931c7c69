/// Rounding to blocks with the inputs of the matrix in view (metric.h): errors are made where they cancel.
///
/// Scales of a block are fitted to what is wanted of it, its elements are rounded one after another, and
/// the error of each is made up for by those not yet rounded (arXiv 2210.17323, here in terms of the
/// factors of H itself). Then scales and quants are changed one at a time, each where that lowers the
/// cost with all others as they are, until nothing does. Types: all block types of layout.h; the bytes
/// are ordinary ones.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/thread_pool.h"
#include "quant/metric.h"
#include "quant/panels.h"
#include "tensor/dtype.h"

namespace prwkv::quant {

struct CalibratedCost {
  double nearest = 0;     ///< Σ eᵀ H e of what quantize() gives
  double calibrated = 0;  ///< … and of the blocks that were written
};

/// `rows` rows of metric.size() values, finite and within ±65504, to blocks. No row costs more than with
/// quantize(). Equal arguments give equal bytes, whatever the threads, if `product` keeps to that.
/// Memory: some 4 x 1024 rows of f32, and as much again for their blocks while they are searched.
CalibratedCost quantize_calibrated(DType dtype, const float* values, std::int64_t rows,
                                   const Metric& metric, std::byte* blocks, ThreadPool& pool,
                                   const Product& product);

}  // namespace prwkv::quant
