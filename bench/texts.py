"""Texts for benchmarks, made here: of any length, none like another, with their prompts and references."""

import random

from reward_client.api import Sample, TextReference

REWARDS = ("ideation", "summary", "writing")
GROUP = 4
_PLACES = (
    "by the river",
    "up the hill",
    "in the old town",
    "behind the mill",
    "near the coast",
    "at the fair",
)
_PEOPLE = ("the miller", "a teacher", "the pilot", "her brother", "an old farmer", "the doctor", "a clerk")
_DEEDS = (
    "had lost the key to the shed",
    "watched how the rain came closer",
    "asked who would repair the engine",
    "sold bread and told long stories",
    "wanted to leave before the evening",
    "heard music that nobody else noticed",
    "counted the boats and forgot the number",
    "wrote a letter and never sent it",
)


def text(words: int, chance: random.Random) -> str:
    """Return a text of about so many words that resembles no other."""
    sentences: list[str] = []
    said = 0
    while said < words:
        who, what, where = chance.choice(_PEOPLE), chance.choice(_DEEDS), chance.choice(_PLACES)
        sentence = f"{where} {who} {what} for {chance.randrange(2, 99)} days"
        said += len(sentence.split())
        sentences.append(sentence[0].upper() + sentence[1:] + ".")
    return " ".join(sentences)


def samples_of(number: int, seed: int) -> list[Sample]:
    """Return groups of all three rewards, in turn."""
    chance = random.Random(seed)
    samples: list[Sample] = []
    for group in range(-(-number // GROUP)):
        reward = REWARDS[group % len(REWARDS)]
        prompt = f"Tell what {chance.choice(_PEOPLE)} did {chance.choice(_PLACES)}."
        reference = TextReference()
        if reward == "summary":
            reference = TextReference(reference=text(60, chance), source=text(600, chance))
        samples += (
            Sample(
                sample_id=f"{group}-{member}",
                reward=reward,
                prompt=prompt,
                completion=f"<reasoning>Short.</reasoning><answer>{text(300, chance)}</answer>",
                reference=reference,
                group_id=f"{seed}-{group}",
            )
            for member in range(GROUP)
        )
    return samples[:number]
