#include "runtime/state.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <span>

#include "base/error.h"
#include "base/hash.h"
#include "formats/reader.h"
#include "formats/untrusted.h"
#include "formats/writer.h"

namespace prwkv {
namespace {

constexpr int kVersion = 1;
constexpr const char *kVersionKey = "prwkv_state_version", *kChecksumKey = "checksum";
constexpr const char *kGeneration = "generation", *kLayers = "layers", *kChannels = "channels";
constexpr const char *kFingerprint = "fingerprint", *kTokensSeen = "tokens_seen";
constexpr std::string_view kBlocks = "blocks.";

std::string hex(std::uint64_t value) { return fmt::format("{:016x}", value); }

// Text and tensors end with a NUL each, so that no two different files have the same sequence.
void append(std::string& text, std::string_view part) { text.append(part).push_back('\0'); }

/// XXH3 of all names, types, shapes and facts, then of the tensors' bytes, each with the hash so
/// far as its seed.
template <class Tensors>
std::string checksum_of(const std::map<std::string, std::string>& facts, const Tensors& tensors) {
  std::string text;
  for (const auto& [key, value] : facts) {
    if (key == kChecksumKey) continue;
    append(text, key);
    append(text, value);
  }
  for (const auto& t : tensors) {
    append(text, t.name);
    append(text, info(t.dtype).label);
    append(text, t.shape_str());
  }
  std::uint64_t hash = hash64(std::as_bytes(std::span(text)));
  for (const auto& t : tensors) hash = hash64(t.bytes, hash);
  return hex(hash);
}

double element(DType dtype, const std::byte* bytes, std::size_t i) {
  if (dtype == DType::kF64) {
    double x = 0;
    std::memcpy(&x, bytes + i * sizeof x, sizeof x);
    return x;
  }
  float x = 0;
  std::memcpy(&x, bytes + i * sizeof x, sizeof x);
  return static_cast<double>(x);
}

void set_element(DType dtype, std::byte* bytes, std::size_t i, double value) {
  if (dtype == DType::kF64) {
    std::memcpy(bytes + i * sizeof value, &value, sizeof value);
    return;
  }
  const auto narrow = static_cast<float>(value);
  std::memcpy(bytes + i * sizeof narrow, &narrow, sizeof narrow);
}

std::size_t elements(const State& state, const StateTensor& t) {
  return t.bytes.size() / info(state.dtype).block_bytes;
}

std::string describe(const StateHeader& h) {
  return fmt::format("RWKV-{}, {} layers, {} channels", h.generation, h.L, h.C);
}

void expect_same_tensors(const State& a, const State& b) {
  const auto same = [&](const StateTensor& x, const StateTensor& y) {
    return x.name == y.name && x.shape == y.shape && elements(a, x) == elements(b, y);
  };
  if (std::equal(a.tensors.begin(), a.tensors.end(), b.tensors.begin(), b.tensors.end(), same)) {
    return;
  }
  throw Error(Code::kMismatch, "the states have different tensors",
              {.expected = describe(a.header), .found = describe(b.header)});
}

/// The fact `key` of a file, in which it must be.
const std::string& fact(const Reader& file, const std::string& key) {
  const auto it = file.metadata().find(key);
  if (it != file.metadata().end()) return it->second;
  fail(Code::kFormat, "{}: the state has no '{}'", file.path(), key);
}

std::uint64_t number(const Reader& file, const std::string& key, std::uint64_t least,
                     std::uint64_t most) {
  const std::string& text = fact(file, key);
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [p, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc{} && p == end && value >= least && value <= most) return value;
  throw Error(
      Code::kFormat, fmt::format("{}: the state's '{}' makes no sense", file.path(), key),
      {.expected = fmt::format("a number from {} to {}", least, most), .found = in_quotes(text)});
}

Fingerprint fingerprint(const Reader& file) {
  const std::string& text = fact(file, kFingerprint);
  if (const std::optional<Fingerprint> f = Fingerprint::parse(text)) return *f;
  throw Error(Code::kFormat,
              fmt::format("{}: the state's '{}' makes no sense", file.path(), kFingerprint),
              {.expected = "64 hexadecimal digits", .found = in_quotes(text)});
}

void check_version(const Reader& file) {
  const std::string& path = file.path();
  if (!file.metadata().contains(kVersionKey)) {
    throw Error(Code::kFormat, path + ": is not a state file",
                {.expected = fmt::format("a safetensors file whose metadata has '{}'", kVersionKey),
                 .found = fmt::format("a {} file without it", file.format()),
                 .hint = "prwkv inspect shows what is in it"});
  }
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t version = number(file, kVersionKey, 1, kMost);
  if (version == kVersion) return;
  throw Error(Code::kUnsupported, path + ": was written by a later version of prwkv",
              {.expected = fmt::format("state version {}", kVersion),
               .found = fmt::format("state version {}", version),
               .hint = "read it with that version, or make the state anew"});
}

}  // namespace

std::size_t State::bytes() const {
  std::size_t total = 0;
  for (const StateTensor& t : tensors) total += t.bytes.size();
  return total;
}

double State::value(const StateTensor& t, std::size_t i) const {
  return element(dtype, t.bytes.data(), i);
}

void expect_fits(const State& state, const StateHeader& model, Weights weights) {
  const StateHeader& h = state.header;
  if (h.generation != model.generation || h.L != model.L || h.C != model.C) {
    throw Error(Code::kMismatch, "the state belongs to a model of another generation or size",
                {.expected = describe(model), .found = describe(h)});
  }
  if (weights == Weights::kSame && !same_weights(h.fingerprint, model.fingerprint)) {
    throw Error(Code::kMismatch, "the state was made with other weights",
                {.expected = "fingerprint " + model.fingerprint.str(),
                 .found = "fingerprint " + h.fingerprint.str(),
                 .hint = "--any-weights uses it all the same, as for a fine-tuned model"});
  }
}

State average(const std::vector<State>& states, const std::vector<double>& weights) {
  if (states.empty()) fail(Code::kInvalidArgument, "there is no state to average");
  const std::vector<double> w = weights.empty() ? std::vector<double>(states.size(), 1.0) : weights;
  double total = 0;
  for (const double x : w) {
    if (!(x >= 0 && std::isfinite(x))) {
      throw Error(Code::kInvalidArgument, "a weight of an average is out of range",
                  {.expected = "0 or a positive number", .found = fmt::format("{}", x)});
    }
    total += x;
  }
  if (w.size() != states.size() || total == 0) {
    throw Error(Code::kInvalidArgument, "an average needs one weight for each state",
                {.expected = fmt::format("{} weights, not all of them 0", states.size()),
                 .found = fmt::format("{} weights, sum {}", w.size(), total)});
  }

  State mean = states[0];
  for (const State& s : states) {
    expect_fits(s, mean.header, Weights::kSame);
    expect_same_tensors(mean, s);
    mean.tokens_seen = std::max(mean.tokens_seen, s.tokens_seen);
  }
  const auto is = [&](std::size_t t, std::string_view name) {
    return mean.tensors[t].name.ends_with(name);
  };
  for (std::size_t t = 0; t < mean.tensors.size(); ++t) {
    StateTensor& out = mean.tensors[t];
    // In RWKV-4 pp follows the aa and bb that it scales.
    const bool exponents = mean.header.generation.starts_with('4') && t >= 2 && is(t - 2, ".aa") &&
                           is(t - 1, ".bb") && is(t, ".pp");
    if (exponents && (mean.tensors[t - 2].bytes.size() != out.bytes.size() ||
                      mean.tensors[t - 1].bytes.size() != out.bytes.size())) {
      fail(Code::kMismatch, "aa, bb and pp of the states have different sizes");
    }
    for (std::size_t i = 0; i < elements(mean, out); ++i) {
      const auto value = [&](std::size_t s, std::size_t tensor) {
        return states[s].value(states[s].tensors[tensor], i);
      };
      if (!exponents) {
        double sum = 0;
        for (std::size_t s = 0; s < states.size(); ++s) sum += w[s] * value(s, t);
        set_element(mean.dtype, out.bytes.data(), i, sum / total);
        continue;
      }
      // pp follows the aa and bb that it scales. Relative to the largest exponent nothing
      // overflows.
      double largest = -std::numeric_limits<double>::infinity();
      for (std::size_t s = 0; s < states.size(); ++s) {
        if (w[s] > 0) largest = std::max(largest, value(s, t));
      }
      double aa = 0, bb = 0;
      for (std::size_t s = 0; s < states.size(); ++s) {
        const double share = w[s] > 0 ? w[s] / total * std::exp(value(s, t) - largest) : 0;
        aa += share * value(s, t - 2);
        bb += share * value(s, t - 1);
      }
      set_element(mean.dtype, mean.tensors[t - 2].bytes.data(), i, aa);
      set_element(mean.dtype, mean.tensors[t - 1].bytes.data(), i, bb);
      set_element(mean.dtype, out.bytes.data(), i, largest);
    }
  }
  return mean;
}

std::vector<StateDifference> compare(const State& a, const State& b) {
  expect_fits(b, a.header, Weights::kAny);
  expect_same_tensors(a, b);
  std::vector<StateDifference> rows;
  std::vector<double> counts;  // elements of each row
  for (std::size_t t = 0; t < a.tensors.size(); ++t) {
    const StateTensor &x = a.tensors[t], &y = b.tensors[t];
    const std::string name = x.name.substr(std::min(x.name.rfind('.') + 1, x.name.size()));
    auto row = std::find_if(rows.begin(), rows.end(),
                            [&](const StateDifference& r) { return r.name == name; });
    if (row == rows.end()) {
      row = rows.insert(rows.end(), {name, 0, 0});
      counts.push_back(0);
    }
    const std::size_t n = elements(a, x);
    for (std::size_t i = 0; i < n; ++i) {
      const double u = a.value(x, i), v = b.value(y, i);
      const double d = u == v ? 0 : std::abs(u - v);
      if (!(d <= row->max_abs) && !std::isnan(row->max_abs))
        row->max_abs = d;  // NaN stays to be seen
      row->rms += d * d;
    }
    counts[static_cast<std::size_t>(row - rows.begin())] += static_cast<double>(n);
  }
  for (std::size_t r = 0; r < rows.size(); ++r) rows[r].rms = std::sqrt(rows[r].rms / counts[r]);
  return rows;
}

std::string state_checksum(const Reader& file) {
  return checksum_of(file.metadata(), file.tensors());
}

void save_state_file(const std::string& path, const StateFile& file) {
  struct Part : TensorSpec {
    std::span<const std::byte> bytes;
  };
  const State& s = file.state;
  std::map<std::string, std::string> facts = {{kVersionKey, std::to_string(kVersion)},
                                              {kGeneration, s.header.generation},
                                              {kLayers, std::to_string(s.header.L)},
                                              {kChannels, std::to_string(s.header.C)},
                                              {kFingerprint, s.header.fingerprint.str()},
                                              {kTokensSeen, std::to_string(s.tokens_seen)},
                                              {kChecksumKey, ""}};
  for (const auto& [key, value] : file.extra) {
    if (!facts.emplace(key, value).second) {
      fail(Code::kInvalidArgument, "{}: the name '{}' is taken by the format", path, key);
    }
  }
  std::vector<Part> parts;
  for (const StateTensor& t : s.tensors) parts.push_back({{t.name, s.dtype, t.shape}, t.bytes});
  for (const StateTensor& t : file.extra_tensors) {
    parts.push_back({{t.name, DType::kF32, t.shape}, t.bytes});
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Part& p = parts[i];
    if (p.name.starts_with(kBlocks) != (i < s.tensors.size()) || p.bytes.size() != p.byte_count()) {
      fail(Code::kInvalidArgument, "{}: '{}' cannot be a part of a state", path, p.name);
    }
  }
  facts[kChecksumKey] = checksum_of(facts, parts);
  SafetensorsWriter out(path, {parts.begin(), parts.end()}, facts);
  for (const Part& p : parts) out.write(p.bytes);
  out.finish();
}

StateFile load_state_file(const std::string& path) { return read_state_file(MappedFile(path)); }

StateFile read_state_file(MappedFile mapped) {
  const std::unique_ptr<Reader> file = open_weights(std::move(mapped));
  const std::string& path = file->path();
  check_version(*file);
  const std::string expected = state_checksum(*file);
  if (const std::string& found = fact(*file, kChecksumKey); found != expected) {
    throw Error(Code::kFormat, path + ": the state is damaged: its checksum is wrong",
                {.expected = expected, .found = in_quotes(found)});
  }

  constexpr std::uint64_t kMostLayers = 4096, kMostChannels = std::uint64_t{1} << 24U;
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  StateFile out;
  State& s = out.state;
  s.header.generation = fact(*file, kGeneration);
  if (!name_flaw(s.header.generation, 16).empty()) {
    throw Error(Code::kFormat, path + ": the state's generation makes no sense",
                {.expected = "a name such as 7 or 5.2", .found = in_quotes(s.header.generation)});
  }
  s.header.L = static_cast<std::int64_t>(number(*file, kLayers, 1, kMostLayers));
  s.header.C = static_cast<std::int64_t>(number(*file, kChannels, 1, kMostChannels));
  s.header.fingerprint = fingerprint(*file);
  s.tokens_seen = number(*file, kTokensSeen, 0, kMost);
  for (const auto& [key, value] : file->metadata()) {
    const auto known = {kVersionKey, kChecksumKey, kGeneration, kLayers,
                        kChannels,   kFingerprint, kTokensSeen};
    if (std::find(known.begin(), known.end(), key) == known.end()) out.extra[key] = value;
  }
  for (const StoredTensor& t : file->tensors()) {
    const bool is_state = t.name.starts_with(kBlocks);
    if (is_state && s.tensors.empty() && t.dtype == DType::kF64) s.dtype = t.dtype;
    if (t.dtype != (is_state ? s.dtype : DType::kF32)) {
      throw Error(Code::kFormat, fmt::format("{}: tensor '{}' has the wrong type", path, t.name),
                  {.expected = std::string(name_of(is_state ? s.dtype : DType::kF32)),
                   .found = std::string(name_of(t.dtype))});
    }
    (is_state ? s.tensors : out.extra_tensors)
        .push_back({t.name, t.shape, {t.bytes.begin(), t.bytes.end()}});
  }
  if (s.tensors.empty()) fail(Code::kFormat, "{}: the state has no tensors", path);
  return out;
}

}  // namespace prwkv
