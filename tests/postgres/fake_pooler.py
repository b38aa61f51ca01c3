"""For tests: a connection pooler that speaks just enough of PostgreSQL's protocol.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

PORT = 6432
KEY = struct.pack("!ii", 4711, 815)
GREETING = (
    (b"R", struct.pack("!i", 0)),
    (b"S", b"server_version\x0018.0\x00"),
    (b"S", b"client_encoding\x00UTF8\x00"),
    (b"K", KEY),
    (b"Z", b"I"),
)


class FakePooler:
    """Lends the server's processes to its clients for a transaction, or for a session."""

    def __init__(self, folder: Path, server: str, *, by_session: bool) -> None:
        self._server = f"{server}/.s.PGSQL.5432"
        self._by_session = by_session
        self._idle: list[socket.socket] = []
        self._open: list[socket.socket] = []
        self._listener = self._kept(socket.socket(socket.AF_UNIX))
        self._listener.bind(str(folder / f".s.PGSQL.{PORT}"))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in self._open:
            one.close()

    def _kept(self, one: socket.socket) -> socket.socket:
        self._open.append(one)
        return one

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[self._kept(client)], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        (size,) = struct.unpack("!i", exactly(client, 4))
        exactly(client, size - 4)
        client.sendall(b"".join(packed(*message) for message in GREETING))
        lent: socket.socket | None = None
        waiting = b""
        while (message := received(client)) and message[:1] != b"X":
            waiting += message
            if message[:1] not in (b"Q", b"S"):
                continue
            lent = lent or (self._idle.pop() if self._idle else self._connected())
            lent.sendall(waiting)
            waiting = b""
            if relayed(lent, client) == b"I" and not self._by_session:
                self._idle.append(lent)
                lent = None

    def _connected(self) -> socket.socket:
        server = self._kept(socket.socket(socket.AF_UNIX))
        server.connect(self._server)
        words = b"user\x00postgres\x00database\x00postgres\x00\x00"
        server.sendall(struct.pack("!ii", len(words) + 8, 3 << 16) + words)
        while received(server)[:1] != b"Z":
            pass
        return server


def relayed(server: socket.socket, client: socket.socket) -> bytes:
    """Pass on what the server says, up to its state of the transaction, which is returned."""
    while True:
        message = received(server)
        client.sendall(message)
        if message[:1] == b"Z":
            return message[5:]


def received(one: socket.socket) -> bytes:
    """One message; empty when the other side is gone."""
    head = exactly(one, 5)
    return head + exactly(one, struct.unpack("!i", head[1:])[0] - 4) if len(head) == 5 else b""


def exactly(one: socket.socket, size: int) -> bytes:
    got = b""
    try:
        while len(got) < size and (more := one.recv(size - len(got))):
            got += more
    except OSError:
        return b""
    return got


def packed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body
