"""All generations against BlinkDL's Python package rwkv, which reads the same .pth files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the Python package torch")
pytest.importorskip("safetensors", reason="needs the Python package safetensors")
rwkv = pytest.importorskip("rwkv", reason="needs the Python package rwkv")

from conftest import Prwkv
from oracle_models import Model, assert_close, forward, make_weights, random_tokens, save

DRIVER = Path(__file__).with_name("rwkv_package_logits.py")
MODELS = [
    Model("4", "4", seed=4, L=3, C=128, F=512, V=101),
    Model("5.0", "5.0", seed=50, L=3, C=128, F=512, V=101, H=2, bonus="time_first"),
    Model("5.1", "5.1", seed=51, L=3, C=128, F=448, V=101, H=2),
    Model("5.1-first", "5.1", seed=52, L=3, C=128, F=448, V=101, H=2, bonus="time_first"),
    Model("5.2", "5.2", seed=53, L=3, C=128, F=448, V=101, H=2),
    Model("6", "6", seed=60, L=3, C=128, F=448, V=101, H=2, ranks=(16, 32)),
    Model("7", "7", seed=70, L=3, C=128, F=512, V=101, H=2, ranks=(32, 32, 24, 40)),
]


@dataclass(frozen=True)
class Case:
    """A checkpoint with the logits that the package computes from it."""

    model: Model
    path: Path
    weights: dict[str, np.ndarray]
    tokens: list[int]
    expected: np.ndarray


def package_logits(m: Model, path: Path, tokens: list[int]) -> np.ndarray:
    """Logits of all positions by the package, without TorchScript where it leaves a choice."""
    switches = {
        "RWKV_JIT_ON": "0",
        "RWKV_CUDA_ON": "0",
        "RWKV_V7_ON": str(int(m.generation == "7")),
    }
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(path), ",".join(map(str, tokens))],
        env=os.environ | switches,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return np.array(json.loads(done.stdout))


@pytest.fixture(scope="module", params=MODELS, ids=lambda m: m.name)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """One random model."""
    m: Model = request.param
    path = tmp_path_factory.mktemp("rwkv") / "model.pth"
    weights = save(make_weights(m), path)
    tokens = random_tokens(m.V, 70, m.seed)
    return Case(m, path, weights, tokens, package_logits(m, path, tokens))


def test_golden_transcription_agrees(case: Case) -> None:
    """The double-precision definition behind the golden files is the same model."""
    assert_close(forward(case.weights, case.model.generation, case.tokens), case.expected)


@pytest.mark.parametrize("mode", ["rnn", "parallel"])
@pytest.mark.parametrize("backend", ["ref", "cpu"])
def test_logits(prwkv: Prwkv, case: Case, mode: str, backend: str) -> None:
    """The command line computes the logits of the package."""
    assert_close(prwkv.logits(case.path, case.tokens, mode, backend), case.expected)
