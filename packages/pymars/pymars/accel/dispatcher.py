# Language policy: EXEMPT from the Rust-path rule. Calls one tier after the other; no computation.
"""Try the tiers of a compute function in measured order, and end at the Python floor.

Rules that hold for every dispatcher:

- The floor is there and is the last of every order.
- Only `ImportError` (with `ModuleNotFoundError`) and `RuntimeError` move on to the next tier. Any
  other error reaches the caller, with a note that names the tier.
- A call leaves nothing behind that a later call depends on. `last_dispatch` is there to be read.
- Whether a tier could run is asked of its probe once, before the first call and by :func:`refresh`.
  A probe looks at files and names; it imports nothing and starts nothing.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from pymars.accel import chains
from pymars.accel.chains import FLOOR, Band
from pymars.errors import EarthError, InvalidArgumentError

__all__ = [
    "Dispatch",
    "MultiLangDispatcher",
    "Skipped",
    "Tier",
    "TierError",
    "get",
    "names",
    "refresh",
    "register",
    "using",
]

FALLTHROUGH = (ImportError, RuntimeError)


class TierError(EarthError, RuntimeError):
    """A tier that was asked for by name, or may not be passed over, cannot run."""

    category = "tier"


class Tier(NamedTuple):
    """One language's implementation of a compute function.

    Attributes
    ----------
    name : str
        Language, as in the palette.
    call : callable
        Takes what the floor takes, and returns what the floor returns.
    probe : callable
        Says why the tier cannot run here; an empty string when it could.
    """

    name: str
    call: Callable[..., Any]
    probe: Callable[[], str]


class Skipped(NamedTuple):
    """A tier of the order that did not answer, and why."""

    tier: str
    why: str


class Dispatch(NamedTuple):
    """What one call did: who answered, for which size, and who was passed over."""

    function: str
    tier: str
    size: int
    band: str
    host_class: str
    skipped: tuple[Skipped, ...]
    forced: bool


class _Mode(NamedTuple):
    tier: str | None
    strict: bool


class _Plan(NamedTuple):
    """A band whose probes have been asked."""

    label: str
    host: str
    tiers: tuple[Tier, ...]
    skipped: tuple[Skipped, ...]


# Limit of the band, what is called first, and the plan of the band.
_Call = tuple[float, Callable[..., Any], _Plan]

_MODE: ContextVar[_Mode | None] = ContextVar("mars_earth_tier", default=None)
_REGISTRY: dict[str, MultiLangDispatcher] = {}


class MultiLangDispatcher:
    """A compute function that walks its tiers.

    Parameters
    ----------
    name : str
        Name in the policy, the records and the derived orders.
    tiers : sequence of Tier
        The last is the floor, named `python`; the order of the others says nothing.
    size : callable
        Size of a call from its positional arguments, along the axis of the policy.
    prepare : callable, optional
        Turns the arguments into those the tiers take, and refuses bad ones for all of them alike.
    bands : sequence of Band, optional
        Orders for sizes up to a limit; those of `chains.json` by default.
    chains_file : path, optional
        Another file of derived orders.

    Examples
    --------
    >>> twice = MultiLangDispatcher("twice", [Tier("python", lambda x: 2 * x, str)], size=int)
    >>> twice(4), twice.last_tier
    (8, 'python')
    """

    def __init__(
        self,
        name: str,
        tiers: Sequence[Tier],
        *,
        size: Callable[..., int],
        prepare: Callable[..., tuple[Any, ...]] | None = None,
        bands: Sequence[Band] | None = None,
        chains_file: Path = chains.FILE,
    ) -> None:
        if not tiers or tiers[-1].name != FLOOR:
            raise InvalidArgumentError(f"{name}: the last tier is not {FLOOR}; end with the floor")
        self.name = name
        self._floor = tiers[-1]
        self._tiers: dict[str, Tier] = {FLOOR: self._floor}
        self._size = size
        self._prepare = prepare
        self._bands = None if bands is None else _checked(name, bands)
        self._chains_file = chains_file
        self._calls: tuple[_Call, ...] = ()
        self._reasons: dict[str, str] = {}
        self._seen = threading.local()
        functools.update_wrapper(self, self._floor.call)
        for tier in tiers[:-1]:
            self.add(tier)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call the first tier of the order for this size that can answer."""
        if self._prepare is not None:
            args, options = self._prepare(*args, **options), {}
        size = self._size(*args)
        for limit, call, plan in self._calls or self._resolve():  # noqa: B007
            if size <= limit:
                break
        mode = _MODE.get()
        if mode is not None:
            return self._in_mode(mode, plan, size, args, options)
        try:
            found = call(*args, **options) if options else call(*args)
        except FALLTHROUGH as error:
            return self._next(plan, size, args, options, error)
        except Exception as error:
            self._name(error, plan.tiers[0])
            raise
        self._seen.last = plan, size
        return found

    def __repr__(self) -> str:
        return f"<{self.name}: {', '.join(self.tiers)}>"

    @property
    def tiers(self) -> tuple[str, ...]:
        """Names of the registered tiers, the floor last; the order of the others says nothing."""
        return (*(name for name in self._tiers if name != FLOOR), FLOOR)

    @property
    def floor(self) -> Callable[..., Any]:
        """The reference implementation."""
        return self._floor.call

    @property
    def last_tier(self) -> str | None:
        """The tier that answered this thread's last call; None before the first."""
        last = self.last_dispatch
        return None if last is None else last.tier

    @property
    def last_dispatch(self) -> Dispatch | None:
        """What this thread's last call did; None before the first."""
        last = getattr(self._seen, "last", None)
        if last is None:
            return None
        plan, size, *more = last
        tier, skipped, forced = more or (plan.tiers[0], plan.skipped, False)
        return Dispatch(self.name, tier.name, size, plan.label, plan.host, skipped, forced)

    def chain(self, size: int) -> tuple[str, ...]:
        """Return the tiers that a call of this size would try, in order."""
        calls = self._calls or self._resolve()
        return tuple(t.name for t in next(p for limit, _, p in calls if size <= limit).tiers)

    def available(self) -> dict[str, str]:
        """Return for each tier why it cannot run here, an empty string where it could."""
        return {name: self._tiers[name].probe() for name in self.tiers}

    def tier(
        self, name: str, *, probe: Callable[[], str] = str
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return a decorator that registers a tier; it is used once an order names it."""

        def add(call: Callable[..., Any]) -> Callable[..., Any]:
            self.add(Tier(name, call, probe))
            return call

        return add

    def add(self, tier: Tier) -> None:
        """Register a tier.

        Raises
        ------
        InvalidArgumentError
            If the function has a tier of that name.
        """
        if tier.name in self._tiers:
            raise InvalidArgumentError(f"{self.name} has a tier {tier.name}; a name is used once")
        self._tiers[tier.name] = tier
        self.refresh()

    def refresh(self) -> None:
        """Forget what the probes said; the next call asks them again."""
        self._calls = ()
        self._reasons.clear()

    def _asked(self, tier: Tier) -> str:
        """Return what the probe of a tier says; it is asked once until the next refresh."""
        why = self._reasons.get(tier.name)
        if why is None:
            why = self._reasons[tier.name] = tier.probe()
        return why

    def _resolve(self) -> tuple[_Call, ...]:
        host = chains.host_class(self._chains_file)
        bands = self._bands or chains.bands_of(self.name, host, self._chains_file)
        below, calls = 0.0, []
        for band in bands:
            tiers, skipped = [], []
            for name in band.tiers[:-1]:
                known = self._tiers.get(name)
                why = "is not registered" if known is None else self._asked(known)
                if known is None or why:
                    skipped.append(Skipped(name, why))
                else:
                    tiers.append(known)
            label = f"{below:g} to {band.limit:g}"
            plan = _Plan(label, host, (*tiers, self._floor), tuple(skipped))
            calls.append((band.limit, plan.tiers[0].call, plan))
            below = band.limit
        self._calls = tuple(calls)
        return self._calls

    def _next(
        self,
        plan: _Plan,
        size: int,
        args: tuple[Any, ...],
        options: dict[str, Any],
        error: Exception,
    ) -> Any:
        """Go on after the first tier of a plan could not answer."""
        failed, skipped = plan.tiers[0], list(plan.skipped)
        for tier in plan.tiers[1:]:
            skipped.append(Skipped(failed.name, _why(error)))
            try:
                found = tier.call(*args, **options)
            except FALLTHROUGH as raised:
                failed, error = tier, raised
            except Exception as raised:
                self._name(raised, tier)
                raise
            else:
                self._seen.last = plan, size, tier, tuple(skipped), False
                return found
        self._name(error, failed)
        raise error

    def _in_mode(
        self, mode: _Mode, plan: _Plan, size: int, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        """Call the tier that was asked for, or in strict mode the first, and no other."""
        if mode.tier is not None:
            tier = self._tiers.get(mode.tier)
            why = "it is not registered" if tier is None else self._asked(tier)
        else:
            tier, why = plan.tiers[0], "".join(f"{s.tier} {s.why}" for s in plan.skipped[:1])
        if tier is None or why:
            asked = mode.tier or plan.skipped[0].tier
            raise TierError(f"{self.name}: the tier {asked} cannot run: {why}")
        try:
            found = tier.call(*args, **options)
        except FALLTHROUGH as error:
            self._name(error, tier)
            raise TierError(f"{self.name}: the tier {tier.name} failed: {_why(error)}") from error
        except Exception as error:
            self._name(error, tier)
            raise
        self._seen.last = plan, size, tier, plan.skipped, mode.tier is not None
        return found

    def _name(self, error: BaseException, tier: Tier) -> None:
        note = f"raised by the {tier.name} tier of {self.name}"
        if hasattr(error, "add_note"):
            error.add_note(note)
        else:  # Python 3.10 shows no notes; they can still be read.
            vars(error).setdefault("__notes__", []).append(note)


def register(
    name: str,
    *,
    size: Callable[..., int],
    prepare: Callable[..., tuple[Any, ...]] | None = None,
    bands: Sequence[Band] | None = None,
    chains_file: Path = chains.FILE,
) -> Callable[[Callable[..., Any]], MultiLangDispatcher]:
    """Return a decorator that turns a floor into a dispatcher and enters it into the registry.

    Parameters are those of :class:`MultiLangDispatcher`.

    Raises
    ------
    InvalidArgumentError
        If a function of that name is registered.
    """

    def add(floor: Callable[..., Any]) -> MultiLangDispatcher:
        if name in _REGISTRY:
            raise InvalidArgumentError(f"a function {name} is registered; choose another name")
        made = MultiLangDispatcher(
            name,
            [Tier(FLOOR, floor, chains.always)],
            size=size,
            prepare=prepare,
            bands=bands,
            chains_file=chains_file,
        )
        _REGISTRY[name] = made
        return made

    return add


def get(name: str) -> MultiLangDispatcher:
    """Return a registered function.

    Raises
    ------
    InvalidArgumentError
        If there is none of that name; the message lists those there are.
    """
    if name not in _REGISTRY:
        raise InvalidArgumentError(f"no function {name}; there are {', '.join(names())}")
    return _REGISTRY[name]


def names() -> tuple[str, ...]:
    """Return the names of the registered functions, sorted."""
    return tuple(sorted(_REGISTRY))


def refresh() -> None:
    """Ask all probes again, for example after a tier was built."""
    for function in _REGISTRY.values():
        function.refresh()


@contextmanager
def using(tier: str | None = None, *, strict: bool = False) -> Iterator[None]:
    """Use one tier for every call inside, or (strict) pass over none.

    It holds for this thread, or for this task of an event loop.

    Parameters
    ----------
    tier : str, optional
        The only tier to try; it need not be in the measured order.
    strict : bool
        The first tier of the order must answer.

    Raises
    ------
    TierError
        From the calls inside, if that tier cannot run.
    """
    token = _MODE.set(_Mode(tier, strict) if tier is not None or strict else None)
    try:
        yield
    finally:
        _MODE.reset(token)


def _checked(function: str, bands: Sequence[Band]) -> tuple[Band, ...]:
    if any(band.tiers[-1:] != (FLOOR,) for band in bands):
        raise InvalidArgumentError(f"{function}: an order does not end with {FLOOR}; add the floor")
    if not bands or bands[-1].limit != math.inf:
        raise InvalidArgumentError(f"{function}: the last band has a limit; make it math.inf")
    return tuple(bands)


def _why(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
