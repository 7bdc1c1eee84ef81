"""Grades rows with one anchor, in a warm child that is killed when a row takes too long.

    runner.py NAME BUDGET_S < rows.jsonl > verdicts.jsonl

Runs in the throw-away environment of bench/graders.py. Rows are {"gold", "answer"}; a verdict
is {"correct", "seconds", "killed"}; the last line is {"peak_mb"} of the largest child. The
libraries are imported and warmed before the fork, so that a replacement costs milliseconds.
"""

import contextlib
import json
import logging
import multiprocessing
import resource
import sys
import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection

_MEMORY = 8 << 30
_WARM = (("1", "2"), ("\\frac12", "x^2+1"), ("(1,2)", "[1,2)"), ("\\sqrt{2}", "\\sin x"), ("x=1", "x<1"))
_CONTEXT = multiprocessing.get_context("fork")
Grade = Callable[[str, str], bool]


def load(name: str) -> Grade:
    if name in ("hendrycks_style", "prm800k_style"):
        import string_rules

        return getattr(string_rules, name)
    import wirings

    return getattr(wirings, name)


def judge(grade: Grade, gold: str, answer: str) -> bool:
    try:
        return bool(grade(gold, answer))
    except Exception:  # noqa: BLE001  (whatever a library raises is its way of not saying yes)
        return False


def serve(grade: Grade, pipe: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    with contextlib.suppress(EOFError):
        while True:
            gold, answer = pipe.recv()
            started = time.perf_counter()
            correct = judge(grade, gold, answer)
            pipe.send((correct, time.perf_counter() - started))


class Child:
    """A warm process that can be killed."""

    def __init__(self, grade: Grade) -> None:
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=serve, args=(grade, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, gold: str, answer: str, budget_s: float) -> dict[str, object] | None:
        """Return the verdict; None when the child was killed or died."""
        self._pipe.send((gold, answer))
        with contextlib.suppress(EOFError):
            if self._pipe.poll(budget_s):
                correct, seconds = self._pipe.recv()
                return {"correct": correct, "seconds": seconds, "killed": False}
        return None

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


def main() -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    grade, budget_s = load(sys.argv[1]), float(sys.argv[2])
    for gold, answer in _WARM:
        judge(grade, gold, answer)
    child = Child(grade)
    for line in sys.stdin:
        row = json.loads(line)
        started = time.perf_counter()
        verdict = child.ask(row["gold"], row["answer"], budget_s)
        if verdict is None:
            verdict = {"correct": False, "seconds": time.perf_counter() - started, "killed": True}
            child.end()
            child = Child(grade)
        print(json.dumps(verdict), flush=True)
    child.end()
    print(json.dumps({"peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
