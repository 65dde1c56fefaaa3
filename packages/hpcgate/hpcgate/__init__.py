# Language policy: EXEMPT from the Rust-path rule. Names the package; no computation.
"""Facts, recipes, evidence, levels, claims and packets of mars-earth."""
