# Language policy: EXEMPT from the Rust-path rule. Names the public parts; no computation.
"""Containers: systems on which the wheel is tried, and the image that runs models.

`nox -s containers` calls `hpcgate.containers.session`. Each part is recorded by itself, so that one
that this machine does not allow is `unavailable` with its reason and takes nothing from the others.
"""

from hpcgate.containers.facts import Facts, ForeignImage, load_facts

__all__ = ["Facts", "ForeignImage", "load_facts"]
