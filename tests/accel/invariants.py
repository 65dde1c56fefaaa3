"""What holds for each compute function, whatever the tier; `packaging/language.yaml` names them."""

import numpy as np


def one_column_per_term(arguments, found):
    model, X = arguments
    assert found.shape == (len(X), len(model.spec["terms"]))


def the_constant_is_one(arguments, found):
    assert (found[:, 0] == 1.0).all()


def hinges_are_not_negative(arguments, found):
    model, _ = arguments
    for term, column in zip(model.spec["terms"], found.T, strict=True):
        if term["kind"] == "hinge":
            assert (column >= 0.0).all()


def rows_do_not_meet(arguments, found):
    from pymars import accel

    model, X = arguments
    if len(X):
        np.testing.assert_allclose(accel.predict(model, X[-1:]), found[-1:], 1e-10, 1e-10)


def the_sum_of_weighted_terms(arguments, found):
    from pymars import accel

    model, X = arguments
    weights = np.array([term["coefficients"][0] for term in model.spec["terms"]])
    np.testing.assert_allclose(accel.design_matrix(model, X) @ weights, found, 1e-9, 1e-9)


def rss_falls_with_terms(arguments, found):
    assert (np.diff(found[:, 0]) <= 1e-12 * found[0, 0]).all()


def each_term_goes_once(arguments, found):
    terms = len(arguments[0])
    assert sorted(found[:, 2]) == [-1.0, *range(1, terms)]


def the_whole_model_keeps_its_rss(arguments, found):
    assert found[-1, 0] == arguments[2]


def gains_are_not_negative(arguments, found):
    assert (found >= 0.0).all()


def no_gain_beyond_the_residual(arguments, found):
    residual = np.asarray(arguments[3])
    assert (found <= (residual**2).sum() * (1.0 + 1e-6) + 1e-12).all()


def a_bend_is_found(arguments, found):
    """The best knot explains at least what the inputs' own bend at 0.3 leaves to its neighbours."""
    if len(found) > 200:
        assert abs(arguments[4][found.argmax()] - 0.3) < 0.5


def lies_between_0_and_1(arguments, found):
    assert -1e-12 <= found <= 1.0 + 1e-12


def turning_all_angles_changes_nothing(arguments, found):
    from pymars import accel

    assert abs(accel.get("order_parameter")(arguments[0] + 0.7) - found) < 1e-10


def no_step_changes_nothing_else(arguments, found):
    from pymars import accel

    theta, omega, coupling, dt, _ = arguments
    still = accel.get("kuramoto_euler")(theta, omega, coupling, dt, 0)
    np.testing.assert_array_equal(still, theta)
    assert found.shape == theta.shape


def the_mean_moves_with_the_mean_frequency(arguments, found):
    """Where the couplings are symmetric, the pulls cancel."""
    from pymars import accel

    theta, omega, coupling, dt, steps = arguments
    symmetric = (coupling + coupling.T) / 2
    moved = accel.get("kuramoto_euler")(theta, omega, symmetric, dt, steps)
    wanted = theta.mean() + steps * dt * omega.mean()
    np.testing.assert_allclose(moved.mean(), wanted, 1e-9, 1e-9)
