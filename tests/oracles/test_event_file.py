"""The event files of a training run, read by TensorBoard, against the run's own log.jsonl."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorboard", reason="needs the Python package tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from conftest import Prwkv

STEPS = 5


@pytest.fixture(scope="module")
def run_folder(prwkv: Prwkv, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short training run of a tiny model."""
    commands = prwkv.run("--help").stdout.decode().splitlines()
    if not any(line.split()[:1] == ["train"] for line in commands):
        pytest.skip(f"{prwkv.path} has no subcommand train")
    folder = tmp_path_factory.mktemp("train")
    data, out = folder / "data.txt", folder / "run"
    data.write_text("Pack my box with five dozen liquor jugs.\n" * 500)
    model = ["--new", "rwkv7:L2,C64,F128,V256,N32", "--vocab", "bytes"]
    done = prwkv.run("train", *model, "--data", data, "--out", out, "--steps", str(STEPS), "-q")
    assert done.returncode == 0, done.stderr.decode()
    return out


def test_tensorboard_shows_the_losses_of_the_log(run_folder: Path) -> None:
    """Each step's loss, to the last bit of the float that an event holds."""
    lines = [json.loads(line) for line in (run_folder / "log.jsonl").read_text().splitlines()]
    logged = {line["step"]: np.float32(line["loss"]) for line in lines if "loss" in line}
    assert sorted(logged) == list(range(1, STEPS + 1))

    accumulator = EventAccumulator(str(run_folder), size_guidance={"scalars": 0}).Reload()
    shown = {s.step: np.float32(s.value) for s in accumulator.Scalars("loss/train")}
    assert shown == logged
    assert accumulator.file_version == 2


def test_every_record_is_read(run_folder: Path) -> None:
    """The loader stops at a wrong checksum and at a torn record, without saying so."""
    (path,) = run_folder.glob("events.out.tfevents.*")
    content, at, records = path.read_bytes(), 0, 0
    while at < len(content):
        at += 8 + 4 + int.from_bytes(content[at : at + 8], "little") + 4
        records += 1
    assert at == len(content)
    events = list(EventFileLoader(str(path)).Load())
    assert len(events) == records
    assert [e.HasField("file_version") for e in events] == [True] + [False] * (records - 1)
    times = [e.wall_time for e in events]
    assert times == sorted(times)
