#!/usr/bin/env python3
"""What quantization costs on trained models: the table of docs/numerics.md, and the bounds it must keep.

The models are the tiny ones of rwkv.cpp's tests, which read bytes; the text is TinyStories, which they were trained on
(6v0 on 16-bit characters: each byte is followed by a NUL). Calibration and evaluation take different stories. Models and
stories are looked for in $PRWKV_SHARED or ../shared; where they are not, the test ends with 77, which ctest shows as skipped.

Usage: quality_test.py PRWKV [--quick] [--all]; --quick: two types a model, and fewer tokens to calibrate on, as ctest
runs it; --all: every matrix in the one type, nothing protected.
Needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("PRWKV_SHARED", ROOT.parent / "shared"))
MODELS = SHARED / "reference/test-vectors"
STORIES = SHARED / "data/train/tinystories_fragments.jsonl.xz"
SKIPPED = 77

EVALUATED = 10_240  # tokens; twice as many where every second one is a NUL
CALIBRATED, CALIBRATED_QUICKLY = 16_384, 4_096
TYPES_QUICKLY = 2
MOST_KL_Q8, LEAST_TOP1_Q8 = 1e-3, 0.99
MOST_LEFT_4_BITS = 0.5  # of the divergence of rounding to nearest

# model, extension of a format that can hold it and its types, types
CASES = [
    ("4v0-660K-FP32", "bin", ["q8_0", "q4_0"]),
    ("5v1-730K-FP32", "bin", ["q8_0", "q4_0"]),
    ("5v2-730K-FP32", "bin", ["q8_0", "q4_0", "q4_k"]),
    ("6v0-3m-Q5_1", "gguf", ["q8_0", "q4_0", "iq4_nl"]),
    ("7v0-834K-FP32", "gguf", ["q8_0", "q4_0", "iq4_nl"]),
]


def stories(first: int, size: int) -> bytes:
    """Every fortieth story from this one on, up to so many bytes."""
    text = b""
    with lzma.open(STORIES, "rt", encoding="utf-8") as lines:
        for i, line in enumerate(lines):
            if i % 40 == first:
                text += json.loads(line)["text"].encode() + b"\n"
            if len(text) >= size:
                break
    return text[:size]


def wide(text: bytes) -> bytes:
    """Each byte as 16 bits."""
    return b"".join(bytes([byte, 0]) for byte in text)


def quantize(binary: str, folder: Path, model: str, extension: str, dtype: str, tokens: int,
             protect: bool) -> tuple[dict, int, int]:
    """The report, and the sizes of the calibrated file and of the one rounded to nearest."""
    kind = "wide" if model.startswith("6v0") else "bytes"
    source, out = MODELS / f"tiny-rwkv-{model}.bin", folder / f"calibrated.{extension}"
    common = [binary, "quantize", str(source), "--type", dtype, "--json"]
    if not protect:
        common += ["--first-type", dtype, "--last-type", dtype, "--head-type", dtype, "--embedding-type", dtype]
    done = subprocess.run([*common, str(out), "--calibrate", f"{folder}/learn.{kind}", "--calibration-tokens", str(tokens),
                           "--evaluate", f"{folder}/measure.{kind}"], check=True, capture_output=True)
    nearest = folder / f"nearest.{extension}"
    subprocess.run([*common, str(nearest)], check=True, capture_output=True)
    return json.loads(done.stdout), out.stat().st_size, nearest.stat().st_size


def broken_bounds(dtype: str, calibrated: dict, nearest: dict, sizes: tuple[int, int]) -> list[str]:
    """What is not as it must be."""
    problems = []
    if dtype == "q8_0":
        if max(calibrated["kl"], nearest["kl"]) > MOST_KL_Q8:
            problems.append(f"KL above {MOST_KL_Q8}")
        if calibrated["top1"] < LEAST_TOP1_Q8:
            problems.append(f"top-1 below {LEAST_TOP1_Q8}")
    elif calibrated["kl"] > MOST_LEFT_4_BITS * nearest["kl"]:
        problems.append("calibration does not halve the divergence")
    if abs(sizes[0] - sizes[1]) > 0.01 * sizes[1]:
        problems.append(f"sizes differ: {sizes}")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("--quick", action="store_true", help="as ctest runs it")
    parser.add_argument("--all", action="store_true", help="protect nothing")
    args = parser.parse_args()
    if not STORIES.exists() or not MODELS.is_dir():
        print(f"no models in {MODELS} or no stories at {STORIES}: set PRWKV_SHARED")
        return SKIPPED
    tokens = CALIBRATED_QUICKLY if args.quick else CALIBRATED
    failed = False
    print("| model | type | bytes | KL nearest | KL calibrated | left | top-1 nearest | calibrated | ppl original | nearest | calibrated |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="prwkv-quality-") as name:
        folder = Path(name)
        for file, first, size in [("learn", 0, 200_000), ("measure", 7, EVALUATED)]:
            text = stories(first, size)
            (folder / f"{file}.bytes").write_bytes(text)
            (folder / f"{file}.wide").write_bytes(wide(text))
        for model, extension, types in CASES:
            for dtype in types[:TYPES_QUICKLY] if args.quick else types:
                report, *sizes = quantize(args.binary, folder, model, extension, dtype, tokens, not args.all)
                assert report["evaluation"]["tokens"] >= 10_000
                calibrated, nearest = report["evaluation"]["models"]
                print(f"| {model} | {dtype} | {sizes[0]:,} | {nearest['kl']:.2e} | {calibrated['kl']:.2e} "
                      f"| {100 * calibrated['kl'] / nearest['kl']:.0f} % | {100 * nearest['top1']:.2f} % "
                      f"| {100 * calibrated['top1']:.2f} % | {report['evaluation']['ppl_original']:.4f} "
                      f"| {nearest['ppl']:.4f} | {calibrated['ppl']:.4f} |", flush=True)
                for problem in broken_bounds(dtype, calibrated, nearest, (sizes[0], sizes[1])):
                    failed = True
                    print(f"{model} {dtype}: {problem}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
