// Files that claim, or make, as much as they can: refused before they cost memory.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

#include "formats/broken_file.h"

namespace prwkv::testing {
namespace {

using ::testing::StartsWith;

Bytes pth_ops(std::string_view opcodes) { return pth(PickleWriter().op(opcodes).finish()); }

TEST(Limits, ManyNamesOfOneTensorAreRefused) {
  PickleWriter p;
  p.ordered_dict().op("(").text("n").op("q\x02").tensor({}).op("q\x03u");
  for (std::size_t i = 0; i < kMaxTensors; ++i) p.op("h\x02h\x03s");
  EXPECT_THAT(error_of([&] { open_bytes(pth(p.finish())); }),
              StartsWith("bad: pickle: more than 131072 tensors"));
}

TEST(Limits, ATupleOfItselfManyTimesOverIsHarmless) {
  // Each tuple has the one before it twice: 2³⁰ leaves for whoever would walk them.
  PickleWriter p;
  p.op("}").text("a").tensor({}).op("s").text("deep").op(")");
  for (int i = 0; i < 30; ++i) p.op("q\x01h\x01\x86");
  p.op("s");
  EXPECT_EQ(open_bytes(pth(p.finish()))->tensors().size(), 1u);
}

TEST(Limits, ALongPickleIsRefused) {
  Bytes pickle((std::size_t{64} << 20) + 1, std::byte{'N'});
  EXPECT_THAT(error_of([&] { open_bytes(pth(pickle)); }),
              StartsWith("bad: the pickle is too long"));
}

TEST(Limits, AFullPickleOfNestedTuplesIsRefused) {
  EXPECT_THAT(
      error_of([&] { open_bytes(pth_ops(")" + std::string(std::size_t{5} << 20, '\x85'))); }),
      StartsWith("bad: pickle: more than 4194304 values"));
}

}  // namespace
}  // namespace prwkv::testing
