"""Prints the logits of the Python package rwkv as JSON: rwkv_package_logits.py MODEL.pth TOKENS

A process of its own, since the package chooses its code by environment variables at import time.
TOKENS is a comma-separated list; the output has one row per token.
"""

from __future__ import annotations

import contextlib
import json
import sys

import torch


def main() -> None:
    """Runs the package in its parallel mode; its own messages go to standard error."""
    path, tokens = sys.argv[1].removesuffix(".pth"), [int(t) for t in sys.argv[2].split(",")]
    with contextlib.redirect_stdout(sys.stderr), torch.no_grad():
        from rwkv.model import RWKV

        logits, _ = RWKV(model=path, strategy="cpu fp32").forward(tokens, None, full_output=True)
    json.dump(logits.tolist(), sys.stdout)


if __name__ == "__main__":
    main()
