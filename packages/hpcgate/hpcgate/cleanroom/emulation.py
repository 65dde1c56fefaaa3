# Language policy: EXEMPT from the Rust-path rule. Looks for an emulator; no computation.
"""Other architectures: whether this machine runs their programs, and what makes it do so."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from hpcgate.cleanroom import foreign
from hpcgate.errors import GateError

__all__ = ["DEBIAN", "emulated", "is_foreign"]

# What Debian calls an architecture, and what Linux, Python and qemu call it.
DEBIAN = {"amd64": "x86_64", "arm64": "aarch64", "ppc64el": "ppc64le"}

_REGISTRY = Path("/proc/sys/fs/binfmt_misc")
_GET_EMULATOR = "apt-get install qemu-user-static"


def is_foreign(architecture: str) -> bool:
    """Say whether an architecture, by Debian's name, is another than this machine's.

    Examples
    --------
    >>> is_foreign("")
    False
    """
    return bool(architecture) and DEBIAN[architecture] != platform.machine()


def emulated(architecture: str) -> list[str]:
    """Return the words before a command line in which programs of an architecture run.

    None are needed for the machine's own, and where qemu is registered for the whole machine. Else
    root gets a namespace in which it is, and the machine stays as it is.

    Raises
    ------
    GateError
        If there is no emulator, or no way to register it.

    Examples
    --------
    >>> emulated("arm64")[-2:]  # doctest: +SKIP
    ['aarch64', '/usr/bin/qemu-aarch64-static']
    """
    if not is_foreign(architecture):
        return []
    machine = DEBIAN[architecture]
    if _registered(machine):
        return []
    emulator = shutil.which(f"qemu-{machine}-static")
    if emulator is None:
        raise GateError(f"qemu-{machine}-static is not installed", hint=_GET_EMULATOR)
    if os.geteuid() != 0:
        hint = f"{_GET_EMULATOR} binfmt-support"
        raise GateError(f"qemu-{machine} is not registered, and only root can do that", hint=hint)
    return [sys.executable, "-I", str(Path(foreign.__file__)), machine, emulator]


def _registered(machine: str) -> bool:
    """Say whether Linux starts an emulator for the machine in every root: flag F."""
    for rule in _REGISTRY.glob(f"*{machine}"):
        try:
            lines = rule.read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        flags = next((line for line in lines if line.startswith("flags:")), "")
        if lines[:1] == ["enabled"] and "F" in flags.removeprefix("flags:"):
            return True
    return False
