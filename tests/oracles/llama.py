"""llama.cpp through llama-cpp-python's C interface: logits, tokens, greedy text, its quantizer."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

llama_cpp = pytest.importorskip("llama_cpp", reason="needs the Python package llama-cpp-python")

_silence = llama_cpp.llama_log_callback(lambda *_: None)
llama_cpp.llama_log_set(_silence, ctypes.c_void_p(0))
llama_cpp.llama_backend_init()

MAX_TOKENS = 256


class Llama:
    """A model on the CPU with a context of its own."""

    def __init__(self, path: Path) -> None:
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = 0
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        assert self._model, f"llama.cpp cannot load {path}"
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(self._vocab)

    def __enter__(self) -> Llama:
        return self

    def __exit__(self, *_: object) -> None:
        llama_cpp.llama_model_free(self._model)

    def logits(self, tokens: list[int]) -> np.ndarray:
        """Logits after every token, shape (T, V)."""
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = MAX_TOKENS
        params.n_threads = params.n_threads_batch = 2
        context = llama_cpp.llama_init_from_model(self._model, params)
        assert context, "llama.cpp cannot make a context"
        batch = llama_cpp.llama_batch_init(MAX_TOKENS, 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i] = token
            batch.pos[i] = i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = 1
        assert llama_cpp.llama_decode(context, batch) == 0
        rows = [np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, i), (self.n_vocab,)).copy()
                for i in range(len(tokens))]
        llama_cpp.llama_batch_free(batch)
        llama_cpp.llama_free(context)
        return np.array(rows, np.float64)

    def tokenize(self, text: bytes) -> list[int]:
        """Token ids without anything added."""
        ids = (llama_cpp.llama_token * (len(text) + 8))()
        count = llama_cpp.llama_tokenize(self._vocab, text, len(text), ids, len(ids), False, False)
        assert count >= 0
        return list(ids[:count])

    def piece(self, token: int) -> bytes:
        """The bytes of a token."""
        buffer = ctypes.create_string_buffer(512)
        count = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
        assert count >= 0
        return buffer.raw[:count]

    def greedy(self, prompt: list[int], count: int) -> list[int]:
        """The most likely token, `count` times."""
        tokens = list(prompt)
        for _ in range(count):
            tokens.append(int(self.logits(tokens)[-1].argmax()))
        return tokens[len(prompt):]


def quantize(source: Path, target: Path, ftype: int) -> None:
    """Runs llama.cpp's quantizer."""
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = ftype
    params.nthread = 2
    result = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))
    assert result == 0, f"llama_model_quantize failed with {result}"
