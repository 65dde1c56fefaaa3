# Language policy: EXEMPT from the Rust-path rule. Drives parts and records them; no computation.
"""`nox -s containers`: build and try what this machine allows, and say what it does not."""

from __future__ import annotations

import argparse
import functools
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from rich.console import Console

from hpcgate.cleanroom import EngineName
from hpcgate.cleanroom.containers import Container
from hpcgate.containers import runtime, systems
from hpcgate.containers.facts import load_facts
from hpcgate.errors import GateError
from hpcgate.evidence import Outcome
from hpcgate.repo import find_root, write_text
from hpcgate.smoke import Smoke, conclude, exit_status
from hpcgate.wheels.checks import fits
from hpcgate.wheels.project import built_wheels

__all__ = ["PARTS", "main", "run"]

CHECK = "containers"
# The parts, which are checks of packaging/levels.yaml, and what each of them is.
PARTS = {
    "containers-recipes": "the wheel in roots made here",
    "containers-images": "the wheel in images of others, by digest",
    "runtime-image": "the image that runs models",
    "apptainer-image": "the same as one file for clusters",
    "compose": "the same as a service",
}


def run(
    root: Path,
    wheel: Path,
    parts: Sequence[str] = tuple(PARTS),
    engine: EngineName = "auto",
    *,
    recorded: bool = True,
) -> dict[str, Outcome]:
    """Try each part with a wheel, and record each by itself.

    Parameters
    ----------
    root, wheel : Path
        The checkout, and the wheel that the images hold.
    parts : sequence of str
        Names in `PARTS`.
    engine : {"auto", "podman", "docker", "apptainer", "bwrap", "chroot"}
        What runs the rooms over roots; images need podman or docker.
    recorded : bool
        False prints only.

    Returns
    -------
    dict of str to {"pass", "fail", "unavailable"}

    Examples
    --------
    >>> run(root, wheel)["runtime-image"]  # doctest: +SKIP
    'pass'
    """
    if wheel.suffix != ".whl" or not wheel.is_file():
        raise GateError(f"{wheel}: no such wheel", hint="build one with nox -s wheels")
    facts = load_facts(root)

    # Built once, and only for the parts that need it.
    @functools.cache
    def image() -> Container:
        return runtime.build(root, wheel)

    ways: dict[str, Callable[[Smoke], None]] = {
        "containers-recipes": lambda smoke: systems.try_recipes(smoke, root, wheel, facts, engine),
        "containers-images": lambda smoke: systems.try_images(smoke, root, wheel, facts),
        "runtime-image": lambda smoke: _runtime(smoke, root, image),
        "apptainer-image": lambda smoke: runtime.try_apptainer(smoke, root, image()),
        "compose": lambda smoke: runtime.try_compose(smoke, root, image()),
    }
    outcomes: dict[str, Outcome] = {}
    for name in parts:
        smoke, log = Smoke(), Path(f"build/logs/{name}.log")
        try:
            with Console(stderr=True).status(PARTS[name]):
                ways[name](smoke)
        except GateError as error:
            smoke.unavailable = str(error)
        write_text(root / log, "\n".join(smoke.log))
        outcomes[name] = conclude(
            smoke,
            root,
            [wheel],
            name,
            title=f"{name}: {PARTS[name]}",
            logs=f"log {log}",
            command=f"nox -s {CHECK} -- {name}",
            recorded=recorded,
        )
    return outcomes


def _runtime(smoke: Smoke, root: Path, image: Callable[[], Container]) -> None:
    began = time.monotonic()
    engine = image()
    smoke.measurements["image_seconds"] = round(time.monotonic() - began, 3)
    runtime.try_image(smoke, root, engine)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the session from the command line; a failure, or nothing that ran, is exit status 1."""
    parser = argparse.ArgumentParser(prog="nox -s containers --", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(PARTS)}")
    parser.add_argument("--wheel", type=Path, help="that of nox -s wheels by default")
    parser.add_argument("--engine", choices=get_args(EngineName), default="auto")
    parser.add_argument("--unrecorded", action="store_true", help="write no evidence")
    options = parser.parse_args(arguments)
    if unknown := [part for part in options.parts if part not in PARTS]:
        raise GateError(f"no part {', '.join(unknown)}", hint=f"there are: {', '.join(PARTS)}")
    root = find_root()
    wheel = options.wheel or _built(root)
    parts = options.parts or tuple(PARTS)
    outcomes = run(root, wheel.resolve(), parts, options.engine, recorded=not options.unrecorded)
    for name, outcome in outcomes.items():
        print(f"{outcome:<12} {name}")
    ran = [outcome for outcome in outcomes.values() if outcome != "unavailable"]
    return 0 if ran and all(outcome == "pass" for outcome in ran) else 1


def _built(root: Path) -> Path:
    """Return this machine's wheel of `nox -s wheels`, else the one in `dist/`."""
    for wheels in (built_wheels(root), sorted((root / "dist").glob("*.whl"))):
        own = [path for path in wheels if fits(path, platform.machine())]
        found = [path for path in own if "-abi3-" in path.name]
        if len(found) == 1:
            return found[0]
    raise GateError("no wheel is built yet, or several are", hint="nox -s wheels, or give --wheel")


if __name__ == "__main__":
    sys.exit(exit_status(CHECK, main))
