#include "formats/writer.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "formats/untrusted.h"

namespace prwkv {

// The temporary file is made last: nothing is left behind when a declaration is wrong.
Writer::Writer(std::string path, std::vector<TensorSpec> tensors)
    : path_(std::move(path)),
      tensors_(std::move(tensors)),
      declared_([this] {
        std::set<std::string_view> names;
        std::int64_t total = 0;
        for (const TensorSpec& t : tensors_) {
          t.check(path_);
          if (!names.insert(t.name).second)
            fail(Code::kInvalidArgument, "{}: tensor name '{}' is taken", path_, t.name);
          if (!checked_add(total, static_cast<std::int64_t>(t.byte_count()), total)) {
            fail(Code::kInvalidArgument, "{}: the tensors are larger than any file can be", path_);
          }
        }
        if (tensors_.size() > kMaxTensors)
          fail(Code::kInvalidArgument, "{}: more than {} tensors", path_, kMaxTensors);
        return static_cast<std::uint64_t>(total);
      }()),
      file_(path_) {}

void Writer::expect_types(bool (*stores)(DType), std::string_view format) const {
  for (const TensorSpec& t : tensors_) {
    if (stores(t.dtype)) continue;
    throw Error(Code::kInvalidArgument,
                fmt::format("{}: tensor '{}' cannot be stored", path_, t.name),
                {.found = fmt::format("{}; {} has no type for it", name_of(t.dtype), format)});
  }
}

void Writer::put(std::span<const std::byte> bytes) {
  file_.write(bytes);
  position_ += bytes.size();
}

// Opens the next tensor that has bytes; those without are done on the way.
void Writer::begin_next() {
  for (;; ++next_) {
    const TensorSpec& t = tensors_[next_];
    begin_tensor(t);
    left_ = t.byte_count();
    if (left_ > 0) return;
    end_tensor(t);
  }
}

void Writer::write(std::span<const std::byte> bytes) {
  if (bytes.size() > declared_ - written_) {
    throw Error(Code::kInvalidArgument, path_ + ": more bytes than the declared tensors have",
                {.expected = fmt::format("{} bytes", declared_),
                 .found = fmt::format("{} bytes", written_ + bytes.size())});
  }
  while (!bytes.empty()) {
    if (left_ == 0) begin_next();
    const auto part =
        bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_)));
    add_bytes(part);
    bytes = bytes.subspan(part.size());
    written_ += part.size();
    left_ -= part.size();
    if (left_ == 0) end_tensor(tensors_[next_++]);
  }
}

void Writer::finish() {
  if (written_ != declared_) {
    std::uint64_t end = 0;
    const auto unfinished =
        std::find_if(tensors_.begin(), tensors_.end(),
                     [&](const TensorSpec& t) { return (end += t.byte_count()) > written_; });
    throw Error(Code::kInvalidArgument,
                fmt::format("{}: tensor '{}' was not written to its end", path_, unfinished->name),
                {.expected = fmt::format("{} bytes of all tensors", declared_),
                 .found = fmt::format("{} bytes", written_)});
  }
  for (; next_ < tensors_.size(); ++next_) {  // what is left has no bytes
    begin_tensor(tensors_[next_]);
    end_tensor(tensors_[next_]);
  }
  end_file();
  file_.commit();
}

}  // namespace prwkv
