"""moto: an S3 mock. It shows that a sweep works, and its numbers say nothing about any store."""

from __future__ import annotations

from l2sweep.services.ports import LOOPBACK
from l2sweep.services.s3_service import S3Service

# moto takes the first part of a host as the bucket, but not that of an address with four parts. An address
# with three parts is the same address (inet(3)), and needs no name service.
_HOST = "127.0.1"


class MotoService(S3Service):
    """moto's server with one bucket. It keeps its data in memory, and accepts every key."""

    name = "moto"
    program = "moto_server"
    install = "pip install 'l2sweep[services]'"

    @property
    def endpoint(self) -> str:
        """Host and port that mean the bucket."""
        return f"{_HOST}:{self.ports[0]}"

    @property
    def new_bucket(self) -> tuple[str, str]:
        """Host and path of the request that makes the bucket."""
        return self.endpoint, "/"

    def command(self) -> list[str]:
        """Return the command that starts it."""
        return [self.find_program(), "-H", LOOPBACK, "-p", str(self.ports[0])]
