# Language policy: EXEMPT from the Rust-path rule. Prints what the tiers say; no computation.
"""List functions and tiers of this machine, and hold each tier against the floor.

`python -m pymars.accel` ends with status 1 where a tier disagrees.
"""

from __future__ import annotations

import sys

import numpy as np

from pymars import accel
from pymars.accel import inputs

SIZE, TOLERANCE = 30, 1e-8


def main() -> int:
    """Print a line per function and tier."""
    agree = True
    for name in ("design_matrix", "gcv_path", "knot_scan", "predict"):
        function, arguments = accel.get(name), inputs.make(name, SIZE)
        print(f"{name}: order {', '.join(function.chain(SIZE))} at size {SIZE}")
        with accel.using("python"):
            expected = function(*arguments)
        for tier, why in function.available().items():
            if why:
                print(f"  {tier}: {why}")
                continue
            with accel.using(tier):
                same = np.allclose(function(*arguments), expected, TOLERANCE, TOLERANCE)
            agree = agree and same
            print(f"  {tier}: {'agrees with the floor' if same else 'DISAGREES with the floor'}")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
