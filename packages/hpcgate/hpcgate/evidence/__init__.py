# Language policy: EXEMPT from the Rust-path rule. Names the public parts; no computation.
"""The ledger: record what a check showed, load it again, and say whether it can be trusted.

A record is one JSON file below `submissions/evidence/<check>/`. Its name carries the UTC time the
check finished and the SHA-256 of the file's own bytes, so that a changed byte shows without an
index. Records are unsigned: the name protects against accidents and careless edits, the history of
the repository against the rest.

Examples
--------
>>> from hpcgate import evidence
>>> from hpcgate.repo import find_root
>>> for record in evidence.load(find_root()):  # doctest: +SKIP
...     print(record.id, record.outcome, record.state)
"""

from hpcgate.evidence.contract import Check, Contract, HostClass, Requirement, contract, host_class
from hpcgate.evidence.history import Change, History
from hpcgate.evidence.junit import read_junit
from hpcgate.evidence.ledger import LEDGER, Finding, Ledger, Record, load, record, scan
from hpcgate.evidence.options import record_options
from hpcgate.evidence.statement import Outcome
from hpcgate.evidence.verdict import latest, summary, verify

__all__ = [
    "LEDGER",
    "Change",
    "Check",
    "Contract",
    "Finding",
    "History",
    "HostClass",
    "Ledger",
    "Outcome",
    "Record",
    "Requirement",
    "contract",
    "host_class",
    "latest",
    "load",
    "read_junit",
    "record",
    "record_options",
    "scan",
    "summary",
    "verify",
]
