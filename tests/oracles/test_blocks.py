"""Block types: the vectors of tests/golden against PyPI's gguf, and quantizing against ggml's own code."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path

import numpy as np
import pytest

gguf = pytest.importorskip("gguf", reason="needs the Python package gguf")

ROOT = Path(__file__).resolve().parents[2]
VECTORS = json.loads((ROOT / "tests/golden/blocks.json").read_text(encoding="ascii"))


def f32(text: str) -> np.ndarray:
    """Little-endian f32 in hexadecimal."""
    return np.frombuffer(bytes.fromhex(text), "<f4")


def blocks(text: str) -> np.ndarray:
    """Bytes in hexadecimal."""
    return np.frombuffer(bytes.fromhex(text), np.uint8)


@pytest.mark.parametrize("kind", VECTORS["decoded"])
def test_gguf_decodes_the_vectors_to_the_same_bits(kind: str) -> None:
    for v in VECTORS["decoded"][kind]:
        got = gguf.quants.dequantize(blocks(v["hex"]), gguf.GGMLQuantizationType[kind])
        assert np.array_equal(got.ravel().view(np.uint32), f32(v["x"]).view(np.uint32))


@pytest.mark.parametrize("kind", VECTORS["encoded"])
def test_gguf_encodes_the_vectors_to_the_same_bytes(kind: str) -> None:
    for v in VECTORS["encoded"][kind]:
        got = gguf.quants.quantize(f32(v["x"]), gguf.GGMLQuantizationType[kind])
        assert got.tobytes() == blocks(v["hex"]).tobytes(), v["name"]


def splitmix(name: str, n: int) -> np.ndarray:
    """The first n draws of test::Random(name).uniform(-1, 1), as in tests/support/random.h."""
    mask = (1 << 64) - 1
    state = 0xCBF29CE484222325
    for c in name.encode():
        state = ((state ^ c) * 0x100000001B3) & mask
    values = []
    for _ in range(n):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        values.append(-1 + 2 * ((z ^ (z >> 31)) >> 11) * 2.0**-53)
    return np.array(values)


@pytest.mark.parametrize("kind", VECTORS["ggml_relative_error"])
def test_ggml_quantizes_no_better_than_the_bound_of_our_tests(kind: str) -> None:
    """blocks_test.cc demands an error below these figures, on the same numbers."""
    llama_cpp = pytest.importorskip("llama_cpp", reason="needs the package llama-cpp-python")
    library = Path(llama_cpp.__file__).parent / "lib/libggml-base.so"
    if not library.is_file():
        pytest.skip(f"no {library}")
    quantize = ctypes.CDLL(str(library)).ggml_quantize_chunk
    quantize.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]
    quantize.restype = ctypes.c_size_t
    # Sums of three: bell-shaped, as weights are.
    x = splitmix("weights", 3 * 65536).reshape(-1, 3).sum(axis=1).astype(np.float32)
    size, bytes_each = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
    packed = np.zeros(x.size // size * bytes_each, np.uint8)
    quantize(gguf.GGMLQuantizationType[kind], x.ctypes.data, packed.ctypes.data, 0, x.size // 256, 256, None)
    got = gguf.quants.dequantize(packed, gguf.GGMLQuantizationType[kind]).ravel()
    off = got.astype(np.float64) - x
    error = np.sqrt(np.sum(off**2) / np.sum(x.astype(np.float64) ** 2))
    print(kind, error)
    assert error == pytest.approx(VECTORS["ggml_relative_error"][kind], rel=1e-4)
