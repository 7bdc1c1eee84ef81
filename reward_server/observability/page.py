"""The HTTP side: /metrics for Prometheus, the status page and the JSON it is drawn from.

Plain HTTP, read only, and nothing on it but counts, times and names of ours. It runs in a
thread with an event loop of its own, so that a scrape never stands in the way of grading.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from reward_server.config import ServerConfig, is_loopback, split_address
from reward_server.errors import ConfigurationError
from reward_server.observability.catalogue import View
from reward_server.observability.history import History
from reward_server.observability.status import status

_PAGE = Path(__file__).with_name("status.html")
# Everything the page needs is in it: nothing is loaded from elsewhere, and nobody may frame it.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
MOST_REQUESTS = 32
STOP_S = 5.0


def bind(config: ServerConfig) -> socket.socket:
    """Take the page's port.

    Raises:
        ConfigurationError: the address is taken, is not here, or is not safe to listen on.
    """
    address = config.metrics_listen or ""
    host, port = split_address(address, "metrics_listen")
    if not (is_loopback(host) or config.insecure or config.metrics_insecure):
        raise ConfigurationError(
            f"metrics_listen={address!r} can be read from other machines, over plain HTTP: listen on "
            "127.0.0.1, or say --metrics-insecure if everyone on that net may read counts and times"
        )
    bare = host.strip("[]")
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    try:
        return socket.create_server((bare, port), family=family)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on metrics_listen={address!r}: {error.strerror}; "
            "stop what holds the port or choose another (0 takes a free one)"
        ) from error


def application(registry: CollectorRegistry, view: Callable[[], View], history: History) -> Starlette:
    """Return the three routes."""

    def metrics(request: Request) -> Response:
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={**_HEADERS, "Content-Type": kind})

    def document(_: Request) -> Response:
        return JSONResponse(status(view(), history.points), headers=_HEADERS)

    def page(_: Request) -> Response:
        return FileResponse(_PAGE, headers=_HEADERS, media_type="text/html")

    return Starlette(routes=[Route("/", page), Route("/status.json", document), Route("/metrics", metrics)])


class Page:
    """Serves an application on a bound socket, in a thread."""

    def __init__(self, app: Starlette, bound: socket.socket) -> None:
        host, port = bound.getsockname()[:2]
        self.url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
        settings = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            limit_concurrency=MOST_REQUESTS,
            timeout_graceful_shutdown=1,
        )
        self._bound = bound
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._serve, name="status_page", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    async def stop(self) -> None:
        """Answer no more; returns when the thread has ended, or holds out too long to be waited for."""
        self._server.should_exit = True
        await asyncio.to_thread(self._thread.join, STOP_S)
        self._bound.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._bound])
