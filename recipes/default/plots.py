"""Skeletons of stories, and sub-plots that go with any of them.

A plot is a chain of causes in which people want something, try, fail, get help and end up somewhere
else than they began. It draws who takes part and which way things go; `World` sees to it that what
happens is possible. A sub-plot is a function too; if it has a second half, that is put off until
the plot calls `World.late`, directly or by `World.end`.
"""

from __future__ import annotations

import words as wd
from world import HOME, PLOTS, Person, Place, World, plot

WALKABLE = [p for p in wd.OUTSIDE if p not in ("island", "desert", "jungle", "mountain")]
OUTDOORS = [
    p
    for p in WALKABLE
    if p not in ("library", "bakery", "museum", "bookshop", "toy shop", "flower shop")
]
FOODS = (
    "cookies", "apples", "plums", "nuts", "berries", "pears", "carrots", "muffins", "cherries",
    "buns",
)
TREES = ("a tall tree", "an old apple tree", "a big oak tree", "a pine tree")

SMALL_THINGS = [
    n
    for n in wd.CARRIED
    if wd.THINGS[n].group in ("treasure", "music", "wear")
    or n
    in "ball marble yo-yo whistle toy car toy train toy duck key book notebook map compass magnet puppet".split()
    or n.startswith("toy ")
]
SMALL_THINGS = [
    n
    for n in SMALL_THINGS
    if n
    not in (
        "coat", "raincoat", "dress", "sweater", "violin", "guitar", "drum", "xylophone",
        "toy castle",
    )
]
FLYING = [
    "kite", "balloon", "frisbee", "toy plane", "hat", "ball", "toy rocket", "scarf", "ribbon",
    "cap",
]
BREAKABLE = [
    "cup", "mug", "plate", "vase", "bowl", "jar", "teapot", "mirror", "picture frame", "lamp",
    "music box", "clock", "piggy bank", "toy castle", "lantern", "flute",
]
TOYS = [n for n in wd.GROUPS["toy"] if n not in ("slingshot", "rocking horse", "sled")] + wd.GROUPS[
    "music"
][:6]
GIFTS = [
    "necklace", "scarf", "card", "drawing", "painting", "bracelet", "vase", "cap", "mug", "pillow",
    "blanket", "basket", "picture frame", "box", "bowl", "cup", "puppet", "hat", "candle", "cake",
]
WANTED = [n for n in TOYS if n not in ("toy castle",)] + [
    "book", "storybook", "backpack", "watch", "telescope", "cap", "camera", "globe", "umbrella",
    "notebook",
]


def walk_there(w: World, to: Place, *others: Person) -> None:
    """Goes to a place, sees what is there, perhaps does something."""
    w.go(to, *others)
    w.maybe(0.5, "arrive", r=to)
    if w.chance(0.5):
        w.tell("joy", r=to, joy=w.pick(to.joys))


def search(w: World, place: Place, most: int) -> str:
    """Fails in some spots; returns where it will be found."""
    spots = w.sample(place.spots, most + 1)
    if not w.chance(0.6):
        spots = spots[-2:]
    for spot in spots[:-1]:
        w.tell("search.no", spot=spot)
    return spots[-1]


# -- plots about things


@plot(objects=SMALL_THINGS, places=WALKABLE)
def lost(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    w.own(a, o)
    w.tell("own")
    w.early()
    walk_there(w, p)
    w.tell("lost.play")
    w.lose(a, o)
    noticed_at_home = w.chance(0.4)
    if noticed_at_home:
        w.go(HOME)
    w.paragraph()
    w.tell("lost.notice")
    w.feel(a, w.pick(("sad", "worried")))
    b = w.helper()
    w.tell("lost.tell")
    w.tell("lost.offer")
    if noticed_at_home:
        w.go(p, b, kind="lost.back")
    w.middle()
    w.paragraph()
    spot = search(w, p, w.pick((1, 2, 2)))
    w.find(a, o)
    w.tell("lost.found", spot=spot)
    w.feel(a, "happy", 0.6)
    w.talk(b, "thanks")
    w.end(w.pick(("care", "help")))


@plot(
    objects=[
        n
        for n in SMALL_THINGS
        if n not in ("leaf", "stick", "acorn", "pine cone", "pebble", "stone", "feather", "shell")
    ],
    places=WALKABLE,
)
def found(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    w.early()
    walk_there(w, p)
    w.find(a, o)
    w.tell("found.see", spot=w.pick(p.spots))
    w.tell("found.keep")
    if w.chance(0.7):
        w.neighbor("c")
        w.tell("found.ask")
    w.middle()
    b = w.friend(relation="stranger")
    w.paragraph()
    w.tell("found.owner")
    w.give(a, b, o)
    w.tell("found.give")
    w.feel(b, "happy", 0.4)
    w.tell("found.thanks")
    w.maybe(0.6, "play.together")
    w.end(w.pick(("honesty", "kindness")))


@plot(objects=BREAKABLE, places=wd.ROOMS)
def broke(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    b = w.parent(old=0.4)
    w.own(b, o)
    w.tell("broke.own")
    w.early()
    w.go(p)
    w.tell("broke.play")
    w.breaks(o)
    w.tell("broke.oops")
    w.feel(a, w.pick(("scared", "sorry", "worried")))
    hides = w.chance(0.5)
    w.maybe(1.0 if hides else 0.0, "broke.hide", spot=w.pick(p.spots))
    w.middle()
    w.paragraph()
    w.tell("broke.asked" if hides else "broke.tells")
    w.tell("broke.forgive")
    w.mend(o)
    w.tell("broke.mend")
    w.talk(b, "hug")
    w.end("honesty")


@plot(objects=TOYS, places=[p for p in OUTDOORS if p not in ("swamp", "cave")])
def turns(w: World) -> None:
    a, o = w.hero, w.o
    b = w.friend()
    w.own(a, o)
    w.tell("own")
    w.tell("meet.intro")
    w.go(w.p, b)
    w.tell("turns.want")
    w.tell("turns.pull")
    w.feel(w.pick((a, b)), "angry")
    w.middle()
    w.paragraph()
    if w.chance(0.5):
        w.neighbor("c") if w.chance(0.6) else w.parent("c")
        w.tell("turns.wise")
    else:
        w.tell("turns.idea")
    w.use(a, o)
    w.tell("turns.first")
    w.give(a, b, o)
    w.tell("turns.second")
    w.tell("turns.fun")
    w.end("sharing")


@plot(
    objects=FLYING, places=[p for p in OUTDOORS if p not in ("cave", "desert", "swamp", "island")]
)
def stuck(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    w.own(a, o)
    w.tell("own")
    w.early()
    walk_there(w, p)
    where = w.pick(
        ("in " + w.pick(TREES), "on a high wall", "on the roof of a shed", "on top of a tall gate")
    )
    w.tell("stuck.fly", where=where)
    o.holder = None
    w.feel(a, w.pick(("sad", "worried")), 0.7)
    w.paragraph()
    for way in w.sample(("jump", "stick", "stones", "climb"), w.pick((1, 2, 2))):
        w.tell("stuck." + way, where=where)
    w.middle()
    b = w.neighbor() if w.chance(0.6) else w.friend()
    w.paragraph()
    w.tell("stuck.ask", where=where)
    w.tell(w.pick(("stuck.ladder", "stuck.net", "stuck.shake")), where=where)
    w.take(a, o)
    w.tell("stuck.got")
    w.talk(b, "thanks")
    w.maybe(0.5, "play.together")
    w.end(w.pick(("help", "patience")))


@plot(objects=GIFTS, places=wd.ROOMS)
def gift(w: World) -> None:
    a, o = w.hero, w.o
    b = w.parent(old=0.5)
    w.tell("gift.birthday")
    w.tell("gift.problem")
    w.early()
    w.go(w.p)
    w.tell("gift.make")
    w.find(a, o)
    if w.chance(0.6):
        w.tell("gift.trouble")
        w.tell("gift.again")
    w.tell("gift.hide", spot=w.pick(w.p.spots))
    w.middle()
    w.paragraph()
    w.tell("gift.day")
    w.give(a, b, o)
    w.tell("gift.give")
    w.tell("gift.reaction")
    w.feel(a, w.pick(("proud", "happy")), 0.6)
    w.end(w.pick(("gift", "kindness")))


@plot(
    objects=WANTED,
    places=["market", "toy shop", "bookshop", "fair", "village square"],
    casts="child",
)
def saving(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    n = w.pick(("five", "six", "seven", "eight", "nine", "ten", "twelve"))
    w.tell("saving.want")
    w.tell("saving.save", n=n)
    w.early()
    w.go(p)
    b = w.friend(relation="stranger")
    w.tell(
        "saving.meet",
        n=n,
        loss=w.pick(
            (
                "the money for the bus", "the money for bread", "the money for milk",
                "all of the money for eggs",
            )
        ),
    )
    w.tell("saving.think")
    w.middle()
    w.paragraph()
    w.tell("saving.give", n=n)
    w.feel(b, "happy", 0.5)
    if w.chance(0.6):
        w.parent("c")
        w.find(a, o)
        w.tell("saving.reward")
    else:
        w.tell("saving.warm")
    w.end("kindness")


@plot(objects=WANTED, places=OUTDOORS)
def trade(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    w.own(a, o)
    w.tell("own")
    walk_there(w, p)
    b = w.friend()
    q = w.thing(w.pick([n for n in SMALL_THINGS if n != o.name]))
    w.own(b, q)
    w.tell("trade.see", q=q)
    w.tell("trade.ask", q=q)
    w.give(a, b, o)
    w.give(b, a, q)
    w.tell("trade.swap", q=q)
    w.middle()
    w.paragraph()
    if w.chance(0.55):
        w.tell("trade.miss", q=q)
        w.tell("trade.back.ask", q=q)
        w.give(b, a, o)
        w.give(a, b, q)
        w.tell("trade.back", q=q)
        w.tell("play.together")
        w.end("friendship")
    else:
        w.tell("trade.joy", q=q)
        w.tell("trade.friend", q=q)
        w.end(w.pick(("sharing", "friendship")))


@plot(objects=["map"], places=[p for p in wd.WILD if p not in ("park", "rose garden", "field")])
def treasure(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    b = w.friend(relation=w.pick(("friend", "sibling")))
    w.find(a, o)
    w.tell(
        "treasure.map",
        where=w.pick(
            (
                "an old box", "an old book", "a dusty bottle", "the pocket of an old coat",
                "a crack in the wall",
            )
        ),
    )
    w.tell("treasure.plan")
    q = w.place(w.wild_or_town())
    w.go(q, b)
    w.tell(
        "treasure.clue",
        r=q,
        sign=w.pick(
            (
                "a red cross on a stone", "an arrow on a tree", "three white stones in a row",
                "a big letter X on a post",
            )
        ),
    )
    w.middle()
    w.go(p, b)
    w.tell("treasure.dig", spot=w.pick(p.spots))
    w.maybe(0.6, "treasure.tired")
    w.paragraph()
    n = w.pick(
        (
            "a box full of gold coins made of chocolate", "a jar full of shiny marbles",
            "a small box of colored stones", "a tin full of old buttons and a funny picture",
            "a box with a note and two wooden whistles", "a little chest with two silver rings",
        )
    )
    w.tell("treasure.open", prize=n)
    w.tell("treasure.share", prize=n)
    w.end(w.pick(("friendship", "sharing", "adventure")))


@plot(
    objects=[n for n in SMALL_THINGS if n != "nest"], places=["bedroom", "playroom"], casts="child"
)
def mess(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    w.own(a, o)
    w.tell("own")
    w.early()
    w.lose(a, o)
    w.go(p)
    w.tell("mess.room")
    w.tell("mess.cannot")
    w.feel(a, "worried", 0.5)
    w.parent()
    w.tell("mess.advice")
    w.paragraph()
    w.tell("mess.clean")
    w.maybe(
        0.7,
        "mess.more",
        thing=w.pick(
            (
                "a lost sock", "an old crayon", "three coins", "a dry cookie",
                "a missing puzzle piece",
            )
        ),
    )
    w.middle()
    w.find(a, o)
    w.tell("mess.found", spot=w.pick(p.spots))
    w.feel(a, w.pick(("happy", "proud")), 0.6)
    w.tell("mess.praise")
    w.end("care")


@plot(
    objects=[n for n in SMALL_THINGS if n not in ("nest", "leaf", "acorn", "stick", "pine cone")],
    places=OUTDOORS,
)
def bird_thanks(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    w.own(a, o)
    bird = w.pick(
        [
            k
            for k in ("robin", "sparrow", "crow", "pigeon", "swan", "duck", "goose", "seagull")
            if k not in w.used_kinds
        ]
    )
    w.add(
        "b",
        Person(
            f"the {bird}",
            bird,
            w.pick("fm"),
            wd.an(w.pick(("small ", "thin ", "cold ", "hungry ")) + bird),
        ),
    )
    w.tell("bird.winter")
    w.tell(
        "bird.feed", food=w.pick(("bread crumbs", "seeds", "bits of apple", "oats", "some corn"))
    )
    w.tell("bird.leaves")
    w.early()
    w.paragraph()
    w.tell("bird.spring")
    w.go(p)
    w.lose(a, o)
    w.tell("bird.lose")
    w.feel(a, "sad", 0.6)
    w.tell("bird.help")
    w.find(a, o)
    w.tell("bird.found", spot=w.pick(p.spots))
    w.end("kindness")


@plot(objects=TOYS, places=[p for p in OUTDOORS if p not in ("cave", "swamp", "desert")])
def newcomer(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    w.own(a, o)
    w.tell("new.moved")
    w.feel(a, "lonely", 0.7)
    w.early()
    w.go(p)
    w.tell("new.watch")
    w.feel(a, "shy", 0.5)
    w.friend(relation="stranger")
    w.paragraph()
    w.tell("new.comes")
    w.tell("new.talk")
    w.use(a, o)
    w.tell("new.show")
    w.tell("play.together")
    w.middle()
    w.tell("new.later")
    w.end("friendship")


@plot(
    objects=[
        "drawing", "painting", "hat", "cap", "scarf", "sweater", "kite", "toy boat", "mask",
        "dress", "cape", "puppet", "coat", "backpack",
    ],
    places=["school", "park", "playground", "beach", "meadow", "village square", "pond", "forest"],
)
def tease(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    w.own(a, o)
    w.tell("tease.made")
    w.go(p)
    w.friend(relation="stranger")
    w.tell("tease.laugh")
    w.feel(a, "sad", 0.7)
    w.early()
    w.paragraph()
    w.tell(
        "tease.trouble",
        trouble=w.pick(
            (
                "fell into a deep puddle", "got stuck in the mud", "tripped over a root and fell",
                "fell off a low wall", "got lost behind the bushes",
            )
        ),
    )
    w.tell("tease.help")
    w.tell("tease.sorry")
    w.tell("tease.forgive")
    w.maybe(0.6, "play.together")
    w.end(w.pick(("kindness", "forgive")))


@plot(objects=TOYS, places=wd.ROOMS)
def baby(w: World) -> None:
    a, o = w.hero, w.o
    w.own(a, o)
    sister = w.chance(0.5)
    name = (
        w.pick([n for n in (wd.GIRLS if sister else wd.BOYS) if n not in w.used_names])
        if w.kind == "child"
        else w.pick(
            [
                n
                for n in (wd.FEMALE_ANIMAL_NAMES if sister else wd.MALE_ANIMAL_NAMES)
                if n not in w.used_names
            ]
        )
    )
    w.used_names.add(name)
    word = "sister" if sister else "brother"
    w.add(
        "b",
        Person(
            name, w.hero.kind, "f" if sister else "m", f"{a.his} baby {word} {name}", relation=word
        ),
    )
    w.parent("c", old=0)
    w.tell("own")
    w.tell("baby.new")
    w.feel(a, "jealous")
    w.tell("baby.busy")
    w.early()
    w.go(w.p)
    w.tell("baby.cry")
    w.tell(
        "baby.try",
        way=w.pick(("a funny face", "a silly song", "a little dance", "the noise of a duck")),
    )
    w.use(a, o)
    w.tell("baby.toy")
    w.tell("baby.laugh")
    w.tell("baby.praise")
    w.feel(a, "proud", 0.6)
    w.end("family")


# -- plots about learning and courage

# fear, what makes it worse, what the helper says, what the hero does, how it turns out, where
FEARS = wd.rows("""
the dark|the shadows on the wall looked like monsters|The dark is only a blanket for the sleepy world|turned off the light and counted to ten|the shadows were only a coat and a chair|bedroom
thunder|the thunder went boom and the windows shook|The clouds are only bumping into each other|counted between the flash and the boom|the storm went farther and farther away|living room
deep water|the water looked cold and very deep|Hold my hand and feel the water with one foot|stepped in slowly, first one foot and then the other|the water was cool and only came up to {a.his} knees|swimming pool
the tall slide|the slide looked as high as a house|Start with the small slide, and I will wait at the bottom|climbed up one step at a time|it went whoosh and was over much too soon|playground
big dogs|a big dog barked behind the fence|Stand still and let him smell your hand|held out a hand and stood very still|the dog only wagged his tail and licked {a.his} fingers|park
spiders|a spider hung down from a long thread|Spiders eat the flies that bother us|looked at the web from up close|the web was full of tiny drops and very pretty|shed
the doctor|the room was white and full of strange things|The doctor only wants to listen to your heart|sat on the tall chair and took a deep breath|it was over in a minute and did not hurt|clinic
the old bridge|the boards of the bridge creaked in the wind|Look at the other side and not down|walked over the boards, step by step|the bridge was strong and did not move at all|bridge
climbing high|the ground looked so far away|Hold on with both hands and look for the next step|put one foot up and then the other|the top was not far, and one could see everything from there|hill
speaking in class|everybody looked up and it was very quiet|Look at one friend and talk only to that friend|stood up and said the first word|the words came out all by themselves|school
the waves|the waves came closer and roared|Run away when they come, and chase them when they go|ran up and down with the water|it was the best game of the summer|beach
the cave|it was black inside and something dripped|Take a lantern and listen: it is only water|went in slowly, with one hand on the wall|the drips made a sort of music|cave
the wind at night|the wind howled around the house like a wolf|The wind is only singing, so let us sing back|sang a small song back to the wind|the wind sounded like a friend|bedroom
geese|the geese hissed and stretched their necks|Walk slowly and do not run|walked past them slowly with a straight back|the geese went back to eating grass|farm
""")
FEAR_PLACES = {
    "clinic": Place(wd.PlaceKind("clinic", "at the clinic", "to the clinic", (), (), "", "town"))
}


@plot(
    objects=[
        "blanket", "teddy bear", "toy rabbit", "lantern", "flashlight", "toy lion", "scarf", "hat",
        "stone", "whistle",
    ],
    places=list(dict.fromkeys(row[5] for row in FEARS if row[5] != "clinic")),
)
def fear(w: World) -> None:
    a, o = w.hero, w.o
    w.own(a, o)
    name, sign, advice, deed, outcome, where = w.pick(FEARS)
    place = FEAR_PLACES.get(where) or Place(wd.PLACES[where])
    w.p = place
    slots = {
        "fear": name,
        "sign": sign,
        "deed": deed,
        "outcome": w.fill(outcome),
        "advice": advice,
        "p": place,
    }
    w.tell("fear.of", **slots)
    w.maybe(0.4, "fear.others", **slots)
    w.tell("fear.thing", **slots)
    w.early()
    w.go(place)
    w.tell("fear.sign", **slots)
    w.tell("fear.feel", **slots)
    w.helper() if w.chance(0.5) else w.parent()
    w.paragraph()
    w.tell("fear.talk", **slots)
    w.tell("fear.advice", **slots)
    w.middle()
    w.tell("fear.deed", **slots)
    w.tell("fear.outcome", **slots)
    w.feel(a, w.pick(("proud", "brave")), 0.7)
    w.end("courage")


# skill, -ing, first failure, second failure, tip, success
SKILLS = wd.rows("""
ride a bike|riding a bike|fell over after three turns of the wheels|rode right into a bush|Look straight ahead and keep your feet moving|rode all the way to the corner and back
swim|swimming|swallowed a lot of water|went under like a stone|Kick with your legs and stay calm|swam all by {a.himself} for ten whole seconds
whistle|whistling|blew out nothing but air|made a sound like a sleepy snake|Make your lips round and blow softly|whistled a clear, high note
tie a bow|tying a bow|made a big knot that would not come out|got a finger stuck in the loop|Make two ears like a rabbit and cross them|tied a bow that stayed closed all day
jump rope|jumping rope|tripped on the very first jump|got it around both feet|Listen to the beat and jump when you hear it|jumped ten times in a row
skate|skating|sat down hard on the ground|slid backward into a fence|Bend your knees and push to the side|made a big round turn without a fall
draw a horse|drawing a horse|drew something like a table with a tail|drew a horse with five legs|Start with a big bean and add the legs later|drew a horse that looked ready to run
make pancakes|making pancakes|burned the first one until it was black|dropped the second one on the floor|Wait until you see small bubbles on top|turned one over in the air and caught it
fly a paper plane|flying paper planes|watched it fall straight down|saw it turn and hit the wall|Fold it slowly and make the wings the same|watched it sail across the whole room
read|reading|mixed up all the letters|got stuck on the first long word|Read one small part and then the next|read a whole page out loud
climb a rope|climbing a rope|slid down at once|got only as high as a chair|Hold the rope between your feet and rest|touched the top and laughed
catch a ball|catching a ball|closed both eyes and missed it|ran the wrong way|Keep your eyes on the ball and open your hands|caught it three times in a row
play a tune|playing tunes|made a noise like an angry goose|ran out of breath|Blow gently, as if you cool your soup|played a little tune from start to end
dance|dancing|stepped on somebody's foot|turned left when everybody turned right|Count to four and do not look at your feet|danced through the whole song
build a tower|building towers|saw it fall down with a crash|used up all the blocks too soon|Put the big ones at the bottom|built a tower as tall as a chair
row a boat|rowing|went around and around in circles|splashed water on everybody|Pull with both arms at the same time|rowed to the other side
count to one hundred|counting|forgot what comes after twenty-nine|said the same number twice|Count ten and then ten more|counted up to one hundred without a mistake
swing high|swinging|kicked at the wrong time|hardly moved at all|Lean back when you go up and fold your legs when you come down|flew so high that {a.his} toes touched the leaves
sing a song|singing|forgot the second line|sang much too loud|Hum it first and then add the words|sang the whole song in a clear voice
sew a button|sewing|lost the thread three times|sewed the button on upside down|Use a long thread and take your time|sewed on a button that did not come off
""")


@plot(
    objects=wd.GROUPS["treasure"],
    places=[
        "park", "playground", "field", "meadow", "beach", "hill", "lake", "school", "farm",
        "village square",
    ],
)
def skill(w: World) -> None:
    a = w.hero
    what, doing, fail, fail2, tip, success = w.pick(SKILLS)
    fails = w.sample((fail, fail2), 2)
    slots = {"skill": what, "doing": doing, "tip": tip, "success": w.fill(success)}
    w.friend() if w.chance(0.5) else w.parent()
    w.tell("skill.want", **slots)
    w.early()
    if w.chance(0.5):
        walk_there(w, w.p, w.slots["b"])
    w.paragraph()
    w.tell("skill.first", fail=fails[0], **slots)
    if w.chance(0.65):
        w.tell("skill.second", fail=fails[1], **slots)
    w.tell("skill.giveup", **slots)
    w.tell("skill.tip", **slots)
    w.middle()
    w.paragraph()
    w.maybe(0.7, "skill.practice", **slots)
    w.tell("skill.success", **slots)
    w.maybe(0.7, "skill.praise", **slots)
    w.feel(a, "proud", 0.6)
    if w.chance(0.35):
        w.o.holder = w.slots["b"]
        w.give(w.slots["b"], a, w.o)
        w.tell("skill.prize", **slots)
    w.end("practice")


@plot(
    objects=[
        "drum", "flute", "bell", "trumpet", "guitar", "tambourine", "violin", "crown", "mask",
        "cape", "puppet", "hat", "dress", "bubble wand", "hoop", "ribbon",
    ],
    places=["school", "village square", "circus", "park", "fair", "barn", "meadow", "forest"],
)
def stage(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    w.own(a, o)
    act = w.pick(
        (
            "sing a song", "say a poem", "dance", "play a tree in a play",
            "play the king of the mice", "show a trick", "tell a story",
        )
    )
    w.tell("stage.coming", act=act)
    w.tell("stage.practice", act=act)
    w.early()
    w.go(p)
    w.tell("stage.crowd", act=act)
    w.tell("stage.afraid", act=act)
    w.friend() if w.chance(0.6) else w.parent()
    w.paragraph()
    w.tell("stage.help", act=act)
    w.use(a, o)
    w.tell("stage.go", act=act)
    w.maybe(0.4, "stage.slip", act=act)
    w.tell("stage.clap", act=act)
    w.feel(a, w.pick(("proud", "happy")), 0.6)
    w.end("courage")


@plot(
    objects=["medal", "crown", "cake", "ribbon", "ball", "basket", "pie", "kite", "bell"],
    places=[
        "park", "field", "meadow", "hill", "beach", "village square", "forest", "lake", "farm",
        "soccer field",
    ],
)
def race(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    b = w.friend()
    w.tell("race.news", prize=o.a)
    w.tell("race.train")
    w.early()
    w.go(p)
    w.tell("race.start")
    w.tell("race.run")
    w.tell(
        "race.fall",
        how=w.pick(
            (
                "stepped on a stone", "tripped over a root", "slipped in the mud",
                "stepped into a hole",
            )
        ),
    )
    w.tell("race.choice")
    w.paragraph()
    w.tell("race.help")
    w.find(a, o)
    w.tell(w.pick(("race.prize", "race.share")))
    w.feel(a, "proud", 0.5)
    w.talk(b, "hug")
    w.end(w.pick(("friendship", "kindness")))


@plot(objects=SMALL_THINGS, casts="child", places=["school", "park", "garden", "kitchen", "farm"])
def tooth(w: World) -> None:
    a, o = w.hero, w.o
    w.parent()
    w.tell("tooth.loose")
    w.feel(a, "worried", 0.5)
    w.tell("tooth.others")
    w.early()
    w.go(w.p)
    w.tell(
        "tooth.out",
        food=w.pick(("an apple", "a carrot", "a piece of bread", "a corn cob", "a pear")),
    )
    w.tell("tooth.look")
    w.middle()
    w.go(HOME)
    w.find(a, o)
    w.tell("tooth.night")
    w.tell("tooth.morning")
    w.feel(a, w.pick(("proud", "happy")), 0.5)
    w.end("growing")


@plot(
    objects=[
        "blanket", "pillow", "teddy bear", "toy rabbit", "music box", "storybook", "toy elephant",
        "toy lion", "lamp",
    ],
    places=["bedroom", "tree house", "barn", "porch"],
)
def sleepless(w: World) -> None:
    a, o = w.hero, w.o
    w.own(a, o)
    w.go(w.p, kind="sleep.bed")
    why = w.pick(
        (
            "the moon was so bright", "the wind was so loud", "the next day was so special",
            "{a.his} head was full of thoughts", "the clock ticked so loudly",
            "{a.he} had slept too long in the afternoon",
        )
    )
    w.tell("sleep.cannot", why=w.fill(why))
    for way in w.sample(
        ("sleep.count", "sleep.turn", "sleep.drink", "sleep.look"), w.pick((1, 2, 2))
    ):
        w.tell(way)
    w.parent()
    w.paragraph()
    w.tell("sleep.call")
    w.middle()
    w.tell(w.pick(("sleep.song", "sleep.story", "sleep.breath")))
    w.use(a, o)
    w.tell("sleep.hold")
    w.tell("sleep.asleep")
    w.late()
    w.maybe(0.6, "sleep.end")


@plot(
    objects=SMALL_THINGS,
    casts="child",
    places=["kitchen", "garden", "pond", "meadow", "lake", "stream", "park", "farm"],
)
def warning(w: World) -> None:
    a = w.hero
    b = w.parent()
    kind = {"kitchen": "pot", "garden": "bees", "meadow": "bees"}.get(w.p.name) or w.pick(
        ("stones", "puddle")
    )
    w.early()
    w.go(w.p, b)
    w.tell(f"warn.{kind}.say")
    w.tell("warn.but")
    w.tell(f"warn.{kind}.do")
    w.tell("warn.ouch")
    w.feel(a, "sorry", 0.5)
    w.paragraph()
    w.tell("warn.care")
    w.tell("warn.talk")
    w.middle()
    w.talk(b, "hug")
    w.end("listen")


@plot(
    objects=["cake", "pie", "loaf of bread", "tart", "pudding"],
    places=["kitchen"],
    casts="child",
)
def lie(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    b = w.parent()
    w.own(b, o)
    w.tell("lie.baked", when=w.pick(("dinner", "the party", "the guests", "Sunday")))
    w.early()
    w.go(p)
    w.tell("lie.smell")
    o.holder = None
    w.tell("lie.eat")
    pet = w.pick(("dog", "cat"))
    w.tell("lie.asked", pet=pet)
    w.tell("lie.blame", pet=pet)
    w.feel(a, "sorry")
    w.paragraph()
    w.tell("lie.truth", pet=pet)
    w.tell("lie.forgive", pet=pet)
    w.maybe(0.7, "lie.again", pet=pet)
    w.talk(b, "hug")
    w.end("honesty")


# -- plots about helping


@plot(objects=SMALL_THINGS, places=[p for p in WALKABLE if p in wd.WILD])
def baby_animal(w: World) -> None:
    a, p = w.hero, w.p
    row = w.pick(
        [
            r
            for r in wd.ANIMALS
            if r[0]
            in (
                "duck", "hen", "dog", "cat", "fox", "bear", "rabbit", "deer", "owl", "sheep",
                "goose", "robin", "hedgehog", "swan", "goat", "otter", "beaver", "eagle",
            )
            and r[0] not in w.used_kinds
        ]
    )
    w.used_kinds.add(row[0])
    young = {
        "hen": "chick",
        "rabbit": "baby rabbit",
        "fox": "baby fox",
        "bear": "bear cub",
        "deer": "fawn",
        "owl": "owlet",
        "robin": "baby robin",
        "hedgehog": "baby hedgehog",
        "swan": "baby swan",
        "otter": "baby otter",
        "beaver": "baby beaver",
        "eagle": "baby eagle",
        "goose": "baby goose",
    }.get(row[0], row[5])
    b = w.add(
        "b",
        Person(
            f"the {young}",
            young,
            w.pick("fm"),
            wd.an(w.pick(("tiny ", "little ", "small ")) + young),
        ),
    )
    w.early()
    walk_there(w, p)
    w.tell("young.hear", spot=w.pick(p.spots))
    w.tell("young.alone", mother=row[0])
    w.tell("young.comfort")
    w.maybe(
        0.5,
        "young.feed",
        food=w.pick(("some water", "a few crumbs", "a bit of bread", "some warm milk")),
    )
    w.middle()
    w.paragraph()
    if w.chance(0.6):
        w.friend("c") if w.chance(0.5) else w.neighbor("c")
        w.tell("young.ask", mother=row[0])
    q = w.place([n for n in WALKABLE if n in wd.WILD])
    w.go(q, b, kind="young.carry")
    w.tell("young.mother", mother=row[0], r=q)
    w.tell("young.thanks", mother=row[0])
    w.feel(a, "happy", 0.5)
    w.end(w.pick(("kindness", "family")))


@plot(
    objects=SMALL_THINGS,
    places=[p for p in OUTDOORS if p not in ("island", "desert", "cave")],
    casts="child",
)
def pet(w: World) -> None:
    a, p = w.hero, w.p
    kind = w.pick(
        ("dog", "cat", "rabbit", "puppy", "kitten", "turtle", "hamster", "duck", "parrot")
    )
    gender = w.pick("fm")
    name = w.pick(wd.FEMALE_ANIMAL_NAMES if gender == "f" else wd.MALE_ANIMAL_NAMES)
    w.used_names.add(name)
    color = w.pick(("white", "black", "brown", "gray", "yellow"))
    kind_of = wd.an(
        kind
        if kind == "parrot"
        else f"{w.pick(('little', 'small', 'fat', 'funny'))} {color} {kind}"
    )
    b = w.add("b", Person(name, kind, gender, f"{kind_of} named {name}", relation="pet"))
    w.tell("pet.have")
    w.early()
    w.paragraph()
    w.tell("pet.gone")
    w.feel(a, "worried")
    for room in w.sample(("bed", "couch", "shed", "stairs", "table"), 2):
        w.tell("pet.look", spot=w.pick(("under the ", "behind the ")) + room)
    if w.chance(0.6):
        w.parent("c") if w.chance(0.6) else w.neighbor("c")
        w.tell("pet.ask")
    w.middle()
    w.go(p)
    w.tell("pet.search")
    b.place = p
    w.tell(
        "pet.found",
        spot=w.pick(p.spots),
        doing=w.pick(
            (
                "fast asleep", "chewing on an old shoe", "playing with a leaf",
                "sitting very still", "shaking with cold",
            )
        ),
    )
    w.feel(a, "happy", 0.6)
    w.go(HOME, b, kind="pet.home")
    w.tell("pet.after")
    w.end("care")


@plot(
    objects=["basket", "bucket", "box", "backpack", "wheelbarrow", "sack", "wagon"], places=wd.TOWN
)
def heavy(w: World) -> None:
    a, o = w.hero, w.o
    fun = w.pick(
        (
            "play with friends", "see the clowns", "fly a kite", "watch the boats", "buy ice cream",
            "play soccer",
        )
    )
    w.tell("heavy.plan", fun=fun)
    w.early()
    b = w.neighbor()
    w.own(b, o)
    w.paragraph()
    w.tell(
        "heavy.see", load=w.pick(("apples", "wood", "potatoes", "jars", "books", "stones", "flour"))
    )
    w.tell("heavy.think", fun=fun)
    w.tell("heavy.offer")
    w.give(b, a, o)
    w.tell("heavy.carry")
    w.go(w.p, b, kind="heavy.walk")
    w.give(a, b, o)
    w.tell("heavy.arrive")
    w.middle()
    w.tell(
        w.pick(("heavy.story", "heavy.reward", "heavy.song")),
        food=w.pick(
            ("a warm bun", "a sweet plum", "a cup of cocoa", "a slice of cake", "a red apple")
        ),
    )
    w.feel(a, "happy", 0.5)
    w.end(w.pick(("help", "kindness")))


@plot(
    objects=[
        "book", "storybook", "card", "drawing", "puzzle", "puppet", "flower", "teddy bear",
        "blanket", "music box", "balloon", "orange", "toy duck",
    ],
    places=["bedroom", "living room", "garden", "porch"],
)
def sick(w: World) -> None:
    a, o = w.hero, w.o
    b = w.friend()
    w.own(a, o)
    w.tell("sick.wait")
    ill = w.pick(("a bad cold", "a fever", "a sore throat", "a stomach ache", "a broken leg"))
    w.parent("c")
    w.tell("sick.news", ill=ill)
    w.feel(a, w.pick(("worried", "sad")), 0.6)
    w.tell("sick.idea", ill=ill)
    w.early()
    w.go(
        Place(
            wd.PlaceKind(
                "house", f"at {b.name}'s house", f"to {b.name}'s house", (), (), "", "town"
            )
        )
    )
    w.tell("sick.see", ill=ill)
    w.give(a, b, o)
    w.tell("sick.give")
    w.maybe(0.7, "sick.cheer")
    w.middle()
    w.paragraph()
    w.tell("sick.well", ill=ill)
    w.end(w.pick(("friendship", "kindness")))


@plot(
    objects=["watering can", "bucket", "key", "brush", "basket"],
    places=[
        "park", "beach", "playground", "river", "meadow", "fair", "lake", "forest", "soccer field",
    ],
)
def promise(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    b = w.neighbor()
    duty = w.pick(
        (
            "water the flowers", "feed the fish", "feed the hens", "water the little tree",
            "feed the cat", "close the gate of the garden", "feed the rabbit",
        )
    )
    o.holder = b
    w.give(b, a, o)
    w.tell("promise.made", duty=duty)
    w.early()
    c = w.friend("c")
    w.tell("promise.invite", duty=duty)
    w.go(p, c)
    w.tell("joy", joy=w.pick(p.joys), r=p)
    w.tell("promise.forget", duty=duty)
    w.paragraph()
    w.tell("promise.remember", duty=duty)
    w.feel(a, "worried", 0.5)
    w.tell("promise.choose", duty=duty)
    w.go(HOME)
    w.use(a, o)
    w.tell("promise.keep", duty=duty)
    w.middle()
    w.tell("promise.return", duty=duty)
    w.end("promise")


@plot(
    objects=["rope", "wagon", "wheelbarrow", "ladder", "shovel", "pumpkin", "bucket"],
    places=["farm", "field", "forest", "river", "hill", "meadow", "orchard", "beach"],
)
def together(w: World) -> None:
    a, p = w.hero, w.p
    w.early()
    w.go(p)
    load = w.pick(
        (
            "a cart stuck in the mud", "a big log across the path",
            "a huge pumpkin that nobody could lift", "a heavy stone in front of the gate",
            "a boat stuck in the sand", "a fallen tree on the fence",
        )
    )
    load_the = (
        "the "
        + load.split(" ", 3)[
            1 if " stuck" in load or load.startswith(("a cart", "a boat")) else 2
        ].split(" ")[0]
    )
    w.neighbor("c")
    w.tell("together.see", load=load, the_load=load_the)
    w.tell("together.alone", the_load=load_the)
    w.friend()
    w.tell("together.second", the_load=load_the)
    w.tell("together.fail", the_load=load_the)
    w.middle()
    w.paragraph()
    if w.chance(0.6):
        w.find(a, w.o)
        w.tell("together.tool", the_load=load_the)
    w.friend("d")
    w.tell("together.third", the_load=load_the)
    w.tell("together.done", the_load=load_the)
    w.tell("together.thanks", the_load=load_the)
    w.end("teamwork")


@plot(objects=SMALL_THINGS, places=[p for p in wd.WILD if p not in ("desert", "jungle", "island")])
def stranger(w: World) -> None:
    a, p = w.hero, w.p
    kind = w.pick(
        [
            k
            for k in ("bear", "wolf", "dog", "owl", "goose", "fox", "moose", "horse", "badger")
            if k not in w.used_kinds
        ]
    )
    w.used_kinds.add(kind)
    gender = w.pick("fm")
    name = w.pick(
        [
            n
            for n in (wd.FEMALE_ANIMAL_NAMES if gender == "f" else wd.MALE_ANIMAL_NAMES)
            if n not in w.used_names
        ]
    )
    w.used_names.add(name)
    w.own(w.hero, w.o)
    w.let(a_kind=wd.an(kind))
    w.friend("c")
    w.tell("stranger.tales", kind=kind)
    w.maybe(0.6, "stranger.friend", kind=kind)
    w.early()
    w.go(p)
    w.tell(
        "stranger.trouble",
        trouble=w.pick(
            (
                "got {a.his} foot stuck between two roots", "slipped into a deep hole",
                "got lost in the fog", "fell into a bush full of thorns",
            )
        ).replace("{a.his}", a.his),
    )
    b = w.add(
        "b",
        Person(
            f"the {kind}", kind, gender, wd.an(w.pick(("huge ", "big ", "tall ", "dark ")) + kind)
        ),
    )
    w.paragraph()
    w.tell("stranger.comes", kind=kind)
    w.feel(a, "scared", 0.7)
    w.tell("stranger.kind", kind=kind)
    w.tell("stranger.help", kind=kind)
    b = w.slots["b"] = Person(name, kind, gender, f"the {kind}, whose name was {name}")
    w.people.append(b)
    w.tell("stranger.name", kind=kind)
    w.middle()
    w.give(a, b, w.o)
    w.tell("stranger.gift", kind=kind)
    w.tell("stranger.tell")
    w.end("judge")


@plot(
    objects=["basket", "bowl", "jar", "box", "bucket"],
    places=["forest", "meadow", "field", "orchard", "hill", "river"],
    casts="animal",
)
def greedy(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    w.own(a, o)
    food = w.pick(FOODS)
    w.go(p, kind="greedy.gather")
    w.tell("greedy.full", food=food)
    w.friend()
    w.early()
    w.tell("greedy.ask", food=food)
    w.tell("greedy.no", food=food)
    w.paragraph()
    o.holder, o.lost = None, False
    w.tell(
        "greedy.loss",
        food=food,
        cause=w.pick(
            (
                "a strong wind came", "a flood of rain water came", "a branch broke",
                "the bottom of the {o} broke", "the {o} rolled down the slope",
            )
        ).replace("{o}", o.name),
    )
    w.feel(a, w.pick(("sad", "hungry")), 0.6)
    w.middle()
    w.tell("greedy.offer", food=food)
    w.tell("greedy.sorry", food=food)
    w.end("sharing")


@plot(objects=["spoon", "pot", "bowl", "pan", "apron"], places=["kitchen"])
def cooking(w: World) -> None:
    a, o = w.hero, w.o
    dish, parts = w.pick(
        (
            ("carrot soup", "carrots;potatoes;salt"),
            ("an apple pie", "apples;flour;butter"),
            ("pancakes", "flour;eggs;milk"),
            ("a berry cake", "berries;flour;sugar"),
            ("a fruit salad", "pears;cherries;grapes"),
            ("oat cookies", "oats;honey;butter"),
            ("a big pizza", "flour;tomatoes;cheese"),
            ("potato soup", "potatoes;onions;cream"),
            ("bread rolls", "flour;salt;butter"),
            ("noodle soup", "noodles;peas;carrots"),
            ("a cheese omelet", "eggs;cheese;butter"),
            ("a plum cake", "plums;sugar;eggs"),
            ("bean stew", "beans;onions;carrots"),
            ("rice pudding", "rice;milk;sugar"),
        )
    )
    parts = w.sample(parts.split(";"), 3)
    it = "them" if dish in ("pancakes", "oat cookies", "bread rolls") else "it"
    slots = {
        "dish": dish,
        "dish_the": "the " + dish.removeprefix("a ").removeprefix("an "),
        "x": parts[0],
        "y": parts[1],
        "z": parts[2],
        "it": it,
        "was": "were" if it == "them" else "was",
        "needs": "need" if it == "them" else "needs",
    }
    w.friend("c") if w.chance(0.5) else w.parent("c", old=0.6)
    w.tell("cook.plan", **slots)
    w.early()
    w.go(w.p)
    w.take(a, o)
    w.tell("cook.start", **slots)
    w.tell("cook.missing", **slots)
    b = w.neighbor()
    w.paragraph()
    w.tell("cook.borrow", **slots)
    w.talk(b, "cook.lend", **slots)
    w.paragraph()
    w.use(a, o)
    w.tell("cook.cook", **slots)
    w.maybe(0.4, "cook.oops", **slots)
    w.middle()
    w.tell("cook.eat", **slots)
    w.tell("cook.guest", **slots)
    w.end(w.pick(("sharing", "help")))


# what is planted, what comes up, what it becomes, what is done with it
SEEDS = wd.rows("""
a sunflower seed|a thin green stem|a sunflower as tall as a door|counted its yellow petals
a bean|two small green leaves|a long vine full of beans|cooked a pot of bean soup
a pumpkin seed|a curly green vine|a round orange pumpkin|baked a sweet pumpkin pie
an apple seed|a tiny brown twig|a young tree with pink blossoms|sat in its small shade
a carrot seed|a soft green tuft|a long orange carrot|made a crunchy salad
a tulip bulb|a pointed green tip|a bright red tulip|put up a little sign that said "Please look"
a strawberry plant|three new leaves|a bowl of red strawberries|ate them with cream
a pea|a thin curly stem|a row of fat green pods|opened the pods and counted the peas
an acorn|one tiny leaf|a little oak tree|tied a blue ribbon around it
a tomato seed|a fuzzy green stem|a bunch of red tomatoes|made a big plate of salad
""")


@plot(
    objects=["watering can", "shovel", "bucket", "rake", "cup"],
    places=["garden", "backyard", "field", "greenhouse", "meadow"],
)
def planting(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    w.neighbor() if w.chance(0.5) else w.parent(old=0.6)
    seed, sprout, plant, use = w.pick(SEEDS)
    slots = {
        "seed": seed,
        "sprout": sprout,
        "plant": plant,
        "use": use,
        "seed_the": "the " + seed.split(" ", 1)[1],
    }
    w.own(a, o)
    w.tell("plant.get", **slots)
    w.early()
    w.go(p)
    w.tell("plant.put", **slots)
    w.tell("plant.wait", **slots)
    w.feel(a, w.pick(("sad", "worried", "bored")), 0.4)
    if w.chance(0.45):
        w.tell("plant.dig", **slots)
    w.tell("plant.advice", **slots)
    w.middle()
    w.paragraph()
    w.use(a, o)
    w.tell("plant.care", **slots)
    w.tell("plant.sprout", **slots)
    w.tell("plant.grown", **slots)
    w.tell("plant.use", **slots)
    w.end("patience")


# -- plots about days and ways


@plot(
    objects=["blanket", "basket", "kite", "ball", "umbrella", "bottle", "frisbee"],
    places=["park", "meadow", "lake", "beach", "hill", "river", "pond", "forest"],
)
def picnic(w: World) -> None:
    a, o = w.hero, w.o
    b = w.friend() if w.chance(0.5) else w.parent()
    food, food2 = w.sample(
        (
            "sandwiches", "apples", "cheese", "cherries", "small cakes", "plums", "carrots",
            "boiled eggs",
        ),
        2,
    )
    slots = {"food": food, "food2": food2}
    w.own(a, o)
    w.tell("picnic.plan", **slots)
    w.tell("picnic.pack", **slots)
    w.early()
    if w.chance(0.5):
        w.go(w.p, b)
        w.tell("picnic.clouds", **slots)
        w.go(HOME, b, kind="picnic.run")
    else:
        w.tell("picnic.rain", **slots)
    w.feel(a, w.pick(("sad", "disappointed")), 0.7)
    w.paragraph()
    w.tell("picnic.idea", **slots)
    w.tell("picnic.inside", **slots)
    w.middle()
    w.tell("picnic.game", **slots)
    w.maybe(0.5, "picnic.rainbow", **slots)
    w.end("rain")


@plot(
    objects=[n for n in SMALL_THINGS if n not in ("nest",)],
    places=[p for p in wd.WILD if p not in ("park", "rose garden", "pond", "beach")],
)
def lost_way(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    w.own(a, o)
    w.parent()
    w.tell("way.rule")
    w.go(p)
    w.tell(
        "way.follow",
        lure=w.pick(
            (
                "a blue butterfly", "a small rabbit", "the sound of a bird",
                "a trail of red berries", "a jumping frog", "a yellow leaf in the wind",
                "a white feather in the wind",
            )
        ),
    )
    w.tell("way.lost")
    w.feel(a, "scared", 0.8)
    w.early()
    w.paragraph()
    c = w.neighbor("c") if w.kind == "animal" else None
    if c is None:
        kind = w.pick(("owl", "deer", "squirrel", "hedgehog", "robin", "turtle", "mole", "toad"))
        w.add(
            "c",
            Person(
                f"the {kind}",
                kind,
                w.pick("fm"),
                wd.an(w.pick(("old ", "small ", "gray ", "friendly ")) + kind),
            ),
        )
    w.tell("way.ask")
    w.tell(
        "way.advice",
        sign=w.pick(
            (
                "Follow the stream, for it runs past your house", "Walk toward the evening star",
                "Look for the tall tree with two tops and turn left there",
                "Listen for the bell of the village and walk toward it",
                "Follow the smell of fresh bread", "Go down the hill and along the stone wall",
            )
        ),
    )
    w.use(a, o)
    w.maybe(0.7, "way.thank")
    w.middle()
    w.go(HOME, kind="way.home")
    w.tell("way.hug")
    w.end("listen")


@plot(
    objects=["shovel", "bucket", "ribbon", "hat", "scarf", "box", "rope"],
    places=["beach", "garden", "backyard", "forest", "playroom", "field", "hill", "park"],
)
def build(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    b = w.friend(relation=w.pick(("friend", "sibling", "friend")))
    what, cause, trick = w.pick(
        {
            "beach": (
                ("sandcastle", "a big wave", "farther away from the water"),
                ("tower of sand", "a big wave", "with wet sand and small stones"),
            ),
            "garden": (
                ("little hut", "a strong wind", "with thick sticks"),
                ("house for birds", "a strong wind", "with more nails"),
            ),
            "backyard": (
                ("fort of boxes", "a gust of wind", "with a rope around it"),
                ("snowman", "a running dog", "with a bigger ball at the bottom"),
            ),
            "forest": (
                ("hut of branches", "a strong wind", "between two strong trees"),
                ("small bridge of sticks", "the water", "with longer sticks"),
            ),
            "playroom": (
                ("tower of blocks", "the cat", "with the big blocks at the bottom"),
                ("castle of pillows", "the dog", "in the corner by the wall"),
            ),
            "field": (
                ("scarecrow", "a storm", "with a thick pole"),
                ("snowman", "a warm wind", "in the shade of a tree"),
            ),
            "hill": (
                ("snow house", "a warm wind", "with harder snow"),
                ("tower of stones", "a goat", "with flat stones"),
            ),
            "park": (
                ("fort of leaves", "a gust of wind", "behind the thick bushes"),
                ("snowman", "a running dog", "with a bigger ball at the bottom"),
            ),
        }[p.name]
    )
    slots = {"what": what, "cause": cause, "trick": trick}
    w.own(a, o)
    w.tell("build.plan", **slots)
    w.early()
    w.go(p, b)
    w.tell("build.work", **slots)
    w.tell("build.top", **slots)
    w.tell("build.fall", **slots)
    w.feel(w.pick((a, b)), w.pick(("sad", "angry", "disappointed")), 0.8)
    w.paragraph()
    w.tell("build.idea", **slots)
    w.middle()
    w.use(a, o)
    w.tell("build.again", **slots)
    w.tell("build.done", **slots)
    w.end(w.pick(("teamwork", "practice")))


@plot(
    objects=[
        "lamp", "stone", "coin", "shell", "ring", "bell", "key", "feather", "crystal", "whistle",
    ],
    places=[
        "forest", "beach", "river", "lake", "meadow", "cave", "pond", "stream", "island", "hill",
    ],
)
def wish(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    b_kind = w.pick(("fairy", "fish", "frog", "mermaid", "wizard", "elf"))
    gender = "f" if b_kind in ("fairy", "mermaid") else "m" if b_kind == "wizard" else w.pick("fm")
    w.early()
    walk_there(w, p)
    w.find(a, o)
    w.tell("wish.find", spot=w.pick(p.spots))
    w.add(
        "b",
        Person(
            f"the {b_kind}",
            b_kind,
            gender,
            wd.an(w.pick(("tiny ", "strange ", "shiny ", "golden ", "small ")) + b_kind),
        ),
    )
    w.paragraph()
    w.tell("wish.appear")
    thing, bad, good = w.pick(
        (
            (
                "that everything I touch tastes sweet",
                "the bread tasted like candy, the soup tasted like candy, and even the water did",
                "a plain piece of bread",
            ),
            (
                "to be as tall as a tree",
                "{a.he} did not fit through the door, and {a.his} bed was as small as a shoe",
                "the right size",
            ),
            (
                "to fly like a bird",
                "the wind blew {a.him} around, and {a.he} could not sit at the table",
                "two feet on the ground",
            ),
            (
                "that it is never bedtime", "{a.he} was tired, and the moon did not come up",
                "a soft pillow",
            ),
            (
                "for a house full of toys", "there was no room to walk, to sit or to sleep",
                "one good toy",
            ),
            (
                "that it rains lemonade", "everything was sticky, and the bees were everywhere",
                "plain clean rain",
            ),
            (
                "to be invisible", "nobody said hello, and nobody wanted to play",
                "a friend who looks at {a.him}",
            ),
            (
                "that all animals can talk",
                "the hens talked all day, and the crickets talked all night",
                "a bit of quiet",
            ),
        )
    )
    slots = {"thing": thing, "bad": w.fill(bad), "good": w.fill(good)}
    w.tell("wish.make", **slots)
    w.tell("wish.first", **slots)
    w.tell("wish.bad", **slots)
    w.middle()
    w.paragraph()
    w.tell("wish.undo", **slots)
    w.give(a, w.slots["b"], o)
    w.tell("wish.after", **slots)
    w.end("content")


# noise, what it was
NOISES = wd.rows("""
tap, tap, tap|a branch that tapped on the window
scratch, scratch|a kitten that wanted to come in
whooo, whooo|an owl on the roof
drip, drip, drip|a pipe that was not quite closed
thump, thump|a rabbit under the steps
squeak, squeak|a mouse with a piece of cheese
crunch, crunch|a hedgehog with an apple
rattle, rattle|a loose shutter in the wind
knock, knock|a woodpecker with a bad sense of time
jingle, jingle|a goat with a bell around its neck
""")


@plot(
    objects=["flashlight", "lantern", "candle", "lamp", "blanket", "broom"],
    places=["attic", "cellar", "garden", "hallway", "backyard", "shed", "barn", "porch", "kitchen"],
)
def noise(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    sound, source = w.pick(NOISES)
    b = w.friend(relation="sibling") if w.chance(0.6) else w.parent()
    w.let(sound=sound, source=source)
    w.tell("noise.night")
    w.feel(a, "scared", 0.5)
    w.tell("noise.wake")
    w.tell("noise.guess", guess=w.pick(("a ghost", "a monster", "a thief", "a dragon", "a giant")))
    w.early()
    w.take(a, o)
    w.tell("noise.take")
    w.go(p, b, kind="noise.go")
    w.use(a, o)
    w.tell("noise.see", spot=w.pick(p.spots))
    w.tell("noise.laugh")
    w.middle()
    w.go(HOME, b, kind="noise.bed")
    w.end("courage")


@plot(
    objects=SMALL_THINGS,
    places=[
        "beach", "mountain", "lake", "farm", "island", "harbor", "castle", "lighthouse", "valley",
    ],
)
def trip(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    w.own(a, o)
    b = w.parent(old=0.0)
    by = (
        w.pick(("train", "bus", "boat", "car"))
        if w.kind == "child"
        else w.pick(("boat", "cart", "raft"))
    )
    w.tell("trip.plan", by=by)
    w.tell("trip.pack", by=by)
    w.early()
    w.tell(
        "trip.ride",
        by=by,
        see=w.pick(
            (
                "cows in a green field", "a red barn", "a long bridge", "a white church on a hill",
                "three horses", "a field of sunflowers", "an old windmill", "two swans on a lake",
            )
        ),
    )
    w.go(p, b, kind="trip.there")
    w.maybe(0.7, "arrive", r=p)
    w.tell("joy", r=p, joy=w.pick(p.joys))
    w.use(a, o)
    w.tell("trip.use", by=by)
    w.middle()
    w.paragraph()
    if w.chance(0.5):
        c = w.friend("c", "stranger")
        w.tell("trip.friend", by=by)
        w.give(a, c, o)
        w.tell("trip.gift", by=by)
    else:
        w.tell("trip.evening", by=by)
    w.go(HOME, b)
    w.end("adventure")


@plot(
    objects=["sled", "hat", "scarf", "shovel", "bucket", "coat", "sweater"],
    places=["hill", "park", "backyard", "field", "forest", "garden", "lake"],
)
def snow(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    w.own(a, o)
    b = w.friend(relation=w.pick(("friend", "sibling")))
    w.tell("snow.wake")
    w.tell("snow.ready")
    w.early()
    w.go(p, b)
    w.tell("snow.fun")
    w.tell(w.pick(("snow.angel", "snow.man", "snow.tracks")))
    w.middle()
    w.paragraph()
    w.tell("snow.cold")
    w.use(a, o)
    w.tell("snow.share" if wd.THINGS[o.name].group == "wear" else "snow.pull")
    w.go(HOME, b)
    w.tell("snow.cocoa", food=w.pick(("hot cocoa", "warm milk", "hot soup", "warm apple juice")))
    w.end(w.pick(("friendship", "kindness")))


@plot(
    objects=["letter", "card", "drawing", "painting"],
    places=["post office", "train station", "village square", "harbor", "school"],
)
def letter(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    b = w.friend()
    far = w.pick(("the sea", "the mountains", "a big city", "an island", "a farm far away"))
    w.tell("letter.gone", far=far)
    w.feel(a, "lonely", 0.7)
    w.parent("c")
    w.tell("letter.idea", far=far)
    w.find(a, o)
    w.tell("letter.write", far=far)
    w.early()
    w.go(p)
    w.give(a, b, o)
    w.tell("letter.send", far=far)
    w.go(HOME)
    w.tell("letter.wait", far=far)
    w.middle()
    w.paragraph()
    q = w.thing(
        w.pick(("shell", "feather", "stone", "leaf", "bracelet", "ribbon", "button", "crystal"))
    )
    w.find(a, q)
    w.tell("letter.reply", q=q, far=far)
    w.feel(a, "happy", 0.6)
    w.end("friendship")


@plot(
    objects=["basket", "bowl", "plate", "lunch box", "jar", "box"],
    places=["kitchen", "garden", "cellar", "porch", "shed", "barn"],
)
def thief(w: World) -> None:
    a, o, p = w.hero, w.o, w.p
    w.own(a, o)
    food = w.pick(FOODS)
    w.friend(relation=w.pick(("friend", "sibling")))
    w.go(p)
    w.tell("thief.keep", food=food)
    w.tell("thief.gone", food=food)
    w.tell("thief.who", food=food)
    w.early()
    w.paragraph()
    w.tell("thief.watch", food=food, spot=w.pick(p.spots))
    kind = w.pick(
        [
            k
            for k in (
                "mouse", "squirrel", "hedgehog", "raccoon", "mole", "rabbit", "hamster", "sparrow",
            )
            if k not in w.used_kinds
        ]
    )
    w.add(
        "c",
        Person(
            f"the {kind}", kind, "f", wd.an(w.pick(("tiny ", "thin ", "small ", "gray ")) + kind)
        ),
    )
    w.tell("thief.see", food=food)
    w.tell("thief.why", food=food)
    w.middle()
    w.use(a, o)
    w.tell("thief.share", food=food)
    w.tell("thief.thanks", food=food)
    w.end(w.pick(("kindness", "sharing")))


# -- sub-plots


def at_home(w: World) -> Person:
    """Somebody of the family who stays there, so if possible none of those who are in the story already."""
    for _ in range(5):
        person = w.parent("e")
        if person is w.people[-1]:
            break
    return person


def snack(w: World) -> None:
    """Food for the way; at the end one is left."""
    food = w.pick(FOODS)
    n = w.pick(("three", "four", "five", "six"))
    giver = at_home(w)
    w.tell("sub.snack", food=food, n=n, e=giver)
    one = {
        "cookies": "cookie",
        "apples": "apple",
        "plums": "plum",
        "nuts": "nut",
        "berries": "berry",
        "pears": "pear",
        "carrots": "carrot",
        "muffins": "muffin",
        "cherries": "cherry",
        "buns": "bun",
    }[food]
    w.payoffs.append(lambda w: w.tell("sub.snack.end", food=food, one=one, e=giver))


def before_dark(w: World) -> None:
    parent = at_home(w)
    w.tell("sub.dark", e=parent)
    w.payoffs.append(lambda w: w.tell("sub.dark.end", e=parent))


def little_song(w: World) -> None:
    about = w.pick(
        (
            "the moon", "a fat frog", "the sea", "seven sleepy sheep", "the rain", "a dancing bear",
            "the wind",
        )
    )
    w.tell("sub.song", about=about)
    w.payoffs.append(lambda w: w.tell("sub.song.end", about=about))


def wet_day(w: World) -> None:
    w.tell("sub.puddle")


def sight(w: World) -> None:
    w.tell(
        "sub.sight",
        see=w.pick(
            (
                "a snail on a leaf", "a line of ants", "a cloud like a sheep",
                "two birds in a nest", "a frog on a stone", "a shiny beetle",
                "a spider web full of drops", "a red ladybug", "a cloud like a ship",
                "a butterfly with yellow wings", "a lizard in the sun",
            )
        ),
    )


def small_hurt(w: World) -> None:
    w.tell("sub.hurt", where=w.pick(("knee", "toe", "elbow", "thumb")))


def follower(w: World) -> None:
    kind = w.pick(
        [
            k
            for k in ("duck", "puppy", "kitten", "hen", "goat", "snail", "frog")
            if k not in w.used_kinds
        ]
    )
    w.used_kinds.add(kind)
    w.tell("sub.follow", kind=kind)
    w.payoffs.append(lambda w: w.tell("sub.follow.end", kind=kind))


def weather_turns(w: World) -> None:
    w.tell("sub.weather." + w.pick(("wind", "sun", "clouds")))


def wish_for_star(w: World) -> None:
    w.tell("sub.star")
    w.payoffs.append(lambda w: w.tell("sub.star.end"))


def counting(w: World) -> None:
    n = w.pick(wd.NUMBERS[3:13])
    what = w.pick(
        (
            "birds", "clouds", "snails", "butterflies", "red doors", "dogs", "white stones", "bees",
            "yellow flowers",
        )
    )
    w.tell("sub.count", n=n, what=what)
    w.payoffs.append(lambda w: w.tell("sub.count.end", n=n, what=what))


def joke(w: World) -> None:
    w.tell("sub.joke")


AT_HOME = [snack, before_dark, little_song, wish_for_star]
LONG = frozenset(
    (
        "skill", "planting", "letter", "saving", "sick", "promise", "stage", "gift", "tooth",
        "sleepless", "noise", "trip", "lost_way", "bird_thanks", "thief", "cooking", "baby", "mess",
        "lie", "broke", "fear", "snow", "picnic",
    )
)  # not in one day, or not away from home
ON_THE_WAY = [
    wet_day,
    sight,
    small_hurt,
    follower,
    weather_turns,
    counting,
    joke,
    sight,
    little_song,
]
NAMES = list(PLOTS)
