"""From the default model, or any checkpoint, to one that looks things up: query, knowledge, reply, by one model.

    python3 recipes/dialog/run.py --method full      # or lora, state
    python3 recipes/dialog/run.py --talk build/dialog/full/model.safetensors --documents FOLDER

The first trains and measures each step on held-out documents, with and without looking things up, and prints rows of a
table. The second answers from the text files of a folder. Needs rank-bm25 (PyPI) for the index.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "default"), str(HERE.parent)]

import data  # noqa: E402
import evaluate  # noqa: E402
import tuning  # noqa: E402

SEED, HELD_OUT_SEED = 21, 22


class Index:
    """Documents by their words."""

    def __init__(self, texts: list[str]) -> None:
        from rank_bm25 import BM25Okapi

        self.texts = texts
        self._bm25 = BM25Okapi([self.words(text) for text in texts])

    @staticmethod
    def words(text: str) -> list[str]:
        return re.findall(r"\w+", text.lower())

    def best(self, query: str) -> str:
        return self._bm25.get_top_n(self.words(query), self.texts, n=1)[0]


def make_data(path: Path, count: int) -> None:
    if path.exists():
        return
    rng = random.Random(SEED)
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as out:
        for _ in range(count):
            doc = data.document(rng, False)
            for record in data.records(data.conversation(rng, doc), doc):
                out.write(json.dumps(record) + "\n")
    part.replace(path)


def held_out(count: int) -> tuple[list[data.Document], list[tuple[data.Document, data.Conversation]]]:
    rng = random.Random(HELD_OUT_SEED)
    seen: dict[str, data.Document] = {}
    while len(seen) < count:
        doc = data.document(rng, True)
        seen.setdefault(doc.who, doc)
    docs = list(seen.values())
    return docs, [(doc, data.conversation(rng, doc)) for doc in docs]


def answer(model: evaluate.Model, index: Index, turns: list[str], looks_up: bool = True) -> dict:
    """One reply, and how it came about."""
    if not looks_up:
        return {"reply": model.answer(data.reply_task(turns, ""), 60)}
    query = model.answer(data.search_task(turns), 40)
    if query == "nothing":
        return {"query": query, "reply": model.answer(data.reply_task(turns, ""), 60)}
    text = index.best(query)
    knowledge = model.answer(data.read_task(turns, text), 60)
    return {"query": query, "document": text, "knowledge": knowledge, "reply": model.answer(data.reply_task(turns, knowledge), 60)}


def measure(model: evaluate.Model, count: int) -> dict:
    """Shares of held-out conversations in which each step is right."""
    docs, talks = held_out(count)
    index = Index([doc.text for doc in docs])

    def one(talk: tuple[data.Document, data.Conversation]) -> Counter:
        doc, told = talk
        found, alone = answer(model, index, told.turns), answer(model, index, told.turns, False)
        if not told.fact:
            return Counter(small_talk=1, kept_quiet=found["query"] == "nothing")
        return Counter(questions=1, document=found.get("document") == doc.text, knowledge=found.get("knowledge") == told.knowledge,
                       reply=told.value in found["reply"], reply_alone=told.value in alone["reply"],
                       reply_of_right_knowledge=told.value in model.answer(data.reply_task(told.turns, told.knowledge), 60))

    with ThreadPoolExecutor(2) as pool:
        total = sum(pool.map(one, talks), Counter())
    return dict(total)


def talk(options: argparse.Namespace) -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted(options.documents.rglob("*.txt"))]
    model, index, turns = tuning.tuned(options, options.talk), Index(texts), []
    while True:
        try:
            turns.append(input("> ").strip())
        except EOFError:
            return
        found = answer(model, index, turns[-3:])
        print(f"[{found['query']} | {found.get('knowledge', '')}]\n{found['reply']}")
        turns.append(found["reply"])


def row(name: str, m: dict) -> str:
    of = max(1, m.get("questions", 0))
    steps = ("document", "knowledge", "reply_of_right_knowledge", "reply", "reply_alone")
    shares = [f"{100 * m.get(step, 0) / of:.1f} %" for step in steps]
    return f"| {name} | {' | '.join(shares)} | {m.get('kept_quiet', 0)} of {m.get('small_talk', 0)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", choices=list(tuning.RATES), default="full")
    parser.add_argument("--conversations", type=int, default=20_000, help="to train on")
    parser.add_argument("--count", type=int, default=200, help="held-out conversations")
    parser.add_argument("--work", type=Path, default=Path("build/dialog"))
    parser.add_argument("--talk", metavar="RESULT", help="talk with a result of --method")
    parser.add_argument("--documents", type=Path, help="folder of .txt files to look things up in")
    tuning.add_options(parser)
    options = parser.parse_args()
    if options.talk:
        if not options.documents:
            parser.error("--talk needs --documents")
        talk(options)
        return 0
    options.work.mkdir(parents=True, exist_ok=True)
    before = measure(tuning.base(options), options.count)
    texts = options.work / "train.jsonl"
    make_data(texts, options.conversations)
    result = tuning.train(options, [texts], options.work / options.method, "--context", "256", "--batch", "16")
    after = measure(tuning.tuned(options, result), options.count)
    (options.work / f"{options.method}.json").write_text(json.dumps({"before": before, "after": after}, indent=1) + "\n")
    print(row("before", before))
    print(row(options.method, after))
    return 0


if __name__ == "__main__":
    sys.exit(main())
