#include "cli/text.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <system_error>

#include "base/mapped_file.h"
#include "cli/console.h"

namespace prwkv::cli {
namespace {

template <class T>
void append_shortest(std::string& json, T x) {
  if (std::isfinite(x)) {
    fmt::format_to(std::back_inserter(json), "{}", x);
  } else {
    json += std::isnan(x) ? R"("nan")" : x > 0 ? R"("inf")" : R"("-inf")";
  }
}

std::string read_standard_input() {
  std::string text;
  std::array<char, 1 << 16> buffer;
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      throw Error(Code::kFile, "standard input cannot be read",
                  {.found = std::generic_category().message(errno)});
    }
    if (n == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace

std::string bytes(double n) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; n >= 1024 && unit + 1 < kUnits.size(); ++unit) n /= 1024;
  return fmt::format("{:.{}f} {}", n, unit == 0 || n >= 100 ? 0 : n >= 10 ? 1 : 2, kUnits[unit]);
}

std::string count(double n) {
  if (n < 10'000) return fmt::format("{:.{}f}", n, n == std::floor(n) || n >= 100 ? 0 : 1);
  constexpr std::array<const char*, 5> kUnits = {"", " k", " M", " G", " T"};
  std::size_t unit = 0;
  for (; n >= 1000 && unit + 1 < kUnits.size(); ++unit) n /= 1000;
  return fmt::format("{:.{}f}{}", n, n >= 100 ? 0 : n >= 10 ? 1 : 2, kUnits[unit]);
}

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(std::ceil(std::max(0.0, std::min(seconds, 1e9))));
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

void append_number(std::string& json, float x) { append_shortest(json, x); }
void append_number(std::string& json, double x) { append_shortest(json, x); }

void print_json(const OrderedJson& json) {
  print(json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
}

std::string json_text(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string read_text(const std::string& path) {
  if (path == "-") return read_standard_input();
  const MappedFile file(path);
  return std::string(file.text());
}

std::vector<std::int32_t> parse_ids(std::string_view text, std::string_view what) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto trim = [&] {
    text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
    text = text.substr(0, text.find_last_not_of(kSpace) + 1);
  };
  trim();
  // What tokenize prints is welcome, too: {"ids":[…]}, or the list alone.
  for (const auto& [opening, closing] : {std::pair{"{\"ids\":", "}"}, {"[", "]"}}) {
    if (!text.starts_with(opening) || !text.ends_with(closing)) continue;
    text.remove_prefix(std::string_view(opening).size());
    text.remove_suffix(1);
    trim();
  }
  std::vector<std::int32_t> ids;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find_first_of(", \t\r\n"));
    std::int32_t id = 0;
    const auto [p, error] = std::from_chars(item.data(), item.data() + item.size(), id);
    if (error != std::errc{} || p != item.data() + item.size() || id < 0) {
      throw Error(Code::kInvalidArgument, fmt::format("{}: this is no list of token ids", what),
                  {.expected = "numbers from 0 to 2147483647, as in 34,105,110",
                   .found = one_line(item.substr(0, 40))});
    }
    ids.push_back(id);
    text.remove_prefix(item.size());
    trim();
    if (!text.starts_with(',')) continue;
    text.remove_prefix(1);
    trim();
    if (text.empty()) text = ",";  // a comma with nothing behind it is no number
  }
  return ids;
}

std::string one_line(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\\' || c == '\'')
      out.append("\\").push_back(c);
    else if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out + "'";
}

void expect_writable(const std::string& path) {
  const std::filesystem::path p(path);
  const std::string folder = p.has_parent_path() ? p.parent_path().string() : ".";
  std::error_code ignored;
  std::string problem, hint = "give the path of a file";
  if (std::filesystem::exists(p, ignored) && !std::filesystem::is_regular_file(p, ignored)) {
    // The new file takes the place of the old one, which would be the end of /dev/null.
    problem = std::filesystem::is_directory(p, ignored) ? "a folder" : "a device, pipe or socket";
  } else if (::access((folder + "/.").c_str(), W_OK | X_OK) != 0) {
    const int error = errno;
    problem =
        fmt::format("folder {}: {}", one_line(folder), std::generic_category().message(error));
    hint = error == ENOENT ? "make that folder first" : "choose a folder in which you may write";
  }
  if (problem.empty()) return;
  throw Error(Code::kFile, path + ": cannot be written", {.found = problem, .hint = hint});
}

void expect_other_file(const Reader& in, const std::string& out, std::string_view done) {
  std::error_code ignored;
  for (const MappedFile* file : in.files()) {
    if (!std::filesystem::equivalent(file->path(), out, ignored)) continue;
    throw Error(Code::kInvalidArgument, fmt::format("{}: is the file that would be {}", out, done),
                {.hint = "give the new file another name"});
  }
}

void expect_room(const std::string& path, std::size_t needed) {
  std::error_code error;
  const std::filesystem::path p(path);
  const auto space = std::filesystem::space(p.has_parent_path() ? p.parent_path() : ".", error);
  // A file system without any room, such as /proc, has another reason to refuse, and says it.
  if (error || space.capacity == 0 || space.available >= needed) return;
  throw Error(Code::kFile, path + ": there is not enough room on the disk",
              {.expected = bytes(static_cast<double>(needed)),
               .found = bytes(static_cast<double>(space.available)),
               .hint = "free some, or write to another disk"});
}

}  // namespace prwkv::cli
