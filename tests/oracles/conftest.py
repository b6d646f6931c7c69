"""Fixtures of the oracle tests: they compare the command line with independent implementations.

Environment:
  PRWKV_BIN     the binary under test (default build/release/prwkv)
  PRWKV_SHARED  folder with reference/test-vectors (default ../shared beside the repository)
A test whose binary, package or data are missing is skipped with the reason.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120


class Prwkv:
    """The binary under test; every method is one process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *args: str | Path, stdin: str = "") -> subprocess.CompletedProcess[bytes]:
        """Runs the binary with `stdin` as UTF-8 bytes."""
        command = [str(self.path), *map(str, args)]
        return subprocess.run(
            command, input=stdin.encode(), capture_output=True, timeout=TIMEOUT_S, check=False
        )

    def json(self, *args: str | Path, stdin: str = "") -> dict:
        """The JSON a successful run prints."""
        done = self.run(*args, "--json", stdin=stdin)
        assert done.returncode == 0, f"{done.args}: exit {done.returncode}\n{done.stderr.decode()}"
        return json.loads(done.stdout)

    def logits(self, model: Path, tokens: list[int], mode: str, backend: str) -> np.ndarray:
        """Logits after every token, shape (T, V), computed in float32."""
        ids = ",".join(map(str, tokens))
        options = ["--mode", mode, "--backend", backend, "--dtype", "f32", "--all"]
        return np.array(self.json("logits", model, "--tokens", ids, *options)["logits"])


@pytest.fixture(scope="session")
def prwkv() -> Prwkv:
    """The binary under test."""
    path = Path(os.environ.get("PRWKV_BIN", ROOT / "build/release/prwkv"))
    if not path.is_file():
        pytest.skip(f"no prwkv binary at {path}: build it or set PRWKV_BIN")
    return Prwkv(path)


@pytest.fixture(scope="session")
def test_vectors() -> Path:
    """Folder with published checkpoints and tokenizer files."""
    path = Path(os.environ.get("PRWKV_SHARED", ROOT.parent / "shared")) / "reference/test-vectors"
    if not path.is_dir():
        pytest.skip(f"no test vectors at {path}: set PRWKV_SHARED")
    return path
