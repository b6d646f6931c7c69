"""A small RWKV-7 that is asked at the end of 100,000 tokens for what stood at the beginning.

    python3 recipes/long-context/run.py                 # with gradients through all chunks, and with truncated ones
    python3 recipes/long-context/run.py --quick         # does all of it run?

A text has eight pairs of a key and a value, `A3`, in its first 512 tokens, at random places among letters that mean nothing,
then more of those, and at the end the keys in another order: all eight values must be written, `>CAFB...` becomes `7350...`.
Contexts grow from 64 to 16,384 tokens, computed in chunks of 1,024, the state carried from chunk to chunk. Prints
accuracy by length and draws accuracy.svg. Needs matplotlib for the plot.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEYS, VALUES, FILLER = "ABCDEFGHIJKLMNOP", "0123456789", "abcdefghijklmnop"
PAIRS, BEGINNING = 8, 512
SHAPE = "rwkv7:L2,C128,N32,w16,a16,v16,g32"
# Context, chunk, steps, samples a step, learning rate. Longer ones only have to keep what shorter ones have taught.
STAGES = [(64, 64, 3000, 64, 3e-3), (256, 256, 600, 32, 2e-3), (1024, 1024, 300, 16, 1e-3), (4096, 1024, 150, 8, 1e-3),
          (16384, 1024, 80, 4, 5e-4)]
LENGTHS = [1_000, 3_000, 10_000, 30_000, 100_000]


def record(rng: random.Random, tokens: int) -> dict[str, str]:
    """So many tokens with the answer, with "User: " and what ends a message."""
    keys = rng.sample(KEYS, PAIRS)
    value_of = {key: rng.choice(VALUES) for key in keys}
    filler = tokens - 4 * PAIRS - 6
    beginning = min(filler, BEGINNING - 2 * PAIRS)
    places = sorted(rng.randrange(beginning + 1) for _ in keys)
    text, at = [], 0
    for place, key in zip(places, keys):
        text += rng.choices(FILLER, k=place - at) + [key, value_of[key]]
        at = place
    text += rng.choices(FILLER, k=filler - at)
    asked = rng.sample(keys, PAIRS)
    return {"prompt": "".join(text) + ">" + "".join(asked), "completion": "".join(value_of[key] for key in asked)}


def write_vocabulary(path: Path) -> None:
    """A token a letter, and one for each piece of the form of a conversation; then all other bytes, which a vocabulary must
    have."""
    tokens = [word.encode() for word in (*KEYS, *VALUES, *FILLER, ">", " ", "User: ", "\n\nAssistant:", "\n\n")]
    tokens += [byte for byte in (bytes([b]) for b in range(256)) if byte not in tokens]
    path.write_text("".join(f"{number} {token!r} {len(token)}\n" for number, token in enumerate(tokens, 1)), encoding="ascii")


def write_records(path: Path, seed: int, count: int, tokens: int) -> None:
    if path.exists():
        return
    rng = random.Random(seed)
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as out:
        for _ in range(count):
            out.write(json.dumps(record(rng, tokens)) + "\n")
    part.replace(path)


def train(options: argparse.Namespace, truncate: int, start: list[str], stage: tuple[int, int, int, int, float]) -> Path:
    context, chunk, steps, batch, rate = stage
    data = options.work / f"train-{context}.jsonl"
    write_records(data, context, min(steps * batch, 60_000 if context < 1024 else 4_000), context)
    run = options.work / f"truncate-{truncate}" / str(context)
    command = [options.prwkv, "train", *start, "--vocab", options.work / "vocab.txt", "--data", data, "--sampling", "documents",
               "--context", str(context), "--chunk", str(chunk), "--truncate", str(truncate), "--batch", str(batch),
               "--steps", str(steps), "--warmup", "20", "--lr", str(rate), "--lr-final", str(rate / 10), "--threads", str(options.threads),
               "-o", run, "--resume", "-q"]
    subprocess.run([str(part) for part in command], check=True)
    return run / "model.safetensors"


def accuracy(options: argparse.Namespace, model: Path, tokens: int) -> float:
    """Share of texts whose eight values are all right."""
    rng = random.Random(f"test/{tokens}")
    tests = [record(rng, tokens) for _ in range(options.tests)]

    def right(test: dict[str, str]) -> bool:
        prompt = f"User: {test['prompt']}\n\nAssistant:"
        command = [options.prwkv, "generate", model, "-p", "-", "-n", str(PAIRS + 1), "--temperature", "0", "--threads", "1", "--json", "-q"]
        done = subprocess.run([str(part) for part in command], input=prompt.encode(), stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)["text"].strip() == test["completion"]

    with ThreadPoolExecutor(options.threads) as pool:
        return sum(pool.map(right, tests)) / len(tests)


def plot(path: Path, figures: dict[str, list[tuple[int, float]]]) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "prwkv"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    for name, points in figures.items():
        axes.plot([tokens for tokens, _ in points], [100 * share for _, share in points], marker="o", label=name)
    axes.set(xscale="log", xlabel="tokens of the text; the pairs stand in the first 512", ylabel="texts with all eight values right, %",
             ylim=(-3, 103), title="Recall by distance")
    axes.axvline(STAGES[-1][0], linestyle=":", color="gray", label="longest context of training")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--truncate", type=int, nargs="*", default=[0, 1], help="chunks that gradients go back through; 0: all")
    parser.add_argument("--tests", type=int, default=300, help="texts of each length")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--work", type=Path, default=Path("build/long-context"))
    parser.add_argument("--prwkv", default="build/release/prwkv")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    write_vocabulary(options.work / "vocab.txt")
    stages = [(c, chunk, 3, 2, rate) for c, chunk, _, _, rate in STAGES[:3]] if options.quick else STAGES
    lengths = LENGTHS[:1] if options.quick else LENGTHS
    options.tests = 2 if options.quick else options.tests
    figures: dict[str, list[tuple[int, float]]] = {}
    print("| gradients through | " + " | ".join(f"{tokens:,}" for tokens in lengths) + " |\n|---" + "|---" * len(lengths) + "|")
    for truncate in options.truncate:
        name = "all chunks" if truncate == 0 else f"{truncate} chunk{'s' if truncate > 1 else ''}"
        start = ["--new", SHAPE]
        for stage in stages:
            start = [str(train(options, truncate, start, stage))]
        figures[name] = [(tokens, accuracy(options, Path(start[0]), tokens)) for tokens in lengths]
        print(f"| {name} | " + " | ".join(f"{100 * share:.1f} %" for _, share in figures[name]) + " |", flush=True)
    (options.work / "accuracy.json").write_text(json.dumps(figures, indent=1) + "\n")
    if not options.quick:
        plot(HERE / "accuracy.svg", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
