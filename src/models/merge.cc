#include "models/merge.h"

#include <algorithm>
#include <utility>

namespace prwkv {

Merge::Merge(const Checkpoint& file, LoraFile& lora, const MergeTarget& target) {
  const Detected found = detect(file);
  if (found.generation == nullptr) fail(Code::kFormat, "{}: this is no RWKV model", file.path());
  ExportOptions options{.format = target.format, .dtype = target.dtype};
  for_each_param(*found.generation->make(found.dims), [&](const Param& p, const Tensor&) {
    if (const std::optional<Source> whole = lora.whole(p, found.dims)) {
      options.replaced.emplace(p.name, *whole);
      ++replaced_;
    }
    if (p.stored != Stored::kMatrix) return;
    std::optional<LoraFile::Pair> pair = lora.pair_of(p);
    if (!pair) return;
    pairs_.emplace(p.name, Pair{.in = p.shape[1],
                                .rank = pair->rank,
                                .scale = pair->scale,
                                .a = std::move(pair->a),
                                .b = std::move(pair->b)});
  });
  lora.expect_all_used();
  options.adjusts = [this](const Param& p) { return pairs_.contains(p.name); };
  options.adjust = [this](const Param& p, std::int64_t first, std::span<float> values) {
    add(p, first, values);
  };
  if (!target.dtype) {
    options.dtype_of = [&file](const Param& p) -> std::optional<DType> {
      const Source* s = file.find(p.name);
      if (s == nullptr || !is_block(s->dtype)) return std::nullopt;
      return DType::kF16;
    };
  }
  plan_ = std::make_unique<Export>(file, options);
}

// A row of B A at a time, as the values come: any number of them from anywhere in the matrix.
void Merge::add(const Param& p, std::int64_t first, std::span<float> values) const {
  const Pair& pair = pairs_.find(p.name)->second;
  std::vector<double> row(static_cast<std::size_t>(pair.in));
  std::int64_t at = 0;
  const auto n = static_cast<std::int64_t>(values.size());
  while (at < n) {
    const std::int64_t o = (first + at) / pair.in, begin = (first + at) % pair.in,
                       count = std::min(pair.in - begin, n - at);
    std::fill(row.begin(), row.end(), 0.0);
    for (std::int64_t r = 0; r < pair.rank; ++r) {
      const double b = pair.scale * pair.b[static_cast<std::size_t>(o * pair.rank + r)];
      const double* a = pair.a.data() + r * pair.in;
      for (std::int64_t i = begin; i < begin + count; ++i)
        row[static_cast<std::size_t>(i)] += b * a[i];
    }
    for (std::int64_t i = 0; i < count; ++i) {
      float& v = values[static_cast<std::size_t>(at + i)];
      v = static_cast<float>(static_cast<double>(v) + row[static_cast<std::size_t>(begin + i)]);
    }
    at += count;
  }
}

}  // namespace prwkv
