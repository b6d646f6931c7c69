#include <array>

#include "models/rwkv.h"

namespace prwkv {
namespace {

// Newest first: later generations keep some of the older names.
constexpr std::array<Generation, 7> kGenerations = {{
    {"7", &detect_rwkv7, &make_rwkv7},
    {"6", &detect_rwkv6, &make_rwkv6},
    {"5.2", &detect_rwkv5_2, &make_rwkv5_2},
    {"5.1", &detect_rwkv5_1, &make_rwkv5_1},
    {"5.0", &detect_rwkv5_0, &make_rwkv5_0},
    {"4a", &detect_rwkv4a, &make_rwkv4a},
    {"4", &detect_rwkv4, &make_rwkv4},
}};

class ReadOnlyVisitor final : public ParamVisitor {
 public:
  explicit ReadOnlyVisitor(const std::function<void(const Param&, const Tensor&)>& f) : f_(f) {}
  void visit(const Param& param, Tensor& tensor) override { f_(param, tensor); }

 private:
  const std::function<void(const Param&, const Tensor&)>& f_;
};

}  // namespace

void for_each_param(const Model& model, const std::function<void(const Param&, const Tensor&)>& f) {
  ReadOnlyVisitor visitor(f);
  const_cast<Model&>(model).visit(visitor);  // this visitor changes nothing
}

std::span<const Generation> generations() { return kGenerations; }

const Generation* find_generation(std::string_view name) {
  for (const Generation& g : kGenerations) {
    if (g.name == name) return &g;
  }
  return nullptr;
}

}  // namespace prwkv
