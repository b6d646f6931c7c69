/// Threads and SIMD: f32 activations, weights in f32, f16 or bf16 computed on where they lie, but for
/// those that meet zeros; blocks in panels.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "backend/cpu/kernel_table.h"
#include "backend/cpu/machine_limits.h"
#include "backend/ref/ref_backend.h"
#include "base/thread_pool.h"

namespace prwkv {

/// Memory and transfers are the reference's (both live in the host's memory); every kernel is
/// overridden, and a test demands it.
class CpuBackend : public RefBackend {
 public:
  CpuBackend(const cpu::KernelTable& kernels, const BackendOptions& options)
      : RefBackend(DType::kF32),
        kernels_(kernels),
        pool_(options.threads, options.pinning),
        sparsity_(options.sparsity),
        packing_(options.packing),
        is_dry_(options.dry_run),
        products_in_bf16_(options.products == DType::kBF16) {}
  [[nodiscard]] std::string_view name() const override { return "cpu"; }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] int threads() const { return pool_.size(); }
  /// One of cpu_instruction_sets().
  [[nodiscard]] std::string_view isa() const { return kernels_.isa; }

  [[nodiscard]] bool reads_host_memory() const override { return !is_dry_; }
  [[nodiscard]] bool is_dry_run() const override { return is_dry_; }
  [[nodiscard]] Buffer allocate(std::size_t bytes) override;
  void upload(const Tensor& to, const void* source) override;
  void download(void* to, const Tensor& source) override;
  void transfer(const Tensor& to, const Tensor& source) override;
  void zero(const Tensor& t) override;
  [[nodiscard]] std::size_t scratch_bytes() const override;

  [[nodiscard]] double measure_flops() override;
  [[nodiscard]] bool multiplies_bf16() const override;
  [[nodiscard]] double measure_bf16_flops() override;
  /// One slice of every probe, some hundred milliseconds (machine_limits.cc).
  void measure_limits(const ProbeMemory& memory, LimitSamples& samples);

  /// Matrices that meet squared ReLUs are stored by input (ops/linear/by_input_cpu.h), where type and
  /// shape allow it; others of blocks are panels (backend/cpu/panels.h).
  [[nodiscard]] Packed packed(DType dtype, const Shape& shape, Input input) const override;
  void pack(const Tensor& to, std::int64_t first, std::int64_t n, const void* rows) override;

  /// ThreadPool::regions.
  [[nodiscard]] std::uint32_t regions() const { return pool_.regions(); }

  /// Weights stored by input that single rows of activations met so far.
  struct Skipping {
    std::int64_t bytes = 0;       ///< of all of them
    std::int64_t bytes_read = 0;  ///< of those whose inputs were not zero
  };
  [[nodiscard]] const Skipping& skipping() const { return skipping_; }

#define X(op, Args) void op(const Args& args) override;
  PRWKV_FORWARD_OPS(X)
  PRWKV_BACKWARD_OPS(X)
#undef X

 private:
  /// Of weights, that a thread takes at a time at most, with few rows of x.
  static constexpr std::int64_t kPieceBytes = 256 * 1024;
  /// Rows of x, where products are cut into those: about a chunk (ops/linear/blocking_cpu.h).
  static constexpr std::int64_t kLeastRows = 96;

  /// Work on pieces of [0, count), shared among threads; none of it in a dry run.
  template <class F>
  void parallel_for(std::int64_t count, std::int64_t at_once, const F& f) {
    if (!is_dry_) pool_.parallel_for(count, at_once, f);
  }
  /// At least so much of a buffer; what was in it may be gone.
  std::byte* room(Buffer& buffer, std::size_t bytes);
  float* floats(Buffer& buffer, std::int64_t n) {
    return reinterpret_cast<float*>(room(buffer, static_cast<std::size_t>(n) * sizeof(float)));
  }
  [[nodiscard]] cpu::Form form_of(const cpu::Product& p) const {
    return kernels_.form(p.dtype, p.layout, p.T, p.x_stride);
  }
  /// Rows of T that are multiplied together: tiles of about the same size.
  [[nodiscard]] std::int64_t tile_width(cpu::Form form, std::int64_t T) const;
  void pack_panels(const cpu::Packing& all, std::int64_t n);
  void products(cpu::Product* parts, int n);
  /// Packing::kEachCall.
  void pack_for_call(cpu::Product* parts, int n);
  /// Output channels, or units of segments, that a thread takes at a time.
  [[nodiscard]] std::int64_t units_of_piece(const cpu::Product& p, std::int64_t piece_bytes) const;
  /// Rows of x that a thread takes at a time, for so many output channels.
  [[nodiscard]] std::int64_t rows_of_piece(const cpu::Product& p, std::int64_t units) const;
  /// Floats; the product for rows [begin, end) of x alone, begin being the first of a tile.
  [[nodiscard]] cpu::Product rows_of(const cpu::Product& p, std::int64_t begin,
                                     std::int64_t end) const;
  void run_pieces(const cpu::Product* parts, int n);
  void convert_activations(cpu::Product* parts, int n);
  void prepare_segments(cpu::Product* parts, int n);
  void add_segments(cpu::Product* parts, int n);
  void carry_last_rows(const Tensor& state, const Tensor& x, const Seqs& seqs);

  // ---- backward (cpu_backward.cc)

  /// y (rows, columns of the weights) += x · weights, x being (rows, steps), or (steps, rows) if transposed.
  struct GradientProduct {
    bool adds = true;  // false: y =
    float* y;
    std::int64_t rows, y_stride;
    const float* x;
    std::int64_t x_stride;
    bool x_is_transposed;
    cpu::Columns weights;  // (steps, columns); panels: nullptr
    bool may_be_in_bf16 = true;
  };
  void add_product(const GradientProduct& g);
  void add_product_of_bf16(const GradientProduct& g);
  /// A packed matrix as rows of f32, until the next one is asked for.
  Tensor unpacked(const Tensor& w);
  /// Of f32 operands that are where `g` says.
  [[nodiscard]] cpu::Product product_of(const GradientProduct& g) const;
  /// Matrices of f32 become bf16 for one call (BackendOptions::products).
  void narrow_weights(cpu::Product* parts, int n);
  /// to += the sum of the rows of x, if it is wanted.
  void column_sums(const Tensor& to, const float* x, std::int64_t rows);
  cpu::StateScratch state_scratch(const Tensor& state, const Seqs& seqs, std::int64_t more_floats);

  double read_rate(const ProbeMemory& memory, cpu::ReadPattern pattern);
  double product_rate(double (*run)(std::int64_t steps));

  const cpu::KernelTable& kernels_;
  ThreadPool pool_;
  Buffer activations_;  // in the forms that the products of one call want
  Buffer panels_;       // matrices that are packed for one call
  Buffer gradients_;    // of what an operation has inside
  Buffer kept_;         // from the way there to the way back inside an operation
  Sparsity sparsity_;
  Packing packing_;
  bool is_dry_, products_in_bf16_;
  Buffer narrowed_;  // weights that are bf16 for one call
  Buffer unpacked_;  // a packed matrix, for one call
  Buffer segment_sums_;
  std::vector<std::int64_t> segment_bytes_;
  Skipping skipping_;
};

/// The names of those that are compiled in, best first, whether this processor has them or not.
std::vector<std::string_view> cpu_instruction_sets();

std::unique_ptr<Backend> make_cpu_backend(const BackendOptions& options);

}  // namespace prwkv
