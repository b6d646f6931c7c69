#include "models/diff.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "base/error.h"

namespace prwkv {
namespace {

constexpr std::int64_t kComparedPiece = std::int64_t{1} << 20;  // values

/// "blocks.2.x" before "blocks.10.x".
struct NumbersBySize {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    while (!a.empty() && !b.empty()) {
      if (is_digit(a[0]) && is_digit(b[0])) {
        const auto digits = [&](std::string_view s) {
          return s.substr(0, static_cast<std::size_t>(
                                 std::find_if_not(s.begin(), s.end(), is_digit) - s.begin()));
        };
        const std::string_view m = digits(a), n = digits(b);
        if (m.size() != n.size()) return m.size() < n.size();
        if (m != n) return m < n;
        a.remove_prefix(m.size()), b.remove_prefix(n.size());
        continue;
      }
      if (a[0] != b[0]) return a[0] < b[0];
      a.remove_prefix(1), b.remove_prefix(1);
    }
    return a.size() < b.size();
  }
};

bool same_sizes(std::vector<std::int64_t> a, std::vector<std::int64_t> b) {
  std::erase(a, 1);
  std::erase(b, 1);
  return a == b || a.size() == 1 || b.size() == 1;
}

/// Adds up what differs in some values of a tensor.
template <class T>
class Comparison {
 public:
  explicit Comparison(TensorDifference& d) : d_(d) {}

  void add(std::span<const T> a, std::span<const T> b) {
    count_ += static_cast<double>(a.size());
    bits_ = bits_ && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
      if (std::isfinite(x)) d_.largest = std::max(d_.largest, std::abs(x));
      if (x == y || (std::isnan(x) && std::isnan(y))) continue;
      ++d_.differing;
      const double gap =
          std::isfinite(x - y) ? std::abs(x - y) : std::numeric_limits<double>::infinity();
      d_.max_abs = std::max(d_.max_abs, gap);
      squares_ += gap * gap;
    }
  }
  void finish() {
    d_.compared = true;
    d_.bit_equal = bits_;
    if (count_ > 0) d_.rms = std::sqrt(squares_ / count_);
  }

 private:
  TensorDifference& d_;
  double squares_ = 0, count_ = 0;
  bool bits_ = true;
};

class Differ {
 public:
  Differ(const Checkpoint& a, const Checkpoint& b, const DiffProgress& progress)
      : a_(a), b_(b), progress_(progress) {}

  std::vector<TensorDifference> run() {
    std::set<std::string_view, NumbersBySize> names;
    for (const auto& [name, source] : a_.sources()) names.insert(name);
    for (const auto& [name, source] : b_.sources()) names.insert(name);
    for (const std::string_view name : names) total_ += values_to_compare(name);
    std::vector<TensorDifference> all;
    all.reserve(names.size());
    for (const std::string_view name : names) all.push_back(compare(name));
    return all;
  }

 private:
  [[nodiscard]] std::uint64_t values_to_compare(std::string_view name) const {
    const Source *a = a_.find(name), *b = b_.find(name);
    const bool both = a != nullptr && b != nullptr && comparable(*a, *b);
    return both ? static_cast<std::uint64_t>(a->numel()) : 0;
  }
  static bool comparable(const Source& a, const Source& b) {
    const auto is_number = [](const Source& s) { return is_float(s.dtype) || is_block(s.dtype); };
    if (!is_number(a) || !is_number(b))
      return a.dtype == b.dtype && a.shape() == b.shape() && a.is_dense() && b.is_dense();
    return a.numel() == b.numel() && same_sizes(a.shape(), b.shape());
  }

  TensorDifference compare(std::string_view name) {
    TensorDifference d{.name = std::string(name), .a = {}, .b = {}};
    const Source *a = a_.find(name), *b = b_.find(name);
    if (a != nullptr) d.a = {a->dtype, a->shape()};
    if (b != nullptr) d.b = {b->dtype, b->shape()};
    if (a == nullptr || b == nullptr || !comparable(*a, *b)) return d;
    if (!is_float(a->dtype) && !is_block(a->dtype))
      compare_bytes(*a, *b, d);
    else if (a->dtype == DType::kF64 || b->dtype == DType::kF64)
      compare_values<double>(*a, *b, d);
    else
      compare_values<float>(*a, *b, d);
    a_.reader().done_with(a->bytes);
    b_.reader().done_with(b->bytes);
    return d;
  }

  // Integers and truth values: no arithmetic is done with them.
  void compare_bytes(const Source& a, const Source& b, TensorDifference& d) {
    const auto x = a.dense_bytes(), y = b.dense_bytes();
    const std::size_t size = info(a.dtype).block_bytes;
    for (std::size_t at = 0; at < x.size(); at += size)
      d.differing += std::memcmp(x.data() + at, y.data() + at, size) != 0 ? 1 : 0;
    d.compared = true;
    d.bit_equal = d.differing == 0;
    d.max_abs = d.bit_equal ? 0 : std::numeric_limits<double>::infinity();
    step(a.numel());
  }

  template <class T>
  void compare_values(const Source& a, const Source& b, TensorDifference& d) {
    SourceReader in_a(a), in_b(b);
    Comparison<T> comparison(d);
    const std::int64_t all = a.numel();
    std::vector<T> x, y;
    for (std::int64_t begin = 0; begin < all; begin += kComparedPiece) {
      const std::int64_t n = std::min(kComparedPiece, all - begin);
      x.resize(static_cast<std::size_t>(n)), y.resize(static_cast<std::size_t>(n));
      in_a.read(begin, std::span(x));
      in_b.read(begin, std::span(y));
      comparison.add(x, y);
      step(n);
    }
    comparison.finish();
  }

  void step(std::int64_t values) {
    done_ += static_cast<std::uint64_t>(values);
    if (progress_ && !progress_(done_, total_))
      fail(Code::kCancelled, "{}: comparison with {} stopped", a_.path(), b_.path());
  }

  const Checkpoint &a_, &b_;
  const DiffProgress& progress_;
  std::uint64_t done_ = 0, total_ = 0;
};

}  // namespace

double TensorDifference::relative() const {
  if (max_abs == 0) return 0;
  return largest > 0 ? max_abs / largest : std::numeric_limits<double>::infinity();
}

bool TensorDifference::agrees(double tolerance) const {
  return compared && max_abs <= tolerance * largest;
}

std::vector<TensorDifference> diff(const Checkpoint& a, const Checkpoint& b,
                                   const DiffProgress& progress) {
  return Differ(a, b, progress).run();
}

}  // namespace prwkv
