"""Conversations: about a story, about everyday things, small talk, and stories that somebody asks for.

A conversation is a list of turns {"role": "user" | "assistant", "content": ...}. The assistant is a
small language model called prwkv: friendly, brief and honest about what it does not know. `plain`
writes the form of World models.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import facts
import stories
import words as wd
from phrases import variants
from stories import Story
from world import Person, World

Turn = dict[str, str]


def user(content: str) -> Turn:
    return {"role": "user", "content": content}


def assistant(content: str) -> Turn:
    return {"role": "assistant", "content": content}


def plain(turns: list[Turn]) -> str:
    """As text: what models of the World series read."""
    names = {"user": "User", "assistant": "Assistant", "system": "System"}
    return "".join(f"{names[t['role']]}: {t['content']}\n\n" for t in turns)


def choices(text: str) -> list[str]:
    """Templates, one a line, multiplied out."""
    return [v for line in text.strip().splitlines() if line.strip() for v in variants(line)]


# -- questions about stories


@dataclass(frozen=True, slots=True)
class Question:
    """A question with a short answer and the whole sentence."""

    text: str
    short: str
    full: str


# kind of event: question | short answer | full answer
_BY_EVENT = """
lost.notice|What did {a} lose?|{o.the_full}|{a} lost {o.the_full}.
lost.tell|Who helped {a} to look for it?|{b}|{b} helped {a} to look for it.
lost.tell|Whom did {a} tell about it?|{b}|{a} told {b} about it.
lost.found|Where was the {o}?|It was {spot}|The {o} was {spot}.
lost.found|Where did {a} find the {o} in the end?|{spot_up}|{a} found the {o} {spot}.
found.see|What did {a} find?|{o.a}|{a} found {o.a}.
found.see|Where was the {o} when {a} found it?|{spot_up}|The {o} was {spot}.
found.owner|Whose {o} was it?|It was {b}'s|The {o} belonged to {b}.
found.owner|Why was {b} sad?|Because the {o} was gone|{b} was sad because the {o} was gone.
found.give|Who has the {o} now?|{b}|{b} has the {o} now.
broke.own|Whose {o} was it?|It was {b}'s|The {o} belonged to {b}.
broke.oops|What broke?|{o.the_full}|{o.The_full} broke.
broke.mend|What did {a} and {b} do with the pieces?|They put them together with glue|They mended the {o} with glue.
broke.hide|Where did {a} hide the pieces?|{spot_up}|{a} hid the pieces {spot}.
turns.want|What did both of them want?|{o.the_full}|{a} and {b} both wanted {o.the_full}.
turns.want|Who wanted to play with the {o}, too?|{b}|{b} wanted to play with it, too.
turns.first|Who had the first turn?|{a}|{a} had the first turn.
turns.second|Who had the second turn?|{b}|{b} had the second turn.
turns.fun|How did they solve it?|They took turns|They took turns with the {o}.
stuck.fly|Where did the {o} get stuck?|{where_up}|The {o} got stuck {where}.
stuck.ask|Who helped {a}?|{b}|{b} helped {a}.
stuck.ladder|What did {b} use?|A ladder|{b} used a ladder.
stuck.net|What did {b} use?|A net on a long pole|{b} used a net on a long pole.
stuck.shake|What did {b} use?|A rope with a hook|{b} used a rope with a hook.
gift.birthday|Whose birthday was it?|It was {b}'s birthday|It was the birthday of {b}.
gift.make|What did {a} make?|{o.a}|{a} made {o.a}.
gift.hide|Where did {a} hide the present?|{spot_up}|{a} hid it {spot}.
gift.give|Who has the {o} now?|{b}|{b} has the {o} now.
gift.problem|Why did {a} make the present?|Because {a} did not have enough money|{a} made it because there was not enough money to buy one.
saving.want|What did {a} want to buy?|{o.a}|{a} wanted to buy {o.a}.
saving.save|How many coins did {a} have?|{n_up}|{a} had {n} coins.
saving.give|What did {a} do with the money?|{a} gave it to {b}|{a} gave the money to {b}.
saving.meet|What had {b} lost?|{loss_up}|{b} had lost {loss}.
trade.swap|What did {a} get for the {o}?|{q.a}|{a} got {q.a} for the {o}.
trade.see|Who had the {q}?|{b}|{b} had the {q}.
trade.back|Who has the {o} now?|{a}|{a} has the {o} again.
trade.friend|Who has the {o} now?|{b}|{b} has the {o} now.
treasure.map|What did {a} find?|{o.a}|{a} found {o.a}.
treasure.map|Where was the map?|It was in {where}|The map was in {where}.
treasure.clue|What was the sign?|It was {sign}|The sign was {sign}.
treasure.open|What was the treasure?|It was {prize}|The treasure was {prize}.
treasure.plan|Who went with {a}?|{b}|{b} went with {a}.
mess.cannot|What did {a} look for?|{o.the_full}|{a} looked for {o.the_full}.
mess.found|Where was the {o}?|It was {spot}|The {o} was {spot}.
mess.more|What else did {a} find?|{thing_up}|{a} also found {thing}.
bird.feed|What did {a} give to {b}?|{food_up}|{a} gave {food} to {b}.
bird.found|Who helped {a} to find the {o}?|{b}|{b} helped {a} to find it.
bird.found|Where was the {o}?|It was {spot}|The {o} was {spot}.
new.moved|Why was {a} alone?|Because {a} was new there|{a} was alone because {a} was new there.
new.talk|Who became {a}'s friend?|{b}|{b} became {a}'s friend.
tease.laugh|Who laughed at {a}?|{b}|{b} laughed at {a}.
tease.trouble|What happened to {b}?|{b} {trouble}|{b} {trouble}.
tease.sorry|What was {b} sorry for?|For laughing at {a}|{b} was sorry for laughing at {a}.
baby.new|What was the name of the baby?|{b}|The baby was named {b}.
baby.toy|How did {a} make the baby laugh?|With the {o}|{a} made {b} laugh with the {o}.
fear.of|What was {a} afraid of?|{fear_up}|{a} was afraid of {fear}.
fear.talk|Who helped {a}?|{b}|{b} helped {a}.
fear.deed|What did {a} do in the end?|{a} {deed}|{a} {deed}.
skill.want|What did {a} want to learn?|To {skill}|{a} wanted to learn how to {skill}.
skill.first|What happened the first time?|{a} {fail}|The first time, {a} {fail}.
skill.tip|Who helped {a}?|{b}|{b} helped {a}.
skill.success|What could {a} do in the end?|{skill_up}|In the end, {a} could {skill}.
stage.coming|What was {a} going to do in the show?|{act_up}|{a} was going to {act}.
stage.help|Who helped {a}?|{b}|{b} helped {a}.
race.news|What was the prize?|{prize_up}|The prize was {prize}.
race.fall|What happened to {b}?|{b} {how} and fell|{b} {how} and fell.
race.help|Why did {a} not win the race?|Because {a} helped {b}|{a} did not win because {a} stopped to help {b}.
tooth.out|What did {a} eat when the tooth came out?|{food_up}|{a} was eating {food}.
tooth.morning|What did {a} find in the morning?|{o.a}|{a} found {o.a}.
sleep.cannot|What could {a} not do?|Sleep|{a} could not sleep.
sleep.call|Who came to {a}?|{b}|{b} came and sat down beside {a}.
warn.ouch|Why did {a} get hurt?|Because {a} did not listen|{a} got hurt because {a} did not listen.
lie.eat|Who ate the {o}?|{a}|{a} ate the {o}.
lie.blame|Whom did {a} blame?|The {pet}|{a} blamed the {pet}.
lie.truth|Did {a} tell the truth in the end?|Yes|Yes, in the end, {a} told the truth.
young.hear|Whom did {a} find?|{b.intro_low}|{a} found {b.intro_low}.
young.hear|Where was {b} when {a} found the little one?|{spot_up}|{b} was {spot}.
young.mother|Did they find the mother?|Yes|Yes, they found the mother.
pet.have|What was the name of the {b.kind}?|{b}|The {b.kind} was named {b}.
pet.found|Where was {b}?|{spot_up}|{b} was {spot}.
pet.found|What was {b} doing when {a} came?|{b} was {doing}|{b} was {doing}.
heavy.plan|What did {a} want to do that day?|{fun_up}|{a} wanted to {fun}.
heavy.see|What was in the {o}?|{load_up}|The {o} was full of {load}.
heavy.carry|Whom did {a} help?|{b}|{a} helped {b}.
sick.news|What was wrong with {b}?|{b} had {ill}|{b} had {ill}.
sick.give|What did {a} give to {b}?|{o.the_full}|{a} gave {o.the_full} to {b}.
promise.made|What did {a} promise?|To {duty}|{a} promised to {duty}.
promise.invite|Who wanted to go to the {p}?|{c}|{c} wanted to go to the {p}.
promise.keep|Did {a} keep the promise?|Yes|Yes, {a} kept the promise.
together.see|What was the problem?|There was {load}|There was {load}.
together.third|Who came last to help?|{d}|{d} came last.
together.second|Who was the first to come and help {a}?|{b}|{b} came to help {a}.
stranger.tales|Who was everybody afraid of?|{a_kind_up}|Everybody was afraid of {a_kind}.
stranger.name|What was the name of the {kind}?|{b}|The {kind} was named {b}.
stranger.gift|What did {a} give to {b}?|{o.a}|{a} gave {o.a} to {b}.
stranger.tales|Who told stories about the {kind}?|{c}|{c} told stories about the {kind}.
greedy.full|What did {a} gather?|{food_up}|{a} gathered {food}.
greedy.ask|Who asked {a} for food?|{b}|{b} asked {a} for food.
greedy.no|Did {a} share at first?|No|No, at first {a} did not share.
cook.plan|What did {a} want to make?|{dish_up}|{a} wanted to make {dish}.
cook.missing|What was missing?|{z_up}|{a} had no {z}.
cook.borrow|Who gave {a} the {z}?|{b}|{b} gave {a} the {z}.
plant.get|What did {a} plant?|{seed_up}|{a} planted {seed}.
plant.get|Who gave it to {a}?|{b}|{b} gave it to {a}.
plant.grown|What grew from it?|{plant_up}|It became {plant}.
picnic.plan|What did {a} and {b} want to do?|Have a picnic|They wanted to have a picnic.
picnic.pack|What did they have to eat?|{food_up} and {food2}|They had {food} and {food2}.
picnic.inside|Where did they have the picnic?|On the floor of the house|They had the picnic inside, on the floor.
way.follow|What did {a} follow?|{lure_up}|{a} followed {lure}.
way.advice|Who told {a} the way home?|{c}|{c} told {a} the way home.
build.plan|What did {a} and {b} build?|A {what}|They built a {what}.
build.fall|Why did it fall down?|Because of {cause}|It fell down because of {cause}.
build.done|Did it fall down the second time?|No|No, the second time it did not fall down.
wish.find|What did {a} find?|{o.a}|{a} found {o.a}.
wish.appear|Who gave {a} a wish?|{b}|{b} gave {a} a wish.
wish.undo|What did {a} want in the end?|{good_up}|In the end, {a} wanted {good}.
noise.night|What noise did {a} hear?|{sound_up}|{a} heard this noise: {sound}.
noise.see|What made the noise?|{source_up}|It was {source}.
noise.take|What did {a} take along?|{o.a}|{a} took {o.a} along.
trip.plan|How did they travel?|By {by}|They went by {by}.
trip.ride|What did {a} see on the way?|{see_up}|{a} saw {see}.
trip.gift|Who has the {o} now?|{c}|{c} has the {o} now.
snow.cold|Who got cold?|{b}|{b} got cold.
snow.cocoa|What did they have in the end?|{food_up}|They had {food}.
letter.gone|Where did {b} move?|To {far}|{b} moved to {far}.
letter.write|What did {a} make for {b}?|{o.a}|{a} made {o.a} for {b}.
letter.reply|What did {b} send to {a}?|{q.a}|{b} sent {q.a}.
thief.keep|What was in the {o}?|{food_up}|There were {food} in the {o}.
thief.see|Who took the {food}?|{c}|{c} took the {food}.
thief.why|Why did {c} take the {food}?|To feed the babies|{c} took the {food} to feed the babies.
sub.snack|Who gave {a} the {food}?|{e}|{e} gave {a} the {food}.
sub.snack|How many {food} did {a} get?|{n_up}|{a} got {n} {food}.
sub.sight|What did {a} see on the way?|{see_up}|{a} saw {see}.
sub.count|What did {a} count?|{what_up}|{a} counted {what}.
sub.count|How many {what} were there?|{n_up}|There were {n} {what}.
sub.hurt|What did {a} hurt?|The {where}|{a} hurt the {where}.
sub.follow|Who followed {a}?|A little {kind}|A little {kind} followed {a}.
sub.song|What was {a}'s song about?|{about_up}|The song was about {about}.
"""
BY_EVENT: dict[str, list[tuple[str, str, str]]] = {}
for _line in _BY_EVENT.strip().splitlines():
    _kind, *_parts = _line.split("|")
    _parts = [re.sub(r"\{([a-eopqr])\}", r"{\1.name}", part) for part in _parts]
    BY_EVENT.setdefault(_kind, []).append((_parts[0], _parts[1], _parts[2]))

UNKNOWN = """What did {a} eat for breakfast?
How tall is {a}?
What is the name of {a}'s school?
What day is {a}'s birthday?
What is {a}'s favorite song?
How many cousins does {a} have?
What is the name of {a}'s uncle?
What color are {a}'s eyes?
What did {a} dream about a week before?
What does {a} want to be later?
How much does the {o} weigh?
Who is {a}'s neighbor on the left?
What is the name of {a}'s doctor?
What time did {a} get up that day?
What is {a}'s favorite book?""".splitlines()
UNKNOWN_ANSWERS = (
    "The story does not say.", "The story does not say that.",
    "I do not know. The story does not say.", "The story does not tell us.",
    "That is not in the story.",
)
FEEL = {
    "sad": "sad",
    "worried": "worried",
    "scared": "scared",
    "sorry": "sorry",
    "angry": "angry",
    "happy": "happy",
    "proud": "proud",
    "lonely": "lonely",
    "shy": "shy",
    "jealous": "jealous",
    "bored": "bored",
    "disappointed": "disappointed",
    "brave": "brave",
    "hungry": "hungry",
}
GOOD_FEELINGS = ("happy", "proud", "brave")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def questions(story: Story) -> list[Question]:
    """Everything that can be asked about a story, in the order of the events."""
    world, text = story.world, story.text
    a, o = world.hero, world.o
    for person in world.people:
        person.name, person.intro = person.far
    found: list[Question] = []

    def ask(question: str, short: str, full: str) -> None:
        found.append(
            Question(
                _capital(question),
                _capital(short) + ("" if short.endswith(".") else "."),
                _capital(full),
            )
        )

    if world.kind == "animal":
        ask(f"What kind of animal is {a.name}?", wd.an(a.kind), f"{a.name} is {wd.an(a.kind)}.")
        ask(f"What is the name of the {a.kind}?", a.name, f"The {a.kind} is named {a.name}.")
    else:
        ask(f"Is {a.name} a boy or a girl?", wd.an(a.kind), f"{a.name} is a {a.kind}.")
    ask("Who is the story about?", a.name, f"The story is about {a.name}.")
    if o.color and re.search(rf"\b{o.color} {o.name}\b", text):
        ask(f"What color is the {o.name}?", o.color, f"The {o.name} is {o.color}.")
        other = world.pick([c for c in wd.TOY_COLORS if c != o.color])
        ask(f"Is the {o.name} {other}?", f"No, it is {o.color}", f"No, the {o.name} is {o.color}.")
    for person in world.people[1:]:
        if person.relation == "friend" and person.name in text:
            ask(f"Who is {a.name}'s friend?", person.name, f"{person.name} is {a.name}'s friend.")
            if world.kind == "animal" and f"{person.name} the {person.kind}" in text:
                ask(
                    f"What kind of animal is {person.name}?",
                    wd.an(person.kind),
                    f"{person.name} is {wd.an(person.kind)}.",
                )
        elif person.relation in ("sister", "brother") and person.name in text:
            ask(
                f"What is the name of {a.name}'s {person.relation}?",
                person.name,
                f"The {person.relation} is named {person.name}.",
            )
    went = [
        e.slots["r"]
        for e in world.events
        if e.kind in ("go", "go.with") and e.slots["r"].name in text
    ]
    if went:
        place = world.pick(went)
        ask(
            f"Where did {a.name} go?"
            if len(went) == 1
            else f"Did {a.name} go to the {place.name}?",
            place.to if len(went) == 1 else "Yes",
            f"{a.name} went {place.to}." if len(went) == 1 else f"Yes, {a.name} went {place.to}.",
        )
        other = world.pick([p for p in wd.OUTSIDE if p not in text])
        ask(
            f"Did {a.name} go to the {other}?",
            f"No, {a.name} went {went[0].to}",
            f"No, {a.name} went {went[0].to}.",
        )
    feelings = [
        (e.kind[5:], e.slots["a"])
        for e in world.events
        if e.kind.startswith("feel.") and e.kind[5:] in FEEL
    ]
    if feelings:
        feeling, who = world.pick(feelings)
        again = [f for f, w in feelings if w is who]
        if feeling not in GOOD_FEELINGS:
            ask(
                f"How did {who.name} feel when things went wrong?",
                feeling,
                f"{who.name} felt {feeling}.",
            )
            ask(
                f"Was {who.name} {feeling} at some point?", "Yes", f"Yes, {who.name} was {feeling}."
            )
        elif again[-1] == feeling:
            ask(
                f"How did {who.name} feel in the end?",
                feeling,
                f"In the end, {who.name} felt {feeling}.",
            )
    for event in world.events:
        for question, short, full in BY_EVENT.get(event.kind, ()):
            slots = event.slots
            ask(question.format_map(slots), short.format_map(slots), full.format_map(slots))
    unique = {q.text: q for q in found}
    return list(unique.values())


def unknown(world: World, rng: random.Random) -> Question:
    """What the story does not say."""
    text = UNKNOWN[int(rng.random() * len(UNKNOWN))].format(a=world.hero.name, o=world.o.name)
    answer = UNKNOWN_ANSWERS[int(rng.random() * len(UNKNOWN_ANSWERS))]
    return Question(text, answer, answer)


ASK_FOR_STORY = choices("""
Tell me a story[.|, please.|!]
[Can|Could] you tell me a [short |little |nice |]story?
I would like to hear a [story|bedtime story].
Please tell me a [story|bedtime story|short story].
Do you know a [good|nice|new|] story?
[I am bored.|It is bedtime.|I cannot sleep.|I am in the car.] Tell me a story.
A story, please!
Write a [short |little |]story[.| for me.| for a child.]
""")
READY = choices("""
[Sure!|Of course!|Gladly!|Yes.|With pleasure.] Here is a story.
[Sure!|Of course!|Gladly!|All right.] [Listen well.|Are you ready?|Make yourself comfortable.]
""")
READ_THIS = choices("""
[Here is a story.|Read this story.|Please read this story.|I will tell you a story.|Listen to this story.]
[Read the story and answer my question.|Answer the question about this story.|This is a story from my book.]
""")
ASK_MORE = choices("""
[I have a question.|One question:|Tell me,|Hm,|Wait,|Please tell me:|And one more thing:|Now a question:]
""")
NICE_STORY = choices("""
[Thank you!|Thanks!|That was nice.|What a nice story!|I liked that story.] [Good night!|Goodbye!|That was all.|]
""")
GLAD = choices("""
[You are welcome!|I am glad that you liked it.|It was fun to tell it.|Any time!] [Good night!|Come back soon.|]
""")


def with_names(world: World) -> tuple[str, list[str]]:
    """A wish for a story like this one, and the words that it must have."""
    a, o, p = world.hero, world.o, world.p
    pick = world.pick
    wants = [a.name]
    who = (
        wd.an(pick(("", "little ", "small ", "", "young ")) + a.kind)
        + f" {pick(('named', 'called'))} {a.name}"
    )
    draw = world.random()
    thing = o.a if o.color and world.random() < 0.6 else wd.an(o.name)
    if draw < 0.35:
        text = pick(
            (
                "Tell me a story about {who}.", "Please tell me a story about {who}.",
                "I want a story about {who}.", "Can you tell me a story about {who}?",
                "Write a story about {who}.", "Do you know a story about {who}?",
            )
        )
    elif draw < 0.65:
        text = pick(
            (
                "Tell me a story about {who} and {thing}.",
                "Write a story about {who} and {thing}.",
                "Tell me a story about {who}. There should be {thing} in it.",
                "I want a story with {who} and {thing}, please.",
                "Can you tell me a story with {thing} and {who}?",
                "Make up a story about {who} who has to do with {thing}.",
            )
        )
        wants.append(o.name)
    elif draw < 0.82:
        text = pick(
            (
                "Tell me a story about {who} that happens {at}.",
                "Write a story about {who} who goes {to}.",
                "I want a story about {who} and the {place}.",
                "Can you tell me what {name} the {kind} did {at}?",
            )
        )
        wants.append(p.name)
    else:
        text = pick(
            (
                "Tell me a story with {who}, {thing} and the {place}.",
                "Write a story that has {who}, {thing} and the {place} in it.",
                "Tell me a story about {who}. I want it to have {thing} and the {place}.",
                "Use these in a story: {name} the {kind}, {thing}, the {place}.",
            )
        )
        wants += [o.name, p.name]
    return text.format(
        who=who, thing=thing, at=p.at, to=p.to, place=p.name, name=a.name, kind=a.kind
    ), wants


def fitting_story(rng: random.Random, heldout: bool) -> tuple[Story, str, list[str]]:
    """A story and a wish that it fulfils."""
    while True:
        story = stories.story(rng, heldout)
        wish, wants = with_names(story.world)
        if all(re.search(rf"\b{re.escape(word)}\b", story.text) for word in wants):
            color = story.world.o.color
            if (
                color
                and color in wish
                and not re.search(rf"\b{color} {story.world.o.name}\b", story.text)
            ):
                continue
            if (
                story.world.o.look
                and story.world.o.a in wish
                and story.world.o.full not in story.text
            ):
                continue
            return story, wish, wants


def story_talk(rng: random.Random, heldout: bool) -> list[Turn]:
    """A story is told, by either side, and then there are questions."""
    pick = _picker(rng)
    turns: list[Turn] = []
    tells = rng.random() < 0.5
    if tells:
        story, wish, _ = fitting_story(rng, heldout)
        if rng.random() < 0.4:
            wish = pick(ASK_FOR_STORY)
        turns = [
            user(wish),
            assistant((pick(READY) + "\n" if rng.random() < 0.2 else "") + story.flat),
        ]
    else:
        story = stories.story(rng, heldout)
    options = questions(story)
    count = min(len(options), 1 + int(rng.random() * 4))
    chosen = sorted(_sample(rng, range(len(options)), count))
    asked = [options[i] for i in chosen]
    if rng.random() < 0.22:
        asked.insert(int(rng.random() * (len(asked) + 1)), unknown(story.world, rng))
    for i, question in enumerate(asked):
        text = question.text
        if i == 0 and not tells:
            text = f"{pick(READ_THIS)}\n{story.flat}\n{text}"
        elif rng.random() < 0.2:
            lead = pick(ASK_MORE)
            text = f"{lead} {text}" if lead.endswith(".") else f"{lead} {text[0].lower()}{text[1:]}"
        turns += [user(text), assistant(question.short if rng.random() < 0.35 else question.full)]
    if rng.random() < 0.15:
        turns += [user(pick(NICE_STORY)), assistant(pick(GLAD))]
    return turns


def story_wish(rng: random.Random, heldout: bool) -> list[Turn]:
    """A story with given names, things and places."""
    pick = _picker(rng)
    story, wish, _ = fitting_story(rng, heldout)
    turns = [user(wish), assistant(story.flat)]
    if rng.random() < 0.2:
        turns += [user(pick(NICE_STORY)), assistant(pick(GLAD))]
    return turns


# -- everyday things

ASK_FACT = choices("""
[|||||Tell me, |Please tell me: |I want to know: |Can you help me? |I have a question. |My sister asked me: |My brother wants to know: |We talked about it at school. ]
""") + [""]
MORE_FACTS = (
    "Thank you. ", "I see. ", "Oh! ", "And ", "Good to know. ", "Interesting. ", "", "", "",
    "Next question: ", "Thanks! ",
)
FACT_TAILS = (
    "", "", "", "", "", "", " Is there anything else that you want to know?",
    " That is a good question.", " I hope that helps.", " Isn't that nice?",
    " Ask me more if you like.",
)


def explanation(rng: random.Random, heldout: bool) -> list[Turn]:
    """Questions about the world. Every tenth way to ask is held out."""
    pick = _picker(rng)
    turns: list[Turn] = []
    pools = facts.FACTS if rng.random() < 0.6 else facts.ANIMAL_FACTS
    for i in range(1 + int(rng.random() * 4)):
        while True:
            number = int(rng.random() * len(pools))
            asks, answers = pools[number]
            which = int(rng.random() * len(asks))
            if len(asks) == 1 or ((number * 7 + which) % 10 == 0) == heldout:
                break
        text = asks[which]
        if rng.random() < 0.5:
            lead = pick(ASK_FACT) if i == 0 else pick(MORE_FACTS)
            lead = lead.strip()
            if lead.endswith((",", ":")) or lead == "And":
                text = text[0].lower() + text[1:] if not text.startswith("I ") else text
            text = f"{lead} {text}".strip()
            text = text[0].upper() + text[1:]
        turns += [
            user(text),
            assistant(pick(answers) + (pick(FACT_TAILS) if rng.random() < 0.3 else "")),
        ]
    return turns


# -- small talk

_FIRST = {"{he}": "I", "{his}": "my", "{him}": "me", "{He}": "I"}
GREETINGS = choices("""
[Hello|Hi|Hey|Good morning|Good evening|Good day][!|.|, prwkv!|, how are you?|! How are you?|, my friend!]
Hello[!|.] [My name is {name}.|I am {name}.|This is {name}.]
Hi, I am {name}. [Who are you?|How are you today?|Nice to meet you!]
""")
HELLO_BACK = choices("""
[Hello|Hi|Hello there]! [How can I help you?|What can I do for you?|Nice to hear from you.|What shall we talk about?|How was your day?]
[Hello|Hi]! [I am glad that you are here.|It is nice to talk to you.|What would you like to do?|What is on your mind?]
""")
HELLO_NAME = choices("""
[Hello|Hi], {name}! [How can I help you?|Nice to meet you.|It is nice to meet you.|What shall we talk about?|How are you?|What would you like to do?]
[Nice to meet you|Good to meet you|Welcome], {name}! [What shall we talk about?|How was your day?|I am prwkv.|My name is prwkv.]
""")
HELLO_WELL = choices("""
[Hello|Hi]! I am [fine|well], thank you. [And you?|How are you?|How can I help you?]
[I am fine, thank you.|I am doing well.] [How about you?|And how are you?|What can I do for you?]
""")
IDENTITY = [
    (choices(q), choices(a))
    for q, a in (
        (
            "[Who|What] are you?\nWhat is your name?\n[Tell me who you are.|Can you tell me your "
            "name?]\nDo you have a name?\nWho am I talking to?",
            "I am prwkv, a small language model[.|. I like to tell stories.|. I can tell stories "
            "and answer simple questions.]\n"
            "My name is prwkv. I am a small language model[.|, a computer program that works "
            "with words.]",
        ),
        (
            "Are you a [person|human|child|real person|robot]?\nAre you alive?",
            "No, I am [prwkv, |]a small language model. [I am a program that writes text.|I am "
            "made of numbers and words.]\n"
            "No. I am a small language model [called prwkv|named prwkv]. [But I like to talk "
            "with you.|I am a computer program.]",
        ),
        (
            "What can you do?\nHow can you help me?\nWhat are you good at?",
            "I can tell [stories|short stories], answer simple questions and [chat a little|do "
            "small sums].\n"
            "I am a small model, but I can tell stories, answer simple questions and [count a "
            "bit|talk with you].",
        ),
        (
            "Do you [sleep|eat|dream|have a mother|get tired]?\nCan you [see me|hear me|walk|"
            "taste food|smell flowers]?\nDo you have [hands|eyes|legs|a house]?",
            "No, I am only a [small language model|computer program]. [But I like to hear about "
            "it.|I only read and write words.|Tell me about it!]",
        ),
        (
            "Do you know everything?\nAre you always right?\nDo you make mistakes?",
            "No, I am a small language model, and I [make mistakes|can be wrong|know only a "
            "little]. [It is good to ask somebody else, too.|So check what I say.]",
        ),
        (
            "Who made you?\nWhere do you come from?\nHow old are you?",
            "I am prwkv, a small language model. [I learned from many simple stories.|I was made "
            "by training on many simple texts.]",
        ),
    )
]
FAVORITES = {
    "color": "red blue green yellow orange purple pink white".split(),
    "animal": [n for n in wd.ANIMAL_NAMES if " " not in n][:60],
    "fruit": "apples pears plums bananas cherries grapes mangos melons peaches".split(),
    "season": wd.SEASONS,
    "day": wd.DAYS,
    "toy": "my ball;my kite;my doll;my teddy bear;my toy train;my puzzle;my scooter;my drum;my blocks".split(
        ";"
    ),
    "food": "soup;pancakes;noodles;pizza;rice;bread with honey;potatoes;apple pie;waffles;cheese".split(
        ";"
    ),
    "place": "the park;the beach;the library;the forest;the zoo;the garden;the lake;the playground;the farm".split(
        ";"
    ),
    "game": "tag;hide and seek;soccer;chess;jumping rope;hopscotch;catch".split(";"),
    "number": wd.NUMBERS[1:11],
}
REASONS = {
    "color": (
        "It looks bright.", "It makes me happy.", "It is the color of my room.",
        "My hat has that color.",
    ),
    "animal": ("It is so funny.", "I saw one at the zoo.", "It looks so soft.", "It is clever."),
    "fruit": ("They are sweet.", "They taste so good.", "We have them in the garden."),
    "season": (
        "I like the weather then.", "It is the best time to play outside.",
        "Everything looks pretty then.",
    ),
    "day": (
        "We always do something nice then.", "My grandma visits us on that day.",
        "We have music on that day.",
    ),
    "toy": ("I play with it every day.", "I got it from my grandpa.", "It is fun."),
    "food": ("It tastes so good.", "My dad makes it for me.", "I could eat it every day."),
    "place": ("There is so much to see.", "I can run there.", "I go there with my friends."),
    "game": ("I am good at it.", "It is fun.", "My friends like it, too."),
    "number": ("It brings me luck.", "I am that old.", "I like how it looks."),
}
TELL_FAVORITE = choices("""
My favorite {what} is {it}.[ {why}|]
I like {it} best.[ {why}|]
[Guess what!|You know,|Let me tell you something.] My favorite {what} is {it}.
""")
NICE_FAVORITE = choices("""
[That is a nice choice.|Good choice!|How nice!|I see.|That sounds good.] [Why do you like {it_you}?|Thank you for telling me.|Many people like {it_you}.|I will remember that.]
""")
RECALL_NAME = choices("""
[Do you know my name?|What is my name?|Do you remember my name?|Do you still know what I am called?]
""")
RECALL_FAVORITE = choices("""
[What is my favorite {what}?|Do you remember my favorite {what}?|Which {what} do I like best?|Do you still know my favorite {what}?]
""")
TELL_FEELING = choices("""
[I am {feeling}|I feel {feeling}|I am so {feeling}|I feel very {feeling}|Today I am {feeling}|I am a bit {feeling}][.| because {cause}.]
[You know,|Oh,|Well,] I am {feeling} because {cause}.
""")
COMFORT: dict[str, list[str]] = {
    f: choices(t)
    for f, t in {
        "happy": "[How nice!|That is great!|I am happy for you!] [Enjoy it.|Tell me more!|That is a good reason to smile.]",
        "sad": "[I am sorry to hear that.|Oh, that is sad.|Poor you.] [A hug may help.|It is all right to cry.|Do you want to hear a story?|Maybe you can tell somebody at home about it.]",
        "angry": "[I understand.|That can make one angry.|I see why you are angry.] [Take a deep breath and count to ten.|Try to say calmly what bothers you.|It may help to go for a walk.]",
        "scared": "[You are not alone.|I understand.|That sounds scary.] [Hold somebody's hand and breathe slowly.|Tell a grown-up about it.|It often helps to look at it with somebody.]",
        "proud": "[Well done!|You can be proud!|Bravo!|That is great!] [It was worth the work.|Keep it up.|Tell everybody about it!]",
        "tired": "[Then it is time to rest.|You should lie down for a while.] [A little sleep helps.|Good night!|Sleep well.]",
        "excited": "[How exciting!|That sounds like fun!|I see why!] [Have a great time.|Tell me about it later!|It will be nice.]",
        "worried": "[I understand.|I hope that it will be all right.] [Talk to somebody whom you trust.|Often things turn out well.|One step at a time.]",
        "lonely": "[I am sorry to hear that.|That is not easy.] [You could ask somebody to play with you.|Talk to me if you like.|A smile is a good start for a friendship.]",
        "surprised": "[What a surprise!|Oh!|I did not expect that, either!] [Was it a good one?|What did you do then?|That is a story to tell.]",
        "bored": "[Let us do something about it.|I know that feeling.] [You could draw a funny animal.|You could build a tower.|Shall I tell you a story?|You could look for something round and red.]",
        "shy": "[Many people are shy at first.|That is all right.] [Start with a small hello.|Take your time.|Be just as you are.]",
        "jealous": "[Everybody feels like that sometimes.|I understand.] [Tell somebody how you feel.|There is enough love for everybody.]",
        "thankful": "[How kind!|That is good to hear.] [Did you say thank you?|It is nice to have people who help.]",
        "curious": "[It is good to be curious.|Me, too!] [What do you think it is?|Have a look, but be careful.|Ask somebody who knows.]",
        "sorry": "[It is good that you feel that.|Everybody makes mistakes.] [Say sorry, and try to make it good again.|Tell the truth, and you will feel better.]",
        "calm": "[That is a good feeling.|How nice.] [Enjoy the quiet.|Peace is a fine thing.]",
        "hungry": "[Then it is time to eat.|You need some food.] [How about an apple?|Ask somebody for a snack.|Maybe there is some bread in the kitchen.]",
        "thirsty": "[Then you should drink something.|It is good to drink enough.] [A glass of water will help.|Water is the best.]",
        "sleepy": "[Then close your eyes.|It sounds like bedtime.] [Good night!|Sweet dreams!|Sleep well.]",
        "brave": "[That was very brave!|Bravo!] [You can be proud of it.|I am impressed.]",
        "silly": "[That is funny!|Ha, ha!] [It is good to be silly sometimes.|I wish I could see that.]",
        "disappointed": "[That is too bad.|I am sorry.] [Maybe it will work next time.|Is there something else that is fun?]",
        "nervous": "[That is normal.|Many people feel like that.] [Breathe in and out slowly.|You will do well.|I keep my fingers crossed.]",
        "cold": "[Then you should warm up.|Brr!] [Put on a sweater.|A warm drink will help.|Get a blanket.]",
        "hopeful": "[Hope is a good thing.|How nice.] [I hope with you.|I am sure that something good will come.]",
    }.items()
}
WEATHER_TALK = [
    (choices(q), choices(a))
    for q, a in (
        (
            "It is raining[ today| again| all day| here].\nThe rain does not stop.",
            "[Rain is good for the plants.|Then it is a good day to play inside.|Do not forget "
            "your umbrella.] [You could read a book.|You could jump in puddles.|]",
        ),
        (
            "It is [sunny|so warm|very hot] [today|here|outside].\nThe sun is shining.",
            "[How nice!|That is good to hear.] [You could play outside.|Drink enough water.|It "
            "is a good day for the park.|Do not forget your hat.]",
        ),
        (
            "It is snowing[!| here.| today.]\nThere is snow outside.",
            "[How lovely!|Snow is fun!] [You could build a snowman.|Put on warm gloves.|Is it "
            "enough for a sled?]",
        ),
        (
            "It is [so windy|very windy] [today|here|outside].\nThe wind is strong today.",
            "[That is good weather for a kite.|Hold on to your hat!] [But stay away from old "
            "trees.|]",
        ),
        (
            "It is [so cold|foggy|gray|cloudy] [today|here|outside].",
            "[Then put on a warm coat.|A day like that is good for warm tea.|It is a good day "
            "for a story.]",
        ),
    )
]
THANKS = choices("""
[Thank you|Thanks|Thank you so much|Thanks a lot][!|.|, prwkv.| for your help.| for talking with me.]
[You are nice.|You are funny.|That was kind of you.]
""")
WELCOME = choices("""
[You are welcome!|I was happy to help.|Any time!|It was nice to talk to you.|Gladly!|Thank you, too!]
""")
BYE = choices("""
[Goodbye|Bye|Bye-bye|See you|Good night|I have to go now|See you tomorrow|I must go to bed now][!|.|, prwkv!]
""")
BYE_BACK = choices("""
[Goodbye|Bye|See you soon|Take care][!|, {name}!] [It was nice to talk with you.|Have a nice day!|Come back soon.|I hope to hear from you again.|]
""")
ASK_BACK = [
    (choices(q), choices(a))
    for q, a in (
        (
            "What is your favorite {what}?\nDo you have a favorite {what}?\nWhich {what} do you "
            "like best?",
            'I am a language model, so I do not have a real favorite. But I like the word "{it}".\nIf I had to choose, I would say {it}.',
        ),
        (
            "Do you like {it}?",
            "I am only a small language model, but I like to hear about {it}.\nI think that {it} "
            "[sounds|can be] nice. Do you like it?",
        ),
    )
]
PLANS = choices("""
[Today|Tomorrow|After lunch|This evening|On Sunday] I [will|want to|am going to] [visit my {relative}|go to the {place}|play with {friend}|bake a cake|read a book|plant some flowers|learn to swim|draw a big picture|help in the garden].
""")
PLAN_REPLIES = choices("""
[That sounds nice!|What a good plan!|How nice!|I hope that you will have fun!] [Tell me about it later.|Will you go alone?|Have a good time!|That is a good thing to do.]
""")


def _picker(rng: random.Random) -> Callable[[Any], Any]:
    draw = rng.random
    return lambda options: options[int(draw() * len(options))]


def _sample(rng: random.Random, options: Any, count: int) -> list[Any]:
    left = list(options)
    return [left.pop(int(rng.random() * len(left))) for _ in range(count)]


def small_talk(rng: random.Random, heldout: bool) -> list[Turn]:
    """Some turns about this and that. The assistant remembers what it was told."""
    pick = _picker(rng)
    turns: list[Turn] = []
    name = pick(wd.GIRLS + wd.BOYS)
    knows_name = False
    favorite: tuple[str, str] | None = None

    def say(text: str, answer: str) -> None:
        turns.extend((user(text.strip()), assistant(answer.strip())))

    if rng.random() < 0.8:
        greeting = pick(GREETINGS)
        knows_name = "{name}" in greeting
        if "Who are you" in greeting:
            answer = f"Hello, {name}! I am prwkv, a small language model."
        elif knows_name:
            answer = pick(HELLO_NAME).format(name=name)
        elif "how are you" in greeting.lower():
            answer = pick(HELLO_WELL)
        else:
            answer = pick(HELLO_BACK)
        say(greeting.format(name=name), answer)
    topics = [
        "identity", "favorite", "feeling", "weather", "back", "plan", "fact", "feeling", "favorite",
        "identity",
    ]
    for topic in _sample(rng, topics, 1 + int(rng.random() * 4)):
        if topic == "identity":
            asks, answers = pick(IDENTITY)
            say(pick(asks), pick(answers))
        elif topic == "favorite" and favorite is None:
            what = pick(list(FAVORITES))
            it = pick(FAVORITES[what])
            yours = it.replace("my ", "your ")
            favorite = (what, f"the {it}" if what == "animal" else yours)
            shown = f"the {it}" if what == "animal" else it
            template = pick(TELL_FAVORITE)
            text = template.format(
                what=what,
                it=shown if "best" not in template else wd.plural(it) if what == "animal" else it,
                why=pick(REASONS[what]),
            )
            answer = pick(NICE_FAVORITE)
            if "why do you" in answer.lower() and "{why}" in template:
                answer = "How nice! Thank you for telling me."
            you = "it" if what != "fruit" else "them"
            say(text, answer.format(it_you=you))
            if "Why do you like" in answer:
                say(
                    pick(REASONS[what]),
                    pick(
                        (
                            "I understand.", "That is a good reason.", "I see. That is nice.",
                            "How nice!",
                        )
                    ),
                )
        elif topic == "feeling":
            feeling, causes = pick(wd.FEELINGS)
            cause = pick(wd.items(causes))
            for slot, word in _FIRST.items():
                cause = cause.replace(slot, word)
            say(pick(TELL_FEELING).format(feeling=feeling, cause=cause), pick(COMFORT[feeling]))
        elif topic == "weather":
            asks, answers = pick(WEATHER_TALK)
            say(pick(asks), pick(answers))
        elif topic == "back":
            what = pick([w for w in FAVORITES if w not in ("toy", "number", "day")])
            it = pick(FAVORITES[what])
            it = wd.plural(it) if what == "animal" else it
            asks, answers = pick(ASK_BACK)
            ask, answer = pick(asks), pick(answers)
            if what in ("fruit", "animal") or it.endswith("s") and what == "food":
                answer = answer.replace("sounds", "sound").replace(
                    "Do you like it?", "Do you like them?"
                )
            say(ask.format(what=what, it=it), answer.format(it=it))
        elif topic == "plan":
            friend = pick([n for n in wd.GIRLS + wd.BOYS if n != name])
            say(
                pick(PLANS).format(
                    relative=pick(("grandma", "grandpa", "aunt", "uncle", "cousin")),
                    place=pick(wd.OUTSIDE),
                    friend=friend,
                ),
                pick(PLAN_REPLIES),
            )
        elif topic == "fact":
            turns.extend(explanation(rng, heldout)[:2])
    if knows_name and rng.random() < 0.35:
        say(
            pick(RECALL_NAME),
            pick(
                (
                    f"Your name is {name}.",
                    f"Yes, you are {name}.",
                    f"You told me that you are {name}.",
                )
            ),
        )
    elif rng.random() < 0.06:
        say(
            pick(RECALL_NAME),
            pick(
                (
                    "You have not told me your name yet. What is it?",
                    "I do not know. What is your name?",
                )
            ),
        )
    if favorite and rng.random() < 0.4:
        what, it = favorite
        say(
            pick(RECALL_FAVORITE).format(what=what),
            pick(
                (
                    f"Your favorite {what} is {it}.",
                    f"You told me that your favorite {what} is {it}.",
                    f"It is {it}.",
                )
            ),
        )
    if rng.random() < 0.4:
        say(pick(THANKS), pick(WELCOME))
    if rng.random() < 0.55:
        template = pick(BYE_BACK)
        say(
            pick(BYE),
            template.format(name=name)
            if knows_name or "{name}" not in template
            else template.replace(", {name}", ""),
        )
    return turns if turns else small_talk(rng, heldout)


KINDS: list[tuple[float, Callable[[random.Random, bool], list[Turn]]]] = [
    (0.42, story_talk),
    (0.30, story_wish),
    (0.18, small_talk),
    (0.10, explanation),
]


def dialogue(rng: random.Random, heldout: bool = False) -> list[Turn]:
    """A conversation of any kind."""
    draw = rng.random()
    for share, make in KINDS:
        if draw < share:
            return make(rng, heldout)
        draw -= share
    return explanation(rng, heldout)


__all__ = ["Person", "Question", "Turn", "dialogue", "fitting_story", "plain", "questions"]
