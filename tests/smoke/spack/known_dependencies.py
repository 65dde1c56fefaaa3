# Language policy: EXEMPT from the Rust-path rule. Asks Spack for its recipes; no computation.
"""Print, for each spec given, the packages that its recipe depends on at that version.

Run by `spack python`, so that Spack's own reading of `when=` decides.
"""

import json
import sys

import spack.repo
import spack.spec

found = {}
for text in sys.argv[1:]:
    spec = spack.spec.Spec(text)
    found[spec.name] = []
    if spack.repo.PATH.exists(spec.name):
        recipe = spack.repo.PATH.get_pkg_class(spec.name)
        conditions = [names for when, names in recipe.dependencies.items() if spec.satisfies(when)]
        found[spec.name] = sorted({name for names in conditions for name in names})
print(json.dumps(found))
