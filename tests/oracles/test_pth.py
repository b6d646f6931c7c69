"""PyTorch checkpoint files: names, types, shapes and values against torch.load."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the Python package torch")

from conftest import Prwkv

DTYPES = {
    torch.float64: "f64",
    torch.float32: "f32",
    torch.float16: "f16",
    torch.bfloat16: "bf16",
}
DEMOS = [
    "251024_rosaQKV_L2_digit20.pth",
    "251105_reverse_L2.pth",
    "260123_reverse_L2.pth",
    "260123_reverse_L2_only_rwkv7.pth",
]
Listing = dict[str, tuple[str, list[int], int]]


def expected_listing(tensors: dict[str, torch.Tensor]) -> Listing:
    """Name → (dtype, shape, bytes) as PyTorch sees the file."""
    return {n: (DTYPES[t.dtype], list(t.shape), t.numel() * t.itemsize) for n, t in tensors.items()}


def check_file(prwkv: Prwkv, path: Path) -> None:
    """The file lists the same tensors with the same values as torch.load gives."""
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    report = prwkv.json("inspect", path)
    assert report["generation"] == "unknown"
    listing = {t["name"]: (t["dtype"].lower(), t["shape"], t["bytes"]) for t in report["tensors"]}
    assert listing == expected_listing(tensors)
    for name, tensor in tensors.items():
        got = prwkv.json("inspect", path, "--tensor", name)
        assert got["name"] == name
        assert (got["dtype"].lower(), got["shape"]) == listing[name][:2]
        expected = tensor.detach().double().numpy().ravel()
        values = np.array(got["values"], np.float64)
        if tensor.dtype != torch.float64:
            values = values.astype(np.float32).astype(np.float64)
        assert np.array_equal(values, expected), name


@pytest.mark.parametrize("name", DEMOS)
def test_published_checkpoint(prwkv: Prwkv, test_vectors: Path, name: str) -> None:
    """Files that other people's training runs wrote."""
    check_file(prwkv, test_vectors / name)


def views() -> dict[str, torch.Tensor]:
    """Tensors that are not the whole of a contiguous storage of their own."""
    base = torch.arange(60.0).reshape(5, 12)
    return {
        "base": base,
        "shared": base,
        "transposed": base.t(),
        "rows": base[1:3],
        "columns": base[:, 3:7],
        "every_third": base[:, ::3],
        "expanded": torch.tensor([1.5, -2.0]).expand(3, 2),
        "permuted": torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1),
    }


def awkward() -> dict[str, torch.Tensor]:
    """Types, ranks and values at the edges of what a checkpoint may hold."""
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(7, 3, generator=generator)
    largest, tiny = torch.finfo(torch.float32).max, torch.finfo(torch.float32).smallest_normal
    return {
        "f64": values.double() / 3,
        "f16": values.half(),
        "bf16": values.bfloat16(),
        "extremes": torch.tensor([largest, -largest, tiny, tiny / 8, 0.0]),
        "one_value": torch.tensor([3.25]),
        "rank_4": torch.randn(2, 1, 3, 2, generator=generator),
        "a name, with spaces": torch.ones(2),
        "a name with spaces": torch.zeros(1, 1, 5),
    }


def module_state() -> dict[str, torch.Tensor]:
    """An OrderedDict with `_metadata`, as nn.Module.state_dict() returns it."""
    torch.manual_seed(2)
    return torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.LayerNorm(4)).state_dict()


def parameters() -> dict[str, torch.Tensor]:
    """nn.Parameter objects, which pickle through a function of their own."""
    return {"weight": torch.nn.Parameter(torch.eye(3))}


@pytest.mark.parametrize("make", [views, awkward, module_state, parameters])
def test_synthetic_checkpoint(prwkv: Prwkv, tmp_path: Path, make: Callable) -> None:
    """Storage sharing, strides and types that the published files lack."""
    path = tmp_path / "model.pth"
    torch.save(make(), path)
    check_file(prwkv, path)


class Payload:
    """Unpickling this runs a shell command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable, tuple[str]]:
        """What the pickle calls on load."""
        return os.system, (self.command,)


def test_code_in_the_pickle_is_refused(prwkv: Prwkv, tmp_path: Path) -> None:
    """A reader that executes nothing reports an error instead."""
    path, trace = tmp_path / "model.pth", tmp_path / "executed"
    torch.save({"emb.weight": torch.ones(2, 2), "x": Payload(f"touch {trace}")}, path)
    done = prwkv.run("inspect", path, "--json")
    assert done.returncode not in (0, -6, -11), (
        "refused with an error, neither accepted nor crashed"
    )
    assert done.stderr
    assert not trace.exists()
