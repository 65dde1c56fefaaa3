# Language policy: EXEMPT from the Rust-path rule. Declares a type; no computation.
"""What a command in a room sees of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["View"]


@dataclass(frozen=True, slots=True)
class View:
    """What a command sees of the machine: its folders, its network, its variables."""

    binds: tuple[tuple[Path, str, bool], ...]  # host, guest, writable
    network: bool
    environment: Mapping[str, str]

    @property
    def names(self) -> tuple[tuple[Path, str, bool], ...]:
        """Return the files by which a machine with a network looks names up, as binds."""
        paths = (Path("/etc/resolv.conf"), Path("/etc/hosts"))
        wanted = paths if self.network else ()
        return tuple((path, str(path), False) for path in wanted if path.exists())
