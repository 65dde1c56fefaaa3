# Language policy: EXEMPT from the Rust-path rule. Names the gate's entry points; no computation.
"""The claims gate: a sentence that implies a level must be covered by evidence.

Readers cut every document into units by structure, the judge finds which capabilities a unit claims
for this project, and the gate compares them with the level that the evidence supports.
"""

from hpcgate.claims.command import main
from hpcgate.claims.gate import check, scope
from hpcgate.claims.model import Finding

__all__ = ["Finding", "check", "main", "scope"]
