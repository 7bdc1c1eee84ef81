"""`python -m evals serve`: a run's checkpoint as an OpenAI-compatible endpoint. Imports JAX."""

from collections.abc import Sequence
from pathlib import Path

import jax
import uvicorn

from evals.addresses import listen
from evals.asking.checkpoint import open_run
from evals.asking.models import Answer
from evals.options import Serve
from evals.serving.app import Served, app
from policy.checkpoint import Policy


def serve(options: Serve) -> None:
    """Serve until a signal.

    Raises:
        CheckpointError: the directory holds no policy, or one that this code cannot use.
        EvaluationError: the address cannot be listened on.
    """
    listening = listen(options.listen)
    served = open_served(
        options.checkpoint, name=options.name or options.checkpoint.name, base=options.base, rows=options.rows
    )
    host, port = listening.getsockname()[:2]
    print(f"serving {served.name!r} at http://{host}:{port}/v1", flush=True)  # noqa: T201 - output of the command
    config = uvicorn.Config(app(served), log_level="warning")
    uvicorn.Server(config).run(sockets=[listening])


def open_served(run_dir: Path, *, name: str, base: bool, rows: int) -> Served:
    """Load a run's policy as something to serve, in batches of `rows`.

    Raises:
        CheckpointError: the directory holds no policy, or one that this code cannot use.
    """
    return _served(open_run(run_dir, base=base), name=name, rows=rows)


def _served(policy: Policy, *, name: str, rows: int) -> Served:
    generator = policy.generator(rows=rows)
    tokenizer = policy.tokenizer

    def generate(prompts: Sequence[str], temperature: float, seed: int) -> list[Answer]:
        completions = generator.generate(prompts, temperature=temperature, key=jax.random.key(seed))
        return [Answer(text=item.text, truncated=item.truncated) for item in completions]

    def cut(text: str, limit: int) -> tuple[str, bool]:
        tokens = tokenizer.encode(text)
        return (text, False) if len(tokens) <= limit else (tokenizer.decode(tokens[:limit]), True)

    return Served(
        name=name,
        system=policy.record.system,
        max_prompt_tokens=policy.record.max_prompt_tokens,
        generate=generate,
        length=tokenizer.prompt_length,
        tokens=lambda text: len(tokenizer.encode(text)),
        cut=cut,
        rows=rows,
    )
