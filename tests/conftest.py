"""The one profile of Hypothesis; `tests/accel/test_profile.py` guards it."""

from importlib.util import find_spec

# The sessions of recipes and pages run tests that need none of it.
if find_spec("hypothesis"):
    from hypothesis import HealthCheck, settings

    # No deadline: a first call may build a pool or load a tier. too_slow: for the same reason.
    settings.register_profile(
        "mars-earth", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("mars-earth")
