#!/usr/bin/env python3
"""Check every source module against the language policy: `hpcgate policy` from any interpreter."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "packages" / "hpcgate"))

try:
    # The command line loads the policy late; a missing library is to be named here, in one line.
    import hpcgate.policy  # noqa: F401
    from hpcgate.cli import main
except ModuleNotFoundError as error:
    print(f"{Path(__file__).name}: no {error.name} here; run: nox -s policy", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    sys.argv[1:1] = ["policy", "--root", str(ROOT)]
    main()
