"""Random checkpoints for the oracle tests, and the rule by which logits are compared.

The weights come from the generator of the golden models, in shapes closer to released ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
from make_golden import Model, Weights, forward, make_weights

__all__ = ["Model", "assert_close", "forward", "make_weights", "random_tokens", "save"]

# Largest allowed |difference| of a logit, as a share of the standard deviation of the expected
# logits (smaller than their range, so the stricter of the usual two measures of spread).
TOLERANCE = 1e-4


def random_tokens(vocab: int, count: int, seed: int) -> list[int]:
    """Token ids; 70 of them cross the chunk borders of the parallel mode."""
    return np.random.default_rng(seed).integers(0, vocab, count).tolist()


def save(weights: Weights, path: Path, dtype: torch.dtype = torch.float32) -> Weights:
    """Writes a checkpoint in the format of the suffix; returns the weights as stored."""
    tensors = {name: torch.from_numpy(value).to(dtype) for name, value in weights.items()}
    if path.suffix == ".pth":
        torch.save(tensors, path)
    else:
        save_file(tensors, path)
    return {name: tensor.float().numpy() for name, tensor in tensors.items()}


def assert_close(got: np.ndarray, expected: np.ndarray) -> None:
    """Compares logits of all positions at TOLERANCE."""
    assert got.shape == expected.shape
    worst, spread = float(np.abs(got - expected).max()), float(expected.std())
    assert worst <= TOLERANCE * spread, f"largest difference {worst:.3g}, spread {spread:.3g}"
