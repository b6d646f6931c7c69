"""From the default model, or any checkpoint, to one that follows instructions; measured before and after.

    python3 recipes/instruct/run.py --shape palm --method full
    python3 recipes/instruct/run.py --shape gpt --method lora --model other.pth

Shapes of the data: palm, a task in many wordings, as a person would ask; gpt, an instruction, its input, a response. Methods:
full, lora, state. Tasks are those of recipes/default: 46 families, six of which no training sees, and sums. Prints a row of a
table; the work folder keeps data, run and figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEFAULT = HERE.parent / "default"
sys.path.insert(0, str(DEFAULT))

import check  # noqa: E402
import evaluate  # noqa: E402
import generate  # noqa: E402

MIX = "instructions=70,arithmetic=30"
SEED, HELD_OUT_SEED = 11, 12
# Learning rates by method: adapters and states have few numbers, which move far.
RATES = {"full": ["--lr", "3e-4"], "lora": ["--lr", "2e-3", "--lora-rank", "16"],
         "state": ["--lr", "0.3", "--lr-final", "0.01", "--weight-decay", "0"]}
RESULTS = {"full": "model.safetensors", "lora": "lora.safetensors", "state": "state.safetensors"}


def make_data(work: Path, shape: str, megabytes: float) -> list[Path]:
    folder = work / f"data-{shape}"
    paths = [folder / "instructions.jsonl", folder / "arithmetic.jsonl"]
    if not all(path.exists() for path in paths):
        command = [sys.executable, DEFAULT / "generate.py", "--out", folder, "--seed", str(SEED), "--megabytes", str(megabytes),
                   "--mix", MIX, "--shape", shape]
        subprocess.run(command, check=True)
    return paths


def held_out(shape: str, count: int) -> list[dict]:
    """Tasks that no training saw, of both kinds."""
    options = generate.Options(seed=HELD_OUT_SEED, split="heldout", single=True, shape=shape)
    return [generate.document(kind, number, options) for kind in ("instructions", "arithmetic") for number in range(count)]


def group_of(record: dict) -> str:
    if record["family"].startswith("arithmetic"):
        return "sums"
    return "new families" if record["held_out"] == "family" else "instructions"


def measure(model: evaluate.Model, records: list[dict]) -> dict:
    """Loss on answers, and exact answers by group."""

    def one(record: dict) -> tuple[bool, float, int]:
        prompt = f"User: {evaluate.asked(record)}\n\nAssistant:"
        before, after = (model.bits(text) for text in (prompt, f"{prompt} {record['output']}\n\n"))
        return (check.matches(record, model.answer(evaluate.asked(record))), after["nll_total"] - before["nll_total"],
                after["tokens"] - before["tokens"])

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(one, records))
    groups: dict[str, list[bool]] = defaultdict(list)
    for record, (right, _, _) in zip(records, found):
        groups[group_of(record)].append(right)
    return {"answer_loss": sum(nats for _, nats, _ in found) / sum(tokens for _, _, tokens in found),
            "exact": {name: sum(right) / len(right) for name, right in groups.items()},
            "tasks": {name: len(right) for name, right in groups.items()}, "right": [right for right, _, _ in found]}


def train(options: argparse.Namespace, data: list[Path]) -> Path:
    run = options.work / f"{options.shape}-{options.method}"
    precision = ["--precision", options.precision] if options.precision else []
    command = [options.prwkv, "train", options.model, "--method", options.method, "--data", *data, "--context", "512", "--batch", "8",
               "--tokens", str(options.tokens), "--schedule", "cosine", "--warmup", "20", *RATES[options.method], *precision,
               "-o", run, "--resume"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return run / RESULTS[options.method]


def tuned(options: argparse.Namespace, result: Path) -> evaluate.Model:
    if options.method == "full":
        return evaluate.Model(options.prwkv, str(result), 1)
    flag = "--lora" if options.method == "lora" else "--init-state"
    return evaluate.Model(options.prwkv, options.model, 1, flag, str(result))


def percent(x: float) -> str:
    return f"{100 * x:.1f} %"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=["palm", "gpt"], required=True)
    parser.add_argument("--method", choices=list(RATES), required=True)
    parser.add_argument("--model", default=str(DEFAULT.parent.parent / "models/default/model.gguf"), help="default: the default model")
    parser.add_argument("--tokens", type=int, default=1_500_000)
    parser.add_argument("--megabytes", type=float, default=8, help="of data")
    parser.add_argument("--tasks", type=int, default=200, help="held out, of each kind")
    parser.add_argument("--precision", help="of prwkv train")
    parser.add_argument("--work", type=Path, default=Path("build/instruct"))
    parser.add_argument("--prwkv", default="build/release/prwkv")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    records = held_out(options.shape, options.tasks)
    before = measure(evaluate.Model(options.prwkv, options.model, 1), records)
    after = measure(tuned(options, train(options, make_data(options.work, options.shape, options.megabytes))), records)
    wins = sum(a and not b for a, b in zip(after["right"], before["right"]))
    losses = sum(b and not a for a, b in zip(after["right"], before["right"]))
    report = {"shape": options.shape, "method": options.method, "tokens": options.tokens, "before": before, "after": after,
              "wins": wins, "losses": losses}
    (options.work / f"{options.shape}-{options.method}.json").write_text(json.dumps(report, indent=1) + "\n")
    exact = [f"{percent(before['exact'].get(group, 0))} → {percent(after['exact'].get(group, 0))}"
             for group in ("instructions", "sums", "new families")]
    print(f"| {options.shape} | {options.method} | {before['answer_loss']:.3f} → {after['answer_loss']:.3f} | {' | '.join(exact)} "
          f"| {wins} : {losses} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
