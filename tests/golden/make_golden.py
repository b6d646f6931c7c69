#!/usr/bin/env python3
"""Makes the golden models: one tiny random RWKV per generation, with its exact logits.

For every entry of MODELS two files are written beside this script:
  NAME.safetensors  float32 weights with the names and shapes of BlinkDL's checkpoints
  NAME.json         {"generation", "groupnorm_eps", "tokens", "logits"}; logits[t] is the row
                    after tokens[0..t]

The forward pass below is the definition the engine is tested against. It runs one token after the
other in float64 and stays as close to the equations as possible; nothing in it is meant to be fast
or numerically clever. All random numbers are uniform: the weights are the same bits everywhere.

Letters: C channels, A attention channels, F feed-forward channels, V vocabulary, H heads, N = A / H,
S[h, i, j] the matrix state with i = value index and j = key index. Matrices are (out, in); LoRA
pairs are (in, rank), (rank, out).

Usage: make_golden.py [--check]
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
LAYER_NORM_EPS = 1e-5
# (head_size_divisor = 8)² · 1e-5 whatever the head size. Generation 4 has no group norm: unused there.
GROUP_NORM_EPS = 64e-5
# 20 tokens below 61, the smallest vocabulary: both ends, immediate and distant repetitions.
TOKENS = [34, 7, 0, 58, 58, 3, 21, 60, 45, 12, 34, 7, 0, 29, 51, 51, 51, 18, 60, 1]
CHECK_TOLERANCE = (
    1e-11  # logits are of order 1; exp and tanh may differ in the last bit between machines
)

Weights = dict[str, np.ndarray]
State = dict[str, np.ndarray]


@dataclass(frozen=True)
class Model:
    """Shape of one golden model; `bonus` names the tensor that holds u in generation 5."""

    name: str
    generation: str
    seed: int
    L: int
    C: int
    F: int
    V: int
    H: int = 0
    A: int = 0  # 0: same as C
    bonus: str = "time_faaaa"
    tiny_dim: int = 0  # 4a: dimension of the tiny attention, which sits in layer 1
    ranks: tuple[int, ...] = ()  # 6: mix, decay; 7: w, a, v, g

    @property
    def att(self) -> int:
        """Channels inside the time mixing."""
        return self.A or self.C

    @property
    def head_size(self) -> int:
        """Channels per head."""
        return self.att // self.H


MODELS = [
    Model("rwkv4", "4", seed=40, L=3, C=48, A=40, F=56, V=61),
    Model("rwkv4a", "4a", seed=41, L=3, C=32, F=48, V=97, tiny_dim=12),
    Model("rwkv5.0", "5.0", seed=50, L=3, C=32, F=40, V=67, H=4, bonus="time_first"),
    Model("rwkv5.1", "5.1", seed=51, L=2, C=48, F=40, V=64, H=3),
    Model("rwkv5.1-first", "5.1", seed=151, L=2, C=32, F=128, V=61, H=2, bonus="time_first"),
    Model("rwkv5.2", "5.2", seed=52, L=3, C=48, F=44, V=73, H=3),
    Model("rwkv6", "6", seed=60, L=3, C=48, F=40, V=79, H=3, ranks=(4, 6)),
    Model("rwkv7", "7", seed=70, L=3, C=48, F=48, V=256, H=3, ranks=(8, 6, 4, 10)),
]


# ---- random weights


class Draw:
    """Uniform random tensors, rounded to float32."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.Generator(np.random.PCG64(seed))

    def uniform(self, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
        """Independent values in [low, high)."""
        return (low + (high - low) * self._rng.random(shape)).astype(np.float32)

    def gain(self, shape: tuple[int, ...], inputs: int, gain: float = 1.0) -> np.ndarray:
        """A linear map whose outputs have `gain` times the spread of its `inputs` inputs."""
        bound = gain * (3.0 / inputs) ** 0.5
        return self.uniform(shape, -bound, bound)

    def matrix(self, rows: int, columns: int, gain: float = 1.0) -> np.ndarray:
        """A projection (out, in)."""
        return self.gain((rows, columns), columns, gain)

    def lora(
        self, inputs: int, rank: int, outputs: int, gain: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """A pair (in, rank), (rank, out)."""
        return self.gain((inputs, rank), inputs), self.gain((rank, outputs), rank, gain)


def make_weights(m: Model) -> Weights:
    """Random weights of magnitudes at which every part of the model contributes to the logits."""
    draw = Draw(m.seed)
    w: Weights = {"emb.weight": draw.uniform((m.V, m.C), -0.8, 0.8)}

    def norm(name: str, size: int) -> None:
        w[name + ".weight"] = draw.uniform((size,), 0.6, 1.4)
        w[name + ".bias"] = draw.uniform((size,), -0.3, 0.3)

    for layer in range(m.L):
        block = f"blocks.{layer}."
        norm(block + "ln1", m.C)
        norm(block + "ln2", m.C)
        if layer == 0:
            norm(block + "ln0", m.C)
        att = MAKE_ATTENTION[m.generation](m, layer, draw)
        w.update({block + "att." + name: value for name, value in att.items()})
        if m.H:
            norm(block + "att.ln_x", m.att)
        w.update(
            {block + "ffn." + name: value for name, value in make_channel_mix(m, draw).items()}
        )
        if m.tiny_dim and layer == 1:
            norm(block + "tiny_ln", m.C)
            w[block + "tiny_q.weight"] = draw.matrix(m.tiny_dim, m.C)
            w[block + "tiny_k.weight"] = draw.matrix(m.tiny_dim, m.C)
            w[block + "tiny_v.weight"] = draw.matrix(m.C, m.C)
            # A buffer of the trainer, (ctx_len, ctx_len), kept in released files: not a weight.
            w[block + "tiny_mask"] = np.tril(np.ones((24, 24), np.float32))
    norm("ln_out", m.C)
    w["head.weight"] = draw.matrix(m.V, m.C)
    return w


def make_projections(m: Model, draw: Draw, names: list[str], key_gain: float) -> Weights:
    """The square matrices of a time mixing, `output` included."""
    w = {
        f"{name}.weight": draw.matrix(m.att, m.C, key_gain if name == "key" else 1.0)
        for name in names
    }
    return w | {"output.weight": draw.matrix(m.C, m.att, 0.7)}


def make_att_4(m: Model, _: int, draw: Draw) -> Weights:
    """att.* of generations 4 and 4a."""
    w = {
        "time_decay": draw.uniform((m.att,), -4.0, 1.5),
        "time_first": draw.uniform((m.att,), -1.5, 1.5),
    }
    w |= {f"time_mix_{q}": draw.uniform((1, 1, m.C), 0.0, 1.0) for q in "kvr"}
    return w | make_projections(m, draw, ["key", "value", "receptance"], 1.5)


def make_att_5(m: Model, _: int, draw: Draw) -> Weights:
    """att.* of generations 5.0, 5.1 and 5.2."""
    gated = m.generation != "5.0"
    heads = (m.H, m.head_size) if m.generation == "5.2" else (m.H,)
    w = {f"time_mix_{q}": draw.uniform((1, 1, m.C), 0.0, 1.0) for q in ("kvrg" if gated else "kvr")}
    w["time_decay"] = draw.uniform(heads, -5.0, 0.7)
    w[m.bonus] = draw.uniform(heads, -1.5, 1.0)
    names = ["receptance", "key", "value"] + (["gate"] if gated else [])
    return w | make_projections(m, draw, names, 0.3)


def make_att_6(m: Model, _: int, draw: Draw) -> Weights:
    """att.* of generation 6."""
    mix_rank, decay_rank = m.ranks
    w = {f"time_maa_{q}": draw.uniform((1, 1, m.C), 0.0, 1.0) for q in "xwkvrg"}
    w["time_maa_w1"] = draw.gain((m.C, 5 * mix_rank), m.C)
    w["time_maa_w2"] = draw.gain((5, mix_rank, m.C), mix_rank, 0.4)
    w["time_decay"] = draw.uniform((1, 1, m.att), -5.0, 0.7)
    w["time_decay_w1"], w["time_decay_w2"] = draw.lora(m.C, decay_rank, m.att, 0.8)
    w["time_faaaa"] = draw.uniform((m.H, m.head_size), -1.5, 1.0)
    return w | make_projections(m, draw, ["receptance", "key", "value", "gate"], 0.3)


def make_att_7(m: Model, layer: int, draw: Draw) -> Weights:
    """att.* of generation 7; layer 0 has no v0, v1, v2."""
    w = {f"x_{q}": draw.uniform((1, 1, m.C), 0.0, 1.0) for q in "rwkvag"}
    base = {"w": (-5.0, 1.0), "a": (-1.5, 1.5), "v": (-1.0, 1.0)}
    for q, rank in zip("wavg", m.ranks, strict=True):
        if q == "v" and layer == 0:
            continue
        if q in base:
            w[q + "0"] = draw.uniform((1, 1, m.C), *base[q])
        w[q + "1"], w[q + "2"] = draw.lora(m.C, rank, m.C, 2.0 if q == "g" else 0.8)
    w["k_k"] = draw.uniform((1, 1, m.C), 0.5, 1.2)
    w["k_a"] = draw.uniform((1, 1, m.C), 0.6, 1.2)
    w["r_k"] = draw.uniform((m.H, m.head_size), -0.5, 0.5)
    return w | make_projections(m, draw, ["receptance", "key", "value"], 0.5)


def make_channel_mix(m: Model, draw: Draw) -> Weights:
    """ffn.* of all generations."""
    mixes = {"6": ["time_maa_k", "time_maa_r"], "7": ["x_k"]}.get(
        m.generation, ["time_mix_k", "time_mix_r"]
    )
    w = {name: draw.uniform((1, 1, m.C), 0.0, 1.0) for name in mixes}
    w["key.weight"] = draw.matrix(m.F, m.C)
    if m.generation != "7":
        w["receptance.weight"] = draw.matrix(m.C, m.C)
    w["value.weight"] = draw.matrix(m.C, m.F, 0.8)
    return w


MAKE_ATTENTION: dict[str, Callable[[Model, int, Draw], Weights]] = {
    "4": make_att_4,
    "4a": make_att_4,
    "5.0": make_att_5,
    "5.1": make_att_5,
    "5.2": make_att_5,
    "6": make_att_6,
    "7": make_att_7,
}


# ---- the equations, float64, one token at a time


@dataclass
class Step:
    """What the layers share while they process one token."""

    eps: float  # of the group norm
    v_first: np.ndarray | None = None  # generation 7: v of layer 0


def sigmoid(x: np.ndarray) -> np.ndarray:
    """σ(x)."""
    return 1.0 / (1.0 + np.exp(-x))


def normalize(x: np.ndarray, eps: float) -> np.ndarray:
    """(x − mean) / sqrt(biased variance + eps) over the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps)


def layer_norm(w: Weights, name: str, x: np.ndarray) -> np.ndarray:
    """LayerNorm with the affine pair `name`."""
    return normalize(x, LAYER_NORM_EPS) * w[name + ".weight"] + w[name + ".bias"]


def head_norm(p: Weights, y: np.ndarray, eps: float) -> np.ndarray:
    """ln_x: every head (row of y) is a group; the affine pair covers all channels."""
    return normalize(y, eps).reshape(-1) * p["ln_x.weight"] + p["ln_x.bias"]


def shifted(state: State, slot: str, x: np.ndarray) -> np.ndarray:
    """The previous token's row (zeros at the start); remembers x for the next token."""
    previous = state.get(slot, np.zeros_like(x))
    state[slot] = x
    return previous


def time_mix_4(p: Weights, x: np.ndarray, state: State, _: Step) -> np.ndarray:
    """y = (a + e^{u+k} v) / (b + e^{u+k}), then a ← e^w a + e^k v, b ← e^w b + e^k."""
    x_prev = shifted(state, "att_shift", x)
    k, v, r = (
        p[name] @ (x * p[mix].reshape(-1) + x_prev * (1 - p[mix].reshape(-1)))
        for name, mix in (
            ("key.weight", "time_mix_k"),
            ("value.weight", "time_mix_v"),
            ("receptance.weight", "time_mix_r"),
        )
    )
    a, b = state.get("a", np.zeros_like(k)), state.get("b", np.zeros_like(k))
    now = np.exp(p["time_first"] + k)
    y = (a + now * v) / (b + now)
    decay = np.exp(-np.exp(p["time_decay"]))  # e^w
    state["a"], state["b"] = decay * a + np.exp(k) * v, decay * b + np.exp(k)
    return p["output.weight"] @ (sigmoid(r) * y)


def linear_attention(
    state: State, r: np.ndarray, k: np.ndarray, v: np.ndarray, w: np.ndarray, u: np.ndarray
) -> np.ndarray:
    """Per row (head): y_i = Σ_j (S[i,j] + u_j k_j v_i) r_j, then S[i,j] ← w_j S[i,j] + v_i k_j."""
    heads, size = r.shape
    S = state.get("S", np.zeros((heads, size, size)))
    outer = v[:, :, None] * k[:, None, :]
    y = ((S + u[:, None, :] * outer) * r[:, None, :]).sum(-1)
    state["S"] = w[:, None, :] * S + outer
    return y


def time_mix_5(p: Weights, x: np.ndarray, state: State, step: Step) -> np.ndarray:
    """5.0 (no gate), 5.1 (one decay per head) and 5.2 (one decay per channel)."""
    x_prev = shifted(state, "att_shift", x)
    heads = p["time_decay"].shape[0]

    def project(name: str, mix: str) -> np.ndarray:
        mu = p[mix].reshape(-1)
        return p[name] @ (x * mu + x_prev * (1 - mu))

    r = project("receptance.weight", "time_mix_r").reshape(heads, -1)
    k = project("key.weight", "time_mix_k").reshape(heads, -1)
    v = project("value.weight", "time_mix_v").reshape(heads, -1)
    u = p["time_faaaa"] if "time_faaaa" in p else np.exp(p["time_first"])
    w = np.exp(-np.exp(p["time_decay"]))
    y = linear_attention(state, r, k, v, w.reshape(heads, -1), u.reshape(heads, -1))
    out = head_norm(p, y, step.eps)
    if "gate.weight" in p:
        g = project("gate.weight", "time_mix_g")
        out = out * g * sigmoid(g)
    return p["output.weight"] @ out


def time_mix_6(p: Weights, x: np.ndarray, state: State, step: Step) -> np.ndarray:
    """Data-dependent mixes and decay; the recurrence of 5.2 with w of this token."""
    delta = shifted(state, "att_shift", x) - x
    u = p["time_faaaa"]
    rank = p["time_maa_w2"].shape[1]
    z = np.tanh((x + delta * p["time_maa_x"].reshape(-1)) @ p["time_maa_w1"])

    def mixed(q: str) -> np.ndarray:
        index = "wkvrg".index(q)
        lora = z[index * rank : (index + 1) * rank] @ p["time_maa_w2"][index]
        return x + delta * (p["time_maa_" + q].reshape(-1) + lora)

    r = (p["receptance.weight"] @ mixed("r")).reshape(u.shape)
    k = (p["key.weight"] @ mixed("k")).reshape(u.shape)
    v = (p["value.weight"] @ mixed("v")).reshape(u.shape)
    g = p["gate.weight"] @ mixed("g")
    d = p["time_decay"].reshape(-1) + np.tanh(mixed("w") @ p["time_decay_w1"]) @ p["time_decay_w2"]
    y = linear_attention(state, r, k, v, np.exp(-np.exp(d)).reshape(u.shape), u)
    return p["output.weight"] @ (head_norm(p, y, step.eps) * g * sigmoid(g))


def time_mix_7(p: Weights, x: np.ndarray, state: State, step: Step) -> np.ndarray:
    """S ← S (diag(w) − κ̂ (κ̂ ⊙ a)ᵀ) + v kᵀ, y = S r, then bonus and gate."""
    delta = shifted(state, "att_shift", x) - x
    heads = p["r_k"].shape
    x_r, x_w, x_k, x_v, x_a, x_g = (x + delta * p["x_" + q].reshape(-1) for q in "rwkvag")
    r = p["receptance.weight"] @ x_r
    k = p["key.weight"] @ x_k
    v = p["value.weight"] @ x_v
    w = np.exp(-np.exp(-0.5) * sigmoid(p["w0"].reshape(-1) + np.tanh(x_w @ p["w1"]) @ p["w2"]))
    a = sigmoid(p["a0"].reshape(-1) + x_a @ p["a1"] @ p["a2"])
    g = sigmoid(x_g @ p["g1"]) @ p["g2"]
    if step.v_first is None:
        step.v_first = v
    else:
        v = v + (step.v_first - v) * sigmoid(p["v0"].reshape(-1) + x_v @ p["v1"] @ p["v2"])
    kappa = (k * p["k_k"].reshape(-1)).reshape(heads)
    kappa = kappa / np.maximum(np.linalg.norm(kappa, axis=-1, keepdims=True), 1e-12)
    k = k * (1 + (a - 1) * p["k_a"].reshape(-1))

    r, w, k, v, a = (z.reshape(heads) for z in (r, w, k, v, a))
    S = state.get("S", np.zeros((*heads, heads[1])))
    transition = np.eye(heads[1]) * w[:, None, :] - kappa[:, :, None] * (kappa * a)[:, None, :]
    S = S @ transition + v[:, :, None] * k[:, None, :]
    state["S"] = S
    y = head_norm(p, (S @ r[:, :, None])[:, :, 0], step.eps)
    y = y + ((r * k * p["r_k"]).sum(-1, keepdims=True) * v).reshape(-1)
    return p["output.weight"] @ (y * g)


def channel_mix(p: Weights, x: np.ndarray, state: State) -> np.ndarray:
    """V relu²(K x_k), gated by σ(R x_r) before generation 7.

    Mixes of 4 and 5 are the weight of the current token, those of 6 and 7 of the previous one.
    """
    delta = shifted(state, "ffn_shift", x) - x

    def mixed(q: str) -> np.ndarray:
        for name in ("x_" + q, "time_maa_" + q):
            if name in p:
                return x + delta * p[name].reshape(-1)
        return x + delta * (1 - p["time_mix_" + q].reshape(-1))

    out = p["value.weight"] @ np.maximum(p["key.weight"] @ mixed("k"), 0.0) ** 2
    if "receptance.weight" in p:
        out = sigmoid(p["receptance.weight"] @ mixed("r")) * out
    return out


def tiny_attention(p: Weights, x: np.ndarray, embedding: np.ndarray, state: State) -> np.ndarray:
    """4a: Σ_{s≤t} D^{-1/2} (q_t · k_s) tiny_v(e_s), no softmax; e is the embedding before ln0."""
    h = layer_norm(p, "tiny_ln", x)
    q, k = p["tiny_q.weight"] @ h, p["tiny_k.weight"] @ h
    value = p["tiny_v.weight"] @ embedding
    keys = np.vstack([state.get("tiny_keys", np.empty((0, k.size))), k])
    values = np.vstack([state.get("tiny_values", np.empty((0, value.size))), value])
    state["tiny_keys"], state["tiny_values"] = keys, values
    return (keys @ q / np.sqrt(q.size)) @ values


TIME_MIX: dict[str, Callable[[Weights, np.ndarray, State, Step], np.ndarray]] = {
    "4": time_mix_4,
    "4a": time_mix_4,
    "5.0": time_mix_5,
    "5.1": time_mix_5,
    "5.2": time_mix_5,
    "6": time_mix_6,
    "7": time_mix_7,
}


def subset(w: Weights, prefix: str) -> Weights:
    """The tensors under `prefix`, without it."""
    return {name[len(prefix) :]: value for name, value in w.items() if name.startswith(prefix)}


def forward(
    weights: Weights, generation: str, tokens: list[int], eps: float = GROUP_NORM_EPS
) -> np.ndarray:
    """Logits after every token, shape (T, V), from the empty state."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    layers = 1 + max(int(name.split(".")[1]) for name in w if name.startswith("blocks."))
    blocks = [subset(w, f"blocks.{layer}.") for layer in range(layers)]
    parts = [(block, subset(block, "att."), subset(block, "ffn.")) for block in blocks]
    states: list[State] = [{} for _ in blocks]
    logits = []
    for token in tokens:
        embedding = w["emb.weight"][token]
        x = layer_norm(blocks[0], "ln0", embedding)
        step = Step(eps)
        for (block, att, ffn), state in zip(parts, states, strict=True):
            x = x + TIME_MIX[generation](att, layer_norm(block, "ln1", x), state, step)
            x = x + channel_mix(ffn, layer_norm(block, "ln2", x), state)
            if "tiny_q.weight" in block:
                x = x + tiny_attention(block, x, embedding, state)
        logits.append(w["head.weight"] @ layer_norm(w, "ln_out", x))
    return np.array(logits)


# ---- files


def safetensors_bytes(weights: Weights) -> bytes:
    """A safetensors file of float32 tensors, the data aligned to 8 bytes."""
    header, offset = {}, 0
    for name, value in weights.items():
        end = offset + value.nbytes
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(np.ascontiguousarray(value, "<f4").tobytes() for value in weights.values())
    return struct.pack("<Q", len(text)) + text + data


def expected(m: Model, weights: Weights) -> dict:
    """The content of NAME.json."""
    tokens = [*TOKENS, m.V - 1]
    return {
        "generation": m.generation,
        "groupnorm_eps": GROUP_NORM_EPS,
        "tokens": tokens,
        "logits": forward(weights, m.generation, tokens).tolist(),
    }


def write(m: Model) -> None:
    """Writes both files of one model."""
    weights = make_weights(m)
    (FOLDER / f"{m.name}.safetensors").write_bytes(safetensors_bytes(weights))
    text = json.dumps(expected(m, weights), separators=(",", ":"))
    (FOLDER / f"{m.name}.json").write_text(text + "\n", encoding="ascii")


def check(m: Model) -> str:
    """What differs between the files of one model and a fresh computation; empty if nothing."""
    weights = make_weights(m)
    if (FOLDER / f"{m.name}.safetensors").read_bytes() != safetensors_bytes(weights):
        return "the weights differ"
    stored, fresh = json.loads((FOLDER / f"{m.name}.json").read_bytes()), expected(m, weights)
    a, b = np.array(stored.pop("logits")), np.array(fresh.pop("logits"))
    if stored != fresh or a.shape != b.shape:
        return "generation, eps, tokens or the number of logits differ"
    distance = float(np.abs(a - b).max())
    return "" if distance <= CHECK_TOLERANCE else f"the logits differ by {distance:.3g}"


def main() -> int:
    """Writes the files, or compares them with --check; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make or check the golden models.")
    parser.add_argument(
        "--check", action="store_true", help="compare with the files instead of writing them"
    )
    if not parser.parse_args().check:
        for m in MODELS:
            write(m)
        return 0
    failed = 0
    for m in MODELS:
        problem = check(m)
        failed += bool(problem)
        print(f"{m.name}: {problem or 'ok'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
