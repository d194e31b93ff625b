"""Makes a self-signed certificate for localhost, in the files that the chart's secret holds."""

import subprocess
from pathlib import Path


def certificates(folder: Path) -> None:
    """Writes tls.crt, tls.key and ca.crt into a folder."""
    extra = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", "tls.key", "-out", "tls.crt", "-subj", "/CN=ucoder", "-addext", extra, "-days", "1"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (folder / "ca.crt").write_bytes((folder / "tls.crt").read_bytes())
