"""Being stopped: whatever ends a command goes through what puts the server back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_TEXT = (
    b"\nllmtune: restoring the server; press Ctrl-C again to quit without restoring it\n"
)


class _Interrupt:
    """Raises KeyboardInterrupt, but lets a second, impatient signal pass.

    What the first one set off takes a second or two, and a second one in the
    middle of it would leave the server behind.
    """

    def __init__(self) -> None:
        self._received = 0

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        self._received += 1
        if self._received == 2:
            os.write(2, PATIENCE_TEXT)
            return
        raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """End on Ctrl-C, SIGTERM and a closed terminal alike: with KeyboardInterrupt.

    A signal that is ignored, as under `nohup`, stays ignored.
    """
    before = {number: signal.getsignal(number) for number in ENDING}
    interrupt = _Interrupt()
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
