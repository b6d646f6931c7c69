"""Programs that measure one thing when told to: `prwkv bench --steps`, bench/products --steps, bench/peers.py.

So the measurements of several can stand in turns, and a slow phase of the machine hits all alike.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import NoReturn


class Stepper:
    """A running program; every step is one line in and one line of JSON out."""

    def __init__(self, command: list[str | Path]) -> None:
        self._command = [str(c) for c in command]
        self._messages = tempfile.TemporaryFile()  # shown if it fails; packages have much to say otherwise
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._messages,
                                         text=True)
        self._answer()  # it says that it is ready

    def __enter__(self) -> Stepper:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._messages):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # what it had not read is lost
                    stream.close()

    def _fail(self) -> NoReturn:
        code = self._process.wait()
        self._messages.seek(0)
        sys.stderr.buffer.write(self._messages.read()[-4000:])
        raise SystemExit(f"{' '.join(self._command)}: exit code {code}")

    def _answer(self) -> dict:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._fail()
        return json.loads(line)

    def step(self, what: str) -> dict:
        """Measures it."""
        assert self._process.stdin is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        return self._answer()

    def rate(self, phase: str) -> float:
        """Tokens/s of a phase."""
        return self.step(phase)["tokens_per_s"]

    def report(self) -> dict:
        """Ends the program; what it prints at the end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        report = self._answer()
        if self._process.wait() != 0:
            self._fail()
        return report
