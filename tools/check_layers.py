#!/usr/bin/env python3
"""Checks the include rules of the source tree.

    cli   server   python   capi        programs and bindings; never each other
             runtime   train            siblings
                  models   chat         chat knows base only
         ops   formats   tokenizer
             backend (below ops only)
           quant > tensor > base

A file may include its own layer and the layers below it. A file's layer is its folder under src/,
but kernels beside their op (src/ops/OP/*_ref.cc, *_ref.h, *_cpu.h, *_cuda.cu) belong to backend.
Further rules:
  * models include nothing of backend, and formats only in models/loader.cc, random.cc, lora, tuned_state.cc, *checkpoint*,
    and the files of export (export, gguf_metadata, model_card);
    their tests and benchmarks are free to do both
  * include/prwkv is for runtime and above, and includes only itself and the standard library
  * includes name an existing file relative to src/ ("ops/ctx.h") or as <prwkv/NAME.h>
  * CUDA headers only in src/backend/cuda and *_cuda.cu; vector intrinsics only in
    src/backend/cpu/simd; the JSON library only in src/base/json.h; Eigen only in src/train/init.cc

Usage: check_layers.py [ROOT] | --self-test
Prints FILE:LINE and the broken rule; the exit status is 1 if there is any.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SUFFIXES = {".h", ".cc", ".cu", ".cuh"}
PUBLIC = "include/prwkv"  # stands for the public headers wherever a layer is named

BELOW_BACKEND = {"quant", "tensor", "base"}
BELOW_APPS = {PUBLIC, "chat", "models", "ops", "formats", "tokenizer", "backend"} | BELOW_BACKEND
APPS = ("cli", "server", "python", "capi")

# Layer → layers it may include besides itself.
MAY_INCLUDE = {
    "base": set(),
    "tensor": {"base"},
    "quant": {"tensor", "base"},
    "backend": BELOW_BACKEND,
    "tokenizer": BELOW_BACKEND,
    "formats": BELOW_BACKEND,
    "ops": {"backend"} | BELOW_BACKEND,
    "models": {"ops", "tokenizer"} | BELOW_BACKEND,
    "chat": {"base"},
    "runtime": BELOW_APPS,
    "train": BELOW_APPS,
    PUBLIC: set(),
} | {app: {"runtime", "train"} | BELOW_APPS for app in APPS}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?P<open>[<"])(?P<path>[^>"]+)[>"]')
KERNEL = re.compile(r"src/ops/[^/]+/[^/]+(_ref\.(cc|h)|_cpu\.h|_cuda\.cu)")
TEST = re.compile(r"_(test|bench)\.cc$")
MODEL_FILES = re.compile(
    r"src/models/(loader\.cc|random\.cc|tuned_state\.cc|(export|gguf_metadata|lora|model_card)\.(h|cc)|[^/]*checkpoint[^/]*)"
)
STANDARD_HEADER = re.compile(
    r"[a-z_]+|(assert|ctype|errno|float|inttypes|limits|math|std\w+|string|time)\.h"
)


@dataclass(frozen=True)
class Confined:
    """Headers that only some files may include."""

    what: str
    header: re.Pattern[str]
    allowed: re.Pattern[str]


CONFINED = [
    Confined(
        "CUDA headers belong to src/backend/cuda and *_cuda.cu",
        re.compile(
            r"(cuda|cublas|cudnn|cufft|curand|cusolver|cusparse|cutlass|cub/|cute/|thrust/|nccl|nvml"
            r"|nvrtc|nvtx|cooperative_groups|device_launch|driver_types|vector_types|mma\.h).*"
        ),
        re.compile(r"src/backend/cuda/.*|.*_cuda\.cu"),
    ),
    Confined(
        "vector intrinsics belong to src/backend/cpu/simd",
        re.compile(
            r"([a-z0-9]*mmintrin|immintrin|x86intrin|arm_neon|arm_sve|arm_acle|arm_fp16)\.h"
        ),
        re.compile(r"src/backend/cpu/simd/.*"),
    ),
    Confined(
        "the JSON library belongs to src/base/json.h",
        re.compile(r"nlohmann/.*"),
        re.compile(r"src/base/json\.h"),
    ),
    Confined(
        "Eigen belongs to src/train/init.cc",
        re.compile(r"(unsupported/)?Eigen/.*"),
        re.compile(r"src/train/init\.cc"),
    ),
]


def layer_of(path: str) -> str | None:
    """The layer of a file given relative to the root; None outside src/ and include/prwkv/."""
    if path.startswith(PUBLIC + "/"):
        return PUBLIC
    if KERNEL.fullmatch(path):
        return "backend"
    parts = PurePosixPath(path).parts
    return parts[1] if len(parts) > 2 and parts[0] == "src" else None


def confinement_problem(path: str, header: str) -> str | None:
    """The rule about special headers that this include breaks."""
    for rule in CONFINED:
        if rule.header.fullmatch(header) and not rule.allowed.fullmatch(path):
            return rule.what
    return None


def layer_problem(path: str, target: str) -> str | None:
    """The layer rule that `path` breaks by including the project file `target`."""
    layer, other = layer_of(path), layer_of(target)
    if layer not in MAY_INCLUDE:
        return f"{path} is in no layer"
    if other not in MAY_INCLUDE:
        return f"{target} is in no layer"
    if other == layer or other in MAY_INCLUDE[layer]:
        return None
    if layer == "models":
        if TEST.search(path) and other in {"backend", "formats"}:
            return None
        if other == "formats":
            if MODEL_FILES.fullmatch(path):
                return None
            return (
                "only models/loader.cc, random.cc, lora, tuned_state, export, gguf_metadata, model_card and *checkpoint*"
                " may include formats"
            )
    return f"{layer} may not include {other}"


def include_problem(root: Path, path: str, quoted: bool, header: str) -> str | None:
    """The rule that one include of a file under src/ or include/ breaks."""
    if problem := confinement_problem(path, header):
        return problem
    if quoted:
        if layer_of(path) == PUBLIC:
            return "public headers include <prwkv/...> and the standard library only"
        if not (root / "src" / header).is_file() or ".." in PurePosixPath(header).parts:
            return "includes in quotes name a file relative to src/"
        return layer_problem(path, f"src/{header}")
    if header.startswith("prwkv/"):
        if not (root / "include" / header).is_file():
            return f"there is no include/{header}"
        return layer_problem(path, f"include/{header}")
    if layer_of(path) == PUBLIC and not STANDARD_HEADER.fullmatch(header):
        return "public headers include <prwkv/...> and the standard library only"
    return None


def check(root: Path) -> list[str]:
    """All broken rules of a tree, as FILE:LINE: "HEADER": rule."""
    problems = []
    for folder in ("src", "include", "tests", "bench", "examples"):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in SUFFIXES:
                continue
            path = file.relative_to(root).as_posix()
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                if not (match := INCLUDE.match(line)):
                    continue
                quoted, header = match["open"] == '"', match["path"]
                if folder in ("src", "include"):
                    problem = include_problem(root, path, quoted, header)
                else:
                    problem = confinement_problem(path, header)
                if problem:
                    problems.append(f'{path}:{number}: "{header}": {problem}')
    return problems


# ---- self-test

# Files that exist in every synthetic tree.
EXISTING = [
    "include/prwkv/engine.h",
    "include/prwkv/error.h",
    "src/base/error.h",
    "src/base/json.h",
    "src/tensor/tensor.h",
    "src/quant/q8_0.h",
    "src/backend/backend.h",
    "src/backend/cpu/simd/vec.h",
    "src/formats/reader.h",
    "src/tokenizer/tokenizer.h",
    "src/ops/ctx.h",
    "src/ops/wkv7/wkv7_cpu.h",
    "src/ops/wkv7/wkv7_ref.h",
    "src/models/model.h",
    "src/runtime/engine.h",
    "src/train/trainer.h",
    "src/cli/options.h",
    "src/server/server.h",
    "src/stray.h",
]

ACCEPTED = [
    ("src/base/json.h", "<nlohmann/json.hpp>"),
    ("src/base/error.cc", "<fmt/core.h>"),
    ("src/quant/q8_0.cc", '"tensor/tensor.h"'),
    ("src/backend/cpu/cpu.cc", '"ops/wkv7/wkv7_cpu.h"'),
    ("src/backend/cpu/simd/vec_avx2.h", "<immintrin.h>"),
    ("src/backend/cuda/stream.h", "<cuda_runtime.h>"),
    ("src/train/init.cc", "<Eigen/QR>"),
    ("src/ops/wkv7/wkv7_cuda.cu", "<cuda_fp16.h>"),
    ("src/ops/wkv7/wkv7_cuda.cu", '"backend/backend.h"'),
    ("src/ops/wkv7/wkv7.cc", '"ops/wkv7/wkv7_ref.h"'),
    ("src/ops/wkv7/wkv7.cc", '"backend/backend.h"'),
    ("src/ops/wkv7/wkv7_test.cc", '"ops/ctx.h"'),
    ("src/formats/pth.cc", '"quant/q8_0.h"'),
    ("src/models/rwkv7.cc", '"ops/ctx.h"'),
    ("src/models/rwkv7.cc", '"tokenizer/tokenizer.h"'),
    ("src/models/loader.cc", '"formats/reader.h"'),
    ("src/models/checkpoint_writer.cc", '"formats/reader.h"'),
    ("src/models/rwkv7_test.cc", '"backend/backend.h"'),
    ("src/runtime/engine.cc", "<prwkv/engine.h>"),
    ("src/runtime/engine.cc", '"backend/backend.h"'),
    ("src/cli/main.cc", '"train/trainer.h"'),
    ("src/cli/main.cc", '  "runtime/engine.h"  // a comment'),
    ("include/prwkv/model.h", "<prwkv/error.h>"),
    ("include/prwkv/model.h", "<string_view>"),
    ("include/prwkv/c_api.h", "<stdint.h>"),
    ("tests/equivalence/modes_test.cc", '"runtime/engine.h"'),
]

REFUSED = [
    ("src/base/error.cc", '"tensor/tensor.h"', "base may not include tensor"),
    ("src/tensor/tensor.cc", '"quant/q8_0.h"', "tensor may not include quant"),
    ("src/quant/q8_0.cc", '"backend/backend.h"', "quant may not include backend"),
    ("src/backend/cpu/cpu.cc", '"ops/ctx.h"', "backend may not include ops"),
    ("src/ops/wkv7/wkv7_ref.cc", '"ops/ctx.h"', "backend may not include ops"),
    ("src/ops/wkv7/wkv7_cpu.h", '"ops/ctx.h"', "backend may not include ops"),
    ("src/ops/wkv7/wkv7_cuda.cu", '"ops/ctx.h"', "backend may not include ops"),
    ("src/ops/wkv7/wkv7.cc", '"formats/reader.h"', "ops may not include formats"),
    ("src/ops/ctx.h", '"models/model.h"', "ops may not include models"),
    ("src/formats/pth.cc", '"backend/backend.h"', "formats may not include backend"),
    ("src/formats/pth.cc", '"tokenizer/tokenizer.h"', "formats may not include tokenizer"),
    ("src/tokenizer/bpe.cc", '"formats/reader.h"', "tokenizer may not include formats"),
    ("src/models/rwkv7.cc", '"backend/backend.h"', "models may not include backend"),
    ("src/models/rwkv7.cc", '"ops/wkv7/wkv7_cpu.h"', "models may not include backend"),
    ("src/models/loader.cc", '"backend/backend.h"', "models may not include backend"),
    ("src/models/rwkv7.cc", '"formats/reader.h"', "only models/loader.cc"),
    ("src/models/loader.h", '"formats/reader.h"', "only models/loader.cc"),
    ("src/models/rwkv7.cc", '"runtime/engine.h"', "models may not include runtime"),
    ("src/models/rwkv7_test.cc", '"runtime/engine.h"', "models may not include runtime"),
    ("src/models/rwkv7.cc", "<prwkv/engine.h>", "models may not include include/prwkv"),
    ("src/runtime/engine.cc", '"train/trainer.h"', "runtime may not include train"),
    ("src/train/trainer.cc", '"runtime/engine.h"', "train may not include runtime"),
    ("src/runtime/engine.cc", '"cli/options.h"', "runtime may not include cli"),
    ("src/cli/main.cc", '"server/server.h"', "cli may not include server"),
    ("src/server/server.cc", '"cli/options.h"', "server may not include cli"),
    ("src/capi/capi.cc", '"server/server.h"', "capi may not include server"),
    ("src/runtime/engine.cc", '"stray.h"', "is in no layer"),
    ("src/unknown/file.cc", '"base/error.h"', "is in no layer"),
    ("src/runtime/engine.cc", '"engine.h"', "relative to src/"),
    ("src/runtime/engine.cc", '"../runtime/engine.h"', "relative to src/"),
    ("src/runtime/engine.cc", '"runtime/../base/error.h"', "relative to src/"),
    ("src/runtime/engine.cc", '"prwkv/engine.h"', "relative to src/"),
    ("src/runtime/engine.cc", "<prwkv/missing.h>", "there is no include/prwkv/missing.h"),
    ("include/prwkv/model.h", '"base/error.h"', "public headers"),
    ("include/prwkv/model.h", '"prwkv/error.h"', "public headers"),
    ("include/prwkv/model.h", "<fmt/core.h>", "public headers"),
    ("include/prwkv/model.h", "<unistd.h>", "public headers"),
    ("src/backend/cpu/cpu.cc", "<immintrin.h>", "vector intrinsics"),
    ("src/ops/wkv7/wkv7_cpu.h", "<arm_neon.h>", "vector intrinsics"),
    ("bench/kernels.cc", "<x86intrin.h>", "vector intrinsics"),
    ("src/backend/backend.cc", "<cuda_runtime.h>", "CUDA headers"),
    ("src/ops/wkv7/wkv7.cc", '"cublas_v2.h"', "CUDA headers"),
    ("tests/gpu_test.cc", "<cuda.h>", "CUDA headers"),
    ("src/formats/safetensors.cc", "<nlohmann/json.hpp>", "JSON library"),
    ("src/base/json.cc", "  <nlohmann/json_fwd.hpp>", "JSON library"),
    ("src/train/init.h", "<Eigen/Core>", "Eigen belongs"),
    ("src/train/trainer.cc", "<unsupported/Eigen/FFT>", "Eigen belongs"),
    ("tests/equivalence/modes_test.cc", "<Eigen/Dense>", "Eigen belongs"),
]


def problems_of(path: str, include: str) -> list[str]:
    """What the checker says about a synthetic tree in which `path` holds one include, in line 2."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in [*EXISTING, path]:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        (root / path).write_text(f"#pragma once\n#include {include}\n", encoding="ascii")
        return check(root)


def self_test() -> int:
    """Checks the checker on synthetic trees; returns the exit status."""
    failures = []
    for path, include in ACCEPTED:
        if found := problems_of(path, include):
            failures.append(f"{path} may include {include}, but: {found}")
    for path, include, rule in REFUSED:
        found = problems_of(path, include)
        if len(found) != 1 or not found[0].startswith(f"{path}:2: ") or rule not in found[0]:
            failures.append(f'{path} including {include} should break "{rule}", but: {found}')
    print("\n".join(failures) or f"{len(ACCEPTED) + len(REFUSED)} synthetic trees: ok")
    return 1 if failures else 0


def main() -> int:
    """Checks a tree or the checker; returns the exit status."""
    parser = argparse.ArgumentParser(description="Check the include rules of the source tree.")
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--self-test", action="store_true", help="check the checker itself")
    args = parser.parse_args()
    if args.self_test:
        return self_test()
    problems = check(args.root)
    print("\n".join(problems) or "include rules: ok")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
