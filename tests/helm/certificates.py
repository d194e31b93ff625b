"""A certificate that signs itself, for localhost, as the chart's secret holds it."""

import subprocess
from pathlib import Path


def certificates(folder: Path) -> None:
    """tls.crt, tls.key and ca.crt, as the secret holds them."""
    extra = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", "tls.key", "-out", "tls.crt", "-subj", "/CN=ucoder", "-addext", extra, "-days", "1"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (folder / "ca.crt").write_bytes((folder / "tls.crt").read_bytes())
