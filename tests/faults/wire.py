"""A socket in front of a server's, where something happens as a chosen statement passes.

A tuner that logs in here is none the wiser, and needs no change to be killed, cut off
or surprised at an exact step of its work.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

SOCKET = ".s.PGSQL.5432"
READY = b"Z\0\0\0\5"
"""The head of ReadyForQuery, with which the server's answer to a statement ends."""


@dataclass(frozen=True)
class Point:
    """A statement of a tuner, at which something is to happen.

    Attributes:
        text: what the statement holds.
        trials: how many trials are journalled then; the first such statement counts.
        nth: or a later one of them.
        answered: once the server has answered it; else before the server gets it.
    """

    text: str
    trials: int = 0
    nth: int = 1
    answered: bool = False


@dataclass(eq=False)
class Line:
    """One connection of a tuner, and ours to the server for it."""

    client: socket.socket
    server: socket.socket
    waiting: bool = False

    def cut(self) -> None:
        """End the connection on both sides."""
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for end in (self.client, self.server):
            end.close()


def leave_open(folder: Path, server: Path) -> None:
    """Lead the socket in `folder` straight to the server's."""
    (folder / SOCKET).symlink_to(server / SOCKET)


@dataclass
class Wire:
    """Forwards every connection made to the socket in `folder`, which led to the server's.

    Attributes:
        trials: tells how many trials are journalled.
        act: called once, in place of forwarding until it returns, with the line.
    """

    folder: Path
    server: Path
    point: Point
    trials: Callable[[], int]
    act: Callable[[Line], None]
    reached: bool = False
    _seen: int = 0
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _failure: list[BaseException] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.socket(socket.AF_UNIX)
        (self.folder / SOCKET).unlink()
        self._listener.bind(str(self.folder / SOCKET))
        self._listener.listen()
        self._stop, self._stopped = socket.socketpair()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._stopped, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._forward)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.close()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, Line):
                key.data.close()
        for one in (self._selector, self._listener, self._stopped):
            one.close()
        (self.folder / SOCKET).unlink()
        leave_open(self.folder, self.server)
        if self._failure:
            raise self._failure[0]

    def _forward(self) -> None:
        try:
            while self._turn():
                pass
        except BaseException as error:  # noqa: BLE001  told by the thread that can
            self._failure.append(error)

    def _turn(self) -> bool:
        for key, _ in self._selector.select():
            if key.fileobj is self._stopped:
                return False
            if key.fileobj is self._listener:
                self._accept()
            elif isinstance(key.fileobj, socket.socket) and key.fileobj.fileno() != -1:
                self._pass_on(key.fileobj, key.data)  # the other end's turn has not closed it
        return True

    def _accept(self) -> None:
        client, server = self._listener.accept()[0], socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(self.server / SOCKET))
        except OSError:
            client.close()
            return
        line = Line(client, server)
        for end in (client, server):
            self._selector.register(end, selectors.EVENT_READ, line)

    def _pass_on(self, source: socket.socket, line: Line) -> None:
        target = line.server if source is line.client else line.client
        try:
            data = source.recv(1 << 16)
            if data and self._due(data, source is line.client, line):
                self.reached = True
                self.act(line)
            target.sendall(data)
        except OSError:
            data = b""
        if not data:
            self._hang_up(line)

    def _due(self, data: bytes, asking: bool, line: Line) -> bool:
        if self.reached:
            return False
        if line.waiting:
            return not asking and READY in data
        if not (asking and self.point.text.encode() in data):
            return False
        if self.trials() < self.point.trials:
            return False
        self._seen += 1
        line.waiting = self._seen == self.point.nth and self.point.answered
        return self._seen == self.point.nth and not self.point.answered

    def _hang_up(self, line: Line) -> None:
        for end in (line.client, line.server):
            if end.fileno() != -1:
                self._selector.unregister(end)
        line.close()
