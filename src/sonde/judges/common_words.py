"""The common words of English: function words and the plainest verbs, adverbs and nouns.

They make up a third to a half of running English text of any topic, and next to nothing of
gibberish.
"""

_WORDS = """
a about above after again against all almost along already also although always am among an and
another any anyone anything are around as ask at away back be because been before being below best
better between both but by call came can can't cannot come could day did didn't different do does
doesn't doing don't done down during each either else end enough even ever every everyone everything
example few find first for found from full get give go going good got great had has have having he
he'd he'll he's help her here here's herself him himself his how however i i'd i'll i'm i've if
important in include including into is isn't it it's its itself just keep kind know known large last
least less let let's life like little long look lot made make many may maybe me mean might more most
much must my myself need never new next no nor not nothing now of off often old on once one only or
other others our ourselves out over own part people perhaps place possible quite rather read really
right said same say see seem seems several she she's should since small so some someone something
sometimes soon still such sure take tell than thank that that's the their them themselves then there
there's these they they're thing things think this those though through time to together too try two
under until up upon us use used using usually very want was wasn't way ways we we'll we're we've
well went were what when where whether which while who whole whom whose why will with within without
won't word words work world would wouldn't year years yes yet you you'd you'll you're you've your
yours yourself
"""

ENGLISH = frozenset(_WORDS.split())
