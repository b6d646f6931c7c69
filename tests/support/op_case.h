/// One call of one operation, described once in host memory and run on any backend.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <concepts>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/ref/array.h"
#include "backend/ref/ref_backend.h"
#include "quant/blocks.h"
#include "support/backends.h"
#include "support/op_tensors.h"
#include "support/random.h"

namespace prwkv::test {

/// Host memory of a case. Activations and parameter vectors are kF64 here, with values that f32
/// represents exactly, and become the backend's own type where they are placed; weights keep
/// theirs.
class CaseData {
 public:
  explicit CaseData(std::string_view name) : random(name) {}

  template <class F>
  Tensor fill(const Shape& shape, F draw) {
    Tensor t = make(shape, DType::kF64);
    for (std::int64_t i = 0; i < t.numel(); ++i) ref::store(t, i, static_cast<float>(draw(i)));
    return t;
  }
  Tensor uniform(const Shape& shape, double low = -1, double high = 1) {
    return fill(shape, [&](std::int64_t) { return random.uniform(low, high); });
  }
  /// What an operation overwrites: anything.
  Tensor output(const Shape& shape) {
    return fill(shape, [](std::int64_t) { return 123.5; });
  }
  Tensor weight(const Shape& shape, DType dtype, double scale = 1) {
    return weight(shape, dtype, [&](std::int64_t) { return random.uniform(-scale, scale); });
  }
  template <class F>
  Tensor weight(const Shape& shape, DType dtype, F draw) requires std::invocable<F, std::int64_t> {
    Tensor t = make(shape, dtype);
    if (is_block(dtype)) {
      std::vector<float> values(static_cast<std::size_t>(t.numel()));
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>(draw(static_cast<std::int64_t>(i)));
      quant::quantize(dtype, values.data(), t.numel(), t.as<std::byte>());
      return t;
    }
    for (std::int64_t i = 0; i < t.numel(); ++i) {
      const auto x = static_cast<float>(draw(i));
      if (dtype == DType::kF16) t.as<f16>()[i] = to_f16(x);
      if (dtype == DType::kBF16) t.as<bf16>()[i] = to_bf16(x);
      if (dtype == DType::kF32) t.as<float>()[i] = x;
    }
    return t;
  }
  /// The same values as f32: what a matrix of blocks stands for.
  Tensor decoded(const Tensor& t) {
    Tensor plain = make(t.shape, DType::kF32);
    quant::dequantize(t.dtype, t.as<const std::byte>(), t.numel(), plain.as<float>());
    return plain;
  }
  Tensor ints(const std::vector<std::int64_t>& values) {
    Tensor t = make({static_cast<std::int64_t>(values.size())}, DType::kI32);
    for (std::size_t i = 0; i < values.size(); ++i) {
      t.as<std::int32_t>()[i] = static_cast<std::int32_t>(values[i]);
    }
    return t;
  }
  /// Sequences of these lengths in the slots 1, 4, 7 … of a pool with room for one more than is
  /// needed.
  Seqs seqs(const std::vector<std::int64_t>& lengths) {
    std::vector<std::int64_t> begin = {0}, slot;
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      begin.push_back(begin.back() + lengths[s]);
      slot.push_back(static_cast<std::int64_t>(3 * (lengths.size() - s) - 2));
    }
    const auto n = static_cast<std::int64_t>(lengths.size());
    return {.begin = ints(begin), .slot = ints(slot), .n = n, .rows = begin.back(), .slots = 3 * n};
  }

  Random random;

 private:
  Tensor make(const Shape& shape, DType dtype) {
    Tensor t;
    t.shape = shape;
    t.dtype = dtype;
    // One element more, so that an empty tensor is not absent.
    t.data = blocks_.emplace_back(t.bytes() / sizeof(double) + 1).data();
    return t;
  }
  std::deque<std::vector<double>> blocks_;
};

/// The arguments of a case in a backend's memory, each tensor between two guards that nothing may
/// touch. Tensors that share memory in the case share it here.
template <class Args>
class Placed {
 public:
  /// Weights start `misaligned` bytes off their natural alignment, as they may in a mapped file.
  Placed(Backend& backend, const Args& host, std::size_t misaligned)
      : args(host), backend_(backend) {
    for (Tensor* t : tensors_of(args)) {
      const void* key = t->data;
      const auto found = copies_.find(key);
      *t = found != copies_.end() ? found->second.tensor.reshaped(t->shape) : place(*t, misaligned);
    }
  }

  /// The tensor of the case as it is now.
  std::vector<double> read(const Tensor& host) {
    return download(backend_, copies_.at(host.data).tensor);
  }

  /// Fails the test if a guard or a tensor other than `written` has changed.
  void expect_untouched(const std::vector<Tensor>& written) {
    std::set<const void*> may_change;
    for (const Tensor& t : written) may_change.insert(t.data);
    for (auto& [key, copy] : copies_) {
      std::vector<unsigned char> now(copy.before.size());
      Tensor whole = bytes_of(copy.buffer);
      backend_.download(now.data(), whole);
      if (now == copy.before) continue;
      const auto first = static_cast<std::size_t>(static_cast<char*>(copy.tensor.data) -
                                                  static_cast<char*>(copy.buffer.data()));
      const std::size_t last = first + copy.tensor.bytes();
      for (std::size_t i = 0; i < now.size(); ++i) {
        const bool inside = i >= first && i < last;
        if (now[i] == copy.before[i] || (inside && may_change.contains(key))) continue;
        ADD_FAILURE() << "byte " << i << " of a tensor " << copy.tensor.shape.str() << " at bytes ["
                      << first << ", " << last << ") was overwritten"
                      << (inside ? ", an input" : ": out of bounds");
        return;
      }
    }
  }

  Args args;

 private:
  struct Copy {
    Buffer buffer;
    Tensor tensor;
    std::vector<unsigned char> before;
  };
  static Tensor bytes_of(const Buffer& buffer) {
    Tensor t;
    t.data = buffer.data();
    t.shape = {static_cast<std::int64_t>(buffer.bytes())};
    t.dtype = DType::kU8;
    return t;
  }

  static bool is_weight(DType t) { return is_block(t) || (is_float(t) && t != DType::kF64); }

  // As a loader does: in the layout that the backend wants.
  Tensor pack(const Tensor& host, const Packed& packed) {
    Copy copy;
    copy.buffer = backend_.allocate(packed.bytes);
    Tensor t = host;
    t.data = copy.buffer.data();
    t.layout = packed.layout;
    backend_.put_rows(t, 0, t.dim(0), host.data);
    copy.before.resize(packed.bytes);
    backend_.download(copy.before.data(), bytes_of(copy.buffer));
    copy.tensor = t;
    copies_.emplace(host.data, std::move(copy));
    return t;
  }

  Tensor place(const Tensor& host, std::size_t misaligned) {
    if constexpr (std::same_as<Args, LinearArgs>) {
      const bool is_by_input = host.layout == Layout::kByInput;  // what a case asks for
      // Matrices; floats that are to lie at odd addresses stay as files have them.
      const bool is_packed = host.shape.rank == 2 && is_weight(host.dtype) && misaligned == 0;
      if (is_block(host.dtype) || is_by_input || is_packed) {
        const Packed packed = backend_.packed(host.dtype, host.shape,
                                              is_by_input ? Input::kSquaredRelu : Input::kAny);
        if (packed) return pack(host, packed);
      }
    }
    constexpr std::size_t kGuard = 64;
    Tensor t = host;
    t.layout = Layout::kRows;
    if (host.dtype == DType::kF64) t.dtype = backend_.activation_dtype();
    const std::size_t offset = kGuard + (is_weight(host.dtype) ? misaligned : 0);
    Copy copy;
    // NaN in every float type, so that a read past the end shows as well.
    copy.before.assign(offset + t.bytes() + kGuard, 0xff);
    unsigned char* inside = copy.before.data() + offset;
    if (t.dtype == host.dtype) {
      std::memcpy(inside, host.data, host.bytes());
    } else {
      for (std::int64_t i = 0; i < host.numel(); ++i) {
        const auto x = static_cast<float>(ref::load(host, i));
        std::memcpy(inside + i * static_cast<std::int64_t>(sizeof x), &x, sizeof x);
      }
    }
    copy.buffer = backend_.allocate(copy.before.size());
    backend_.upload(bytes_of(copy.buffer), copy.before.data());
    t.data = static_cast<char*>(copy.buffer.data()) + offset;
    copy.tensor = t;
    copies_.emplace(host.data, std::move(copy));
    return t;
  }

  Backend& backend_;
  std::map<const void*, Copy> copies_;  // by address in the case
};

using Values = std::vector<std::vector<double>>;  // one a written tensor

/// The first place where two sets of results are not the same bits; empty if there is none.
inline std::string difference(const Values& a, const Values& b) {
  if (a.size() != b.size()) return "different numbers of tensors";
  for (std::size_t t = 0; t < a.size(); ++t) {
    if (a[t].size() != b[t].size())
      return fmt::format("tensor {}: {} and {} values", t, a[t].size(), b[t].size());
    for (std::size_t i = 0; i < a[t].size(); ++i) {
      if (std::bit_cast<std::uint64_t>(a[t][i]) == std::bit_cast<std::uint64_t>(b[t][i])) continue;
      return fmt::format("tensor {}, value {}: {} and {}", t, i, a[t][i], b[t][i]);
    }
  }
  return "";
}

/// What a backend does to the activations of products before it multiplies them.
struct Arithmetic {
  bool rounds_for_blocks = false;  ///< to eight bits, where weights are blocks
  bool rounds_for_bf16 = false;    ///< to bf16, where weights are bf16
};
inline Arithmetic arithmetic_of(const Backend& backend) {
  const auto* cpu = dynamic_cast<const CpuBackend*>(&backend);
  return {.rounds_for_blocks = cpu != nullptr,
          .rounds_for_bf16 = cpu != nullptr && cpu->multiplies_bf16()};
}

/// A case without its argument type.
struct OpCase {
  std::string op, name;
  std::vector<std::string> written;  // names of the tensors that the operation writes
  std::function<Values(Backend&)> run;
  /// Cuts all rows into calls of at most `rows` rows, one after the other, state carried from call
  /// to call. Absent for operations without rows.
  std::function<Values(Backend&, std::int64_t rows)> run_cut;
  /// Largest allowed |f32 result − exact result| of each value, derived from the inputs.
  std::function<Values(const Arithmetic&)> bounds;
};

struct Written {
  const char* name;
  Tensor tensor;
  std::function<std::vector<double>()> bound;
  /// Instead, where products are rounded before they are taken.
  std::function<std::vector<double>(const Arithmetic&)> bound_of = {};
};

/// The rows [begin, begin + count) of a call of `T` rows: every tensor whose first dimension is T
/// is cut. `tables` keeps the memory of a shorter Seqs.
template <class Args>
Args rows_of(Backend& backend, Args args, std::int64_t T, std::int64_t begin, std::int64_t count,
             std::vector<Buffer>& tables) {
  for (Tensor* t : tensors_of(args)) {
    if (t->dim(0) == T) *t = t->rows(begin, count);
  }
  if constexpr (requires { args.seqs; }) {
    const auto upload = [&](std::vector<std::int32_t> values) {
      Tensor t;
      t.shape = {static_cast<std::int64_t>(values.size())};
      t.dtype = DType::kI32;
      tables.push_back(backend.allocate(t.bytes()));
      t.data = tables.back().data();
      backend.upload(t, values.data());
      return t;
    };
    std::vector<std::int32_t> slot(static_cast<std::size_t>(args.seqs.n));
    backend.download(slot.data(), args.seqs.slot);
    args.seqs = {.begin = upload({0, static_cast<std::int32_t>(count)}),
                 .slot = upload(slot),
                 .n = 1,
                 .rows = count,
                 .slots = args.seqs.slots};
  }
  return args;
}

struct CaseOptions {
  std::size_t misaligned = 0;
  std::int64_t T = 0;  ///< rows, where the operation can be cut by rows; all in one sequence
};

template <class Args>
OpCase make_case(std::string op, std::string name, std::shared_ptr<CaseData> data, const Args& args,
                 const std::vector<Written>& written, const CaseOptions& options = {}) {
  OpCase c{.op = std::move(op),
           .name = std::move(name),
           .written = {},
           .run = {},
           .run_cut = {},
           .bounds = {}};
  std::vector<Tensor> tensors;
  for (const Written& w : written) {
    c.written.emplace_back(w.name);
    tensors.push_back(w.tensor);
  }
  const auto results = [data, tensors](Placed<Args>& placed) {
    placed.expect_untouched(tensors);
    Values values;
    for (const Tensor& t : tensors) values.push_back(placed.read(t));
    return values;
  };
  c.run = [=](Backend& backend) {
    Placed<Args> placed(backend, args, options.misaligned);
    call(backend, placed.args);
    return results(placed);
  };
  if (options.T > 0) {
    c.run_cut = [=](Backend& backend, std::int64_t rows) {
      Placed<Args> placed(backend, args, options.misaligned);
      std::vector<Buffer> tables;
      for (std::int64_t t = 0; t < options.T; t += rows) {
        call(backend,
             rows_of(backend, placed.args, options.T, t, std::min(rows, options.T - t), tables));
      }
      return results(placed);
    };
  }
  c.bounds = [written](const Arithmetic& arithmetic) {
    Values bounds;
    for (const Written& w : written)
      bounds.push_back(w.bound_of ? w.bound_of(arithmetic) : w.bound());
    return bounds;
  };
  return c;
}

}  // namespace prwkv::test
