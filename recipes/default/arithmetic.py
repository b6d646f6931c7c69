"""Small sums, in digits and in words, alone and in little stories.

Answers are short and worked where there is something to work out; they end in the number. Of the
combinations of numbers of each kind of sum, one in ten is held out, whatever it is dressed in.
Records are those of instructions.py, with the checker "number:N": the last number of the answer
must be N.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable

import words as wd
from instructions import Draw, Record

ONE = {
    wd.plural(noun): noun
    for noun in """apple pear peach plum cherry orange banana carrot cookie cupcake muffin pancake bun potato
tomato egg lollipop nut grape pea bean marble balloon button shell stone pebble coin acorn feather leaf stick pencil crayon sticker card
ball block bead flower tulip daisy stamp star ribbon spoon cup plate book picture pretzel waffle dumpling magnet candle bell""".split()
}
COUNTED = list(ONE)
ANIMALS = [n for n in wd.ANIMAL_NAMES if " " not in n and wd.plural(n) != n]


def held_out(kind: str, *numbers: int) -> bool:
    """Whether this combination is kept for evaluation. The order of what is added or multiplied makes no difference."""
    if kind in ("add", "multiply"):
        numbers = tuple(sorted(numbers))
    return zlib.crc32(f"{kind}/{numbers}".encode()) % 10 == 0


class Sum:
    """A combination of numbers of one split."""

    def __init__(self, rng: random.Random, heldout: bool) -> None:
        self.d = Draw(rng)
        self.heldout = heldout

    def numbers(self, kind: str, make: Callable[[], tuple[int, ...]]) -> tuple[int, ...]:
        while True:
            found = make()
            if held_out(kind, *found) == self.heldout:
                return found

    def pair(self, kind: str) -> tuple[int, int, int]:
        """Two numbers and the result. Sums and differences go to 20, one in three to 100."""
        d = self.d
        big = d.random() < 0.33

        def make() -> tuple[int, ...]:
            if kind == "add":
                total = d.number(2, 100 if big else 20)
                a = d.number(1, total - 1)
                return a, total - a
            if kind == "subtract":
                a = d.number(2, 100 if big else 20)
                return a, d.number(1, a - 1)
            if kind == "multiply":
                return d.number(1, 10), d.number(1, 10)
            b = d.number(2, 10)
            return b * d.number(1, 10), b

        a, b = self.numbers(kind, make)
        result = {"add": a + b, "subtract": a - b, "multiply": a * b, "divide": a // b}[kind]
        return a, b, result


def many(n: int, plural: str) -> str:
    return f"{wd.in_words(n)} {plural if n != 1 else ONE.get(plural, plural)}"


PLAIN = {
    "add": (
        "What is {a} plus {b}?", "How much is {a} plus {b}?", "Add {a} and {b}.",
        "{a} plus {b} is ...", "What do {a} and {b} make together?",
        "What is the sum of {a} and {b}?", "Can you add {a} and {b}?",
        "If I add {b} to {a}, what do I get?",
    ),
    "subtract": (
        "What is {a} minus {b}?", "How much is {a} minus {b}?", "Take {b} away from {a}.",
        "{a} minus {b} is ...", "What is left if I take {b} from {a}?",
        "What is the difference between {a} and {b}?", "Subtract {b} from {a}.",
        "{a} take away {b}: how much is that?",
    ),
    "multiply": (
        "What is {a} times {b}?", "How much is {a} times {b}?", "Multiply {a} by {b}.",
        "{a} times {b} is ...", "What do you get if you take {b} {a} times?",
        "What is the product of {a} and {b}?", "Can you multiply {a} and {b}?",
    ),
    "divide": (
        "What is {a} divided by {b}?", "How much is {a} divided by {b}?", "Divide {a} by {b}.",
        "{a} divided by {b} is ...", "How often does {b} go into {a}?",
        "Share {a} among {b}. How much does each get?",
    ),
}
SIGNS = {"add": "+", "subtract": "-", "multiply": "x", "divide": "/"}
NAMED = {"add": "plus", "subtract": "minus", "multiply": "times", "divide": "divided by"}


def plain(s: Sum) -> tuple[str, str, int, str]:
    """Numbers alone."""
    d = s.d
    kind = d.pick(("add", "add", "subtract", "subtract", "multiply", "divide"))
    a, b, result = s.pair(kind)
    if d.random() < 0.3:
        sign = SIGNS[kind]
        return (
            d.pick(
                (
                    f"{a} {sign} {b} =",
                    f"{a} {sign} {b} = ?",
                    f"What is {a} {sign} {b}?",
                    f"{a} {sign} {b}",
                    f"Work out {a} {sign} {b}.",
                )
            ),
            str(result),
            result,
            kind,
        )
    digits = d.random() < 0.4
    show = str if digits else wd.in_words
    question = d.pick(PLAIN[kind]).format(a=show(a), b=show(b))
    answer = d.pick((show(result), f"{show(a)} {NAMED[kind]} {show(b)} is {show(result)}."))
    return question[0].upper() + question[1:], answer[0].upper() + answer[1:], result, kind


def halves(s: Sum) -> tuple[str, str, int, str]:
    d = s.d
    if d.random() < 0.5:
        (n,) = s.numbers("half", lambda: (2 * d.number(1, 25),))
        return (
            d.pick(
                (
                    "What is half of {n}?", "Cut {n} in half.", "How much is one half of {n}?",
                    "Halve {n}.",
                )
            ).format(n=wd.in_words(n)),
            d.pick(("Half of {n} is {m}.", "{M}.")).format(
                n=wd.in_words(n), m=wd.in_words(n // 2), M=wd.in_words(n // 2).capitalize()
            ),
            n // 2,
            "half",
        )
    (n,) = s.numbers("double", lambda: (d.number(1, 50),))
    return (
        d.pick(
            (
                "What is twice {n}?", "Double {n}.", "How much is the double of {n}?",
                "What do you get if you double {n}?",
            )
        ).format(n=wd.in_words(n)),
        d.pick(("Twice {n} is {m}.", "{M}.")).format(
            n=wd.in_words(n), m=wd.in_words(2 * n), M=wd.in_words(2 * n).capitalize()
        ),
        2 * n,
        "double",
    )


def count_on(s: Sum) -> tuple[str, str, int, str]:
    d = s.d
    steps = d.number(3, 5)
    if d.random() < 0.6:
        n, steps = s.numbers("count on", lambda: (d.number(1, 90), steps))
        row = [wd.in_words(n + i) for i in range(1, steps + 1)]
        return (
            d.pick(
                (
                    "Count on from {n}: {k} numbers.", "Which {k} numbers come after {n}?",
                    "Start at {n} and say the next {k} numbers.",
                    "Say {k} numbers that follow {n}.",
                )
            ).format(n=wd.in_words(n), k=wd.in_words(steps)),
            wd.listed(row) + ".",
            n + steps,
            "count on",
        )
    n, steps = s.numbers("count back", lambda: (d.number(8, 90), steps))
    row = [wd.in_words(n - i) for i in range(1, steps + 1)]
    return (
        d.pick(
            (
                "Count back from {n}: {k} numbers.", "Start at {n} and count back {k} steps.",
                "Count down from {n}. Say the next {k} numbers.",
            )
        ).format(n=wd.in_words(n), k=wd.in_words(steps)),
        wd.listed(row) + ".",
        n - steps,
        "count back",
    )


def next_number(s: Sum) -> tuple[str, str, int, str]:
    d = s.d
    step = d.pick((1, 1, 2, 2, 5, 10))
    start, step = s.numbers("row", lambda: (d.number(1, 40), step))
    row = [start + step * i for i in range(4)]
    show = str if d.random() < 0.5 else wd.in_words
    last = row[-1] + step
    return (
        d.pick(
            (
                "Which number comes next? {r}", "Go on: {r}", "What is the next number? {r}",
                "{r}: what comes now?",
            )
        ).format(r=", ".join(show(n) for n in row)),
        d.pick((show(last), f"The next number is {show(last)}.")).capitalize(),
        last,
        "row",
    )


def _person(d: Draw) -> tuple[str, str, str]:
    girl = d.random() < 0.5
    return (d.pick(wd.GIRLS), "she", "her") if girl else (d.pick(wd.BOYS), "he", "his")


def story_add(s: Sum) -> tuple[str, str, int, str]:
    d = s.d
    a, b, total = s.pair("add")
    name, he, his = _person(d)
    things = d.pick(COUNTED)
    other = d.pick([n for n in wd.GIRLS + wd.BOYS if n != name])
    place = wd.PLACES[d.pick(wd.OUTSIDE)]
    have, more = many(a, things), many(b, things)
    question = d.pick(
        (
            f"{name} has {have} and gets {wd.in_words(b)} more. How many {things} does {name} "
            f"have now?",
            f"{name} has {have}. {other} gives {name} {wd.in_words(b)} more. How many does "
            f"{name} have now?",
            f"{name} finds {have} {place.at}. Then {he} finds {wd.in_words(b)} more. How many "
            f"{things} does {he} find in all?",
            f"{name} has {have}, and {other} has {more}. How many {things} do they have together?",
            f"There {'is' if a == 1 else 'are'} {have} in {his} bag. {name} puts in "
            f"{wd.in_words(b)} more. How many are in the bag now?",
            f"On Monday, {name} got {have}. On Tuesday, {he} got {wd.in_words(b)} more. How many "
            f"{things} are that?",
        )
    )
    start = "Together they have" if "together" in question else "That makes"
    return question, _worked_text(d, a, "plus", b, total, start, things), total, "add"


def _worked_text(d: Draw, a: int, sign: str, b: int, total: int, start: str, things: str) -> str:
    """A short way to the answer, or the answer alone. It ends in the number."""
    draw = d.random()
    work = f"{wd.in_words(a)} {sign} {wd.in_words(b)} is {wd.in_words(total)}."
    work = work[0].upper() + work[1:]
    if draw < 0.45:
        return work
    if draw < 0.8:
        return f"{work} {start} {many(total, things)}."
    return f"{many(total, things).capitalize()}."


def story_subtract(s: Sum) -> tuple[str, str, int, str]:
    d = s.d
    a, b, rest = s.pair("subtract")
    name, he, his = _person(d)
    things = d.pick(COUNTED)
    food = d.pick(COUNTED[:18])
    other = d.pick([n for n in wd.GIRLS + wd.BOYS if n != name])
    animals = wd.plural(d.pick(ANIMALS))
    number = wd.in_words(b)
    question, of = d.pick(
        (
            (
                f"{name} has {many(a, things)} and gives {number} to {other}. How many {things} "
                f"are left?",
                things,
            ),
            (f"{name} has {many(a, food)} and eats {number}. How many {food} are left?", food),
            (
                f"{name} had {many(a, things)}. {name} lost {number} of them. How many {things} "
                f"does {name} still have?",
                things,
            ),
            (
                f"There are {wd.in_words(a)} {animals} in the field. {number.capitalize()} of "
                f"them {'runs' if b == 1 else 'run'} away. How many {animals} stay?",
                animals,
            ),
            (
                f"{name} needs {many(a, things)} and has {number}. How many more does {he} need?",
                things,
            ),
            (
                f"In {his} bag, {name} has {many(a, things)}. {he.capitalize()} takes out "
                f"{number}. How many are still in the bag?",
                things,
            ),
        )
    )
    return (
        question,
        _worked_text(
            d,
            a,
            "minus",
            b,
            rest,
            "There are"
            if rest != 1 and "more" not in question and "have" not in question
            else "The answer is",
            of,
        ),
        rest,
        "subtract",
    )


def story_multiply(s: Sum) -> tuple[str, str, int, str]:
    d = s.d
    a, b, total = s.pair("multiply")
    name, he, _ = _person(d)
    things = d.pick(COUNTED)
    box = d.pick(("box", "bag", "basket", "jar"))
    boxes = wd.plural(box) if a != 1 else box
    are = "are" if b != 1 else "is"
    animal, legs = d.pick(
        (("dog", 4), ("hen", 2), ("ant", 6), ("spider", 8), ("cow", 4), ("duck", 2))
    )
    if d.random() < 0.25 and held_out("multiply", a, legs) == s.heldout:
        question = (
            f"How many legs do {wd.in_words(a)} {wd.plural(animal)} have?"
            if a != 1
            else f"How many legs does one {animal} have?"
        )
        work = f"{wd.in_words(a)} times {wd.in_words(legs)} is {wd.in_words(a * legs)}."
        return question, work[0].upper() + work[1:], a * legs, "multiply"
    question = d.pick(
        (
            f"{name} has {wd.in_words(a)} {boxes} with {many(b, things)} in each. How many "
            f"{things} does {he} have?",
            f"There {'are' if a != 1 else 'is'} {wd.in_words(a)} {boxes}. In each {box}, there "
            f"{are} {many(b, things)}. How many {things} are there?",
            f"{name} gives {many(b, things)} to each of {wd.in_words(a)} friends. How many "
            f"{things} does {he} give away?"
            if a != 1
            else f"{name} gives {many(b, things)} to one friend. How many {things} does {he} give away?",
        )
    )
    return question, _worked_text(d, a, "times", b, total, "That makes", things), total, "multiply"


def story_share(s: Sum) -> tuple[str, str, int, str]:
    d = s.d
    a, b, each = s.pair("divide")
    name, he, his = _person(d)
    things = d.pick(COUNTED)
    question = d.pick(
        (
            f"{name} shares {many(a, things)} among {wd.in_words(b)} friends. How many does each "
            f"friend get?",
            f"{wd.in_words(b).capitalize()} children share {many(a, things)}. Each gets the "
            f"same. How many does each get?",
            f"{name} puts {many(a, things)} into {wd.in_words(b)} bags, the same number in each. "
            f"How many {things} are in one bag?",
        )
    )
    return (
        question,
        _worked_text(
            d,
            a,
            "divided by",
            b,
            each,
            "Each gets"
            if "one bag" not in question
            else "In one bag, there are"
            if each != 1
            else "In one bag, there is",
            things,
        ),
        each,
        "divide",
    )


def compare(s: Sum) -> tuple[str, str, int, str]:
    """How many more."""
    d = s.d
    a, b, more = s.pair("subtract")
    name, other = d.some(wd.GIRLS + wd.BOYS, 2)
    things = d.pick(COUNTED)
    question = d.pick(
        (
            f"{name} has {many(a, things)}, and {other} has {many(b, things)}. How many more "
            f"does {name} have?",
            f"{name} has {many(a, things)}. {other} has only {wd.in_words(b)}. How many more "
            f"does {name} have than {other}?",
            f"{other} has {many(b, things)}, and {name} has {wd.in_words(a)}. What is the "
            f"difference?",
        )
    )
    work = f"{wd.in_words(a)} minus {wd.in_words(b)} is {wd.in_words(more)}."
    return (
        question,
        d.pick((work[0].upper() + work[1:], f"The difference is {wd.in_words(more)}.")),
        more,
        "subtract",
    )


def two_steps(s: Sum) -> tuple[str, str, int, str]:
    """Something comes and something goes. Both steps must belong to the split."""
    d = s.d
    while True:
        a, b, total = s.pair("add")
        c = d.number(1, total)
        if total <= 20 and held_out("subtract", total, c) == s.heldout:
            break
    name, he, _ = _person(d)
    things = d.pick(COUNTED)
    question = (
        f"{name} has {many(a, things)}. {he.capitalize()} gets {wd.in_words(b)} more and then "
        f"gives {wd.in_words(c)} away. "
        f"How many {things} does {name} have now?"
    )
    return (
        question,
        (
            f"{wd.in_words(a).capitalize()} plus {wd.in_words(b)} is {wd.in_words(total)}. "
            f"{wd.in_words(total).capitalize()} minus {wd.in_words(c)} is {wd.in_words(total - c)}."
        ),
        total - c,
        "two steps",
    )


MAKERS = [
    plain,
    plain,
    plain,
    plain,
    halves,
    count_on,
    next_number,
    story_add,
    story_add,
    story_add,
    story_subtract,
    story_subtract,
    story_subtract,
    story_multiply,
    story_share,
    compare,
    two_steps,
]


def record(rng: random.Random, heldout: bool = False) -> Record:
    """A sum of any kind."""
    s = Sum(rng, heldout)
    make = s.d.pick(MAKERS)
    question, answer, result, kind = make(s)
    found: Record = {
        "family": f"arithmetic/{make.__name__}",
        "template": kind,
        "shape": "palm",
        "instruction": question,
        "input": "",
        "answer": answer,
        "accept": [str(result), wd.in_words(result)],
        "checker": f"number:{result}",
        "split": "heldout" if heldout else "train",
    }
    if heldout:
        found["held_out"] = "task"
    return found


def statement(rng: random.Random, heldout: bool = False) -> str:
    """A few sums as plain sentences: "Three plus four is seven."."""
    s = Sum(rng, heldout)
    told = []
    for _ in range(s.d.number(3, 8)):
        kind = s.d.pick(("add", "subtract", "multiply"))
        a, b, result = s.pair(kind)
        show = wd.in_words if s.d.random() < 0.6 else str
        text = f"{show(a)} {NAMED[kind]} {show(b)} is {show(result)}."
        told.append(text[0].upper() + text[1:])
    return " ".join(told)
