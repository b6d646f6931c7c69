#include "support/op_tensors.h"

#include <initializer_list>

namespace prwkv::test {
namespace {

class List {
 public:
  List& operator()(std::initializer_list<Tensor*> tensors) {
    for (Tensor* t : tensors) {
      if (*t) list_.push_back(t);
    }
    return *this;
  }
  template <std::size_t n>
  List& operator()(std::array<Tensor, n>& tensors) {
    for (Tensor& t : tensors) (*this)({&t});
    return *this;
  }
  List& operator()(Seqs& seqs) { return (*this)({&seqs.begin, &seqs.slot}); }
  operator std::vector<Tensor*>() const { return list_; }

 private:
  std::vector<Tensor*> list_;
};

}  // namespace

using Tensors = std::vector<Tensor*>;

Tensors tensors_of(EmbeddingArgs& a) { return List()({&a.y, &a.table, &a.ids}); }
Tensors tensors_of(LayerNormArgs& a) { return List()({&a.y, &a.x, &a.w, &a.b}); }
Tensors tensors_of(LinearArgs& a) {
  List list;
  for (int i = 0; i < a.n; ++i) {
    Projection& p = a.part[static_cast<std::size_t>(i)];
    list({&p.y, &p.x, &p.w, &p.bias, &p.saved, &p.addend});
  }
  return list;
}
Tensors tensors_of(TokenShiftArgs& a) { return List()(a.y)({&a.state, &a.x})(a.mu)(a.seqs); }
Tensors tensors_of(TokenDeltaArgs& a) { return List()({&a.delta, &a.state, &a.x})(a.seqs); }
Tensors tensors_of(ShiftByArgs& a) { return List()({&a.y, &a.x, &a.delta, &a.mu}); }
Tensors tensors_of(DataShiftArgs& a) { return List()(a.y)({&a.x, &a.delta, &a.z})(a.w2)(a.maa); }
Tensors tensors_of(SpreadArgs& a) { return List()({&a.y, &a.p}); }
Tensors tensors_of(Wkv4Args& a) {
  return List()({&a.y, &a.aa, &a.bb, &a.pp, &a.k, &a.v, &a.w, &a.u})(a.seqs);
}
Tensors tensors_of(Wkv6Args& a) {
  return List()({&a.y, &a.state, &a.r, &a.k, &a.v, &a.w, &a.u})(a.seqs);
}
Tensors tensors_of(Wkv7Args& a) {
  return List()({&a.y, &a.state, &a.r, &a.w, &a.k, &a.v, &a.alpha, &a.beta})(a.seqs);
}
Tensors tensors_of(DeltaKeysArgs& a) {
  return List()({&a.k_new, &a.alpha, &a.beta, &a.k, &a.a, &a.k_k, &a.k_a});
}
Tensors tensors_of(GroupNormArgs& a) { return List()({&a.y, &a.x, &a.w, &a.b, &a.g}); }
Tensors tensors_of(Wkv7OutputArgs& a) {
  return List()({&a.y, &a.x, &a.r, &a.k, &a.v, &a.g, &a.r_k, &a.w, &a.b});
}
Tensors tensors_of(MulArgs& a) { return List()({&a.y, &a.a, &a.b}); }
Tensors tensors_of(AddArgs& a) { return List()({&a.y, &a.a, &a.b}); }
Tensors tensors_of(LerpArgs& a) { return List()({&a.y, &a.a, &a.b, &a.m}); }
Tensors tensors_of(CopyArgs& a) { return List()({&a.y, &a.x}); }
Tensors tensors_of(GatherRowsArgs& a) { return List()({&a.y, &a.x, &a.rows}); }
Tensors tensors_of(TinyAttentionArgs& a) {
  return List()({&a.y, &a.state, &a.q, &a.k, &a.v})(a.seqs);
}
Tensors tensors_of(CrossEntropyArgs& a) {
  return List()({&a.loss, &a.gradient, &a.logits, &a.targets});
}

Tensors tensors_of(EmbeddingBackwardArgs& a) { return List()({&a.g_table, &a.g_y, &a.ids}); }
Tensors tensors_of(LayerNormBackwardArgs& a) {
  return List()({&a.g_x, &a.g_w, &a.g_b, &a.g_y, &a.x, &a.w});
}
Tensors tensors_of(LinearBackwardArgs& a) {
  return List()({&a.g_x, &a.g_w, &a.g_bias, &a.g_addend, &a.g_y, &a.x, &a.w, &a.z});
}
Tensors tensors_of(TokenShiftBackwardArgs& a) {
  return List()({&a.g_x, &a.g_state})(a.g_mu)(a.g_y)(a.mu)({&a.x, &a.first})(a.seqs);
}
Tensors tensors_of(TokenDeltaBackwardArgs& a) {
  return List()({&a.g_x, &a.g_state, &a.g_delta})(a.seqs);
}
Tensors tensors_of(ShiftByBackwardArgs& a) {
  return List()({&a.g_x, &a.g_delta, &a.g_mu, &a.g_y, &a.delta, &a.mu});
}
Tensors tensors_of(DataShiftBackwardArgs& a) {
  return List()({&a.g_x, &a.g_delta, &a.g_z})(a.g_w2)(a.g_maa)(a.g_y)({&a.delta, &a.z})(a.w2)(
      a.maa);
}
Tensors tensors_of(SpreadBackwardArgs& a) { return List()({&a.g_p, &a.g_y, &a.p}); }
Tensors tensors_of(Wkv4BackwardArgs& a) {
  return List()({&a.g_k, &a.g_v, &a.g_w, &a.g_u, &a.g_aa, &a.g_bb, &a.g_y, &a.y, &a.k, &a.v, &a.w,
                 &a.u, &a.aa, &a.bb, &a.pp})(a.seqs);
}
Tensors tensors_of(Wkv6BackwardArgs& a) {
  return List()({&a.g_r, &a.g_k, &a.g_v, &a.g_w, &a.g_u, &a.g_state, &a.g_y, &a.r, &a.k, &a.v, &a.w,
                 &a.u, &a.state})(a.seqs);
}
Tensors tensors_of(Wkv7BackwardArgs& a) {
  return List()({&a.g_r, &a.g_w, &a.g_k, &a.g_v, &a.g_alpha, &a.g_beta, &a.g_state, &a.g_y, &a.r,
                 &a.w, &a.k, &a.v, &a.alpha, &a.beta, &a.state})(a.seqs);
}
Tensors tensors_of(DeltaKeysBackwardArgs& a) {
  return List()({&a.g_k, &a.g_a, &a.g_k_k, &a.g_k_a, &a.g_k_new, &a.g_alpha, &a.g_beta, &a.k, &a.a,
                 &a.k_k, &a.k_a});
}
Tensors tensors_of(GroupNormBackwardArgs& a) {
  return List()({&a.g_x, &a.g_w, &a.g_b, &a.g_g, &a.g_y, &a.x, &a.w, &a.b, &a.g});
}
Tensors tensors_of(Wkv7OutputBackwardArgs& a) {
  return List()({&a.g_x, &a.g_r, &a.g_k, &a.g_v, &a.g_g, &a.g_r_k, &a.g_w, &a.g_b, &a.g_y, &a.x,
                 &a.r, &a.k, &a.v, &a.g, &a.r_k, &a.w, &a.b});
}
Tensors tensors_of(MulBackwardArgs& a) { return List()({&a.g_a, &a.g_b, &a.g_y, &a.a, &a.b}); }
Tensors tensors_of(AddBackwardArgs& a) { return List()({&a.g_x, &a.g_y}); }
Tensors tensors_of(LerpBackwardArgs& a) {
  return List()({&a.g_a, &a.g_b, &a.g_m, &a.g_y, &a.a, &a.b, &a.m});
}
Tensors tensors_of(TinyAttentionBackwardArgs& a) {
  return List()({&a.g_q, &a.g_k, &a.g_v, &a.g_state, &a.g_y, &a.q, &a.k, &a.v, &a.state})(a.seqs);
}
Tensors tensors_of(GatherRowsBackwardArgs& a) { return List()({&a.g_x, &a.g_y, &a.rows}); }
Tensors tensors_of(SumOfSquaresArgs& a) { return List()({&a.sum, &a.x}); }
Tensors tensors_of(AdamWArgs& a) { return List()({&a.p, &a.m, &a.v, &a.g}); }

}  // namespace prwkv::test
