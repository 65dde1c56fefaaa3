# Language policy: EXEMPT from the Rust-path rule. Names the package; no computation.
"""The C library: stage it into a prefix, and hold its interface against the last release."""
