#!/usr/bin/env python3
"""`prwkv train`, `prwkv merge` and the options of adapters from outside: files, numbers, resuming, faults.

Usage: train_test.py PRWKV [unittest arguments]; without PRWKV, $PRWKV_BIN or build/release/prwkv is used.
Needs nothing but the standard library. What is compared with is made here: files of adapters and tokens byte by
byte, losses from the logits that another command prints, merged weights in double.
"""

from __future__ import annotations

import array
import fcntl
import hashlib
import io
import itertools
import json
import math
import os
import pickle
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import cli_test
from cli_test import FILE, GENERATIONS, INTERRUPTED, MISMATCH, OK, TIMEOUT_S, UNSUPPORTED, USAGE, safetensors

L, C, F, V, N = 2, 64, 128, 256, 32
U = 2.0**-24  # the largest relative error of rounding to f32
WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"]
Tensors = dict[str, tuple[list[int], array.array]]


def shape_of(generation: str) -> str:
    return f"rwkv{generation}:L{L},C{C},F{F}" + ("" if generation.startswith("4") else f",N{N}")


# ------------------------------------------------------------------------------------------------ files


def read_safetensors(path: Path) -> dict[str, tuple[str, list[int], bytes]]:
    """name -> (type, shape, bytes)"""
    raw = path.read_bytes()
    end = 8 + struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:end])
    header.pop("__metadata__", None)
    return {name: (t["dtype"], t["shape"], raw[end + t["data_offsets"][0] : end + t["data_offsets"][1]])
            for name, t in header.items()}


def read_f32(path: Path) -> Tensors:
    tensors = {}
    for name, (dtype, shape, raw) in read_safetensors(path).items():
        assert dtype == "F32", (path, name, dtype)
        tensors[name] = (shape, array.array("f", raw))
    return tensors


def write_f32(path: Path, tensors: Tensors, metadata: dict[str, str] | None = None) -> Path:
    path.write_bytes(safetensors({n: ("F32", s, v.tobytes()) for n, (s, v) in tensors.items()}, metadata))
    return path


def write_pth(path: Path, tensors: Tensors) -> Path:
    """A state dict as torch.save writes it: a zip of a pickle and a raw file for each storage. Arrays of "H" are bf16."""
    def text(s: str) -> bytes:
        return b"X" + struct.pack("<I", len(s.encode())) + s.encode()

    def number(n: int) -> bytes:
        return b"J" + struct.pack("<i", n)

    ordered_dict = b"ccollections\nOrderedDict\n)R"
    code = b"\x80\x02" + ordered_dict + b"("
    for key, (name, (shape, values)) in enumerate(tensors.items()):
        strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
        code += text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(("
        storage = {"f": b"FloatStorage", "H": b"BFloat16Storage"}[values.typecode]
        code += text("storage") + b"ctorch\n" + storage + b"\n" + text(str(key)) + text("cpu") + number(len(values)) + b"tQ"
        code += number(0) + b"(" + b"".join(map(number, shape)) + b"t(" + b"".join(map(number, strides)) + b"t"
        code += b"\x89" + ordered_dict + b"tR"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("archive/data.pkl", code + b"u.")
        for key, (_, values) in enumerate(tensors.values()):
            file.writestr(f"archive/data/{key}", values.tobytes())
        file.writestr("archive/version", b"3\n")
    return path


class FakeTorch(pickle.Unpickler):
    """Reads state dicts of f32 tensors as torch.load(weights_only=True) does: only these names are allowed."""

    def __init__(self, file: zipfile.ZipFile, folder: str) -> None:
        super().__init__(io.BytesIO(file.read(f"{folder}/data.pkl")))
        self.file, self.folder = file, folder

    def find_class(self, module: str, name: str) -> object:
        return {("collections", "OrderedDict"): dict, ("torch", "FloatStorage"): "f",
                ("torch._utils", "_rebuild_tensor_v2"): self.tensor}[module, name]

    def persistent_load(self, pid: tuple) -> array.array:
        kind, code, key, _, numel = pid
        assert kind == "storage"
        values = array.array(code, self.file.read(f"{self.folder}/data/{key}"))
        assert len(values) == numel
        return values

    @staticmethod
    def tensor(storage: array.array, offset: int, size: tuple, stride: tuple, *_: object) -> tuple[list[int], array.array]:
        assert stride == tuple(math.prod(size[i + 1 :]) for i in range(len(size)))
        return list(size), storage[offset : offset + math.prod(size)]


def read_pth(path: Path) -> Tensors:
    with zipfile.ZipFile(path) as file:
        folder = next(n for n in file.namelist() if n.endswith("/data.pkl")).rpartition("/")[0]
        return FakeTorch(file, folder).load()


def write_binidx(path: Path, documents: list[list[int]]) -> Path:
    """NAME.bin and NAME.idx as BlinkDL's and Megatron's tools write them, ids of 16 bits."""
    path.with_suffix(".bin").write_bytes(b"".join(struct.pack(f"<{len(d)}H", *d) for d in documents))
    sizes = [len(d) for d in documents]
    pointers = [0, *itertools.accumulate(2 * s for s in sizes)][:-1]
    n = len(documents)
    path.with_suffix(".idx").write_bytes(
        b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, n, n + 1) + struct.pack(f"<{n}i", *sizes)
        + struct.pack(f"<{n}q", *pointers) + struct.pack(f"<{n + 1}q", *range(n + 1)))
    return path


def read_log(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def leftovers(folder: Path) -> list[str]:
    """Temporary files."""
    return sorted(p.name for p in folder.rglob("*.tmp-*"))


def contents(folder: Path) -> dict[str, str]:
    """Names and hashes of all files."""
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


# ---------------------------------------------------------------------------------------------- numbers


def norm(values: Iterable[float]) -> float:
    return math.sqrt(sum(x * x for x in values))


def distance(a: Iterable[float], b: Iterable[float]) -> float:
    return norm(x - y for x, y in zip(a, b, strict=True))


def cross_entropy(logits: list[float], target: int) -> float:
    top = max(logits)
    return top + math.log(math.fsum(math.exp(x - top) for x in logits)) - logits[target]


def sums_bound() -> float:
    """How far logits in f32 may be from exact ones, as a share of their norm.

    A sum of n products has n roundings, each of at most U of what was summed, up or down: a walk of √n steps. On its way to a
    logit a value passes the products of every layer one after the other (r, k, v; output; ffn.key; ffn.value) and the head;
    norms in between divide by what flows, so that shares add up. An adapter's own sums are shorter than a row of its matrix.
    Measured: 0.06 of the difference that two such computations may have.
    """
    return U * (L * (3 * math.sqrt(C) + math.sqrt(F)) + math.sqrt(C))


# The same for a mean loss: logits of a few units times sums_bound(). Measured: 5e-8, since forward passes share their kernels.
LOSS = 1e-5
# Gradients of a whole sequence and of its chunks, sums in another order, relative. Measured: 1e-6.
GRADIENT = 1e-5


# ----------------------------------------------------------------------------------------------- models

_shared: tempfile.TemporaryDirectory
SHARED = Path()


def setUpModule() -> None:  # noqa: N802
    global _shared, SHARED  # noqa: PLW0603
    _shared = tempfile.TemporaryDirectory(prefix="prwkv-e2e-train-")
    SHARED = Path(_shared.name)


def tearDownModule() -> None:  # noqa: N802
    _shared.cleanup()


def words(count: int, seed: int) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(count))


class TrainCase(cli_test.CliTest):
    """Runs over one small text, in a folder of their own."""

    TEXT = words(4000, 1)
    OTHER = words(300, 2)  # of the same words, for measuring
    STEPS = ["--context", 32, "--batch", 4, "--threads", 1]
    ONE_STEP = [*STEPS, "--steps", 1, "--data", "text.txt", "-o"]  # a folder follows

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        (cls.folder / "text.txt").write_text(cls.TEXT)
        (cls.folder / "other.txt").write_text(cls.OTHER)

    def new(self, generation: str = "7") -> list[object]:
        return ["--new", shape_of(generation), "--vocab", "bytes"]

    def train(self, out: str, *args: object, data: str = "text.txt") -> dict:
        """The summary of a run that must come to its end, in which its losses are finite and its files complete."""
        done = self.json("train", *args, "--data", data, "-o", out, "-q")
        self.assertTrue(done["finished"])
        self.assertEqual(leftovers(self.folder / out), [])
        for path in done["outputs"]:
            self.assertTrue((self.folder / path).is_file(), path)
        return done

    def base(self, generation: str = "7") -> Path:
        """A model that knows the words of the text a little."""
        folder = SHARED / f"base{generation}"
        if not folder.exists():
            (SHARED / "text.txt").write_text(self.TEXT)
            self.ok("train", *self.new(generation), "--context", 32, "--batch", 8, "--steps", 30, "--threads", 1,
                    "--data", SHARED / "text.txt", "-o", folder, "-q")
        return folder / "model.safetensors"

    def perplexity(self, model: object, *args: object) -> float:
        return self.json("perplexity", model, "other.txt", *args, "-q")["nll"]

    def logits(self, model: object, ids: list[int], *args: object) -> list[list[float]]:
        return self.json("logits", model, "--tokens", ",".join(map(str, ids)), "--all", *args)["logits"]

    def flat(self, model: object, *args: object) -> list[float]:
        """Logits behind each of some tokens of the text."""
        return [x for row in self.logits(model, list(self.OTHER[:24].encode()), *args) for x in row]

    def loss(self, model: object, ids: list[int], counted: Callable[[int], bool] = lambda _: True, *args: object) -> float:
        """Mean loss of those targets ids[i] that count, from what `logits` prints."""
        rows = self.logits(model, ids[:-1], *args)
        losses = [cross_entropy(rows[i - 1], ids[i]) for i in range(1, len(ids)) if counted(i)]
        return math.fsum(losses) / len(losses)

    def expect_same_run(self, a: Path, b: Path) -> None:
        """Weights, moments and position to the byte; losses of the same steps."""
        for name in ["checkpoint.safetensors", "model.safetensors", "lora.safetensors", "state.safetensors", "lora.pth"]:
            self.assertEqual((a / name).exists(), (b / name).exists(), f"{name} in {a.name} and {b.name}")
            if (a / name).exists() and (a / name).read_bytes() != (b / name).read_bytes():
                self.fail(f"{name} differs between {a.name} and {b.name}")
        keys = ["step", "tokens", "loss", "lr", "norm"]
        self.assertEqual([[line[k] for k in keys] for line in read_log(a)], [[line[k] for k in keys] for line in read_log(b)])

    def expect_message(self, message: str, *words_: str) -> None:
        """A message as CONTRIBUTING.md has it: no full stop behind the first line, known lines below."""
        lines = message.rstrip("\n").split("\n")
        self.assertTrue(lines[0].startswith("prwkv: ") and not lines[0].endswith("."), message)
        for line in lines[1:]:
            self.assertRegex(line, r"^  (expected  |found     |hint      )\S", message)
        for word in words_:
            self.assertIn(word, message)

    def refused_with(self, code: int, said: list[str], *args: object) -> str:
        message = self.refused(code, *args)
        self.expect_message(message, *said)
        return message


# ----------------------------------------------------------------------------------------------- method

_MATRICES = {"C,C": "att.receptance.weight att.key.weight att.value.weight att.output.weight", "F,C": "ffn.key.weight",
             "C,F": "ffn.value.weight", "C": "ln1.weight ln1.bias ln2.weight ln2.bias"}
_LN_X = {"C": "att.ln_x.weight att.ln_x.bias"}
_MIX = {"1,1,C": "att.time_mix_k att.time_mix_v att.time_mix_r ffn.time_mix_k ffn.time_mix_r", "C,C": "ffn.receptance.weight"}
_GATE = {"1,1,C": "att.time_mix_g", "C,C": "att.gate.weight"}
# What BlinkDL's trainers call the parameters of a block, by shape; H heads of N. Ranks are those that these sizes get.
BLOCKS: dict[str, list[dict[str, str]]] = {
    "4": [_MATRICES, _MIX, {"C": "att.time_decay att.time_first"}],
    "4a": [_MATRICES, _MIX, {"C": "att.time_decay att.time_first"}],
    "5.0": [_MATRICES, _MIX, _LN_X, {"H": "att.time_decay att.time_first"}],
    "5.1": [_MATRICES, _MIX, _LN_X, _GATE, {"H": "att.time_decay att.time_faaaa"}],
    "5.2": [_MATRICES, _MIX, _LN_X, _GATE, {"H,N": "att.time_decay att.time_faaaa"}],
    "6": [_MATRICES, _LN_X,
          {"1,1,C": "att.time_maa_x att.time_maa_w att.time_maa_k att.time_maa_v att.time_maa_r att.time_maa_g att.time_decay "
                    "ffn.time_maa_k ffn.time_maa_r", "C,160": "att.time_maa_w1", "5,32,C": "att.time_maa_w2",
           "C,64": "att.time_decay_w1", "64,C": "att.time_decay_w2", "H,N": "att.time_faaaa",
           "C,C": "att.gate.weight ffn.receptance.weight"}],
    "7": [_MATRICES, _LN_X,
          {"1,1,C": "att.x_r att.x_w att.x_k att.x_v att.x_a att.x_g att.w0 att.a0 att.k_k att.k_a ffn.x_k",
           "C,32": "att.w1 att.a1 att.g1", "32,C": "att.w2 att.a2 att.g2", "H,N": "att.r_k"}],
}
BLOCK_1: dict[str, dict[str, str]] = {
    "4a": {"C": "tiny_ln.weight tiny_ln.bias", "C,C": "tiny_q.weight tiny_k.weight tiny_v.weight"},
    "7": {"1,1,C": "att.v0", "C,32": "att.v1", "32,C": "att.v2"},
}


def blinkdl_shapes(generation: str) -> dict[str, list[int]]:
    sizes = {"C": C, "F": F, "V": V, "N": N, "H": C // N}

    def listed(prefix: str, table: dict[str, str]) -> dict[str, list[int]]:
        return {prefix + name: [sizes.get(s) or int(s) for s in shape.split(",")]
                for shape, names in table.items() for name in names.split()}

    shapes = listed("", {"V,C": "emb.weight head.weight", "C": "ln_out.weight ln_out.bias blocks.0.ln0.weight blocks.0.ln0.bias"})
    for layer in range(L):
        for table in BLOCKS[generation]:
            shapes |= listed(f"blocks.{layer}.", table)
    return shapes | listed("blocks.1.", BLOCK_1.get(generation, {}))


def lora_shapes(matrices: Iterable[tuple[str, list[int]]], rank: int) -> dict[str, list[int]]:
    shapes = {}
    for name, (out, in_) in matrices:
        shapes[name.removesuffix(".weight") + ".lora_A"] = [rank, in_]
        shapes[name.removesuffix(".weight") + ".lora_B"] = [out, rank]
    return shapes


def projections(generation: str = "7", parts: tuple[str, ...] = ("att", "ffn")) -> list[tuple[str, list[int]]]:
    """Matrices that adapters go with, which are not the low-rank pairs; tiny attention is a part of attention."""
    def part(name: str) -> str:
        words_ = name.split(".")
        return {"blocks": words_[2] if len(words_) > 2 else "", "head": "head"}.get(words_[0], "")

    return [(n, s) for n, s in blinkdl_shapes(generation).items() if n.endswith(".weight") and len(s) == 2
            and (part(n) in parts or part(n).startswith("tiny"))]


class Methods(TrainCase):
    """What is trained, from what, into which files."""

    def test_each_generation_from_scratch(self) -> None:
        for generation in GENERATIONS:
            with self.subTest(generation=generation):
                out = f"scratch{generation}"
                done = self.train(out, *self.new(generation), "--context", 32, "--batch", 8, "--steps", 30, "--threads", 1)
                log = read_log(self.folder / out)
                self.assertEqual([line["step"] for line in log], list(range(1, 31)))
                self.assertEqual([line["tokens"] for line in log], [256 * i for i in range(1, 31)])
                # It begins without knowledge, and learns at least which of the 256 bytes there are.
                self.assertAlmostEqual(log[0]["loss"], math.log(V), delta=0.1)
                self.assertLess(log[-1]["loss"], math.log(len(set(self.TEXT))))
                self.assertEqual(log[-1]["loss"], done["loss"])
                model = self.folder / out / "model.safetensors"
                for file in [model, model.with_name("init.safetensors")]:
                    found = {n: (d, s) for n, (d, s, _) in read_safetensors(file).items()}
                    self.assertEqual(found, {n: ("F32", s) for n, s in blinkdl_shapes(generation).items()})
                self.assertEqual(self.json("inspect", model)["generation"], generation)
                self.assertLess(self.perplexity(model), log[0]["loss"] - 2)
                self.assertEqual(len(self.json("generate", model, "-p", "alpha", "-n", 3, "--ignore-eot")["ids"]), 3)
                self.ok("logits", model, "--tokens", "1,2")

    def test_the_folder(self) -> None:
        done = self.train("folder", *self.new(), *self.STEPS, "--steps", 3, "--validation", 0.1)
        self.assertEqual(list(done), ["steps", "tokens", "loss", "tokens_per_second", "share_of_peak", "skipped_documents",
                                      "truncated_documents", "peak_flops", "flops_per_token", "planned_bytes", "data_peak_bytes",
                                      "peak_resident_bytes", "finished", "outputs"])
        names = sorted(p.name for p in (self.folder / "folder").iterdir())
        self.assertTrue(names.pop(1).startswith("events.out.tfevents."), names)
        self.assertEqual(names, ["checkpoint.safetensors", "init.safetensors", "log.jsonl", "loss.svg", "model.safetensors"])
        self.assertTrue((self.folder / "folder/loss.svg").read_text().startswith("<svg"))
        log = read_log(self.folder / "folder")
        self.assertEqual(["validation_loss" in line for line in log], [False, False, True])
        # 6 FLOPs for each parameter of a matrix and token; the embedding is a table.
        matrices = sum(math.prod(s) for n, s in blinkdl_shapes("7").items() if len(s) == 2 and n != "emb.weight"
                       and not n.endswith("r_k"))
        self.assertEqual(done["flops_per_token"], 6 * matrices)

    def test_what_goes_where(self) -> None:
        args = ["train", *self.new(), *self.STEPS, "--steps", 2, "--data", "text.txt", "-o"]
        done = self.run_prwkv(*args, "said")
        self.assertEqual((done.returncode, done.stdout), (OK, b""))
        self.assertRegex(done.stderr.decode(), r"^RWKV-7, .*\n2 steps, 256 tokens, .* loss \d\.\d+; said/model.safetensors\n$")
        self.assertEqual(self.run_prwkv(*args, "quiet", "-q").stderr, b"")
        self.assertIn(b"tokens/s, ", self.run_prwkv(*args, "shown", "--progress").stderr)

    def test_each_method(self) -> None:
        for generation in GENERATIONS:
            model = self.base(generation)
            untrained = self.perplexity(model)
            weights = read_safetensors(model)
            for method, lr in [("full", 1e-3), ("lora", 1e-3), ("state", 0.1)]:
                if method == "state" and generation.startswith("4"):
                    continue  # Refusals.test_rwkv_4_has_no_state
                with self.subTest(generation=generation, method=method):
                    out = f"{method}{generation}"
                    done = self.train(out, model, "--method", method, *self.STEPS, "--steps", 20, "--lr", lr)
                    folder = self.folder / out
                    names = {"full": ["model.safetensors"], "lora": ["lora.safetensors", "lora.pth"],
                             "state": ["state.safetensors", "state.pth"]}[method]
                    self.assertEqual(done["outputs"], [f"{out}/{n}" for n in names])
                    option = {"full": [], "lora": ["--lora", folder / names[0]],
                              "state": ["--init-state", folder / names[0]]}[method]
                    trained = folder / names[0] if method == "full" else model
                    self.assertLess(self.perplexity(trained, *option), untrained)
                    self.assertEqual(len(self.json("generate", trained, *option, "-n", 3, "--ignore-eot")["ids"]), 3)
                    self.ok("state", "make", trained, *option, "-p", "alpha", "-o", "s")
                    if method == "full":
                        continue
                    self.assertEqual(read_safetensors(model), weights, "the base is not written to")
                    found = read_f32(folder / names[0])
                    expected = (lora_shapes(projections(generation), 16) if method == "lora" else
                                {f"blocks.{i}.att.time_state": [C // N, N, N] for i in range(L)})
                    self.assertEqual({n: s for n, (s, _) in found.items()}, expected)
                    self.assertEqual(read_pth(folder / names[1]), found)
                    if method == "state":
                        self.assertEqual(self.flat(model, *option), self.flat(model, "--init-state", folder / names[1]))
                    else:
                        self.assertEqual(self.flat(model, *option),
                                         self.flat(model, "--lora", folder / names[1], "--lora-alpha", 32))

    def test_layers_and_parts(self) -> None:
        base = read_safetensors(self.base())

        def part(name: str) -> str:
            if name.startswith(("emb", "head")):
                return name.split(".")[0]
            if ".ln" in name or name.startswith("ln_"):
                return "ln"
            return "time" if len(base[name][1]) != 2 or name.endswith("r_k") else name.split(".")[2]

        def layer(name: str) -> int:
            return int(name.split(".")[1]) if name.startswith("blocks.") and ".ln0." not in name else -1

        for number, (args, chosen) in enumerate([
            ([], lambda _: True),
            (["--parts", "att"], lambda n: part(n) == "att"),
            (["--parts", "emb,head"], lambda n: part(n) in ["emb", "head"]),
            (["--parts", "ln,time"], lambda n: part(n) in ["ln", "time"]),
            (["--layers", "1"], lambda n: layer(n) != 0),
            (["--layers", "0", "--parts", "ffn"], lambda n: part(n) == "ffn" and layer(n) == 0),
            (["--layers", "0-1", "--parts", "time"], lambda n: part(n) == "time"),
        ]):
            with self.subTest(args=args):
                self.train(f"parts{number}", self.base(), *self.STEPS, *args, "--steps", 3)
                now = read_safetensors(self.folder / f"parts{number}/model.safetensors")
                self.assertEqual({n: s for n, (_, s, _) in now.items()}, {n: s for n, (_, s, _) in base.items()})
                changed = {n for n in base if now[n][2] != base[n][2]}
                self.assertEqual(changed, {n for n in base if chosen(n)})
                trained = [n for n in read_safetensors(self.folder / f"parts{number}/checkpoint.safetensors")
                           if not n.endswith((".m", ".v"))]
                self.assertEqual(set(trained), changed)

    def test_layers_and_parts_of_adapters(self) -> None:
        whole = {n: s for n, s in blinkdl_shapes("7").items() if ".ln" in n or n.startswith("ln_")}
        for number, (args, expected) in enumerate([
            (["--lora-rank", 4, "--layers", "1"], lora_shapes([p for p in projections() if ".1." in p[0]], 4)),
            (["--lora-rank", 2, "--parts", "att"], lora_shapes(projections(parts=("att",)), 2)),
            (["--lora-rank", 3, "--parts", "ffn,head"], lora_shapes(projections(parts=("ffn", "head")), 3)),
            (["--lora-rank", 1, "--parts", "att,ln"], lora_shapes(projections(parts=("att",)), 1) | whole),
        ]):
            with self.subTest(args=args):
                out = self.folder / f"lora-parts{number}"
                self.train(out.name, self.base(), "--method", "lora", *self.STEPS, *args, "--steps", 3)
                found = read_f32(out / "lora.safetensors")
                self.assertEqual({n: s for n, (s, _) in found.items()}, expected)
                self.assertEqual(read_pth(out / "lora.pth"), found)
                self.assertNotEqual(self.flat(self.base(), "--lora", out / "lora.safetensors"), self.flat(self.base()))
        self.train("state1", self.base(), "--method", "state", "--layers", 1, *self.STEPS, "--steps", 2)
        self.assertEqual(list(read_f32(self.folder / "state1/state.safetensors")), ["blocks.1.att.time_state"])

    def test_adapters_without_a_pair_are_refused_or_read(self) -> None:
        """Whatever --method lora writes, --lora must read."""
        args = ["train", self.base(), "--method", "lora", "--parts", "ln,time", *self.STEPS, "--steps", 2, "--data", "text.txt"]
        done = self.run_prwkv(*args, "-o", "no-pairs", "-q")
        if done.returncode == OK:
            self.ok("logits", self.base(), "--tokens", "1", "--lora", "no-pairs/lora.safetensors")
        else:
            self.assertEqual(done.returncode, USAGE, done.stderr)

    def test_bases_of_every_format(self) -> None:
        """The same values in another file train to the same bits."""
        self.train("from-safetensors", self.base(), *self.STEPS, "--steps", 4)
        for name in ["base.pth", "base.gguf", "base.bin"]:
            with self.subTest(name=name):
                self.ok("convert", self.base(), name, "-q")
                self.train(f"from-{name}", name, "--vocab", "bytes", *self.STEPS, "--steps", 4)
                a, b = ([line["loss"] for line in read_log(self.folder / out)] for out in ["from-safetensors", f"from-{name}"])
                self.assertEqual(a, b)
                found = read_f32(self.folder / f"from-{name}/model.safetensors")
                self.assertEqual(found, read_f32(self.folder / "from-safetensors/model.safetensors"))

    def test_quantized_bases(self) -> None:
        self.ok("quantize", self.base(), "q8.gguf", "--type", "q8_0", "-q")
        untrained = self.perplexity("q8.gguf")
        for method, lr in [("full", 1e-3), ("lora", 1e-3), ("state", 0.1)]:
            with self.subTest(method=method):
                out = f"q8-{method}"
                self.train(out, "q8.gguf", "--method", method, *self.STEPS, "--steps", 20, "--lr", lr)
                if method == "full":  # blocks became f32, under BlinkDL's names
                    found = {n: (d, s) for n, (d, s, _) in read_safetensors(self.folder / out / "model.safetensors").items()}
                    self.assertEqual(found, {n: ("F32", s) for n, s in blinkdl_shapes("7").items()})
                    self.assertLess(self.perplexity(f"{out}/model.safetensors"), untrained)
                elif method == "lora":
                    self.assertLess(self.perplexity("q8.gguf", "--lora", f"{out}/lora.safetensors"), untrained)
                else:
                    self.assertLess(self.perplexity("q8.gguf", "--init-state", f"{out}/state.safetensors"), untrained)

    def test_types_of_the_output(self) -> None:
        for dtype, name in [("f16", "F16"), ("bf16", "BF16")]:
            self.ok("convert", self.base(), f"{dtype}.pth", "--dtype", dtype, "-q")
            for out, args, expected in [(f"keeps-{dtype}", [f"{dtype}.pth"], name),
                                        (f"as-{dtype}", [self.base(), "--dtype", dtype], name),
                                        (f"from-{dtype}", [f"{dtype}.pth", "--dtype", "f32"], "F32")]:
                with self.subTest(out=out):
                    self.train(out, *args, *self.STEPS, "--steps", 2)
                    found = read_safetensors(self.folder / out / "model.safetensors")
                    for matrix in ["emb.weight", "blocks.0.att.key.weight", "blocks.1.ffn.value.weight", "head.weight"]:
                        self.assertEqual(found[matrix][0], expected, matrix)
                    # Whatever the file has, training is in f32.
                    kept = read_safetensors(self.folder / out / "checkpoint.safetensors")
                    self.assertEqual({d for d, _, _ in kept.values()}, {"F32"})
                    self.perplexity(f"{out}/model.safetensors")

    def test_learning_rates(self) -> None:
        """As src/train/schedule.h has them."""
        lr, last, steps, warmup, decay = 1e-3, 1e-5, 12, 4, 3

        def cosine(i: int) -> float:
            return (lr + last) / 2 + (lr - last) / 2 * math.cos(math.pi * max(0, i - warmup) / (steps - warmup))

        def wsd(i: int) -> float:
            return lr + (last - lr) * max(0, i + 1 - (steps - decay)) / decay

        for schedule, rate in {"cosine": cosine, "wsd": wsd, "constant": lambda _: lr}.items():
            with self.subTest(schedule):
                self.train(schedule, self.base(), "--context", 8, "--batch", 1, "--steps", steps, "--schedule", schedule,
                           "--lr", lr, "--lr-final", last, "--warmup", warmup, *(["--decay", decay] if schedule == "wsd" else []))
                for i, line in enumerate(read_log(self.folder / schedule)):
                    expected = rate(i) * (0.01 + 0.99 * i / warmup if i < warmup else 1)
                    self.assertAlmostEqual(line["lr"], expected, delta=1e-12 * lr)

    def test_a_schedule_goes_down(self) -> None:
        """Whoever asks for a small learning rate gets no larger one at the end."""
        self.train("small", self.base(), "--context", 8, "--batch", 1, "--steps", 5, "--lr", 1e-5, "--warmup", 0)
        self.assertLessEqual(max(line["lr"] for line in read_log(self.folder / "small")), 1e-5)

    def test_help(self) -> None:
        for command in ["train", "merge"]:
            text = self.ok(command, "--help").decode()
            self.assertIn(f"Usage: prwkv {command}", text)
            for line in text.splitlines():
                self.assertLessEqual(len(line), 120, line)
            self.assertIn(f"\n  {command} ", self.ok("--help").decode())
        for option in ["grad-checkpoint", "init-state", "lora-alpha"]:
            self.assertIn(f"--{option}", self.ok("completion", "bash").decode())

    def test_precision(self) -> None:
        """bf16 products where the processor has them; another precision is another run."""
        args = ["train", self.base(), *self.STEPS, "--data", "text.txt", "-o", "bf16", "--schedule", "constant", "-q"]
        done = self.run_prwkv(*args, "--steps", 20, "--precision", "bf16")
        if done.returncode != OK:
            self.assertEqual(done.returncode, UNSUPPORTED)
            self.expect_message(done.stderr.decode(), "products of bf16: this processor does not multiply it")
            self.assertEqual(contents(self.folder / "bf16"), {})
            self.skipTest("this processor does not multiply bf16")
        log = read_log(self.folder / "bf16")
        self.assertLess(log[-1]["loss"], log[0]["loss"])
        self.assertLess(self.perplexity("bf16/model.safetensors"), self.perplexity(self.base()))
        self.refused_with(MISMATCH, ["bf16"], *args, "--steps", 21, "--resume")
        # With another number of threads, and in two pieces: the same bits.
        args[args.index("bf16", args.index("-o"))] = "bf16-pieces"
        self.ok(*args, "--precision", "bf16", "--steps", 9)
        args[args.index("--threads") + 1] = 3
        self.ok(*args, "--precision", "bf16", "--steps", 20, "--resume")
        self.assertEqual((self.folder / "bf16-pieces/checkpoint.safetensors").read_bytes(),
                         (self.folder / "bf16/checkpoint.safetensors").read_bytes())
        self.ok(*args, "--steps", 21, "--precision", "bf16", "--resume")

    def test_a_vocabulary_of_ones_own_goes_along(self) -> None:
        self.ok("vocab", "train", "text.txt", "-o", "v.txt", "--size", 260, "-q")
        self.train("own", "--new", shape_of("7"), "--vocab", "v.txt", *self.STEPS, "--steps", 3)
        said = self.json("inspect", "own/model.safetensors")
        self.assertEqual(said["n_vocab"], 260)
        ids = self.json("tokenize", "alpha beta", "--vocab", "v.txt")["ids"]
        self.assertEqual(self.json("generate", "own/model.safetensors", "-p", "alpha beta", "-n", 1)["prompt_tokens"], len(ids))
        # It is then the model's, and goes on with it.
        self.train("on", "own/model.safetensors", *self.STEPS, "--steps", 1)
        self.assertEqual(self.json("generate", "on/model.safetensors", "-p", "alpha beta", "-n", 1)["prompt_tokens"], len(ids))
        # A model that could never be asked anything is not trained.
        for rows in [259, 5000]:
            new = ["--new", f"{shape_of('7')},V{rows}", "--vocab", "v.txt"]
            self.refused_with(USAGE, ["v.txt is no vocabulary for it", "rows for 260 tokens", f"V{rows}", "without V"],
                              "train", *new, *self.ONE_STEP, "misfit")

    def test_going_on_with_adapters_and_states(self) -> None:
        """--lora and --init-state begin where their files end: the first loss is that of the model with them."""
        base, ids = self.base(), [*self.OTHER[:33].encode()]
        write_binidx(self.folder / "one", [ids])
        once = ["--context", 32, "--batch", 1, "--steps", 1, "--lr", 1e-9, "--threads", 1]
        self.train("lora-a", base, "--method", "lora", *self.STEPS, "--steps", 10, "--lr", 1e-2, "--parts", "att,ffn,ln")
        self.train("state-a", base, "--method", "state", *self.STEPS, "--steps", 10, "--lr", 0.1)
        for method, option, file in [("lora", "--lora", "lora-a/lora.safetensors"),
                                     ("state", "--init-state", "state-a/state.pth")]:
            with self.subTest(method=method):
                self.train(f"{method}-b", base, "--method", method, option, file, *once, data="one.bin",
                           *(["--parts", "att,ffn,ln"] if method == "lora" else []))
                loss = read_log(self.folder / f"{method}-b")[0]["loss"]
                self.assertAlmostEqual(loss, self.loss(base, ids, lambda _: True, option, file), delta=LOSS)
                # The learning rate was next to nothing: so was the step.
                name = f"{method}-b/{method}.safetensors"
                self.assertAlmostEqual(self.perplexity(base, option, name), self.perplexity(base, option, file), delta=LOSS)

    def test_going_on_keeps_what_is_not_trained_any_more(self) -> None:
        """A file that training goes on with must come out whole: norms that it replaces, states of other layers."""
        base = self.base()
        self.train("lora-c", base, "--method", "lora", *self.STEPS, "--steps", 10, "--lr", 1e-2, "--parts", "att,ln")
        self.train("state-c", base, "--method", "state", *self.STEPS, "--steps", 10, "--lr", 0.1)
        for method, option, file, args in [("lora", "--lora", "lora-c/lora.safetensors", []),
                                           ("state", "--init-state", "state-c/state.safetensors", ["--layers", 1])]:
            with self.subTest(method=method):
                self.train(f"{method}-d", base, "--method", method, option, file, *self.STEPS, "--steps", 1, "--lr", 1e-9, *args)
                now = f"{method}-d/{method}.safetensors"
                self.assertAlmostEqual(self.perplexity(base, option, now), self.perplexity(base, option, file), delta=LOSS)


# ----------------------------------------------------------------------------------------------- resume


class Resume(TrainCase):
    """A run that was stopped, however, ends as one that was not."""

    # A step takes long enough to be hit: some 20 ms.
    RUN = ["--context", 32, "--batch", 32, "--steps", 12, "--warmup", 3,
           "--validation", 0.05, "--eval-every", 4, "--eval-samples", 4]

    def start(self, out: str, *args: object) -> subprocess.Popen[bytes]:
        command = [str(cli_test.BINARY), "train", *map(str, args), "--data", "text.txt", "-o", out]
        return subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def wait_for_step(self, out: str, step: int, process: subprocess.Popen[bytes]) -> None:
        log, until = self.folder / out / "log.jsonl", time.monotonic() + TIMEOUT_S
        while time.monotonic() < until and process.poll() is None:
            if log.exists() and log.read_bytes().count(b"\n") >= step:
                return
            time.sleep(0.001)

    def whole(self) -> Path:
        """The run without a stop."""
        if not (self.folder / "whole").exists():
            self.train("whole", *self.new(), *self.RUN)
        return self.folder / "whole"

    def stopped(self, out: str, *args: object) -> Path:
        """The folder of a run that Ctrl-C stopped behind step 5 or a later one, but before the last."""
        for _ in range(5):
            process = self.start(out, *args)
            self.wait_for_step(out, 5, process)
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=TIMEOUT_S)
            if process.returncode != OK:
                break
            shutil.rmtree(self.folder / out)  # it was done before the signal came
        self.assertEqual((process.returncode, stdout), (INTERRUPTED, b""), stderr)
        done = len(read_log(self.folder / out))
        self.assertGreaterEqual(done, 5)
        self.assertRegex(stderr.decode(), rf"stopped behind step {done} and saved; --resume goes on\n$")
        self.assertEqual(leftovers(self.folder / out), [])
        return self.folder / out

    def test_the_same_again(self) -> None:
        self.train("again", *self.new(), *self.RUN)
        self.expect_same_run(self.folder / "again", self.whole())

    def test_threads_change_no_bit(self) -> None:
        for threads in [1, 2, 3]:
            self.train(f"threads{threads}", *self.new(), *self.RUN, "--threads", threads)
            self.expect_same_run(self.folder / f"threads{threads}", self.whole())

    def test_block_checkpoints_change_no_bit(self) -> None:
        self.train("blocks", *self.new(), *self.RUN, "--grad-checkpoint", "on")
        self.expect_same_run(self.folder / "blocks", self.whole())

    def test_seeds(self) -> None:
        self.train("seed", *self.new(), *self.RUN, "--seed", 1)
        other = read_safetensors(self.folder / "seed/init.safetensors")
        self.assertNotEqual(other["head.weight"], read_safetensors(self.whole() / "init.safetensors")["head.weight"])

    def test_interrupted(self) -> None:
        for number, args in enumerate([[], ["--save-every", 3], ["--threads", 1]]):
            with self.subTest(args=args):
                out = f"interrupted{number}"
                self.stopped(out, *self.new(), *self.RUN, *args)
                self.perplexity(f"{out}/model.safetensors")
                self.train(out, *self.new(), *self.RUN, *args, "--resume")
                self.expect_same_run(self.folder / out, self.whole())

    def test_interrupted_before_the_first_step(self) -> None:
        process = self.start("early", "--new", "rwkv7:L4,C256,N64", "--vocab", "bytes", "--context", 512, "--batch", 512,
                             "--steps", 2)
        events = self.folder / "early"
        until = time.monotonic() + TIMEOUT_S
        while not list(events.glob("events*")) and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, INTERRUPTED, stderr)
        self.assertFalse((events / "checkpoint.safetensors").exists())
        self.assertNotIn("and saved", stderr.decode(), "nothing was saved, there was nothing yet")

    def test_killed_at_random_moments(self) -> None:
        whole, draw, kills, runs = self.whole(), random.Random(7), 0, 0
        clock = time.monotonic()
        self.train("timed", *self.new(), *self.RUN, "--save-every", 3)
        seconds = time.monotonic() - clock
        while kills < 20:
            out = f"killed{runs}"
            done = False
            while not done:
                process = self.start(out, *self.new(), *self.RUN, "--save-every", 3, "--resume")
                if kills < 20:
                    time.sleep(draw.uniform(0.1, 1.0) * seconds)
                    process.kill()
                stderr = process.communicate(timeout=TIMEOUT_S)[1]
                self.assertIn(process.returncode, [OK, -signal.SIGKILL], stderr)
                done = process.returncode == OK
                kills += not done
            runs += 1
            self.expect_same_run(self.folder / out, whole)

    def test_killed_while_files_are_written(self) -> None:
        """Aimed: as soon as a temporary file is there, or the checkpoint is new and what belongs to it is not."""
        whole = self.whole()
        for number, moment in enumerate(["checkpoint.safetensors.tmp", "model.safetensors.tmp", "loss.svg.tmp"] * 2):
            with self.subTest(moment=moment):
                out = f"aimed{number}"
                process = self.start(out, *self.new(), *self.RUN, *([] if number % 2 else ["--save-every", 3]))
                while process.poll() is None:
                    try:
                        if any(name.startswith(moment) for name in os.listdir(self.folder / out)):
                            process.kill()
                    except FileNotFoundError:
                        pass
                    time.sleep(0.0002)
                process.communicate()
                self.train_again(out)
                self.expect_same_run(self.folder / out, whole)

    def train_again(self, out: str) -> None:
        done = self.json("train", *self.new(), *self.RUN, "--save-every", 3, "--data", "text.txt", "-o", out, "-q", "--resume")
        self.assertTrue(done["finished"])

    def test_what_a_killed_run_left_is_cleared_away(self) -> None:
        """Each kill may leave a temporary file as large as a checkpoint; the run that goes on owns the folder."""
        shutil.copytree(self.whole(), self.folder / "left")
        for name in ["checkpoint.safetensors", "model.safetensors", "log.jsonl"]:
            (self.folder / f"left/{name}.tmp-1234567-0").write_text("torn")
        self.train_again("left")
        self.assertEqual(leftovers(self.folder / "left"), [])

    def test_files_that_were_not_written_yet(self) -> None:
        """Stopped between the last checkpoint and what is written behind it."""
        for name in ["model.safetensors", "loss.svg"]:
            with self.subTest(name=name):
                shutil.copytree(self.whole(), self.folder / f"before-{name}")
                (self.folder / f"before-{name}" / name).unlink()
                self.train_again(f"before-{name}")
                self.assertTrue((self.folder / f"before-{name}" / name).exists(), f"{name} is written when the run goes on")
                self.expect_same_run(self.folder / f"before-{name}", self.whole())

    def test_a_torn_line_of_the_log(self) -> None:
        self.stopped("torn", *self.new(), *self.RUN)
        with (self.folder / "torn/log.jsonl").open("a") as log:
            log.write('{"step":100,"loss":1}\n{"step":5,"lo')
        self.train_again("torn")
        self.expect_same_run(self.folder / "torn", self.whole())

    def test_resume_without_a_checkpoint_begins(self) -> None:
        self.train("fresh", *self.new(), *self.RUN, "--resume")
        self.expect_same_run(self.folder / "fresh", self.whole())

    def test_a_finished_run_stays_as_it_is(self) -> None:
        before = contents(self.whole())
        self.train(self.whole().name, *self.new(), *self.RUN, "--resume")
        after = {n: h for n, h in contents(self.whole()).items() if not n.startswith("events")}
        self.assertEqual(after, {n: h for n, h in before.items() if not n.startswith("events")})

    def test_other_methods(self) -> None:
        for method, option in [("lora", []), ("state", ["--lr", 0.1])]:
            with self.subTest(method=method):
                args = [self.base(), "--method", method, *self.RUN, *option]
                self.train(f"{method}-whole", *args)
                self.stopped(f"{method}-cut", *args)
                self.train(f"{method}-cut", *args, "--resume")
                self.expect_same_run(self.folder / f"{method}-cut", self.folder / f"{method}-whole")

    def expect_refused(self, out: Path, word: str, *args: object, code: int = MISMATCH, data: str = "text.txt") -> None:
        """It is refused, the message has the word, and the folder is as before; so the run itself still goes on."""
        before = contents(out)
        self.refused_with(code, [word], "train", *args, "--data", data, "-o", out, "--resume")
        self.assertEqual({n: h for n, h in contents(out).items() if not n.startswith("events")},
                         {n: h for n, h in before.items() if not n.startswith("events")})

    def test_other_options_are_refused(self) -> None:
        out = self.stopped("options", *self.new(), *self.RUN)
        for word, args in [
            ("steps", ["--steps", 13]), ("lr", ["--lr", 1e-3]), ("lr_final", ["--lr-final", 1e-6]), ("warmup", ["--warmup", 4]),
            ("schedule", ["--schedule", "constant"]), ("batch", ["--batch", 16]), ("micro_batch", ["--micro-batch", 8]),
            ("context", ["--context", 16]), ("chunk", ["--chunk", 16]), ("truncate", ["--truncate", 1]),
            ("l2wrap", ["--l2wrap", 1e-4]),
            ("beta1", ["--beta1", 0.8]), ("beta2", ["--beta2", 0.999]), ("eps", ["--eps", 1e-8]),
            ("weight_decay", ["--weight-decay", 0]), ("clip", ["--clip", 0]), ("data", ["--order", "sequential"]),
            ("data", ["--validation", 0.1]), ("data", ["--seed", 5]), ("emb.weight", ["--parts", "att"]),
        ]:
            with self.subTest(args=args):
                # An option given twice is an error of its own.
                run = [a for i, a in enumerate(self.RUN) if args[0] not in (a, self.RUN[max(0, i - 1)])]
                if args[0] == "--parts":
                    word = "trained other parameters"
                self.expect_refused(out, word, *self.new(), *run, *args)
        with self.subTest("other data"):
            self.expect_refused(out, "data", *self.new(), *self.RUN, data="other.txt")
        with self.subTest("another model"):
            self.expect_refused(out, "model", self.base("6"), *self.RUN)
        with self.subTest("another new model"):
            self.expect_refused(out, "", "--new", "rwkv7:L2,C128,F128,N32", "--vocab", "bytes", *self.RUN)
        with self.subTest("another generation of the same sizes"):
            older = self.stopped("older", *self.new("5.1"), *self.RUN)
            self.expect_refused(older, "another shape", *self.new("5.2"), *self.RUN)
        with self.subTest("and still"):
            self.train(out.name, *self.new(), *self.RUN, "--resume")
            self.expect_same_run(out, self.whole())

    def test_what_changes_no_bit_may_change(self) -> None:
        out = self.stopped("may", *self.new(), *self.RUN)
        run = [a for i, a in enumerate(self.RUN) if "--eval-every" not in (a, self.RUN[max(0, i - 1)])]
        self.train(out.name, *self.new(), *run, "--eval-every", 2, "--grad-checkpoint", "on", "--threads", 1, "--save-every", 5,
                   "--micro-batch", 32, "--chunk", 500, "--resume")
        self.expect_same_run(out, self.whole())

    def test_other_adapters_are_refused(self) -> None:
        args = ["--method", "lora", *self.RUN]
        out = self.stopped("adapters", self.base(), *args)
        for word, other in [("alpha", ["--lora-rank", 8]), ("alpha", ["--lora-alpha", 3]),
                            ("other parameters", ["--parts", "att"]), ("other parameters", ["--layers", 0])]:
            with self.subTest(other=other):
                self.expect_refused(out, word, self.base(), *args, *other)
        for word, method in [("method", "full"), ("method", "state")]:
            with self.subTest(method=method):
                self.expect_refused(out, word, self.base(), "--method", method, *self.RUN)
        self.refused_with(USAGE, ["the file with adapters has none for 'head.weight'"], "train", self.base(), *args, "--data", "text.txt", "-o", "parts",
                          "--lora", "adapters/lora.safetensors", "--parts", "head")
        # Those that it went on with: alpha and rank may be the same.
        for seed in [1, 2]:
            self.train(f"given-{seed}", self.base(), "--method", "lora", "--context", 32, "--steps", 1, "--seed", seed)
        args = ["--method", "lora", "--lora"]
        out = self.stopped("from-given", self.base(), *args, "given-1/lora.safetensors", *self.RUN)
        self.expect_refused(out, "begun_from", self.base(), *args, "given-2/lora.safetensors", *self.RUN)

    def test_a_frozen_model_with_other_weights_is_refused(self) -> None:
        """With adapters and states the model decides the results and is not in the checkpoint."""
        other = read_f32(self.base())
        values = other["blocks.0.ffn.key.weight"][1]
        for i in range(len(values)):
            values[i] *= 1.5
        write_f32(self.folder / "other.safetensors", other)
        for method in ["lora", "state"]:
            with self.subTest(method=method):
                args = ["--method", method, *self.RUN]
                self.expect_refused(self.stopped(f"frozen-{method}", self.base(), *args), "model", "other.safetensors", *args)

    def test_weights_far_inside_a_frozen_matrix_count_too(self) -> None:
        other = read_f32(self.base())
        other["blocks.0.ffn.key.weight"][1][-1] += 1
        write_f32(self.folder / "far.safetensors", other)
        args = ["--method", "lora", *self.RUN]
        self.expect_refused(self.stopped("frozen-far", self.base(), *args), "model", "far.safetensors", *args)

    def test_results_of_nobodys_run_stay(self) -> None:
        folder = self.folder / "precious"
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"precious")
        for resume in [[], ["--resume"]]:
            message = self.refused(USAGE, "train", self.base(), *self.ONE_STEP, "precious", "-q", *resume)
            self.expect_message(message, "model.safetensors: no run has written this file", "hint")
        self.assertEqual(list(contents(folder)), ["model.safetensors"])
        self.assertEqual((folder / "model.safetensors").read_bytes(), b"precious")

    def test_leftovers_of_a_run_go_and_others_stay(self) -> None:
        folder = self.folder / "leftovers"
        folder.mkdir()
        for name in ["checkpoint.safetensors.tmp-1-0", "init.safetensors.tmp-2-0", "notes.tmp-draft"]:
            (folder / name).write_bytes(b"x")
        self.ok("train", self.base(), *self.ONE_STEP, "leftovers", "-q", "--resume")
        self.assertEqual([name for name in contents(folder) if ".tmp-" in name], ["notes.tmp-draft"])

    def test_prolonged_before_the_warm_up_ended(self) -> None:
        steps = [*self.new(), "--context", 32, "--batch", 8, "--threads", 1, "--schedule", "constant"]
        self.train("short-whole", *steps, "--steps", 6)
        self.train("short", *steps, "--steps", 3)
        self.train("short", *steps, "--steps", 6, "--resume")
        self.expect_same_run(self.folder / "short", self.folder / "short-whole")

    def test_prolonged(self) -> None:
        steps = ["--context", 32, "--batch", 8, "--warmup", 2, "--threads", 1]
        for schedule, first, then in [("wsd", ["--steps", 6], ["--steps", 14, "--decay", 4]),
                                      ("wsd", ["--steps", 6, "--lr-final", 1e-5], ["--steps", 10, "--decay", 3]),
                                      ("constant", ["--steps", 6], ["--steps", 9])]:
            with self.subTest(schedule=schedule, then=then):
                name = f"{schedule}{len(then)}{then[1]}"
                self.train(f"{name}-whole", *self.new(), *steps, "--schedule", schedule, *then)
                self.train(name, *self.new(), *steps, "--schedule", schedule, *first)
                self.train(name, *self.new(), *steps, "--schedule", schedule, *then, "--resume")
                self.expect_same_run(self.folder / name, self.folder / f"{name}-whole")
        decayed = ["--schedule", "wsd", "--steps", 8, "--decay", 4]
        self.train("decayed", *self.new(), *steps, *decayed)
        self.expect_refused(self.folder / "decayed", "steps", *self.new(), *steps, "--schedule", "wsd", "--steps", 20,
                            "--decay", 4)

    def test_damaged_checkpoints(self) -> None:
        good = (self.whole() / "checkpoint.safetensors").read_bytes()
        header = 8 + struct.unpack("<Q", good[:8])[0]
        for number, (damaged, code) in enumerate([
            (good[:-1], FILE), (good[: header - 5], FILE), (b"", FILE), (good[:7], FILE), (b"\xff" * 4000, FILE),
            ((self.whole() / "model.safetensors").read_bytes(), FILE),
            (good.replace(b'"prwkv_training":"1"', b'"prwkv_training":"9"'), UNSUPPORTED),
            (good.replace(b'"step":"12"', b'"step":"-1"'), FILE), (good.replace(b'"step":"12"', b'"step":"1x"'), FILE),
            (good.replace(b'recipe":"{', b'recipe":"['), FILE),
        ]):
            with self.subTest(number=number):
                out = self.folder / f"damaged{number}"
                shutil.copytree(self.whole(), out)
                (out / "checkpoint.safetensors").write_bytes(damaged)
                self.expect_refused(out, "checkpoint.safetensors: ", *self.new(), *self.RUN, code=code)


# ----------------------------------------------------------------------------------------------- faults


class Faults(TrainCase):
    """What goes wrong is said, and what was there before stays."""

    def check_recovers(self, out: str, *args: object) -> None:
        """The checkpoint is one of its run: going on from it ends as the run without the fault did."""
        self.train(out, *args, "--resume")
        self.train(f"{out}-unhurt", *args)
        self.expect_same_run(self.folder / out, self.folder / f"{out}-unhurt")

    def test_a_limit_of_file_sizes(self) -> None:
        # A checkpoint has three numbers for each of 130,000 parameters: 1.6 MB. The model alone has 0.5 MB.
        args = [*self.new(), *self.STEPS, "--steps", 6, "--save-every", 2]
        for name, limit, said in [("checkpoint", 1_000_000, "checkpoint.safetensors"), ("init", 300_000, "init.safetensors"),
                                  ("log", 100, "log.jsonl")]:
            with self.subTest(name=name):
                def set_limit(limit: int = limit) -> None:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
                    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # as in a shell

                if name == "log":  # one that would fail at init.safetensors otherwise
                    self.train("log-base", *self.new(), *self.STEPS, "--steps", 1)
                    start = [self.folder / "log-base/model.safetensors", *self.STEPS, "--steps", "6"]
                else:
                    start = args
                command = [cli_test.BINARY, "train", *map(str, start), "--data", "text.txt", "-o", name]
                done = subprocess.run(command, cwd=self.folder, capture_output=True, preexec_fn=set_limit, check=False,
                                      timeout=TIMEOUT_S)
                self.assertEqual((done.returncode, done.stdout), (FILE, b""), done.stderr)
                message = done.stderr.decode()
                self.expect_message(message[message.index("prwkv: ") :], said, "File too large", "hint")
                self.assertEqual(leftovers(self.folder / name), [])
                self.assertFalse((self.folder / name / "checkpoint.safetensors").exists())
                self.train(name, *start)  # nothing is in the way of another try

    def mounted(self, megabytes: float) -> Path:
        """A file system of that size; skips the test where there can be none."""
        if os.geteuid() != 0:
            self.skipTest("only root mounts file systems")
        place = Path(tempfile.mkdtemp(dir=self.folder))
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={int(megabytes * 1024)}k", "tmpfs", place], check=False,
                              capture_output=True)
        if done.returncode != 0:
            self.skipTest(f"no file system can be mounted: {done.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", place], check=True)
        return place

    def test_a_full_disk(self) -> None:
        args = [*self.new(), *self.STEPS, "--steps", 6, "--save-every", 2]
        for name, megabytes, said in [
            ("at the second checkpoint", 3.2, "checkpoint.safetensors"),  # 0.5 init, 1.6 checkpoint, 0.5 model, no second one
            ("at the first model", 2.3, "model.safetensors"),
        ]:
            with self.subTest(name):
                place = self.mounted(megabytes)
                done = self.run_prwkv("train", *args, "--data", "text.txt", "-o", place / "run")
                self.assertEqual((done.returncode, done.stdout), (FILE, b""), done.stderr)
                message = done.stderr.decode()
                self.expect_message(message[message.index("prwkv: ") :], f"{said}: cannot be", "No space left",
                                    "hint      is there room")
                self.assertEqual(leftovers(place), [])
                subprocess.run(["mount", "-o", "remount,size=20m", place], check=True)
                self.ok("train", *args, "--data", "text.txt", "-o", place / "run", "--resume", "-q")
                self.train(f"unhurt {said}", *args)
                self.expect_same_run(place / "run", self.folder / f"unhurt {said}")

    def test_a_disk_that_fills_between_checkpoints(self) -> None:
        args = [self.base(), *self.STEPS, "--steps", 300]
        place = self.mounted(0.25)  # room for the log of a hundred steps or so
        done = self.run_prwkv("train", *args, "--data", "text.txt", "-o", place / "run")
        self.assertEqual(done.returncode, FILE, done.stderr)
        self.assertIn(b"No space left", done.stderr)
        self.assertEqual(leftovers(place), [])
        for line in (place / "run/log.jsonl").read_text().splitlines():
            json.loads(line)

    def test_data_that_cannot_be_read(self) -> None:
        files = {"empty.txt": b"", "empty.jsonl": b"", "blank.jsonl": b"\n\n", "bad.jsonl": b'{"text": "a"}\n{"text": }\n',
                 "unknown.jsonl": b'{"words": "a"}\n', "number.jsonl": b'{"text": 1}\n',
                 "noise.jsonl": random.Random(1).randbytes(3000),
                 "list.json": b'[{"text": "a"}]', "packed.txt": b"\x1f\x8b\x08\0" + bytes(100), "cut.bin": b"\1\0" * 500,
                 "cut.idx": b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, 1, 2), "noise.bin": bytes(100), "noise.idx": bytes(100),
                 "alone.bin": b"\1\0" * 500}
        for name, content in files.items():
            (self.folder / name).write_bytes(content)
        write_binidx(self.folder / "large", [[1, 2, 300] * 40])
        (self.folder / "folder").mkdir()
        for data, code, said in [
            ("missing.txt", FILE, "missing.txt"), ("folder", FILE, "folder"), ("empty.txt", FILE, "no text"),
            ("empty.jsonl", FILE, "no text"), ("blank.jsonl", FILE, "no text"), ("bad.jsonl", FILE, "bad.jsonl:2: "),
            ("unknown.jsonl", FILE, '"words"'), ("number.jsonl", FILE, "number.jsonl:1: "), ("noise.jsonl", FILE, "noise.jsonl:"),
            ("list.json", FILE, "list.json:1: "), ("packed.txt", UNSUPPORTED, "gzip"), ("cut.bin", FILE, "cut.idx"),
            ("cut.idx", FILE, "cut.idx"), ("noise.bin", FILE, "noise.idx"), ("alone.bin", FILE, "alone.idx"),
            ("large.bin", MISMATCH, "300"),
        ]:
            for option in ["--data", "--validation-data"]:
                with self.subTest(data=data, option=option):
                    more = ["--data", "text.txt"] if option == "--validation-data" else []
                    out = f"bad {data} {option}"
                    self.refused_with(code, [said], "train", self.base(), *self.STEPS, "--steps", 2, "-o", out, option, data,
                                      *more)
                    self.assertEqual(contents(self.folder / out), {})

    def test_data_that_are_too_short(self) -> None:
        (self.folder / "short.txt").write_text("abc")
        self.refused_with(USAGE, ["33 tokens", "found     4", "context"], "train", self.base(), *self.STEPS, "--steps", 1,
                          "-o", "short", "--data", "short.txt")

    def test_bytes_of_any_kind_are_text(self) -> None:
        (self.folder / "noise.txt").write_bytes(random.Random(2).randbytes(4000))
        self.train("noise", self.base(), *self.STEPS, "--steps", 2, data="noise.txt")

    def test_numbers_that_are_none(self) -> None:
        weights = read_f32(self.base())
        for value in [math.nan, math.inf]:
            weights["blocks.1.ffn.key.weight"][1][5] = value
            write_f32(self.folder / "nan.safetensors", weights)
            for method in ["full", "lora", "state"]:
                with self.subTest(value=value, method=method):
                    out = f"nan {value} {method}"
                    done = self.run_prwkv("train", "nan.safetensors", "--method", method, *self.STEPS, "--steps", 3,
                                          "--save-every", 1, "--data", "text.txt", "-o", out, "-q")
                    self.assertEqual((done.returncode, done.stdout), (UNSUPPORTED, b""), done.stderr)
                    self.expect_message(done.stderr.decode(), "step 1: the ", "is no finite number", "expected", "found", "hint")
                    self.assertNotIn("-nan", done.stderr.decode(), "the sign of what is no number says nothing")
                    self.assertFalse((self.folder / out / "checkpoint.safetensors").exists())
                    self.assertEqual(leftovers(self.folder / out), [])

    def test_a_run_that_bursts_keeps_its_last_checkpoint(self) -> None:
        # Decays that are trained at an absurd rate overflow within a few steps; the first step is good.
        args = [self.base(), *self.STEPS, "--steps", 12, "--lr", 1e12, "--warmup", 0, "--clip", 0, "--save-every", 1]
        done = self.run_prwkv("train", *args, "--data", "text.txt", "-o", "burst", "-q")
        self.assertEqual((done.returncode, done.stdout), (UNSUPPORTED, b""), done.stderr)
        self.expect_message(done.stderr.decode(), "no finite number", "learning rate")
        log = read_log(self.folder / "burst")
        self.assertGreaterEqual(len(log), 1)
        self.assertIn(f"step {len(log) + 1}: ", done.stderr.decode())
        # The checkpoint opens, and says the same again.
        again = self.run_prwkv("train", *args, "--data", "text.txt", "-o", "burst", "-q", "--resume")
        self.assertEqual((again.returncode, again.stderr), (UNSUPPORTED, done.stderr))
        self.assertEqual(len(read_log(self.folder / "burst")), len(log))
        self.assertEqual(self.json("inspect", "burst/model.safetensors")["generation"], "7")
        self.assertEqual(leftovers(self.folder / "burst"), [])

    def test_weights_that_burst_are_not_saved(self) -> None:
        """In the last step nobody looks at the next loss."""
        args = ["train", self.base(), *self.ONE_STEP]
        self.refused_with(USAGE, ["--eps"], *args, "no-eps", "--eps", 0)
        self.refused_with(UNSUPPORTED, ["step 1", "no finite numbers", "nothing was saved"],
                          *args, "last-step", "--lr", 1e30, "--clip", 0, "--warmup", 0, "-q")
        self.assertFalse((self.folder / "last-step/model.safetensors").exists())
        self.assertFalse((self.folder / "last-step/checkpoint.safetensors").exists())

    def test_folders(self) -> None:
        model, file = self.base(), self.folder / "a-file"
        file.write_text("mine")
        args = ["train", model, *self.ONE_STEP]
        self.refused_with(FILE, ["a-file"], *args, "a-file")
        self.refused_with(FILE, ["a-file"], *args, "a-file/run")
        self.refused_with(FILE, ["a-file"], "train", *self.new(), *self.ONE_STEP, "a-file/run")
        if Path("/proc/self").exists():
            self.refused_with(FILE, ["/proc/self/run"], *args, "/proc/self/run")
        self.assertEqual(file.read_text(), "mine")
        self.ok(*args, "taken", "-q")
        before = contents(self.folder / "taken")
        self.refused_with(USAGE, ["there is a training run in this folder", "--resume"], *args, "taken")
        self.assertEqual(contents(self.folder / "taken"), before)
        # A folder with something else in it is no run.
        (self.folder / "mine").mkdir()
        (self.folder / "mine/notes.txt").write_text("mine")
        self.ok(*args, "mine", "-q")
        self.assertEqual((self.folder / "mine/notes.txt").read_text(), "mine")
        self.ok(*args, "deep/er/run", "-q")

    def test_one_run_in_a_folder_at_a_time(self) -> None:
        self.ok("train", self.base(), *self.ONE_STEP, "shared", "-q")
        before = contents(self.folder / "shared")
        folder = os.open(self.folder / "shared", os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        try:
            self.refused_with(FILE, ["shared: another process is writing there"],
                              "train", self.base(), *self.ONE_STEP, "shared", "--resume")
        finally:
            os.close(folder)
        self.assertEqual(contents(self.folder / "shared"), before)

    def test_a_folder_without_permission(self) -> None:
        place = self.folder / "closed"
        place.mkdir()
        place.chmod(0o555)
        self.addCleanup(place.chmod, 0o755)
        if os.access(place, os.W_OK):
            self.skipTest("this user may write everywhere")
        self.refused_with(FILE, ["Permission denied"], "train", self.base(), *self.ONE_STEP, place)

    def test_models_that_cannot_be_trained(self) -> None:
        (self.folder / "cut.safetensors").write_bytes(self.base().read_bytes()[:-1])
        (self.folder / "noise.pth").write_bytes(random.Random(3).randbytes(2000))
        write_f32(self.folder / "none.safetensors", {"w": ([1], array.array("f", [0]))})
        args = [*self.ONE_STEP, "x"]
        for model, code in [("missing.pth", FILE), ("cut.safetensors", FILE), ("noise.pth", FILE),
                            ("none.safetensors", UNSUPPORTED)]:
            for method in ["full", "lora"]:
                with self.subTest(model=model, method=method):
                    self.refused_with(code, [model], "train", model, "--method", method, *args)
        # An adapter or a state in place of the model: the message says where it belongs.
        self.train("lora", self.base(), "--method", "lora", *self.STEPS, "--steps", 1)
        self.train("state", self.base(), "--method", "state", *self.STEPS, "--steps", 1)
        for file, option in [("lora/lora.pth", "--lora"), ("state/state.pth", "--init-state")]:
            with self.subTest(file=file):
                self.refused_with(UNSUPPORTED, [file, option], "logits", file, "--tokens", 1)

    def test_command_lines(self) -> None:
        model, data, length, out = [self.base()], ["--data", "text.txt", "--context", 32], ["--steps", 1], ["-o", "refused"]
        lora = self.make_lora()
        for said, args in [
            ("no model was named", [*data, *length, *out]),
            ("a model and a new one", [*model, "--new", shape_of("7"), *data, *length, *out]),
            ("no data were named", [*model, *length, *out]),
            ("no folder was named", [*model, *data, *length]),
            ("how long is not said", [*model, *data, *out]),
            ("how long is said twice", [*model, *data, *length, "--epochs", 1, *out]),
            ("how long is said twice", [*model, *data, "--tokens", 100, "--epochs", 1, *out]),
            ("--lora is for --method lora", [*model, *data, *length, *out, "--lora", lora]),
            ("--init-state is for --method state", [*model, *data, *length, *out, "--init-state", lora]),
            ("a new model is trained as a whole", [*self.new(), *data, *length, *out, "--method", "lora"]),
            ("a new model is trained as a whole", [*self.new(), *data, *length, *out, "--method", "state"]),
            ("validation", [*model, *data, *length, *out, "--validation", 0.1, "--validation-data", "other.txt"]),
            ("is no shape of a model", ["--new", "rwkv9:L1,C64", *data, *length, *out]),
            ("is no shape of a model", ["--new", "nonsense", *data, *length, *out]),
            ("there is no layer 2", [*model, *data, *length, *out, "--layers", "0-2"]),
            ("--layers: cannot read '1-0'", [*model, *data, *length, *out, "--layers", "1-0"]),
            ("--layers: cannot read 'x'", [*model, *data, *length, *out, "--layers", "x"]),
            ("--layers: cannot read '0,,1'", [*model, *data, *length, *out, "--layers", "0,,1"]),
            ("--parts: lips not in", [*model, *data, *length, *out, "--parts", "lips"]),
            ("--method: ", [*model, *data, *length, *out, "--method", "half"]),
            ("--schedule: ", [*model, *data, *length, *out, "--schedule", "zigzag"]),
            ("--steps: ", [*model, *data, *out, "--steps", 0]), ("--steps: ", [*model, *data, *out, "--steps", "many"]),
            ("--tokens: ", [*model, *data, *out, "--tokens", -5]), ("--epochs: ", [*model, *data, *out, "--epochs", "nan"]),
            ("epochs", [*model, *data, *out, "--epochs", "1e300"]),
            ("--batch: ", [*model, *data, *length, *out, "--batch", 0]),
            ("--chunk: ", [*model, *data, *length, *out, "--chunk", 0]),
            ("--context: ", [*model, "--data", "text.txt", *length, *out, "--context", 0]),
            ("--lr: ", [*model, *data, *length, *out, "--lr", -1]), ("--lr: ", [*model, *data, *length, *out, "--lr", "nan"]),
            ("--lr: ", [*model, *data, *length, *out, "--lr", "inf"]), ("clip", [*model, *data, *length, *out, "--clip", "nan"]),
            ("--lora-rank: ", [*model, *data, *length, *out, "--lora-rank", 0]),
            ("--validation: ", [*model, *data, *length, *out, "--validation", 1]),
            ("beta", [*model, *data, *length, *out, "--beta1", 1]),
            ("--dtype: ", [*model, *data, *length, *out, "--dtype", "q8_0"]),
            ("chat", [*model, *data, *length, *out, "--chat-template", "none"]),
            ("not expected", [*model, *data, *length, *out, "--learning-rate", 1]),
        ]:
            with self.subTest(said=said, args=args[-4:]):
                shutil.rmtree(self.folder / "refused", ignore_errors=True)
                self.refused_with(USAGE, [said], "train", *args)
                self.assertEqual(contents(self.folder / "refused"), {}, "a command line that is wrong writes nothing")

    def make_lora(self) -> str:
        if not (self.folder / "l/lora.safetensors").exists():
            self.train("l", self.base(), "--method", "lora", *self.STEPS, "--steps", 1)
        return "l/lora.safetensors"

    def test_options_that_would_not_be_used(self) -> None:
        """Saying what cannot be done is better than passing it over."""
        model, lora = self.base(), self.make_lora()
        for args in [["--method", "full", "--lora-alpha", 3], ["--method", "full", "--lora-rank", 3],
                     ["--method", "state", "--parts", "att"], ["--method", "lora", "--lora", lora, "--lora-rank", 3],
                     ["--method", "lora", "--lora", lora, "--layers", 0], ["--schedule", "cosine", "--decay", 3]]:
            with self.subTest(args=args):
                done = self.run_prwkv("train", model, *self.ONE_STEP, "-".join(map(str, args)).replace("/", "-"), *args)
                self.assertEqual(done.returncode, USAGE, "was accepted")
                self.assertIn(str(args[-2]), done.stderr.decode())

    def test_vocabularies(self) -> None:
        odd = self.make_model("7", sizes="L1,C64,V300")
        out = ["-o", "v", "--data", "text.txt", *self.STEPS, "--steps", 1]
        self.refused_with(UNSUPPORTED, ["vocabulary is not known", "--vocab"], "train", odd, *out)
        self.refused_with(FILE, ["nonsense"], "train", odd, "--vocab", "nonsense", *out)
        self.refused_with(MISMATCH, ["vocabulary", "255"], "train", self.base(), "--vocab", "world", *out)
        self.ok("train", odd, "--vocab", "bytes", *out, "-q")
        # Tokens need no vocabulary.
        write_binidx(self.folder / "ids", [[1, 299] * 40])
        self.ok("train", odd, *self.STEPS, "--steps", 1, "--data", "ids.bin", "-o", "ids-run", "-q")

    def test_what_a_run_begins_with_is_not_written_over(self) -> None:
        (self.folder / "same").mkdir()
        shutil.copy(self.base(), self.folder / "same/model.safetensors")
        before = contents(self.folder / "same")
        for model in ["same/model.safetensors", "same"]:
            self.refused_with(USAGE, ["same/model.safetensors: the run would write over what it begins with", "--out"],
                              "train", model, "--vocab", "bytes", *self.ONE_STEP, "same")
        self.assertEqual(contents(self.folder / "same"), before)
        # Adapters beside the model harm nothing.
        self.ok("train", "same/model.safetensors", "--method", "lora", *self.ONE_STEP, "same", "-q")

    def test_what_is_left_out_is_said(self) -> None:
        records = [{"prompt": "a" * 90, "completion": "b"}, {"prompt": "a", "completion": "b" * 90}, {"prompt": "a", "completion": "b"}]
        (self.folder / "left.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
        args = ["train", self.base(), "--vocab", "bytes", "--data", "left.jsonl", "--context", 64, "--batch", 1, "-o"]
        done = self.json(*args, "left", "--epochs", 1)
        self.assertEqual((done["steps"], done["skipped_documents"], done["truncated_documents"]), (2, 1, 1))
        # Tokens are those of the documents, not whole contexts.
        tokens = self.json(*args, "left-tokens", "--tokens", 10 * done["tokens"])["tokens"]
        self.assertLess(abs(tokens / (10 * done["tokens"]) - 1), 0.1)

    def test_a_large_plan_needs_no_disk(self) -> None:
        plan = self.json("train", "--new", "rwkv7:7.2b", "--vocab", "world", "--plan", "--grad-checkpoint", "on")
        self.assertGreater(plan["bytes"]["weights"], 28e9)

    def test_plans_write_nothing(self) -> None:
        for args in [self.new(), [self.base()]]:
            self.ok("train", *args, *self.ONE_STEP, "planned", "--plan")
            self.assertFalse((self.folder / "planned").exists(), "a plan is a question")

    def test_a_run_that_does_not_fit(self) -> None:
        args = ["train", self.base(), "--data", "text.txt", "--context", 4096, "--chunk", 4096, "--batch", 4096,
                "--micro-batch", 4096, "--steps", 1, "-o", "large"]
        planned = self.json(*args, "--plan")
        if planned["bytes"]["total"] < 1.2 * planned["available_bytes"]:
            self.skipTest("this machine has the memory")
        message = self.refused(cli_test.MEMORY, *args, "-q")
        self.expect_message(message, "does not fit into memory", "expected", "found", "--micro-batch")


# --------------------------------------------------------------------------------------------- adapters


class Adapters(TrainCase):
    """Files of adapters and states, as RWKV-PEFT and prwkv write them, and `prwkv merge`."""

    ALPHA, RANK = 8, 4

    def pairs(self, matrices: list[tuple[str, list[int]]], seed: int = 5, size: float = 0.1) -> Tensors:
        draw = random.Random(seed)
        return {n: (s, array.array("f", [draw.gauss(0, size) for _ in range(math.prod(s))]))
                for n, s in lora_shapes(matrices, self.RANK).items()}

    def merged(self, base: Tensors, adapters: Tensors) -> Tensors:
        """W + alpha / rank B A in double, rounded once; whole tensors replace."""
        out = {n: (s, array.array("f", v)) for n, (s, v) in base.items()}
        for name, (_, values) in adapters.items():
            if not name.endswith(".lora_A"):
                if not name.endswith(".lora_B"):
                    out[name] = (out[name][0], values)
                continue
            matrix = name.replace(".lora_A", ".weight")
            (rows, columns), w = out[matrix]
            b = adapters[name.replace(".lora_A", ".lora_B")][1]
            for o in range(rows):
                for i in range(columns):
                    low = sum(b[o * self.RANK + r] * values[r * columns + i] for r in range(self.RANK))
                    w[o * columns + i] = w[o * columns + i] + self.ALPHA / self.RANK * low
        return out

    def some(self) -> Tensors:
        return self.pairs(projections(parts=("att", "ffn", "head")))

    def rounding_bound(self, model: Path) -> float:
        """Norm of what one rounding of each weight with an adapter does to the logits, computed in double on the reference.

        Rounding moves a weight by at most U of it. This moves each by U, up or down by a coin; with some 10⁵ weights the norm
        of the sum of it all is all but sure. Doubled, for the luck of the coins. Measured: 0.18 of it.
        """
        draw, tensors = random.Random(11), read_f32(model)
        adapted = [n for n, _ in projections(parts=("att", "ffn", "head"))]
        exact = self.flat(model, "--backend", "ref")
        wide = {}
        for name, (shape, values) in tensors.items():
            moved = [v * (1 + draw.choice([-U, U])) if name in adapted else v for v in values]
            wide[name] = ("F64", shape, array.array("d", moved).tobytes())
        moved_model = self.folder / "moved.safetensors"
        moved_model.write_bytes(safetensors(wide))
        return 2 * distance(self.flat(moved_model, "--backend", "ref"), exact)

    def test_hand_made_files_of_rwkv_peft(self) -> None:
        """A .pth of pairs, without alpha; in double the model with it is W + alpha / rank B A but for the rounding of the sum."""
        base, adapters = self.base(), self.some()
        write_pth(self.folder / "peft.pth", adapters)
        merged = write_f32(self.folder / "merged-here.safetensors", self.merged(read_f32(base), adapters))
        option = ["--lora", "peft.pth", "--lora-alpha", self.ALPHA]
        with_adapters, of_merged = self.flat(base, *option, "--backend", "ref"), self.flat(merged, "--backend", "ref")
        bound = self.rounding_bound(merged)
        self.assertLessEqual(distance(with_adapters, of_merged), bound)
        self.assertGreater(distance(with_adapters, self.flat(base, "--backend", "ref")), 1e4 * bound, "the adapters matter")
        # The scale is alpha / rank.
        doubled = self.flat(base, "--lora", "peft.pth", "--lora-alpha", 2 * self.ALPHA, "--backend", "ref")
        self.assertGreater(distance(doubled, of_merged), 1e4 * bound)

    def test_each_generation(self) -> None:
        for generation in GENERATIONS:
            with self.subTest(generation=generation):
                base, adapters = self.base(generation), self.pairs(projections(generation))
                write_pth(self.folder / "peft.pth", adapters)
                option = ["--lora", "peft.pth", "--lora-alpha", self.ALPHA]
                merged = f"merged{generation}.safetensors"
                self.ok("merge", base, merged, *option, "-q")
                a, b = self.flat(base, *option), self.flat(merged)
                self.assertLessEqual(distance(a, b), 2 * sums_bound() * norm(b))
                self.assertGreater(distance(a, self.flat(base)), 1e2 * sums_bound() * norm(b))

    def test_merge_is_the_sum_rounded_once(self) -> None:
        base, adapters = self.base(), self.some()
        adapters["blocks.0.ln1.weight"] = ([C], array.array("f", range(C)))
        adapters["blocks.1.att.w0"] = ([1, 1, C], array.array("f", [-0.5] * C))
        write_pth(self.folder / "all.pth", adapters)
        said = self.json("merge", base, "all.safetensors", "--lora", "all.pth", "--lora-alpha", self.ALPHA)
        self.assertEqual(said, {"out": "all.safetensors", "matrices": len(self.some()) // 2, "replaced": 2, "alpha": self.ALPHA,
                                "bytes": sum(4 * math.prod(s) for s in blinkdl_shapes("7").values())})
        expected = self.merged(read_f32(base), adapters)
        found = read_f32(self.folder / "all.safetensors")
        self.assertEqual({n: s for n, (s, _) in found.items()}, {n: s for n, (s, _) in expected.items()})
        for name, (_, values) in expected.items():
            self.assertEqual(found[name][1], values, name)

    def test_f32_logits_with_adapters_equal_those_of_the_merged_model(self) -> None:
        """Two f32 computations of one function: each is within the bound of the sums of what is exact."""
        base = self.base()
        self.train("tuned", base, "--method", "lora", *self.STEPS, "--steps", 20, "--lr", 1e-2, "--parts", "att,ffn,head,ln,time")
        for name, option in [("trained", ["--lora", "tuned/lora.safetensors"]),
                             ("trained, .pth", ["--lora", "tuned/lora.pth", "--lora-alpha", 32]),
                             ("made", ["--lora", write_pth(self.folder / "made.pth", self.some()), "--lora-alpha", self.ALPHA])]:
            with self.subTest(name):
                self.ok("merge", base, f"{name}.safetensors", *option, "-q")
                a, b = self.flat(base, *option), self.flat(f"{name}.safetensors")
                bound = 2 * sums_bound() * norm(b)
                self.assertLessEqual(distance(a, b), bound)
                self.assertGreater(distance(a, self.flat(base)), 1e2 * bound)
                # One by one or at once: the same bits.
                self.assertEqual(self.flat(base, *option, "--mode", "rnn"), a)
                self.assertEqual(self.flat(base, *option, "--threads", 2), a)

    def test_on_a_quantized_base(self) -> None:
        """On Q8_0 too: exactly on the reference, which rounds no activations; on the CPU as far as that rounding goes.

        Matrices of at most 256 columns get activations as two terms of eight bits (docs/numerics.md): an activation is off by at
        most m / 254², evenly spread, so by 1/√3 of that on the average; m is the largest of its 32, at most √32 times their
        root mean square. A value passes nine such products, whose errors are a walk of √9 steps. Measured: 0.1 of it.
        """
        base = self.base()
        self.ok("quantize", base, "q.gguf", "--type", "q8_0", "-q")
        write_pth(self.folder / "made.pth", self.some())
        option = ["--lora", "made.pth", "--lora-alpha", self.ALPHA]
        self.ok("merge", "q.gguf", "q-merged.safetensors", *option, "--dtype", "f32", "-q")
        exact = self.flat("q.gguf", *option, "--backend", "ref")
        bound = self.rounding_bound(self.folder / "q-merged.safetensors")
        self.assertLessEqual(distance(exact, self.flat("q-merged.safetensors", "--backend", "ref")), bound)
        a, b = self.flat("q.gguf", *option), self.flat("q-merged.safetensors")
        bound = (math.sqrt(9 * 32 / 3) / 254**2 + 2 * sums_bound()) * norm(b)
        self.assertLessEqual(distance(a, b), bound)
        self.assertGreater(distance(a, self.flat("q.gguf")), 10 * bound)
        # Blocks stay blocks only in `quantize`; without --dtype they become f16.
        self.ok("merge", "q.gguf", "q-merged16.safetensors", *option, "-q")
        self.assertEqual(read_safetensors(self.folder / "q-merged16.safetensors")["head.weight"][0], "F16")

    def test_targets_of_merge(self) -> None:
        write_pth(self.folder / "made.pth", self.some())
        option = ["--lora", "made.pth", "--lora-alpha", self.ALPHA]
        self.ok("merge", self.base(), "m.safetensors", *option, "-q")
        for name in ["m.pth", "m.gguf", "m.bin"]:
            with self.subTest(name):
                self.ok("merge", self.base(), name, *option, "-q")
                self.assertEqual(self.run_prwkv("diff", "m.safetensors", name, "--tolerance", 2e-7).returncode, OK)
                self.assertEqual(self.flat(name), self.flat("m.safetensors"))
        for dtype, name in [("f16", "F16"), ("bf16", "BF16")]:
            self.ok("merge", self.base(), f"{dtype}.safetensors", *option, "--dtype", dtype, "-q")
            self.assertEqual(read_safetensors(self.folder / f"{dtype}.safetensors")["blocks.0.att.key.weight"][0], name)

    def test_merge_harms_no_file(self) -> None:
        write_pth(self.folder / "made.pth", self.some())
        shutil.copy(self.base(), self.folder / "base.safetensors")
        before = {n: (self.folder / n).read_bytes() for n in ["made.pth", "base.safetensors"]}
        for out, code, said in [("base.safetensors", USAGE, "base.safetensors"), ("made.pth", USAGE, "made.pth"),
                                ("x.txt", USAGE, "x.txt"), ("folder/", USAGE, "folder/"), ("no/folder.pth", FILE, "no")]:
            with self.subTest(out=out):
                self.refused_with(code, [said], "merge", "base.safetensors", out, "--lora", "made.pth", "--lora-alpha", 1)
        for name, content in before.items():
            self.assertEqual((self.folder / name).read_bytes(), content, name)
        self.assertEqual(leftovers(self.folder), [])

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        command = [cli_test.BINARY, "merge", "base.safetensors", "new.pth", "--lora", "made.pth", "--lora-alpha", "1"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, preexec_fn=limit, check=False, timeout=TIMEOUT_S)
        self.assertEqual(done.returncode, FILE, done.stderr)
        self.assertEqual([(self.folder / "new.pth").exists(), leftovers(self.folder)], [False, []])

    def test_whole_tensors_replace(self) -> None:
        base, adapters = self.base(), self.pairs([("blocks.0.att.key.weight", [C, C])])
        adapters["blocks.0.ln1.weight"] = ([C], array.array("f", [0.5 + i / C for i in range(C)]))
        adapters["blocks.1.att.x_k"] = ([1, 1, C], array.array("f", [0.25] * C))
        adapters["head.weight"] = ([V, C], array.array("f", [math.sin(i) for i in range(V * C)]))
        write_pth(self.folder / "whole.pth", adapters)
        merged = write_f32(self.folder / "whole.safetensors", self.merged(read_f32(base), adapters))
        a, b = self.flat(base, "--lora", "whole.pth", "--lora-alpha", self.ALPHA), self.flat(merged)
        self.assertLessEqual(distance(a, b), 2 * sums_bound() * norm(b))

    def test_pissa(self) -> None:
        """Pairs that were taken out of the matrices were trained: W - B0 A0 + B A, as RWKV-PEFT's merge_pissa.py has it."""
        base, matrices = self.base(), projections()

        def scaled(factor: float, pairs: Tensors) -> Tensors:
            return {n: (s, array.array("f", [factor * x for x in v]) if n.endswith("_B") else v) for n, (s, v) in pairs.items()}

        def initial(pairs: Tensors) -> Tensors:
            return {n.replace(".lora_", ".init_lora_"): t for n, t in pairs.items()}

        first, then = self.pairs(matrices, seed=6), self.pairs(matrices, seed=7)
        write_pth(self.folder / "init_pissa.pth", initial(first))
        write_pth(self.folder / "pissa.pth", then)
        plain = self.RANK / self.ALPHA  # `merged` multiplies with alpha / rank
        without = self.merged(read_f32(base), scaled(-plain, first))
        expected = write_f32(self.folder / "pissa-merged.safetensors", self.merged(without, scaled(plain, then)))
        options = ["--lora", "pissa.pth", "--lora-init", "init_pissa.pth"]
        a, b = self.flat(base, *options), self.flat(expected)
        self.assertLessEqual(distance(a, b), 2 * sums_bound() * norm(b))
        alone = self.flat(base, "--lora", "pissa.pth", "--lora-alpha", self.RANK)
        self.assertGreater(distance(alone, b), 100 * sums_bound() * norm(b))
        self.assertIn("PiSSA has no alpha", self.refused(USAGE, "logits", base, "--tokens", "1", *options, "--lora-alpha", "8"))
        self.ok("merge", base, "pissa.safetensors", *options, "-q")
        self.assertLessEqual(distance(self.flat(self.folder / "pissa.safetensors"), b), 2 * sums_bound() * norm(b))
        # Before any training the pairs are equal, and nothing changes.
        write_pth(self.folder / "untrained.pth", first)
        c = self.flat(base, "--lora", "untrained.pth", "--lora-init", "init_pissa.pth")
        self.assertLessEqual(distance(c, self.flat(base)), 2 * sums_bound() * norm(c))
        write_pth(self.folder / "less.pth", initial(self.pairs(matrices[1:], seed=6)))
        self.assertIn("an initial pair of rank 4", self.refused(MISMATCH, "logits", base, "--tokens", "1", *options[:-1], "less.pth"))

    def test_files_that_do_not_fit(self) -> None:
        key = "blocks.0.att.key"
        good = self.pairs([(f"{key}.weight", [C, C])])
        a, b = f"{key}.lora_A", f"{key}.lora_B"
        ones = array.array("f", [1])

        def with_(**changes: tuple[list[int], array.array] | None) -> Tensors:
            tensors = good | {{"a": a, "b": b}.get(n, n): t for n, t in changes.items()}
            return {n: t for n, t in tensors.items() if t is not None}

        for number, (code, said, tensors) in enumerate([
            (MISMATCH, "time_mixer", good | {"blocks.0.time_mixer.lora_A": good[a]}),
            (MISMATCH, "blocks.9.att.key", good | {"blocks.9.att.key.lora_A": good[a], "blocks.9.att.key.lora_B": good[b]}),
            (MISMATCH, "lora_B", with_(b=None)),
            (MISMATCH, key, with_(a=([self.RANK, C + 1], ones * (self.RANK * (C + 1))))),
            (MISMATCH, key, with_(b=([C, self.RANK + 1], ones * (C * (self.RANK + 1))))),
            (MISMATCH, key, with_(a=([C, self.RANK], good[a][1]), b=([self.RANK, C], good[b][1]))),
            (MISMATCH, key, with_(a=([0, C], array.array("f")), b=([C, 0], array.array("f")))),
            (MISMATCH, key, with_(a=([self.RANK * C], good[a][1]))),
            (MISMATCH, "w1", good | {"blocks.0.att.w1.lora_A": ([4, 32], ones * 128),
                                     "blocks.0.att.w1.lora_B": ([C, 4], ones * 256)}),
            (MISMATCH, "emb", good | {"emb.lora_A": ([4, C], ones * (4 * C)), "emb.lora_B": ([V, 4], ones * (V * 4))}),
            (UNSUPPORTED, "Bone", {"blocks.0.att.key.bone": ([16, C], ones * (16 * C))}),
            (UNSUPPORTED, "Bone", good | {"blocks.0.ffn.key.bone": ([16, C], ones * (16 * C))}),
            (FILE, "--init-state", {"blocks.0.att.time_state": ([2, N, N], ones * (2 * N * N))}),
            (FILE, "no LoRA file", {"head.weight": ([V, C], ones * (V * C))}),
        ]):
            for write, name in [(write_pth, f"bad{number}.pth"), (write_f32, f"bad{number}.safetensors")]:
                write(self.folder / name, tensors)
                for args in [["logits", self.base(), "--tokens", 1], ["merge", self.base(), "never.safetensors"],
                             ["train", self.base(), "--method", "lora", *self.ONE_STEP, "never"]]:
                    with self.subTest(said=said, number=number, name=name, command=args[0]):
                        message = self.refused_with(code, [said], *args, "--lora", name, "--lora-alpha", 8)
                        self.assertIn(name, message)
                        self.assertFalse((self.folder / "never.safetensors").exists())
        shape = {"blocks.0.ln1.weight": ([C + 1], ones * (C + 1))}
        write_pth(self.folder / "shape.pth", good | shape)
        self.refused_with(FILE, ["blocks.0.ln1.weight"], "logits", self.base(), "--tokens", 1, "--lora", "shape.pth",
                          "--lora-alpha", 8)

    def test_alpha(self) -> None:
        write_pth(self.folder / "made.pth", self.some())
        for command in [["logits", self.base(), "--tokens", 1], ["generate", self.base(), "-n", 1],
                        ["perplexity", self.base(), "other.txt"],
                        ["state", "make", self.base(), "-p", "a", "-o", "never"], ["merge", self.base(), "never.pth"],
                        ["train", self.base(), "--method", "lora", *self.ONE_STEP, "never"]]:
            with self.subTest(command=command[0]):
                self.refused_with(USAGE, ["alpha is not known", "--lora-alpha"], *command, "--lora", "made.pth")
        self.refused(USAGE, "logits", self.base(), "--tokens", 1, "--lora-alpha", 8)
        for alpha in ["nan", "inf", "x"]:
            self.refused(USAGE, "logits", self.base(), "--tokens", 1, "--lora", "made.pth", "--lora-alpha", alpha)
        # Our own files say it; what is given on the command line is above that.
        write_f32(self.folder / "says.safetensors", self.some(), {"lora_alpha": str(self.ALPHA)})
        said = self.flat(self.base(), "--lora", "says.safetensors")
        self.assertEqual(said, self.flat(self.base(), "--lora", "made.pth", "--lora-alpha", self.ALPHA))
        self.assertNotEqual(said, self.flat(self.base(), "--lora", "says.safetensors", "--lora-alpha", 1))
        self.assertEqual(self.flat(self.base(), "--lora", "says.safetensors", "--lora-alpha", 0), self.flat(self.base()))

    def test_adapters_and_states_in_bf16(self) -> None:
        """As RWKV-PEFT writes them: the same numbers, the same logits."""
        for option, tensors, more in [("--lora", self.some(), ["--lora-alpha", self.ALPHA]), ("--init-state", self.states(), [])]:
            with self.subTest(option=option):
                short = {n: (s, array.array("H", [w >> 16 for w in array.array("I", v.tobytes())]))
                         for n, (s, v) in tensors.items()}
                same = {n: (s, array.array("f", array.array("I", [w << 16 for w in v]).tobytes()))
                        for n, (s, v) in short.items()}
                write_pth(self.folder / "short.pth", short)
                write_pth(self.folder / "same.pth", same)
                (self.folder / "short.safetensors").write_bytes(
                    safetensors({n: ("BF16", s, v.tobytes()) for n, (s, v) in short.items()}))
                expected = self.flat(self.base(), option, "same.pth", *more)
                for name in ["short.pth", "short.safetensors"]:
                    self.assertEqual(self.flat(self.base(), option, name, *more), expected, name)

    def test_damaged_files(self) -> None:
        write_pth(self.folder / "good.pth", self.some())
        write_f32(self.folder / "good.safetensors", self.some(), {"lora_alpha": "8"})
        draw = random.Random(9)
        for name in ["good.pth", "good.safetensors"]:
            good = (self.folder / name).read_bytes()
            damaged = [good[: len(good) * i // 8] for i in range(8)]
            for _ in range(12):
                broken = bytearray(good)
                for _ in range(8):
                    broken[draw.randrange(min(2000, len(good)) if draw.random() < 0.7 else len(good))] = draw.randrange(256)
                damaged.append(bytes(broken))
            for number, content in enumerate(damaged):
                with self.subTest(name=name, number=number):
                    path = self.folder / f"damaged{number}-{name}"
                    path.write_bytes(content)
                    for option in ["--lora", "--init-state"]:
                        done = self.run_prwkv("logits", self.base(), "--tokens", 1, option, path,
                                              *(["--lora-alpha", 8] if option == "--lora" else []))
                        self.assertIn(done.returncode, [OK, FILE, UNSUPPORTED, MISMATCH], done.stderr)
                        if done.returncode != OK:
                            self.assertTrue(done.stderr.startswith(b"prwkv: "), done.stderr)

    # ---- states

    def states(self, generation: str = "7", size: float = 0.5, layers: Iterable[int] = range(L)) -> Tensors:
        draw = random.Random(f"state {generation}")
        return {f"blocks.{i}.att.time_state": ([C // N, N, N], array.array("f", [draw.gauss(0, size) for _ in range(C * N)]))
                for i in layers}

    def test_training_sees_the_state_that_commands_see(self) -> None:
        for generation in [g for g in GENERATIONS if not g.startswith("4")]:
            with self.subTest(generation=generation):
                base, ids = self.base(generation), [*self.OTHER[:33].encode()]
                write_binidx(self.folder / "one", [ids])
                write_pth(self.folder / "s.pth", self.states(generation))
                out = f"sees{generation}"
                self.train(out, base, "--method", "state", "--init-state", "s.pth", "--context", 32, "--batch", 1, "--steps", 1,
                           data="one.bin")
                loss = read_log(self.folder / out)[0]["loss"]
                with_state = self.loss(base, ids, lambda _: True, "--init-state", "s.pth")
                self.assertAlmostEqual(loss, with_state, delta=LOSS)
                self.assertGreater(abs(with_state - self.loss(base, ids)), 1e-3, "the state matters")

    def test_files_of_states(self) -> None:
        write_pth(self.folder / "s.pth", self.states())
        write_f32(self.folder / "s.safetensors", self.states())
        a = self.flat(self.base(), "--init-state", "s.pth")
        self.assertEqual(a, self.flat(self.base(), "--init-state", "s.safetensors"))
        self.assertEqual(a, self.flat(self.base(), "--init-state", "s.pth", "--mode", "rnn"))
        self.assertNotEqual(a, self.flat(self.base()))
        zero = {n: (s, array.array("f", bytes(4 * len(v)))) for n, (s, v) in self.states().items()}
        write_pth(self.folder / "zero.pth", zero)
        self.assertEqual(self.flat(self.base(), "--init-state", "zero.pth"), self.flat(self.base()))

    def test_states_are_value_by_key(self) -> None:
        """A step multiplies a state from the right, over its keys: S[value] becomes S[value] G + what is new, G the same for all
        values. What a row of layer 0 puts in is therefore in that row alone after a token; columns would spread in RWKV-7, and
        elsewhere come out multiplied by the decay of their row."""
        value = 3
        for generation in [g for g in GENERATIONS if not g.startswith("4")]:
            with self.subTest(generation=generation):
                began = array.array("f", bytes(4 * C * N))
                began[value * N : (value + 1) * N] = array.array("f", [1 + 0.1 * k for k in range(N)])
                write_pth(self.folder / "row.pth", {"blocks.0.att.time_state": ([C // N, N, N], began)})
                states = []
                for name, option in [("with", ["--init-state", "row.pth"]), ("without", [])]:
                    self.ok("state", "make", self.base(generation), "-p", "a", "-o", name, *option)
                    shape, values = read_f32(self.folder / name)["blocks.0.wkv"]
                    self.assertEqual(shape, [C // N, N, N])
                    states.append(values)
                changes = [a - b for a, b in zip(*states, strict=True)]
                rows = [norm(changes[N * i : N * (i + 1)]) for i in range(C)]
                self.assertGreater(rows[value], 0.1)
                self.assertEqual([i for i, x in enumerate(rows) if x != 0], [value])

    def test_states_that_do_not_fit(self) -> None:
        ones = array.array("f", [1])
        for number, (code, said, tensors) in enumerate([
            (MISMATCH, "blocks.0.att.time_state", {"blocks.0.att.time_state": ([1, C, N], ones * (C * N))}),
            (MISMATCH, "blocks.0.att.time_state", {"blocks.0.att.time_state": ([C // N, N, N + 1], ones * (C * (N + 1)))}),
            (MISMATCH, "blocks.2.att.time_state", self.states(layers=range(3))),
            (FILE, "no tuned state", {"blocks.0.att.key.lora_A": ([4, C], ones * (4 * C))}),
        ]):
            write_pth(self.folder / f"bad-state{number}.pth", tensors)
            for args in [["logits", self.base(), "--tokens", 1],
                         ["train", self.base(), "--method", "state", *self.ONE_STEP, "never"]]:
                with self.subTest(said=said, command=args[0]):
                    self.refused_with(code, [said], *args, "--init-state", f"bad-state{number}.pth")
        write_pth(self.folder / "half.pth", self.states(layers=[1]))
        self.assertNotEqual(self.flat(self.base(), "--init-state", "half.pth"), self.flat(self.base()))

    def test_rwkv_4_has_no_state(self) -> None:
        write_pth(self.folder / "s.pth", self.states())
        for generation in ["4", "4a"]:
            for args in [["logits", self.base(generation), "--tokens", 1, "--init-state", "s.pth"],
                         ["train", self.base(generation), "--method", "state", *self.ONE_STEP, "never"]]:
                with self.subTest(generation=generation, command=args[0]):
                    self.refused_with(UNSUPPORTED, [f"RWKV-{generation} has no matrix state"], *args)

    def test_both_at_once(self) -> None:
        write_pth(self.folder / "s.pth", self.states())
        write_pth(self.folder / "made.pth", self.some())
        lora, state = ["--lora", "made.pth", "--lora-alpha", self.ALPHA], ["--init-state", "s.pth"]
        self.ok("merge", self.base(), "m.safetensors", *lora, "-q")
        a, b = self.flat(self.base(), *lora, *state), self.flat("m.safetensors", *state)
        self.assertLessEqual(distance(a, b), 2 * sums_bound() * norm(b))


# -------------------------------------------------------------------------------------- endless context


class EndlessContext(TrainCase):
    """Chunks carry the state, and gradients go back through it."""

    RUN = ["--context", 128, "--batch", 4, "--micro-batch", 4, "--threads", 1]

    def test_chunks_change_nothing(self) -> None:
        """The same sums in another order. The first loss differs by the order of sums in double alone."""
        for generation in GENERATIONS:
            with self.subTest(generation=generation):
                for chunk in [128, 32, 50]:
                    # A coarse eps: with RWKV's own, a gradient that is zero but for rounding still moves its weight by the rate.
                    self.train(f"{generation}-{chunk}", self.base(generation), *self.RUN, "--steps", 4, "--warmup", 0,
                               "--eps", 1e-4, "--chunk", chunk)
                whole = read_log(self.folder / f"{generation}-128")
                weights = read_f32(self.folder / f"{generation}-128/model.safetensors")
                for chunk in [32, 50]:
                    log = read_log(self.folder / f"{generation}-{chunk}")
                    self.assertAlmostEqual(log[0]["loss"], whole[0]["loss"], delta=1e-12)
                    for a, b in zip(log, whole, strict=True):
                        self.assertAlmostEqual(a["loss"], b["loss"], delta=LOSS)
                        self.assertLessEqual(abs(a["norm"] / b["norm"] - 1), GRADIENT)
                    for name, (_, values) in read_f32(self.folder / f"{generation}-{chunk}/model.safetensors").items():
                        self.assertLessEqual(distance(values, weights[name][1]), GRADIENT * norm(weights[name][1]), (chunk, name))

    def test_truncation_is_something_else(self) -> None:
        for truncate in [0, 1, 2, 4]:
            self.train(f"cut{truncate}", self.base(), *self.RUN, "--steps", 3, "--chunk", 32, "--truncate", truncate)
        logs = {n: read_log(self.folder / f"cut{n}") for n in [0, 1, 2, 4]}
        self.assertEqual(logs[1][0]["loss"], logs[0][0]["loss"], "the state is carried all the same")
        self.assertEqual(logs[4][0]["norm"], logs[0][0]["norm"], "four chunks are all there are")
        for n in [1, 2]:
            self.assertGreater(abs(logs[n][0]["norm"] / logs[0][0]["norm"] - 1), 2 * GRADIENT)
        self.assertNotEqual(logs[1][0]["norm"], logs[2][0]["norm"])

    def test_gradients_reach_back(self) -> None:
        """The initial state is in front of the first chunk, and only the answer in the last one counts."""
        question = words(30, 3)[:100]
        (self.folder / "late.jsonl").write_text(json.dumps({"question": question, "answer": "eta"}) + "\n")
        length = len(f"User: {question}\n\nAssistant: eta\n\n")
        norms = {}
        for name, args in {"whole": ["--chunk", 128], "chunks": ["--chunk", 16],
                           "truncated": ["--chunk", 16, "--truncate", 2]}.items():
            self.train(name, self.base(), "--method", "state", "--context", 128, "--batch", 1, "--steps", 1, "--lr", 0.1, *args,
                       data="late.jsonl")
            norms[name] = read_log(self.folder / name)[0]["norm"]
        self.assertGreater(length, 6 * 16 + 12, "what counts begins behind the sixth chunk")
        self.assertGreater(norms["whole"], 1e-6)
        self.assertLessEqual(abs(norms["chunks"] / norms["whole"] - 1), GRADIENT)
        self.assertEqual(norms["truncated"], 0)
        for _, values in read_f32(self.folder / "truncated/state.safetensors").values():
            self.assertEqual(set(values), {0.0})

    def test_memory_does_not_grow_with_the_context(self) -> None:
        """But for one state a chunk."""
        (self.folder / "long.txt").write_text(self.TEXT)
        plans = {}
        for context in [256, 4096]:
            args = [self.base(), "--batch", 1, "--steps", 1, "--chunk", 64, "--context", context]
            plans[context] = self.json("train", *args, "--data", "text.txt", "-o", "x", "--plan")["bytes"]
        state = 4 * L * (2 * C + C * N)
        grown = plans[4096]["states"] - plans[256]["states"]
        self.assertEqual(grown, state * (4096 - 256) // 64)
        for what in ["weights", "gradients", "moments", "activations", "kernels"]:
            self.assertEqual(plans[4096][what], plans[256][what], what)


# ----------------------------------------------------------------------------------------------- memory


class Memory(TrainCase):
    """The plan and what is taken."""

    def test_plans_are_kept(self) -> None:
        (self.folder / "long.txt").write_text(words(12000, 4))
        new = ["--new", "rwkv7:L6,C256,N64", "--vocab", "bytes"]
        self.ok("train", *new, "--context", 32, "--batch", 1, "--steps", 1, "--data", "text.txt", "-o", "m", "-q")
        self.ok("convert", "m/model.safetensors", "m.gguf", "--dtype", "q8_0", "-q")
        run = ["--context", 256, "--batch", 2, "--micro-batch", 2, "--steps", 1]
        found = {}
        for number, (name, args) in enumerate({
            "full": ["m/model.safetensors"], "new": new, "lora": ["m/model.safetensors", "--method", "lora"],
            "lora on q8_0": ["m.gguf", "--method", "lora"], "state": ["m/model.safetensors", "--method", "state"],
            "chunks": ["m/model.safetensors", "--chunk", 64], "blocks": ["m/model.safetensors", "--grad-checkpoint", "on"],
            "lora, all": ["m/model.safetensors", "--method", "lora", "--chunk", 64, "--grad-checkpoint", "on"],
            "one thread": ["m/model.safetensors", "--threads", 1],
            # A state in front of each of 512 chunks.
            "many chunks": ["--new", "rwkv7:L2,C100,N20", "--vocab", "bytes", "--context", 16384, "--chunk", 32, "--batch", 1],
            "many chunks of RWKV-4": ["--new", "rwkv4:L6,C256", "--vocab", "bytes", "--context", 16384, "--chunk", 32, "--batch", 1],
            # Tensors so large that a copy of one shows.
            "large vocabulary": ["--new", "rwkv7:L3,C256,N64", "--vocab", "world"],
            "large vocabulary, chunks": ["--new", "rwkv4:L3,C256", "--vocab", "world", "--chunk", 64, "--grad-checkpoint", "on"],
        }.items()):
            args = ["train", *args, *(run if "--context" not in args else run[-2:]), "--data", "long.txt", "-o", f"run{number}", "-q"]
            plan = self.json(*args, "--plan")
            done = self.json(*args)
            self.assertEqual(plan["bytes"]["total"], sum(v for k, v in plan["bytes"].items() if k != "total"))
            planned, peak = plan["bytes"]["total"], done["peak_resident_bytes"]
            found[name] = (peak / planned, planned, peak)
        for name, (share, plan, peak) in found.items():
            with self.subTest(name):
                self.assertLessEqual(abs(share - 1), 0.05, f"planned {plan / 1e6:.1f} MB, taken {peak / 1e6:.1f} MB; all: "
                                     + ", ".join(f"{n} {s:.3f}" for n, (s, _, _) in found.items()))

    def test_tokens_are_in_the_plan(self) -> None:
        """Without a cache they are in memory. Next to a small model they are most of it; tokenizing may take some more, but no
        more for a longer text."""
        (self.folder / "large.txt").write_text(words(20000, 4) * 600)  # 69 MB
        done = self.json("train", self.base(), *self.STEPS, "--steps", 1, "--data", "large.txt", "-o", "large", "-q")
        planned, peak = max(done["planned_bytes"], done["data_peak_bytes"]), done["peak_resident_bytes"]
        self.assertLess(done["data_peak_bytes"] - done["planned_bytes"], 3 * (self.folder / "large.txt").stat().st_size)
        self.assertLessEqual(peak, 1.05 * planned + (64 << 20), f"planned {planned / 1e6:.1f} MB, taken {peak / 1e6:.1f} MB")

    def test_adapters_of_a_0_4b_on_q8_0_fit_in_1500_mb(self) -> None:
        """As docs/training.md says."""
        if shutil.disk_usage(self.folder).free < 4 << 30:
            self.skipTest("needs 4 GB on the disk")
        self.ok("make-random", "rwkv7:0.4b", "large.safetensors", "--dtype", "f16", "--quiet")
        self.ok("quantize", "large.safetensors", "large.gguf", "--type", "q8_0", "-q")
        (self.folder / "large.safetensors").unlink()
        args = ["train", "large.gguf", "--method", "lora", "--data", "text.txt", "--context", 512, "--batch", 1, "--micro-batch", 1,
                "--grad-checkpoint", "on", "--steps", 1, "-o", "adapters", "-q"]
        plan, done = self.json(*args, "--plan")["bytes"]["total"], self.json(*args)
        self.assertTrue(done["finished"])
        self.assertLess(done["peak_resident_bytes"], 1.5e9)
        self.assertLessEqual(abs(done["peak_resident_bytes"] / plan - 1), 0.05, f"planned {plan / 1e6:.0f} MB")

    def test_the_plan_for_people(self) -> None:
        done = self.run_prwkv("train", self.base(), *self.ONE_STEP, "x", "--plan")
        self.assertEqual((done.returncode, done.stderr), (OK, b""))
        self.assertEqual([line.split()[0] for line in done.stdout.decode().splitlines()],
                         ["weights", "gradients", "moments", "states", "activations", "kernels", "process", "total", "and"])
        self.assertRegex(done.stdout.decode().splitlines()[-1], r"^and tokens .* at most, ")

    def test_the_plan_for_programs(self) -> None:
        plan = self.json("train", self.base(), *self.ONE_STEP, "x", "--plan")
        self.assertEqual(list(plan), ["parameters", "trained", "rows_of_a_pass", "block_checkpoints", "bytes", "token_bytes_at_most",
                                      "available_bytes"])
        # No token has less than a byte of text, and ids of small vocabularies have two.
        size = sum((self.folder / file).stat().st_size for file in self.ONE_STEP[self.ONE_STEP.index("--data") + 1 :][:1])
        self.assertEqual(plan["token_bytes_at_most"], 2 * size)
        parameters = sum(math.prod(s) for s in blinkdl_shapes("7").values())
        self.assertEqual((plan["parameters"], plan["trained"], plan["rows_of_a_pass"]), (parameters, parameters, 4 * 32))
        self.assertEqual(plan["bytes"]["gradients"], 4 * parameters)
        self.assertEqual(plan["bytes"]["moments"], 8 * parameters)

    def test_a_plan_needs_no_data_and_no_folder(self) -> None:
        """It depends on neither; the question comes before both are there."""
        self.ok("train", self.base(), "--context", 64, "--plan")


# ------------------------------------------------------------------------------------------------- data


class Data(TrainCase):
    """Files, masks, orders, caches."""

    ONE = ["--batch", 1, "--steps", 1, "--threads", 1]

    def first_loss(self, out: str, *args: object, data: str) -> float:
        self.train(out, self.base(), *args, data=data)
        return read_log(self.folder / out)[0]["loss"]

    def test_a_text_is_a_document_with_an_end(self) -> None:
        (self.folder / "one.txt").write_text("alpha beta gamma")
        ids = [*b"alpha beta gamma", 0]
        loss = self.first_loss("text", *self.ONE, "--context", 16, data="one.txt")
        self.assertAlmostEqual(loss, self.loss(self.base(), ids), delta=LOSS)

    def test_the_same_tokens_are_the_same_data(self) -> None:
        texts = [words(40, seed) for seed in range(6)]
        (self.folder / "texts.jsonl").write_text("".join(json.dumps({"text": t, "other": 1}) + "\n" for t in texts))
        write_binidx(self.folder / "tokens", [[*t.encode(), 0] for t in texts])
        for sampling in ["windows", "documents"]:
            for name, data in [("jsonl", "texts.jsonl"), ("bin", "tokens.bin"), ("idx", "tokens.idx")]:
                self.train(f"{sampling}-{name}", self.base(), *self.STEPS, "--steps", 5, "--sampling", sampling, data=data)
                self.expect_same_run(self.folder / f"{sampling}-{name}", self.folder / f"{sampling}-jsonl")
        self.assertNotEqual(read_log(self.folder / "windows-bin")[0]["loss"], read_log(self.folder / "documents-bin")[0]["loss"])

    CHATS = {
        "messages": {"messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": " what\n\n\nnow? "},
                                  {"role": "assistant", "content": "alpha beta"}, {"role": "user", "content": "and then?"},
                                  {"role": "assistant", "content": "gamma"}]},
        "conversations": {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "delta delta"}]},
        "instruction": {"instruction": "sum up", "input": "alpha", "output": "zeta"},
        "prompt": {"prompt": "say eta", "completion": "eta"},
        "question": {"question": "which?", "answer": "epsilon"},
    }
    RENDERED = {  # what counts is in brackets
        "messages": "System: be brief\n\nUser: what\nnow?\n\nAssistant:[ alpha beta\n\n]User: and then?\n\nAssistant:"
                    "[ gamma\n\n\0]",
        "conversations": "User: hi\n\nAssistant:[ delta delta\n\n\0]",
        "instruction": "User: sum up\nalpha\n\nAssistant:[ zeta\n\n\0]",
        "prompt": "User: say eta\n\nAssistant:[ eta\n\n\0]",
        "question": "User: which?\n\nAssistant:[ epsilon\n\n\0]",
    }

    def test_only_answers_count(self) -> None:
        for name, record in self.CHATS.items():
            with self.subTest(name):
                (self.folder / f"{name}.jsonl").write_text(json.dumps(record) + "\n")
                ids, counted, inside = [], [], False
                for byte in self.RENDERED[name].encode():
                    if byte in b"[]":
                        inside = byte == ord("[")
                        continue
                    ids.append(byte)
                    counted.append(inside)
                loss = self.first_loss(f"chat-{name}", *self.ONE, "--context", 200, data=f"{name}.jsonl")
                expected = self.loss(self.base(), ids, lambda i: counted[i])
                self.assertAlmostEqual(loss, expected, delta=LOSS)
                self.assertGreater(abs(loss - self.loss(self.base(), ids)), 1e-2, "the mask matters")

    def test_what_does_not_count_has_no_gradient(self) -> None:
        """Answers that are alike and questions that are not: with the mask, a model learns the answers alone."""
        draw = random.Random(5)
        with (self.folder / "mask.jsonl").open("w") as file:
            for _ in range(60):
                file.write(json.dumps({"question": "".join(draw.choice("xyzw") for _ in range(20)), "answer": "eta"}) + "\n")
        self.train("mask", self.base(), "--context", 64, "--batch", 8, "--steps", 30, "--lr", 2e-3, data="mask.jsonl")
        log = read_log(self.folder / "mask")
        self.assertLess(log[-1]["loss"], 0.3)
        # Letters of questions were never targets, so they are not what it says.
        rows = self.logits("mask/model.safetensors", [*b"User: "])
        self.assertLess(max(rows[-1][i] for i in b"xyzw"), max(rows[-1]))

    def test_chat_templates(self) -> None:
        record = {"question": "a\n\nb", "answer": "c\n\nd"}
        (self.folder / "blank.jsonl").write_text(json.dumps(record) + "\n")
        for template, answer in [("world", " c\nd\n\n"), ("g1", " c\n\nd\n\n")]:
            with self.subTest(template):
                prompt = b"User: a\nb\n\nAssistant:"
                ids = [*prompt, *answer.encode(), 0]
                loss = self.first_loss(f"template-{template}", *self.ONE, "--context", 64, "--chat-template", template,
                                       data="blank.jsonl")
                self.assertAlmostEqual(loss, self.loss(self.base(), ids, lambda i: i >= len(prompt)), delta=LOSS)

    def test_documents_are_cut_at_the_context(self) -> None:
        document = [*words(40, 8).encode(), 0]
        write_binidx(self.folder / "long", [document])
        loss = self.first_loss("cut", *self.ONE, "--context", 20, "--sampling", "documents", data="long.bin")
        self.assertAlmostEqual(loss, self.loss(self.base(), document[:21]), delta=LOSS)

    def test_several_files(self) -> None:
        (self.folder / "a.txt").write_text(words(20, 1))
        (self.folder / "b.jsonl").write_text(json.dumps({"text": words(20, 2)}) + "\n")
        write_binidx(self.folder / "c", [[*words(20, 3).encode(), 0]])
        write_binidx(self.folder / "abc", [[*words(20, seed).encode(), 0] for seed in [1, 2, 3]])
        self.ok("train", self.base(), *self.STEPS, "--steps", 4, "--data", "a.txt", "b.jsonl", "c.bin", "-o", "several", "-q")
        self.train("one", self.base(), *self.STEPS, "--steps", 4, data="abc.bin")
        # Only the fingerprint of the data in the checkpoint tells them apart.
        for log in zip(read_log(self.folder / "several"), read_log(self.folder / "one"), strict=True):
            self.assertEqual(*([line[k] for k in ["step", "tokens", "loss", "norm"]] for line in log))
        self.assertEqual(*(read_f32(self.folder / out / "model.safetensors") for out in ["several", "one"]))

    def test_an_epoch_has_every_sample_once(self) -> None:
        """Windows with a letter of their own each: the mean loss of an epoch is that of all windows."""
        windows = [[97 + i] * 16 for i in range(12)]
        write_binidx(self.folder / "letters", [[i for w in windows for i in w] + [97]])
        tiny = ["--lr", 1e-12, "--context", 16, "--batch", 4, "--threads", 1]
        for order in ["shuffled", "sequential"]:
            with self.subTest(order):
                self.train(f"order-{order}", self.base(), *tiny, "--epochs", 1, "--order", order, data="letters.bin")
                log = read_log(self.folder / f"order-{order}")
                self.assertEqual(len(log), 3)
                ids = [i for w in windows for i in w] + [97]
                losses = [self.loss(self.base(), ids[16 * i : 16 * i + 17]) for i in range(12)]
                self.assertAlmostEqual(sum(line["loss"] for line in log) / 3, sum(losses) / 12, delta=LOSS)
                if order == "sequential":
                    for step, line in enumerate(log):
                        self.assertAlmostEqual(line["loss"], sum(losses[4 * step : 4 * step + 4]) / 4, delta=LOSS)
        self.train("blinkdl", self.base(), *self.STEPS, "--steps", 3, "--order", "blinkdl")

    def test_how_long(self) -> None:
        """--tokens and --epochs are other words for a number of steps."""
        write_binidx(self.folder / "ten", [[97] * 321])  # ten windows of 32
        for args, steps in [(["--tokens", 1024], 8), (["--tokens", 1], 1), (["--epochs", 2], 5), (["--epochs", 0.5], 1)]:
            with self.subTest(args=args):
                self.assertEqual(self.train(f"long{args}", self.base(), *self.STEPS, *args, data="ten.bin")["steps"], steps)

    def test_validation(self) -> None:
        document = [*self.OTHER[:60].encode(), 0]
        write_binidx(self.folder / "held", [document])
        done = self.json("train", self.base(), "--context", 64, "--batch", 4, "--steps", 4, "--eval-every", 2,
                         "--data", "text.txt", "--sampling", "documents", "--validation-data", "held.bin", "-o", "held-out", "-q")
        self.assertTrue(done["finished"])
        log = read_log(self.folder / "held-out")
        self.assertEqual([("validation_loss" in line) for line in log], [False, True, False, True])
        self.assertAlmostEqual(log[-1]["validation_loss"], self.loss("held-out/model.safetensors", document), delta=LOSS)
        said = self.run_prwkv("train", self.base(), *self.ONE_STEP, "share", "--validation", 0.1)
        self.assertRegex(said.stderr.decode(), r"step 1: validation loss \d\.\d+ over [\d.]+ k? ?tokens")
        # What is held out is not trained on.
        steps = {}
        for share in [0, 0.5]:
            steps[share] = self.train(f"share{share}", self.base(), *self.STEPS, "--epochs", 1, "--validation", share,
                                      data="other.txt")["steps"]
        self.assertAlmostEqual(steps[0.5], steps[0] / 2, delta=1)

    def test_the_cache(self) -> None:
        (self.folder / "cached.txt").write_text(self.TEXT)
        run = [self.base(), *self.STEPS, "--steps", 4, "--cache", "cache"]
        self.train("cache1", *run, data="cached.txt")
        first = {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in (self.folder / "cache").iterdir()}
        self.assertEqual({Path(n).suffix for n in first}, {".bin", ".idx", ".json"})
        self.train("cache2", *run, data="cached.txt")
        second = {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in (self.folder / "cache").iterdir()}
        self.assertEqual(second, first, "used again")
        self.train("uncached", self.base(), *self.STEPS, "--steps", 4, data="cached.txt")
        for name in ["cache1", "cache2"]:
            self.expect_same_run(self.folder / name, self.folder / "uncached")
        # BlinkDL's tools can read what is in it.
        tokens = next((self.folder / "cache").glob("*.bin")).read_bytes()
        self.assertEqual(struct.unpack(f"<{len(tokens) // 2}H", tokens), (*self.TEXT.encode(), 0))
        for name, spoilt, content in [("another text", "cached.txt", self.TEXT.replace("alpha", "omega").encode()),
                                      ("damaged tokens", "cache/*.bin", b"\1\0" * 100),
                                      ("a torn index", "cache/*.idx", b"MMID"), ("no description", "cache/*.json", b"{")]:
            with self.subTest(name):
                next(self.folder.glob(spoilt)).write_bytes(content)
                self.train(f"cache {name}", *run, data="cached.txt")
                self.train(f"plain {name}", self.base(), *self.STEPS, "--steps", 4, data="cached.txt")
                self.expect_same_run(self.folder / f"cache {name}", self.folder / f"plain {name}")
                self.assertEqual(leftovers(self.folder / "cache"), [])
        # Masks are kept, too.
        (self.folder / "chat.jsonl").write_text("".join(json.dumps(r) + "\n" for r in self.CHATS.values()))
        for name, args in [("chat1", ["--cache", "cache"]), ("chat2", ["--cache", "cache"]), ("chat3", [])]:
            self.train(name, self.base(), *self.STEPS, "--steps", 3, *args, data="chat.jsonl")
            self.expect_same_run(self.folder / name, self.folder / "chat1")


# ----------------------------------------------------------------------------------------------- config


class Config(TrainCase):
    """Options from a file."""

    TOML = """# a run
new = "rwkv7:L2,C64,F128,N32"
vocab = "bytes"
data = ["text.txt"]
context = 32
batch = 4
steps = 6
lr = 1e-3
warmup = 2
threads = 1
"""

    def setUp(self) -> None:
        (self.folder / "train.toml").write_text(self.TOML)
        self.flags = [*self.new(), *self.STEPS, "--steps", 6, "--warmup", 2]

    def test_a_file_is_as_good_as_flags(self) -> None:
        self.ok("train", "--config", "train.toml", "-o", "file", "-q")
        self.train("flags", *self.flags, "--lr", 1e-3)
        self.expect_same_run(self.folder / "file", self.folder / "flags")

    def test_flags_are_above_the_file(self) -> None:
        self.ok("train", "--config", "train.toml", "--lr", 2e-3, "-o", "above", "-q")
        self.train("flags2", *self.flags, "--lr", 2e-3)
        self.expect_same_run(self.folder / "above", self.folder / "flags2")

    def test_every_kind_of_value(self) -> None:
        (self.folder / "kinds.toml").write_text(
            'method = "lora"\nlora-rank = 2\nparts = ["att", "ffn"]\nlayers = "1"\nquiet = true\nout = "kinds"\n'
            'data = "text.txt"\ncontext = 32\nbatch = 2\nsteps = 2\nvalidation = 0.1\ngrad-checkpoint = "on"\n')
        self.ok("train", self.base(), "--config", "kinds.toml")
        found = {n: s for n, (s, _) in read_f32(self.folder / "kinds/lora.safetensors").items()}
        self.assertEqual(found, lora_shapes([p for p in projections() if ".1." in p[0]], 2))

    def test_files_that_are_wrong(self) -> None:
        for number, (code, said, content) in enumerate([
            (USAGE, "learning_rate", self.TOML + "learning_rate = 1\n"), (USAGE, "lr", self.TOML.replace("1e-3", '"fast"')),
            (USAGE, "steps", self.TOML.replace("steps = 6", "steps = -1")), (USAGE, "", self.TOML + "= 3\n"),
        ]):
            with self.subTest(said=said):
                (self.folder / "wrong.toml").write_text(content)
                self.assertIn(said, self.refused(code, "train", "--config", "wrong.toml", "-o", f"wrong{number}"))
        message = self.run_prwkv("train", *self.flags, "--config", "missing.toml", "--data", "text.txt", "-o", "never")
        self.assertIn(message.returncode, [USAGE, FILE], "a file that is not there is no empty one")
        self.assertIn(b"missing.toml", message.stderr)


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-") and Path(sys.argv[1]).is_file():
        cli_test.BINARY = Path(sys.argv.pop(1)).resolve()
    unittest.main()
