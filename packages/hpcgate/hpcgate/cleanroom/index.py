# Language policy: EXEMPT from the Rust-path rule. Reads settings of the machine; no computation.
"""How this machine reaches a package index: certificates, index and proxies."""

from __future__ import annotations

import os
import re
import ssl
import sys
from pathlib import Path

from hpcgate.cleanroom.process import quiet

__all__ = ["BUNDLE", "certificates", "index_settings"]

# Where Debian's programs look for certificates, and where a room finds the machine's.
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def certificates() -> Path | None:
    """Find this machine's certificate bundle; without one the room has its own."""
    named = [os.environ.get(key) for key in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CABUNDLE")]
    usual = [ssl.get_default_verify_paths().cafile, BUNDLE, "/etc/pki/tls/certs/ca-bundle.crt"]
    paths = (Path(name) for name in [*named, *usual] if name)
    return next((path for path in paths if path.is_file()), None)


def index_settings() -> dict[str, str]:
    """Return this machine's package index and proxy settings, where it has any."""
    wanted = re.compile(r"PIP_(EXTRA_)?INDEX_URL|(https?|all|no)_proxy", re.IGNORECASE)
    settings = {key: value for key, value in os.environ.items() if wanted.fullmatch(key)}
    if "PIP_INDEX_URL" not in settings:
        asked = quiet([sys.executable, "-m", "pip", "config", "get", "global.index-url"])
        if asked.returncode == 0 and asked.stdout.strip():
            settings["PIP_INDEX_URL"] = asked.stdout.strip()
    return settings
