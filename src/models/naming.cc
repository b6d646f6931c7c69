#include "models/naming.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace prwkv {
namespace {

using Rules = std::vector<NamingRule>;

Rules joined(std::initializer_list<Rules> lists) {
  Rules all;
  for (const Rules& rules : lists) all.insert(all.end(), rules.begin(), rules.end());
  return all;
}

/// Low-rank pairs of RWKV-7 where a program keeps BlinkDL's names and stores (out, in).
Rules transposed_pairs(std::initializer_list<std::string_view> blinkdl) {
  Rules rules;
  for (const std::string_view name : blinkdl)
    rules.push_back({.stored = name, .blinkdl = {name}, .transposed = true});
  return rules;
}

// ---- rwkv.cpp, as its converter writes files. Names are BlinkDL's; the decays of 4 and 5 are stored
// after their exponentials.

const Rules kAsItIs = {{.stored = "*", .blinkdl = {"*"}}};

Rules rwkvcpp_4() {
  return joined({{{.stored = "blocks.#.att.time_decay",
                   .blinkdl = {"blocks.#.att.time_decay"},
                   .transform = Transform::kNegExp}},
                 kAsItIs});
}

Rules rwkvcpp_5(std::string_view shape) {
  return joined({{{.stored = "blocks.#.att.time_decay",
                   .blinkdl = {"blocks.#.att.time_decay"},
                   .transform = Transform::kExpNegExp,
                   .shape = shape},
                  {.stored = "blocks.#.att.time_first",
                   .blinkdl = {"blocks.#.att.time_first"},
                   .transform = Transform::kExp,
                   .shape = shape},
                  {.stored = "blocks.#.att.time_faaaa",
                   .blinkdl = {"blocks.#.att.time_faaaa"},
                   .shape = shape}},
                 kAsItIs});
}

Rules rwkvcpp_6() {
  return joined({{{.stored = "blocks.#.att.time_decay",
                   .blinkdl = {"blocks.#.att.time_decay"},
                   .shape = "HN1"},
                  {.stored = "blocks.#.att.time_faaaa",
                   .blinkdl = {"blocks.#.att.time_faaaa"},
                   .shape = "HN1"}},
                 transposed_pairs({"blocks.#.att.time_maa_w1", "blocks.#.att.time_maa_w2",
                                   "blocks.#.att.time_decay_w1", "blocks.#.att.time_decay_w2"}),
                 kAsItIs});
}

Rules rwkvcpp_7() {
  return joined({{{.stored = "blocks.#.att.x_rwkvag",
                   .blinkdl = {"blocks.#.att.x_r", "blocks.#.att.x_w", "blocks.#.att.x_k",
                               "blocks.#.att.x_v", "blocks.#.att.x_a", "blocks.#.att.x_g"},
                   .shape = "61C"}},
                 transposed_pairs({"blocks.#.att.w1", "blocks.#.att.w2", "blocks.#.att.a1",
                                   "blocks.#.att.a2", "blocks.#.att.v1", "blocks.#.att.v2",
                                   "blocks.#.att.g1", "blocks.#.att.g2"}),
                 kAsItIs});
}

// ---- GGUF, as llama.cpp's converter writes it: all names of its own, (out, in) everywhere.

const Rules kGgufCommon = {
    {.stored = "token_embd.weight", .blinkdl = {"emb.weight"}},
    {.stored = "token_embd_norm.weight", .blinkdl = {"blocks.0.ln0.weight"}},
    {.stored = "token_embd_norm.bias", .blinkdl = {"blocks.0.ln0.bias"}},
    {.stored = "output_norm.weight", .blinkdl = {"ln_out.weight"}},
    {.stored = "output_norm.bias", .blinkdl = {"ln_out.bias"}},
    {.stored = "output.weight", .blinkdl = {"head.weight"}},
    {.stored = "blk.#.attn_norm.weight", .blinkdl = {"blocks.#.ln1.weight"}},
    {.stored = "blk.#.attn_norm.bias", .blinkdl = {"blocks.#.ln1.bias"}},
    {.stored = "blk.#.attn_norm_2.weight", .blinkdl = {"blocks.#.ln2.weight"}},
    {.stored = "blk.#.attn_norm_2.bias", .blinkdl = {"blocks.#.ln2.bias"}},
    {.stored = "blk.#.time_mix_key.weight", .blinkdl = {"blocks.#.att.key.weight"}},
    {.stored = "blk.#.time_mix_value.weight", .blinkdl = {"blocks.#.att.value.weight"}},
    {.stored = "blk.#.time_mix_receptance.weight", .blinkdl = {"blocks.#.att.receptance.weight"}},
    {.stored = "blk.#.time_mix_ln.weight", .blinkdl = {"blocks.#.att.ln_x.weight"}},
    {.stored = "blk.#.time_mix_ln.bias", .blinkdl = {"blocks.#.att.ln_x.bias"}},
    {.stored = "blk.#.channel_mix_key.weight", .blinkdl = {"blocks.#.ffn.key.weight"}},
};

Rules gguf_6() {
  return joined(
      {kGgufCommon,
       {
           {.stored = "blk.#.time_mix_lerp_x.weight", .blinkdl = {"blocks.#.att.time_maa_x"}},
           {.stored = "blk.#.time_mix_lerp_fused.weight",
            .blinkdl = {"blocks.#.att.time_maa_w", "blocks.#.att.time_maa_k",
                        "blocks.#.att.time_maa_v", "blocks.#.att.time_maa_r",
                        "blocks.#.att.time_maa_g"},
            .shape = "511C"},
           {.stored = "blk.#.time_mix_lerp_w.weight", .blinkdl = {"blocks.#.att.time_maa_w"}},
           {.stored = "blk.#.time_mix_lerp_k.weight", .blinkdl = {"blocks.#.att.time_maa_k"}},
           {.stored = "blk.#.time_mix_lerp_v.weight", .blinkdl = {"blocks.#.att.time_maa_v"}},
           {.stored = "blk.#.time_mix_lerp_r.weight", .blinkdl = {"blocks.#.att.time_maa_r"}},
           {.stored = "blk.#.time_mix_lerp_g.weight", .blinkdl = {"blocks.#.att.time_maa_g"}},
           {.stored = "blk.#.time_mix_w1.weight",
            .blinkdl = {"blocks.#.att.time_maa_w1"},
            .transposed = true},
           {.stored = "blk.#.time_mix_w2.weight",
            .blinkdl = {"blocks.#.att.time_maa_w2"},
            .transposed = true},
           {.stored = "blk.#.time_mix_first.weight", .blinkdl = {"blocks.#.att.time_faaaa"}},
           {.stored = "blk.#.time_mix_decay.weight", .blinkdl = {"blocks.#.att.time_decay"}},
           {.stored = "blk.#.time_mix_decay_w1.weight",
            .blinkdl = {"blocks.#.att.time_decay_w1"},
            .transposed = true},
           {.stored = "blk.#.time_mix_decay_w2.weight",
            .blinkdl = {"blocks.#.att.time_decay_w2"},
            .transposed = true},
           {.stored = "blk.#.time_mix_gate.weight", .blinkdl = {"blocks.#.att.gate.weight"}},
           {.stored = "blk.#.time_mix_output.weight",
            .blinkdl = {"blocks.#.att.output.weight"},
            .rescaled = true},
           {.stored = "blk.#.channel_mix_lerp_k.weight", .blinkdl = {"blocks.#.ffn.time_maa_k"}},
           {.stored = "blk.#.channel_mix_lerp_r.weight", .blinkdl = {"blocks.#.ffn.time_maa_r"}},
           {.stored = "blk.#.channel_mix_receptance.weight",
            .blinkdl = {"blocks.#.ffn.receptance.weight"}},
           {.stored = "blk.#.channel_mix_value.weight",
            .blinkdl = {"blocks.#.ffn.value.weight"},
            .rescaled = true},
       }});
}

Rules gguf_7() {
  return joined(
      {kGgufCommon,
       {
           {.stored = "blk.#.time_mix_lerp_fused.weight",
            .blinkdl = {"blocks.#.att.x_r", "blocks.#.att.x_w", "blocks.#.att.x_k",
                        "blocks.#.att.x_v", "blocks.#.att.x_a", "blocks.#.att.x_g"},
            .shape = "611C"},
           {.stored = "blk.#.time_mix_w0.weight", .blinkdl = {"blocks.#.att.w0"}},
           {.stored = "blk.#.time_mix_w1.weight",
            .blinkdl = {"blocks.#.att.w1"},
            .transposed = true},
           {.stored = "blk.#.time_mix_w2.weight",
            .blinkdl = {"blocks.#.att.w2"},
            .transposed = true},
           {.stored = "blk.#.time_mix_a0.weight", .blinkdl = {"blocks.#.att.a0"}},
           {.stored = "blk.#.time_mix_a1.weight",
            .blinkdl = {"blocks.#.att.a1"},
            .transposed = true},
           {.stored = "blk.#.time_mix_a2.weight",
            .blinkdl = {"blocks.#.att.a2"},
            .transposed = true},
           {.stored = "blk.#.time_mix_v0.weight",
            .blinkdl = {"blocks.#.att.v0"},
            .stand_in = "blocks.#.att.a0"},
           {.stored = "blk.#.time_mix_v1.weight",
            .blinkdl = {"blocks.#.att.v1"},
            .transposed = true,
            .stand_in = "blocks.#.att.a1"},
           {.stored = "blk.#.time_mix_v2.weight",
            .blinkdl = {"blocks.#.att.v2"},
            .transposed = true,
            .stand_in = "blocks.#.att.a2"},
           {.stored = "blk.#.time_mix_g1.weight",
            .blinkdl = {"blocks.#.att.g1"},
            .transposed = true},
           {.stored = "blk.#.time_mix_g2.weight",
            .blinkdl = {"blocks.#.att.g2"},
            .transposed = true},
           {.stored = "blk.#.time_mix_k_k.weight", .blinkdl = {"blocks.#.att.k_k"}},
           {.stored = "blk.#.time_mix_k_a.weight", .blinkdl = {"blocks.#.att.k_a"}},
           {.stored = "blk.#.time_mix_r_k.weight", .blinkdl = {"blocks.#.att.r_k"}, .shape = "A"},
           {.stored = "blk.#.time_mix_output.weight", .blinkdl = {"blocks.#.att.output.weight"}},
           {.stored = "blk.#.channel_mix_lerp_k.weight", .blinkdl = {"blocks.#.ffn.x_k"}},
           {.stored = "blk.#.channel_mix_value.weight", .blinkdl = {"blocks.#.ffn.value.weight"}},
       }});
}

// ---- Hugging Face: RwkvForCausalLM of transformers (RWKV-4), and the ports of RWKV-5 and 6 that grew
// out of it. Values are raw.

const Rules kHf = {
    {.stored = "rwkv.blocks.#.attention.time_mix_key", .blinkdl = {"blocks.#.att.time_mix_k"}},
    {.stored = "rwkv.blocks.#.attention.time_mix_value", .blinkdl = {"blocks.#.att.time_mix_v"}},
    {.stored = "rwkv.blocks.#.attention.time_mix_receptance",
     .blinkdl = {"blocks.#.att.time_mix_r"}},
    {.stored = "rwkv.blocks.#.attention.time_mix_gate", .blinkdl = {"blocks.#.att.time_mix_g"}},
    {.stored = "rwkv.blocks.#.feed_forward.time_mix_key", .blinkdl = {"blocks.#.ffn.time_mix_k"}},
    {.stored = "rwkv.blocks.#.feed_forward.time_mix_receptance",
     .blinkdl = {"blocks.#.ffn.time_mix_r"}},
    {.stored = "rwkv.embeddings.weight", .blinkdl = {"emb.weight"}},
    {.stored = "rwkv.blocks.#.pre_ln.*", .blinkdl = {"blocks.#.ln0.*"}},
    {.stored = "rwkv.blocks.#.ln1.*", .blinkdl = {"blocks.#.ln1.*"}},
    {.stored = "rwkv.blocks.#.ln2.*", .blinkdl = {"blocks.#.ln2.*"}},
    {.stored = "rwkv.blocks.#.attention.*", .blinkdl = {"blocks.#.att.*"}},
    {.stored = "rwkv.blocks.#.feed_forward.*", .blinkdl = {"blocks.#.ffn.*"}},
    {.stored = "rwkv.ln_out.*", .blinkdl = {"ln_out.*"}},
    {.stored = "head.*", .blinkdl = {"head.*"}},
};

// ---- flash-linear-attention (fla), whose models Hugging Face calls RWKV-6 and RWKV-7.

const Rules kFlaCommon = {
    {.stored = "model.embeddings.weight", .blinkdl = {"emb.weight"}},
    {.stored = "lm_head.weight", .blinkdl = {"head.weight"}},
    {.stored = "model.layers.#.pre_norm.*", .blinkdl = {"blocks.#.ln0.*"}},
    {.stored = "model.layers.#.attn_norm.*", .blinkdl = {"blocks.#.ln1.*"}},
    {.stored = "model.layers.#.ffn_norm.*", .blinkdl = {"blocks.#.ln2.*"}},
    {.stored = "model.norm.*", .blinkdl = {"ln_out.*"}},
    {.stored = "model.layers.#.attn.g_norm.*", .blinkdl = {"blocks.#.att.ln_x.*"}},
    {.stored = "model.layers.#.attn.o_proj.*", .blinkdl = {"blocks.#.att.output.*"}},
};

// BlinkDL's five mixes are w, k, v, r, g, those of fla r, w, k, v, g.
const std::vector<int> kMixesInFla = {1, 2, 3, 0, 4};

Rules fla_6() {
  return joined(
      {{
           {.stored = "model.layers.#.attn.x_proj.0.mu", .blinkdl = {"blocks.#.att.time_maa_x"}},
           {.stored = "model.layers.#.attn.x_proj.0.linear.weight",
            .blinkdl = {"blocks.#.att.time_maa_w1"},
            .transposed = true,
            .order = kMixesInFla},
           {.stored = "model.layers.#.attn.x_proj.2.weight",
            .blinkdl = {"blocks.#.att.time_maa_w2"},
            .transposed = true,
            .order = kMixesInFla,
            .unstacked = true},
           {.stored = "model.layers.#.attn.x_bias",
            .blinkdl = {"blocks.#.att.time_maa_r", "blocks.#.att.time_maa_w",
                        "blocks.#.att.time_maa_k", "blocks.#.att.time_maa_v",
                        "blocks.#.att.time_maa_g"},
            .shape = "5C"},
           {.stored = "model.layers.#.attn.w_proj.linear.lora.0.weight",
            .blinkdl = {"blocks.#.att.time_decay_w1"},
            .transposed = true},
           {.stored = "model.layers.#.attn.w_proj.linear.lora.2.weight",
            .blinkdl = {"blocks.#.att.time_decay_w2"},
            .transposed = true},
           {.stored = "model.layers.#.attn.w_proj.linear.lora.2.bias",
            .blinkdl = {"blocks.#.att.time_decay"}},
           {.stored = "model.layers.#.attn.bonus", .blinkdl = {"blocks.#.att.time_faaaa"}},
           {.stored = "model.layers.#.attn.r_proj.linear.weight",
            .blinkdl = {"blocks.#.att.receptance.weight"}},
           {.stored = "model.layers.#.attn.k_proj.linear.weight",
            .blinkdl = {"blocks.#.att.key.weight"}},
           {.stored = "model.layers.#.attn.v_proj.linear.weight",
            .blinkdl = {"blocks.#.att.value.weight"}},
           {.stored = "model.layers.#.attn.g_proj.linear.weight",
            .blinkdl = {"blocks.#.att.gate.weight"}},
           {.stored = "model.layers.#.ffn.key.mu", .blinkdl = {"blocks.#.ffn.time_maa_k"}},
           {.stored = "model.layers.#.ffn.key.linear.weight",
            .blinkdl = {"blocks.#.ffn.key.weight"}},
           {.stored = "model.layers.#.ffn.receptance.mu", .blinkdl = {"blocks.#.ffn.time_maa_r"}},
           {.stored = "model.layers.#.ffn.receptance.linear.weight",
            .blinkdl = {"blocks.#.ffn.receptance.weight"}},
           {.stored = "model.layers.#.ffn.value.weight", .blinkdl = {"blocks.#.ffn.value.weight"}},
           {.stored = "model.layers.#.ffn.value.linear.weight",
            .blinkdl = {"blocks.#.ffn.value.weight"}},
       },
       kFlaCommon});
}

Rules fla_7() {
  Rules rules = {
      {.stored = "model.layers.#.attn.r_proj.weight",
       .blinkdl = {"blocks.#.att.receptance.weight"}},
      {.stored = "model.layers.#.attn.k_proj.weight", .blinkdl = {"blocks.#.att.key.weight"}},
      {.stored = "model.layers.#.attn.v_proj.weight", .blinkdl = {"blocks.#.att.value.weight"}},
      {.stored = "model.layers.#.attn.x_r", .blinkdl = {"blocks.#.att.x_r"}, .shape = "11C"},
      {.stored = "model.layers.#.attn.x_w", .blinkdl = {"blocks.#.att.x_w"}, .shape = "11C"},
      {.stored = "model.layers.#.attn.x_k", .blinkdl = {"blocks.#.att.x_k"}, .shape = "11C"},
      {.stored = "model.layers.#.attn.x_v", .blinkdl = {"blocks.#.att.x_v"}, .shape = "11C"},
      {.stored = "model.layers.#.attn.x_a", .blinkdl = {"blocks.#.att.x_a"}, .shape = "11C"},
      {.stored = "model.layers.#.attn.x_g", .blinkdl = {"blocks.#.att.x_g"}, .shape = "11C"},
      {.stored = "model.layers.#.attn.x_x",
       .blinkdl = {"blocks.#.att.x_r", "blocks.#.att.x_w", "blocks.#.att.x_k", "blocks.#.att.x_v",
                   "blocks.#.att.x_a", "blocks.#.att.x_g"},
       .shape = "6C"},
      {.stored = "model.layers.#.attn.w_lora.lora.0.weight",
       .blinkdl = {"blocks.#.att.w1"},
       .transposed = true},
      {.stored = "model.layers.#.attn.w_lora.lora.2.weight",
       .blinkdl = {"blocks.#.att.w2"},
       .transposed = true},
      {.stored = "model.layers.#.attn.w_lora.lora.2.bias", .blinkdl = {"blocks.#.att.w0"}},
      {.stored = "model.layers.#.attn.a_lora.lora.0.weight",
       .blinkdl = {"blocks.#.att.a1"},
       .transposed = true},
      {.stored = "model.layers.#.attn.a_lora.lora.2.weight",
       .blinkdl = {"blocks.#.att.a2"},
       .transposed = true},
      {.stored = "model.layers.#.attn.a_lora.lora.2.bias", .blinkdl = {"blocks.#.att.a0"}},
      {.stored = "model.layers.#.attn.v_lora.lora.0.weight",
       .blinkdl = {"blocks.#.att.v1"},
       .transposed = true},
      {.stored = "model.layers.#.attn.v_lora.lora.2.weight",
       .blinkdl = {"blocks.#.att.v2"},
       .transposed = true},
      {.stored = "model.layers.#.attn.v_lora.lora.2.bias", .blinkdl = {"blocks.#.att.v0"}},
      {.stored = "model.layers.#.attn.g_lora.lora.0.weight",
       .blinkdl = {"blocks.#.att.g1"},
       .transposed = true},
      {.stored = "model.layers.#.attn.g_lora.lora.2.weight",
       .blinkdl = {"blocks.#.att.g2"},
       .transposed = true},
      {.stored = "model.layers.#.attn.k_k", .blinkdl = {"blocks.#.att.k_k"}},
      {.stored = "model.layers.#.attn.k_a", .blinkdl = {"blocks.#.att.k_a"}},
      {.stored = "model.layers.#.attn.r_k", .blinkdl = {"blocks.#.att.r_k"}},
      {.stored = "model.layers.#.ffn.*", .blinkdl = {"blocks.#.ffn.*"}},
  };
  return joined({rules, kFlaCommon});
}

// ---- Other ports for Hugging Face, which keep BlinkDL's last part of each name.

Rules ports() {
  Rules rules = {
      {.stored = "model.emb.weight", .blinkdl = {"emb.weight"}},
      {.stored = "model.embeddings.weight", .blinkdl = {"emb.weight"}},
      {.stored = "model.embed_tokens.weight", .blinkdl = {"emb.weight"}},
      {.stored = "lm_head.weight", .blinkdl = {"head.weight"}},
      {.stored = "model.head.weight", .blinkdl = {"head.weight"}},
      {.stored = "model.pre_ln.*", .blinkdl = {"blocks.0.ln0.*"}},
      {.stored = "model.ln_out.*", .blinkdl = {"ln_out.*"}},
      {.stored = "model.norm.*", .blinkdl = {"ln_out.*"}},
  };
  for (const auto& [stored, blinkdl] : std::initializer_list<std::pair<const char*, const char*>>{
           {"model.blocks.#.attention.*", "blocks.#.att.*"},
           {"model.blocks.#.attn.*", "blocks.#.att.*"},
           {"model.blocks.#.feed_forward.*", "blocks.#.ffn.*"},
           {"model.blocks.#.*", "blocks.#.*"},
           {"model.layers.#.attention.*", "blocks.#.att.*"},
           {"model.layers.#.attn.*", "blocks.#.att.*"},
           {"model.layers.#.feed_forward.*", "blocks.#.ffn.*"},
           {"model.layers.#.*", "blocks.#.*"},
       }) {
    rules.push_back({.stored = stored, .blinkdl = {blinkdl}});
  }
  return rules;
}

std::vector<Naming> all_namings() {
  const std::vector<std::string_view> told_port = {
      "model.layers.0.att.key.weight",       "model.layers.0.attn.key.weight",
      "model.layers.0.attention.key.weight", "model.blocks.0.att.key.weight",
      "model.blocks.0.attn.key.weight",      "model.blocks.0.attention.key.weight"};
  return {
      {"gguf", "gguf", {"7"}, {"blk.0.time_mix_k_k.weight"}, true, gguf_7()},
      {"gguf", "gguf", {"6"}, {"blk.0.time_mix_first.weight"}, true, gguf_6()},
      {"rwkv.cpp", "rwkv.cpp", {"7"}, {"blocks.0.att.r_k"}, false, rwkvcpp_7()},
      {"rwkv.cpp", "rwkv.cpp", {"6"}, {"blocks.0.att.time_maa_x"}, true, rwkvcpp_6()},
      {"rwkv.cpp", "rwkv.cpp", {"5.2"}, {"blocks.0.att.gate.weight"}, true, rwkvcpp_5("HN1")},
      {"rwkv.cpp",
       "rwkv.cpp",
       {"5.0", "5.1"},
       {"blocks.0.att.ln_x.weight"},
       true,
       rwkvcpp_5("H11")},
      {"rwkv.cpp", "rwkv.cpp", {"4", "4a"}, {}, true, rwkvcpp_4()},
      {"hf",
       "",
       {"4", "5.0", "5.1", "5.2", "6"},
       {"rwkv.embeddings.weight", "rwkv.blocks.0.ln1.weight"},
       false,
       kHf},
      {"fla", "", {"7"}, {"model.layers.0.attn.r_proj.weight"}, true, fla_7()},
      {"fla", "", {"6"}, {"model.layers.0.attn.r_proj.linear.weight"}, true, fla_6()},
      {"port", "", {}, told_port, false, ports()},
      {"blinkdl", "", {}, {}, false, kAsItIs},
  };
}

std::vector<int> inverse(const std::vector<int>& order) {
  std::vector<int> places(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    places[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  return places;
}

std::vector<std::int64_t> without_ones(std::vector<std::int64_t> s) {
  std::erase(s, 1);
  return s;
}

/// Sizes that a rule spells: "HN1", "611C".
std::vector<std::int64_t> spelled(std::string_view shape, const Dims& d) {
  std::vector<std::int64_t> sizes;
  for (const char c : shape) {
    switch (c) {
      case 'A': sizes.push_back(d.A); break;
      case 'C': sizes.push_back(d.C); break;
      case 'H': sizes.push_back(d.H); break;
      case 'N': sizes.push_back(d.N); break;
      default: sizes.push_back(c - '0');
    }
  }
  return sizes;
}

std::vector<std::int64_t> stored_shape(const Naming& naming, const NamingRule& rule, const Param& p,
                                       const Dims& d) {
  if (!rule.shape.empty()) return spelled(rule.shape, d);
  std::vector<std::int64_t> shape = blinkdl_shape(p, d);
  if (p.stored == Stored::kVector) {
    // A model of one head has (1, N), which is no 1 to leave out.
    return naming.squeezed && shape.size() > 2 ? without_ones(shape) : shape;
  }
  if (!rule.transposed) return shape;
  if (rule.unstacked) shape = {shape[0] * shape[1], shape[2]};
  std::swap(shape.end()[-1], shape.end()[-2]);
  return shape;
}

}  // namespace

std::span<const Naming> namings() {
  static const std::vector<Naming> all = all_namings();
  return all;
}

const Naming& naming_of(std::string_view format, const std::function<bool(std::string_view)>& has) {
  const auto fits = [&](const Naming& n) {
    return (n.format.empty() || n.format == format) &&
           (n.told_by.empty() || std::any_of(n.told_by.begin(), n.told_by.end(), has));
  };
  const auto all = namings();
  return *std::find_if(all.begin(), all.end() - 1, fits);
}

const Naming* find_naming(std::string_view name, std::string_view generation) {
  for (const Naming& n : namings()) {
    const auto& held = n.generations;
    if (n.name == name &&
        (held.empty() || std::find(held.begin(), held.end(), generation) != held.end())) {
      return &n;
    }
  }
  return nullptr;
}

std::string_view unwrapped(std::string_view name) {
  for (const std::string_view wrapper : {"_forward_module.", "module."}) {
    if (name.starts_with(wrapper)) name.remove_prefix(wrapper.size());
  }
  return name;
}

std::int64_t block_of(std::string_view name) {
  constexpr std::string_view kBlocks = "blocks.";
  if (!name.starts_with(kBlocks)) return -1;
  std::int64_t index = -1;
  const char *begin = name.data() + kBlocks.size(), *end = name.data() + name.size();
  const auto [p, error] = std::from_chars(begin, end, index);
  // More layers than this exist in no model; a hostile index must not become a hostile allocation.
  constexpr std::int64_t kMostLayers = 4096;
  return error == std::errc{} && p != end && *p == '.' && index >= 0 && index < kMostLayers ? index
                                                                                            : -1;
}

// ---- looking names up

RuleIndex::RuleIndex(const Naming& naming, From from) {
  const auto add = [this](std::string_view pattern, Entry entry) {
    if (pattern.ends_with('*')) {
      pattern.remove_suffix(1);
      open_.emplace_back(pattern, entry);
    } else {
      exact_.emplace(pattern, entry);  // the first rule stays
    }
  };
  for (const NamingRule& rule : naming.rules) {
    if (from == From::kStored) {
      add(rule.stored, {&rule, 0});
      continue;
    }
    for (std::size_t i = 0; i < rule.blinkdl.size(); ++i) add(rule.blinkdl[i], {&rule, i});
  }
}

NumberedName numbered(std::string_view name) {
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t end = std::min(name.find('.', at), name.size());
    const std::string_view part = name.substr(at, end - at);
    if (!part.empty() && part.find_first_not_of("0123456789") == part.npos)
      return {fmt::format("{}#{}", name.substr(0, at), name.substr(end)), std::string(part)};
    at = end + 1;
  }
  return {std::string(name), {}};
}

std::optional<RuleIndex::Found> RuleIndex::find(std::string_view name) const {
  const auto [spelling, number] = numbered(name);
  for (const std::string_view s : {name, std::string_view(spelling)}) {
    if (const auto exact = exact_.find(s); exact != exact_.end())
      return Found{exact->second.rule, exact->second.place, number, {}};
  }
  for (const auto& [prefix, entry] : open_) {
    if (prefix.empty()) return Found{entry.rule, entry.place, number, std::string(name)};
    if (spelling.starts_with(prefix))
      return Found{entry.rule, entry.place, number, spelling.substr(prefix.size())};
  }
  return {};
}

std::string RuleIndex::Found::fill(std::string_view pattern) const {
  std::string name;
  for (const char c : pattern) {
    if (c == '#')
      name += number;
    else if (c == '*')
      name += rest;
    else
      name += c;
  }
  return name;
}

// ---- from one layout to the other

std::optional<Source> as_blinkdl(const NamingRule& rule, Source s) {
  s.undo = rule.transform;
  if (!rule.transposed) return s;
  const auto blocks = static_cast<std::int64_t>(rule.order.size());
  if (s.axes.size() < 2 || (blocks > 0 && s.axes.size() != 2)) return {};
  s = s.transposed();
  if (blocks == 0) return s;
  const std::size_t axis = rule.unstacked ? 0 : s.axes.size() - 1;
  if (s.axes[axis].size % blocks != 0) return {};
  if (rule.unstacked) s = s.split(0, blocks);
  return s.with_blocks(axis, rule.order);
}

Source as_stored(const NamingRule& rule, const Source& blinkdl) {
  Source s = blinkdl.transformed(rule.transform);
  if (!rule.transposed) return s;
  if (!rule.order.empty())
    s = s.with_blocks(rule.unstacked ? 0 : s.axes.size() - 1, inverse(rule.order));
  return rule.unstacked ? s.moved(s.axes.size() - 1, 0) : s.transposed();
}

std::vector<NamedTensor> named_tensors(const Naming& naming, const Model& model,
                                       const SourceOf& source_of, const NamedOptions& options) {
  const RuleIndex rules(naming, RuleIndex::From::kBlinkdl);
  std::vector<NamedTensor> tensors;
  std::map<std::string, std::size_t> places;  // of stacks that have begun
  const auto add = [&](const Param& p, const RuleIndex::Found& found, const Param& from) {
    const NamingRule& rule = *found.rule;
    Source part = as_stored(rule, source_of(from));
    const std::int64_t block = block_of(p.name);
    if (rule.rescaled && options.rescale_every_n_layers > 0) {
      part.scale =
          std::ldexp(part.scale, -static_cast<int>(block / options.rescale_every_n_layers));
    }
    const std::string name = found.fill(rule.stored);
    const auto [place, is_new] = places.emplace(name, tensors.size());
    if (is_new) tensors.push_back({name, stored_shape(naming, rule, p, model.dims()), {}, p});
    NamedTensor& t = tensors[place->second];
    t.parts.resize(rule.blinkdl.size());
    t.parts[found.place] = std::move(part);
  };
  for_each_param(model, [&](const Param& p, const Tensor&) {
    const auto found = rules.find(p.name);
    if (!found) {
      throw Error(Code::kUnsupported,
                  fmt::format("there is no name for '{}' in files of {}", p.name, naming.name));
    }
    add(p, *found, p);
    // What the program wants in block 0 and the model does not have.
    for (const NamingRule& rule : naming.rules) {
      if (rule.stand_in.empty() ||
          p.name != RuleIndex::Found{&rule, 0, "0", {}}.fill(rule.stand_in))
        continue;
      Param missing = p;
      const RuleIndex::Found there{&rule, 0, "0", {}};
      missing.name = there.fill(rule.blinkdl[0]);
      add(missing, there, p);
    }
  });
  return tensors;
}

bool same_vector(const std::vector<std::int64_t>& found,
                 const std::vector<std::int64_t>& expected) {
  const auto product = [](const std::vector<std::int64_t>& sizes) {
    return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
  };
  const auto a = without_ones(found), b = without_ones(expected);
  return a == b || ((a.size() <= 1 || b.size() <= 1) && product(a) == product(b));
}

std::vector<std::int64_t> blinkdl_shape(const Param& p, const Dims& d) {
  std::vector<std::int64_t> shape = p.shape.sizes();
  if (p.stored == Stored::kTransposed) std::swap(shape.end()[-1], shape.end()[-2]);
  if (p.stored != Stored::kVector || shape.size() != 1) return shape;
  const std::string_view name = p.name;
  const auto has = [name](std::string_view part) { return name.find(part) != name.npos; };
  const bool per_channel = shape[0] == d.A && d.H > 0;
  if (has(".time_mix_") || has(".time_maa_") || has(".att.x_") || has(".ffn.x_") ||
      name.ends_with(".w0") || name.ends_with(".a0") || name.ends_with(".v0") ||
      name.ends_with(".k_k") || name.ends_with(".k_a") ||
      (name.ends_with(".time_decay") && d.ranks.contains("decay"))) {
    return {1, 1, shape[0]};
  }
  if (per_channel && (name.ends_with(".time_decay") || name.ends_with(".time_faaaa"))) {
    return {d.H, d.N};
  }
  return shape;
}

}  // namespace prwkv
