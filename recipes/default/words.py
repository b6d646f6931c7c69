"""The small vocabulary: tables of names, animals, things, places, feelings and what belongs to them.

Tables are strings of lines with fields between bars, since that is how they are read and mended
best. Everything else of the generator, and the checker, looks words up here, so a word that is
added here is known everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass


def rows(table: str) -> list[list[str]]:
    """Fields of each line."""
    return [[field.strip() for field in line.split("|")] for line in table.strip().splitlines()]


def items(field: str) -> list[str]:
    """Parts of a field."""
    return [part.strip() for part in field.split(";") if part.strip()]


def an(words: str) -> str:
    """With the indefinite article."""
    vowel = words[0] in "aeiou" and not words.startswith(("uni", "use", "one ", "once"))
    return ("an " if vowel else "a ") + words


def listed(parts: list[str], last: str = "and") -> str:
    """ "a, b and c"."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + f" {last} " + parts[-1]


GIRLS = """
Mia Anna Lucy Ella Emma Nora Zoe Ruby Clara Molly Sophie Maya Lena Rosa Alice Hannah Amy Kate Jane Sara Nina Tara Leah Eva
Ellie Grace Julia Laura Maria Sofia Olive Polly Betty Millie Penny Tina Wendy Holly Heidi Ida Irene Jenny Kira Lisa Mona
Naomi Paula Rachel Sally Tess Uma Vera Zara Amara Priya Yuki Mei Aisha Fatima Carmen Elena Greta Freya Ingrid Keiko Layla
Nadia Olga Pearl Ramona Selma Thea Wanda Yara Susie Martha
""".split()
BOYS = """
Tom Ben Sam Jack Leo Max Noah Adam Oscar Luke Henry Finn Theo Eli Owen Hugo Felix Simon Peter Paul Daniel David Jacob Lucas
Liam Ethan Oliver Charlie Toby Billy Timmy Johnny Eddie Freddy Georgie Harry Joey Kenny Larry Mikey Ned Otto Ralph Roy Sid Ted
Victor Walter Andy Bobby Carl Dan Emil Omar Ravi Kofi Jin Hiro Amir Diego Pablo Ivan Jonas Karl Lars Mateo Nico Oleg Pedro
Rafi Sven Tariq Viktor Yusuf Zack Arthur Edgar Gus
""".split()
FEMALE_ANIMAL_NAMES = """
Momo Lulu Coco Bella Mopsy Dotty Tilly Fluffy Pipa Honey Nutmeg Willa Fifi Minty Snowy Bibi Kiki Zuzu Flossy Poppy Tansy Dolly
Missy Pebbles Trixie Goldie
""".split()
MALE_ANIMAL_NAMES = """
Pip Tobo Fizz Nibbles Waddles Bramble Dash Rufus Bruno Milo Bobo Rocky Tiggy Buster Rusty Jojo Scout Barney Zippy Tumbo Hopper
Grumble Smoky Monty Sparky Ollie
""".split()

GENDER: dict[str, str] = {name: "f" for name in GIRLS + FEMALE_ANIMAL_NAMES} | {
    name: "m" for name in BOYS + MALE_ANIMAL_NAMES
}

# word, gender, what a child calls them
RELATIVES: dict[str, tuple[str, str]] = {
    "mother": ("f", "Mom"),
    "father": ("m", "Dad"),
    "grandmother": ("f", "Grandma"),
    "grandfather": ("m", "Grandpa"),
    "sister": ("f", ""),
    "brother": ("m", ""),
    "aunt": ("f", ""),
    "uncle": ("m", ""),
    "cousin": ("", ""),
}
CALLED: dict[str, str] = {
    "Mom": "f",
    "Mama": "f",
    "Grandma": "f",
    "Dad": "m",
    "Papa": "m",
    "Grandpa": "m",
}

# people of the town: who, gender, where they work, what they do there
NEIGHBORS = rows("""
baker|m|bakery|bakes bread
gardener|f|garden|waters flowers
librarian|f|library|lends books
farmer|m|farm|feeds the cows
teacher|f|school|teaches children
shopkeeper|m|shop|sells things
doctor|f|clinic|helps sick people
fisherman|m|harbor|catches fish
painter|f|studio|paints pictures
postman|m|post office|brings letters
nurse|f|clinic|cares for sick people
carpenter|m|workshop|builds tables
old woman|f|cottage|knits
old man|m|bench|feeds the birds
shepherd|m|hill|looks after sheep
tailor|m|workshop|sews clothes
bus driver|m|bus stop|drives the bus
cook|m|kitchen|makes soup
zookeeper|f|zoo|feeds the animals
beekeeper|f|meadow|looks after bees
""")

COLORS = "red blue green yellow orange purple pink white black brown gray golden silver".split()
TOY_COLORS = "red blue green yellow orange purple pink white black brown silver golden".split()
SIZES = "little small tiny big large".split()
LOOKS = "shiny soft old new pretty round bright smooth".split()
NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()
TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()


def in_words(n: int) -> str:
    """0 to 100."""
    if n < len(NUMBERS):
        return NUMBERS[n]
    if n == 100:
        return "one hundred"
    return TENS[n // 10] + (f"-{NUMBERS[n % 10]}" if n % 10 else "")


DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = (
    "January February March April May June July August September October November December".split()
)
SEASONS = "spring summer autumn winter".split()


@dataclass(frozen=True, slots=True)
class ThingKind:
    """A kind of thing one can own, carry and lose."""

    noun: str
    plural: str
    group: str
    use: str  # what one likes to do with it, with "it"
    doing: str  # the same with -ing
    colored: bool


def _plural(noun: str) -> str:
    irregular = {
        "knife": "knives",
        "scarf": "scarves",
        "leaf": "leaves",
        "loaf": "loaves",
        "tooth": "teeth",
        "watering can": "watering cans",
        "mouse": "mice",
        "goose": "geese",
        "sheep": "sheep",
        "fish": "fish",
        "deer": "deer",
        "wolf": "wolves",
        "child": "children",
        "calf": "calves",
        "shelf": "shelves",
        "person": "people",
        "man": "men",
        "woman": "women",
        "foot": "feet",
        "ox": "oxen",
    }
    if noun in irregular:
        return irregular[noun]
    if noun.endswith(("s", "x", "ch", "sh", "z")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    if noun in ("potato", "tomato", "mango", "buffalo"):
        return noun + "es"
    return noun + "s"


plural = _plural

# group: noun / what one does with it; verbs are given so that "liked to V" and "V-ing" both work
_THINGS = {
    "toy": """
ball/throw it high in the air/throwing it high in the air
kite/fly it in the wind/flying it in the wind
doll/dress it and sing to it/dressing it and singing to it
teddy bear/hug it at night/hugging it at night
toy car/race it down the hall/racing it down the hall
toy train/push it along the floor/pushing it along the floor
toy boat/sail it in the tub/sailing it in the tub
toy plane/fly it around the room/flying it around the room
toy truck/fill it with sand/filling it with sand
puppet/make it talk in a funny voice/making it talk in a funny voice
puzzle/put it together/putting it together
spinning top/make it spin for a long time/making it spin for a long time
yo-yo/make it go up and down/making it go up and down
jump rope/jump over it again and again/jumping over it again and again
hoop/roll it down the path/rolling it down the path
balloon/let it float on a string/letting it float on a string
marble/roll it along the floor/rolling it along the floor
toy robot/make it walk in circles/making it walk in circles
rocking horse/ride it all morning/riding it all morning
wagon/pull it behind him or her/pulling it up the path
scooter/ride it on the path/riding it on the path
sled/ride it down the hill/riding it down the hill
frisbee/toss it across the grass/tossing it across the grass
toy duck/float it in the water/floating it in the water
toy rabbit/take it everywhere/taking it everywhere
toy lion/make it roar/making it roar
toy elephant/march it up and down/marching it up and down
toy castle/play kings and queens in it/playing kings and queens in it
toy tractor/drive it through the dirt/driving it through the dirt
pinwheel/watch it turn in the wind/watching it turn in the wind
slingshot/shoot dry peas with it/shooting dry peas with it
toy horse/make it gallop/making it gallop
toy dinosaur/make it stomp and growl/making it stomp and growl
toy rocket/pretend to fly it to the moon/pretending to fly it to the moon
toy crane/lift blocks with it/lifting blocks with it
toy bus/drive it over the rug/driving it over the rug
toy penguin/slide it over the floor/sliding it over the floor
toy frog/make it hop/making it hop
toy owl/set it on the shelf at night/setting it on the shelf at night
toy whale/dive with it in the tub/diving with it in the tub
toy knight/guard the castle with it/guarding the castle with it
toy ship/cross the sea of the rug with it/crossing the sea of the rug with it
toy mouse/hide it in odd places/hiding it in odd places
toy snake/make it crawl over the steps/making it crawl over the steps
bubble wand/blow big bubbles with it/blowing big bubbles with it
""",
    "music": """
drum/beat it with two sticks/beating it with two sticks
whistle/blow it very loud/blowing it very loud
flute/play soft tunes on it/playing soft tunes on it
bell/ring it again and again/ringing it again and again
trumpet/play happy songs on it/playing happy songs on it
guitar/play slow songs on it/playing slow songs on it
music box/listen to it before bed/listening to it before bed
tambourine/shake it and dance/shaking it and dancing
violin/practice on it every day/practicing on it every day
rattle/shake it to make a noise/shaking it to make a noise
xylophone/tap it with a stick/tapping it with a stick
""",
    "wear": """
hat/wear it on sunny days/wearing it on sunny days
cap/wear it everywhere/wearing it everywhere
scarf/wrap it around the neck/wrapping it around the neck
coat/wear it in the cold/wearing it in the cold
sweater/wear it in winter/wearing it in winter
raincoat/wear it in the rain/wearing it in the rain
dress/wear it to parties/wearing it to parties
shirt/wear it to school/wearing it to school
necklace/wear it on special days/wearing it on special days
bracelet/wear it all day/wearing it all day
ring/look at how it shines/looking at how it shines
crown/wear it and play king or queen/wearing it and playing king or queen
cape/run fast in it/running fast in it
mask/scare people with it for fun/scaring people with it for fun
ribbon/tie it into a bow/tying it into a bow
belt/wear it with a big knot/wearing it with a big knot
backpack/carry it to school/carrying it to school
apron/wear it for baking/wearing it for baking
watch/look at its tiny hands/looking at its tiny hands
""",
    "tool": """
bucket/carry water in it/carrying water in it
shovel/dig holes with it/digging holes with it
rake/clean up leaves with it/cleaning up leaves with it
hammer/hit nails with it/hitting nails with it
basket/gather berries in it/gathering berries in it
ladder/climb up high on it/climbing up high on it
rope/tie knots in it/tying knots in it
lamp/read by its light/reading by its light
lantern/carry it in the dark/carrying it in the dark
flashlight/shine it into dark corners/shining it into dark corners
broom/sweep the floor with it/sweeping the floor with it
watering can/water the flowers with it/watering the flowers with it
umbrella/hold it up in the rain/holding it up in the rain
magnifying glass/look at bugs with it/looking at bugs with it
telescope/look at the stars with it/looking at the stars with it
compass/find the way with it/finding the way with it
fishing rod/sit by the water with it/sitting by the water with it
net/catch butterflies with it/catching butterflies with it
tent/sleep in it on warm nights/sleeping in it on warm nights
blanket/curl up under it/curling up under it
pillow/rest on it/resting on it
mirror/make faces in it/making faces in it
brush/brush the dog with it/brushing the dog with it
comb/use it every morning/using it every morning
key/open the little gate with it/opening the little gate with it
clock/listen to it tick/listening to it tick
camera/take pictures with it/taking pictures with it
wheelbarrow/push it around the yard/pushing it around the yard
needle/sew with it/sewing with it
saw/cut wood with it/cutting wood with it
paddle/row with it/rowing with it
sack/carry potatoes in it/carrying potatoes in it
towel/lie on it in the sun/lying on it in the sun
flag/wave it at the top of the hill/waving it at the top of the hill
sponge/wash the car with it/washing the car with it
hose/spray water with it/spraying water with it
birdhouse/watch who comes to live in it/watching who comes to live in it
mop/clean the floor with it/cleaning the floor with it
candle/watch it glow/watching it glow
""",
    "room": """
cup/drink warm milk from it/drinking warm milk from it
mug/drink cocoa from it/drinking cocoa from it
bowl/eat soup from it/eating soup from it
plate/eat cake from it/eating cake from it
spoon/stir things with it/stirring things with it
pot/cook soup in it/cooking soup in it
pan/make pancakes in it/making pancakes in it
teapot/have tea parties with it/having tea parties with it
vase/put fresh flowers in it/putting fresh flowers in it
jar/keep pretty stones in it/keeping pretty stones in it
bottle/fill it with cold water/filling it with cold water
box/keep secret things in it/keeping secret things in it
lunch box/open it at noon/opening it at noon
tray/carry cookies on it/carrying cookies on it
stool/sit on it by the window/sitting on it by the window
picture frame/look at the old picture in it/looking at the old picture in it
kettle/boil water in it/boiling water in it
fork/eat noodles with it/eating noodles with it
cushion/sit on it by the fire/sitting on it by the fire
rug/lie on it and look at the ceiling/lying on it and looking at the ceiling
piggy bank/drop coins in it/dropping coins in it
""",
    "school": """
book/read it before bed/reading it before bed
storybook/look at the pictures in it/looking at the pictures in it
notebook/write small poems in it/writing small poems in it
pencil/draw with it/drawing with it
crayon/color with it/coloring with it
paintbrush/paint with it/painting with it
map/look for far places on it/looking for far places on it
globe/spin it around/spinning it around
ruler/draw straight lines with it/drawing straight lines with it
pen/write letters with it/writing letters with it
sticker/show it to friends/showing it to friends
card/read the kind words in it/reading the kind words in it
letter/read it again and again/reading it again and again
painting/look at it on the wall/looking at it on the wall
drawing/look at it on the wall/looking at it on the wall
kaleidoscope/look at all the shapes in it/looking at all the shapes in it
magnet/pick up pins with it/picking up pins with it
""",
    "treasure": """
stone/hold it up to the light/holding it up to the light
shell/listen to the sea in it/listening to the sea in it
feather/tickle people with it/tickling people with it
pine cone/roll it around/rolling it around
acorn/keep it in a pocket/keeping it in a pocket
leaf/press it in a book/pressing it in a book
stick/draw in the sand with it/drawing in the sand with it
coin/toss it and catch it/tossing it and catching it
button/sew it on things/sewing it on things
pearl/look at how it glows/looking at how it glows
crystal/watch it sparkle in the sun/watching it sparkle in the sun
medal/wear it with pride/wearing it with pride
pebble/skip it on the water/skipping it on the water
nest/look at it up close/looking at it up close
star of paper/hang it in the window/hanging it in the window
""",
    "plant": """
flower/smell it/smelling it
rose/smell it/smelling it
tulip/look at it/looking at it
sunflower/watch it grow/watching it grow
daisy/pick its petals/picking its petals
cactus/look at its funny spikes/looking at its funny spikes
pumpkin/roll it over the grass/rolling it over the grass
""",
    "food": """
apple/eat it/eating it
pear/eat it/eating it
peach/eat it/eating it
orange/peel and eat it/peeling and eating it
banana/peel and eat it/peeling and eating it
plum/eat it/eating it
carrot/crunch it/crunching it
cookie/eat it with milk/eating it with milk
cupcake/lick the top of it/licking the top of it
pancake/eat it with honey/eating it with honey
muffin/eat it for breakfast/eating it for breakfast
sandwich/eat it at lunch/eating it at lunch
pie/eat it while it is warm/eating it while it is warm
cake/eat it at parties/eating it at parties
loaf of bread/cut it into slices/cutting it into slices
lollipop/lick it/licking it
tart/eat it with cream/eating it with cream
pudding/eat it with a small spoon/eating it with a small spoon
bun/eat it with butter/eating it with butter
pretzel/bite into it/biting into it
melon/eat it on hot days/eating it on hot days
mango/eat it on hot days/eating it on hot days
potato/bake it in the oven/baking it in the oven
tomato/slice it/slicing it
corn cob/eat it with butter/eating it with butter
waffle/eat it with berries/eating it with berries
dumpling/dip it in soup/dipping it in soup
egg/boil it/boiling it
""",
}
NOT_COLORED = set(
    """puzzle mirror letter map painting drawing acorn pine cone leaf stick nest pie cake sandwich waffle egg
potato magnifying glass compass needle saw camera pancake cookie loaf of bread pumpkin sunflower dumpling pretzel orange
banana carrot corn cob tomato coin pearl medal magnet daisy cactus telescope muffin bun mango plum peach card""".split()
) | {"pine cone", "magnifying glass", "loaf of bread", "corn cob", "star of paper"}


def _things() -> dict[str, ThingKind]:
    out = {}
    for group, table in _THINGS.items():
        for line in table.strip().splitlines():
            noun, use, doing = line.split("/")
            use = use.replace(" behind him or her", " up the path")
            many = {"loaf of bread": "loaves of bread", "star of paper": "stars of paper"}.get(
                noun
            ) or _plural(noun)
            out[noun] = ThingKind(noun, many, group, use, doing, noun not in NOT_COLORED)
    return out


THINGS: dict[str, ThingKind] = _things()
GROUPS: dict[str, list[str]] = {
    group: [t.noun for t in THINGS.values() if t.group == group] for group in _THINGS
}
TREASURED = [
    t.noun
    for t in THINGS.values()
    if t.group in ("toy", "music", "wear", "treasure")
    or t.noun
    in "book storybook notebook map globe kaleidoscope flashlight lantern camera compass telescope mug cup box blanket "
    "umbrella key jar magnet pillow bucket".split()
]
CARRIED = [n for n in TREASURED if n not in "rocking horse,wagon,toy castle,tent,sled".split(",")]


@dataclass(frozen=True, slots=True)
class PlaceKind:
    """A place of a town or of the wild."""

    noun: str
    at: str  # "in the park"
    to: str  # "to the park"
    spots: tuple[str, ...]  # where something may be hidden
    joys: tuple[str, ...]  # what one does there, past tense
    sight: str  # "there were ..."
    group: str  # home, town, nature


_PLACES = {
    "nature": """
park|in|under a bench;behind the slide;near the little bridge;in the tall grass|played on the swings;ran over the grass;fed the birds|tall trees and a long slide
forest|in|under a bush;behind a big rock;between two roots;in a pile of leaves|looked for mushrooms;listened to the birds;counted the trees|green trees and soft moss
beach|at|under the sand;behind a rock;next to a pool of water;beside an old boat|dug a deep hole;jumped over the waves;looked for crabs|blue waves and warm sand
river|by|under the bridge;between the stones;in the reeds;behind a log|threw stones into the water;watched the fish;put their feet in the water|clear water and round stones
lake|by|in the reeds;under an old boat;behind a tree;beside the water|watched the swans;skipped stones;sat on the shore|white swans and still water
pond|by|in the reeds;under a leaf;behind a stone;in the mud|fed the ducks;looked for frogs;watched the bugs on the water|green frogs and busy ducks
meadow|in|in the tall grass;under a bush;beside a stone;next to the fence|picked flowers;chased butterflies;lay in the grass|yellow flowers and fat bees
hill|on|behind a rock;under a tree;in the grass;beside the path|rolled down the grass;looked at the clouds;ran in the wind|green grass and a wide view
mountain|on|behind a rock;in a small cave;under the snow;beside the path|climbed over rocks;called and heard the echo;looked far away|gray rocks and cold wind
cave|in|behind a stone;in a dark corner;under a pile of rocks;in a crack in the wall|listened to the drops;made funny echoes;looked at the walls|dark walls and cold drops of water
field|in|behind the fence;under the hay;in a ditch;beside the gate|ran after each other;flew paper planes;looked for grasshoppers|golden wheat and red poppies
orchard|in|under a tree;behind a ladder;in the grass;inside a barrel|picked fruit;climbed the trees;counted the blossoms|rows of trees full of fruit
island|on|under a palm tree;behind a rock;in the sand;inside a hollow log|looked for shells;built a hut of sticks;watched the sea|palm trees and white sand
desert|in|behind a tall rock;under the sand;beside a dry bush;in a small hole|looked for lizards;walked over the sand;sat in the shade|yellow sand and a few dry bushes
jungle|in|under a big leaf;behind a vine;in a hollow tree;beside the stream|listened to the monkeys;looked for parrots;hung on the vines|huge leaves and loud birds
waterfall|by|behind a wet rock;under a fern;beside the pool;between two stones|felt the cool spray;watched the water;looked for a rainbow|white water and wet rocks
swamp|in|under a log;behind a dead tree;in the mud;between the reeds|hopped over puddles;listened to the frogs;looked for turtles|green water and tall reeds
stream|by|under a stone;behind a fern;in the reeds;beside a log|built a small dam;looked for minnows;sailed leaf boats|cool water and smooth stones
valley|in|behind a bush;under a tree;beside the path;next to a stone wall|picked berries;followed the path;watched the sheep|green grass and quiet sheep
rose garden|in|under a rose bush;behind the fountain;beside the path;next to the gate|smelled the flowers;watched the bees;looked for ladybugs|roses of every color
""",
    "town": """
school|at|under a desk;behind the door;in a drawer;on the windowsill|painted pictures;sang songs;read stories|small desks and bright pictures
playground|at|under the slide;behind the swings;in the sand;beside the bench|slid down the slide;climbed the ropes;played tag|two swings and a tall slide
market|at|under a table;behind a cart;beside a basket of apples;between two boxes|looked at the fruit;tasted cheese;smelled the fresh bread|carts full of fruit and bread
library|in|between two books;under a chair;behind the shelf;on the windowsill|looked at picture books;read quietly;listened to a story|long shelves full of books
bakery|in|under the table;behind the counter;next to the oven;behind a sack of flour|smelled the warm bread;counted the cakes;tasted a cookie|warm bread and sweet cakes
farm|at|in the hay;behind the barn;under the old cart;beside the henhouse|fed the hens;watched the cows;patted the old horse|cows, hens and a big red barn
zoo|at|under a bench;behind the fence;beside the gate;near the fountain|watched the monkeys;looked at the lions;laughed at the penguins|lions, monkeys and tall giraffes
train station|at|under a bench;behind a sign;next to the clock;beside the stairs|watched the trains;waved to the driver;counted the wagons|long trains and busy people
harbor|at|behind a barrel;under a net;beside an old boat;between two ropes|watched the boats;counted the gulls;smelled the salty air|white boats and hungry gulls
museum|at|behind a statue;under a bench;beside a big vase;near the stairs|looked at old things;stared at the big bones;walked through quiet halls|old things and huge bones
toy shop|in|behind a box;under a shelf;next to the door;between two dolls|looked at the toys;tried out the drums;admired a castle|shelves full of toys
bookshop|in|between two books;under a table;behind a stack of books;on a chair|turned the pages;looked at maps;talked about stories|stacks of books
flower shop|in|behind a pot;under the counter;between two plants;beside the door|smelled the roses;counted the tulips;helped tie ribbons|pots of flowers in all colors
castle|at|behind a shield;under the stairs;in a dark corner;beside the old throne|climbed the tower;played kings and queens;looked over the wall|thick walls and a tall tower
bridge|on|behind a post;in a crack between the boards;beside the rail;under a board|watched the water;dropped leaves into the river;counted boats|old boards and a strong rail
fair|at|under a bench;behind a tent;beside the big wheel;next to the popcorn cart|rode on the big wheel;ate popcorn;watched the clown|bright lights and loud music
circus|at|under a seat;behind a drum;beside the tent;next to a wagon|watched the clowns;clapped for the acrobats;laughed at the dogs|funny clowns and a huge tent
swimming pool|at|under a towel;behind a chair;beside the ladder;on the steps|splashed in the water;swam back and forth;played with a float|blue water and wet footprints
lighthouse|at|behind the door;under the stairs;beside the window;on a step|climbed the stairs;watched the ships;looked at the big light|round walls and a bright light
windmill|at|behind a sack;under the stairs;beside the door;next to the big wheel|watched the sails turn;listened to the wind;saw how grain becomes flour|big sails that turned in the wind
village square|in|under a bench;behind the well;beside the fountain;next to the old tree|played by the fountain;listened to music;fed the pigeons|a round fountain and an old tree
bus stop|at|under the bench;behind the sign;beside the wall;next to the bin|waited for the bus;counted cars;talked with people|a bench and a yellow sign
soccer field|on|behind the goal;in the grass;under the bench;beside the fence|kicked and ran;cheered loudly;scored a goal|two goals and short green grass
ice rink|at|under a bench;behind the gate;beside the wall;next to the steps|slid over the ice;held on to the rail;spun around|smooth ice and happy people
post office|at|behind the door;under a chair;beside the big scale;next to the counter|looked at the stamps;stood in line;watched the postman|bags of letters and a big scale
fire station|at|behind a wheel;under a bench;beside a helmet;next to a hose|looked at the truck;tried on a helmet;rang the bell|a huge red truck and long hoses
""",
    "home": """
garden|in|under a bush;behind the shed;between the pots;beside the gate|watered the plants;looked for snails;pulled weeds|rows of beans and bright flowers
backyard|in|under the steps;behind a tree;beside the fence;in the grass|played tag;drew with chalk;ran around the tree|a big tree and a wooden fence
kitchen|in|under the table;behind a jar;on the shelf;inside a pot|helped to cook;washed the plates;sat by the warm stove|pots, pans and a warm stove
bedroom|in|under the bed;behind the curtain;in a drawer;under the pillow|looked at books;played quietly;made the bed|a soft bed and a small window
living room|in|under the couch;behind a cushion;beside the lamp;under the rug|sat on the couch;played a game;listened to music|a big couch and a warm rug
attic|in|behind an old trunk;under a sheet;in a dusty corner;inside a hatbox|looked through old boxes;tried on old hats;drew in the dust|dusty boxes and old chairs
shed|in|behind a flowerpot;under a sack;on a high shelf;beside the old bike|looked at the tools;stacked the pots;helped to build things|old tools and empty pots
barn|in|in the hay;behind a barrel;under an old blanket;beside the ladder|jumped in the hay;petted the cat;sat on a bale|soft hay and a sleepy cat
tree house|in|under a board;in a corner;behind the curtain;on a branch|looked through the leaves;told secrets;played pirates|a rope ladder and a small window
porch|on|under the steps;behind a chair;beside the door;under the mat|sat on the steps;watched people go by;drank lemonade|a swing and two old chairs
playroom|in|behind the toy box;under the rug;in a corner;beside the little tent|built towers;dressed up;played with blocks|blocks, crayons and a little tent
cellar|in|behind a barrel;under a shelf;in a dark corner;beside the stairs|counted the jars;looked for spiders;sat on the steps|rows of jars and cool stone walls
balcony|on|behind a pot;beside the chair;under a cloth;in a corner|watched the street;counted the birds;watered the herbs|pots of herbs and a small chair
hallway|in|behind a coat;under the bench;beside the boots;on a hook|put on boots;raced up and down;hung up coats|coats, boots and a long rug
greenhouse|in|behind a pot;under a leaf;beside a bag of soil;next to the hose|smelled the herbs;watered the seeds;counted tomatoes|glass walls and green leaves
""",
}


def _places() -> dict[str, PlaceKind]:
    out = {}
    for group, table in _PLACES.items():
        for noun, preposition, spots, joys, sight in rows(table):
            out[noun] = PlaceKind(
                noun,
                f"{preposition} the {noun}",
                f"to the {noun}",
                tuple(items(spots)),
                tuple(j.replace("their feet", "a foot") for j in items(joys)),
                sight,
                group,
            )
    return out


PLACES: dict[str, PlaceKind] = _places()
OUTSIDE = [p.noun for p in PLACES.values() if p.group in ("nature", "town")]
ROOMS = [p.noun for p in PLACES.values() if p.group == "home"]
WILD = [p.noun for p in PLACES.values() if p.group == "nature"]
TOWN = [p.noun for p in PLACES.values() if p.group == "town"]

# animal|home|food|sound|moves|baby|legs|kind|hero (whether it can be the hero of a story)
ANIMALS = rows("""
dog|a doghouse|meat and bones|bark|run|puppy|four|pet|y
cat|a house|fish and meat|meow|walk softly|kitten|four|pet|y
rabbit|a burrow|grass and carrots|squeak|hop|bunny|four|pet|y
hamster|a cage|seeds|squeak|run in a wheel|pup|four|pet|y
mouse|a hole|seeds and crumbs|squeak|scurry|pup|four|wild|y
horse|a stable|hay and oats|neigh|gallop|foal|four|farm|y
cow|a barn|grass|moo|walk slowly|calf|four|farm|y
pig|a pen|corn and roots|oink|trot|piglet|four|farm|y
sheep|a pasture|grass|baa|walk|lamb|four|farm|y
goat|a farm|grass and leaves|bleat|climb|kid|four|farm|y
donkey|a stable|hay|bray|trot|foal|four|farm|y
hen|a henhouse|grain|cluck|walk and peck|chick|two|farm|y
duck|a pond|plants and bugs|quack|swim and waddle|duckling|two|farm|y
goose|a pond|grass|honk|waddle|gosling|two|farm|y
turkey|a farm|grain|gobble|walk|chick|two|farm|n
rooster|a henhouse|grain|crow|strut|chick|two|farm|y
fox|a den|mice and berries|yelp|sneak|kit|four|wild|y
wolf|a den|meat|howl|run|pup|four|wild|y
bear|a cave|berries, fish and honey|growl|walk and climb|cub|four|wild|y
deer|the forest|grass and leaves|bleat|leap|fawn|four|wild|y
squirrel|a tree|nuts|chatter|climb and jump|pup|four|wild|y
hedgehog|a pile of leaves|bugs and snails|sniff|crawl|hoglet|four|wild|y
badger|a burrow|worms and roots|growl|dig|cub|four|wild|y
beaver|a lodge in the river|bark and plants|whine|swim|kit|four|wild|y
otter|a river bank|fish|squeak|swim|pup|four|wild|y
mole|a tunnel|worms|squeak|dig|pup|four|wild|y
raccoon|a hollow tree|fruit and eggs|chatter|climb|kit|four|wild|y
skunk|a burrow|bugs and fruit|hiss|walk|kit|four|wild|n
bat|a cave|bugs|squeak|fly|pup|two|wild|y
owl|a hollow tree|mice|hoot|fly|owlet|two|bird|y
robin|a nest|worms|sing|fly|chick|two|bird|y
crow|a tall tree|seeds and bugs|caw|fly|chick|two|bird|y
sparrow|a nest|seeds|chirp|hop and fly|chick|two|bird|y
eagle|a nest on a cliff|fish and mice|screech|soar|eaglet|two|bird|y
swan|a lake|water plants|honk|swim|cygnet|two|bird|y
parrot|the jungle|fruit and nuts|squawk|fly|chick|two|bird|y
penguin|the icy south|fish|honk|waddle and swim|chick|two|bird|y
pigeon|a roof|seeds|coo|fly|chick|two|bird|n
seagull|a cliff by the sea|fish|cry|fly|chick|two|bird|y
woodpecker|a hole in a tree|bugs|tap|fly|chick|two|bird|y
peacock|a garden|seeds and bugs|scream|walk|chick|two|bird|y
ostrich|the dry plains|plants|hiss|run|chick|two|bird|n
flamingo|a warm lake|tiny shrimps|honk|wade|chick|two|bird|y
stork|a nest on a roof|frogs|clap its beak|fly|chick|two|bird|n
hummingbird|a tiny nest|sweet juice of flowers|hum|hover|chick|two|bird|n
frog|a pond|flies|croak|jump|tadpole|four|water|y
toad|a wet garden|bugs and worms|croak|hop|tadpole|four|water|y
turtle|a pond|plants and bugs|hiss|crawl|hatchling|four|water|y
snail|a shell|leaves|make no sound|crawl slowly|tiny snail|no|bug|n
fish|water|tiny plants and bugs|make no sound|swim|fry|no|water|n
shark|the sea|fish|make no sound|swim|pup|no|water|n
whale|the sea|tiny shrimps|sing|swim|calf|no|water|n
dolphin|the sea|fish|click|swim and leap|calf|no|water|n
octopus|the sea|crabs|make no sound|swim and crawl|tiny octopus|no|water|n
crab|the shore|plants and tiny animals|click|walk sideways|tiny crab|ten|water|y
seal|the icy shore|fish|bark|swim|pup|no|water|n
walrus|the icy north|clams|grunt|swim|calf|no|water|n
crocodile|a warm river|fish and meat|hiss|swim and crawl|hatchling|four|water|n
lizard|warm rocks|bugs|hiss|run|hatchling|four|wild|y
snake|a hole|mice|hiss|slide|hatchling|no|wild|n
lion|the plains|meat|roar|run|cub|four|far|y
tiger|the jungle|meat|roar|sneak|cub|four|far|y
elephant|the plains|grass and leaves|trumpet|walk|calf|four|far|y
giraffe|the plains|leaves of tall trees|hum|walk|calf|four|far|y
zebra|the plains|grass|bark|gallop|foal|four|far|y
monkey|the jungle|fruit|chatter|swing and climb|infant|four|far|y
gorilla|the jungle|leaves and fruit|grunt|walk|infant|four|far|n
kangaroo|the plains of Australia|grass|click|hop|joey|four|far|y
koala|a tree|special leaves|grunt|climb|joey|four|far|y
panda|a bamboo forest|bamboo|bleat|climb|cub|four|far|y
camel|the desert|dry plants|grunt|walk|calf|four|far|y
hippo|a warm river|grass|grunt|walk in water|calf|four|far|y
rhino|the plains|grass|snort|charge|calf|four|far|n
leopard|the jungle|meat|growl|climb|cub|four|far|n
cheetah|the plains|meat|purr|run very fast|cub|four|far|n
moose|the northern forest|leaves and twigs|grunt|walk|calf|four|far|n
reindeer|the cold north|moss|grunt|run|calf|four|far|y
polar bear|the icy north|seals and fish|growl|walk and swim|cub|four|far|y
sloth|a tree|leaves|squeak|climb slowly|infant|four|far|y
bee|a hive|sweet juice of flowers|buzz|fly|grub|six|bug|y
ant|an anthill|seeds and crumbs|make no sound|march|grub|six|bug|n
butterfly|a meadow|sweet juice of flowers|make no sound|flutter|caterpillar|six|bug|y
ladybug|a leaf|tiny bugs|make no sound|crawl and fly|grub|six|bug|y
spider|a web|flies|make no sound|crawl|spiderling|eight|bug|y
grasshopper|a meadow|grass|chirp|jump|nymph|six|bug|y
cricket|the grass|plants|chirp|jump|nymph|six|bug|y
worm|the soil|dead leaves|make no sound|crawl|tiny worm|no|bug|n
caterpillar|a leaf|leaves|make no sound|crawl|egg|many|bug|n
dragonfly|a pond|small bugs|hum|fly|nymph|six|bug|n
firefly|a meadow|small bugs|make no sound|fly and glow|grub|six|bug|y
""")
ANIMAL_NAMES = [row[0] for row in ANIMALS]
HEROES = [row[0] for row in ANIMALS if row[8] == "y"]

# feeling|causes, of "she was FEELING because ..."; {his} and {he} are filled
FEELINGS = rows("""
happy|{he} got a big hug;the sun was shining;{he} found a new friend;it was {his} birthday;{he} was going to the beach;{his} best friend came to visit
sad|{his} toy was broken;{his} friend moved away;it rained on {his} birthday;{he} had nobody to play with;{he} lost {his} kite;{his} balloon flew away
angry|somebody took {his} toy;{his} tower was knocked down;somebody laughed at {him};{his} brother broke {his} crayon;{his} turn was skipped
scared|there was a loud noise in the dark;the thunder was loud;a big dog barked at {him};{he} saw a shadow on the wall;{he} could not see {his} mother
proud|{he} tied {his} shoes alone;{he} finished the puzzle;{he} helped {his} neighbor;{he} read a whole page;{he} swam across the pool
tired|{he} played all day;{he} walked a long way;{he} woke up too early;{he} worked hard in the garden;it was very late
excited|{he} was going to the zoo;a big box came for {him};snow was falling;the circus came to town;{his} grandma was coming
worried|{his} cat did not come home;{his} friend was sick;{he} could not find {his} homework;the sky turned dark;{he} was late for school
lonely|{he} was new at school;{his} friends were away;everybody else went to the party;{he} sat alone at lunch
surprised|there was a frog in {his} boot;{his} friends jumped out and shouted;the egg began to move;{he} got a letter from far away
bored|there was nothing to do;it rained all day;{his} toys were packed away;the bus was very late
shy|there were many new people;{he} had to sing on the stage;the teacher asked {him} to speak;{he} met a new neighbor
jealous|{his} friend had a new bike;the baby got all the hugs;{his} sister won a prize
thankful|somebody helped {him} up;a neighbor found {his} dog;{his} friend shared lunch with {him};the doctor made {him} well
curious|there was a box with no name on it;{he} heard a strange song;a door was open just a little;{he} saw small footprints
sorry|{he} broke {his} mother's cup;{he} said a mean thing;{he} forgot to feed the fish;{he} did not share
calm|the house was quiet;{he} listened to soft music;{he} took a slow breath;the waves were gentle
hungry|{he} did not eat breakfast;{he} smelled fresh bread;{he} ran around all morning;dinner was late
thirsty|{he} ran in the hot sun;{his} bottle was empty;{he} ate salty chips
sleepy|{he} stayed up late;the story was long and soft;the blanket was warm;{he} had a big dinner
brave|{he} climbed to the top;{he} held the doctor's hand;{he} spoke in front of everybody;{he} walked through the dark hall
silly|{he} wore socks on {his} hands;{he} talked like a duck;{he} put a bowl on {his} head
disappointed|the shop was closed;the trip was called off;there was no cake left;{his} team lost the game
nervous|it was {his} first day at school;{he} had to see the dentist;the race was about to start
cold|{he} forgot {his} coat;{he} fell in the snow;the wind blew through the door
hopeful|the sky began to clear;the seed began to sprout;somebody knocked on the door
""")

OPPOSITES = dict(
    row[:2]
    for row in rows("""
big|small
hot|cold
up|down
day|night
fast|slow
happy|sad
open|closed
full|empty
wet|dry
hard|soft
light|dark
old|young
loud|quiet
tall|short
clean|dirty
early|late
near|far
thick|thin
heavy|light
high|low
left|right
long|short
new|old
strong|weak
sweet|sour
rich|poor
front|back
inside|outside
first|last
good|bad
right|wrong
black|white
asleep|awake
easy|hard
deep|shallow
wide|narrow
brave|afraid
laugh|cry
push|pull
give|take
win|lose
start|stop
come|go
buy|sell
remember|forget
yes|no
always|never
many|few
before|after
above|below
sharp|dull
smooth|rough
kind|mean
polite|rude
""")
)
PAST = dict(
    row[:2]
    for row in rows("""
go|went
run|ran
see|saw
eat|ate
find|found
give|gave
take|took
make|made
come|came
fly|flew
sing|sang
swim|swam
write|wrote
draw|drew
drink|drank
sleep|slept
fall|fell
hide|hid
hold|held
keep|kept
know|knew
lose|lost
ride|rode
say|said
sit|sat
stand|stood
tell|told
think|thought
throw|threw
wake|woke
wear|wore
win|won
build|built
bring|brought
buy|bought
catch|caught
break|broke
begin|began
blow|blew
dig|dug
feel|felt
grow|grew
hear|heard
leave|left
meet|met
play|played
walk|walked
jump|jumped
help|helped
look|looked
smile|smiled
cook|cooked
paint|painted
cry|cried
carry|carried
clap|clapped
stop|stopped
hop|hopped
dance|danced
bake|baked
laugh|laughed
""")
)
RHYMES = [
    line.split()
    for line in """
cat hat bat mat rat
dog log frog fog
house mouse
tree bee sea key
star car jar far
moon spoon soon noon
cake lake snake rake
ball wall fall tall
book cook hook look
king ring sing wing
rain train plane chain
fish dish wish
bed red head bread
sun run fun bun
boat goat coat
bear pear chair hair
light night kite bite
cow now
nose rose toes
fox box socks
bell shell well
sock rock clock
nail snail tail mail
hill pill mill
sheep sleep deep
hand sand band land
pig wig big dig
bug rug mug hug
mice rice ice
snow bow
fly sky pie tie
tent went sent
ant plant
ship lip trip
game name flame
hen pen ten
duck truck luck
brick stick
queen green bean
blue shoe two
door floor four
gold cold old
food mood
sad glad mad dad
drum plum thumb
""".strip().splitlines()
]
CATEGORIES = {
    "animal": "dog cat horse cow rabbit lion bear fox duck frog sheep tiger mouse goat".split(),
    "fruit": "apple pear banana plum peach cherry grape mango melon lemon".split(),
    "vegetable": "carrot potato onion pea bean corn cabbage pumpkin".split(),
    "color": "red blue green yellow purple pink white black brown".split(),
    "toy": "ball doll kite puzzle yo-yo puppet hoop balloon".split(),
    "tool": "hammer saw shovel rake broom ladder".split(),
    "body part": "hand foot nose ear eye knee arm leg mouth".split(),
    "shape": "circle square triangle star oval heart".split(),
    "job": "baker teacher farmer doctor nurse painter cook".split(),
    "clothing": "hat coat shirt scarf sock shoe dress sweater".split(),
    "drink": "milk water tea juice cocoa lemonade".split(),
    "instrument": "drum flute guitar trumpet violin".split(),
    "number": "one two three four five six seven eight nine ten".split(),
    "day": DAYS,
    "vehicle": "car bus train boat plane truck bike tractor".split(),
    "flower": "tulip daisy rose sunflower poppy".split(),
    "bird": "owl robin crow eagle swan parrot penguin".split(),
    "bug": "ant bee ladybug butterfly cricket".split(),
    "furniture": "chair table bed couch shelf".split(),
}
# thing|color
USUAL_COLORS = rows("""
grass|green
the sky on a sunny day|blue
snow|white
a ripe banana|yellow
a carrot|orange
the night sky|black
a strawberry|red
milk|white
a frog|green
a ripe tomato|red
the sun in a picture|yellow
chocolate|brown
a pumpkin|orange
a flamingo|pink
coal|black
a lemon|yellow
an elephant|gray
a fire truck|red
a leaf in summer|green
a cloud before the rain|gray
a crow|black
a swan|white
a pig|pink
a plum|purple
a cucumber|green
butter|yellow
a bear in the forest|brown
a polar bear|white
""")
