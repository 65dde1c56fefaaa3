# Language policy: EXEMPT from the Rust-path rule. Reads facts; no computation.
"""The systems of `packaging/containers.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator
from typing_extensions import Self

from hpcgate.facts import FactModel, load_model

__all__ = ["Facts", "ForeignImage", "load_facts"]


class ForeignImage(FactModel):
    """An image of others, pinned by digest; without a digest it is not pulled."""

    image: Annotated[str, Field(pattern=r"^[a-z0-9./-]+:[A-Za-z0-9._-]+$")]
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None
    known: str = ""
    reason: str = ""
    setup: Annotated[str, Field(min_length=1)]
    python: Annotated[str, Field(pattern=r"^python3[0-9.]*$")]

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if self.digest and not self.known:
            raise ValueError("known: say where the digest comes from")
        if not self.digest and not self.reason:
            raise ValueError("reason: say why there is no digest")
        return self

    @property
    def address(self) -> str:
        """Return what an engine pulls."""
        return f"{self.image.partition(':')[0]}@{self.digest}"


class Facts(FactModel):
    """All systems on which the wheel is tried."""

    recipes: Annotated[tuple[str, ...], Field(min_length=1)]
    images: dict[str, ForeignImage]


def load_facts(root: Path) -> Facts:
    """Read the systems of a checkout.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> load_facts(find_root(Path(__file__))).recipes
    ('debian-bookworm', 'debian-trixie')
    """
    return load_model(Facts, root, "packaging/containers.yaml")
