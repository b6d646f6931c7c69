#include "backend/cpu/cpu_backend.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>  // and the HWCAP_… of this architecture
#endif

#include <fmt/ranges.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "tensor/half.h"

namespace prwkv {
namespace {

// Waking the other threads costs about a microsecond, in which one core does some ten thousand
// elementary operations.
constexpr std::int64_t kWorthAThread = 16 * 1024;
// Of memory that is copied or cleared.
constexpr std::int64_t kBytesAtOnce = 256 * 1024;
// A piece of a product with few rows of x: about a sixteenth of a thread's share, so that threads
// finish together, but long enough for memory to stream (ops/linear/streams_cpu.h).
constexpr std::int64_t kShortestPiece = 32 * 1024;
constexpr std::int64_t kPiecesPerThread = 16;
// Weights by input and one row of x.
constexpr std::int64_t kUnitsPerThread = 4, kShortestRow = 2048;
// The same when x has many rows (ops/linear/blocking_cpu.h), in units of two panels.
constexpr std::int64_t kStripsPerThread = 8, kStripChannels = 32;
static_assert(kStripChannels % cpu::kMostPanelRows == 0);
// Products with few output channels are cut into rows of x too: short pieces, so that threads end together.
constexpr std::int64_t kPiecesPerThreadOfRows = 16;
// The same for weights by input, whose pieces are slices of rows.
constexpr std::int64_t kSlicesPerThread = 2;

struct InstructionSet {
  std::string_view name;
  bool runs_here;
  const cpu::KernelTable& (*kernels)();
};

#if defined(__x86_64__) && !defined(PRWKV_SCALAR_ONLY)
/// Not every compiler's __builtin_cpu_supports knows this one.
bool has_f16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

#if defined(__x86_64__) && !defined(PRWKV_SCALAR_ONLY) && !defined(PRWKV_NO_AVX512)
/// Whether there is a matrix unit for bf16, and Linux lets this process use it: its registers are large, and a thread's
/// have room for them only when they were asked for.
bool may_use_amx() {
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24;  // of edx
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kBf16) != 0 &&
         (edx & kTile) != 0 && ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

/// All that are compiled in, best first.
std::vector<InstructionSet> instruction_sets() {
#if defined(PRWKV_SCALAR_ONLY)
  return {{"scalar", true, &cpu::scalar_kernels}};
#elif defined(__x86_64__)
  const bool has_avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
#if defined(PRWKV_NO_AVX512)
  return {{"avx2", has_avx2, &cpu::avx2_kernels}, {"scalar", true, &cpu::scalar_kernels}};
#else
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vl") && has_f16c() &&
                          __builtin_cpu_supports("fma");
  const bool has_avx512_vnni = has_avx512 && __builtin_cpu_supports("avx512vnni");
  const bool has_avx512_bf16 = has_avx512_vnni && __builtin_cpu_supports("avx512bf16");
  return {{"avx512_amx", has_avx512_bf16 && may_use_amx(), &cpu::avx512_amx_kernels},
          {"avx512_bf16", has_avx512_bf16, &cpu::avx512_bf16_kernels},
          {"avx512_vnni", has_avx512_vnni, &cpu::avx512_vnni_kernels},
          {"avx512", has_avx512, &cpu::avx512_kernels},
          {"avx2", has_avx2, &cpu::avx2_kernels},
          {"scalar", true, &cpu::scalar_kernels}};
#endif
#elif defined(__aarch64__)
  const bool has_dotprod = (::getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
  const bool has_i8mm = has_dotprod && (::getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0;
  return {{"neon_i8mm", has_i8mm, &cpu::neon_i8mm_kernels},
          {"neon_dotprod", has_dotprod, &cpu::neon_dotprod_kernels},
          {"neon", true, &cpu::neon_kernels},
          {"scalar", true, &cpu::scalar_kernels}};
#else
  return {{"scalar", true, &cpu::scalar_kernels}};
#endif
}

/// Items a piece must have so that it is worth a thread, when each costs `work` elementary
/// operations.
std::int64_t grain(std::int64_t work) {
  return std::max<std::int64_t>(1, kWorthAThread / std::max<std::int64_t>(1, work));
}

}  // namespace

std::string CpuBackend::description() const {
  return fmt::format("cpu, {}, {} thread{}", kernels_.isa, threads(), threads() == 1 ? "" : "s");
}

// A dry run touches no memory but that of ids and sequence tables, which decide what is asked for.
Buffer CpuBackend::allocate(std::size_t bytes) {
  if (!is_dry_) return RefBackend::allocate(bytes);
  void* p = ::mmap(nullptr, std::max<std::size_t>(bytes, 1), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED)
    fail(Code::kOutOfMemory, "backend 'cpu': cannot reserve {} bytes of addresses", bytes);
  return {*this, p, std::max<std::size_t>(bytes, 1)};
}
void CpuBackend::upload(const Tensor& to, const void* source) {
  if (!is_dry_ || to.dtype == DType::kI32) RefBackend::upload(to, source);
}
void CpuBackend::download(void* to, const Tensor& source) {
  if (is_dry_)
    std::memset(to, 0, source.bytes());
  else
    RefBackend::download(to, source);
}
void CpuBackend::transfer(const Tensor& to, const Tensor& source) {
  PRWKV_DCHECK(to.bytes() == source.bytes());
  parallel_for(static_cast<std::int64_t>(to.bytes()), kBytesAtOnce,
               [&](std::int64_t begin, std::int64_t end) {
                 std::memmove(to.as<std::byte>() + begin, source.as<std::byte>() + begin,
                              static_cast<std::size_t>(end - begin));
               });
}
void CpuBackend::zero(const Tensor& t) {
  parallel_for(static_cast<std::int64_t>(t.bytes()), kBytesAtOnce,
               [&](std::int64_t begin, std::int64_t end) {
                 std::memset(t.as<std::byte>() + begin, 0, static_cast<std::size_t>(end - begin));
               });
}

std::size_t CpuBackend::scratch_bytes() const {
  return activations_.bytes() + panels_.bytes() + gradients_.bytes() + kept_.bytes() +
         segment_sums_.bytes() + narrowed_.bytes() + unpacked_.bytes();
}

Packed CpuBackend::packed(DType dtype, const Shape& shape, Input input) const {
  if (packing_ == Packing::kEachCall || (packing_ == Packing::kNever && is_float(dtype))) return {};
  const std::int64_t by_input = kernels_.by_input_bytes(dtype, shape[0], shape[1]);
  if (input == Input::kSquaredRelu && sparsity_ != Sparsity::kNone && by_input > 0)
    return {Layout::kByInput, static_cast<std::size_t>(by_input)};
  const std::int64_t panels = (shape[0] + kernels_.panel_rows - 1) / kernels_.panel_rows;
  const std::int64_t bytes = panels * kernels_.panel_bytes(dtype, shape[1]);
  if (bytes == 0) return {};
  return {Layout::kPacked, static_cast<std::size_t>(bytes)};
}

void CpuBackend::pack(const Tensor& to, std::int64_t first, std::int64_t n, const void* rows) {
  static_assert(kPackedRows % cpu::kMostPanelRows == 0);
  if (to.layout == Layout::kByInput) {
    const cpu::ByInputPacking packing = {.to = to.as<std::byte>(),
                                         .rows = static_cast<const std::byte*>(rows),
                                         .first = first,
                                         .n = n,
                                         .out = to.dim(0),
                                         .in = to.dim(1),
                                         .dtype = to.dtype};
    parallel_for(to.dim(1) / 32, 4, [&](std::int64_t begin, std::int64_t end) {
      kernels_.pack_by_input(packing, begin, end);
    });
    return;
  }
  const std::int64_t panel = kernels_.panel_bytes(to.dtype, to.dim(1));
  pack_panels({.panels = to.as<std::byte>() + first / kernels_.panel_rows * panel,
               .rows = static_cast<const std::byte*>(rows),
               .in = to.dim(1),
               .dtype = to.dtype},
              n);
}

void CpuBackend::pack_panels(const cpu::Packing& all, std::int64_t n) {
  const auto row = static_cast<std::int64_t>(row_bytes(all.dtype, all.in));
  parallel_for(n, kPackedRows, [&](std::int64_t begin, std::int64_t end) {
    cpu::Packing piece = all;
    piece.rows += begin * row;
    kernels_.pack(piece, begin, end);
  });
}

std::byte* CpuBackend::room(Buffer& buffer, std::size_t bytes) {
  if (buffer.bytes() < bytes) {
    buffer = allocate(bytes);
    will_stream(buffer);
  }
  return static_cast<std::byte*>(buffer.data());
}

std::int64_t CpuBackend::tile_width(cpu::Form form, std::int64_t T) const {
  if (T == 0) return 1;
  const std::int64_t most = kernels_.tile_cols(form), tiles = (T + most - 1) / most;
  return (T + tiles - 1) / tiles;
}

// Each distinct input once for each form, however many matrices it is multiplied with.
void CpuBackend::convert_activations(cpu::Product* parts, int n) {
  std::array<cpu::Activations, LinearArgs::kMax> inputs;
  std::array<std::size_t, LinearArgs::kMax> input_of{}, at{};
  std::size_t count = 0, bytes = 0;
  for (int p = 0; p < n; ++p) {
    cpu::Product& part = parts[p];
    const cpu::Form form = form_of(part);
    part.width = tile_width(form, part.T);
    if (form == cpu::Form::kFloat && part.T == 1)  // a tile already
      part.activations = reinterpret_cast<const std::byte*>(part.x);
    if (form == cpu::Form::kFloat || part.T == 0) continue;
    std::size_t i = 0;
    while (i < count && (inputs[i].form != form || inputs[i].x != part.x || inputs[i].T != part.T ||
                         inputs[i].in != part.in || inputs[i].x_stride != part.x_stride))
      ++i;
    input_of[static_cast<std::size_t>(p)] = i;
    if (i < count) continue;
    inputs[count] = {.form = form,
                     .to = nullptr,
                     .x = part.x,
                     .T = part.T,
                     .in = part.in,
                     .x_stride = part.x_stride,
                     .width = part.width};
    at[count++] = bytes;
    constexpr std::size_t kLine = 64;
    const auto whole = static_cast<std::size_t>(part.T * kernels_.activation_bytes(form, part.in));
    bytes += (whole + kLine - 1) / kLine * kLine;
  }
  if (count == 0) return;
  std::byte* to = room(activations_, bytes);
  for (std::size_t i = 0; i < count; ++i) inputs[i].to = to + at[i];
  for (int p = 0; p < n; ++p) {
    if (form_of(parts[p]) != cpu::Form::kFloat && parts[p].T > 0)
      parts[p].activations = inputs[input_of[static_cast<std::size_t>(p)]].to;
  }
  std::int64_t rows = 0;
  for (std::size_t i = 0; i < count; ++i) rows += inputs[i].T;
  parallel_for(rows, grain(2 * inputs[0].in), [&](std::int64_t begin, std::int64_t end) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t T = inputs[i].T;
      if (begin < T && end > 0)
        kernels_.convert_activations(inputs[i], std::max<std::int64_t>(begin, 0), std::min(end, T));
      begin -= T;
      end -= T;
    }
  });
}

namespace {

/// Weights by input and one row: then it is the inputs that are divided among threads, and what they
/// give is added at the end. Rows of weights stay whole, which is how memory likes to be read.
bool is_in_segments(const cpu::Product& p) { return p.layout == Layout::kByInput && p.T == 1; }

}  // namespace

void CpuBackend::prepare_segments(cpu::Product* parts, int n) {
  std::int64_t units = 0, sums = 0;
  for (int i = 0; i < n; ++i) {
    cpu::Product& p = parts[i];
    if (!is_in_segments(p)) continue;
    const std::int64_t segments = (p.in + kernels_.segment_inputs - 1) / kernels_.segment_inputs;
    // Enough for all threads to end together, but rows of at least two kilobytes.
    const std::int64_t wanted = (kUnitsPerThread * pool_.size() + segments - 1) / segments;
    const auto row = static_cast<std::int64_t>(row_bytes(p.dtype, p.out / 32 * 32));
    const std::int64_t most = std::max<std::int64_t>(1, row / kShortestRow);
    p.segments.n = segments;
    p.segments.parts = std::min(std::min(wanted, most), p.out / kernels_.by_input_channels);
    units += segments * p.segments.parts;
    sums += segments * p.out;
  }
  if (units == 0) return;
  segment_bytes_.resize(std::max(segment_bytes_.size(), static_cast<std::size_t>(units)));
  float* sum = floats(segment_sums_, sums);
  std::int64_t* read = segment_bytes_.data();
  for (int i = 0; i < n; ++i) {
    cpu::Product& p = parts[i];
    if (!is_in_segments(p)) continue;
    p.segments.sums = sum;
    p.segments.bytes_read = read;
    sum += p.segments.n * p.out;
    read += p.segments.n * p.segments.parts;
  }
}

void CpuBackend::add_segments(cpu::Product* parts, int n) {
  for (int i = 0; i < n; ++i) {
    const cpu::Product& p = parts[i];
    if (!is_in_segments(p)) continue;
    const std::int64_t step = kernels_.by_input_channels;
    parallel_for(p.out / step, grain(step * p.segments.n),
                 [&](std::int64_t begin, std::int64_t end) {
                   kernels_.product(p, begin * step, end * step);
                 });
    skipping_.bytes += kernels_.by_input_bytes(p.dtype, p.out, p.in);
    for (std::int64_t unit = 0; unit < p.segments.n * p.segments.parts; ++unit)
      skipping_.bytes_read += p.segments.bytes_read[unit];
  }
}

std::int64_t CpuBackend::units_of_piece(const cpu::Product& p, std::int64_t piece_bytes) const {
  const std::int64_t threads = pool_.size();
  const auto whole = [](std::int64_t rows, std::int64_t unit, std::int64_t most) {
    return std::clamp(rows / unit, std::int64_t{1}, std::max<std::int64_t>(1, most / unit)) * unit;
  };
  if (is_in_segments(p)) return 1;
  if (p.layout == Layout::kByInput)
    return whole(p.out / (kSlicesPerThread * threads), kernels_.by_input_channels,
                 cpu::kWidestSlice);
  if (p.T > p.width) return whole(p.out / (kStripsPerThread * threads), kStripChannels, p.out);
  const auto row = std::max<std::int64_t>(1, static_cast<std::int64_t>(row_bytes(p.dtype, p.in)));
  const std::int64_t panels = kernels_.panel_rows, streams = panels * kernels_.streams;
  if (p.out < streams * threads) return whole(p.out / threads, panels, streams);
  return whole(piece_bytes / row, streams, p.out / threads);
}

std::int64_t CpuBackend::rows_of_piece(const cpu::Product& p, std::int64_t units) const {
  const std::int64_t strips = (p.out + units - 1) / units,
                     wanted = kPiecesPerThreadOfRows * pool_.size();
  if (form_of(p) == cpu::Form::kBytes || p.layout == Layout::kByInput || strips >= wanted ||
      pool_.size() == 1)
    return p.T;
  const std::int64_t rows = std::max(kLeastRows, p.T * strips / wanted);
  return (rows + p.width - 1) / p.width * p.width;
}

void CpuBackend::products(cpu::Product* parts, int n) {
  convert_activations(parts, n);
  prepare_segments(parts, n);
  run_pieces(parts, n);
  add_segments(parts, n);
}

cpu::Product CpuBackend::rows_of(const cpu::Product& p, std::int64_t begin,
                                 std::int64_t end) const {
  cpu::Product q = p;
  q.T = end - begin;
  q.y += begin * p.y_stride;
  q.x += begin * (p.x_is_transposed ? 1 : p.x_stride);
  if (p.saved != nullptr) q.saved += begin * p.y_stride;
  if (p.addend != nullptr) q.addend += begin * p.y_stride;
  if (p.activations != nullptr) {
    // A transposed x may have been brought into tiles where rows would not be.
    const cpu::Form form = p.dtype == DType::kBF16 ? form_of(p) : cpu::Form::kFloatTiles;
    q.activations += begin * kernels_.activation_bytes(form, p.in);
  }
  return q;
}

void CpuBackend::run_pieces(const cpu::Product* parts, int n) {
  // Pieces of all parts are numbered one after the other: `first[p]` is the first piece of part p.
  std::array<std::int64_t, LinearArgs::kMax + 1> first{};
  std::array<std::int64_t, LinearArgs::kMax> units{}, rows{}, slices{};
  std::int64_t bytes = 0, work = 0;
  const auto units_of = [&](const cpu::Product& p) {
    return is_in_segments(p) ? p.segments.n * p.segments.parts : p.out;
  };
  for (int p = 0; p < n; ++p) {
    bytes += static_cast<std::int64_t>(row_bytes(parts[p].dtype, parts[p].in)) * parts[p].out;
    work += parts[p].in * parts[p].out * parts[p].T;
  }
  const std::int64_t piece_bytes =
      std::clamp(bytes / (kPiecesPerThread * pool_.size()), kShortestPiece, kPieceBytes);
  for (int p = 0; p < n; ++p) {
    const auto i = static_cast<std::size_t>(p);
    units[i] = units_of_piece(parts[p], piece_bytes);
    rows[i] = std::max<std::int64_t>(1, rows_of_piece(parts[p], units[i]));
    slices[i] = (units_of(parts[p]) + units[i] - 1) / units[i];
    first[i + 1] = first[i] + slices[i] * ((parts[p].T + rows[i] - 1) / rows[i]);
  }
  const std::int64_t pieces = first[static_cast<std::size_t>(n)];
  parallel_for(
      pieces, work < kWorthAThread ? pieces : 1, [&](std::int64_t begin, std::int64_t end) {
        std::size_t p = 0;
        for (std::int64_t piece = begin; piece < end; ++piece) {
          while (piece >= first[p + 1]) ++p;
          const cpu::Product& part = parts[p];
          const std::int64_t unit = (piece - first[p]) % slices[p] * units[p],
                             last = std::min(unit + units[p], units_of(part)),
                             row = (piece - first[p]) / slices[p] * rows[p];
          if (is_in_segments(part))
            kernels_.product_segments(part, unit, last);
          else if (rows[p] >= part.T)
            kernels_.product(part, unit, last);
          else
            kernels_.product(rows_of(part, row, std::min(row + rows[p], part.T)), unit, last);
        }
      });
}

void CpuBackend::narrow_weights(cpu::Product* parts, int n) {
  const auto takes_part = [](const cpu::Product& p) {
    return p.dtype == DType::kF32 && p.layout == Layout::kRows && p.T > 1;
  };
  std::int64_t elements = 0;
  for (int i = 0; i < n; ++i) elements += takes_part(parts[i]) ? parts[i].in * parts[i].out : 0;
  auto* to =
      reinterpret_cast<bf16*>(room(narrowed_, static_cast<std::size_t>(elements) * sizeof(bf16)));
  for (int i = 0; i < n; ++i) {
    cpu::Product& p = parts[i];
    if (!takes_part(p)) continue;
    const std::int64_t count = p.in * p.out;
    const std::byte* from = p.w;  // at any address: it may lie in a mapped file
    parallel_for(count, kWorthAThread, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t e = begin; e < end; ++e) {
        float x = 0;
        std::memcpy(&x, from + e * static_cast<std::int64_t>(sizeof x), sizeof x);
        to[e] = to_bf16(x);
      }
    });
    p.w = reinterpret_cast<const std::byte*>(to);
    p.dtype = DType::kBF16;
    to += count;
  }
}

void CpuBackend::pack_for_call(cpu::Product* parts, int n) {
  std::int64_t bytes = 0;
  const auto panels_of = [&](const cpu::Product& p) {
    return (p.out + kernels_.panel_rows - 1) / kernels_.panel_rows *
           kernels_.panel_bytes(p.dtype, p.in);
  };
  for (int i = 0; i < n; ++i) {
    if (parts[i].layout == Layout::kRows) bytes += panels_of(parts[i]);
  }
  std::byte* to = room(panels_, static_cast<std::size_t>(bytes));
  for (int i = 0; i < n; ++i) {
    cpu::Product& p = parts[i];
    if (p.layout != Layout::kRows) continue;
    pack_panels({.panels = to, .rows = p.w, .in = p.in, .dtype = p.dtype}, p.out);
    p.w = to;
    p.layout = Layout::kPacked;
    to += panels_of(p);
  }
}

void CpuBackend::linear(const LinearArgs& args) {
  std::array<cpu::Product, LinearArgs::kMax> parts;
  for (int i = 0; i < args.n; ++i) {
    const Projection& p = args.part[static_cast<std::size_t>(i)];
    if (is_block(p.w.dtype) && p.w.layout == Layout::kRows && packing_ != Packing::kEachCall)
      fail(Code::kInternal, "linear: a matrix of {} is not packed", name_of(p.w.dtype));
    parts[static_cast<std::size_t>(i)] = {.y = p.y.as<float>(),
                                          .saved = p.saved.as<float>(),
                                          .x = p.x.as<float>(),
                                          .w = p.w.as<std::byte>(),
                                          .bias = p.bias.as<float>(),
                                          .T = p.x.dim(0),
                                          .in = p.x.dim(1),
                                          .out = p.y.dim(1),
                                          .x_stride = p.x.dim(1),
                                          .y_stride = p.y.dim(1),
                                          .dtype = p.w.dtype,
                                          .act = p.act,
                                          .scale = p.scale,
                                          .addend = p.addend.as<float>(),
                                          .layout = p.w.layout,
                                          .skips_zeros = sparsity_ == Sparsity::kSkip};
  }
  if (packing_ == Packing::kEachCall) {
    if (products_in_bf16_) narrow_weights(parts.data(), args.n);
    pack_for_call(parts.data(), args.n);
  }
  products(parts.data(), args.n);
}

void CpuBackend::data_shift(const DataShiftArgs& args) {
  const std::int64_t T = args.x.dim(0), C = args.x.dim(1), D = args.w2[0].dim(1);
  std::array<cpu::Product, DataShiftArgs::kMax> parts;
  for (std::size_t q = 0; q < DataShiftArgs::kMax; ++q) {
    parts[q] = {.y = args.y[q].as<float>(),
                .saved = nullptr,
                .x = args.z.as<float>() + static_cast<std::int64_t>(q) * D,
                .w = args.w2[q].as<std::byte>(),
                .bias = args.maa[q].as<float>(),
                .T = T,
                .in = D,
                .out = C,
                .x_stride = args.z.dim(1),
                .y_stride = C,
                .dtype = args.w2[q].dtype,
                .act = Act::kNone};
  }
  products(parts.data(), DataShiftArgs::kMax);
  parallel_for(T, grain(10 * C), [&](std::int64_t begin, std::int64_t end) {
    kernels_.data_shift(args, begin, end);
  });
}

// The carried row is read by the first row of a sequence, so it changes only after all rows are
// done.
void CpuBackend::carry_last_rows(const Tensor& state, const Tensor& x, const Seqs& seqs) {
  const std::int64_t C = x.dim(1);
  for (std::int64_t s = 0; s < seqs.n; ++s) {
    const auto [begin, end, slot] = seqs[s];
    if (begin == end) continue;
    std::memcpy(state.as<float>() + slot * C, x.as<float>() + (end - 1) * C,
                static_cast<std::size_t>(C) * sizeof(float));
  }
}

void CpuBackend::token_shift(const TokenShiftArgs& a) {
  parallel_for(a.x.dim(0), grain(2 * a.n * a.x.dim(1)),
               [&](std::int64_t begin, std::int64_t end) { kernels_.token_shift(a, begin, end); });
  carry_last_rows(a.state, a.x, a.seqs);
}

void CpuBackend::token_delta(const TokenDeltaArgs& a) {
  parallel_for(a.x.dim(0), grain(a.x.dim(1)),
               [&](std::int64_t begin, std::int64_t end) { kernels_.token_delta(a, begin, end); });
  carry_last_rows(a.state, a.x, a.seqs);
}

// The rest is one line each: how many independent units, and what one of them costs.
#define PRWKV_RUN(op, Args, units, work)                                                     \
  void CpuBackend::op(const Args& a) {                                                       \
    parallel_for((units), grain(work),                                                       \
                 [&](std::int64_t begin, std::int64_t end) { kernels_.op(a, begin, end); }); \
  }
PRWKV_RUN(embedding, EmbeddingArgs, a.y.dim(0), a.y.dim(1))
PRWKV_RUN(layer_norm, LayerNormArgs, a.x.dim(0), 4 * a.x.dim(1))
PRWKV_RUN(shift_by, ShiftByArgs, a.x.dim(0), a.x.dim(1))
PRWKV_RUN(spread, SpreadArgs, a.y.numel(), 16)
PRWKV_RUN(wkv4, Wkv4Args, a.seqs.n*((a.k.dim(1) + cpu::kChannelGroup - 1) / cpu::kChannelGroup),
          a.seqs.rows / std::max<std::int64_t>(1, a.seqs.n) * cpu::kChannelGroup * 80)
PRWKV_RUN(wkv6, Wkv6Args, a.seqs.n* a.state.dim(1),
          a.seqs.rows / std::max<std::int64_t>(1, a.seqs.n) * a.state.dim(2) * a.state.dim(2) * 2)
PRWKV_RUN(wkv7, Wkv7Args, a.seqs.n* a.state.dim(1),
          a.seqs.rows / std::max<std::int64_t>(1, a.seqs.n) * a.state.dim(2) * a.state.dim(2) * 2)
PRWKV_RUN(delta_keys, DeltaKeysArgs, a.k.dim(0), 6 * a.k.dim(1))
PRWKV_RUN(group_norm, GroupNormArgs, a.x.dim(0), 6 * a.x.dim(1))
PRWKV_RUN(wkv7_output, Wkv7OutputArgs, a.x.dim(0), 8 * a.x.dim(1))
PRWKV_RUN(mul, MulArgs, a.y.numel(), 1)
PRWKV_RUN(add, AddArgs, a.y.numel(), 1)
PRWKV_RUN(lerp, LerpArgs, a.y.numel(), 2)
PRWKV_RUN(copy, CopyArgs, a.y.numel(), 1)
PRWKV_RUN(gather_rows, GatherRowsArgs, a.y.dim(0), a.y.dim(1))
PRWKV_RUN(tiny_attention, TinyAttentionArgs, a.seqs.n* a.v.dim(1),
          a.seqs.rows / std::max<std::int64_t>(1, a.seqs.n) * 2 * a.q.dim(1))
PRWKV_RUN(cross_entropy, CrossEntropyArgs, a.logits.dim(0), 20 * a.logits.dim(1))
#undef PRWKV_RUN

std::unique_ptr<Backend> make_cpu_backend(const BackendOptions& options) {
  const std::vector<InstructionSet> sets = instruction_sets();
  std::string wanted = options.isa;
  if (const char* forced = std::getenv("PRWKV_CPU_ISA"); wanted.empty() && forced != nullptr)
    wanted = forced;
  for (const InstructionSet& set : sets) {
    if (wanted.empty() ? !set.runs_here : wanted != set.name) continue;
    if (!set.runs_here) {
      throw Error(Code::kUnsupported, fmt::format("this processor has no {}", set.name),
                  {.hint = "unset PRWKV_CPU_ISA to use the best instruction set there is"});
    }
    auto backend = std::make_unique<CpuBackend>(set.kernels(), options);
    if (options.products == DType::kBF16 && !backend->multiplies_bf16()) {
      throw Error(Code::kUnsupported,
                  fmt::format("products of bf16: {} does not multiply it",
                              wanted.empty() ? "this processor" : wanted),
                  {.expected = "avx512_bf16 (Cooper Lake, Zen 4 or later) or avx512_amx (Sapphire "
                               "Rapids or later)",
                   .found = std::string(set.name),
                   .hint = "f32 is faster here, and more exact"});
    }
    return backend;
  }
  throw Error(Code::kInvalidArgument,
              fmt::format("{}there is no instruction set '{}' here",
                          options.isa.empty() ? "PRWKV_CPU_ISA: " : "", wanted),
              {.expected = fmt::format("one of {}", fmt::join(cpu_instruction_sets(), ", "))});
}

std::vector<std::string_view> cpu_instruction_sets() {
  std::vector<std::string_view> names;
  for (const InstructionSet& set : instruction_sets()) names.push_back(set.name);
  return names;
}

}  // namespace prwkv
