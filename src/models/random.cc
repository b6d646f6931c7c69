#include "models/random.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <numbers>
#include <numeric>
#include <span>
#include <tuple>
#include <utility>

#include "base/hash.h"
#include "base/memory.h"
#include "formats/writer.h"
#include "models/naming.h"
#include "quant/blocks.h"

namespace prwkv {
namespace {

// ---- shapes

using Ranks = std::map<std::string, std::int64_t>;

std::int64_t round_down(std::int64_t n, std::int64_t multiple) { return n / multiple * multiple; }
std::int64_t round_near(double n, std::int64_t multiple) {
  const auto m = static_cast<double>(multiple);
  return std::max(multiple, static_cast<std::int64_t>(std::round(n / m) * m));
}

bool has_heads(std::string_view generation) { return !generation.starts_with('4'); }

/// What the training code of each generation chooses for a new model of these layers and channels.
Dims usual_dims(std::string_view generation, std::int64_t L, std::int64_t C) {
  Dims d{
      .L = L, .C = C, .A = C, .F = 4 * C, .V = has_heads(generation) ? 65536 : 50277, .ranks = {}};
  if (has_heads(generation)) d.N = 64;
  if (generation == "4a") {
    d.tiny_layer = static_cast<int>(L * 3 / 4);
    d.ranks = {{"tiny", std::min<std::int64_t>(C, 256)}};
  }
  if (generation == "5.0") d.time_first = true;
  if (generation == "5.1" || generation == "5.2" || generation == "6") {
    d.F = std::max<std::int64_t>(32, round_down(7 * C / 2, 32));
  }
  if (generation == "6") {
    d.ranks = {{"mix", C < 4096 ? 32 : 64}, {"decay", C < 4096 ? 64 : 128}};
  }
  if (generation == "7") {
    const double c = static_cast<double>(C);
    const std::int64_t wa = round_near(1.8 * std::sqrt(c), 32);
    d.ranks = {{"w", wa},
               {"a", wa},
               {"v", round_near(1.3 * std::sqrt(c), 32)},
               {"g", round_near(0.6 * std::pow(c, 0.8), 32)}};
  }
  return d;
}

struct Released {
  std::string_view name, generation;
  std::int64_t L, C;
  Ranks ranks;  ///< where they differ from usual_dims
};

const std::vector<Released>& released() {
  static const std::vector<Released> table = {
      {"rwkv4:169m", "4", 12, 768, {}},
      {"rwkv4:430m", "4", 24, 1024, {}},
      {"rwkv4:1b5", "4", 24, 2048, {}},
      {"rwkv4:3b", "4", 32, 2560, {}},
      {"rwkv4:7b", "4", 32, 4096, {}},
      {"rwkv4:14b", "4", 40, 5120, {}},
      {"rwkv6:1b6", "6", 24, 2048, {}},
      {"rwkv6:3b", "6", 32, 2560, {}},
      {"rwkv6:7b", "6", 32, 4096, {}},
      {"rwkv7:0.1b", "7", 12, 768, {{"w", 64}, {"a", 64}, {"v", 32}, {"g", 128}}},
      {"rwkv7:0.4b", "7", 24, 1024, {{"w", 64}, {"a", 64}, {"v", 32}, {"g", 128}}},
      {"rwkv7:1.5b", "7", 24, 2048, {{"w", 96}, {"a", 96}, {"v", 64}, {"g", 256}}},
      {"rwkv7:2.9b", "7", 32, 2560, {{"w", 96}, {"a", 96}, {"v", 64}, {"g", 320}}},
      {"rwkv7:7.2b", "7", 32, 4096, {{"w", 128}, {"a", 128}, {"v", 96}, {"g", 480}}},
  };
  return table;
}

constexpr const char* kFreeForm =
    "rwkvGENERATION:L2,C128 with optional A, F, V, N and ranks (w a v g, mix decay, tiny), "
    "as in rwkv7:L2,C128,V1000,w16";

[[noreturn]] void bad_shape(const std::string& name, const std::string& found) {
  std::string names;
  for (const Released& r : released()) names.append(names.empty() ? "" : ", ").append(r.name);
  throw Error(Code::kInvalidArgument, fmt::format("'{}' is no shape of a model", name),
              {.expected = fmt::format("one of {}; or {}", names, kFreeForm), .found = found});
}

/// Sizes of "L2,C128,F512,V1000,N64,w16" over the usual ones.
Dims parse_sizes(const std::string& name, std::string_view generation, std::string_view sizes) {
  std::map<std::string, std::int64_t> given;
  while (!sizes.empty()) {
    const std::string_view item = sizes.substr(0, sizes.find(','));
    sizes.remove_prefix(std::min(item.size() + 1, sizes.size()));
    const std::size_t letters = std::min(item.find_first_of("0123456789"), item.size());
    // Beyond every model, and small enough that no product of sizes overflows.
    constexpr std::int64_t kMost = std::int64_t{1} << 20;
    std::int64_t value = 0;
    const char* end = item.data() + item.size();
    const auto [p, error] = std::from_chars(item.data() + letters, end, value);
    if (letters == 0 || error != std::errc{} || p != end || value < 1 || value > kMost) {
      bad_shape(name, std::string(item));
    }
    if (!given.emplace(item.substr(0, letters), value).second) {
      bad_shape(name, fmt::format("'{}' twice", item.substr(0, letters)));
    }
  }
  if (!given.contains("L") || !given.contains("C")) bad_shape(name, "no L or no C");
  if (given["L"] > 1024 || given["C"] > 65536)
    bad_shape(name, "more than 1024 layers or 65536 channels");
  Dims d = usual_dims(generation, given["L"], given["C"]);
  for (const auto& [key, value] : given) {
    if (key == "L" || key == "C")
      continue;
    else if (key == "A")
      d.A = value;
    else if (key == "F")
      d.F = value;
    else if (key == "V")
      d.V = value;
    else if (key == "N" && has_heads(generation))
      d.N = value;
    else if (d.ranks.contains(key))
      d.ranks[key] = value;
    else
      bad_shape(name, fmt::format("'{}', which RWKV-{} does not have", key, generation));
  }
  if (d.N > 0 && d.A % d.N != 0)
    bad_shape(name, fmt::format("{} channels in heads of {}", d.A, d.N));
  return d;
}

std::unique_ptr<Model> make_model(const ModelShape& shape) {
  return shape.generation->make(shape.dims);
}

void expect_weight_dtype(DType dtype) {
  if (dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16) return;
  throw Error(Code::kInvalidArgument, "random weights cannot have this type",
              {.expected = "f32, f16 or bf16", .found = std::string(name_of(dtype))});
}

// ---- values

/// mean + spread · (normal or uniform in [−1, 1]).
struct Law {
  enum { kNormal, kUniform } shape = kNormal;
  double mean = 0, spread = 0;
};
Law normal(double mean, double spread) { return {Law::kNormal, mean, spread}; }
Law uniform(double low, double high) { return {Law::kUniform, (low + high) / 2, (high - low) / 2}; }

/// How far below its mean a normal number must be drawn from so that a share `p` of them is negative.
double quantile(double p) {
  double low = -10, high = 10;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::numbers::sqrt2) / 2 < p ? low : high) = middle;
  }
  return low;
}

/// Magnitudes as in trained models, so that activations stay finite and logits of order one however
/// long the text: projections keep the variance, what a block adds is small in deep models, decays
/// span what training finds.
Law law_of(const Param& p, const ModelShape& shape) {
  const Dims& d = shape.dims;
  const std::string_view name = p.name;
  const auto ends = [name](std::initializer_list<std::string_view> suffixes) {
    return std::any_of(suffixes.begin(), suffixes.end(),
                       [name](std::string_view s) { return name.ends_with(s); });
  };
  // What goes into the squared ReLU is pushed below zero: ln2 adds a constant to every channel, and every
  // row of `key` has a sum below zero to meet it. The variance of a shifted row is 2/3 of one that is not.
  constexpr double kOffset = 0.5, kShifted = 2.0 / 3;
  const bool has_zeros = shape.zeros > kZerosByChance;
  if (has_zeros && ends({".ln2.bias"})) return normal(kOffset, 0.1);
  if (has_zeros && ends({".ffn.key.weight"})) {
    const auto C = static_cast<double>(d.C);
    const double push = quantile(shape.zeros) * std::sqrt(kShifted + kOffset * kOffset);
    return normal(-push / (kOffset * C), 1 / std::sqrt(C));
  }
  if (p.stored == Stored::kVector) {
    struct Row {
      std::string_view suffix;
      Law law;
    };
    const bool in_4 = d.H == 0;
    const std::array rows = {
        Row{".weight", normal(1, 0.1)},  // of a norm
        Row{".bias", normal(0, 0.1)},
        Row{".time_decay", in_4 ? uniform(-5, 3) : uniform(-6, -1)},
        Row{".time_first", in_4 ? uniform(-1.7, -0.7) : uniform(-3, -0.5)},
        Row{".time_faaaa", normal(0, 0.3)},
        Row{".w0", uniform(-6, 1)},
        Row{".a0", uniform(-0.9, 0.5)},
        Row{".v0", uniform(0.3, 1.1)},
        Row{".k_k", uniform(0.6, 0.8)},
        Row{".k_a", uniform(0.9, 1.1)},
        Row{".r_k", normal(0, 0.1)},
    };
    for (const Row& row : rows) {
      if (name.ends_with(row.suffix)) return row.law;
    }
    return uniform(0, 1);  // the mixes of the token shift
  }
  if (name == "emb.weight") return normal(0, 1);
  double spread = 1 / std::sqrt(static_cast<double>(p.shape[p.shape.rank - 1]));
  if (ends({".att.output.weight", ".ffn.value.weight"})) {
    spread /= std::sqrt(2.0 * static_cast<double>(d.L));
  }
  // Second low-rank halves move a value around its mean (the gate's makes it). Tiny attention adds
  // over the whole text without any decay.
  if (ends({"w2", ".a2", ".v2"})) spread *= 0.1;
  if (ends({".tiny_v.weight"})) spread *= 0.02;
  return normal(0, spread);
}

/// One step of SplitMix64: 64 well-mixed bits for every number of every stream.
std::uint64_t mixed(std::uint64_t stream, std::uint64_t n) {
  std::uint64_t z = stream + (n + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

void convert(std::span<const float> from, DType to, std::byte* out) {
  quant::quantize(to, from.data(), static_cast<std::int64_t>(from.size()), out);
}

/// The type of a parameter of a model in `dtype`: what a loader would make of it, vectors and stacks of
/// low-rank pairs in f16 where matrices are blocks.
DType stored_type(const Param& p, DType dtype) {
  const DType small = is_block(dtype) ? DType::kF16 : dtype;
  return p.stored == Stored::kVector ? small : matrix_type(p, dtype, small);
}

/// Any element of any parameter, from the seed and the parameter's name alone: files and models in
/// memory read the same numbers in whatever pieces they like.
///
/// Drawing billions of normal numbers would take minutes. Matrices are windows at random places of
/// one table of them instead, converted once for each spread and type; a row of a model has several
/// windows, so no two rows are alike. Of block types a window is a block.
class Weights {
 public:
  explicit Weights(std::uint64_t seed) : seed_(seed), table_(kTable) {
    for (std::size_t i = 0; i < kTable; i += 2) {  // Box–Muller
      const double u = (static_cast<double>(mixed(seed, i) >> 11U) + 1) * 0x1p-53;
      const double angle =
          2 * std::numbers::pi * static_cast<double>(mixed(seed, i + 1) >> 11U) * 0x1p-53;
      const double r = std::sqrt(-2 * std::log(u));
      table_[i] = static_cast<float>(r * std::cos(angle));
      table_[i + 1] = static_cast<float>(r * std::sin(angle));
    }
  }

  /// Elements from number `begin` on (the first of a block), as many as `out` has room for, in the order
  /// of the file.
  void fill(const Param& p, const Law& law, DType dtype, std::uint64_t begin,
            std::span<std::byte> out) {
    const std::uint64_t stream = hash64(std::as_bytes(std::span(p.name)), seed_);
    const std::size_t size = info(dtype).block_bytes, count = out.size() / size;
    if (p.stored == Stored::kVector) {
      std::vector<float> values(count);
      for (std::size_t i = 0; i < count; ++i)
        values[i] = static_cast<float>(value(law, mixed(stream, begin + i)));
      convert(values, dtype, out.data());
      return;
    }
    const std::vector<std::byte>& scaled = scaled_table(law, dtype);
    const auto block = static_cast<std::uint64_t>(info(dtype).block_size);
    const std::uint64_t first = begin / block, last = kTable / block;
    const std::uint64_t length = is_block(dtype) ? 1 : kWindow;
    for (std::size_t i = 0; i < count;) {
      const std::uint64_t window = (first + i) / length, inside = (first + i) % length;
      const std::uint64_t place = mixed(stream, window) % (last - length) + inside;
      const std::size_t n = std::min<std::size_t>(length - inside, count - i);
      std::memcpy(out.data() + i * size, scaled.data() + place * size, n * size);
      i += n;
    }
  }

 private:
  static constexpr std::size_t kTable = std::size_t{1} << 18U, kWindow = 251;

  double value(const Law& law, std::uint64_t bits) const {
    const double x = law.shape == Law::kNormal ? static_cast<double>(table_[bits % kTable])
                                               : static_cast<double>(bits >> 11U) * 0x1p-52 - 1;
    return law.mean + law.spread * x;
  }

  const std::vector<std::byte>& scaled_table(const Law& law, DType dtype) {
    std::vector<std::byte>& scaled = scaled_[{law.mean, law.spread, dtype}];
    if (scaled.empty()) {
      std::vector<float> values(table_);
      for (float& x : values) x = x * static_cast<float>(law.spread) + static_cast<float>(law.mean);
      scaled.resize(row_bytes(dtype, kTable));
      convert(values, dtype, scaled.data());
    }
    return scaled;
  }

  std::uint64_t seed_;
  std::vector<float> table_;
  std::map<std::tuple<double, double, DType>, std::vector<std::byte>>
      scaled_;  // by mean, spread and type
};

constexpr std::size_t kRandomPiece = std::size_t{1} << 20U;  // bytes made at a time

/// Gives each parameter memory on the backend and fills it.
class RandomBinder final : public ParamVisitor {
 public:
  RandomBinder(const ModelShape& shape, DType dtype, Backend& backend, Arena& arena,
               std::uint64_t seed)
      : shape_(shape), dtype_(dtype), backend_(backend), arena_(arena), weights_(seed) {}

  void visit(const Param& p, Tensor& t) override {
    const Law law = law_of(p, shape_);
    if (p.stored == Stored::kVector) return make_vector(p, law, t);
    const DType dtype = stored_type(p, dtype_);
    t = is_for_linear(p) ? arena_.make_packed(p.shape, dtype, p.input)
                         : arena_.make(p.shape, dtype);
    if (p.stored == Stored::kTransposed) return make_transposed(p, law, t);
    const std::int64_t rows = p.shape[0];
    const auto row = static_cast<std::int64_t>(row_bytes(dtype, p.shape[1]));
    constexpr std::int64_t kRows = Backend::kPackedRows;
    const std::int64_t step =
        std::max<std::int64_t>(1, static_cast<std::int64_t>(kRandomPiece) / row / kRows) * kRows;
    for (std::int64_t r = 0; r < rows; r += step) {
      const std::int64_t n = std::min(step, rows - r);
      bytes_.resize(static_cast<std::size_t>(n * row));
      weights_.fill(p, law, dtype, static_cast<std::uint64_t>(r * p.shape[1]), bytes_);
      backend_.put_rows(t, r, n, bytes_.data());
    }
  }

 private:
  // Rounded to `dtype` as in a file, held in the activation type as the loader does.
  void make_vector(const Param& p, const Law& law, Tensor& t) {
    const DType dtype = stored_type(p, dtype_);
    bytes_.resize(row_bytes(dtype, p.shape.numel()));
    weights_.fill(p, law, dtype, 0, bytes_);
    std::vector<float> narrow(static_cast<std::size_t>(p.shape.numel()));
    quant::dequantize(dtype, bytes_.data(), p.shape.numel(), narrow.data());
    t = arena_.make({p.shape.numel()}, backend_.activation_dtype());
    if (t.dtype == DType::kF32) return backend_.upload(t, narrow.data());
    backend_.upload(t, std::vector<double>(narrow.begin(), narrow.end()).data());
  }

  // A file has (…, in, out). Blocks lie along `in`, so their numbers are turned first.
  void make_transposed(const Param& p, const Law& law, const Tensor& t) {
    const DType stored = is_block(t.dtype) ? DType::kF16 : t.dtype;
    const std::size_t size = info(stored).block_bytes;
    const auto out = static_cast<std::size_t>(p.shape[p.shape.rank - 2]);
    const auto in = static_cast<std::size_t>(p.shape[p.shape.rank - 1]);
    bytes_.resize(row_bytes(stored, p.shape.numel()));
    weights_.fill(p, law, stored, 0, bytes_);
    std::vector<std::byte> turned(bytes_.size());
    for (std::size_t at = 0; at < bytes_.size(); at += out * in * size) {
      for (std::size_t o = 0; o < out; ++o) {
        for (std::size_t i = 0; i < in; ++i) {
          std::memcpy(&turned[at + (o * in + i) * size], &bytes_[at + (i * out + o) * size], size);
        }
      }
    }
    if (stored != t.dtype) {
      std::vector<float> values(static_cast<std::size_t>(p.shape.numel()));
      quant::dequantize(stored, turned.data(), p.shape.numel(), values.data());
      turned.resize(t.bytes());
      convert(values, t.dtype, turned.data());
    }
    if (t.layout != Layout::kRows)
      backend_.put_rows(t, 0, p.shape[0], turned.data());
    else
      backend_.upload(t, turned.data());
  }

  const ModelShape& shape_;
  DType dtype_;
  Backend& backend_;
  Arena& arena_;
  Weights weights_;
  std::vector<std::byte> bytes_;
};

}  // namespace

std::int64_t ModelShape::parameters() const {
  std::int64_t total = 0;
  for_each_param(*make_model(*this),
                 [&](const Param& p, const Tensor&) { total += p.shape.numel(); });
  return total;
}

std::size_t ModelShape::bytes(DType dtype) const {
  std::size_t total = 0;
  for_each_param(*make_model(*this), [&](const Param& p, const Tensor&) {
    total += row_bytes(stored_type(p, dtype), p.shape.numel());
  });
  return total;
}

ModelShape model_shape(const std::string& name) {
  ModelShape shape{.name = name, .dims = {}};
  for (const Released& r : released()) {
    if (r.name != name) continue;
    shape.generation = find_generation(r.generation);
    shape.dims = usual_dims(r.generation, r.L, r.C);
    if (!r.ranks.empty()) shape.dims.ranks = r.ranks;
  }
  if (shape.generation == nullptr) {
    const std::size_t colon = name.find(':');
    if (!name.starts_with("rwkv") || colon == name.npos) bad_shape(name, "");
    shape.generation = find_generation(name.substr(4, colon - 4));
    if (shape.generation == nullptr) bad_shape(name, "an unknown generation");
    shape.dims =
        parse_sizes(name, shape.generation->name, std::string_view(name).substr(colon + 1));
  }
  if (shape.dims.N > 0) shape.dims.H = shape.dims.A / shape.dims.N;
  return shape;
}

std::vector<std::string> model_shape_names() {
  std::vector<std::string> names;
  for (const Released& r : released()) names.emplace_back(r.name);
  return names;
}

LoadedModel random_model(const ModelShape& shape, DType dtype, Backend& backend,
                         std::uint64_t seed) {
  if (!is_block(dtype)) expect_weight_dtype(dtype);
  const std::size_t weights = shape.bytes(dtype), available = available_memory_bytes();
  const std::size_t planned = weights + weights / 20;  // state and activations
  if (available > 0 && planned > available) {
    constexpr double kGiB = 1U << 30U;
    throw Error(
        Code::kOutOfMemory,
        fmt::format("{} in {} does not fit this machine", shape.name, name_of(dtype)),
        {.expected =
             fmt::format("{:.2f} GiB of memory planned", static_cast<double>(planned) / kGiB),
         .found = fmt::format("{:.2f} GiB available", static_cast<double>(available) / kGiB),
         .hint = "take a smaller shape or a smaller type"});
  }
  LoadedModel m;
  m.model = make_model(shape);
  m.weights = std::make_unique<Arena>(backend, Arena::For::kWeights);
  RandomBinder binder(shape, dtype, backend, *m.weights, seed);
  m.model->visit(binder);
  backend.sync();
  m.fingerprint = fingerprint_of(*m.model, backend);
  return m;
}

void write_random_model(const ModelShape& shape, DType dtype, const std::string& path,
                        std::uint64_t seed, const WriteProgress& progress) {
  expect_weight_dtype(dtype);
  std::vector<Param> params;
  std::vector<TensorSpec> specs;
  for_each_param(*make_model(shape), [&](const Param& p, const Tensor&) {
    params.push_back(p);
    specs.push_back({p.name, dtype, blinkdl_shape(p, shape.dims)});
  });
  SafetensorsWriter out(
      path, specs,
      {{"format", "pt"},
       {"random_weights",
        fmt::format("{}{}, seed {}", shape.name,
                    shape.zeros > kZerosByChance ? fmt::format(" with {} zeros", shape.zeros) : "",
                    seed)}});
  Weights weights(seed);
  const std::size_t size = info(dtype).block_bytes, total = shape.bytes(dtype);
  std::size_t done = 0;
  std::vector<std::byte> piece;
  for (const Param& p : params) {
    const Law law = law_of(p, shape);
    const auto elements = static_cast<std::uint64_t>(p.shape.numel());
    for (std::uint64_t begin = 0; begin < elements; begin += kRandomPiece / size) {
      piece.resize(
          static_cast<std::size_t>(std::min<std::uint64_t>(kRandomPiece / size, elements - begin)) *
          size);
      weights.fill(p, law, dtype, begin, piece);
      out.write(piece);
      done += piece.size();
      if (progress && !progress(done, total))
        fail(Code::kCancelled, "{}: stopped, nothing was written", path);
    }
  }
  out.finish();
}

}  // namespace prwkv
