#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <system_error>

#include "base/error.h"

namespace prwkv {
namespace {

// About 50 microseconds: longer than the gap between two regions of one token, shorter than anyone
// notices.
constexpr int kSpins = 2000;

void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// The cores that this process may use, by number; none where the system does not say.
std::vector<int> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

/// Only advice: a system that refuses lets the thread wander.
void stay_on(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  static_cast<void>(::sched_setaffinity(0, sizeof set, &set));
}

}  // namespace

ThreadPool::ThreadPool(int threads, Pinning pinning) {
  const std::vector<int> cores = usable_cores();
  const auto usable = static_cast<int>(cores.size());
  const int all = usable > 0 ? usable : static_cast<int>(std::thread::hardware_concurrency());
  const int n = threads > 0 ? threads : std::max(1, all);
  const bool pins = pinning == Pinning::kCores && usable > 0;
  shares_ = std::make_unique<Share[]>(static_cast<std::size_t>(n));
  try {
    for (int i = 1; i < n; ++i) {
      const int core = pins ? cores[static_cast<std::size_t>(i % usable)] : -1;
      workers_.emplace_back([this, i, core] {
        if (core >= 0) stay_on(core);
        work(i);
      });
    }
  } catch (const std::system_error& e) {
    stop();  // or else joining those that did start would wait for ever
    throw Error(Code::kInvalidArgument, fmt::format("cannot start {} threads", n),
                {.found = fmt::format("{} after {} threads", e.what(), size()),
                 .hint = "ask for fewer threads"});
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() noexcept {
  epoch_.fetch_or(kStop, std::memory_order_release);
  epoch_.notify_all();
}

void ThreadPool::take_pieces(int thread) {
  const Region region = region_;
  const int n = size();
  for (int i = 0; i < n; ++i) {
    Share& share = shares_[static_cast<std::size_t>((thread + i) % n)];  // its own first
    // Looking first leaves the lines of those who are done alone.
    while (share.next.load(std::memory_order_relaxed) < share.end) {
      const std::int64_t begin = share.next.fetch_add(region.grain, std::memory_order_relaxed);
      if (begin >= share.end) break;
      region.call(region.f, begin, std::min(begin + region.grain, share.end));
    }
  }
}

void ThreadPool::run(const Region& region) {
  const std::scoped_lock lock(one_region_);
  region_ = region;
  const std::int64_t pieces = (region.count + region.grain - 1) / region.grain;
  std::int64_t begin = 0;
  for (int i = 0, n = size(); i < n; ++i) {
    Share& share = shares_[static_cast<std::size_t>(i)];
    share.next.store(begin, std::memory_order_relaxed);
    begin = share.end = std::min(region.count, pieces * (i + 1) / n * region.grain);
  }
  busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  epoch_.fetch_add(kNextRegion, std::memory_order_release);  // publishes all of the above
  epoch_.notify_all();
  take_pieces(0);
  for (int spin = 0; busy_.load(std::memory_order_acquire) != 0; ++spin) {
    if (spin < kSpins)
      relax();
    else
      std::this_thread::yield();  // a worker has lost its core: let it have this one
  }
}

void ThreadPool::work(int thread) {
  std::uint32_t seen = 0;
  for (;;) {
    std::uint32_t now = epoch_.load(std::memory_order_acquire);
    for (int spin = 0; now == seen && spin < kSpins; ++spin) {
      relax();
      now = epoch_.load(std::memory_order_acquire);
    }
    while (now == seen) {
      epoch_.wait(seen, std::memory_order_acquire);
      now = epoch_.load(std::memory_order_acquire);
    }
    if ((now & kStop) != 0) return;
    seen = now;
    take_pieces(thread);
    busy_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace prwkv
