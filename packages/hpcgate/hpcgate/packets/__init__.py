# Language policy: EXEMPT from the Rust-path rule. Assembles and compares text files.
"""Packets: what is sent to a community, assembled from level and evidence.

A packet declares a level, never above the one the evidence supports; says what it does not claim;
quotes records by path and digest; and says what must happen before it can be filed. Its text holds
no time of its own making, so the same evidence always gives the same bytes.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hpcgate.errors import GateError
from hpcgate.evidence import contract
from hpcgate.facts import Facts, load, load_model
from hpcgate.lanes import LANES
from hpcgate.levels import Assessment, assess, level_name
from hpcgate.packets.base import Context, Settings, Target, placeholders
from hpcgate.packets.e4s import E4S
from hpcgate.packets.hpsf import HPSF
from hpcgate.packets.upstream import Upstream
from hpcgate.repo import write_text

__all__ = ["TARGETS", "Packet", "build"]

ROOM = Path("submissions")
_ALL: tuple[Target, ...] = (
    HPSF(),
    E4S(),
    *(Upstream(lane) for lane in LANES.values()),
)
TARGETS: dict[str, Target] = {target.name: target for target in _ALL}


@dataclass(frozen=True, slots=True)
class Packet:
    """One assembled packet.

    Attributes
    ----------
    path : str
        Its folder, relative to the checkout.
    changed : tuple of str
        Files that were rewritten, or that differ in a check.
    """

    target: str
    path: str
    declared_level: str
    supported_level: str
    fileable: bool
    blockers: tuple[str, ...]
    changed: tuple[str, ...]

    def summary(self) -> str:
        """Say in one line where the packet lies and whether it can be filed.

        Examples
        --------
        >>> Packet("HPSF", "submissions/hpsf", "H0", "H0", False, ("no sponsor",), ()).summary()
        'Packet submissions/hpsf declares H0; it cannot be filed: no sponsor'
        """
        ready = "it can be filed" if self.fileable else "it cannot be filed: "
        return f"Packet {self.path} declares {self.declared_level}; {ready}" + "; ".join(
            self.blockers
        )


def build(root: Path, *, check: bool = False, release: bool = False) -> list[Packet]:
    """Assemble every packet below `submissions/`, or with `check` compare only.

    With `release` only current evidence counts. A packet is replaced whole or not at all, and none
    is replaced before all of them hold.

    Raises
    ------
    GateError
        If a packet would declare more than the evidence supports, a form id or choice is unknown,
        a text is unfinished, or a text fails the claims gate.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> [packet.fileable for packet in build(find_root(), check=True)]  # doctest: +SKIP
    [False, False]
    """
    root = root.resolve()
    assessment, facts = assess(root, release=release), load(root)
    drafts = [_draft(root, target, facts, assessment) for target in TARGETS.values()]
    packets = []
    for packet, files in drafts:
        changed = _differences(root / packet.path, files)
        if changed and not check:
            _replace(root / packet.path, files)
        packets.append(
            Packet(
                packet.target,
                packet.path,
                packet.declared_level,
                packet.supported_level,
                packet.fileable,
                packet.blockers,
                tuple(changed),
            )
        )
    return packets


def _draft(
    root: Path, target: Target, facts: Facts, assessment: Assessment
) -> tuple[Packet, dict[str, str]]:
    """Render one packet, judge its text, and return it with its files."""
    where = f"packaging/{target.name}/packet.yaml"
    settings = load_model(target.settings, root, where)
    declared = _declared(settings, assessment, where)
    context = Context(root, target.name, facts, contract(root), assessment, declared)
    blockers = context.blockers + target.blockers(context, settings)
    files = target.render(context, settings, blockers)
    manifest = {
        "target": settings.target,
        "declared_level": level_name(declared),
        "supported_level": assessment.level_name,
        "items": context.items,
        "non_claims": context.non_claims,
        "fileable": not blockers,
        "blockers": blockers,
    }
    files["manifest.json"] = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    path = (ROOM / target.name).as_posix()
    for name, text in files.items():
        if unfinished := placeholders(text) if not name.endswith((".sh", ".py")) else []:
            raise GateError(f"{path}/{name}: unfinished text {unfinished[0]!r}")
    _judge(root, path, files, declared)
    packet = Packet(
        settings.target,
        path,
        level_name(declared),
        assessment.level_name,
        not blockers,
        tuple(blockers),
        (),
    )
    return packet, files


def _declared(settings: Settings, assessment: Assessment, where: str) -> int:
    if settings.declared_level == "supported":
        return assessment.level
    declared = -1 if settings.declared_level == "none" else int(settings.declared_level[1])
    if declared > assessment.level:
        raise GateError(
            f"{where}: declared_level {settings.declared_level} is above the supported level "
            f"{assessment.level_name}",
            hint="run: hpcgate level --explain",
        )
    return declared


def _judge(root: Path, path: str, files: dict[str, str], declared: int) -> None:
    """Hold the packet's text against the claims gate at the declared level."""
    from hpcgate import claims

    with tempfile.TemporaryDirectory() as folder:
        staged = []
        for name, text in files.items():
            if name.endswith((".md", ".yaml", ".py", ".sh")):
                write_text(Path(folder) / path / name, text)
                staged.append(Path(folder) / path / name)
        findings = claims.check(root, staged, strict=True, level=declared)
        if findings:
            first = str(findings[0]).replace(f"{folder}/", "")
            raise GateError(
                f"{path} fails the claims gate at level {level_name(declared)} "
                f"({len(findings)} findings): {first}",
                hint=f"edit packaging/{Path(path).name}/",
            )


def _differences(folder: Path, files: dict[str, str]) -> list[str]:
    """Return the files that are missing, differ, or should not be there."""
    present = {
        found.relative_to(folder).as_posix()
        for found in (folder.rglob("*") if folder.is_dir() else [])
        if found.is_file() or found.is_symlink()
    }
    differing = [
        name
        for name, text in files.items()
        if name not in present
        or (folder / name).is_symlink()
        or (folder / name).read_bytes() != text.encode()
        or os.access(folder / name, os.X_OK) != _executable(name)
    ]
    return sorted({*differing, *(present - files.keys())})


def _replace(folder: Path, files: dict[str, str]) -> None:
    """Put the new folder in the old one's place once it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        for name, text in files.items():
            write_text(new / "packet" / name, text)
            (new / "packet" / name).chmod(0o755 if _executable(name) else 0o644)
        if folder.exists():
            os.replace(folder, new / "before")
        try:
            os.replace(new / "packet", folder)
        except OSError:
            os.replace(new / "before", folder)
            raise
    finally:
        shutil.rmtree(new)


def _executable(name: str) -> bool:
    return name.endswith(".sh")
