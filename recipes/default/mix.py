"""Real texts for the default model, in the form of the generated ones.

Reads the sets that a folder has (JSON lines packed by xz, the document in `text`), and writes one file for each into
OUT/train and OUT/heldout: {"text": ...}, conversations as User: / Assistant:. Which documents are held out
depends on their text alone. Only sets whose licences let a model trained on them be given away are read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import os
import re
import sys
from pathlib import Path
from typing import Iterator, NamedTuple

HELD_OUT = 20  # one document in so many
PIECE = 3000  # characters of a book that make a document, to the end of the paragraph


class Source(NamedTuple):
    file: str
    licence: str
    megabytes: float  # at most, of training text


SOURCES = {
    "tinystories": Source("tinystories_fragments.jsonl.xz", "CDLA-Sharing-1.0", 8),
    "storybooks": Source("storybooks_ccby.jsonl.xz", "CC BY", 2),
    "gutenberg": Source("gutenberg_children_books.jsonl.xz", "public domain", 6),
    "taskmaster": Source("dialogues_taskmaster4.jsonl.xz", "CC BY 4.0", 1),
}


def pieces_of_book(text: str) -> Iterator[str]:
    """A book without what comes before its first chapter, in pieces that end with a paragraph."""
    first = re.search(r"^(CHAPTER|Chapter) (I|1|ONE|One)\b", text, re.M)
    piece = ""
    for paragraph in text[first.start() if first else min(2000, len(text) // 20) :].split("\n\n"):
        paragraph = " ".join(paragraph.split())
        if not paragraph:
            continue
        piece = f"{piece}\n\n{paragraph}" if piece else paragraph
        if len(piece) >= PIECE:
            yield piece
            piece = ""
    if piece:
        yield piece


def documents(name: str, path: Path) -> Iterator[str]:
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            text = json.loads(line)["text"].strip()
            yield from pieces_of_book(text) if name == "gutenberg" else [text]


def is_held_out(text: str) -> bool:
    return hashlib.sha256(text.encode()).digest()[0] * HELD_OUT < 256


def spread(texts: list[str]) -> list[str]:
    """In an order that has nothing to do with that of the file."""
    return sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest()[1:])


def write(path: Path, texts: list[str]) -> None:
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as out:
        for text in texts:
            out.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    os.replace(part, path)
    data = path.read_bytes()
    print(f"{path}: {len(texts)} documents, {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Real texts for the default model.")
    parser.add_argument("folder", type=Path, help="folder with " + ", ".join(s.file for s in SOURCES.values()))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    for split in ("train", "heldout"):
        (options.out / split).mkdir(parents=True, exist_ok=True)
    for name, source in SOURCES.items():
        path = options.folder / source.file
        if not path.exists():
            print(f"{path}: not there, left out", file=sys.stderr)
            continue
        texts = spread(list(dict.fromkeys(documents(name, path))))
        write(options.out / "heldout" / f"{name}.jsonl", [t for t in texts if is_held_out(t)])
        left, train = source.megabytes * 1e6, []
        for text in texts:
            if not is_held_out(text) and left >= len(text.encode()):
                train.append(text)
                left -= len(text.encode())
        write(options.out / "train" / f"{name}.jsonl", train)
    return 0


if __name__ == "__main__":
    sys.exit(main())
