"""A small world: people, animals, things and places, what they do, and what that changes.

A `World` is made from a random generator. A plot (plots.py) moves its people about and hands its
things around by the methods below; each method checks that what is to happen can happen (nobody
gives away what he does not have, nothing that is lost is used, nobody is where he did not go),
changes the state and appends an `Event`. What was simulated is told later by stories.py, and asked
about by dialogues.py: both see nothing but the events.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import words as wd


class Impossible(Exception):
    """A plot wants something that cannot be in the state that the world is in: an error in the plot."""


class Person:
    """Somebody of a story, man or animal. The attributes with short names are what templates use."""

    __slots__ = (
        "name", "Name", "kind", "gender", "he", "him", "his", "himself", "He", "His", "s", "S",
        "intro", "is_named", "adult", "relation", "place", "feeling", "Intro", "Poss", "sibling",
        "call", "m", "p", "near", "far",
    )

    def __init__(
        self,
        name: str,
        kind: str,
        gender: str,
        intro: str = "",
        adult: bool = False,
        relation: str = "",
    ) -> None:
        self.name, self.kind, self.gender = name, kind, gender
        self.Name = name[0].upper() + name[1:]
        if gender == "f":
            self.he, self.him, self.his, self.himself, self.He, self.His = (
                "she", "her", "her", "herself", "She", "Her",
            )
        else:
            self.he, self.him, self.his, self.himself, self.He, self.His = (
                "he", "him", "his", "himself", "He", "His",
            )
        self.s, self.S = (
            name,
            self.Name,
        )  # the subject of a sentence: name or pronoun, as the teller sees fit
        self.intro = intro or name  # the first mention
        self.is_named = name[0].isupper()
        self.adult, self.relation = adult, relation
        self.call = name  # as people say it
        self.place: Place | None = None
        self.feeling = "fine"
        self.Intro = self.intro[0].upper() + self.intro[1:]
        self.Poss, self.p, self.m = self.His, self.his, self.him  # "his" and "him": likewise
        self.near = self.far = (
            self.name,
            self.intro,
        )  # if the hero has just been mentioned, and if not
        self.sibling = "sister" if gender == "f" else "brother"

    @property
    def intro_low(self) -> str:
        return self.far[1]


class Thing:
    """Something that can be owned, carried, lost and broken."""

    __slots__ = (
        "kind", "name", "color", "look", "full", "a", "owner", "holder", "lost", "broken",
        "the_forms", "random",
    )

    def __init__(self, kind: wd.ThingKind, rng: random.Random) -> None:
        self.kind, self.name = kind, kind.noun
        self.random = rng.random
        self.color = wd.TOY_COLORS[int(rng.random() * len(wd.TOY_COLORS))] if kind.colored else ""
        draw = rng.random()
        self.look = ""
        if draw < 0.3 and kind.group != "food":
            self.look = ("little", "small", "big", "old", "new", "pretty", "shiny", "special")[
                int(rng.random() * 8)
            ]
        self.full = " ".join(filter(None, (self.look, self.color, self.name)))
        self.a = wd.an(self.full)
        self.owner: Person | None = None
        self.holder: Person | None = None
        self.lost = self.broken = False
        plain = f"the {self.name}"
        self.the_forms = (plain, f"the {self.color} {self.name}" if self.color else plain)

    @property
    def the(self) -> str:
        """Often with the color, so that it is heard again."""
        return self.the_forms[self.random() < 0.4]

    @property
    def The(self) -> str:
        return "T" + self.the[1:]

    @property
    def the_full(self) -> str:
        """With everything that is known about its looks."""
        return "the " + self.full

    @property
    def The_full(self) -> str:
        return "The " + self.full

    @property
    def same(self) -> str:
        """Without an article: "red ball" or "ball"."""
        return self.the_forms[self.random() < 0.4][4:]

    @property
    def use(self) -> str:
        return self.kind.use

    @property
    def doing(self) -> str:
        return self.kind.doing


class Place:
    """Where somebody can be."""

    __slots__ = ("kind", "name", "at", "At", "to", "the", "The", "sight", "joys", "spots")

    def __init__(self, kind: wd.PlaceKind) -> None:
        self.kind, self.name, self.at, self.to = kind, kind.noun, kind.at, kind.to
        self.the, self.The = f"the {kind.noun}", f"The {kind.noun}"
        self.At = kind.at[0].upper() + kind.at[1:]
        self.sight, self.joys, self.spots = kind.sight, kind.joys, kind.spots


@dataclass(slots=True)
class Event:
    """Something that happened, with everything that takes part: `kind` names its templates."""

    kind: str
    slots: dict[str, Any]
    paragraph: bool = False


def with_capitals(slots: dict[str, Any]) -> dict[str, Any]:
    """Texts also with a capital, as NAME_up."""
    for name in [name for name, value in slots.items() if type(value) is str]:
        slots[name + "_up"] = slots[name][:1].upper() + slots[name][1:]
    return slots


HOME = Place(wd.PlaceKind("home", "at home", "home", (), (), "", "home"))

Plot = Callable[["World"], None]


@dataclass(frozen=True, slots=True)
class PlotKind:
    """A skeleton of stories with what it can be about."""

    name: str
    run: Plot
    objects: Sequence[str]
    places: Sequence[str]
    casts: str  # "child", "animal" or "both"


PLOTS: dict[str, PlotKind] = {}


def plot(
    objects: Sequence[str] = tuple(wd.CARRIED),
    places: Sequence[str] = tuple(wd.OUTSIDE),
    casts: str = "both",
) -> Callable[[Plot], Plot]:
    """Registers a plot."""

    def register(run: Plot) -> Plot:
        name = run.__name__
        PLOTS[name] = PlotKind(name, run, objects, [p for p in places], casts)
        return run

    return register


_NAME_NUMBER = {name: i for i, name in enumerate(sorted(wd.GENDER))}
_THING_NUMBER = {name: i for i, name in enumerate(sorted(wd.THINGS))}
_PLACE_NUMBER = {name: i for i, name in enumerate(sorted(wd.PLACES))}
HELD_OUT_OF = 20


def held_out(name: str, noun: str, place: str) -> bool:
    """Whether stories about this person with this thing at this place are kept for evaluation: one in twenty."""
    mixed = (
        _NAME_NUMBER[name] * 7919 + _THING_NUMBER[noun] * 104729 + _PLACE_NUMBER[place] * 1299709
    ) * 2654435761
    return (mixed >> 7) % HELD_OUT_OF == 0


# places that animals of stories have
ANIMAL_PLACES = [p for p in wd.WILD if p not in ("park", "rose garden")]
_ANIMAL_PLACES_SET = set(ANIMAL_PLACES)
OLD_ANIMALS = [
    ("owl", "wise"),
    ("turtle", "slow old"),
    ("bear", "big friendly"),
    ("badger", "kind old"),
    ("goose", "busy"),
    ("toad", "wise old"),
    ("goat", "gray old"),
    ("horse", "gentle"),
    ("beaver", "busy"),
    ("stork", "tall"),
    ("deer", "quiet"),
    ("crow", "clever"),
    ("mole", "friendly"),
    ("hedgehog", "kind"),
    ("heron", "tall gray"),
]
LOOKS_OF_NEIGHBORS = ("kind", "friendly", "busy", "old", "cheerful", "gentle", "young", "jolly")


class World:
    """The state of a story and the events that led to it."""

    def __init__(
        self,
        rng: random.Random,
        kind: PlotKind,
        heldout: bool,
    ) -> None:
        self.rng, self.random = rng, rng.random
        self.plot = kind.name
        self.kind = (
            kind.casts if kind.casts != "both" else "child" if rng.random() < 0.68 else "animal"
        )
        self.events: list[Event] = []
        self.slots: dict[str, Any] = {}
        self.people: list[Person] = []
        self.things: list[Thing] = []
        self.used_names: set[str] = set()
        self.used_kinds: set[str] = set()
        self.here: Place = HOME
        self.new_paragraph = False
        self.at_home: Callable[[World], None] | None = None  # sub-plots that have not begun
        self.on_the_way: Callable[[World], None] | None = None
        self.payoffs: list[Callable[[World], None]] = []
        self.theme = "kindness"
        self.seen_places: set[str] = set()
        self.cast(kind, heldout)

    # -- chance

    def pick(self, options: Sequence[Any]) -> Any:
        return options[int(self.random() * len(options))]

    def chance(self, p: float) -> bool:
        return self.random() < p

    def sample(self, options: Sequence[Any], n: int) -> list[Any]:
        """Different ones."""
        left = list(options)
        return [left.pop(int(self.random() * len(left))) for _ in range(min(n, len(left)))]

    # -- who and what there is

    def cast(self, kind: PlotKind, heldout: bool) -> None:
        """The hero, the main thing and the main place, of a combination that belongs to this split."""
        places = kind.places
        if self.kind == "animal":
            places = [p for p in places if p in _ANIMAL_PLACES_SET] or places
        while True:
            gender = "f" if self.random() < 0.5 else "m"
            if self.kind == "child":
                name = self.pick(wd.GIRLS if gender == "f" else wd.BOYS)
            else:
                name = self.pick(wd.FEMALE_ANIMAL_NAMES if gender == "f" else wd.MALE_ANIMAL_NAMES)
            noun, place = self.pick(kind.objects), self.pick(places)
            if held_out(name, noun, place) == heldout:
                break
        what = ("girl" if gender == "f" else "boy") if self.kind == "child" else self.new_kind()
        self.used_names.add(name)
        hero = Person(name, what, gender)
        hero.place = HOME
        self.people.append(hero)
        self.hero = hero
        self.o = self.thing(noun)
        self.p = Place(wd.PLACES[place])
        self.slots.update(a=hero, o=self.o, p=self.p)

    def new_kind(self) -> str:
        """An animal that this story does not have yet."""
        while True:
            kind = self.pick(wd.HEROES)
            if kind not in self.used_kinds:
                self.used_kinds.add(kind)
                return kind

    def thing(self, noun: str) -> Thing:
        thing = Thing(wd.THINGS[noun], self.rng)
        self.things.append(thing)
        return thing

    def place(self, options: Sequence[str]) -> Place:
        """Another place than those so far."""
        while True:
            noun = self.pick(options)
            if noun != self.p.name and noun not in self.seen_places:
                self.seen_places.add(noun)
                return Place(wd.PLACES[noun])

    def wild_or_town(self) -> Sequence[str]:
        return ANIMAL_PLACES if self.kind == "animal" else wd.OUTSIDE

    def add(self, slot: str, person: Person) -> Person:
        his, whose = self.hero.his + " ", self.hero.name + "'s "
        person.near = (person.name, person.intro)
        name, intro = (
            whose + form.removeprefix(his) if form.startswith(his) else form for form in person.near
        )
        person.far = (name, intro)
        self.people.append(person)
        self.slots[slot] = person
        person.place = self.here
        return person

    def friend(self, slot: str = "b", relation: str = "friend") -> Person:
        """A child or an animal with a name, whom the hero knows."""
        gender = "f" if self.random() < 0.5 else "m"
        if self.kind == "child":
            pool = wd.GIRLS if gender == "f" else wd.BOYS
        else:
            pool = wd.FEMALE_ANIMAL_NAMES if gender == "f" else wd.MALE_ANIMAL_NAMES
        name = self.pick(pool)
        while name in self.used_names:
            name = self.pick(pool)
        self.used_names.add(name)
        his = self.hero.his
        if self.kind == "child":
            kind = "girl" if gender == "f" else "boy"
        else:
            kind = self.new_kind()
        if relation == "friend":
            if self.kind == "animal" and self.random() < 0.7:
                intro = f"{his} friend {name} the {kind}"
            else:
                intro = self.pick(
                    (
                        f"{his} friend {name}",
                        f"{his} best friend {name}",
                        f"{his} good friend {name}",
                        f"{his} friend {name}",
                    )
                )
        elif relation == "sibling":
            word = "sister" if gender == "f" else "brother"
            kind = self.hero.kind if self.kind == "animal" else kind
            intro = f"{his} {self.pick(('little', 'big', 'older', 'younger'))} {word} {name}"
            relation = word
        elif relation == "cousin":
            intro = f"{his} cousin {name}"
        else:  # a stranger
            who = wd.an(self.pick(("", "little ", "small ", "new ", "friendly ", "quiet ")) + kind)
            intro = f"{who} {self.pick(('named', 'called'))} {name}"
        return self.add(slot, Person(name, kind, gender, intro, relation=relation))

    def parent(self, slot: str = "b", old: float = 0.25) -> Person:
        """Mother, father or a grandparent."""
        his = self.hero.his
        relation = (
            self.pick(("mother", "father"))
            if self.random() >= old
            else self.pick(("grandmother", "grandfather"))
        )
        gender, called = wd.RELATIVES[relation]
        if self.kind == "animal" and relation in ("mother", "father"):
            called = "Mama" if gender == "f" else "Papa"
        for person in self.people:
            if person.relation == relation:
                self.slots[slot] = person
                return person
        name = called if self.random() < 0.7 else f"{his} {relation}"
        intro = (
            self.pick((f"{his} {relation}", f"{his} {called.lower()}")) if name == called else name
        )
        person = self.add(
            slot, Person(name, relation, gender, intro, adult=True, relation=relation)
        )
        person.call = called
        return person

    def neighbor(self, slot: str = "b") -> Person:
        """Somebody who is known by what he or she does."""
        if self.kind == "animal":
            while True:
                kind, look = self.pick(OLD_ANIMALS)
                if kind not in self.used_kinds:
                    break
            self.used_kinds.add(kind)
            gender = "f" if self.random() < 0.5 else "m"
            return self.add(
                slot, Person(f"the {kind}", kind, gender, wd.an(f"{look} {kind}"), adult=True)
            )
        while True:
            kind, gender, _, _ = self.pick(wd.NEIGHBORS)
            if kind not in self.used_kinds:
                break
        self.used_kinds.add(kind)
        look = "" if kind.startswith("old") else self.pick(LOOKS_OF_NEIGHBORS) + " "
        if look == "old " and kind == "postman":
            look = "kind "
        return self.add(slot, Person(f"the {kind}", kind, gender, wd.an(look + kind), adult=True))

    def helper(self, slot: str = "b") -> Person:
        draw = self.random()
        if draw < 0.4:
            return self.friend(slot)
        if draw < 0.5:
            return self.friend(slot, "sibling")
        return self.parent(slot) if draw < 0.75 else self.neighbor(slot)

    # -- what happens

    def tell(self, kind: str, /, **slots: Any) -> None:
        """Appends an event. Those who take part stay the same unless others are named. Texts can also be had with a capital."""
        self.events.append(
            Event(
                kind,
                self.slots | with_capitals(slots) if slots else self.slots.copy(),
                self.new_paragraph,
            )
        )
        self.new_paragraph = False

    def let(self, **slots: Any) -> None:
        """From here on, templates can use these."""
        self.slots.update(with_capitals(slots))

    def maybe(self, p: float, kind: str, /, **slots: Any) -> None:
        if self.random() < p:
            self.tell(kind, **slots)

    def one(self, *kinds: str) -> str:
        """Tells one of these; returns which."""
        kind = kinds[int(self.random() * len(kinds))]
        self.tell(kind)
        return kind

    def paragraph(self) -> None:
        """A new scene begins."""
        self.new_paragraph = True

    def go(self, to: Place, *others: Person, kind: str = "") -> None:
        """The hero, and those who come along, go somewhere."""
        if self.here.name == to.name:
            raise Impossible(f"{self.plot}: {self.hero.name} is already {to.at}")
        self.paragraph()
        if kind:
            self.tell(kind, r=to)
        elif to is HOME:
            self.tell("go.home.with" if others else "go.home")
        elif others:
            self.tell("go.with", r=to, b=others[0])
        else:
            self.tell("go", r=to)
        self.here = to
        self.seen_places.add(to.name)
        for person in (self.hero, *others):
            person.place = to
        if self.on_the_way and to.name in wd.OUTSIDE and not kind:
            begin, self.on_the_way = self.on_the_way, None
            begin(self)

    def own(self, person: Person, thing: Thing) -> None:
        thing.owner = thing.holder = person

    def take(self, person: Person, thing: Thing) -> None:
        """Takes what lies about."""
        if thing.holder not in (None, person):
            raise Impossible(f"{self.plot}: {person.name} takes what {thing.holder.name} holds")
        if thing.lost:
            raise Impossible(f"{self.plot}: {thing.name} is lost")
        thing.holder = person

    def give(self, giver: Person, taker: Person, thing: Thing) -> None:
        if thing.holder is not giver or thing.lost:
            raise Impossible(f"{self.plot}: {giver.name} does not have the {thing.name}")
        thing.holder = taker

    def lose(self, person: Person, thing: Thing) -> None:
        if thing.holder is not person or thing.lost:
            raise Impossible(f"{self.plot}: {person.name} cannot lose the {thing.name}")
        thing.holder, thing.lost = None, True

    def find(self, person: Person, thing: Thing) -> None:
        if thing.holder is not None:
            raise Impossible(f"{self.plot}: the {thing.name} is with {thing.holder.name}")
        thing.holder, thing.lost = person, False

    def breaks(self, thing: Thing) -> None:
        if thing.broken or thing.lost:
            raise Impossible(f"{self.plot}: the {thing.name} cannot break")
        thing.broken = True

    def mend(self, thing: Thing) -> None:
        if not thing.broken:
            raise Impossible(f"{self.plot}: the {thing.name} is whole")
        thing.broken = False

    def use(self, person: Person, thing: Thing) -> None:
        """Checks that it can be used."""
        if thing.holder is not person or thing.lost or thing.broken:
            raise Impossible(f"{self.plot}: {person.name} cannot use the {thing.name}")

    def feel(self, person: Person, feeling: str, p: float = 1.0) -> None:
        """With the probability p it is told."""
        person.feeling = feeling
        if self.random() < p:
            self.tell("feel." + feeling, a=person)

    def talk(self, b: Person, kind: str, /, **slots: Any) -> None:
        self.tell(kind, b=b, **slots)

    def fill(self, text: str) -> str:
        """A text of a table with those of the story in it."""
        return text.format_map(self.slots) if "{" in text else text

    # -- sub-plots

    def early(self) -> None:
        """Here, as long as the hero is at home, a sub-plot may begin; it may have a second half that comes late."""
        if self.at_home and self.here is HOME:
            begin, self.at_home = self.at_home, None
            begin(self)

    def middle(self) -> None:
        """The weather may change."""
        if self.here.name in wd.OUTSIDE and self.random() < 0.2:
            self.tell("sub.weather." + self.pick(("wind", "sun", "clouds")))

    def late(self) -> None:
        while self.payoffs:
            self.payoffs.pop(0)(self)

    def end(self, theme: str) -> None:
        """How it ends: what was learned, how everybody felt."""
        self.theme = theme
        self.late()
        if self.chance(0.5):
            self.paragraph()
        if self.chance(0.62):
            self.tell("moral." + theme)
            self.maybe(0.6, "end")
        else:
            self.tell("end")


def simulate(rng: random.Random, heldout: bool, name: str = "") -> World:
    """A story as events. plots.py must have been imported."""
    import plots  # noqa: F401  (registers)

    names = plots.NAMES
    kind = PLOTS[name or names[int(rng.random() * len(names))]]
    world = World(rng, kind, heldout)
    if rng.random() < 0.45:
        world.at_home = world.pick(plots.AT_HOME)
        if kind.name in plots.LONG and world.at_home in (plots.snack, plots.before_dark):
            world.at_home = None
    if rng.random() < 0.45:
        world.on_the_way = world.pick(plots.ON_THE_WAY)
    world.tell("open")
    kind.run(world)
    return world
