"""One window: watching traffic until enough was seen, or something is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from llmtune.benchmark.observe_compare import Comparison
from llmtune.errors import UsageError
from llmtune.postgres.traffic import Lost, Snapshot, Traffic, between

LEAST_CHECK_S = 1.0
"""Looking more often would be a load of its own."""

OWN_SHARE = 0.005
"""What looks may take of the time of all statements: where a look takes long, or the
server has little to do, there are fewer of them."""

CHECKS = 12
EXTENDED = 4
"""A window with too few calls goes on until it is this many times as long."""


@dataclass(frozen=True, slots=True)
class Length:
    """How long to watch: so many seconds at least, and so many calls."""

    seconds: float
    calls: int

    @property
    def between_looks(self) -> float:
        """Seconds from one look at the counters to the next; only a short time has less."""
        looks = min(CHECKS, int(self.seconds / LEAST_CHECK_S))
        return self.seconds / max(1, looks)


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """How traffic is watched.

    Attributes:
        window_s: seconds of one window.
        settle_s: seconds between a change of settings and the window; watched too,
            but only for harm.
        min_calls: of statements in a window, for it to count.
        rollback: the original settings are put back when statements take this share
            more time than under them.
        baseline_every: windows under other settings until the original ones, with
            which they are compared, are watched again.
    """

    window_s: float = 60.0
    settle_s: float = 10.0
    min_calls: int = 50
    rollback: float = 0.10
    baseline_every: int = 4

    def __post_init__(self) -> None:
        if not self.window_s >= LEAST_CHECK_S:
            raise UsageError(
                f"a window must last {LEAST_CHECK_S:g} s at least, not {self.window_s}"
            )
        if not 0 <= self.settle_s < float("inf"):
            raise UsageError(f"the time to settle must not be negative, but is {self.settle_s} s")
        if self.min_calls < 1 or self.baseline_every < 1:
            raise UsageError("the least calls and the windows to a baseline must be at least 1")
        if not 0 < self.rollback < float("inf"):
            raise UsageError(f"the roll-back limit must be above 0%, not {self.rollback:.0%}")

    @property
    def window(self) -> Length:
        """Of a window."""
        return Length(self.window_s, self.min_calls)

    @property
    def settling(self) -> Length:
        """Of the time before it, in which few calls are as good as many."""
        return Length(self.settle_s, 0)


class Reads(Protocol):
    """Where the counters come from; see `TrafficReader`."""

    def snapshot(self) -> Snapshot:
        """The counters now."""
        ...


@dataclass(frozen=True, slots=True)
class Few:
    """Too little traffic, however long the window was."""

    calls: int
    seconds: float

    @property
    def reason(self) -> str:
        """For people."""
        return f"there were only {self.calls} calls of statements in {self.seconds:.3g} s"


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a window was ended early.

    Attributes:
        harmful: the original settings are to be put back at once.
    """

    comparison: Comparison
    harmful: bool


@dataclass(frozen=True, slots=True)
class Watched:
    """What a window saw.

    Attributes:
        last: the snapshot that ended it.
        traffic: None when it cannot be told.
        stop: None: the window ran to its end.
        lost: why it does not count.
    """

    last: Snapshot
    traffic: Traffic | None
    stop: Stop | None = None
    lost: Lost | Few | None = None


Judge = Callable[[Traffic], Stop | None]
"""Looks at a window so far, and may end it."""

Pause = Callable[[float], None]


def watch(
    reader: Reads, first: Snapshot, length: Length, judge: Judge, pause: Pause = time.sleep
) -> Watched:
    """Watch from `first` on for a while, and longer where there are too few calls.

    Raises:
        ConnectionFailed: the server went away.
    """
    last, busy = first, 1.0
    while True:
        seldom = min(length.seconds, last.took / (OWN_SHARE * max(busy, OWN_SHARE)))
        pause(max(length.between_looks, seldom))
        last = reader.snapshot()
        traffic = between(first, last)
        if isinstance(traffic, Lost):
            return Watched(last, None, lost=traffic)
        busy = min(1.0, traffic.busy_seconds / traffic.seconds)
        stop = judge(traffic)
        enough = traffic.seconds >= length.seconds and traffic.calls >= length.calls
        if stop is not None or enough:
            return Watched(last, traffic, stop)
        if traffic.seconds >= EXTENDED * length.seconds:
            return Watched(last, traffic, lost=Few(traffic.calls, traffic.seconds))


def watch_settled(
    reader: Reads,
    options: WindowOptions,
    judge: Judge,
    pause: Pause = time.sleep,
    *,
    settle: bool,
) -> Watched:
    """Watch the time to settle, which only harm ends early, and then the window.

    Args:
        settle: whether settings were changed, so that there is such a time.

    Raises:
        ConnectionFailed: the server went away.
    """
    first = reader.snapshot()
    if settle and options.settle_s > 0:
        settled = watch(reader, first, options.settling, _of_harm(judge), pause)
        if settled.stop is not None:
            return settled
        first = settled.last
    return watch(reader, first, options.window, judge, pause)


def _of_harm(judge: Judge) -> Judge:
    """What is merely slow may still be settling."""

    def harmful(so_far: Traffic) -> Stop | None:
        stop = judge(so_far)
        return stop if stop is not None and stop.harmful else None

    return harmful
