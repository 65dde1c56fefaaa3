# Language policy: EXEMPT from the Rust-path rule. Names the gate's entry points; no computation.
"""The claims gate: a sentence that implies a level must be covered by evidence.

Readers cut every document into units by structure, the judge finds which capabilities a unit claims
for this project, and the gate compares them with the level that the evidence supports.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hpcgate.claims.command import main
from hpcgate.claims.model import Finding

if TYPE_CHECKING:
    from hpcgate.claims.gate import check

__all__ = ["Finding", "check", "main"]


def __getattr__(name: str) -> Any:
    """Load the gate when it is asked for; the command reads the evidence while it does so."""
    if name == "check":
        return import_module("hpcgate.claims.gate").check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
