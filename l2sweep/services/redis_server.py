"""Redis: the server of the adapters resp and valkey."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from l2sweep.services.ports import LOOPBACK
from l2sweep.services.service import Service


class RedisService(Service):
    """A Redis server that keeps its data in memory and writes no file."""

    name = "redis"
    program = "redis-server"
    install = "Debian: apt-get install redis-server"

    def command(self) -> list[str]:
        """Return the command that starts it. Its passwords are in a file that only this user can read."""
        # LMCache 0.5.6 passes the user name and the password of a valkey spec in the wrong order
        # (worker_pool.py, ServerCredentials). A user whose name is the password works in both orders.
        lines = [
            f"bind {LOOPBACK}",
            f"port {self.ports[0]}",
            f"dir {_quoted(str(self.folder.data))}",
            'save ""',
            "appendonly no",
            "daemonize no",
            f"requirepass {self.secret}",
            f"user {self.secret} on >{self.secret} ~* &* +@all",
        ]
        file = self.folder.write_private("redis.conf", "\n".join([*lines, ""]))
        return [self.find_program(), str(file)]

    def spec_fields(self, adapter_type: str) -> Mapping[str, Any]:
        """Return host, port and password, as resp or valkey names them."""
        if adapter_type == "valkey":
            return {
                "startup_nodes": f"{LOOPBACK}:{self.ports[0]}",
                "username": self.secret,
                "password": self.secret,
            }
        return {"host": LOOPBACK, "port": self.ports[0], "password": self.secret}


def _quoted(text: str) -> str:
    """Return a text in the double quotes of redis.conf: sdssplitargs() in sds.c."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
