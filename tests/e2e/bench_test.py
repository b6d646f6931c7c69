#!/usr/bin/env python3
"""The scripts of bench/: what counts as reached, steps, and that the quick report writes what it promises.

Usage: bench_test.py BUILD_FOLDER [unittest arguments]. Needs nothing but the standard library; no speed is asserted.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
BUILD = ROOT / "build/release"

import compare
import report
from steps import Stepper


class Requirements(unittest.TestCase):
    """bench/compare.py: which ratio is asked for, and what meets it."""

    WIDE = compare.Machine(multiplies_bf16=True, wide=True)
    NARROW = compare.Machine(multiplies_bf16=False, wide=False)

    def test_verdicts(self) -> None:
        for ratio, required, share, floor, expected in [
            (1.5, 1.5, 0.1, 0.9, "ratio"), (1.49, 1.5, 0.1, 0.9, "missed"), (1.0, 1.5, 0.9, 0.9, "limit"),
            (1.0, 1.5, 0.89, 0.9, "missed"), (0.1, None, 0.1, 0.9, "-"), (0.9, 1.0, 0.99, None, "missed"),
        ]:
            with self.subTest(ratio=ratio, required=required, share=share):
                self.assertEqual(compare.verdict(ratio, required, share, floor), expected)

    def test_the_class_of_machine_decides(self) -> None:
        q4 = next(c for c in compare.llama_cases("rwkv7:0.4b", "prompt 512") if c.dtype == "q4_0")
        asked = {phase: (r.on(self.WIDE), r.on(self.NARROW)) for phase, r in q4.phases.items()}
        self.assertEqual(asked, {"generation": (1.5, 1.7), "prompt 512": (2.4, 2.4), "batch 16": (1.8, 2.2),
                                 "batch 32": (1.8, 2.2)})

    def test_bf16_is_asked_for_where_it_is_multiplied(self) -> None:
        bf16 = next(c for c in compare.llama_cases("rwkv7:0.4b", "prompt 512") if c.dtype == "bf16")
        self.assertEqual((bf16.theirs, bf16.phases["prompt 512"].on(self.WIDE), bf16.phases["prompt 512"].on(self.NARROW)),
                         ("f16", 2.0, None))

    def test_every_case_has_a_share(self) -> None:
        for case in compare.llama_cases("a", "prompt 512") + compare.torch_cases("b", "c", "prompt 256"):
            for phase in case.phases:
                self.assertGreater(compare.share_required(phase, case.dtype), 0.3)


class Steps(unittest.TestCase):
    """Programs that measure on request."""

    def products(self, *arguments: str) -> list[str | Path]:
        return [BUILD / "bench/products", "--shape", "256x256", "--dtype", "f32", "--rows", "1,3", *arguments]

    def test_products(self) -> None:
        with Stepper(self.products("--steps", "--json")) as products:
            products.step("limits")
            seconds = [products.step("product f32 3")["seconds"] for _ in range(3)]
            found = products.report()
        [product] = found["products"]
        self.assertEqual((product["rows"], product["runs"]), (3, seconds))
        self.assertEqual(product["seconds"], sorted(seconds)[1])
        rate = 2 * 256 * 256 * 3 / product["seconds"]
        self.assertAlmostEqual(product["ops_per_s"], rate, delta=1e-6 * rate)
        self.assertAlmostEqual(product["share"], rate / found["machine"]["flops_per_s"], delta=1e-6)

    def test_what_is_not_known_ends_it(self) -> None:
        with self.assertRaises(SystemExit), Stepper(self.products("--steps", "--json")) as products:
            products.step("product f32 2")

    def test_refusals(self) -> None:
        for arguments, word in [(["--shape", "256"], "OUTxIN"), (["--shape", "64x100", "--dtype", "q8_0"], "multiple of 32"),
                                (["--dtype", "q9"], "q9"), (["--steps"], "--json")]:
            with self.subTest(arguments=arguments):
                done = subprocess.run([BUILD / "bench/products", *arguments], capture_output=True, text=True, check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(word, done.stdout + done.stderr)


class Report(unittest.TestCase):
    """bench/report.py --quick without the parts that need packages."""

    def test_pages_follow_from_the_json(self) -> None:
        with tempfile.TemporaryDirectory(prefix="prwkv-report-") as name:
            out = Path(name)
            parts = [a for p in ("speed", "batches", "sparsity", "memory", "products") for a in ("--part", p)]
            subprocess.run([sys.executable, ROOT / "bench/report.py", "--quick", "--build", BUILD, "--out", out, *parts],
                           check=True, capture_output=True)
            bench = json.loads((out / "bench.json").read_text())
            self.assertEqual(list(bench), ["results", "batches", "ragged", "sparsity", "memory"])
            self.assertEqual([p["name"] for p in bench["memory"]["planned"]], ["rwkv4:L1000,C65536"] * 3)
            page = (out / "bench.md").read_text()
            skipped = {r["sparsity"]: r for r in bench["sparsity"] if r["model"]["dtype"] == "f16"}
            self.assertEqual(skipped["skip"]["logits_hash"], skipped["keep"]["logits_hash"])
            self.assertGreater(skipped["skip"]["generation"]["skipped_bytes"], 0)
            self.assertEqual(skipped["keep"]["generation"]["skipped_bytes"], 0)
            for result in bench["results"]:
                self.assertIn(result["logits_hash"], page)
            self.assertEqual(page.count("does not fit"), 3)
            for file in out.glob("*.md"):
                for table in [t for t in file.read_text().split("\n\n") if t.startswith("|")]:
                    self.assertEqual(len({line.count("|") for line in table.strip().splitlines()}), 1, (file, table))
            before = {f.name: f.read_text() for f in out.glob("*.md")}
            self.assertEqual(set(before), {"bench.md", "products.md", "requirements.md"})
            subprocess.run([sys.executable, ROOT / "bench/report.py", "--build", BUILD, "--out", out, "--part", "none"],
                           check=True, capture_output=True)
            self.assertEqual({f.name: f.read_text() for f in out.glob("*.md")}, before)

    def test_what_is_asked_of_a_share(self) -> None:
        def result(dtype: str, threads: int, share: float) -> dict:
            return {"model": {"name": "m", "dtype": dtype}, "machine": {"threads": threads}, "generation": {"share": share}}

        lines = report.generation_requirements([result("q8_0", 2, 0.9), result("q8_0", 2, 0.89), result("q4_0", 2, 0.85),
                                                result("f16", 1, 0.8), result("q4_k", 1, 0.71)])
        self.assertEqual([line[-1] for line in lines], ["yes", "**no**", "yes", "yes", "**no**"])


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        BUILD = Path(sys.argv.pop(1)).resolve()
    unittest.main()
