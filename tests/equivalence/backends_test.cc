/// What every backend promises beyond its results: nothing is borrowed silently, nothing happens
/// too early.
#include "support/backends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "backend/arena.h"
#include "backend/cpu/cpu_backend.h"
#include "support/fake_backend.h"
#include "support/op_tensors.h"

namespace prwkv::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

/// The class that defines the member function which `&Derived::op` names: &CpuBackend::op is a
/// pointer to a member of RefBackend if CpuBackend has none of its own.
template <class Class, class Args>
Class owner(void (Class::*)(const Args&));

TEST(Owner, IsTheClassThatDefinesTheOperation) {
  struct OnlyAdds : RefBackend {
    void add(const AddArgs&) override {}
  };
  EXPECT_TRUE((std::is_same_v<decltype(owner(&OnlyAdds::add)), OnlyAdds>));
  EXPECT_TRUE((std::is_same_v<decltype(owner(&OnlyAdds::mul)), RefBackend>));
}

TEST(CpuBackend, InheritsNoOperationFromTheReference) {
  std::vector<std::string> inherited;
#define X(op, Args) \
  if (!std::is_same_v<decltype(owner(&CpuBackend::op)), CpuBackend>) inherited.emplace_back(#op);
  PRWKV_FORWARD_OPS(X)
  PRWKV_BACKWARD_OPS(X)
#undef X
  EXPECT_THAT(inherited, IsEmpty()) << "these would run on one core in double precision";
}

/// The CPU backend with an instruction set, or with the one it takes by itself; none where this
/// processor lacks it.
std::unique_ptr<Backend> cpu_with(std::string_view isa) {
  try {
    return make_backend({.name = "cpu", .threads = 1, .isa = std::string(isa)});
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kUnsupported);
    EXPECT_THAT(e.what(), HasSubstr(fmt::format("this processor has no {}", isa)));
    return nullptr;
  }
}

// Where the processor is known, as under an emulator, $PRWKV_EXPECTED_ISA says what it must be.
TEST(CpuBackend, TakesTheBestInstructionSetOfThisProcessor) {
  if (std::getenv("PRWKV_CPU_ISA") != nullptr) GTEST_SKIP() << "PRWKV_CPU_ISA forces one";
  const auto isa_of = [](const Backend& b) { return dynamic_cast<const CpuBackend&>(b).isa(); };
  std::vector<std::string_view> here;
  for (const std::string_view isa : cpu_instruction_sets()) {
    if (const auto backend = cpu_with(isa)) here.push_back(isa_of(*backend));
  }
  ASSERT_FALSE(here.empty());
  EXPECT_EQ(isa_of(*cpu_with("")), here.front());
  if (const char* expected = std::getenv("PRWKV_EXPECTED_ISA"); expected != nullptr) {
    EXPECT_EQ(here.front(), expected);
  }
}

TEST(CpuBackend, NamesItsInstructionSetsWhereAnotherIsAskedFor) {
  try {
    (void)make_backend({.name = "cpu", .isa = "mmx"});
    ADD_FAILURE() << "mmx was found";
  } catch (const Error& e) {
    for (const std::string_view isa : cpu_instruction_sets())
      EXPECT_THAT(e.what(), HasSubstr(std::string(isa)));
  }
}

TEST(Backends, AreMadeByNameAndRefusedByName) {
  EXPECT_EQ(make_backend({.name = "ref", .dtype = DType::kF64})->activation_dtype(), DType::kF64);
  for (const BackendOptions& wrong :
       {BackendOptions{.name = "gpu"}, BackendOptions{.name = "cpu", .isa = "mmx"},
        BackendOptions{.name = "ref", .dtype = DType::kF16}}) {
    try {
      (void)make_backend(wrong);
      ADD_FAILURE() << wrong.name << " was made";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kInvalidArgument);
      EXPECT_THAT(e.what(), HasSubstr("expected"));
    }
  }
}

Tensor vector_in(const Buffer& buffer, std::int64_t n, DType dtype = DType::kF32) {
  Tensor t;
  t.data = buffer.data();
  t.shape = {n};
  t.dtype = dtype;
  return t;
}

class Device : public testing::Test {
 protected:
  FakeBackend fake;
  Buffer a_memory = fake.allocate(16), b_memory = fake.allocate(16);
  Tensor a = vector_in(a_memory, 4), b = vector_in(b_memory, 4);
};

TEST_F(Device, DoesNothingBeforeItIsWaitedFor) {
  std::vector<float> values = {1, 2, 3, 4};
  fake.upload(a, values.data());
  values.assign(4, 0);  // the host may reuse its memory at once
  fake.add({b, a, a});
  fake.transfer(a, b);
  EXPECT_EQ(fake.pending(), 3);
  fake.download(values.data(), a);
  EXPECT_EQ(fake.pending(), 0);
  EXPECT_THAT(values, testing::ElementsAre(2, 4, 6, 8));
}

TEST_F(Device, RefusesMemoryOfTheHost) {
  float host[4] = {};
  Tensor t = a;
  t.data = host;
  EXPECT_THROW(fake.add({b, a, t}), Error);
  EXPECT_THROW(fake.upload(t, host), Error);
  EXPECT_THROW(fake.zero(a.reshaped({4}).rows(2, 2000)), Error);
}

TEST_F(Device, NoticesThatNobodyWaitedBeforeMemoryWasReleased) {
  fake.add({a, b, b});
  b_memory = {};
  EXPECT_THROW(fake.sync(), Error);
  fake.zero(a);
  EXPECT_NO_THROW(fake.sync());
}

TEST_F(Device, MemoryCannotBeTouchedOutsideKernels) {
  EXPECT_FALSE(is_readable(a.data));
  fake.zero(a);
  fake.sync();
  EXPECT_FALSE(is_readable(a.data));
  EXPECT_TRUE(is_readable(&fake));
}

TEST(Arena, YieldsTheSameAddressesAfterEveryRewind) {
  const auto backend = make_backend({.name = "ref"});
  Arena arena(*backend);
  const auto pass = [&] {
    const ArenaScope scope(arena);
    std::vector<const void*> addresses;
    for (const std::int64_t n : {1, 100, 3'000'000, 5, 2'000'000, 7}) {
      addresses.push_back(arena.make({n}, DType::kF32).data);
    }
    return addresses;
  };
  const auto first = pass();
  const std::size_t capacity = arena.capacity();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pass(), first);
  EXPECT_EQ(arena.capacity(), capacity);
}

}  // namespace
}  // namespace prwkv::test
