"""Why a server did not start, as its own log tells it."""

from __future__ import annotations

TO_CLIENTS = ("terminating connection", "the database system is")
"""In fatal lines that a server which is shut down or started logs about its clients, not about
itself."""


def fatal_reason(log: str) -> str:
    """What the last FATAL or PANIC line says that is about the server; empty: there is none.

    A log may reach back to earlier starts, so the last one counts. Whatever stands before the
    level (`log_line_prefix`) is left out.
    """
    lines = (line.split(":  ", 1) for line in log.splitlines())
    told = [parts[1] for parts in lines if parts[1:] and parts[0].endswith(("FATAL", "PANIC"))]
    reasons = [text for text in told if not text.startswith(TO_CLIENTS)]
    return reasons[-1] if reasons else ""
