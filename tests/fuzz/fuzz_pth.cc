/// Fuzz target: the first byte says what the others are.
///   'f'   a whole file
///   'p'   the opcodes of a pickle, which get PROTO and STOP and a well-formed archive around them
///   'P'   the same in an archive with ZIP64 records
/// The archive has the storages 0 (24 bytes), 1 (4 bytes) and 2 (empty).
#include <cstddef>
#include <cstdint>

#include "formats/pth.h"
#include "fuzz_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prwkv;
  using namespace prwkv::testing;
  if (size == 0) return 0;
  const auto rest = std::as_bytes(std::span(data + 1, size - 1));
  if (data[0] == 'f') check_open(&open_weights, Bytes(rest.begin(), rest.end()));
  if (data[0] == 'p' || data[0] == 'P') {
    const Bytes pickle = ByteWriter{}.text("\x80\x02").raw(rest).text(".").bytes;
    const std::vector<NamedStorage> storages = {
        {"0", counting_bytes(24)}, {"1", counting_bytes(4)}, {"2", {}}};
    check_open(&open_pth,
               build_pth(pickle, storages, data[0] == 'P' ? ZipKind::kZip64 : ZipKind::kPlain));
  }
  return 0;
}
