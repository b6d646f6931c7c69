/// A new model as a file: what training from scratch begins with.
#pragma once

#include <functional>
#include <string>

#include "base/thread_pool.h"
#include "models/random.h"
#include "train/init.h"

namespace prwkv {

/// Writes a safetensors file of f32 tensors with BlinkDL's names and shapes. Memory: the largest matrix, a few times.
/// `progress` gets elements done of all; false stops with Error{kCancelled} and leaves no file.
void write_new_model(
    const ModelShape& shape, const InitOptions& options, const std::string& path, ThreadPool& pool,
    const std::function<bool(std::int64_t done, std::int64_t total)>& progress = {});

/// A file of that size and shape that takes no room: what stands for the tensors is a hole, which reads as zeros. To plan
/// with.
void write_blank_model(const ModelShape& shape, const std::string& path);

}  // namespace prwkv
