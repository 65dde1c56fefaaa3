# Language policy: EXEMPT from the Rust-path rule. Parses arguments and prints; no computation.
"""The command line of the gate: results on standard output, logs on standard error."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path

from hpcgate.claims.model import Finding
from hpcgate.claims.output import FORMATS, github
from hpcgate.claims.support import Support, level_number, meanwhile, support
from hpcgate.errors import GateError
from hpcgate.repo import find_root

__all__ = ["main"]

_VARIABLE = "HPC_EVIDENCE_LEVEL"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the gate and return the exit status: 0 clean, 1 findings, 2 an error.

    Examples
    --------
    >>> main(["--path", "LICENSE", "--assume-evidence", "H0"])
    0
    """
    options = _parser().parse_args(argv)
    try:
        root = find_root(Path(options.root) if options.root else None)
        findings = _findings(root, options)
    except GateError as error:
        print(f"claims: {error}", file=sys.stderr)
        return 2
    sys.stdout.write(FORMATS[options.format](findings))
    if options.format == "text" and os.environ.get("GITHUB_ACTIONS") == "true":
        sys.stdout.write(github(findings))
    count = len(findings)
    print(f"claims: {count} finding{'' if count == 1 else 's'}", file=sys.stderr)
    return 1 if findings else 0


def _findings(root: Path, options: argparse.Namespace) -> list[Finding]:
    """Read the evidence beside this process while the gate itself is still being loaded."""
    level = _assumed(options.assume_evidence)
    with ExitStack() as stack:
        supported: Callable[[], Support] = partial(support, root, level)
        if level is None:
            # What both sides need is loaded before they part.
            import_module("hpcgate.facts")
            supported = stack.enter_context(meanwhile(supported))
        from hpcgate.claims.gate import check, in_scope
        from hpcgate.claims.memory import cache_folder

        changed = [Path.cwd() / path for path in options.files]
        paths = [Path.cwd() / path for path in options.path]
        paths += [path for path in changed if in_scope(root, path)]
        return check(
            root,
            paths if options.path or changed else None,
            strict=options.strict,
            supported=supported,
            memory=None if options.fresh else cache_folder(),
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="check_hpc_claims.py",
        description="Refuse sentences that claim more than the recorded evidence supports.",
    )
    parser.add_argument(
        "--strict", action="store_true", help="also refuse placeholders in what is bound upstream"
    )
    parser.add_argument(
        "--path",
        action="append",
        default=[],
        metavar="FILE",
        help="check this file only; may be repeated",
    )
    parser.add_argument(
        "--assume-evidence",
        metavar="LEVEL",
        help=f"H0 to H4 or none, instead of the ledger; wins over {_VARIABLE}",
    )
    parser.add_argument(
        "--format",
        choices=sorted(FORMATS),
        default="text",
        help="text adds annotations by itself inside GitHub Actions",
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="read every file, also those that are known to say nothing",
    )
    parser.add_argument("--root", metavar="FOLDER", help="the checkout; found from here by default")
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="changed files; those out of scope are left out"
    )
    return parser


def _assumed(flag: str | None) -> int | None:
    """Return the level to assume: the flag, else the variable, else none."""
    if flag is not None:
        return level_number(flag, "--assume-evidence")
    value = os.environ.get(_VARIABLE)
    return level_number(value, _VARIABLE) if value else None
