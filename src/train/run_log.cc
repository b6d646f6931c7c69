#include "train/run_log.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/mapped_file.h"

namespace prwkv {
namespace {

// The file may come from anywhere: a tree of JSON takes some ten times the memory of its text.
constexpr std::size_t kMaxLogLine = std::size_t{64} << 10;
constexpr int kMaxLogDepth = 8;

std::optional<std::int64_t> integer_at(const Json& line, const char* key) {
  const auto at = line.find(key);
  if (at == line.end() || !at->is_number_integer()) return {};
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (at->is_number_unsigned() && at->get<std::uint64_t>() > kMost) return {};
  return at->get<std::int64_t>();
}

std::optional<double> number_at(const Json& line, const char* key) {
  const auto at = line.find(key);
  if (at == line.end()) return {};
  if (at->is_null()) return std::nan("");
  if (!at->is_number()) return {};
  return at->get<double>();
}

/// Calls use(text, json, step) for each whole line that has a step; `text` is without its line feed. A last
/// line that has none may be whole all the same: JSON says where an object ends.
template <class Use>
void for_each_log_line(std::string_view rest, const Use& use) {
  while (!rest.empty()) {
    const std::string_view text = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(text.size() + 1, rest.size()));
    if (text.empty() || text.front() != '{' || text.size() > kMaxLogLine) continue;
    Json line;
    try {
      line = parse_json(text, "log", kMaxLogDepth);
    } catch (const Error&) {
      continue;
    }
    if (const auto step = integer_at(line, "step")) use(text, line, *step);
  }
}

}  // namespace

RunLog RunLog::open(const std::string& path, std::int64_t step) {
  std::error_code unknown;
  if (std::filesystem::exists(path, unknown)) {
    const MappedFile old(path);
    AtomicFile file(path);
    std::string kept;  // a call of the system for each line would take longer than reading it
    for_each_log_line(old.text(), [&](std::string_view text, const Json&, std::int64_t of_line) {
      if (of_line > step) return;
      kept.append(text) += '\n';
      if (kept.size() < kMaxLogLine) return;
      file.write(kept);
      kept.clear();
    });
    file.write(kept);
    file.commit();
  }
  return RunLog(AppendFile(path, AppendFile::Start::kEndOfFile));
}

void RunLog::add(const OrderedJson& line) {
  std::string text = line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  bool is_kept = false;
  for_each_log_line(text, [&](std::string_view, const Json&, std::int64_t) { is_kept = true; });
  if (!is_kept) {
    throw Error(Code::kInvalidArgument, file_.path() + ": a line could not be read back",
                {.expected = "an object with an integer \"step\", at most 64 KiB, 8 levels",
                 .found = fmt::format("{} bytes of JSON", text.size())});
  }
  file_.append(text += '\n');
}

std::vector<RunPoint> read_points(const std::string& path) {
  const MappedFile file(path);
  std::vector<RunPoint> points;
  for_each_log_line(file.text(), [&](std::string_view, const Json& line, std::int64_t step) {
    points.push_back({.step = step,
                      .tokens = integer_at(line, "tokens").value_or(0),
                      .loss = number_at(line, "loss"),
                      .validation_loss = number_at(line, "validation_loss"),
                      .lr = number_at(line, "lr")});
  });
  return points;
}

}  // namespace prwkv
