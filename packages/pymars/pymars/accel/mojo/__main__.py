# Language policy: EXEMPT from the Rust-path rule. Starts the build; no computation.
"""Build the Mojo tier: `python -m pymars.accel.mojo`."""

from __future__ import annotations

import sys

from pymars.accel.mojo import build


def main() -> int:
    """Build the library and say where it lies."""
    try:
        print(build())
    except (OSError, RuntimeError) as error:
        print(f"python -m pymars.accel.mojo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
