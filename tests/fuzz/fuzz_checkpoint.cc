/// Fuzz target for what stands above the readers: namings, generations, config.json, tokenizers, model cards,
/// exports, loading and one forward pass.
///
/// The input is a list of parts, with the byte 1e between them. The first one makes a model: each character is a
/// choice, and the names and shapes are those that this model has in the naming chosen. The others begin with a
/// letter that says what follows:
///   e    edits of the tensors, one a line (see edit)
///   k    metadata, one a line: a type, then "KEY VALUE" (see metadata_entry)
///   c g t j v    config.json, generation_config.json, tokenizer_config.json, tokenizer.json, the vocabulary
/// All of it becomes a folder, which may be refused only by prwkv::Error.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/test_folder.h"
#include "formats/byte_builder.h"
#include "formats/test_files.h"
#include "formats/writer.h"
#include "models/diff.h"
#include "models/export.h"
#include "models/gguf_metadata.h"
#include "models/model_tokenizer.h"
#include "runtime/engine.h"

namespace prwkv::testing {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// What stands before the next `end`, which is taken off as well.
std::string_view take_until(std::string_view& text, char end) {
  const std::string_view first = text.substr(0, text.find(end));
  text.remove_prefix(std::min(first.size() + 1, text.size()));
  return first;
}

/// '0' is 0, '1' is 1, and every other byte something too.
std::size_t choice(char c, std::size_t count) {
  return static_cast<std::size_t>(static_cast<unsigned char>(c - '0')) % count;
}

/// Characters one by one, '0' after their end.
class Choices {
 public:
  explicit Choices(std::string_view text) : text_(text) {}
  std::size_t below(std::size_t count) {
    if (text_.empty()) return 0;
    const char first = text_.front();
    text_.remove_prefix(1);
    return choice(first, count);
  }
  template <class T, std::size_t n>
  const T& of(const std::array<T, n>& items) {
    return items[below(n)];
  }
  DType dtype() { return dtypes()[(below(dtypes().size()) + 1) % dtypes().size()].dtype; }
  /// One that may be asked for; no block type for a large file, since quantizing takes longer than all the rest.
  std::optional<DType> maybe_wanted(bool is_large) {
    const std::size_t n = below(dtypes().size() + 1);
    if (n == 0) return std::nullopt;
    const DType dtype = dtypes()[n - 1].dtype;
    return is_float(dtype) || (is_block(dtype) && !is_large) ? std::optional(dtype) : std::nullopt;
  }

 private:
  std::string_view text_;
};

std::vector<std::int64_t> integers_in(std::string_view text) {
  std::vector<std::int64_t> numbers;
  while (!text.empty()) {
    const std::string_view word = take_until(text, ' ');
    std::int64_t n = 0;
    std::from_chars(word.data(), word.data() + word.size(), n);
    numbers.push_back(n);
  }
  return numbers;
}

// ---- a file

struct File {
  WeightFormat format = WeightFormat::kSafetensors;
  Dims dims;
  std::vector<TensorSpec> tensors;
  std::vector<GgufEntry> values;
  std::map<std::string, std::string> metadata;
  std::size_t contents = 0;
};

constexpr std::array kFormats = {WeightFormat::kSafetensors, WeightFormat::kGguf,
                                 WeightFormat::kRwkvCpp, WeightFormat::kPth};
constexpr std::array<std::string_view, 6> kNamings = {"blinkdl", "gguf", "rwkv.cpp",
                                                      "hf",      "fla",  "port"};

Dims dims_of(Choices& choose, std::string_view generation) {
  constexpr std::array<std::int64_t, 3> kLayers = {2, 1, 3};
  constexpr std::array<std::int64_t, 8> kChannels = {8, 32, 4, 1, 3, 256, 64, 16};
  constexpr std::array<std::int64_t, 6> kHeadSizes = {4, 8, 1, 2, 3, 32};
  constexpr std::array<std::int64_t, 4> kHeads = {2, 1, 4, 3};
  constexpr std::array<std::int64_t, 6> kWidths = {8, 4, 1, 32, 256, 3};
  constexpr std::array<std::int64_t, 5> kRows = {7, 1, 32, 256, 300};
  constexpr std::array<std::int64_t, 4> kRanks = {2, 1, 4, 32};
  Dims d{.L = choose.of(kLayers), .C = choose.of(kChannels), .ranks = {}};
  d.N = choose.of(kHeadSizes), d.H = choose.of(kHeads);
  d.A = d.H * d.N;
  d.F = choose.of(kWidths), d.V = choose.of(kRows);
  const std::int64_t rank = choose.of(kRanks);
  if (generation.starts_with('4')) d.H = d.N = 0;
  if (generation == "4a") d.tiny_layer = static_cast<int>(d.L - 1), d.ranks = {{"tiny", rank}};
  if (generation.starts_with('5')) d.time_first = choose.below(2) == (generation != "5.0");
  if (generation == "6") d.ranks = {{"mix", rank}, {"decay", rank}};
  if (generation == "7") d.ranks = {{"w", rank}, {"a", rank}, {"v", rank}, {"g", rank}};
  return d;
}

/// A model as the naming has it, without values.
File file_of(Choices& choose) {
  File file;
  file.format = choose.of(kFormats);
  const Generation& generation = generations()[choose.below(generations().size())];
  const Naming* naming = find_naming(choose.of(kNamings), generation.name);
  if (naming == nullptr) naming = find_naming("blinkdl", generation.name);
  file.dims = dims_of(choose, generation.name);
  const DType matrices = choose.dtype(), vectors = choose.dtype();
  file.contents = choose.below(4);

  if (const std::string architecture = gguf_architecture(generation.name); !architecture.empty()) {
    file.values = {{"general.architecture", architecture},
                   {architecture + ".wkv.head_size", static_cast<std::uint32_t>(file.dims.N)}};
  }

  const auto model = generation.make(file.dims);
  std::map<std::string, Source, std::less<>> sources;
  for_each_param(*model, [&](const Param& p, const Tensor&) {
    sources.emplace(p.name, Source::of("", DType::kF32, {}, blinkdl_shape(p, file.dims)));
  });
  const auto source_of = [&](const Param& p) -> const Source& {
    return sources.find(p.name)->second;
  };
  for (const NamedTensor& t : named_tensors(*naming, *model, source_of)) {
    DType dtype = t.param.stored == Stored::kMatrix ? matrices : vectors;
    if (!t.shape.empty() && !fits(dtype, t.shape.back())) dtype = DType::kF32;
    file.tensors.push_back({t.name, dtype, t.shape});
  }
  return file;
}

/// One line: what to do, to which tensor (a number in one character, or "@", a part of a name and a space), and with
/// what.
void edit(File& file, std::string_view line) {
  if (line.size() < 2) return;
  const char what = line[0], which = line[1];
  std::string_view rest = line.substr(2);
  auto& all = file.tensors;
  if (what == 'a') {  // add "NAME SIZE SIZE …" of type `which`
    const DType dtype = Choices(line.substr(1)).dtype();
    const std::string_view name = take_until(rest, ' ');
    all.push_back({std::string(name), dtype, integers_in(rest)});
    return;
  }
  if (what == 'p') {  // put in front of all names
    for (TensorSpec& t : all) t.name.insert(0, line.substr(1));
    return;
  }
  if (all.empty()) return;
  std::size_t place = choice(which, all.size());
  if (which == '@') {
    const std::string_view part = take_until(rest, ' ');
    place = 0;
    while (place + 1 < all.size() && all[place].name.find(part) == std::string::npos) ++place;
  }
  TensorSpec& t = all[place];
  switch (what) {
    case 'n': t.name = rest; break;
    case 'N': t.name += rest; break;
    case 'b':  // another block
      if (const NumberedName parts = numbered(t.name); !parts.number.empty())
        t.name.replace(parts.name.find('#'), parts.number.size(), rest);
      break;
    case 's': t.shape = integers_in(rest); break;
    case 'S':  // the same in all tensors like this one
      for (TensorSpec& other : all) {
        if (&other != &t && numbered(other.name).name == numbered(t.name).name)
          other.shape = integers_in(rest);
      }
      t.shape = integers_in(rest);
      break;
    case 't': t.dtype = Choices(rest).dtype(); break;
    case 'r': std::reverse(t.shape.begin(), t.shape.end()); break;
    case '1': t.shape.insert(t.shape.begin(), 1); break;
    case 'q': std::erase(t.shape, 1); break;
    case 'x': all.erase(all.begin() + static_cast<std::ptrdiff_t>(place)); break;
    case 'X': all.resize(place); break;
    default: break;
  }
}

double number_in(std::string_view text) {
  double n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

/// "tKEY TEXT"; of numbers "uKEY 1" (u32), "i" (i64), "f", "d" (f32, f64), "b" (truth value); of lists with commas
/// "TKEY A,B", "IKEY 1,2".
void metadata_entry(File& file, std::string_view line) {
  if (line.empty()) return;
  const char type = line[0];
  line.remove_prefix(1);
  const std::string key(take_until(line, ' '));
  file.metadata[key] = line;
  const auto raw = [&]<class T>(ValueType value_type, T value) {
    return GgufRaw{value_type, ByteBuilder().put<T>(value).bytes()};
  };
  const auto integer = [&] {
    const auto all = integers_in(line);
    return all.empty() ? 0 : all[0];
  };
  GgufContent value = std::string(line);
  switch (type) {
    case 'u': value = static_cast<std::uint32_t>(integer()); break;
    case 'i': value = raw(ValueType::kI64, integer()); break;
    case 'f': value = static_cast<float>(std::clamp(number_in(line), -3e38, 3e38)); break;
    case 'd': value = raw(ValueType::kF64, number_in(line)); break;
    case 'b': value = line == "1"; break;
    case 'T': {
      std::vector<std::string> items;
      while (!line.empty()) items.emplace_back(take_until(line, ','));
      value = std::move(items);
      break;
    }
    case 'I': {
      std::vector<std::int32_t> items;
      while (!line.empty())
        items.push_back(static_cast<std::int32_t>(number_in(take_until(line, ',').substr(0, 6))));
      value = std::move(items);
      break;
    }
    default: break;
  }
  std::erase_if(file.values, [&](const GgufEntry& e) { return e.key == key; });
  file.values.push_back({key, std::move(value)});
}

Bytes contents_of(const File& file, std::size_t size) {
  Bytes bytes(size);
  constexpr std::byte kOnes{0xff};  // NaN
  // 0.5 to 2 in f32; something of the kind in f16 and bf16
  constexpr std::array<std::uint32_t, 5> kUsual = {0x3f003f00, 0xbe803e80, 0x3f803d80, 0x40003e00,
                                                   0xbf00bf00};
  if (file.contents == 0) {
    for (std::size_t i = 0; i < size; ++i)
      bytes[i] = static_cast<std::byte>(kUsual[i / 4 % kUsual.size()] >> 8 * (i % 4));
  } else if (file.contents == 1) {
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 37 >> 3);
  } else if (file.contents == 2) {
    std::fill(bytes.begin(), bytes.end(), kOnes);
  }
  return bytes;
}

std::unique_ptr<Writer> writer_of(const File& f, const std::string& path) {
  switch (f.format) {
    case WeightFormat::kGguf: return std::make_unique<GgufWriter>(path, f.tensors, f.values);
    case WeightFormat::kRwkvCpp:
      return std::make_unique<RwkvCppWriter>(
          path, f.tensors,
          RwkvCppWriter::Header{.n_vocab = f.dims.V, .n_embed = f.dims.C, .n_layer = f.dims.L});
    case WeightFormat::kPth: return std::make_unique<PthWriter>(path, f.tensors);
    case WeightFormat::kSafetensors: break;
  }
  return std::make_unique<SafetensorsWriter>(path, f.tensors, f.metadata);
}

/// False for what no writer puts down: the readers' own fuzz targets have such files.
bool write(const File& file, const std::string& path) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{256} << 10;
  try {
    std::uint64_t size = 0;
    for (const TensorSpec& t : file.tensors) {
      t.check(path);
      size += t.byte_count();
      if (t.byte_count() > kMostBytes || size > kMostBytes) return false;
    }
    const auto out = writer_of(file, path);
    out->write(contents_of(file, size));
    out->finish();
  } catch (const Error&) {
    return false;
  }
  return true;
}

class Folder {
 public:
  Folder() { std::filesystem::create_directory(folder_ / "out"); }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }

  void put(char kind, std::string_view text) {
    if (const char* name = name_of(kind)) {
      std::ofstream(path(name), std::ios::binary) << text;
      there_.push_back(path(name));
    }
  }
  void clear() {
    for (const std::string& name : there_) std::filesystem::remove(name);
    there_.clear();
  }

 private:
  static const char* name_of(char kind) {
    switch (kind) {
      case 'c': return "config.json";
      case 'g': return "generation_config.json";
      case 't': return "tokenizer_config.json";
      case 'j': return "tokenizer.json";
      case 'v': return "rwkv_vocab_v20230424.txt";
      default: return nullptr;
    }
  }
  TemporaryFolder folder_;
  std::vector<std::string> there_;
};

// ---- what is done with it

/// Runs `action`, which may refuse: with a message that is fit for a terminal, and no bug of the library's own.
template <class Action>
void may_refuse(const Action& action, std::string_view begin = "") {
  try {
    action();
  } catch (const Error& e) {
    const std::string_view message = e.what();
    require(e.code() != Code::kInternal && message.starts_with(begin));
    require(std::all_of(message.begin(), message.end(), [](char c) {
      return c == '\n' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f');
    }));
  }
}

void check_dims(const Detected& found) {
  if (found.generation == nullptr) return;
  const Dims& d = found.dims;
  require(d.L > 0 && d.C > 0 && d.A > 0 && d.F > 0 && d.V > 0);
  require(found.generation->name.starts_with('4') || (d.H > 0 && d.N > 0 && d.H * d.N == d.A));
}

void check_export(const Checkpoint& file, const ExportOptions& options, const Folder& folder) {
  const Export plan(file, options);
  const std::string path = folder.path("out/model");
  plan.write(path);
  // What the library writes, it reads.
  const auto reader = open_weights(path);
  require(reader->tensors().size() == plan.tensors().size());
  for (const HfFile& f : plan.hf_files()) {
    constexpr std::size_t kVocabulary = 1 << 16;  // that of the library itself
    if (f.name.ends_with(".json") && f.content.size() < kVocabulary) parse_json(f.content, f.name);
  }
}

void check_tokenizer(const Checkpoint& file, std::int64_t rows) {
  const auto tokenizer = tokenizer_of(file, rows);
  if (tokenizer == nullptr) return;
  const auto ids = tokenizer->encode("Hello  w\xc3\xb6rld\n", false);
  for (const std::int32_t id : ids) require(id >= 0 && id < tokenizer->vocab_size());
  [[maybe_unused]] const std::string text = tokenizer->decode(ids);
}

void check_pass(const std::string& path, std::unique_ptr<Backend> backend,
                const LoadOptions& options) {
  LoadedModel model = load_model(path, *backend, options);
  const EngineOptions engine_options{.backend = {}, .load = {}, .chunk_rows = 4, .tokenizer = {}};
  const auto engine =
      std::make_shared<Engine>(std::move(backend), std::move(model), engine_options);
  Session session = engine->session();
  const std::array<std::int32_t, 3> ids = {0, static_cast<std::int32_t>(engine->info().dims.V - 1),
                                           0};
  session.feed(ids);
  require(std::ssize(session.logits()) == engine->info().dims.V);
}

void check(const std::string& path, Choices& choose, const Folder& folder) {
  constexpr std::uintmax_t kLarge = std::uintmax_t{48} << 10;
  const bool is_large = std::filesystem::file_size(path) > kLarge;
  const ExportOptions options{
      .format = choose.of(kFormats),
      .names = choose.below(2) == 0 ? ExportNames::kBlinkdl : ExportNames::kHuggingFace,
      .dtype = choose.maybe_wanted(is_large)};
  // None for which the library makes one of its own vocabularies: that would take most of the time.
  constexpr std::array<std::int64_t, 5> kRows = {7, 300, 256, 2, 1000};
  const std::int64_t rows = choose.of(kRows);
  const std::string begin = folder.path("");
  may_refuse(
      [&] {
        const Checkpoint file(path);
        may_refuse([&] { check_dims(detect(file)); }, begin);
        may_refuse([&] { (void)model_card(file.reader()); }, begin);
        may_refuse([&] { check_tokenizer(file, rows); }, begin);
        may_refuse([&] { check_export(file, options, folder); });
        for (const TensorDifference& d : diff(file, file)) require(!d.compared || d.differing == 0);
      },
      begin);
  const bool reference = choose.below(2) == 1;
  const DType activations = choose.below(2) == 0 ? DType::kF32 : DType::kF64;
  const LoadOptions load{.dtype = choose.maybe_wanted(is_large), .groupnorm_eps = {}};
  may_refuse([&] {
    check_pass(
        path,
        make_backend(
            {.name = reference ? "ref" : "cpu", .dtype = activations, .threads = 1, .isa = {}}),
        load);
  });
}

/// Memory, where there is such a folder: a disk would be what is tested.
bool use_memory() {
  std::error_code ignored;
  if (std::filesystem::is_directory("/dev/shm", ignored)) ::setenv("TMPDIR", "/dev/shm", 0);
  return true;
}

}  // namespace
}  // namespace prwkv::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prwkv;
  using namespace prwkv::testing;
  [[maybe_unused]] static const bool in_memory = use_memory();
  static Folder folder;
  constexpr char kNext = '\x1e';
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  Choices choose(take_until(rest, kNext));
  File file;
  try {
    file = file_of(choose);
  } catch (const Error&) {
    return 0;  // this naming has no name for something in this model
  }
  folder.clear();
  while (!rest.empty()) {
    std::string_view part = take_until(rest, kNext);
    if (part.empty()) continue;
    const char kind = part[0];
    part.remove_prefix(1);
    if (kind == 'e' || kind == 'k') {
      while (!part.empty()) {
        const std::string_view line = take_until(part, '\n');
        kind == 'e' ? edit(file, line) : metadata_entry(file, line);
      }
    } else {
      folder.put(kind, part);
    }
  }
  const std::string path = folder.path("model");
  if (write(file, path)) check(path, choose, folder);
  return 0;
}
