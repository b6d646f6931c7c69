#include "backend/ref/array.h"
#include "backend/ref/ref_backend.h"

namespace prwkv {

void RefBackend::embedding(const EmbeddingArgs& a) {
  const auto T = a.y.dim(0), C = a.y.dim(1);
  for (std::int64_t t = 0; t < T; ++t) {
    const std::vector<double> row = ref::load_row(a.table, ref::index(a.ids, t));
    for (std::int64_t c = 0; c < C; ++c)
      ref::store(a.y, t * C + c, row[static_cast<std::size_t>(c)]);
  }
}

void RefBackend::embedding_backward(const EmbeddingBackwardArgs& a) {
  const auto T = a.g_y.dim(0), C = a.g_y.dim(1);
  for (std::int64_t t = 0; t < T; ++t) {
    for (std::int64_t c = 0; c < C; ++c) {
      ref::accumulate(a.g_table, ref::index(a.ids, t) * C + c, ref::load(a.g_y, t * C + c));
    }
  }
}

}  // namespace prwkv
