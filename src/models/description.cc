#include "models/description.h"

#include <string>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/mapped_file.h"

namespace prwkv {

Json description(const std::filesystem::path& path, std::size_t most_bytes) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return nullptr;
  const MappedFile file(path.string());
  const std::size_t size = file.bytes().size();
  if (size == 0) throw Error(Code::kFormat, path.string() + ": is empty", {.hint = kMayBeRemoved});
  if (size > most_bytes) {
    throw Error(Code::kFormat, path.string() + ": is too large to describe a model",
                {.expected = fmt::format("at most {} bytes", most_bytes),
                 .found = fmt::format("{}", size),
                 .hint = kMayBeRemoved});
  }
  try {
    return parse_json(file.text(), path.string());
  } catch (const Error& e) {
    throw e.or_hint(kMayBeRemoved);
  }
}

}  // namespace prwkv
