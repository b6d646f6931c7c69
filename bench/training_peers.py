#!/usr/bin/env python3
"""A model of the same size in PyTorch, trained a step at a time on request: who bench/training.py measures beside prwkv.

    bench/training_peers.py gpt MODEL.safetensors --tokens DATA.bin [--batch 8] [--context 512] [--threads 2] [--bf16]
    bench/training_peers.py rwkv MODEL.safetensors --tokens DATA.bin …
    bench/training_peers.py check          the recurrence in chunks beside the recurrence as it is defined, in double

    gpt    causal attention (scaled_dot_product_attention) and an MLP of 4 C with ReLU²; width, layers, vocabulary and
           size of heads are those of the RWKV-7 in MODEL, the weights its own
    rwkv   the RWKV-7 in MODEL, its weights; the recurrence in chunks, as batched products

Both under torch.compile, with AdamW (one fused kernel) and clipping, as prwkv trains. Each line "step N" of standard
input trains N steps and is answered by a line of JSON; the end of the input by a report (bench/steps.py). DATA.bin is
the one batch that every step sees, as 32-bit ids.

With --bf16 products are in bfloat16 (autocast); weights, sums and the recurrence stay in f32.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Params = dict[str, Tensor]
Wkv = Callable[..., Tensor]

LAYER_NORM_EPS, GROUP_NORM_EPS = 1e-5, 64e-5
LOG_DECAY = -math.exp(-0.5)
# As prwkv train is called by bench/training.py: how large a step is does not matter for its speed.
ADAMW = {"lr": 1e-6, "betas": (0.9, 0.99), "weight_decay": 0.1}
CLIP = 1.0
# Of gradients in double, relative to their norm: the two forms differ by rounding alone, some 1e-14.
CHECK_TOLERANCE = 1e-9


def is_matrix(name: str, t: Tensor) -> bool:
    """Whether rows of activations are multiplied by it: neither a table nor one value a channel."""
    return t.dim() == 2 and name not in ("emb.weight", "pos.weight") and not name.endswith("r_k")


def part_of(params: Params, prefix: str) -> Params:
    """The tensors under `prefix`, without it."""
    return {name[len(prefix):]: t for name, t in params.items() if name.startswith(prefix)}


def blocks_of(params: Params) -> list[Params]:
    """Layer by layer."""
    layers = 1 + max(int(name.split(".")[1]) for name in params if name.startswith("blocks."))
    return [part_of(params, f"blocks.{i}.") for i in range(layers)]


def norm(p: Params, name: str, x: Tensor) -> Tensor:
    """LayerNorm."""
    return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], LAYER_NORM_EPS)


def read_out(p: Params, x: Tensor, targets: Tensor) -> Tensor:
    """Sum of the cross entropies, in nats."""
    logits = F.linear(norm(p, "ln_out", x), p["head.weight"]).flatten(0, 1)
    return F.cross_entropy(logits.float(), targets.flatten(), reduction="sum")


# ---- RWKV-7. Letters: B sequences, T tokens, C channels, H heads, N channels a head, L tokens a chunk.


class UnitLowerInverse(torch.autograd.Function):
    """(I − a)⁻¹ of strictly lower triangular a (…, L, L), L a power of two: (I + a)(I + a²)(I + a⁴) ….

    The sum of all powers, since a^L = 0: products only, which run batched.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Tensor:
        """(…, L, L)"""
        size = a.shape[-1]
        inverse, power = torch.eye(size, dtype=a.dtype) + a, a
        for _ in range(size.bit_length() - 2):
            power = power @ power
            inverse = inverse + inverse @ power
        ctx.save_for_backward(inverse)
        return inverse

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """dM = M da M"""
        (inverse,) = ctx.saved_tensors
        return inverse.mT @ gradient @ inverse.mT


def wkv7_in_chunks(r: Tensor, log_w: Tensor, k: Tensor, v: Tensor, alpha: Tensor, beta: Tensor, L: int) -> Tensor:
    """The recurrence of RWKV-7 in its WY form (src/ops/wkv7/README.md); all arguments and y are (B, T, H, N).

    A chunk maps the state in front of it, S, to U = P Sᵀ + Q, y = E Sᵀ + Y and the next state S M + W. All of these
    matrices depend on the chunk alone, so they come from products that are batched over sequences, heads and chunks;
    S M + W is what is left to go from chunk to chunk.
    """
    B, T, H, N = r.shape

    def chunks(x: Tensor) -> Tensor:
        return x.view(B, T // L, L, H, N).permute(0, 3, 1, 2, 4)  # (B, H, chunks, L, N)

    r, log_w, k, v, alpha, beta = (chunks(x) for x in (r, log_w, k, v, alpha, beta))
    c = log_w.cumsum(-2)
    down, whole = torch.exp(-c), torch.exp(c[..., -1:, :])
    a_, r_, b_, k_ = alpha * torch.exp(c - log_w), r * torch.exp(c), beta * down, k * down
    ones = torch.ones(L, L, dtype=r.dtype)
    earlier, upto = torch.tril(ones, -1).repeat(1, 2), torch.tril(ones).repeat(1, 2)
    pairs = (torch.cat([a_, r_], -2) @ torch.cat([b_, k_], -2).mT) * torch.cat([earlier, upto])
    ab, ak, rb, rk = pairs[..., :L, :L], pairs[..., :L, L:], pairs[..., L:, :L], pairs[..., L:, L:]

    PQ = UnitLowerInverse.apply(ab) @ torch.cat([a_, ak @ v], -1)
    P, Q = PQ[..., :N], PQ[..., N:]
    EY = rb @ PQ
    E, Y = r_ + EY[..., :N], EY[..., N:] + rk @ v
    b_end, k_end = b_ * whole, k_ * whole
    M = torch.diag_embed(whole.squeeze(-2)) + P.mT @ b_end
    W = torch.cat([Q, v], -2).mT @ torch.cat([b_end, k_end], -2)
    states = [torch.zeros(B, H, N, N, dtype=r.dtype)]
    for i in range(T // L - 1):
        states.append(states[-1] @ M[:, :, i] + W[:, :, i])
    y = E @ torch.stack(states, 2).mT + Y
    return y.permute(0, 2, 3, 1, 4).reshape(B, T, H, N)


def wkv7_by_token(r: Tensor, log_w: Tensor, k: Tensor, v: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """The same as it is defined: S ← S diag(w) + (S α) βᵀ + v kᵀ, y = S r."""
    B, T, H, N = r.shape
    S, rows = torch.zeros(B, H, N, N, dtype=r.dtype), []
    for t in range(T):
        S_alpha = (S * alpha[:, t, :, None]).sum(-1, keepdim=True)
        S = S * torch.exp(log_w[:, t, :, None]) + S_alpha * beta[:, t, :, None] + v[:, t, :, :, None] * k[:, t, :, None]
        rows.append((S * r[:, t, :, None]).sum(-1))
    return torch.stack(rows, 1)


def before(x: Tensor) -> Tensor:
    """The row before each row of x (B, T, C); zeros before the first."""
    return F.pad(x, (0, 0, 1, -1))


def time_mix(p: Params, x: Tensor, v_first: Tensor | None, wkv: Wkv) -> tuple[Tensor, Tensor]:
    """The output, and v of the first layer."""
    delta, heads = before(x) - x, p["att.r_k"].shape
    r, w, k, v, a, g = (x + delta * p["att.x_" + q] for q in "rwkvag")
    log_w = LOG_DECAY * torch.sigmoid(p["att.w0"] + torch.tanh(w @ p["att.w1"]) @ p["att.w2"])
    a = torch.sigmoid(p["att.a0"] + a @ p["att.a1"] @ p["att.a2"])
    g = torch.sigmoid(g @ p["att.g1"]) @ p["att.g2"]
    r, k = F.linear(r, p["att.receptance.weight"]), F.linear(k, p["att.key.weight"])
    own = F.linear(v, p["att.value.weight"])
    if v_first is None:
        v = v_first = own
    else:
        v = own + (v_first - own) * torch.sigmoid(p["att.v0"] + v @ p["att.v1"] @ p["att.v2"])
    kappa = F.normalize((k * p["att.k_k"]).unflatten(-1, heads), dim=-1, eps=1e-12)
    k = k * (1 + (a - 1) * p["att.k_a"])
    r, log_w, k, v_, a = (q.unflatten(-1, heads) for q in (r, log_w, k, v, a))
    with torch.autocast("cpu", enabled=False):  # large and small factors cancel: not in eight bits
        y = wkv(*(q.to(x.dtype) for q in (r, log_w, k, v_, -kappa, kappa * a)))
    y = F.group_norm(y.flatten(0, 1).flatten(1), heads[0], p["att.ln_x.weight"], p["att.ln_x.bias"], GROUP_NORM_EPS)
    bonus = (r * k * p["att.r_k"]).sum(-1, keepdim=True) * v_
    out = (y.view(x.shape[0], x.shape[1], -1) + bonus.flatten(-2)) * g
    return F.linear(out, p["att.output.weight"]), v_first


def rwkv_block(p: Params, x: Tensor, v_first: Tensor | None, wkv: Wkv) -> tuple[Tensor, Tensor]:
    """x behind the layer, and v of the first one."""
    out, v_first = time_mix(p, norm(p, "ln1", x), v_first, wkv)
    x = x + out
    h = norm(p, "ln2", x)
    h = F.relu(F.linear(h + (before(h) - h) * p["ffn.x_k"], p["ffn.key.weight"])) ** 2
    return x + F.linear(h, p["ffn.value.weight"]), v_first


class Rwkv:
    """Compiled block by block: all layers but the first share their code, and nothing could be fused across them."""

    def __init__(self, params: Params, wkv: Wkv, compiled: Callable[[Callable], Callable]) -> None:
        self.params, self._blocks = params, blocks_of(params)
        self._block = compiled(lambda p, x, v_first: rwkv_block(p, x, v_first, wkv))
        self._read_out = compiled(read_out)
        self._outside = {name: t for name, t in params.items() if not name.startswith("blocks.")}

    def loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Sum over all targets (B, T)."""
        x = F.embedding(ids, self.params["emb.weight"])
        x, v_first = norm(self.params, "blocks.0.ln0", x), None
        for p in self._blocks:
            x, v_first = self._block(p, x, v_first)
        return self._read_out(self._outside, x, targets)


def random_rwkv(L: int, C: int, N: int, V: int, rank: int) -> Params:
    """In double, with BlinkDL's names and shapes."""
    generator = torch.Generator().manual_seed(7)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def matrix(out: int, columns: int) -> Tensor:
        return normal(out, columns) / math.sqrt(columns)

    params = {"emb.weight": normal(V, C), "head.weight": matrix(V, C)}
    params |= {f"{n}.{q}": normal(C) for n in ("blocks.0.ln0", "ln_out") for q in ("weight", "bias")}
    for i in range(L):
        p = {f"{n}.{q}": normal(C) for n in ("ln1", "ln2", "att.ln_x") for q in ("weight", "bias")}
        p |= {f"att.x_{q}": normal(1, 1, C) for q in "rwkvag"} | {"ffn.x_k": normal(1, 1, C)}
        for q in "wagv" if i > 0 else "wag":
            p |= {f"att.{q}1": matrix(rank, C).T.contiguous(), f"att.{q}2": normal(rank, C), f"att.{q}0": normal(1, 1, C)}
        p |= {"att.k_k": normal(1, 1, C), "att.k_a": normal(1, 1, C), "att.r_k": normal(C // N, N)}
        p |= {f"att.{q}.weight": matrix(C, C) for q in ("receptance", "key", "value", "output")}
        p |= {"ffn.key.weight": matrix(4 * C, C), "ffn.value.weight": matrix(C, 4 * C)}
        del p["att.g0"]
        params |= {f"blocks.{i}.{name}": t for name, t in p.items()}
    return params


def check(L: int) -> dict[str, float]:
    """Loss and gradients of a small model with the recurrence in chunks of L beside the plain one, in double."""
    params = random_rwkv(L=2, C=32, N=16, V=50, rank=8)
    generator = torch.Generator().manual_seed(8)
    ids, targets = torch.randint(0, 50, (2, 2, 4 * L), generator=generator)
    found = []
    for wkv in (wkv7_by_token, lambda *x: wkv7_in_chunks(*x, L)):
        leaves = {name: t.clone().requires_grad_() for name, t in params.items()}
        loss = Rwkv(leaves, wkv, lambda f: f).loss(ids, targets)
        gradients = torch.autograd.grad(loss, list(leaves.values()))
        found.append((loss.item(), gradients))
    (plain, plain_gradients), (chunked, chunked_gradients) = found
    errors = {"loss": abs(chunked - plain) / abs(plain),
              "gradients": max(((a - b).norm() / b.norm()).item()
                               for a, b in zip(chunked_gradients, plain_gradients, strict=True))}
    if not max(errors.values()) <= CHECK_TOLERANCE:
        raise SystemExit(f"training_peers.py: the recurrence in chunks of {L} is off: {errors}")
    return errors


# ---- GPT


class Gpt:
    """Pre-norm, without biases but those of norms, untied head, learned positions."""

    def __init__(self, params: Params, head_size: int, compiled: Callable[[Callable], Callable]) -> None:
        self.params, self._head_size = params, head_size
        self.loss = compiled(self._loss)

    def _loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Sum over all targets (B, T)."""
        B, T = ids.shape
        x = F.embedding(ids, self.params["emb.weight"]) + self.params["pos.weight"][:T]
        for p in blocks_of(self.params):
            qkv = F.linear(norm(p, "ln1", x), p["qkv.weight"])
            q, k, v = (h.view(B, T, -1, self._head_size).transpose(1, 2) for h in qkv.chunk(3, -1))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + F.linear(y.transpose(1, 2).reshape(B, T, -1), p["out.weight"])
            x = x + F.linear(F.relu(F.linear(norm(p, "ln2", x), p["up.weight"])) ** 2, p["down.weight"])
        return read_out(self.params, x, targets)


def new_gpt(L: int, C: int, V: int, context: int) -> Params:
    """GPT-2's initial values."""
    torch.manual_seed(0)
    shapes = {"emb": (V, C), "pos": (context, C), "head": (V, C)}
    of_block = {"qkv": (3 * C, C), "out": (C, C), "up": (4 * C, C), "down": (C, 4 * C)}
    for i in range(L):
        shapes |= {f"blocks.{i}.{name}": shape for name, shape in of_block.items()}
    params = {f"{name}.weight": 0.02 * torch.randn(*shape) for name, shape in shapes.items()}
    for name in ["ln_out", *(f"blocks.{i}.{n}" for i in range(L) for n in ("ln1", "ln2"))]:
        params |= {f"{name}.weight": torch.ones(C), f"{name}.bias": torch.zeros(C)}
    return params


# ---- training


class Training:
    """A model, its optimizer, and the batch."""

    def __init__(self, model: Gpt | Rwkv, ids: Tensor, targets: Tensor, micro_batches: list[int], bf16: bool) -> None:
        self._model, self._ids, self._targets, self._bf16 = model, ids, targets, bf16
        self._leaves = [t.requires_grad_() for t in model.params.values()]
        self._optimizer = torch.optim.AdamW(self._leaves, fused=True, **ADAMW)
        self.seconds_of: dict[int, float] = {}  # a step's gradients, by samples in one pass
        started = time.perf_counter()
        for n in micro_batches:
            self._micro_batch = n
            self.first = self._gradients(), self._norm()  # compiles
            start = time.perf_counter()
            self._gradients()
            self.seconds_of[n] = time.perf_counter() - start
        self.micro_batch = self._micro_batch = min(self.seconds_of, key=lambda n: self.seconds_of[n])
        self.seconds_of_warm_up = time.perf_counter() - started
        self.step()  # the optimizer's own state

    def _norm(self) -> float:
        """Of the gradient. In double: a sum of 50 million squares in f32 is off by a ten-thousandth."""
        return math.sqrt(sum(t.grad.double().square().sum().item() for t in self._leaves))

    def _gradients(self) -> float:
        """Fills them; the mean loss."""
        self._optimizer.zero_grad()
        n, total = self._micro_batch, 0.0
        for i in range(0, len(self._ids), n):
            with torch.autocast("cpu", torch.bfloat16, enabled=self._bf16):
                loss = self._model.loss(self._ids[i:i + n], self._targets[i:i + n]) / self._targets.numel()
            loss.backward()
            total += loss.item()
        return total

    def step(self) -> float:
        """Seconds."""
        start = time.perf_counter()
        self._gradients()
        torch.nn.utils.clip_grad_norm_(self._leaves, CLIP)
        self._optimizer.step()
        return time.perf_counter() - start

    def report(self) -> dict[str, Any]:
        """What was trained, and how."""
        named = self._model.params.items()
        matrices = sum(t.numel() for name, t in named if is_matrix(name, t))
        return {"parameters": sum(t.numel() for _, t in named), "matrix_parameters": matrices,
                "flops_per_token": 6 * matrices, "first_loss": self.first[0], "first_norm": self.first[1],
                "micro_batch": self.micro_batch, "seconds_of_micro_batches": self.seconds_of,
                "seconds_of_warm_up": self.seconds_of_warm_up, "torch": torch.__version__}


def open_training(options: argparse.Namespace) -> tuple[Training, dict[str, Any]]:
    """The model that was named, warm; what was checked before."""
    from safetensors.torch import load_file

    params = {name: t.float() for name, t in load_file(options.model).items()}
    tokens = torch.frombuffer(bytearray(Path(options.tokens).read_bytes()), dtype=torch.int32).long()
    ids, targets = (t.view(options.batch, options.context) for t in (tokens[:-1], tokens[1:]))
    micro_batches = [n for n in options.micro_batch if options.batch % n == 0] or [options.batch]

    def compiled(f: Callable) -> Callable:
        return torch.compile(f, dynamic=False)

    checked: dict[str, Any] = {}
    model: Gpt | Rwkv
    if options.program == "gpt":
        V, C = params["emb.weight"].shape
        model = Gpt(new_gpt(len(blocks_of(params)), C, V, options.context), params["blocks.0.att.r_k"].shape[1], compiled)
    else:
        L = math.gcd(options.chunk, options.context)  # both are powers of two
        checked = {"chunk": L, "check": check(L)}
        model = Rwkv(params, lambda *x: wkv7_in_chunks(*x, L), compiled)
    return Training(model, ids, targets, micro_batches, options.bf16), checked


def numbers(text: str) -> list[int]:
    """"8,2" """
    return [int(n) for n in text.split(",")]


def main() -> None:
    """Answers until standard input ends. Messages of the packages go to standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("program", choices=["gpt", "rwkv", "check"])
    add("model", nargs="?", help="RWKV-7 in safetensors, BlinkDL's names")
    add("--tokens", help="file of batch x context + 1 ids")
    add("--batch", type=int, default=8)
    add("--context", type=int, default=512, help="a power of two")
    add("--micro-batch", type=numbers, default=[8, 2], help="samples in one pass; of several the fastest is kept")
    add("--chunk", type=int, default=32, help="tokens a chunk of the recurrence: 16 or 32")
    add("--bf16", action="store_true")
    add("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.program == "check":
        for L in (8, 16, 32):
            print(L, check(L))
        return
    if options.model is None or options.tokens is None:
        parser.error("MODEL and --tokens are needed")
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), 1)  # also what native code prints
    with contextlib.redirect_stdout(sys.stderr):
        training, checked = open_training(options)
        print(json.dumps({"ready": options.program}), file=out, flush=True)
        for line in sys.stdin:
            steps = int(line.split()[1])
            print(json.dumps({"step": line.strip(), "seconds": [training.step() for _ in range(steps)]}), file=out, flush=True)
        print(json.dumps(training.report() | checked), file=out, flush=True)


if __name__ == "__main__":
    main()
