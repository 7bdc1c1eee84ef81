"""GSM8K: word problems with a worked answer."""

import re

from reward_client.api import MathReference
from tasks.adapters.item import Item
from tasks.api import Demonstration, Domain
from tasks.rows import ColumnError, Row

# GSM8K's calculator annotations, e.g. "48/2 = <<48/2=24>>24"; not part of the prose.
_CALCULATION = re.compile(r"<<[^<>]*>>")


def gsm8k(row: Row) -> Item:
    """Columns: question, answer ("steps #### number")."""
    question, answer = row.filled("question"), row.filled("answer")
    steps, mark, number = answer.rpartition("####")
    if not mark or not re.search(r"\d", number):
        raise ColumnError("answer", f"expected '... #### number', got {answer!r:.80}")
    number = number.strip()
    return Item(
        row_id=str(row.number),
        domain=Domain.MATH,
        question=question,
        prompt=question,
        reference=MathReference(answer=number),
        demonstration=Demonstration(
            reasoning=_CALCULATION.sub("", steps).strip() or f"The result is {number}.", answer=number
        ),
    )
