"""What is said about events: templates by kind of event, and how they are read.

A line "= KIND" is followed by its templates, one a line. In a template, [x|y|] is a choice, {a},
{b}, ... are those who take part (a: the hero, o: the main thing, p: the main place; plots.py has
the others), {a.s} is the name or a pronoun, as the teller sees fit, and stands only where the first
mention of the event is; all other forms are attributes of world.Person, world.Thing and
world.Place. A slot that begins a sentence gets its capital letter when templates are read.

All choices are multiplied out once, when this is imported: telling an event is then one draw and
one format.
"""

from __future__ import annotations

import itertools
import random
import re

MOST_VARIANTS = 400  # of a template; of more, so many are drawn

GENERAL = """
= own
{a.s} had {o.a}[.| and loved it very much.| and kept it close day and night.] [Every day|In the morning|After breakfast|Whenever there was time], {a.he} liked to {o.use}.
{a.s} [owned|had] {o.a}, and nothing was [better|more fun] than {o.doing}.
The best thing that {a} [owned|had|ever got] was {o.a}. [It was a present from {a.his} grandmother.|It was a present from {a.his} uncle.|{a.He} got it for {a.his} birthday.|It was not new, but it was {a.his} own.|{a.He} had saved up for it all winter.]
{a.s} was very [proud|fond] of {o.a} that [{a.his} father made|{a.his} aunt gave {a.him}|came from a shop by the sea|once belonged to {a.his} grandfather]. {a.He} loved to {o.use}.
Of all things, {a} liked {o.a} best. [{a.He} took it everywhere.|{a.He} never went out without it.|{a.He} even talked to it.|It stood next to {a.his} bed at night.]
{a.s} had {o.a}. [{a.He} was always careful with it.|{a.He} cleaned it every week.|{a.He} would not trade it for anything.] [Most of all|More than anything], {a.he} liked to {o.use}.

= go
{a.s} [went|walked|ran|skipped|hurried|set off] {r.to}.
[After lunch|In the afternoon|A little later|Soon after that|Before long], {a} [went|walked|ran|skipped] {r.to}.
{a.s} put on {a.his} [shoes|boots] and [went|walked|ran] {r.to}.
{a.s} [hummed a tune|whistled|sang] as {a.he} [walked|went|ran] {r.to}.
It was not far, so {a} [walked|went|ran] {r.to} [alone|on foot|by {a.himself}].
{a.s} took the [short|long|narrow|sandy] path and came {r.to}.
{a.s} [waved goodbye|said goodbye|closed the door] and [went|walked|hurried|skipped] {r.to}.

= go.with
{a} and {b} [went|walked|ran|hurried] {r.to} [together|side by side|hand in hand|].
{a.s} and {b} [set off|went|walked|ran] {r.to} [at once|right away|together|with quick steps].
Soon {a} and {b} [went|walked|ran] {r.to}. They [talked all the way|sang a walking song|raced to the first tree|counted their steps].
"Come on!" said {a}, and the two [went|walked|ran] {r.to}.

= go.home
{a.s} [went|walked|ran|hurried] home.
[When it grew late|When the sun was low|After a while|At last|When it was time for dinner], {a} [went|walked|ran] home.
{a.s} turned around and [went|walked|ran|skipped] [all the way|] home.

= go.home.with
{a} and {b} [went|walked|ran] home [together|side by side|].
[When the sun was low|After a while|At last|When they were tired], {a} and {b} [went|walked] home.

= arrive
There were {r.sight}[.| everywhere.| to see.]
[The first things|All] that {a.s} saw [there|] were {r.sight}.
{a.s} [looked around|stood still for a moment]. There were {r.sight}.
It was [nice|lovely|quiet|bright] there, with {r.sight}.
{r.The} [was full of life|looked lovely that day]: there were {r.sight}.

= joy
{a.s} {joy}[.| for a while.| and had a good time.| with a big smile.]
First, {a} {joy}. [That was fun.|Time went by fast.|It felt good.]
[For a while|Like always|Happily], {a.s} {joy}.
{a.s} {joy}, [and the time flew by|and nobody hurried {a.him}|just as {a.he} always did].

= hug
{a} [hugged|ran to] {b}, and {b} [held {a.him} tight|smiled|hugged {a.him} back].
{b} [gave|gave] {a} a [long|big|warm] hug.
{a} and {b} hugged each other [for a long time|with all their might|and laughed].
{b} put an arm around {a}, and [everything was well|both of them smiled|all was good again].

= thanks
"Thank you[!|so much!|, {b}!]" said {a}. "[You are the best|You are so kind|I could not do it without you|What would I do without you]."
{a} [thanked|hugged] {b}. "[I am so glad that you helped me|That was so nice of you|You really helped me]," {a.he} said.
"[Thank you for your help|Thanks a lot|Thank you with all my heart]," said {a}. "[You are welcome|I was happy to help|That is what friends are for|Any time]," said {b}.
{a} gave {b} a [big hug|warm smile]. "[You are welcome|It was nothing|I liked helping you]," said {b}.

= play.together
{a} and {b} played [together|] [until the sun went down|until dinner|all afternoon|until they were tired|until the first star came out].
The two [played|ran and laughed|laughed and played] [all day|until evening|for hours]. [They forgot the time.|Nobody wanted to stop.|It was the best day of the week.]
Then {a} and {b} [played tag|played hide and seek|made up a new game|told each other jokes|built a tower of stones] and had [a lot of fun|a great time].
They [played|stayed] together all afternoon, and [every minute was fun|both of them laughed a lot|neither of them was bored].

= meet.intro
[One day|That afternoon|On a warm day|The next morning], {b.intro} came to visit.
[Soon|One day|Then], {b.intro} came by. "[Hello|Hi], {a}! [Do you want to play?|Shall we play?|What are you doing?]" {b.he} asked.
{a.s} liked to play with {b.intro}. [The two knew each other well.|They were together almost every day.|They lived on the same street.]
There was a knock at the door. It was {b.intro}. "[Can you come out and play?|Let's go out and play!|Are you ready to play?]" {b.he} asked.

= feel.sad
{a.s} [felt|was] [very|so|] sad. [Tears ran down {a.his} face.|A tear fell on {a.his} shirt.|{a.He} wanted to cry.|{a.He} hung {a.his} head.|There was a lump in {a.his} throat.]
{a.s} [began to cry|started to cry|sat down and cried].
{a.His} eyes filled with tears. [How sad {a} was!|{a} felt very sad.|{a} did not know what to do.]
All at once, the day did not feel [nice|bright|good] anymore, and {a} was sad.

= feel.worried
{a.s} was [very|so|] worried. ["What shall I do now?" {a.he} thought.|{a.His} heart beat fast.|{a.He} walked up and down.|{a.He} could think of nothing else.]
{a.s} [felt|grew|was] worried. "[Oh no|Oh dear|Oh my]," {a.he} [whispered|thought|said to {a.himself}]. 
A worried look came over {a}'s face. [{a.He} bit {a.his} lip.|{a.He} felt a knot in {a.his} stomach.|{a.He} did not know what to do.]

= feel.scared
{a.s} was [very|so|] scared. [{a.His} knees shook.|{a.His} heart went thump, thump.|{a.He} wanted to run away.|{a.He} could hardly breathe.|{a.He} did not dare to move.]
{a.s} [felt|was] scared and [held {a.his} breath|closed {a.his} eyes|stood very still].
{a.His} legs felt like jelly. {a} was [really|very] scared.

= feel.sorry
{a.s} felt [very|so|really] sorry. [{a.His} stomach hurt.|{a.He} looked at the floor.|"Why did I do that?" {a.he} thought.|{a.He} wished that it had never happened.]
{a.s} felt bad about it. [It was as if a stone lay in {a.his} belly.|{a.He} could not look up.|{a.His} face was hot.]
{a.s} was sorry, and {a.his} [face turned red|ears grew hot|heart felt heavy].

= feel.angry
{a.s} was [very|so|] angry. [{a.He} stamped {a.his} foot.|{a.His} face turned red.|{a.He} did not want to talk.|{a.He} crossed {a.his} arms.]
{a.s} [grew|got|was] angry and [turned away|shouted, "That is not fair!"|made a fist|said a mean word].
"[This is not fair!|I am so mad!|Go away!]" cried {a}[.|, and {a.his} face was red.| in an angry voice.]

= feel.happy
{a.s} was [very|so|] happy. [{a.He} jumped up and down.|{a.He} could not stop smiling.|{a.He} danced around in a circle.|{a.He} laughed out loud.|{a.He} clapped {a.his} hands.]
{a.s} [felt|was] so happy that {a.he} [laughed out loud|jumped for joy|sang a little song|did a little dance].
A big smile came over {a}'s face. [{a.He} felt warm inside.|{a.He} felt as light as a feather.|How happy {a.he} was!]
{a.s} beamed with joy.

= feel.proud
{a.s} felt [very|so|really] proud. [{a.He} stood up straight.|{a.He} smiled from ear to ear.|{a.He} felt two inches taller.|{a.He} told everybody about it.]
"I did it!" {a} [said|thought|shouted]. [How proud {a.he} was!|{a.He} felt very proud.|{a.He} was proud and happy.]
{a.s} was proud of {a.himself}, and [{a.he} had every reason to be|it showed on {a.his} face|{a.he} could not wait to tell everybody].

= feel.brave
{a.s} felt [very|really|] brave. [It was a good feeling.|{a.He} stood up tall.|{a.He} held {a.his} head high.]
"I was brave!" {a} [said|thought]. [{a.He} smiled.|{a.He} felt big and strong.]
{a.s} felt brave and strong, [like a lion|like a knight in a story|as if {a.he} could do anything].

= feel.lonely
{a.s} felt [very|so|] lonely. [There was nobody to play with.|The days were long.|{a.He} talked to {a.his} shadow.|{a.He} wished for a friend.]
Nobody was there to [play with {a}|laugh with {a}|talk to {a}], and {a.he} felt lonely.
{a.s} was lonely. "[If only I had somebody to play with|I wish that I had a friend here]," {a.he} thought.

= feel.shy
{a.s} was too shy [to say hello|to speak|to go any closer]. [{a.He} only looked at {a.his} feet.|{a.His} face grew hot.|The words did not want to come out.]
{a.s} felt shy and hid behind [a tree|a post|a bush]. [What if nobody liked {a.him}?|{a.He} looked on from there.]

= feel.jealous
{a.s} felt jealous. "[Nobody looks at me anymore|What about me?|Nobody has time for me]," {a.he} [thought|said].
{a.s} was a little jealous and [kicked a cushion|went to sit in a corner|did not want to smile].

= feel.bored
{a.s} was [so|very|] bored. [{a.He} sighed.|Nothing happened at all.|The hours were long.]
It was boring to wait, and {a} [sighed|yawned|drew circles in the dirt].

= feel.disappointed
{a.s} was [very|so|] disappointed. [{a.His} shoulders dropped.|{a.He} had looked forward to it so much.|{a.He} made a long face.]
"Oh no," said {a}. [{a.He} was so disappointed that {a.he} wanted to cry.|What a disappointment it was!|{a.His} smile was gone.]

= feel.hungry
{a.s} was [so|very|] hungry. [{a.His} belly rumbled.|{a.His} belly felt like an empty drum.|{a.He} could think of nothing but food.]

= moral.care
{a.s} learned to [take good care of what {a.he} had|look after {a.his} things].
From that day on, {a} [always put things back in their place|took better care of {a.his} things|looked after everything that was dear to {a.him}].
"[I will be more careful from now on|Next time I will pay attention|I will take better care]," {a} promised[.|, and {a.he} kept the promise.| with a smile.]
After that, {a} knew that we must look after the things that we love.

= moral.help
{a.s} learned that [it is good to ask for help|many things are easy with a little help|nobody has to do everything alone].
From then on, {a} [was never too proud to ask for help|helped others, too, whenever {a.he} could].
"It is good to have somebody who helps," thought {a}[.|, and {a.he} was right.| that night.]
And {a} never forgot how good it feels when somebody helps.

= moral.honesty
{a.s} learned that [it is always best to tell the truth|the truth is like a light that makes things bright again|an honest word makes the heart light].
From that day on, {a} always [told the truth|tried to be honest], even when it was hard.
That night, {a} slept well, for {a.he} had [been honest|done the right thing].
"It is better to be honest," thought {a}, and [{a.his} heart felt light|{a.he} felt good].

= moral.kindness
{a.s} learned that [being kind makes two people happy|a kind deed comes back to you|even small kind deeds are big].
From that day on, {a} [tried to do one kind thing each day|was kind to everybody, big or small|looked for chances to be kind].
"It feels good to be kind," {a} [said|thought] [that evening|with a smile|before bed].
And so {a} found out that kindness is [like a seed that grows|worth more than gold|the best gift of all].

= moral.sharing
{a.s} learned that [sharing makes everything better|things are twice as good when we share them|it is more fun to share].
From then on, {a} [always shared|liked to share|never forgot to share] with {a.his} friends.
"[Sharing is more fun than having|It is nice to share]," {a} [said|thought], and [everybody agreed|{a.he} meant it].
And everybody saw that there is enough for all when we share.

= moral.patience
{a.s} learned that [good things take time|waiting can be worth it|one must be patient].
From that day on, when something took a long time, {a} [only smiled and waited|took a deep breath and waited].
"Good things need time," {a} [said|told {a.his} friends] [later|with a wise look|from then on].

= moral.gift
{a.s} learned that [the best gifts come from the heart|a gift does not need to cost anything|giving is as nice as getting].
And {a} knew that a gift made with love is the best gift of all.
"I like giving presents even more than getting them," thought {a} [that night|with a smile].

= moral.friendship
{a.s} learned that a [good|real|true] friend is [worth more than any toy|the best thing in the world|somebody who stays].
From that day on, [they were the best of friends|they were friends for good|they stuck together].
And {a} knew that [friends make everything better|nothing is better than a good friend].
"[I am glad that we are friends|You are my best friend]," said {a}, and [it was true|both of them smiled].

= moral.adventure
{a.s} [would never forget that day|told everybody about the adventure|dreamed about it for many nights].
"[What an adventure!|That was the best day ever!]" said {a} [before bed|that night|with shining eyes].
And {a} began to think about the next adventure [right away|that very night].

= moral.forgive
{a.s} learned that [it is good to say sorry|everybody makes mistakes|a friend can begin with the word sorry].
From that day on, they were kind to each other and never laughed at anybody again.
And {a} knew that it feels better to forgive than to be angry.

= moral.family
{a.s} learned that [there is enough love for everybody|a family belongs together].
And {a} knew that nothing is better than [to be together|being with those who love you].
From that day on, {a} was [always gentle with small ones|very good with little ones].

= moral.courage
{a.s} learned that [being brave means to be scared and to do it anyway|most things look worse than they are|a brave heart can be small].
From that day on, {a} was not [so|] afraid anymore.
"I was scared, but I did it," {a} told everybody [the next day|at dinner|later].
And whenever {a} was scared after that, {a.he} thought of this day and [felt brave|took a deep breath|smiled].

= moral.practice
{a.s} learned that [nobody is good at something on the first try|it pays to keep trying|one must practice and not give up].
From that day on, when something was hard, {a} said, "[I will try one more time|I only need some practice|I cannot do it yet, but soon I will]."
And {a} never gave up so fast again.

= moral.growing
{a.s} knew that growing up is [nothing to be afraid of|a little scary and a lot of fun].
"I am growing up!" {a} told everybody [the next day|with a big smile].
And {a} was never afraid of a loose tooth again.

= moral.listen
{a.s} learned that it is [wise|good|smart] to listen.
From that day on, {a} [listened when somebody warned {a.him}|always listened well].
"Next time I will listen," {a} promised[.|, and {a.he} did.| with a small voice.]

= moral.teamwork
{a.s} learned that [together we are strong|many hands make light work|what is too hard for one is easy for many].
From that day on, they did all the hard things together.
"Together we can do anything!" said {a}, and [everybody cheered|nobody said no].

= moral.judge
{a.s} learned that we should not [be afraid of others only because of their looks|believe every story that we hear].
From that day on, {a} always got to know somebody first before {a.he} made up {a.his} mind.
And {a} told everybody that a kind heart can be hidden under a rough coat.

= moral.rain
{a.s} learned that [a rainy day can be a good day, too|a change of plans can be fun|one can make the best of any day].
And {a} never minded the rain again.
"I hope that it rains again soon!" said {a}, and [everybody laughed|they all laughed].

= moral.content
{a.s} learned to be happy with what {a.he} had.
And {a} never wished for [such silly things|too much] again.
"I have everything that I need," {a} [said|thought], and [it was true|{a.he} meant it].

= moral.promise
{a.s} learned that [a promise is a promise|one must keep a promise, even when it is not easy].
From that day on, everybody knew that they could count on {a}.
And {a} was glad that {a.he} kept {a.his} word.

= end
It was [a good day|a very good day|the best day of the summer|a day to remember|the best day in a long time].
[And so|In the end|At last], everybody was [happy|glad] [again|and tired|and went to bed with a smile].
That night, {a} fell asleep with a smile[.| on {a.his} face.| and dreamed sweet dreams.]
[In the evening|That evening|At bedtime], {a} [told the whole story once more|thought about everything again|looked at the stars and smiled].
[And they all|They all] lived happily ever after.
The end.
{a.s} [went to bed|fell asleep] [happy and tired|full of joy|with warm feet and a full belly] that night.
[And from then on|From that day on], {a} [smiled each time {a.he} thought of that day|was a little wiser|was a bit happier than before].
{a.s} could not wait for the next day.
The sun went down, the stars came out, and {a} was [happy|glad|at peace].
And that is how it [all|] ended well.
Everybody was [proud of {a}|happy for {a}|glad that it ended so well].
{a.s} smiled and thought, "[What a day!|What a lovely day!|This was a good day.]"

= sub.snack
{e.Name} gave {a} {n} {food} [in a little bag|wrapped in a cloth|for the way]. "[Do not eat them all at once|Share them with your friends|In case you get hungry]," {e} said.
{e.Name} had put {n} {food} into {a}'s pocket. [They smelled good.|{a} ate one right away.|"For later," {e} said.]
= sub.snack.end
In {a}'s pocket, there was still one {one}. {a.He} broke it into pieces and [shared it|gave everybody a bit].
Then {a} remembered the {food}. [One {one} was left|There was one {one} left], and {a.he} [gave it to {e}|saved it for {e}]. "[How sweet of you|Thank you, dear]," said {e}.
There was one {one} left, and it [tasted better than ever|was the best {one} in the world].

= sub.dark
"Be [back|home] before dark!" {e} [called|said]. "I promise," said {a}.
{e.Name} had said, "[Please come home when the sun goes down|Be home when the street lamps go on|Do not be late for dinner]." {a} [promised it|nodded].
= sub.dark.end
And {a} was home [just before dark|when the first lamp went on|right in time for dinner], just as {a.he} had promised {e}.
"You are [right on time|home just in time]," said {e}, and {a} [was glad that {a.he} had kept the promise|smiled].
The sun was almost gone, so {a} hurried. {e.Name} stood at the door. "[You kept your promise|Just in time]," {e.he} said.

= sub.song
{a.s} [made up|sang|hummed] a little song about {about}. [It had only three notes.|It had no end.|It was a funny song.]
All the while, {a} sang a song about {about} [under {a.his} breath|very softly|again and again].
= sub.song.end
And {a} sang the song about {about} once more[.|, this time out loud.|, and everybody sang along.]
Somebody began to hum. It was {a}'s song about {about}, and soon everybody knew it.

= sub.puddle
There was a big puddle on the way. {a.s} [jumped over it|jumped right into it|walked around it], [and the water went splash|and a frog jumped away|and mud flew everywhere].
On the way, {a} saw [a deep|a big|a muddy] puddle with the sky in it. {a.He} [made a funny face at it|threw in a small stone|jumped over it with one big leap].

= sub.sight
On the way, {a} saw {see}. {a.He} [stopped|stood still|bent down] to [look|have a good look], [and then {a.he} went on|for it was so pretty].
{a.s} saw {see} and [smiled|pointed at it|said hello to it]. [It was a nice thing to see.|"Good morning!" {a.he} said.|Then {a.he} went on.]
"Look!" said {a}. There was {see}. [It was lovely.|Everybody had to smile.|{a} looked at it for a long time.]

= sub.hurt
Then {a} bumped {a.his} {where}. "Ouch!" {a.he} cried. [But it was not so bad, and {a.he} went on.|{a.He} rubbed it, and soon it was better.|{a.He} blew on it, and the pain went away.]
{a.s} stumbled and hurt {a.his} {where}. It [stung|hurt] a little, but {a.he} [was brave and did not cry|counted to ten, and it was fine].

= sub.follow
A little {kind} came along and [began to follow|walked right behind] {a}. [{a.He} stopped, and it stopped. {a.He} walked on, and it did the same.|"Do you want to come with me?" {a.he} asked. The {kind} just blinked.]
On the way, {a} met a small {kind}. It looked up at {a.him} and [followed {a.him}|came along] [everywhere|like a shadow].
= sub.follow.end
And the little {kind}? It [followed {a} all the way to the door|went home to its mother|fell asleep in the sun].
The small {kind} was still there. [{a} petted it softly.|{a} gave it a bit of bread.|It had watched everything.]

= sub.weather.wind
A [cool|soft|fresh] wind came up and [played with {a}'s hair|blew leaves across the path|made the trees whisper].
The wind [blew|grew stronger], and {a} [had to close {a.his} jacket|put {a.his} hands into {a.his} pockets].
= sub.weather.sun
The sun came out [from behind a cloud|], and [everything looked bright|it was warm on {a}'s face|the birds sang louder].
The sun was [high|warm|hot], and {a} [sat down in the shade for a moment|drank some water|looked for a shady spot].
= sub.weather.clouds
Gray clouds came [over the hill|from the west], and a few drops of rain fell. [But soon it was dry again.|{a} put out {a.his} tongue to catch one.|{a} did not mind.]

= sub.star
The night before, {a} had seen a falling star and made a wish. [{a.He} told nobody what it was.|It was a secret wish.]
{a.s} had a secret wish, and {a.he} had told it only to [the moon|the first star of the evening].
= sub.star.end
And now {a}'s secret wish had come true: it had been a wish for [a day full of friends|a good day|a real adventure].
That night, {a} looked at the sky. "Thank you, star," {a.he} whispered.

= sub.count
On the way, {a} counted {what}. There were {n} of them [in all|].
{a.s} liked to count things. That day, {a.he} counted {n} {what}.
= sub.count.end
"I saw {n} {what} today," {a} said [at dinner|in the evening|proudly].
Later, {a} thought of the {n} {what} again.

= sub.joke
"Why do bees hum?" {a} asked {a.himself}. "Because they forgot the words!" {a.He} laughed at {a.his} own joke.
"Why do birds fly south?" said {a} to a snail. "Because it is too far to walk!" {a.He} [laughed|giggled] all the way.
{a.s} [tried to walk like a crab|made a funny face|walked backward for ten steps] and [laughed|giggled].
"""

THINGS = """
= lost.play
{a.s} [took|had] {o.the} along. [For a while, {a.he} played with it.|It was fun to {o.use} there.|Then {a.he} put it down for a moment to look at a beetle.|{a.He} put it into a pocket that had a hole.]
{a.s} had brought {o.the}[.| in {a.his} pocket.| in {a.his} bag.] [But then something else caught {a.his} eye, and {a.he} put it down.|There was so much to see that {a.he} soon forgot about it.|While {a.he} jumped around, it fell to the ground.]

= lost.notice
{a.s} [reached for|looked for|wanted to play with] {o.the}, but it was [gone|not there]. "[Oh no!|Oh dear!|Where is it?]" {a.he} [cried|said].
[Suddenly|Then|All at once], {a} noticed that {o.the} was [gone|missing]. {a.He} [looked in every pocket|turned out {a.his} pockets|looked all around], but [it was not there|there was nothing].
"Where is my {o.same}?" said {a}. {a.He} [looked left and right|turned around and around], but {a.he} could not see it [anywhere|].
[And then|But then] {a} felt that something was missing. It was {o.the}! {a.He} must have lost it.

= lost.tell
{a.s} ran to {b.intro}. "I lost my {o.same}," {a.he} said[.|, and {a.his} voice shook.| with tears in {a.his} eyes.]
{b.intro} [saw|noticed] that something was wrong. "[What is the matter|What happened|Why are you sad], {a}?" {b.he} asked. "I cannot find my {o.same}," said {a}.
Just then, {b.intro} came by. "My {o.same} is gone!" said {a}. "[I have looked everywhere|I do not know where it is|It must be somewhere]."
{a.s} told {b.intro} about it. "It is {o.a}," {a.he} said. "Have you seen it?" But {b} had not seen it.

= lost.offer
"[Do not worry|Do not cry|Cheer up]," said {b}. "[We will look for it together|I will help you look|Four eyes see more than two|Things do not walk away]."
"Let us think," said {b}. "Where [were you when you last had it|did you see it last]?" {a} thought [hard|about it]. "{p.At}," {a.he} said. "Then we will look there," said {b}.
{b} [took {a} by the hand|put a hand on {a}'s arm]. "[I will help you|Come, we will search together]," {b.he} said.

= lost.back
So {a} and {b} went back {r.to}. [They walked the same way as before.|They looked at the ground all the way.|They hurried, for it was getting late.]
{a} and {b} hurried back {r.to}.
Together {a} and {b} walked back {r.to} [and looked left and right|with quick steps].

= search.no
{a.s} looked {spot}, but there was nothing[.| but dust.| but a sleepy bug.| at all.]
They looked {spot}. [Nothing was there.|They found only an old paper bag.|There was only a snail.|No luck.]
"Maybe it is {spot}," said {b}. [But it was not there.|They looked, but it was not there, either.|They looked carefully, but found nothing.]
{b} looked {spot}. "[Not here|Nothing here]," {b.he} said.

= lost.found
Then they looked {spot}, and there [was|lay] {o.the}! "[I found it!|There it is!|Here it is!]" {a} [shouted|cried|called].
"Look, {a}!" said {b}. Something {spot} [caught the light|could be seen]. It was {o.the}! {a} [picked it up|held it tight].
[At last|Finally], {a} found {o.the} {spot}. [It was a bit dirty, but nothing was broken.|It was cold and wet, but it was still in one piece.|It had been there all the time.]
{a.s} looked {spot} with care, and [what did {a.he} see|guess what was there]? {o.The}! "[I found it!|Hooray!]" {a.he} cried.

= found.see
Then {a} saw something {spot}. It was {o.a}! [It looked as if somebody had lost it.|Nobody was near it.|{a.He} picked it up and looked at it from all sides.]
[Suddenly|All at once], something {spot} caught {a}'s eye. {a.He} [bent down|went closer]. It was {o.a}.
{spot_up}, {a} found {o.a}. [It was lovely.|"Who does this belong to?" {a.he} wondered.|Somebody must have left it there.]

= found.keep
"[How nice it is!|How pretty it is!|I have always wanted one]," thought {a}. "[Can I keep it|May I take it home]?" But then {a.he} thought, "[Somebody may be looking for it|Somebody must be sad without it]."
{a.s} wanted to keep it. [It was so nice to {o.use}.|It felt good to hold it.] But {a.he} knew that it [was not {a.his} own|belonged to somebody else].
For a moment, {a} wanted to [put it into {a.his} pocket|run home with it]. Then {a.he} shook {a.his} head. "[It is not mine|I must find the owner]," {a.he} said.

= found.ask
{a.s} asked {c.intro}, "Is this yours?" "No," said {c}, "[I have never seen it|but it is good of you to ask|it is not mine. But somebody will miss it]."
{a.s} met {c.intro}. "Did you lose {o.a}?" {a.he} asked. {c} shook {c.his} head. "[No, I did not|It was not me]," {c.he} said. "[Ask the children over there|Keep asking]."

= found.owner
[Not far away|A little later|Behind a tree|On a bench], {a} [saw|met] {b.intro}, who was [crying|looking at the ground|searching for something]. "What is wrong?" asked {a}. "I lost my {o.same}," said {b}.
Then {a} heard somebody cry. It was {b.intro}. "[I cannot find my {o.same}|My {o.same} is gone]," {b} said. "[I have looked everywhere|My grandmother gave it to me]."

= found.give
{a.s} [held out|showed] {o.the}. "Is it this one?" {a.he} asked. {b} [jumped up|looked at it with big eyes]. "Yes! [That is mine!|That is it!]" {b.he} said, and {a} gave it to {b.him}.
"I found it {p.at}," said {a} and gave {o.the} to {b}. 
{a.s} smiled and gave {o.the} to {b}. "[Here you are|I am glad that I found you]," {a.he} said.

= found.thanks
"[Thank you so much|Oh, thank you], {a}!" said {b}. "[You are so honest|You could have kept it, but you did not|Not everybody would give it back]."
{b} [hugged|thanked] {a}. "[Do you want to play with me?|Let us play together!|Will you be my friend?]" {b.he} asked. "[Yes|I would love to|Of course]," said {a}.
"Let us [play with it|share it] together," said {b}, and {a} [nodded|was happy to].

= broke.own
{b.intro} had {o.a}. [It was very old.|It stood on a shelf.|It was a gift from long ago.|{b.He} loved it very much.] "[Please do not touch it|You may look at it, but do not play with it|Please be careful with it]," {b} often said.
In the house, there was {o.a}. It belonged to {b.intro}, and {b.he} [took good care of it|loved it|was very careful with it].

= broke.play
{a.s} [wanted to look at|could not stop looking at] {o.the}. {a.He} [took it in both hands|lifted it up|climbed on a chair and reached for it].
{a.s} was [jumping around|playing with a ball|dancing|chasing a fly], and {a.he} [did not watch out|came too close to {o.the}].
"[I only want to hold it once|I will be very careful]," {a} said and [reached for|took] {o.the}.

= broke.oops
[Crash!|Bang!|Oh no!] {o.The} [fell to the floor|slipped and fell] and broke [into two pieces|into three pieces|].
But {o.the} slipped out of {a.his} hands. [Crash!|Bang!] It [broke|lay] on the floor in [two|three|four] pieces.
Then it happened. {o.The} fell down and [broke|cracked] with a loud noise. {a} [stood still|could not move|stared at the pieces].

= broke.hide
{a.s} [picked up|gathered] the pieces and hid them {spot}. "[Nobody will see it|Maybe nobody will notice]," {a.he} thought. But [it did not feel good|{a.his} heart was heavy|{a.he} could not play anymore].
Quickly, {a} hid the pieces {spot}. At dinner, {a.he} [could not eat|was very quiet|only looked at {a.his} plate].

= broke.asked
"Where is my {o.same}?" asked {b}. {a} [looked at the floor|swallowed|turned red]. [First {a.he} wanted to say nothing.|A lie would be easy.] But then {a.he} said, "[I broke it. I am so sorry|It was me. I broke it, and I hid the pieces]."
In the evening, {b} looked for {o.the}. {a} [took a deep breath|could not stand it anymore]. "I must tell you something," {a.he} said. "[I broke it and hid it|I dropped it, and it broke]."

= broke.tells
{a.s} went to {b} [right away|with slow steps]. "[I broke your {o.same}|I did something bad|I dropped your {o.same}, and it broke]," {a.he} said[.| in a small voice.| with tears in {a.his} eyes.]
{a.s} [thought about hiding|wanted to hide] the pieces, but then {a.he} [shook {a.his} head|changed {a.his} mind]. {a.He} went to {b} and told {b.him} [everything|the truth].

= broke.forgive
{b} [was quiet for a moment|looked sad for a moment]. Then {b.he} said, "[Thank you for telling me the truth|I am sad about it, but I am proud that you told me|A thing can be mended. The truth is more important]."
"[I loved that {o.same}|It was dear to me]," said {b}, "but [I love you more|you are more important than any {o}|I am glad that you told me]."
{b} knelt down and [took {a} in {b.his} arms|looked into {a}'s eyes]. "[Everybody breaks something now and then|It was an accident]," {b.he} said. "[It was brave to tell me|I am glad that you are honest]."

= broke.mend
Together they got some glue and [put the pieces together|mended {o.the}]. [One could hardly see the cracks.|It was not perfect, but it was whole again.|It looked almost like new.]
They sat down at the table with a tube of glue. [Piece by piece|Slowly and carefully], they mended {o.the}. "[Now it has a story to tell|I like it even better now]," said {b}.

= turns.want
{a.s} [began to play with|took out] {o.the}. "I want it, too!" said {b}. "[But it is mine|I had it first|No, I am playing with it]," said {a}.
Both {a} and {b} wanted to [play with|have] {o.the} at the same time. "[Let me have it!|It is my turn!|Give it to me!]" said {b}. "[No!|No, it is mine!]" said {a}.

= turns.pull
{b} pulled on one side, and {a} pulled on the other. [It almost broke.|They pulled and pulled.|Neither of them let go.]
They [pulled|fought] and shouted [until their faces were red|so loudly that the birds flew away]. [It was not nice at all.|Nobody had any fun.]
{a.s} held {o.the} tight, and {b} [pulled at it|tried to take it]. [Soon both of them were in tears.|Then both of them fell on their backs.]

= turns.wise
{c.intro} [heard the noise|saw them fight]. "[What is this about?|Why do you fight?]" {c.he} asked. "[There is only one, but there are two of you|A {o} is not much fun alone]. [Why not take turns|You could take turns]?"
"Stop, you two," said {c.intro}. "[Count to fifty and then swap|One of you plays while the other one counts to fifty|Take turns, and both of you will be happy]."

= turns.idea
Then {a} [stopped|thought about it]. "[This is no fun|I do not want to fight]," {a.he} said. "[Let us take turns|You can have a turn and then I have a turn|What if we share it]?"
{b} was the first to stop. "[I am sorry|I do not want to fight with you]," {b.he} said. "[Let us take turns|We could take turns]." {a} [nodded|liked the idea].

= turns.first
First it was {a}'s turn, and {b} [watched and clapped|counted to fifty|waited on the grass].
{a.s} went first. [{b} counted out loud.|It was hard for {b} to wait, but {b.he} did it.|{b} cheered for {a}.]

= turns.second
Then {a} gave {o.the} to {b}. "[Now it is your turn|Here, now you]," {a.he} said. {b} [beamed|was very happy|smiled].
After that, {a} gave it to {b}, and {b} [laughed with joy|played with it, too]. "[It is fun to watch you|You are good at that]," said {a}.

= turns.fun
[They found out that|It was funny:] playing together was [much better|more fun] than playing alone.
They made up a new game [for two|with it], and [there was no more fighting|both of them laughed]. 
So they went on, turn by turn, [until the sun went down|all afternoon|until it was time to go home].

= stuck.fly
[Suddenly|Then|All at once], a [strong|sudden|big] wind came and took {o.the}. It flew [up, up, up|high into the air] and got stuck {where}.
{a.s} [threw|let go of] {o.the}, and the wind carried it away. It got stuck {where}. "[Oh no!|Come down!]" {a.he} cried.
{a.s} played with {o.the} and did not watch out. Whoosh! It [flew away and|] got stuck {where}.

= stuck.jump
{a.s} jumped as high as {a.he} could, but {a.his} arms were too short.
[First|At first], {a} tried to jump. {a.He} jumped [once, twice, three times|ten times], but it was too high.
= stuck.stick
{a.s} found a long stick and [poked at it|tried to reach it], but [the stick was not long enough|the stick broke|it did not move at all].
= stuck.stones
{a.s} threw a [small stone|pine cone|lump of dirt] at it, but [it missed|it only flew past it|it fell on {a.his} own head].
= stuck.climb
{a.s} tried to climb up, but {a.he} [slid down again|only got as far as a chair is high|was too small].

= stuck.ask
Then {b.intro} came along. "[Why do you look up?|What are you looking at?]" {b.he} asked. "My {o.same} is stuck {where}," said {a}. "[Can you help me?|Could you help me, please?]"
{a.s} saw {b.intro}. "[Please help me!|Can you help me?]" {a.he} called. "My {o.same} is up there, and I cannot reach it."
{b.intro} had [seen|watched] everything. "[You will never get it like that|That looks hard]," {b.he} said. "[But I have an idea|Let us do it together]."

= stuck.ladder
{b} [ran off and|went away and] came back with a ladder. {b.He} held it while {a} climbed up, [one step at a time|very slowly], and [took|reached] {o.the}.
= stuck.net
{b} had a net on a long pole. [Carefully|Slowly], {b.he} lifted {o.the} up and let it slide down to {a}.
= stuck.shake
{b} took a rope with a hook and threw it up. {b.He} pulled [once|once and then again], and {o.the} fell right into {a}'s arms.

= stuck.got
{a.s} [held|hugged] {o.the}. "[I have it again!|I got it back!]" {a.he} [cried|shouted].
"[There it is!|Hooray!]" said {a}. [There was only a little dirt on it.|It was not even torn.|Nothing was broken.]

= gift.birthday
[Soon|The next day|On Sunday|In three days], it would be the birthday of {b.intro}. {a} wanted to give {b.him} something [special|nice|very special].
It was almost the birthday of {b.intro}. "What can I give to {b}?" {a} [wondered|thought].

= gift.problem
But {a} had no money [at all|]. {a.His} pockets were empty. "[Then I will make something|I can make a present]," {a.he} [decided|said].
{a.s} looked at {a.his} coins. There were only [two|three] of them. [That was not enough.|One cannot buy much with that.] "I will make the present [myself|with my own hands]," said {a}.
"[I could buy flowers|I could buy a cake]," thought {a}, "but [I have no money|anybody can do that]. [I want to make something|I will make something by myself]."

= gift.make
There {a} made {o.a}. It took [all morning|two hours|all afternoon], and {a.he} worked [very|] hard.
{a.s} [sat down|set to work] and made {o.a}. [{a.He} stuck out {a.his} tongue while {a.he} worked.|{a.His} fingers were sticky, but {a.he} did not stop.|It was harder than {a.he} had thought.]
{a.s} closed the door so that nobody could see. Then {a.he} began to make {o.a}.

= gift.trouble
But [halfway through|when it was almost done], something went wrong. [A piece came off.|One side was too long.|A big drop of water fell on it.|It tipped over.] "[Now it is ruined|Oh no]," {a} [sighed|said].
It did not go well at first. [It looked crooked.|Everything stuck to everything.|It fell apart two times.] {a} almost [gave up|cried].

= gift.again
But {a.s} thought of {b} and tried again. This time, {a.he} [took more time|was more careful], and [it was good|it looked really nice].
{a.s} [took a deep breath|drank some water] and began again. [At last|After a while], it was done.

= gift.hide
When it was done, {a} hid {o.the} {spot}. [Nobody must see it!|It was hard to keep the secret.|{a.He} smiled to {a.himself}.]
{a.s} put {o.the} {spot}, where nobody would look. [All evening, {a.he} had a secret smile.|{a.He} could hardly sleep that night.]

= gift.day
Then the [big|great] day came. There was [a cake with candles|a big cake|breakfast with flowers], and everybody sang.
On the morning of the birthday, {a} was the first one who was awake. [{a.He} ran through the house.|The sun was shining.]

= gift.give
{a.s} gave {o.the} to {b}. "[Happy birthday!|This is for you!]" {a.he} said. "I made it myself."
"[Close your eyes|Hold out your hands]," said {a}. Then {a.he} gave {o.the} to {b}. "Happy birthday!"

= gift.reaction
{b} [looked at it for a long time|was quiet for a moment]. "[This is the nicest present of all|It is wonderful|I love it]," {b.he} said. "[I will keep it forever|You made it, and that makes it special]."
{b}'s eyes [shone|grew wet]. "You made this [for me|yourself]?" {b.he} asked. "[It is the best present I ever got|Nobody has a {o} like this]."

= saving.want
{a.s} wanted {o.a} [more than anything|very much|so much]. "[I would like to {o.use}|All day long I could {o.use}]," {a.he} said. [But it cost a lot of money.|But it was not cheap.]
In a shop window, {a} saw {o.a}. [{a.He} pressed {a.his} nose against the glass.|{a.He} went to look at it every day.] "[I will save my money for it|One day it will be mine]," {a.he} said.

= saving.save
{a.s} [helped in the house|washed cars|raked leaves|carried bags] and got a coin each time. After [a few weeks|a month|a long time], {a.he} had {n} coins in a jar.
Every week, {a} put a coin into a jar. [It took a long time.|It was not easy to wait.] At last, there were {n} coins.

= saving.meet
There {a} saw {b.intro}, who [sat on a step and cried|was crying]. "[What is the matter|What is wrong]?" asked {a}. "I lost {loss}," said {b}[.|. "What shall I do now?"|. "I cannot go home like this."]
On the way to the shop, {a} met {b.intro}. {b} was crying. "I had {loss}," {b.he} said, "but [there is a hole in my pocket|it fell into the river]."

= saving.think
{a.s} looked at {a.his} coins. [Then {a.he} looked at {b}.|{a.He} thought of {o.the} in the window.] It was [a hard choice|not easy].
{a.s} held {a.his} money tight. {a.He} had saved for so long. But {b} [looked so sad|needed it more].

= saving.give
"Here," said {a} and [gave the money to {b}|put the {n} coins into {b}'s hand]. "[You need it more than I do|Do not cry anymore]."
{a.s} took {a.his} {n} coins and gave them to {b}. "[Take it|It is for you]," {a.he} said. "[The {o} can wait|I can save again]."

= saving.reward
[The next day|A week later], {c.intro} came home with {o.a}. "[I heard what you did|Somebody told me what you did]," {c} said. "[This is for somebody with a big heart|I am very proud of you]."
When {c.intro} heard about it, {c.he} [smiled|was very proud]. On {a.his} birthday, {a} opened a box, and in it there was {o.a}.
= saving.warm
{a.s} went home without {o.the}, but [{a.his} heart felt warm|{a.he} felt good inside]. And [the next day|a week later], {b} came to {a.his} door. "[Let us be friends|I made you a cake]," {b.he} said.

= trade.see
There {a} met {b.intro}. {b} had {q.a}. "[What a nice {q}!|I like your {q.same}]," said {a}.
{b.intro} was there, too. {b.He} was playing with {q.a}. {a} [could not look away|had never seen such a nice one].

= trade.ask
"I like your {o.same}, too," said {b}. "[Shall we trade|Do you want to trade]?" [{a} thought about it.|{a} looked at both things.] "[Yes|All right]," {a.he} said.
"Would you trade your {q} for my {o}?" asked {a}. {b} [thought about it|looked at both of them]. "[Yes, let us do that|That is fair]," {b.he} said.

= trade.swap
So {a} gave {o.the} to {b}, and {b} gave {q.the} to {a}. [Both of them smiled.|They shook hands.]
They swapped. Now {a} had {q.the}, and {b} had {o.the}. [It felt strange and new.|They shook hands on it.]

= trade.miss
[At first|For a while], {a} liked {q.the}. But [at night|in the evening|after an hour], {a.he} began to miss {o.the}. [It had always been there.|It was so nice to {o.use}.]
{a.s} tried to {q.use}, but [it was not the same|something was missing]. {a.He} missed {o.the}.
= trade.back.ask
{a.s} [went to|looked for] {b} again. "I am sorry," {a.he} said. "[I miss my {o.same}|I miss my old {o}]. [Can we trade back|Could we trade back]?" {b} laughed. "[I miss my {q.same}, too|I wanted to ask you the same]!"
= trade.back
So {b} gave {o.the} back to {a}, and {a} gave {q.the} back to {b}. [Both of them were happy.|Now everything was as before, only better.]
They traded back. {a} [hugged|held] {o.the} tight. "[We can visit our things|We can play with both of them]," said {b}.
= trade.joy
{a.s} played with {q.the} all day. [It was such fun to {q.use}.|{a.He} liked to {q.use}.]
{a.s} was [very|] happy with {q.the}. [And {b} was happy with {o.the}.|{b} was just as happy with {o.the}.]
= trade.friend
[The next day|After that], {a} and {b} met again and [showed each other new tricks|played with both things]. 
"[We can trade again next week|We can play with both of them]," said {b}, and {a} [nodded|liked the idea].

= treasure.map
In {where}, {a} found {o.a}. [It was very old.|The paper was yellow.] There was [a red line|a dotted line] on it and a big X. "A treasure!" {a} whispered.
{a.s} was looking through old things. In {where}, {a.he} found {o.a}. [The paper was thin and brown.|It smelled of dust.] It showed the way to a treasure.
= treasure.plan
{a.s} ran to {b.intro} and showed {b.him} {o.the}. "[Let us find it|We must look for it]!" said {b}. They packed [a shovel and some bread|a shovel and two apples|some water and a shovel].
"Look at this!" said {a} to {b.intro}. They bent over {o.the}. "[Here is the start|First we must go this way]," said {b}. They took a shovel along.
= treasure.clue
There they [found|saw] {sign}. "[That is the sign on the map|It is the first clue|We are on the right way]!" said {b}.
They looked for a sign. {b} was the first to see it: {sign}. {a} looked at {o.the} again. "[Now we must go {p.to}|The X is {p.at}]," {a.he} said.
= treasure.dig
"The X is {spot}," said {a}. They began to dig. [They dug and dug.|The ground was hard.|Dirt flew to all sides.]
{spot_up}, the ground looked soft. "[This must be the place|Here it must be]," said {b}, and they began to dig.
= treasure.tired
After a while, their arms were tired. "[Maybe there is nothing here|Maybe it was only a joke]," said {b}. "[Only a little more|Let us dig a bit deeper]," said {a}.
They dug until their [hands hurt|faces were red]. "[I want to go home|I am tired]," said {b}. But {a} did not give up.
= treasure.open
[Clonk!|Thump!] The shovel hit something hard. [They pulled it out and wiped off the dirt.|With shaking hands, they lifted it out.] It was {prize}!
Then {a} felt something hard. It was {prize}! [They danced with joy.|Their eyes were as big as plates.]
= treasure.share
{a} and {b} shared the treasure [like good friends|in two equal parts]. [But the best part was the search.|"The best part was to look for it," said {b}.]
"[Half for you and half for me|We found it together, so we share it]," said {a}. {b} [agreed|nodded].

= mess.room
The room was a [terrible|big] mess. [There were toys on the floor, socks on the lamp and books under the bed.|One could not see the floor.|Clothes lay everywhere, and blocks were all over the place.]
There {a} [saw|looked at] a mountain of [toys, clothes and paper|socks, blocks and books]. [It was hard to walk.|It was {a.his} own mess.]
= mess.cannot
{a.s} wanted to play with {o.the}, but {a.he} could not find it. [It was not here, and it was not there.|"Where can it be?" {a.he} said.|{a.He} threw things left and right.]
"Where is my {o.same}?" said {a}. {a.He} [looked here and there|pulled at this and that], but {a.he} could not find it in all that mess.
= mess.advice
{b.intro} looked in. "[No wonder that you cannot find it|How can anybody find something here]," {b.he} said. "[Clean up first, and it will turn up|If everything has its place, nothing gets lost]."
"[I have an idea|I know a trick]," said {b.intro}. "Put one thing after the other in its place. [Then you will find what you look for|The lost thing always comes out at the end]."
= mess.clean
So {a} began to clean up. {a.He} put the books on the shelf, the socks in the drawer and the blocks in the box.
{a.s} did not want to, but {a.he} started. First [the books|the clothes], then [the blocks|the cars], then the paper. Slowly, one could see the floor again.
= mess.more
On the way, {a.he} even found {thing}. "[So that is where it was|I forgot that I had this]," {a} said.
Behind a chair, {a} found {thing}. [That was a surprise.|{a.He} laughed.]
= mess.found
And then, {spot}, there was {o.the}! "[I found it!|There you are!]" {a} cried.
When {a} was almost done, {a.he} looked {spot}. There it was: {o.the}!
= mess.praise
{b} [came back|looked in again] and [clapped|whistled]. "[What a nice room|I can see the floor]!" {b.he} said. "[And I have my {o.same} again|And look what I found]," said {a}.
"[Well done|How nice it looks]," said {b}. {a} looked around. [It was nice to have a clean room.|The room looked bigger now.]

= bird.winter
One [cold|snowy|icy] day in winter, {a} saw {b.intro} [in front of the window|on the fence|in the snow]. {b.Name} looked [hungry|cold] and [weak|tired].
It was winter, and snow lay everywhere. {b.intro} sat [near the door|on a bare branch] and found nothing to eat.
= bird.feed
{a.s} [brought|took] {food} and put it [on the windowsill|on a dry spot|in front of the bird]. {b} [ate all of it|looked at {a.him} and began to eat].
"[You poor thing|You must be hungry]," said {a} and brought {food}. [From then on, {a.he} did it every day.|Every morning, {a.he} brought some more.]
= bird.leaves
[All winter long|Day after day], {b} came back. When the snow melted, {b.he} [sang a song and flew off|flew around {a}'s head and was gone].
So {b} got strong again. [One day|When it got warm], {b.he} flew away. "Goodbye!" {a} called.
= bird.spring
Then spring came. [Flowers came up, and the air was warm.|The trees turned green.|Everything was in bloom.]
[Weeks later|Some months later|In spring], the sun was warm, and {a} [could play outside again|wanted to play outside].
= bird.lose
There {a} played with {o.a}. But it [rolled away|slipped out of {a.his} hand|fell into the tall grass], and {a.he} could not see where it went.
{a.s} had {o.a} with {a.him}. {a.He} played and ran, and then {o.the} was gone. [{a.He} looked and looked.|It was nowhere to be seen.]
= bird.help
Then {a} heard [a sound in the air|the flap of wings]. It was {b}! {b} [flew in a circle over {a}|sat down in front of {a}] [and called|and looked at {a.him}]. [It was as if {b} said, "Come with me!"|"Do you know me?" {a} asked.]
"[Is that you|Do I know you]?" {a} said. It was {b} from the winter. {b.He} flew a bit and waited, and flew and waited, [so {a} followed|and {a} ran behind].
= bird.found
{b} sat down, and {spot}, {a} found {o.the}! "[Thank you|You helped me]!" {a.he} cried. 
And there, {spot}, was {o.the}! {a} [laughed|picked it up]. "[I helped you, and now you helped me|You did not forget me]," {a.he} said to {b}.

= new.moved
{a.s} was new in [the village|the town|this part of the land]. [Everything was strange.|{a.He} did not know anybody yet.] {a.His} only friend was {o.a}.
{a.His} family had just moved. {a} knew nobody [here|in the new place]. [In one of the boxes|In a box], {a.he} found {a.his} old friend: {o.a}.
= new.watch
Some others were playing there. {a} [watched them from far away|stood to one side|held {o.the} tight]. [They laughed and ran.|They all knew each other.]
{a.s} sat down alone with {o.the}. [The others played a game that {a.he} did not know.|Nobody looked at {a.him}.]
= new.comes
After a while, {b.intro} came over. "[Hello|Hi]," {b} said. "[Are you new here?|I have never seen you before. What is your name?|Why are you alone?]"
Then somebody sat down next to {a.him}. It was {b.intro}. "[That is a nice {o}|I like your {o.same}]," {b} said.
= new.talk
"[I am {a}|My name is {a}]," said {a} [in a small voice|very softly]. "[I do not know anybody here|We moved here last week]." "[Now you know me|Now you know somebody]," said {b}, and [both of them smiled|{a} had to smile].
{a.s} [took a deep breath|was a little shy]. "[I am {a}|My name is {a}]," {a.he} said. "[Do you want to see my {o.same}|Would you like to play with me]?"
= new.show
{a.s} showed {b} how to {o.use}. "[That looks fun|I want to try that]," said {b}.
{a.s} held out {o.the}. "[You can play with it, too|It is more fun with two]," {a.he} said.
= new.later
[From that day on|The next day], {a} was not alone anymore. {b} showed {a.him} [the best hiding places|the best trees to climb|everything in the area].
"[Will you come again tomorrow?|Same time tomorrow?]" asked {b}. "[Yes|I will]," said {a}.

= tease.made
{a.s} had {o.a}. [{a.He} had made it all by {a.himself}.|It was a bit crooked, but {a.he} liked it.|There was nothing like it in the whole village.]
{a.s} was proud of {o.a}. [It had taken {a.him} a whole week to make it.|{a.He} had made it with {a.his} grandmother.]
= tease.laugh
There was {b.intro}. {b} pointed at {o.the} and laughed. "[That looks silly!|What is that supposed to be?|What a funny {o}!]" {b.he} said.
{b.intro} looked at {o.the}. "[Ha, ha!|Look at that!]" {b} laughed. "[That is the silliest {o} in the world|A baby could do that better]."
= tease.trouble
A little later, {b} {trouble}. "[Help!|Can somebody help me?]" {b.he} cried. [But nobody was near, only {a}.|Nobody else was there.]
Then {a} heard a cry. {b} {trouble}! [{a} stopped. Should {a.he} help?|For a moment, {a} wanted to walk on.]
= tease.help
{a.s} [did not think twice|ran over]. {a.He} [held out a hand|held out a stick] and helped {b} [up|out]. "[Are you hurt?|Are you all right?]" {a.he} asked.
{a.s} was still hurt by what {b} had said. But {a.he} [went over and helped {b}|gave {b} a hand and pulled {b.him} out].
= tease.sorry
{b} looked at the ground. "[I am sorry that I laughed|I was mean to you, and still you helped me]," {b.he} said. "[Your {o} is really nice|I wish that I could make something like that]."
"[Why did you help me?|You are so kind]," said {b}. "I laughed at you. [I am so sorry|It was wrong of me]."
= tease.forgive
"[It is all right|I forgive you]," said {a}. "[I can show you how it is done|Do you want to make one, too|Let us be friends]."
{a.s} smiled. "[Let us forget it|Everybody makes mistakes]," {a.he} said. "[Do you want to try it|You may hold it for a bit]?"

= baby.new
There was a new baby in the house: {b.intro}. [{b} was very small and slept a lot.|Everybody came to look at {b}.|{b} had tiny fingers and no teeth.]
{a.s} was not the youngest anymore. Now there was {b.intro}. [Everybody said how sweet {b} was.|All day long, people came to see {b}.]
= baby.busy
"Play with me, {c}!" said {a}. But {c} [was feeding {b}|had no time|held {b}]. "[Later|Not now, dear]," {c} said.
{c.intro} was always busy with {b}. [Nobody read to {a} anymore.|{a} had to play alone with {o.the}.]
= baby.cry
There {b} [lay in a little bed and cried|began to cry]. {c} was [outside|washing clothes] and [did not hear it|could not come]. {a} [looked at {b}|put {a.his} hands over {a.his} ears].
Suddenly, {b} began to cry. [It was very loud.|{b}'s face was as red as a tomato.] "[Shh|What is the matter with you]," said {a}.
= baby.try
{a.s} tried {way}, but {b} cried even louder.
First, {a} made {way}. [It did not help.|{b} stopped for a moment and cried again.]
= baby.toy
Then {a} had an idea. {a.He} [took|brought] {o.the} and held it up. "Look, {b}!" {a.he} said.
{a.s} went to get {o.the}. It was {a.his} best toy, but {a.he} [showed it to {b}|held it in front of {b}].
= baby.laugh
{b} stopped crying. Then {b.he} [laughed|smiled] for the first time. [It was the sweetest sound in the world.|{a} had never heard that before.]
{b} looked at it with big eyes and [laughed|giggled]. {a} [laughed, too|did it again and again].
= baby.praise
"You made {b} laugh!" said {c}, who stood [in the door|behind them]. "[Nobody can do that as well as you|You are good at this]." 
{c} [took {a} in {c.his} arms|gave {a} a kiss]. "[I love both of you|You are a wonderful big {a.sibling} to {b}]," {c.he} said.
"""

LEARNING = """
= fear.of
There was one thing that {a} did not like: {a.he} was afraid of {fear}.
{a.s} was [brave|not afraid of many things], but there was one thing that scared {a.him}, and that was {fear}.
{a.s} was afraid of {fear}. [{a.He} told nobody about it.|Just the thought of it made {a.him} shiver.|It was a secret.]
= fear.others
Other children [laughed about it|did not understand it]. "[There is nothing to be afraid of|Do not be silly]," they said. [But that did not help.|That only made it worse.]
{a.His} friends were not afraid at all. [{a} wished to be like them.|"Why am I so scared?" {a} thought.]
= fear.thing
When {a.he} was scared, {a} held on to {o.a}. [It made {a.him} feel safe.|That helped a little.]
{a.s} had {o.a}. [With it, {a.he} felt a bit braver.|{a.He} took it along when {a.he} felt small.]
= fear.sign
There {sign}. {a} [stood still|stopped|froze].
At first, all was well. But then {sign}.
{sign_up}. [{a} held {o.the} tight.|{a} did not dare to move.]
= fear.feel
"[I cannot do it|I do not want to be here|I want to go home]," {a} whispered. [{a.His} hands were cold.|{a.His} heart went thump, thump.|{a.His} knees shook.]
{a.His} heart [beat fast|was in {a.his} mouth]. "[I am scared|Help]," {a} said in a small voice.
= fear.talk
{b.intro} [saw that|noticed it] and [came over|sat down beside {a}]. "[What is wrong?|Are you scared?]" {b.he} asked. {a} nodded. "I am afraid of {fear}," {a.he} said.
"You look pale," said {b.intro}. "[What is it|Tell me what it is]?" {a} told {b.him} about {fear}.
= fear.advice
"[I was afraid of it, too, when I was small|Everybody is afraid of something|I know that feeling]," said {b}. "{advice}."
{b} did not laugh. "{advice}," {b.he} said. "[I am right here|I will stay with you]."
= fear.deed
{a.s} [took a deep breath|thought about it|counted to three]. Then {a.he} {deed}.
[Slowly|At last|With {o.the} under one arm], {a} {deed}.
= fear.outcome
And what happened? {outcome_up}! "[That was not so bad!|Was that all?|Is it over?]" {a} said and laughed.
It was not bad at all: {outcome}. [{a} began to smile.|{a} laughed out loud.]
"Look!" said {b}. And really, {outcome}. [{a} could hardly believe it.|{a} let out a long breath.]

= skill.want
{a.s} wanted to learn how to {skill}. {b.intro} could do it [very well|with closed eyes], and it looked so easy.
More than anything, {a} wanted to {skill}. [All the others could do it.|It looked like so much fun.] "Will you show me?" {a.he} asked {b.intro}. "[Of course|Gladly]," said {b}.
"I want to learn how to {skill}," {a} said to {b.intro}. "[Then let us start today|Good, but it takes time]," said {b}.
= skill.first
{a.s} tried it and {fail}. [That hurt a little.|"Ouch," {a.he} said.|It was harder than it looked.|"Oh," {a.he} said.]
The first time, {a} {fail}. [{a.His} face turned red.|{a.He} tried not to cry.|{b} tried not to laugh.]
= skill.second
The second time, {a.he} {fail}. ["This is too hard," {a} said.|That was not much better.]
"Try again," said {b}. This time, {a} {fail}. [It was no use.|{a.He} sighed.]
= skill.giveup
"[I will never learn it|I cannot do it|I give up]!" {a} [said|cried]. {a.He} [kicked a stone|sat down|threw up {a.his} arms].
{a.s} sat down [and pouted|with a long face]. "[It is too hard for me|I am no good at this]," {a.he} said.
= skill.tip
{b} sat down beside {a.him}. "[Nobody can do it the first time|I fell many times, too|You are closer than you think]," {b.he} said. "{tip}."
"[Do not give up|Wait]," said {b}. "{tip}. [That is the whole secret|I will stay right beside you]."
= skill.practice
So {a} practiced. {a.He} tried it [in the morning and in the evening|again and again|every day for a week]. [Bit by bit, it went better.|Each time it went a little better.]
{a.s} tried again. And again. [And again.|And once more.] [On Monday it was bad, on Tuesday it was better.|Slowly, it began to work.]
= skill.success
And then it worked! {a} {success}. "[I can do it!|Look at me!|Did you see that?]" {a.he} [shouted|cried].
[At last|One day|Then, all of a sudden], {a} {success}. "[Hooray!|I did it!]" {a.he} shouted.
= skill.praise
"[I knew that you could do it|Well done|Bravo]!" said {b} and [clapped|hugged {a.him}|jumped for joy].
{b} [clapped {b.his} hands|cheered]. "[Now you can teach others|That was great]," {b.he} said.
= skill.prize
Then {b} gave {a} {o.a}. "[This is for you, because you did not give up|You have earned it]," {b.he} said.

= stage.coming
[Soon there would be|The next week there was] a big show, and {a} was going to {act}. [{a.He} would need {o.a} for it.|For that, {a.he} had {o.a}.]
There was going to be a show {p.at}. {a} had {o.a} and wanted to {act}. 
= stage.practice
{a.s} practiced every day, [in front of the mirror|in front of the cat|in the bathtub]. [At home it was easy.|It went very well.]
Day after day, {a} practiced with {o.the}. [{a.His} whole family knew it by heart.|Nothing could go wrong.]
= stage.crowd
Everybody had come: [mothers, fathers, children and dogs|old and young, big and small]. [So many eyes!|There was not one empty seat.]
[It was full of people.|All the seats were taken.] {a} looked [out from behind the curtain|at all the faces] [and swallowed|and turned pale].
= stage.afraid
"I cannot go out there," {a} whispered. [{a.His} mouth was dry.|{a.His} legs felt like noodles.|{a.He} had forgotten everything.]
Suddenly, {a} felt [sick|hot and cold]. "[What if I forget everything|What if they laugh at me]?" {a.he} said.
= stage.help
{b.intro} [came behind the curtain|took {a.his} hand]. "[Look only at me|I will be in the first row]," {b} said. "[You can do it|It will be just like at home]."
"[I get scared, too|Everybody is scared before a show]," said {b.intro}. "[Take three deep breaths|Think of something funny], and then go."
= stage.go
{a.s} took {o.the} and went out. [First {a.his} voice was small, but then it grew strong.|It was quiet. Then {a.he} began to {act}.]
{a.s} took {o.the} in both hands, stepped out and began to {act}. [It was as easy as at home.|{a.He} saw {b} smile and smiled back.]
= stage.slip
[In the middle|Once], {a.he} made a mistake. But {a.he} [just went on|smiled and went on], and nobody [noticed|minded].
= stage.clap
When it was over, everybody clapped and [shouted, "Bravo!"|stamped their feet|stood up]. {a} [took a bow|bowed three times].
Then there was loud clapping. [It did not want to end.|Somebody threw a flower.] {b} clapped [the loudest|until {b.his} hands were red].

= race.news
There was going to be a big race {p.at}. The winner would get {prize}. "[I want to win|I am going to win]!" said {a}. "[So do I|Me, too]," said {b.intro}.
{a} and {b.intro} heard about a race. [The prize was|Whoever won would get] {prize}. Both of them wanted to win.
= race.train
Every day, {a} [ran around the house|ran up and down the hill|practiced]. [{a.He} got faster and faster.|{b} practiced, too.]
{a} and {b} practiced [every day|all week]. Sometimes {a} was faster, and sometimes {b} was.
= race.start
Many runners were there. "[Ready, steady, go!|One, two, three, go!]" [somebody called|called a loud voice], and off they went.
They all stood in a line. {a} looked at {b}, and {b} looked at {a}. Then somebody [blew a whistle|waved a flag], and the race began.
= race.run
{a.s} ran as fast as {a.he} could. [The wind was in {a.his} ears.|{a.His} feet hardly touched the ground.] Soon, {a} and {b} were in front of all the others.
{a} and {b} were the fastest. [Side by side they ran.|First {a} was in front, then {b}.]
= race.fall
But then {b} {how} and fell. "[Ouch!|My foot!]" {b.he} cried.
Just before the end, {b} {how}. {b.He} fell and [could not get up|held {b.his} knee].
= race.choice
{a.s} saw the finish line. [It was so close!|The prize was so near!] {a.He} could win now. But {b} [was on the ground|was hurt].
{a.s} looked ahead and looked back. "[If I stop, I will not win|What shall I do]," {a.he} thought.
= race.help
{a.s} [turned around|stopped] and ran back to {b}. "[Come, lean on me|I will help you]," {a.he} said. Together they walked over the line, last of all.
Then {a} went back and helped {b} up. Arm in arm, they [walked|limped] to the finish line. [All the others were there before them.|They came last.]
= race.prize
But everybody [clapped|cheered] for them. "[This is for the one with the biggest heart|You won something better than a race]," said the judge and gave {o.a} to {a}.
= race.share
The fastest runner came up to them. "[You should have this|This is yours]," the runner said and gave {o.a} to {a}. "[You stopped for a friend|You are the real winner]."

= tooth.loose
{a.s} felt something odd in {a.his} mouth. A tooth was loose! [It moved back and forth.|It wiggled when {a.he} touched it.]
{a.s} had a loose tooth. [It wiggled a little more each day.|{a.His} tongue played with it all the time.]
= tooth.others
{b.intro} looked at it. "[That is a good sign|You are growing up]," {b.he} said. "[A new one will grow in its place|It will come out when it is ready]." "[Will it hurt?|But what if it hurts?]" asked {a}.
"[It will fall out soon|Let me see]," said {b.intro}. "[It does not hurt much|Under it, there is already a new one]." {a} was not so sure.
= tooth.out
There {a} ate {food}. [Crunch!|Suddenly there was a crunch.] Something hard was in {a}'s mouth. It was the tooth!
{a.s} bit into {food}. "Oh!" {a.he} said. The tooth had come out, and it [did not hurt at all|hardly hurt].
= tooth.look
{a.s} [looked into a mirror|felt with {a.his} tongue]. There was a [funny|little] hole. "[I can whistle through it|Look at me]!" {a.he} said.
The tooth lay in {a.his} hand, small and white. [{a} showed it to everybody.|{a} laughed with a gap in {a.his} smile.]
= tooth.night
That night, {a} put the tooth under {a.his} pillow. 
{a.s} put the tooth [in a little box|under the pillow] and went to bed.
= tooth.morning
In the morning, the tooth was gone, and in its place, there was {o.a}! "[Look what I got|Look, {b}]!" {a.he} cried.
When {a} woke up, {a.he} found {o.a} there. [{b} only smiled.|"Who brought this?" {a.he} asked. {b} just smiled.]

= sleep.bed
When it was dark, {a} went {r.to} and lay down. [{a.He} pulled up the covers.|The moon looked in.] {a.He} had {o.a} beside {a.him}.
It was [late|bedtime], so {a} went {r.to}. {a.He} took {o.a} along and lay down to sleep.
= sleep.cannot
But {a} could not sleep, because {why}.
{a.s} closed {a.his} eyes, but sleep did not come. [It was because {why}.|{why_up}.]
= sleep.count
{a.s} counted sheep: one, two, three. [But the sheep only jumped around and made noise.|At number forty, {a.he} was still awake.|Then {a.he} forgot the number and had to start again.]
= sleep.turn
{a.s} lay on the left side. Then {a.he} lay on the right side. Then {a.he} lay on {a.his} belly. [Nothing helped.|It was no good.]
{a.s} turned [this way and that way|from side to side]. [The pillow was too warm.|The night was so long.]
= sleep.drink
{a.s} got up and drank some water. [But that did not help.|Now {a.he} was even more awake.]
= sleep.look
{a.s} looked out at the [stars|moon|dark trees]. [An owl called.|A cat walked along the wall.] {a.He} was still awake.
= sleep.call
"[I cannot sleep|I am still awake]," {a} called. {b.intro} came [in on soft feet|with a little lamp] and sat down beside {a.him}.
Then {b.intro} looked in. "[Are you still awake?|Why are you not asleep?]" {b} asked. "I cannot sleep," said {a}.
= sleep.song
{b} sang a [slow|soft|quiet] song about [a boat on a lake|the moon and the sheep|a little bird in its nest]. [The words became softer and softer.|{a}'s eyes grew heavy.]
= sleep.story
{b} told a story about [a mouse who lived in a shoe|a bear who wanted to touch the moon|a very slow snail]. [Before the end came, {a} yawned.|{a} listened and yawned.]
= sleep.breath
"Breathe in and smell a flower," said {b}. "Breathe out and blow out a candle." {a} did it [five|seven|ten] times, [slower and slower|and grew calm].
= sleep.hold
{a.s} held {o.the} in {a.his} arms. [It was soft and warm.|That felt good.] "[Good night|Sleep well]," said {b}.
"Hold your {o.same}," said {b}, "[and think of something nice|and close your eyes]." {a} did that.
= sleep.asleep
Before {b} reached the door, {a} was [fast|] asleep.
Soon {a} was asleep. [{b} turned off the light.|Outside, the stars were shining.] 
= sleep.end
And {a} dreamed [of a ship made of clouds|of a green meadow|of flying over the hills] all night long. In the morning, {a.he} woke up happy.
Sleep well, {a}! The end.
All was quiet in the house, and everybody slept until the sun came up. The end.

= warn.pot.say
"[Be careful|Watch out]," said {b}. "The pot is [very|] hot. [Do not touch it|Stay away from it]."
= warn.pot.do
{a.s} [put out a finger|reached out] and touched the pot.
= warn.bees.say
"[Do not go near|Stay away from] the hive," said {b}. "[The bees do not like it|The bees want to be left alone]."
= warn.bees.do
{a.s} went up to the hive and [knocked on it|looked inside]. [Bzzz!|Out came a bee.]
= warn.stones.say
"[The stones are wet and slippery|Do not climb on the wet stones]," said {b}. "[You could fall|Please stay down here]."
= warn.stones.do
{a.s} climbed up on the wet stones. [First one, then two.|It was fun.] But then {a.his} foot slipped.
= warn.puddle.say
"[That puddle is deeper than it looks|Do not run there]," said {b}. "[Walk around it|The ground is slippery]."
= warn.puddle.do
{a.s} ran right through it. [Splash!|Whoosh!] {a.His} foot slipped, and {a.he} fell down.
= warn.but
{a.s} heard it, but [{a.he} did not really listen|{a.he} thought, "What can happen?"|{a.he} wanted to try it anyway].
"[Yes, yes|I know]," said {a}. But when {b} [turned around|looked away], {a.he} [forgot about it|could not wait].
= warn.ouch
"Ouch!" {a} cried. [It hurt a lot.|Tears came to {a.his} eyes.|{a.His} hand was red.]
"[Ow!|Ouch!|Help!]" cried {a}. [That really hurt.|Now {a.he} wished that {a.he} had listened.]
= warn.care
{b} came at once. {b.He} [held {a}'s hand under cold water|washed {a}'s hand|dried {a}'s tears] and put on a bandage. [Soon it was better.|That felt good.]
{b} [picked {a} up|came running]. "[Let me see|Show me]," {b.he} said. {b.He} [blew on it|put something cold on it], and [the pain went away|it was not so bad anymore].
= warn.talk
"[I am sorry that I did not listen|You told me, but I did not listen]," said {a}. "[I only say it because I love you|I do not want you to get hurt]," said {b}.
"Now you know why I said it," said {b} [in a kind voice|softly]. {a} nodded. "[I will listen next time|You were right]," {a.he} said.

= lie.baked
{b.intro} had made {o.a} for {when}. "[Please do not touch it|Nobody eats it before {when}]," {b.he} said.
There was {o.a} on the table. {b.intro} had made it for {when}. "[It is for all of us|We will eat it together]," {b.he} said. "Do not touch it before."
= lie.smell
[It smelled so good!|How good it smelled!] {a} looked at {o.the}. [Nobody was there.|It was quiet in the house.] "[Only one little bite|Just a tiny taste]," {a.he} thought.
{a.s} was alone with {o.the}. [{a.His} mouth watered.|The smell went up {a.his} nose.] "[One small bite is nothing|Nobody will see it]," {a.he} said.
= lie.eat
One bite became two, and two became three. Soon [there was nothing left but crumbs|it was all gone].
{a.s} took a bite. It was so good that {a.he} [ate and ate|could not stop] until nothing was left.
= lie.asked
Then {b} came in. "[Who ate it?|What happened here?|Where is it?]" {b.he} asked.
A little later, {b} saw the empty plate. "Who [did this|ate it]?" {b.he} asked.
= lie.blame
"It was the {pet}," said {a} [quickly|and looked away]. The {pet} [lay under the table and looked up|just blinked].
{a.s} [swallowed|turned red]. "I think that it was the {pet}," {a.he} said. So {b} sent the poor {pet} outside.
= lie.truth
The {pet} sat outside [and looked in|in the rain] with sad eyes. {a} could not stand it. "It was not the {pet}," {a.he} said. "[I ate it, and I lied|It was me]."
{a.s} looked at the poor {pet}. Then {a.he} went to {b}. "I told a lie," {a.he} said. "[It was me|I ate everything]. [I am so sorry|The {pet} did nothing]."
= lie.forgive
"[That was not right|I am not happy about it]," said {b}, "but [I am glad that you told me|it was brave to tell the truth]. [Now say sorry to the {pet}, too|Let us bring the {pet} back in]."
{b} looked at {a} for a while. "[The lie was worse than the eating|A lie makes things worse]," {b.he} said. "[But you made it right|Thank you for telling the truth now]."
= lie.again
So {a} and {b} made a new one together. [{a} did all the stirring.|This time, {a.he} only licked the spoon.] [The {pet} got a treat.|And the {pet} got a big pat.]
"[You can help me make a new one|Then we will make another one]," said {b}. {a} put on an apron [and got to work|and washed {a.his} hands].
"""

HELPING = """
= young.hear
[Suddenly|Then], {a} heard a [soft|thin|small] sound. It came from something {spot}. {a.He} [went closer|looked]. It was {b.intro}!
There, {spot}, something moved. It was {b.intro}. [It was all alone.|It was shaking.]
= young.alone
"[Where is your mother|Are you lost], little one?" asked {a}. {b} only [made a sad sound|looked at {a.him} with big eyes].
{b.Name} [was lost|could not find the way home]. [There was no big {mother} anywhere.|No mother {mother} was near.]
= young.comfort
{a.s} sat down and [petted|stroked] {b} [very|] gently. "[Do not be afraid|I will help you]," {a.he} said.
[Slowly, so as not to scare {b}|Very carefully], {a} held out a hand. {b} [came closer|was not afraid]. "[I will take care of you|Everything will be fine]," said {a}.
= young.feed
{a.s} gave {b} {food}. [{b} was very hungry.|That helped.]
"[Are you hungry?|You must be hungry]," said {a} and brought {food}. {b} ate and looked [a bit|much] better.
= young.ask
{a.s} asked {c.intro}, "Have you seen a mother {mother}?" "[Yes|I think so]," said {c}. "[I saw one this morning|I heard one calling not far from here]."
{c.intro} came by. "[That is a baby of the {mother}|I know that little one]," {c} said. "[I will show you where I saw its mother|Its mother is looking for it]."
= young.carry
{a.s} [took {b} in {a.his} arms|lifted {b} up] and [went|walked] {r.to}.
{a.s} picked {b} up and [walked|went] {r.to}. [{b} fell asleep on the way.|{a.He} walked with care.]
= young.mother
There was a big {mother}. [She ran back and forth and called.|She looked everywhere.] When she saw {b}, she [came running|cried out with joy].
Then {a} heard a loud call. It was the mother! {a} put {b} down, and the big {mother} [came at once|ran to her little one].
= young.thanks
The two [cuddled|rubbed noses]. The mother {mother} looked at {a} [as if to say thank you|for a long moment].
{b} [was safe and warm again|ran under its mother]. [Before they left, both of them looked back at {a}.|{a} waved until they were gone.]

= pet.have
{a.s} had {b.intro}. [They did everything together.|{b} followed {a} everywhere.|{b} slept at the foot of {a.his} bed.]
{a.His} best friend was {b.intro}. [{b} loved to eat and to sleep.|Every morning, {b} was the first one to say hello.]
= pet.gone
But one morning, {b} was gone. [The door was open.|Somebody had left the gate open.|{b}'s bowl was still full.] "[{b}!|Where are you, {b}?]" {a} called.
One day, {a} came home, and {b} was not there. [The window was open.|There was a hole in the fence.] {a} called and called.
= pet.look
{a.s} looked {spot}. [No {b}.|{b} was not there.|Nothing.]
"Are you {spot}, {b}?" {a} called. [But nothing moved.|There was no answer.]
= pet.ask
{a.s} asked {c.intro}. "Have you seen {b}?" "[I saw something run by|I heard a noise over there]," said {c}. "It went {p.to}."
"{b} is gone," {a} said to {c.intro}. "[Let us think|Do not cry]," said {c}. "Where does {b} like to go?" Then {a} had an idea.
= pet.search
{a.s} [called|shouted], "{b}! {b}!" [and listened|again and again]. [Then there was a small sound.|Something moved.]
"{b}!" {a} called. [It was quiet. Then there was a rustle.|A bird flew up. Then there was a sound.]
= pet.found
And there, {spot}, was {b}, {doing}! "[There you are|I found you]!" {a} cried [and hugged {b.him}|and laughed].
{a.s} looked {spot}. There was {b}, {doing}. "[Oh, {b}|You silly {b.kind}]!" said {a}.
= pet.home
{a.s} [took {b} in {a.his} arms and|petted {b} and then they] went home.
So {a} and {b} went home together. 
= pet.after
At home, {a} [gave {b} something good to eat|mended the fence|closed the gate]. "[Never run away again|I was so worried about you]," {a.he} said.
From then on, {a} always [closed the door|looked at the gate twice]. And {b} got [an extra treat|a soft new bed].

= heavy.plan
{a.s} wanted to {fun} that day. [{a.He} was in a hurry.|{a.He} had waited for it all week.]
"Today I am going to {fun}," said {a}. [{a.He} could hardly wait.|{a.He} ran out of the door.]
= heavy.see
On the street, {a} saw {b.intro} with {o.a} full of {load}. It was [very heavy|much too heavy]. {b} [had to stop again and again|was out of breath].
Then {a} met {b.intro}. {b.He} was carrying {o.a} full of {load} and [walked very slowly|looked tired].
= heavy.think
{a.s} wanted to [run on|hurry on]. "[If I help, I will be late|They are waiting for me]," {a.he} thought. But {b} looked so tired.
"[I want to {fun}|I have no time]," thought {a}. Then {a.he} looked at {b} again and [stopped|turned around].
= heavy.offer
"[May I help you|Can I carry that for you]?" {a} asked. "[Oh, that would be kind|Yes, please]," said {b} and gave {o.the} to {a.him}.
{a.s} went up to {b}. "[I will carry it|Let me take it]," {a.he} said. {b} [smiled|was glad] and gave {o.the} to {a}.
= heavy.carry
It was heavy, but {a} was strong. [{a.His} arms hurt, but {a.he} did not stop.|Step by step, they went on.]
{a.s} [puffed and panted|held it with both arms]. "[You are strong|Not so fast]," said {b} and laughed.
= heavy.walk
So {a} and {b} walked {r.to} [together|side by side].
Together, {a} and {b} went {r.to}. [They talked about this and that.|They rested two times.]
= heavy.arrive
"[Here we are|This is the place]," said {b}. {a} gave {o.the} back to {b}. "[Thank you|You are a great help]."
There {a} put it down and gave {o.the} to {b}. "[I could not have done it alone|That was kind of you]," said {b}.
= heavy.story
{b} told {a} a story from long ago, about [a ship and a storm|a bear that could dance|a very deep snow]. [{a} listened with open mouth.|It was better than any game.]
= heavy.reward
"This is for you," said {b} and gave {a} {food}. [It tasted wonderful.|Nothing ever tasted so good.]
= heavy.song
{b} [whistled an old song|played an old song on a comb], and {a} [danced|clapped along]. [It was a lot of fun.|{a} forgot the time.]

= sick.wait
{a.s} had {o.a}. [{a.He} wanted to show it to {b.intro}.|{b.intro} loved it, too.] But {b} did not come [to play|that day].
{a.s} waited for {b.intro}. They wanted to play with {o.a}, [which {a} had brought along|but nobody came]. {b} did not come.
= sick.news
"{b} has {ill}," said {c.intro}. "[{b.He} must stay in bed|{b.He} cannot play today]."
{c.intro} came in. "[I have bad news|I heard something]," {c.he} said. "{b} has {ill} and must rest."
= sick.idea
"[Poor {b}|It must be so boring in bed]," said {a}. "[I will bring my {o.same} and visit {b.him}|I want to visit {b.him} and cheer {b.him} up]."
Then {a} had an idea. {a.He} [packed|took] {o.the} and [some soup|a jar of honey|a bunch of flowers].
= sick.see
{b} lay in bed and looked [pale|bored|tired]. "[Hello|You came]!" {b.he} said [in a weak voice|softly].
{b} had [a red nose|a hot forehead|dark eyes] and a thick blanket. But when {b.he} saw {a}, {b.he} [smiled|sat up].
= sick.give
{a.s} gave {o.the} to {b}. "[This is for you|You can keep it until you are well]," {a.he} said.
"I brought you something," said {a} and gave {o.the} to {b}. {b} [held it tight|was very happy].
= sick.cheer
{a.s} sat down by the bed and [told jokes|told a funny story|made animals out of paper]. [{b} laughed so much that {b.he} forgot the pain.|Soon {b} laughed again.]
They [played a quiet game|looked at pictures|made up a story about a flying cow], and {b} [felt a little better|even ate some soup].
= sick.well
{a.s} came every day. [After a week|A few days later], {b} was well again. {b.He} [ran to {a}'s door|came to {a} first of all]. "[Now we can play|You made me well]," {b.he} said.
Day by day, {b} got better. And then, one morning, {b} [stood at the door|called, "I am well again!"]. The two [danced around|hugged].

= promise.made
{b.intro} had to go away for a day. "Can you {duty} for me?" {b.he} asked and gave {a} {o.a}. "[I promise|Yes, I promise]," said {a}.
"Please {duty} tonight," {b.intro} said to {a} and gave {a.him} {o.a} for it. "[You can count on me|I will not forget it]," said {a}.
= promise.invite
Then {c.intro} came by. "[Let us go {p.to}|Come with me {p.to}]!" {c.he} said. {a} [thought it would not take long|said yes at once].
"[Do you want to go {p.to}|Shall we go {p.to}]?" asked {c.intro}. "[Great|Yes]!" said {a}. "[There is time for the work later|I can do my work later]."
= promise.forget
It was so much fun that {a} forgot [everything else|the time]. The sun sank lower and lower.
They [laughed|ran] and played. Hours went by. [Nobody looked at the clock.|The shadows grew long.]
= promise.remember
Suddenly, {a} stopped. "[Oh no|I forgot something]!" {a.he} said. "I promised to {duty}!"
Then {a} saw the [evening sun|moon]. [{a.He} turned pale.|{a.His} heart jumped.] "I must {duty}!" {a.he} said.
= promise.choose
"[Stay a little longer|You can do it tomorrow]," said {c}. But {a} shook {a.his} head. "[A promise is a promise|I gave my word]," {a.he} said.
"[It is only one day|Nobody will know]," said {c}. "[But I will know|But I promised it]," said {a}.
= promise.keep
{a.s} took {o.the} and went to {duty}. [It was almost dark, but it was not too late.|{a.He} was tired, but {a.he} did it well.]
Out of breath, {a} [picked up|took] {o.the}. {a.He} had just enough light left to {duty}. [Then {a.he} let out a long breath.|It was not too late.]
= promise.return
The next day, {b} came back. "[Everything is in good order|I knew that I could trust you]," {b.he} said. [{a} smiled.|{a} was glad.]
When {b} came back, {b.he} looked around. "[You kept your word|Thank you, {a}]," {b.he} said. {a} told {b.him} that {a.he} had almost forgotten it.

= together.see
There was {load}. {c.intro} stood in front of it and [scratched {c.his} head|sighed]. "[I cannot move it|What shall I do]," {c.he} said.
{a.s} saw {c.intro}. There was {load}. "[I need to get it away|It will not move]," said {c}.
= together.alone
"[I will help you|Let me try]," said {a}. {a.He} pushed {the_load} with all {a.his} might. [It did not move.|Nothing happened.]
{a.s} [pushed|pulled], and {c} [pulled|pushed], but {the_load} did not move at all.
= together.second
Then {b.intro} came along. "[What are you doing|Do you need help]?" {b.he} asked. "[Yes, please|Come and help us]," said {a}.
{a.s} called {b.intro}. {b} came [at once|running] and [took hold of|leaned against] {the_load}.
= together.fail
They [pushed and pulled|heaved and puffed]. {the_load_up} moved a little bit, and then it [stood still|rolled back].
"One, two, three!" called {b}. {the_load_up} [shook|moved a tiny bit], but that was all. [They sat down to rest.|They were out of breath.]
= together.tool
Then {a} [found|saw] {o.a}. "[We can use this|Maybe this will help]," {a.he} said.
{a.s} looked around and found {o.a}. "[I have an idea|Look what I found]!" {a.he} said.
= together.third
{d.intro} had watched them. "[I am small, but I can help|I will help, too]," {d} said. [The others smiled, but they said yes.|"Every bit helps," said {a}.]
Just then, {d.intro} came by. "[May I help|What about me]?" {d.he} asked. "[Yes, come|Yes, every hand helps]!" said {a}.
= together.done
"[All together now|Once more]! One, two, three!" And [with a big jerk|slowly, slowly], {the_load} moved. [They did it!|Hooray!]
They all counted to three and gave everything that they had. {the_load_up} [creaked|groaned], and then it moved! [Everybody cheered.|They fell over each other and laughed.]
= together.thanks
"[Thank you, all of you|I do not know how to thank you]," said {c}. {c.He} gave them [bread and honey|apple juice|a basket of pears], and they [ate in the sun|shared it].
{c} was very glad. "[Without you I would still be here tomorrow|You are good friends]," {c.he} said.

= stranger.tales
Everybody was afraid of the {kind} who lived {p.at}. "[It has terrible teeth|It eats children who are late|It is wild and mean]," they said. {c.intro} [believed it|told such stories every day].
{c.intro} often told {a} about {a_kind} {p.at}. "[It is huge and mean|Never go there alone]," {c.he} said.
= stranger.friend
"Have you ever seen it?" {a} asked. "[No, but everybody says so|No]," said {c}. "[But my cousin heard it|It must be true]."
= stranger.trouble
There {a} {trouble}. [{a.He} could not get out.|{a.He} called, but nobody heard.] "[Help!|Can anybody hear me?]" {a.he} cried.
It was getting dark. {a} did not look where {a.he} went and {trouble}. [It was no use to cry.|{a.He} could not go on.]
= stranger.comes
Then there were heavy steps. [A big shadow fell on {a}.|The ground shook a little.] It was {b.intro}!
Something came through the bushes. Two eyes shone in the dark. It was {b.intro}.
= stranger.kind
But {b} [did not growl|spoke in a soft voice]. "[Are you hurt, little one|Do not be afraid of me]?" {b.he} said. "[Let me help you|I heard you call]."
"[Please do not eat me|Please do not hurt me]!" said {a}. {b} looked [sad|surprised]. "[Why would I do that|I only want to help you]?" {b.he} asked. "[I like soup better|I eat only berries and bread]."
= stranger.help
And {b} [lifted {a} up very gently|helped {a} out] and [brushed the dirt off {a.his} back|carried {a.him} to the path].
With {b.his} strong arms, {b} [pulled {a} out|set {a} free]. It did not hurt a bit.
= stranger.name
"Thank you," said {a}. "[What is your name|Who are you]?" "I am {b}," said the {kind}. "[Nobody has ever asked me that|I have no friends, because all are afraid of me]."
The {kind} was named {b}. "[Everybody runs away from me|It is lonely here]," said {b}. {a} [felt sorry for {b.him}|took {b.his} big hand].
= stranger.gift
{a.s} had {o.a} in {a.his} pocket. {a.He} gave it to {b}. "[It is for you, because you are my friend now|So that you think of me]," {a.he} said.
"I have something for you," said {a} and gave {b} {o.a}. {b} [had never had a present before|was so happy that a tear fell].
= stranger.tell
The next day, {a} took {c} along to visit {b}. [Soon everybody wanted to meet {b}.|After that, nobody was afraid of {b} anymore.]
{a.s} told everybody about {b}. [They did not believe it, so {a.he} took them along.|One after the other, they came to visit.] And {b} was never lonely again.

= greedy.gather
{a.s} took {o.a} and went {r.to} to look for food. [Winter was near.|The days were getting shorter.|Soon it would be cold.]
It was autumn, so {a} went {r.to} with {o.a}. [All the animals were gathering food.|There was much to do before winter.]
= greedy.full
{a.s} found [many|a lot of] {food} and put them into {o.the}. Soon it was full [to the top|and heavy]. "[All mine|All this is for me]," {a.he} said.
There were {food} everywhere. {a} worked [all day|without a break] until {o.the} was full. [{a.He} was very proud of it.|"I will be fat and happy," {a.he} said.]
= greedy.ask
{b.intro} came by. "[I found nothing today|I was sick and could not gather food]," said {b}. "[Could you give me a few {food}|May I have some of your {food}]?"
Then {b.intro} came. {b} had [an empty belly|a sad face]. "[Could I have some {food}|Will you share your {food} with me], please?" {b.he} asked.
= greedy.no
"[No|No, no]," said {a}. "[I worked hard for them|They are mine|Find your own]." {b} went away [sadly|without a word].
{a.s} held {o.the} tight. "[I have not enough for two|I need them all]," {a.he} said. But it was not true. {b} [turned around and left|walked away with a hanging head].
= greedy.loss
[That night|A little later|On the way], {cause}, and all the {food} [were gone|fell into the river|rolled away]. {a} [stood there with nothing|had nothing left].
Then something bad happened. {cause_up}, and [not one of the {food} was left|the {food} were lost]. [{a} ran after them, but it was too late.|{a} looked, but they were gone.]
= greedy.offer
Then {b} came back. [In the meantime, {b.he} had found some roots.|"Somebody gave me some bread," {b.he} said.] "[You look hungry|Are you hungry], {a}? [I will share it with you|You can have half of it]."
There was a knock. It was {b} with a bowl of soup. "[I heard what happened|You must be hungry]," {b.he} said. "[Here, eat with me|There is enough for two]."
= greedy.sorry
{a.s} was ashamed. "[I gave you nothing, and you share with me|I was greedy]," {a.he} said. "[I am sorry|Please forgive me]." "[Eat|It is all right]," said {b}. 
"[Why are you so kind|I do not deserve it]," said {a}. "[Next time, I will share everything with you|I will never be greedy again]." {b} [smiled|only nodded and filled the cups].

= cook.plan
"[Let us make|I want to make] {dish}," said {a}. [It was a rainy day.|{a.He} was hungry.] {c.intro} was going to come for dinner.
{a.s} wanted to make {dish} for {c.intro}. [It should be a surprise.|{c} loved good food more than anything.]
= cook.start
{a.s} put on an apron and got out {o.a}. "We need {x}, {y} and {z}," {a.he} read in the cookbook.
{a.s} took {o.a} from the shelf. For {dish}, one needs {x}, {y} and {z}.
= cook.missing
{a.s} found {x} and {y}, but {a.he} could not find any {z}. "[What now?|Oh no!]" {a.he} said.
{a.s} looked [on every shelf|everywhere]. {a.He} found {x} and {y}, but there seemed to be no {z}. "[I cannot make it like this|Without {z}, it will not work]," {a.he} said.
= cook.borrow
{a.s} went to {b.intro} next door. "[Excuse me|Good morning]," {a.he} said. "[May I borrow|Could you lend me] some {z}? I want to make {dish}."
"I will ask somebody," thought {a} and knocked at the door of {b.intro}. "Do you have some {z} for me?" {a.he} asked.
= cook.lend
"[Of course|Sure]," said {b} and gave {a} what {a.he} needed. "[Bring me a taste later|Good luck with it]!" 
{b} [smiled|looked in the cupboard]. "[Here you are|You are lucky]," {b.he} said. "[I hope that I may try it|It is good to have neighbors]."
= cook.cook
Back at the stove, {a} [mixed|cut and stirred] everything in the right order and used {o.the}. [Soon it smelled wonderful.|The whole house smelled good.]
Now {a} had all that {a.he} needed. {a.He} [stirred and tasted|washed, cut and stirred] with {o.the} in {a.his} hand. "[A little more salt|Not too hot]," {a.he} said to {a.himself}.
= cook.oops
There was [flour on the floor|flour in {a.his} hair|a bit of smoke], but [that did not matter|{a} only laughed].
= cook.eat
Then {dish_the} {was} done. {c} [sat down and|took a bite and] [closed {c.his} eyes|licked {c.his} lips]. "[This is the best I ever ate|Delicious]!" {c.he} said.
{a.s} put {dish_the} on the table. {c} tasted {it} and smiled. "[May I have more|You are a real cook]?" {c.he} asked.
= cook.guest
{a.s} did not forget {b}. {a.He} brought {b.him} a big [plate|bowl] of it. "[So good|Thank you, little cook]!" said {b}.
They asked {b} to come over, too. [There was enough for everybody.|So three sat at the table, and it was a nice evening.]

= plant.get
{b.intro} gave {a} {seed}. "[Put it into the earth and take care of it|Inside it, something big is asleep]," {b} said. {a} had {o.a} and [wanted to start at once|ran to get it].
{a.s} got {seed} from {b.intro}. [It was so small!|It looked like nothing special.] "[Plant it and wait|You will be surprised]," {b} said. {a} went to get {o.a}.
= plant.put
{a.s} dug a [small|little] hole, put {seed_the} in and covered it with soil.
There {a} found a sunny spot. {a.He} put {seed_the} into the soft ground [and gave it some water|and patted the soil flat].
= plant.wait
The next morning, {a} ran out to look. [Nothing was there.|There was only brown soil.] The day after that, there was [still nothing|nothing, either].
{a.s} waited one day. {a.He} waited two days. [Nothing happened.|There was nothing to see.] "[Why does it take so long|Is it broken]?" {a.he} asked.
= plant.dig
"I will dig it up and look," said {a}. "[Stop|Wait]!" said {b}. "[Then it can never grow|It needs the dark and the quiet]."
= plant.advice
"[Be patient|You must wait]," said {b}. "[It is growing where you cannot see it|First it grows down and then it grows up]. [Give it water and time|Good things take time]."
{b} laughed [softly|]. "[Nothing big grows in a day|You did not grow up in one day, either]," {b.he} said. "[Water it every morning|Talk to it and give it water]."
= plant.care
So every day, {a} took {o.the} and [looked after it|worked a little]. [{a.He} pulled out the weeds.|{a.He} even sang to it.]
{a.s} took {o.the} each morning and [took good care of the spot|kept the soil soft and wet]. [The sun was warm, and it rained at night.|Days went by.]
= plant.sprout
And then, one morning, there was {sprout}! "[It is growing|Come and look]!" {a} [shouted|called].
After [ten days|two weeks], {a} saw {sprout}. [It was so tiny!|{a.He} danced for joy.]
= plant.grown
[Week after week|In the sun and the rain], it grew. In the end, it was {plant}.
It grew and grew. [By summer|At the end of summer], there was {plant}. [Everybody came to see it.|{b} was amazed.]
= plant.use
{a} and {b} {use}. [It was worth the wait.|"That was worth the wait," said {a}.]
Together, {a} and {b} {use}, and [it was a feast|it was a happy day]. "[You have green thumbs|You did that well]," said {b}.
"""

DAYS = """
= picnic.plan
{a} and {b.intro} wanted to have a picnic {p.at}. [They had talked about it all week.|They had been waiting for a free day.]
"Let us have a picnic {p.at}!" said {a} to {b.intro}. "[Great idea|Yes, let us do that]!" said {b}.
= picnic.pack
{a.s} packed {food} and {food2}, and {a.he} took {o.a}, too.
They put {food} and {food2} into a big bag. {a} also packed {o.a}. [Now they were ready.|"I think that we have everything," {a.he} said.]
= picnic.clouds
But just when they had sat down, [dark|big gray] clouds came. [A drop fell on {a}'s nose.|Plop, plop, plop!] Then it rained [hard|cats and dogs].
They had just unpacked the {food}. Then the sky turned dark, and [thunder rolled|heavy drops fell].
= picnic.run
{a} and {b} [packed everything and|] ran home as fast as they could. [Their hair was wet, and their shoes were full of water.|They were wet to the bone.]
"Run!" said {b}, and {a} and {b} ran home [through the rain|with the bag over their heads].
= picnic.rain
But when {a} opened the door, it was raining [hard|]. [The path was all mud.|Water ran down the windows.] They could not go.
Just as they wanted to leave, the rain began. [It did not stop.|It got worse and worse.]
= picnic.idea
Then {b} [smiled|had an idea]. "[Who says that a picnic must be outside|Let us have the picnic right here]?" {b.he} said.
"[We still have the {food}|The food is still good]," said {a} after a while. "[We can have our picnic on the floor|Let us have it inside]!"
= picnic.inside
They put a cloth on the floor [of the living room|between the chairs] and set out {food} and {food2}. [A lamp was the sun.|They pretended that the rug was grass.] {a} put {o.the} in the middle.
So they sat down on the floor, ate {food} and {food2} and listened to the rain. [It sounded like drums.|It was cozy and warm.]
= picnic.game
{b} [told a funny story|sang a camping song], and {a} laughed until {a.his} belly hurt.
After that, they [built a cave of chairs|played ship in a storm|made shadow animals on the wall]. [Nobody thought about the rain anymore.|It was the best picnic ever.]
= picnic.rainbow
When the rain stopped, there was a rainbow over the [roofs|trees]. [They counted its colors.|"Look!" said {a}.]

= way.rule
"Do not go too far," {b.intro} always said. "[Stay on the path|Always stay where you can see the house]." "[I will|Yes]," said {a} [and put {o.a} into {a.his} pocket|and took {o.a} along].
{b.intro} told {a}, "[You may go out, but stay near|Stay on the path, and you will be fine]." {a} nodded. {a.He} had {o.a} with {a.him}.
= way.follow
Then {a} saw {lure}. [It was so pretty!|How nice that was!] {a} followed it, [farther and farther|left and right, up and down], and forgot the rule.
There was {lure}! {a} [ran after it|wanted to see where it would lead]. {a.He} did not [look back|see that the path was gone].
= way.lost
When {a} looked up, everything looked [strange|the same]. [Where was the path?|There was no path anymore.] "I am lost," {a.he} whispered.
[Suddenly|After a long while], {a} stopped. {a.He} did not know this place. [Which way was home?|All the trees looked alike.] {a} was lost.
= way.ask
Then {a} saw {c.intro}. "[Excuse me|Please help me]," {a.he} said. "I am lost. [How do I get home|Do you know the way to my home]?"
{c.intro} sat there and looked at {a}. "[Why do you cry?|What is the matter, little one?]" {c} asked. "I am lost," said {a}. "[I went too far|I did not stay on the path]."
= way.advice
"{sign}," said {c}. [{a} listened well this time.|"I will do that," said {a}.]
{c} thought for a moment. "{sign}," {c.he} said. "[It is not far|Then you cannot get lost]."
= way.thank
"[Thank you|You are so kind]!" said {a}. {a.He} had {o.the} with {a.him} and [showed it to {c}|held it tight for luck]. 
{a.s} thanked {c} and held {o.the} tight. [It made {a.him} feel brave.|Then {a.he} went on {a.his} way.]
= way.home
{a.s} did just that. [Step by step|After a long walk], {a.he} came home.
It was [almost dark|late], but {a} [did what {c} had said|found the way], and at last, {a.he} came home.
= way.hug
{b} stood at the door [and looked worried|with a lamp]. "[There you are|I was so worried]!" {b.he} said and [hugged {a}|took {a} in {b.his} arms]. "[I am sorry|I will stay on the path from now on]," said {a}.
"[I looked for you everywhere|Where have you been]?" said {b}. {a} told {b.him} everything. {b} [held {a.him} tight|gave {a.him} warm soup].

= build.plan
"Let us build a {what} {p.at}!" said {a} to {b.intro}. "[It must be the biggest ever|Great idea]," said {b}. {a} took {o.a} along.
{a} and {b.intro} wanted to build a {what}. [They had a big plan.|They had drawn it on paper.] {a} packed {o.a} for it.
= build.work
They worked [hard|all morning|for two hours]. [{a} brought what they needed, and {b} put it in place.|{b} told {a} where everything had to go.] The {what} grew [taller and taller|bigger and bigger].
{a} and {b} set to work. [Their hands were dirty, and their faces were red.|Nobody said a word, so hard did they work.] Bit by bit, there was a {what}.
= build.top
At last, {a} put {o.the} on top. "[It is done|How good it looks]!" {a.he} said.
"[It needs one more thing|Now comes the last part]," said {a} and put {o.the} on top of it.
= build.fall
But then came {cause}, and [crash|bang|whoosh], the {what} fell down!
[Suddenly|Just then], {cause} came, and the whole {what} fell apart. [{o.The} lay on the ground.|Nothing was left of it.]
= build.idea
For a while, nobody spoke. Then {b} said, "[We can build it again|Let us try it once more], {trick}."
"[All that work for nothing|It is all gone]," said {a}. "[Now we know how to do it better|It was a good start]," said {b}. "[Let us build it {trick}|We should do it {trick}]."
= build.again
So they began again, {trick}. {a} [picked up|took] {o.the} and [carried it to a safe place|put it to one side for the end]. [It took longer this time.|They took their time.]
They started over. This time they built it {trick}. [They helped each other.|They tested every part.] At the end, {a} [picked up {o.the} and put it on top|took {o.the} and set it on the top].
= build.done
Then {cause} came again. But the {what} [stood firm|did not fall]! "[We did it|Hooray]!" they shouted.
The new {what} was [even better|stronger] than the first. [Even when {cause} came again, it did not fall.|They sat down beside it and ate an apple.]

= wish.find
{spot_up}, {a} found {o.a}. [It was warm and glowed a little.|There was something strange about it.] {a.He} picked it up and rubbed it.
There, {spot}, lay {o.a}. {a} [picked it up|took it] and [rubbed off the dirt|blew the dust off].
= wish.appear
[Poof!|There was a flash of light!] {b.intro} stood in front of {a}. "[You have one wish|You may make one wish]," said {b}. "[Think well before you speak|But be careful what you wish for]."
[Suddenly|Like magic], {b.intro} was there. "[You found my {o}|Thank you for finding my {o}]," said {b}. "For that, you get a wish."
= wish.make
{a.s} did not think for long. "I wish {thing}," {a.he} said. {b} [raised an eyebrow|smiled] and [nodded twice|spun around once].
"[Oh, that is easy|I know what I want]," said {a}. "I wish {thing}!" "[As you wish|So be it]," said {b}.
= wish.first
At first, it was [wonderful|great fun]. [{a} laughed and danced.|{a} could not believe it.]
And it came true. [For an hour, {a} was very happy.|"This is great!" {a.he} said.]
= wish.bad
But soon, it was not so nice anymore: {bad}.
Then came the trouble: {bad}. "[This is not what I wanted|What have I done]," said {a}.
= wish.undo
{a.s} [rubbed {o.the} again|called for {b}]. "[Please take my wish back|I do not want it anymore]," {a.he} said. "[All I want is|I would be happy with] {good}." {b} nodded.
"[Come back, please|Please help me]!" {a} called, and {b} came. "[I made a silly wish|I did not think well]," said {a}. "[What I really need is|Now I know what I want:] {good}." "[That is a wise wish|Now you have thought well]," said {b}.
= wish.after
{a.s} gave {o.the} to {b}. "[I do not need it anymore|Keep it]," {a.he} said. Then {b} was gone, and everything was [as before|normal again].
{b} smiled and took {o.the}. In the next moment, {b.he} was gone, and everything was as it had always been. [{a} let out a long breath.|How good that felt!]

= noise.night
One night, {a} heard a strange noise. {sound_up}! [It came from outside the room.|It was dark.]
It was the middle of the night. {sound_up}! {a} sat up in bed. [What was that?|There it was again.]
= noise.wake
{a.s} [woke up|ran to] {b.intro}. "[Did you hear that|Listen]!" {a.he} whispered. {sound_up}! "[Yes|I hear it]," said {b}.
"Wake up," {a} whispered to {b.intro}. {b} [rubbed {b.his} eyes|sat up]. "[What is it|Is it morning]?" {b.he} asked. Then {b.he} heard it, too.
= noise.guess
"[Maybe it is|I think it is] {guess}," said {a}. "[Nonsense|There is no such thing]," said {b}, [but {b.he} was not so sure|but {b.he} did not sound so sure].
"What if it is {guess}?" whispered {a}. "[Then we will say good evening to it|We must go and see]," said {b}.
= noise.take
{a.s} took {o.a}. [It was good to have something to hold.|{a.He} held it in front of {a.him}.]
"[I will take this|We need this]," said {a} and picked up {o.a}.
= noise.go
On their toes, {a} and {b} went {r.to}. [A board creaked.|They held hands.] {sound_up}! [It was louder now.|It came from there.]
Slowly, {a} and {b} went {r.to}. [Every step was like an hour.|Their hearts beat fast.]
= noise.see
Something moved {spot}. {a} held up {o.the} and looked. It was only {source}!
There it was! {a} [took a step|swallowed] and held {o.the} tight. Then {a.he} saw it, {spot}: {source}.
= noise.laugh
{a} and {b} [looked at each other and laughed|laughed until their bellies hurt]. "[And we were so scared|Such a small thing and such a big fright]!" said {b}.
"[Was that all?|Is that our monster?|So that is our monster!]" said {a}, and they both [laughed|had to laugh].
= noise.bed
Then {a} and {b} went back home to bed [and slept well|and slept until late].
Still giggling, {a} and {b} went home to bed. [Now the noise was only a noise.|They told everybody about it the next day.]

= trip.plan
{a} and {b.intro} were going on a trip {p.to}. They would go by {by}. [{a} had never been there.|{a} was so excited that {a.he} woke up at five.]
"Tomorrow we will take a {by} and go {p.to}," said {b.intro}. [{a} jumped up and down.|{a} could hardly sleep.]
= trip.pack
{a.s} packed [a sweater, an apple|warm socks, some bread] and {o.a}. [Then the bag was full.|"Now I have everything," {a.he} said.]
Into {a.his} bag, {a} put [some bread, a bottle of water|two apples, a sweater] and, most important, {o.a}.
= trip.ride
From the {by}, {a} saw {see}. [It was like a picture book.|"Look at that!" {a.he} said.|Everything flew by.]
The ride was long. {a} looked out and saw {see}. [{b} told stories.|They ate their bread.] 
= trip.there
At last, {a} and {b} arrived {r.at}. 
{a} and {b} came {r.to}. "[We are there|Here we are]!" said {b}.
= trip.use
{a.s} took out {o.the}. [It was great to {o.use} here.|This was a perfect place for it.]
And of course, {a} had {o.the}. "[Now I can {o.use}|I am glad that I brought it]," {a.he} said.
= trip.friend
There {a} met {c.intro}. [They liked each other at once.|They played together all day.] {c} [knew all the best places|had never been on a {by}].
{c.intro} lived there. {c.He} showed {a} [a secret path|a nest of birds|where the best berries grow]. [Soon they were friends.|They had a lot to talk about.]
= trip.gift
When it was time to leave, {a} gave {o.the} to {c}. "[So that you do not forget me|Keep it until we see each other again]," {a.he} said. {c} [waved for a long time|promised to write].
"I want you to have this," said {a} and gave {o.the} to {c}. [{c} had to swallow.|{c} gave {a.him} a hug.]
= trip.evening
In the evening, {a} and {b} [watched the sun go down|ate soup by a fire|counted the stars]. "[I want to stay here forever|It is lovely here]," said {a}.
When the sun went down, they sat side by side. [{a}'s face was warm from the sun.|The sky was pink and gold.] "[Can we come back|Was it nice]?" they both asked at the same time and laughed.

= snow.wake
When {a} woke up, everything was white. It had snowed [all night|]! "[Snow|It is snowing]!" {a.he} shouted.
In the morning, it was strangely quiet. {a} looked out. [Big flakes were falling.|The roofs had white hats.] It was the first snow of the year.
= snow.ready
{a.s} put on [warm clothes|two pairs of socks] and took {o.a}. Then {a.he} went to get {b.intro}. "[Come out|Hurry up]!" {a.he} called.
{b.intro} was already at the door. "[Are you ready|Come on]?" {b} called. {a} ran to get {o.a}.
= snow.fun
They [threw snowballs|caught flakes with their tongues|ran and slid and fell]. [{b} hit a tree, and all its snow fell on {a}.|Their laughter could be heard far away.]
The snow [crunched under their feet|was as soft as a pillow]. {a} and {b} [threw snowballs|jumped into a big pile of it].
= snow.angel
They lay down on their backs and moved their arms. Now there were two angels in the snow.
= snow.man
They rolled three big balls and built a snowman. For a nose, they used a [carrot|pine cone]. "[Good day, sir|Hello, Snowman]," said {b}.
= snow.tracks
They found small tracks in the snow. [A rabbit must have been there.|"That was a fox," said {b}.] They followed them to [a hole under a tree|a bush].
= snow.cold
After a while, {b} began to shake. "[I am so cold|My ears are cold|My feet are cold]," {b.he} said.
But then {b} got very cold. [{b.His} lips were blue.|{b.His} hands were red.]
= snow.share
"Take this," said {a} and gave {o.the} to {b}. [That was much better.|"But now you are cold," said {b}. "I am fine," said {a}.]
{a.s} took off {o.the} and put it on {b}. "[Thank you|You are a good friend]," said {b}.
= snow.pull
"[Let us go home|Let me help you]," said {a}. {a.He} [gave {b} {a.his} gloves|rubbed {b}'s hands] and put {o.the} under one arm.
= snow.cocoa
There was {food} for both. They [sat by the fire|wrapped themselves in blankets] and [felt warm from head to toe|watched the snow fall].
Soon they had {food} in front of them. "[Ah|This is nice]," said {b}. [Outside, the snow kept falling.|Their faces were red and happy.]

= letter.gone
{a.His} best friend {b} had moved away to {far}. [Before, they had played together every day.|{a} missed {b} very much.]
{a.s} had a friend named {b}. But {b} had moved to {far}. [It was so far away!|The house next door was empty now.]
= letter.idea
"[Why do you not write to {b}|You could send {b} something]?" asked {c.intro}. [{a} liked that idea.|{a}'s face lit up.]
{c.intro} saw how sad {a} was. "[A letter can travel farther than feet|Paper can go where you cannot go]," {c} said.
= letter.write
{a.s} sat down and made {o.a} for {b}. [It took a long time.|{a.He} bit on the pencil.] {a.He} told {b} about [the new kittens|the big storm|the apple tree]. 
So {a} made {o.a}. [In one corner, {a.he} drew two friends.|{a.He} put a kiss on it.] "[{b} will like it|I hope that it makes {b} happy]," {a.he} said.
= letter.send
There {a} sent {o.the} to {b}. ["Fly fast," {a.he} whispered.|{a.He} put on a stamp with a bird.]
{a.s} put {o.the} into the big box for mail. [Clack!|Now it was on its way to {b}.]
= letter.wait
Every day, {a} looked for an answer. [Monday: nothing. Tuesday: nothing.|One week went by, and then another.] "[Did {b} forget me|Did it get lost]?" {a} asked.
{a.s} waited. [The postman came and went.|Day after day, nothing came.] [It was hard to be patient.|{a} began to lose hope.]
= letter.reply
Then, one day, a small box came. It was from {b}! Inside, there was {q.a}. "[I think of you every day|I miss you, too|Come and visit me in summer]," {b} had written.
At last, the postman brought something: a letter from {b} and {q.a}. "[Thank you for the {o}|Your {o} hangs over my bed]," {b} wrote. "You are still my best friend."

= thief.keep
There {a} had {o.a} full of {food}. [Every day, {a.he} ate two of them.|{a.He} had picked them the day before.]
{a.s} put {o.a} there. It was full of {food}. [They were for Sunday.|They smelled so good.]
= thief.gone
But the next morning, some of the {food} were gone! [And the day after that, there were even fewer.|"I counted them," said {a}. "Three are missing!"]
The next day, {a} looked into {o.the}. "[Somebody was here|Some of them are missing]!" {a.he} said.
= thief.who
"Was it you?" {a} asked {b.intro}. "[No|Not me]," said {b}. "[I do not even like {food}|I was asleep]. [Let us find out who it was|We must catch the thief]."
{a.s} told {b.intro} about it. "A thief!" said {b}. "[Tonight we will hide and watch|We will lie in wait]."
= thief.watch
That night, {a} and {b} hid {spot}. [They hardly breathed.|They waited for a long time.] Then [something rustled|they heard tiny steps].
In the evening, they hid {spot} and waited. [{b} almost fell asleep.|The moon came up.] Suddenly, [something moved|there was a sound].
= thief.see
It was {c.intro}! {c.Name} took one of the {food} and [ran away|carried it off]. {a} and {b} followed on their toes.
"[Look|There]!" whispered {b}. {c.intro} came out of the dark, took one of the {food} and ran. [They followed {c.him}.|{a} and {b} crept after {c.him}.]
= thief.why
In a little hole, there were [four|five|three] tiny babies. {c} gave them the food. "[So that is why|She has hungry children]," said {a}.
And what did they see? A nest with [three|four|five] little ones in it! They were [hungry|so small]. {a} was not angry anymore.
= thief.share
From then on, {a} took {o.the} every evening and put out [some|a few] {food} for the family.
"[They need it more than we do|There is enough for all of us]," said {a}. {a.He} put some of the {food} from {o.the} in front of the hole.
= thief.thanks
[Soon the little ones came out to play.|In spring, the little ones were big.] {a} and {b} [watched them every day|gave each of them a name].
One morning, {a} found a [pretty leaf|shiny pebble|small flower] at the door. "[It is a thank-you|I know who it is from]," said {b}.
"""

MORE = """
= own
{a.s} [owned|had] {o.a}. [It came in a box with a bow.|It had been a gift from {a.his} godmother.|{a.He} had found it at a market.|It was the first thing that {a.he} had ever bought.] [Since then|Ever since], {a.he} loved to {o.use}.
{a.s} could spend hours with {o.a} that [{a.he} got last winter|{a.his} neighbor gave {a.him}|had been in the family for years]. [{a.He} kept it on a shelf beside the window.|{a.He} kept it in a special place.|{a.He} never let it out of sight.]
[Among all the things in the house|Of everything in the world], {a.s} loved {o.a} the most. [{o.The} was old, but it was dear to {a.him}.|Nobody else had one like it.|{a.He} knew every scratch on it.]

= go
{a.s} [hopped down the steps|packed a small bag|tied {a.his} shoes|drank some milk] and then [went|walked|ran] {r.to}.
{a.s} [followed the road|followed the path|crossed the bridge|walked past the last house] and [came|went] {r.to}.
[The way was short|The way was nice and sunny|The road was empty|The grass was wet], and {a} [went|walked|ran] {r.to} [with quick steps|without a stop|in no time].
"I am going {r.to}!" {a} called and [ran off|was gone|went out of the door]. Soon {a.he} came {r.to}.

= go.with
{a} and {b} took the [short|long|narrow] path and [went|walked] {r.to}.
Side by side, {a} and {b} [went|walked|skipped] {r.to}. [The sun was on their backs.|They kicked a small stone ahead of them.|It was not far.]
The two of them, {a} and {b}, [went|walked|ran] {r.to}. ["Last one there is a snail!" said {b}.|They sang as they went.|They had a lot to say to each other.]

= go.home
{a.s} [walked|went|ran] home [with quick steps|slowly|the same way that {a.he} came].
The way home was [long|short], and {a} [went|walked|ran] home [without a word|with long steps|at once].

= arrive
It [did not take long|was easy] to see [why people liked it here|that this was a good place]: there were {r.sight}.
{a.s} [saw|could see] {r.sight}. [It was a good place to be.|How nice it was there!|It was just like the last time.]
Everywhere, there were {r.sight}, and {a} [did not know where to look first|took a deep breath].

= joy
{a.s} {joy} and [forgot everything else for a while|was happy|felt as free as a bird].
For some time, {a} {joy}. [It was just the right thing to do.|There was no hurry.|A small dog watched and wagged its tail.]
{a.s} {joy}[, once and then once more| until {a.his} cheeks were red| as long as {a.he} liked].

= hug
"Come here," said {b} and [hugged {a}|put both arms around {a}]. [That felt good.|It was a long, warm hug.]
{b} pulled {a} close. [For a while, nobody said a word.|Everything was all right again.]

= thanks
"I will never forget this," said {a} to {b}. "[Friends help each other|It was fun|Don't mention it]," {b} [said|answered] with a smile.
{a} did not know what to say, so {a.he} just hugged {b}. "[I know|There, there|I am glad, too]," said {b}.
"If you ever need me, I will help you, too," {a} told {b}. {b} [smiled|nodded]. "[I know that|That is good to know]," {b.he} said.

= play.together
{a} and {b} [made up a game with new rules|built a small house of sticks|raced from tree to tree|played a long game of catch], and [the time flew by|nobody counted who won|they laughed until their sides hurt].
For the rest of the day, {a} and {b} [stayed together|played side by side]. [They shared an apple.|They gave each other funny names.|They found out that they liked the same things.]

= meet.intro
[That day|A little later|At noon], {b.intro} [stood at the gate|came around the corner|waved from the street]. "[Do you have time?|Can we play?|Here I am!]" {b.he} called.
On [Monday|Sunday|Friday], {b.intro} came over, as [always|{b.he} often did]. [{a} was already waiting.|{a} ran to the door.]

= feel.sad
{a.s} was so sad that {a.he} [could not speak|did not want to eat|did not even hear the birds].
It was as if a cloud had moved in front of the sun. {a} was [very|so] sad.
{a.s} [sat down on the ground|sat down on a step] and [let {a.his} head hang|hid {a.his} face in {a.his} hands]. How sad {a.he} was!

= feel.worried
{a.s} could not stop thinking about it. ["What if it never gets better?" {a.he} thought.|What should {a.he} do?|{a.His} thoughts went around and around.]
{a.s} [bit {a.his} lip|rubbed {a.his} hands|looked around with big eyes]. {a.He} was [very|so|really] worried.

= feel.scared
A cold shiver ran down {a}'s back. {a.He} was [very|so] scared.
{a.s} [wanted to shout, but no sound came out|held on to {a.his} sleeve|stopped and listened]. {a.He} was [scared|very scared].

= feel.sorry
"[I should not have done that|If only I had not done it|It was my own fault]," thought {a}. {a.He} was [very|so|truly] sorry.
There was a heavy feeling in {a}'s chest. {a.He} was sorry for what {a.he} had done.

= feel.angry
{a.s} [blew out {a.his} cheeks|frowned|kicked the ground]. {a.He} was so angry that {a.he} [could not think|wanted to scream|turned {a.his} back].

= feel.happy
{a.s} [hopped on one leg|threw {a.his} arms into the air|spun around|hugged the nearest tree] because {a.he} was so happy.
It was as if the sun had come up a second time. {a} was [so|very] happy.
{a.s} wanted to [sing|dance|hug the whole world]. {a.He} was [very|so] happy.

= feel.proud
{a.s} [puffed out {a.his} chest|held up {a.his} chin|grinned from ear to ear]. {a.He} was [very|so] proud.
That was something to be proud of, and {a} was [very|really] proud.

= feel.lonely
{a.s} sat [by the window|on the steps|under a tree] and [watched the others|listened to the clock|drew in the dust]. {a.He} was [lonely|very lonely].

= feel.shy
{a.s} wanted to say something, but {a.he} was too shy. [{a.His} tongue did not move.|{a.He} just looked at the ground.]

= moral.care
"[Things that we love need our care|It is good to know where things are]," {a} [said|told {a.his} friends] [from then on|later].
= moral.help
{a.s} knew now that [two heads are better than one|asking for help is nothing to be ashamed of|a helping hand is worth a lot].
= moral.honesty
{a.s} found out that [the truth is easier to carry than a lie|telling the truth takes courage, but it is worth it|people trust you when you are honest].
= moral.kindness
{a.s} understood that [a kind word costs nothing|kindness makes the world warmer|it is never wrong to be kind].
"If everybody did one kind thing a day, the world would be a better place," {a} [said|thought] [that night|later].
= moral.sharing
{a.s} understood that [a shared joy is a double joy|what we share does not get less|half of something with a friend is better than all of it alone].
= moral.patience
{a.s} understood that [one cannot hurry everything|the best things come slowly|it is worth it to wait].
= moral.friendship
{a.s} understood that [a friend is like a light in the window|with a friend, everything is half as hard and twice as nice|friends can be found in all places].
= moral.courage
{a.s} understood that [fear gets smaller when we look at it|everybody can be brave|courage grows when we use it].
"Next time I will be even braver," said {a}, and [nobody doubted it|everybody believed it].
= moral.practice
{a.s} understood that [every master was once a beginner|small steps lead far|mistakes are a part of learning].
= moral.teamwork
{a.s} understood that [one can do little, but many can do a lot|even a small helper can make the difference|it is good to stand together].
= moral.listen
{a.s} understood that [good advice can save us from tears|rules are there to keep us safe|it is good to listen to those who know more].
= moral.adventure
{a.s} fell asleep with [sand in {a.his} shoes and joy in {a.his} heart|a head full of pictures|the feeling that the world was big and good].
= moral.family
{a.s} understood that [love does not get less when we share it|a family can always grow|big ones and small ones need each other].
= moral.rain
{a.s} understood that [the weather does not make the day, but we do|a good idea is better than good weather].
= moral.promise
{a.s} understood that [trust is a precious thing|a word is like a rope: it must hold].

= end
When {a} [closed {a.his} eyes|lay in bed] that night, {a.he} was [happy|glad|very happy].
And [whenever|when] somebody asked about it, {a} [told the story from the start|smiled and told the story|was happy to tell it].
[The moon came up|The lamps were lit|It got dark], and {a} [thought that it had been a good day|went home happy|yawned and smiled].
So [the day|everything] ended [well|better than it had begun], and {a} was [happy|glad].
It was time for bed. {a} [was tired but happy|had a lot to dream about|fell asleep at once and slept well].
{a.s} thought about it for a long time, and then {a.he} smiled.
And [all|everybody] went home [happy|with a smile|tired and happy].
That was a day that {a} [never forgot|remembered for a long time|liked to think of].

= lost.play
{a.s} had {o.the} with {a.him}. [{a.He} set it down while {a.he} drank from a bottle.|{a.He} laid it beside {a.him} and closed {a.his} eyes.|It slid out of {a.his} bag, and {a.he} did not notice.]
{a.s} [played with|looked at] {o.the} for a while. Then [a bird sang, and {a.he} went to see it|somebody called, and {a.he} ran over|a butterfly flew by, and {a.he} ran after it]. {o.The} stayed behind.
= lost.notice
{a.s} felt in {a.his} pocket. It was empty! {o.The} was [gone|missing].
A cold feeling came over {a}. {o.The} was not there! ["I have lost it," {a.he} whispered.|"I had it a moment ago," {a.he} said.]
= lost.tell
"What are you looking for?" asked {b.intro}. "[My {o.same}|For my {o.same}]," said {a}. "[It is gone|I have lost it|I can't find it anywhere]."
{b.intro} found {a} [on the floor|on {a.his} knees|in tears]. "I have lost my {o.same}," {a} said. "[It was so dear to me|I am so sad|What shall I do?]"
= lost.offer
"We will not give up," said {b}. "[Let us go the same way again, step by step|You look on the left, and I look on the right|I am good at finding things]."
{b} thought about it. "[Where there is a loser, there is a finder|Lost things like to be found]," {b.he} said. "[I will come with you|Let us look for it]."
= lost.found
They had almost given up when {b} [pointed at something|gave a shout]. There, {spot}, was {o.the}! {a} [ran to it|could hardly believe it] and picked it up.
"What is that over there?" asked {b}. {a} ran and looked {spot}. There was {o.the}! [It seemed to say, "Where have you been?"|It had waited there all the time.]
= search.no
{a.s} got down on {a.his} knees and looked {spot}. [There was only an old leaf.|A frog looked back at {a.him}.|There was not a trace of it.]
"Did you look {spot}?" asked {b}. {a} [looked there, too|nodded]. [Nothing.|It was not there.]

= found.keep
{a.s} turned it over in {a.his} hands. [There was no name on it.|Somebody had loved it, one could see that.] "Somebody is looking for this right now," {a.he} thought.
= found.owner
Then {a} saw {b.intro}. {b} [looked under every bench|walked up and down with a sad face|asked one person after another]. "Did you lose something?" asked {a}. "[Yes, my {o.same}|My {o.same}]," said {b} [in a low voice|with a sigh].
= found.thanks
{b} [could not stop smiling|laughed with joy]. "[You made my day|I thought that I would never see it again]," {b.he} said. "[How can I thank you?|What is your name?]" "[I am {a}|My name is {a}]," said {a}.

= turns.pull
"[Mine!|Let go!]" said one. "[No, mine!|No, you let go!]" said the other. [It went on like that for a long time.|A bird flew away because of the noise.]
= turns.idea
{a.s} looked at {b}, and {b} looked at {a}. [Both of them had to laugh.|It was a silly fight.] "[You first, and then me|Ten minutes for you, ten minutes for me]," said {a}. "[Good|All right|That is fair]," said {b}.

= search.no
There was nothing {spot}. [{a} sighed.|{a} went on.|"Where can it be?" said {a}.]

= new.comes
"[Hey there|Hello there]," said a voice. It was {b.intro}. "[You look like somebody who needs company|We need one more for our game|I saw you sit here all alone]."
= new.watch
There was a lot of noise. Everybody [had a friend to play with|seemed to know everybody]. Only {a} [stood alone with {o.the}|held {o.the} and waited].

= fear.talk
{b.intro} [came along|was near]. "[Your hands are cold|You are shaking]," {b.he} said. "[What is it?|What scares you?]" "I am afraid of {fear}," [said|whispered] {a}.
= fear.advice
{b} nodded. "[There is a trick|I will tell you a secret]," {b.he} said. "{advice}. [It works every time|That helped me, too]."

= skill.giveup
"[Everybody can do it, only not me|This is too hard|I will stop now]," {a} [grumbled|sighed]. {a.He} [turned away|folded {a.his} arms|had tears in {a.his} eyes].
= skill.success
{a.s} tried one more time, and {a.he} {success}! [{a.He} could hardly believe it.|What a feeling that was!|"Did you see me?" {a.he} called.]
= skill.practice
Every [morning|afternoon|evening], {a} practiced for a little while. [Some days were good, and some were bad.|{b} came along and watched.|After a week, it went much better.]

= stuck.ask
{b.intro} came around the corner and looked up. "[How did it get up there?|Is that your {o}?]" {b.he} asked. "[The wind took it|It flew away]," said {a}. "[And now it is {where}|I can't reach it]."

= young.comfort
"[Hush|Shh]," said {a} softly. {a.He} [took off {a.his} jacket and put it around {b}|made a bed of leaves for {b}|sat down so as not to scare {b}].
= pet.after
{a.s} [brushed {b} and gave {b.him} fresh water|made a new sign for the gate: "Please close!"]. "[Home is best, isn't it?|You gave me a fright]," {a.he} said to {b}.

= heavy.carry
{a.s} [held on tight|took small steps]. "[Shall we rest?|Is it too heavy?]" asked {b}. "No, [I am fine|it is not far]," said {a}.

= together.done
"[Ready?|Now!]" They [pushed|pulled] until their faces were red. Then there was a loud crack, and {the_load} moved! ["Hooray!" they all shouted.|It was done.]

= cook.cook
{a.s} got to work. {a.He} [peeled, cut and stirred|measured, mixed and tasted], and {o.the} was never out of {a.his} hands. [Steam rose, and the windows grew wet.|The whole street could smell it.]
= plant.care
From then on, {a} came every morning with {o.the}. [{a.He} told the plant what {a.he} had dreamed.|{a.He} chased away the snails.|Not one day did {a.he} forget it.]
= sleep.cannot
All was quiet, but {a} lay awake, because {why}. [{a.He} looked at the ceiling.|The night was long.]
= noise.guess
"[It sounds like|Could it be] {guess}," {a} whispered. "[At this hour?|In our house?]" said {b}. [They both listened.|It did not sound like a joke anymore.]
= wish.first
For a while, everything was [lovely|like a dream]. [{a} clapped {a.his} hands.|"What a good wish that was!" said {a}.]
= build.work
[Bit by bit|Slowly], the {what} took shape. {a} [carried|fetched], and {b} [built|stacked]. [Now and then, they stopped to look at it.|They forgot to eat their bread.]
= snow.fun
{a} and {b} [made deep footprints|shook snow from the branches|rolled down a white slope]. [Their noses were red.|Soon both of them looked like snowmen.]
= letter.wait
The days went by slowly. [Rain came, and sun came, but no letter.|Each morning, {a} ran to the door.] "[Maybe tomorrow|It is a long way]," said {a}.
= thief.watch
When the house was quiet, {a} and {b} hid {spot}. [Their feet got cold.|An hour went by.] Then [there was a tiny sound|a shadow moved].
= stranger.comes
A branch broke. [Something breathed.|The bushes moved.] Out came {b.intro}, as big as a [door|hill|cart].
= greedy.ask
"Good day," said {b.intro}. "[I have nothing to eat|I have had no luck today]. [Could you spare me some {food}|Would you give me some of your {food}]?"
= race.help
{a.s} stopped. [The others ran past.|The finish line was only ten steps away.] But {a.he} [turned around|went back], took {b} by the arm, and they finished the race together, slow but happy.
= stage.help
"[Are you scared?|Is your heart beating fast?]" asked {b.intro}. {a} nodded. "[That only means that it matters to you|So was I, once]," {b} said. "[Smile, and start|I am right here]."
= gift.reaction
{b} looked at the present and then at {a}. "[No gold in the world is worth as much|I will look at it every day]," {b.he} said and [had to wipe away a tear|kissed {a} on the forehead].
= saving.think
{a.s} thought of all the [weeks|days] that {a.he} had saved. Then {a.he} looked into {b}'s eyes. [They were red from crying.|They were so sad.]
= bird.help
Something [flew|fluttered] over {a}'s head. It was {b}! [{b} had come back.|{b} had not forgotten the winter.] {b} flew ahead, and {a} [followed|ran behind].
= tease.sorry
"[I was wrong about you|I was not nice to you]," said {b} [in a low voice|and looked down]. "[You helped me, and I laughed at you|I am sorry about your {o}]."
= mess.clean
{a.s} took a deep breath and began. [Blocks here, books there, socks into the basket.|One thing after the other found its place.] It took [an hour|the whole morning].
= treasure.dig
{a} counted ten steps and stopped. "Here, {spot}," {a.he} said. They dug [with all their might|until the hole was deep].
= picnic.game
They [sang songs about the sun|played that they were on an island|told each other riddles], and outside the rain [drummed on the roof|ran down the windows].
= trip.ride
They looked out the whole time. {a} saw {see} and [waved|pressed {a.his} nose against the glass]. [{b} counted the bridges.|It was a long ride, but it was not boring.]
= warn.ouch
It happened very fast. "Ow!" cried {a}. [It hurt, and {a.he} was frightened.|Big tears rolled down {a.his} cheeks.]
= lie.truth
All evening, {a} could think of nothing else. At last, {a.he} went to {b}. "[The {pet} is innocent|It was not the {pet}]," {a.he} said. "[I did it|I ate it all]."
= baby.laugh
All at once, it was quiet. {b} [reached for it|looked at {a}] and [laughed|gurgled with joy]. What a lovely sound that was!
= tooth.look
{a.s} held it up to the light. [It was as small as a grain of rice.|It shone like a pearl.] "[It did not even hurt|There it is]," {a.he} said.
"""

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)((?:\.\w+)?)\}")
PEOPLE_SLOTS = set("abcde")
_CAPITAL = {
    "": ".Name",
    ".s": ".S",
    ".name": ".Name",
    ".he": ".He",
    ".his": ".His",
    ".intro": ".Intro",
    ".the": ".The",
    ".at": ".At",
    ".a": ".A",
}


def variants(template: str, seed: int = 0) -> list[str]:
    """All ways through the choices."""
    parts = _CHOICE.split(template)
    options = [part.split("|") if i % 2 else [part] for i, part in enumerate(parts)]
    total = 1
    for option in options:
        total *= len(option)
    if total <= MOST_VARIANTS:
        found = ["".join(way) for way in itertools.product(*options)]
    else:
        rng = random.Random(seed)
        found = list(
            {
                "".join(option[int(rng.random() * len(option))] for option in options)
                for _ in range(MOST_VARIANTS)
            }
        )
        found.sort()
    return [tidied(text) for text in found]


_ASKS = re.compile(
    r"(?:and |but |oh, |then |yes, )?(?:do(?! not)|does|did|are|is|am|was|were|can|could|shall|"
    r"will|would|may|have|has|"
    r"had|what|why|where|who|how|which|whose|when|should|isn't|aren't|don't|won't|same "
    r"time)\b(?! a | nice| good| pretty| lovely| sweet| silly)",
    re.IGNORECASE,
)
_QUOTE = re.compile(r'"([^"]*[.,!?])"( (?:(?:\{[^}]*\}|[^".{])* )?asked\b)?')
_SAID = re.compile(r"(?:[^.!?,{]|\{[^}]*\}|,(?=.))+[.,!?]+")


def punctuated(quote: re.Match[str]) -> str:
    """Questions get their question mark, and only they do; nobody asks what is no question."""
    words, attribution = quote.groups()
    sentences = _SAID.findall(words)
    if "".join(sentences) != words:
        return quote.group()
    for i, sentence in enumerate(sentences):
        asks = _ASKS.match(sentence.strip()) and not sentence.strip().startswith(
            ("What if it", "When we", "When it")
        )
        last = i == len(sentences) - 1
        if asks and not (sentence.endswith(",") and not last):
            sentences[i] = (
                sentence[:-1] + "?"
                if sentence[-1] != "!" or not sentence.strip().startswith(("What ", "How "))
                else sentence
            )
        elif (
            not asks
            and sentence.endswith("?")
            and not _ASKS.match(sentence.rpartition(",")[2].strip())
        ):
            sentences[i] = sentence[:-1] + ("," if last and attribution else ".")
    words = "".join(sentences)
    if attribution and not words.endswith("?"):
        attribution = attribution.replace(" asked", " said")
        words = words[:-1] + "," if words.endswith(".") else words
    return f'"{words}"{attribution or ""}'


def tidied(text: str) -> str:
    text = re.sub(r"  +", " ", text.strip())
    text = re.sub(r" ([.,!?])", r"\1", text)
    text = re.sub(r"([!?])[,.](?=\")", r"\1", text)
    text = re.sub(r'([!?.]")\.', r"\1", text)
    text = _QUOTE.sub(punctuated, text)
    return re.sub(
        r'\."(?= (?:said|asked|thought|cried|called|whispered|shouted|sighed|decided|wondered) |'
        r" \{\w(?:\.he)?\} (?:said|asked|thought|cried|called|whispered|shouted|sighed|decided|"
        r"wondered|wrote|read)\b)",
        ',"',
        text,
    )


def with_capitals(template: str) -> str:
    """Slots at the start of a sentence become their capital forms, the others their plain ones."""

    def form(match: re.Match[str]) -> str:
        slot, attribute = match.groups()
        before = template[: match.start()]
        starts = (
            not before
            or before.endswith((". ", "! ", "? ", '." ', ': "', ', "', '. "', '! "', '? "'))
            or before == '"'
        )
        if starts and attribute in _CAPITAL and (slot in PEOPLE_SLOTS or attribute):
            return "{" + slot + _CAPITAL[attribute] + "}"
        if not attribute and slot in PEOPLE_SLOTS and before.count('"') % 2:
            return "{" + slot + ".call}"
        return (
            match.group()
            if attribute
            else "{" + slot + (".name" if slot in "abcdeopqr" else "") + "}"
        )

    return _SLOT.sub(form, template)


# -- other words for the same: short forms in speech, and pairs that mean the same everywhere

_SHORT = [
    (re.compile(pattern), short)
    for pattern, short in (
        (r"\b(I) am(?= [a-z{])", r"\1'm"),
        (
            r"\b([Ii]t|[Tt]hat|[Ww]hat|[Ww]here|[Ww]ho|[Tt]here|[Hh]e|[Ss]he) is(?= [a-z{])(?! "
            r"it\b| that\b| he\b| she\b)",
            r"\1's",
        ),
        (r"\b([Yy]ou|[Ww]e|[Tt]hey) are(?= [a-z{])", r"\1're"),
        (r"\bwill not\b", "won't"),
        (r"\b(I|[Yy]ou|[Ww]e|[Tt]hey) will(?= [a-z])", r"\1'll"),
        (
            r"\b([Dd]o|[Dd]id|[Dd]oes|[Cc]ould|[Ww]as|[Ww]ere|[Ii]s|[Aa]re|[Ss]hould|[Hh]ave|"
            r"[Ww]ould) not\b",
            r"\1n't",
        ),
        (r"\b([Cc]an)not\b", r"\1't"),
        (r"\b([Ll]et) us\b", r"\1's"),
        (r"\bI would like\b", "I'd like"),
        (r"\bI have (?=never|looked|always|lost|an idea)", "I've "),
    )
]
_ALIKE = [
    (re.compile(pattern), other)
    for pattern, other in (
        (r"\b([Ee])verybody\b", r"\1veryone"),
        (r"\b([Ss])omebody\b", r"\1omeone"),
        (r"\bnobody\b", "no one"),
        (r"\bNobody\b", "No one"),
        (r"\bbegan to\b", "started to"),
        (r"\bSuddenly,", "All of a sudden,"),
        (r"\bAt last,", "Finally,"),
        (r"(?<!ll )\bat once\b", "right away"),
        (r"\ba lot of\b", "lots of"),
        (r"\bA little later,", "After a while,"),
        (r"\bsmiled\b(?= and|,|\.)", "grinned"),
        (r"\bFrom then on,", "From that time on,"),
        (r"\bFrom that day on,", "From then on,"),
        (r"\bSoon,", "Before long,"),
        (r"\ball day\b", "the whole day"),
        (r"\bvery (?=sad|happy|proud|scared)", "really "),
        (r"\bfor a while\b", "for some time"),
        (r"\bhurried\b(?! home)", "rushed"),
        (r"\bthe next day\b", "the day after"),
        (r"\bloved to\b", "liked nothing more than to"),
        (r"\blooked everywhere\b", "looked high and low"),
        (r"\bfound out\b", "saw"),
        (r"\bunderstood that\b", "knew now that"),
    )
]
_QUOTATION = re.compile(r'"[^"]*"')
REWORDINGS = 3  # of each way through a template


def reworded(templates: list[str], seed: str) -> list[str]:
    """Each as it is, and with other words here and there."""
    rng = random.Random(seed)

    def short(quotation: re.Match[str]) -> str:
        text = quotation.group()
        for pattern, by in _SHORT:
            if rng.random() < 0.7:
                text = pattern.sub(by, text)
        return text

    found = []
    for template in templates:
        found.append(template)
        for _ in range(REWORDINGS):
            text = _QUOTATION.sub(short, template)
            for pattern, by in _ALIKE:
                if rng.random() < 0.5:
                    text = pattern.sub(by, text)
            if rng.random() < 0.15:
                text = re.sub(r"\b(did|could|was) not\b", r"\1n't", text)
            found.append(text)
    return list(dict.fromkeys(found))


def read(text: str) -> dict[str, list[str]]:
    """Templates by kind, multiplied out."""
    found: dict[str, list[str]] = {}
    kind = ""
    for line in text.strip().splitlines():
        if line.startswith("= "):
            kind = line[2:]
            found.setdefault(kind, [])
        elif line.strip():
            found[kind] += reworded([with_capitals(variant) for variant in variants(line)], line)
    return found


PHRASES: dict[str, list[str]] = {}
for _kind, _templates in read("\n".join((GENERAL, THINGS, LEARNING, HELPING, DAYS, MORE))).items():
    PHRASES[_kind] = list(dict.fromkeys(_templates))
