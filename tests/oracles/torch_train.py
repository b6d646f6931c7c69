"""Training as BlinkDL's scripts do it, in plain PyTorch on the transcription of torch_rwkv.py.

No mixed precision, no tricks: one loop over torch.optim.AdamW. Any float type; with float64 parameters the
trajectory is exact for all purposes, and a float32 program is compared with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch_rwkv
from torch import Tensor
from torch_rwkv import Params

BETAS = (0.9, 0.99)
# Of the learning rate, at step 0.
WARMUP_START = 0.01


@dataclass(frozen=True)
class Recipe:
    """What a run is told. `context` and `batch` in tokens and samples; rates are those of a group with multiplier 1."""

    context: int
    batch: int
    steps: int
    lr: float
    lr_final: float
    warmup: int
    weight_decay: float
    clip: float
    l2wrap: bool = False

    @property
    def tokens(self) -> int:
        """That the run sees once, in order; the last of them is a target only."""
        return self.steps * self.batch * self.context + 1


@dataclass(frozen=True)
class Group:
    """How a parameter is trained: a multiplier of the learning rate, and whether its weights decay."""

    lr: float
    decays: bool


@dataclass(frozen=True)
class Step:
    """What one step was: loss before it, learning rate of it, norm of the gradient before it was clipped."""

    loss: float
    lr: float
    norm: float


def is_trained(name: str) -> bool:
    """4a's mask is a buffer."""
    return not name.endswith("tiny_mask")


def group_of(name: str, generation: str, rank: int) -> Group:
    """By name, and by `rank`, the number of dimensions of the parameter.

    Matrices decay; low-rank pairs have names of their own and do not.
    """
    if name.endswith(".weight") and rank >= 2:
        return Group(1.0, decays=True)
    faster = {"att.time_decay": 2.0, "att.time_first": 3.0}
    if generation == "7":
        faster = {"att.w0": 2.0}
    part = name.split(".", 2)[-1] if name.startswith("blocks.") else name
    return Group(faster.get(part, 1.0), decays=False)


def eps_of(generation: str) -> float:
    """AdamW's: so small from 5 on that a parameter at zero moves at once."""
    return 1e-8 if generation in ("4", "4a") else 1e-18


def learning_rate(recipe: Recipe, step: int) -> float:
    """Of step 0, 1, …: a linear warm-up, times half a cosine from lr to lr_final that starts behind it."""
    progress = (step - recipe.warmup) / (recipe.steps - recipe.warmup)
    f = recipe.lr_final / recipe.lr
    cosine = (0.5 + f / 2) + (0.5 - f / 2) * math.cos(math.pi * min(max(progress, 0.0), 1.0))
    warmup = 1.0
    if step < recipe.warmup:
        warmup = WARMUP_START + (1 - WARMUP_START) * step / recipe.warmup
    return recipe.lr * cosine * warmup


def batches(tokens: Tensor, recipe: Recipe) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets (batch, context) of each step; sample i begins at token i · context."""
    for step in range(recipe.steps):
        first = step * recipe.batch * recipe.context
        span = tokens[first : first + recipe.batch * recipe.context + 1]
        yield span[:-1].view(recipe.batch, -1), span[1:].view(recipe.batch, -1)


def optimizer(params: Params, generation: str, recipe: Recipe) -> torch.optim.AdamW:
    """One parameter group a parameter; its key "multiplier" is that of the learning rate."""
    groups = []
    for name, parameter in params.items():
        group = group_of(name, generation, parameter.dim())
        groups.append(
            {
                "params": [parameter],
                "multiplier": group.lr,
                "weight_decay": recipe.weight_decay if group.decays else 0.0,
            }
        )
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=BETAS, eps=eps_of(generation))


def train(
    start: Params, generation: str, tokens: Tensor, recipe: Recipe
) -> tuple[list[Step], Params]:
    """Trains a copy of `start` on `tokens` (recipe.tokens); what each step was, and the parameters at the end."""
    params = {name: t.clone().requires_grad_() for name, t in start.items() if is_trained(name)}
    adamw = optimizer(params, generation, recipe)
    log = []
    for step, (ids, targets) in enumerate(batches(tokens, recipe)):
        lr = learning_rate(recipe, step)
        for group in adamw.param_groups:
            group["lr"] = lr * group["multiplier"]
        adamw.zero_grad()
        loss = torch_rwkv.loss(params, generation, ids, targets, recipe.l2wrap)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(params.values(), recipe.clip)
        adamw.step()
        log.append(Step(loss.item(), lr, norm.item()))
    return log, {name: t.detach() for name, t in params.items()}
