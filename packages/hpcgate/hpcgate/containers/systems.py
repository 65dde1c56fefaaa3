# Language policy: EXEMPT from the Rust-path rule. Drives rooms and images; no computation.
"""The wheel on other systems: roots made here, and images of others pulled by digest."""

from __future__ import annotations

import os
from pathlib import Path

from hpcgate import smoke_wheel
from hpcgate.cleanroom import EngineName, open_image
from hpcgate.cleanroom.containers import Container, launchers
from hpcgate.cleanroom.images import build_image
from hpcgate.cleanroom.process import run_group
from hpcgate.containers.facts import Facts, ForeignImage
from hpcgate.errors import GateError
from hpcgate.smoke import Smoke, read_report
from hpcgate.wheels.checks import refuse_foreign
from hpcgate.wheels.project import SMOKE_SCRIPT

__all__ = ["try_images", "try_recipes"]

RECIPE = Path("containers/foreign/Containerfile")
_PULL_SECONDS = 900.0


def try_recipes(smoke: Smoke, root: Path, wheel: Path, facts: Facts, engine: EngineName) -> None:
    """Install and use the wheel in a clean room of every recipe.

    Examples
    --------
    >>> try_recipes(Smoke(), root, wheel, load_facts(root), "auto")  # doctest: +SKIP
    """
    for name in facts.recipes:
        one = Smoke()
        smoke_wheel.examine(one, root, wheel, engine, image=name)
        smoke.log += one.log
        smoke.tools |= {"engine": one.tools["engine"], name: one.tools["image"]}
        for key in ("install_seconds", "first_prediction_seconds"):
            if key in one.measurements:
                smoke.measurements[f"{name}_{key}"] = one.measurements[key]
        good = one.outcome == "pass"
        smoke.add(f"works-on-{name}", good, one.reason or f"{len(one.tests)} tests")


def try_images(smoke: Smoke, root: Path, wheel: Path, facts: Facts) -> None:
    """Install and use the wheel in every image of others that has a digest and can be pulled.

    Raises
    ------
    GateError
        If none of them can be pulled here, with the reason of each.

    Examples
    --------
    >>> try_images(Smoke(), root, wheel, load_facts(root))  # doctest: +SKIP
    """
    refuse_foreign(wheel)
    reasons = []
    for name, image in facts.images.items():
        try:
            engine = _pulled(image)
        except GateError as error:
            reasons.append(f"{name}: {error.message}")
            continue
        key = name.replace(".", "-")
        smoke.tools[name] = image.address
        smoke.add(f"works-on-{key}", *_use(smoke, root, wheel, engine, name, image))
    if not smoke.tests:
        raise GateError("; ".join(reasons))
    smoke.log += [f"== not tried: {reason}" for reason in reasons]
    if reasons:
        smoke.tools["not tried"] = "; ".join(reasons)


def _pulled(image: ForeignImage) -> Container:
    if image.digest is None:
        raise GateError(f"no digest: {image.reason}")
    refusals = []
    for launcher in launchers():
        line = launcher.around([launcher.program, "pull", "--quiet", image.address])
        done = run_group(line, environment=dict(os.environ), timeout=_PULL_SECONDS)
        if done.ok:
            return Container(launcher, image.address)
        refusals.append(f"{launcher.program} cannot pull: {done.why}")
    # Podman is asked twice where its plain form may not work.
    distinct = ", ".join(dict.fromkeys(refusals))
    raise GateError(distinct or "neither podman nor docker is installed")


def _use(
    smoke: Smoke, root: Path, wheel: Path, base: Container, name: str, image: ForeignImage
) -> tuple[bool, str]:
    """Give the image a Python and the wheel, then use that without a network."""
    built = build_image(
        base,
        root / RECIPE,
        "mars-earth-system",
        log=root / "build" / "logs" / f"image-{name}.log",
        context={wheel: wheel.name},
        arguments={"SETUP": image.setup, "PYTHON": image.python},
    )
    guests = {root / SMOKE_SCRIPT: "/mnt/smoke.py"}
    with open_image(Container(base.launcher, built), root, mounts=guests) as room:
        done = room.run(["/opt/mars-earth/bin/python", "-I", "/mnt/smoke.py"])
    smoke.log += [f"== {name}: exit {done.returncode}", done.stdout, done.stderr]
    report = read_report(done.stdout)
    good = done.ok and report is not None and report.agrees(done)
    return good, f"{len(report.tests)} tests" if report else done.why
