"""A real S3 server (seaweedfs) with one bucket for tests, on free loopback ports."""

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

BUCKET = "artefacts"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret"}


def free_ports(count: int) -> list[int]:
    """Returns ports that are free now, and whose number plus 10000, which seaweedfs uses for gRPC, is free as well."""
    sockets, ports = [], []
    while len(ports) < count:
        low, high = socket.socket(), socket.socket()
        sockets += [low, high]
        low.bind(("127.0.0.1", 0))
        port = low.getsockname()[1]
        if port + 10_000 < 65_536:
            try:
                high.bind(("127.0.0.1", port + 10_000))
                ports.append(port)
            except OSError:
                continue
    for opened in sockets:
        opened.close()
    return ports


@contextlib.asynccontextmanager
async def s3_server(folder: Path) -> AsyncIterator[str]:
    """Runs the server with its data below a folder, and yields its endpoint."""
    master, volume, filer, port = free_ports(4)
    for name in ("log", "data"):
        (folder / name).mkdir()
    identity = {
        "identities": [
            {"name": "test", "credentials": [{"accessKey": "test", "secretKey": "test-secret"}], "actions": ["Admin"]}
        ]
    }
    (folder / "s3.json").write_text(json.dumps(identity))
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "weed"), f"-logdir={folder / 'log'}", "mini", f"-dir={folder / 'data'}",
        "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={master}", f"-volume.port={volume}",
        f"-filer.port={filer}", f"-s3.port={port}", "-webdav=false", "-admin.ui=false", "-master.telemetry=false",
        "-s3.port.iceberg=0", "-s3.port.lance=0", f"-bucket={BUCKET}", f"-s3.config={folder / 's3.json'}",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    endpoint = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(60), httpx.AsyncClient() as client:
            while True:
                try:
                    if (await client.get(endpoint)).status_code < 500:
                        break
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.2)
        yield endpoint
    finally:
        process.terminate()
        await process.wait()
        for name in (f"s3-{port}", f"s3-grpc-{port + 10_000}", "admin-grpc-33646"):  # seaweedfs does not remove them
            Path(f"/tmp/seaweedfs-{name}.sock").unlink(missing_ok=True)
