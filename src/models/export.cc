#include "models/export.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstring>
#include <exception>
#include <limits>
#include <map>
#include <mutex>
#include <set>

#include "base/thread_pool.h"
#include "formats/writer.h"
#include "models/gguf_metadata.h"
#include "quant/blocks.h"

namespace prwkv {
namespace {

/// What a format is called, and what it asks of element types.
struct Policy {
  WeightFormat format;
  std::string_view name;
  std::vector<std::string_view> extensions;
  std::vector<std::string_view> generations;  ///< that its programs know; empty: all
  bool (*stores)(DType);
  bool small_in_f32;     ///< vectors, and low-rank parts unless they are asked for in another type
  bool pairs_in_blocks;  ///< low-rank pairs may have a block type
  bool ends_are_plain;   ///< embedding and head have no block type
  std::string_view types;  ///< the end of "expected", in a refusal …
  std::string_view hint;   ///< … and what to do about it
};
const Policy& policy_of(WeightFormat format) {
  static const std::array<Policy, 4> kPolicies = {{
      {WeightFormat::kSafetensors,
       "safetensors",
       {".safetensors"},
       {},
       &SafetensorsWriter::stores,
       false,
       false,
       false,
       "a plain type: f64, f32, f16, bf16",
       "block types are for .gguf and .bin files; or give --dtype f16, bf16 or f32"},
      {WeightFormat::kPth,
       "PyTorch",
       {".pth", ".pt"},
       {},
       &PthWriter::stores,
       false,
       false,
       false,
       "a plain type: f64, f32, f16, bf16",
       "block types are for .gguf and .bin files; or give --dtype f16, bf16 or f32"},
      {WeightFormat::kGguf,
       "GGUF",
       {".gguf"},
       {"6", "7"},
       // What the format has a number for and llama.cpp computes with.
       [](DType dtype) { return GgufWriter::stores(dtype) && dtype != DType::kF64; },
       true,
       true,
       false,
       "f32, f16, bf16 or a block type",
       "give --dtype"},
      {WeightFormat::kRwkvCpp,
       "rwkv.cpp",
       {".bin"},
       {"4", "5.0", "5.2", "6", "7"},
       &RwkvCppWriter::stores,
       true,
       false,
       true,
       "f32, f16, or a block type from q4_0 to q6_k",
       "give --dtype f16 or f32"},
  }};
  return kPolicies[static_cast<std::size_t>(format)];
}
constexpr std::array<WeightFormat, 4> kFormats = {WeightFormat::kSafetensors, WeightFormat::kPth,
                                                  WeightFormat::kGguf, WeightFormat::kRwkvCpp};

std::unique_ptr<Model> model_of(const Checkpoint& file, const Detected& found) {
  if (found.generation == nullptr) {
    throw Error(Code::kUnsupported, file.path() + ": holds no RWKV of a generation known here",
                {.hint = "'prwkv inspect' shows what it holds"});
  }
  return found.generation->make(found.dims);
}

[[noreturn]] void refuse(const Checkpoint& file, std::string_view kind,
                         std::string_view generation) {
  throw Error(Code::kUnsupported,
              fmt::format("{}: there are no {} of RWKV-{}", file.path(), kind, generation),
              {.hint = "write .safetensors or .pth with BlinkDL's names"});
}

// The table for the names of the new file.
const Naming& naming_for(const Checkpoint& file, const Detected& found,
                         const ExportOptions& options) {
  const std::string_view generation = found.generation->name;
  const Policy& policy = policy_of(options.format);
  if (!policy.generations.empty() && std::find(policy.generations.begin(), policy.generations.end(),
                                               generation) == policy.generations.end())
    refuse(file, fmt::format("{} files", policy.name), generation);
  std::vector<std::string_view> names = {"fla", "hf"};  // 6 has both
  if (options.names == ExportNames::kBlinkdl) names = {"blinkdl"};
  if (options.format == WeightFormat::kGguf) names = {"gguf"};
  if (options.format == WeightFormat::kRwkvCpp) names = {"rwkv.cpp"};
  for (const std::string_view name : names) {
    if (const Naming* naming = find_naming(name, generation)) return *naming;
  }
  refuse(file, "Hugging Face names", generation);
}

constexpr std::int64_t kPieceElements = std::int64_t{1} << 16;  // converted by one thread at a time
constexpr std::int64_t kBatchPieces = 32;                       // converted before they are written
// Copied at a time: still in L2 when it is written.
constexpr std::size_t kCopiedBytes = std::size_t{256} << 10;

/// Whether the stored bytes are what the new file wants, in one run.
bool is_copied(const Source& s, DType to) { return s.dtype == to && s.is_raw() && s.is_dense(); }

/// Values that would become infinite on the way, or that no block can hold.
template <class T>
void expect_finite(const std::string& source, const TensorSpec& t, const std::vector<T>& values,
                   double largest) {
  for (const T value : values) {
    if (std::abs(value) <= largest) continue;
    const bool finite = std::isfinite(value);
    if (finite || is_block(t.dtype)) {
      throw Error(Code::kUnsupported,
                  fmt::format("{}: tensor '{}' has values that {} cannot hold", source, t.name,
                              name_of(t.dtype)),
                  {.expected = finite ? fmt::format("at most {}", largest) : "finite numbers",
                   .found = fmt::format("{}", value),
                   .hint = finite ? "give --dtype f32, or bf16" : "is the file damaged?"});
    }
  }
}

/// Block types have scales in f16.
double largest_of(DType dtype) {
  constexpr double kLargestF16 = 65504, kLargestBF16 = 0x1.FEp127;
  if (dtype == DType::kBF16) return kLargestBF16;
  return dtype == DType::kF32 ? std::numeric_limits<float>::max() : kLargestF16;
}

/// What changes values on the way; empty for most.
using Adjust = std::function<void(std::int64_t first, std::span<float> values)>;

/// Elements [first, first + n) of a view in another type.
void convert(const std::string& source, const TensorSpec& t, const Source& from,
             const Adjust& adjust, std::int64_t first, std::int64_t n, std::byte* to) {
  SourceReader reader(from);
  if (adjust) {
    std::vector<float> values(static_cast<std::size_t>(n));
    reader.read(first, values);
    adjust(first, values);
    if (t.dtype != DType::kF32) expect_finite(source, t, values, largest_of(t.dtype));
    quant::quantize(t.dtype, values.data(), n, to);
    return;
  }
  if (from.dtype == t.dtype && from.is_raw() && !is_block(t.dtype))
    return reader.copy(first, {to, row_bytes(t.dtype, n)});
  if (t.dtype == DType::kF64) {
    std::vector<double> values(static_cast<std::size_t>(n));
    reader.read(first, values);
    std::memcpy(to, values.data(), values.size() * sizeof(double));
    return;
  }
  if (from.dtype == DType::kF64) {
    std::vector<double> values(static_cast<std::size_t>(n));
    SourceReader(from).read(first, values);
    expect_finite(source, t, values, largest_of(t.dtype));
  }
  std::vector<float> values(static_cast<std::size_t>(n));
  reader.read(first, values);
  if (t.dtype != DType::kF32) expect_finite(source, t, values, largest_of(t.dtype));
  quant::quantize(t.dtype, values.data(), n, to);
}

/// Streams sources into a writer, with the threads of a pool where values change.
class Stream {
 public:
  Stream(Writer& out, const Reader& source, const std::string& path, std::uint64_t total,
         const ExportProgress& progress)
      : out_(out), source_(source), path_(path), total_(total), progress_(progress) {}

  void write(const TensorSpec& t, const Source& from, const Adjust& adjust) {
    if (!adjust && is_copied(from, t.dtype))
      copy(from.dense_bytes());
    else
      convert_all(t, from, adjust);
    source_.done_with(from.bytes);
  }

 private:
  void copy(std::span<const std::byte> bytes) {
    for (std::size_t at = 0; at < bytes.size(); at += kCopiedBytes) {
      const auto rest = bytes.subspan(at), piece = rest.first(std::min(rest.size(), kCopiedBytes));
      buffer_.resize(piece.size());
      source_.read(piece, buffer_);
      put(buffer_);
    }
  }

  void convert_all(const TensorSpec& t, const Source& from, const Adjust& adjust) {
    const std::int64_t all = from.numel(), batch = kBatchPieces * kPieceElements;
    for (std::int64_t begin = 0; begin < all; begin += batch) {
      const std::int64_t n = std::min(batch, all - begin);
      buffer_.resize(row_bytes(t.dtype, n));
      pool_.parallel_for(n, kPieceElements, [&](std::int64_t first, std::int64_t last) {
        try {
          convert(source_.path(), t, from, adjust, begin + first, last - first,
                  buffer_.data() + row_bytes(t.dtype, first));
        } catch (...) {
          const std::lock_guard lock(mutex_);
          error_ = std::current_exception();
        }
      });
      if (error_) std::rethrow_exception(error_);
      put(buffer_);
      if (from.is_dense()) {
        source_.done_with(
            from.dense_bytes().subspan(row_bytes(from.dtype, begin), row_bytes(from.dtype, n)));
      }
    }
  }

  void put(std::span<const std::byte> bytes) {
    out_.write(bytes);
    done_ += bytes.size();
    if (progress_ && !progress_(done_, total_))
      fail(Code::kCancelled, "{}: stopped, nothing was written", path_);
  }

  Writer& out_;
  const Reader& source_;
  const std::string& path_;
  std::uint64_t done_ = 0, total_;
  const ExportProgress& progress_;
  ThreadPool pool_;
  std::vector<std::byte> buffer_;
  std::mutex mutex_;
  std::exception_ptr error_;
};

}  // namespace

std::string_view name_of(WeightFormat format) { return policy_of(format).name; }

std::optional<WeightFormat> weight_format_of(std::string_view name) {
  std::string path(name);
  std::transform(path.begin(), path.end(), path.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const WeightFormat format : kFormats) {
    for (const std::string_view extension : policy_of(format).extensions) {
      if (path.ends_with(extension)) return format;
    }
  }
  return std::nullopt;
}

Export::Export(const Checkpoint& file, const ExportOptions& options)
    : file_(file), options_(options), model_(detect(file)) {
  const std::unique_ptr<Model> model = model_of(file, model_);
  card_ = model_card(file.reader());
  vocabulary_ = vocabulary_file_of(file, model_.dims.V);
  eps_ = norm_eps_of(file, model_);
  // A file that is divided stays so: its blocks then keep their bytes.
  if (options.format == WeightFormat::kGguf) rescale_ = file.rescale_every_n_layers();
  named_ = named_tensors(naming_for(file, model_, options), *model,
                         [&](const Param& p) -> const Source& { return source_of(p); },
                         {.rescale_every_n_layers = rescale_});
  add_unlisted(*model);
  if (options.dtype) expect_storable("matrices", *options.dtype);
  for (const NamedTensor& t : named_) {
    specs_.push_back({t.name, type_of(t), t.shape});
    expect_storable(fmt::format("tensor '{}'", t.name), specs_.back().dtype);
  }
  check_eps();
  note_what_is_lost();
}

Export::~Export() = default;

const Source& Export::source_of(const Param& p) const {
  const auto at = options_.replaced.find(p.name);
  return at != options_.replaced.end() ? at->second : file_.parameter(p, model_.dims);
}

// BlinkDL's files may hold more than the model has: block 0 of RWKV-7 comes with three tensors that
// nothing reads. BlinkDL's names have a place for them, the others do not.
void Export::add_unlisted(Model& model) {
  std::set<std::string> listed;
  for_each_param(model, [&](const Param& p, const Tensor&) { listed.insert(p.name); });
  const bool kept =
      (options_.format == WeightFormat::kSafetensors || options_.format == WeightFormat::kPth) &&
      options_.names == ExportNames::kBlinkdl;
  for (const auto& [name, source] : file_.sources()) {
    if (listed.contains(name)) continue;
    if (!kept) {
      left_out_.push_back(name);
      continue;
    }
    named_.push_back({.name = name,
                      .shape = source.shape(),
                      .parts = {source},
                      .param = {.name = name, .shape = {}, .layer = -1}});
  }
}

HfFacts Export::hf_facts() const {
  return {.generation = model_.generation->name,
          .dims = model_.dims,
          .dtype = main_dtype(),
          .eps = eps_,
          .card = card_,
          .vocabulary = vocabulary_ ? &*vocabulary_ : nullptr};
}

std::vector<HfFile> Export::hf_files() const { return prwkv::hf_files(hf_facts()); }

// A constant that the new file cannot state would be another one when it is read.
void Export::check_eps() {
  NormEps stated;
  const bool is_gguf = options_.format == WeightFormat::kGguf;
  if (is_gguf || options_.in_hf_folder) stated.layer_norm = eps_.layer_norm;
  // transformers' RWKV-4 gives its last norm 1e-5 in any case; the others have one constant for all.
  if (stated.layer_norm == eps_.layer_norm && (is_gguf || model_.generation->name >= "6"))
    stated.ln_out = stated.layer_norm;
  if (options_.format == WeightFormat::kSafetensors && !options_.in_hf_folder) stated = eps_;
  const auto expect = [&](std::string_view norms, double can, double is) {
    if (can == is) return;
    throw Error(
        Code::kUnsupported,
        fmt::format("{}: {} have an eps that the new file cannot state", file_.path(), norms),
        {.expected = fmt::format("{}", can),
         .found = fmt::format("{}", is),
         .hint = "write .safetensors, which can"});
  };
  expect("the layer norms", stated.layer_norm, eps_.layer_norm);
  expect("the values of ln_out", stated.ln_out, eps_.ln_out);

  if (model_.generation->name < "5") return;
  const std::string needs = fmt::format("the eps of ln_x, {}", eps_.group_norm);
  if (is_gguf && eps_.group_norm != kBlinkdlEps.group_norm)
    not_carried_.push_back(needs + ", to llama.cpp, which does not read it");
  if (options_.in_hf_folder && model_.generation->name >= "6") {
    const double fla = fla_group_norm_eps(hf_facts());
    if (fla != eps_.group_norm)
      not_carried_.push_back(fmt::format("{}, to programs that compute with {}", needs, fla));
  }
  const bool says_nothing =
      options_.format == WeightFormat::kPth || options_.format == WeightFormat::kRwkvCpp;
  if (says_nothing && eps_.group_norm != kBlinkdlEps.group_norm)
    not_carried_.push_back(fmt::format("{}: run with --groupnorm-eps {}", needs, eps_.group_norm));
}

void Export::note_what_is_lost() {
  const bool is_gguf = options_.format == WeightFormat::kGguf;
  const bool has_metadata = is_gguf || options_.format == WeightFormat::kSafetensors;
  for (const auto& [key, value] : card_) {
    if (!has_metadata || (is_gguf && key != kChatTemplate && !is_gguf_key(key)))
      not_carried_.push_back(key);
  }
  if (is_gguf) return;  // another GGUF file's metadata are taken over whole
  const bool is_usual = !vocabulary_ || vocabulary_->name == Tokenizer::default_name(model_.dims.V);
  if (!options_.in_hf_folder && !is_usual)
    not_carried_.push_back(fmt::format("the vocabulary ({})", vocabulary_->name));
  for (const NamedValue& v : file_.reader().values()) {
    // Sizes show in the tensors; the card and the vocabulary have been seen to.
    const bool is_scalar = v.value.type() != ValueType::kArray;
    const bool is_limit = v.key.ends_with(".context_length") &&
                          v.value.integer() != std::int64_t{kUsualContextLength};
    if ((v.key.starts_with("rwkv") && !is_limit) || v.key.starts_with("tokenizer.") ||
        v.key.starts_with("split."))
      continue;
    if (v.key.starts_with("general.") && is_scalar) continue;
    not_carried_.emplace_back(v.key);
  }
}

DType Export::kept_type_of(const NamedTensor& t) const {
  const DType stored = t.parts.front().dtype;
  const bool same = std::all_of(t.parts.begin(), t.parts.end(), [&](const Source& s) {
    return s.dtype == stored && (!is_block(stored) || is_copied(s, stored));
  });
  // Nothing but plain numbers can be put in another order.
  return same ? stored : DType::kF32;
}

DType Export::type_of(const NamedTensor& t) {
  const Policy& policy = policy_of(options_.format);
  const DType kept = kept_type_of(t);
  if (!is_float(kept) && !is_block(kept)) return kept;
  const auto own = options_.dtype_of ? options_.dtype_of(t.param) : std::nullopt;
  const bool is_pair = is_low_rank(t.param) && policy.pairs_in_blocks && own;
  if (policy.small_in_f32 && t.param.stored != Stored::kMatrix && !is_pair) return DType::kF32;
  if (!own && !options_.dtype) return kept;
  const DType wanted = own.value_or(options_.dtype.value_or(kept));
  const DType dtype = is_block(wanted) ? fitting_block(t, wanted, kept) : wanted;
  if (dtype != wanted) ++stand_ins_[dtype];
  return dtype;
}

DType Export::fitting_block(const NamedTensor& t, DType wanted, DType kept) const {
  const Policy& policy = policy_of(options_.format);
  if (policy.ends_are_plain && t.param.layer < 0) return kept == DType::kF32 ? kept : DType::kF16;
  // Tensors that nothing reads may be scalars.
  const DType fitting = quant::fitting(wanted, t.shape.empty() ? 1 : t.shape.back());
  // rwkv.cpp knows no IQ4_NL; Q4_0 has its size.
  const bool unknown = fitting != wanted && !policy.stores(fitting);
  return unknown && fitting == DType::kIQ4_NL ? DType::kQ4_0 : fitting;
}

void Export::expect_storable(std::string_view what, DType dtype) const {
  const Policy& policy = policy_of(options_.format);
  if (policy.stores(dtype)) return;
  throw Error(Code::kUnsupported,
              fmt::format("{}: {} cannot be stored in a {} file as {}", file_.path(), what,
                          policy.name, name_of(dtype)),
              {.expected = std::string(policy.types),
               .found = std::string(name_of(dtype)),
               .hint = std::string(policy.hint)});
}

std::uint64_t Export::bytes() const {
  std::uint64_t total = 0;
  for (const TensorSpec& t : specs_) total += t.byte_count();
  return total;
}

DType Export::main_dtype() const {
  std::map<DType, std::int64_t> elements;
  for (const TensorSpec& t : specs_) elements[t.dtype] += t.numel();
  return std::max_element(elements.begin(), elements.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

std::unique_ptr<Writer> Export::open(const std::string& path) const {
  const Dims& d = model_.dims;
  switch (options_.format) {
    case WeightFormat::kSafetensors: {
      ModelCard metadata = card_;
      metadata["format"] = "pt";  // transformers asks for it
      if (!options_.in_hf_folder && eps_ != kBlinkdlEps) {
        metadata[kLayerNormKey] = fmt::format("{}", eps_.layer_norm);
        metadata[kLnOutKey] = fmt::format("{}", eps_.ln_out);
        metadata[kGroupNormKey] = fmt::format("{}", eps_.group_norm);
      }
      return std::make_unique<SafetensorsWriter>(path, specs_, metadata);
    }
    case WeightFormat::kPth: return std::make_unique<PthWriter>(path, specs_);
    case WeightFormat::kGguf:
      return std::make_unique<GgufWriter>(
          path, specs_,
          gguf_metadata({.generation = model_.generation->name,
                         .dims = d,
                         .dtype = main_dtype(),
                         .rescale_every_n_layers = rescale_,
                         .eps = eps_,
                         .card = card_,
                         .vocabulary = vocabulary_ ? &*vocabulary_ : nullptr,
                         .source = file_.reader()}));
    case WeightFormat::kRwkvCpp:
      return std::make_unique<RwkvCppWriter>(
          path, specs_,
          RwkvCppWriter::Header{
              .n_vocab = d.V, .n_embed = d.C, .n_layer = d.L, .dtype = main_dtype()});
  }
  fail(Code::kInternal, "unknown weight format");
}

void Export::write(const std::string& path, const ExportProgress& progress) const {
  const std::unique_ptr<Writer> out = open(path);
  Stream stream(*out, file_.reader(), path, bytes(), progress);
  for (std::size_t i = 0; i < named_.size(); ++i) {
    const Param& p = named_[i].param;
    Adjust adjust;
    if (options_.adjusts && options_.adjusts(p)) {
      adjust = [&](std::int64_t first, std::span<float> values) {
        options_.adjust(p, first, values);
      };
    }
    for (const Source& part : named_[i].parts) stream.write(specs_[i], part, adjust);
  }
  out->finish();
}

}  // namespace prwkv
