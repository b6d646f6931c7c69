#!/usr/bin/env python3
"""The command line from outside: every subcommand, JSON shape, exit code and promise of docs/cli.md.

Usage: cli_test.py PRWKV [unittest arguments]; without PRWKV, $PRWKV_BIN or build/release/prwkv is used.
Needs nothing but the standard library.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden"
BINARY = Path(os.environ.get("PRWKV_BIN", ROOT / "build/release/prwkv"))
TIMEOUT_S = 120
GENERATIONS = ["4", "4a", "5.0", "5.1", "5.2", "6", "7"]
COMMANDS = ["generate", "chat", "logits", "tokenize", "detokenize", "inspect", "convert", "quantize", "diff", "perplexity", "bench",
            "make-random", "state", "train", "merge", "vocab", "completion"]
OK, INTERNAL, USAGE, FILE, UNSUPPORTED, MISMATCH, MEMORY, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130


def safetensors(tensors: dict[str, tuple[str, list[int], bytes]], metadata: dict[str, str] | None = None) -> bytes:
    """A file of tensors name → (dtype, shape, bytes)."""
    header: dict = {"__metadata__": metadata} if metadata else {}
    data = b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class CliTest(unittest.TestCase):
    """Runs the binary in a folder of its own, which is the same for all tests of a class."""

    folder: Path
    _folder: tempfile.TemporaryDirectory

    @classmethod
    def setUpClass(cls) -> None:
        cls._folder = tempfile.TemporaryDirectory(prefix="prwkv-e2e-")
        cls.folder = Path(cls._folder.name)

    @classmethod
    def tearDownClass(cls) -> None:
        cls._folder.cleanup()

    @classmethod
    def run_prwkv(cls, *args: object, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
        """One run, whatever becomes of it; `variables` of the environment are set for it."""
        return subprocess.run([str(BINARY), *map(str, args)], input=stdin, capture_output=True, cwd=cls.folder,
                              timeout=TIMEOUT_S, check=False, env={**os.environ, **variables})

    def ok(self, *args: object, stdin: bytes = b"") -> bytes:
        """Standard output of a run that must succeed."""
        done = self.run_prwkv(*args, stdin=stdin)
        self.assertEqual(done.returncode, OK, f"{done.args}\n{done.stderr.decode()}")
        return done.stdout

    def json(self, *args: object, stdin: bytes = b"") -> dict:
        """The JSON object that a run must print, and nothing else."""
        return json.loads(self.ok(*args, "--json", stdin=stdin).decode())

    def refused(self, code: int, *args: object, stdin: bytes = b"") -> str:
        """The message of a run that must end with this code and print no result."""
        done = self.run_prwkv(*args, stdin=stdin)
        message = done.stderr.decode()
        self.assertEqual(done.returncode, code, f"{done.args}\n{message}")
        self.assertEqual(done.stdout, b"")
        self.assertTrue(message.startswith("prwkv: "), message)
        return message

    @classmethod
    def make_model(cls, generation: str = "7", seed: int = 0, sizes: str = "L2,C64,V256", dtype: str = "f32") -> Path:
        """A random model that speaks bytes."""
        sizes += "" if generation.startswith("4") else ",N32"
        path = cls.folder / f"rwkv{generation}-{sizes}-{dtype}-{seed}.safetensors"
        if not path.exists():
            subprocess.run([BINARY, "make-random", f"rwkv{generation}:{sizes}", path, "--dtype", dtype, "--seed", str(seed)],
                           check=True, capture_output=True, timeout=TIMEOUT_S)
        return path


class Program(CliTest):
    """The program as a whole."""

    def test_help_of_every_command(self) -> None:
        text = self.ok("--help").decode()
        for command in COMMANDS:
            self.assertIn(f"\n  {command} ", text)
            self.assertIn(f"Usage: prwkv {command}", self.ok(command, "--help").decode())
        for word in ["Exit codes", "130", "PRWKV_CPU_ISA", "standard error"]:
            self.assertIn(word, text)
        for command in ["make", "show", "compare", "average"]:
            self.assertIn(f"Usage: prwkv state {command}", self.ok("state", command, "--help").decode())

    def test_the_environment_chooses_the_instruction_set(self) -> None:
        model = self.make_model()
        best = json.loads(self.run_prwkv("logits", model, "--tokens", "1,2,3", "--json").stdout)["logits"]
        ran = 0
        for isa in ["scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "avx512_amx", "neon", "neon_dotprod", "neon_i8mm"]:
            done = self.run_prwkv("logits", model, "--tokens", "1,2,3", "--json", PRWKV_CPU_ISA=isa)
            message = done.stderr.decode()
            if done.returncode != OK:
                self.assertRegex(message, rf"this processor has no {isa}|there is no instruction set '{isa}' here")
                continue
            ran += 1
            logits = json.loads(done.stdout)["logits"]
            for a, b in zip(best, logits, strict=True):
                self.assertAlmostEqual(a, b, delta=1e-3)
            bench = self.run_prwkv("bench", model, "--prompt-tokens", "4", "--gen-tokens", "2", "--repeat", "1", "--json",
                                   PRWKV_CPU_ISA=isa)
            self.assertEqual(json.loads(bench.stdout)["machine"]["isa"], isa)
        self.assertGreaterEqual(ran, 2, "the portable code and the processor's own")

    def test_help_fits_a_terminal(self) -> None:
        for command in [[], *([c] for c in COMMANDS)]:
            for line in self.ok(*command, "--help").decode().splitlines():
                self.assertLessEqual(len(line), 110, line)

    def test_version(self) -> None:
        self.assertRegex(self.ok("--version").decode(), r"^prwkv \d+\.\d+\.\d+\n$")

    def test_usage_errors(self) -> None:
        for args in [[], ["nonsense"], ["generate", "--nonsense"], ["generate", "m", "-n", "x"], ["state"],
                     ["generate", "m", "--backend", "gpu"], ["inspect"], ["completion", "csh"],
                     ["generate", "m", "-p", "a", "--prompt-file", "b"], ["logits", "m", "--mode", "both"]]:
            self.assertIn("--help", self.refused(USAGE, *args))

    def test_without_a_model_the_default_one_is_opened(self) -> None:
        (self.folder / "default-text.txt").write_text("some words")
        for args in [["generate", "-p", "x"], ["logits", "--tokens", "1"], ["perplexity", "default-text.txt"], ["bench"],
                     ["state", "make", "-p", "x", "-o", "s"]]:
            done = self.run_prwkv(*args, PRWKV_DEFAULT_MODEL="/nowhere/model.gguf")
            self.assertEqual(done.returncode, FILE)
            self.assertIn("/nowhere/model.gguf", done.stderr.decode())
        model = self.make_model()
        for args in [["logits", "--tokens", "1,2", "--json"], ["perplexity", "default-text.txt", "--json", "-q"],
                     ["generate", "-p", "x", "-n", "3", "--seed", "1", "-q"]]:
            done = self.run_prwkv(*args, PRWKV_DEFAULT_MODEL=str(self.folder / model))
            self.assertEqual((done.returncode, done.stdout), (OK, self.ok(args[0], model, *args[1:])))
        self.assertIn("only", self.refused(USAGE, "perplexity", model))

    def test_the_model_that_comes_with_it_speaks(self) -> None:
        path = Path(__file__).resolve().parents[2] / "models/default/model.gguf"
        self.assertLess(path.stat().st_size, 20_000_000)
        text = json.loads(self.ok("generate", "-p", "Once upon a time", "-n", "60", "--seed", "1", "--ignore-eot", "--json", "-q"))["text"]
        words = re.findall(r"[A-Za-z]+", text)
        self.assertGreater(len(words), 20)
        common = {"a", "the", "and", "was", "to", "she", "he", "had", "in", "it", "her", "his", "of", "they", "said", "on", "with", "there"}
        self.assertGreater(sum(word.lower() in common for word in words) / len(words), 0.2, text)
        answer = json.loads(self.ok("chat", "-p", "Hello!", "--temperature", "0", "--json", "-q"))
        self.assertEqual(answer["end"], "stop")
        self.assertTrue(answer["text"])

    def test_contradictions(self) -> None:
        model = self.make_model()
        self.assertIn("--backend ref", self.refused(USAGE, "logits", model, "--tokens", 1, "--dtype", "f64"))
        self.assertIn("f64 or f32", self.refused(USAGE, "logits", model, "--tokens", 1, "--dtype", "f16", "--backend", "ref"))

    def test_a_full_disk_is_an_error(self) -> None:
        if not Path("/dev/full").exists():
            self.skipTest("there is no /dev/full")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([BINARY, "tokenize", "x"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, FILE)
        self.assertIn(b"standard output", done.stderr)

    def test_a_reader_that_goes_away_is_no_error(self) -> None:
        script = f"set -o pipefail; '{BINARY}' inspect '{GOLDEN}/rwkv7.safetensors' --json | head -c 10"
        done = subprocess.run(["bash", "-c", script], capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (OK, b""))


class Logits(CliTest):
    """prwkv logits"""

    def test_golden_models(self) -> None:
        for file in sorted(GOLDEN.glob("rwkv*.json")):
            golden = json.loads(file.read_text())
            args = ["logits", file.with_suffix(".safetensors"), "--tokens", ",".join(map(str, golden["tokens"])),
                    "--groupnorm-eps", golden["groupnorm_eps"]]
            expected = golden["logits"]
            for extra, tolerance in [(["--backend", "ref", "--dtype", "f64"], 1e-12), (["--backend", "cpu"], 2e-5),
                                     (["--backend", "cpu", "--mode", "rnn", "--threads", 1], 2e-5)]:
                with self.subTest(model=file.stem, extra=extra):
                    rows = self.json(*args, *extra, "--all")["logits"]
                    self.assertEqual([len(rows), len(rows[0])], [len(expected), len(expected[0])])
                    worst = max(abs(a - b) for x, y in zip(rows, expected) for a, b in zip(x, y))
                    self.assertLess(worst, tolerance)
                    self.assertEqual(self.json(*args, *extra)["logits"], rows[-1])

    def test_long_lists_come_in_pieces(self) -> None:
        tokens = ",".join(str(i * 7 % 256) for i in range(300))
        rows = self.json("logits", self.make_model(), "--tokens", tokens, "--all")["logits"]
        self.assertEqual((len(rows), {len(r) for r in rows}), (300, {256}))
        self.assertEqual(self.json("logits", self.make_model(), "--tokens", tokens)["logits"], rows[-1])

    def test_numbers_round_trip(self) -> None:
        text = self.ok("logits", self.make_model(), "--tokens", "1,2", "--json").decode()
        for word in text[text.index("[") + 1 : text.index("]")].split(","):
            single = struct.unpack("f", struct.pack("f", float(word)))[0]
            self.assertLessEqual(abs(single - float(word)), 1e-7 * abs(single))
            self.assertLessEqual(len(word.lstrip("-")), 14)  # the shortest text of an f32, not of a double
        # Reading it as f32 and asking again must give the same text.
        self.assertEqual(text, self.ok("logits", self.make_model(), "--tokens", "1,2", "--json").decode())

    def test_prompt_and_table(self) -> None:
        model = self.make_model()
        by_text = self.json("logits", model, "-p", "Hi")
        self.assertEqual(by_text, self.json("logits", model, "--tokens", "72 105"))
        self.assertEqual(by_text, self.json("logits", model, "-p", "-", stdin=b"Hi"))
        table = self.ok("logits", model, "-p", "Hi", "--top", 3).decode().splitlines()
        self.assertEqual(len(table), 5)
        best = max(range(256), key=lambda i: by_text["logits"][i])
        self.assertEqual(int(table[2].split()[0]), best)

    def test_refusals(self) -> None:
        model = self.make_model()
        self.refused(USAGE, "logits", model)
        self.refused(USAGE, "logits", model, "--tokens", "")
        self.refused(USAGE, "logits", model, "--tokens", "1,x")
        self.assertIn("0 to 255", self.refused(USAGE, "logits", model, "--tokens", "1,256"))
        self.refused(USAGE, "logits", model, "--tokens", "-1")


class Tokens(CliTest):
    """prwkv tokenize and detokenize"""

    def test_known_ids(self) -> None:
        self.assertEqual(self.json("tokenize", "--vocab", "world", "Hello world")["ids"], [33155, 40213])
        self.assertEqual(self.json("tokenize", "Hello world")["ids"], [33155, 40213])
        self.assertEqual(self.json("tokenize", "--vocab", "neox", "Hello world")["ids"], [12092, 1533])
        self.assertEqual(self.json("tokenize", "--vocab", "bytes", "Aé")["ids"], [65, 195, 169])
        self.assertEqual(self.ok("tokenize", "Hello world"), b"33155 40213\n")

    def test_round_trip(self) -> None:
        text = "Grüße, 世界 🙂\n\tdef f(x):\n    return x ** 2\n"
        for vocab in ["world", "neox", "bytes"]:
            for stdin, args in [(b"", [text]), (text.encode(), []), (text.encode(), ["-"])]:
                ids = self.json("tokenize", "--vocab", vocab, *args, stdin=stdin)["ids"]
                self.assertEqual(self.json("detokenize", "--vocab", vocab, ",".join(map(str, ids)))["text"], text)
                listed = json.dumps(ids).encode()
                self.assertEqual(self.ok("detokenize", "--vocab", vocab, stdin=listed), text.encode())

    def test_empty_and_file(self) -> None:
        self.assertEqual(self.json("tokenize", ""), {"ids": []})
        self.assertEqual(self.json("tokenize"), {"ids": []})
        self.assertEqual(self.json("detokenize"), {"text": ""})
        (self.folder / "text").write_bytes(b"ab")
        self.assertEqual(self.json("tokenize", "--vocab", "bytes", "-f", "text"), {"ids": [97, 98]})

    def test_a_vocabulary_file(self) -> None:
        vocab = self.folder / "vocab.txt"
        vocab.write_text("".join(f"{i + 1} {bytes([i])!r} 1\n" for i in range(256)) + "300 'ab' 2\n")
        self.assertEqual(self.json("tokenize", "--vocab", vocab, "aab")["ids"], [98, 300])
        self.assertEqual(self.json("detokenize", "--vocab", vocab, "300,98,256")["text"], "aba\ufffd")
        self.assertEqual(self.ok("detokenize", "--raw", "--vocab", vocab, "300,98,256"), b"aba\xff")

    def test_special_tokens(self) -> None:
        self.assertEqual(self.json("tokenize", "--vocab", "neox", "<|endoftext|>")["ids"], [0])
        self.assertGreater(len(self.json("tokenize", "--vocab", "neox", "--no-special", "<|endoftext|>")["ids"]), 1)

    def test_bytes_that_are_no_text(self) -> None:
        ids = self.json("tokenize", stdin=b"\xff\xfe\x00")["ids"]
        self.assertEqual(self.ok("detokenize", "--raw", ",".join(map(str, ids))), b"\xff\xfe\x00")

    def test_pieces(self) -> None:
        lines = self.ok("tokenize", "--vocab", "bytes", "--pieces", "a\n").decode().splitlines()
        self.assertEqual([line.split() for line in lines], [["97", "'a'"], ["10", "'\\n'"]])

    def test_refusals(self) -> None:
        self.refused(USAGE, "detokenize", "70000")
        self.refused(USAGE, "detokenize", "--vocab", "bytes", "256")
        self.refused(USAGE, "detokenize", "nonsense")
        self.assertIn("world, neox, bytes", self.refused(FILE, "tokenize", "--vocab", "no-such", "x"))


class Inspect(CliTest):
    """prwkv inspect"""

    def test_models(self) -> None:
        for generation in GENERATIONS:
            report = self.json("inspect", self.make_model(generation, dtype="bf16"))
            keys = ["format", "path", "files", "naming", "generation", "n_layer", "n_embd", "n_att", "n_ffn", "n_vocab", "n_head", "head_size",
                    "lora_ranks", "dtypes", "parameters", "bytes", "tokenizer", "fingerprint", "eps", "metadata", "tensors"]
            self.assertEqual(list(report), keys)
            self.assertEqual(
                [report[k] for k in ["format", "generation", "n_layer", "n_embd", "n_att", "n_vocab", "tokenizer"]],
                ["safetensors", generation, 2, 64, 64, 256, "bytes"])
            heads = [None, None] if generation.startswith("4") else [2, 32]
            self.assertEqual([report["n_head"], report["head_size"]], heads)
            self.assertEqual(set(report["lora_ranks"]), set({"4a": ["tiny"], "6": ["mix", "decay"], "7": "wavg"}.get(generation, [])))
            self.assertEqual(report["dtypes"], {"bf16": len(report["tensors"])})
            self.assertEqual(report["parameters"], sum(math.prod(t["shape"]) for t in report["tensors"]))
            self.assertEqual(report["bytes"], sum(t["bytes"] for t in report["tensors"]))
            self.assertRegex(report["fingerprint"], "^[0-9a-f]{64}$")
            self.assertEqual(list(report["tensors"][0]), ["name", "dtype", "shape", "bytes"])
            text = self.ok("inspect", self.make_model(generation)).decode()
            self.assertIn(f"RWKV-{generation}\n", text)
            self.assertIn("blocks.{0–1}.att.key.weight", text)

    def test_fingerprint_is_of_the_weights_not_of_their_type(self) -> None:
        for generation in GENERATIONS:
            state = self.folder / f"of-{generation}.state"
            self.ok("state", "make", self.make_model(generation, dtype="f32"), "-p", "abc", "-o", state)
            resume = ["--state-in", state, "-p", "d", "-n", "1", "-q"]
            for dtype in ["f16", "bf16"]:
                self.ok("generate", self.make_model(generation, dtype=dtype), *resume)
            self.assertIn("other weights", self.refused(5, "generate", self.make_model(generation, seed=1), *resume))

    def test_files_that_are_no_rwkv(self) -> None:
        values = {
            "floats": ("F32", [2, 3], struct.pack("6f", 0.1, -2.5, 3e38, 1e-45, math.inf, -math.inf)),
            "doubles": ("F64", [2], struct.pack("2d", 0.1, 1e300)),
            "halves": ("F16", [3], struct.pack("3e", 0.1, -65504, 6e-8)),
            "brains": ("BF16", [2], bytes.fromhex("803f 20c1".replace(" ", ""))),
            "longs": ("I64", [2], struct.pack("2q", -(2**63), 2**63 - 1)),
            "ints": ("I32", [1], struct.pack("i", -7)),
            "shorts": ("I16", [1], struct.pack("h", -300)),
            "chars": ("I8", [1], struct.pack("b", -5)),
            "bytes": ("U8", [2], b"\x00\xff"),
            "truths": ("BOOL", [2], b"\x00\x01"),
            "scalar": ("F32", [], struct.pack("f", 1.5)),
            "nothing": ("F32", [0, 4], b""),
        }
        expected = {
            "floats": list(struct.unpack("4f", values["floats"][2][:16])), "doubles": [0.1, 1e300],
            "halves": list(struct.unpack("3e", values["halves"][2])), "brains": [1.0, -10.0],
            "longs": [-(2**63), 2**63 - 1], "ints": [-7], "shorts": [-300], "chars": [-5], "bytes": [0, 255],
            "truths": [0, 1], "scalar": [1.5], "nothing": [],
        }
        path = self.folder / "other.bin"  # the name says nothing
        path.write_bytes(safetensors(values, {"made by": "a \"test\"\n"}))
        report = self.json("inspect", path)
        self.assertEqual([report["generation"], report["n_layer"], report["tokenizer"], report["fingerprint"]],
                         ["unknown", None, None, None])
        self.assertEqual(report["metadata"], {"made by": "a \"test\"\n"})
        self.assertEqual({t["name"]: t["shape"] for t in report["tensors"]}, {n: v[1] for n, v in values.items()})
        self.ok("inspect", path, "--all")
        for name, (dtype, shape, _) in values.items():
            shown = self.json("inspect", path, "--tensor", name)
            self.assertEqual(list(shown), ["name", "dtype", "shape", "values"])
            self.assertEqual([shown["name"], shown["dtype"], shown["shape"]], [name, dtype.lower(), shape])
            got = shown["values"]
            if name == "floats":
                self.assertEqual(got[4:], ["inf", "-inf"])
                got = [struct.unpack("f", struct.pack("f", x))[0] for x in got[:4]]
            if name == "halves":
                got = [struct.unpack("e", struct.pack("e", x))[0] for x in got]
            self.assertEqual(got, expected[name], name)
            self.assertIn(f"type    {dtype.lower()}\n", self.ok("inspect", path, "--tensor", name).decode())
        self.assertIn("--all", self.refused(USAGE, "inspect", path, "--tensor", "missing"))

    def test_an_incomplete_model_is_shown_with_its_problem(self) -> None:
        zeros = ("F32", [4], bytes(16))
        path = self.folder / "incomplete"
        path.write_bytes(safetensors({"blocks.0.att.r_k": zeros, "emb.weight": ("F32", [2, 4], bytes(32))}))
        report = self.json("inspect", path)
        self.assertEqual(report["generation"], "unknown")
        self.assertIn("missing", report["problem"])
        self.refused(FILE, "logits", path, "--tokens", "1")


class Hostile(CliTest):
    """Files that nobody vouches for: one clear error, never a crash."""

    def check(self, path: Path) -> None:
        for args in [["inspect", path], ["logits", path, "--tokens", "1,2", "--threads", 1],
                     ["state", "show", path], ["tokenize", "--vocab", path, "x"]]:
            done = self.run_prwkv(*args)
            self.assertIn(done.returncode, [OK, FILE, UNSUPPORTED], f"{done.args}\n{done.stderr.decode()}")
            if done.returncode != OK:
                self.assertTrue(done.stderr.startswith(b"prwkv: "), done.stderr)
                self.assertEqual(done.stdout, b"")

    def test_files_of_other_kinds(self) -> None:
        for i, content in enumerate([b"", b"\0", b"x" * 7, b"<!DOCTYPE html>", b"PK\x03\x04" + bytes(40), b"\x7fELF" + bytes(99),
                                     struct.pack("<Q", 2**63) + b"{}", b"{}", b"fmgg" + b"\xff" * 60, b"GGUF" + bytes(60)]):
            path = self.folder / f"kind{i}"
            path.write_bytes(content)
            self.check(path)
        self.refused(FILE, "inspect", self.folder)
        self.refused(FILE, "inspect", self.folder / "missing")

    def test_damaged_models(self) -> None:
        rng = random.Random(7)
        for generation in ["4", "7"]:
            good = self.make_model(generation, sizes="L1,C32,V64").read_bytes()
            header = 8 + struct.unpack("<Q", good[:8])[0]
            path = self.folder / "damaged"
            for cut in [0, 7, 8, 100, header, header + 10, len(good) - 1]:
                path.write_bytes(good[:cut])
                self.check(path)
            for _ in range(25):
                bad = bytearray(good)
                at = rng.randrange(header)
                bad[at] ^= 1 << rng.randrange(8)
                path.write_bytes(bad)
                self.check(path)


class Generate(CliTest):
    """prwkv generate"""

    def test_json(self) -> None:
        out = self.json("generate", self.make_model(), "-p", "Hello", "-n", 20, "--temperature", 0)
        self.assertEqual(list(out)[:3], ["text", "ids", "stop"])
        self.assertLessEqual(len(out["ids"]), 20)
        self.assertIn(out["stop"], ["length", "end_of_text"])
        self.assertEqual(out["prompt_tokens"], 5)
        self.assertGreater(out["statistics"]["peak_resident_bytes"], 0)

    def test_streamed_text_is_the_same_and_always_utf8(self) -> None:
        args = ["generate", self.make_model(), "-p", "Hello", "-n", 200, "--seed", 4, "--ignore-eot"]
        streamed, whole = self.ok(*args), self.json(*args)
        self.assertEqual(streamed.decode(), whole["text"])  # decode() is strict
        self.assertEqual((len(whole["ids"]), whole["stop"]), (200, "length"))
        self.assertEqual(self.ok(*args, "--echo").decode(), "Hello" + whole["text"])

    def test_characters_are_never_split(self) -> None:
        process = subprocess.Popen(
            [BINARY, "generate", self.make_model(), "-n", "400", "--seed", "1", "--ignore-eot", "-q"], stdout=subprocess.PIPE)
        assert process.stdout is not None
        while piece := os.read(process.stdout.fileno(), 4096):
            piece.decode()
        process.stdout.close()
        self.assertEqual(process.wait(TIMEOUT_S), OK)

    def test_greedy_is_the_argmax(self) -> None:
        model = self.make_model("6")
        ids = self.json("generate", model, "-p", "abc", "-n", 5, "--temperature", 0, "--ignore-eot")["ids"]
        tokens = [97, 98, 99]
        for id_ in ids:
            logits = self.json("logits", model, "--tokens", ",".join(map(str, tokens)))["logits"]
            self.assertEqual(id_, logits.index(max(logits)))
            tokens.append(id_)

    def test_prompts(self) -> None:
        model = self.make_model()
        args = ["generate", model, "-n", 8, "--temperature", 0]
        expected = self.json(*args, "-p", "Zwölf")["ids"]
        (self.folder / "prompt").write_text("Zwölf", encoding="utf-8")
        self.assertEqual(self.json(*args, "--prompt-file", "prompt")["ids"], expected)
        self.assertEqual(self.json(*args, "-p", "-", stdin="Zwölf".encode())["ids"], expected)
        self.assertEqual(self.json(*args, "--prompt-file", "-", stdin="Zwölf".encode())["ids"], expected)
        # Nothing to continue: the text starts from end-of-text.
        self.assertEqual(self.json(*args)["prompt_tokens"], 0)
        self.assertEqual(self.json(*args, "-p", "")["ids"], self.json(*args)["ids"])
        self.refused(FILE, *args, "--prompt-file", "missing")

    def test_lengths(self) -> None:
        model = self.make_model()
        for option in ["-n", "--max-tokens", "--tokens"]:
            self.assertEqual(len(self.json("generate", model, "-p", "x", option, 3, "--ignore-eot")["ids"]), 3)
        self.assertEqual(self.json("generate", model, "-p", "x", "-n", 0)["ids"], [])

    def test_seeds(self) -> None:
        args = ["generate", self.make_model(), "-p", "x", "-n", 30, "--ignore-eot"]
        ids = self.json(*args, "--seed", 1)["ids"]
        self.assertEqual(self.json(*args, "--seed", 1)["ids"], ids)
        self.assertNotEqual(self.json(*args, "--seed", 2)["ids"], ids)
        first = self.json(*args)  # another one each time, and it is told which
        self.assertEqual(self.json(*args, "--seed", first["sampling"]["seed"])["ids"], first["ids"])
        self.assertEqual(self.json(*args, "--seed", 1, "--top-k", 1)["ids"], self.json(*args, "--temperature", 0)["ids"])
        for option, value in [("--temperature", -1), ("--top-p", 2), ("--top-k", -1)]:
            self.refused(USAGE, *args, option, value)

    def test_what_goes_where(self) -> None:
        args = ["generate", self.make_model(), "-p", "x" * 2000, "-n", 3]
        done = self.run_prwkv(*args)
        self.assertRegex(done.stderr.decode(), r"^load .* prompt 2000 tokens at .* peak memory .*\n$")  # no progress
        self.assertEqual(self.run_prwkv(*args, "-q").stderr, b"")
        self.assertIn(b"prompt: ", self.run_prwkv(*args, "--progress").stderr)

    def test_unknown_vocabulary(self) -> None:
        model = self.make_model(sizes="L1,C32,V300")
        self.assertIn("--vocab", self.refused(UNSUPPORTED, "generate", model, "-p", "x"))
        self.json("generate", model, "-p", "x", "-n", 2, "--vocab", "bytes")
        self.refused(MISMATCH, "generate", model, "-p", "x", "--vocab", "world")

    def stop_by(self, action, *args: object) -> tuple[int, bytes]:
        """Starts an endless generation, does something after its first output; exit code and errors."""
        process = subprocess.Popen(
            [BINARY, "generate", self.make_model(), "-n", "-1", "--ignore-eot", *map(str, args)], cwd=self.folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None and process.stderr is not None
        try:
            os.read(process.stdout.fileno(), 1)
            action(process)
            errors = process.stderr.read()
            return process.wait(TIMEOUT_S), errors
        finally:
            process.kill()
            process.stdout.close()
            process.stderr.close()

    def test_interrupt_saves_and_tells(self) -> None:
        def interrupt(process: subprocess.Popen) -> None:
            process.send_signal(signal.SIGINT)
            while os.read(process.stdout.fileno(), 1 << 16):
                pass

        code, errors = self.stop_by(interrupt, "--state-out", "stopped")
        self.assertEqual(code, INTERRUPTED)
        self.assertRegex(errors.decode(), "generated [0-9]+ tokens")
        self.assertGreater(self.json("state", "show", "stopped")["tokens_seen"], 0)
        self.json("generate", self.make_model(), "--state-in", "stopped", "-n", 2)

    def test_a_reader_that_goes_away_stops_it(self) -> None:
        code, _ = self.stop_by(lambda p: p.stdout.close(), "--state-out", "unread")
        self.assertEqual(code, OK)
        self.assertTrue(self.json("state", "show", "unread")["logits"])


class States(CliTest):
    """State files, and going on as if never stopped"""

    def test_resuming_is_bit_identical(self) -> None:
        for generation in GENERATIONS:
            model = self.make_model(generation)
            for extra in [["--temperature", 0], ["--seed", 5], ["--seed", 5, "--temperature", 0.8, "--top-k", 50]]:
                with self.subTest(generation=generation, extra=extra):
                    args = ["generate", model, "--ignore-eot", *extra]
                    whole = self.json(*args, "-p", "Hello there", "-n", 30, "--state-out", "whole")
                    first = self.json(*args, "-p", "Hello", "-n", 0, "--state-out", "s0")
                    parts = [first, self.json(*args, "--state-in", "s0", "-p", " there", "-n", 7, "--state-out", "s1"),
                             self.json(*args, "--state-in", "s1", "-n", 23, "--state-out", "s2")]
                    self.assertEqual(sum((p["ids"] for p in parts), []), whole["ids"])
                    self.assertEqual("".join(p["text"] for p in parts), whole["text"])
                    self.assertEqual((self.folder / "s2").read_bytes(), (self.folder / "whole").read_bytes())
                    # Nothing but the file is needed: the options are in it.
                    plain = self.json("generate", model, "--ignore-eot", "--state-in", "s1", "-n", 23)
                    self.assertEqual(plain["ids"], whole["ids"][7:])

    def test_options_replace_saved_ones(self) -> None:
        model = self.make_model()
        args = ["generate", model, "--ignore-eot", "-n", 20]
        self.json(*args, "-p", "x", "--seed", 5, "--state-out", "s")
        base = self.json(*args, "--state-in", "s")
        self.assertEqual(base["sampling"]["seed"], 5)
        self.assertEqual(self.json(*args, "--state-in", "s", "--seed", 5)["ids"], base["ids"])
        other = self.json(*args, "--state-in", "s", "--seed", 6, "--top-p", 0.5)
        self.assertEqual((other["sampling"]["seed"], other["sampling"]["top_p"]), (6, 0.5))
        self.assertNotEqual(other["ids"], base["ids"])

    def test_states_of_other_models(self) -> None:
        self.json("generate", self.make_model(seed=0), "-p", "x", "-n", 1, "--state-out", "mine")
        args = ["--state-in", "mine", "-n", 1]
        self.assertIn("--any-weights", self.refused(MISMATCH, "generate", self.make_model(seed=1), *args))
        self.json("generate", self.make_model(seed=1), *args, "--any-weights")
        for other in [self.make_model("6"), self.make_model(sizes="L3,C64,V256")]:
            self.refused(MISMATCH, "generate", other, *args, "--any-weights")

    def test_make_show_compare_average(self) -> None:
        for generation in GENERATIONS:
            model = self.make_model(generation)
            for name, text in [("a", "The first text"), ("b", "Another, longer text")]:
                self.assertEqual(self.json("state", "make", model, "-p", text, "-o", name),
                                 {"path": name, "tokens": len(text)})
            shown = self.json("state", "show", "a")
            self.assertEqual([shown["generation"], shown["n_layer"], shown["n_embd"], shown["tokens_seen"], shown["logits"]],
                             [generation, 2, 64, 14, True])
            self.assertEqual(shown["fingerprint"], self.json("inspect", model)["fingerprint"])
            self.assertIn("tokens seen  14\n", self.ok("state", "show", "a").decode())
            same, apart = self.json("state", "compare", "a", "a"), self.json("state", "compare", "a", "b")
            self.assertEqual([same["identical"], apart["identical"]], [True, False])
            self.assertEqual([t["max_abs"] for t in same["tensors"]], [0] * len(same["tensors"]))
            self.assertEqual([t["name"] for t in apart["tensors"]], [t["name"] for t in shown["tensors"]])
            self.assertIn("differ", self.ok("state", "compare", "a", "b").decode())
            self.assertEqual(self.json("state", "average", "a", "b", "-o", "mean"), {"path": "mean", "states": 2})
            self.ok("state", "average", "a", "b", "--weights", "1,0", "-o", "first")
            self.assertTrue(self.json("state", "compare", "a", "first")["identical"])
            half = self.json("state", "compare", "a", "mean")
            distance = {t["name"]: t["max_abs"] for t in apart["tensors"]}
            for t in half["tensors"]:
                if t["name"] in ["att_shift", "wkv", "ffn_shift"]:
                    self.assertAlmostEqual(t["max_abs"], distance[t["name"]] / 2, delta=1e-4 * distance[t["name"]])
            self.assertFalse(self.json("state", "show", "mean")["logits"])
            self.refused(USAGE, "generate", model, "--state-in", "mean", "-n", 1)
            self.json("generate", model, "--state-in", "mean", "-p", "x", "-n", 1)
        self.refused(USAGE, "state", "average", "a", "b", "--weights", "1", "-o", "x")
        self.refused(USAGE, "state", "average", "a", "b", "--weights", "0,0", "-o", "x")

    def test_states_of_two_weights(self) -> None:
        self.ok("state", "make", self.make_model(seed=0), "-p", "x", "-o", "w0")
        self.ok("state", "make", self.make_model(seed=1), "-p", "x", "-o", "w1")
        self.assertFalse(self.json("state", "compare", "w0", "w1")["same_weights"])
        self.refused(MISMATCH, "state", "average", "w0", "w1", "-o", "x")
        self.ok("state", "average", "w0", "w1", "-o", "x", "--any-weights")

    def test_damage_and_later_versions(self) -> None:
        self.ok("state", "make", self.make_model(), "-p", "x", "-o", "good")
        good = (self.folder / "good").read_bytes()
        rng = random.Random(3)
        for _ in range(40):
            bad = bytearray(good)
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
            (self.folder / "bad").write_bytes(bad)
            done = self.run_prwkv("state", "show", "bad")
            self.assertIn(done.returncode, [FILE, UNSUPPORTED], done.stderr.decode())
        (self.folder / "bad").write_bytes(good[:-1])
        self.refused(FILE, "state", "show", "bad")
        (self.folder / "bad").write_bytes(good.replace(b'"prwkv_state_version":"1"', b'"prwkv_state_version":"2"'))
        self.assertIn("later version", self.refused(UNSUPPORTED, "state", "show", "bad"))
        self.assertIn("not a state file", self.refused(FILE, "state", "show", self.make_model()))
        self.refused(UNSUPPORTED, "generate", self.make_model(), "--state-in", "bad", "-n", 1)

    def test_a_place_that_cannot_be_written_is_found_at_once(self) -> None:
        self.refused(FILE, "generate", self.make_model(), "-p", "x", "-n", -1, "--ignore-eot", "--state-out", "no/such/folder/s")

    def test_a_state_between_types(self) -> None:
        args = ["generate", self.make_model(), "-n", 4, "--temperature", 0, "--ignore-eot"]
        self.json(*args, "-p", "x", "--backend", "ref", "--state-out", "wide")
        self.assertEqual(self.json("state", "show", "wide")["dtype"], "f64")
        self.json(*args, "--state-in", "wide")
        self.json(*args, "-p", "x", "--state-out", "narrow")
        self.json(*args, "--state-in", "narrow", "--backend", "ref")
        worst = max(t["rms"] for t in self.json("state", "compare", "wide", "narrow")["tensors"])
        self.assertLess(worst, 1e-4)


class Quantize(CliTest):
    """Block types by policy, calibrated, and measured."""

    @classmethod
    def text(cls, name: str, seed: int, n: int = 600) -> Path:
        path = cls.folder / name
        draw = random.Random(seed)
        path.write_bytes(bytes(draw.choice(b"abcdefgh \n") for _ in range(n)))
        return path

    def test_what_became_of_each_tensor(self) -> None:
        model = self.make_model(sizes="L3,C64,V256")
        said = self.json("quantize", model, "q.gguf", "--type", "q4_0")
        self.assertEqual(list(said), ["path", "original", "format", "generation", "type", "bytes", "original_bytes",
                                      "bits_per_element", "seconds", "calibration", "evaluation", "tensors", "left_out",
                                      "not_carried"])
        self.assertIsNone(said["calibration"])
        types = {t["name"]: t["to"] for t in said["tensors"]}
        self.assertEqual(types["head.weight"], "q8_0")
        self.assertEqual(types["blocks.0.att.key.weight"], "q5_1")
        self.assertEqual(types["blocks.1.att.key.weight"], "q4_0")
        self.assertEqual(types["blocks.1.att.w1"], "q8_0")
        plain = self.json("quantize", model, "q.gguf", "--type", "q4_0", "--low-rank-type", "f32", "--dry-run")
        self.assertEqual({t["name"]: t["to"] for t in plain["tensors"]}["blocks.1.att.w1"], "f32")
        self.assertEqual(said["bytes"], sum(t["bytes"] for t in said["tensors"]))
        found = {t["name"]: t["dtype"].lower() for t in self.json("inspect", "q.gguf")["tensors"]}
        self.assertEqual(found["blk.1.time_mix_key.weight"], "q4_0")
        self.assertEqual(found["output.weight"], "q8_0")
        table = self.ok("quantize", model, "q.gguf", "--type", "q4_0").decode()
        self.assertRegex(table, r"\| blocks\.#\.ffn\.value\.weight +\| 1 +\| +1 \| f32 +\| q4_0 .* nearest +\| all others")

    def test_options_for_single_tensors(self) -> None:
        model = self.make_model(sizes="L3,C64,V256")
        said = self.json("quantize", model, "q.gguf", "--type", "q4_0", "--head-type", "f16", "--embedding-type", "q5_0",
                         "--first-type", "q4_1", "--last-type", "q8_0", "--tensor", "blocks.1.att.*=q5_1", "--dry-run")
        types = {t["name"]: (t["to"], t["why"]) for t in said["tensors"]}
        self.assertEqual(types["head.weight"], ("f16", "head"))
        self.assertEqual(types["emb.weight"], ("q5_0", "embedding"))
        self.assertEqual(types["blocks.0.att.key.weight"], ("q4_1", "first layer"))
        self.assertEqual(types["blocks.2.att.key.weight"], ("q8_0", "last layer"))
        self.assertEqual(types["blocks.1.att.key.weight"], ("q5_1", "as asked"))
        self.assertEqual(types["blocks.1.att.w1"], ("q8_0", "low-rank part"))
        self.assertEqual(types["blocks.1.ffn.key.weight"], ("q4_0", "all others"))

    def test_a_dry_run_writes_nothing(self) -> None:
        self.ok("quantize", self.make_model(), "dry.gguf", "--type", "q4_0", "--dry-run", "--calibrate", "nowhere.txt")
        self.assertFalse((self.folder / "dry.gguf").exists())

    def test_calibrated_is_closer_at_the_same_size(self) -> None:
        model = self.make_model(sizes="L3,C64,V256")
        learn, measure = self.text("learn.txt", 1, 3000), self.text("measure.txt", 2)
        reports = [self.folder / f"report.{kind}" for kind in ["md", "json", "svg"]]
        said = self.json("quantize", model, "c.gguf", "--type", "q4_0", "--calibrate", learn, "--evaluate", measure,
                         *(x for path in reports for x in ["--report", path]))
        self.json("quantize", model, "n.gguf", "--type", "q4_0")
        self.assertEqual((self.folder / "c.gguf").stat().st_size, (self.folder / "n.gguf").stat().st_size)
        self.assertEqual(said["calibration"]["file"], str(learn))
        self.assertEqual(said["evaluation"]["tokens"], 600)
        calibrated, nearest = said["evaluation"]["models"]
        self.assertEqual([calibrated["rounding"], nearest["rounding"]], ["calibrated", "nearest"])
        self.assertLess(calibrated["kl"], nearest["kl"])
        # Perplexities are those that the command of that name measures.
        for path, found in [(model, said["evaluation"]["ppl_original"]), ("c.gguf", calibrated["ppl"]),
                            ("n.gguf", nearest["ppl"])]:
            self.assertAlmostEqual(self.json("perplexity", path, measure)["ppl"] / found, 1, places=6)
        self.assertEqual(json.loads(reports[1].read_text())["evaluation"], said["evaluation"])
        self.assertIn("| calibrated", reports[0].read_text())
        self.assertTrue(ElementTree.parse(reports[2]).getroot().tag.endswith("svg"))

    def test_an_evaluation_without_calibration(self) -> None:
        said = self.json("quantize", self.make_model("5.2"), "q.bin", "--type", "q8_0", "--evaluate", self.text("m.txt", 2))
        self.assertEqual([m["rounding"] for m in said["evaluation"]["models"]], ["nearest"])
        self.assertLess(said["evaluation"]["models"][0]["kl"], 1e-3)

    def test_refusals(self) -> None:
        model, text = self.make_model(), self.text("t.txt", 3)
        q4 = ["--type", "q4_0"]
        for code, words, args in [
            (USAGE, ".gguf", [model, "q.pth", *q4]),
            (USAGE, "--type", [model, "q.gguf"]),
            (USAGE, "quantized", [model, model.with_suffix(".gguf"), *q4]),
            (USAGE, "--evaluate", [model, "q.gguf", *q4, "--report", "r.md"]),
            (USAGE, ".svg", [model, "q.gguf", *q4, "--evaluate", text, "--report", "r.pdf"]),
            (USAGE, "another text", [model, "q.gguf", *q4, "--evaluate", text, "--calibrate", text]),
            (USAGE, "NAME=TYPE", [model, "q.gguf", *q4, "--tensor", "head.weight"]),
            (USAGE, "NAME=TYPE", [model, "q.gguf", *q4, "--tensor", "head.weight=q9"]),
            (USAGE, "no matrix", [model, "q.gguf", *q4, "--tensor", "blocks.9.*=q8_0"]),
            (FILE, "nowhere.txt", [model, "q.gguf", *q4, "--calibrate", "nowhere.txt"]),
            (FILE, "empty", [model, "q.gguf", *q4, "--calibrate", self.text("empty.txt", 1, 0)]),
            (UNSUPPORTED, "GGUF", [self.make_model("5.2"), "q.gguf", *q4]),
        ]:
            if words == "quantized":
                self.ok("quantize", model, args[1], *q4)
                args = [args[1], args[1], *q4]
            self.assertIn(words, self.refused(code, "quantize", *args))


class Perplexity(CliTest):
    """prwkv perplexity"""

    def test_against_logits(self) -> None:
        model = self.make_model()
        text = ("Es war einmal, " * 20).encode()
        (self.folder / "text").write_bytes(text)
        out = self.json("perplexity", model, "text")
        self.assertEqual(out["tokens"], len(text))
        ids = [0, *text]
        rows = self.json("logits", model, "--tokens", ",".join(map(str, ids[:-1])), "--all")["logits"]
        nll = 0.0
        for row, target in zip(rows, ids[1:]):
            top = max(row)
            nll += math.log(sum(math.exp(x - top) for x in row)) + top - row[target]
        self.assertAlmostEqual(out["nll_total"], nll, delta=1e-4 * nll)
        self.assertAlmostEqual(out["nll"], nll / len(text), delta=1e-4)
        self.assertAlmostEqual(out["ppl"], math.exp(out["nll"]), delta=1e-6 * out["ppl"])
        self.assertAlmostEqual(out["bits_per_byte"], out["nll_total"] / math.log(2) / len(text), places=9)
        self.assertEqual(self.json("perplexity", model, "-", stdin=text)["nll"], out["nll"])
        self.assertIn("perplexity", self.ok("perplexity", model, "text").decode())
        self.assertIn(b"ppl", self.run_prwkv("perplexity", model, "text", "--progress").stderr)

    def test_refusals(self) -> None:
        (self.folder / "empty").write_bytes(b"")
        self.refused(FILE, "perplexity", self.make_model(), "empty")
        self.refused(FILE, "perplexity", self.make_model(), "missing")


class Bench(CliTest):
    """prwkv bench"""

    QUICK = ["--prompt-tokens", 16, "--gen-tokens", 4, "--repeat", 1]
    SMALL = "rwkv7:L2,C64,F256,V1000,N32,w32,a32,v32,g32"

    def check_result(self, out: dict) -> None:
        """Every share follows from the speed, what had to be done, and the limits of the same run."""
        machine = out["machine"]
        self.assertEqual(list(machine), ["cpu", "isa", "threads", "read_bytes_per_s", "flops_per_s", "bf16_flops_per_s",
                                         "bf16_instruction", "int8_ops_per_s", "int8_instruction", "read_probe"])
        self.assertGreaterEqual(machine["read_probe"]["bytes"], 1 << 26)
        self.assertIn(machine["read_probe"]["streams"], [1, 2, 4, 8])
        self.assertEqual(out["first_tokens"]["tokens"], 25)
        self.assertGreater(out["first_tokens"]["seconds"], 0)
        self.assertGreaterEqual(out["first_tokens"]["seconds"], out["warmup_seconds"])
        peak = {"f32": machine["flops_per_s"], "f16": machine["flops_per_s"],
                "bf16": machine["bf16_flops_per_s"] or machine["flops_per_s"]}[out["model"]["dtype"]]
        generation = out["generation"]
        pairs = [(generation["share"], generation["tokens_per_s"] * generation["bytes"] / machine["read_bytes_per_s"])]
        pairs += [(p["share"], p["tokens_per_s"] * p["ops"] / peak) for p in out["prompts"] + out["batches"]]
        pairs += [(b["read_share"], b["tokens_per_s"] * b["bytes"] / machine["read_bytes_per_s"]) for b in out["batches"]]
        for got, expected in pairs:
            self.assertAlmostEqual(got, expected, delta=1e-5 * expected)
        self.assertEqual(out["prompt"], out["prompts"][0])

    def test_random_weights(self) -> None:
        out = self.json("bench", "--random-weights", self.SMALL, "--dtype", "f16", "--threads", 1, *self.QUICK)
        self.assertEqual(list(out), ["machine", "model", "load_seconds", "first_tokens", "warmup_seconds",
                                     "peak_resident_bytes", "generation", "prompt", "prompts", "batches",
                                     "sparsity", "logits_hash"])
        self.assertEqual(out["machine"]["threads"], 1)
        self.check_result(out)
        body = 2 * (4 * 64 * 64 + 2 * 64 * 256 + 2 * 64 * 3 * 32) + 2 * 64 * 32  # v1, v2 from layer 1 on
        head = 1000 * 64
        self.assertEqual(out["prompt"]["ops"], 2 * body + 2 * head // 16)
        # ln1, ln2; x_r to x_g; w0, a0, k_k, k_a, r_k; ln_x; ffn.x_k; then v0 of layer 1, ln0, ln_out
        vectors = 4 * 64 * (2 * (4 + 6 + 5 + 2 + 1) + 1 + 4)
        state = 2 * 4 * 2 * (2 * 64 + 2 * 32 * 32)
        read = out["generation"]["bytes"] + out["generation"]["skipped_bytes"]
        self.assertEqual(read, 2 * (body + head + 64) + vectors + state)

    def test_zeros_are_skipped(self) -> None:
        shape = "rwkv7:L2,C64,F512,V1000,N32"
        out = self.json("bench", "--random-weights", shape, "--zeros", "0.8", "--sparsity", "skip,keep,none", "--threads", "1",
                        "--prompt-tokens", "4", "--gen-tokens", "8", "--repeat", "1", "--json")
        skip, keep, none = out["results"]
        self.assertEqual([r["sparsity"] for r in out["results"]], ["skip", "keep", "none"])
        self.assertEqual(skip["logits_hash"], keep["logits_hash"])
        value = 2 * 2 * 64 * 512  # bytes of ffn.value in both layers
        self.assertTrue(0.7 * value < skip["generation"]["skipped_bytes"] < 0.9 * value, skip["generation"])
        self.assertEqual([r["generation"]["skipped_bytes"] for r in (keep, none)], [0, 0])
        self.assertEqual(keep["generation"]["bytes"], none["generation"]["bytes"])

    def test_sweep(self) -> None:
        shapes = f"{self.SMALL},rwkv4:L1,C64,V300"
        out = self.json("bench", "--random-weights", shapes, "--dtype", "f32,bf16", "--threads", 1, "--prompt-tokens",
                        "5,9", "--batch", "1,3", "--gen-tokens", 3, "--repeat", 2)
        self.assertEqual(list(out), ["results", "planned"])
        self.assertEqual(out["planned"], [])
        cases = [(r["model"]["name"], r["model"]["dtype"]) for r in out["results"]]
        self.assertEqual(cases, [(s, d) for s in [self.SMALL, "rwkv4:L1,C64,V300"] for d in ["f32", "bf16"]])
        for r in out["results"]:
            self.check_result(r)
            self.assertEqual([p["tokens"] for p in r["prompts"]], [5, 9])
            self.assertEqual([(b["sequences"], b["tokens"]) for b in r["batches"]], [(1, 3), (3, 9)])
            for phase in [r["generation"], *r["prompts"], *r["batches"]]:
                self.assertEqual(len(phase["runs"]), 2)
                self.assertAlmostEqual(phase["tokens_per_s"], sum(phase["runs"]) / 2, delta=1e-6 * max(phase["runs"]))

    def test_threads_do_not_change_the_logits(self) -> None:
        out = self.json("bench", "--random-weights", self.SMALL, "--threads", "1,2", "--prompt-tokens", 5, "--gen-tokens", 3,
                        "--repeat", 1)
        self.assertEqual([r["machine"]["threads"] for r in out["results"]], [1, 2])
        self.assertEqual(len({r["logits_hash"] for r in out["results"]}), 1)

    def test_unequal_sequences(self) -> None:
        out = self.json("bench", "--random-weights", self.SMALL, "--batch", 5, "--ragged", "--prompt-tokens", 8,
                        "--gen-tokens", 12, "--repeat", 1)
        [batch] = out["batches"]
        self.assertTrue(batch["ragged"])
        self.assertEqual(batch["tokens"], 12 + 10 + 8 + 6 + 12)
        self.check_result(out)

    def test_block_types_count_by_their_own_peak(self) -> None:
        out = self.json("bench", "--random-weights", "rwkv4:L1,C64,V320", "--dtype", "q8_0", *self.QUICK)
        share = out["prompt"]["tokens_per_s"] * out["prompt"]["ops"] / out["machine"]["int8_ops_per_s"]
        self.assertAlmostEqual(out["prompt"]["share"], share, delta=1e-5 * share)

    def test_files_and_table(self) -> None:
        model = self.make_model(sizes="L1,C64,V300")  # no vocabulary is needed
        first = self.json("bench", model, *self.QUICK)
        self.assertEqual(first["logits_hash"], self.json("bench", model, *self.QUICK)["logits_hash"])
        text = self.ok("bench", "--threads", 1, model, *self.QUICK, "--batch", 2).decode()
        for word in ["machine", "limits", "prompt", "generation", "batch", "warm-up", "% of the limit"]:
            self.assertIn(word, text)

    def test_markdown_is_tables(self) -> None:
        text = self.ok("bench", "--random-weights", self.SMALL, "rwkv7:L1000,C65536", "--dtype", "f16", *self.QUICK,
                       "--batch", "2,4", "--markdown").decode()
        tables = [t.splitlines() for t in text.split("\n\n") if t.startswith("|")]
        self.assertEqual(len(tables), 3)
        for table in tables:
            self.assertEqual(len({line.count("|") for line in table}), 1, table)
        self.assertRegex(tables[2][-1], r"rwkv7:L1000,C65536 .* does not fit: .*iB planned")

    def test_steps(self) -> None:
        wanted = ["limits", "prompt 16", "generation", "batch 2", "generation"]
        out = self.ok("bench", "--random-weights", self.SMALL, "--dtype", "f16", *self.QUICK, "--batch", 2, "--steps",
                      "--json", stdin="".join(f"{w}\n" for w in wanted).encode())
        ready, *steps, report = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(ready, {"ready": f"{self.SMALL} in f16"})
        self.assertEqual([s["step"] for s in steps], wanted)
        self.assertEqual([steps[2]["tokens_per_s"], steps[4]["tokens_per_s"]], report["generation"]["runs"])
        self.assertEqual([steps[1]["tokens_per_s"]], report["prompt"]["runs"])
        self.check_result(report)

    def test_machine(self) -> None:
        out = self.json("bench", "--machine", "--repeat", 1, "--threads", "1,2")
        self.assertEqual([m["threads"] for m in out["machines"]], [1, 2])
        self.assertEqual(out["machine"], out["machines"][0])
        for limit in ["read_bytes_per_s", "flops_per_s", "int8_ops_per_s"]:
            self.assertGreater(out["machine"][limit], 1e8)

    def test_what_does_not_fit_is_refused_with_its_size(self) -> None:
        message = self.refused(MEMORY, "bench", "--random-weights", "rwkv7:L1000,C65536", "--dtype", "f32")
        self.assertIn("GiB of memory planned", message)
        self.assertIn("GiB available", message)

    def test_beside_others_it_is_listed_with_its_size(self) -> None:
        args = ["bench", "--random-weights", "rwkv7:L1000,C65536", self.SMALL, "--dtype", "f32", *self.QUICK]
        out = self.json(*args)
        [planned] = out["planned"]
        self.assertEqual((planned["name"], planned["dtype"]), ("rwkv7:L1000,C65536", "f32"))
        self.assertGreater(planned["planned_bytes"], 4 * 1000 * 65536 * 65536)
        self.assertEqual([r["model"]["name"] for r in out["results"]], [self.SMALL])
        self.assertIn("does not fit", self.ok(*args).decode())

    def test_refusals(self) -> None:
        small = ["--random-weights", self.SMALL]
        self.assertIn("rwkv7:0.4b", self.refused(USAGE, "bench", "--random-weights", "rwkv9:1b"))
        self.refused(USAGE, "bench", "model", "--random-weights", "rwkv7:0.1b")
        self.refused(USAGE, "bench", *small, "--dtype", "f16,f17")
        self.refused(USAGE, "bench", *small, "--threads", "1,-1")
        self.refused(USAGE, "bench", *small, "--prompt-tokens", "0")
        self.refused(USAGE, "bench", *small, "--batch", "4,0")
        self.refused(USAGE, "bench", *small, "--ragged")
        self.refused(USAGE, "bench", *small, "--json", "--markdown")
        self.assertIn("twice", self.refused(USAGE, "bench", *small, "--dtype", "f16,f16"))
        self.assertIn("one model", self.refused(USAGE, "bench", *small, "--steps", "--threads", "1,2"))
        done = self.run_prwkv("bench", *small, *self.QUICK, "--steps", stdin=b"prompt 17\n")
        self.assertEqual(done.returncode, USAGE)
        self.assertIn(b"prompt 17", done.stderr)


class MakeRandom(CliTest):
    """prwkv make-random"""

    def test_the_same_every_time(self) -> None:
        args = ["make-random", "rwkv7:L1,C64,V256,N32"]
        for name, extra in [("a", []), ("b", []), ("c", ["--seed", 1]), ("d", ["--dtype", "bf16"])]:
            out = self.json(*args, name, *extra)
            self.assertEqual(list(out), ["path", "shape", "dtype", "seed", "parameters", "bytes"])
        a, b, c = ((self.folder / n).read_bytes() for n in "abc")
        self.assertEqual(a, b)
        self.assertNotEqual(a, c)
        self.assertEqual(self.json("inspect", "d")["dtypes"], {"bf16": len(self.json("inspect", "d")["tensors"])})

    def test_every_shape_has_a_size(self) -> None:
        # Far too large to write here: the disk is asked first.
        message = self.refused(FILE, "make-random", "rwkv7:L1000,C65536", "big")
        self.assertIn("room", message)
        self.assertEqual(list(self.folder.glob("big*")), [])

    def test_what_goes_where(self) -> None:
        done = self.run_prwkv("make-random", "rwkv4:L1,C64,V256", "x")
        self.assertEqual(done.stdout, b"")
        self.assertIn(b"RWKV-4", done.stderr)
        self.assertEqual(self.run_prwkv("make-random", "rwkv4:L1,C64,V256", "x", "-q").stderr, b"")

    def test_interrupt_leaves_nothing(self) -> None:
        process = subprocess.Popen([BINARY, "make-random", "rwkv7:1.5b", "large", "--progress"], cwd=self.folder,
                                   stderr=subprocess.PIPE)
        assert process.stderr is not None
        process.stderr.read(1)
        process.send_signal(signal.SIGINT)
        code = process.wait(TIMEOUT_S)
        process.stderr.close()
        # A very fast disk may have been done before the signal came.
        if code != OK:
            self.assertEqual(code, INTERRUPTED)
            self.assertEqual(list(self.folder.glob("large*")), [])

    def test_refusals(self) -> None:
        for shape in ["rwkv7", "rwkv7:", "rwkv7:1b", "rwkv3:L1,C64", "rwkv7:L1", "rwkv7:L1,C64,N48", "rwkv4:L1,C64,N32",
                      "rwkv7:L1,C64,L2", "rwkv7:L0,C64", "rwkv7:L1,C64,q3", "rwkv7:L99999,C64"]:
            self.assertIn("rwkv7:0.4b", self.refused(USAGE, "make-random", shape, "x"))
        self.refused(FILE, "make-random", "rwkv7:0.1b", "no/folder/x")
        self.refused(FILE, "make-random", "rwkv7:0.1b", self.folder)
        os.mkfifo(self.folder / "pipe")  # stands for /dev/null, which a new file must not replace
        self.refused(FILE, "make-random", "rwkv7:0.1b", "pipe")


class Convert(CliTest):
    """prwkv convert: the same model in every file"""

    TOKENS = "1,5,25,0,17,59,3,3,28"
    # Generations with an ending of their own beside .pth and .safetensors, and with Hugging Face's names.
    BIN = ["4", "5.0", "5.2", "6", "7"]
    GGUF = ["6", "7"]
    HF = ["4", "5.0", "5.1", "5.2", "6", "7"]

    def logits(self, model: object) -> list[list[float]]:
        """Of all tokens, by the reference in double precision: what kernels round differently is not of interest."""
        args = ["--tokens", self.TOKENS, "--all", "--backend", "ref", "--dtype", "f64"]
        return self.json("logits", model, *args)["logits"]

    def convert(self, source: object, name: str, *options: object) -> Path:
        """A new file in a folder of its own."""
        out = Path(tempfile.mkdtemp(dir=self.folder)) / name
        report = self.json("convert", source, str(out) + ("/" if name == "hf" else ""), *options)
        self.assertGreater(report["bytes"], 0)
        return out

    def worst(self, a: list[list[float]], b: list[list[float]]) -> float:
        """The largest difference, as a share of the spread of the first."""
        spread = max(max(row) - min(row) for row in a)
        return max(abs(x - y) for r, t in zip(a, b, strict=True) for x, y in zip(r, t, strict=True)) / spread

    def test_every_file_gives_the_same_logits(self) -> None:
        for generation in GENERATIONS:
            model = GOLDEN / f"rwkv{generation}.safetensors"
            expected = self.logits(model)
            copies = [self.convert(model, "m.pth"), self.convert(model, "m.pt"), self.convert(model, "m.safetensors")]
            if generation in self.HF:
                copies += [self.convert(model, "m.safetensors", "--names", "hf"),
                           self.convert(model, "m.pth", "--names", "hf")]
                # With other than 64 channels a head the programs behind a folder of RWKV-7 have another eps.
                copies += [self.convert(model, "hf")] if generation != "7" else []
            if generation in self.GGUF:
                copies.append(self.convert(model, "m.gguf"))
            for copy in copies:
                with self.subTest(copy=copy.name, generation=generation):
                    self.assertEqual(self.logits(copy), expected)
                    self.assertTrue(self.json("diff", model, copy)["same"])
                    self.assertEqual(self.logits(self.convert(copy, "back.safetensors")), expected)
            if generation in self.BIN:
                copy = self.convert(model, "m.bin", "--dtype", "f32")
                with self.subTest(copy=copy.name, generation=generation):
                    self.assertLessEqual(self.worst(expected, self.logits(copy)), 1e-5)
                    self.ok("diff", model, copy, "--tolerance", "1e-5")
                    again = self.convert(copy, "again.bin")
                    self.assertEqual(again.read_bytes(), copy.read_bytes())

    def test_a_folder_with_other_weights_is_left_alone(self) -> None:
        model = GOLDEN / "rwkv7.safetensors"
        for name in ["model.safetensors.index.json", "pytorch_model.bin", "other.safetensors"]:
            folder = Path(tempfile.mkdtemp(dir=self.folder))
            (folder / name).write_bytes(b"{}")
            self.assertIn(name, self.refused(FILE, "convert", model, f"{folder}/"))
            self.assertEqual([path.name for path in folder.iterdir()], [name])

    def test_blocks_that_do_not_fit_have_a_stand_in_in_every_format(self) -> None:
        model = self.folder / "odd.safetensors"
        self.ok("make-random", "rwkv6:L1,C256,F96,V256,N32", model, "-q")
        for name, stand_in in [("m.gguf", "iq4_nl"), ("m.bin", "q4_0")]:
            copy = self.folder / name
            said = self.json("convert", model, copy, "--dtype", "q2_k")["stand_ins"]
            types = self.json("inspect", copy)["dtypes"]
            self.assertIn("q2_k", types)
            self.assertEqual({t: n for t, n in types.items() if t in said}, said)
            self.assertIn(stand_in, said)

    def test_embedding_and_head_of_rwkv_cpp_files_are_plain_when_a_type_is_asked_for(self) -> None:
        model = self.convert(self.make_model("7"), "m.gguf", "--dtype", "q4_0")
        copy = self.folder / "m.bin"
        self.assertEqual(self.json("convert", model, copy, "--dtype", "q4_0")["stand_ins"], {"f16": 2})
        self.assertEqual(self.json("inspect", copy)["dtypes"]["f16"], 2)

    def test_a_format_says_which_types_it_has_none_of(self) -> None:
        model = self.make_model("6")
        for name, dtype in [("m.safetensors", "q4_k"), ("m.pth", "q8_0"), ("m.bin", "iq4_xs"), ("m.bin", "iq4_nl")]:
            said = self.refused(UNSUPPORTED, "convert", model, self.folder / name, "--dtype", dtype)
            self.assertIn(f"found     {dtype}", said)

    def test_an_incomplete_model_is_named_with_what_is_missing(self) -> None:
        whole, model = self.make_model("7"), self.folder / "gap.safetensors"
        data = whole.read_bytes()
        model.write_bytes(data.replace(b"blocks.0.ln1.weight", b"blocks.0.ln1.wEight", 1))
        for said in [self.refused(FILE, "convert", model, self.folder / "gap.gguf"),
                     self.refused(FILE, "logits", model, "--tokens", "1")]:
            self.assertIn(f"{model}: tensor 'blocks.0.ln1.weight' is missing", said)
            self.assertIn("found     no tensor of that name", said)
        self.assertIn("'blocks.0.ln1.weight' is missing", self.json("inspect", model)["problem"])

    def test_a_link_leads_to_the_file_that_is_replaced(self) -> None:
        model, old, link = self.make_model("7"), self.folder / "old.gguf", self.folder / "link.GGUF"
        old.write_bytes(b"old")
        link.symlink_to(old)
        self.json("convert", model, link)
        self.assertTrue(link.is_symlink())
        self.assertEqual(old.read_bytes()[:4], b"GGUF")

    def test_a_folder_of_a_model_with_the_usual_heads(self) -> None:
        model = self.folder / "heads.safetensors"
        self.ok("make-random", "rwkv7:L2,C128,V256,N64", model, "-q")
        self.assertEqual(self.logits(self.convert(model, "hf")), self.logits(model))

    def test_half_precision_is_exact_where_it_was_before(self) -> None:
        for generation in self.GGUF:
            model = self.make_model(generation, dtype="f16")
            expected = self.json("logits", model, "--tokens", self.TOKENS, "--all")["logits"]
            for name in ["m.gguf", "m.pth"]:
                copy = self.convert(model, name)
                self.assertEqual(self.json("logits", copy, "--tokens", self.TOKENS, "--all")["logits"], expected)
        brain = self.make_model("7", dtype="bf16")
        self.assertEqual(self.json("inspect", self.convert(brain, "m.gguf"))["dtypes"]["bf16"], 2 + 2 * 6)
        self.assertTrue(self.json("diff", brain, self.convert(brain, "m.safetensors", "--dtype", "f32"))["same"])

    def test_block_types(self) -> None:
        model = self.make_model("7", sizes="L2,C256,V256")
        bits = {"q8_0": 8.5, "q6_k": 6.5625, "q5_k": 5.5, "q5_1": 6, "q5_0": 5.5, "q4_k": 4.5, "q4_1": 5, "q4_0": 4.5,
                "iq4_nl": 4.5, "iq4_xs": 4.25, "q3_k": 3.4375, "q2_k": 2.625}
        expected = self.json("logits", model, "--tokens", self.TOKENS)["logits"]
        for dtype in bits:
            for name in ["m.gguf", "m.bin"]:
                if name == "m.bin" and dtype.startswith("iq4"):
                    continue
                with self.subTest(dtype=dtype, name=name):
                    copy = self.convert(model, name, "--dtype", dtype)
                    self.assertIn(dtype, self.json("inspect", copy)["dtypes"])
                    tensors = {t["name"]: t for t in self.json("diff", model, copy, "--tolerance", "9")["tensors"]} \
                        if name == "m.gguf" else {}
                    for tensor in tensors.values():
                        if tensor["b"]["dtype"] == dtype:
                            self.assertLess(tensor["rms"], 2.0 ** -(bits[dtype] - 2.5), tensor)
                    plain = self.convert(copy, "plain.safetensors", "--dtype", "f32")
                    self.assertTrue(self.json("diff", copy, plain)["same"])
                    # The same values in blocks and in f32: kernels may round differently.
                    blocks = self.json("logits", copy, "--tokens", self.TOKENS)["logits"]
                    floats = self.json("logits", plain, "--tokens", self.TOKENS)["logits"]
                    self.assertLess(self.worst([floats], [blocks]), 2e-2)
        self.assertEqual(len(expected), 256)

    def test_rows_that_no_block_fits(self) -> None:
        model = self.make_model("7", sizes="L2,C96,V256")
        dtypes = self.json("inspect", self.convert(model, "m.gguf", "--dtype", "q4_k"))["dtypes"]
        self.assertEqual(set(dtypes), {"f32", "q5_0"})

    def test_metadata_is_carried_over(self) -> None:
        model = self.folder / "licensed.safetensors"
        source = self.make_model("7").read_bytes()
        length = struct.unpack("<Q", source[:8])[0]
        header = json.loads(source[8 : 8 + length])
        facts = {"license": "apache-2.0", "author": "A. Person", "chat_template": "{{ \"x\" }}\n", "format": "pt"}
        header["__metadata__"] = facts
        text = json.dumps(header).encode()
        model.write_bytes(struct.pack("<Q", len(text)) + text + source[8 + length :])
        gguf = self.convert(model, "m.gguf")
        shown = self.json("inspect", gguf)["metadata"]
        self.assertEqual([shown["general.license"], shown["general.author"], shown["tokenizer.chat_template"]],
                         [facts["license"], facts["author"], facts["chat_template"]])
        for copy in [self.convert(gguf, "back.safetensors"), self.convert(self.convert(gguf, "m.gguf"), "hf")]:
            path = copy / "model.safetensors" if copy.name == "hf" else copy
            shown = self.json("inspect", path)["metadata"]
            self.assertEqual({k: shown[k] for k in facts}, facts)
        config = json.loads((copy / "tokenizer_config.json").read_text())
        self.assertEqual(config["chat_template"], facts["chat_template"])
        self.assertEqual(self.json("inspect", self.convert(copy, "m.gguf"))["metadata"]["tokenizer.chat_template"],
                         facts["chat_template"])

    def test_world_vocabulary(self) -> None:
        model = self.make_model("7", sizes="L1,C64,V65536", dtype="f16")
        gguf = self.convert(model, "m.gguf")
        for other in [gguf, self.convert(gguf, "again.gguf")]:
            text = self.json("generate", other, "-p", "Hello, 世界\n\n", "-n", 8, "--temperature", 0)["text"]
            self.assertEqual(text, self.json("generate", model, "-p", "Hello, 世界\n\n", "-n", 8, "--temperature", 0)["text"])
        self.assertEqual(self.convert(gguf, "same.gguf").read_bytes(), gguf.read_bytes())

    def test_a_second_conversion_gives_the_same_bytes(self) -> None:
        model = self.make_model("6")
        for name in ["m.pth", "m.safetensors", "m.gguf", "m.bin"]:
            first, second = (self.convert(model, name) for _ in range(2))
            self.assertEqual(first.read_bytes(), second.read_bytes())
            self.assertEqual(list(first.parent.iterdir()), [first])

    def test_refusals(self) -> None:
        model = self.make_model("4")
        out = self.folder / "refused"
        for code, words, args in [
            (USAGE, ".safetensors, .pth", [model, out]),
            (USAGE, "is the file that would be converted", [model, model]),
            (UNSUPPORTED, "RWKV-4", [model, f"{out}.gguf"]),
            (UNSUPPORTED, "q4_0", [model, f"{out}.safetensors", "--dtype", "q4_0"]),
            (UNSUPPORTED, "q4_0", [model, f"{out}.pth", "--dtype", "q4_0"]),
            (UNSUPPORTED, "--dtype f16 or f32", [self.make_model("4", dtype="bf16"), f"{out}.bin"]),
            (UNSUPPORTED, "bf16", [model, f"{out}.bin", "--dtype", "bf16"]),
            (UNSUPPORTED, "RWKV-5.1", [self.make_model("5.1"), f"{out}.bin"]),
            (USAGE, "--dtype", [model, f"{out}.pth", "--dtype", "i8"]),
            (FILE, "cannot be opened", ["missing.pth", f"{out}.pth"]),
            (FILE, "No such file", [model, "no/folder/m.pth"]),
        ]:
            with self.subTest(args=args):
                self.assertIn(words, self.refused(code, "convert", *args))
        self.assertEqual(list(self.folder.glob("refused*")), [])
        link = self.folder / "link.safetensors"
        link.symlink_to(model)
        self.assertIn("would be converted", self.refused(USAGE, "convert", link, model))

    def test_values_that_a_type_cannot_hold(self) -> None:
        model = self.folder / "large.safetensors"
        source = bytearray(self.make_model("7").read_bytes())
        length = struct.unpack("<Q", source[:8])[0]
        place = json.loads(source[8 : 8 + length])["blocks.1.att.key.weight"]["data_offsets"][0]
        for value, refusing in [(1e5, ["f16", "q8_0"]), (math.inf, ["q8_0"]), (math.nan, ["q8_0"])]:
            source[8 + length + place : 8 + length + place + 4] = struct.pack("<f", value)
            model.write_bytes(source)
            for dtype in refusing:
                message = self.refused(UNSUPPORTED, "convert", model, "new.gguf", "--dtype", dtype)
                self.assertIn(f"has values that {dtype} cannot hold", message)
            self.ok("convert", model, "new.gguf", "--dtype", "bf16", "-q")

    def old_file(self) -> Path:
        """A file that must stay when something goes wrong."""
        old = Path(tempfile.mkdtemp(dir=self.folder)) / "old.gguf"
        old.write_bytes(b"old")
        return old

    def expect_untouched(self, old: Path) -> None:
        """Nothing but the old file is there."""
        self.assertEqual(old.read_bytes(), b"old")
        self.assertEqual(list(old.parent.iterdir()), [old])

    def test_interrupted(self) -> None:
        model, old = self.make_model("7", sizes="L12,C1024,V65536", dtype="f16"), self.old_file()
        process = subprocess.Popen([BINARY, "convert", model, old, "--dtype", "q2_k", "--progress"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        assert process.stderr is not None and process.stdout is not None
        process.stderr.read(1)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual((process.returncode, out), (INTERRUPTED, b""))
        self.assertIn(b"stopped, nothing was written", errors)
        self.expect_untouched(old)

    def test_full_disk(self) -> None:
        # A limit on the size of files stands in for a full disk: write() fails in the same way.
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # as in a shell: it ends programs that let it

        old = self.old_file()
        done = subprocess.run([BINARY, "convert", self.make_model("7"), old], capture_output=True, preexec_fn=limit,
                              check=False)
        self.assertEqual(done.returncode, FILE)
        self.assertIn(b"cannot be written\n  found     File too large\n  hint      is there room", done.stderr)
        self.expect_untouched(old)

    def test_unwritable_folder(self) -> None:
        model, old = self.make_model("7"), self.old_file()
        # Nobody can write there, not even root.
        self.assertEqual(self.refused(FILE, "convert", model, old / "x.gguf"),
                         f"prwkv: {old}/x.gguf: cannot be written\n  found     folder '{old}': Not a directory\n"
                         "  hint      choose a folder in which you may write\n")
        self.assertEqual(self.refused(FILE, "convert", model, "nodir/x.gguf"),
                         "prwkv: nodir/x.gguf: cannot be written\n  found     folder 'nodir': No such file or directory\n"
                         "  hint      make that folder first\n")
        self.assertEqual(self.refused(FILE, "convert", model, f"{old}/new/"),
                         f"prwkv: {old}/new/: cannot be made\n  found     Not a directory\n"
                         "  hint      choose a folder in which you may write\n")
        os.chmod(old.parent, 0o555)
        try:
            if not os.access(old.parent, os.W_OK):  # root may write everywhere
                self.assertIn("Permission denied", self.refused(FILE, "convert", model, old))
        finally:
            os.chmod(old.parent, 0o755)
        self.expect_untouched(old)

    def test_a_new_folder_goes_with_what_was_to_lie_in_it(self) -> None:
        model = self.make_model("7", sizes="L12,C1024,V65536", dtype="f16")
        place = Path(tempfile.mkdtemp(dir=self.folder))
        process = subprocess.Popen([BINARY, "convert", model, f"{place}/a/new/", "--progress"], stderr=subprocess.PIPE)
        assert process.stderr is not None
        process.stderr.read(1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_S)
        # A very fast disk may have been done before the signal came.
        if process.returncode != OK:
            self.assertEqual(process.returncode, INTERRUPTED)
            self.assertEqual(list(place.iterdir()), [])

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))

        (place / "kept").mkdir()
        for folder in ["kept", "b/new"]:
            done = subprocess.run([BINARY, "convert", self.make_model("7"), f"{place}/{folder}/"], capture_output=True,
                                  preexec_fn=limit, check=False)
            self.assertEqual(done.returncode, FILE, done.stderr)
        self.assertEqual([path.name for path in place.iterdir()], ["kept"])

    def test_names_that_would_not_be_used(self) -> None:
        model = self.make_model("7")
        for out, names, target, hint in [
                ("x.gguf", "hf", "GGUF, which has names of its own", "leave it out"),
                ("x.gguf", "blinkdl", "GGUF, which has names of its own", "leave it out"),
                ("x.bin", "hf", "rwkv.cpp, which has names of its own", "leave it out"),
                ("x/", "blinkdl", "Hugging Face's layout", "leave it out, or give the path of a file")]:
            self.assertEqual(self.refused(USAGE, "convert", model, out, "--names", names),
                             f"prwkv: {out}: --names {names} does not go with {target}\n"
                             "  expected  --names with a .safetensors, .pth or .pt file\n"
                             f"  found     --names {names}\n  hint      {hint}\n")
        self.assertFalse((self.folder / "x").exists())
        self.ok("convert", model, "x/", "--names", "hf", "-q")

    def test_damaged_input(self) -> None:
        cut = self.folder / "cut.safetensors"
        cut.write_bytes(self.make_model("7").read_bytes()[:-1])
        old = self.old_file()
        self.refused(FILE, "convert", cut, old)
        self.expect_untouched(old)

    def test_what_is_no_rwkv(self) -> None:
        other = self.folder / "other.safetensors"
        other.write_bytes(safetensors({"w": ("F32", [1], b"\0\0\0\0")}))
        self.assertIn("holds no RWKV", self.refused(UNSUPPORTED, "convert", other, "x.pth"))

    def test_summary(self) -> None:
        model = self.make_model("7")
        done = self.run_prwkv("convert", model, "s.gguf")
        self.assertEqual((done.returncode, done.stdout), (OK, b""))
        self.assertIn(b"s.gguf: RWKV-7 as GGUF", done.stderr)
        self.assertEqual(self.run_prwkv("convert", model, "s.gguf", "-q").stderr, b"")
        self.assertIn(b"100%", self.run_prwkv("convert", model, "s.gguf", "--progress").stderr)


class Diff(CliTest):
    """prwkv diff"""

    def test_equal(self) -> None:
        model = self.make_model()
        self.assertRegex(self.ok("diff", model, model).decode(), r"^(\d+) of \1 tensors are equal\n$")
        report = self.json("diff", model, model)
        self.assertEqual([report["same"], report["a"], report["b"]], [True, str(model), str(model)])
        self.assertEqual({t["verdict"] for t in report["tensors"]}, {"equal"})
        self.assertEqual(list(report["tensors"][0]),
                         ["name", "verdict", "a", "b", "bit_equal", "differing", "max_abs", "relative", "rms"])

    def test_different(self) -> None:
        a, b = self.make_model(seed=0), self.make_model(seed=1)
        done = self.run_prwkv("diff", a, b)
        self.assertEqual(done.returncode, MISMATCH)
        self.assertIn(b"values differ", done.stdout)
        self.assertEqual(self.run_prwkv("diff", a, b, "--tolerance", "10").returncode, OK)

    def test_one_value(self) -> None:
        data = struct.pack("4f", 1, -2, math.nan, 0.5)
        files = {}
        for name, tensors in {
            "a": {"w": ("F32", [2, 2], data), "gone": ("F32", [1], data[:4]), "s": ("F32", [2, 1], data[:8])},
            "b": {"w": ("F32", [4], data[:12] + struct.pack("f", 0.75)), "new": ("F16", [1], b"\0\0"),
                  "s": ("F32", [3], data[:12])},
            "nan": {"w": ("F32", [2, 2], data[:8] + data[8:12] + data[8:12])},
            "longs": {"w": ("I64", [2], struct.pack("2q", 1, 2**62 + 1))},
            "longs2": {"w": ("I64", [2], struct.pack("2q", 1, 2**62))},
        }.items():
            files[name] = self.folder / f"{name}.safetensors"
            files[name].write_bytes(safetensors(tensors))
        done = self.run_prwkv("diff", files["a"], files["b"], "--json")
        self.assertEqual(done.returncode, MISMATCH)
        tensors = {t["name"]: t for t in json.loads(done.stdout)["tensors"]}
        self.assertEqual({n: t["verdict"] for n, t in tensors.items()},
                         {"w": "values differ", "gone": "only in A", "new": "only in B", "s": "shapes differ"})
        self.assertEqual([tensors["w"][k] for k in ["differing", "max_abs", "relative", "rms", "bit_equal"]],
                         [1, 0.25, 0.125, 0.125, False])
        self.assertEqual([tensors["new"]["a"], tensors["new"]["b"]], [None, {"dtype": "f16", "shape": [1]}])
        # NaN equals NaN, but no number.
        self.assertEqual(self.run_prwkv("diff", files["nan"], files["nan"]).returncode, OK)
        report = json.loads(self.run_prwkv("diff", files["a"], files["nan"], "--json").stdout)
        self.assertEqual({t["name"]: t.get("max_abs") for t in report["tensors"]}["w"], "inf")
        # Whole numbers beyond 2⁵³ are not rounded.
        self.assertEqual(self.run_prwkv("diff", files["longs"], files["longs2"]).returncode, MISMATCH)
        self.assertEqual(self.run_prwkv("diff", files["longs"], files["longs"]).returncode, OK)

    def test_refusals(self) -> None:
        self.refused(FILE, "diff", "missing", "missing")
        self.refused(USAGE, "diff", self.make_model())
        self.refused(USAGE, "diff", self.make_model(), self.make_model(), "--tolerance", "-1")


class Completion(CliTest):
    """prwkv completion"""

    def complete(self, *words: str) -> set[str]:
        """What bash offers for the last word."""
        script = self.ok("completion", "bash").decode()
        listed = " ".join(f"'{w}'" for w in words)
        script += f"\nCOMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; _prwkv; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        done = subprocess.run(["bash", "-c", script], capture_output=True, cwd=self.folder, check=True)
        self.assertEqual(done.stderr, b"")
        return set(done.stdout.decode().split("\n")) - {""}

    def test_bash(self) -> None:
        self.assertLessEqual(set(COMMANDS), self.complete("prwkv", ""))
        self.assertEqual(self.complete("prwkv", "gen"), {"generate"})
        self.assertEqual(self.complete("prwkv", "generate", "--top"), {"--top-p", "--top-k"})
        self.assertEqual(self.complete("prwkv", "generate", "--backend", ""), {"cpu", "ref"})
        self.assertEqual(self.complete("prwkv", "completion", ""), {"bash", "zsh", "fish", "-h", "--help"})
        self.assertLessEqual({"make", "show", "compare", "average"}, self.complete("prwkv", "state", ""))
        self.assertIn("--out", self.complete("prwkv", "state", "make", "--"))
        (self.folder / "my model.pth").touch()
        self.assertEqual(self.complete("prwkv", "inspect", "my"), {"my model.pth"})
        self.assertEqual(self.complete("prwkv", "generate", "x", "--state-in", "my"), {"my model.pth"})
        self.assertEqual(self.complete("prwkv", "generate", "-n", ""), set())

    def test_syntax(self) -> None:
        for shell, check in [("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "--no-execute"])]:
            script = self.ok("completion", shell)
            self.assertIn(b"state", script)
            if shutil.which(shell) is None:
                continue
            done = subprocess.run(check, input=script, capture_output=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, b""), shell)

    def test_every_option_is_there(self) -> None:
        for shell, form in [("bash", "--{}"), ("zsh", "--{}["), ("fish", "-l {} ")]:
            script = self.ok("completion", shell).decode()
            for option in ["groupnorm-eps", "random-weights", "state-out", "any-weights", "raw"]:
                self.assertIn(form.format(option), script)


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-") and Path(sys.argv[1]).is_file():
        BINARY = Path(sys.argv.pop(1)).resolve()
    unittest.main()
