/// Build tool: compresses one file with zstd for vocabularies.S to embed. Usage: prwkv_embed_tool
/// INPUT OUTPUT
#include <zstd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: prwkv_embed_tool INPUT OUTPUT\n", stderr);
    return 2;
  }
  std::ifstream in(argv[1], std::ios::binary);
  const std::string plain{std::istreambuf_iterator<char>(in), {}};
  if (!in || plain.empty()) {
    std::fprintf(stderr, "%s: cannot be read or is empty\n", argv[1]);
    return 1;
  }
  // One thread and no time stamp: the same input gives the same output.
  std::string packed(ZSTD_compressBound(plain.size()), '\0');
  const std::size_t size =
      ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 19);
  if (ZSTD_isError(size)) {
    std::fprintf(stderr, "%s: %s\n", argv[1], ZSTD_getErrorName(size));
    return 1;
  }
  std::ofstream out(argv[2], std::ios::binary | std::ios::trunc);
  out.write(packed.data(), static_cast<std::streamsize>(size));
  if (!out.flush()) {
    std::fprintf(stderr, "%s: cannot be written\n", argv[2]);
    return 1;
  }
  return 0;
}
