"""What a person can ask for: the flags of `python -m evals`, one dataclass a command."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from evals.comparing.compare import Metric
from evals.errors import EvaluationError
from tasks.prompts import SYSTEM


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Answer questions with a policy and grade the answers, with the rewards it was trained on.

    The questions are held-out splits of the mix, or `--suite`. The policy is a checkpoint,
    an `--endpoint`, or a file of `--completions`. The reward server is the one at
    REWARD_ADDRESS (HOST:PORT, several by comma), or one that is started and stopped here.
    """

    checkpoint: Path = Path("runs/latest")
    """Directory of a training run."""
    base: bool = False
    """Evaluate the run's base model, without its adapters."""
    endpoint: str | None = None
    """Ask this OpenAI-compatible endpoint instead, e.g. http://127.0.0.1:8000/v1; key: OPENAI_API_KEY."""
    model: str = ""
    """Name of the model at the endpoint."""
    system: str = SYSTEM
    """System text sent to an endpoint; empty: none is sent, and the endpoint may have its own."""
    concurrency: int = 16
    """Questions that an endpoint is asked at once."""
    max_new_tokens: int = 512
    """Token budget of an endpoint's completion; a checkpoint has its own."""
    completions: Path | None = None
    """Grade these completions instead: JSON lines with `example_id` and `completion`. Needs no JAX."""
    suite: tuple[str, ...] = ()
    """Questions by path, instead of the mix: humaneval=FILE, math=FILE, rows=FILE (JSON lines)."""
    split: Literal["test", "validation", "train"] = "test"
    """Split of the mix's datasets to ask."""
    data_dir: Path | None = None
    """Local datasets under the hub's column names; unset: the data that the run was trained on."""
    limit: int = 0
    """Ask at most this many questions of each dataset, the first ones; 0 asks all."""
    subset_seed: int | None = None
    """Take the limited questions at random with this seed, not the first ones."""
    samples: int = 1
    """Completions of each prompt."""
    temperature: float = 0.0
    """Sampling temperature; 0 is greedy."""
    seed: int = 0
    """Seed of sampling."""
    output: Path | None = None
    """Directory of the results; unset: `evals/<split>` beside the checkpoint or the completions."""
    generations: Path = Path("runs/generations")
    """Directory of completions by model, prompt and sampling: what is there is not sampled again."""
    fail_under: tuple[str, ...] = ()
    """Exit with 3 when accuracy is lower: a number for all, or DOMAIN=NUMBER; several by space."""
    junit: Path | None = None
    """File for CI: a test case a domain, failed where it is below its threshold."""

    def __post_init__(self) -> None:
        for holds, message in self._rules():
            if not holds:
                raise EvaluationError(message)

    def _rules(self) -> tuple[tuple[bool, str], ...]:
        return (
            (self.samples >= 1, f"samples: need at least 1, got {self.samples}"),
            (self.limit >= 0, f"limit: need 0 (all) or more, got {self.limit}"),
            (self.temperature >= 0, f"temperature: need 0 (greedy) or more, got {self.temperature}"),
            (0 <= self.seed < 2**32, f"seed: need 0 or more and less than 2**32, got {self.seed}"),
            (math.isfinite(self.temperature), f"temperature: need a finite number, got {self.temperature}"),
            (self.concurrency >= 1, f"concurrency: need at least 1, got {self.concurrency}"),
            (self.max_new_tokens >= 1, f"max-new-tokens: need at least 1, got {self.max_new_tokens}"),
            (
                self.samples == 1 or self.temperature > 0,
                "samples: greedy decoding gives the same completion every time; set a temperature",
            ),
            (
                self.completions is None or (self.samples == 1 and self.temperature == 0),
                "samples, temperature: say how to sample, but the completions are on file already",
            ),
            (
                not self.base or (self.completions is None and self.endpoint is None),
                "base: is of a checkpoint; leave it out with --endpoint and --completions",
            ),
            (
                not self.suite or (self.split == "test" and self.data_dir is None),
                "split, data-dir: choose rows of the mix, but --suite asks the questions of a file",
            ),
            (
                self.completions is None or self.limit == 0,
                "limit: chooses what is asked, but the file of completions says what was asked",
            ),
            (
                self.subset_seed is None or self.limit > 0,
                "subset-seed: says which of the questions a limit takes; set --limit",
            ),
            (
                self.endpoint is None or self.completions is None,
                "endpoint, completions: give one source of completions",
            ),
            (
                (self.endpoint is None) == (self.model == ""),
                "endpoint, model: belong together, e.g. --endpoint http://127.0.0.1:8000/v1 --model NAME",
            ),
            (
                self.endpoint is None or self.endpoint.startswith(("http://", "https://")),
                f"endpoint: {self.endpoint!r} is no URL, e.g. http://127.0.0.1:8000/v1",
            ),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Compare:
    """Compare two evaluations prompt by prompt."""

    before: tyro.conf.Positional[Path]
    """Directory of the earlier results."""
    after: tyro.conf.Positional[Path]
    """Directory of the later results."""
    metric: Metric = Metric.ACCURACY
    """What the table shows; the files hold all three."""
    flips: int = 10
    """Changed prompts to list; all of them are in the file."""
    output: Path | None = None
    """Directory for comparison.json and flips.jsonl; unset: `compare` in the later results."""
    fail_on_fall: bool = False
    """Exit with 3 when a domain fell with an adjusted p below 0.05."""
    seed: int = 0
    """Seed of the bootstrap, and of the random signs where more than 16 prompts changed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Write one self-contained HTML page of an evaluation, or of two compared."""

    results: tyro.conf.Positional[tuple[Path, ...]]
    """Directory of results; of two, the earlier first."""
    output: Path | None = None
    """File of the page; unset: report.html in the last directory."""
    seed: int = 0
    """Seed of the bootstrap of a comparison."""

    def __post_init__(self) -> None:
        if len(self.results) not in (1, 2):
            raise EvaluationError(
                f"report: give the results of one evaluation or two, got {len(self.results)}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Explore:
    """Explore the completions of a training run, live or finished, in a browser."""

    run: Path = Path("runs/latest")
    """Directory of a training run."""
    listen: str = "127.0.0.1:8002"
    """HOST:PORT; port 0 takes a free one. There is no authentication: think before leaving loopback."""
    open: bool = False
    """Open the page in this machine's browser."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Serve:
    """Serve a checkpoint as an OpenAI-compatible endpoint, for other harnesses."""

    checkpoint: Path = Path("runs/latest")
    """Directory of a training run."""
    base: bool = False
    """Serve the run's base model, without its adapters."""
    listen: str = "127.0.0.1:8001"
    """HOST:PORT; port 0 takes a free one. There is no authentication: think before leaving loopback."""
    name: str = ""
    """Name that callers use for the model; unset: that of the directory."""
    rows: int = 8
    """Questions answered in one batch."""

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise EvaluationError(f"rows: need at least 1, got {self.rows}")
