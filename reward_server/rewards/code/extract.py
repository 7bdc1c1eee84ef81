"""Finds the program in an answer: text in, Python source out.

The rule, in order:

1. Fenced blocks (CommonMark: three or more backticks or tildes) that say Python or say
   nothing are candidates; other languages are not. A fence never closed runs to the end.
   The language may stand alone on the line below the fence.
2. Among several, the last one that defines the entry point wins. If none does but the
   answer as a whole does, its fences are in a doc string, and the whole is the program.
   Otherwise the last block.
3. Without any fence the last `<code>` element that defines the entry point is the program,
   when nothing outside such elements does.
4. Otherwise the whole answer, less blank lines and lines of prose at its two ends. An answer
   that binds no name at all is no program.
5. A program that defines the entry point only behind the prompts `>>>` and `...` of an
   interactive session is what was typed there.

The source is hostile and is never parsed here: every step is one pass over the text.
"""

import keyword
import re
from dataclasses import dataclass

PYTHON_TAGS = frozenset({"", "py", "py3", "pycon", "python", "python3"})

# CommonMark: the tag of a backtick fence holds no backtick, else it is inline code; a fence may
# stand in a list (indented) or in a quotation (`>` on every line).
# Quantifiers are possessive: backtracking over 256 KiB of one character is quadratic.
_FENCE = re.compile(r"(?P<indent>[ \t>]*+)(?P<mark>`{3,}+|~{3,}+)(?P<tag>[^`]*+)")
_BINDS = re.compile(r"\b(?:def|class|import|lambda|exec)\b|=")
# A line that begins with two words of any language, or is one word, behind a mark of Markdown if any.
_PROSE = re.compile(
    r"(?:[-+>*]++[ ]*+|\d++[.)][ ]++)?+[*_]{0,2}+(?P<first>[^\W\d_][^\W\d_'\u2019]*+)"
    r"(?:[*_,!:.]{0,3}+[ ]++[*_]{0,2}+[^\W\d_]|[*_!:.]{0,4}+[ ]*+$)"
)
_FOREIGN_POINTS = re.compile(
    "[\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f]"
)  # no Python, but in texts and comments
_CODE_TAG = re.compile(r"<(?P<end>/?)code\b[^<>\n]*>", re.IGNORECASE)
_TYPED = re.compile(r"^[ \t]*+(?:>>>|\.\.\.)(?:[ ](?P<line>[^\n]*+)|$)", re.MULTILINE)
_KEYWORDS = frozenset([*keyword.kwlist, *keyword.softkwlist])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Block:
    tag: str
    source: str


def extract(answer: str, entry_point: str = "") -> str | None:
    """Return the program in `answer` with `\\n` line ends, or None when there is none."""
    text = answer.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")
    source = _program(text, entry_point)
    return None if source is None else _typed(source, entry_point)


def _program(text: str, entry_point: str) -> str | None:
    lines = text.split("\n")
    blocks = _fenced(lines)
    programs = [block.source for block in blocks if block.tag in PYTHON_TAGS and block.source.strip()]
    for source in reversed(programs):
        if _defines(_typed(source, entry_point), entry_point):
            return source
    if not blocks:
        return _marked_up(text, entry_point) or _unfenced(lines)
    if _defines(text, entry_point):
        return _unfenced(lines)
    return programs[-1] if programs else None


def _marked_up(text: str, entry_point: str) -> str | None:
    """Return the last `<code>` element that defines the entry point, unless what is outside does."""
    inside: list[str] = []
    outside: list[str] = []
    opened, end = None, 0
    for tag in _CODE_TAG.finditer(text):
        if opened is None and not tag["end"]:
            outside.append(text[end : tag.start()])
            opened = tag.end()
        elif opened is not None and tag["end"]:
            inside.append(text[opened : tag.start()].strip("\n") + "\n")
            opened, end = None, tag.end()
    if _defines("".join([*outside, text[end:]]), entry_point):
        return None
    return next((source for source in reversed(inside) if _defines(source, entry_point)), None)


def _typed(source: str, entry_point: str) -> str:
    """Return what was typed into an interactive session, where only that defines the entry point."""
    if ">>>" not in source or _defines(source, entry_point):
        return source
    typed = "".join(f"{line['line'] or ''}\n" for line in _TYPED.finditer(source))
    return typed if _defines(typed, entry_point) else source


def _fenced(lines: list[str]) -> list[_Block]:
    blocks: list[_Block] = []
    opened: re.Match[str] | None = None
    body: list[str] = []
    for line in lines:
        fence = _FENCE.fullmatch(line)
        if opened is None:
            opened, body = fence, []
        elif fence is not None and _closes(fence, opened):
            blocks.append(_block(opened, body))
            opened = None
        else:
            body.append(line)
    if opened is not None:
        blocks.append(_block(opened, _without_glued_fence(body, opened["mark"])))
    return blocks


def _closes(fence: re.Match[str], opened: re.Match[str]) -> bool:
    """CommonMark: a fence indented by four more is part of the code, as in a doc string."""
    deeper = len(fence["indent"].expandtabs(4)) - len(opened["indent"].expandtabs(4))
    return deeper < 4 and not fence["tag"].strip() and fence["mark"].startswith(opened["mark"])


def _block(opened: re.Match[str], body: list[str]) -> _Block:
    """Strip the fence's own indentation, as a block inside a list or a quotation has it on every line."""
    indent = opened["indent"]
    if indent.strip():
        body = [indent if line.rstrip() == indent.rstrip() else line for line in body]
    words = opened["tag"].lower().split(maxsplit=1)
    tag = words[0].strip("{}.") if words else ""
    if not tag and body and body[0].strip().lower() in PYTHON_TAGS - {""}:
        body = body[1:]
    return _Block(tag=tag, source="\n".join(line.removeprefix(indent) for line in body) + "\n")


def _without_glued_fence(body: list[str], mark: str) -> list[str]:
    """Models often write the closing fence at the end of the last line of code."""
    text = "\n".join(body).rstrip()
    return text.removesuffix(mark).split("\n")


def _defines(source: str, entry_point: str) -> bool:
    if not entry_point:
        return False
    name = re.escape(entry_point)
    definition = rf"^(?:(?:async[ ]+)?def[ ]+{name}\b|class[ ]+{name}\b|{name}[ ]*(?::[^=\n]*)?=(?!=))"
    return re.search(definition, source, re.MULTILINE) is not None


def _unfenced(lines: list[str]) -> str | None:
    start, end = 0, len(lines)
    while start < end and _is_prose(lines[start]):
        start += 1
    while end > start and _is_prose(lines[end - 1]):
        end -= 1
    source = "\n".join(lines[start:end])
    return source + "\n" if _BINDS.search(source) else None


def _is_prose(line: str) -> bool:
    """True for a blank line, and for words in a row that cannot begin a useful statement."""
    if not line.strip():
        return True
    if _FOREIGN_POINTS.search(line) and not re.search(r"[#\"']", line):
        return True
    match = _PROSE.match(line)
    return match is not None and "=" not in line and match["first"] not in _KEYWORDS
