#!/usr/bin/env python3
"""Speed of training beside PyTorch on the same processor, in turns; shares of the peak, ratios, and what is asked for.

    bench/training.py                       everything, into docs/performance/training.json and .md
    bench/training.py --part products       one part: speed or products; none: the page again from the JSON
    bench/training.py --quick --out build   a tiny model, one round: does all of it run?

    speed      `prwkv train` beside a GPT of the same size and the same RWKV-7, its recurrence chunked into batched
               products, both under torch.compile (bench/training_peers.py): RWKV-7 of 12M (320 wide, 8 layers, 4,096
               words) and of 0.1B (768 wide, 12 layers, the World vocabulary's 65,536 words), 8 x 512 tokens a step
    products   the matrix products of a step alone, there and back (bench/training_products)

A round measures the peak of f32 multiply-adds (`prwkv bench --machine`) and then a few steps of every program, the order
alternating; between its turns prwkv is stopped, and the step that it is stopped in does not count. All programs keep
training one batch of random tokens. The first loss and gradient of PyTorch's RWKV-7, which has the same weights, must be
those of prwkv.

FLOPs of a token are 6 for every element of the matrices that it meets, with the head and without the embedding; what is
computed twice and the recurrences do not count. In bf16 only where the processor multiplies it.
"""

from __future__ import annotations

import argparse
import array
import importlib.util
import json
import os
import random
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from steps import Stepper

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(__file__).with_name("training_peers.py")
PARTS = ["speed", "products"]
PERCENT = 100
PAUSE = 0.5  # seconds between turns: idle threads of OpenMP spin for a while
LEARNING_RATE = "1e-6"  # small: speed is measured, and weights are to stay what they are
# What is asked for: of the peak of the type, end to end; the ratios of tokens/s; products of f32.
SHARE = {"f32": 0.50, "bf16": 0.40}
RATIO = {"gpt": {"f32": 0.9, "bf16": 0.8}, "rwkv": {"f32": 2.0, "bf16": 2.0}}
PRODUCTS_SHARE = 0.60
# Relative differences of the first loss and of its gradient's norm, prwkv beside PyTorch. Measured in f32: below 3e-7.
SAME = {"f32": 1e-4, "bf16": 2e-2}
NAMES = {"prwkv": "prwkv, RWKV-7", "gpt": "PyTorch, GPT", "rwkv": "PyTorch, RWKV-7"}


@dataclass(frozen=True)
class Model:
    """An RWKV-7, and how many samples the peers try in one pass."""

    name: str
    shape: str  # of prwkv make-random
    words: int
    micro_batches: dict[str, str]  # 8 samples of PyTorch's RWKV-7 take some 13 GB at 0.1B, beside the others

    @property
    def stem(self) -> str:
        """A name for files."""
        return self.shape.replace(":", "-").replace(",", "-")


MODELS = {
    "12m": Model("12M", "rwkv7:L8,C320,V4096", 4096, {"gpt": "8,2", "rwkv": "8,2"}),
    "0.1b": Model("0.1B", "rwkv7:0.1b", 65536, {"gpt": "8,2", "rwkv": "2"}),
    "tiny": Model("tiny", "rwkv7:L2,C64,V256", 256, {"gpt": "2", "rwkv": "2"}),
}


@dataclass(frozen=True)
class Setting:
    """What all measurements have in common."""

    build: Path
    work: Path
    python: str
    threads: int
    batch: int
    context: int
    rounds: int
    steps: int  # of a turn
    chunk: int  # of PyTorch's recurrence
    bf16: list[str]  # options with which prwkv train multiplies bf16

    @property
    def tokens(self) -> int:
        """Of a step."""
        return self.batch * self.context

    def prwkv(self, *arguments: str | Path) -> dict:
        """JSON of a run."""
        command = [self.build / "prwkv", *arguments]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)

    def limits(self) -> dict:
        """Of this machine, measured now."""
        return self.prwkv("bench", "--machine", "--repeat", "1", "--threads", str(self.threads), "--json")["machine"]


def make_model(setting: Setting, model: Model) -> Path:
    """Random weights in f32; a new model's zeros would leave nothing to compare."""
    path = setting.work / f"{model.stem}.safetensors"
    if not path.exists():
        subprocess.run([setting.build / "prwkv", "make-random", model.shape, path, "--dtype", "f32", "--quiet"],
                       check=True, stdout=subprocess.DEVNULL)
    return path


def make_tokens(setting: Setting, model: Model) -> Path:
    """One batch as a binidx pair (formats/binidx.h): one document of random ids."""
    path = setting.work / f"{model.stem}.bin"
    count = setting.tokens + 1
    ids = random.Random(6).choices(range(model.words), k=count)
    path.write_bytes(array.array("i", ids).tobytes())
    index = struct.pack("<9sQBQQ", b"MMIDIDX\0\0", 1, 4, 1, 2) + struct.pack("<iqqq", count, 0, 0, 1)
    path.with_suffix(".idx").write_bytes(index)
    return path


class Runner(Protocol):
    """A program that trains steps when told to."""

    def seconds(self, steps: int) -> list[float]:
        """Of each step."""


class Prwkv:
    """`prwkv train`, stopped between its turns."""

    POLL = 0.02  # seconds

    def __init__(self, setting: Setting, model: Path, tokens: Path, options: list[str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="run-", dir=setting.work)
        self._log = Path(self._folder.name) / "log.jsonl"
        self._output = tempfile.TemporaryFile()
        self._messages = tempfile.TemporaryFile()
        # Random order: of one batch an epoch. Steps without end: it is told when to stop.
        command = [setting.build / "prwkv", "train", model, "--data", tokens, "--out", self._folder.name, "--steps", "1000000",
                   "--batch", str(setting.batch), "--context", str(setting.context), "--lr", LEARNING_RATE, "--lr-final",
                   LEARNING_RATE, "--schedule", "constant", "--warmup", "0", "--grad-checkpoint", "off", "--threads",
                   str(setting.threads), "--json", "--quiet", *options]
        self._process = subprocess.Popen([str(c) for c in command], stdout=self._output, stderr=self._messages)
        self._stopped = False
        self._wait_for(1)  # the first step warms up
        self._stop()

    def __enter__(self) -> Prwkv:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._output.close()
        self._messages.close()
        self._folder.cleanup()

    def _lines(self) -> list[dict]:
        """Of the log, those that are whole."""
        if not self._log.exists():
            return []
        return [json.loads(line) for line in self._log.read_text(encoding="utf-8").splitlines(keepends=True)
                if line.endswith("\n")]

    def _wait_for(self, lines: int) -> None:
        while len(self._lines()) < lines:
            if self._process.poll() is not None:
                self._messages.seek(0)
                sys.stderr.buffer.write(self._messages.read()[-4000:])
                raise SystemExit(f"prwkv train ended with exit code {self._process.returncode}")
            time.sleep(self.POLL)

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        self._stopped = True

    def _go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        self._stopped = False

    def seconds(self, steps: int) -> list[float]:
        """The step that it was stopped in is not among them."""
        before = len(self._lines())
        self._go_on()
        self._wait_for(before + 1 + steps)
        self._stop()
        return [line["seconds"] for line in self._lines()[before + 1:][:steps]]

    def first(self) -> dict:
        """Loss and gradient of the weights it began with."""
        return self._lines()[0]

    def summary(self) -> dict:
        """Ends it; what it has to say."""
        self._process.send_signal(signal.SIGINT)
        self._go_on()
        self._process.wait()
        self._output.seek(0)
        return json.loads(self._output.read())


class Peer(Stepper):
    """bench/training_peers.py"""

    def __init__(self, setting: Setting, program: str, dtype: str, model: Model, weights: Path, tokens: Path) -> None:
        # The number of threads also for what is compiled.
        command = ["env", f"OMP_NUM_THREADS={setting.threads}", setting.python, PEERS, program, weights, "--tokens", tokens,
                   "--batch", str(setting.batch), "--context", str(setting.context), "--threads", str(setting.threads),
                   "--chunk", str(setting.chunk), "--micro-batch", model.micro_batches[program]]
        super().__init__(command + (["--bf16"] if dtype == "bf16" else []))

    def seconds(self, steps: int) -> list[float]:
        """Of each step."""
        return self.step(f"step {steps}")["seconds"]


def turns(setting: Setting, runners: dict[str, Runner]) -> tuple[dict[str, list[list[float]]], list[dict]]:
    """Seconds of every program, round by round, and the limits of each round."""
    seconds: dict[str, list[list[float]]] = {name: [] for name in runners}
    limits = []
    for number in range(setting.rounds):
        limits.append(setting.limits())
        for name in list(runners) if number % 2 == 0 else reversed(runners):
            time.sleep(PAUSE)
            seconds[name].append(runners[name].seconds(setting.steps))
        print(f"training.py: round {number + 1} of {setting.rounds}: "
              + ", ".join(f"{name} {setting.tokens / statistics.median(s[-1]):.0f} tokens/s" for name, s in seconds.items()),
              file=sys.stderr)
    return seconds, limits


def difference(a: float, b: float) -> float:
    """Relative."""
    return abs(a - b) / abs(b)


def expect_same(dtype: str, ours: dict, theirs: dict, flops: float) -> dict:
    """prwkv and PyTorch's RWKV-7 have computed the same; by how much they differ."""
    found = {"loss": difference(ours["loss"], theirs["first_loss"]), "norm": difference(ours["norm"], theirs["first_norm"])}
    if not max(found.values()) <= SAME[dtype]:
        raise SystemExit(f"training.py: the programs compute different things: relative differences {found}")
    if theirs["flops_per_token"] != flops:
        raise SystemExit(f"training.py: {flops:.0f} FLOPs a token, but PyTorch's RWKV-7 has {theirs['flops_per_token']}")
    return found


@dataclass
class Row:
    """One program, measured."""

    program: str
    tokens_per_s: float
    flops_per_token: float
    share: float  # of the type's peak in the same round; median of the rounds
    share_required: float | None
    ratio: float | None  # prwkv's tokens/s / this program's in the same round; median of the rounds
    ratio_range: list[float] | None  # over the rounds
    ratio_required: float | None
    seconds: list[list[float]]  # of steps, round by round


def peaks_of(limits: list[dict], dtype: str) -> list[float]:
    """Operations a second, round by round."""
    return [one["bf16_flops_per_s" if dtype == "bf16" else "flops_per_s"] for one in limits]


def rows_of(setting: Setting, dtype: str, seconds: dict[str, list[list[float]]], flops: dict[str, float],
            peaks: list[float]) -> list[Row]:
    """What follows from the measurements; prwkv first."""
    rates = {name: [setting.tokens / statistics.median(turn) for turn in rounds] for name, rounds in seconds.items()}
    rows = []
    for name, rounds in seconds.items():
        rate = setting.tokens / statistics.median(s for turn in rounds for s in turn)
        share = statistics.median(flops[name] * r / peak for r, peak in zip(rates[name], peaks, strict=True))
        if name == "prwkv":
            rows.append(Row(name, rate, flops[name], share, SHARE[dtype], None, None, None, rounds))
            continue
        ratios = [ours / other for ours, other in zip(rates["prwkv"], rates[name], strict=True)]
        rows.append(Row(name, rate, flops[name], share, None, statistics.median(ratios), [min(ratios), max(ratios)],
                        RATIO[name][dtype], rounds))
    return rows


def measure(setting: Setting, model: Model, dtype: str) -> dict:
    """All programs on one model, in turns."""
    weights, tokens = make_model(setting, model), make_tokens(setting, model)
    with ExitStack() as stack:
        print(f"training.py: {model.name} {dtype}: warming up", file=sys.stderr)
        ours = stack.enter_context(Prwkv(setting, weights, tokens, setting.bf16 if dtype == "bf16" else []))
        peers = {name: stack.enter_context(Peer(setting, name, dtype, model, weights, tokens)) for name in RATIO}
        seconds, limits = turns(setting, {"prwkv": ours, **peers})
        reports = {name: peer.report() for name, peer in peers.items()}
        first, summary = ours.first(), ours.summary()
    same = expect_same(dtype, first, reports["rwkv"], summary["flops_per_token"])
    flops = {"prwkv": summary["flops_per_token"], **{name: r["flops_per_token"] for name, r in reports.items()}}
    peaks = peaks_of(limits, dtype)
    return {"model": model.name, "shape": model.shape, "words": model.words, "dtype": dtype,
            "rounds": setting.rounds, "steps": setting.steps, "peak_flops": statistics.median(peaks),
            "rows": [asdict(row) for row in rows_of(setting, dtype, seconds, flops, peaks)],
            "first": {"loss": first["loss"], "norm": first["norm"], "differences": same}, "peers": reports,
            "memory": {key: summary[key] for key in ("planned_bytes", "peak_resident_bytes")},
            "limits": limits}


def without_bf16(setting: Setting, limits: dict) -> str | None:
    """Why nothing is measured in bf16."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    if limits["bf16_flops_per_s"] is None and not {"avx512_bf16", "amx_bf16"} & set(flags):
        return "the processor does not multiply bf16 (neither avx512_bf16 nor amx_bf16)"
    if limits["bf16_flops_per_s"] is None:
        return "prwkv has no kernels for this processor's bf16"
    return None if setting.bf16 else "no option of prwkv train for products in bf16 was named (--bf16)"


def speed(setting: Setting, models: list[Model], before: dict | None) -> dict:
    """Everything about whole steps; models that are not measured now keep what was measured `before` under the same
    conditions."""
    limits = setting.limits()
    reason = without_bf16(setting, limits)
    conditions = {"threads": setting.threads, "batch": setting.batch, "context": setting.context, "without_bf16": reason}
    names = [model.name for model in models]
    kept = []
    if before and before["machine"]["cpu"] == limits["cpu"] and all(before[key] == value for key, value in conditions.items()):
        kept = [result for result in before["results"] if result["model"] not in names]
    results = kept + [measure(setting, model, dtype) for model in models for dtype in (["f32"] if reason else ["f32", "bf16"])]
    order = [model.name for model in MODELS.values()]
    return {"machine": limits, **conditions, "results": sorted(results, key=lambda result: order.index(result["model"]))}


def products(setting: Setting, models: list[Model]) -> dict:
    """Products alone."""
    command: list[str | Path] = [setting.build / "bench/training_products", "--threads", str(setting.threads), "--repeat",
                                 str(setting.rounds), "--json"]
    if setting.context < 512:
        command += ["--rows", str(setting.tokens)]
    for model in models:
        found = setting.prwkv("inspect", make_model(setting, model), "--json")
        command += ["--shape", f"L{found['n_layer']},C{found['n_embd']},V{model.words}"]
    return json.loads(subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, check=True).stdout)


# ---- the page


def percent(share: float | None) -> str:
    """0.5 -> "50 %" """
    return "-" if share is None else f"{PERCENT * share:.0f} %"


def table(titles: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def reached(got: float, wanted: float) -> str:
    """A verdict."""
    return "yes" if got >= wanted else "**no**"


def speed_cells(result: dict, row: dict) -> list[str]:
    """A line of the table."""
    ratio, required = row["ratio"], row["ratio_required"]
    verdict = reached(row["share"], row["share_required"]) if ratio is None else reached(ratio, required)
    ranged = "-" if ratio is None else "{:.2f} ({:.2f} to {:.2f})".format(ratio, *row["ratio_range"])
    return [result["model"], result["dtype"], NAMES[row["program"]], f"{row['tokens_per_s']:.0f}", percent(row["share"]),
            percent(row["share_required"]), ranged, "-" if required is None else f"{required:.1f}", verdict]


def speed_page(report: dict) -> list[str]:
    """Whole steps."""
    machine, results = report["machine"], report["results"]
    torch = results[0]["peers"]["gpt"]["torch"]
    lines = [[*speed_cells(result, row)] for result in results for row in result["rows"]]
    if report["without_bf16"]:
        shown = dict.fromkeys(result["model"] for result in results)
        lines += [[name, "bf16", "not measured", *["-"] * 5, report["without_bf16"]] for name in shown]
    sizes = [[result["model"], f"`{result['shape']}`", f"{result['words']:,}", NAMES[name], f"{peer['parameters'] / 1e6:.1f}",
              f"{peer['matrix_parameters'] / 1e6:.1f}", str(peer["micro_batch"])]
             for result in results if result["dtype"] == "f32" for name, peer in result["peers"].items()]
    checks = []
    for result in results:
        first, peer = result["first"], result["peers"]["rwkv"]
        checks.append([result["model"], result["dtype"], f"{first['loss']:.6f}", f"{first['norm']:.6f}",
                       *(f"{first['differences'][key]:.0e}" for key in ("loss", "norm")), str(peer["chunk"]),
                       f"{peer['check']['gradients']:.0e}"])
    rounds = ", ".join(f"{r['rounds']} of {r['steps']} steps, peak {r['peak_flops'] / 1e9:.0f} GFLOP/s ({r['model']} {r['dtype']})"
                       for r in results)
    return [
        f"Machine: {machine['cpu']}, {machine['isa']}, {report['threads']} threads; PyTorch {torch}, torch.compile. Steps of "
        f"{report['batch']} x {report['context']} tokens; interleaved rounds of so many steps of each program, the peak measured "
        f"in the same rounds: {rounds}.\n",
        "## Steps\n",
        "Tokens/s, share of the peak (6 FLOPs for every element of the matrices a token meets, the head in and the embedding "
        "out; recomputation and recurrences not counted), prwkv's tokens/s beside the other program's (lowest and highest "
        "round). Shares and ratios are of one round each, and medians of these.\n",
        table(["model", "type", "program", "tokens/s", "of the peak", "asked for", "prwkv / it", "asked for", "reached"],
              lines),
        "## Models\n",
        "Parameters in millions, all and those of matrices that count. prwkv trains the same RWKV-7 as PyTorch. A pass of "
        "PyTorch is of as many samples as was fastest.\n",
        table(["model", "shape", "vocabulary", "program", "parameters", "in products", "samples a pass"], sizes),
        "## Same results\n",
        "Loss and norm of the gradient of the first step by prwkv, relative differences of PyTorch's RWKV-7 with the same "
        "weights and tokens; and gradients of a small model with its recurrence in chunks beside the plain recurrence, in "
        "double.\n",
        table(["model", "type", "loss", "norm", "loss differs", "norm differs", "chunk", "chunks differ"], checks),
    ]


def products_page(report: dict) -> list[str]:
    """Products alone."""
    found: dict[tuple[str, int], list[dict]] = {}
    for p in report["products"]:
        found.setdefault((p["shape"], p["rows"]), []).append(p)
    return [
        "## Products\n",
        f"{report['machine']['backend']}, medians of {report['repeat']} interleaved rounds, peak "
        f"{report['machine']['flops_per_s'] / 1e9:.0f} GFLOP/s. GFLOP/s and share of the peak; W is packed in every call. "
        "The head sees as many rows as make 16 million logits, at most.\n",
        table(["W", "rows", "y = x Wᵀ", "g_x", "g_W"],
              [[shape, str(rows), *(f"{p['flops_per_s'] / 1e9:.0f} ({percent(p['share'])})" for p in three)]
               for (shape, rows), three in found.items()]),
        "All of a model, there and back:\n",
        table(["model", "rows", "GFLOP/s", "of the peak", "asked for", "reached"],
              [[m["model"], str(m["rows"]), f"{m['flops_per_s'] / 1e9:.0f}", percent(m["share"]), percent(PRODUCTS_SHARE),
                reached(m["share"], PRODUCTS_SHARE)] for m in report["models"]]),
    ]


def draw(out: Path, results: list[dict]) -> str:
    """The chart, where it can be drawn (bench/plot.py); its place on the page."""
    if importlib.util.find_spec("matplotlib") is None:
        print("training.py: no chart: the Python package matplotlib is missing", file=sys.stderr)
        return ""
    import plot

    groups = [f"{result['model']} {result['dtype']}" for result in results]
    series = {NAMES[name]: [next(PERCENT * row["share"] for row in result["rows"] if row["program"] == name)
                            for result in results] for name in NAMES}
    plot.bars(out / "training.svg", "Training", "% of the arithmetic peak", groups, series, line=PERCENT * SHARE["f32"])
    return "![training](training.svg)\n"


def page(out: Path, report: dict) -> str:
    """training.md"""
    parts = ["# Training next to PyTorch\n", "Generated by `bench/training.py`; do not edit.\n"]
    if "speed" in report:
        parts += speed_page(report["speed"])
        parts += [chart] if (chart := draw(out, report["speed"]["results"])) else []
    if "products" in report:
        parts += products_page(report["products"])
    return "\n".join(parts)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--part", action="append", choices=[*PARTS, "none"], help="this alone; several times for several")
    add("--models", nargs="+", choices=list(MODELS), help="default: 12m 0.1b")
    add("--quick", action="store_true", help="a tiny model, one round of one step")
    add("--rounds", type=int, help="default 5; 1 with --quick")
    add("--steps", type=int, help="of a program's turn, default 3; 1 with --quick")
    add("--threads", type=int, default=2)
    add("--chunk", type=int, default=32, help="tokens a chunk of PyTorch's recurrence: 16 or 32")
    add("--bf16", default="", help="options with which prwkv train multiplies bf16, as one word")
    add("--python", default=sys.executable, help="an interpreter that has torch and safetensors")
    add("--build", type=Path, default=ROOT / "build/release", help="folder of the release build")
    add("--work", type=Path, help="folder to keep the models in (default: a temporary one in the build folder)")
    add("--out", type=Path, default=ROOT / "docs/performance", help="folder for training.json, .md and .svg")
    args = parser.parse_args()
    args.models = [MODELS[name] for name in args.models or (["tiny"] if args.quick else ["12m", "0.1b"])]
    return args


def run(args: argparse.Namespace, work: Path) -> None:
    """Measures the parts and writes the page."""
    few = args.quick
    setting = Setting(args.build, work, args.python, args.threads, 2 if few else 8, 64 if few else 512,
                      args.rounds or (1 if few else 5), args.steps or (1 if few else 3), args.chunk, args.bf16.split())
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / "training.json"
    report = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for part in args.part or PARTS:
        if part != "none":
            report[part] = (speed(setting, args.models, report.get("speed")) if part == "speed"
                            else products(setting, args.models))
            kept.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    text = page(args.out, report)
    (args.out / "training.md").write_text(text, encoding="utf-8")
    print(text)


def main() -> None:
    """In the given or a temporary folder."""
    args = parse_arguments()
    # Two programs share what is compiled, and so do two runs; a folder of its own leaves nothing behind elsewhere.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(args.build.resolve() / "torchinductor"))
    if args.work:
        args.work.mkdir(parents=True, exist_ok=True)
        run(args, args.work)
        return
    with tempfile.TemporaryDirectory(prefix="training-", dir=args.build) as folder:
        run(args, Path(folder))


if __name__ == "__main__":
    main()
