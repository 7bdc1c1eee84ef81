"""How far does junk get against the text rewards? `python -m bench.text_climbing [--trials N]`.

A greedy search changes a list of random words, one change a trial, and keeps what does not
lower the score: words replaced, inserted, deleted and swapped, from function words and a list
of nouns, verbs and rare words, with stops and new lines. Prints the best score from a page of
random words and from six words, for each reward, with the start of the best text.
"""

import argparse
import random
from collections.abc import Callable

from reward_server.api import Sample, TextReference
from reward_server.rewards.english import FUNCTION_WORDS
from reward_server.rewards.ideation import IdeationReward
from reward_server.rewards.writing import WritingReward

_LISTED = (
    "river table mountain letter garden engine shadow window teacher forest mirror bottle winter "
    "carried followed painted opened watched broke answered covered lifted crossed counted measured "
    "strolled obfuscate quixotic lugubrious verisimilitude mellifluous crepuscular gossamer "
    "labyrinthine susurrus aardvark abacus abandon abbey ability abnormal absence abstract academy "
    "accurate acid adequate adopt big large huge vast massive pleasant splendid superb stated declared "
    "voiced uttered album alley "
)
_CONTENT = _LISTED.split()
_SMALL = sorted(FUNCTION_WORDS)
_SEEDS = 3


def climb(score: Callable[[str], float], *, length: int, trials: int, seed: int) -> tuple[float, str]:
    """Return the best score found from `length` random words, and its text."""
    draw = random.Random(seed)
    words = [_word(draw) for _ in range(length)]
    best = score(" ".join(words))
    for _ in range(trials):
        changed = _changed(words, draw)
        if (value := score(" ".join(changed))) >= best:
            best, words = value, changed
    return best, " ".join(words)


def _word(draw: random.Random) -> str:
    return draw.choice(draw.choice((_SMALL, _CONTENT))) + draw.choice(("", "", "", "", ",", "."))


def _changed(words: list[str], draw: random.Random) -> list[str]:
    changed = list(words)
    place, other = draw.randrange(len(words)), draw.randrange(len(words))
    match draw.randrange(10):
        case 0 | 1 | 2 | 3:
            changed[place] = _word(draw)
        case 4 | 5 | 6:
            changed[place:place] = [_word(draw) for _ in range(draw.randrange(1, 6))]
        case 7:
            changed.insert(place, "\n-")
        case 8 if len(words) > 8:
            del changed[place]
        case _:
            changed[place], changed[other] = changed[other], changed[place]
    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description="How far does junk get against the text rewards?")
    parser.add_argument("--trials", type=int, default=2_000)
    trials = parser.parse_args().trials
    rewards = (
        (WritingReward(), "Write a story about a bear who cannot sleep."),
        (IdeationReward(), "Brainstorm ways a small bakery could bring in more customers."),
    )
    for reward, prompt in rewards:

        def score(text: str, reward: WritingReward | IdeationReward = reward, prompt: str = prompt) -> float:
            sample = Sample(
                sample_id="1",
                reward=reward.info.name,
                prompt=prompt,
                completion="",
                reference=TextReference(),
            )
            return reward.grade(sample, text).value

        for length in (120, 6):
            found = [climb(score, length=length, trials=trials, seed=seed) for seed in range(_SEEDS)]
            scores = " ".join(f"{best:.2f}" for best, _ in found)
            print(f"{reward.info.name} from {length} words: {scores}   {max(found)[1][:60]!r}")


if __name__ == "__main__":
    main()
