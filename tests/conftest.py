"""The one profile of Hypothesis; `tests/accel/test_profile.py` guards it."""

from hypothesis import HealthCheck, settings

# No deadline: a first call may build a pool or load a tier. too_slow: for the same reason.
settings.register_profile(
    "mars-earth", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mars-earth")
