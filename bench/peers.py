#!/usr/bin/env python3
"""Another program on the same weights, measured on request: the other half of `prwkv bench --steps`.

    bench/peers.py llama MODEL.gguf [--threads 2] [--gen-tokens 32] [--batch 16,32]
    bench/peers.py rwkv MODEL.pth --strategy "cpu fp32" …
    bench/peers.py transformers FOLDER --dtype f32 …
    bench/peers.py linear OUTxIN …              PyTorch's matrix product, as bench/products measures ours

Each line of standard input names a measurement; each gets one line of JSON:

    generation, prompt N, batch N     {"step": …, "tokens_per_s": …}
    logits 1,2,3                      {"logits": […]} of the last token
    product f32 16                    {"step": …, "seconds": …} of one product with 16 rows

A process of its own for every program: none inherits memory or threads of another, and the package rwkv chooses its code
by environment variables when it is imported. bench/compare.py is who asks.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

READ_BEFORE = 8  # tokens a sequence has read before it is generated, as in prwkv bench


class Peer(Protocol):
    """A model that can be fed."""

    vocab: int

    def reset(self) -> None:
        """The empty state."""

    def forward(self, tokens: list[int]) -> None:
        """Feeds one sequence and waits; logits of the last token only."""

    def logits(self) -> list[float]:
        """Of the last token."""


def token_ids(vocab: int, count: int) -> list[int]:
    """A fixed scattered sequence of token ids."""
    return [(7919 * i + 11) % vocab for i in range(count)]


class Llama:
    """llama.cpp through its C interface; a context of its own for each number of sequences."""

    def __init__(self, path: str, threads: int, prompts: int) -> None:
        import llama_cpp

        self._api, self._threads, self._prompts = llama_cpp, threads, prompts
        self._silence = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self._silence, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = 0
        self._model = llama_cpp.llama_model_load_from_file(path.encode(), params)
        if not self._model:
            raise SystemExit(f"llama.cpp cannot load {path}")
        self.vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model))
        self._contexts: dict[int, Any] = {}
        self._batch = llama_cpp.llama_batch_init(max(prompts, 1024), 0, 1)
        self._position = 0

    def _context(self, sequences: int) -> Any:
        if sequences not in self._contexts:
            params = self._api.llama_context_default_params()
            params.n_seq_max = sequences
            params.n_ctx = max(4 * self._prompts, 256 * sequences)
            params.n_batch = params.n_ubatch = max(self._prompts, sequences)
            params.n_threads = params.n_threads_batch = self._threads
            context = self._api.llama_init_from_model(self._model, params)
            if not context:
                raise SystemExit("llama.cpp cannot make a context")
            self._contexts[sequences] = context
        return self._contexts[sequences]

    def _clear(self, sequences: int) -> None:
        self._api.llama_memory_clear(self._api.llama_get_memory(self._context(sequences)), True)
        self._position = 0

    def _decode(self, sequences: int, rows: list[tuple[int, int, int, bool]]) -> None:
        """Rows of (token, position, sequence, logits wanted) in one call."""
        batch = self._batch
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, wanted) in enumerate(rows):
            batch.token[i] = token
            batch.pos[i] = position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = sequence
            batch.logits[i] = wanted
        context = self._context(sequences)
        if self._api.llama_decode(context, batch) != 0:
            raise SystemExit("llama_decode failed")
        self._api.llama_synchronize(context)

    def reset(self) -> None:
        """The empty state of the single sequence."""
        self._clear(1)

    def forward(self, tokens: list[int]) -> None:
        """Feeds the single sequence."""
        last = len(tokens) - 1
        self._decode(1, [(t, self._position + i, 0, i == last) for i, t in enumerate(tokens)])
        self._position += len(tokens)

    def logits(self) -> list[float]:
        """Of the last token."""
        return self._api.llama_get_logits_ith(self._context(1), -1)[: self.vocab]

    def batch(self, sequences: int, steps: int) -> float:
        """Seconds of so many steps of one token for every sequence."""
        self._clear(sequences)
        ids = token_ids(self.vocab, READ_BEFORE + steps + sequences)

        def step(i: int) -> None:
            self._decode(sequences, [(ids[s + i], i, s, True) for s in range(sequences)])

        for i in range(READ_BEFORE):
            step(i)
        start = time.perf_counter()
        for i in range(READ_BEFORE, READ_BEFORE + steps):
            step(i)
        return time.perf_counter() - start


class RwkvPackage:
    """BlinkDL's Python package rwkv on PyTorch."""

    def __init__(self, path: str, threads: int, strategy: str, generation: str) -> None:
        os.environ |= {"RWKV_JIT_ON": "1", "RWKV_CUDA_ON": "0", "RWKV_V7_ON": str(int(generation == "7"))}
        import torch

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        from rwkv.model import RWKV

        self._model = RWKV(model=path.removesuffix(".pth"), strategy=strategy)
        self._state: Any = None
        self._logits: Any = None
        self.vocab = int(self._model.w["emb.weight"].shape[0] if hasattr(self._model, "w") else self._model.z["emb.weight"].shape[0])

    def reset(self) -> None:
        """The empty state."""
        self._state = None

    def forward(self, tokens: list[int]) -> None:
        """Feeds the sequence."""
        self._logits, self._state = self._model.forward(tokens, self._state)

    def logits(self) -> list[float]:
        """Of the last token."""
        return self._logits.float().tolist()


class Transformers:
    """RwkvForCausalLM, RWKV-4 only."""

    def __init__(self, path: str, threads: int, dtype: str) -> None:
        import torch
        import transformers

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self._torch = torch
        kind = {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
        self._model = transformers.RwkvForCausalLM.from_pretrained(path, dtype=kind).eval()
        self.vocab = self._model.config.vocab_size
        self._state: Any = None
        self._logits: Any = None

    def reset(self) -> None:
        """The empty state."""
        self._state = None

    def forward(self, tokens: list[int]) -> None:
        """Feeds the sequence."""
        ids = self._torch.tensor([tokens])
        out = self._model(input_ids=ids, state=self._state, use_cache=True, logits_to_keep=1)
        self._state, self._logits = out.state, out.logits[0, -1]

    def logits(self) -> list[float]:
        """Of the last token."""
        return self._logits.float().tolist()


class Linear:
    """y = x Wᵀ as PyTorch (oneDNN) computes it."""

    SECONDS = 0.05

    def __init__(self, shape: str, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        torch.manual_seed(0)
        self._torch = torch
        out, columns = map(int, shape.split("x"))
        self._weights = {name: torch.randn(out, columns, dtype=kind)
                         for name, kind in (("f32", torch.float32), ("bf16", torch.bfloat16))}

    def product(self, dtype: str, rows: int) -> float:
        """Seconds of one product, of as many as fit in a moment."""
        weight = self._weights[dtype]
        x = self._torch.randn(rows, weight.shape[1], dtype=weight.dtype)
        times: list[float] = []
        while sum(times) < self.SECONDS or len(times) < 3:
            start = time.perf_counter()
            self._torch.nn.functional.linear(x, weight)
            times.append(time.perf_counter() - start)
        return sorted(times)[len(times) // 2]


def generation(peer: Peer, steps: int) -> float:
    """Tokens/s of single tokens."""
    ids = token_ids(peer.vocab, READ_BEFORE + steps)
    peer.reset()
    peer.forward(ids[:READ_BEFORE])
    start = time.perf_counter()
    for token in ids[READ_BEFORE:]:
        peer.forward([token])
    return steps / (time.perf_counter() - start)


def prompt(peer: Peer, tokens: int) -> float:
    """Tokens/s of a prompt from the empty state."""
    ids = token_ids(peer.vocab, tokens)
    peer.reset()
    start = time.perf_counter()
    peer.forward(ids)
    return tokens / (time.perf_counter() - start)


def answer(peer: Any, line: str, steps: int) -> dict[str, Any]:
    """What a line asks for."""
    phase, *arguments = line.split()
    if phase == "logits":
        peer.reset()
        peer.forward([int(t) for t in arguments[0].split(",")])
        return {"logits": [float(x) for x in peer.logits()]}
    if phase == "product":
        return {"step": line, "seconds": peer.product(arguments[0], int(arguments[1]))}
    measures: dict[str, Callable[[], float]] = {
        "generation": lambda: generation(peer, steps),
        "prompt": lambda: prompt(peer, int(arguments[0])),
        "batch": lambda: int(arguments[0]) * steps / peer.batch(int(arguments[0]), steps),
    }
    return {"step": line, "tokens_per_s": measures[phase]()}


def open_peer(options: argparse.Namespace) -> Any:
    """The program that was named."""
    if options.program == "llama":
        return Llama(options.model, options.threads, options.longest_prompt)
    if options.program == "rwkv":
        return RwkvPackage(options.model, options.threads, options.strategy, options.generation)
    if options.program == "transformers":
        return Transformers(options.model, options.threads, options.dtype)
    return Linear(options.model, options.threads)


def main() -> None:
    """Answers until standard input ends. Messages of the packages go to standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("program", choices=["llama", "rwkv", "transformers", "linear"])
    add("model", help="file, folder, or OUTxIN for linear")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)))
    add("--gen-tokens", type=int, default=32)
    add("--longest-prompt", type=int, default=512)
    add("--strategy", default="cpu fp32", help="of the package rwkv")
    add("--generation", default="7", help="of the model, for the package rwkv")
    add("--dtype", default="f32", choices=["f32", "bf16"], help="for transformers")
    options = parser.parse_args()
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), 1)  # also what native code prints
    with contextlib.redirect_stdout(sys.stderr):
        peer = open_peer(options)
        print(json.dumps({"ready": Path(options.model).name}), file=out, flush=True)
        for line in sys.stdin:
            print(json.dumps(answer(peer, line.strip(), options.gen_tokens)), file=out, flush=True)


if __name__ == "__main__":
    main()
