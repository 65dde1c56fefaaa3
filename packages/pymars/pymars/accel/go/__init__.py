# Language policy: EXEMPT from the Rust-path rule. Starts a program and talks to it; no computation.
"""The Go tier: a sidecar program that predicts with many models at once.

It stands beside Python, never inside, and in no chain: one call of one model is answered in this
process sooner than it is sent. It starts only when :class:`Sidecar` is entered, and ends with it.

Build it from `packages/go-sidecar` with `go build`, and name it with the variable
`MARS_EARTH_SIDECAR`, or put `mars-earth-sidecar` on the PATH.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymars import errors
from pymars.accel.dispatcher import TierError
from pymars.accel.go.frame import read_answer, write_request
from pymars.runtime import load_model
from pymars.tables import read_rows

__all__ = ["Sidecar", "binary", "probe"]

NAME = "mars-earth-sidecar"
VARIABLE, TOKEN = "MARS_EARTH_SIDECAR", "MARS_EARTH_SIDECAR_TOKEN"
_START, _STOP = 10.0, 15.0

Array = NDArray[np.float64]


def binary() -> str | None:
    """Return the path of the program; None where there is none."""
    return shutil.which(os.environ.get(VARIABLE) or NAME)


def probe() -> str:
    """Say why the tier cannot run; an empty string when it could."""
    if not hasattr(socket, "AF_UNIX"):
        return "needs Unix sockets"
    return "" if binary() else f"no {NAME} here; build packages/go-sidecar, name it in {VARIABLE}"


class Sidecar:
    """A running sidecar; use it in a `with` statement.

    Parameters
    ----------
    program : path, optional
        By default what :func:`binary` finds.
    timeout : float
        Longest wait for an answer, in seconds.
    arguments : sequence of str
        More arguments of the program, such as `-rows=1000`; `-help` lists them.
    running : path, optional
        Socket of a sidecar that runs already, such as that of the compose file. Nothing is started
        or ended then, and the token is that of the variable `MARS_EARTH_SIDECAR_TOKEN`.

    Raises
    ------
    TierError
        When it is entered, if the program is not there or does not become healthy.

    Examples
    --------
    >>> with Sidecar() as sidecar:  # doctest: +SKIP
    ...     first, second = sidecar.predict([model, other], X)
    """

    def __init__(
        self,
        program: str | os.PathLike[str] | None = None,
        *,
        timeout: float = 60.0,
        arguments: Sequence[str] = (),
        running: str | os.PathLike[str] | None = None,
    ) -> None:
        self._program = os.fspath(program) if program is not None else None
        self._timeout = timeout
        self._arguments = tuple(arguments)
        self._running = Path(running) if running is not None else None
        self._token = secrets.token_hex(32)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sidecar:
        if self._running is not None:
            self._token = os.environ.get(TOKEN, "")
            self._wait()
            return self
        program = self._program or binary()
        if program is None:
            raise TierError(f"the go tier cannot run: {probe()}")
        self._folder = tempfile.TemporaryDirectory(prefix="mars-earth-")
        command = [program, f"-socket={self._socket}", "-with-parent", *self._arguments]
        environment = {**os.environ, TOKEN: self._token}
        try:
            # Its standard input closes when this process ends, however that comes; so it ends, too.
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
            self._wait()
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise TierError(f"the go tier cannot run: {program}: {error.strerror}") from None
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def predict(self, models: Sequence[Any], X: Any) -> list[Array]:
        """Predict with each model on the same rows.

        Parameters
        ----------
        models : sequence of path, dict, JSON text, Model or fitted estimator
            All of the same features.
        X : array-like of shape (rows, features), or a table

        Returns
        -------
        list of ndarray
            For each model what :func:`pymars.predict` returns.

        Raises
        ------
        ShapeMismatchError, MissingValueError, InvalidValueError, InvalidArgumentError
            If the rows do not fit a model, or the models do not go together.
        TierError
            If the sidecar is gone, busy, or took too long.
        """
        loaded = [load_model(model) for model in models]
        if not loaded:
            return []
        if any(model.feature_names != loaded[0].feature_names for model in loaded):
            raise errors.InvalidArgumentError(
                "the models have different features; ask once for each set of features"
            )
        rows = read_rows(X, loaded[0].feature_names, loaded[0]._core.categories)
        body = write_request([model.to_json() for model in loaded], rows)
        status, answer = self._ask("POST", "/v1/predict", body)
        if status != 200:
            raise _refusal(status, answer)
        found = read_answer(answer)
        return [each[:, 0] if each.shape[1] == 1 else each for each in found]

    def health(self) -> dict[str, str]:
        """Return what the health check says: `status` and `version`."""
        status, answer = self._ask("GET", "/healthz", None)
        if status != 200:
            raise _refusal(status, answer)
        found: dict[str, str] = json.loads(answer)
        return found

    def close(self) -> None:
        """Ask the program to end once it has answered; end it where it does not."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            process.terminate()
            try:
                process.wait(_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()

    @property
    def _socket(self) -> Path:
        if self._running is not None:
            return self._running
        if self._folder is None:
            raise TierError("the sidecar is not started; use it in a `with` statement")
        return Path(self._folder.name) / "socket"

    def _wait(self) -> None:
        """Wait until the health check answers."""
        end = time.monotonic() + _START
        while time.monotonic() < end:
            if self._process is not None and self._process.poll() is not None:
                raise TierError(f"the sidecar ended with status {self._process.returncode}")
            if self._socket.exists():
                try:
                    self.health()
                    return
                except TierError:
                    pass
            time.sleep(0.01)
        raise TierError(f"the sidecar is not healthy after {_START:g} seconds")

    def _ask(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        connection = _Connection(self._socket, self._timeout)
        try:
            headers = {"Authorization": f"Bearer {self._token}"}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise TierError(f"the sidecar does not answer: {error!r}") from None
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("sidecar", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


def _refusal(status: int, answer: bytes) -> Exception:
    """Make the exception an answer stands for: of the catalogue, or that the tier cannot run."""
    try:
        said = json.loads(answer)
        kind, message = str(said["kind"]), str(said["error"])
    except (ValueError, KeyError, TypeError):
        kind, message = "", f"an answer of status {status} that says nothing"
    for known in errors.BY_CODE.values():
        if known.category == kind:
            return known(message)
    return TierError(f"the sidecar refuses: {message}")
