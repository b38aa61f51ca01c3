"""How connections to a server that others own are made."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.live.address import parse_address
from llmtune.postgres.live.login import Login
from tests.postgres.live_server import socket_of

WATCHED = (
    *(socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT),
    socket.TCP_USER_TIMEOUT,
)


def copied(source: socket.socket, target: socket.socket) -> None:
    """Pass on all that comes until one side ends."""
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def by_tcp(folder: str) -> Iterator[int]:
    """A port of this machine that leads one connection to the server's Unix socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as ours:
        ours.connect(str(Path(folder) / ".s.PGSQL.5432"))

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                back = threading.Thread(target=copied, args=(ours, client))
                back.start()
                copied(client, ours)
                back.join()

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        yield listener.getsockname()[1]
        serving.join()


def test_a_network_that_goes_silent_is_noticed_within_a_minute(embedded: EmbeddedTarget) -> None:
    with by_tcp(socket_of(embedded)) as port:
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres?keepalives_idle=7"
        connection = Login(parse_address(url)).connect()
        with connection, socket.socket(fileno=os.dup(connection.fileno())) as line:
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            found = [line.getsockopt(socket.IPPROTO_TCP, one) for one in WATCHED]
    assert found == [7, 10, 3, 60_000], "the address's own one, and ours for the others"
