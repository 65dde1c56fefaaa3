# Language policy: EXEMPT from the Rust-path rule. The core fits the link; this reports how it went.
"""Fit a link on the terms of a model, and say how that went."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pymars import _core

__all__ = ["LinkFit", "fit_link"]


@dataclass(frozen=True, slots=True)
class LinkFit:
    """How the fit of a link went, for one response or for the classes of a multinomial.

    Attributes
    ----------
    deviance, null_deviance : float
        Of the model, and of the mean alone.
    iterations : int
        Scoring steps.
    outcome : {"converged", "separated", "not converged"}
    """

    deviance: float
    null_deviance: float
    iterations: int
    outcome: str

    @property
    def deviance_ratio(self) -> float:
        """Share of the null deviance that the model explains; 0 where there is none to explain.

        Examples
        --------
        >>> LinkFit(1.0, 4.0, 5, "converged").deviance_ratio
        0.75
        """
        return 1.0 - self.deviance / self.null_deviance if self.null_deviance > 0 else 0.0


def fit_link(
    core: _core.Model,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    family: str,
    link: str | None,
) -> tuple[_core.Model, tuple[LinkFit, ...]]:
    """Fit the coefficients anew for a family, and warn where they have no finite best value.

    Raises
    ------
    InvalidArgumentError
        If there is no such family, or it does not take the link.
    InvalidDataError
        If a response cannot be of the family.
    """
    fitted, went = _core.refit(core, x, y, weights, family, link)
    figures = tuple(LinkFit(*figure) for figure in went)
    names = ["its classes"] if family == "multinomial" else fitted.response_names
    for name, figure in zip(names, figures, strict=True):
        if figure.outcome != "converged":
            from sklearn.exceptions import ConvergenceWarning

            warnings.warn(_MESSAGES[figure.outcome].format(name=name), ConvergenceWarning, 4)
    return fitted, figures


_MESSAGES = {
    "separated": (
        "the terms tell {name} apart without error (separation), so some coefficients have no "
        "finite best value: predictions are usable, coefficients and odds say nothing; lower "
        "max_terms or nprune, or fit to more rows"
    ),
    "not converged": (
        "the fit of the link for {name} did not converge in 100 steps: the coefficients are those "
        "of the last; lower max_terms or nprune, or choose another link"
    ),
}
