#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "backend/backend.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/text.h"
#include "models/loader.h"
#include "models/model_card.h"
#include "models/model_tokenizer.h"
#include "quant/blocks.h"
#include "runtime/engine.h"
#include "tensor/half.h"

namespace prwkv::cli {
namespace {

struct InspectOptions {
  std::string file, tensor;
  bool all = false, json = false;
};

/// What a file holds, as far as it can be told.
struct Contents {
  const Checkpoint& file;
  std::map<std::string, OrderedJson> metadata;  ///< all of it; long arrays as "65536 of text"
  /// Stored name → BlinkDL's, where they differ; several for a stack.
  std::map<std::string_view, std::vector<std::string>> renamed;
  Detected detected;
  NormEps eps;
  std::string problem;      ///< why a file that looks like RWKV cannot be run
  std::string fingerprint;  ///< 64 hexadecimal digits; empty if it has none
  std::string tokenizer;    ///< its name; empty if none is known to belong to the model
  std::map<std::string, std::size_t> dtypes;
  std::int64_t parameters = 0;
  std::uint64_t bytes = 0;
};

/// Lists as JSON, up to `most` items a list; everything else as text.
OrderedJson value_json(const FileValue& value, std::uint64_t most) {
  if (value.type() != ValueType::kArray || value.count() > most) return value.str();
  OrderedJson items = OrderedJson::array();
  value.for_each_item([&](const FileValue& item) {
    if (item.type() == ValueType::kArray || item.text())
      items.push_back(value_json(item, most));
    else if (const auto whole = item.integer())
      items.push_back(*whole);
    else
      items.push_back(item.number().value_or(0));
  });
  return items;
}

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

constexpr std::uint64_t kListed = 64;  ///< items of a list without --all

Contents look_at(const Checkpoint& file, bool all) {
  Contents c{.file = file,
             .metadata = {},
             .renamed = {},
             .detected = {},
             .eps = {},
             .problem = {},
             .fingerprint = {},
             .tokenizer = {},
             .dtypes = {}};
  for (const NamedValue& v : file.reader().values())
    c.metadata.emplace(v.key, value_json(v.value, all ? UINT64_MAX : kListed));
  if (c.metadata.empty())  // values, where there are any, say the same and more
    c.metadata.insert(file.reader().metadata().begin(), file.reader().metadata().end());
  // What stands beside the file, in its folder.
  if (file.reader().format() != "gguf") {
    for (const auto& [key, text] : model_card(file.reader())) c.metadata.emplace(key, text);
  }
  for (const auto& [name, source] : file.sources()) {
    if (name != source.name) c.renamed[source.name].push_back(name);
  }
  for (const StoredTensor& t : file.reader().tensors()) {
    ++c.dtypes[std::string(name_of(t.dtype))];
    c.parameters += t.numel();
    c.bytes += t.byte_count();
  }
  // A file that is no RWKV, or one of a kind unknown here, is still worth looking at.
  try {
    c.detected = detect(file);
    if (c.detected.generation == nullptr) return c;
    c.eps = norm_eps_of(file, c.detected);
    c.fingerprint = fingerprint_of(file).str();
    const auto tokenizer = tokenizer_of(file, c.detected.dims.V);
    if (tokenizer != nullptr) c.tokenizer = tokenizer->name();
    const auto model = c.detected.generation->make(c.detected.dims);
    for_each_param(*model, [&](const Param& p, const Tensor&) {
      static_cast<void>(file.parameter(p, c.detected.dims));  // that it is there, and fits
    });
  } catch (const Error& e) {
    if (e.code() != Code::kFormat && e.code() != Code::kUnsupported) throw;
    c.problem = first_line(e.what());
    c.problem.erase(0, c.problem.starts_with(file.path() + ": ") ? file.path().size() + 2 : 0);
  }
  return c;
}

template <class F>
void for_each_decoded(const StoredTensor& t, const F& f) {
  constexpr std::int64_t kPiece = 1 << 16;
  std::vector<float> values;
  for (std::int64_t at = 0; at < t.numel(); at += kPiece) {
    const std::int64_t n = std::min(kPiece, t.numel() - at);
    values.resize(static_cast<std::size_t>(n));
    quant::dequantize(t.dtype, t.bytes.data() + row_bytes(t.dtype, at), n, values.data());
    for (const float x : values) f(x);
  }
}

template <class F>
void for_each_value(const StoredTensor& t, const F& f) {
  const auto all = [&]<class T>(T value) {
    for (std::size_t at = 0; at < t.bytes.size(); at += sizeof value) {
      std::memcpy(&value, t.bytes.data() + at, sizeof value);
      f(value);
    }
  };
  if (is_block(t.dtype)) return for_each_decoded(t, f);
  switch (t.dtype) {
    case DType::kF64: return all(double{});
    case DType::kF32: return all(float{});
    case DType::kF16: return all(f16{});
    case DType::kBF16: return all(bf16{});
    case DType::kI64: return all(std::int64_t{});
    case DType::kI32: return all(std::int32_t{});
    case DType::kI16: return all(std::int16_t{});
    case DType::kI8: return all(std::int8_t{});
    case DType::kU8:
    case DType::kBool: return all(std::uint8_t{});
    default: break;
  }
}

template <class T>
auto as_number(T x) {
  if constexpr (std::is_same_v<T, f16> || std::is_same_v<T, bf16>)
    return to_float(x);
  else if constexpr (std::is_integral_v<T>)
    return static_cast<std::int64_t>(x);
  else
    return x;
}

void print_tensor(const Reader& file, const InspectOptions& o) {
  const StoredTensor* t = file.find(o.tensor);
  if (t == nullptr) {
    throw Error(Code::kInvalidArgument,
                fmt::format("{}: there is no tensor {}", file.path(), one_line(o.tensor)),
                {.hint = "'prwkv inspect FILE --all' lists the tensors"});
  }
  if (o.json) {
    constexpr std::size_t kFlushAt = 1 << 16;
    std::string json = fmt::format(R"({{"name":{},"dtype":"{}","shape":{},"values":[)",
                                   json_text(t->name), name_of(t->dtype), Json(t->shape).dump());
    bool first = true;
    for_each_value(*t, [&](auto stored) {
      const auto x = as_number(stored);
      if (!first) json += ',';
      first = false;
      if constexpr (std::is_integral_v<decltype(x)>)
        fmt::format_to(std::back_inserter(json), "{}", x);
      else
        append_number(json, x);
      if (json.size() < kFlushAt) return;
      print(json);
      json.clear();
    });
    print(json + "]}\n");
    return;
  }
  double sum = 0, squares = 0, least = INFINITY, most = -INFINITY;
  std::size_t n = 0, odd = 0;
  std::string head;
  for_each_value(*t, [&](auto stored) {
    const auto x = static_cast<double>(as_number(stored));
    constexpr std::size_t kShown = 8;
    if (n < kShown) head += fmt::format("{}{:.6g}", n > 0 ? ", " : "", x);
    ++n;
    odd += std::isfinite(x) ? 0 : 1;
    if (!std::isfinite(x)) return;
    sum += x;
    squares += x * x;
    least = std::min(least, x);
    most = std::max(most, x);
  });
  std::string out = fmt::format("{}\ntype    {}\nshape   {}\nvalues  {}{}\n", t->name,
                                name_of(t->dtype), t->shape_str(), head, n > 8 ? ", …" : "");
  if (n > odd) {
    const double count = static_cast<double>(n - odd), mean = sum / count;
    out += fmt::format("least   {:.6g}\nmost    {:.6g}\nmean    {:.6g}\nspread  {:.6g}\n", least,
                       most, mean, std::sqrt(std::max(0.0, squares / count - mean * mean)));
  }
  if (odd > 0) out += fmt::format("NaN or infinite: {}\n", odd);
  print(out);
}

OrderedJson number_or_null(std::int64_t n) { return n > 0 ? OrderedJson(n) : OrderedJson(nullptr); }
OrderedJson text_or_null(std::string_view text) {
  return text.empty() ? OrderedJson(nullptr) : OrderedJson(text);
}

void print_contents_json(const Contents& c) {
  const Reader& file = c.file.reader();
  const Dims& d = c.detected.dims;
  OrderedJson tensors = OrderedJson::array();
  for (const StoredTensor& t : file.tensors()) {
    tensors.push_back({{"name", t.name},
                       {"dtype", name_of(t.dtype)},
                       {"shape", t.shape},
                       {"bytes", t.byte_count()}});
    if (const auto names = c.renamed.find(t.name); names != c.renamed.end())
      tensors.back()["blinkdl"] = names->second;
  }
  std::vector<std::string> files;
  for (const MappedFile* f : file.files()) files.push_back(f->path());
  OrderedJson json = {
      {"format", file.format()},
      {"path", c.file.path()},
      {"files", files},
      {"naming", c.file.naming().name},
      {"generation", c.detected.generation == nullptr ? "unknown" : c.detected.generation->name},
      {"n_layer", number_or_null(d.L)},
      {"n_embd", number_or_null(d.C)},
      {"n_att", number_or_null(d.A)},
      {"n_ffn", number_or_null(d.F)},
      {"n_vocab", number_or_null(d.V)},
      {"n_head", number_or_null(d.H)},
      {"head_size", number_or_null(d.N)},
      {"lora_ranks", Json(d.ranks)},
      {"dtypes", c.dtypes},
      {"parameters", c.parameters},
      {"bytes", c.bytes},
      {"tokenizer", text_or_null(c.tokenizer)},
      {"fingerprint", text_or_null(c.fingerprint)},
      {"eps",
       {{"layer_norm", c.eps.layer_norm},
        {"ln_out", c.eps.ln_out},
        {"group_norm", c.eps.group_norm}}},
      {"metadata", c.metadata}};
  if (!c.problem.empty()) json["problem"] = c.problem;
  json["tensors"] = std::move(tensors);
  print_json(json);
}

/// "blocks.{}.att.key.weight" and 3 for "blocks.3.att.key.weight": the first part that is a number.
std::pair<std::string, int> without_block(const std::string& name) {
  constexpr std::size_t kMostDigits = 5;
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    const bool is_number = !part.empty() && part.find_first_not_of("0123456789") == part.npos;
    if (is_number && part.size() <= kMostDigits)
      return {name.substr(0, begin) + "{}" + name.substr(end), std::stoi(part)};
    begin = end + 1;
  }
  return {name, -1};
}

/// One line for all tensors that differ only in their block.
std::string tensor_table(const Contents& c, bool all) {
  struct Row {
    std::string name, dtype, shape, blinkdl;
    int first, last;
    std::size_t count;
  };
  const auto pattern = [all](const std::string& name) {
    return all ? std::pair(name, -1) : without_block(name);
  };
  std::vector<Row> rows;
  std::map<std::string, std::size_t> index;
  for (const StoredTensor& t : c.file.reader().tensors()) {
    const auto [name, block] = pattern(t.name);
    const std::string dtype(name_of(t.dtype));
    const auto [it, added] =
        index.try_emplace(fmt::format("{} {} {}", name, dtype, t.shape_str()), rows.size());
    if (added) {
      std::vector<std::string> blinkdl;
      if (const auto names = c.renamed.find(t.name); names != c.renamed.end()) {
        for (const std::string& n : names->second) blinkdl.push_back(pattern(n).first);
      }
      rows.push_back({name, dtype, t.shape_str(), fmt::format("{}", fmt::join(blinkdl, " ")), block,
                      block, 0});
    }
    Row& row = rows[it->second];
    row.first = std::min(row.first, block);
    row.last = std::max(row.last, block);
    ++row.count;
  }
  std::size_t width = 0, shape_width = 0;
  for (Row& row : rows) {
    if (row.first >= 0) {
      const bool gap = static_cast<std::size_t>(row.last - row.first) + 1 != row.count;
      std::string blocks = std::to_string(row.first);
      if (row.first != row.last)
        blocks = fmt::format("{{{}{}{}}}", row.first, gap ? "…" : "–", row.last);
      for (std::string* name : {&row.name, &row.blinkdl}) {
        for (std::size_t at = 0; (at = name->find("{}", at)) != name->npos; at += blocks.size())
          name->replace(at, 2, blocks);
      }
    }
    width = std::max(width, row.name.size());
    shape_width = std::max(shape_width, row.shape.size());
  }
  std::string out;
  for (const Row& row : rows) {
    out += fmt::format("  {:{}}  {:6} {:{}}  {}", row.name, width, row.dtype, row.shape,
                       shape_width, row.blinkdl);
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  return out;
}

void print_contents(const Contents& c, const InspectOptions& o) {
  const Reader& file = c.file.reader();
  const Dims& d = c.detected.dims;
  const bool known = c.detected.generation != nullptr;
  std::string out =
      fmt::format("file         {}\nformat       {}\nnames        {}\ngeneration   {}\n",
                  c.file.path(), file.format(), c.file.naming().name,
                  known ? "RWKV-" + std::string(c.detected.generation->name) : "unknown");
  for (const MappedFile* part : file.files()) {
    if (part->path() != c.file.path()) out += fmt::format("part         {}\n", part->path());
  }
  if (!c.problem.empty()) out += fmt::format("problem      {}\n", c.problem);
  if (known) {
    out +=
        fmt::format("layers       {}\nchannels     {}, attention {}, ffn {}\n", d.L, d.C, d.A, d.F);
    if (d.H > 0) out += fmt::format("heads        {} of {} channels\n", d.H, d.N);
    if (!d.ranks.empty()) {
      std::vector<std::string> ranks;
      for (const auto& [name, rank] : d.ranks) ranks.push_back(fmt::format("{} {}", name, rank));
      out += fmt::format("ranks        {}\n", fmt::join(ranks, ", "));
    }
    out += fmt::format("vocabulary   {} ({})\n", d.V,
                       c.tokenizer.empty() ? "unknown: name it with --vocab" : c.tokenizer);
    out += fmt::format("eps          {} in layer norms, {} in ln_out{}\n", c.eps.layer_norm,
                       c.eps.ln_out, d.H > 0 ? fmt::format(", {} in ln_x", c.eps.group_norm) : "");
    if (!c.fingerprint.empty()) out += fmt::format("fingerprint  {}\n", c.fingerprint);
  }
  std::vector<std::string> types;
  for (const auto& [name, n] : c.dtypes) types.push_back(fmt::format("{} {}", n, name));
  out += fmt::format("tensors      {} ({})\nparameters   {}\nsize         {}\n",
                     file.tensors().size(), fmt::join(types, ", "),
                     count(static_cast<double>(c.parameters)), bytes(static_cast<double>(c.bytes)));
  for (const auto& [key, value] : c.metadata) {
    const std::string text =
        value.is_string() ? value.get<std::string>()
                          : value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
    out += fmt::format("metadata     {} = {}\n", key, one_line(o.all ? text : text.substr(0, 200)));
  }
  print(out + "\n" + tensor_table(c, o.all));
}

void run_inspect(const InspectOptions& o) {
  if (!o.tensor.empty()) {
    print_tensor(*open_weights(o.file), o);
    return;
  }
  const Checkpoint file(o.file);
  const Contents c = look_at(file, o.all);
  if (o.json)
    print_contents_json(c);
  else
    print_contents(c, o);
}

}  // namespace

void add_inspect(CLI::App& app) {
  auto o = std::make_shared<InspectOptions>();
  CLI::App* cmd = app.add_subcommand("inspect", "Show what is in a weight file, of RWKV or not");
  cmd->footer(
      "The format is told by the content, whatever the file is called. A file that holds no RWKV\n"
      "this version knows has the generation 'unknown' and is no error. Blocks that are alike\n"
      "share a line; BlinkDL's name for a tensor stands behind it where the file has another.\n"
      "JSON: format, path, files, naming, generation, n_layer, n_embd, n_att, n_ffn, n_vocab,\n"
      "n_head, head_size, lora_ranks, dtypes {name: count}, parameters, bytes, tokenizer,\n"
      "fingerprint, eps, metadata, tensors [{name, dtype, shape, bytes, blinkdl}]; null where\n"
      "nothing is known. With --tensor: name, dtype, shape, values in row-major order.");
  cmd->add_option("FILE", o->file, "Weight file, or folder with one")
      ->required()
      ->type_name("FILE");
  cmd->add_option("--tensor", o->tensor, "Show this tensor's values")
      ->check(CLI::Validator(
          [](const std::string& name) { return name.empty() ? "expected a name" : ""; }, ""))
      ->type_name("NAME");
  cmd->add_flag("--all", o->all, "A line for every tensor, and long lists of metadata in full");
  cmd->add_flag("--json", o->json, "Print JSON");
  cmd->callback([o] { run_inspect(*o); });
}

}  // namespace prwkv::cli
