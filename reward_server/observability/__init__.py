"""Metrics, traces and the status page: everything that watches the server, and nothing that grades.

    watching    assembles the rest around a running server, and takes it down
    parts       what is watched, and its state as values, read once a second on the event loop
    totals      what has been counted since the start, call by call
    catalogue   every metric: its name, its labels, where it is read; the docs' table is printed from it
    spreads     the histograms among them
    meters      the catalogue as instruments of OpenTelemetry
    spans       a call as a trace
    exporting   where metrics and traces go: Prometheus' format, OTLP by the standard environment
    history     the last minutes, for the page
    status      what the page shows, as a document
    page        the HTTP side: /metrics, /status.json and the page, in a thread of its own

The core knows `reward_server.observing` alone; OpenTelemetry, Starlette and Uvicorn stay in here.
"""
