"""A 5-gram model with modified Kneser-Ney smoothing on the tokens of WORK/first.jsonl (baselines.py), by IRSTLM (Debian's
irstlm): bits per byte of each held-out source.

    python3 recipes/default/ngram.py WORK
"""

from __future__ import annotations

import argparse
import math
import re
import subprocess
from pathlib import Path

import baselines
import evaluate

TLM = "/usr/lib/irstlm/bin/tlm"
ORDER = 5


def write_ids(path: Path, ids: list[int]) -> None:
    """A document a line, each token a word."""
    words = "".join("\n" if token == 0 else f"{token} " for token in ids)
    path.write_text("".join(f"<s> {line.strip()} </s>\n" for line in words.splitlines() if line.strip()), encoding="ascii")


def main() -> None:
    parser = argparse.ArgumentParser(description="A 5-gram model of the same tokens.")
    parser.add_argument("work", type=Path)
    parser.add_argument("--bytes", type=int, default=100_000, help="of each held-out source")
    parser.add_argument("--prwkv", default="build/release/prwkv")
    options = parser.parse_args()
    train, test = options.work / "ngram-train.txt", options.work / "ngram-test.txt"
    write_ids(train, baselines.tokens_of(options.work, options.prwkv, evaluate.texts_of(options.work / "first.jsonl")))
    for path in sorted((options.work / "heldout").glob("*.jsonl")):
        texts, size = [], 0
        for text in evaluate.texts_of(path):
            texts.append(text)
            size += len(text.encode())
            if size >= options.bytes:
                break
        write_ids(test, baselines.tokens_of(options.work, options.prwkv, texts))
        command = [TLM, f"-tr={train}", f"-n={ORDER}", "-lm=msb", "-dub=10000", f"-te={test}"]
        printed = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, text=True).stdout
        found = re.search(r"n=(\d+) LP=([\d.]+) PP=([\d.]+)", printed)
        if not found:
            raise SystemExit(f"ngram.py: {TLM} printed no perplexity:\n{printed}")
        count, perplexity = int(found[1]), float(found[3])
        print(f"| {path.stem} | {count * math.log2(perplexity) / size:.3f} |", flush=True)
    train.unlink()
    test.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
