#include "models/loader.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/hash.h"
#include "tensor/half.h"

namespace prwkv {
namespace {

double element(DType dtype, const std::byte* p) {
  const auto read = [p]<class T>(T value) {
    std::memcpy(&value, p, sizeof value);
    return value;
  };
  switch (dtype) {
    case DType::kF64: return read(double{});
    case DType::kF32: return static_cast<double>(read(float{}));
    case DType::kF16: return static_cast<double>(to_float(read(f16{})));
    default: return static_cast<double>(to_float(read(bf16{})));
  }
}

void put(DType dtype, std::byte* p, double value) {
  const auto write = [p](auto v) { std::memcpy(p, &v, sizeof v); };
  switch (dtype) {
    case DType::kF64: return write(value);
    case DType::kF32: return write(static_cast<float>(value));
    case DType::kF16: return write(to_f16(static_cast<float>(value)));
    default: return write(to_bf16(static_cast<float>(value)));
  }
}

double undo(Transform t, double stored) {
  switch (t) {
    case Transform::kNone: return stored;
    case Transform::kNegExp: return std::log(-stored);
    case Transform::kExp: return std::log(stored);
    case Transform::kExpNegExp: return std::log(-std::log(stored));
  }
  return stored;
}

/// out[j][i] = in[i][j], each of `size` bytes, block by block so that both sides stay in cache.
void transpose(const std::byte* in, std::byte* out, std::int64_t rows, std::int64_t cols,
               std::size_t size) {
  constexpr std::int64_t kBlock = 32;
  for (std::int64_t i0 = 0; i0 < rows; i0 += kBlock) {
    for (std::int64_t j0 = 0; j0 < cols; j0 += kBlock) {
      for (std::int64_t i = i0; i < std::min(i0 + kBlock, rows); ++i) {
        for (std::int64_t j = j0; j < std::min(j0 + kBlock, cols); ++j) {
          std::memcpy(out + static_cast<std::size_t>(j * rows + i) * size,
                      in + static_cast<std::size_t>(i * cols + j) * size, size);
        }
      }
    }
  }
}

std::vector<std::int64_t> sizes_of(const Shape& s) {
  return {s.dims.begin(), s.dims.begin() + s.rank};
}

std::vector<std::int64_t> without_ones(std::vector<std::int64_t> s) {
  std::erase(s, 1);
  return s;
}

/// Binds each parameter to the file: in place where the bytes are already what kernels read, else
/// converted once.
class Binder final : public ParamVisitor {
 public:
  Binder(const Checkpoint& file, Backend& backend, Arena& arena, const LoadOptions& options)
      : file_(file), backend_(backend), arena_(arena), options_(options) {}

  void visit(const Param& p, Tensor& t) override {
    const Source* s = file_.find(p.name);
    if (s == nullptr) {
      throw Error(Code::kFormat, fmt::format("{}: tensor '{}' is missing", file_.path(), p.name),
                  {.expected = p.shape.str(),
                   .found = "no tensor of that name",
                   .hint = "is this checkpoint complete?"});
    }
    if (!is_float(s->tensor->dtype)) {
      throw Error(
          Code::kFormat, fmt::format("{}: tensor '{}' has the wrong type", file_.path(), p.name),
          {.expected = "f16, bf16, f32 or f64", .found = std::string(name_of(s->tensor->dtype))});
    }
    if (p.stored == Stored::kVector)
      bind_vector(p, *s, t);
    else
      bind_matrix(p, *s, t);
  }

 private:
  [[noreturn]] void wrong_shape(const Param& p, const Source& s,
                                const std::vector<std::int64_t>& expected) const {
    std::vector<std::int64_t> swapped = s.shape;
    if (swapped.size() >= 2) std::swap(swapped.end()[-1], swapped.end()[-2]);
    throw Error(Code::kFormat,
                fmt::format("{}: tensor '{}' has the wrong shape", file_.path(), p.name),
                {.expected = fmt::format("({})", fmt::join(expected, ", ")),
                 .found = s.tensor->shape_str(),
                 .hint = swapped == expected ? "it looks transposed"
                                             : "is this checkpoint complete, and of one model?"});
  }

  // Small: read into the activation type, so that kernels need one type only and transformed values
  // keep all bits.
  void bind_vector(const Param& p, const Source& s, Tensor& t) {
    const auto expected = sizes_of(p.shape);
    const auto found = without_ones(s.shape);
    if (found != without_ones(expected) && found != std::vector{p.shape.numel()})
      wrong_shape(p, s, expected);
    const DType dtype = backend_.activation_dtype();
    const std::size_t from = info(s.tensor->dtype).block_bytes, to = info(dtype).block_bytes;
    const auto n = static_cast<std::size_t>(p.shape.numel());
    staging_.resize(n * to);
    for (std::size_t i = 0; i < n; ++i) {
      put(dtype, staging_.data() + i * to,
          undo(s.transform, element(s.tensor->dtype, s.bytes.data() + i * from)));
    }
    t = arena_.make({p.shape.numel()}, dtype);
    backend_.upload(t, staging_.data());
  }

  void bind_matrix(const Param& p, const Source& s, Tensor& t) {
    const bool canonical_is_swapped = p.stored == Stored::kTransposed;
    auto in_blinkdl_file = sizes_of(p.shape);
    if (canonical_is_swapped) std::swap(in_blinkdl_file.end()[-1], in_blinkdl_file.end()[-2]);
    if (s.shape != in_blinkdl_file) wrong_shape(p, s, in_blinkdl_file);
    const bool turn = canonical_is_swapped != s.transposed;
    // Kernels know f32, f16 and bf16.
    const DType stored = s.tensor->dtype;
    const DType wanted = options_.dtype.value_or(
        stored == DType::kF64 && backend_.activation_dtype() != DType::kF64 ? DType::kF32 : stored);
    t.shape = p.shape;
    t.dtype = wanted;
    if (!turn && wanted == stored && backend_.reads_host_memory()) {
      t.data = const_cast<std::byte*>(s.bytes.data());  // kernels only read weights
      return;
    }
    t = arena_.make(p.shape, wanted);
    const std::byte* bytes = s.bytes.data();
    if (turn) {
      const std::int64_t rows = p.shape[p.shape.rank - 1], cols = p.shape[p.shape.rank - 2];
      const std::size_t size = info(stored).block_bytes,
                        each = static_cast<std::size_t>(rows * cols) * size;
      staging_.resize(s.bytes.size());
      for (std::size_t at = 0; at < s.bytes.size(); at += each)
        transpose(bytes + at, staging_.data() + at, rows, cols, size);
      bytes = staging_.data();
    }
    if (wanted == stored)
      backend_.upload(t, bytes);
    else
      upload_converted(t, bytes, stored);
    file_.reader().done_with(s.bytes);  // its pages are not needed again
  }

  // Row by row, so that a conversion never holds a matrix twice.
  void upload_converted(const Tensor& t, const std::byte* bytes, DType stored) {
    const std::int64_t n = t.shape[t.shape.rank - 1],
                       rows = t.numel() / std::max<std::int64_t>(n, 1);
    const std::size_t from = info(stored).block_bytes, to = info(t.dtype).block_bytes;
    const Tensor flat = t.reshaped({rows, n});
    std::vector<std::byte> row(static_cast<std::size_t>(n) * to);
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::byte* p = bytes + static_cast<std::size_t>(r * n) * from;
      for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
        put(t.dtype, row.data() + i * to, element(stored, p + i * from));
      backend_.upload(flat.rows(r, 1), row.data());
    }
  }

  const Checkpoint& file_;
  Backend& backend_;
  Arena& arena_;
  LoadOptions options_;
  std::vector<std::byte> staging_;
};

/// Sizes come from a file: refuse what no model has before anything is allocated for it.
void check_dims(const Checkpoint& file, std::string_view generation, const Dims& d) {
  const auto bad = [&](const char* what, std::int64_t value) {
    throw Error(Code::kFormat,
                fmt::format("{}: RWKV-{} with {} {}", file.path(), generation, value, what),
                {.hint = "is this checkpoint complete?"});
  };
  constexpr std::int64_t kMost = std::int64_t{1} << 24;
  for (const auto& [what, value] : {std::pair{"layers", d.L},
                                    {"channels", d.C},
                                    {"attention channels", d.A},
                                    {"ffn channels", d.F},
                                    {"vocabulary entries", d.V}}) {
    if (value <= 0 || value > kMost) bad(what, value);
  }
  for (const auto& [name, rank] : d.ranks) {
    if (rank <= 0 || rank > kMost) bad("as a low-rank size", rank);
  }
  if (d.H != 0 && (d.N <= 0 || d.H * d.N != d.A)) {
    throw Error(Code::kFormat,
                fmt::format("{}: heads do not match the attention channels", file.path()),
                {.expected = fmt::format("{} = heads x channels per head", d.A),
                 .found = fmt::format("{} x {}", d.H, d.N)});
  }
}

/// Collects the vectors whose values identify a checkpoint in every format.
class FingerprintVisitor final : public ParamVisitor {
 public:
  FingerprintVisitor(Backend& backend, std::int64_t layers, std::uint64_t seed)
      : hash(seed), backend_(backend), last_(fmt::format("blocks.{}.ln2.weight", layers - 1)) {}
  void visit(const Param& p, Tensor& t) override {
    if (p.name != "blocks.0.ln0.weight" && p.name != "blocks.0.ln1.weight" && p.name != last_ &&
        p.name != "ln_out.weight" && p.name != "ln_out.bias") {
      return;
    }
    std::vector<std::byte> values(t.bytes());
    backend_.download(values.data(), t);
    const std::size_t size = info(t.dtype).block_bytes;
    std::vector<std::uint16_t> rounded;
    for (std::size_t at = 0; at < values.size(); at += size) {
      rounded.push_back(to_bf16(static_cast<float>(element(t.dtype, values.data() + at))).bits);
    }
    hash = hash64(std::as_bytes(std::span(rounded)), hash);
  }
  std::uint64_t hash;

 private:
  Backend& backend_;
  std::string last_;
};

}  // namespace

Detected detect(const Checkpoint& file) {
  Detected found;
  for (const Generation& g : generations()) {
    if (!g.detect(file, found.dims)) continue;
    found.generation = &g;
    check_dims(file, g.name, found.dims);
    return found;
  }
  found.dims = {};
  return found;
}

std::uint64_t fingerprint_of(Model& model, Backend& backend) {
  const Dims& d = model.dims();
  const std::array<std::int64_t, 7> sizes = {d.L, d.C, d.A, d.F, d.V, d.H, d.N};
  const std::uint64_t seed =
      hash64(std::as_bytes(std::span(model.generation())), hash64(std::as_bytes(std::span(sizes))));
  FingerprintVisitor v(backend, d.L, seed);
  model.visit(v);
  return v.hash;
}

std::uint64_t fingerprint_of(const Checkpoint& file, const Detected& found, Backend& backend) {
  struct VectorBinder final : ParamVisitor {
    explicit VectorBinder(Binder& all) : binder(all) {}
    void visit(const Param& p, Tensor& t) override {
      if (p.stored == Stored::kVector) binder.visit(p, t);
    }
    Binder& binder;
  };
  Arena arena(backend);
  Binder binder(file, backend, arena, {});
  VectorBinder vectors(binder);
  const std::unique_ptr<Model> model = found.generation->make(found.dims);
  model->visit(vectors);
  return fingerprint_of(*model, backend);
}

LoadedModel load_model(const std::string& path, Backend& backend, const LoadOptions& options) {
  LoadedModel m;
  m.file = std::make_unique<Checkpoint>(path);
  const Detected found = detect(*m.file);
  if (found.generation == nullptr) {
    throw Error(
        Code::kUnsupported, path + ": this holds no RWKV model that can be run",
        {.expected = "tensors named as in BlinkDL's checkpoints (emb.weight, blocks.0.att.…)",
         .found = m.file->reader().tensors().empty()
                      ? "no tensors"
                      : "'" + m.file->reader().tensors()[0].name + "' and others",
         .hint = "prwkv inspect lists what is in it"});
  }
  m.model = found.generation->make(found.dims);
  if (options.groupnorm_eps) m.model->groupnorm_eps = *options.groupnorm_eps;
  m.weights = std::make_unique<Arena>(backend);
  Binder binder(*m.file, backend, *m.weights, options);
  m.model->visit(binder);
  backend.sync();
  m.fingerprint = fingerprint_of(*m.model, backend);
  return m;
}

}  // namespace prwkv
