"""The words of the embedded samples, and nothing else.

A tiny model has to learn every word from a few hundred rows, so each list is short and
the same nouns return in several domains.
"""

from collections.abc import Mapping

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "animal": ("dog", "cat", "horse", "mouse", "cow", "bird", "fish", "frog", "lion", "bear"),
    "plant": ("rose", "oak", "fern", "tulip", "pine", "cactus", "daisy", "palm"),
    "food": ("cake", "pie", "pizza", "bun", "salad", "soup", "burger", "cookie"),
    "tool": ("hammer", "saw", "drill", "axe", "spade", "rake", "wrench", "brush"),
    "vehicle": ("car", "bus", "train", "truck", "boat", "plane", "bike", "ship"),
    "instrument": ("drum", "flute", "harp", "piano", "violin", "guitar", "cello", "banjo"),
}

# 1 is the smallest; the scale is ours and every value is taken.
SIZES: Mapping[str, int] = {
    "fly": 1,
    "mouse": 2,
    "frog": 3,
    "cat": 4,
    "dog": 5,
    "lion": 6,
    "bear": 7,
    "horse": 8,
    "whale": 9,
}

NAMES = ("tom", "ann", "sam", "mia", "ben", "eva", "max", "lily")
OBJECTS = ("apples", "books", "cups", "eggs", "pens", "hats", "cards", "coins")
GAINS = ("buys", "finds", "gets", "makes")
LOSSES = ("sells", "loses", "drops", "uses")

FUNCTION_NAMES = ("f", "g", "h", "run", "calc", "solve", "task", "work", "step", "go")

HEROES = (*CATEGORIES["animal"], "king", "girl", "boy", "robot", "witch")
PLACES = (
    "lake",
    "hill",
    "forest",
    "cave",
    "farm",
    "beach",
    "city",
    "garden",
    "river",
    "castle",
    "island",
    "school",
)
ADJECTIVES = ("small", "old", "brave", "quiet", "happy", "lost", "kind", "young")
TREASURES = ("golden key", "red kite", "secret door", "silver bell", "strange map", "warm light")

COLOURS = ("red", "blue", "green", "black", "white", "yellow")
WARES = ("cup", "hat", "bag", "coat", "lamp", "chair", "ball", "clock")
DAYS = ("monday", "tuesday", "friday", "sunday")
SHOPS = ("market", "mall", "shop", "station", "museum", "park")
WEATHER = ("cold", "warm", "windy", "sunny")

# What to suggest for each theme. Every idea names something of its theme.
IDEAS: Mapping[str, tuple[str, ...]] = {
    "a rainy day": ("read a long book", "bake a warm cake", "draw the rain", "play cards", "watch a film"),
    "a birthday party": (
        "bake a big cake",
        "play party games",
        "sing a song",
        "light candles",
        "hang balloons",
    ),
    "a school trip": ("visit a museum", "walk in the forest", "see a farm", "row a boat", "climb a hill"),
    "a small garden": (
        "plant red roses",
        "grow green herbs",
        "build a pond",
        "hang a bird house",
        "sow grass",
    ),
    "a cheap dinner": (
        "cook bean soup",
        "fry eggs and rice",
        "make a salad",
        "bake potatoes",
        "share a pizza",
    ),
    "a new game": (
        "hide a coin",
        "race paper boats",
        "guess the song",
        "draw with one hand",
        "build a tower",
    ),
    "a gift": ("knit a warm hat", "write a kind letter", "paint a cup", "bake cookies", "plant a rose"),
    "a cold evening": ("drink hot tea", "light a fire", "tell old stories", "knit a hat", "cook soup"),
    "a summer camp": (
        "swim in the lake",
        "sing by the fire",
        "build a raft",
        "watch the stars",
        "pick berries",
    ),
    "a school play": (
        "act a king story",
        "sing with a drum",
        "dance like robots",
        "paint a castle",
        "tell jokes",
    ),
    "a long walk": ("follow the river", "climb the hill", "count birds", "take photos", "pick flowers"),
    "a pet show": ("teach a dog tricks", "brush the cat", "race the frogs", "dress a horse", "draw the pets"),
}
ASKS = (
    "list three ideas for {}.",
    "give me three ideas for {}.",
    "name three ideas for {}.",
    "what are three ideas for {}?",
    "i need three ideas for {}.",
    "suggest three ideas for {}.",
    "think of three ideas for {}.",
    "share three ideas for {}.",
    "write three ideas for {}.",
)
