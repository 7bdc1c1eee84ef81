"""`python -m reward_server.ray_serve --insecure`: deploys the service on a Ray cluster until stopped."""
# Ray's functions are untyped, so strict checking would only report Ray.
# pyright: basic

import asyncio
import signal
import sys

import ray
from ray import serve

from reward_server.errors import ConfigurationError
from reward_server.ray_serve.config import read
from reward_server.ray_serve.deployments import deploy

EXIT_MISCONFIGURED = 2


def main() -> None:
    """Deploy, wait for a signal, and take the deployment down again."""
    try:
        config = read(sys.argv[1:])
    except ConfigurationError as error:
        print(f"reward_server.ray_serve: {error}", file=sys.stderr)  # noqa: T201  (the command line's own voice)
        sys.exit(EXIT_MISCONFIGURED)
    ray.init(address=config.cluster, namespace="assay", log_to_driver=True)
    try:
        deploy(config)
        asyncio.run(_until_stopped())
    finally:
        serve.shutdown()
        ray.shutdown()


async def _until_stopped() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()


if __name__ == "__main__":
    main()
