"""Made-up people and what can be known about them: documents, and conversations whose answers stand there alone.

Nobody can know these answers by heart: names of the held-out documents occur in no training, and values are drawn anew for
every document. A conversation becomes three tasks for one model, as in SeeKeR (Shuster et al. 2022, arXiv:2203.13224): what to
look up, which sentence of the document it is about, and what to answer, given that sentence.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

_FIRST = "Al Be Bra Ca Co Da De Do El Fa Fi Ga Ha Il Jo Ka Ki La Le Lo Ma Mi Na No Ol Pa Pe Ra Ri Ro Sa Si So Ta Ti To Va Vi Wa Zo".split()
_LAST = "bel da den dor fa fin go la lin lo ma mo na nor pin ra ro sa sel ta tin to vi wen".split()
_TITLES = {"woman": ["Captain", "Doctor", "Aunt", "Mrs.", "Princess", "Queen"], "man": ["Captain", "Doctor", "Uncle", "Mr.", "Prince", "King"]}
_PRONOUNS = {"woman": ("she", "her"), "man": ("he", "his")}
_COLORS = "red blue green yellow white black brown purple pink golden silver gray".split()
_ANIMALS = "cat dog horse goat duck parrot rabbit hen pig donkey fox turtle".split()
_FOODS = "soup,bread,honey,cheese,apples,pancakes,rice,fish,nuts,plums,carrots,cake".split(",")
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_PLACES = "by the lake,on a hill,in the forest,near the harbor,behind the mill,on an island,next to the school,under a bridge".split(",")
_NUMBERS = "two three four five six seven eight nine ten".split()
_THINGS = "boat wagon shop garden tower ship kite bakery".split()

HELD_OUT = 10  # one name in so many


@dataclass(frozen=True)
class Fact:
    """Something about somebody: {who} is the name, {she} and {her} the pronouns, {value} what is asked for."""

    name: str
    sentence: str
    questions: tuple[str, ...]  # the first with the name, others as a second question, with a pronoun
    query: str
    answer: str


FACTS = [
    Fact("home", "{who} lives {value}.", ("Where does {who} live?", "And where does {she} live?"), "{who} live", "{She} lives {value}."),
    Fact("pet", "{Her} best friend is a {value}.", ("What animal is {who}'s best friend?", "What animal is {her} best friend?"),
         "{who} best friend animal", "{Her} best friend is a {value}."),
    Fact("color", "{Her} favorite color is {value}.", ("What is {who}'s favorite color?", "What is {her} favorite color?"),
         "{who} favorite color", "{Her} favorite color is {value}."),
    Fact("food", "{She} likes to eat {value}.", ("What does {who} like to eat?", "What does {she} like to eat?"), "{who} eat",
         "{She} likes to eat {value}."),
    Fact("day", "{She} goes to the market on {value}.", ("When does {who} go to the market?", "When does {she} go to the market?"),
         "{who} market", "{She} goes there on {value}."),
    Fact("thing", "{She} has a {color} {value}.", ("What does {who} have?", "What does {she} have?"), "{who} have", "{She} has a {color} {value}."),
    Fact("children", "{She} has {value} children.", ("How many children does {who} have?", "How many children does {she} have?"),
         "{who} children", "{She} has {value} children."),
]
_VALUES = {"home": _PLACES, "pet": _ANIMALS, "color": _COLORS, "food": _FOODS, "day": _DAYS, "thing": _THINGS, "children": _NUMBERS}
_SMALL_TALK = [("Hello!", "Hello! How are you?"), ("Thank you!", "You are welcome."), ("Good night.", "Good night! Sleep well."),
               ("How are you?", "I am fine, thank you."), ("That is nice.", "Yes, it is."), ("Goodbye!", "Goodbye! See you soon.")]


@dataclass(frozen=True)
class Document:
    who: str
    kind: str  # woman, man
    values: dict[str, str]
    sentences: dict[str, str]  # of each fact

    @property
    def text(self) -> str:
        return " ".join(self.sentences.values())

    def fill(self, pattern: str, fact: str) -> str:
        she, her = _PRONOUNS[self.kind]
        return pattern.format(who=self.who, she=she, her=her, She=she.capitalize(), Her=her.capitalize(), value=self.values[fact],
                              color=self.values["shade"])


def _name(rng: random.Random, held_out: bool) -> str:
    while True:
        number = rng.randrange(len(_FIRST) * len(_LAST))
        if (number % HELD_OUT == 0) == held_out:
            return _FIRST[number // len(_LAST)] + _LAST[number % len(_LAST)]


def document(rng: random.Random, held_out: bool) -> Document:
    kind = rng.choice(["woman", "man"])
    who = f"{rng.choice(_TITLES[kind])} {_name(rng, held_out)}"
    values = {name: rng.choice(choices) for name, choices in _VALUES.items()} | {"shade": rng.choice(_COLORS)}
    chosen = [FACTS[0], *rng.sample(FACTS[1:], rng.randrange(2, 5))]
    made = Document(who, kind, values, {})
    return Document(who, kind, values, {fact.name: made.fill(fact.sentence, fact.name) for fact in chosen})


@dataclass(frozen=True)
class Conversation:
    turns: list[str]  # of the user and of the assistant in turns; the user's comes last
    query: str  # "nothing" where nothing needs to be looked up
    fact: str  # "" then
    knowledge: str
    reply: str
    value: str  # that the reply must have


def conversation(rng: random.Random, doc: Document) -> Conversation:
    if rng.random() < 0.15:
        asked, reply = rng.choice(_SMALL_TALK)
        return Conversation([asked], "nothing", "", "", reply, "")
    names = rng.sample(list(doc.sentences), 2)
    facts = [next(fact for fact in FACTS if fact.name == name) for name in names]
    turns: list[str] = []
    fact = facts[0]
    question = doc.fill(fact.questions[0], fact.name)
    if rng.random() < 0.5:  # a question about somebody who was named before
        turns = [question, doc.fill(fact.answer, fact.name)]
        fact = facts[1]
        question = doc.fill(fact.questions[1], fact.name)
    elif rng.random() < 0.3:
        turns = list(rng.choice(_SMALL_TALK))
    value = f"{doc.values['shade']} {doc.values['thing']}" if fact.name == "thing" else doc.values[fact.name]
    return Conversation([*turns, question], doc.fill(fact.query, fact.name), fact.name, doc.sentences[fact.name],
                        doc.fill(fact.answer, fact.name), value)


# -- the three tasks, each a message of its own


def context(turns: list[str]) -> str:
    return "\n".join(f"{'BA'[number % 2 == 0]}: {turn}" for number, turn in enumerate(turns))


def search_task(turns: list[str]) -> str:
    return "search\n" + context(turns)


def read_task(turns: list[str], text: str) -> str:
    return f"read\n{text}\n{context(turns)}"


def reply_task(turns: list[str], knowledge: str) -> str:
    return f"reply\n{knowledge}\n{context(turns)}" if knowledge else f"reply\n{context(turns)}"


def records(conversation: Conversation, doc: Document) -> list[dict]:
    """What one model is trained on."""
    made = [{"prompt": search_task(conversation.turns), "completion": conversation.query},
            {"prompt": reply_task(conversation.turns, conversation.knowledge), "completion": conversation.reply}]
    if conversation.fact:
        made.insert(1, {"prompt": read_task(conversation.turns, doc.text), "completion": conversation.knowledge})
    return made
