# Language policy: EXEMPT from the Rust-path rule. Names an estimator; no computation.
"""Estimators under the names that scikit-learn users look for."""

from pymars.earth import Earth

__all__ = ["EarthRegressor"]


class EarthRegressor(Earth):
    """:class:`pymars.Earth` under scikit-learn's naming, for pipelines and searches.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> x = np.arange(40.0).reshape(-1, 1)
    >>> model = make_pipeline(StandardScaler(), EarthRegressor()).fit(x, np.abs(x[:, 0] - 20))
    >>> bool(model.score(x, np.abs(x[:, 0] - 20)) > 0.99)
    True
    """
