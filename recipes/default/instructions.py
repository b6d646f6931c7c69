"""Small tasks with answers that a program can check, in families.

A family makes tasks and has phrasings, some for each of two shapes: `palm`, a template filled in
(question, answer), and `gpt` (instruction, input or nothing, response). Some phrasings of each
family, and some whole families, are held out: they are never used for training. Of families whose
answers are computed, not looked up in a table, one task in ten is held out, too.

A record: {"family", "template", "shape", "instruction", "input", "answer", "accept": [...] and
perhaps "checker", "split", "held_out"}; check.matches says whether an answer is right.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import words as wd

Record = dict[str, Any]
_PLURALS = {t.noun: t.plural for t in wd.THINGS.values()}
SHORT_THINGS = [n for n in wd.THINGS if " " not in n and "-" not in n]
SHORT_ANIMALS = [n for n in wd.ANIMAL_NAMES if " " not in n]
COMMON = sorted(set(SHORT_THINGS + SHORT_ANIMALS))
NAMES = wd.GIRLS + wd.BOYS
VERBS = sorted(wd.PAST)


class Draw:
    """Chances of one task."""

    def __init__(self, rng: random.Random) -> None:
        self.random = rng.random

    def pick(self, options: Sequence[Any]) -> Any:
        return options[int(self.random() * len(options))]

    def number(self, low: int, high: int) -> int:
        return low + int(self.random() * (high - low + 1))

    def some(self, options: Sequence[Any], count: int) -> list[Any]:
        """Different ones."""
        found: list[Any] = []
        while len(found) < count:
            one = self.pick(options)
            if one not in found:
                found.append(one)
        return found

    def shuffled(self, options: Sequence[Any]) -> list[Any]:
        left = list(options)
        return [left.pop(int(self.random() * len(left))) for _ in options]

    def sentence(self) -> str:
        """A short sentence in the past tense."""
        girl = self.random() < 0.5
        name = self.pick(wd.GIRLS if girl else wd.BOYS)
        thing, animal = self.pick(SHORT_THINGS), self.pick(SHORT_ANIMALS)
        color, place = self.pick(wd.TOY_COLORS), wd.PLACES[self.pick(wd.OUTSIDE)]
        other = self.pick(NAMES)
        while other == name:
            other = self.pick(NAMES)
        his = "her" if girl else "his"
        return self.pick(
            (
                f"{name} has {wd.an(f'{color} {thing}')}.",
                f"{name} saw {wd.an(animal)} {place.at}.",
                f"{name} went {place.to} with {other}.",
                f"{name} gave the {thing} to {other}.",
                f"The {animal} sat next to the {thing}.",
                f"{name} lost {his} {thing} {place.at}.",
                f"{name} likes the {color} {thing}.",
                f"{other} and {name} played {place.at}.",
                f"The {color} {thing} belongs to {name}.",
                f"{name} found {wd.an(thing)} {place.at}.",
                f"The {animal} ran away from {name}.",
                f"{name} put the {thing} into the box.",
                f"My friend {name} lives near the {place.noun}.",
                f"{name} drew {wd.an(f'{color} {animal}')}.",
            )
        )


@dataclass(slots=True)
class Task:
    """What goes into the templates, and what is right."""

    slots: dict[str, str]
    answer: str
    accept: list[str] = field(default_factory=list)
    checker: str = ""
    exact_case: bool = False
    key: str = ""  # what is held out together


@dataclass(frozen=True, slots=True)
class Family:
    """Tasks of one kind. Of each list of phrasings the last `held` are held out. `computed`: no table is needed."""

    name: str
    make: Callable[[Draw], Task]
    palm: list[str]
    gpt: list[tuple[str, str]]
    computed: bool
    held_out: bool = False
    held: int = 1


FAMILIES: dict[str, Family] = {}


def family(
    palm: str, gpt: str, computed: bool = True, held_out: bool = False
) -> Callable[[Callable[[Draw], Task]], Callable[[Draw], Task]]:
    """Registers a family. Phrasings are lines; in those of `gpt`, a bar stands before the input."""

    def register(make: Callable[[Draw], Task]) -> Callable[[Draw], Task]:
        pairs = [
            tuple(part.strip() for part in (line + "|").split("|")[:2])
            for line in gpt.strip().splitlines()
        ]
        name = make.__name__.strip("_")
        FAMILIES[name] = Family(
            name,
            make,
            [line.strip() for line in palm.strip().splitlines()],
            [(a, b) for a, b in pairs],
            computed,
            held_out,
        )
        return make

    return register


def listing(words: Sequence[str]) -> str:
    return ", ".join(words)


# -- counting, order, copies


@family(
    """
How many words are in this sentence? {text}
Count the words: {text}
{text} How many words does this sentence have?
Read this: {text} How many words did you read?
What is the number of words in "{text}"?
Please count how many words there are in: {text}
Tell me the number of words here: {text}
""",
    """
Count the words in the sentence. | {text}
How many words does the sentence have? | {text}
Say how many words there are. | {text}
Give the number of words. | {text}
Find out how many words the text has. | {text}
Count each word of the input. | {text}
""",
)
def count_words(d: Draw) -> Task:
    text = d.sentence()
    n = len(text.split())
    return Task({"text": text}, str(n), [str(n), wd.in_words(n)], key=text)


@family(
    """
How many letters does the word "{word}" have?
Count the letters in {word}.
How many letters are in {word}?
The word is {word}. How many letters does it have?
How long is the word "{word}"? Count its letters.
What is the number of letters in {word}?
Spell {word} and count: how many letters?
""",
    """
Count the letters of the word. | {word}
How many letters does this word have? | {word}
Give the number of letters. | {word}
Say how long the word is, in letters. | {word}
Tell me the number of letters in the word. | {word}
Count letters. | {word}
""",
)
def count_letters(d: Draw) -> Task:
    word = d.pick(COMMON)
    return Task({"word": word}, str(len(word)), [str(len(word)), wd.in_words(len(word))], key=word)


@family(
    """
How many things are in this list? {items}
Count the items: {items}
{items}: how many things is that?
I have {items}. How many things do I have?
How many words are in this list: {items}?
Here is a list: {items}. How long is it?
In my bag there are these things: {items}. How many are there?
""",
    """
Count the things in the list. | {items}
How many things are there? | {items}
Give the number of items in the list. | {items}
Say how many items the list has. | {items}
How long is this list? | {items}
Tell me how many there are. | {items}
""",
)
def count_items(d: Draw) -> Task:
    n = d.number(2, 8)
    words = d.some(COMMON, n)
    return Task({"items": listing(words)}, str(n), [str(n), wd.in_words(n)], key=listing(words))


@family(
    """
What is the first word of this sentence? {text}
Which word comes first? {text}
Say the first word: {text}
{text} What was the first word?
Read the sentence and give the first word. {text}
With which word does it begin? {text}
Give me only the first word of: {text}
""",
    """
Give the first word. | {text}
What is the first word of the sentence? | {text}
Write only the first word. | {text}
Find the first word of the text. | {text}
Say which word comes first. | {text}
Name the word at the start. | {text}
""",
)
def first_word(d: Draw) -> Task:
    text = d.sentence()
    return Task({"text": text}, text.split()[0], [text.split()[0]], key=text)


@family(
    """
What is the last word of this sentence? {text}
Which word comes last? {text}
Say the last word: {text}
{text} What was the last word?
Read the sentence and give the last word. {text}
With which word does it end? {text}
Give me only the last word of: {text}
""",
    """
Give the last word. | {text}
What is the last word of the sentence? | {text}
Write only the last word. | {text}
Find the last word of the text. | {text}
Say which word comes last. | {text}
Name the word at the end. | {text}
""",
)
def last_word(d: Draw) -> Task:
    text = d.sentence()
    word = text.rstrip(".").split()[-1]
    return Task({"text": text}, word, [word], key=text)


@family(
    """
Sort these names by the alphabet: {items}
Put these names in order from A to Z: {items}
Which order do these names have in the alphabet? {items}
Here are some names: {items}. Sort them.
Line up these children by name: {items}
Say these names in the order of the alphabet: {items}
Alphabetical order, please: {items}
""",
    """
Sort the names from A to Z. | {items}
Put the names in alphabetical order. | {items}
Write the names in the order of the alphabet. | {items}
Order the names by their first letter. | {items}
Sort the list of names. | {items}
Bring the names into the right order. | {items}
""",
)
def sort_names(d: Draw) -> Task:
    names: list[str] = []
    while len(names) < d_count(d):
        name = d.pick(NAMES)
        if all(name[0] != other[0] for other in names):
            names.append(name)
    answer = listing(sorted(names))
    return Task({"items": listing(names)}, answer, [answer, wd.listed(sorted(names))], key=answer)


def d_count(d: Draw) -> int:
    """A short list more often than a long one."""
    return d.number(3, 5)


@family(
    """
Sort these numbers from small to big: {items}
Put these numbers in order: {items}
Which order is right, from the smallest to the biggest? {items}
Here are some numbers: {items}. Sort them, the smallest first.
Say these numbers from small to big: {items}
Start with the smallest: {items}
From the smallest to the biggest, please: {items}
""",
    """
Sort the numbers. | {items}
Put the numbers in order, the smallest first. | {items}
Write the numbers from small to big. | {items}
Order the numbers from the smallest to the biggest. | {items}
Sort the list of numbers. | {items}
Bring the numbers into the right order. | {items}
""",
)
def sort_numbers(d: Draw) -> Task:
    numbers = d.some(range(1, 31), d.number(3, 5))
    answer = listing([str(n) for n in sorted(numbers)])
    return Task({"items": listing([str(n) for n in numbers])}, answer, [answer], key=answer)


@family(
    """
Say this list backward: {items}
Turn this list around: {items}
Reverse the order: {items}
Start with the last one: {items}
What is this list from the end to the start? {items}
Read the words from right to left: {items}
The other way around, please: {items}
""",
    """
Reverse the list. | {items}
Write the list backward. | {items}
Turn the order of the words around. | {items}
Give the list from the last to the first. | {items}
Put the last one first and the first one last. | {items}
Write these in reverse. | {items}
""",
)
def reverse_list(d: Draw) -> Task:
    words = d.some(COMMON, d.number(3, 5))
    answer = listing(words[::-1])
    return Task({"items": listing(words)}, answer, [answer], key=listing(words))


@family(
    """
Say the word {word} {n} times.
Repeat {word} {n} times.
Write {word} {n} times.
Can you say {word} {n} times?
Please write the word "{word}" {n} times.
{n_up} times the word {word}, please.
I want to hear {word} {n} times in a row.
""",
    """
Repeat the word {n} times. | {word}
Write the word {n} times. | {word}
Say this {n} times. | {word}
Copy the word {n} times, with spaces between. | {word}
Give the word {n} times. | {word}
Write it {n} times in a row. | {word}
""",
)
def repeat(d: Draw) -> Task:
    word, n = d.pick(COMMON), d.number(2, 6)
    answer = " ".join([word] * n)
    return Task(
        {"word": word, "n": wd.in_words(n), "n_up": wd.in_words(n).capitalize()},
        answer,
        [answer, listing([word] * n)],
        key=f"{word}{n}",
    )


@family(
    """
Say after me: {text}
Copy this line: {text}
Repeat this sentence: {text}
Write exactly this: {text}
Can you say this? {text}
Please write the same sentence again: {text}
Echo this: {text}
""",
    """
Copy the line. | {text}
Write the same text again. | {text}
Repeat the sentence. | {text}
Say exactly this. | {text}
Give back the input as it is. | {text}
Write down what you read. | {text}
""",
)
def copy_line(d: Draw) -> Task:
    text = d.sentence()
    return Task({"text": text}, text, [text], exact_case=True, key=text)


@family(
    """
Write {word} in capital letters.
Write the word "{word}" in big letters.
How does {word} look in capital letters?
Make all letters of {word} big.
Turn {word} into capital letters.
Please write {word} with big letters only.
Capital letters, please: {word}
""",
    """
Write the word in capital letters. | {word}
Change all letters to capitals. | {word}
Make the letters big. | {word}
Use only capital letters. | {word}
Turn this into big letters. | {word}
Rewrite the word in capitals. | {word}
""",
)
def capitals(d: Draw) -> Task:
    word = d.pick([w for w in COMMON if len(w) <= 6])
    return Task({"word": word}, word.upper(), [word.upper()], exact_case=True, key=word)


@family(
    """
What is the first letter of {word}?
With which letter does {word} begin?
{word_up} begins with which letter?
Say the first letter of the word "{word}".
Which letter comes first in {word}?
What letter does {word} start with?
Tell me the letter at the start of {word}.
""",
    """
Give the first letter of the word. | {word}
Which letter does the word begin with? | {word}
Write only the first letter. | {word}
Find the first letter. | {word}
Say the letter that comes first. | {word}
Name the letter at the start of the word. | {word}
""",
)
def first_letter(d: Draw) -> Task:
    word = d.pick(COMMON + NAMES)
    return Task({"word": word, "word_up": word.capitalize()}, word[0].upper(), [word[0]], key=word)


@family(
    """
Give the first letters of these words: {items}
What are the first letters of {items}?
Take the first letter of each word: {items}
Say only the first letters: {items}
With which letters do these words begin? {items}
Write the first letter of every word: {items}
Only the first letters, please: {items}
""",
    """
Write the first letter of each word. | {items}
Give the first letters. | {items}
Take the first letter of every word in the list. | {items}
List the first letters of the words. | {items}
Say with which letter each word begins. | {items}
Keep only the first letters. | {items}
""",
)
def first_letters(d: Draw) -> Task:
    words = d.some(COMMON, d.number(2, 4))
    answer = listing([w[0].upper() for w in words])
    return Task(
        {"items": listing(words)},
        answer,
        [answer, " ".join(w[0] for w in words)],
        key=listing(words),
    )


# -- words


@family(
    """
Which word does not belong? {items}
Find the odd one out: {items}
One of these is different. Which one? {items}
Which one does not fit? {items}
{items}: which of these is not like the others?
Three of these belong together. Which one does not? {items}
Who is the stranger in this list? {items}
""",
    """
Find the word that does not belong. | {items}
Pick the odd one out. | {items}
Which word is different? | {items}
Name the one that does not fit. | {items}
Say which word is not like the others. | {items}
Choose the word of another kind. | {items}
""",
)
def odd_one_out(d: Draw) -> Task:
    groups = d.some([c for c in wd.CATEGORIES if c not in ("bird", "bug", "flower")], 2)
    three = d.some(wd.CATEGORIES[groups[0]], 3)
    odd = d.pick([w for w in wd.CATEGORIES[groups[1]] if w not in wd.CATEGORIES[groups[0]]])
    words = d.shuffled([*three, odd])
    return Task({"items": listing(words)}, odd, [odd], key=listing(words))


@family(
    """
What is the opposite of {word}?
Tell me the opposite of "{word}".
Which word is the opposite of {word}?
{word_up} is the opposite of what?
If it is not {word}, it is ...
Say the opposite: {word}
I say {word}, and you say the opposite.
""",
    """
Give the opposite of the word. | {word}
Write the opposite. | {word}
What is the opposite of this word? | {word}
Find a word that means the opposite. | {word}
Say the opposite of the input. | {word}
Turn the word into its opposite. | {word}
""",
    computed=False,
)
def opposite(d: Draw) -> Task:
    word = d.pick(list(wd.OPPOSITES))
    answer = wd.OPPOSITES[word]
    accept = [answer] + [a for a, b in wd.OPPOSITES.items() if b == word]
    return Task({"word": word, "word_up": word.capitalize()}, answer, accept)


@family(
    """
What is the plural of {word}?
One {word}, two ...
Say {word} for more than one.
There is one {word}. Now there are two. Two what?
How do we call more than one {word}?
Make a plural of {word}.
If I have three of them, I do not say {word}. What do I say?
""",
    """
Give the plural of the word. | {word}
Write the word for more than one. | {word}
What is the plural? | {word}
Change one into many. | {word}
Form the plural. | {word}
Say the word as if there were two. | {word}
""",
    computed=False,
)
def plurals(d: Draw) -> Task:
    word = d.pick(COMMON)
    answer = _PLURALS.get(word) or wd.plural(word)
    return Task({"word": word}, answer, [answer])


@family(
    """
What is the past tense of {word}?
Today I {word}. Yesterday I ...
Say {word} in the past.
If it was yesterday, how do you say "{word}"?
Put {word} into the past tense.
Every day we {word}. Yesterday we did it, too. Which word do we use?
The past of {word} is what?
""",
    """
Give the past tense of the verb. | {word}
Write the word in the past. | {word}
What is the past tense? | {word}
Change the verb to the past. | {word}
Say it as if it happened yesterday. | {word}
Form the past tense. | {word}
""",
    computed=False,
)
def past_tense(d: Draw) -> Task:
    word = d.pick(VERBS)
    return Task({"word": word}, wd.PAST[word], [wd.PAST[word]])


@family(
    """
Tell me a word that rhymes with {word}.
Which word rhymes with {word}?
Find a rhyme for {word}.
What sounds like {word} at the end?
I need a rhyme for "{word}".
Give me a rhyming word for {word}.
{word_up} rhymes with what?
""",
    """
Give a word that rhymes. | {word}
Find a rhyme for the word. | {word}
Write a word that rhymes with this one. | {word}
Which word rhymes with the input? | {word}
Name a rhyming word. | {word}
Say something that rhymes. | {word}
""",
    computed=False,
)
def rhyme(d: Draw) -> Task:
    line = d.pick([line for line in wd.RHYMES if len(line) > 1])
    word = d.pick(line)
    answer = next(w for w in line if w != word)
    others = [w for other in wd.RHYMES if word in other for w in other if w != word]
    return Task(
        {"word": word, "word_up": word.capitalize()}, answer, others, checker=f"rhyme:{word}"
    )


@family(
    """
What kind of thing is {word}?
{word_up}: is it an animal, a fruit, a tool or something else?
To which group does {word} belong?
What is {a_word}?
Is {word} a color, an animal, a toy or what?
Name the group of {word}.
Under which heading would you put {word}?
""",
    """
Name the category of the word. | {word}
Say what kind of thing it is. | {word}
To which group does it belong? | {word}
Give one word for the group. | {word}
Sort the word into a category. | {word}
What is it? Name the kind. | {word}
""",
    computed=False,
)
def category(d: Draw) -> Task:
    kind = d.pick(list(wd.CATEGORIES))
    word = d.pick(wd.CATEGORIES[kind])
    accept = [c for c, members in wd.CATEGORIES.items() if word in members]
    count = kind not in ("number", "color", "day", "drink")
    return Task(
        {
            "word": word,
            "word_up": word.capitalize(),
            "a_word": wd.an(word) if count and word.islower() else word,
        },
        kind,
        accept + [wd.an(c) for c in accept],
    )


@family(
    """
Name {a_kind}.
Tell me {a_kind}.
Can you think of {a_kind}?
Give me an example of {a_kind}.
Say one {kind} that you know.
Do you know {a_kind}? Which one?
I need the name of {a_kind}.
""",
    """
Name one. | {kind}
Give an example of this category. | {kind}
Write one word of this kind. | {kind}
Think of something that belongs to the group. | {kind}
Say one thing of this kind. | {kind}
Find a word for the category. | {kind}
""",
    computed=False,
)
def example(d: Draw) -> Task:
    kind = d.pick(list(wd.CATEGORIES))
    word = d.pick(wd.CATEGORIES[kind])
    return Task(
        {"kind": kind, "a_kind": wd.an(kind)},
        word,
        list(wd.CATEGORIES[kind]),
        checker=f"category:{kind}",
    )


@family(
    """
Is this true or false? {text}
True or false: {text}
{text} Is that true or false?
Say true or false. {text}
Somebody says: {text} True or false?
Can that be? Answer with true or false. {text}
Is the sentence true or is it false? {text}
""",
    """
Say if the sentence is true or false. | {text}
True or false? | {text}
Write "true" or "false". | {text}
Decide: true or false. | {text}
Is the statement true or false? | {text}
Judge the sentence: true or false. | {text}
""",
    computed=False,
)
def true_or_false(d: Draw) -> Task:
    right = d.random() < 0.5
    draw = d.random()
    if draw < 0.3:
        kind, other = d.some(
            [
                c
                for c in wd.CATEGORIES
                if c not in ("bird", "bug", "flower", "day", "number", "color", "drink")
            ],
            2,
        )
        word = d.pick(wd.CATEGORIES[kind])
        if not right and word in wd.CATEGORIES[other]:
            other = kind
            right = True
        name = kind if right else other
        text = f"{wd.an(word).capitalize()} is {'' if name in ('clothing', 'furniture') else wd.an(name)[: -len(name)]}{name}."
    elif draw < 0.55:
        row = d.pick(
            [
                r
                for r in wd.ANIMALS
                if r[6] in ("two", "four", "six", "eight") and r[0] not in ("monkey", "gorilla")
            ]
        )
        legs = (
            row[6] if right else d.pick([n for n in ("two", "four", "six", "eight") if n != row[6]])
        )
        text = f"{wd.an(row[0]).capitalize()} has {legs} legs."
    elif draw < 0.75:
        thing, color = d.pick(wd.USUAL_COLORS)
        shown = color if right else d.pick([c for c in wd.COLORS[:8] if c != color])
        text = f"{thing[0].upper()}{thing[1:]} is {shown}."
    else:
        a, b = d.some(range(1, 21), 2)
        if (a > b) != right:
            a, b = b, a
        text = f"{wd.in_words(a).capitalize()} is more than {wd.in_words(b)}."
    answer = "true" if right else "false"
    return Task({"text": text}, answer, [answer])


@family(
    """
What color is {thing}?
Which color does {thing} have?
Tell me the color of {thing}.
What is the color of {thing}?
Of what color is {thing}, most of the time?
Say the color: {thing}
I want to paint {thing}. Which color do I need?
""",
    """
Name the usual color of the thing. | {thing}
What color is it? | {thing}
Give the color. | {thing}
Say which color this has. | {thing}
Which color fits? | {thing}
Write one color for it. | {thing}
""",
    computed=False,
)
def usual_color(d: Draw) -> Task:
    thing, color = d.pick(wd.USUAL_COLORS)
    return Task({"thing": thing}, color, [color])


# -- days, numbers, order


@family(
    """
Which day comes after {day}?
What day is it after {day}?
Today is {day}. What day is tomorrow?
If today is {day}, which day is it tomorrow?
Tell me the day after {day}.
{day}, and then? Which day is next?
What comes next in the week after {day}?
""",
    """
Name the day after. | {day}
Which day comes next? | {day}
Give the next day of the week. | {day}
Say which day follows. | {day}
What day is it one day later? | {day}
Write the day of tomorrow. | {day}
""",
    computed=False,
)
def day_after(d: Draw) -> Task:
    i = d.number(0, 6)
    return Task({"day": wd.DAYS[i]}, wd.DAYS[(i + 1) % 7], [wd.DAYS[(i + 1) % 7]])


@family(
    """
Which day comes before {day}?
What day was it before {day}?
Today is {day}. What day was yesterday?
If today is {day}, which day was it yesterday?
Tell me the day before {day}.
Which day is just before {day}?
What was the day before {day} called?
""",
    """
Name the day before. | {day}
Which day comes just before? | {day}
Give the day of yesterday. | {day}
Say which day is one day earlier. | {day}
What day was it one day earlier? | {day}
Write the day before this one. | {day}
""",
    computed=False,
)
def day_before(d: Draw) -> Task:
    i = d.number(0, 6)
    return Task({"day": wd.DAYS[i]}, wd.DAYS[(i - 1) % 7], [wd.DAYS[(i - 1) % 7]])


@family(
    """
Which month comes after {month}?
What month is next after {month}?
It is {month}. Which month comes then?
Tell me the month after {month}.
If this month is {month}, what is the next one?
{month} is over. Which month begins?
What follows {month} in the calendar?
""",
    """
Name the month after. | {month}
Which month comes next? | {month}
Give the next month. | {month}
Say which month follows. | {month}
What month is it one month later? | {month}
Write the month that comes then. | {month}
""",
    computed=False,
)
def month_after(d: Draw) -> Task:
    i = d.number(0, 11)
    return Task({"month": wd.MONTHS[i]}, wd.MONTHS[(i + 1) % 12], [wd.MONTHS[(i + 1) % 12]])


@family(
    """
Which month comes before {month}?
What month was before {month}?
It is {month}. Which month was it before?
Tell me the month before {month}.
If this month is {month}, what was the last one?
Which month is just before {month}?
What stands before {month} in the calendar?
""",
    """
Name the month before. | {month}
Which month comes just before? | {month}
Give the month before this one. | {month}
Say which month was earlier. | {month}
What month was it one month earlier? | {month}
Write the month that came before. | {month}
""",
    computed=False,
    held_out=True,
)
def month_before(d: Draw) -> Task:
    i = d.number(0, 11)
    return Task({"month": wd.MONTHS[i]}, wd.MONTHS[(i - 1) % 12], [wd.MONTHS[(i - 1) % 12]])


@family(
    """
Which is bigger, {a} or {b}?
What is more, {a} or {b}?
{a} or {b}: which number is bigger?
Tell me the bigger number: {a} or {b}?
Of {a} and {b}, which one is bigger?
I have {a} and {b}. Which is the bigger number?
Compare {a} and {b}. Which is more?
""",
    """
Write the bigger number. | {a}, {b}
Which number is bigger? | {a}, {b}
Choose the bigger one. | {a}, {b}
Find the number that is more. | {a}, {b}
Compare the numbers and give the bigger one. | {a}, {b}
Say which one is more. | {a}, {b}
""",
)
def bigger(d: Draw) -> Task:
    a, b = d.some(range(1, 101 if d.random() < 0.5 else 21), 2)
    return Task(
        {"a": str(a), "b": str(b)},
        str(max(a, b)),
        [str(max(a, b)), wd.in_words(max(a, b))],
        key=f"{a},{b}",
    )


@family(
    """
Which is smaller, {a} or {b}?
What is less, {a} or {b}?
{a} or {b}: which number is smaller?
Tell me the smaller number: {a} or {b}?
Of {a} and {b}, which one is smaller?
I have {a} and {b}. Which is the smaller number?
Compare {a} and {b}. Which is less?
""",
    """
Write the smaller number. | {a}, {b}
Which number is smaller? | {a}, {b}
Choose the smaller one. | {a}, {b}
Find the number that is less. | {a}, {b}
Compare the numbers and give the smaller one. | {a}, {b}
Say which one is less. | {a}, {b}
""",
    held_out=True,
)
def smaller(d: Draw) -> Task:
    a, b = d.some(range(1, 101 if d.random() < 0.5 else 21), 2)
    return Task(
        {"a": str(a), "b": str(b)},
        str(min(a, b)),
        [str(min(a, b)), wd.in_words(min(a, b))],
        key=f"{a},{b}",
    )


def _compared(d: Draw, more: str, fewer: str, most: str, least: str) -> Task:
    """Three people in a row, told as two comparisons."""
    a, b, c = d.some(NAMES, 3)
    facts = [
        f"{a} is {more} than {b}." if d.random() < 0.6 else f"{b} is {fewer} than {a}.",
        f"{b} is {more} than {c}." if d.random() < 0.6 else f"{c} is {fewer} than {b}.",
    ]
    if d.random() < 0.5:
        facts.reverse()
    asks_most = d.random() < 0.5
    answer = a if asks_most else c
    return Task(
        {"facts": " ".join(facts), "most": most if asks_most else least},
        answer,
        [answer, f"{answer} is the {most if asks_most else least}"],
        key=" ".join(sorted((a, b, c))),
    )


_COMPARE = """
{facts} Who is the {most}?
{facts} Who of them is the {most}?
{facts} Say who is the {most}.
{facts} Which of the three is the {most}?
Think: {facts} Who is the {most}?
{facts} Now tell me who is the {most}.
{facts} Can you find out who is the {most}?
"""
_COMPARE_GPT = """
Who is the {most}? | {facts}
Say who is the {most}. | {facts}
Find out who is the {most}. | {facts}
Write the name of the {most} one. | {facts}
Which of them is the {most}? | {facts}
Name the {most} of the three. | {facts}
"""


@family(_COMPARE, _COMPARE_GPT)
def taller(d: Draw) -> Task:
    return _compared(d, "taller", "shorter", "tallest", "shortest")


@family(_COMPARE, _COMPARE_GPT)
def older(d: Draw) -> Task:
    return _compared(d, "older", "younger", "oldest", "youngest")


@family(_COMPARE, _COMPARE_GPT, held_out=True)
def faster(d: Draw) -> Task:
    return _compared(d, "faster", "slower", "fastest", "slowest")


@family(
    """
Which word comes {nth} in this list? {items}
{items}: what is the {nth} one?
Look at the list: {items}. Which one is the {nth}?
Tell me the {nth} word: {items}
What is the {nth} thing in {items}?
Here are some words: {items}. Say the {nth} one.
Count along and stop at the {nth}: {items}
""",
    """
Give the {nth} word. | {items}
Which one is the {nth} in the list? | {items}
Write only the {nth} one. | {items}
Find the {nth} word of the list. | {items}
Name the {nth} thing. | {items}
Say what comes {nth}. | {items}
""",
)
def nth_item(d: Draw) -> Task:
    words = d.some(COMMON, d.number(3, 5))
    i = d.number(0, len(words) - 1)
    nth = ("first", "second", "third", "fourth", "fifth")[i]
    return Task(
        {"items": listing(words), "nth": nth}, words[i], [words[i]], key=listing(words) + nth
    )


# -- reading sentences


@family(
    """
{text} Who {rest}?
Read this: {text} Who {rest}?
{text} Tell me who {rest}.
I heard this: {text} Who {rest}?
{text} Say the name: who {rest}?
Listen: {text} Now, who {rest}?
{text} Which person {rest}?
""",
    """
Who {rest}? | {text}
Say who {rest}. | {text}
Answer with a name: who {rest}? | {text}
Find out who {rest}. | {text}
Read the sentence. Who {rest}? | {text}
Write the name of the person who {rest}. | {text}
""",
)
def who_did(d: Draw) -> Task:
    name, other = d.some(NAMES, 2)
    thing, place = d.pick(SHORT_THINGS), wd.PLACES[d.pick(wd.OUTSIDE)]
    rest = d.pick(
        (
            f"found the {thing}",
            f"went {place.to}",
            f"lost the {thing} {place.at}",
            f"mended the {thing}",
            f"hid the {thing}",
            f"sang a song {place.at}",
            f"painted the {thing}",
            f"slept {place.at}",
            f"fell asleep {place.at}",
            f"sold the {thing}",
        )
    )
    second = d.pick(
        (
            f"{other} stayed at home.",
            f"{other} watched.",
            f"{other} was asleep.",
            f"{other} laughed.",
            "",
            "",
        )
    )
    text = f"{name} {rest}. {second}".strip()
    if second and d.random() < 0.5:
        text = f"{second} {name} {rest}."
    return Task({"text": text, "rest": rest}, name, [name, f"{name} {rest}"], key=text)


@family(
    """
{text} Which color is in the sentence?
What color is named here? {text}
Find the color: {text}
{text} Tell me the color.
Read the sentence and say the color. {text}
Which color did you read? {text}
Fish the color out of this: {text}
""",
    """
Find the color in the sentence. | {text}
Which color is named? | {text}
Write only the color. | {text}
Give the word for the color. | {text}
Name the color that you read. | {text}
Take out the color. | {text}
""",
)
def find_color(d: Draw) -> Task:
    color, thing = d.pick(wd.TOY_COLORS), d.pick(SHORT_THINGS)
    name, place = d.pick(NAMES), wd.PLACES[d.pick(wd.OUTSIDE)]
    it = f"{color} {thing}"
    text = d.pick(
        (
            f"{name} has {wd.an(it)}.",
            f"The {it} is {place.at}.",
            f"{name} painted a {thing} and made it {color}.".replace("a apple", "an apple"),
            f"Look at the {it} {place.at}!",
            f"{name} likes the {it} best.",
            f"We saw {wd.an(it)} {place.at}.",
            f"The {thing} of {name} is {color}.",
        )
    )
    text = text.replace(" a " + thing, " " + wd.an(thing)) if f" a {thing}" in text else text
    return Task({"text": text}, color, [color], key=text)


@family(
    """
{text} Which number is in the sentence?
What number is named here? {text}
Find the number: {text}
{text} Tell me the number.
Read the sentence and say the number. {text}
Which number did you read? {text}
Only the number, please: {text}
""",
    """
Find the number in the sentence. | {text}
Which number is named? | {text}
Write only the number. | {text}
Give the number that you read. | {text}
Name the number in the text. | {text}
Take out the number. | {text}
""",
)
def find_number(d: Draw) -> Task:
    n = d.number(2, 20)
    number = wd.in_words(n) if d.random() < 0.6 else str(n)
    many = _PLURALS[d.pick(SHORT_THINGS)]
    name, place = d.pick(NAMES), wd.PLACES[d.pick(wd.OUTSIDE)]
    animals = wd.plural(d.pick(SHORT_ANIMALS))
    text = d.pick(
        (
            f"{name} has {number} {many}.",
            f"There are {number} {animals} {place.at}.",
            f"{name} saw {number} {animals} {place.at}.",
            f"We need {number} {many}.",
            f"{name} counted {number} {many}.",
            f"On the table, there are {number} {many}.",
        )
    )
    return Task({"text": text}, number, [number, str(n), wd.in_words(n)], key=text)


@family(
    """
{text} Which place is named?
What place is in this sentence? {text}
Where does this happen? {text}
{text} Tell me the place.
Read the sentence and name the place. {text}
Find the place: {text}
At what place are we here? {text}
""",
    """
Find the place in the sentence. | {text}
Which place is named? | {text}
Write only the place. | {text}
Where does it happen? | {text}
Name the place that you read. | {text}
Take out the place. | {text}
""",
)
def find_place(d: Draw) -> Task:
    place = wd.PLACES[d.pick(wd.OUTSIDE)]
    name, thing, animal = d.pick(NAMES), d.pick(SHORT_THINGS), d.pick(SHORT_ANIMALS)
    text = d.pick(
        (
            f"{name} lost the {thing} {place.at}.",
            f"{name} saw {wd.an(animal)} {place.at}.",
            f"The {animal} sleeps {place.at}.",
            f"{name} found {wd.an(thing)} {place.at}.",
            f"We sang songs {place.at}.",
            f"{name} met a friend {place.at}.",
        )
    )
    return Task(
        {"text": text}, f"the {place.noun}", [f"the {place.noun}", place.noun, place.at], key=text
    )


@family(
    """
{text} Which animal is in the sentence?
What animal is named here? {text}
Find the animal: {text}
{text} Tell me the animal.
Read the sentence and say the animal. {text}
Which animal did you read about? {text}
There is an animal hidden here: {text}
""",
    """
Find the animal in the sentence. | {text}
Which animal is named? | {text}
Write only the animal. | {text}
Give the word for the animal. | {text}
Name the animal that you read. | {text}
Take out the animal. | {text}
""",
    held_out=True,
)
def find_animal(d: Draw) -> Task:
    place, animal = wd.PLACES[d.pick(wd.OUTSIDE)], d.pick(SHORT_ANIMALS)
    name, thing = d.pick(NAMES), d.pick(SHORT_THINGS)
    text = d.pick(
        (
            f"{name} saw {wd.an(animal)} {place.at}.",
            f"The {animal} sleeps {place.at}.",
            f"{name} drew {wd.an(animal)}.",
            f"The {animal} took the {thing} of {name}.",
            f"Behind the {thing}, there was {wd.an(animal)}.",
        )
    )
    return Task({"text": text}, animal, [animal, wd.an(animal), f"the {animal}"], key=text)


@family(
    """
How does the person feel? {text}
{text} What feeling is that?
{text} Is that happy, sad, angry or scared?
Name the feeling: {text}
Read this: {text} How does somebody feel here?
What is the feeling in this sentence? {text}
{text} Say in one word how that feels.
""",
    """
Name the feeling in the sentence. | {text}
How does the person feel? Choose: happy, sad, angry, scared. | {text}
Say which feeling fits: happy, sad, angry or scared. | {text}
Write the feeling in one word. | {text}
Classify the feeling: happy, sad, angry or scared. | {text}
Which feeling is it? | {text}
""",
    computed=False,
)
def feeling(d: Draw) -> Task:
    girl = d.random() < 0.5
    name = d.pick(wd.GIRLS if girl else wd.BOYS)
    he, his = ("she", "her") if girl else ("he", "his")
    mood = d.pick(("happy", "sad", "angry", "scared"))
    text = d.pick(
        {
            "happy": (
                f"{name} laughed and clapped {his} hands.",
                f"{name} jumped for joy.",
                f"{name} got a present and smiled.",
                f"{name} danced around the room and sang.",
                f"{name} smiled from ear to ear.",
                f"{name} hugged everybody and laughed.",
            ),
            "sad": (
                f"{name} cried because the {d.pick(SHORT_THINGS)} was gone.",
                f"Tears ran down the face of {name}.",
                f"{name} sat alone and wept.",
                f"{name} hung {his} head and began to cry.",
                f"{name} missed {his} friend and cried.",
                f"{name} had a tear in {his} eye.",
            ),
            "angry": (
                f"{name} stamped {his} foot and shouted.",
                f"{name} made a fist and turned red.",
                f'{name} yelled, "That is not fair!"',
                f"{name} slammed the door.",
                f'{name} crossed {his} arms and shouted, "Go away!"',
                f"{name} kicked the chair and yelled.",
            ),
            "scared": (
                f"{name} hid under the bed and shook.",
                f"{name} heard a noise in the dark and did not dare to move.",
                f"The knees of {name} shook, and {he} wanted to run away.",
                f"{name} held {his} breath when the thunder came.",
                f"{name} trembled and called for help.",
                f"{name} saw a shadow and screamed.",
            ),
        }[mood]
    )
    return Task({"text": text}, mood, [mood, f"{name} is {mood}", f"{name} feels {mood}"])


@family(
    """
Fill the gap: {text} The missing word is one of: {options}
Which word is missing? {text} Choose from: {options}
{text} What goes into the gap, {options}?
Which word fits into the gap? {text} ({options})
Complete the sentence: {text} Options: {options}
Put in the right word: {text} You can choose: {options}
One word got lost: {text} Was it {options}?
""",
    """
Fill the gap with the right word: {options}. | {text}
Choose the missing word from: {options}. | {text}
Which word fits? {options} | {text}
Complete the sentence. You can choose from: {options}. | {text}
Put the right word into the gap ({options}). | {text}
Write only the missing word. Options: {options}. | {text}
""",
    computed=False,
)
def fill_gap(d: Draw) -> Task:
    name = d.pick(NAMES)
    text, answer, wrong = d.pick(
        (
            (
                f"{name} was thirsty, so somebody gave {name} a glass of ___.",
                "water",
                "sand;wood;stones",
            ),
            (f"It was raining, so {name} took an ___.", "umbrella", "elephant;orange;ant"),
            (f"{name} was tired and went to ___.", "bed", "school;war;sea"),
            (
                f"The {d.pick(('bird', 'owl', 'robin', 'crow'))} flew back to the ___.",
                "nest",
                "spoon;shoe;pan",
            ),
            (f"{name} cut the paper with ___.", "scissors", "soup;milk;wind"),
            (f"{name} ate the soup with a ___.", "spoon", "ladder;shoe;book"),
            (f"It was cold, so {name} put on a ___.", "coat", "cake;river;bell"),
            (f"{name} read a ___ before bed.", "book", "cup;shoe;cloud"),
            ("The dog began to ___ at the stranger.", "bark", "read;bloom;fly"),
            (f"{name} opened the door with a ___.", "key", "carrot;cloud;leaf"),
            (f"{name} saw a fish in the ___.", "water", "oven;tree;pocket"),
            (f"The baby was ___, so {name} sang a song.", "crying", "reading;cooking;driving"),
            (f"{name} planted a ___ in the garden.", "seed", "chair;plate;lamp"),
            (f"At night, {name} saw the ___ in the sky.", "moon", "table;pencil;sock"),
            (
                f"{name} brushed {('her' if name in wd.GIRLS else 'his')} ___ after dinner.",
                "teeth",
                "soup;bread;door",
            ),
            ("The farmer milked the ___.", "cow", "hen;barn;fence"),
            (f"{name} hit the nail with a ___.", "hammer", "feather;flower;sock"),
            (f"{name} blew out the ___ on the cake.", "candles", "windows;shoes;stones"),
            (f"The ___ quacked at {name}.", "duck", "cat;cow;snail"),
            (f"{name} said sorry and was ___ by the friend.", "forgiven", "eaten;cooked;painted"),
        )
    )
    options = d.shuffled([answer, *d.some(wrong.split(";"), 2)])
    return Task({"text": text, "options": wd.listed(options, "or")}, answer, [answer])


@family(
    """
Make a sentence with the words {a} and {b}.
Use {a} and {b} in one sentence.
Write a sentence that has {a} and {b} in it.
Can you say a sentence with "{a}" and "{b}"?
Give me one sentence with both words: {a}, {b}
I need a sentence with {a} and {b}.
One sentence, two words: {a}, {b}
""",
    """
Write one sentence with both words. | {a}, {b}
Make a sentence with these words. | {a}, {b}
Use both words in a sentence. | {a}, {b}
Form a sentence that has the two words in it. | {a}, {b}
Put the two words into one sentence. | {a}, {b}
Say a sentence with these two. | {a}, {b}
""",
)
def make_sentence(d: Draw) -> Task:
    thing, animal = d.pick(SHORT_THINGS), d.pick(SHORT_ANIMALS)
    place = wd.PLACES[d.pick(wd.OUTSIDE)]
    name, color = d.pick(NAMES), d.pick(wd.COLORS)
    options = (
        (
            animal,
            thing,
            (
                f"The {animal} sat next to the {thing}.",
                f"The {animal} found {wd.an(thing)}.",
                f"{name} showed the {thing} to the {animal}.",
                f"The {animal} looked at the {thing} for a long time.",
            ),
        ),
        (
            thing,
            place.noun,
            (
                f"{name} lost the {thing} {place.at}.",
                f"There was {wd.an(thing)} {place.at}.",
                f"{name} took the {thing} {place.to}.",
            ),
        ),
        (
            name,
            animal,
            (
                f"{name} has {wd.an(animal)}.",
                f"{name} saw {wd.an(animal)} {place.at}.",
                f"The {animal} likes {name}.",
            ),
        ),
        (
            name,
            thing,
            (
                f"{name} has {wd.an(f'{color} {thing}')}.",
                f"{name} gave the {thing} to a friend.",
                f"{name} found the {thing} {place.at}.",
            ),
        ),
        (
            animal,
            place.noun,
            (f"The {animal} went {place.to}.", f"{name} saw {wd.an(animal)} {place.at}."),
        ),
    )
    a, b, sentences = d.pick(options)
    if d.random() < 0.5:
        slots = {"a": a, "b": b}
    else:
        slots = {"a": b, "b": a}
    answer = d.pick(sentences)
    return Task(slots, answer, [answer], checker=f"words:{a},{b}", key=f"{a},{b}")


@family(
    """
Can {a_animal} {verb}? Answer yes or no.
Yes or no: can {a_animal} {verb}?
Is it true that {a_animal} can {verb}? Say yes or no.
Tell me, yes or no: can {a_animal} {verb}?
Does {a_animal} {verb}? Yes or no?
Answer with yes or no. Can {a_animal} {verb}?
I ask you: can {a_animal} {verb}, yes or no?
""",
    """
Answer with yes or no. | Can {a_animal} {verb}?
Yes or no? | Can {a_animal} {verb}?
Say yes or no. | Can {a_animal} {verb}?
Answer in one word, yes or no. | Is {a_animal} able to {verb}?
Decide: yes or no. | Can {a_animal} {verb}?
Give a short answer, yes or no. | Can {a_animal} {verb}?
""",
    computed=False,
)
def yes_or_no(d: Draw) -> Task:
    fliers = "robin crow eagle owl sparrow bee butterfly bat pigeon parrot duck".split()
    walkers = "dog cow elephant horse pig lion mouse fish snake frog rabbit bear".split()
    swimmers = "fish duck frog otter seal whale dolphin penguin beaver swan shark".split()
    draw = d.random()
    if draw < 0.45:
        yes = d.random() < 0.5
        animal, verb = d.pick(fliers if yes else walkers), "fly"
    elif draw < 0.7:
        yes = True
        animal, verb = d.pick(swimmers), "swim"
    elif draw < 0.85:
        yes = False
        animal, verb = (
            d.pick(wd.ANIMAL_NAMES),
            d.pick(
                ("read a book", "drive a bus", "play the violin", "write a letter", "bake a cake")
            ),
        )
    else:
        row = d.pick(
            [
                r
                for r in wd.ANIMALS
                if r[3]
                in (
                    "bark", "meow", "moo", "oink", "quack", "roar", "hoot", "neigh", "croak",
                    "buzz", "howl",
                )
            ]
        )
        yes = d.random() < 0.6
        animal = row[0] if yes else d.pick(("fish", "snail", "worm", "butterfly", "ant"))
        verb = row[3]
    answer = "yes" if yes else "no"
    return Task({"a_animal": wd.an(animal), "verb": verb}, answer, [answer])


@family(
    """
What sound does {a_animal} make? Answer in one word.
In one word: what does {a_animal} do, bark, moo or something else?
One word, please: the sound of {a_animal}.
How do we call the sound of {a_animal}? Use one word.
Say in one word what {a_animal} does when you hear it.
Which word fits for the sound of {a_animal}?
Give me one word for the voice of {a_animal}.
""",
    """
Name the sound of the animal in one word. | {animal}
What sound does it make? One word. | {animal}
Write the sound of the animal. | {animal}
Give one word for its sound. | {animal}
Answer in one word: what does it do with its voice? | {animal}
Say how it sounds. | {animal}
""",
    computed=False,
)
def animal_sound(d: Draw) -> Task:
    row = d.pick([r for r in wd.ANIMALS if " " not in r[3]])
    return Task({"animal": row[0], "a_animal": wd.an(row[0])}, row[3], [row[3], row[3] + "s"])


@family(
    """
What is a baby {animal} called?
How do we call the baby of {a_animal}?
The young of {a_animal} is called what?
A baby {animal} is a ... what?
Tell me the word for a baby {animal}.
What is the name for a young {animal}?
Which word means a little {animal}?
""",
    """
Name the baby of the animal. | {animal}
What is its baby called? | {animal}
Write the word for the young animal. | {animal}
Give the word for its baby. | {animal}
Say what a young one is called. | {animal}
Which word means the baby of it? | {animal}
""",
    computed=False,
    held_out=True,
)
def baby_animal(d: Draw) -> Task:
    row = d.pick([r for r in wd.ANIMALS if " " not in r[5] and r[5] != "egg"])
    return Task({"animal": row[0], "a_animal": wd.an(row[0])}, row[5], [row[5], wd.an(row[5])])


@family(
    """
Join these words to a list with "and": {items}
Say these with "and" before the last one: {items}
Make one phrase of it: {items}
{items}: put "and" before the last word.
How do you say this list with "and"? {items}
Turn this into a phrase with "and": {items}
Add an "and" where it belongs: {items}
""",
    """
Write the list with "and" before the last word. | {items}
Join the words with commas and "and". | {items}
Make a phrase of the list. | {items}
Put "and" before the last one. | {items}
Say the list as in a sentence. | {items}
Use "and" for the last word. | {items}
""",
    held_out=True,
)
def join_words(d: Draw) -> Task:
    words = d.some(COMMON, d.number(3, 4))
    answer = wd.listed(words)
    return Task(
        {"items": listing(words)},
        answer,
        [answer, ", ".join(words[:-1]) + ", and " + words[-1]],
        key=listing(words),
    )


@family(
    """
Put these words in order to make a sentence: {items}
Make a sentence from these words: {items}
The words are mixed up: {items}. What is the sentence?
Which sentence can you make from {items}?
Order the words: {items}
Sort the mixed words into a sentence: {items}
Somebody shook the words: {items}. Put them right.
""",
    """
Make a sentence from the words. | {items}
Put the words in the right order. | {items}
Order the words to a sentence. | {items}
Write the sentence that the words make. | {items}
Bring the mixed words in order. | {items}
Build a sentence with all the words. | {items}
""",
)
def unmix(d: Draw) -> Task:
    name, thing = d.pick(NAMES), d.pick(SHORT_THINGS)
    verb = d.pick(("found", "lost", "saw", "took", "hid", "likes", "sold", "washed", "painted"))
    words = [name, verb, "the", thing]
    if d.random() < 0.4:
        words.insert(3, d.pick([c for c in wd.TOY_COLORS if c != thing]))
    mixed = d.shuffled(words)
    answer = " ".join(words) + "."
    return Task({"items": listing(mixed)}, answer, [answer], key=answer)


@family(
    """
Answer with a or an: ___ {word}
Is it "a" or "an"? ___ {word}
Which one is right before {word}, a or an?
Do we say a or an? ___ {word}
Put a or an before {word}.
A or an: I see ___ {word}.
What belongs before {word}, "a" or "an"?
""",
    """
Write the word with a or an. | {word}
Choose a or an. | {word}
Put the right article before the word. | {word}
Which is right, a or an? | {word}
Add a or an. | {word}
Give the word with its article. | {word}
""",
    computed=False,
)
def a_or_an(d: Draw) -> Task:
    vowels = [w for w in COMMON if w[0] in "aeiou"]
    word = d.pick(vowels) if d.random() < 0.5 else d.pick(COMMON)
    both = wd.an(word)
    article = both.split()[0]
    return Task({"word": word}, both, [both, article])


TRAINED = [f for f in FAMILIES.values() if not f.held_out]
HELD_OUT = [f for f in FAMILIES.values() if f.held_out]


def _task_held_out(family: Family, task: Task) -> bool:
    return family.computed and zlib.crc32(f"{family.name}/{task.key}".encode()) % 10 == 0


def record(rng: random.Random, heldout: bool = False) -> Record:
    """A task of any family. Held out: new phrasings, new tasks or new families, each as often."""
    d = Draw(rng)
    if not heldout:
        return _record(d, d.pick(TRAINED), "")
    return _record(
        d,
        *d.pick(
            (
                (d.pick(TRAINED), "template"),
                (d.pick([f for f in TRAINED if f.computed]), "task"),
                (d.pick(HELD_OUT), "family"),
            )
        ),
    )


def of_family(name: str, rng: random.Random, heldout: bool = False) -> Record:
    """A task of one family."""
    chosen = FAMILIES[name]
    return _record(
        Draw(rng), chosen, ("family" if chosen.held_out else "template") if heldout else ""
    )


def _record(d: Draw, chosen: Family, held: str) -> Record:
    while True:
        task = chosen.make(d)
        if (
            held == "family"
            or _task_held_out(chosen, task) == (held == "task")
            or held == "template"
        ):
            break
    shape = "palm" if d.random() < 0.5 else "gpt"
    phrasings: Sequence[Any] = chosen.palm if shape == "palm" else chosen.gpt
    if held == "template":
        which = len(phrasings) - 1 - int(d.random() * chosen.held)
    elif held == "family":
        which = int(d.random() * len(phrasings))
    else:
        which = int(d.random() * (len(phrasings) - chosen.held))
    if shape == "palm":
        instruction, text = fill(phrasings[which], task.slots), ""
    else:
        instruction, text = (
            fill(phrasings[which][0], task.slots),
            fill(phrasings[which][1], task.slots),
        )
    found: Record = {
        "family": chosen.name,
        "template": f"{shape}/{which}",
        "shape": shape,
        "instruction": instruction,
        "input": text,
        "answer": task.answer,
        "accept": task.accept,
    }
    if task.checker:
        found["checker"] = task.checker
    if task.exact_case:
        found["exact_case"] = True
    found["split"] = "heldout" if held else "train"
    if held:
        found["held_out"] = held
    return found


def fill(template: str, slots: dict[str, str]) -> str:
    """Begins with a capital, unless it begins with what the task is about."""
    text = template.format_map(slots)
    return text if template.startswith("{") else text[:1].upper() + text[1:]
