#include "backend/cpu/machine_limits.h"

#include <fmt/core.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "backend/cpu/cpu_backend.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

namespace prwkv {
namespace {

constexpr std::size_t kHugePage = std::size_t{1} << 21U, kPage = 4096;
constexpr std::size_t kLeastProbe = std::size_t{1} << 26U;

constexpr auto kPatterns = std::to_array<cpu::ReadPattern>({
    {1, 0},
    {2, 0},
    {4, 0},
    {8, 0},
    {1, 512},
    {2, 512},
    {4, 512},
    {8, 512},
});

constexpr std::int64_t kProbePieces = 16;
/// Long enough that waking the threads does not count, short enough to stand between other things.
/// The peak of arithmetic does not drift as memory does, so the best of a few tries is one sample.
constexpr double kSecondsOfProducts = 0.01;
constexpr int kTries = 3;

}  // namespace

ProbeMemory::ProbeMemory() {
  const std::size_t available = available_memory_bytes();
  const std::size_t room =
      available == 0 ? kWanted : std::max(available, kLeft + kLeastProbe) - kLeft;
  bytes_ = std::min(kWanted, room) / kHugePage * kHugePage;
  mapped_ = bytes_ + kHugePage;
  mapping_ = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping_ == MAP_FAILED) {
    fail(Code::kOutOfMemory, "{} MiB for the measurement of reading are not to be had",
         mapped_ >> 20U);
  }
  const auto start = reinterpret_cast<std::uintptr_t>(mapping_);
  data_ = static_cast<std::byte*>(mapping_) + (kHugePage - start % kHugePage) % kHugePage;
#if defined(MADV_HUGEPAGE)
  ::madvise(data_, bytes_, MADV_HUGEPAGE);  // only faster; without it all is the same
#endif
  // Real pages: untouched ones all read the same zero page.
  std::memset(data_, 1, bytes_);
}

ProbeMemory::~ProbeMemory() { ::munmap(mapping_, mapped_); }

MachineLimits LimitSamples::medians() const {
  MachineLimits limits{.flops_per_s = median(fma),
                       .bf16_flops_per_s = median(bf16),
                       .int8_ops_per_s = median(int8),
                       .bf16_instruction = bf16_instruction,
                       .int8_instruction = int8_instruction,
                       .read_pattern = {}};
  for (std::size_t i = 0; i < read.size(); ++i) {
    const double rate = median(read[i]);
    if (rate <= limits.read_bytes_per_s) continue;
    limits.read_bytes_per_s = rate;
    limits.read_pattern = kPatterns[i];
  }
  return limits;
}

// Pieces go to whichever thread is free, as those of a product do: a core that another program takes
// for a moment must not hold up the others.
double CpuBackend::read_rate(const ProbeMemory& memory, cpu::ReadPattern pattern) {
  const std::int64_t pieces = kProbePieces * pool_.size();
  const std::size_t piece = memory.bytes() / static_cast<std::size_t>(pieces) / kPage * kPage;
  const auto read = kernels_.limits().read;
  const Stopwatch clock;
  pool_.parallel_for(pieces, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::uint64_t seen =
          read(memory.data() + static_cast<std::size_t>(i) * piece, piece, pattern);
      __asm__ volatile("" : : "r"(seen));  // used, or nothing would have to be read
    }
  });
  return static_cast<double>(piece) * static_cast<double>(pieces) / clock.seconds();
}

double CpuBackend::product_rate(double (*run)(std::int64_t)) {
  const std::int64_t pieces = kProbePieces * pool_.size();
  constexpr std::int64_t kFew = 20'000;
  const Stopwatch once;
  run(kFew);
  const auto steps = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(kFew * kSecondsOfProducts / once.seconds() / kProbePieces));
  std::vector<double> done(static_cast<std::size_t>(pieces));
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const Stopwatch clock;
    pool_.parallel_for(pieces, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) done[static_cast<std::size_t>(k)] = run(steps);
    });
    const double seconds = clock.seconds();
    double operations = 0;
    for (const double d : done) operations += d;
    best = std::max(best, operations / seconds);
  }
  return best;
}

double CpuBackend::measure_flops() { return product_rate(kernels_.limits().fma); }

bool CpuBackend::multiplies_bf16() const { return kernels_.limits().bf16.run != nullptr; }
double CpuBackend::measure_bf16_flops() {
  const auto probes = kernels_.limits();
  return probes.bf16.run != nullptr ? product_rate(probes.bf16.run) : 0;
}

void CpuBackend::measure_limits(const ProbeMemory& memory, LimitSamples& samples) {
  const cpu::LimitProbes probes = kernels_.limits();
  samples.read.resize(kPatterns.size());
  for (std::size_t i = 0; i < kPatterns.size(); ++i)
    samples.read[i].push_back(read_rate(memory, kPatterns[i]));
  samples.fma.push_back(product_rate(probes.fma));
  samples.int8.push_back(product_rate(probes.int8.run));
  samples.bf16_instruction = probes.bf16.instruction;
  samples.int8_instruction = probes.int8.instruction;
  if (probes.bf16.run != nullptr) samples.bf16.push_back(product_rate(probes.bf16.run));
}

}  // namespace prwkv
