# Language policy: EXEMPT from the Rust-path rule. Lays out broken input; no computation.
"""Bad input for EasyBuild: each has to end in one clear line and leave the site as it was."""

from __future__ import annotations

import gzip
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from hpcgate.lanes.easybuild_lint import EasyConfig
from hpcgate.repo import sha256_bytes, sha256_file, write_text

__all__ = ["FOLDER", "BadInput", "bad_inputs", "lay_out", "state"]

# Where the room sees what `lay_out` wrote; it cannot write there.
FOLDER = "/mnt/bad"
# What EasyBuild writes for users. Its build folder and folders without a file are not of the site.
_SITE = ("ebfiles_repo", "modules", "software")


@dataclass(frozen=True, slots=True)
class BadInput:
    """One command that EasyBuild has to refuse, and what it has to say."""

    name: str
    commands: str
    says: str  # a regular expression
    root: bool = False  # only root is refused


def bad_inputs(eb: str, config: EasyConfig) -> tuple[BadInput, ...]:
    """Return every case, for the command that builds our easyconfig and the easyconfig itself."""
    crate, version = config.values["crates"][0]
    ours = eb.split()[1]
    missing, crates, python = (
        eb.replace(ours, f"{FOLDER}/{name}/{ours}")
        for name in ("missing-crate", "other-crate", "other-python")
    )
    return (
        BadInput(
            "missing-crate",
            f"{missing} --sourcepath=$SOURCES",
            f"no matching package named `{re.escape(crate)}` found",
        ),
        BadInput(
            "crate-other-than-in-the-lock",
            f"{crates} --sourcepath={FOLDER}/other-crate/sources",
            f"checksum for `{re.escape(f'{crate} v{version}')}` changed between lock files",
        ),
        BadInput(
            "crate-other-than-in-the-list",
            f"{eb} --sourcepath={FOLDER}/other-crate/sources",
            f"Checksum verification for .*{re.escape(f'{crate}-{version}')}.* failed",
        ),
        BadInput(
            "other-python",
            f"{python} --sourcepath=$SOURCES",
            r"Missing modules for dependencies .*Python/",
        ),
        BadInput(
            "read-only-sourcepath-that-lacks-a-crate",
            f"{eb} --sourcepath={FOLDER}/short",
            f"Failed to create directory .*{FOLDER}/short.*Read-only file system",
        ),
        BadInput(
            "root-without-permission",
            "unset EASYBUILD_ALLOW_USE_AS_ROOT_AND_ACCEPT_CONSEQUENCES\n"
            f"{eb} --sourcepath=$SOURCES",
            "running EasyBuild with root privileges",
            root=True,
        ),
    )


def lay_out(config: EasyConfig, sources: Path, folder: Path) -> None:
    """Write broken easyconfigs, broken sources and broken libraries into one empty folder."""
    crate, version = config.values["crates"][0]
    ours, archive = Path(config.file).name, f"{crate}-{version}.tar.gz"
    lines = config.text.splitlines(keepends=True)
    without = (line for line in lines if f"('{crate}'," not in line and f"'{archive}'" not in line)
    write_text(folder / "missing-crate" / ours, "".join(without))

    shutil.copytree(sources, folder / "short")
    (folder / "short" / archive).unlink()

    # The same crate, packed again: other bytes, which only the lock file can tell.
    shutil.copytree(sources, folder / "other-crate" / "sources")
    packed = folder / "other-crate" / "sources" / archive
    digest = sha256_file(packed)
    packed.write_bytes(again := gzip.compress(gzip.decompress(packed.read_bytes()), 1, mtime=0))
    text = config.text.replace(digest, sha256_bytes(again))
    write_text(folder / "other-crate" / ours, text)

    major, minor, _ = config.modules()["Python"].split(".")
    found, other = f"('Python', '{major}.{minor}", f"('Python', '{major}.{int(minor) - 1}"
    write_text(folder / "other-python" / ours, config.text.replace(found, other))

    for name in ("numpy", "pip", "pymars"):
        broken = f"raise ImportError('the {name} of the caller was imported')\n"
        write_text(folder / "library" / name / "__init__.py", broken)
    settings = '[build]\nrustc = "none-such"\n[source.crates-io]\nreplace-with = "none-such"\n'
    write_text(folder / "cargo" / "config.toml", settings)


def state(prefix: Path) -> dict[str, str]:
    """Return what users of a prefix see: every file with its digest."""
    return {
        path.relative_to(prefix).as_posix(): sha256_file(path)
        for room in _SITE
        for path in sorted((prefix / room).rglob("*"))
        if path.is_file()
    }
