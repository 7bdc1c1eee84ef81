"""The one prompt template, for training, sampling and evaluation alike.

Gemma's chat form: the system text leads the user's turn, because Gemma has no system
role. The beginning-of-sequence token is not part of the text: the tokenizer adds it. A
policy tuned on one byte sequence answers worse on another, so every prompt is rendered
here, and `PromptTemplate.hash` is recorded with every run and every evaluation.
"""

import re
from dataclasses import dataclass
from hashlib import sha256

START_OF_TURN = "<start_of_turn>"
END_OF_TURN = "<end_of_turn>"

SYSTEM = (
    "Think step by step, then answer. Reply in exactly this form and write nothing outside it:\n"
    "<reasoning>your working</reasoning><answer>your answer</answer>\n"
    "In the answer put only what was asked for: the final number for a math problem, plain Python code "
    "for a programming task, the label of the right option for a multiple-choice question, yes or no for "
    "a yes-or-no question, and the finished text for a story, a list of ideas or a summary."
)
# For models that learn the form from demonstrations: every token of a prompt costs time.
SHORT_SYSTEM = "Reply with <reasoning> and <answer>."

# Names of Gemma's control tokens as they could be typed by a user.
_CONTROL = re.compile(
    r"<(?=(?:bos|eos|pad|unk|mask|start_of_turn|end_of_turn|start_of_image|end_of_image|unused\d+)>)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptTemplate:
    """Renders a question as the text that a model is given."""

    system: str = SYSTEM

    def render(self, question: str) -> str:
        """Give the prompt up to where the model's turn begins, without the leading BOS.

        Control tokens in the question are broken by a space, so that a row cannot open
        or close a turn.
        """
        safe = _CONTROL.sub("< ", question.strip())  # Gemma's template trims every message
        return f"{START_OF_TURN}user\n{self.system}\n\n{safe}{END_OF_TURN}\n{START_OF_TURN}model\n"

    @property
    def hash(self) -> str:
        """Identify the template: twelve hexadecimal digits of the SHA-256 of what it renders."""
        rendered = self.render("{question}") + demonstration_text("{reasoning}", "{answer}")
        return sha256(rendered.encode()).hexdigest()[:12]


def demonstration_text(reasoning: str, answer: str) -> str:
    """Write a worked reply in the one form that the reward's format gate accepts."""
    return f"<reasoning>{reasoning}</reasoning><answer>{answer}</answer>"
