"""What recipes/instruct and recipes/dialog share: a model trained further by one of three methods, and how to run the result."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "recipes/default"))

import evaluate  # noqa: E402

# Learning rates by method: adapters and states have few numbers, which move far.
RATES = {"full": ["--lr", "3e-4"], "lora": ["--lr", "2e-3", "--lora-rank", "16"],
         "state": ["--lr", "0.3", "--lr-final", "0.01", "--weight-decay", "0"]}
RESULTS = {"full": "model.safetensors", "lora": "lora.safetensors", "state": "state.safetensors"}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default=str(ROOT / "models/default/model.gguf"), help="default: the default model")
    parser.add_argument("--tokens", type=int, default=1_500_000)
    parser.add_argument("--precision", help="of prwkv train")
    parser.add_argument("--prwkv", default="build/release/prwkv")


def train(options: argparse.Namespace, data: list[Path], run: Path, *sizes: str) -> Path:
    """The file that was trained; goes on where it stopped."""
    precision = ["--precision", options.precision] if options.precision else []
    command = [options.prwkv, "train", options.model, "--method", options.method, "--data", *data, *sizes,
               "--tokens", str(options.tokens), "--schedule", "cosine", "--warmup", "20", *RATES[options.method], *precision,
               "-o", run, "--resume"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return run / RESULTS[options.method]


def base(options: argparse.Namespace) -> evaluate.Model:
    return evaluate.Model(options.prwkv, options.model, 1)


def tuned(options: argparse.Namespace, result: Path | str) -> evaluate.Model:
    if options.method == "full":
        return evaluate.Model(options.prwkv, str(result), 1)
    flag = "--lora" if options.method == "lora" else "--init-state"
    return evaluate.Model(options.prwkv, options.model, 1, flag, str(result))
