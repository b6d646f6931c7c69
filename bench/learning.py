#!/usr/bin/env python3
"""Shows that `prwkv train` learns what it should, on made-up tasks of minutes; writes docs/learning.md.

    bench/learning.py [digits] [adapters] [context] [--folder build/learning] [--threads 1]

`digits`: a new RWKV-7 of 190 kB learns to write a number backwards (limit: 99 % of held-out answers). `adapters`: LoRA,
also on a base in Q8_0, and tuned states solve tasks that the frozen base does not (limits: at most 50 % before, of the two
states on average, and at least 95 % after). `context`: digits are recalled across 32 chunks if gradients go back through
all of them (at least 95 %), and not if they go back through one or two (at most 5 %). An answer counts if the program, at
temperature 0, writes it to the letter and ends the text behind it.

Data, models and logs stay in the folder, which is emptied first. docs/learning.md is written if no part is left out, else
the page is printed. Exit code 1 if a limit is broken.
"""
import argparse
import json
import math
import os
import pathlib
import random
import re
import resource
import shlex
import shutil
import string
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRWKV = os.environ.get("PRWKV_BIN", str(ROOT / "build/release/prwkv"))
PAGE = ROOT / "docs/learning.md"

Pair = tuple[str, str]  # a prompt and its answer


class Lab:
    """A folder that commands run in. Those that a reader may want to repeat are kept."""

    def __init__(self, folder: pathlib.Path, threads: int) -> None:
        shutil.rmtree(folder, ignore_errors=True)  # prwkv does not begin a run where there is one
        folder.mkdir(parents=True)
        self.folder, self.threads, self.commands = folder, threads, list[str]()

    def prwkv(self, *arguments: str) -> str:
        """Standard output of a command."""
        done = subprocess.run([PRWKV, *arguments], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            sys.exit(f"prwkv {shlex.join(arguments)}: exit code {done.returncode}\n{done.stderr.decode()}")
        return done.stdout.decode()

    def shown(self, *arguments: str) -> str:
        self.commands.append("prwkv " + shlex.join(arguments))
        return self.prwkv(*arguments)

    def train(self, options: str, out: str) -> dict:
        """Trains; returns the program's summary with "minutes" of processor time, which other work on the machine hardly
        changes, and "validation_loss" where there is one."""
        before = processor_seconds()
        self.commands.append(f"prwkv train {options} --out {out}")
        print(f"  {self.commands[-1]}", flush=True)
        text = self.prwkv("train", *options.split(), "--out", out, "--threads", str(self.threads), "--json", "--quiet")
        last = (self.folder / out / "log.jsonl").read_text(encoding="ascii").splitlines()[-1]
        run = json.loads(text)
        print(f"  loss {run['loss']:.4f}, peak memory {run['peak_resident_bytes'] / run['planned_bytes']:.2f} of the plan",
              flush=True)
        return run | {"minutes": (processor_seconds() - before) / 60,
                      "validation_loss": json.loads(last).get("validation_loss")}

    def accuracy(self, model: str, pairs: list[Pair], *options: str) -> float:
        """The share of prompts that get exactly their answer."""
        right = 0
        for prompt, answer in pairs:
            said = json.loads(self.prwkv("generate", model, "--prompt", f"User: {prompt}\n\nAssistant:", "--temperature", "0",
                                         "--max-tokens", str(len(answer) + 4), "--vocab", "vocab.txt", "--threads", "1",
                                         "--json", "--quiet", *options))
            right += said["text"] == f" {answer}\n\n" and said["stop"] == "end_of_text"
        print(f"  {model} {' '.join(options)}: {right} of {len(pairs)} right", flush=True)
        return right / len(pairs)

    def write_vocabulary(self, letters: str) -> None:
        """One token for each letter and for what surrounds question and answer; then all other bytes, which a vocabulary
        must have."""
        tokens = [letter.encode() for letter in letters] + [b"User: ", b"\n\nAssistant:", b"\n\n"]
        tokens += [byte for byte in (bytes([b]) for b in range(256)) if byte not in tokens]
        lines = [f"{i} {token!r} {len(token)}\n" for i, token in enumerate(tokens, 1)]
        (self.folder / "vocab.txt").write_text("".join(lines), encoding="ascii")

    def write_records(self, name: str, pairs: Iterable[Pair]) -> None:
        lines = [json.dumps({"prompt": prompt, "completion": answer}) + "\n" for prompt, answer in pairs]
        (self.folder / name).write_text("".join(lines), encoding="ascii")


def processor_seconds() -> float:
    """Of all commands so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 110, break_long_words=False, break_on_hyphens=False))


def wrapped_command(command: str) -> str:
    """An option stays beside its value."""
    glued = re.sub(r" (?!-)", "\0", command)
    return wrapped(glued).replace("\n", " \\\n    ").replace("\0", " ")


def section(title: str, text: str, lab: Lab, rows: str) -> str:
    commands = "\n".join(wrapped_command(command) for command in lab.commands)
    return f"## {title}\n\n{wrapped(text)}\n\n```sh\n{commands}\n```\n\n{rows.rstrip()}"


def held_out(make_asked: Callable[[], str], count_asked: int, make_trained: Callable[[], str],
             count_trained: int) -> tuple[list[str], list[str]]:
    """Prompts to ask, all different, and prompts to train with, none of them among the former."""
    asked: dict[str, None] = {}
    while len(asked) < count_asked:
        asked[make_asked()] = None
    return list(asked), [prompt for prompt in (make_trained() for _ in range(count_trained)) if prompt not in asked]


# ---- digits

def digits(lab: Lab) -> tuple[str, bool]:
    rnd, longest = random.Random(1), 20
    lab.write_vocabulary(string.digits + " ")
    number = lambda shortest: "".join(rnd.choices(string.digits, k=rnd.randint(shortest, longest)))
    asked, trained = held_out(lambda: number(6), 1000, lambda: number(1), 200_000)
    backwards = lambda numbers: [(n, n[::-1]) for n in numbers]
    lab.write_records("train.jsonl", backwards(trained))
    lab.write_records("test.jsonl", backwards(asked))
    run = lab.train("--new rwkv7:L2,C32,N16,w8,a8,v8,g8 --vocab vocab.txt --data train.jsonl --validation-data test.jsonl "
                    f"--context {2 * longest + 5} --batch 64 --steps 4000 --lr 1e-2 --lr-final 1e-4", "run")
    size = (lab.folder / "run/model.safetensors").stat().st_size
    share = lab.accuracy("run/model.safetensors", backwards(asked))
    example = next(n for n in asked if len(n) < 10)
    lab.commands.append(f"prwkv generate run/model.safetensors --prompt $'User: {example}\\n\\nAssistant:' --temperature 0")
    text = (f"A new RWKV-7 (2 layers, 32 channels, 2 heads of 16, ranks of 8) learns to write a number of 1 to {longest} digits "
            f"backwards: `{example}` becomes `{example[::-1]}`. Its file has {size / 1000:.0f} kB: 46 thousand parameters in "
            f"f32. It is asked {len(asked)} numbers of 6 to {longest} digits that it was not trained with. "
            "(Tried once by hand, not part of this script: with numbers of up to 30 digits it got 97.5 % right.)")
    rows = table(["steps", "tokens", "CPU minutes", "held-out loss, nats a token", "answers right", "asked for"],
                 [[str(run["steps"]), f"{run['tokens'] / 1e6:.1f} M", f"{run['minutes']:.1f}", f"{run['validation_loss']:.4f}",
                   percent(share), "99 %"]])
    return section("Digits backwards, from scratch", text, lab, rows), share >= 0.99


# ---- adapters

def adapters(lab: Lab) -> tuple[str, bool]:
    rnd, letters = random.Random(2), string.ascii_lowercase[:16]
    lab.write_vocabulary(letters + " <>.")
    word = lambda: "".join(rnd.choices(letters, k=rnd.randint(4, 8)))
    asked, trained = held_out(word, 300, word, 100_000)
    answers: dict[str, Callable[[str], str]] = {
        "copy": lambda w: w,
        "backwards": lambda w: w[::-1],
        "shift": lambda w: w.translate(str.maketrans(letters, letters[1:] + letters[0])),
    }
    task = lambda name, words, sign=".": [(sign + w, answers[name](w)) for w in words]
    part = len(trained) // 4
    lab.write_records("base.jsonl", [*task("copy", trained[:part], ">"), *task("backwards", trained[part:2 * part], "<"),
                                     *task("copy", trained[2 * part:3 * part]), *task("backwards", trained[3 * part:])])
    for name in answers:
        lab.write_records(f"{name}.jsonl", task(name, trained))

    base, good, rows = "base/model.safetensors", True, []
    row = lambda what, kind, name, run, before, after: rows.append(
        [what, kind, name, str(run["steps"]), f"{run['minutes']:.1f}", before, percent(after)])
    run = lab.train("--new rwkv7:L2,C64,N32,w8,a8,v8,g8 --vocab vocab.txt --data base.jsonl --context 24 --batch 64 "
                    "--steps 2000 --lr 6e-3 --lr-final 1e-4", "base")
    for name, sign in (("copy", ">"), ("backwards", "<")):
        share = lab.accuracy(base, task(name, asked, sign))
        good = good and share >= 0.95
        row("everything", "new", f"`{sign}` {name}", run, "", share)
    lab.shown("convert", base, "base.gguf", "--dtype", "q8_0")

    def adapt(what: str, model: str, kind: str, name: str, out: str, options: str, result: list[str]) -> float:
        """Returns the accuracy before."""
        nonlocal good
        before = lab.accuracy(model, task(name, asked))
        run = lab.train(f"{model} --vocab vocab.txt {options} --data {name}.jsonl --context 24 --batch 64", out)
        after = lab.accuracy(model, task(name, asked), *result)
        good = good and after >= 0.95
        row(what, kind, f"`.` {name}", run, percent(before), after)
        return before

    tuned = "--method state --steps 600 --lr 3e-2 --lr-final 1e-3"
    before = [adapt("state", base, "f32", name, f"state-{name}", tuned, ["--init-state", f"state-{name}/state.safetensors"])
              for name in ("copy", "backwards")]
    good = good and sum(before) / 2 <= 0.5
    low_rank = "--method lora --lora-rank 16 --steps 600 --lr 5e-3 --lr-final 1e-4"
    before = [adapt("LoRA", base, "f32", "shift", "lora", low_rank, ["--lora", "lora/lora.safetensors"]),
              adapt("LoRA", "base.gguf", "Q8_0", "shift", "lora-q8_0", low_rank, ["--lora", "lora-q8_0/lora.safetensors"])]
    lab.shown("merge", base, "merged.safetensors", "--lora", "lora/lora.safetensors")
    merged = lab.accuracy("merged.safetensors", task("shift", asked))
    good = good and max(before) <= 0.5 and merged >= 0.95
    rows.append(["LoRA, merged", "f32", "`.` shift", "", "", "", percent(merged)])

    text = ("The base (RWKV-7, 2 layers, 64 channels) learns two tasks, and a sign that says which: `>abcd` becomes `abcd`, "
            "`<abcd` becomes `dcba`. Behind a third sign, `.abcd`, it is trained to do either, as it happens. Then it is frozen."
            " A tuned state, which it begins with, says what `.` means: with one it copies, with another it writes backwards. "
            "Adapters teach it a task that is new to it, each letter becomes the next one: `.abcd` becomes `bcde`. \"Before\" is "
            f"the base alone, \"after\" with what was trained beside it, on {len(asked)} words that nothing was trained with.")
    header = ["trained", "base", "task", "steps", "CPU minutes", "before", "after"]
    return section("What is put beside a frozen model", text, lab, table(header, rows)), good


# ---- context

STAGES = [(32, 1, 800, 64), (256, 8, 80, 32), (1024, 32, 80, 16)]  # context, chunk, steps, batch


def context(lab: Lab) -> tuple[str, bool]:
    rnd, kept, values, filler = random.Random(3), 4, "01234567", "abcdefgh"
    lab.write_vocabulary(values + filler + " ?")

    def record(tokens: int) -> Pair:
        answer = "".join(rnd.choices(values, k=kept))
        rest = tokens - 2 * kept - 5  # "User: ", "?", what begins the answer, its space, and what ends it
        return answer + "".join(rnd.choices(filler, k=rest)) + "?", answer

    tests = {}
    for length, _, steps, batch in STAGES:
        tests[length] = [record(length) for _ in range(200)]
        lab.write_records(f"test-{length}.jsonl", tests[length])
        lab.write_records(f"train-{length}.jsonl", [record(length) for _ in range(min(steps * batch, 20_000))])
    shortest, farthest = STAGES[0][0], STAGES[-1][0]
    rows, good = [], True
    for truncate, through in enumerate(["all chunks", "1 chunk", "2 chunks"]):
        start, before = "--new rwkv7:L2,C32,N16,w8,a8,v8,g8", ""
        for length, chunk, steps, batch in STAGES:
            out = f"truncate-{truncate}/{length}"
            if length == farthest:
                before = percent(lab.accuracy(start, tests[length]))
            run = lab.train(f"{start} --vocab vocab.txt --data train-{length}.jsonl --validation-data test-{length}.jsonl "
                            f"--sampling documents --context {length} --chunk {chunk} --truncate {truncate} --batch {batch} "
                            f"--steps {steps} --lr 8e-3 --lr-final 8e-4", out)
            start = f"{out}/model.safetensors"
            share = lab.accuracy(start, tests[length])
            rows.append([through, str(length), str(chunk), str(steps), f"{run['minutes']:.1f}",
                         f"{run['validation_loss']:.4f}", before if length == farthest else "", percent(share)])
        good = good and (share >= 0.95 if truncate == 0 else share <= 0.05)
    del lab.commands[len(STAGES):]
    question, answer = tests[shortest][0]
    guess = kept * math.log(len(values)) / (kept + 3)
    text = (f"A text begins with {kept} digits, then come letters that mean nothing, and at the end it is asked for the digits: "
            f"`{question}` becomes `{answer}`. Only the answer counts in the loss. A text is 32 chunks long, with the "
            "digits in the first (of the shortest texts in the first five) and the question in the last (eight). Three runs "
            "differ in how many chunks a gradient goes back through, and in nothing else: `--truncate 0`, which is all, as "
            f"below, 1 and 2. Each is a curriculum from {shortest} to {farthest} tokens, of 32 chunks at any length. Who can "
            f"only guess has a loss of {guess:.4f} nats a token ({kept + 3} tokens count, three of them are certain) and is right "
            f"once in {len(values) ** kept} times. \"Before\" is the accuracy at {farthest} tokens of what was learned with fewer.")
    header = ["gradients through", "context", "chunk", "steps", "CPU minutes", "held-out loss", "before", "answers right"]
    return section("Recall across 32 chunks", text, lab, table(header, rows)), good


PARTS = {"digits": digits, "adapters": adapters, "context": context}


def processor() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help="default: all")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/learning")
    parser.add_argument("--threads", type=int, default=1, help="of training; models this small gain nothing from a second")
    options = parser.parse_args()
    start, sections, good = time.monotonic(), [], True
    for name in options.parts or PARTS:
        print(name, flush=True)
        text, reached = PARTS[name](Lab((options.folder / name).resolve(), options.threads))
        good = good and reached
        sections.append(text)
    minutes = (time.monotonic() - start) / 60
    intro = [
        "Tasks of minutes that have a right answer. The script makes the data, runs the commands below, and leaves data, models, "
        f"logs and charts in `build/learning`. Machine: {processor()}, {options.threads} thread"
        f"{'s' if options.threads > 1 else ''}; {minutes:.0f} minutes in all, with the answers.",
        "An answer is right if `prwkv generate`, at temperature 0, writes it to the letter and ends the text behind it. Data are "
        "records of `prompt` and `completion`, so that only answers count in a loss. Each task has a vocabulary of its own, in "
        "the format of World's: a token for each letter, and one for `User: ` and its like.",
    ]
    page = "\n\n".join(["# What training learns", "Generated by `bench/learning.py`; do not edit.",
                        *(wrapped(text) for text in intro), *sections])
    if options.parts:
        print(page)
    else:
        PAGE.write_text(page + "\n", encoding="utf-8")
        print(f"{PAGE}: {'all limits kept' if good else 'A LIMIT IS BROKEN'}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
