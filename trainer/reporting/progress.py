"""The live view of a run in the terminal, and its plain lines where there is none.

On a terminal: one display, redrawn in place, with notes and finished phases above it.
Elsewhere (CI, a pipe, a notebook): a line when a phase begins and ends, and at most one
every five seconds in between. Showing must never stop a run: output that cannot be
written is dropped.
"""

import io
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from trainer.reporting import view
from trainer.run_files.records import StepRecord

LINE_EVERY_S = 5.0
_REDRAWS_PER_S = 2


class QuietConsole(Console):
    """A console that goes silent, not down, when its reader is gone."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())  # what is still buffered must go somewhere at exit
        os.close(nowhere)


class Progress:
    """Shows the phases of a run, one at a time; a context manager."""

    def __init__(
        self, *, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or QuietConsole()
        self._clock = clock
        self._phase: view.Phase | None = None
        self._records: list[StepRecord] = []
        self._held_out: list[tuple[int, float]] = []
        self._body: RenderableType = Text("")
        self._last_line_s = -math.inf
        self._held_back = ""
        live = self._console.is_terminal and not self._console.is_dumb_terminal
        self._live = (
            Live(
                get_renderable=self._render,
                console=self._console,
                refresh_per_second=_REDRAWS_PER_S,
                vertical_overflow="ellipsis",
            )
            if live
            else None
        )

    def __enter__(self) -> Self:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # an ASCII terminal shows "?", and the run goes on
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
            return
        self._flush()
        if self._live is not None:
            self._live.stop()

    def phase(self, name: str, total: int | None = None) -> None:
        """End the running phase and begin one of `total` steps, batches or rows."""
        self._end_phase()
        self._phase = view.Phase(name=name, started_s=self._clock(), total=total)
        self._last_line_s = -math.inf
        if self._live is None:
            self._print(f"{name}: {total:,} to do" if total is not None else name)

    def advance(self, n: int = 1, **info: object) -> None:
        """Count `n` more done in the running phase; `info` is shown beside the bar."""
        if self._phase is None:
            return
        self._phase = replace(self._phase, done=self._phase.done + n, info=view.info_text(info))
        self._line(view.phase_line)

    def step(self, record: StepRecord) -> None:
        """Show a training step; the running phase stands at `record.step` of `record.steps`."""
        self._records.append(record)
        if self._live is not None:
            self._body = view.body(self._records, self._held_out)
        if self._phase is None:
            return
        recent = self._records[-view.TRAILING_STEPS :]
        pace_s = sum(item.step_s for item in recent) / len(recent)
        self._phase = replace(
            self._phase,
            done=record.step,
            total=record.steps,
            left_s=pace_s * max(0, record.steps - record.step),
        )
        self._line(
            lambda phase, now: (
                f"{view.phase_line(phase, now)}  {view.step_line(self._records, self._held_out)}"
            )
        )

    def evaluated(self, step: int, reward: float) -> None:
        """Keep the sampled reward on held-out prompts behind `step` in view."""
        self._held_out.append((step, reward))

    def note(self, text: str) -> None:
        """Show a sentence that stays."""
        self._print(text)

    def finish(self) -> None:
        """End the running phase and leave the last state on the screen."""
        self._end_phase()
        if self._live is not None:
            self._live.stop()

    def _end_phase(self) -> None:
        if self._phase is None:
            return
        self._flush()
        self._print(f"{self._phase.name} took {view.duration(self._clock() - self._phase.started_s)}")
        self._phase = None

    def _flush(self) -> None:
        """Print the line that was held back: where the phase stands now."""
        if self._held_back:
            self._print(self._held_back)
        self._held_back = ""

    def _line(self, text: Callable[[view.Phase, float], str]) -> None:
        """Print a line where nothing is drawn; hold it back while the last one is fresh."""
        now = self._clock()
        if self._live is not None or self._phase is None:
            return
        self._held_back = text(self._phase, now)
        if now - self._last_line_s >= LINE_EVERY_S:
            self._print(self._held_back)
            self._last_line_s, self._held_back = now, ""

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _render(self) -> RenderableType:
        phase = self._phase
        return Group(view.header(phase, self._clock()), self._body) if phase is not None else self._body
