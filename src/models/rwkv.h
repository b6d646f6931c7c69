/// Every generation's two entry points, for the registry. One line pair a generation.
#pragma once

#include "models/model.h"

namespace prwkv {

bool detect_rwkv4(const Checkpoint& file, Dims& dims);
bool detect_rwkv4a(const Checkpoint& file, Dims& dims);
bool detect_rwkv5_0(const Checkpoint& file, Dims& dims);
bool detect_rwkv5_1(const Checkpoint& file, Dims& dims);
bool detect_rwkv5_2(const Checkpoint& file, Dims& dims);
bool detect_rwkv6(const Checkpoint& file, Dims& dims);
bool detect_rwkv7(const Checkpoint& file, Dims& dims);
std::unique_ptr<Model> make_rwkv4(const Dims& dims);
std::unique_ptr<Model> make_rwkv4a(const Dims& dims);
std::unique_ptr<Model> make_rwkv5_0(const Dims& dims);
std::unique_ptr<Model> make_rwkv5_1(const Dims& dims);
std::unique_ptr<Model> make_rwkv5_2(const Dims& dims);
std::unique_ptr<Model> make_rwkv6(const Dims& dims);
std::unique_ptr<Model> make_rwkv7(const Dims& dims);

}  // namespace prwkv
