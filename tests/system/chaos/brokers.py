"""The brokers of an installation, with the faults that a test can inject."""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Protocol

from redis import Redis, RedisError

from brainscan.environment import broker_socket
from devtools.running import RunningApp
from devtools.servers import Server


class Broker(Protocol):
    """What can be done to a broker."""

    def kill(self) -> None: ...
    def wipe(self) -> None: ...
    def signal(self, number: signal.Signals) -> None: ...
    def is_up(self) -> bool: ...
    def client(self) -> "Redis[bytes]": ...


class EmbeddedBroker:
    """The Valkey server that the supervisor runs, and starts again."""

    def __init__(self, app: RunningApp) -> None:
        self.app = app
        self.socket = broker_socket(Path(app.environment["DATA_DIR"]).resolve())

    def client(self) -> "Redis[bytes]":
        return Redis(unix_socket_path=str(self.socket), socket_timeout=5)

    def is_up(self) -> bool:
        return _answers(self.client())

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.app.children()["broker"], number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def wipe(self) -> None:
        """Take its data while it is dead."""
        self.kill()
        for path in sorted((Path(self.app.environment["DATA_DIR"]) / "broker").rglob("*.aof*")):
            path.unlink()


class RedisBroker:
    """A Redis server of ours, started again a moment after it was killed."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def client(self) -> "Redis[bytes]":
        return Redis.from_url(self.server.url, socket_timeout=5)

    def is_up(self) -> bool:
        return _answers(self.client())

    def signal(self, number: signal.Signals) -> None:
        self.server.signal(number)

    def kill(self) -> None:
        self.server.kill()
        time.sleep(1)
        self.server.start()

    def wipe(self) -> None:
        """Take its data while it is dead."""
        self.server.kill()
        for path in self.server.data.rglob("*.aof*"):
            path.unlink()
        self.server.start()


def _answers(client: "Redis[bytes]") -> bool:
    with contextlib.closing(client), contextlib.suppress(RedisError, OSError):
        return bool(client.ping())
    return False
