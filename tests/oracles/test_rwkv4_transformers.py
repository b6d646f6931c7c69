"""RWKV-4 against RwkvForCausalLM of transformers, from three kinds of checkpoint files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the Python package torch")
transformers = pytest.importorskip("transformers", reason="needs the Python package transformers")
pytest.importorskip("safetensors", reason="needs the Python package safetensors")

from conftest import Prwkv
from oracle_models import Model, assert_close, forward, make_weights, random_tokens, save

SEEDS = [1, 2, 3]
FILES = {
    "f32.safetensors": torch.float32,
    "f32.pth": torch.float32,
    "bf16.pth": torch.bfloat16,
}


@dataclass(frozen=True)
class Case:
    """A checkpoint with the logits that transformers computes from it."""

    path: Path
    weights: dict[str, np.ndarray]
    tokens: list[int]
    expected: np.ndarray


def hf_name(name: str) -> str:
    """The name of a BlinkDL tensor in RwkvForCausalLM."""
    if name.startswith("head."):
        return name
    for ours, theirs in (
        ("emb.", "embeddings."),
        ("blocks.0.ln0.", "blocks.0.pre_ln."),
        (".att.", ".attention."),
        (".ffn.", ".feed_forward."),
    ):
        name = name.replace(ours, theirs)
    stem, _, mix = name.rpartition("time_mix_")
    if stem:
        name = stem + "time_mix_" + {"k": "key", "v": "value", "r": "receptance"}[mix]
    return "rwkv." + name


def rwkv_for_causal_lm(m: Model, weights: dict[str, np.ndarray], layer_norm_epsilon: float = 1e-5) -> torch.nn.Module:
    """The model of transformers; rescale_every=0 because x/2 is not neutral to the LayerNorm eps."""
    config = transformers.RwkvConfig(
        vocab_size=m.V,
        hidden_size=m.C,
        num_hidden_layers=m.L,
        attention_hidden_size=m.att,
        intermediate_size=m.F,
        layer_norm_epsilon=layer_norm_epsilon,
        rescale_every=0,
        use_cache=False,
    )
    model = transformers.RwkvForCausalLM(config).eval()
    model.load_state_dict({hf_name(name): torch.from_numpy(w) for name, w in weights.items()})
    return model


def transformers_logits(m: Model, weights: dict[str, np.ndarray], tokens: list[int]) -> np.ndarray:
    """Logits of all positions."""
    model = rwkv_for_causal_lm(m, weights)
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits[0].double().numpy()


@pytest.fixture(
    scope="module",
    params=[(seed, file) for seed in SEEDS for file in FILES],
    ids=lambda p: f"seed{p[0]}-{p[1]}",
)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """One random model in one kind of file."""
    seed, file = request.param
    m = Model("oracle4", "4", seed=seed, L=4, C=64, F=256, V=97 + seed)
    path = tmp_path_factory.mktemp("rwkv4") / file
    weights = save(make_weights(m), path, FILES[file])
    tokens = random_tokens(m.V, 70, seed)
    return Case(path, weights, tokens, transformers_logits(m, weights, tokens))


def test_golden_transcription_agrees(case: Case) -> None:
    """The double-precision definition behind the golden files is the same model."""
    assert_close(forward(case.weights, "4", case.tokens), case.expected)


@pytest.mark.parametrize("mode", ["rnn", "parallel"])
@pytest.mark.parametrize("backend", ["ref", "cpu"])
def test_logits(prwkv: Prwkv, case: Case, mode: str, backend: str) -> None:
    """The command line computes the logits of transformers."""
    assert_close(prwkv.logits(case.path, case.tokens, mode, backend), case.expected)
