"""The tutorial of `pymars.accel`: two functions of coupled oscillators, from floor to chain.

`python kuramoto.py` builds the Rust and the Mojo tier beside this file, each where its compiler is
there. README.md walks through it.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymars.accel import refresh, register

HERE = Path(__file__).parent
CHAINS = HERE / "chains.json"
STEPS = 200

Array = NDArray[np.float64]


# 1. The arguments, checked once for all tiers.


def angles(theta: Any) -> tuple[Array]:
    """Return angles as every tier takes them."""
    found = real("theta", theta)
    if found.ndim != 1 or not len(found):
        raise ValueError(f"theta has shape {found.shape}; pass one angle or more, in one row")
    if not np.isfinite(found).all():
        raise ValueError("an angle is missing or infinite; leave it out")
    return (found,)


def real(name: str, values: Any) -> Array:
    """Return real numbers as float64 in row order, and refuse others."""
    given = np.asarray(values)
    if given.dtype.kind not in "biuf":
        raise ValueError(f"{name} is of type {given.dtype}; pass real numbers")
    return np.ascontiguousarray(given, dtype=np.float64)


def network(
    theta: Any, omega: Any, coupling: Any, dt: float, steps: int
) -> tuple[Array, Array, Array, float, int]:
    """Return the state and the couplings of a network as every tier takes them."""
    (phases,) = angles(theta)
    frequencies, weights = real("omega", omega), real("coupling", coupling)
    n = len(phases)
    if frequencies.shape != (n,) or weights.shape != (n, n):
        raise ValueError(f"omega and coupling must have shapes ({n},) and ({n}, {n})")
    if not (np.isfinite(frequencies).all() and np.isfinite(weights).all() and np.isfinite(dt)):
        raise ValueError("a frequency, a coupling or dt is missing or infinite")
    if steps < 0:
        raise ValueError(f"steps is {steps}; pass 0 or more")
    return phases, frequencies, weights, float(dt), int(steps)


# 2. The floors: what the functions mean, in NumPy.


@register("order_parameter", size=len, prepare=angles, chains_file=CHAINS)
def order_parameter(theta: Array) -> float:
    """Return how far oscillators agree, from 0 to 1: |mean of exp(i theta)|.

    Examples
    --------
    >>> order_parameter([0.5, 0.5])
    1.0
    """
    return float(abs(np.exp(1j * theta).mean()))


@register("kuramoto_euler", size=lambda theta, *_: len(theta), prepare=network, chains_file=CHAINS)
def kuramoto_euler(theta: Array, omega: Array, coupling: Array, dt: float, steps: int) -> Array:
    """Move oscillators by Euler steps of the Kuramoto model (Kuramoto 1975).

    d theta_i / dt = omega_i + sum_j K_ij sin(theta_j - theta_i)

    Examples
    --------
    >>> kuramoto_euler([0.0, 1.0], [1.0, 1.0], np.zeros((2, 2)), 0.1, 10).round(9).tolist()
    [1.0, 2.0]
    """
    for _ in range(steps):
        pull = (coupling * np.sin(theta[None, :] - theta[:, None])).sum(axis=1)
        theta = theta + dt * (omega + pull)
    return theta.copy()


# 3. The tiers: thin, the work is in the kernels.


def probe(tier: str) -> Callable[[], str]:
    """Return what says why a tier cannot run: it looks for a file, and loads nothing."""
    return lambda: "" if library(tier).exists() else "is not built; run python kuramoto.py"


def library(tier: str) -> Path:
    """Return where the library of a tier lies, named after its source."""
    source = HERE / f"kernels.{'rs' if tier == 'rust' else tier}"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    return Path(os.environ.get("MARS_EARTH_CACHE") or HERE / "build") / f"{tier}-{digest}.so"


@functools.lru_cache(maxsize=4)
def load(tier: str) -> ctypes.CDLL:
    """Load the library of a tier, at its first call."""
    try:
        loaded = ctypes.CDLL(os.fspath(library(tier)))
    except OSError as error:
        raise ImportError(f"the {tier} tier cannot be loaded: {error}") from None
    loaded.order_parameter.restype = ctypes.c_double
    loaded.kuramoto_euler.restype = None
    return loaded


def address(array: Array) -> ctypes.c_void_p:
    """Return where an array lies."""
    return ctypes.c_void_p(array.ctypes.data)


def order_parameter_of(tier: str) -> Callable[[Array], float]:
    """Return a tier of `order_parameter`."""

    def call(theta: Array) -> float:
        return float(load(tier).order_parameter(address(theta), ctypes.c_size_t(len(theta))))

    return call


def kuramoto_euler_of(tier: str) -> Callable[..., Array]:
    """Return a tier of `kuramoto_euler`; it works on a copy, as inputs stay as they are."""

    def call(theta: Array, omega: Array, coupling: Array, dt: float, steps: int) -> Array:
        n, moved = len(theta), theta.copy()
        work = np.empty(2 * n)
        load(tier).kuramoto_euler(
            address(moved), address(omega), address(coupling), ctypes.c_size_t(n),
            ctypes.c_double(dt), ctypes.c_size_t(steps), address(work),
        )  # fmt: skip
        return moved

    return call


# Julia runs inside this process, and no call starts it by surprise.
_julia: tuple[Any, int] | None = None


def warm_julia() -> None:
    """Start Julia and load the kernels, through juliacall."""
    global _julia
    from juliacall import Main  # boots Julia

    Main.include((HERE / "kernels.jl").as_posix())
    _julia = (Main.Kuramoto, threading.get_ident())
    refresh()


def probe_julia() -> str:
    """Say why the Julia tier cannot run."""
    return "" if _julia else "is not started; call kuramoto.warm_julia()"


def julia() -> Any:
    """Return the kernels, to the caller that Julia belongs to."""
    if _julia is None:
        raise ImportError(f"the julia tier {probe_julia()}")
    if threading.get_ident() != _julia[1]:
        raise RuntimeError("Julia runs on the thread that called warm_julia() alone")
    return _julia[0]


@order_parameter.tier("julia", probe=probe_julia)
def order_parameter_in_julia(theta: Array) -> float:
    """Return how far oscillators agree, as Julia finds it."""
    return float(julia().order_parameter(theta))


@kuramoto_euler.tier("julia", probe=probe_julia)
def kuramoto_euler_in_julia(
    theta: Array, omega: Array, coupling: Array, dt: float, steps: int
) -> Array:
    """Move oscillators in Julia, and copy what it returns."""
    return np.array(julia().kuramoto_euler(theta, omega, coupling, dt, steps), dtype=np.float64)


for name in ("rust", "mojo"):
    order_parameter.tier(name, probe=probe(name))(order_parameter_of(name))
    kuramoto_euler.tier(name, probe=probe(name))(kuramoto_euler_of(name))


# 4. Arguments of any size, for tests and for `nox -s bench-tiers`.


def make(function: str, size: int, seed: int = 0) -> tuple[Any, ...]:
    """Return the arguments of a function, of a size along its axis."""
    rng = np.random.default_rng(seed)
    theta = rng.uniform(-np.pi, np.pi, size)
    if function == "order_parameter":
        return (theta,)
    return theta, rng.normal(size=size), rng.uniform(0.0, 1.0, (size, size)) / size, 0.01, STEPS


def build() -> None:
    """Compile each tier whose compiler is there, and say so."""
    for tier, command in (
        ("rust", ["rustc", "--edition=2024", "--crate-type=cdylib", "-Copt-level=3"]),
        ("mojo", ["mojo", "build", "--emit", "shared-lib"]),
    ):
        target = library(tier)
        target.parent.mkdir(parents=True, exist_ok=True)
        compiler = shutil.which(command[0])
        if compiler is None:
            print(f"{tier}: no {command[0]} here")
            continue
        options = ["-Ctarget-cpu=native"] if tier == "rust" else []
        source = HERE / f"kernels.{'rs' if tier == 'rust' else tier}"
        subprocess.run([compiler, *command[1:], *options, source, "-o", target], check=True)
        print(f"{tier}: {target}")


def demonstrate() -> float:
    """Let 50 oscillators run, and return how far they agree then: what calls both functions."""
    theta, omega, coupling, dt, _ = make("kuramoto_euler", 50)
    found: float = order_parameter(kuramoto_euler(theta, 0.1 * omega, 20.0 * coupling, dt, 1000))
    return found


if __name__ == "__main__":
    build()
    sys.exit(0)
