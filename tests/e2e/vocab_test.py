#!/usr/bin/env python3
"""`prwkv vocab` from outside: files, numbers, refusals.

Usage: vocab_test.py PRWKV [unittest arguments]; without PRWKV, $PRWKV_BIN or build/release/prwkv is used.
Needs nothing but the standard library.
"""

from __future__ import annotations

import ast
import json
import random
import signal
import subprocess
import sys
import unittest
from pathlib import Path

import cli_test
from cli_test import FILE, INTERRUPTED, OK, TIMEOUT_S, USAGE


def prose(words: int, seed: int = 1) -> str:
    """Made-up words, a few of them frequent."""
    draw = random.Random(seed)
    stems = ["".join(draw.choice("bdfglmnprst") + draw.choice("aeiou") for _ in range(draw.randint(1, 4))) for _ in range(300)]
    text = ""
    for _ in range(words):
        text += stems[int(len(stems) * draw.random() ** 3)] + draw.choice(["", "", "s", "ed", "ing"]) + draw.choice("    ,.\n")
    return text


class Vocab(cli_test.CliTest):
    """Training of a vocabulary."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.text = prose(5000)
        (cls.folder / "text.txt").write_text(cls.text)
        lines = [json.dumps({"text": line}) + "\n" for line in cls.text.splitlines()]
        (cls.folder / "text.jsonl").write_text("".join(lines))

    def test_the_file_and_the_numbers(self) -> None:
        said = self.json("vocab", "train", "text.txt", "-o", "v.txt", "--size", 400)
        self.assertEqual(list(said), ["path", "documents", "bytes", "different_words", "vocabulary", "world"])
        self.assertEqual((said["path"], said["documents"], said["bytes"]), ("v.txt", 1, len(self.text)))
        lines = (self.folder / "v.txt").read_text().splitlines()
        self.assertEqual(len(lines), 399)
        for number, line in enumerate(lines, 1):  # as Python reads them
            id_, rest = line.split(" ", 1)
            literal, length = rest.rsplit(" ", 1)
            token = ast.literal_eval(literal)
            token = token.encode() if isinstance(token, str) else token
            self.assertEqual((int(id_), int(length)), (number, len(token)))
        for name, vocab, ids in [("vocabulary", "v.txt", 400), ("world", "world", 65536)]:
            tokens = self.json("tokenize", "--file", "text.txt", "--vocab", vocab)["ids"]
            self.assertEqual(said[name], {"ids": ids, "tokens": len(tokens), "bytes_per_token": len(self.text) / len(tokens)})
        ids = self.ok("tokenize", "any text: ü", "--vocab", "v.txt")
        self.assertEqual(self.ok("detokenize", "--vocab", "v.txt", stdin=ids).decode(), "any text: ü")
        model = self.make_model(sizes="L2,C64,V400")
        self.assertEqual(self.json("generate", model, "--vocab", "v.txt", "-p", self.text[:50], "-n", 1)["prompt_tokens"],
                         len(self.json("tokenize", self.text[:50], "--vocab", "v.txt")["ids"]))

    def test_the_same_texts_give_the_same_file(self) -> None:
        args = ["--size", 400, "-o"]
        self.ok("vocab", "train", "text.txt", *args, "a")
        self.ok("vocab", "train", "-", *args, "b", stdin=self.text.encode())
        self.assertEqual((self.folder / "a").read_bytes(), (self.folder / "b").read_bytes())
        self.assertEqual(self.json("vocab", "train", "text.jsonl", *args, "c")["documents"], len(self.text.splitlines()))
        self.ok("vocab", "train", "text.jsonl", "text.txt", *args, "d")
        self.ok("vocab", "train", "text.txt", "text.jsonl", *args, "e")
        self.assertEqual((self.folder / "d").read_bytes(), (self.folder / "e").read_bytes())

    def test_options(self) -> None:
        self.ok("vocab", "train", "text.txt", "-o", "short", "--size", 300, "--max-token-bytes", 2)
        lines = (self.folder / "short").read_text().splitlines()
        self.assertEqual({line.rsplit(" ", 1)[1] for line in lines}, {"1", "2"})

    def test_what_goes_where(self) -> None:
        args = ["vocab", "train", "text.txt", "-o", "w.txt", "--size", 300]
        done = self.run_prwkv(*args)
        self.assertRegex(done.stdout.decode(), r"^vocabulary .*\nthis +300 .*\nworld +65536 .*\n$")
        self.assertRegex(done.stderr.decode(), r"^w.txt: 1 documents, .* different words, .* s\n$")
        self.assertEqual(self.run_prwkv(*args, "-q").stderr, b"")
        for stage in [b"count: ", b"merge: ", b"prune: ", b"measure: "]:
            self.assertIn(stage, self.run_prwkv(*args, "--progress").stderr)

    def test_refusals_leave_no_file(self) -> None:
        (self.folder / "bad.jsonl").write_text('{"text": "a"}\n{"text": 1}\n')
        (self.folder / "tiny.txt").write_text("aa aa")
        before = set(self.folder.iterdir())
        train = ["vocab", "train", "text.txt"]
        self.refused(USAGE, *train)
        self.refused(USAGE, "vocab", "train", "-o", "x")
        self.refused(USAGE, *train, "-o", "x", "--size", 256)
        self.refused(USAGE, *train, "-o", "x", "--size", 65537)
        self.refused(USAGE, *train, "-o", "x", "--max-token-bytes", 129)
        self.refused(USAGE, *train, "-o", "text.txt")
        self.refused(USAGE, "vocab", "train", "-", "-", "-o", "x")
        self.refused(FILE, *train, "-o", "no/folder/x")
        self.refused(FILE, "vocab", "train", "missing.txt", "-o", "x")
        self.assertIn("bad.jsonl:2: ", self.refused(FILE, "vocab", "train", "bad.jsonl", "-o", "x"))
        self.assertEqual(self.refused(USAGE, "vocab", "train", "tiny.txt", "-o", "x", "--size", 300),
                         "prwkv: the texts are too small for a vocabulary of 300\n"
                         "  expected  43 tokens beside the 256 bytes\n  found     1 in 2 different words\n"
                         "  hint      give more text, or ask for a size of at most 258\n")
        self.assertEqual(set(self.folder.iterdir()), before)

    def test_interrupt_leaves_nothing(self) -> None:
        (self.folder / "large.txt").write_text(prose(20000) * 200)
        process = subprocess.Popen([cli_test.BINARY, "vocab", "train", "large.txt", "-o", "stopped", "--progress"],
                                   cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stderr is not None
        process.stderr.read(1)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=TIMEOUT_S)
        # A very fast machine may have been done before the signal came.
        if process.returncode != OK:
            self.assertEqual((process.returncode, out), (INTERRUPTED, b""))
            self.assertIn(b"stopped, nothing was written", errors)
            self.assertEqual(list(self.folder.glob("stopped*")), [])


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-") and Path(sys.argv[1]).is_file():
        cli_test.BINARY = Path(sys.argv.pop(1)).resolve()
    unittest.main()
