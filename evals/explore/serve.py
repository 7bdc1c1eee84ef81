"""`python -m evals explore`: the explorer on an address of this machine."""

import webbrowser

import uvicorn

from evals.addresses import listen
from evals.explore.app import app
from evals.options import Explore


def explore(options: Explore) -> None:
    """Serve until a signal.

    Raises:
        ResultsError: there is no such run.
        EvaluationError: the address cannot be listened on.
    """
    name = options.listen.rpartition(":")[0].strip("[]")
    application = app(options.run, hosts=["localhost", "127.0.0.1", name])
    listening = listen(options.listen)
    host, port = listening.getsockname()[:2]
    url = f"http://{host}:{port}/"
    print(f"exploring {options.run} at {url}", flush=True)  # noqa: T201 - output of the command
    if options.open:
        webbrowser.open(url)
    uvicorn.Server(uvicorn.Config(application, log_level="warning")).run(sockets=[listening])
