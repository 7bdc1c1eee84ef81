"""A real server on a thread of its own, for code under test that blocks its own thread."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from reward_server.api import Reward
from reward_server.config import ServerConfig
from reward_server.registry import Registry
from reward_server.scores import ScoringConfig
from reward_server.server import running
from reward_server.serving.listening import listen
from reward_server.serving.stopping import Stop

START_S = 30.0


@contextmanager
def live(*rewards: Reward) -> Iterator[str]:
    """Serve `rewards` inside the block; yields HOST:PORT."""
    ready: Future[tuple[str, asyncio.AbstractEventLoop, Stop]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(rewards, ready)), name="live server")
    thread.start()
    try:
        address, loop, stop = ready.result(timeout=START_S)
        try:
            yield address
        finally:
            loop.call_soon_threadsafe(stop.request)
    finally:
        thread.join()


async def _serve(
    rewards: tuple[Reward, ...], ready: "Future[tuple[str, asyncio.AbstractEventLoop, Stop]]"
) -> None:
    try:
        config = ServerConfig(listen="127.0.0.1:0", drain_s=1.0)
        server, address = listen(config)
        stop = Stop()
        async with running(server, config, Registry(rewards, ScoringConfig()), stop):
            ready.set_result((address, asyncio.get_running_loop(), stop))
            await stop.requested.wait()
    except BaseException as error:
        if ready.done():
            raise
        ready.set_exception(error)
