"""The words of the embedded samples, and nothing else.

A tiny model has to learn every word from a few hundred rows, so each list is short and
the same nouns return in several domains.
"""

from collections.abc import Mapping

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "animal": ("dog", "cat", "horse", "frog", "bird"),
    "plant": ("rose", "oak", "fern", "tulip", "pine"),
    "food": ("cake", "pie", "pizza", "salad", "soup"),
    "tool": ("hammer", "saw", "drill", "axe", "spade"),
    "vehicle": ("car", "bus", "train", "boat", "bike"),
}

ALIVE = ("animal", "plant")

# 1 is the smallest; the scale is ours and every value is taken.
SIZES: Mapping[str, int] = {
    "fly": 1,
    "frog": 2,
    "bird": 3,
    "cat": 4,
    "dog": 5,
    "lion": 6,
    "cow": 7,
    "horse": 8,
    "whale": 9,
}

NAMES = ("tom", "ann", "sam", "mia", "ben", "eva")
OBJECTS = ("apples", "books", "cups", "eggs", "pens", "hats")
GAINS = ("buys", "finds", "gets")
LOSSES = ("sells", "loses", "drops")

FUNCTION_NAMES = ("f", "g", "run", "solve", "task", "step")

PEOPLE = ("king", "queen", "girl", "boy", "robot", "witch", "knight", "sailor", "baker", "giant")
HEROES = (*CATEGORIES["animal"], *PEOPLE)
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

# What to suggest for each occasion. Three of five name the occasion, so that any three do.
IDEAS: Mapping[str, tuple[str, ...]] = {
    "a rainy day": (
        "draw a picture of the day",
        "read a book by the fire",
        "write a rainy story",
        "bake bread for the next day",
        "play cards with a friend",
    ),
    "a birthday party": (
        "bake a cake for the party",
        "play a party game",
        "sing a song for the birthday",
        "light a candle on the cake",
        "hang paper stars on the wall",
    ),
    "a school trip": (
        "visit a museum on the trip",
        "walk in the forest",
        "bring the school to farms",
        "sail boats on the lake",
        "draw maps before the trip",
    ),
    "a small garden": (
        "plant a rose in the garden",
        "grow herbs in a pot",
        "build a small pond",
        "hang a house for the birds",
        "draw a plan of the garden",
    ),
    "a cheap dinner": (
        "cook a cheap soup",
        "fry eggs with rice",
        "bake bread for dinner",
        "share a pizza with a friend",
        "make a dinner of salad",
    ),
    "a new game": (
        "hide coins in new places",
        "race paper boats on the lake",
        "guess the name of songs",
        "draw your friend with one hand",
        "build a tower for the game",
    ),
    "a gift": (
        "knit winter hats as the gift",
        "write letters to your friend",
        "paint flowers on the gift",
        "bake cookies for the gift",
        "plant roses in small pots",
    ),
    "a cold evening": (
        "drink tea on a cold night",
        "light a fire in the house",
        "tell a story in the evening",
        "knit winter hats for the cold",
        "cook a soup with a friend",
    ),
    "a summer camp": (
        "swim in the summer lake",
        "sing at the camp fire",
        "build a boat of paper",
        "watch the stars from the camp",
        "walk in the forest",
    ),
    "a school play": (
        "act as a king in the play",
        "sing with a drum",
        "dance like a robot for the school",
        "paint a castle on the wall",
        "make hats for the play",
    ),
    "a long walk": (
        "follow the river on a walk",
        "climb a hill with a friend",
        "count the birds in the forest",
        "walk to an old castle",
        "take a long path by the lake",
    ),
    "a pet show": (
        "teach your pet to dance",
        "brush the cat for an hour",
        "race frogs at the show",
        "dress the horse in a hat",
        "draw a picture of every pet",
    ),
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
