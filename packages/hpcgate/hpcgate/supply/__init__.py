# Language policy: EXEMPT from the Rust-path rule. Names the package; no computation.
"""Supply chain: what a release consists of, what it was built from, and what is known against it.

`crates` and `parts` read facts and the lock, which is all that a packet needs. `sbom`,
`environment` and `provenance` write documents; `advisories` and `audits` run the tools of others.
"""
