"""What the rules of a warm start take for granted about a server's storage."""

from __future__ import annotations

from collections.abc import Iterable

from llmtune.cli.bench import Bench
from llmtune.cli.progress import Reporter
from llmtune.model.warm_start import WarmStart

UNSEEN = "The kind of the server's disk cannot be seen and is taken for SSD; see --storage"


def warn_of_storage(warm_starts: Iterable[WarmStart], bench: Bench, reporter: Reporter) -> None:
    """Tell once what the rules take for granted, if one of the warm starts has them."""
    if bench.storage is None and any(one.has_rules for one in warm_starts):
        reporter.say(UNSEEN)
