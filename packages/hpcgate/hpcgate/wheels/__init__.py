# Language policy: EXEMPT from the Rust-path rule. Names the public parts; no computation.
"""Wheels: built in the way that the machine allows, checked, and tried where nothing can build.

`nox -s wheels` calls `hpcgate.wheels.session`. On every platform cibuildwheel is the driver, with
the settings of `packages/pymars/pyproject.toml`; only where no container engine runs does maturin
link against an old glibc with zig instead. A record names the way.
"""

from hpcgate.wheels.ways import WAYS, BuildError, Built, Way, build

__all__ = ["WAYS", "BuildError", "Built", "Way", "build"]
