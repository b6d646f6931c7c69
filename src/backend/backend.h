/// The interface between operations and a device: memory, transfers, and THE LIST of kernels.
///
/// A kernel gets checked arguments and memory; it allocates nothing that outlives the call and
/// reports nothing. Kernels of one backend run in the order of the calls but may run later: only
/// `sync()` and `download()` wait. A backend's memory is touched by its kernels alone, so the same
/// model text drives a CPU and a GPU.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/op_args.h"
#include "base/thread_pool.h"

// One row an operation: name of the kernel, its arguments. Interface, backends and the tests that
// compare them are all made from these two lists, so a kernel that is missing somewhere is a
// compile error or a failing test, never a gap.
#define PRWKV_FORWARD_OPS(X)           \
  X(embedding, EmbeddingArgs)          \
  X(layer_norm, LayerNormArgs)         \
  X(linear, LinearArgs)                \
  X(token_shift, TokenShiftArgs)       \
  X(token_delta, TokenDeltaArgs)       \
  X(shift_by, ShiftByArgs)             \
  X(data_shift, DataShiftArgs)         \
  X(spread, SpreadArgs)                \
  X(wkv4, Wkv4Args)                    \
  X(wkv6, Wkv6Args)                    \
  X(wkv7, Wkv7Args)                    \
  X(delta_keys, DeltaKeysArgs)         \
  X(group_norm, GroupNormArgs)         \
  X(wkv7_output, Wkv7OutputArgs)       \
  X(mul, MulArgs)                      \
  X(add, AddArgs)                      \
  X(lerp, LerpArgs)                    \
  X(copy, CopyArgs)                    \
  X(gather_rows, GatherRowsArgs)       \
  X(tiny_attention, TinyAttentionArgs) \
  X(cross_entropy, CrossEntropyArgs)

// The way back, and what an optimizer does with gradients.
#define PRWKV_BACKWARD_OPS(X)                           \
  X(embedding_backward, EmbeddingBackwardArgs)          \
  X(layer_norm_backward, LayerNormBackwardArgs)         \
  X(linear_backward, LinearBackwardArgs)                \
  X(token_shift_backward, TokenShiftBackwardArgs)       \
  X(token_delta_backward, TokenDeltaBackwardArgs)       \
  X(shift_by_backward, ShiftByBackwardArgs)             \
  X(data_shift_backward, DataShiftBackwardArgs)         \
  X(spread_backward, SpreadBackwardArgs)                \
  X(wkv4_backward, Wkv4BackwardArgs)                    \
  X(wkv6_backward, Wkv6BackwardArgs)                    \
  X(wkv7_backward, Wkv7BackwardArgs)                    \
  X(delta_keys_backward, DeltaKeysBackwardArgs)         \
  X(group_norm_backward, GroupNormBackwardArgs)         \
  X(wkv7_output_backward, Wkv7OutputBackwardArgs)       \
  X(mul_backward, MulBackwardArgs)                      \
  X(add_backward, AddBackwardArgs)                      \
  X(lerp_backward, LerpBackwardArgs)                    \
  X(gather_rows_backward, GatherRowsBackwardArgs)       \
  X(tiny_attention_backward, TinyAttentionBackwardArgs) \
  X(sum_of_squares, SumOfSquaresArgs)                   \
  X(adamw, AdamWArgs)

namespace prwkv {

class Backend;

/// Owns memory of one backend. Move-only; the backend must outlive it.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Backend& backend, void* data, std::size_t bytes)
      : backend_(&backend), data_(data), bytes_(bytes) {}
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~Buffer();
  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }
  Backend* backend_ = nullptr;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A layout for a matrix, and what it takes.
struct Packed {
  Layout layout = Layout::kRows;  ///< as in files
  std::size_t bytes = 0;          ///< of other layouts
  explicit operator bool() const { return layout != Layout::kRows; }
};

class Backend {
 public:
  virtual ~Backend() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// One line on what it runs with, e.g. "cpu, avx2, 2 threads".
  [[nodiscard]] virtual std::string description() const = 0;
  /// Type of activations, state and parameter vectors: f32, or f64 where precision is the point.
  [[nodiscard]] virtual DType activation_dtype() const = 0;
  /// Whether kernels can read memory that this backend did not allocate: then weights stay in their
  /// mapped file.
  [[nodiscard]] virtual bool reads_host_memory() const = 0;

  /// Zero-filled, aligned to at least 64 bytes. Throws Error{kOutOfMemory}.
  [[nodiscard]] virtual Buffer allocate(std::size_t bytes) = 0;
  /// Advice, before it is filled: this memory will be used as a whole and read from end to end.
  virtual void will_stream(const Buffer&) {}
  /// Copies from host memory; `source` may be reused as soon as this returns.
  virtual void upload(const Tensor& to, const void* source) = 0;
  /// The same with values that take the tensor's type, f32 or f64.
  void put(const Tensor& to, std::span<const float> values);
  void fill(const Tensor& to, double value);
  /// Waits for all kernels, then copies to host memory.
  virtual void download(void* to, const Tensor& source) = 0;
  /// The same of f32 or f64, as doubles.
  [[nodiscard]] std::vector<double> values(const Tensor& t);
  /// Copies bytes between two tensors of the same type and size, in kernel order.
  virtual void transfer(const Tensor& to, const Tensor& source) = 0;
  /// Zeroes, in kernel order.
  virtual void zero(const Tensor& t) = 0;
  /// Multiplications and additions of f32 a second that this device can do at most, measured now, in some ten
  /// milliseconds; 0: unknown.
  [[nodiscard]] virtual double measure_flops() { return 0; }
  /// Whether products of bf16 are an instruction of this device.
  [[nodiscard]] virtual bool multiplies_bf16() const { return false; }
  /// The same for them as measure_flops; 0 where they are not.
  [[nodiscard]] virtual double measure_bf16_flops() { return 0; }
  /// BackendOptions::dry_run.
  [[nodiscard]] virtual bool is_dry_run() const { return false; }
  /// What kernels have allocated for themselves.
  [[nodiscard]] virtual std::size_t scratch_bytes() const { return 0; }
  /// Returns when everything asked for so far has happened.
  virtual void sync() = 0;

  /// The layout that this backend's `linear` wants for a matrix that meets such inputs, and its size.
  [[nodiscard]] virtual Packed packed(DType, const Shape&, Input) const { return {}; }
  /// Rows [first, first + n) of a packed matrix from host memory, where they lie as in files. `first`
  /// is a multiple of kPackedRows, and so is n unless the matrix ends there.
  virtual void pack(const Tensor& to, std::int64_t first, std::int64_t n, const void* rows);
  static constexpr std::int64_t kPackedRows = 16;
  /// The same for a matrix in either layout.
  void put_rows(const Tensor& to, std::int64_t first, std::int64_t n, const void* rows);

#define X(op, Args) virtual void op(const Args& args) = 0;
  PRWKV_FORWARD_OPS(X)
#undef X
  // Training is optional: a backend without these says so instead of computing something else.
#define X(op, Args) \
  virtual void op(const Args&) { unsupported(#op); }
  PRWKV_BACKWARD_OPS(X)
#undef X

 protected:
  friend class Buffer;
  virtual void release(void* data, std::size_t bytes) noexcept = 0;
  [[noreturn]] void unsupported(const char* op) const;
};

/// What becomes of zeros in the inputs of matrices (Input::kSquaredRelu). Results are the same bits with
/// kSkip and kKeep; sums have another order with kNone.
enum class Sparsity {
  kSkip,  ///< their weights are not read, by one row of activations
  kKeep,  ///< all weights are read, in the layout that could skip
  kNone,  ///< those matrices are laid out like all others
};

/// When matrices become panels, the form that products want.
enum class Packing {
  kOnce,   ///< when they are loaded, in own memory: the fastest way to generate
  kNever,  ///< floats stay where the file is mapped; blocks are packed once
  kEachCall,  ///< in scratch memory, for one call: matrices that are trained change, and the way back needs rows
};

/// How a backend is asked for; fields that do not concern it are ignored.
struct BackendOptions {
  std::string name = "cpu";   ///< "cpu" or "ref"
  DType dtype = DType::kF32;  ///< "ref" only: f32 or f64 arithmetic
  int threads = 0;            ///< "cpu" only: 0 = one per usable core
  /// "cpu" only: "scalar", "avx2", …; "" = $PRWKV_CPU_ISA, then the best
  std::string isa{};
  Sparsity sparsity = Sparsity::kSkip;  ///< "cpu" only
  Packing packing = Packing::kOnce;     ///< "cpu" only
  Pinning pinning = Pinning::kNone;     ///< "cpu" only
  /// "cpu" with Packing::kEachCall only: kBF16 rounds the operands of products of several rows to bf16, forward and backward,
  /// where matrices are f32; sums stay f32. Throws Error{kUnsupported} unless Backend::multiplies_bf16.
  DType products = DType::kF32;
  /// "cpu" only: memory is asked for but never touched, kernels do nothing. What a computation would need can be
  /// read off afterwards (Arena::peak, Backend::scratch_bytes).
  bool dry_run = false;
};

/// The one visible table of backends. Throws Error{kInvalidArgument | kUnsupported}.
std::unique_ptr<Backend> make_backend(const BackendOptions& options);

}  // namespace prwkv
