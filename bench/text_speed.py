"""Speed of the gate and the text graders on one thread: `python -m bench.text_speed`.

Prints one line per case: microseconds of processor time per call and calls per second
of it, the best of five rounds. Texts are made here, so that the figures need no data set.
"""

import time
import timeit
from collections.abc import Callable

from reward_server.api import BooleanReference, ChoiceReference, Reference, Sample, TextReference
from reward_server.rewards.boolean import BooleanReward
from reward_server.rewards.choice import ChoiceReward
from reward_server.rewards.ideation import IdeationReward
from reward_server.rewards.summary import SummaryReward
from reward_server.rewards.writing import WritingReward
from reward_server.rewards.xml_gate import open_gate

_ROUNDS = 5
_ROUND_S = 0.1
_SENTENCES = [
    f"On day {day} the {who} went {where} because the {thing} had stopped, and nobody {verb} until evening."
    for day, who in enumerate(("miller", "teacher", "pilot", "farmer", "doctor", "clerk"))
    for where, thing, verb in (
        ("to the river", "clock", "noticed"),
        ("up the hill", "music", "came back"),
        ("into town", "rain", "asked why"),
        ("home again", "engine", "said a word"),
    )
]


def prose(count: int) -> str:
    """Return a text of `count` words without long repeats."""
    return " ".join(" ".join(_SENTENCES * (1 + count // 300)).split()[:count])


def sample(reward: str, reference: Reference, prompt: str = "Write about a day by the river.") -> Sample:
    return Sample(sample_id="1", reward=reward, prompt=prompt, completion="", reference=reference)


def cases() -> dict[str, Callable[[], object]]:
    """Return what is timed, by name."""
    completion = f"<reasoning>{prose(170)}</reasoning>\n<answer>42</answer>"
    options = ChoiceReference(
        labels=("A", "B", "C", "D"),
        texts=("a wolf in a wood", "an owl in a tree", "bats in a cave", "frogs in ponds"),
        correct_label="B",
    )
    choice, boolean = sample("choice", options), sample("boolean", BooleanReference(value=True))
    grade_choice, grade_summary = ChoiceReward().grade, SummaryReward().grade
    text = sample("writing", TextReference())
    short = sample("summary", TextReference(reference=prose(50), source=prose(633)))
    long = sample("summary", TextReference(reference=prose(300), source=prose(633)))
    days, summary, essay, saga = prose(300), prose(55), prose(310), prose(2_000)
    return {
        "gate, 1 KB completion": lambda: open_gate(completion),
        "gate, 160 KB of <answer>": lambda flood="<answer>" * 20_000: open_gate(flood),
        "gate, 1 MB of <answer>": lambda flood="<answer>" * 131_072: open_gate(flood),
        "gate, 1 MB of <reasoning>": lambda flood="<reasoning>" * 95_326: open_gate(flood),
        "choice, label": lambda: grade_choice(choice, "B"),
        "choice, (B)": lambda: grade_choice(choice, "(B)"),
        "choice, label and text": lambda: grade_choice(choice, "B) an owl in a tree"),
        "choice, text": lambda: grade_choice(choice, "owl in a tree"),
        "choice, 2,000 characters": lambda: grade_choice(choice, "owl or bat " * 180),
        "boolean, yes": lambda: BooleanReward().grade(boolean, "yes"),
        "boolean, sentence": lambda: BooleanReward().grade(boolean, "Yes, because owls hunt at night."),
        "writing, 300 words": lambda: WritingReward().grade(text, days),
        "ideation, 300 words": lambda: IdeationReward().grade(text, days),
        "summary, 50 of 633 words": lambda: grade_summary(short, summary),
        "summary, 300 of 633 words": lambda: grade_summary(long, essay),
        "the first of a document": lambda: SummaryReward().grade(long, essay),
        "writing, 2,000 words": lambda: WritingReward().grade(text, saga),
        "writing, 20,000 characters": lambda flood="ab cd " * 3_333: WritingReward().grade(text, flood),
    }


def main() -> None:
    for name, call in cases().items():
        timer = timeit.Timer(call, timer=time.process_time)
        number = max(1, int(_ROUND_S / max(1e-6, timer.timeit(1))))
        seconds = min(timer.repeat(_ROUNDS, number)) / number
        print(f"{name:32} {seconds * 1e6:10.1f} us {1 / seconds:12,.0f} /s")


if __name__ == "__main__":
    main()
