"""What a model is worth: bits per byte of every held-out source, stories that a program checks, answers that a program
checks, and samples. Prints Markdown; --json FILE keeps the figures.

    python3 recipes/default/evaluate.py --heldout held [--model MODEL] [--prwkv build/release/prwkv]

HELDOUT is a folder of JSON lines: that of `generate.py --split heldout --plain` and of `mix.py`, a file a source. Tasks with
what checking them needs come from generate.py itself.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import check
import generate

STORY_SEED, TASK_SEED = 2024, 2025

# Beginnings of many kinds, none of them by the generator.
PROMPTS = [
    "Once upon a time",
    "Once upon a time, there was a little rabbit named Hoppy who lived in",
    "One rainy morning, Lily could not find her umbrella.",
    "Tom and his sister Anna went to the beach with a red bucket.",
    "The old clock in the kitchen had stopped.",
    "There was a small boat on the lake, and nobody knew whose it was.",
    "Ben was afraid of the dark.",
    "A tiny mouse and a big bear wanted to be friends.",
    "It was Mia's birthday, and she hoped for a kite.",
    "\"Look!\" said Sam. \"There is a cat in the tree!\"",
    "The baker had baked too many cookies.",
    "Every evening, Grandpa told the children a story.",
    "User: Tell me a story about a dog who lost his ball.\n\nAssistant:",
    "User: Write a short story about a girl and a bird.\n\nAssistant:",
    "User: Hello! How are you today?\n\nAssistant:",
    "User: I am sad today.\n\nAssistant:",
    "User: What do bees make?\n\nAssistant:",
    "User: Name three animals that live on a farm.\n\nAssistant:",
    "User: Anna has seven apples. She gives three apples to Ben. How many apples does she have left?\n\nAssistant:",
    "User: What is the opposite of cold?\n\nAssistant:",
]


class Model:
    """A model on the command line."""

    def __init__(self, program: str, model: str | None, threads: int, *options: str) -> None:
        self.program, self.model, self.threads, self.options = program, [model] if model else [], threads, options

    def run(self, command: str, *arguments: str, text: str = "") -> dict:
        """JSON of a command; `text` is its standard input."""
        line = [self.program, command, *self.model, *arguments, *self.options, "--threads", str(self.threads), "--json", "-q"]
        return json.loads(subprocess.run(line, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout)

    def answer(self, question: str, tokens: int = 120) -> str:
        """The likeliest, in the form of the World models."""
        options = ["-p", "-", "-n", str(tokens), "--temperature", "0", "--chat-template", "world"]
        return self.run("chat", *options, text=question)["text"]

    def write(self, prompt: str, tokens: int, seed: int, temperature: float, top_p: float) -> str:
        sampling = ["--temperature", str(temperature), "--top-p", str(top_p), "--seed", str(seed)]
        return self.run("generate", "-p", "-", "-n", str(tokens), *sampling, text=prompt)["text"]

    def bits(self, text: str) -> dict:
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            return self.run("perplexity", file.name)


def texts_of(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def losses(model: Model, folder: Path, most_bytes: int) -> list[dict]:
    """Of each source: documents one by one, each behind end-of-text, until there are so many bytes."""
    rows = []
    for path in sorted(folder.glob("*.jsonl")):
        texts, size = [], 0
        for text in texts_of(path):
            texts.append(text)
            size += len(text.encode())
            if size >= most_bytes:
                break
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(model.bits, texts))
        nats, tokens = sum(f["nll_total"] for f in found), sum(f["tokens"] for f in found)
        rows.append({"source": path.stem, "documents": len(texts), "bytes": size, "tokens": tokens,
                     "loss": nats / tokens, "bits_per_byte": nats / size / 0.6931471805599453})
    return rows


def story_openings(folder: Path, count: int) -> list[str]:
    """First sentences of held-out stories."""
    texts = texts_of(folder / "stories.jsonl")
    random.Random(STORY_SEED).shuffle(texts)
    return [match.group() for text in texts if (match := re.match(r"[^\"\n]{20,}?[.](?= )", text))][:count]


def stories(model: Model, folder: Path, count: int) -> dict:
    """How many stories that begin with a held-out sentence pass all checks."""
    openings = story_openings(folder, count)

    def one(job: tuple[int, str]) -> tuple[str, list[check.Violation]]:
        seed, opening = job
        text = opening + model.write(opening, 400, seed, 0.7, 0.9)
        return text, check.check_story(text.strip())

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(one, enumerate(openings)))
    kinds = Counter(kind for _, violations in found for kind in {v.kind for v in violations})
    passed = sum(not violations for _, violations in found)
    core = sum(not any(v.kind in ("name", "object", "place") for v in violations) for _, violations in found)
    return {"stories": len(found), "passed": passed, "names_objects_places": core, "violations": dict(kinds),
            "examples": [{"text": text, "violations": [f"{v.kind}: {v.what}" for v in violations]}
                         for text, violations in found[:5]]}


def asked(record: dict) -> str:
    return record["instruction"] + ("\n" + record["input"] if record.get("input") else "")


def tasks(model: Model, count: int) -> list[dict]:
    """Exact answers to held-out tasks and sums, greedily."""
    rows = []
    options = generate.Options(seed=TASK_SEED, split="heldout", plain=False, single=True)
    for kind in ("instructions", "arithmetic"):
        records = [generate.document(kind, number, options) for number in range(count)]

        def one(record: dict) -> bool:
            return check.matches(record, model.answer(asked(record)))

        with ThreadPoolExecutor(2) as pool:
            right = list(pool.map(one, records))
        of_trained = [ok for ok, record in zip(right, records) if record.get("held_out") != "family"]
        rows.append({"kind": kind, "tasks": len(right), "right": sum(right), "trained_kinds": len(of_trained),
                     "right_of_trained_kinds": sum(of_trained)})
    return rows


def samples(model: Model) -> list[dict]:
    return [{"prompt": prompt, "text": model.write(prompt, 200, number, 0.7, 0.9)} for number, prompt in enumerate(PROMPTS)]


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def markdown(report: dict) -> str:
    lines = ["| source | documents | bytes | loss, nats a token | bits per byte |", "|---|---|---|---|---|"]
    lines += [f"| {r['source']} | {r['documents']} | {r['bytes']:,} | {r['loss']:.3f} | {r['bits_per_byte']:.3f} |"
              for r in report["losses"]]
    s = report["stories"]
    lines += ["", f"Of {s['stories']} stories that begin with a held-out sentence, {share(s['names_objects_places'], s['stories'])} "
              f"pass the checks of names, objects and places, {share(s['passed'], s['stories'])} those of form as well "
              f"(violations: {s['violations']})."]
    if report["tasks"]:
        lines += ["", "| tasks, held out | right | of trained kinds |", "|---|---|---|"]
        lines += [f"| {t['kind']} | {t['right']} of {t['tasks']} ({share(t['right'], t['tasks'])}) | {t['right_of_trained_kinds']} of "
                  f"{t['trained_kinds']} ({share(t['right_of_trained_kinds'], t['trained_kinds'])}) |" for t in report["tasks"]]
    for sample in report["samples"]:
        quoted = (sample["prompt"] + "⟩" + sample["text"]).strip().replace("\n", "\n> ")
        lines += ["", f"> ⟨{quoted}"]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heldout", type=Path, required=True)
    parser.add_argument("--model", help="default: the default model")
    parser.add_argument("--prwkv", default="build/release/prwkv")
    parser.add_argument("--threads", type=int, default=1, help="of each of two processes")
    parser.add_argument("--stories", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=200, help="of each kind")
    parser.add_argument("--bytes", type=int, default=100_000, help="of each source")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model = Model(options.prwkv, options.model, options.threads)
    report = {"losses": losses(model, options.heldout, options.bytes), "stories": stories(model, options.heldout, options.stories),
              "tasks": tasks(model, options.tasks) if options.tasks else [], "samples": samples(model)}
    if options.json:
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stdout.write(markdown(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
