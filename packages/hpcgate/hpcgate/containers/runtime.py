# Language policy: EXEMPT from the Rust-path rule. Drives engines; no computation.
"""The image that runs models: built over roots of ours, used as it would be, in three forms."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from hpcgate.cleanroom import load_image, open_image
from hpcgate.cleanroom.containers import Container
from hpcgate.cleanroom.engines import container
from hpcgate.cleanroom.images import build_image
from hpcgate.cleanroom.process import Result, run_group
from hpcgate.cleanroom.roots import make_root
from hpcgate.errors import GateError
from hpcgate.smoke import Smoke
from hpcgate.wheels.checks import refuse_foreign
from hpcgate.wheels.project import SMOKE_SCRIPT

__all__ = ["LARGEST", "build", "try_apptainer", "try_compose", "try_image"]

FOLDER = Path("containers/runtime")
BASE, BUILDER = "debian-trixie-runtime", "debian-trixie"
# Bytes of the image, unpacked.
LARGEST = 350_000_000
_PYTHON = "/opt/mars-earth/bin/python"
_VERSION = ("mars-earth", "--version")


def build(root: Path, wheel: Path) -> Container:
    """Build the image from a wheel, unless it exists, and return an engine over it.

    Raises
    ------
    GateError
        If no engine or no root can be had, or the recipe fails.

    Examples
    --------
    >>> build(root, wheel).image  # doctest: +SKIP
    'localhost/mars-earth:3b2f6c0d9e8a7f41'
    """
    refuse_foreign(wheel)
    base, builder = (
        container(make_root(name, load_image(root, name), root)) for name in (BASE, BUILDER)
    )
    image = build_image(
        base,
        root / FOLDER / "Containerfile",
        "mars-earth",
        log=root / "build" / "logs" / "image-runtime.log",
        context={wheel: wheel.name},
        arguments={"BUILDER": builder.image},
    )
    return Container(base.launcher, image)


def try_image(smoke: Smoke, root: Path, engine: Container) -> None:
    """Use the image without a network and read-only, as its own user.

    Examples
    --------
    >>> try_image(Smoke(), root, build(root, wheel))  # doctest: +SKIP
    """
    began = time.monotonic()
    size = int(engine.inspect("{{.Size}}") or 0)
    smoke.measurements["image_bytes"] = size
    smoke.add("below-350-mb", 0 < size < LARGEST, f"{size} bytes")
    absent = load_image(root, BASE).absent
    guests = {root / SMOKE_SCRIPT: "/mnt/smoke.py"}
    with open_image(engine, root, absent=absent, mounts=guests) as room:
        smoke.tools |= {"engine": room.engine, "image": room.image}
        smoke.add("holds-no-compiler-and-no-installer", True, ", ".join(absent))
        user = room.run(["id", "-u"]).stdout.strip()
        smoke.add("user-is-not-root", user not in ("", "0"), f"user {user}")
        told = room.run(list(_VERSION))
        smoke.add("command-line-answers", told.ok, told.stdout.strip() or told.why)
        done = room.run([_PYTHON, "-I", "/mnt/smoke.py"])
    smoke.log += [f"== use: exit {done.returncode}", done.stdout, done.stderr]
    smoke.take_in("smoke-script-reports", done, silent=f"it printed no report: {done.why}")
    smoke.measurements["smoke_seconds"] = round(time.monotonic() - began, 3)


def try_apptainer(smoke: Smoke, root: Path, engine: Container) -> None:
    """Build the Apptainer image from the same image, with its test, and run it.

    Raises
    ------
    GateError
        If Apptainer is not installed.

    Examples
    --------
    >>> try_apptainer(Smoke(), root, build(root, wheel))  # doctest: +SKIP
    """
    if shutil.which("apptainer") is None:
        raise GateError("apptainer is not installed", hint="see https://apptainer.org/docs")
    with tempfile.TemporaryDirectory(dir=_builds(root)) as folder:
        private = Path(folder)
        archive, image = private / "mars-earth.tar", private / "mars-earth.sif"
        save = [engine.name, "save", "--format=docker-archive", f"--output={archive}", engine.image]
        if engine.name == "docker":
            save.remove("--format=docker-archive")
        _need(_ask(engine.launcher.around(save), private), "the image cannot be saved")
        # A sandbox's root lacks some of the capabilities that Apptainer would give.
        plain = ["--no-privs"] if os.geteuid() == 0 else []
        # Its test runs below, closed as a run is; while it builds, it could not be.
        line = ["apptainer", "build", "--notest", f"--build-arg=ARCHIVE={archive}", str(image)]
        done = _ask([*line, str(root / FOLDER / "mars-earth.def")], private)
        smoke.log += ["== apptainer build", done.stdout, done.stderr]
        smoke.add("builds", done.ok, "mars-earth.def" if done.ok else done.why)
        smoke.tools["apptainer"] = _ask(["apptainer", "--version"], private).stdout.strip()
        if not done.ok:
            return
        smoke.measurements["sif_bytes"] = image.stat().st_size
        closed = ["--containall", "--cleanenv", "--no-home", "--net", "--network=none", *plain]
        tested = _ask(["apptainer", "test", *closed, str(image)], private)
        smoke.log += ["== apptainer test", tested.stdout, tested.stderr]
        smoke.add("passes-its-test", tested.ok, "%test" if tested.ok else tested.why)
        ran = _ask(["apptainer", "run", *closed, str(image), "--version"], private)
        smoke.add("runscript-answers", ran.ok, ran.stdout.strip() or ran.why)
        bind = f"--bind={root / SMOKE_SCRIPT}:/mnt/smoke.py:ro"
        line = ["apptainer", "exec", *closed, bind, str(image), _PYTHON, "-I", "/mnt/smoke.py"]
        used = _ask(line, private)
        smoke.log += ["== apptainer exec", used.stdout, used.stderr]
        smoke.take_in("smoke-script-reports", used, silent=f"it printed no report: {used.why}")


def try_compose(smoke: Smoke, root: Path, engine: Container) -> None:
    """Run the service of the compose file: fit and replay rows of a folder.

    Raises
    ------
    GateError
        If no compose program for the engine is installed.

    Examples
    --------
    >>> try_compose(Smoke(), root, build(root, wheel))  # doctest: +SKIP
    """
    compose = [sys.executable, "-m", "podman_compose"]
    if engine.name == "docker":
        compose = ["docker", "compose"]
    with tempfile.TemporaryDirectory(dir=_builds(root)) as folder:
        private, rows = Path(folder), Path(folder) / "rows"
        told = _ask(engine.launcher.around([*compose, "version"]), private)
        if not told.ok:
            hint = "python3 -m pip install podman-compose"
            raise GateError(f"no compose program for {engine.name}: {told.why}", hint=hint)
        smoke.tools["compose"] = (told.stdout.strip().splitlines() or ["unknown"])[0]
        rows.mkdir()
        table = [f"{number / 50},{abs(number / 50 - 0.5)}" for number in range(50)]
        (rows / "train.csv").write_text("\n".join(["x,y", *table]) + "\n", encoding="utf-8")
        # The folder's owner: as root that is 0 outside, and without capabilities inside.
        settings = {
            "MARS_EARTH_IMAGE": engine.image,
            "MARS_EARTH_FOLDER": str(rows),
            "MARS_EARTH_USER": f"{os.getuid()}:{os.getgid()}",
        }
        service = [*compose, "--file", str(root / FOLDER / "compose.yaml"), "run", "--rm"]
        for name, words in {
            "service-fits": "fit train.csv --target y --output model.json",
            "service-replays": "predict model.json train.csv --output predicted.csv",
        }.items():
            line = [*service, "-T", "mars-earth", *words.split()]
            done = _ask(engine.launcher.around(line), private, settings)
            smoke.log += [f"== {name}", done.stdout, done.stderr]
            smoke.add(name, done.ok, words if done.ok else done.why)
        made = rows / "predicted.csv"
        lines = len(made.read_text(encoding="utf-8").splitlines()) if made.exists() else 0
        smoke.add("predictions-lie-in-the-folder", lines == len(table) + 1, f"{lines} lines")
        _ask(engine.launcher.around([*service[:-2], "down"]), private, settings)


def _builds(root: Path) -> Path:
    folder = root / "build" / "containers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _ask(line: Sequence[str], private: Path, settings: dict[str, str] | None = None) -> Result:
    """Run a program with its caches in a folder that goes again."""
    kept = {"APPTAINER_CACHEDIR": str(private), "APPTAINER_TMPDIR": str(private)}
    environment = {**os.environ, **kept, **(settings or {})}
    return run_group(line, environment=environment, folder=private, timeout=600.0, grace=10.0)


def _need(done: Result, what: str) -> None:
    if not done.ok:
        raise GateError(f"{what}: {done.why}")
