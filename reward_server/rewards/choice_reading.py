"""Which option of a multiple-choice question an answer names.

The whole field must be the answer: a label, a label with its own option's text, or an
option's text. A label in running prose is not an answer ("A lot of owls"), and an answer
that names two options, or a label with another option's text, names none.
"""

import re
from dataclasses import dataclass

from reward_server.rewards.folding import composed, plain
from reward_server.rewards.option_text import KEYS, folded_key
from reward_server.rewards.wrapping import LONGEST_ANSWER, MOST_INVISIBLE, candidates, layers

_OPENERS = "([{"
_CLOSERS = ")]}"
_AFTER_LABEL = ".:;,|"
_DASH = "-"
_WORD = re.compile(r"[^\W_]+")
# Said again on a line of its own; more lines are an essay.
_MOST_LINES = 3
# What the article "A" never stands before, and the label "A" may.
_NO_ARTICLE_BEFORE = re.compile(r"[aio]|e(?!u)|(?:the|their|its|his|her|some|both) |[A-Z]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """The answer names these options: one, or several whose texts are the same."""

    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unclear:
    """The answer speaks of options without naming one. `reason` is a sentence."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Absent:
    """Nothing in the answer is a label or an option's text."""


Reading = Named | Unclear | Absent


def options_of(labels: tuple[str, ...], texts: tuple[str, ...]) -> "Options":
    """Prepare one question's options; `texts[i]` belongs to `labels[i]`."""
    longest_answer = max(LONGEST_ANSWER, 2 * max(map(len, texts)))
    texts = tuple(map(_folded, texts))
    return Options(
        labels=labels,
        keys=tuple(tuple(map(key, texts)) for key in KEYS),
        longest_answer=longest_answer,
        # Room for a label, articles and punctuation; a longer layer cannot equal any option.
        longest_layer=2 * max(map(len, texts)) + 16,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """One question's labels, and the texts' keys: `keys[level][i]` belongs to `labels[i]`.

    Answers and layers of answers that are longer than the two bounds, in characters, name no option.
    """

    labels: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    longest_answer: int
    longest_layer: int

    def read(self, answer: str) -> Reading:
        """Say which option `answer` names."""
        too_long = len(answer) > self.longest_answer + MOST_INVISIBLE
        if too_long or len(text := plain(answer)) > self.longest_answer:
            return Absent()
        text = composed(text)
        return self._read_field(text) or self._read_lines(answer) or self._mentioned(text)

    def _read_lines(self, answer: str) -> Named | None:
        """Read an answer that is given two or three times, each on its own line."""
        lines = [line for line in answer.splitlines() if line.strip()]
        if not 2 <= len(lines) <= _MOST_LINES:
            return None
        named = [reading for line in lines if isinstance(reading := self._read_field(_folded(line)), Named)]
        common = tuple(label for label in self.labels if all(label in one.labels for one in named))
        return Named(labels=common) if len(named) == len(lines) and common else None

    def _read_field(self, text: str) -> Reading | None:
        for layer in candidates(text):
            if (label := _equal_label(self.labels, layer)) is not None:
                return Named(labels=(label,))
        for layer in candidates(text):
            if len(layer) <= self.longest_layer and (reading := self._read_layer(layer)) is not None:
                return reading
        return None

    def _read_layer(self, text: str) -> Reading | None:
        """Read one layer of an answer, known not to be a bare label; None when it names nothing."""
        verbatim = self._with_text(text, levels=2)
        if verbatim and self._are_one(verbatim):
            return Named(labels=verbatim)
        for reading in (self._label_first(text), self._label_last(text)):
            if reading is not None:
                return reading
        found = self._with_text(text, levels=len(KEYS))
        if found and not self._are_one(found):
            return Unclear(reason=f"the text fits options {_join(found)} alike, name the label")
        return Named(labels=found) if found else None

    def _mentioned(self, text: str) -> Reading:
        """Tell an answer that speaks of the options from one that does not."""
        words = set(_WORD.findall(text))
        labels = [label for label in self.labels if label in words]
        spaced = f" {folded_key(text)} "
        if labels or any(f" {option} " in spaced for option in self.keys[KEYS.index(folded_key)]):
            return Unclear(reason="the answer is not one label or one option's text")
        return Absent()

    def _with_text(self, text: str, *, levels: int) -> tuple[str, ...]:
        """Return the labels whose text equals `text`, at the strictest of the levels that finds any."""
        for key, options in zip(KEYS[:levels], self.keys, strict=False):
            wanted = key(text)
            found = tuple(
                label for label, option in zip(self.labels, options, strict=True) if option == wanted
            )
            if found and wanted:
                return found
        return ()

    def _are_one(self, labels: tuple[str, ...]) -> bool:
        return len({self.keys[0][self.labels.index(label)] for label in labels}) == 1

    def _has_text(self, label: str, text: str) -> bool:
        return any(label in self._with_text(layer, levels=len(KEYS)) for layer in layers(text))

    def _label_first(self, text: str) -> Reading | None:
        """Read "B) owl", "(B) owl", "B: owl", "B owl"; only the last may be prose instead."""
        bare = text.lstrip(_OPENERS)
        for label in self.labels:
            after = bare[len(label) :]
            if bare[: len(label)].casefold() != label.casefold() or _continues_word(after):
                continue
            rest = after.lstrip()
            marked = bare != text or rest[:1] in _CLOSERS + _AFTER_LABEL + _DASH
            rest = _without_dash(rest.lstrip(_CLOSERS).lstrip(_AFTER_LABEL).strip())
            if not rest or self._has_text(label, rest):
                return Named(labels=(label,))
            if marked or self._is_no_article(bare, rest):
                return Unclear(reason=f"the text after label {label} is not the text of option {label}")
        return None

    def _is_no_article(self, text: str, rest: str) -> bool:
        """Tell whether "A" before another option's text can only be the label: "A owl", "A The owl"."""
        return text[0] == "A" and bool(_NO_ARTICLE_BEFORE.match(rest) and self._with_text(rest, levels=2))

    def _label_last(self, text: str) -> Reading | None:
        """Read "owl (B)", "owl - B", "owl, B"."""
        bare = text.rstrip(_CLOSERS + ".")
        for label in self.labels:
            before = bare[: -len(label)].rstrip()
            if bare[-len(label) :].casefold() != label.casefold() or not before:
                continue
            if before[-1] in _OPENERS + _AFTER_LABEL + _DASH:
                option = before.rstrip(_OPENERS + _AFTER_LABEL + _DASH + " ")
                if self._has_text(label, option):
                    return Named(labels=(label,))
                if self._with_text(option, levels=len(KEYS)):
                    return Unclear(reason=f"the text before label {label} is not the text of option {label}")
        return None


def _equal_label(labels: tuple[str, ...], text: str) -> str | None:
    folded = text.casefold()
    return next((label for label in labels if label.casefold() == folded), None)


def _continues_word(after: str) -> bool:
    """Tell whether the character after a label makes it part of a longer word or symbol."""
    return bool(after) and not (after[0].isspace() or after[0] in _CLOSERS + _AFTER_LABEL + _DASH)


def _without_dash(text: str) -> str:
    """Take off a dash between label and text, but not a minus sign."""
    return text[1:].strip() if text[:1] in _DASH and not text[1:2].isdigit() else text


def _join(labels: tuple[str, ...]) -> str:
    return " and ".join(labels)


def _folded(text: str) -> str:
    return composed(plain(text))
