/// Top-k: keep the k most likely tokens, exactly k even among equals (the lower ids stay).
/// Source: Fan et al. 2018, arXiv 1805.04833; sample_logits in the package rwkv.
#include "runtime/sampler/sampler.h"

namespace prwkv {
namespace {

class TopK final : public Processor {
 public:
  explicit TopK(int k) : k_(static_cast<std::size_t>(k)) {}
  std::string_view name() const override { return "top_k"; }
  void apply(Candidates& c) override {
    if (c.list.size() <= k_) return;
    c.sort(k_);
    c.list.resize(k_);
    c.sorted = true;
  }
  std::unique_ptr<Processor> clone() const override { return std::make_unique<TopK>(*this); }

 private:
  std::size_t k_;
};

}  // namespace

std::unique_ptr<Processor> make_top_k(int k) { return std::make_unique<TopK>(k); }

}  // namespace prwkv
