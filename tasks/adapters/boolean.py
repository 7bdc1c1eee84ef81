"""Yes-or-no datasets: StrategyQA."""

from reward_client.api import BooleanReference
from tasks.adapters.item import Item
from tasks.api import Demonstration, Domain
from tasks.rows import Row


def strategyqa(row: Row) -> Item:
    """Columns: qid, question, answer (bool), facts. term and description are not used."""
    question, value = row.filled("question"), row.flag("answer")
    facts = " ".join(fact.strip() for fact in row.texts("facts"))
    word = "yes" if value else "no"
    return Item(
        row_id=row.identifier("qid"),
        domain=Domain.LOGIC,
        question=question,
        prompt=f"{question}\nAnswer yes or no.",
        reference=BooleanReference(value=value),
        demonstration=Demonstration(reasoning=facts or f"The answer is {word}.", answer=word),
    )
