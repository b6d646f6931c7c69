/// What every fuzz target of a weight format does with the file that it has put together.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "formats/reader.h"
#include "formats/test_files.h"

namespace prwkv::testing {

/// A file may be refused only by prwkv::Error, with a message that begins with `message`, its name;
/// what is accepted must keep the promises of Reader. Anything else ends the process.
inline void check_open(std::unique_ptr<Reader> (*open)(MappedFile), Bytes bytes,
                       const std::string& name = "fuzz", const std::string& message = "fuzz: ") {
  std::unique_ptr<Reader> reader;
  try {
    reader = open(MappedFile::from_bytes(name, std::move(bytes)));
  } catch (const Error& e) {
    if (!std::string_view(e.what()).starts_with(message)) std::abort();
    return;
  }
  if (!broken_promise(*reader).empty()) std::abort();
}

}  // namespace prwkv::testing
