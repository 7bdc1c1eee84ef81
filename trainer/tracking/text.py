"""A completion as Markdown that shows it and obeys none of it."""

import math
import textwrap

from trainer.run_files.records import RolloutRecord


def as_markdown(rollout: RolloutRecord) -> str:
    """Writes what was asked, what came, and how it was judged.

    Both texts are indented blocks, in which Markdown has no meaning and nothing can end the block.
    """
    score = "ungraded" if math.isnan(rollout.score) else f"score {rollout.score:.3f}"
    judged = rollout.verdict or rollout.failure
    learned = f"advantage {rollout.advantage:+.3f}, {rollout.tokens} tokens"
    cut = ", truncated" if rollout.truncated else ""
    return "\n\n".join(
        (
            f"**{rollout.domain}** {rollout.example_id}: {score}, {judged}, {learned}{cut}",
            _block(rollout.prompt),
            "completion:",
            _block(rollout.completion),
            "judged:",
            _block(rollout.explanation),
        )
    )


def _block(text: str) -> str:
    valid = text.encode(errors="replace").decode()
    return textwrap.indent(valid or "(nothing)", "    ", lambda _: True)
