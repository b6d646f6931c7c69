"""Tells simulated stories: events become sentences, sentences become paragraphs.

What a story says is decided by world.py and plots.py, the wording of each event by phrases.py. Here
it is decided how the story opens, when a person is called by name and when "he" or "she" is enough,
and where paragraphs end.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

import phrases
import words as wd
import world as wr
from world import Event, Person, Thing, World

LEAST_WORDS, MOST_WORDS = 60, 350


@dataclass(slots=True)
class Story:
    """A told story and the world that it happened in."""

    world: World
    paragraphs: list[str]

    @property
    def text(self) -> str:
        return "\n\n".join(self.paragraphs)

    @property
    def flat(self) -> str:
        """For a turn of a conversation, which has no blank lines."""
        return "\n".join(self.paragraphs)


_SENTENCE_END = re.compile(r'(?<=[.!?])(?:"?) ')


@dataclass(frozen=True, slots=True)
class Template:
    """A wording with what needs to be known to use it."""

    text: str
    people: str  # letters of the people in it
    tail: str  # those in its last sentence; if there are none, those in the one before
    leads: bool  # begins with the subject, so that a connective may stand before it


_DYNAMIC = {"he": "s", "He": "S", "him": "m", "his": "p", "His": "Poss"}


def first_mentions(text: str) -> str:
    """Where somebody is mentioned for the first time, a pronoun stands only if the teller finds it clear enough."""
    for letter in "abcde":
        match = re.search(r"\{" + letter + r"\.(\w+)\}", text)
        if match and match[1] in _DYNAMIC and text[: match.start()].count('"') % 2 == 0:
            text = f"{text[: match.start()]}{{{letter}.{_DYNAMIC[match[1]]}}}{text[match.end() :]}"
    return text


def compiled(text: str) -> Template:
    text = first_mentions(text)
    ends = _SENTENCE_END.split(text)
    tail = ends[-1] if re.search(r"\{[abcde]\.", ends[-1]) else " ".join(ends[-2:])
    letters = re.findall(r"\{([abcde])\.", text)
    return Template(
        text,
        "".join(dict.fromkeys(letters)),
        "".join(dict.fromkeys(re.findall(r"\{([abcde])\.", tail))),
        text.startswith("{a.S}"),
    )


TEMPLATES: dict[str, list[Template]] = {
    kind: [compiled(t) for t in texts] for kind, texts in phrases.PHRASES.items()
}

# -- openings

HOUSES = """
in a small house near the sea;in a little white house;in a village by a river;at the edge of a big forest;on a busy street;
in a house with a blue door;on a small farm;in a tall house in the city;next to a bakery;in a quiet valley;on top of a hill;
in a house with a red roof;near a big lake;at the end of a long road;between two hills;not far from the harbor;
in a town full of bridges;above a flower shop;behind the old mill;in a house full of books
""".replace("\n", "").split(";")
DENS = """
in a hollow tree;under the roots of an old oak;at the edge of a green meadow;beside a quiet stream;deep in the forest;
in a cozy hole under a hill;near a lake with white lilies;in a warm den between the rocks;in the tall grass near the water;
on the sunny side of a mountain;behind a waterfall;in a small house of sticks and moss;under a big bush of berries;
close to a field of wheat;where the forest meets the sea;in a valley full of flowers
""".replace("\n", "").split(";")
TRAITS = """kind curious brave quiet cheerful clever gentle shy funny lively friendly busy happy little young small merry
dreamy careful stubborn polite playful""".split()
HOBBIES = """
climb trees;look at clouds;sing in the morning;count everything;draw animals;jump over puddles;ask questions;collect stones;
run barefoot in the grass;listen to the rain;tell jokes;watch the stars;build things;help in the garden;dance in the kitchen;
look for bugs;whistle;make up stories;eat cherries;play outside;get up early;sleep late;talk to the birds;dig holes;
watch the ants;laugh;walk backward;smell flowers;swim in the summer;bake bread;read about far places;play hide and seek;
wave at trains;look under stones;jump from step to step;learn new words;paint the sky;slide down hills;chase butterflies
""".replace("\n", "").split(";")
FAMILY = (
    "{His} family was small, but the house was never quiet.",
    "{He} had a big family and even bigger dreams.", "{He} was the youngest of {n}.",
    "Everybody in the neighborhood knew {him}.", "{He} was {n} years old.",
    "{He} had just turned {n}.", "{He} had bright eyes and quick feet.",
    "{He} had a loud laugh and a soft heart.", "{His} hair was always in a mess.",
    "{He} had freckles on {his} nose.", "{He} had a gap between {his} teeth.",
    "{He} wore {color} boots all year long.", "{His} favorite color was {color}.",
    "{He} always wore a {color} jacket.",
)
ANIMAL_FAMILY = (
    "{He} had soft {fur}.",
    "{He} had a very long tail of thoughts and a very short temper.",
    "{He} was the smallest of {n}.", "All the animals knew {him}.",
    "{He} had round eyes and quick feet.", "{He} was small, but {he} had big plans.",
    "{He} had many brothers and sisters.", "{His} home was small, but it was dry and warm.",
    "{He} was a bit slow in the morning.", "{He} knew every path for miles around.",
)
TIMES = "morning day morning".split()
WEATHERS = """sunny warm bright cool windy cloudy clear mild quiet foggy hot fresh lovely fine gray golden""".split()
OUTDOOR_SIGNS = """the birds were singing;the air smelled of flowers;the leaves moved in the wind;bees hummed in the garden;
the grass was still wet;a dog barked far away;the sky was blue;small clouds moved across the sky;everything was quiet;
the sun had just come up;a cool wind came from the hills;the shadows were long;somebody was whistling;
the bells were ringing;smoke rose from the chimneys;the roofs were shining;dandelions flew through the air;
the first leaves were falling;a cat slept in the sun;the river glittered""".replace("\n", "").split(
    ";"
)
OPENERS = (
    "Once upon a time, there was ", "Once there was ", "There once was ", "There was ",
    "Long ago, there was ", "A long time ago, there was ", "Once, not so long ago, there was ",
    "There was once ",
)
LIVERS = (
    "Once upon a time, {place}, there lived {who} named {a}.",
    "{Place}, there lived {who} named {a}.", "{Place} lived {who} named {a}.",
    "{Place}, there was {who} called {a}.", "Once, {who} named {a} lived {place}.",
    "Long ago, {who} called {a} lived {place}.", "Far away, {place}, lived {who} called {a}.",
)
WHOS = (
    "{a} was {who} who lived {place}.", "{a} was {who} who loved to {hobby}.", "{a} was {who}.",
    "This is the story of {who} named {a}.", "Let me tell you about {who} named {a}.",
    "{a} was {who} who liked to {hobby}.", "Everybody knew {a}, {who} who lived {place}.",
    "This story is about {who} called {a}.",
    "Here is a story about {who} named {a} who lived {place}.",
)
LIKES = (
    "{He} loved to {hobby}.", "{He} liked to {hobby}.", "{He} loved to {hobby} and to {hobby2}.",
    "More than anything, {he} loved to {hobby}.", "Every day, {he} liked to {hobby}.",
    "{He} often liked to {hobby}.", "Whenever {he} could, {he} would {hobby}.",
    "When the weather was good, {he} liked to {hobby}.",
)
TIMES_OF_STORY = (
    "It was a {weather} {time}, and {sign}.",
    "One {weather} {time}, {sign}.",
    "It was {day}. {Sign}.",
    "It was a {weather} {time} in {month}.",
    "On a {weather} {time} in {month}, {sign}.",
    "One {weather} {time}, {a} woke up and felt that this would be a special day.",
    "One {time}, {a} looked out of the window. {Sign}.", "It was {day}, and {sign}.",
    "One {weather} {time} in {season}, {sign}.", "That {day}, {sign}.",
)
FIRST_LINES = (
    "One {weather} {time}, {who} named {a} sat in front of the house.",
    "One {day}, {who} named {a} woke up very early.",
    "One {weather} {time} in {month}, {who} named {a} looked out of the window.",
    "On a {weather} {time}, {who} called {a} wanted to do something new.",
    "One day, {who} named {a} got up with a smile.",
    "It was {day}, and {who} named {a} had nothing to do.",
    "One {time}, {who} called {a} was in a very good mood.",
)
NO_TIME = frozenset(
    (
        "snow", "noise", "sleepless", "bird_thanks", "picnic", "promise", "letter", "greedy",
        "gift", "race", "stage",
    )
)
FURS = tuple(f"{c} fur" for c in ("brown", "gray", "white", "golden", "black"))
NO_FUR = frozenset(
    """hen duck goose rooster owl robin crow sparrow eagle swan parrot penguin seagull woodpecker peacock flamingo
frog toad turtle snail crab lizard elephant hippo bee ant butterfly ladybug spider grasshopper cricket caterpillar firefly
pig""".split()
)


def opening(world: World) -> list[str]:
    """One to four sentences that say who this is about, and when it was."""
    pick, chance, a = world.pick, world.chance, world.hero
    child = world.kind == "child"
    kind = a.kind
    who = wd.an(f"{pick(TRAITS)} {kind}" if chance(0.75) else f"little {kind}")
    place = pick(HOUSES if child else DENS)
    hobby, hobby2 = world.sample(HOBBIES, 2)
    sign = pick(OUTDOOR_SIGNS)
    slots = {
        "a": a.name,
        "who": who,
        "place": place,
        "Place": place[0].upper() + place[1:],
        "hobby": hobby,
        "hobby2": hobby2,
        "He": a.He,
        "he": a.he,
        "his": a.his,
        "His": a.His,
        "him": a.him,
        "n": pick(("four", "five", "six", "seven", "eight")),
        "color": pick(wd.COLORS[:6]),
        "fur": pick(FURS),
        "weather": pick(WEATHERS),
        "time": pick(TIMES),
        "sign": sign,
        "Sign": sign[0].upper() + sign[1:],
        "day": pick(wd.DAYS),
        "month": pick(wd.MONTHS[2:10]),
        "season": pick(("spring", "summer", "autumn")),
    }
    draw = world.random()
    timed = world.plot not in NO_TIME
    if draw < 0.3:
        start = (
            pick(OPENERS)
            + who
            + f" {pick(('named', 'named', 'called'))} {a.name}"
            + (f" who lived {place}." if chance(0.4) else ".")
        )
    elif draw < 0.55:
        start = pick(LIVERS).format_map(slots)
    elif draw < 0.85 or not timed:
        start = pick(WHOS).format_map(slots)
    else:
        start = pick(FIRST_LINES).format_map(slots)
        timed = False
    told = [start]
    if "loved to" not in start and "liked to" not in start and chance(0.6):
        told.append(pick(LIKES).format_map(slots))
    if chance(0.3):
        extra = pick(FAMILY if child else ANIMAL_FAMILY)
        if "{fur}" not in extra or kind not in NO_FUR:
            told.append(extra.format_map(slots))
    if timed and chance(0.6):
        told.append(pick(TIMES_OF_STORY).format_map(slots))
    return told


# -- telling

OTHERS_LAST = frozenset(
    ("young.mother", "young.thanks", "thief.why")
)  # end with somebody who is in no slot
CONNECTIVES = ("Then ", "After that, ")
NO_CONNECTIVE = ("feel.", "moral.", "end", "sub.", "own", "joy", "go")


def tell(world: World) -> Story:
    """The events as text."""
    random_, pick = world.random, world.pick
    paragraphs: list[str] = []
    current: list[str] = [" ".join(opening(world))]
    hero = world.hero
    lately: set[Person] = (
        {hero}
        if re.search(
            rf"\b(?:{hero.name}|{hero.He}|{hero.he}|{hero.His}|{hero.his})\b",
            " ".join(_SENTENCE_END.split(current[0])[-2:]),
        )
        else set()
    )
    by_name = 1  # events since the hero was named
    length = 2
    last_text = ""
    for event in world.events[1:]:
        options = TEMPLATES[event.kind]
        template = options[int(random_() * len(options))]
        if template.text == last_text:
            template = options[int(random_() * len(options))]
        last_text = template.text
        slots = event.slots
        people = [slots[letter] for letter in template.people]
        named = hero in lately
        for person in people:
            named |= person is hero
            if person.near is not person.far:
                person.name, person.intro = person.near if named else person.far
                person.Name, person.Intro = (
                    person.name[0].upper() + person.name[1:],
                    person.intro[0].upper() + person.intro[1:],
                )
            free = person in lately
            if free:
                for other in lately:
                    if other is not person and other.gender == person.gender:
                        free = False
                for other in people:
                    if other is not person and other.gender == person.gender:
                        free = False
            if free and by_name < 3 and random_() < 0.75:
                person.s, person.S, person.Poss, person.p, person.m = (
                    person.he,
                    person.He,
                    person.His,
                    person.his,
                    person.him,
                )
            else:
                person.s, person.S, person.m = person.name, person.Name, person.name
                person.Poss, person.p = person.Name + "'s", person.name + "'s"
                if person is hero:
                    by_name = 0
        by_name += 1
        text = template.text.format_map(slots)
        if (
            template.leads
            and random_() < 0.12
            and "hen " not in text
            and not event.kind.startswith(NO_CONNECTIVE)
        ):
            connective = pick(CONNECTIVES)
            subject = slots["a"]
            text = connective + (
                text
                if text.startswith(subject.Name) and subject.is_named
                else text[0].lower() + text[1:]
            )
        lately = (
            {slots[letter] for letter in template.tail} if event.kind not in OTHERS_LAST else set()
        )
        if (event.paragraph and length >= 2) or (length >= 4 and random_() < 0.22):
            paragraphs.append(" ".join(current))
            current, length = [], 0
        current.append(text)
        length += 1
    paragraphs.append(" ".join(current))
    if random_() < 0.12:
        paragraphs = [" ".join(paragraphs)]
    return Story(world, paragraphs)


def story(rng: random.Random, heldout: bool = False, plot: str = "") -> Story:
    """A story of a length that suits."""
    while True:
        told = tell(wr.simulate(rng, heldout, plot))
        words = sum(paragraph.count(" ") + 1 for paragraph in told.paragraphs)
        if LEAST_WORDS <= words <= MOST_WORDS and not repeats(told.text):
            return told


_BETWEEN = re.compile(r'(?<=[.!?]) (?=["A-Z])|(?<=[.!?]") (?=["A-Z])|\n+')


def repeats(text: str) -> bool:
    """Whether a sentence of some length is there twice."""
    parts = [part for part in _BETWEEN.split(text) if part.count(" ") >= 2]
    return len(set(parts)) < len(parts)


__all__ = ["Event", "Story", "Thing", "story", "tell"]
