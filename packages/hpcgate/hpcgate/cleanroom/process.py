# Language policy: EXEMPT from the Rust-path rule. Runs programs; no computation.
"""Programs: run to the end, to a limit of time, or to an interrupt, and then gone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hpcgate.errors import GateError

__all__ = ["Result", "last_line", "quiet", "run_group", "without_network"]

OUT_OF_TIME = 124


@dataclass(frozen=True, slots=True)
class Result:
    """Hold what one command did; 124 is the exit status of one that ran out of time."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Say whether the command succeeded."""
        return self.returncode == 0

    @property
    def why(self) -> str:
        """Return the last line a failed command said, or its exit status when it said nothing."""
        return last_line(self.stderr) or last_line(self.stdout) or f"exit {self.returncode}"


def run_group(
    line: Sequence[str],
    *,
    environment: Mapping[str, str],
    timeout: float,
    folder: Path | None = None,
    stop: Callable[[], None] | None = None,
    grace: float = 0.0,
) -> Result:
    """Run a program in its own process group; kill the group on a timeout or an interrupt.

    Parameters
    ----------
    line : sequence of str
        The program and its arguments.
    environment : mapping of str to str
        The whole environment of the program.
    timeout : float
        Seconds it may take.
    folder : Path, optional
        Where it starts; this process's own folder by default.
    stop : callable, optional
        Ends what the program started outside its process group.
    grace : float
        Seconds the program has to undo its mounts before it is killed.

    Examples
    --------
    >>> run_group(["/bin/sh", "-c", "exit 3"], environment={}, timeout=60).returncode
    3
    """
    began = time.monotonic()
    # An interrupt comes to the calling thread: never between a start and its name.
    with ThreadPoolExecutor(1) as starter:
        starting = starter.submit(
            subprocess.Popen[str],
            line,
            # Found on this machine's PATH; the program's own may be another.
            executable=shutil.which(line[0]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            cwd=folder,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            process = starting.result()
            stdout, stderr = process.communicate(timeout=timeout)
            status = process.returncode
        except OSError as error:
            raise GateError(f"{line[0]}: cannot be started: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            _kill(process, stop, grace)
            stdout, stderr = process.communicate()
            status = OUT_OF_TIME
            stderr += f"\nran out of time after {timeout:g} s\n"
        except BaseException:
            process = starting.result()
            _kill(process, stop, grace)
            process.wait()
            raise
    return Result(status, stdout, stderr, round(time.monotonic() - began, 3))


def _kill(process: subprocess.Popen[str], stop: Callable[[], None] | None, grace: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        if grace:
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=grace)
        os.killpg(process.pid, signal.SIGKILL)
    if stop:
        stop()


def quiet(line: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a helper program; one that is missing looks like one that failed.

    Examples
    --------
    >>> quiet(["no-such-program"]).returncode
    127
    """
    try:
        return subprocess.run(
            line, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
        )
    except OSError as error:
        return subprocess.CompletedProcess(line, 127, "", f"{line[0]}: {error.strerror}")


def without_network() -> tuple[str, ...]:
    """Return the words that cut the network of a program without a room; none where that fails.

    Examples
    --------
    >>> without_network()[:1]  # doctest: +SKIP
    ('unshare',)
    """
    cut = ("unshare", "--map-root-user", "--net", "--")
    return () if quiet([*cut, "true"]).returncode else cut


def last_line(text: str) -> str:
    r"""Return the last line that is not blank, or nothing.

    Examples
    --------
    >>> last_line("first\nlast\n\n")
    'last'
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
