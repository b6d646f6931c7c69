#include "models/source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "quant/blocks.h"
#include "tensor/half.h"

namespace prwkv {
namespace {

bool is_identity(const std::vector<std::int64_t>& order) {
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (order[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

/// The last axes of a view that one constant stride walks through.
struct Tail {
  std::size_t outer = 0;    ///< axes in front of it
  std::int64_t count = 1;   ///< elements
  std::int64_t stride = 1;  ///< between them, in stored elements
};
Tail tail_of(const std::vector<Axis>& axes) {
  Tail tail{.outer = axes.size()};
  const auto continues = [&](const Axis& a) {
    return a.order.empty() && (a.size == 1 || a.stride == tail.count);
  };
  while (tail.outer > 0 && continues(axes[tail.outer - 1])) tail.count *= axes[--tail.outer].size;
  if (tail.count == 1 && tail.outer > 0 && axes[tail.outer - 1].order.empty()) {
    const Axis& last = axes[--tail.outer];
    tail.count = last.size, tail.stride = last.stride;
  }
  return tail;
}

/// out[i] = the element at place i · stride from `p`.
template <class Stored, class T>
void gather(const std::byte* p, std::int64_t stride, std::span<T> out) {
  const std::int64_t step = stride * static_cast<std::int64_t>(sizeof(Stored));
  for (T& value : out) {
    Stored element;
    std::memcpy(&element, p, sizeof element);
    if constexpr (std::is_arithmetic_v<Stored>)
      value = static_cast<T>(element);
    else
      value = static_cast<T>(to_float(element));
    p += step;
  }
}

template <class T>
void gather(DType dtype, const std::byte* p, std::int64_t stride, std::span<T> out) {
  switch (dtype) {
    case DType::kF64: return gather<double>(p, stride, out);
    case DType::kF32: return gather<float>(p, stride, out);
    case DType::kF16: return gather<f16>(p, stride, out);
    case DType::kBF16: return gather<bf16>(p, stride, out);
    default: fail(Code::kInternal, "{} elements are no weights", name_of(dtype));
  }
}

/// Elements [skip, skip + out.size()) of the blocks that begin at `p`.
template <class T>
void decode_part(const DTypeInfo& type, const std::byte* p, std::int64_t skip, std::span<T> out) {
  std::array<float, 256> values;
  for (std::size_t done = 0; done < out.size(); p += type.block_bytes, skip = 0) {
    quant::dequantize(type.dtype, p, type.block_size, values.data());
    const auto n = std::min(static_cast<std::size_t>(type.block_size - skip), out.size() - done);
    std::copy_n(values.data() + skip, n, out.data() + done);
    done += n;
  }
}

}  // namespace

double applied(Transform t, double raw) {
  switch (t) {
    case Transform::kNone: return raw;
    case Transform::kNegExp: return -std::exp(raw);
    case Transform::kExp: return std::exp(raw);
    case Transform::kExpNegExp: return std::exp(-std::exp(raw));
  }
  return raw;
}

double undone(Transform t, double stored) {
  switch (t) {
    case Transform::kNone: return stored;
    case Transform::kNegExp: return std::log(-stored);
    case Transform::kExp: return std::log(stored);
    case Transform::kExpNegExp: return std::log(-std::log(stored));
  }
  return stored;
}

Source Source::of(std::string_view name, DType dtype, std::span<const std::byte> bytes,
                  std::span<const std::int64_t> sizes) {
  Source s{.name = name, .dtype = dtype, .bytes = bytes, .axes = {}};
  s.axes.resize(sizes.size());
  std::int64_t stride = 1;
  for (std::size_t i = sizes.size(); i-- > 0; stride *= sizes[i]) {
    s.axes[i].size = sizes[i];
    s.axes[i].stride = stride;
  }
  return s;
}

std::int64_t Source::numel() const {
  return std::accumulate(axes.begin(), axes.end(), std::int64_t{1},
                         [](std::int64_t n, const Axis& a) { return n * a.size; });
}

std::vector<std::int64_t> Source::shape() const {
  std::vector<std::int64_t> sizes;
  for (const Axis& a : axes) sizes.push_back(a.size);
  return sizes;
}

std::string Source::shape_str() const { return fmt::format("({})", fmt::join(shape(), ", ")); }

Source Source::transposed() const {
  PRWKV_DCHECK(axes.size() >= 2);
  Source s = *this;
  std::swap(s.axes.end()[-1], s.axes.end()[-2]);
  return s;
}

Source Source::moved(std::size_t from, std::size_t to) const {
  Source s = *this;
  const auto first = s.axes.begin();
  const auto f = static_cast<std::ptrdiff_t>(from), t = static_cast<std::ptrdiff_t>(to);
  if (f < t)
    std::rotate(first + f, first + f + 1, first + t + 1);
  else
    std::rotate(first + t, first + f, first + f + 1);
  return s;
}

Source Source::slice(std::int64_t i) const {
  PRWKV_DCHECK(!axes.empty() && i < axes[0].size);
  Source s = *this;
  s.begin += axes[0].place(i) * axes[0].stride;
  s.axes.erase(s.axes.begin());
  return s;
}

Source Source::split(std::size_t axis, std::int64_t n) const {
  const Axis whole = axes[axis];
  PRWKV_DCHECK(n > 0 && whole.size % n == 0 && whole.order.empty());
  const std::int64_t m = whole.size / n;
  Source s = *this;
  s.axes[axis] = {.size = m, .stride = whole.stride, .order = {}};
  s.axes.insert(s.axes.begin() + static_cast<std::ptrdiff_t>(axis),
                {.size = n, .stride = whole.stride * m, .order = {}});
  return s;
}

Source Source::with_blocks(std::size_t axis, std::span<const int> order) const {
  const Axis& whole = axes[axis];
  const auto blocks = static_cast<std::int64_t>(order.size());
  PRWKV_DCHECK(blocks > 0 && whole.size % blocks == 0);
  // Without elements there is nothing to put in order, and sizes that no bytes vouch for.
  if (numel() == 0) return *this;
  const std::int64_t each = whole.size / blocks;
  Source s = *this;
  std::vector<std::int64_t>& places = s.axes[axis].order;
  places.clear();
  for (const int block : order) {
    for (std::int64_t i = 0; i < each; ++i) places.push_back(whole.place(block * each + i));
  }
  if (is_identity(places)) places.clear();
  return s;
}

Source Source::transformed(Transform t) const {
  PRWKV_DCHECK(apply == Transform::kNone);
  Source s = *this;
  if (s.undo == t)
    s.undo = Transform::kNone;
  else
    s.apply = t;
  return s;
}

void expect_weights(const Source& source, std::string_view where) {
  if (is_float(source.dtype) || is_block(source.dtype)) return;
  throw Error(Code::kFormat, fmt::format("{} has the wrong type", where),
              {.expected = "f16, bf16, f32, f64 or a block type",
               .found = std::string(name_of(source.dtype)),
               .hint = "quantized by another program? Use the model as it was released"});
}

bool Source::is_raw() const {
  return undo == Transform::kNone && apply == Transform::kNone && scale == 1;
}

bool Source::is_dense() const {
  const Tail tail = tail_of(axes);
  return tail.outer == 0 && tail.stride == 1;
}

std::span<const std::byte> Source::dense_bytes() const {
  PRWKV_DCHECK(is_dense());
  return bytes.subspan(row_bytes(dtype, begin), row_bytes(dtype, numel()));
}

SourceReader::SourceReader(Source source) : source_(std::move(source)) {
  const Tail tail = tail_of(source_.axes);
  outer_ = tail.outer, run_ = tail.count, tail_stride_ = tail.stride;
}

/// Calls each(element, done, count) for the runs that values [first, first + count) consist of:
/// `element` is where a run begins in the stored tensor, `done` are the values before it.
template <class Each>
void SourceReader::for_each_run(std::int64_t first, std::int64_t count, const Each& each) const {
  for (std::int64_t done = 0; done < count;) {
    std::int64_t run = (first + done) / run_;
    const std::int64_t inside = (first + done) % run_, n = std::min(run_ - inside, count - done);
    std::int64_t element = source_.begin + inside * tail_stride_;
    for (std::size_t i = outer_; i-- > 0;) {
      const Axis& a = source_.axes[i];
      element += a.place(run % a.size) * a.stride;
      run /= a.size;
    }
    each(element, done, n);
    done += n;
  }
}

// Elements of a block cannot be picked one by one.
void SourceReader::decode_if_strided() {
  const std::int64_t block = info(source_.dtype).block_size;
  if (block == 1 || (tail_stride_ == 1 && run_ % block == 0)) return;
  const auto blocks = source_.bytes.size() / info(source_.dtype).block_bytes;
  decoded_.resize(blocks * static_cast<std::size_t>(block));
  quant::dequantize(source_.dtype, source_.bytes.data(), std::ssize(decoded_), decoded_.data());
  source_.dtype = DType::kF32;
  source_.bytes = std::as_bytes(std::span(decoded_));
}

template <class T>
void SourceReader::read_as(std::int64_t first, std::span<T> out) {
  decode_if_strided();
  const DTypeInfo& type = info(source_.dtype);
  for_each_run(
      first, std::ssize(out), [&](std::int64_t element, std::int64_t done, std::int64_t n) {
        const auto to = out.subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(n));
        const std::int64_t block = element / type.block_size;
        const std::byte* p = source_.bytes.data() + row_bytes(type.dtype, block * type.block_size);
        if (type.block_size == 1)
          gather(type.dtype, p, tail_stride_, to);
        else
          decode_part(type, p, element % type.block_size, to);
      });
  if (source_.is_raw()) return;
  const double scale = source_.scale;
  for (T& value : out) {
    const double raw = undone(source_.undo, scale * static_cast<double>(value));
    value = static_cast<T>(applied(source_.apply, raw));
  }
}

void SourceReader::read(std::int64_t first, std::span<float> out) { read_as(first, out); }
void SourceReader::read(std::int64_t first, std::span<double> out) { read_as(first, out); }

void SourceReader::copy(std::int64_t first, std::span<std::byte> out) const {
  PRWKV_DCHECK(source_.is_raw());
  const DTypeInfo& type = info(source_.dtype);
  const auto bytes_of = [&](std::int64_t n) { return row_bytes(source_.dtype, n); };
  const std::int64_t count =
      static_cast<std::int64_t>(out.size() / type.block_bytes) * type.block_size;
  for_each_run(first, count, [&](std::int64_t element, std::int64_t done, std::int64_t n) {
    const std::byte* p = source_.bytes.data() + bytes_of(element);
    std::byte* to = out.data() + bytes_of(done);
    if (tail_stride_ == 1) {
      std::memcpy(to, p, bytes_of(n));
      return;
    }
    const auto walk = [&]<class Element>(Element e) {
      for (std::int64_t i = 0; i < n; ++i) {
        std::memcpy(&e, p + static_cast<std::size_t>(i * tail_stride_) * sizeof e, sizeof e);
        std::memcpy(to + static_cast<std::size_t>(i) * sizeof e, &e, sizeof e);
      }
    };
    switch (type.block_bytes) {
      case 1: return walk(std::uint8_t{});
      case 2: return walk(std::uint16_t{});
      case 4: return walk(std::uint32_t{});
      case 8: return walk(std::uint64_t{});
      default: fail(Code::kInternal, "{} elements cannot be copied one by one", type.name);
    }
  });
}

}  // namespace prwkv
