/// A fixed team of threads for short parallel regions. It belongs to an engine; there is no global
/// pool.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace prwkv {

/// Whether threads may wander over the cores that the process may use.
enum class Pinning {
  kNone,   ///< the system's scheduler decides
  kCores,  ///< thread i of a pool stays on the i-th of them; the caller's own thread is left alone
};

/// Regions are a few microseconds long and come in hundreds per token, so waiting threads spin for
/// a moment before they sleep: a region costs well under a microsecond while the engine is busy and
/// nothing while it is idle. Regions of several callers run one after the other. Tasks must not
/// throw and must not start regions themselves.
class ThreadPool {
 public:
  /// `threads` >= 1, the calling thread included; 0 means one per core that this process may use.
  /// Throws Error{kInvalidArgument} when the system refuses to start so many.
  explicit ThreadPool(int threads = 0, Pinning pinning = Pinning::kNone);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  [[nodiscard]] int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// Parallel regions so far that woke other threads, modulo 2³¹.
  [[nodiscard]] std::uint32_t regions() const {
    return epoch_.load(std::memory_order_relaxed) / kNextRegion;
  }

  /// Calls f(begin, end) over pieces of [0, count) of at most `grain` items, each piece once, on
  /// any thread. Every thread has a share of neighbouring pieces, so that it reads memory in one long
  /// stream; whoever is done helps the others, so a core that is slower for a while does fewer. A
  /// single piece runs on the calling thread without waking anybody.
  template <class F>
  void parallel_for(std::int64_t count, std::int64_t grain, const F& f) {
    if (count <= 0) return;
    grain = std::max<std::int64_t>(grain, 1);  // "count / threads" may well have come out as 0
    if (count <= grain) return f(std::int64_t{0}, count);
    if (workers_.empty()) {
      for (std::int64_t i = 0; i < count; i += grain) f(i, std::min(i + grain, count));
      return;
    }
    run({count, grain, &f, [](const void* g, std::int64_t begin, std::int64_t end) {
           (*static_cast<const F*>(g))(begin, end);
         }});
  }

 private:
  // Of epoch_: bit 0, with regions counted above it. A counter that ran into the stop bit would end the workers
  // of a busy server after 2³¹ regions, less than a day. Wrapping round to zero does no harm.
  static constexpr std::uint32_t kStop = 1, kNextRegion = 2;
  struct Region {
    std::int64_t count = 0, grain = 1;
    const void* f = nullptr;
    void (*call)(const void* f, std::int64_t begin, std::int64_t end) = nullptr;
  };
  void run(const Region& region);
  void work(int thread);
  void stop() noexcept;
  /// What `thread` does in a region; 0 is the caller.
  void take_pieces(int thread);

  // Each on its own cache line: they are written by different threads.
  struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};  // first item of it that nobody has taken
    std::int64_t end = 0;
  };

  std::mutex one_region_;  // held by the caller whose region is running
  Region region_;
  std::unique_ptr<Share[]> shares_;                  // one a thread
  alignas(64) std::atomic<std::uint32_t> epoch_{0};  // bit 0 = stop; the others count regions
  alignas(64) std::atomic<int> busy_{0};             // workers that have not finished this region
  std::vector<std::jthread> workers_;
};

}  // namespace prwkv
