#!/usr/bin/env python3
"""Speed of prwkv next to other programs on the same weights, in turns; medians, ratios, and what was required.

    bench/compare.py                       everything, into docs/performance/compare.json and .md
    bench/compare.py --quick --out build   tiny models, one round: does all of it run?
    bench/compare.py --only llama          one peer: llama, rwkv, transformers or products

    llama         llama-cpp-python (built for this machine), RWKV-7 0.4B, the same GGUF for both
    rwkv          BlinkDL's package on PyTorch, RWKV-4 430M and RWKV-7 0.4B, the same .pth for both
    transformers  RwkvForCausalLM, RWKV-4 430M, the same folder for both (nothing is required)
    products      y = x Wᵀ alone, beside PyTorch (oneDNN)

The weights are random. In every round each phase of one program is followed by the same phase of the other, the order
alternating, and the limits of the machine are measured between the rounds (`prwkv bench --steps`). A requirement is met
by the ratio, or by a share of the limit in the same run: generation of the read probe, for prompts and batches the
product of the model's largest matrices, with as many rows, of the arithmetic peak. --check-logits compares float32 logits first. Exit status 1 if logits differ or a requirement is missed
and --strict is given.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from steps import Stepper

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(__file__).with_name("peers.py")
CHECK_TOKENS = [11, 7, 1, 23, 300, 5, 42, 9]
# Largest |difference| of a logit as a share of their standard deviation, both programs computing in float32. In float16
# 24 random layers amplify rounding to several percent: no test of anything.
CHECK_TOLERANCE = 1e-3

# The share of the limit that counts as well as a ratio. Arithmetic: at hundreds of rows, at 16 and more.
GENERATION_SHARE = {"f32": 0.90, "f16": 0.90, "bf16": 0.90, "q8_0": 0.90, "q4_0": 0.85}
PROMPT_SHARE = {"f32": 0.80, "f16": 0.80, "bf16": 0.75, "q8_0": 0.55, "q4_0": 0.55}
BATCH_SHARE = {"f32": 0.60, "f16": 0.60, "bf16": 0.55, "q8_0": 0.40, "q4_0": 0.40}


@dataclass(frozen=True)
class Machine:
    """What decides which ratio is asked for."""

    multiplies_bf16: bool
    wide: bool  # AVX-512 with VNNI, "class B"; otherwise AVX2, "class A"

    @property
    def name(self) -> str:
        """As in the reports."""
        if not self.wide:
            return "A (without AVX-512 VNNI and BF16)"
        return "B (AVX-512 with VNNI and BF16)" if self.multiplies_bf16 else "B without BF16 (AVX-512 with VNNI)"


@dataclass(frozen=True)
class Required:
    """prwkv / peer at least; None: nothing is asked for."""

    ratio: float | None = None
    narrow: float | None = None  # on class A, where it differs
    needs_bf16: bool = False  # asked for where the processor multiplies bf16 only

    def on(self, machine: Machine) -> float | None:
        """The ratio for this machine."""
        if self.needs_bf16 and not machine.multiplies_bf16:
            return None
        return self.narrow if self.narrow is not None and not machine.wide else self.ratio


@dataclass(frozen=True)
class Case:
    """One model in one type, for prwkv and for one peer."""

    peer: str
    shape: str
    dtype: str  # prwkv's
    phases: dict[str, Required]
    peer_dtype: str = ""  # where it is another one

    @property
    def theirs(self) -> str:
        """The peer's type."""
        return self.peer_dtype or self.dtype


ANY = Required()


def llama_cases(shape: str, prompt: str) -> list[Case]:
    """RWKV-7 in GGUF."""

    def case(dtype: str, generation: Required, reading: Required, batch: Required | None, theirs: str = "") -> Case:
        phases = {"generation": generation, prompt: reading}
        if batch:
            phases |= {"batch 16": batch, "batch 32": batch}
        return Case("llama", shape, dtype, phases, theirs)

    return [
        case("f16", Required(1.25), Required(1.2), Required(1.35)),
        case("q8_0", Required(1.4, 1.5), Required(2.4), Required(2.2)),
        case("q4_0", Required(1.5, 1.7), Required(2.4), Required(1.8, 2.2)),
        case("f32", Required(1.0), ANY, None),
        case("bf16", ANY, Required(2.0, needs_bf16=True), None, theirs="f16"),
    ]


def torch_cases(rwkv4: str, rwkv7: str, prompt: str) -> list[Case]:
    """The Python programs."""

    def case(peer: str, shape: str, dtype: str, generation: Required, reading: Required) -> Case:
        return Case(peer, shape, dtype, {"generation": generation, prompt: reading})

    return [
        case("rwkv", rwkv4, "f32", Required(2.2), Required(1.8)),
        case("rwkv", rwkv4, "bf16", Required(1.6), Required(1.6, needs_bf16=True)),
        case("rwkv", rwkv7, "f32", Required(2.1), Required(2.2)),
        case("rwkv", rwkv7, "bf16", Required(2.5), Required(3.5, needs_bf16=True)),
        case("transformers", rwkv4, "f32", ANY, ANY),
        case("transformers", rwkv4, "bf16", ANY, ANY),
    ]


@dataclass
class Row:
    """One phase of one case, measured."""

    peer: str
    shape: str
    dtype: str
    peer_dtype: str
    phase: str
    threads: int
    prwkv: float  # tokens/s, or products/s
    other: float
    ratio: float
    required: float | None
    share: float  # of the limit
    share_required: float | None
    limit: str  # which one
    verdict: str
    product: float | None = None  # the share of the product alone, with as many rows
    runs: dict[str, list[float]] = field(default_factory=dict)


def verdict(ratio: float, required: float | None, share: float, share_required: float | None) -> str:
    """What met the requirement."""
    if required is None:
        return "-"
    if ratio >= required:
        return "ratio"
    return "limit" if share_required is not None and share >= share_required else "missed"


class Models:
    """The weights in every format that somebody reads, made when first asked for."""

    def __init__(self, prwkv: Path, folder: Path) -> None:
        self._prwkv, self._folder = prwkv, folder

    def _make(self, name: str, *command: str | Path) -> Path:
        path = self._folder / name
        if not path.exists():
            subprocess.run([self._prwkv, *map(str, command)], stdout=subprocess.DEVNULL, check=True)
        return path

    def safetensors(self, shape: str, dtype: str) -> Path:
        """BlinkDL's names."""
        name = f"{stem(shape)}-{dtype}.safetensors"
        return self._make(name, "make-random", shape, self._folder / name, "--dtype", dtype)

    def _converted(self, shape: str, stored: str, name: str, *options: str) -> Path:
        if (self._folder / name).exists():
            return self._folder / name
        return self._make(name, "convert", self.safetensors(shape, stored), f"{self._folder}/{name}", *options)

    def gguf(self, shape: str, dtype: str) -> Path:
        """The same values in any type but bf16."""
        return self._converted(shape, "f16", f"{stem(shape)}-{dtype}.gguf", "--dtype", dtype)

    def pth(self, shape: str, dtype: str) -> Path:
        """A PyTorch file."""
        return self._converted(shape, dtype, f"{stem(shape)}-{dtype}.pth")

    def folder(self, shape: str, dtype: str) -> Path:
        """A Hugging Face folder."""
        return self._converted(shape, dtype, f"{stem(shape)}-{dtype}-hf/")


def stem(shape: str) -> str:
    """A name for files."""
    return shape.replace(":", "-").replace(",", "-")


def generation_of(shape: str) -> str:
    """"rwkv7:0.4b" -> "7"."""
    return shape.removeprefix("rwkv").partition(":")[0]


@dataclass(frozen=True)
class Bench:
    """What all measurements have in common."""

    prwkv: Path
    products: Path
    models: Models
    machine: Machine
    threads: int
    rounds: int
    gen_tokens: int

    def ours(self, model: Path, dtype: str, phases: list[str]) -> Stepper:
        """prwkv, ready to be asked."""
        command: list[str | Path] = [self.prwkv, "bench", model, "--dtype", dtype, "--threads", str(self.threads),
                                     "--gen-tokens", str(self.gen_tokens), "--steps", "--json"]
        for option, phase in (("--prompt-tokens", "prompt"), ("--batch", "batch")):
            sizes = [p.split()[1] for p in phases if p.startswith(phase)]
            command += [option, ",".join(sizes)] if sizes else []
        return Stepper(command)

    def peer(self, program: str, model: Path | str, *options: str) -> Stepper:
        """The other program, ready to be asked."""
        return Stepper([sys.executable, PEERS, program, model, "--threads", str(self.threads),
                        "--gen-tokens", str(self.gen_tokens), *options])

    def matrix(self, model: Path) -> tuple[int, int]:
        """(out, in) of the largest matrices of the layers."""
        command = [self.prwkv, "inspect", model, "--json"]
        found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        return found["n_ffn"], found["n_embd"]

    def product(self, shape: tuple[int, int], dtype: str, phases: list[str]) -> Stepper | None:
        """The product alone, with the rows of prompts and batches; None: there are none."""
        rows = [rows_of(phase) for phase in phases if rows_of(phase) is not None]
        if not rows:
            return None
        return Stepper([self.products, "--shape", "x".join(map(str, shape)), "--dtype", dtype, "--rows",
                        ",".join(map(str, rows)), "--threads", str(self.threads), "--steps", "--json"])

    def open(self, case: Case, ours: Path, theirs: Path) -> tuple[Stepper, Stepper]:
        """Both programs of a case."""
        options = {
            "llama": [],
            "rwkv": ["--strategy", f"cpu {'fp32' if case.theirs == 'f32' else case.theirs}",
                     "--generation", generation_of(case.shape)],
            "transformers": ["--dtype", case.theirs],
        }[case.peer]
        return self.ours(ours, case.dtype, list(case.phases)), self.peer(case.peer, theirs, *options)

    def files(self, case: Case) -> tuple[Path, Path]:
        """The weights for prwkv and for the peer: the same file."""
        make = {"llama": self.models.gguf, "rwkv": self.models.pth, "transformers": self.models.folder}[case.peer]
        path = make(case.shape, case.theirs)
        return path, path


def rows_of(phase: str) -> int | None:
    """Of activations in a product: "prompt 256", "batch 16"; None for generation."""
    return int(phase.split()[1]) if " " in phase else None


@dataclass
class Runs:
    """What the rounds gave for one phase."""

    prwkv: list[float] = field(default_factory=list)  # tokens/s
    other: list[float] = field(default_factory=list)
    product: list[float] = field(default_factory=list)  # seconds


def turns(pair: tuple[Stepper, Stepper], product: Stepper | None, dtype: str, phases: list[str], rounds: int) -> dict[str, Runs]:
    """Every phase of both programs, and its product, after one round that does not count."""
    runs = {phase: Runs() for phase in phases}
    for phase in phases:
        pair[1].rate(phase)  # prwkv has warmed up when it says that it is ready
    for number in range(rounds):
        pair[0].step("limits")
        for phase in phases:
            for who in (0, 1) if number % 2 == 0 else (1, 0):
                (runs[phase].prwkv, runs[phase].other)[who].append(pair[who].rate(phase))
            if product is not None and rows_of(phase) is not None:
                runs[phase].product.append(product.step(f"product {dtype} {rows_of(phase)}")["seconds"])
    return runs


def shares(report: dict) -> Iterator[tuple[str, float, str]]:
    """(phase, share, limit) of a report of prwkv bench."""
    yield "generation", report["generation"]["share"], "reading"
    for prompt in report["prompts"]:
        yield f"prompt {prompt['tokens']}", prompt["share"], "arithmetic"
    for batch in report["batches"]:
        yield f"batch {batch['sequences']}", batch["share"], "arithmetic"


def peak_of(machine: dict, dtype: str) -> float:
    """Operations a second that products of a type can reach."""
    if dtype not in ("f32", "f16", "bf16"):
        return machine["int8_ops_per_s"]
    return dtype == "bf16" and machine["bf16_flops_per_s"] or machine["flops_per_s"]


def share_required(phase: str, dtype: str) -> float:
    """The share of the limit that also counts."""
    table = {"generation": GENERATION_SHARE, "prompt": PROMPT_SHARE, "batch": BATCH_SHARE}[phase.split()[0]]
    return table[dtype]


def measure(bench: Bench, case: Case) -> tuple[list[Row], dict]:
    """All phases of a case; also the machine's limits as they were."""
    mine, other = bench.files(case)
    n_out, n_in = bench.matrix(mine)
    with ExitStack() as stack:
        ours, theirs = bench.open(case, mine, other)
        pair = (stack.enter_context(ours), stack.enter_context(theirs))
        product = bench.product((n_out, n_in), case.dtype, list(case.phases))
        if product is not None:
            stack.enter_context(product)
        runs = turns(pair, product, case.dtype, list(case.phases), bench.rounds)
        report = pair[0].report()
    peak = peak_of(report["machine"], case.dtype)
    rows = []
    for phase, share, limit in shares(report):
        if phase not in runs:
            continue
        run = runs[phase]
        speed, theirs_speed = statistics.median(run.prwkv), statistics.median(run.other)
        ratio = speed / theirs_speed
        alone = 2 * n_out * n_in * rows_of(phase) / statistics.median(run.product) / peak if run.product else None
        required, floor = case.phases[phase].on(bench.machine), share_required(phase, case.dtype)
        rows.append(Row(case.peer, case.shape, case.dtype, case.theirs, phase, bench.threads, speed, theirs_speed, ratio,
                        required, share, floor, limit, verdict(ratio, required, share if alone is None else alone, floor),
                        alone, {"prwkv": run.prwkv, "other": run.other}))
    return rows, report["machine"]


def measure_products(bench: Bench, shape: str) -> list[Row]:
    """One product of f32 and of bf16 weights beside PyTorch's."""
    rows_of_x = [1, 8, 16, 64, 512]
    result = []
    command = [bench.products, "--shape", shape, "--threads", str(bench.threads), "--dtype", "f32,bf16", "--steps", "--json"]
    with ExitStack() as stack:
        ours = stack.enter_context(Stepper(command))
        theirs = stack.enter_context(bench.peer("linear", shape))
        steps = [f"product {dtype} {rows}" for dtype in ("f32", "bf16") for rows in rows_of_x]
        seconds: dict[str, tuple[list[float], list[float]]] = {step: ([], []) for step in steps}
        for number in range(bench.rounds):
            ours.step("limits")
            for step in steps:
                for who in (0, 1) if number % 2 == 0 else (1, 0):
                    seconds[step][who].append((ours, theirs)[who].step(step)["seconds"])
        report = ours.report()
    measured = {f"product {p['dtype']} {p['rows']}": p for p in report["products"]}
    for step, (mine, other) in seconds.items():
        _, dtype, rows = step.split()
        ratio = statistics.median(other) / statistics.median(mine)
        floor = {16: BATCH_SHARE, 512: PROMPT_SHARE}.get(int(rows), {}).get(dtype)
        # Never slower than oneDNN; bf16 where the processor multiplies it.
        required = Required(1.0, needs_bf16=dtype == "bf16").on(bench.machine)
        share = measured[step]["share"]
        result.append(Row("products", shape, dtype, dtype, f"rows {rows}", bench.threads, 1 / statistics.median(mine),
                          1 / statistics.median(other), ratio, required, share, floor, "arithmetic",
                          verdict(ratio, required, share, None), share,
                          {"prwkv": [1 / s for s in mine], "other": [1 / s for s in other]}))
    return result


def check_logits(bench: Bench, case: Case) -> float:
    """Largest difference of the two programs' float32 logits, as a share of their standard deviation."""
    ours, theirs = bench.files(case)
    tokens = ",".join(map(str, CHECK_TOKENS))
    command = [bench.prwkv, "logits", ours, "--tokens", tokens, "--json"]
    mine = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["logits"]
    options = {"rwkv": ["--generation", generation_of(case.shape)]}.get(case.peer, [])
    with bench.peer(case.peer, theirs, *options) as peer:
        other = peer.step(f"logits {tokens}")["logits"]
    worst = max(abs(a - b) for a, b in zip(mine, other, strict=True))
    return worst / statistics.pstdev(other)


TITLES = ["peer", "model", "type", "phase", "prwkv", "peer's", "ratio", "required", "of the limit", "the product",
          "counts from", "reached"]
PACKAGES = {"llama": ["llama-cpp-python"], "rwkv": ["rwkv", "torch"], "transformers": ["transformers", "torch"],
            "products": ["torch"]}
MODULES = {"llama": "llama_cpp", "rwkv": "rwkv", "transformers": "transformers", "products": "torch"}


def cells(row: Row) -> list[str]:
    """A line of the table."""
    kind = row.dtype if row.dtype == row.peer_dtype else f"{row.dtype}, peer's {row.peer_dtype}"
    return [row.peer, row.shape, kind, row.phase, f"{row.prwkv:.1f}", f"{row.other:.1f}", f"{row.ratio:.2f}",
            "-" if row.required is None else f"{row.required:.2f}", f"{100 * row.share:.0f} % of {row.limit}",
            "-" if row.product is None else f"{100 * row.product:.0f} %",
            "-" if row.share_required is None or row.peer == "products" else f"{100 * row.share_required:.0f} %", row.verdict]


def markdown(report: dict, rows: list[Row]) -> str:
    """The report as a page."""
    machine = report["machine"]
    lines = [
        "# Next to other programs",
        "",
        "Generated by `bench/compare.py`; do not edit.",
        "",
        f"Machine: {machine['cpu']}, {machine['isa']}, class {report['class']}, {report['threads']} threads. Medians of "
        f"{report['rounds']} interleaved rounds, tokens/s (products: products/s). "
        + "Versions: " + ", ".join(f"{name} {version}" for name, version in report["versions"].items()) + ".",
        "",
        "A requirement is reached by the ratio, or by the share of the limit measured in the same run (\"limit\"): for "
        "generation that of the whole, for prompts and batches that of the product of the model's largest matrices with as "
        "many rows (\"the product\").",
        "",
        "| " + " | ".join(TITLES) + " |",
        "|" + "---|" * len(TITLES),
    ]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    if report["logits"]:
        lines += ["", "Largest difference of float32 logits, in standard deviations:", "", "| peer | model | difference |",
                  "|---|---|---|"]
        lines += [f"| {c['peer']} | {c['shape']} | {c['difference']:.1e} |" for c in report["logits"]]
    return "\n".join(lines) + "\n"


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--only", action="append", choices=list(PACKAGES), help="this peer alone; several times for several")
    add("--types", help="of prwkv, separated by commas: these alone")
    add("--quick", action="store_true", help="tiny models, one round")
    add("--rounds", type=int, help="default 7; 1 with --quick")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)))
    add("--llama-shape", help="an RWKV-7 for llama.cpp, default rwkv7:0.4b")
    add("--build", type=Path, default=ROOT / "build/release", help="folder of the release build")
    add("--work", type=Path, help="folder to keep the models in (default: a temporary one in the build folder)")
    add("--out", type=Path, default=ROOT / "docs/performance", help="folder for compare.json and compare.md")
    add("--check-logits", action="store_true", help="compare float32 logits before measuring")
    add("--strict", action="store_true", help="exit status 1 if a requirement is missed")
    return parser.parse_args()


def limits_of(prwkv: Path, threads: int) -> dict:
    """The limits of this machine."""
    command = [prwkv, "bench", "--machine", "--repeat", "1", "--threads", str(threads), "--json"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["machine"]


def machine_of(limits: dict) -> Machine:
    """The class of this machine."""
    bf16 = limits["bf16_flops_per_s"] is not None
    return Machine(bf16, limits["int8_instruction"] == "vpdpbusd")


def usable(wanted: list[str]) -> list[str]:
    """The peers whose package is here; the others are said to be missing."""
    found = []
    for name in wanted:
        if importlib.util.find_spec(MODULES[name]) is None:
            print(f"compare.py: {name} is left out: no Python package {MODULES[name]}", file=sys.stderr)
        else:
            found.append(name)
    return found


def keep(out: Path, report: dict, rows: list[Row], more: list[Row]) -> None:
    """Adds rows and writes what there is: hours of measuring survive whatever comes after them."""
    rows += more
    for row in more:
        print(" | ".join(cells(row)), file=sys.stderr)
    report["rows"] = [asdict(row) for row in rows]
    out.mkdir(parents=True, exist_ok=True)
    (out / "compare.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (out / "compare.md").write_text(markdown(report, rows), encoding="utf-8")


def compare(args: argparse.Namespace, work: Path) -> int:
    """Measures and reports; returns the exit status."""
    small = "L2,C256,V65536"
    llama = args.llama_shape or (f"rwkv7:{small}" if args.quick else "rwkv7:0.4b")
    rwkv7 = f"rwkv7:{small}" if args.quick else "rwkv7:0.4b"
    rwkv4 = f"rwkv4:{small}" if args.quick else "rwkv4:430m"
    prwkv = args.build / "prwkv"
    limits = limits_of(prwkv, args.threads)
    bench = Bench(prwkv, args.build / "bench/products", Models(prwkv, work), machine_of(limits), args.threads,
                  args.rounds or (1 if args.quick else 7), 4 if args.quick else 32)
    peers = usable(args.only or list(PACKAGES))
    cases = llama_cases(llama, "prompt 512") + torch_cases(rwkv4, rwkv7, "prompt 256")
    cases = [c for c in cases if c.peer in peers and (not args.types or c.dtype in args.types.split(","))]

    logits, status = [], 0
    for case in cases if args.check_logits else []:
        if (case.dtype, case.theirs) != ("f32", "f32"):
            continue
        difference = check_logits(bench, case)
        logits.append({"peer": case.peer, "shape": case.shape, "difference": difference})
        print(f"{case.peer} {case.shape}: logits differ by {difference:.1e} standard deviations", file=sys.stderr)
        if not difference <= CHECK_TOLERANCE:
            print(f"compare.py: above {CHECK_TOLERANCE}: the programs disagree", file=sys.stderr)
            return 1

    versions = {p: importlib.metadata.version(p) for name in peers for p in PACKAGES[name]}
    report = {"machine": limits, "class": bench.machine.name, "threads": args.threads,
              "rounds": bench.rounds, "quick": args.quick, "versions": versions, "logits": logits, "rows": []}
    rows: list[Row] = []
    for case in cases:
        measured, report["machine"] = measure(bench, case)
        keep(args.out, report, rows, measured)
    if "products" in peers:
        keep(args.out, report, rows, measure_products(bench, "256x256" if args.quick else "8192x2048"))
    if not rows:
        print("compare.py: nothing to compare with", file=sys.stderr)
        return 1
    print(markdown(report, rows))
    missed = [row for row in rows if row.verdict == "missed"]
    if missed:
        print(f"compare.py: {len(missed)} of {len(rows)} requirements are missed", file=sys.stderr)
        status = 1 if args.strict else 0
    return status


def main() -> int:
    """Runs the comparison in the given or a temporary folder."""
    args = parse_arguments()
    if args.work:
        args.work.mkdir(parents=True, exist_ok=True)
        return compare(args, args.work)
    with tempfile.TemporaryDirectory(prefix="compare-", dir=args.build) as folder:
        return compare(args, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
