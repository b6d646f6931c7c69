#!/usr/bin/env python3
"""Speed of prwkv and llama.cpp on the same RWKV-7 weights, measured in turns.

The weights are random (made by `prwkv make-random`) or a given BlinkDL-style float16 .safetensors
file; llama.cpp gets them as GGUF, matrices in float16 as well. Every round runs both programs once
for every number of threads, in alternating order, so that a slow phase of the machine hits both;
the table shows medians.

  prompt      tokens/s of one chunk of 512 tokens, logits after the last one only
  generation  tokens/s of single tokens after that prompt, without sampling

Shares refer to the limits of the machine that `prwkv bench` measures in the same runs: a generated
token reads all weights but the embedding table once; a prompt token takes two operations for every
element of the matrices between embedding and head.

Needs the Python packages numpy, safetensors, gguf and llama-cpp-python (built for this machine).
"""

from __future__ import annotations

import argparse
import ctypes
import json
import math
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import gguf
import numpy as np
from safetensors import safe_open

Result = TypeVar("Result")

ROOT = Path(__file__).resolve().parents[1]
PROMPT_TOKENS = 512
GENERATED_TOKENS = 32
CHECK_TOKENS = 8
# Largest |difference| of a logit as a share of their standard deviation, both programs computing in
# float32. In float16 24 random layers amplify rounding to several percent: no test of anything.
CHECK_TOLERANCE = 1e-3

# BlinkDL name without prefix → GGUF name without prefix; matrices and vectors as they are.
BLOCK_NAMES = {
    "ln1.weight": "attn_norm.weight",
    "ln1.bias": "attn_norm.bias",
    "ln2.weight": "attn_norm_2.weight",
    "ln2.bias": "attn_norm_2.bias",
    "att.ln_x.weight": "time_mix_ln.weight",
    "att.ln_x.bias": "time_mix_ln.bias",
    "att.receptance.weight": "time_mix_receptance.weight",
    "att.key.weight": "time_mix_key.weight",
    "att.value.weight": "time_mix_value.weight",
    "att.output.weight": "time_mix_output.weight",
    "ffn.key.weight": "channel_mix_key.weight",
    "ffn.value.weight": "channel_mix_value.weight",
}
# Vectors, flattened.
BLOCK_VECTORS = {
    "att.w0": "time_mix_w0.weight",
    "att.a0": "time_mix_a0.weight",
    "att.v0": "time_mix_v0.weight",
    "att.k_k": "time_mix_k_k.weight",
    "att.k_a": "time_mix_k_a.weight",
    "att.r_k": "time_mix_r_k.weight",
    "ffn.x_k": "channel_mix_lerp_k.weight",
}
# Low-rank pairs: (in, rank), (rank, out) here, (out, in) there.
LORA_NAMES = ["w1", "w2", "a1", "a2", "v1", "v2", "g1", "g2"]
TOP_NAMES = {
    "emb.weight": "token_embd.weight",
    "blocks.0.ln0.weight": "token_embd_norm.weight",
    "blocks.0.ln0.bias": "token_embd_norm.bias",
    "ln_out.weight": "output_norm.weight",
    "ln_out.bias": "output_norm.bias",
    "head.weight": "output.weight",
}


@dataclass(frozen=True)
class Cost:
    """What one token needs at least."""

    generation_bytes: float
    prompt_flops: float


@dataclass(frozen=True)
class Run:
    """One run of one program."""

    program: str
    threads: int
    prompt: float  # tokens/s
    generation: float  # tokens/s
    read_bytes_per_s: float | None = None  # limits of the machine, from prwkv
    flops_per_s: float | None = None


# ---- weights


class Checkpoint:
    """A BlinkDL-style RWKV-7 .safetensors file."""

    def __init__(self, path: Path) -> None:
        self._file = safe_open(path, framework="numpy")
        self.names = set(self._file.keys())
        self.layers = 1 + max(int(n.split(".")[1]) for n in self.names if n.startswith("blocks."))

    def __getitem__(self, name: str) -> np.ndarray:
        return self._file.get_tensor(name)

    def shape(self, name: str) -> list[int]:
        """Shape of a tensor without reading it."""
        return self._file.get_slice(name).get_shape()

    def cost(self) -> Cost:
        """Bytes of a generated token (float16) and operations of a prompt token."""
        elements = {name: math.prod(self.shape(name)) for name in self.names - {"emb.weight"}}
        matrices = sum(count for name, count in elements.items() if self._is_block_matrix(name))
        return Cost(generation_bytes=2.0 * sum(elements.values()), prompt_flops=2.0 * matrices)

    def _is_block_matrix(self, name: str) -> bool:
        two_dimensional = len(self.shape(name)) == 2 and not name.endswith(".r_k")
        return two_dimensional and name.startswith("blocks.")


def stand_in(name: str, layer: int) -> str:
    """Layer 0 does not use v0, v1, v2; llama.cpp expects copies of a0, a1, a2 in their place."""
    unused = layer == 0 and name in ("att.v0", "att.v1", "att.v2")
    return name.replace("att.v", "att.a") if unused else name


def write_gguf(model: Checkpoint, path: Path, matrix_dtype: type = np.float16) -> None:
    """Writes the weights as a GGUF file of architecture rwkv7, without a vocabulary."""
    vocab, channels = model.shape("emb.weight")
    writer = gguf.GGUFWriter(path, "rwkv7")
    writer.add_context_length(1048576)
    writer.add_embedding_length(channels)
    writer.add_block_count(model.layers)
    writer.add_feed_forward_length(model.shape("blocks.0.ffn.key.weight")[0])
    writer.add_head_count(0)
    writer.add_layer_norm_eps(1e-5)
    writer.add_wkv_head_size(model.shape("blocks.0.att.r_k")[1])
    writer.add_decay_lora_rank(model.shape("blocks.0.att.w1")[1])
    writer.add_iclr_lora_rank(model.shape("blocks.0.att.a1")[1])
    writer.add_value_residual_mix_lora_rank(model.shape("blocks.1.att.v1")[1])
    writer.add_gate_lora_rank(model.shape("blocks.0.att.g1")[1])
    writer.add_vocab_size(vocab)
    writer.add_tokenizer_model("no_vocab")

    def add(name: str, tensor: np.ndarray) -> None:
        dtype = matrix_dtype if tensor.ndim == 2 else np.float32
        writer.add_tensor(name, np.ascontiguousarray(tensor, dtype))

    for ours, theirs in TOP_NAMES.items():
        add(theirs, model[ours])
    for layer in range(model.layers):
        source, target = f"blocks.{layer}.", f"blk.{layer}."
        for ours, theirs in BLOCK_NAMES.items():
            add(target + theirs, model[source + ours])
        for ours, theirs in BLOCK_VECTORS.items():
            add(target + theirs, model[source + stand_in(ours, layer)].reshape(-1))
        for name in LORA_NAMES:
            pair = model[source + stand_in(f"att.{name}", layer)]
            add(f"{target}time_mix_{name}.weight", pair.T)
        lerps = [model[f"{source}att.x_{q}"].reshape(1, 1, channels) for q in "rwkvag"]
        add(f"{target}time_mix_lerp_fused.weight", np.stack(lerps))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# ---- llama.cpp


class Llama:
    """A model and a context of llama.cpp through its C interface."""

    def __init__(self, path: Path, threads: int) -> None:
        import llama_cpp

        self._api = llama_cpp
        self._silence = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self._silence, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        model = llama_cpp.llama_model_load_from_file(
            str(path).encode(), llama_cpp.llama_model_default_params()
        )
        if not model:
            raise SystemExit(f"llama.cpp cannot load {path}")
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = 4 * PROMPT_TOKENS
        params.n_batch = params.n_ubatch = PROMPT_TOKENS
        params.n_threads = params.n_threads_batch = threads
        self._context = llama_cpp.llama_init_from_model(model, params)
        if not self._context:
            raise SystemExit("llama.cpp cannot make a context")
        self._vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
        self._batch = llama_cpp.llama_batch_init(PROMPT_TOKENS, 0, 1)
        self._position = 0

    def reset(self) -> None:
        """Back to the empty state."""
        self._api.llama_memory_clear(self._api.llama_get_memory(self._context), True)
        self._position = 0

    def forward(self, tokens: list[int]) -> None:
        """Feeds tokens in one step and waits; logits of the last one only."""
        batch = self._batch
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = self._position + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = i + 1 == len(tokens)
        if self._api.llama_decode(self._context, batch) != 0:
            raise RuntimeError("llama_decode failed")
        self._api.llama_synchronize(self._context)
        self._position += len(tokens)

    def logits(self) -> np.ndarray:
        """Logits after the last token fed."""
        row = self._api.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(row, (self._vocab,)).copy()


def token_ids(vocab: int, count: int) -> list[int]:
    """A fixed scattered sequence of token ids."""
    return [(7919 * i + 11) % vocab for i in range(count)]


def time_llama(path: Path, threads: int, vocab: int) -> Run:
    """A warm-up and a measured pass of prompt and generation."""
    llama = Llama(path, threads)
    prompt = token_ids(vocab, PROMPT_TOKENS)
    prompt_s = generation_s = 0.0
    for _ in range(2):
        llama.reset()
        start = time.perf_counter()
        llama.forward(prompt)
        middle = time.perf_counter()
        for token in prompt[:GENERATED_TOKENS]:
            llama.forward([token])
        prompt_s, generation_s = middle - start, time.perf_counter() - middle
    return Run("llama.cpp", threads, PROMPT_TOKENS / prompt_s, GENERATED_TOKENS / generation_s)


def logits_of_llama(path: Path, tokens: list[int]) -> np.ndarray:
    """Logits after the last token."""
    llama = Llama(path, threads=2)
    llama.forward(tokens)
    return llama.logits()


def in_process(function: Callable[..., Result], *args: object) -> Result:
    """Calls `function` in a fresh process, so that no run inherits memory or threads of another."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *args).result()


# ---- prwkv


def call_prwkv(binary: Path, *args: str | Path) -> dict:
    """The JSON that a run prints."""
    command = [str(binary), *map(str, args), "--json"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def time_prwkv(binary: Path, model: Path, threads: int) -> Run:
    """One run of `prwkv bench`, which warms up by itself."""
    report = call_prwkv(binary, "bench", model, "--threads", str(threads))
    return Run(
        "prwkv",
        threads,
        report["prompt"]["tokens_per_s"],
        report["generation"]["tokens_per_s"],
        report["machine"]["read_bytes_per_s"],
        report["machine"]["flops_per_s"],
    )


# ---- comparison


def check_logits(binary: Path, model_path: Path, gguf_path: Path) -> float:
    """Largest difference of the two programs' logits, as a share of their standard deviation.

    The weights are compared in float32 on both sides; `gguf_path` is written and removed.
    """
    model = Checkpoint(model_path)
    tokens = token_ids(model.shape("emb.weight")[0], CHECK_TOKENS)
    write_gguf(model, gguf_path, np.float32)
    try:
        theirs = in_process(logits_of_llama, gguf_path, tokens)
    finally:
        gguf_path.unlink()
    ids = ",".join(map(str, tokens))
    ours = call_prwkv(binary, "logits", model_path, "--tokens", ids, "--dtype", "f32")["logits"]
    return float(np.abs(np.array(ours) - theirs).max() / theirs.std())


def median(runs: list[Run], program: str, threads: int, field: str) -> float:
    """Median of one field over the rounds."""
    return statistics.median(
        getattr(run, field) for run in runs if (run.program, run.threads) == (program, threads)
    )


def table(runs: list[Run], cost: Cost, threads: list[int]) -> str:
    """The Markdown table of medians."""
    lines = [
        "| threads | phase | prwkv tok/s | of limit | llama.cpp tok/s | of limit | ratio | limit |",
        "|---|---|---|---|---|---|---|---|",
    ]
    phases = [
        ("prompt", cost.prompt_flops, "flops_per_s", "GFLOP/s"),
        ("generation", cost.generation_bytes, "read_bytes_per_s", "GB/s"),
    ]
    for count in threads:
        for phase, per_token, limit_field, unit in phases:
            ours, theirs = (median(runs, p, count, phase) for p in ("prwkv", "llama.cpp"))
            limit = median(runs, "prwkv", count, limit_field)
            cells = [f"{s:.1f} | {100 * s * per_token / limit:.0f} %" for s in (ours, theirs)]
            ratio, unit_limit = f"{ours / theirs:.2f}", f"{limit / 1e9:.1f} {unit}"
            lines.append(f"| {count} | {phase} | {' | '.join(cells)} | {ratio} | {unit_limit} |")
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Compare the speed of prwkv and llama.cpp.")
    add = parser.add_argument
    add("--size", default="0.4b", choices=["0.4b", "1.5b"], help="of the random model")
    add("--model", type=Path, help="an RWKV-7 .safetensors file instead of a random one")
    add("--prwkv", type=Path, default=ROOT / "build/release/prwkv", help="the binary")
    add("--work", type=Path, help="folder to keep the models in (default: a temporary one)")
    add("--rounds", type=int, default=5)
    add("--threads", type=int, nargs="+", default=[1, 2])
    add("--check-logits", action="store_true", help="compare float32 logits before measuring")
    add("--json", type=Path, help="also write all runs to this file")
    return parser.parse_args()


def compare(args: argparse.Namespace, work: Path) -> int:
    """Prepares the models, measures and reports; returns the exit status."""
    model_path = args.model or work / f"rwkv7-{args.size}-f16.safetensors"
    if not model_path.is_file():
        command = [args.prwkv, "make-random", f"rwkv7:{args.size}", model_path, "--dtype", "f16"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    model = Checkpoint(model_path)
    gguf_path = work / f"{model_path.stem}.gguf"
    write_gguf(model, gguf_path)
    vocab = model.shape("emb.weight")[0]

    if args.check_logits:
        difference = check_logits(args.prwkv, model_path, work / f"{model_path.stem}.check.gguf")
        print(f"largest logit difference: {difference:.2e} standard deviations", file=sys.stderr)
        if not difference <= CHECK_TOLERANCE:
            print(f"above {CHECK_TOLERANCE}: the programs disagree", file=sys.stderr)
            return 1

    runs: list[Run] = []
    for number in range(args.rounds):
        for threads in args.threads:
            pair = [
                lambda t=threads: time_prwkv(args.prwkv, model_path, t),
                lambda t=threads: in_process(time_llama, gguf_path, t, vocab),
            ]
            for measure in pair if number % 2 == 0 else reversed(pair):
                runs.append(measure())
                print(f"round {number + 1}: {runs[-1]}", file=sys.stderr)
    cost = model.cost()
    print(f"{model_path.name}, medians of {args.rounds} rounds\n")
    print(table(runs, cost, args.threads))
    if args.json:
        runs_json = [asdict(run) for run in runs]
        report = {"model": model_path.name, "cost": asdict(cost), "runs": runs_json}
        args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="ascii")
    return 0


def main() -> int:
    """Runs the comparison in the given or a temporary folder."""
    args = parse_arguments()
    if args.work:
        args.work.mkdir(parents=True, exist_ok=True)
        return compare(args, args.work)
    with tempfile.TemporaryDirectory(prefix="prwkv-compare-") as folder:
        return compare(args, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
