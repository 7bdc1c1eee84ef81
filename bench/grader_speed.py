"""The graders' targets in process, on one core: the gate, math, summaries.

    python -m bench.grader_speed

Prints the Markdown table of bench/README.md: what, aim, measured; processor time, the best of
five rounds.
"""

import json
import time
import timeit
from collections.abc import Callable

from rouge_score.rouge_scorer import RougeScorer

from bench.grader_rows import CASES
from bench.text_speed import prose
from reward_server.api import Grade, MathReference, Sample, TextReference
from reward_server.rewards.math import TASKS, MathReward
from reward_server.rewards.summary import SummaryReward
from reward_server.rewards.xml_gate import Open, open_gate
from reward_server.workers import WorkerPool

ROUNDS = 5


def say(what: str, aim: str, measured: str) -> None:
    print(f"| {what} | {aim} | {measured} |", flush=True)


def seconds_of(call: Callable[[], object], at_least_s: float = 0.2) -> float:
    """Return the processor time of one call, the best of five rounds."""
    timer = timeit.Timer(call, timer=time.process_time)
    number = max(1, int(at_least_s / max(1e-7, timer.timeit(1))))
    return min(timer.repeat(ROUNDS, number)) / number


def math_sample(gold: str) -> Sample:
    reference = MathReference(answer=gold)
    return Sample(sample_id="1", reward="math", prompt="", completion="", reference=reference)


def gated(reward: MathReward, sample: Sample, completion: str) -> object:
    gate = open_gate(completion)
    assert isinstance(gate, Open)
    return reward.grade(sample, gate.answer)


def inline_pairs(reward: MathReward, *, right: bool) -> list[tuple[Sample, str]]:
    """Return the table's pairs that are decided without a worker, in notation that is not a plain number."""
    found: list[tuple[Sample, str]] = []
    for line in (CASES / "math_cases.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        grade = reward.grade(math_sample(row["gold"]), row["answer"])
        if not isinstance(grade, Grade):
            grade.close()  # type: ignore[attr-defined]  # a coroutine that is never run
        elif "\\" in row["gold"] and (grade.value == 1.0) is right:
            found.append((math_sample(row["gold"]), row["answer"]))
    return found


def in_process() -> None:
    reward = MathReward(WorkerPool(TASKS))
    gold = math_sample("6 * 7 = <<6*7=42>>42\n#### 42")
    for size, aim in ((1_000, ">= 50,000/s"), (64 * 1024, "<= 0.2 ms")):
        text = f"<reasoning>{('so far so good. ' * (size // 16))[:size]}</reasoning><answer>42</answer>"
        each_s = seconds_of(lambda text=text: gated(reward, gold, text))
        shown = f"{each_s * 1e3:.3f} ms" if size > 1_000 else f"{1 / each_s:,.0f}/s"
        say(f"gate and GSM8K answer, completion of {size:,} characters", aim, shown)
    for right, aim in ((True, ">= 10,000/s"), (False, ">= 2,000/s")):
        pairs = inline_pairs(reward, right=right)
        each_s = seconds_of(lambda pairs=pairs: [reward.grade(*pair) for pair in pairs]) / len(pairs)
        word = "right" if right else "wrong"
        say(f"LaTeX answers of the table, {word}, inline ({len(pairs)})", aim, f"{1 / each_s:,.0f}/s")
    for tag, size, aim in (("<answer>", 160_000, "<= 1 ms"), ("<reasoning>", 1 << 20, "milliseconds")):
        flood = tag * (size // len(tag))
        say(
            f"gate, {size // 1000:,} KB of `{tag}`",
            aim,
            f"{seconds_of(lambda f=flood: open_gate(f)) * 1e3:.3f} ms",
        )
    summaries()


def summaries() -> None:
    document, wanted, said = prose(633), prose(300), prose(314)
    reference = TextReference(reference=wanted, source=document)
    sample = Sample(sample_id="1", reward="summary", prompt="", completion="", reference=reference)
    grade = SummaryReward().grade
    ours = seconds_of(lambda: grade(sample, said))
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    theirs = seconds_of(lambda: scorer.score(document, said), at_least_s=0.05)
    say(
        "summary, 314 of 633 words",
        "<= 1 ms",
        f"{ours * 1e3:.2f} ms (rouge-score on the document: {theirs * 1e3:.0f} ms)",
    )


def main() -> None:
    say("what", "aim", "measured")
    say("---", "---", "---")
    in_process()


if __name__ == "__main__":
    main()
