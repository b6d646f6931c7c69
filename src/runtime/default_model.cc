#include "runtime/default_model.h"

#include <dlfcn.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace prwkv {
namespace {

/// The program or library that this function is part of; empty if the system does not say.
std::filesystem::path own_file() {
  Dl_info info{};
  std::error_code failed;
  if (::dladdr(reinterpret_cast<void*>(&default_model_path), &info) != 0 &&
      info.dli_fname != nullptr &&
      std::string_view(info.dli_fname).find('/') != std::string_view::npos) {
    // A program has the name that it was called by, which is no path if the shell looked for it.
    if (auto path = std::filesystem::canonical(info.dli_fname, failed); !failed) return path;
  }
  return std::filesystem::read_symlink("/proc/self/exe", failed);
}

}  // namespace

std::string default_model_path() {
  if (const char* named = std::getenv("PRWKV_DEFAULT_MODEL"); named != nullptr && *named != '\0')
    return named;
  std::vector<std::string> places;
  if (const std::filesystem::path own = own_file(); !own.empty())
    places.push_back(own.parent_path().parent_path() / "share" / "prwkv" / "default" /
                     "model.gguf");
  places.emplace_back(PRWKV_SOURCE_MODEL);
  for (const std::string& place : places) {
    std::error_code ignored;
    if (std::filesystem::exists(place, ignored)) return place;
  }
  throw Error(Code::kFile, "no model was named, and the default model is not here",
              {.expected = fmt::format("{}", fmt::join(places, " or ")),
               .found = {},
               .hint = "name a weight file (.pth, .safetensors, .gguf, .bin) or a folder"});
}

}  // namespace prwkv
