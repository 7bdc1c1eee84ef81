"""Examples to completions: asks a model what is not known yet, and remembers what it says.

An interrupted evaluation goes on where it stopped. A question without an answer is no
wrong answer: it is left out and counted.
"""

from collections.abc import Callable, Sequence

from evals.asking.completions import Answered, Sampling
from evals.asking.generations import Generations, key_of
from evals.asking.models import Answer, Model, Question
from tasks.api import Example

TOO_LONG = "prompt longer than the model takes"
UNANSWERED = "no answer from the model"


def ask(
    model: Model,
    examples: Sequence[Example],
    *,
    sampling: Sampling,
    known: Generations,
    on_progress: Callable[[int, int], None],
) -> Answered:
    """Return the completions of the examples that the model takes, in order.

    `on_progress(done, total)` is called after each completion, known ones counted at once.

    Raises:
        EvaluationError: the model cannot answer at all.
    """
    taken = [example for example in examples if model.takes(example.prompt)]
    questions = [
        Question(prompt=example.prompt, sample_index=index)
        for example in taken
        for index in range(sampling.samples)
    ]
    keys = [key_of(model, question, sampling) for question in questions]
    missing = {index for index, key in enumerate(keys) if known.get(key) is None}
    done = len(questions) - len(missing)
    on_progress(done, len(questions))

    def keep(index: int, answer: Answer) -> None:
        nonlocal done
        known.put(keys[index], answer)
        done += 1
        on_progress(done, len(questions))

    if missing:
        model.answer(questions, missing=missing, sampling=sampling, on_answer=keep)
    return _answered(model, examples, taken, [known.get(key) for key in keys], sampling)


def _answered(
    model: Model,
    examples: Sequence[Example],
    taken: Sequence[Example],
    answers: Sequence[Answer | None],
    sampling: Sampling,
) -> Answered:
    kept: list[tuple[Example, tuple[str, ...]]] = []
    for position, example in enumerate(taken):
        start = position * sampling.samples
        texts = tuple(answer.text for answer in answers[start : start + sampling.samples] if answer)
        if texts:
            kept.append((example, texts))
    counts = {TOO_LONG: len(examples) - len(taken), UNANSWERED: len(taken) - len(kept)}
    return Answered(
        source=model.name,
        examples=tuple(example for example, _ in kept),
        completions=tuple(texts for _, texts in kept),
        left_out={why: count for why, count in counts.items() if count},
        truncated=sum(answer.truncated for answer in answers if answer),
        prompt_hash=model.prompt_hash,
        sampling=sampling,
    )
