"""Every generation of RWKV in plain PyTorch: gradients come from autograd and from nothing else.

The oracle of the backward pass. Sequential recurrences, no kernels, no chunks; what couples tokens is a
loop over them. Any float type: with float64 parameters everything is computed in float64.

Letters: B sequences, T tokens, C channels, A = H N attention channels, H heads, N channels a head, V vocabulary.
Activations are (B, T, C). x' is the row before x, δ = x' − x. Matrices are (out, in), y = x Wᵀ; low-rank pairs
(in, rank), (rank, out), y = x w1 w2. The state of 5, 6 and 7 is S (B, H, N, N), value index first, key index last.

Parameters are a dict from BlinkDL's names to tensors in the shapes of the file. A state is one dict a layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

Params = dict[str, Tensor]
LayerState = dict[str, Tensor]
State = list[LayerState]

LAYER_NORM_EPS = 1e-5
# ln_x(y / 8) with 1e-5 in the training code, whatever the head size.
GROUP_NORM_EPS = 64e-5
IGNORED = -1  # a target that does not count
L2WRAP = 1e-4


@dataclass
class Pass:
    """What the layers of one forward pass share."""

    group_norm_eps: float
    v_first: Tensor | None = None  # 7: v of layer 0, of the same tokens


# ---- parts that all generations have


def layer_norm(p: Params, name: str, x: Tensor) -> Tensor:
    """Over the last dimension, with the affine pair `name`."""
    return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], LAYER_NORM_EPS)


def head_norm(p: Params, y: Tensor, eps: float) -> Tensor:
    """ln_x: GroupNorm of y (B, T, H, N) with one group a head; its affine pair covers A channels. (B, T, A)"""
    mean = y.mean(-1, keepdim=True)
    variance = ((y - mean) ** 2).mean(-1, keepdim=True)
    normal = (y - mean) / torch.sqrt(variance + eps)
    return normal.flatten(-2) * p["ln_x.weight"] + p["ln_x.bias"]


def previous_rows(x: Tensor, s: LayerState, slot: str) -> Tensor:
    """x' of every row of x; the state's `slot` (B, C) is the one before the first, and becomes the last of x."""
    before = torch.cat([s[slot][:, None], x[:, :-1]], dim=1)
    s[slot] = x[:, -1]
    return before


def linear_attention(
    s: LayerState, r: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor
) -> Tensor:
    """5 and 6: y_i = Σ_j (S_ij + u_j k_j v_i) r_j, then S_ij ← w_j S_ij + v_i k_j.

    r, k, v, w (B, T, H, N); u (H, N). Returns y (B, T, H, N).
    """
    S, rows = s["S"], []
    for t in range(r.shape[1]):
        v_kT = v[:, t, :, :, None] * k[:, t, :, None, :]
        rows.append(((S + u[:, None, :] * v_kT) * r[:, t, :, None, :]).sum(-1))
        S = S * w[:, t, :, None, :] + v_kT
    s["S"] = S
    return torch.stack(rows, dim=1)


def channel_mix(p: Params, x: Tensor, x_k: Tensor, x_r: Tensor | None) -> Tensor:
    """V relu²(K x_k), before generation 7 gated by σ(R x_r)."""
    out = torch.relu(x_k @ p["key.weight"].T) ** 2 @ p["value.weight"].T
    return out if x_r is None else torch.sigmoid(x_r @ p["receptance.weight"].T) * out


# ---- RWKV-4


def time_mix_4(p: Params, x: Tensor, s: LayerState, _: Pass) -> Tensor:
    """y = (a + e^{u+k} v) / (b + e^{u+k}), then a ← e^w a + e^k v, b ← e^w b + e^k; out = O (σ(r) ⊙ y).

    The sums a and b as they are defined, without a running exponent: k must stay below the logarithm of the
    largest number, 709 in float64.
    """
    before = previous_rows(x, s, "att_shift")

    def mixed(q: str) -> Tensor:
        mu = p["time_mix_" + q]
        return x * mu + before * (1 - mu)

    k = mixed("k") @ p["key.weight"].T
    v = mixed("v") @ p["value.weight"].T
    r = torch.sigmoid(mixed("r") @ p["receptance.weight"].T)
    w, u = -torch.exp(p["time_decay"]), p["time_first"]
    a, b, rows = s["a"], s["b"], []
    for t in range(x.shape[1]):
        now, later = torch.exp(u + k[:, t]), torch.exp(k[:, t])
        rows.append((a + now * v[:, t]) / (b + now))
        a = torch.exp(w) * a + later * v[:, t]
        b = torch.exp(w) * b + later
    s["a"], s["b"] = a, b
    return (r * torch.stack(rows, dim=1)) @ p["output.weight"].T


def channel_mix_4(p: Params, x: Tensor, s: LayerState) -> Tensor:
    """4 and 5: μ is the weight of the current token."""
    before = previous_rows(x, s, "ffn_shift")
    mu_k, mu_r = p["time_mix_k"], p["time_mix_r"]
    return channel_mix(p, x, x * mu_k + before * (1 - mu_k), x * mu_r + before * (1 - mu_r))


def tiny_attention(p: Params, x: Tensor, e: Tensor, s: LayerState) -> Tensor:
    """4a: Σ_{s≤t} D^{−1/2} (q_t · k_s) tiny_v(e_s), no softmax; e (B, T, C) is the embedding before ln0."""
    h = layer_norm(p, "tiny_ln", x)
    q, k = h @ p["tiny_q.weight"].T, h @ p["tiny_k.weight"].T
    s["tiny_k"] = torch.cat([s["tiny_k"], k], dim=1)
    s["tiny_v"] = torch.cat([s["tiny_v"], e @ p["tiny_v.weight"].T], dim=1)
    past = s["tiny_k"].shape[1] - x.shape[1]
    scores = q @ s["tiny_k"].transpose(1, 2) * q.shape[-1] ** -0.5
    return torch.tril(scores, diagonal=past) @ s["tiny_v"]


# ---- RWKV-5


def time_mix_5(p: Params, x: Tensor, s: LayerState, run: Pass) -> Tensor:
    """5.0 has no gate; 5.0 and 5.1 one decay and one bonus a head, 5.2 one a channel.

    w = exp(−exp(time_decay)); u = time_faaaa, or exp(time_first); out = O (GroupNorm(y) ⊙ silu(g)).
    """
    before = previous_rows(x, s, "att_shift")
    H, N = s["S"].shape[1:3]

    def mixed(q: str) -> Tensor:
        mu = p["time_mix_" + q]
        return x * mu + before * (1 - mu)

    def heads(y: Tensor) -> Tensor:
        return y.unflatten(-1, (H, N))

    r = heads(mixed("r") @ p["receptance.weight"].T)
    k = heads(mixed("k") @ p["key.weight"].T)
    v = heads(mixed("v") @ p["value.weight"].T)
    u = p["time_faaaa"] if "time_faaaa" in p else torch.exp(p["time_first"])
    w = torch.exp(-torch.exp(p["time_decay"]))
    y = linear_attention(s, r, k, v, w.reshape(H, -1).expand_as(k), u.reshape(H, -1).expand(H, N))
    out = head_norm(p, y, run.group_norm_eps)
    if "gate.weight" in p:
        out = out * F.silu(mixed("g") @ p["gate.weight"].T)
    return out @ p["output.weight"].T


# ---- RWKV-6


def time_mix_6(p: Params, x: Tensor, s: LayerState, run: Pass) -> Tensor:
    """Mixes and decay depend on the data; out = O (GroupNorm(y) ⊙ silu(g)).

    x_q = x + δ ⊙ (maa_q + z_q W2_q), z = tanh((x + δ ⊙ maa_x) W1) in five parts;
    w = exp(−exp(time_decay + tanh(x_w decay_w1) decay_w2)).
    """
    delta = previous_rows(x, s, "att_shift") - x
    heads = p["time_faaaa"].shape
    z = torch.tanh((x + delta * p["time_maa_x"]) @ p["time_maa_w1"]).chunk(5, dim=-1)

    def mixed(q: str) -> Tensor:
        part = "wkvrg".index(q)
        return x + delta * (p["time_maa_" + q] + z[part] @ p["time_maa_w2"][part])

    r = (mixed("r") @ p["receptance.weight"].T).unflatten(-1, heads)
    k = (mixed("k") @ p["key.weight"].T).unflatten(-1, heads)
    v = (mixed("v") @ p["value.weight"].T).unflatten(-1, heads)
    g = F.silu(mixed("g") @ p["gate.weight"].T)
    d = p["time_decay"] + torch.tanh(mixed("w") @ p["time_decay_w1"]) @ p["time_decay_w2"]
    w = torch.exp(-torch.exp(d)).unflatten(-1, heads)
    y = linear_attention(s, r, k, v, w, p["time_faaaa"])
    return (head_norm(p, y, run.group_norm_eps) * g) @ p["output.weight"].T


def channel_mix_6(p: Params, x: Tensor, s: LayerState) -> Tensor:
    """μ is the weight of the previous token."""
    delta = previous_rows(x, s, "ffn_shift") - x
    return channel_mix(p, x, x + delta * p["time_maa_k"], x + delta * p["time_maa_r"])


# ---- RWKV-7


def time_mix_7(p: Params, x: Tensor, s: LayerState, run: Pass) -> Tensor:
    """S ← S diag(w) + (S α) βᵀ + v kᵀ with α = −κ̂, β = κ̂ ⊙ a; y = S r of the new S.

    Then out = O ((GroupNorm(y) + (Σ_j r_j k_j r_k_j) v) ⊙ g).
    """
    delta = previous_rows(x, s, "att_shift") - x
    heads = s["S"].shape[1:3]

    def mixed(q: str) -> Tensor:
        return x + delta * p["x_" + q]

    x_w, x_v, x_a, x_g = mixed("w"), mixed("v"), mixed("a"), mixed("g")
    r = mixed("r") @ p["receptance.weight"].T
    k = mixed("k") @ p["key.weight"].T
    v = x_v @ p["value.weight"].T
    z = p["w0"] + torch.tanh(x_w @ p["w1"]) @ p["w2"]
    w = torch.exp(-torch.exp(torch.tensor(-0.5, dtype=x.dtype)) * torch.sigmoid(z))
    a = torch.sigmoid(p["a0"] + x_a @ p["a1"] @ p["a2"])
    g = torch.sigmoid(x_g @ p["g1"]) @ p["g2"]
    if run.v_first is None:
        run.v_first = v
    else:
        v = v + (run.v_first - v) * torch.sigmoid(p["v0"] + x_v @ p["v1"] @ p["v2"])

    kappa = (k * p["k_k"]).unflatten(-1, heads)
    kappa = kappa / torch.linalg.vector_norm(kappa, dim=-1, keepdim=True).clamp_min(1e-12)
    k = k * (1 + (a - 1) * p["k_a"])
    r, w, k, v, a = (q.unflatten(-1, heads) for q in (r, w, k, v, a))

    alpha, beta = -kappa, kappa * a
    S, rows = s["S"], []
    for t in range(x.shape[1]):
        S_alpha = (S * alpha[:, t, :, None, :]).sum(-1, keepdim=True)
        S = (
            S * w[:, t, :, None, :]
            + S_alpha * beta[:, t, :, None, :]
            + v[:, t, :, :, None] * k[:, t, :, None, :]
        )
        rows.append((S * r[:, t, :, None, :]).sum(-1))
    s["S"] = S
    y = head_norm(p, torch.stack(rows, dim=1), run.group_norm_eps)
    bonus = (r * k * p["r_k"].reshape(heads)).sum(-1, keepdim=True) * v
    return ((y + bonus.flatten(-2)) * g) @ p["output.weight"].T


def channel_mix_7(p: Params, x: Tensor, s: LayerState) -> Tensor:
    """No gate."""
    delta = previous_rows(x, s, "ffn_shift") - x
    return channel_mix(p, x, x + delta * p["x_k"], None)


# ---- models

MIXES: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "4": (time_mix_4, channel_mix_4),
    "4a": (time_mix_4, channel_mix_4),
    "5.0": (time_mix_5, channel_mix_4),
    "5.1": (time_mix_5, channel_mix_4),
    "5.2": (time_mix_5, channel_mix_4),
    "6": (time_mix_6, channel_mix_6),
    "7": (time_mix_7, channel_mix_7),
}


def load(path: str | Path, dtype: torch.dtype = torch.float64) -> Params:
    """The tensors of a safetensors file with BlinkDL's names and shapes, as float `dtype`."""
    return {name: tensor.to(dtype) for name, tensor in load_file(path).items()}


def part_of(params: Params, prefix: str) -> Params:
    """The tensors under `prefix`, without it."""
    return {name[len(prefix) :]: t for name, t in params.items() if name.startswith(prefix)}


def layer_count(params: Params) -> int:
    """1 + the largest block index."""
    return 1 + max(int(name.split(".")[1]) for name in params if name.startswith("blocks."))


def empty_state(params: Params, generation: str, batch: int) -> State:
    """The state before the first token of `batch` sequences; keys say which of its parts a layer has."""
    emb = params["emb.weight"]

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(batch, *shape, dtype=emb.dtype)

    state = []
    for layer in range(layer_count(params)):
        block = part_of(params, f"blocks.{layer}.")
        A, C = block["att.key.weight"].shape
        s = {"att_shift": zeros(C), "ffn_shift": zeros(C)}
        if generation in ("4", "4a"):
            s |= {"a": zeros(A), "b": zeros(A)}
        else:
            of_heads = {"6": "att.time_faaaa", "7": "att.r_k"}.get(generation, "att.time_decay")
            H = block[of_heads].shape[0]
            s["S"] = zeros(H, A // H, A // H)
        if "tiny_q.weight" in block:
            s |= {"tiny_k": zeros(0, len(block["tiny_q.weight"])), "tiny_v": zeros(0, C)}
        state.append(s)
    return state


def forward(
    params: Params,
    generation: str,
    ids: Tensor,
    state: State | None = None,
    group_norm_eps: float = GROUP_NORM_EPS,
) -> tuple[Tensor, State]:
    """Logits (B, T, V) after every token of ids (B, T), and the state behind the last; `state` stays as it is."""
    time_mix, mix_channels = MIXES[generation]
    state = empty_state(params, generation, len(ids)) if state is None else state
    state = [dict(s) for s in state]
    run = Pass(group_norm_eps)
    e = params["emb.weight"][ids]
    x = layer_norm(params, "blocks.0.ln0", e)
    for layer, s in enumerate(state):
        block = part_of(params, f"blocks.{layer}.")
        x = x + time_mix(part_of(block, "att."), layer_norm(block, "ln1", x), s, run)
        x = x + mix_channels(part_of(block, "ffn."), layer_norm(block, "ln2", x), s)
        if "tiny_q.weight" in block:
            x = x + tiny_attention(block, x, e, s)
    return layer_norm(params, "ln_out", x) @ params["head.weight"].T, state


# ---- the loss


class L2Wrap(torch.autograd.Function):
    """The loss itself; backward adds 1e-4 / rows · max_logit to the gradient of each row, where its largest is.

    Rows are those that have a target: B T if all have one.
    """

    @staticmethod
    def forward(ctx, loss: Tensor, logits: Tensor, targets: Tensor) -> Tensor:
        """loss (), logits (B, T, V), targets (B, T)."""
        ctx.save_for_backward(logits, targets != IGNORED)
        return loss.clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """Multiplied by the gradient from above, as the loss's own is."""
        logits, counts = ctx.saved_tensors
        largest, where = logits.max(-1, keepdim=True)
        extra = torch.zeros_like(logits).scatter_(-1, where, largest * (L2WRAP / int(counts.sum())))
        return gradient, gradient * extra * counts[:, :, None], None


def cross_entropy(logits: Tensor, targets: Tensor, l2wrap: bool = False) -> Tensor:
    """Mean in nats over the targets (B, T) that are not IGNORED; logits (B, T, V)."""
    mean = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)
    return L2Wrap.apply(mean, logits, targets) if l2wrap else mean


def loss(
    params: Params, generation: str, ids: Tensor, targets: Tensor, l2wrap: bool = False
) -> Tensor:
    """Mean cross entropy of the targets (B, T) after the ids (B, T), from the empty state."""
    return cross_entropy(forward(params, generation, ids)[0], targets, l2wrap)
