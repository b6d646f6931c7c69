"""GGUF files written with PyPI's gguf by a script of its own, against llama.cpp."""

from __future__ import annotations

import ctypes
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

gguf = pytest.importorskip("gguf", reason="needs the Python package gguf")
pytest.importorskip("llama_cpp", reason="needs the Python package llama-cpp-python")
pytest.importorskip("torch", reason="needs the Python package torch")

from conftest import Prwkv
from oracle_models import Model, forward, make_weights, random_tokens

RWKV6 = Model("gguf6", "6", seed=16, L=4, C=128, F=224, V=160, H=2, ranks=(32, 64))
RWKV7 = Model("gguf7", "7", seed=17, L=4, C=128, F=256, V=160, H=2, ranks=(32, 32, 32, 64))
RESCALE_EVERY = 2

# Largest |difference| of a logit, as a share of the spread. Of matrices in f16 llama.cpp rounds the
# activations to f16 as well, where prwkv computes in f32: measured 5e-4 to 2e-3.
TOLERANCE = {"f32": 1e-4, "f16": 1e-2}

Weights = dict[str, np.ndarray]

TOP = {
    "emb.weight": "token_embd.weight",
    "blocks.0.ln0.weight": "token_embd_norm.weight",
    "blocks.0.ln0.bias": "token_embd_norm.bias",
    "ln_out.weight": "output_norm.weight",
    "ln_out.bias": "output_norm.bias",
    "head.weight": "output.weight",
}
BLOCK = {
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
BLOCK_6 = BLOCK | {
    "att.gate.weight": "time_mix_gate.weight",
    "att.time_faaaa": "time_mix_first.weight",
    "ffn.receptance.weight": "channel_mix_receptance.weight",
}
VECTORS_6 = {
    "att.time_maa_x": "time_mix_lerp_x.weight",
    "att.time_decay": "time_mix_decay.weight",
    "ffn.time_maa_k": "channel_mix_lerp_k.weight",
    "ffn.time_maa_r": "channel_mix_lerp_r.weight",
}
TRANSPOSED_6 = {
    "att.time_maa_w1": "time_mix_w1.weight",
    "att.time_maa_w2": "time_mix_w2.weight",
    "att.time_decay_w1": "time_mix_decay_w1.weight",
    "att.time_decay_w2": "time_mix_decay_w2.weight",
}
VECTORS_7 = {
    **{f"att.{v}": f"time_mix_{v}.weight" for v in ("w0", "a0", "v0", "k_k", "k_a", "r_k")},
    "ffn.x_k": "channel_mix_lerp_k.weight",
}
TRANSPOSED_7 = {
    f"att.{p}": f"time_mix_{p}.weight" for p in ("w1", "w2", "a1", "a2", "v1", "v2", "g1", "g2")
}


def common_keys(m: Model, writer: gguf.GGUFWriter) -> None:
    """Metadata that llama.cpp wants from both generations."""
    writer.add_context_length(1048576)
    writer.add_embedding_length(m.C)
    writer.add_block_count(m.L)
    writer.add_feed_forward_length(m.F)
    writer.add_head_count(0)
    writer.add_layer_norm_eps(1e-5)
    writer.add_wkv_head_size(m.head_size)
    writer.add_vocab_size(m.V)
    writer.add_tokenizer_model("no_vocab")


def add_tensors(m: Model, w: Weights, writer: gguf.GGUFWriter, matrix: type, fused: bool) -> None:
    """All tensors; vectors and low-rank parts in float32."""
    six = m.generation == "6"
    names, vectors, transposed = (
        (BLOCK_6, VECTORS_6, TRANSPOSED_6) if six else (BLOCK, VECTORS_7, TRANSPOSED_7)
    )
    mixes = [f"att.time_maa_{q}" for q in "wkvrg"] if six else [f"att.x_{q}" for q in "rwkvag"]

    def add(name: str, value: np.ndarray, dtype: type = np.float32) -> None:
        writer.add_tensor(name, np.ascontiguousarray(value, dtype))

    for ours, theirs in TOP.items():
        add(theirs, w[ours], matrix if w[ours].ndim == 2 else np.float32)
    for layer in range(m.L):
        target = f"blk.{layer}."

        def ours_of(name: str, layer: int = layer) -> np.ndarray:
            """Layer 0 of RWKV-7 has copies of a0, a1, a2 in place of v0, v1, v2."""
            if layer == 0 and name in ("att.v0", "att.v1", "att.v2"):
                name = name.replace("att.v", "att.a")
            return w[f"blocks.{layer}.{name}"]

        for ours, theirs in names.items():
            value = ours_of(ours)
            if six and ours in ("att.output.weight", "ffn.value.weight"):
                value = value / 2 ** (layer // RESCALE_EVERY)
            is_matrix = value.ndim == 2 and ours != "att.time_faaaa"
            add(target + theirs, value, matrix if is_matrix else np.float32)
        for ours, theirs in vectors.items():
            add(target + theirs, ours_of(ours).reshape(-1))
        for ours, theirs in transposed.items():
            add(target + theirs, np.swapaxes(ours_of(ours), -1, -2))
        lerps = [ours_of(name).reshape(1, 1, m.C) for name in mixes]
        if fused:
            add(target + "time_mix_lerp_fused.weight", np.stack(lerps))
        else:
            for q, lerp in zip("wkvrg", lerps, strict=True):
                add(f"{target}time_mix_lerp_{q}.weight", lerp)


def write_gguf(m: Model, w: Weights, path: Path, matrix: type, *, fused: bool = True) -> None:
    """A file as llama.cpp's conversion scripts would write it, without a vocabulary."""
    writer = gguf.GGUFWriter(path, f"rwkv{m.generation}")
    common_keys(m, writer)
    if m.generation == "6":
        writer.add_rescale_every_n_layers(RESCALE_EVERY)
        writer.add_time_mix_extra_dim(m.ranks[0])
        writer.add_time_decay_extra_dim(m.ranks[1])
    else:
        w_rank, a_rank, v_rank, g_rank = m.ranks
        writer.add_decay_lora_rank(w_rank)
        writer.add_iclr_lora_rank(a_rank)
        writer.add_value_residual_mix_lora_rank(v_rank)
        writer.add_gate_lora_rank(g_rank)
    add_tensors(m, w, writer, matrix, fused)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llama_logits(path: str, tokens: list[int]) -> np.ndarray:
    """Logits of all positions, (T, V)."""
    import llama_cpp

    silence = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(silence, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(
        path.encode(), llama_cpp.llama_model_default_params()
    )
    assert model, f"llama.cpp cannot load {path}"
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = 128
    params.n_threads = params.n_threads_batch = 2
    context = llama_cpp.llama_init_from_model(model, params)
    vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for i, token in enumerate(tokens):
        batch.token[i], batch.pos[i], batch.logits[i] = token, i, True
        batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
    assert llama_cpp.llama_decode(context, batch) == 0
    rows = [llama_cpp.llama_get_logits_ith(context, i) for i in range(len(tokens))]
    return np.array([np.ctypeslib.as_array(row, (vocab,)).copy() for row in rows])


def in_process(path: Path, tokens: list[int]) -> np.ndarray:
    """llama.cpp in a process of its own: it ends the process when something is wrong."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(llama_logits, str(path), tokens).result()


def share(got: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference as a share of the spread."""
    assert got.shape == expected.shape
    return float(np.abs(got - expected).max() / expected.std())


@pytest.mark.parametrize("dtype", ["f32", "f16"])
@pytest.mark.parametrize("m", [RWKV6, RWKV7], ids=lambda m: m.name)
def test_logits_of_llama_cpp(prwkv: Prwkv, tmp_path: Path, m: Model, dtype: str) -> None:
    """One GGUF file, two programs."""
    path = tmp_path / "model.gguf"
    write_gguf(m, make_weights(m), path, {"f32": np.float32, "f16": np.float16}[dtype])
    tokens = random_tokens(m.V, 40, seed=1)
    ours = prwkv.logits(path, tokens, "rnn", "cpu")
    difference = share(ours, in_process(path, tokens))
    print(f"largest difference {difference:.2g} of the spread")
    assert difference <= TOLERANCE[dtype]


@pytest.mark.parametrize(
    ("m", "fused"), [(RWKV6, True), (RWKV6, False), (RWKV7, True)], ids=["6", "6-older", "7"]
)
def test_logits_of_the_definition(prwkv: Prwkv, tmp_path: Path, m: Model, fused: bool) -> None:
    """The file is the model that it was made from."""
    weights = make_weights(m)
    path = tmp_path / "model.gguf"
    write_gguf(m, weights, path, np.float32, fused=fused)
    tokens = random_tokens(m.V, 40, seed=2)
    expected = np.array(forward(weights, m.generation, tokens))
    assert share(prwkv.logits(path, tokens, "rnn", "ref"), expected) <= TOLERANCE["f32"]
