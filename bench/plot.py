#!/usr/bin/env python3
"""Charts (SVG) of what bench/report.py measured.

    bench/plot.py [FOLDER]      reads bench.json, products.json and compare.json there, those that exist;
                                default: docs/performance

Needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams |= {"svg.hashsalt": "prwkv", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False,
                 "axes.spines.right": False, "figure.constrained_layout.use": True}
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
PERCENT = 100


def unique(values: Iterable[str]) -> list[str]:
    """In the order in which they first come."""
    return list(dict.fromkeys(values))


def bars(path: Path, title: str, unit: str, groups: list[str], series: dict[str, list[float | None]],
         line: float | None = None) -> None:
    """Groups of bars, one of every series in each; None leaves a gap."""
    fig, ax = plt.subplots(figsize=(max(5.0, 0.28 * len(groups) * (len(series) + 1)), 3.4))
    width = 0.8 / len(series)
    for i, (name, values) in enumerate(series.items()):
        places = [g + (i - (len(series) - 1) / 2) * width for g in range(len(groups))]
        shown = [(x, v) for x, v in zip(places, values, strict=True) if v is not None]
        ax.bar([x for x, _ in shown], [v for _, v in shown], width, label=name)
    if line is not None:
        ax.axhline(line, color="black", linewidth=0.8, linestyle="--")
    ax.set_xticks(range(len(groups)), groups, rotation=20 if len(groups) > 4 else 0, ha="right" if len(groups) > 4 else "center")
    ax.set_title(title)
    ax.set_ylabel(unit)
    ax.legend(frameon=False, ncols=4, fontsize=8)
    fig.savefig(path, metadata={"Date": None})
    plt.close(fig)
    print(path)


def generation(results: list[dict], folder: Path) -> None:
    """Share of the read probe by model and type, a chart for each number of threads."""
    models, types = unique(r["model"]["name"] for r in results), unique(r["model"]["dtype"] for r in results)
    for threads in sorted({r["machine"]["threads"] for r in results}):
        share = {(r["model"]["name"], r["model"]["dtype"]): PERCENT * r["generation"]["share"] for r in results
                 if r["machine"]["threads"] == threads}
        bars(folder / f"generation-{threads}.svg", f"Generation, {threads} thread{'s' if threads > 1 else ''}",
             "% of the read probe", models, {t: [share.get((m, t)) for m in models] for t in types}, line=PERCENT)


def prompts(results: list[dict], folder: Path) -> None:
    """Share of the arithmetic peak of the longest prompt, and of batches, with the most threads."""
    most = max(r["machine"]["threads"] for r in results)
    results = [r for r in results if r["machine"]["threads"] == most]
    models, types = unique(r["model"]["name"] for r in results), unique(r["model"]["dtype"] for r in results)
    share = {(r["model"]["name"], r["model"]["dtype"]): PERCENT * r["prompts"][-1]["share"] for r in results}
    bars(folder / "prompt.svg", f"Prompt of {results[0]['prompts'][-1]['tokens']}, {most} threads", "% of the arithmetic peak",
         models, {t: [share.get((m, t)) for m in models] for t in types}, line=PERCENT)


def products(report: dict, folder: Path) -> None:
    """Share of the peak over the number of rows, a line for every type."""
    fig, ax = plt.subplots(figsize=(6, 3.6))
    for dtype in unique(p["dtype"] for p in report["products"]):
        of_type = [p for p in report["products"] if p["dtype"] == dtype]
        ax.plot([p["rows"] for p in of_type], [PERCENT * p["share"] for p in of_type], marker="o", markersize=3, label=dtype)
    ax.set_xscale("log", base=2)
    ticks = sorted({p["rows"] for p in report["products"]})
    ax.set_xticks(ticks, [str(t) for t in ticks])
    ax.set_ylim(0, PERCENT)
    ax.set_xlabel("rows of activations")
    ax.set_ylabel("% of the arithmetic peak")
    ax.set_title(f"Products, {report['shape']}, {report['machine']['threads']} threads")
    ax.legend(frameon=False, ncols=2, fontsize=8)
    fig.savefig(folder / "products.svg", metadata={"Date": None})
    plt.close(fig)
    print(folder / "products.svg")


def ratios(rows: list[dict], folder: Path) -> None:
    """prwkv / peer, a chart for every peer."""
    for peer in unique(r["peer"] for r in rows):
        of_peer = [r for r in rows if r["peer"] == peer]
        groups = unique(f"{r['shape']} {r['dtype']}" for r in of_peer)
        phases = unique(r["phase"] for r in of_peer)
        ratio = {(f"{r['shape']} {r['dtype']}", r["phase"]): r["ratio"] for r in of_peer}
        bars(folder / f"compare-{peer}.svg", f"prwkv / {peer}", "ratio of tokens/s", groups,
             {p: [ratio.get((g, p)) for g in groups] for p in phases}, line=1)


def plot(folder: Path) -> None:
    """All charts of a folder."""
    def read(name: str) -> dict | None:
        path = folder / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    if bench := read("bench.json"):
        generation(bench["results"], folder)
        prompts(bench["results"], folder)
    if product := read("products.json"):
        products(product, folder)
    if compared := read("compare.json"):
        ratios(compared["rows"], folder)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs/performance")
    plot(parser.parse_args().folder)


if __name__ == "__main__":
    main()
