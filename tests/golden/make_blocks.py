#!/usr/bin/env python3
"""Writes blocks.json: blocks of every type with the numbers they stand for, and numbers with their blocks,
and what ggml's quantizer loses.

The formulas are written from the description of the formats, with nothing but the standard library;
tests/oracles/test_blocks.py shows that PyPI's `gguf` agrees with the file. All bytes are in hexadecimal,
numbers as little-endian f32. Arithmetic is f32: each operation is done in double and rounded once, which
gives the correctly rounded f32 result for sums and products.

Usage: make_blocks.py [--check]
With --check nothing is written; the exit status is 1 if the file is not what the script makes.
"""

from __future__ import annotations

import json
import math
import random
import struct
import sys
from pathlib import Path

FILE = Path(__file__).with_name("blocks.json")
LEVELS = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]

# Type: bytes of a block, elements, offsets of its f16 fields.
TYPES = {
    "Q4_0": (18, 32, [0]),
    "Q4_1": (20, 32, [0, 2]),
    "Q5_0": (22, 32, [0]),
    "Q5_1": (24, 32, [0, 2]),
    "Q8_0": (34, 32, [0]),
    "Q2_K": (84, 256, [80, 82]),
    "Q3_K": (110, 256, [108]),
    "Q4_K": (144, 256, [0, 2]),
    "Q5_K": (176, 256, [0, 2]),
    "Q6_K": (210, 256, [208]),
    "IQ4_NL": (18, 32, [0]),
    "IQ4_XS": (136, 256, [0]),
}

# √(Σ (decoded − x)² / Σ x²) of ggml's quantizer (llama-cpp-python 0.3.x) on 65536 bell-shaped numbers,
# the sums of three draws each of tests/support/random.h named "weights"; tests/oracles/test_blocks.py
# measures it again. Types with one rule are left out: there the bytes must be equal.
GGML_RELATIVE_ERROR = {
    "Q2_K": 0.284353,
    "Q3_K": 0.144107,
    "Q4_K": 0.067948,
    "Q5_K": 0.034384,
    "Q6_K": 0.016730,
    "IQ4_NL": 0.072771,
    "IQ4_XS": 0.073268,
}


def f32(x: float) -> float:
    """x rounded to f32."""
    return struct.unpack("<f", struct.pack("<f", x))[0]


def f32_bytes(x: list[float]) -> str:
    """Numbers as little-endian f32, in hexadecimal."""
    return struct.pack(f"<{len(x)}f", *x).hex()


def f16_at(b: bytes, at: int) -> float:
    """The f16 at an offset."""
    return struct.unpack_from("<e", b, at)[0]


def signed(byte: int) -> int:
    """A byte as i8."""
    return byte - 256 if byte > 127 else byte


def nibble(qs: bytes, j: int) -> int:
    """Element j of 32 four-bit numbers: the low halves of 16 bytes, then the high halves."""
    return qs[j] & 15 if j < 16 else qs[j - 16] >> 4


def six_bit_pair(b: bytes, i: int) -> tuple[int, int]:
    """Scale and minimum i of the twelve bytes of Q4_K and Q5_K."""
    if i < 4:
        return b[i] & 63, b[i + 4] & 63
    return (b[i + 4] & 15) | (b[i - 4] >> 6) << 4, (b[i + 4] >> 4) | (b[i] >> 6) << 4


def decode_32(kind: str, b: bytes) -> list[float]:
    """The types with 32 elements and one scale."""
    d = f16_at(b, 0)
    if kind == "Q8_0":
        return [f32(d * signed(q)) for q in b[2:]]
    if kind == "IQ4_NL":
        return [f32(d * LEVELS[nibble(b[2:], j)]) for j in range(32)]
    shifted, five = kind.endswith("_1"), kind.startswith("Q5")
    at = 4 if shifted else 2
    fifth = int.from_bytes(b[at : at + 4], "little") if five else 0
    qs = b[at + 4 :] if five else b[at:]
    q = [nibble(qs, j) | (fifth >> j & 1) << 4 for j in range(32)]
    if shifted:
        return [f32(f32(d * v) + f16_at(b, 2)) for v in q]
    return [f32(d * (v - (16 if five else 8))) for v in q]


def decode_256(kind: str, b: bytes) -> list[float]:
    """The types with 256 elements and scales of sub-blocks."""
    x = []
    for e in range(256):
        half, group, sub, at = e // 128, e % 128 // 32, e // 16, e % 32
        minimum = 0
        if kind == "Q2_K":
            scale, minimum = b[sub] & 15, b[sub] >> 4
            q, d, dmin = b[16 + 32 * half + at] >> 2 * group & 3, f16_at(b, 80), f16_at(b, 82)
        elif kind == "Q3_K":
            low = b[96 + sub] & 15 if sub < 8 else b[96 + sub - 8] >> 4
            scale = (low | (b[104 + sub % 4] >> 2 * (sub // 4) & 3) << 4) - 32
            q = (b[32 + 32 * half + at] >> 2 * group & 3) - (0 if b[at] >> e // 32 & 1 else 4)
            d = f16_at(b, 108)
        elif kind in ("Q4_K", "Q5_K"):
            scale, minimum = six_bit_pair(b[4:16], e // 32)
            d, dmin = f16_at(b, 0), f16_at(b, 2)
            byte = b[(48 if kind == "Q5_K" else 16) + 32 * (e // 64) + at]
            q = byte >> 4 if e // 32 % 2 else byte & 15
            if kind == "Q5_K":
                q |= (b[16 + at] >> e // 32 & 1) << 4
        elif kind == "Q6_K":
            byte = b[64 * half + 32 * (group % 2) + at]
            low = byte >> 4 if group >= 2 else byte & 15
            q = (low | (b[128 + 32 * half + at] >> 2 * group & 3) << 4) - 32
            scale, d = signed(b[192 + sub]), f16_at(b, 208)
        else:  # IQ4_XS
            i = e // 32
            low = b[4 + i // 2] >> 4 * (i % 2) & 15
            scale = (low | (int.from_bytes(b[2:4], "little") >> 2 * i & 3) << 4) - 32
            q, d = LEVELS[nibble(b[8 + 16 * i :], at)], f16_at(b, 0)
        value = f32(f32(d * scale) * q)
        if kind in ("Q2_K", "Q4_K", "Q5_K"):
            value = f32(value - f32(dmin * minimum))
        x.append(value)
    return x


def decode(kind: str, b: bytes) -> list[float]:
    """The numbers a block stands for."""
    return decode_32(kind, b) if TYPES[kind][1] == 32 else decode_256(kind, b)


def random_block(kind: str, rng: random.Random, scales: list[float]) -> bytes:
    """A block of random quants whose f16 fields hold `scales`, in turn."""
    b = bytearray(rng.getrandbits(8) for _ in range(TYPES[kind][0]))
    for i, at in enumerate(TYPES[kind][2]):
        struct.pack_into("<e", b, at, scales[i % len(scales)])
    return bytes(b)


def encode(kind: str, x: list[float]) -> bytes:
    """ggml's rounding to nearest, for the types with one rule."""

    def inverse(d: float) -> float:
        return f32(1 / d) if d else 0.0

    def quant(v: float, most: int) -> int:
        return max(0, min(most, math.trunc(f32(v))))

    if kind == "Q8_0":
        d = f32(max(map(abs, x)) / 127)
        q = []
        for v in x:
            scaled = f32(v * inverse(d))
            q.append(int(math.copysign(math.floor(abs(scaled) + 0.5), scaled)))
        return struct.pack("<e32b", d, *q)
    bits = int(kind[1])
    if kind.endswith("_1"):
        low = min(x)
        d = f32(f32(max(x) - low) / ((1 << bits) - 1))
        q = [quant(f32(f32(v - low) * inverse(d)) + 0.5, (1 << bits) - 1) for v in x]
        fields = struct.pack("<ee", d, low)
    else:
        centre = 1 << (bits - 1)
        d = f32(max(x, key=abs) / -centre)
        q = [quant(f32(v * inverse(d)) + centre + 0.5, (1 << bits) - 1) for v in x]
        fields = struct.pack("<e", d)
    if bits == 5:
        fields += sum((v >> 4) << j for j, v in enumerate(q)).to_bytes(4, "little")
    return fields + bytes((q[j] & 15) | (q[j + 16] & 15) << 4 for j in range(16))


def inputs(rng: random.Random) -> dict[str, list[float]]:
    """Numbers to encode, by what is awkward about them."""
    plain = [f32(rng.random() * 2 - 1) for _ in range(32)]
    return {
        "plain": plain,
        "positive": [abs(v) for v in plain],
        "negative": [f32(-abs(v) - 1) for v in plain],
        "small": [f32(v * 1e-3) for v in plain],
        "one_outlier": [100.0 if j == 17 else v for j, v in enumerate(plain)],
        "constant": [0.75] * 32,
        "zeros": [0.0] * 32,
        "ramp": [j / 4 - 4 for j in range(32)],
    }


def text() -> str:
    """The whole file."""
    rng = random.Random(20240901)
    decoded, encoded = {}, {}
    for kind in TYPES:
        # Plain, negative, the largest f16, a denormal and nothing.
        blocks = [
            random_block(kind, rng, s)
            for s in ([0.0371, 0.0122], [-0.5, -0.25], [65504.0, 65504.0], [6e-8, 3e-6], [0.0, 0.0])
        ]
        decoded[kind] = [{"hex": b.hex(), "x": f32_bytes(decode(kind, b))} for b in blocks]
    for kind in ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"):
        encoded[kind] = [
            {"name": name, "x": f32_bytes(x), "hex": encode(kind, x).hex()}
            for name, x in inputs(rng).items()
        ]
    contents = {"decoded": decoded, "encoded": encoded, "ggml_relative_error": GGML_RELATIVE_ERROR}
    return json.dumps(contents, indent=0) + "\n"


def main() -> int:
    """Writes or checks the file; returns the exit status."""
    if "--check" not in sys.argv[1:]:
        FILE.write_text(text(), encoding="ascii")
        return 0
    if FILE.read_text(encoding="ascii") == text():
        return 0
    print(f"{FILE} is not what {Path(__file__).name} makes", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
