/// The table of cases that every backend must pass, for each operation.
#pragma once

#include <cmath>

#include "support/debug_build.h"
#include "support/op_case.h"

namespace prwkv::test {

/// Half a unit in the last place of 1: the relative error of one rounding to f32.
inline constexpr double kU = 0x1p-24;
/// No result is more exact than this: the smallest normal number, below which relative precision
/// ends.
inline constexpr double kTiny = 0x1p-126;

/// Distance between the f32 numbers around x.
inline double ulp(double x) {
  const double magnitude = std::abs(x);
  return magnitude < kTiny ? 0x1p-149 : std::ldexp(1.0, std::ilogb(magnitude) - 23);
}

/// What the f32 kernels of each function may be off, in units in the last place; acts_test.cc
/// prints what they are.
inline constexpr double kExpUlps = 1.5, kSigmoidUlps = 3, kTanhUlps = 1.5;

/// Largest allowed |result − act(z)| of the f32 kernels for an exact argument z.
double act_error(Act act, double z);

/// Names of all forward operations, from the list in backend.h, and of those whose rows are
/// independent calls.
std::vector<std::string> forward_ops();
std::vector<std::string> row_ops();

/// Cases for comparison with the reference.
std::vector<OpCase> op_cases(const std::string& op);

/// Cases of kManyRows rows in one sequence, for comparison with the same rows in other calls.
inline constexpr std::int64_t kManyRows = kFewCases ? 101 : 512;
std::vector<OpCase> many_row_cases(const std::string& op);

}  // namespace prwkv::test
