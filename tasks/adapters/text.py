"""Datasets of free text: WritingPrompts, Dolly, XSum. Their references are not the only right answers.

The rows hold no reasoning; each demonstration states the plan that its domain asks for.
"""

import re

from reward_client.api import TextReference
from tasks.adapters.item import Item
from tasks.api import Demonstration, Domain
from tasks.rows import Row

# The tag of the forum the prompts come from: "[ WP ]", "[WP]", "[ EU ]".
_TAG = re.compile(r"^\s*\[\s*[A-Za-z]{2,3}\s*\]\s*")
_STORY_PLAN = "Plan: a beginning, a middle and an end."
_IDEAS_PLAN = "Plan: ideas that fit and differ."
_SUMMARY_PLAN = "Plan: keep the main point."


def writingprompts(row: Row) -> Item:
    """Columns: prompt, story."""
    question = _TAG.sub("", row.filled("prompt"))
    return Item(
        row_id=str(row.number),
        domain=Domain.WRITING,
        question=question,
        prompt=f"Write a story.\n{question}",
        reference=TextReference(),
        demonstration=Demonstration(reasoning=_STORY_PLAN, answer=row.filled("story")),
    )


def dolly(row: Row) -> Item | None:
    """Columns: instruction, context, response, category.

    Takes the category `brainstorming` as ideation and `creative_writing` as writing: a
    poem is no list of ideas. Returns None for the other categories.
    """
    category = row.filled("category")
    if category not in ("brainstorming", "creative_writing"):
        return None
    ideas = category == "brainstorming"
    question = f"{row.filled('instruction')}\n{row.text('context').strip()}".strip()
    return Item(
        row_id=str(row.number),
        domain=Domain.IDEATION if ideas else Domain.WRITING,
        question=question,
        prompt=question,
        reference=TextReference(),
        demonstration=Demonstration(
            reasoning=_IDEAS_PLAN if ideas else _STORY_PLAN, answer=row.filled("response")
        ),
    )


def xsum(row: Row) -> Item:
    """Columns: id, document, summary."""
    document, summary = row.filled("document"), row.filled("summary")
    return Item(
        row_id=row.identifier("id"),
        domain=Domain.SUMMARY,
        question=document,
        prompt=f"Summarize in one sentence.\n{document}",
        reference=TextReference(reference=summary, source=document),
        demonstration=Demonstration(reasoning=_SUMMARY_PLAN, answer=summary),
    )
