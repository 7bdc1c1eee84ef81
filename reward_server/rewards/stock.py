"""Stock sentences: those that would fit any text, and say nothing of this one. English only.

"It is important to note that there are many aspects to consider" pads an essay, "the
characters are vivid and the ending is surprising" praises a story from within it. Both are
made of function words and a few hundred others that carry no subject. Lexical density (Ure
1971) counts the former; here the words of praise and of padding count as empty too, and a
sentence is judged as a whole, so that an honest one may use any of them.
"""

from collections.abc import Sequence

from reward_server.rewards.english import FUNCTION_WORDS
from reward_server.rewards.stock_words import COMMON_WORDS, STOCK_WORDS

_STOCK, _COMMON, _SUBJECT, _INSIDE, _END = range(5)
_CLASSES = {
    **dict.fromkeys(COMMON_WORDS | FUNCTION_WORDS, _COMMON),
    **dict.fromkeys(STOCK_WORDS - FUNCTION_WORDS, _STOCK),
    **dict.fromkeys(";:,", _INSIDE),
    **dict.fromkeys(".!?\n", _END),
}
# Words of a subject that one sentence of padding may hold, for each stock word.
_SUBJECT_PER_STOCK = 0.34
# Without a stock word, so many words without a subject are padding too.
_LONG_WITHOUT_SUBJECT = 8
_SHORTEST = 4


def stock_length(tokens: Sequence[str]) -> int:
    """Return how many words stand in stock sentences; `tokens` are words, stops and ends of lines."""
    total = 0
    counts = [0] * len(range(_END))
    for token in (*tokens, "\n"):
        kind = _CLASSES.get(token, _SUBJECT)
        if kind != _END:
            counts[kind] += 1
        elif any(counts):
            total += _stock_words(counts[_STOCK], counts[_COMMON], counts[_SUBJECT])
            counts = [0] * len(range(_END))
    return total


def _stock_words(stock: int, common: int, subject: int) -> int:
    """Return the length of a sentence with so many words of each class, or 0 when it is not stock."""
    length = stock + common + subject
    if length < _SHORTEST or subject > _SUBJECT_PER_STOCK * stock:
        return 0
    return length if stock or length >= _LONG_WITHOUT_SUBJECT else 0
