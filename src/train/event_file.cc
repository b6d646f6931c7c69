#include "train/event_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace prwkv {
namespace {

// ---- protobuf
// Four messages of five fields, which are only written: the forty lines below. The protobuf library is a
// code generator in the build and megabytes in the program.

enum Wire : unsigned { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

void put_varint(std::string& message, std::uint64_t x) {
  for (; x >= 0x80; x >>= 7) message += static_cast<char>((x & 0x7f) | 0x80);
  message += static_cast<char>(x);
}

template <class Unsigned>
void put_little_endian(std::string& to, Unsigned x) {
  for (unsigned i = 0; i < sizeof(x); ++i) to += static_cast<char>((x >> (8 * i)) & 0xff);
}

void put_key(std::string& message, unsigned field, Wire wire) {
  put_varint(message, field << 3 | wire);
}
/// int64 and enum: negative numbers in two's complement, ten bytes long.
void put_integer(std::string& message, unsigned field, std::int64_t x) {
  put_key(message, field, kVarint);
  put_varint(message, static_cast<std::uint64_t>(x));
}
void put_double(std::string& message, unsigned field, double x) {
  put_key(message, field, kFixed64);
  put_little_endian(message, std::bit_cast<std::uint64_t>(x));
}
void put_float(std::string& message, unsigned field, float x) {
  put_key(message, field, kFixed32);
  put_little_endian(message, std::bit_cast<std::uint32_t>(x));
}
/// string, bytes and messages
void put_bytes(std::string& message, unsigned field, std::string_view x) {
  put_key(message, field, kLengthDelimited);
  put_varint(message, x.size());
  message += x;
}

namespace event_field {
constexpr unsigned kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
}
namespace session_log_field {
constexpr unsigned kStatus = 1;
constexpr std::int64_t kStart = 1;  // a value of kStatus
}  // namespace session_log_field
namespace summary_field {
constexpr unsigned kValue = 1, kTag = 1, kSimpleValue = 2;  // the last two of a value
}

/// Seconds since 1970.
double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string begun_event() {
  std::string event;
  put_double(event, event_field::kWallTime, wall_time());
  return event;
}

// ---- names

/// The machine's name, as far as it can be part of a file's.
std::string host_name() {
  std::array<char, 256> buffer{};
  if (::gethostname(buffer.data(), buffer.size() - 1) != 0 || buffer[0] == 0) return "localhost";
  std::string name = buffer.data();
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  };
  std::replace_if(
      name.begin(), name.end(), [&](char c) { return !is_plain(c); }, '_');
  return name;
}

/// Now; but later than in any name that the folder has, of which a run that was started again at once, or
/// with another clock, may have one.
std::int64_t seconds_for_name(const std::string& folder, std::string_view prefix) {
  constexpr std::int64_t kLast = 9'999'999'999;  // of ten digits: more would sort in front
  auto seconds = static_cast<std::int64_t>(wall_time());
  std::error_code error;  // a folder that cannot be read shows when the file is made
  for (std::filesystem::directory_iterator file(folder, error), end; !error && file != end;
       file.increment(error)) {
    const std::string name = file->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    std::int64_t taken = 0;
    const char* digits = name.data() + prefix.size();
    const auto [stop, bad] = std::from_chars(digits, name.data() + name.size(), taken);
    if (bad == std::errc{} && stop - digits == 10) seconds = std::max(seconds, taken + 1);
  }
  return std::min(seconds, kLast);
}

std::string new_event_path(const std::string& folder) {
  constexpr std::string_view kPrefix = "events.out.tfevents.";
  static std::atomic<unsigned> counter{0};
  const auto path = std::filesystem::path(folder) /
                    fmt::format("{}{:010}.{}.{}.{}", kPrefix, seconds_for_name(folder, kPrefix),
                                host_name(), ::getpid(), counter.fetch_add(1));
  return path.string();
}

// ---- checksum

/// What a byte at the low end of the remainder adds to it.
constexpr std::array<std::uint32_t, 256> kCrc32cTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) != 0 ? 0x82f63b78u : 0);
    table[i] = c;
  }
  return table;
}();

/// A CRC of bytes that hold CRCs themselves is weak, so records mask theirs.
std::uint32_t masked_crc32c(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8u;
}

}  // namespace

// A byte at a time: a run writes a hundred of them a step.
std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t c = ~0u;
  for (const char byte : bytes)
    c = kCrc32cTable[(c ^ static_cast<unsigned char>(byte)) & 0xff] ^ (c >> 8);
  return ~c;
}

// ---- AppendFile

AppendFile::AppendFile(std::string path, Start start) : path_(std::move(path)) {
  const int must_be_new = start == Start::kNewFile ? O_EXCL : 0;
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | must_be_new, 0666);
  if (fd_ < 0) fail_with(errno, "cannot be opened for writing");
  // Devices have no end, and say 0 or nothing.
  end_ = std::max<std::int64_t>(::lseek(fd_, 0, SEEK_END), 0);
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), end_(other.end_) {}

AppendFile& AppendFile::operator=(AppendFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(end_, other.end_);
  return *this;
}

AppendFile::~AppendFile() {
  if (fd_ >= 0) ::close(fd_);
}

void AppendFile::append(std::string_view record) {
  std::int64_t at = end_;
  while (!record.empty()) {
    const ssize_t n = ::pwrite(fd_, record.data(), record.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int error = n < 0 ? errno : EIO;
      // Part of a record would hide all that follow. If even this fails, the next append writes over it.
      static_cast<void>(::ftruncate(fd_, end_) == 0);
      fail_with(error, "cannot be written");
    }
    record.remove_prefix(static_cast<std::size_t>(n));
    at += n;
  }
  end_ = at;
}

void AppendFile::fail_with(int error, std::string_view action) const {
  throw Error(Code::kFile, fmt::format("{}: {}", path_, action),
              {.found = std::generic_category().message(error),
               .hint = "is there room and write permission in that folder?"});
}

// ---- EventFile

EventFile::EventFile(const std::string& folder)
    : file_(new_event_path(folder), AppendFile::Start::kNewFile) {
  std::string event = begun_event();
  put_bytes(event, event_field::kFileVersion, "brain.Event:2");
  write(event);
}

EventFile::EventFile(const std::string& folder, std::int64_t first_step) : EventFile(folder) {
  std::string log;
  put_integer(log, session_log_field::kStatus, session_log_field::kStart);
  std::string event = begun_event();
  put_integer(event, event_field::kStep, first_step);
  put_bytes(event, event_field::kSessionLog, log);
  write(event);
}

void EventFile::add(std::int64_t step, const std::vector<Scalar>& scalars) {
  if (scalars.empty()) return;
  std::string summary;
  for (const Scalar& scalar : scalars) {
    std::string value;
    put_bytes(value, summary_field::kTag, scalar.tag);
    put_float(value, summary_field::kSimpleValue, static_cast<float>(scalar.value));
    put_bytes(summary, summary_field::kValue, value);
  }
  std::string event = begun_event();
  put_integer(event, event_field::kStep, step);
  put_bytes(event, event_field::kSummary, summary);
  write(event);
}

void EventFile::write(std::string_view event) {
  std::string record;
  put_little_endian(record, static_cast<std::uint64_t>(event.size()));
  put_little_endian(record, masked_crc32c(record));
  record += event;
  put_little_endian(record, masked_crc32c(event));
  file_.append(record);
}

}  // namespace prwkv
