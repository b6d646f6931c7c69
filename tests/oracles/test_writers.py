"""Files that prwkv writes, read by the programs they are meant for."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

safetensors = pytest.importorskip("safetensors.numpy", reason="needs the Python package safetensors")

from conftest import Prwkv

GENERATIONS = ["4", "4a", "5.0", "5.1", "5.2", "6", "7"]
GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TOKENS = [1, 5, 250, 0, 17, 99, 3, 3, 128, 77, 200]


def convert(prwkv: Prwkv, source: Path, target: Path, *options: str) -> Path:
    """Runs `prwkv convert`; a target without extension becomes a folder."""
    out = f"{target}/" if target.suffix == "" else str(target)
    done = prwkv.run("convert", source, out, "-q", *options)
    assert done.returncode == 0, done.stderr.decode()
    return target


def make_model(prwkv: Prwkv, path: Path, shape: str, dtype: str = "f32") -> Path:
    """A random model."""
    done = prwkv.run("make-random", shape, path, "--dtype", dtype, "-q")
    assert done.returncode == 0, done.stderr.decode()
    return path


def exact_logits(prwkv: Prwkv, model: Path) -> np.ndarray:
    """Logits of TOKENS in double precision, (T, V)."""
    ids = ",".join(map(str, TOKENS))
    return np.array(prwkv.json("logits", model, "--tokens", ids, "--all", "--backend", "ref", "--dtype", "f64")["logits"])


def worst(expected: np.ndarray, found: np.ndarray) -> float:
    """The largest difference as a share of the spread."""
    return float(np.abs(expected - found).max() / (expected.max() - expected.min()))


@pytest.mark.parametrize("generation", GENERATIONS)
def test_safetensors(prwkv: Prwkv, tmp_path: Path, generation: str) -> None:
    """PyPI's safetensors reads the same values that were in the file before."""
    source = GOLDEN / f"rwkv{generation}.safetensors"
    copy = convert(prwkv, source, tmp_path / "m.safetensors")
    before, after = safetensors.load_file(source), safetensors.load_file(copy)
    assert before.keys() == after.keys()
    for name, values in before.items():
        assert values.dtype == after[name].dtype
        np.testing.assert_array_equal(values.ravel(), after[name].ravel(), err_msg=name)


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_pth(prwkv: Prwkv, tmp_path: Path, generation: str, dtype: str, mmap: bool) -> None:
    """torch.load reads the weights, with nothing but weights allowed, from memory and mapped."""
    torch = pytest.importorskip("torch", reason="needs the Python package torch")
    source = GOLDEN / f"rwkv{generation}.safetensors"
    copy = convert(prwkv, source, tmp_path / "m.pth", "--dtype", dtype)
    types = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
    state = torch.load(copy, weights_only=True, mmap=mmap)
    before = safetensors.load_file(source)
    assert before.keys() == state.keys()
    for name, values in before.items():
        assert state[name].dtype == types[dtype]
        expected = torch.from_numpy(values).to(types[dtype])
        assert torch.equal(state[name].flatten(), expected.flatten()), name
    # Saved again by PyTorch it is still the same model.
    torch.save(state, tmp_path / "again.pth")
    assert prwkv.json("diff", copy, tmp_path / "again.pth")["same"]


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_hugging_face_folder(prwkv: Prwkv, tmp_path: Path, dtype: str) -> None:
    """transformers loads RWKV-4 from the folder and computes its logits."""
    torch = pytest.importorskip("torch", reason="needs the Python package torch")
    transformers = pytest.importorskip("transformers", reason="needs the Python package transformers")
    source = make_model(prwkv, tmp_path / "m.safetensors", "rwkv4:L3,C64,V256", dtype)
    folder = convert(prwkv, source, tmp_path / "hf")
    model = transformers.RwkvForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    assert model.config.num_hidden_layers == 3
    with torch.no_grad():
        found = model(torch.tensor([TOKENS]), use_cache=False).logits[0].double().numpy()
    assert worst(exact_logits(prwkv, source), found) < 1e-5
    np.testing.assert_array_equal(exact_logits(prwkv, folder), exact_logits(prwkv, source))


def test_hugging_face_tokenizer(prwkv: Prwkv, tmp_path: Path) -> None:
    """A folder of a Pile model has the tokenizer that AutoTokenizer wants."""
    transformers = pytest.importorskip("transformers", reason="needs the Python package transformers")
    source = make_model(prwkv, tmp_path / "m.safetensors", "rwkv4:L1,C32,V50277")
    folder = convert(prwkv, source, tmp_path / "hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    text = "Hello world, déjà vu\n\n    indented"
    ours = prwkv.json("tokenize", "--vocab", "neox", text)["ids"]
    assert tokenizer.encode(text, add_special_tokens=False) == ours


@pytest.mark.parametrize("generation", ["6", "7"])
@pytest.mark.parametrize("dtype", ["f32", "f16", "q4_0", "q5_k", "iq4_xs"])
def test_gguf(prwkv: Prwkv, tmp_path: Path, generation: str, dtype: str) -> None:
    """PyPI's gguf reads metadata and tensors; its decoder gives the values that ours gives."""
    gguf = pytest.importorskip("gguf", reason="needs the Python package gguf")
    source = make_model(prwkv, tmp_path / "m.safetensors", f"rwkv{generation}:L2,C256,V256,N64")
    copy = convert(prwkv, source, tmp_path / "m.gguf", "--dtype", dtype)
    plain = safetensors.load_file(convert(prwkv, copy, tmp_path / "p.safetensors", "--dtype", "f32"))
    reader = gguf.GGUFReader(copy)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    arch = f"rwkv{generation}"
    assert fields["general.architecture"] == arch
    assert [fields[f"{arch}.{k}"] for k in ["embedding_length", "block_count", "wkv.head_size", "vocab_size"]] == [256, 2, 64, 256]
    tensors = {t.name: t for t in reader.tensors}
    assert {t.name for t in reader.tensors if t.tensor_type.name.lower() == dtype} >= {"token_embd.weight"}
    for ours, theirs in {"emb.weight": "token_embd.weight", "blocks.1.ffn.value.weight": "blk.1.channel_mix_value.weight",
                         "ln_out.bias": "output_norm.bias"}.items():
        t = tensors[theirs]
        values = gguf.quants.dequantize(t.data, t.tensor_type)
        np.testing.assert_array_equal(values.reshape(plain[ours].shape), plain[ours])


def test_vocabulary_of_a_world_model(prwkv: Prwkv, tmp_path: Path) -> None:
    """All tokens are as llama.cpp's converter writes them: Python's own repr is the rule."""
    gguf = pytest.importorskip("gguf", reason="needs the Python package gguf")
    source = make_model(prwkv, tmp_path / "m.safetensors", "rwkv7:L1,C64,V65536", "f16")
    reader = gguf.GGUFReader(convert(prwkv, source, tmp_path / "m.gguf"))
    fields = {name: field.contents() for name, field in reader.fields.items() if name.startswith("tokenizer.")}
    folder = convert(prwkv, source, tmp_path / "hf")
    expected = ["<s>"]
    for line in (folder / "rwkv_vocab_v20230424.txt").read_text().splitlines():
        token = ast.literal_eval(line[line.index(" ") : line.rindex(" ")].strip())
        expected.append(repr(token.encode() if isinstance(token, str) else token)[2:-1])
    expected += [f"[PAD{i}]" for i in range(len(expected), 65536)]
    assert fields["tokenizer.ggml.tokens"] == expected
    assert fields["tokenizer.ggml.token_type"] == [3] + [1] * 65529 + [5] * 6
    assert [fields[f"tokenizer.ggml.{key}"] for key in ["model", "bos_token_id", "eos_token_id", "eot_token_id"]] == ["rwkv", 0, 0, 261]


@pytest.mark.parametrize("generation", ["6", "7"])
def test_llama_cpp_generates_the_same(prwkv: Prwkv, tmp_path: Path, generation: str) -> None:
    """llama.cpp loads a GGUF with its vocabulary: the same tokens, logits and greedy text."""
    from llama import Llama

    source = make_model(prwkv, tmp_path / "m.safetensors", f"rwkv{generation}:L3,C128,V65536,N64", "f16")
    copy = convert(prwkv, source, tmp_path / "m.gguf")
    text = "Hello, \"world\"! It's 世界\n\n\tEnd\\ 🙂"
    ids = prwkv.json("tokenize", "--vocab", "world", text)["ids"]
    with Llama(copy) as model:
        assert model.n_vocab == 65536
        assert model.tokenize(text.encode()) == ids
        assert b"".join(map(model.piece, ids)) == text.encode()
        ours = prwkv.logits(copy, ids, "parallel", "cpu")
        assert worst(ours, model.logits(ids)) < 2e-3  # f16: llama.cpp rounds activations to the type of the weights
        chosen = model.greedy(ids, 12)
    done = prwkv.json("generate", copy, "-p", text, "-n", "12", "--temperature", "0", "--ignore-eot")
    assert done["ids"] == chosen


def test_llama_cpp_knows_the_neox_vocabulary(prwkv: Prwkv, tmp_path: Path) -> None:
    """RWKV-7 models of the Pile: byte-pair encoding with merges."""
    from llama import Llama

    source = make_model(prwkv, tmp_path / "m.safetensors", "rwkv7:L2,C64,V50304", "f16")
    copy = convert(prwkv, source, tmp_path / "m.gguf")
    text = "Hello world, it's déjà vu!\n\nOne more line of 123 words."
    ids = prwkv.json("tokenize", "--vocab", "neox", text)["ids"]
    with Llama(copy) as model:
        assert model.n_vocab == 50304
        assert model.tokenize(text.encode()) == ids


# Names of llama.cpp's file types and their numbers.
FILE_TYPES = {"q4_0": 2, "q4_1": 3, "q8_0": 7, "q5_0": 8, "q5_1": 9, "q2_k": 10, "q3_k_s": 11, "q3_k_m": 12, "q4_k_s": 14,
              "q4_k_m": 15, "q5_k_s": 16, "q5_k_m": 17, "q6_k": 18, "iq4_nl": 25, "iq4_xs": 30}


@pytest.mark.parametrize("width", [256, 512])
@pytest.mark.parametrize("generation", ["6", "7"])
@pytest.mark.parametrize("name", FILE_TYPES)
def test_llama_cpp_quantizer(prwkv: Prwkv, tmp_path: Path, generation: str, width: int, name: str) -> None:
    """Files of llama.cpp's quantizer load here and are the same model: exactly as an f32 copy of them, which
    llama.cpp in turn computes like us; and as llama.cpp computes them, but that it rounds activations to 8 bits."""
    from llama import Llama, quantize

    source = make_model(prwkv, tmp_path / "m.safetensors", f"rwkv{generation}:L2,C{width},V256,N64")
    plain = convert(prwkv, source, tmp_path / "m.gguf")
    small = tmp_path / "small.gguf"
    quantize(plain, small, FILE_TYPES[name])
    assert name[:4].rstrip("_") in " ".join(prwkv.json("inspect", small)["dtypes"])
    ours = exact_logits(prwkv, small)
    copy = convert(prwkv, small, tmp_path / "copy.gguf", "--dtype", "f32")
    np.testing.assert_array_equal(exact_logits(prwkv, copy), ours)
    with Llama(copy) as model:
        assert worst(ours, model.logits(TOKENS)) < 2e-5
    with Llama(small) as model:
        assert worst(ours, model.logits(TOKENS)) < 0.05
