"""What every adapter returns, before the dataset's name and split are added."""

from dataclasses import dataclass

from reward_client.api import Reference
from tasks.api import Demonstration, Domain


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """`row_id` is unique within the split. `question` is the row's own text, as in `Example.question`."""

    row_id: str
    domain: Domain
    question: str
    prompt: str
    reference: Reference
    demonstration: Demonstration
