#!/usr/bin/env python3
"""Tests of the generator: python3 -m unittest, in this folder or with its path; needs nothing but the
standard library."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import arithmetic  # noqa: E402
import check  # noqa: E402
import dialogues  # noqa: E402
import facts  # noqa: E402
import generate  # noqa: E402
import instructions  # noqa: E402
import phrases  # noqa: E402
import plots  # noqa: E402
import stories  # noqa: E402
import words as wd  # noqa: E402
import world  # noqa: E402

STORIES = 300
MOST_FAILING = 0.005  # of the generator's own stories
LEAST_NOTICED = 0.8  # of names, things and places that were changed


def own_stories(count: int, heldout: bool = False) -> list[stories.Story]:
    return [stories.story(random.Random(f"test/{i}"), heldout) for i in range(count)]


def flaws(text: str) -> list[str]:
    """What no text should have."""
    found = []
    if not text.strip():
        return ["empty"]
    for name, pattern in (
        ("not ASCII", r"[^\x00-\x7f]"),
        ("two spaces", r"  "),
        ("space before a mark", r" [.,!?]"),
        ("an unfilled slot", r"[{}\[\]|]"),
        ("a before a vowel", r"\b[Aa] (?:[aeio][a-z]|umbrella|ugly)"),
        ("an before a consonant", r"\b[Aa]n [bcdfgjklmnpqrstvwxyz]"),
        ("two marks", r"[.,!?][.,]"),
        ("a word twice", r"\b(the|a|an|his|her|was|and|to|of) \1\b"),
        ("a sentence with a small letter", r"[a-z][.] [a-z]"),
        ("None", r"\bNone\b"),
    ):
        if match := re.search(pattern, text):
            found.append(f"{name}: {text[max(match.start() - 30, 0) : match.end() + 30]!r}")
    if any(paragraph.count('"') % 2 for paragraph in text.split("\n")):
        found.append("a quotation mark is missing")
    return found


class Tables(unittest.TestCase):
    def test_there_is_enough_of_everything(self) -> None:
        for have, least in (
            (len(wd.GENDER), 120),
            (len(wd.THINGS), 200),
            (len(wd.PLACES), 60),
            (len(wd.ANIMALS), 80),
            (sum(len(wd.items(causes)) for _, causes in wd.FEELINGS), 100),
            (len(plots.NAMES), 25),
            (len(instructions.FAMILIES), 24),
            (len(facts.FACTS), 200),
        ):
            self.assertGreaterEqual(have, least)

    def test_names_have_one_gender(self) -> None:
        names = wd.GIRLS + wd.BOYS + wd.FEMALE_ANIMAL_NAMES + wd.MALE_ANIMAL_NAMES
        self.assertEqual(len(names), len(set(names)))

    def test_plots_name_things_and_places_that_exist(self) -> None:
        for kind in world.PLOTS.values():
            self.assertLessEqual(set(kind.objects), set(wd.THINGS), kind.name)
            self.assertLessEqual(set(kind.places), set(wd.PLACES), kind.name)


class Templates(unittest.TestCase):
    def test_every_template_fills_with_the_events_that_use_it(self) -> None:
        used = set()
        for name in plots.NAMES:
            for i in range(4):
                for event in world.simulate(random.Random(f"fill/{name}/{i}"), False, name).events[
                    1:
                ]:
                    used.add(event.kind)
                    for template in stories.TEMPLATES[event.kind]:
                        self.assertEqual(
                            [],
                            flaws(
                                template.text.format_map(event.slots)[:1].upper()
                                + template.text.format_map(event.slots)[1:]
                            ),
                            event.kind,
                        )
        self.assertGreater(len(used), 0.9 * len(phrases.PHRASES))

    def test_choices_are_multiplied_out(self) -> None:
        self.assertEqual(["a b.", "a c.", "d b.", "d c."], phrases.variants("[a|d] [b|c]."))

    def test_questions_get_their_marks(self) -> None:
        self.assertEqual('"Where is it?" {a} asked.', phrases.tidied('"Where is it." {a} asked.'))
        self.assertEqual('"It is here," {a} said.', phrases.tidied('"It is here?" {a} asked.'))


class Stories(unittest.TestCase):
    def test_they_are_well_formed_and_of_a_good_length(self) -> None:
        for story in own_stories(STORIES):
            self.assertEqual([], flaws(story.text), story.text)
            self.assertIn(
                len(story.text.split()), range(stories.LEAST_WORDS, stories.MOST_WORDS + 1)
            )

    def test_each_plot_tells_something_that_can_happen(self) -> None:
        for name in plots.NAMES:
            for i in range(25):
                world.simulate(
                    random.Random(f"plot/{name}/{i}"), False, name
                )  # raises world.Impossible if not

    def test_splits_share_no_combination(self) -> None:
        for heldout in (False, True):
            for story in own_stories(150, heldout):
                w = story.world
                place = w.events[0].slots["p"].name
                self.assertEqual(heldout, world.held_out(w.hero.name, w.o.name, place))

    def test_impossible_things_are_refused(self) -> None:
        w = world.simulate(random.Random("lost"), False, "lost")
        w.lose(w.hero, w.o)
        with self.assertRaises(world.Impossible):
            w.use(w.hero, w.o)
        with self.assertRaises(world.Impossible):
            w.give(w.hero, w.people[1], w.o)


class Checker(unittest.TestCase):
    def test_own_stories_pass_and_spoiled_ones_do_not(self) -> None:
        texts = [story.text for story in own_stories(STORIES)]
        bad, figures = check.measure(texts)
        self.assertLessEqual(
            len(bad), max(2, MOST_FAILING * len(texts)), [found[0] for _, found in bad]
        )
        by_kind: dict[str, list[int]] = {}
        for name, (made, _, own) in figures.items():
            total = by_kind.setdefault(check.MUTATIONS[name][0], [0, 0])
            total[0] += made
            total[1] += own
        for kind, (made, own) in by_kind.items():
            self.assertGreaterEqual(own, LEAST_NOTICED * made, kind)

    def test_says_what_is_wrong(self) -> None:
        start = "Once there was a girl named Mia. Mia had a red ball. "
        end = " Mia was happy."
        for middle, kind in (
            ("Mia threw the ball." + "", ""),
            ("Tom threw the ball.", "name"),
            ("He threw the ball.", "name"),
            ("Mia threw the blue ball.", "object"),
            ("Mia threw the kite.", "object"),
            ("Mia lost the ball. She looked for it.", "object"),
            ("Mia sat down at the beach.", "place"),
            ("Mia went to the beach. There were blue waves and warm sand.", ""),
            ("Mia went to the park. There were blue waves and warm sand.", "place"),
            ("Mia threw the ball high up. Mia threw the ball high up.", "form"),
        ):
            self.assertEqual(
                {kind} - {""}, {v.kind for v in check.check_story(start + middle + end)}, middle
            )

    def test_odd_texts_do_not_confuse_it(self) -> None:
        for text in (
            "", " ", "\n\n", '"', "a", "....", "Mia", 'He said, "', "The the the.",
            "x" * 5000,
            "Mia. " * 500,
        ):
            check.check_story(text)


class Conversations(unittest.TestCase):
    def test_they_are_turns_of_two_sides(self) -> None:
        for i in range(400):
            turns = dialogues.dialogue(random.Random(f"test/{i}"), i % 5 == 0)
            self.assertEqual(["user", "assistant"] * (len(turns) // 2), [t["role"] for t in turns])
            for turn in turns:
                self.assertEqual([], flaws(turn["content"]), turn["content"])
                self.assertNotIn("\n\n", turn["content"])

    def test_a_story_has_what_was_asked_for(self) -> None:
        for i in range(150):
            story, wish, wants = dialogues.fitting_story(random.Random(f"wish/{i}"), False)
            self.assertTrue(check.contains(story.text, wants), wish)
            self.assertTrue(all(word in wish for word in wants), wish)

    def test_answers_about_stories_are_in_the_stories(self) -> None:
        for i in range(150):
            story = stories.story(random.Random(f"ask/{i}"))
            text = story.text
            asked = dialogues.questions(story)
            self.assertGreaterEqual(len(asked), 3)
            for question in asked:
                if question.text.startswith("What color is the "):
                    color = question.short.rstrip(".").lower()
                    self.assertRegex(text, rf"\b{color}\b")

    def test_plain_form(self) -> None:
        self.assertEqual(
            "User: Hi\n\nAssistant: Hello!\n\n",
            dialogues.plain([dialogues.user("Hi"), dialogues.assistant("Hello!")]),
        )

    def test_says_who_it_is(self) -> None:
        for asks, answers in dialogues.IDENTITY[:2]:
            self.assertTrue(asks and all("small language model" in answer for answer in answers))


class Tasks(unittest.TestCase):
    def test_own_answers_are_right_and_others_are_not(self) -> None:
        for make in (instructions.record, arithmetic.record):
            for i in range(3000):
                record = make(random.Random(f"task/{i}"), i % 3 == 0)
                self.assertTrue(check.matches(record, record["answer"]), record)
                self.assertFalse(check.matches(record, "something else entirely, 1234"), record)

    def test_every_family_has_phrasings_of_both_shapes(self) -> None:
        for family in instructions.FAMILIES.values():
            for phrasings in (family.palm, family.gpt):
                self.assertGreaterEqual(len(phrasings), 6, family.name)
            for i in range(30):
                record = instructions.of_family(family.name, random.Random(i))
                text = record["instruction"].replace(" ...", ".")
                self.assertEqual(
                    [],
                    [
                        f
                        for f in flaws(text)
                        if "small letter" not in f and "a before" not in f and "an before" not in f
                    ],
                )

    def test_splits_share_nothing(self) -> None:
        trained, held = set(), set()
        families, phrasings = set(), set()
        for i in range(6000):
            record = instructions.record(random.Random(f"split/{i}"))
            trained.add((record["instruction"], record["input"]))
            families.add(record["family"])
            phrasings.add((record["family"], record["template"]))
        for i in range(3000):
            record = instructions.record(random.Random(f"split/h{i}"), True)
            held.add((record["instruction"], record["input"]))
            if record["held_out"] == "family":
                self.assertNotIn(record["family"], families)
            if record["held_out"] == "template":
                self.assertNotIn((record["family"], record["template"]), phrasings)
        self.assertEqual(set(), trained & held)

    def test_number_combinations_are_held_out(self) -> None:
        sums: dict[bool, set[tuple[str, ...]]] = {False: set(), True: set()}
        for i in range(6000):
            record = arithmetic.record(random.Random(f"numbers/{i}"), i % 2 == 0)
            if match := re.match(r"(\w[\w-]*) (plus|minus|times) ([\w-]+) is", record["answer"]):
                if record["template"] in ("add", "subtract", "multiply"):
                    sums[i % 2 == 0].add(tuple(part.lower() for part in match.groups()))
        self.assertEqual(set(), sums[True] & sums[False])
        self.assertGreater(len(sums[True]), 50)

    def test_sums_are_right(self) -> None:
        for i in range(200):
            text = arithmetic.statement(random.Random(i)).lower()
            for a, sign, b, total in re.findall(
                r"((?:one )?[\w-]+) (plus|minus|times) ([\w-]+) is ((?:one )?[\w-]+)", text
            ):
                values = {wd.in_words(n): n for n in range(101)} | {str(n): n for n in range(101)}
                x, y = values[a.lower()], values[b.lower()]
                self.assertEqual(
                    {"plus": x + y, "minus": x - y, "times": x * y}[sign], values[total]
                )


class Command(unittest.TestCase):
    def run_it(self, folder: Path, *options: str) -> str:
        done = subprocess.run(
            [sys.executable, str(HERE / "generate.py"), "--out", str(folder), *options],
            capture_output=True,
            text=True,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    def test_the_same_bytes_whatever_the_jobs(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            one = self.run_it(Path(folder, "one"), "--megabytes", "0.6", "--seed", "3")
            two = self.run_it(
                Path(folder, "two"), "--megabytes", "0.6", "--seed", "3", "--jobs", "2"
            )
            other = self.run_it(
                Path(folder, "other"), "--megabytes", "0.1", "--seed", "4", "--mix", "stories=1"
            )
            self.assertEqual(one, two)
            self.assertNotEqual(one.splitlines()[0], other.splitlines()[0])
            for kind in generate.KINDS:
                first, second = (
                    Path(folder, "one", f"{kind}.jsonl"),
                    Path(folder, "two", f"{kind}.jsonl"),
                )
                self.assertEqual(first.read_bytes(), second.read_bytes())
                for line in first.read_text("ascii").splitlines():
                    record = json.loads(line)
                    self.assertTrue("text" in record or record["messages"])
            self.assertEqual([], list(Path(folder, "one").glob("*.partial")))

    def test_documents_depend_on_seed_and_number_alone(self) -> None:
        options = generate.Options(seed=7)
        for kind in generate.KINDS:
            late = generate.document(kind, 5, options)
            generate.document(kind, 4, options)
            self.assertEqual(late, generate.document(kind, 5, options))
            self.assertNotEqual(
                late, generate.document(kind, 5, generate.Options(seed=7, split="heldout"))
            )

    def test_every_kind_has_documents_of_every_shape(self) -> None:
        """Sums have one shape, whatever was asked for."""
        for kind in generate.KINDS:
            for shape in ("palm", "gpt"):
                for split in generate.SPLITS:
                    self.assertTrue(generate.document(kind, 3, generate.Options(split=split, shape=shape)))

    def test_single_tasks_have_what_checking_needs(self) -> None:
        for kind in ("instructions", "arithmetic"):
            for split in generate.SPLITS:
                record = generate.document(kind, 1, generate.Options(split=split, single=True))
                self.assertLessEqual(
                    {"instruction", "input", "output", "family", "template", "accept", "split"},
                    set(record),
                )
                self.assertEqual(split, record["split"])
                self.assertTrue(check.matches(record, record["output"]))


if __name__ == "__main__":
    unittest.main()
