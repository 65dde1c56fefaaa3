# Language policy: EXEMPT from the Rust-path rule. Copies and packs files; no computation.
"""The site bundle: one archive from which a site without network installs, and checks what it got.

It holds the sdist and the wheel, the recipes, the sources laid out as Spack and EasyBuild look for
them, the guides, and the records that the level rests on. The same files give the same bytes.
"""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from pathlib import Path

from hpcgate import facts
from hpcgate.errors import GateError
from hpcgate.lanes.base import render_template
from hpcgate.lanes.easybuild_lint import read_easyconfig
from hpcgate.lanes.easybuild_sources import fill_sources
from hpcgate.lanes.spack_site import store
from hpcgate.levels import assess
from hpcgate.repo import read_text, sha256_file, write_text

__all__ = ["SUMS", "make_bundle", "verify"]

SUMS = "SHA256SUMS"
PAGES = ("install-spack.md", "install-easybuild.md", "install-conda.md", "model_spec.md")
# The oldest time a zip archive can hold, as in the wheel.
EPOCH = 315532800


def make_bundle(root: Path, out: Path) -> Path:
    """Pack the bundle of this tree into `out`.

    Raises
    ------
    GateError
        If `dist/` does not hold the sdist of the recipes and a wheel, or a crate is missing.

    Examples
    --------
    >>> make_bundle(find_root(), Path("dist"))  # doctest: +SKIP
    PosixPath('dist/mars-earth-2.0.0-bundle.tar.gz')
    """
    known = facts.load(root)
    release = known.release
    name = f"{release.name}-{release.version}-bundle"
    stage = root / "build" / "site-bundle" / name
    shutil.rmtree(stage, ignore_errors=True)
    sdist = root / "dist" / release.sdist
    wheels = sorted((root / "dist").glob(f"*-{release.version}-*.whl"))
    if not sdist.is_file() or not wheels:
        raise GateError("dist/ holds no sdist or no wheel", hint="nox -s build")
    if sha256_file(sdist) != release.sha256:
        raise GateError(f"{sdist.name} is not the archive of the recipes", hint="nox -s gen")
    for path in (sdist, *wheels):
        _copy(path, stage / "dist" / path.name)
    for folder in ("spack", "easybuild", "conda-forge"):
        shutil.copytree(root / folder, stage / folder)
    _copy(root / "spack-repo-index.yaml", stage / "spack-repo-index.yaml")
    store(stage / "spack" / "mirror", sdist)
    for easyconfig in sorted((root / "easybuild").rglob("*.eb")):
        config = read_easyconfig(easyconfig.name, read_text(easyconfig))
        lock = root / "packages"
        sources = stage / "easybuild" / "sources" / "archives"
        if problems := fill_sources(config, sdist, lock, sources):
            raise GateError(problems[0])
    for page in PAGES:
        _copy(root / "docs" / page, stage / "docs" / page)
    _copy(root / "LICENSE", stage / "LICENSE")
    assessment = assess(root)
    for status in assessment.checks.values():
        if status.satisfied:
            _copy(root / status.path, stage / "evidence" / status.check / Path(status.path).name)
    readme = render_template(
        root, "packaging/site_bundle/README.md.j2", release=release, assessment=assessment
    )
    write_text(stage / "README.md", readme)
    sums = [f"{sha256_file(path)}  {path.relative_to(stage)}\n" for path in _files(stage)]
    write_text(stage / SUMS, "".join(sums))
    out.mkdir(parents=True, exist_ok=True)
    return _pack(stage, out / f"{name}.tar.gz")


def verify(bundle: Path) -> list[str]:
    """Hold every file of an unpacked bundle against its list, and return what is wrong.

    Raises
    ------
    GateError
        If the folder holds no list.

    Examples
    --------
    >>> verify(Path("mars-earth-2.0.0-bundle"))  # doctest: +SKIP
    []
    """
    lines = [line.partition("  ") for line in read_text(bundle / SUMS).splitlines()]
    listed = {name: digest for digest, _, name in lines}
    present = {path.relative_to(bundle).as_posix(): path for path in _files(bundle)}
    present.pop(SUMS, None)
    wrong = [f"{name}: not in {SUMS}" for name in sorted(present.keys() - listed.keys())]
    for name, digest in sorted(listed.items()):
        if name not in present:
            wrong.append(f"{name}: missing")
        elif sha256_file(present[name]) != digest:
            wrong.append(f"{name}: other bytes than {SUMS} says")
    return wrong


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _pack(stage: Path, target: Path) -> Path:
    """Write the archive whole or not at all; names, times and owners do not depend on the run."""
    part = target.with_name(f".{target.name}.part")
    try:
        with (
            part.open("wb") as raw,
            gzip.GzipFile("", "wb", mtime=EPOCH, fileobj=raw) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for path in _files(stage):
                member = tarfile.TarInfo(path.relative_to(stage.parent).as_posix())
                content = path.read_bytes()
                member.size, member.mtime, member.mode = len(content), EPOCH, 0o644
                archive.addfile(member, io.BytesIO(content))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target
