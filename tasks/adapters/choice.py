"""Multiple-choice datasets: SciQ, ARC.

The prompt lists the options by label, one a line; the answer is the label.
"""

from collections.abc import Sequence
from hashlib import sha256

from reward_client.api import ChoiceReference
from tasks.adapters.item import Item
from tasks.api import Demonstration, Domain
from tasks.rows import ColumnError, Row

_LABELS = ("A", "B", "C", "D")


def sciq(row: Row) -> Item:
    """Columns: question, correct_answer, distractor1..3, support (often empty).

    The hub gives no order, so options are ordered by a hash of the row and the option:
    the same everywhere, and the right one is at every place equally often.
    """
    question, correct = row.filled("question"), row.filled("correct_answer")
    texts = (correct, *(row.filled(f"distractor{n}") for n in (1, 2, 3)))
    key = f"{row.split.value}/{row.number}"
    order = sorted(range(len(texts)), key=lambda n: sha256(f"{key}/{n}".encode()).digest())
    return _item(
        row_id=str(row.number),
        question=question,
        labels=_LABELS,
        texts=[texts[n] for n in order],
        correct=order.index(0),
        reasoning=row.text("support").strip(),
    )


def ai2_arc(row: Row) -> Item:
    """Columns: id, question, choices {text[], label[]}, answerKey. Labels are A-E or 1-5."""
    labels, texts = row.nested_texts("choices", "label"), row.nested_texts("choices", "text")
    key = row.filled("answerKey")
    if len(labels) != len(texts) or len(set(labels)) != len(labels):
        raise ColumnError("choices", f"expected one distinct label per text, got {labels!r:.80}")
    if key not in labels:
        raise ColumnError("answerKey", f"{key!r} is none of {list(labels)}")
    return _item(
        row_id=row.identifier("id"),
        question=row.filled("question"),
        labels=labels,
        texts=texts,
        correct=labels.index(key),
        reasoning="",
    )


def _item(
    *, row_id: str, question: str, labels: Sequence[str], texts: Sequence[str], correct: int, reasoning: str
) -> Item:
    options = "\n".join(f"{label}. {text}" for label, text in zip(labels, texts, strict=True))
    return Item(
        row_id=row_id,
        domain=Domain.SCIENCE,
        question=question,
        prompt=f"{question}\n{options}",
        reference=ChoiceReference(labels=tuple(labels), texts=tuple(texts), correct_label=labels[correct]),
        demonstration=Demonstration(
            reasoning=reasoning or f"The right option is {texts[correct]}.", answer=labels[correct]
        ),
    )
