#include "train/new_model.h"

#include <fmt/core.h>

#include <filesystem>
#include <system_error>

#include "base/atomic_file.h"
#include "formats/writer.h"
#include "models/naming.h"
#include "models/source.h"

namespace prwkv {

namespace {

/// The parameters in the order of the file.
struct Listing {
  explicit Listing(const ModelShape& shape) : model(shape.generation->make(shape.dims)) {
    for_each_param(*model, [&](const Param& p, const Tensor&) {
      params.push_back(p);
      specs.push_back({p.name, DType::kF32, blinkdl_shape(p, shape.dims)});
      total += p.shape.numel();
    });
  }

  std::unique_ptr<Model> model;
  std::vector<Param> params;
  std::vector<TensorSpec> specs;
  std::int64_t total = 0;  ///< elements
};

}  // namespace

void write_blank_model(const ModelShape& shape, const std::string& path) {
  const Listing listing(shape);
  const std::string header = safetensors_header(listing.specs);
  AtomicFile file(path);
  file.write(header);
  file.commit();
  std::error_code error;
  std::filesystem::resize_file(
      path, header.size() + static_cast<std::size_t>(listing.total) * sizeof(float), error);
  if (error)
    throw Error(Code::kFile, path + ": cannot be made as large as the model",
                {.found = error.message()});
}

void write_new_model(const ModelShape& shape, const InitOptions& options, const std::string& path,
                     ThreadPool& pool,
                     const std::function<bool(std::int64_t, std::int64_t)>& progress) {
  const Listing listing(shape);
  std::int64_t done = 0;
  SafetensorsWriter out(
      path, listing.specs,
      {{"format", "pt"}, {"new_model", fmt::format("{}, seed {}", shape.name, options.seed)}});
  for (const Param& p : listing.params) {
    std::vector<float> values = initial_values(p, *listing.model, options, pool);
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
    if (progress && !progress(done, listing.total))
      fail(Code::kCancelled, "{}: stopped, nothing was written", path);
  }
  out.finish();
}

}  // namespace prwkv
