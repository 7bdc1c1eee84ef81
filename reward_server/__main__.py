"""`python -m reward_server`: reads the flags, serves, and says in one sentence what is wrong.

`python -m reward_server rescore DIR` grades a recording instead (see `rescoring`).
"""

import asyncio
import os
import sys

from reward_server.errors import ConfigurationError

EXIT_MISCONFIGURED = 2


def main() -> None:
    """Run the server until it is told to stop, or the self-check or a rescoring alone."""
    # gRPC's own lines say worse what ours say; it reads this when it is imported, so the rest
    # of the server is imported after it.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from reward_server import config, registry, self_check, server, telemetry  # noqa: PLC0415

    try:
        if sys.argv[1:2] == ["rescore"]:
            sys.exit(_rescore(sys.argv[2:]))
        settings = config.read(sys.argv[1:])
        telemetry.configure(settings.log_format)
        if settings.self_check:
            sys.exit(self_check.run(settings.sandbox_options(slots=1)))
        factories = registry.with_extras(registry.BUILT_IN, registry.installed_extras())
        asyncio.run(server.serve(settings, factories, registry.WORKER_TASKS))
    except ConfigurationError as error:
        print(f"reward_server: {error}", file=sys.stderr)  # noqa: T201  (the command line's own voice)
        sys.exit(EXIT_MISCONFIGURED)


def _rescore(arguments: list[str]) -> int:
    # Brings pyarrow, which a server does not need.
    from reward_server import telemetry  # noqa: PLC0415
    from reward_server.rescoring import run  # noqa: PLC0415

    telemetry.configure("console")
    return run.main(arguments)


if __name__ == "__main__":
    main()
