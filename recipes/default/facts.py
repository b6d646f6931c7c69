"""What a small child may ask about the world, and short answers.

Each line has ways to ask, between slashes, a bar, and one or more answers, between slashes as well.
"""

from __future__ import annotations

import words as wd

_FACTS = """
What is rain?/Why does it rain?/Where does rain come from? | Rain is water that falls from the clouds. The drops in a cloud grow big and heavy, and then they fall./Clouds are made of tiny drops of water. When the drops get too heavy, they fall down as rain.
What is snow?/Why does it snow?/Where does snow come from? | Snow is frozen water. When it is very cold, the water in the clouds turns into small ice crystals, and they fall as snow./When it is cold enough, clouds make tiny stars of ice. Many of them together are snow.
What is a rainbow?/How does a rainbow come to be?/When can I see a rainbow? | A rainbow is light from the sun that shines through drops of rain. The drops split the light into many colors./You can see a rainbow when the sun shines while it rains. The drops of water show all the colors of the light.
What is wind?/Why is there wind?/Where does the wind come from? | Wind is air that moves. Warm air goes up, cool air takes its place, and that makes the wind blow./When air moves from one place to another, we feel it as wind.
What is a cloud?/What are clouds made of? | A cloud is made of very many tiny drops of water or bits of ice. They are so light that they float in the air./Clouds are made of water. The drops are so small that they do not fall.
What is thunder?/Why does it thunder? | Thunder is the sound of lightning. The flash makes the air very hot very fast, and that makes a loud boom./When lightning heats the air, it makes a big bang. We call it thunder.
What is lightning? | Lightning is a huge spark in the sky. It jumps from a cloud to the ground or to another cloud.
What is fog? | Fog is a cloud that lies on the ground. It is made of tiny drops of water, and one cannot see far in it.
What is ice?/How is ice made? | Ice is frozen water. When water gets very cold, it becomes hard, and then we call it ice.
What is steam? | Steam is water that is so hot that it goes up into the air. You can see it over a pot of hot soup.
Why is the sky blue?/What makes the sky blue? | The light of the sun has all colors in it. The air spreads the blue light more than the others, so the sky looks blue.
Why does the sun go down?/Where does the sun go at night? | The earth turns around once a day. In the evening, our side turns away from the sun, and it gets dark./The sun does not go anywhere. The earth turns, and at night, the sun shines on the other side.
What is the sun?/Is the sun a star? | The sun is a star. It is very big and very hot, and it gives us light and warmth.
What is the moon?/What is the moon made of? | The moon is a big ball of rock that goes around the earth. It shines because the sun shines on it.
What is a star?/What are stars? | A star is a huge, hot ball that shines. Stars look small because they are very far away.
What is the earth?/Is the earth round? | The earth is the big round ball that we live on. It has land, water and air, and it goes around the sun.
Why do we have day and night?/Why does it get dark? | The earth turns like a top. When our side looks at the sun, it is day, and when it looks away, it is night.
What is a year?/How long is a year? | A year is the time that the earth needs to go around the sun once. It has twelve months.
How many days are in a week?/How many days does a week have? | A week has seven days.
How many months are in a year?/How many months does a year have? | A year has twelve months.
How many hours does a day have?/How many hours are in a day? | A day has twenty-four hours.
How many minutes are in an hour? | An hour has sixty minutes.
How many seasons are there?/What are the seasons? | There are four seasons: spring, summer, autumn and winter.
What happens in spring?/What is spring? | In spring, it gets warmer. Flowers bloom, birds build nests, and the trees get new leaves.
What happens in summer?/What is summer? | Summer is the warm season. The days are long, fruit gets ripe, and many people go swimming.
What happens in autumn?/What is autumn? | In autumn, the leaves turn red and yellow and fall from the trees. It gets cooler, and farmers bring in the harvest.
What happens in winter?/What is winter? | Winter is the cold season. The days are short, many trees have no leaves, and sometimes it snows.
Why do leaves fall from the trees?/Why do trees lose their leaves? | In autumn, there is less light and less water, so the trees let their leaves fall. In spring, they grow new ones.
Why are leaves green? | There is something green in the leaves that catches the light of the sun. With it, the plant makes its food.
Why do we sleep?/Why do I have to sleep? | When we sleep, the body rests and grows, and the head puts its thoughts in order. In the morning, we are fresh again./Sleep makes us strong again. While we sleep, the body mends itself.
Why do we dream?/What is a dream? | A dream is like a story in our head while we sleep. The brain plays with all that we saw and felt.
Why do we eat?/Why do I need to eat? | Food gives us strength. The body needs it to move, to grow and to keep warm.
Why do we drink water?/Why is water important? | Our body is full of water and loses some of it each day. So we must drink to stay well.
Why do we wash our hands?/Why should I wash my hands? | There can be germs on our hands that make us sick. Soap and water wash them away.
Why do we brush our teeth?/Why should I brush my teeth? | Bits of food stay on the teeth and can make holes. The brush takes them away and keeps the teeth clean.
Why do we cry? | We cry when we are sad or hurt, and sometimes when we are very happy. It often makes us feel better.
Why do we laugh? | We laugh when something is funny or when we are happy. Laughing together makes people feel close.
Why do we yawn? | We yawn when we are tired or bored. We take a big, deep breath of air.
Why do we have bones?/What are bones for? | Bones hold up the body, like the beams of a house. Without them, we could not stand.
What does the heart do?/What is the heart for? | The heart pumps the blood through the whole body. You can feel it beat in your chest.
What do we need lungs for?/What do the lungs do? | With our lungs, we breathe. They take in fresh air and let out the old air.
What is the brain for?/What does the brain do? | The brain is in your head. With it, you think, remember, feel and move.
How many fingers do we have?/How many fingers do people have? | Most people have ten fingers, five on each hand.
How many toes do we have? | Most people have ten toes, five on each foot.
What are eyes for?/What do we do with our eyes? | With our eyes, we see light, colors and shapes.
What are ears for?/What do we do with our ears? | With our ears, we hear sounds, voices and music.
What is the nose for?/What do we do with our nose? | With our nose, we smell and breathe.
What is the tongue for? | With our tongue, we taste, and we need it to speak.
What are the five senses?/How many senses do we have? | The five senses are seeing, hearing, smelling, tasting and touching.
Why do we get sick?/What makes us sick? | Often germs make us sick. They are too small to see. Rest, water and good food help the body to fight them.
What is a fever? | When you have a fever, your body is hotter than it should be. It is fighting against germs.
Why do we need sun?/Why is the sun important? | The sun gives light and warmth. Without it, plants could not grow, and it would be very cold.
What do plants need?/What does a plant need to grow? | A plant needs water, light, air and soil.
What is a seed? | A seed is the start of a plant. If it gets water and warmth, it begins to grow.
What is a tree? | A tree is a big plant with a hard trunk, branches and leaves. Its roots are deep in the ground.
What are roots for?/What do roots do? | Roots hold the plant in the ground and drink water from the soil.
What is a flower for?/Why do plants have flowers? | Flowers call bees with their color and smell. When a bee comes, the plant can make seeds.
How do bees make honey?/Where does honey come from? | Bees collect sweet juice from flowers and carry it home. In the hive, they turn it into honey.
Where does milk come from? | Most of our milk comes from cows. The farmer milks them in the morning and in the evening.
Where do eggs come from? | Most of the eggs that we eat come from hens. A hen lays about one egg a day.
Where does wool come from? | Wool comes from sheep. Once a year, the farmer cuts their thick hair, and people make yarn from it.
Where does bread come from?/How is bread made?/What is bread made of? | Bread is made of flour, water, salt and yeast. The baker makes dough from it and bakes it in a hot oven.
What is flour?/Where does flour come from? | Flour is grain that has been ground very fine. Often it is made from wheat.
What is cheese made of?/How is cheese made? | Cheese is made from milk. The milk gets thick, and then it must rest for a while.
What is butter made of? | Butter is made from cream. One shakes or beats it until it gets thick.
What is chocolate made of? | Chocolate is made from cocoa beans, sugar and often milk.
What is paper made of?/Where does paper come from? | Paper is made from wood. The wood is cut very small, mixed with water, pressed flat and dried.
What is glass made of? | Glass is made from sand that has been made very, very hot.
What is a house made of? | A house can be made of wood, stone or bricks. It has walls, windows, a door and a roof.
Why do boats float?/How can a boat float? | A boat is full of air and pushes water to the side. The water pushes back and holds it up.
How do planes fly?/Why can a plane fly? | A plane has wings and strong engines. When it is fast, the air under the wings lifts it up.
How do birds fly?/Why can birds fly? | Birds have wings, feathers and light bones. They push the air down with their wings, and that lifts them up.
How do fish breathe?/Can fish breathe under water? | Fish have gills. With them, they take air out of the water.
Why do birds sing? | Birds sing to call a friend or to say, "This is my place!"
Why do birds fly south?/Where do birds go in winter? | In winter, it is cold, and there is little food. So many birds fly to warm lands and come back in spring.
Why do bears sleep in winter?/What do bears do in winter? | In winter, there is little food. So bears eat a lot in autumn and sleep through the cold time.
Why do cats purr? | Cats often purr when they feel good and safe. Sometimes they do it to calm down.
Why do dogs wag their tails? | Dogs wag their tails when they are happy or excited. It is their way to say hello.
Why do dogs bark? | Dogs bark to warn us, to say hello or because they want something.
Why do spiders make webs?/What is a web for? | A spider makes a web to catch flies and other bugs. The threads are thin and sticky.
How does a caterpillar become a butterfly?/What does a caterpillar turn into? | A caterpillar eats a lot and then makes itself a hard coat. Inside, it changes, and after some time, a butterfly comes out.
How does a tadpole become a frog?/What does a tadpole turn into? | A tadpole lives in the water and has a tail. It grows legs, loses the tail and becomes a frog.
What is an egg?/What comes out of an egg? | Birds, turtles and snakes lay eggs. Inside, a baby animal grows until it is big enough to come out.
Why do zebras have stripes? | The stripes make it hard to see one zebra in a group, and they bother the flies.
Why do giraffes have long necks? | With its long neck, a giraffe can eat leaves from the tops of tall trees.
Why does an elephant have a trunk?/What does an elephant do with its trunk? | With its trunk, an elephant smells, drinks, picks up food and says hello.
Why do kangaroos have a pouch? | The mother kangaroo carries her baby in the pouch. There it is warm and safe.
Why do turtles have a shell?/What is a shell for? | The shell is like a hard house. When there is danger, the turtle pulls in its head and legs.
Why is the sea salty? | Rivers wash a little salt out of the stones and carry it into the sea. Over a long, long time, it became a lot.
What is the sea?/What is an ocean? | The sea is a very big, deep body of salty water. Fish, whales and crabs live in it.
What is a river? | A river is water that flows over the land, down to a lake or to the sea.
What is a lake? | A lake is a big body of water with land all around it.
What is an island? | An island is land with water all around it.
What is a mountain? | A mountain is very high land. At the top, it is often cold, and there may be snow.
What is a forest? | A forest is a place with very many trees. Deer, foxes, owls and many other animals live there.
What is a desert? | A desert is a very dry place. It almost never rains there, and there is a lot of sand.
What is a volcano? | A volcano is a mountain with a hole at the top. Sometimes hot, melted rock comes out of it.
What is sand? | Sand is made of very small bits of stone. Wind and water made them so small.
What is mud? | Mud is soil that is mixed with water.
What is a shadow?/Why do I have a shadow? | A shadow is the dark place behind something that stands in the light. The light cannot go through it.
What is an echo? | An echo is a sound that comes back to you. It jumps back from a wall or a mountain.
What is a magnet? | A magnet pulls things that are made of iron. It can hold a paper to a door of metal.
What is fire?/Why is fire hot? | Fire is what happens when something burns. It gives light and heat, and one must be careful with it.
What is air?/Can we see air? | Air is all around us. We cannot see it, but we breathe it, and we can feel it when it moves.
What does a baker do?/What is a baker? | A baker makes bread, rolls and cakes. Bakers get up very early so that the bread is fresh in the morning.
What does a farmer do?/What is a farmer? | A farmer grows plants for food and takes care of animals such as cows, pigs and hens.
What does a doctor do?/What is a doctor? | A doctor helps people who are sick or hurt. The doctor looks at them and finds out what makes them well.
What does a nurse do? | A nurse takes care of sick people, gives them medicine and helps the doctor.
What does a teacher do? | A teacher helps children to learn reading, writing, counting and many other things.
What does a firefighter do? | A firefighter puts out fires and saves people and animals.
What does a police officer do? | A police officer helps people and sees to it that everybody keeps the rules.
What does a postman do?/Who brings the letters? | A postman brings letters and boxes to the houses.
What does a gardener do? | A gardener plants flowers, trees and vegetables and takes care of them.
What does a carpenter do? | A carpenter makes things of wood, such as tables, doors and roofs.
What does a tailor do? | A tailor makes and mends clothes with needle and thread.
What does a cook do? | A cook makes meals. A cook washes, cuts, boils, bakes and tastes.
What does a painter do? | A painter paints pictures, or walls and doors.
What does a fisherman do? | A fisherman goes out in a boat and catches fish with a net or a rod.
What does a librarian do? | A librarian takes care of the books in a library and helps people to find a good one.
What does a dentist do? | A dentist looks after teeth. If a tooth has a hole, the dentist mends it.
What does a vet do?/Who helps sick animals? | A vet is a doctor for animals.
What does a pilot do? | A pilot flies a plane.
What does a sailor do? | A sailor works on a ship.
What does a shepherd do? | A shepherd looks after sheep and finds good grass for them.
What does a beekeeper do? | A beekeeper takes care of bees and collects their honey.
What is a hammer for?/What do you do with a hammer? | With a hammer, you hit nails into wood.
What is a saw for?/What do you do with a saw? | With a saw, you cut wood.
What is a shovel for? | With a shovel, you dig holes in the ground.
What is a rake for? | With a rake, you gather leaves on the grass.
What is a broom for? | With a broom, you sweep the floor.
What is a ladder for? | You climb up on a ladder when something is too high to reach.
What is a needle for? | With a needle and a thread, you sew clothes.
What is a key for? | With a key, you open or close a lock.
What is a map for?/What is a map? | A map is a drawing of a place from above. It helps you to find the way.
What is a compass for? | A compass shows where north is, so you can find the way.
What is a clock for? | A clock shows what time it is.
What is an umbrella for? | An umbrella keeps you dry when it rains.
What is a telescope for? | With a telescope, you can see things that are far away, such as the moon and the stars.
What is a scarf for? | A scarf keeps your neck warm when it is cold.
What is a pot for? | In a pot, you cook soup, noodles and many other things.
What is a spoon for? | With a spoon, you eat soup and stir things.
What is a watering can for? | With a watering can, you give water to plants.
What is a lamp for? | A lamp gives light when it is dark.
What is a mirror for? | In a mirror, you can see yourself.
What is a bridge for?/What is a bridge? | A bridge helps us to cross a river, a road or a valley.
What is a library?/What can I do in a library? | A library is a place with many books. You can read them there or borrow them.
What is a museum? | A museum is a house where old, rare or pretty things are shown.
What is a market? | A market is a place where people sell fruit, vegetables, bread, cheese and other things.
What is a harbor? | A harbor is a safe place for ships. There they can load, unload and rest.
What is a lighthouse for? | A lighthouse has a big light on top. It shows ships the way at night.
What is a circle?/What does a circle look like? | A circle is a round shape, like a coin or a wheel. It has no corners.
What is a square?/How many sides does a square have? | A square has four sides, and all of them have the same length. It has four corners.
What is a triangle?/How many sides does a triangle have? | A triangle is a shape with three sides and three corners.
What is a rectangle? | A rectangle has four sides and four corners, like a door. Two sides are long, and two are short.
What is a ball shaped like?/What shape is a ball? | A ball is round on all sides. We call this shape a sphere.
What number comes after nine? | After nine comes ten.
What is a pair?/How many things are a pair? | A pair is two things that belong together, like two shoes.
What is a dozen?/How many is a dozen? | A dozen is twelve.
What is half?/What does half mean? | If you cut something into two equal parts, each part is a half.
What colors make green?/How can I mix green? | If you mix blue and yellow, you get green.
What colors make orange?/How can I mix orange? | If you mix red and yellow, you get orange.
What colors make purple?/How can I mix purple? | If you mix red and blue, you get purple.
What colors make pink?/How can I mix pink? | If you mix red and white, you get pink.
What colors make gray? | If you mix black and white, you get gray.
What are the colors of the rainbow? | The colors of the rainbow are red, orange, yellow, green, blue and purple.
What is fruit?/What fruit do you know? | Fruit grows on plants and often tastes sweet. Apples, pears, plums and bananas are fruit.
What are vegetables?/What vegetables do you know? | Vegetables are parts of plants that we eat, such as carrots, peas, beans and potatoes.
Is a tomato a fruit or a vegetable? | It grows from a flower and has seeds, so it is a fruit. But in the kitchen, we use it like a vegetable.
What do I need for a sandwich?/How do I make a sandwich? | Take two slices of bread. Put butter, cheese or something else that you like between them, and it is done.
How do I make tea?/How is tea made? | Boil some water, put the tea into a cup and pour the hot water over it. Then wait a few minutes. A grown-up should help you with the hot water.
How do you make lemonade?/What is in lemonade? | Lemonade is made of water, lemons and sugar. Mix them well and drink it cold.
What is soup? | Soup is a warm meal that you eat with a spoon. It is made of water with vegetables, noodles or meat.
Why should I eat vegetables?/Are vegetables good for me? | Vegetables have much in them that the body needs to grow and to stay well.
Is candy good for me?/Can I eat candy every day? | A little candy now and then is fine. Too much of it is bad for your teeth and your belly.
What is a friend?/What makes a good friend? | A friend is somebody who likes you, listens to you and helps you.
What does it mean to share?/Why should I share? | To share means to let others have a part of what you have. It makes them happy, and often it makes you happy, too.
What is a promise? | When you promise something, you say that you will surely do it. So one must not forget it.
What does brave mean?/What is courage? | You are brave when you do something that is right although you are scared.
What does honest mean?/What does it mean to be honest? | To be honest means to tell the truth, even if it is hard.
What is patience?/What does patient mean? | If you are patient, you can wait without getting angry.
What should I do when I am angry?/What helps when I am angry? | Take a deep breath, count to ten and then say what made you angry. It also helps to go for a walk.
What should I do when I am sad?/What helps when I am sad? | It helps to talk to somebody, to get a hug or to do something that you like. It is all right to cry.
What should I do when I am afraid?/What helps when I am scared? | Hold somebody's hand, take a deep breath and tell somebody what you are afraid of. Often it gets smaller then.
What should I do when I am bored?/I am bored. What can I do? | You could draw a picture, build a tower, read a book or look for three round things in your room.
How can I make a friend?/How do I make friends? | Smile, say hello and ask if you may play along. Be kind and listen, and soon you may have a friend.
How can I help at home? | You can set the table, water the plants, put away your toys or dry the plates.
How do I cross the street?/What should I do before I cross the street? | Stop, look left, look right and look left again. If no car is coming, walk across. Hold the hand of a grown-up.
What is a birthday?/What do people do on a birthday? | A birthday is the day on which somebody was born. Often there are a cake, candles and presents.
What is a family? | A family is a group of people who belong together and care for each other.
What is a language? | A language is a way to say things with words. There are many languages in the world.
What is music? | Music is made of sounds that go well together. People sing it or play it on instruments.
What is a story? | A story tells what happened to somebody. It can be true or made up.
What is money for?/What is money? | With money, we buy things. People get it for their work.
What is a pet? | A pet is an animal that lives with people, such as a dog, a cat or a rabbit.
What is a wild animal? | A wild animal lives on its own in nature, such as a fox, a deer or a bear.
What is the biggest animal?/Which animal is the biggest? | The blue whale is the biggest animal in the world.
What is the tallest animal?/Which animal is the tallest? | The giraffe is the tallest animal.
What is the fastest animal on land?/Which land animal is the fastest? | The cheetah is the fastest animal on land.
What is a very slow animal?/Which animal is very slow? | A snail is very slow. A sloth and a turtle are slow, too.
Which animals can fly? | Birds, bats and many bugs can fly.
Which animals live in the sea? | Fish, whales, dolphins, crabs and many others live in the sea.
Which animals live on a farm? | Cows, pigs, sheep, goats, horses, hens and ducks live on a farm.
Which animals sleep during the day? | Owls, bats and hedgehogs sleep during the day and wake up at night.
Which birds cannot fly? | Penguins and ostriches are birds that cannot fly.
How many legs does a spider have?/How many legs do spiders have? | A spider has eight legs.
How many legs does an ant have?/How many legs do bugs have? | Ants, bees and other insects have six legs.
How many wheels does a bike have? | A bike has two wheels.
How many wheels does a car have? | Most cars have four wheels.
What is a car?/What is a car for? | A car is a machine with wheels. It carries people from one place to another.
What is a train? | A train is a row of wagons that runs on rails.
What is a boat? | A boat is something that carries people over the water.
What is a plane? | A plane is a machine with wings that flies through the air.
What is a map made of? | Most maps are printed on paper.
What is a school for?/Why do we go to school? | In school, we learn to read, to write and to count, and we find friends.
What is a holiday? | A holiday is a day without work or school.
What is morning?/When is morning? | Morning is the first part of the day, when the sun comes up.
What is midnight? | Midnight is the middle of the night, at twelve o'clock.
Why do we wear coats in winter? | It is cold in winter, and a thick coat keeps the warm air close to the body.
Why is ice slippery? | Ice is very smooth, and a thin film of water lies on it. So our feet slide.
Why does a ball bounce? | When a ball hits the ground, it is pressed together. Then it springs back and jumps up.
Why do things fall down?/Why does an apple fall down? | The earth pulls all things toward it. That is why they fall when we let go.
Why do we need trees?/Why are trees important? | Trees make fresh air, give shade and fruit, and they are a home for many animals.
What is a fossil? | A fossil is a trace of a plant or an animal from very long ago that has turned to stone.
What is a dinosaur?/What were dinosaurs? | Dinosaurs were animals that lived a very, very long time ago. Some were huge, and some were as small as a hen.
What is the north pole? | The north pole is at the very top of the earth. It is icy and cold, and polar bears live near it.
"""


def _lines() -> list[tuple[list[str], list[str]]]:
    found = []
    for line in _FACTS.strip().splitlines():
        questions, answers = line.split(" | ")
        found.append((questions.split("/"), answers.split("/")))
    return found


FACTS = _lines()


def animal_facts(row: list[str]) -> list[tuple[list[str], list[str]]]:
    """What is known about an animal."""
    name, home, food, sound, moves, baby, legs, _, _ = row
    a, many = wd.an(name), wd.plural(name)
    if name in ("monkey", "gorilla"):
        legs = ""
    facts = [
        (
            [f"What does {a} eat?", f"What do {many} eat?", f"What is the food of {a}?"],
            [f"{a[0].upper()}{a[1:]} eats {food}.", f"{many.capitalize()} eat {food}."],
        ),
        (
            [f"Where does {a} live?", f"Where can I find {a}?", f"Where is the home of {a}?"],
            [
                f"{a[0].upper()}{a[1:]} lives in {home}."
                if not home.startswith(("the ", "warm rocks", "water"))
                else f"{many.capitalize()} live "
                + (
                    "on "
                    if home.startswith(
                        ("the plains", "the dry plains", "the shore", "the icy shore", "warm rocks")
                    )
                    else "in "
                )
                + home
                + "."
            ],
        ),
        (
            [f"How does {a} move?", f"How do {many} move?"],
            [
                f"{many.capitalize()} can {moves}."
                if moves != "slide"
                else f"{many.capitalize()} slide over the ground."
            ],
        ),
        (
            [f"How many legs does {a} have?", f"How many legs do {many} have?"],
            [
                f"{a[0].upper()}{a[1:]} has {legs} legs."
                if legs and name != "crab"
                else "A crab has eight legs and two claws."
                if legs
                else f"{a[0].upper()}{a[1:]} has two legs and two long arms."
            ],
        ),
    ]
    if sound != "make no sound":
        first, _, rest = sound.partition(" ")
        verb = (
            first[:-1] + "ies"
            if first.endswith("ry")
            else first + "es"
            if first.endswith(("s", "sh", "ch", "w "))
            else first + "s"
        )
        verb += " " + rest if rest else ""
        facts.append(
            (
                [f"What sound does {a} make?", f"What does {a} sound like?"],
                [f"{a[0].upper()}{a[1:]} {verb}.", f"{many.capitalize()} {sound}."],
            )
        )
    else:
        facts.append(
            (
                [f"What sound does {a} make?"],
                [f"{a[0].upper()}{a[1:]} makes no sound that we can hear."],
            )
        )
    if not baby.startswith(("tiny", "egg")):
        facts.append(
            (
                [f"What is a baby {name} called?", f"What do we call a baby {name}?"],
                [f"A baby {name} is called {wd.an(baby)}."],
            )
        )
    return facts


HOME_PREPOSITIONS = {"on": ("a leaf", "a roof", "a river bank", "a cliff by the sea", "a farm")}
ANIMAL_FACTS = [fact for row in wd.ANIMALS for fact in animal_facts(row)]
for _questions, _answers in ANIMAL_FACTS:
    for _i, _answer in enumerate(_answers):
        for _home in HOME_PREPOSITIONS["on"]:
            if _answer.endswith(f" lives in {_home}."):
                _answers[_i] = _answer.replace(f"in {_home}", f"on {_home}")
