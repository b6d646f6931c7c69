#include "models/naming.h"

#include <array>

namespace prwkv {
namespace {

// As rwkv.cpp's converter writes them. Low-rank parts are transposed, the decays of 4 and 5 stored after their
// exponentials; RWKV-7 stacks its six shift vectors in the order of the state dict.
const std::array<Naming, 2> kNamings = {{
    {"rwkv.cpp",
     "rwkv.cpp",
     {
         {".att.time_decay", "!.att.ln_x.weight", false, Transform::kNegExp},
         {".att.time_decay", ".att.time_maa_x", false, Transform::kNone},
         {".att.time_decay", "", false, Transform::kExpNegExp},
         {".att.time_first", ".att.ln_x.weight", false, Transform::kExp},
         {".att.time_maa_w1", "", true},
         {".att.time_maa_w2", "", true},
         {".att.time_decay_w1", "", true},
         {".att.time_decay_w2", "", true},
         {".att.x_rwkvag",
          "",
          false,
          Transform::kNone,
          {".att.x_r", ".att.x_w", ".att.x_k", ".att.x_v", ".att.x_a", ".att.x_g"}},
         {".att.w1", "", true},
         {".att.w2", "", true},
         {".att.a1", "", true},
         {".att.a2", "", true},
         {".att.v1", "", true},
         {".att.v2", "", true},
         {".att.g1", "", true},
         {".att.g2", "", true},
     }},
    {"blinkdl", "", {}},
}};

}  // namespace

const Naming& naming_of(const Reader& reader) {
  for (const Naming& n : kNamings) {
    if (n.format == reader.format()) return n;
  }
  return kNamings.back();
}

}  // namespace prwkv
