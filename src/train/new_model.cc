#include "train/new_model.h"

#include <fmt/core.h>

#include "formats/writer.h"
#include "models/naming.h"
#include "models/source.h"

namespace prwkv {

void write_new_model(const ModelShape& shape, const InitOptions& options, const std::string& path,
                     ThreadPool& pool,
                     const std::function<bool(std::int64_t, std::int64_t)>& progress) {
  const std::unique_ptr<Model> model = shape.generation->make(shape.dims);
  std::vector<Param> params;
  std::vector<TensorSpec> specs;
  std::int64_t done = 0, total = 0;
  for_each_param(*model, [&](const Param& p, const Tensor&) {
    params.push_back(p);
    specs.push_back({p.name, DType::kF32, blinkdl_shape(p, shape.dims)});
    total += p.shape.numel();
  });
  SafetensorsWriter out(
      path, specs,
      {{"format", "pt"}, {"new_model", fmt::format("{}, seed {}", shape.name, options.seed)}});
  for (const Param& p : params) {
    std::vector<float> values = initial_values(p, *model, options, pool);
    if (p.stored == Stored::kTransposed) {
      std::vector<float> turned(values.size());
      SourceReader(
          Source::of(p.name, DType::kF32, std::as_bytes(std::span(values)), p.shape.sizes())
              .transposed())
          .read(0, turned);
      values = std::move(turned);
    }
    out.write(std::as_bytes(std::span(values)));
    done += p.shape.numel();
    if (progress && !progress(done, total))
      fail(Code::kCancelled, "{}: stopped, nothing was written", path);
  }
  out.finish();
}

}  // namespace prwkv
