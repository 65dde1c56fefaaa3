# Language policy: EXEMPT from the Rust-path rule. Prepares a namespace; no computation.
"""Start a program where qemu runs programs of another architecture, and nothing else changes.

Run as a file, `foreign.py aarch64 /usr/bin/qemu-aarch64-static COMMAND...`, with the standard
library alone. Since Linux 6.7 a user namespace has a `binfmt_misc` of its own, so the machine's is
left as it is, and what is registered goes with the last process.
"""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["MACHINES", "main"]

# By the name that Linux and qemu use: `e_machine` of the executable's header, little-endian.
MACHINES = {"aarch64": 183, "ppc64le": 21, "x86_64": 62}

# Without a name qemu emulates all it can, and pointer authentication takes most of its time.
_PROCESSOR = {"aarch64": "cortex-a72"}
_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000
_REFUSED = 125
_REGISTRY = "/proc/sys/fs/binfmt_misc"


def main(arguments: list[str]) -> int:
    """Enter a private namespace, register qemu, and become the command."""
    machine, emulator, *command = arguments
    try:
        _enter()
        with open(f"{_REGISTRY}/register", "wb", buffering=0) as register:
            register.write(_rule(machine, emulator))
        if machine in _PROCESSOR:
            os.environ.setdefault("QEMU_CPU", _PROCESSOR[machine])
        os.execvp(command[0], command)
    except OSError as error:
        print(f"no programs of {machine} here: {error}", file=sys.stderr)
        return _REFUSED


def _enter() -> None:
    """Open a user namespace in which everybody has the number that he has outside."""
    inside, outside = os.pipe()
    process = os.getpid()
    helper = os.fork()
    if helper == 0:
        # Only a process that stayed outside may write the whole map.
        os.close(outside)
        os.read(inside, 1)
        try:
            for kind in ("uid", "gid"):
                with open(f"/proc/{process}/{kind}_map", "w") as file:
                    file.write("0 0 4294967295\n")
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    os.close(inside)
    linux = ctypes.CDLL(None, use_errno=True)
    failed = linux.unshare(_NEW_MOUNTS | _NEW_USERS)
    number = ctypes.get_errno()
    os.close(outside)
    mapped = os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1])
    if failed or mapped:
        raise OSError(number or mapped, f"user namespace: {os.strerror(number or mapped)}")
    if linux.mount(b"none", _REGISTRY.encode(), b"binfmt_misc", 0, None):
        raise OSError(ctypes.get_errno(), f"binfmt_misc: {os.strerror(ctypes.get_errno())}")


def _rule(machine: str, emulator: str) -> bytes:
    """Return the line that has Linux start the emulator for 64-bit executables of the machine.

    Flag F opens the emulator now, so that it need not lie in a root; see `binfmt-misc.rst` of
    Linux. The byte that names the system may differ, and a program may be position-independent.
    """
    number = rb"\x%02x\x00" % MACHINES[machine]
    magic = rb"\x7fELF\x02\x01\x01\x00" + rb"\x00" * 8 + rb"\x02\x00" + number
    mask = rb"\xff" * 7 + rb"\x00" + rb"\xff" * 8 + rb"\xfe\xff" + rb"\xff\xff"
    return b":mars-earth-%s:M::%s:%s:%s:OCF" % (
        machine.encode(),
        magic,
        mask,
        emulator.encode(),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
