# Language policy: EXEMPT from the Rust-path rule. Copies archives; no computation.
"""The sources of an easyconfig, as an air-gapped site has them: one flat folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hpcgate.cleanroom.process import quiet, run_group
from hpcgate.errors import GateError
from hpcgate.lanes.easybuild_lint import EasyConfig
from hpcgate.repo import sha256_file

__all__ = ["fill_sources"]


def fill_sources(config: EasyConfig, sdist: Path, workspace: Path, folder: Path) -> list[str]:
    """Put every source of an easyconfig into one folder, as an air-gapped site would.

    Parameters
    ----------
    config : EasyConfig
        Names the sources and their digests.
    sdist : Path
        The source archive.
    workspace : Path
        Folder of the `Cargo.lock` whose crates cargo's cache holds after a fetch.
    folder : Path
        Is emptied, then filled; EasyBuild finds crates only when they lie flat.

    Returns
    -------
    list of str
        What is missing, or has another digest than the easyconfig names.

    Raises
    ------
    GateError
        If cargo is missing or cannot fetch.
    """
    fetch = ["cargo", "fetch", "--locked", "--manifest-path", str(workspace / "Cargo.toml")]
    fetched = run_group(fetch, environment=os.environ, timeout=300.0)
    if not fetched.ok:
        raise GateError(f"cargo cannot fetch the crates: {fetched.why}", hint="see nox -s doctor")
    cache = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "registry" / "cache"
    quiet(["rm", "-rf", str(folder)])
    folder.mkdir(parents=True)
    problems = []
    for name, digest in (pair for entry in config.values["checksums"] for pair in entry.items()):
        crate = name.removesuffix(".tar.gz") + ".crate"
        found = [sdist] if name == sdist.name else sorted(cache.glob(f"*/{crate}"))
        digests = {sha256_file(path): path for path in found}
        if digest in digests:
            shutil.copyfile(digests[digest], folder / name)
        elif digests:
            problems.append(f"{name}: sha256 {next(iter(digests))}, the easyconfig names {digest}")
        else:
            problems.append(
                f"{name}: not in cargo's cache, the easyconfig names another Cargo.lock"
            )
    return [f"{problem}; run: nox -s gen" for problem in problems]
