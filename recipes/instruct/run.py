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
sys.path[:0] = [str(DEFAULT), str(HERE.parent)]

import check  # noqa: E402
import evaluate  # noqa: E402
import generate  # noqa: E402
import tuning  # noqa: E402

MIX = "instructions=70,arithmetic=30"
SEED, HELD_OUT_SEED = 11, 12


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


def percent(x: float) -> str:
    return f"{100 * x:.1f} %"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=["palm", "gpt"], required=True)
    parser.add_argument("--method", choices=list(tuning.RATES), required=True)
    parser.add_argument("--megabytes", type=float, default=8, help="of data")
    parser.add_argument("--tasks", type=int, default=200, help="held out, of each kind")
    parser.add_argument("--work", type=Path, default=Path("build/instruct"))
    tuning.add_options(parser)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    records = held_out(options.shape, options.tasks)
    before = measure(tuning.base(options), records)
    data = make_data(options.work, options.shape, options.megabytes)
    result = tuning.train(options, data, options.work / f"{options.shape}-{options.method}", "--context", "512", "--batch", "8")
    after = measure(tuning.tuned(options, result), records)
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
