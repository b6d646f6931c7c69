#!/usr/bin/env python3
"""Writes the training data of the default model: stories, dialogues, instructions and arithmetic, as
JSON Lines.

    recipes/default/generate.py --out FOLDER --seed 1 --megabytes 200
        [--mix stories=55,dialogues=20,instructions=15,arithmetic=10] [--split train|heldout] [--jobs N]

A file for each kind: stories.jsonl has {"text": ...}, the others {"messages": [...]}, so that
`prwkv train` counts the loss on answers only; with --plain, all of them have {"text": ...} in the
World form, for pretraining. With --single, and in the split `heldout`, a document of instructions
or arithmetic is one task with all that is known about it: "instruction", "input", "output",
"family", "template", "accept", "checker" and so on, for check.matches.

Document i of a kind depends on the seed, the split, the kind and i alone, so the bytes are the same
whatever --jobs. What is there already is left out, which hardly happens with stories and dialogues.
The splits share neither seeds nor combinations of names, things and places, nor numbers, nor
phrasings (README.md). Files are written under another name and renamed. Prints documents, bytes and
sha256 of each file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import arithmetic
import dialogues
import instructions
import stories

MIX = "stories=55,dialogues=20,instructions=15,arithmetic=10"
SPLITS = ("train", "heldout")
CHUNK = 200  # documents that a worker makes at a time
MOST_TASKS = 6  # in a conversation

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Options:
    """All that a document depends on, but its kind and number."""

    seed: int = 1
    split: str = "train"
    plain: bool = False
    single: bool = False
    shape: str = ""  # of instructions: "palm", "gpt" or both

    @property
    def heldout(self) -> bool:
        return self.split == "heldout"


def chat(turns: list[dialogues.Turn], options: Options) -> Document:
    return {"text": dialogues.plain(turns)} if options.plain else {"messages": turns}


def as_turns(record: instructions.Record) -> list[dialogues.Turn]:
    asked = record["instruction"] + ("\n" + record["input"] if record["input"] else "")
    return [dialogues.user(asked), dialogues.assistant(record["answer"])]


def story_document(rng: random.Random, options: Options) -> Document:
    return {"text": stories.story(rng, options.heldout).text}


def dialogue_document(rng: random.Random, options: Options) -> Document:
    return chat(dialogues.dialogue(rng, options.heldout), options)


def _tasks(
    make: Callable[[random.Random, bool], instructions.Record], rng: random.Random, options: Options
) -> Document:
    """One task with all its fields, or a conversation of some."""

    def one() -> instructions.Record:
        while True:
            record = make(rng, options.heldout)
            if not options.shape or record["shape"] == options.shape:
                return record

    if options.single or options.heldout:
        record = one()
        if options.plain:
            return {"text": dialogues.plain(as_turns(record))}
        return {("output" if key == "answer" else key): value for key, value in record.items()}
    return chat(
        [turn for _ in range(2 + int(rng.random() * (MOST_TASKS - 1))) for turn in as_turns(one())],
        options,
    )


def instruction_document(rng: random.Random, options: Options) -> Document:
    return _tasks(instructions.record, rng, options)


def arithmetic_document(rng: random.Random, options: Options) -> Document:
    """One in eight is a text of plain sums."""
    if not options.single and not options.heldout and rng.random() < 0.125:
        return {"text": arithmetic.statement(rng)}
    return _tasks(arithmetic.record, rng, replace(options, shape=""))  # sums have one shape


KINDS: dict[str, Callable[[random.Random, Options], Document]] = {
    "stories": story_document,
    "dialogues": dialogue_document,
    "instructions": instruction_document,
    "arithmetic": arithmetic_document,
}


def document(kind: str, number: int, options: Options) -> Document:
    """Depends on nothing but its arguments."""
    return KINDS[kind](random.Random(f"{options.split}/{options.seed}/{kind}/{number}"), options)


def line_of(kind: str, number: int, options: Options) -> str:
    return json.dumps(document(kind, number, options), separators=(", ", ": ")) + "\n"


def chunk(job: tuple[str, int, Options]) -> list[str]:
    kind, first, options = job
    return [line_of(kind, i, options) for i in range(first, first + CHUNK)]


def endless(kind: str, options: Options) -> Iterator[tuple[str, int, Options]]:
    first = 0
    while True:
        yield kind, first, options
        first += CHUNK


def lines(kind: str, options: Options, jobs: int) -> Iterator[str]:
    """Without end, in the order of the documents."""
    if jobs == 1:
        for job in endless(kind, options):
            yield from chunk(job)
    with multiprocessing.Pool(jobs) as pool:
        first = 0
        while True:  # a bounded number of chunks at a time: a pool would draw on an endless iterator without end
            batch = [(kind, first + CHUNK * i, options) for i in range(4 * jobs)]
            first += CHUNK * len(batch)
            for made in pool.imap(chunk, batch):
                yield from made


class Progress:
    """A line on a terminal with rate and remaining time."""

    def __init__(self, total: int, out: TextIO = sys.stderr) -> None:
        self.total, self.done, self.out = total, 0, out
        self.begun = self.shown = time.monotonic()
        self.live = out.isatty()

    def add(self, size: int, name: str) -> None:
        self.done += size
        now = time.monotonic()
        if self.live and now - self.shown > 0.5:
            self.shown = now
            rate = self.done / (now - self.begun)
            left = max(self.total - self.done, 0) / rate
            self.out.write(
                f"\r{name}: {self.done / 1e6:.0f} of {self.total / 1e6:.0f} MB, {rate / 1e6:.1f} "
                f"MB/s, "
                f"{left // 60:.0f}:{left % 60:02.0f} left \x1b[K"
            )
            self.out.flush()

    def end(self) -> None:
        if self.live:
            self.out.write("\r\x1b[K")


def write(path: Path, kind: str, size: int, options: Options, jobs: int, progress: Progress) -> str:
    """A file of about so many bytes; returns what is said about it."""
    partial = path.with_name(path.name + ".partial")
    digest, seen = hashlib.sha256(), set[bytes]()
    documents = written = repeated = 0
    with partial.open("wb") as out:
        for line in lines(kind, options, jobs):
            data = line.encode("ascii")
            key = hashlib.blake2b(data, digest_size=8).digest()
            if key in seen:
                repeated += 1
                if repeated > 20 * (documents + 100):
                    break  # everything there is has been written
                continue
            seen.add(key)
            out.write(data)
            digest.update(data)
            documents, written = documents + 1, written + len(data)
            progress.add(len(data), path.name)
            if written >= size:
                break
    os.replace(partial, path)
    left_out = f", {repeated} repeated ones left out" if repeated else ""
    return f"{path.name}: {documents} documents, {written} bytes, sha256 {digest.hexdigest()}{left_out}"


def parsed_mix(text: str) -> dict[str, float]:
    mix = {}
    for part in text.split(","):
        kind, _, share = part.partition("=")
        if kind not in KINDS or not share.replace(".", "", 1).isdigit():
            raise argparse.ArgumentTypeError(
                f"'{part}' is none of {', '.join(f'{k}=SHARE' for k in KINDS)}"
            )
        mix[kind] = float(share)
    if not sum(mix.values()):
        raise argparse.ArgumentTypeError("all shares are 0")
    return {kind: share / sum(mix.values()) for kind, share in mix.items() if share}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="the folder; is made if it is not there")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--megabytes", type=float, default=200, help="of all files together (default: 200)"
    )
    parser.add_argument(
        "--mix", type=parsed_mix, default=parsed_mix(MIX), help=f"shares of bytes (default: {MIX})"
    )
    parser.add_argument("--split", choices=SPLITS, default="train")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--plain", action="store_true", help="conversations as text, too")
    parser.add_argument(
        "--single", action="store_true", help="one task a document, with all its fields"
    )
    parser.add_argument(
        "--shape", choices=("palm", "gpt"), default="", help="of instructions (default: both)"
    )
    parser.add_argument(
        "--samples", type=int, default=0, metavar="N", help="only prints N documents of each kind"
    )
    arguments = parser.parse_args()
    options = Options(
        arguments.seed, arguments.split, arguments.plain, arguments.single, arguments.shape
    )
    if arguments.samples:
        for kind in arguments.mix:
            for i in range(arguments.samples):
                made = document(kind, i, options)
                print(
                    f"--- {kind} "
                    f"{i}\n{made['text'] if 'text' in made else json.dumps(made, indent=1)}"
                )
        return
    if arguments.out is None or arguments.megabytes <= 0 or arguments.jobs < 1:
        parser.error("--out FOLDER, more than 0 megabytes and at least one job, or --samples N")
    arguments.out.mkdir(parents=True, exist_ok=True)
    size = int(arguments.megabytes * 1e6)
    progress = Progress(size)
    for kind, share in arguments.mix.items():
        told = write(
            arguments.out / f"{kind}.jsonl",
            kind,
            int(size * share),
            options,
            arguments.jobs,
            progress,
        )
        progress.end()
        print(told, flush=True)


if __name__ == "__main__":
    main()
