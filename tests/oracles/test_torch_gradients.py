"""The gradient of every parameter of every generation against PyTorch's autograd.

Environment:
  PRWKV_GRADIENTS  the program that writes gradients (tests/gradients_main.cc; default tests/gradients beside PRWKV_BIN)
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the Python package torch")
pytest.importorskip("safetensors", reason="needs the Python package safetensors")

import torch_rwkv
from conftest import ROOT, TIMEOUT_S
from oracle_models import Model, make_weights, save

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
# Two layers, several heads, no two sizes alike.
RANDOM_MODELS = [
    Model("random-4", "4", seed=104, L=2, C=64, A=48, F=72, V=83),
    Model("random-4a", "4a", seed=114, L=2, C=64, F=72, V=83, tiny_dim=10),
    Model("random-5.0", "5.0", seed=150, L=2, C=64, F=72, V=83, H=4, bonus="time_first"),
    Model("random-5.1", "5.1", seed=151, L=2, C=64, F=72, V=83, H=4),
    Model("random-5.1-first", "5.1", seed=152, L=2, C=64, F=72, V=83, H=4, bonus="time_first"),
    Model("random-5.2", "5.2", seed=153, L=2, C=64, F=72, V=83, H=4),
    Model("random-6", "6", seed=160, L=2, C=64, F=72, V=83, H=4, ranks=(5, 9)),
    Model("random-7", "7", seed=170, L=2, C=64, F=72, V=83, H=4, ranks=(8, 7, 5, 11)),
]
GOLDEN_NAMES = [path.stem for path in sorted(GOLDEN.glob("*.safetensors"))]
NAMES = GOLDEN_NAMES + [m.name for m in RANDOM_MODELS]
SEQUENCES, TOKENS = 3, 45  # more tokens than the backward passes take at a time

# Two programs that add in different orders. Measured: 7e-15 of the spread of the logits, 4e-16 of the loss, 4e-14 of the
# largest element of a gradient.
F64_LOGITS, F64_LOSS, F64_GRADIENTS = 1e-13, 1e-14, 1e-12
# float32 beside float64. Measured: 1e-7 of the loss, 1e-5 of the norm of a gradient.
F32_LOSS, F32_GRADIENTS = 1e-6, 1e-4


@dataclass(frozen=True)
class Case:
    """A model with sequences to learn from; ids (SEQUENCES, TOKENS + 1)."""

    generation: str
    path: Path
    params: dict[str, torch.Tensor]
    ids: torch.Tensor

    def loss(self, l2wrap: bool = False) -> torch.Tensor:
        """Of each token after the first."""
        return torch_rwkv.loss(
            self.params, self.generation, self.ids[:, :-1], self.ids[:, 1:], l2wrap
        )

    def gradients(self, of: torch.Tensor) -> dict[str, torch.Tensor]:
        """By autograd; without tensors of the file that the model does not use."""
        found = torch.autograd.grad(of, list(self.params.values()), allow_unused=True)
        by_name = zip(self.params, found, strict=True)
        return {name: g for name, g in by_name if g is not None}


@pytest.fixture(scope="module", params=NAMES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """One golden or random model."""
    path = GOLDEN / f"{request.param}.safetensors"
    if path.is_file():
        generation = json.loads(path.with_suffix(".json").read_bytes())["generation"]
    else:
        [m] = [m for m in RANDOM_MODELS if m.name == request.param]
        path = tmp_path_factory.mktemp("random") / f"{m.name}.safetensors"
        save(make_weights(m), path)
        generation = m.generation
    params = {name: tensor.requires_grad_() for name, tensor in torch_rwkv.load(path).items()}
    vocab = len(params["emb.weight"])
    ids = np.random.default_rng(vocab).integers(0, vocab, (SEQUENCES, TOKENS + 1))
    return Case(generation, path, params, torch.tensor(ids))


@pytest.fixture(scope="session")
def program() -> Path:
    """The program that writes gradients."""
    beside = Path(os.environ.get("PRWKV_BIN", ROOT / "build/release/prwkv")).parent
    path = Path(os.environ.get("PRWKV_GRADIENTS", beside / "tests/gradients"))
    if not path.is_file():
        pytest.skip(f"no program at {path}: build it or set PRWKV_GRADIENTS")
    return path


def gradients_of(
    program: Path, model: Path, ids: torch.Tensor, folder: Path, *options: str
) -> dict[str, torch.Tensor]:
    """What the program writes, in float64; "loss" is among it."""
    samples, out = folder / "ids.json", folder / "gradients.safetensors"
    samples.write_text(json.dumps(ids.tolist()))
    command = [str(program), str(model), str(samples), str(out), *options]
    done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return torch_rwkv.load(out)


def assert_same_gradients(got: dict, expected: dict, tolerance: float, norm: float) -> None:
    """Name by name, the distance in `norm` at most `tolerance` of the expected gradient's."""
    assert set(got) == set(expected)
    shares = {}
    for name, g in expected.items():
        assert got[name].shape == g.shape, name
        size = torch.linalg.vector_norm(g, norm)
        assert size > 0, f"{name} does not matter: the test proves nothing about it"
        shares[name] = float(torch.linalg.vector_norm(got[name] - g, norm) / size)
    worst = max(shares, key=shares.__getitem__)
    print(f"largest difference {shares[worst]:.2g} of the norm: {worst}")
    assert shares[worst] <= tolerance, f"{worst}: {shares[worst]:.3g} of the norm"


# ---- the oracle itself


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_transcription_gives_the_golden_logits(name: str) -> None:
    """Two transcriptions of the same equations."""
    golden = json.loads((GOLDEN / f"{name}.json").read_bytes())
    logits, _ = torch_rwkv.forward(
        torch_rwkv.load(GOLDEN / f"{name}.safetensors"),
        golden["generation"],
        torch.tensor([golden["tokens"]]),
        group_norm_eps=golden["groupnorm_eps"],
    )
    expected = torch.tensor(golden["logits"], dtype=torch.float64)
    assert float((logits[0] - expected).abs().max()) <= F64_LOGITS * float(expected.std())


def test_pieces_give_the_gradient_of_the_whole(case: Case) -> None:
    """The state carries the gradient from one piece to the one before."""
    logits, state = [], None
    for ids in case.ids[:, :-1].split([7, 1, TOKENS - 8], dim=1):
        piece, state = torch_rwkv.forward(case.params, case.generation, ids, state)
        logits.append(piece)
    in_pieces = torch_rwkv.cross_entropy(torch.cat(logits, dim=1), case.ids[:, 1:])
    assert_same_gradients(
        case.gradients(in_pieces), case.gradients(case.loss()), F64_GRADIENTS, torch.inf
    )


def test_l2wrap_adds_the_largest_logit_and_leaves_the_loss() -> None:
    """Against the gradient spelled out, under a loss that is scaled and has a row without a target."""
    rows = [[3.0, -1.0, 2.0], [0.5, -4.0, 0.0], [1.0, 2.0, 8.0]]
    logits = torch.tensor([rows], requires_grad=True)
    targets = torch.tensor([[2, 0, torch_rwkv.IGNORED]])
    plain = torch_rwkv.cross_entropy(logits, targets)
    wrapped = torch_rwkv.cross_entropy(logits, targets, l2wrap=True)
    assert wrapped.item() == plain.item()
    [without] = torch.autograd.grad(8 * plain, logits)
    [with_it] = torch.autograd.grad(8 * wrapped, logits)
    extra = torch.tensor([[[3.0, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0]]]) * (8 * 1e-4 / 2)
    torch.testing.assert_close(with_it - without, extra, rtol=0, atol=1e-7)


# ---- the engine


@pytest.mark.parametrize("l2wrap", [False, True])
def test_reference_gradients(program: Path, case: Case, tmp_path: Path, l2wrap: bool) -> None:
    """In float64 on the reference backend."""
    factor = str(torch_rwkv.L2WRAP if l2wrap else 0)
    got = gradients_of(program, case.path, case.ids, tmp_path, "f64", factor)
    loss = case.loss(l2wrap)
    assert float(got.pop("loss")) == pytest.approx(loss.item(), rel=F64_LOSS)
    assert_same_gradients(got, case.gradients(loss), F64_GRADIENTS, torch.inf)


def test_cpu_gradients(program: Path, case: Case, tmp_path: Path) -> None:
    """In float32 on the CPU backend."""
    got = gradients_of(program, case.path, case.ids, tmp_path, "f32")
    loss = case.loss()
    assert float(got.pop("loss")) == pytest.approx(loss.item(), rel=F32_LOSS)
    assert_same_gradients(got, case.gradients(loss), F32_GRADIENTS, 2)


@pytest.mark.parametrize("seed", [1, 2])
def test_rwkv4_gradients_of_transformers(program: Path, tmp_path: Path, seed: int) -> None:
    """In float32 beside RwkvForCausalLM, which computes without kernels here."""
    pytest.importorskip("transformers", reason="needs the Python package transformers")
    from test_rwkv4_transformers import hf_name, rwkv_for_causal_lm

    m = Model("transformers-4", "4", seed=seed, L=3, C=64, F=256, V=97)
    weights = save(make_weights(m), tmp_path / "model.safetensors")
    ids = torch.tensor(np.random.default_rng(seed).integers(0, m.V, (SEQUENCES, TOKENS + 1)))
    model = rwkv_for_causal_lm(m, weights)
    loss = torch_rwkv.cross_entropy(model(ids[:, :-1]).logits, ids[:, 1:])
    loss.backward()
    theirs = dict(model.named_parameters())
    expected = {name: theirs[hf_name(name)].grad.double() for name in weights}
    got = gradients_of(program, tmp_path / "model.safetensors", ids, tmp_path, "f32")
    assert float(got.pop("loss")) == pytest.approx(loss.item(), rel=F32_LOSS)
    assert_same_gradients(got, expected, F32_GRADIENTS, 2)
