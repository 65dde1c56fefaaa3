"""Whatever bytes lie in the ledger: a finding or a record, never a traceback, never a pass."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpcgate import evidence, levels
from hpcgate.errors import GateError
from hpcgate.evidence.statement import parse

CHECK = "smoke-wheel"
REQUIREMENT = "h0-clean-install"
SLOW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MANY = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["\ud800", "PASSED", "pass", "", "2026-01-01T00:00:00", "9" * 5000])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every value of a document."""
    yield before
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield from places(value[key], (*before, key))


def replaced(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    changed = copy.deepcopy(document)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return changed


def renamed_to(path: Path, content: bytes) -> Path:
    stamp = path.name.partition("-")[0]
    return path.with_name(f"{stamp}-{hashlib.sha256(content).hexdigest()}.json")


def read(content: bytes) -> bool:
    """Tell whether bytes read as a record; anything but a GateError fails the test."""
    try:
        parse(content)
    except GateError as error:
        assert str(error)
        return False
    return True


def judged(checkout: Any, path: Path, content: bytes, *, renamed: bool) -> None:
    """Put bytes in the place of a record; they are a finding, and the requirement is not met."""
    if renamed:
        path = renamed_to(path, content)
    path.write_bytes(content)
    try:
        (finding,) = evidence.verify(checkout.root)
        assert finding.problem in ("unreadable", "half-written", "tampered")
        str(finding).encode()
        assert len(str(finding).splitlines()) == 1
        assert not levels.satisfied(levels.assess(checkout.root), REQUIREMENT)
    finally:
        path.unlink()


@pytest.fixture
def original(checkout: Any) -> tuple[Path, bytes]:
    path = checkout.root / checkout.record(CHECK, passed=["a"], measurements={"s": 1.5}).path
    content = path.read_bytes()
    path.unlink()
    return path, content


@SLOW
@given(content=st.binary(max_size=300), renamed=st.booleans())
def test_any_bytes(
    checkout: Any, original: tuple[Path, bytes], content: bytes, renamed: bool
) -> None:
    judged(checkout, original[0], content, renamed=renamed)


@SLOW
@given(data=st.data(), renamed=st.booleans())
def test_any_part_of_a_record(
    checkout: Any, original: tuple[Path, bytes], data: st.DataObject, renamed: bool
) -> None:
    path, content = original
    end = data.draw(st.integers(0, len(content) - 2))  # without its last newline it still is whole
    judged(checkout, path, content[:end], renamed=renamed)


@SLOW
@given(data=st.data())
def test_any_changed_byte(checkout: Any, original: tuple[Path, bytes], data: st.DataObject) -> None:
    path, content = original
    where = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[where] ^= data.draw(st.integers(1, 255))
    judged(checkout, path, bytes(changed), renamed=False)


@MANY
@given(content=st.binary() | values.map(lambda v: json.dumps(v).encode()))
def test_the_reader_takes_any_bytes(content: bytes) -> None:
    assert not read(content)


@MANY
@given(data=st.data(), value=values)
def test_the_reader_takes_any_value_in_any_place(
    original: tuple[Path, bytes], data: st.DataObject, value: Any
) -> None:
    document = json.loads(original[1])
    place = data.draw(st.sampled_from(list(places(document))))
    read(json.dumps(replaced(document, place, value)).encode())


@MANY
@given(data=st.data())
def test_the_reader_wants_every_field(original: tuple[Path, bytes], data: st.DataObject) -> None:
    document = json.loads(original[1])
    ours = document["predicate"]["marsEarth"]
    holder = data.draw(st.sampled_from([document, ours]))
    del holder[data.draw(st.sampled_from(sorted(holder)))]
    assert not read(json.dumps(document).encode())


@pytest.mark.parametrize(
    "when",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "0007-01-01T00:00:00+00:00",
        0,
        1e308,
        -(10**30),
    ],
)
@pytest.mark.parametrize("field", ["startedOn", "finishedOn"])
def test_a_time_at_the_end_of_the_calendar_is_a_finding(
    checkout: Any, original: tuple[Path, bytes], when: Any, field: str
) -> None:
    path, content = original
    document = json.loads(content)
    document["predicate"]["marsEarth"][field] = when
    forged = json.dumps(document).encode()
    renamed_to(path, forged).write_bytes(forged)
    if field == "finishedOn" or not read(forged):
        (finding,) = evidence.verify(checkout.root)
        assert finding.problem in ("unreadable", "wrong-name")
    else:
        assert evidence.verify(checkout.root) == []
