# Language policy: EXEMPT from the Rust-path rule. Names the package; no computation.
"""Tiers of the compute functions; today the Python floor, the reference for all others."""
