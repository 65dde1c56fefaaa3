# Language policy: EXEMPT from the Rust-path rule. Calls podman or docker; no computation.
"""Images: built by podman or docker from a Containerfile over a root of ours."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hpcgate.cleanroom.containers import Container
from hpcgate.cleanroom.index import certificates, index_settings
from hpcgate.cleanroom.process import quiet, run_group
from hpcgate.errors import GateError
from hpcgate.repo import sha256_bytes, write_text

__all__ = ["build_image"]

_SECONDS = 600.0


def build_image(
    engine: Container,
    recipe: Path,
    name: str,
    *,
    log: Path,
    context: Mapping[Path, str] | None = None,
    arguments: Mapping[str, str] | None = None,
) -> str:
    """Build an image from a Containerfile, unless it exists, and return its name with its tag.

    The tag is the digest of the recipe, of the base and of what the context holds, so an image that
    exists is the right one.

    Parameters
    ----------
    engine : Container
        What builds; its image is the argument `BASE` of the recipe.
    recipe : Path
        A Containerfile. It may mount the secrets `ca`, a certificate bundle, and `pip`, the
        settings of the package index; neither becomes part of the image.
    name : str
        Name of the image.
    log : Path
        Where the output of the build goes.
    context : mapping of Path to str, optional
        Files that the recipe copies, and their names there.
    arguments : mapping of str to str, optional
        Arguments of the recipe beside `BASE`.

    Raises
    ------
    GateError
        If the build fails.

    Examples
    --------
    >>> build_image(engine, recipe, "mars-earth-wheel-builder", log=log)  # doctest: +SKIP
    'localhost/mars-earth-wheel-builder:0f3c…'
    """
    files, given = context or {}, {"BASE": engine.image, **(arguments or {})}
    parts = [recipe.read_bytes(), *(f"{key}={value}".encode() for key, value in given.items())]
    parts += [part for path, into in files.items() for part in (into.encode(), path.read_bytes())]
    digest = sha256_bytes("\n".join(sha256_bytes(part) for part in parts).encode())
    prefix = "localhost/" if engine.name == "podman" else ""
    image = f"{prefix}{name}:{digest[:16]}"
    if quiet(engine.launcher.around([engine.name, "image", "inspect", image])).returncode == 0:
        return image
    with tempfile.TemporaryDirectory() as folder:
        private, inside = Path(folder), Path(folder) / "context"
        inside.mkdir()
        for path, into in files.items():
            (inside / into).write_bytes(path.read_bytes())
        line = [engine.name, "build", f"--tag={image}"]
        line += [f"--build-arg={key}={value}" for key, value in given.items()]
        # A chroot needs no runtime, and so no cgroups; docker's builds have no such choice.
        line += ["--isolation=chroot", "--network=host"] if engine.name == "podman" else []
        line += [f"--file={recipe}", *_secrets(private), str(inside)]
        done = run_group(
            engine.launcher.around(line), environment=dict(os.environ), timeout=_SECONDS, grace=10.0
        )
    write_text(log, done.stdout + done.stderr)
    if not done.ok:
        errors = re.findall(r"(?:ERROR|[Ee]rror): (.*)", done.stderr + done.stdout)
        raise GateError(
            f"{recipe.parent.name}: the image cannot be built: {errors[0] if errors else done.why}",
            hint=f"see {log}",
        )
    return image


def _secrets(private: Path) -> list[str]:
    settings = index_settings()
    lines = ["[global]"]
    if index := settings.get("PIP_INDEX_URL"):
        lines.append(f"index-url = {index}")
    pip = private / "pip.conf"
    write_text(pip, "\n".join(lines) + "\n")
    pip.chmod(0o600)
    bundle = certificates()
    ca = [f"--secret=id=ca,src={bundle}"] if bundle else []
    return [*ca, f"--secret=id=pip,src={pip}"]
