# Language policy: EXEMPT from the Rust-path rule. Forwards to the command line.
"""Make `python -m hpcgate.evidence record ...` the same as `hpcgate evidence record ...`."""

import sys

from hpcgate.cli import main

sys.argv.insert(1, "evidence")
main()
