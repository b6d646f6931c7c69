"""Files of other programs: GGUF as gguf-py writes it, models in parts as Hugging Face stores them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

gguf = pytest.importorskip("gguf", reason="needs the Python package gguf")

from conftest import Prwkv

Types = gguf.GGMLQuantizationType
ROWS, COLUMNS = 3, 512
# What gguf-py can make itself; the other block types are filled with arbitrary bytes.
QUANTIZED = [Types.Q4_0, Types.Q4_1, Types.Q5_0, Types.Q5_1, Types.Q8_0, Types.BF16]
RAW = [Types.Q2_K, Types.Q3_K, Types.Q4_K, Types.Q5_K, Types.Q6_K, Types.IQ4_NL, Types.IQ4_XS]
PLAIN = [np.float64, np.float32, np.float16, np.int64, np.int32, np.int16, np.int8]


def write_gguf(path: Path, alignment: int | None = None) -> dict[str, tuple[str, list[int], int]]:
    """A file with every type and kind of value; returns name → (dtype, shape, bytes)."""
    rng = np.random.default_rng(4)
    writer = gguf.GGUFWriter(path, "rwkv7")
    if alignment is not None:
        writer.add_custom_alignment(alignment)
    writer.add_uint32("a.u32", 2**32 - 1)
    writer.add_int64("a.i64", -(2**63))
    writer.add_float64("a.f64", -0.1)
    writer.add_bool("a.bool", True)
    writer.add_string("a.text", "ünï\n")
    writer.add_array("tokenizer.ggml.tokens", ["<s>", "\\n", ""])
    writer.add_array("tokenizer.ggml.token_type", [3, 1, 5])
    expected = {}

    def add(name: str, data: np.ndarray, dtype: str, shape: list[int], raw=None) -> None:
        writer.add_tensor(name, data, raw_dtype=raw)
        expected[name] = (dtype, shape, data.nbytes)

    values = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    for plain in PLAIN:
        data = (100 * values).astype(plain)[:, :5]  # rows that no alignment fits
        kind = np.dtype(plain).kind + str(8 * np.dtype(plain).itemsize)
        add(f"plain.{kind}", np.ascontiguousarray(data), kind, [ROWS, 5])
    for t in QUANTIZED:
        blocks = gguf.quants.quantize(values, t)
        add(f"blocks.{t.name}", blocks, t.name.lower(), [ROWS, COLUMNS], t)
    for t in RAW:
        size, bytes_each = gguf.GGML_QUANT_SIZES[t]
        data = rng.integers(0, 256, (ROWS, COLUMNS // size * bytes_each), dtype=np.uint8)
        add(f"blocks.{t.name}", data, t.name.lower(), [ROWS, COLUMNS], t)
    add("vector", values[0], "f32", [COLUMNS])
    add("rank4", values.reshape(2, 3, 4, -1), "f32", [2, 3, 4, 64])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return expected


@pytest.mark.parametrize("alignment", [None, 8, 4096])
def test_gguf_of_gguf_py(prwkv: Prwkv, tmp_path: Path, alignment: int | None) -> None:
    """Every type, with the names, sizes and metadata that were written."""
    path = tmp_path / "model.gguf"
    expected = write_gguf(path, alignment)
    report = prwkv.json("inspect", path)
    assert report["format"] == "gguf"
    found = {t["name"]: (t["dtype"], t["shape"], t["bytes"]) for t in report["tensors"]}
    assert found == expected
    metadata = report["metadata"]
    assert metadata["a.u32"] == "4294967295"
    assert metadata["a.i64"] == "-9223372036854775808"
    assert metadata["a.f64"] == "-0.1"
    assert metadata["a.bool"] == "true"
    assert metadata["a.text"] == "ünï\n"


def test_gguf_values(prwkv: Prwkv, tmp_path: Path) -> None:
    """The bytes of a tensor that is not the first one."""
    path = tmp_path / "model.gguf"
    write_gguf(path)
    tensors = {t.name: t.data for t in gguf.GGUFReader(path).tensors}
    for name in ("plain.f16", "plain.i8", "vector", "rank4"):
        found = prwkv.json("inspect", path, "--tensor", name)
        assert found["shape"] == list(tensors[name].shape)
        np.testing.assert_array_equal(
            np.array(found["values"], tensors[name].dtype), tensors[name].ravel()
        )


def test_split_gguf_is_refused(prwkv: Prwkv, tmp_path: Path) -> None:
    """One part of a model, as gguf-py splits it."""
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "rwkv7", split_max_tensors=1)
    for name in "ab":
        writer.add_tensor(name, np.zeros(8, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    parts = sorted(tmp_path.glob("*.gguf"))
    assert len(parts) == 2
    done = prwkv.run("inspect", parts[0])
    assert done.returncode != 0
    assert b"is one part of a split GGUF" in done.stderr


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("kind", ["safetensors", "pytorch"])
def test_folder_of_hugging_face(prwkv: Prwkv, tmp_path: Path, kind: str, parts: int) -> None:
    """A folder and, for models in parts, its index: the same tensors as in the model."""
    torch = pytest.importorskip("torch", reason="needs the Python package torch")
    hub = pytest.importorskip("huggingface_hub", reason="needs the package huggingface_hub")
    transformers = pytest.importorskip("transformers", reason="needs the package transformers")
    config = transformers.RwkvConfig(vocab_size=50, hidden_size=32, num_hidden_layers=3)
    torch.manual_seed(4)
    model = transformers.RwkvForCausalLM(config)
    state = model.state_dict()
    total = sum(t.numel() * t.itemsize for t in state.values())
    limit = f"{total // parts // 1000 + 10}KB"
    if kind == "safetensors":
        model.save_pretrained(tmp_path, max_shard_size=limit)
    else:
        # Recent versions of transformers write safetensors only.
        shards = hub.split_torch_state_dict_into_shards(
            state, filename_pattern="pytorch_model{suffix}.bin", max_shard_size=limit
        )
        for file, names in shards.filename_to_tensors.items():
            torch.save({name: state[name] for name in names}, tmp_path / file)
        if shards.is_sharded:
            index = {"metadata": shards.metadata, "weight_map": shards.tensor_to_filename}
            (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    stem = {"safetensors": "model.safetensors", "pytorch": "pytorch_model.bin"}[kind]
    index_file = tmp_path / f"{stem}.index.json"
    assert index_file.exists() == (parts > 1)
    for path in [tmp_path, index_file if parts > 1 else tmp_path / stem]:
        report = prwkv.json("inspect", path)
        found = {t["name"]: t["shape"] for t in report["tensors"]}
        assert found == {name: list(t.shape) for name, t in state.items()}
    name = "rwkv.blocks.2.attention.value.weight"
    values = prwkv.json("inspect", tmp_path, "--tensor", name)["values"]
    np.testing.assert_array_equal(np.array(values, np.float32), state[name].numpy().ravel())


def test_old_pytorch_files_are_refused(prwkv: Prwkv, tmp_path: Path) -> None:
    """The format from before version 1.6, with what to do about it."""
    torch = pytest.importorskip("torch", reason="needs the Python package torch")
    path = tmp_path / "old.pth"
    torch.save({"a": torch.zeros(3)}, path, _use_new_zipfile_serialization=False)
    done = prwkv.run("inspect", path)
    assert done.returncode != 0
    assert b"in the format from before version 1.6" in done.stderr
    assert b"torch.save the state dict again" in done.stderr
