"""Reads stories as a child would, and says what does not fit together.

`check_story` takes any text in the style of stories.py, also one that a model has written: it knows
the words of words.py and plain rules, not how the text came about. It reports violations of four
kinds:

    name    somebody appears without having been introduced, or is another kind or another gender than before
    object  a thing appears as if it were known, changes its color, is used while it is lost, stays lost, is given away
            by somebody who does not have it; a number or an age changes
    place   somebody is where nobody went, or comes back to where nobody was
    form    a sentence without an end, a sentence twice, quotation marks that stay open, no ending

What it cannot know it lets pass: it is made to be right about what it reports. `mutations` are the
other side: they spoil a good story in one spot, so that it can be measured how much is noticed
(`python3 check.py` prints that).

The answers of instructions and arithmetic are checked by `matches`.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

import words as wd

KINDS = ("name", "object", "place", "form")


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that does not fit: its kind, the number of the sentence, and what is wrong."""

    kind: str
    sentence: int
    what: str


# -- sentences

_SPLIT = re.compile(
    r'(?<=[.!?])(?:(?<=\w[.!?])|(?<=["\'][.!?]))? +(?=["A-Z])|(?<=[.!?]") +(?=["A-Z])|\n+'
)
_QUOTED = re.compile(r'"[^"]*"?')
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")


@dataclass(slots=True)
class Sentence:
    """A sentence, and what of it is told and not said."""

    text: str
    told: str
    number: int


_LONG = [
    (re.compile(pattern), by)
    for pattern, by in (
        (r"\b([Ww])on't\b", r"\1ill not"),
        (r"\bcan't\b", "cannot"),
        (r"\bCan't\b", "Cannot"),
        (r"n't\b", " not"),
        (r"\bI'm\b", "I am"),
        (r"'re\b", " are"),
        (r"'ll\b", " will"),
        (r"\bI've\b", "I have"),
        (r"\bI'd\b", "I would"),
        (r"\b([Ll])et's\b", r"\1et us"),
        (r"\b([Ii]t|[Tt]hat|[Ww]hat|[Ww]here|[Ww]ho|[Tt]here|[Hh]e|[Ss]he)'s\b", r"\1 is"),
        (r"\b([Nn])o one\b", r"\1obody"),
        (r"\b([Ss]ome|[Ee]very)one\b", r"\1body"),
    )
]


def in_long_forms(text: str) -> str:
    """Without short forms such as "isn't"."""
    for pattern, by in _LONG:
        text = pattern.sub(by, text)
    return text


def sentences(text: str) -> list[Sentence]:
    parts = [part.strip() for part in _SPLIT.split(text) if part and part.strip()]
    joined: list[str] = []
    for part in parts:  # a quotation of several sentences is one
        if joined and joined[-1].count('"') % 2:
            joined[-1] += " " + part
        else:
            joined.append(part)
    return [Sentence(part, _QUOTED.sub(" , ", part), i) for i, part in enumerate(joined)]


# -- people

NOT_NAMES = frozenset(
    wd.DAYS
    + wd.MONTHS
    + """I Hooray Bravo Snowman Bzzz Crash Bang Poof Whoosh Splash Crunch Thump Clonk Clack
Plop Ouch Ow Monday Australia The X Crack Bump Mr Mrs Miss English User Assistant""".split()
)
RELATION_GENDER = {
    "mother": "f",
    "mom": "f",
    "mama": "f",
    "grandmother": "f",
    "grandma": "f",
    "sister": "f",
    "aunt": "f",
    "girl": "f",
    "woman": "f",
    "queen": "f",
    "lady": "f",
    "father": "m",
    "dad": "m",
    "papa": "m",
    "grandfather": "m",
    "grandpa": "m",
    "brother": "m",
    "uncle": "m",
    "boy": "m",
    "man": "m",
    "king": "m",
}
JOB_GENDER = {row[0]: row[1] for row in wd.NEIGHBORS}
CREATURES = "fairy mermaid wizard elf fish frog monster dragon giant ghost judge runner thief postman cub fawn owlet pony heron".split()
OTHERS = frozenset(
    wd.ANIMAL_NAMES
    + CREATURES
    + [row[5] for row in wd.ANIMALS if " " not in row[5]]
    + [row[0] for row in wd.NEIGHBORS if " " not in row[0]]
    + ["driver", "hen", "bird", "baby", "child", "puppy"]
)
_INTRODUCED = re.compile(
    r"\b(?:[Nn]amed|[Cc]alled|[Ff]riend|[Ss]ister|[Bb]rother|[Cc]ousin|[Nn]eighbor|name was|name "
    r"is|I am|[Ee]verybody knew|"
    r"baby|know|about) (?:was )?([A-Z][a-z]+)\b"
)
_OF_KIND = re.compile(r"\b([A-Z][a-z]+) the ((?:polar )?[a-z]+)\b")
_AS_KIND = re.compile(r"\ban? ((?:[a-z]+ )+?)(?:who [^.]*?)?(?:named|called) ([A-Z][a-z]+)\b")
_IS_KIND = re.compile(r"^([A-Z][a-z]+) was an? ((?:[a-z]+ )*?[a-z]+) who\b")
_SUBJECT = re.compile(
    r"(?:Then |So |Now |But |And |After that, |At last, |Slowly, |Quickly, )?([Hh]e|[Ss]he)\b"
)
_RELATIVE = re.compile(
    r" (?:\w+ ){0,2}?(?:mother|father|mom|mama|dad|papa|grandmother|grandfather|grandma|grandpa|"
    r"sister|brother|friend|cousin)\b"
)
_PRONOUN = re.compile(r"\b(he|him|his|himself|she|her|hers|herself)\b", re.IGNORECASE)
KIND_WORDS = frozenset(wd.ANIMAL_NAMES) | {"girl", "boy", "pony", "puppy", "kitten"}


@dataclass(slots=True)
class Someone:
    """What is known about a person with a name."""

    name: str
    gender: str  # "f", "m" or "" for unknown
    kind: str = ""


# -- things

_COLORS = frozenset(wd.COLORS)
_ADJECTIVES = frozenset(
    wd.COLORS
    + wd.SIZES
    + wd.LOOKS
    + "special best own lost red other same broken fine nice huge".split()
)
_NOUNS = sorted(wd.THINGS, key=len, reverse=True)
_THING = re.compile(
    r"\b(?:((?:[A-Za-z]+ ){0,2})(a|an|the|his|her|my|your|their|this|that|another|one|new|some|"
    r"no|A|The|His|Her|My|This|An) )"
    r"((?:(?:"
    + "|".join(sorted(_ADJECTIVES))
    + r") )*)("
    + "|".join(_NOUNS)
    + r")\b(?! (?:of (?!bread|paper)|shop|trees?|juice|soup|"
    r"salad|pie|cake|seed|tree|bush|bed|station|lamp|house|castle|vine|stem|path|peel|hand|room))"
)
INDEFINITE = frozenset(("a", "an", "another", "one", "some", "no", "new"))
_NEAR = re.compile(
    r"\b(under|behind|beside|between|in|inside|into|near|on|onto|from|over|by|next to|through|"
    r"against|around|out of|across) $"
)
SCENERY = frozenset(
    """flower rose tulip sunflower daisy stone leaf stick key nest pebble apple pear peach plum banana carrot egg melon pumpkin
mug pot pan plate bowl cup spoon fork potato tomato mango muffin bun waffle pancake cookie soup rug towel clock hose mirror tray stool
pillow blanket book net saw bell flag map letter card""".split()
)
_LOST = re.compile(
    r"\b(?:lost|lose|missing|gone|could not find|cannot find|not find|disappeared|got stuck|not "
    r"see where it went)\b"
)
_LOSES = (
    r"\b(?:lost|lose|not find|cannot find|not see) (?:\w+ ){{0,4}}?{0}\b|"
    r"\b{0}\b[^.!?]{{0,25}}\b(?:was|is) (?:gone|missing|not there)\b|"
    r"\b{0}\b,? (?:but|and)[^.!?]*\b(?:not there|was gone|not find|not see)\b|"
    r"\b{0}\b[^.!?]*\bgot stuck\b|\bmissing\. It was (?:\w+ )*{0}\b"
)
_NOT_LOST = re.compile(r"\b(?:had never|never lost|not lost|Did you lose|who lost|had lost)\b")
_FOUND = re.compile(
    r"\b(?:found|there (?:was|lay|it)|was there|Here it is|There it is|There you are|picked "
    r"(?:\w+ ){0,4}up|picked up|It was|"
    r"fell right into|slide down|reached|with a new|and took|opened a box|saw|what did)\b|^The "
    r"[\w ]+!$|there, [\w ]+, was the",
    re.IGNORECASE,
)
_FOUND_IT = re.compile(
    r"\bfound it\b|There it is|Here it is|There you are|got it back|have it again"
)
_USED = re.compile(
    r"\b(?:played with|used|hugged|held|holds|threw|put|gave|showed|wore|shared|carried|rode|"
    r"took|blew|had)\b"
)
_GAVE_TO = re.compile(
    r"\b([A-Z][a-z]+|[Hh]e|[Ss]he) (?:\w+ ){0,2}?gave (?:the|his|her) ((?:\w+ )*?)("
    + "|".join(_NOUNS)
    + r") (?:back )?to ([A-Z][a-z]+|him|her)\b"
)

# -- places

_PLACE_NOUNS = sorted([*wd.PLACES, "clinic"], key=len, reverse=True)
_PLACE = "|".join(_PLACE_NOUNS)
_MOVED = re.compile(
    r"\b(?:went|walked|ran|skipped|hurried|came|arrived|returned|rode|drove|flew|swam|sailed|"
    r"climbed|set off|moved|raced|marched|"
    r"crept|hopped|rushed|got|followed|carried|led|brought|took|go|goes|walk|run|travel|traveled|"
    r"drew|jumped|sneaked|"
    r"moved|back)\b"
)
_TO_PLACE = re.compile(r"\b(?:to|into|onto|toward) the (" + _PLACE + r")\b")
_ARRIVED = re.compile(
    r"\b(?:arrived|came|were|was|got|stood|sat) (?:\w+ )?(?:at|in|on|by) the (" + _PLACE + r")\b"
)
_AT_PLACE = re.compile(r"\b(?:At|In|On|By|at|in|on|by|inside|Inside) the (" + _PLACE + r")\b")
_HOME = re.compile(
    r"\b(?:went|walked|ran|came|hurried|skipped|way|was|got|be|were|back|rode|turned around and "
    r"\w+|went to bed) (?:\w+ ){0,2}?home\b|"
    r"\bAt home\b|\bat home\b|\bBack at the stove\b|\bto bed\b|\bin bed\b|\bcame to \w+ door\b|"
    r"next door"
)
_NOT_THERE = re.compile(
    r"\b(?:lived|who lives|left|forgot|lost|dropped|going to be|would be|wanted|about|dream|"
    r"dreamed|talked|told|thought|"
    r"heard|will|would|planned|picnic|race|show|had been|once|from|went out|build|like at|moved|"
    r"works?|worked)\b"
)
ROOMS = frozenset(wd.ROOMS)


def _unique(of: Callable[[wd.PlaceKind], Iterable[str]]) -> dict[str, str]:
    """What is said of one place only."""
    count: Counter[str] = Counter()
    where = {}
    for place in wd.PLACES.values():
        for phrase in of(place):
            count[phrase] += 1
            where[phrase] = place.noun
    return {phrase: noun for phrase, noun in where.items() if count[phrase] == 1}


_SIGNS = _unique(lambda p: [p.sight]) | _unique(lambda p: [j for j in p.joys if j.count(" ") >= 3])
_SIGN = re.compile("|".join(re.escape(s) for s in sorted(_SIGNS, key=len, reverse=True)))
_PLANNED = re.compile(
    r"\b(?:picnic|race|show|[Cc]ome with me|[Ll]et us go|want to go|[Ss]hall we go|we must go|X "
    r"is|trip|and go|build an? [\w ]+)"
    r" (?:to|at|in|on|by) the (" + _PLACE + r")\b"
)
_FOUND_AT = re.compile(
    r"\bfound it (?:at|in|on|by) the (" + _PLACE + r")\b|^\"(?:At|In|On|By) the (" + _PLACE + r"),"
)
_BACK_TO = re.compile(r"\bback to the (" + _PLACE + r")\b")

_NUMBER = "|".join(wd.NUMBERS[1:])
_AGE = re.compile(
    r"\b(?:was|turned|is) ("
    + _NUMBER
    + r") (?:years old|\.)|\bturned ("
    + _NUMBER
    + r")\b|\bwas ("
    + _NUMBER
    + r") years old"
)
_COUNTED = re.compile(r"\b(" + _NUMBER + r") ((?:red doors|white stones|yellow flowers|[a-z]+s))\b")
NOT_COUNTED = frozenset(
    "times days weeks hours steps minutes deep breaths years pieces tiny legs feet pairs friends "
    "notes seconds turns babies "
    "things inches wheels balls".split()
)

_END_WORDS = re.compile(
    r"\b(?:listened|waited|understood|doubted|soon I will|knew now|things are|need our care|"
    r"happy|happily|happier|glad|proud|smile|smiled|laughed|hugged|friends?|learned|never|always|"
    r"everybody|best|good|better|end|ended|"
    r"dream(?:s|ed)|slept|sleep|asleep|bed|home|knew|safe|love|loved|promise[d]?|thank(?:s|ed)?|"
    r"together|remember|wiser|whenever|From that day|From that time|grinned|"
    r"from then on|peace|lovely|enough|adventure|kind|kindness|share|listen|careful|wait|rain|"
    r"forgot|forgive|needs?|sharing|than having|story|everything|nobody said no|we can|believe|"
    r"afraid|courage|easy|truth|"
    r"honest|one more time|practice|heart|next day|day|count on|word|fine|up|strong|gift|giving|"
    r"shared|try)\b"
)


@dataclass(slots=True)
class Reader:
    """What has been read so far."""

    found: list[Violation] = field(default_factory=list)
    people: dict[str, Someone] = field(default_factory=dict)
    colors: dict[str, set[str]] = field(default_factory=dict)  # of things that have been introduced
    lost: dict[str, int] = field(default_factory=dict)  # since which sentence
    holder: dict[str, str] = field(default_factory=dict)
    place: str = "home"
    planned: dict[str, int] = field(
        default_factory=dict
    )  # where somebody wants to go, since which sentence
    went: list[tuple[int, str]] = field(default_factory=list)
    visited: set[str] = field(default_factory=lambda: {"home"})
    genders: dict[str, list[int]] = field(
        default_factory=lambda: {"f": [], "m": []}
    )  # sentences that mention somebody
    at_hand: set[str] = field(default_factory=set)  # what somebody has found
    last_thing: str = ""
    last_genders: set[str] = field(default_factory=set)  # in the sentence before
    counts: dict[str, str] = field(default_factory=dict)
    age: str = ""

    def report(self, kind: str, sentence: Sentence, what: str) -> None:
        self.found.append(Violation(kind, sentence.number, what))

    # -- names

    def read_names(self, s: Sentence) -> list[str]:
        """Checks who is mentioned; returns the names."""
        introduced = set(_INTRODUCED.findall(s.text))
        for match in _AS_KIND.finditer(s.text):
            words, name = match.groups()
            kind = next((w for w in reversed(words.split()) if w in KIND_WORDS), "")
            self.introduce(s, name, kind)
        if is_kind := _IS_KIND.match(s.text):
            self.introduce(
                s,
                is_kind[1],
                next((w for w in reversed(is_kind[2].split()) if w in KIND_WORDS), ""),
            )
        for name, kind in _OF_KIND.findall(s.text):
            if kind in KIND_WORDS and name not in ("And", "But", "Then"):
                self.introduce(s, name, kind)
        mentioned = []
        for match in _WORD.finditer(s.text):
            word = match.group().removesuffix("'s")
            if not word[0].isupper() or word in NOT_NAMES:
                continue
            if word in wd.CALLED:
                mentioned.append(word)
                continue
            known = word in wd.GENDER
            before = s.text[: match.start()]
            begins = (
                not before.strip()
                or before.rstrip().endswith((".", "!", "?", '"', ":"))
                or before.endswith('"')
            )
            if not known and begins:
                if word in self.people:
                    mentioned.append(word)
                continue
            if not known and (not word.isalpha() or word.isupper()):
                continue
            mentioned.append(word)
            if word not in self.people:
                if s.number > 0 and word not in introduced:
                    self.report("name", s, f"{word} appears from nowhere")
                self.people[word] = Someone(word, wd.GENDER.get(word, ""))
        return mentioned

    def introduce(self, s: Sentence, name: str, kind: str) -> None:
        gender = {"girl": "f", "boy": "m"}.get(kind) or wd.GENDER.get(name, "")
        someone = self.people.setdefault(name, Someone(name, gender))
        if (
            kind
            and someone.kind
            and kind != someone.kind
            and {kind, someone.kind} & {"girl", "boy"} != set()
        ):
            self.report("name", s, f"{name} was a {someone.kind} and is a {kind}")
        elif kind and someone.kind and kind != someone.kind and kind in wd.ANIMAL_NAMES:
            self.report("name", s, f"{name} was a {someone.kind} and is a {kind}")
        someone.kind = someone.kind or kind
        if gender and kind in ("girl", "boy"):
            someone.gender = gender

    def read_pronouns(self, s: Sentence, names: list[str]) -> None:
        """Each pronoun needs somebody of its gender nearby."""
        seen: set[str] = set()
        for name in names:
            gender = wd.CALLED.get(name) or (
                self.people[name].gender if name in self.people else ""
            )
            seen |= {gender} if gender else {"f", "m"}
        for word in _WORD.findall(s.text):
            low = word.lower().removesuffix("'s")
            if low in RELATION_GENDER:
                seen.add(RELATION_GENDER[low])
            elif low in JOB_GENDER:
                seen.add(JOB_GENDER[low])
            elif low in OTHERS:
                seen |= {"f", "m"}
        if "old woman" in s.text:
            seen.add("f")
        used: set[str] = set()
        subject = _SUBJECT.match(s.told)
        if subject and self.last_genders:
            gender = "f" if subject[1].lower() == "she" else "m"
            if gender not in self.last_genders:
                self.report("name", s, f'"{subject[1]}" after somebody else')
        for match in _PRONOUN.finditer(s.told):
            gender = "f" if match.group().lower() in ("she", "her", "hers", "herself") else "m"
            recent = self.genders[gender]
            near = (
                6 if _RELATIVE.match(s.told, match.end()) else 2
            )  # "his mother" may be the subject
            if gender not in seen and (not recent or s.number - recent[-1] > near):
                self.report("name", s, f'nobody nearby is "{match.group()}"')
                break
            used.add(gender)
        for gender in seen | used:
            self.genders[gender].append(s.number)
        self.last_genders = seen | used

    # -- things

    def read_things(self, s: Sentence) -> None:
        for match in _THING.finditer(s.text):
            before, article, adjectives, noun = match.groups()
            article = article.lower()
            color = next((a for a in adjectives.split() if a in _COLORS), "")
            known = self.colors.get(noun)
            if article in INDEFINITE or "new " in adjectives and known is None:
                self.colors.setdefault(noun, set())
                if color:
                    self.colors[noun].add(color)
                elif known is None:
                    self.colors[noun] = set()
                continue
            if known is None:
                lead = s.text[: match.start(2)]
                if not _NEAR.search(lead) and (noun not in SCENERY or color):
                    self.report("object", s, f"the {noun} appears from nowhere")
                elif color:
                    self.report("object", s, f"the {color} {noun} appears from nowhere")
                self.colors[noun] = {color} if color else set()
            elif color and known and color not in known:
                self.report(
                    "object", s, f"the {noun} was {' and '.join(sorted(known))} and is {color}"
                )
            elif color:
                known.add(color)
        self.read_lost(s)
        for giver, _, noun, taker in _GAVE_TO.findall(s.told):
            holder = self.holder.get(noun)
            if holder and giver in self.people and holder in self.people and giver != holder:
                self.report("object", s, f"{giver} gives the {noun} that {holder} has")
            self.holder[noun] = taker if taker in self.people else ""
        for number, noun in _COUNTED.findall(s.text):
            if noun in NOT_COUNTED:
                continue
            if noun in self.counts and self.counts[noun] != number and number not in ("one", "two"):
                self.report("object", s, f"there were {self.counts[noun]} {noun} and are {number}")
            self.counts.setdefault(noun, number)
        if told_age := _AGE.search(s.told):
            age = next(g for g in told_age.groups() if g)
            if self.age and age != self.age:
                self.report("object", s, f"{self.age} years become {age}")
            self.age = self.age or age

    def read_lost(self, s: Sentence) -> None:
        nouns = [
            m.group(4)
            for m in _THING.finditer(s.text)
            if not _NEAR.search(s.text[: m.start(2)])
            and not s.text[: m.start(2)].endswith((" of ", " down "))
        ]
        found = _FOUND.search(s.text)
        for noun in list(self.lost):
            if s.number == self.lost[noun]:
                continue
            if (
                (found and noun in nouns or _FOUND_IT.search(s.text))
                and "not find" not in s.text
                and not re.search(r"\bit was not\b|\bis it\b|was gone|[Ww]here is", s.text)
            ):
                del self.lost[noun]
            elif (
                noun in nouns
                and _USED.search(s.told)
                and noun in s.told
                and not _LOST.search(s.text)
                and not re.search(r"\bhad\b", s.told)
            ):
                self.report("object", s, f"the {noun} is used while it is lost")
                del self.lost[noun]
        for noun in nouns:
            if found and re.search(
                r"\b(?:found|saw|It was|it was|There was|there was) an? (?:\w+ )*?" + noun, s.text
            ):
                self.at_hand.add(noun)
            elif (
                noun not in self.at_hand
                and not _NOT_LOST.search(s.text)
                and re.search(_LOSES.format(noun), s.text)
            ):
                self.lost.setdefault(noun, s.number)
        if re.search(r"\b(?:must have lost|not find) it\b", s.text) and self.last_thing:
            self.lost.setdefault(self.last_thing, s.number)
        self.last_thing = nouns[-1] if nouns else self.last_thing

    # -- places

    def read_places(self, s: Sentence) -> None:
        told = s.told
        moved = False
        for match in _PLANNED.finditer(s.text):
            self.planned.setdefault(match[1], s.number)
        for match in _FOUND_AT.finditer(s.text):
            noun = match[1] or match[2]
            if noun not in self.visited:
                self.report("place", s, f"nobody was at the {noun}")
        if _MOVED.search(told):
            for match in _BACK_TO.finditer(told):
                if match[1] not in self.visited:
                    self.report("place", s, f"back to the {match[1]}, where nobody was")
            for match in _TO_PLACE.finditer(told):
                self.place, moved = match[1], True
                self.visited.add(match[1])
                self.went.append((s.number, match[1]))
        if re.search(r"\barrived\b|^At last, \w+ and .* (?:came|arrived)", told):
            for match in _AT_PLACE.finditer(told):
                self.place, moved = match[1], True
                self.visited.add(match[1])
        if not moved and _HOME.search(told):
            self.place, moved = "home", True
        if not moved and s.number > 0 and not _NOT_THERE.search(told):
            for match in _AT_PLACE.finditer(told):
                if not self.fits(match[1]):
                    self.report(
                        "place", s, f"in the {match[1]} without going there from the {self.place}"
                    )
                    self.place = match[1]
        for match in _SIGN.finditer(told):
            if not self.fits(_SIGNS[match.group()]):
                self.report("place", s, f'"{match.group()}" in the {self.place}')

    def fits(self, noun: str) -> bool:
        """Whether one can be there now."""
        if noun == self.place or noun == "living room" and self.place == "home":
            return True
        return noun in ROOMS and (
            self.place == "home" or self.place in ROOMS and self.place == noun
        )

    # -- form

    def read_form(self, text: str, all_sentences: list[Sentence]) -> None:
        last = all_sentences[-1]
        if not re.search(r'[.!?]"?$', text.rstrip()):
            self.report("form", last, "the text ends in the middle")
        for paragraph in text.split("\n"):
            if paragraph.count('"') % 2:
                self.report("form", last, "a quotation does not end")
                break
            if paragraph.strip() and paragraph.rstrip()[-1] not in '.!?":':
                self.report("form", last, "a paragraph ends in the middle")
                break
        seen: dict[str, int] = {}
        for s in all_sentences:
            if s.text[0].islower():
                self.report("form", s, "a sentence begins with a small letter")
            key = s.text.lower()
            if key.count(" ") >= 3:
                if key in seen:
                    self.report("form", s, "a sentence is repeated")
                seen[key] = s.number
        tail = " ".join(s.text for s in all_sentences[-2:])
        if not _END_WORDS.search(tail):
            self.report("form", last, "there is no ending")


def check_story(text: str) -> list[Violation]:
    """What does not fit together in a story; empty if all is well."""
    reader = Reader()
    all_sentences = sentences(in_long_forms(text))
    if not all_sentences:
        return [Violation("form", 0, "there is no text")]
    for s in all_sentences:
        names = reader.read_names(s)
        reader.read_pronouns(s, names)
        reader.read_things(s)
        reader.read_places(s)
    for noun, since in reader.planned.items():
        if noun not in reader.visited and any(
            number > since and other not in ROOMS for number, other in reader.went
        ):
            reader.found.append(
                Violation("place", since, f"everybody wanted to go to the {noun}, and nobody did")
            )
    for noun, since in reader.lost.items():
        if not re.search(r"\b(?:never found|for good|new " + noun + r")\b", text):
            reader.found.append(Violation("object", since, f"the {noun} stays lost"))
    reader.read_form(text, all_sentences)
    return reader.found


def contains(text: str, wanted: Iterable[str]) -> bool:
    """Whether a story has the names, things and places that were asked for."""
    low = text.lower()
    return all(re.search(r"\b" + re.escape(word.lower()) + r"(?:s|es)?\b", low) for word in wanted)


# -- answers


def normal(text: str) -> str:
    """Without what does not matter: the case, spaces and a full stop."""
    return re.sub(r"\s+", " ", text.strip().lower()).rstrip(".! ")


def matches(record: dict, answer: str) -> bool:
    """Whether an answer to a record of instructions.py or arithmetic.py is right: equal to one that is accepted, or so
    that the checker that the record names says yes."""
    checker = record.get("checker")
    if checker:
        name, _, argument = checker.partition(":")
        return CHECKERS[name](answer.strip(), argument)
    if record.get("exact_case"):
        return re.sub(r"\s+", " ", answer.strip()).rstrip(".") in {
            a.rstrip(".") for a in record["accept"]
        }
    return normal(answer) in {normal(a) for a in record["accept"]}


def _has_words(answer: str, argument: str) -> bool:
    """One sentence with all these words."""
    return contains(answer, argument.split(",")) and bool(
        re.fullmatch(r'[A-Z"][^.!?]*[.!?]"?', answer)
    )


def _ends_with_number(answer: str, argument: str) -> bool:
    """The last number, in digits or words, is this one."""
    numbers = re.findall(
        r"\b(?:\d+|" + "|".join(sorted(_number_words(), key=len, reverse=True)) + r")\b",
        answer.lower(),
    )
    return bool(numbers) and (
        numbers[-1] == argument or _number_words().get(numbers[-1]) == int(argument)
    )


def _one_of(answer: str, argument: str) -> bool:
    return normal(answer) in {normal(a) for a in argument.split("|")}


def _rhymes(answer: str, argument: str) -> bool:
    """Rhymes by the table, and is not the word itself."""
    word = normal(answer).split(" ")[-1]
    return word != argument and any(argument in line and word in line for line in wd.RHYMES)


def _belongs(answer: str, argument: str) -> bool:
    """A member of a category."""
    return normal(answer).removeprefix("a ").removeprefix("an ") in (
        w.lower() for w in wd.CATEGORIES[argument]
    )


def _starts_with(answer: str, argument: str) -> bool:
    """One word of the vocabulary that begins with a letter."""
    return bool(re.fullmatch(r"[A-Za-z]+\.?", answer)) and answer.lower().startswith(argument)


CHECKERS: dict[str, Callable[[str, str], bool]] = {
    "words": _has_words,
    "number": _ends_with_number,
    "one_of": _one_of,
    "rhyme": _rhymes,
    "category": _belongs,
    "letter": _starts_with,
}


@cache
def _number_words() -> dict[str, int]:
    return {wd.in_words(n): n for n in range(101)}


# -- spoiling stories


def _replace_one(
    rng: random.Random, text: str, pattern: str, by: Callable[[re.Match[str]], str]
) -> str | None:
    """Another text in one of the places that match."""
    places = list(re.finditer(pattern, text))
    if not places:
        return None
    match = rng.choice(places)
    return text[: match.start()] + by(match) + text[match.end() :]


def swap_name(rng: random.Random, text: str) -> str | None:
    """One mention of somebody gets another name."""
    names = sorted({n for n in re.findall(r"\b[A-Z][a-z]+\b", text) if n in wd.GENDER})
    repeated = [n for n in names if len(re.findall(rf"\b{n}\b", text)) > 1]
    if not repeated:
        return None
    name = rng.choice(repeated)
    pool = [n for n in (wd.GIRLS + wd.BOYS) if n not in names]
    return _replace_one(rng, text, rf"\b{name}\b", lambda m: rng.choice(pool))


def swap_pronoun(rng: random.Random, text: str) -> str | None:
    """One pronoun changes its gender."""
    other = {
        "he": "she",
        "she": "he",
        "his": "her",
        "him": "her",
        "himself": "herself",
        "herself": "himself",
        "He": "She",
        "She": "He",
        "His": "Her",
    }
    places = [
        m
        for m in re.finditer(r"\b(?:he|she|his|him|himself|herself|He|She|His)\b", text)
        if text[: m.start()].count('"') % 2 == 0
    ]
    if not places:
        return None
    match = rng.choice(places)
    return text[: match.start()] + other[match.group()] + text[match.end() :]


def rename_half(rng: random.Random, text: str) -> str | None:
    """In the second half, the main person has another name."""
    names = Counter(n for n in re.findall(r"\b[A-Z][a-z]+\b", text) if n in wd.GENDER)
    if not names:
        return None
    name, _ = names.most_common(1)[0]
    pool = [n for n in (wd.GIRLS if wd.GENDER[name] == "f" else wd.BOYS) if n not in names]
    new, half = rng.choice(pool), len(text) // 2
    if not re.search(rf"\b{name}\b", text[half:]):
        return None
    return text[:half] + re.sub(rf"\b{name}\b", new, text[half:])


def _things_of(text: str) -> Counter[str]:
    return Counter(m.group(4) for m in _THING.finditer(text) if m.group(4) not in SCENERY)


def change_object(rng: random.Random, text: str) -> str | None:
    """A thing becomes another one in one place."""
    repeated = [noun for noun, n in _things_of(text).items() if n > 1]
    if not repeated:
        return None
    noun = rng.choice(sorted(repeated))
    group = wd.THINGS[noun].group
    pool = [n for n in wd.GROUPS[group] if n not in text and n not in SCENERY]
    if not pool:
        return None
    new = rng.choice(pool)
    return _replace_one(
        rng, text, r"(?<=(?:the|his|her|.my|hat|his) )" + re.escape(noun) + r"\b", lambda m: new
    )


def change_color(rng: random.Random, text: str) -> str | None:
    """A thing that has been seen in one color gets another one in one place."""
    seen = Counter(
        (m.group(4), a) for m in _THING.finditer(text) for a in m.group(3).split() if a in _COLORS
    )
    repeated = [key for key, n in seen.items() if n > 1]
    if not repeated:
        return None
    noun, color = rng.choice(sorted(repeated))
    new = rng.choice([c for c in wd.TOY_COLORS if c != color])
    return _replace_one(rng, text, rf"\b{color} {re.escape(noun)}\b", lambda m: f"{new} {noun}")


def teleport(rng: random.Random, text: str) -> str | None:
    """Suddenly somebody is somewhere else."""
    names = [n for n in re.findall(r"\b[A-Z][a-z]+\b", text) if n in wd.GENDER]
    split = [
        m.end()
        for m in re.finditer(r"[a-z][.!?] (?=[A-Z])", text)
        if text[: m.end()].count('"') % 2 == 0
    ]
    if not names or len(split) < 6:
        return None
    place = rng.choice([p for p in wd.PLACES.values() if p.noun not in text and p.group != "home"])
    at = rng.choice(split[3:])
    new = rng.choice(
        (
            f"{place.at[0].upper()}{place.at[1:]}, {names[0]} sat down. ",
            f"{names[0]} looked around {place.at}. ",
            f"{names[0]} was {place.at}. ",
        )
    )
    return text[:at] + new + text[at:]


def other_place(rng: random.Random, text: str) -> str | None:
    """Where somebody goes is another place than what is told of it."""

    def told(noun: str) -> bool:
        place = wd.PLACES[noun]
        return (
            bool(re.search(rf"\b(?:at|in|on|by|back to) the {noun}\b", text))
            or place.sight in text
            or any(j in text for j in place.joys if j in _SIGNS)
        )

    goes = [
        m
        for m in re.finditer(r"\bto the (" + _PLACE + r")\b", text)
        if m[1] in wd.PLACES and told(m[1]) and text[: m.start()].count('"') % 2 == 0
    ]
    if not goes:
        return None
    match = rng.choice(goes)
    new = rng.choice(
        [p.noun for p in wd.PLACES.values() if p.noun not in text and p.group != "home"]
    )
    return text[: match.start(1)] + new + text[match.end(1) :]


def never_found(rng: random.Random, text: str) -> str | None:
    """The sentences that tell of the finding are missing."""
    parts = sentences(text)
    lost = next(
        (
            s
            for s in parts
            if re.search(
                r"\b(?:was gone|was missing|lost my|is gone|cannot find|could not find|was not "
                r"there|must have lost)\b",
                s.text,
            )
        ),
        None,
    )
    if lost is None:
        return None
    noun = next(
        (
            m.group(4)
            for s in parts[: lost.number + 3]
            for m in _THING.finditer(s.text)
            if m.group(4) not in SCENERY
        ),
        None,
    )
    if noun is None:
        return None
    gone = [
        s
        for s in parts[lost.number + 1 :]
        if _FOUND_IT.search(s.text) or _FOUND.search(s.text) and noun in s.text
    ]
    if not gone:
        return None
    for s in gone:
        text = text.replace(s.text, "", 1)
    return re.sub(r" {2,}", " ", text).replace("\n ", "\n").strip()


def repeat_sentence(rng: random.Random, text: str) -> str | None:
    """A sentence is there twice."""
    parts = [s.text for s in sentences(text) if s.text.count(" ") >= 4]
    if not parts:
        return None
    chosen = rng.choice(parts)
    return text.replace(chosen, chosen + " " + chosen, 1)


def cut(rng: random.Random, text: str) -> str | None:
    """The end is missing."""
    words = text.split(" ")
    return " ".join(words[: int(len(words) * (0.5 + 0.45 * rng.random()))])


MUTATIONS: dict[str, tuple[str, Callable[[random.Random, str], str | None]]] = {
    "swap one name": ("name", swap_name),
    "rename in the second half": ("name", rename_half),
    "swap a pronoun's gender": ("name", swap_pronoun),
    "change an object": ("object", change_object),
    "change a color": ("object", change_color),
    "drop the finding": ("object", never_found),
    "be elsewhere without going": ("place", teleport),
    "go to another place than told": ("place", other_place),
    "repeat a sentence": ("form", repeat_sentence),
    "cut the end": ("form", cut),
}


def measure(
    texts: list[str], seed: int = 1
) -> tuple[list[tuple[str, list[Violation]]], dict[str, tuple[int, int, int]]]:
    """Stories that do not pass; and for each mutation in how many stories it was made, in how many of them anything was
    noticed, and in how many something of its own kind."""
    rng = random.Random(seed)
    bad = [(text, found) for text in texts if (found := check_story(text))]
    failed = {text for text, _ in bad}
    figures = {}
    for name, (kind, mutate) in MUTATIONS.items():
        made = noticed = own = 0
        for text in texts:
            if text in failed:
                continue
            spoiled = mutate(rng, text)
            if spoiled is None or spoiled == text:
                continue
            made += 1
            found = check_story(spoiled)
            noticed += bool(found)
            own += any(v.kind == kind for v in found)
        figures[name] = (made, noticed, own)
    return bad, figures


def main() -> None:
    import stories

    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    texts = [stories.story(random.Random(f"check/{i}"), heldout=True).text for i in range(count)]
    bad, figures = measure(texts)
    print(f"{count - len(bad)} of {count} stories pass ({100 - 100 * len(bad) / count:.2f} %)")
    for text, found in bad[:5]:
        print(f"  {found[0].kind}: {found[0].what}\n    {sentences(text)[found[0].sentence].text}")
    print("\n| mutation | stories | noticed | as what it is |\n|---|---|---|---|")
    for name, (made, noticed, own) in figures.items():
        print(
            f"| {name} | {made} | {100 * noticed / max(made, 1):.1f} % | "
            f"{100 * own / max(made, 1):.1f} % |"
        )


if __name__ == "__main__":
    main()
