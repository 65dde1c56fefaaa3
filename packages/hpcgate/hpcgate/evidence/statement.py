# Language policy: EXEMPT from the Rust-path rule. Builds and validates JSON documents.
"""A record's bytes: an in-toto Statement v1 that says what a test or a benchmark showed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Annotated, Any, Literal

from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0.test_result_pb2 import TestResult
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from hpcgate.errors import GateError

__all__ = ["Kind", "Outcome", "Run", "as_utc", "build", "parse", "reasons"]

# in-toto has no predicate for a benchmark; the address of ours leads to its description.
PREDICATES = {
    "test": "https://in-toto.io/attestation/test-result/v0.1",
    "benchmark": "https://github.com/edithatogo/mars/blob/main/docs/benchmark_predicate.md#v1",
}
OURS = "marsEarth"

Kind = Literal["test", "benchmark"]
Outcome = Literal["pass", "fail", "unavailable"]
Moment = Annotated[AwareDatetime, AfterValidator(lambda when: _in_utc(when))]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

# The predicate has no word for "could not run". WARNED would read as a success to a verifier that
# knows the predicate but not our fields, so everything that is not a pass is FAILED.
RESULT = {"pass": "PASSED", "fail": "FAILED", "unavailable": "FAILED"}


class Run(BaseModel):
    """What a record says: one run of one check."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    kind: Kind = Field(default="test", exclude=True)
    check: str
    outcome: Outcome
    reason: str
    host_class: str
    commit: str
    command: str = Field(min_length=1)
    started_on: Moment
    finished_on: Moment
    tools: dict[str, str]
    measurements: dict[str, Any]
    inputs: dict[str, Digest] = Field(min_length=1)
    subjects: dict[str, Digest] = Field(min_length=1, exclude=True)
    passed: tuple[str, ...] = Field(default=(), exclude=True)
    failed: tuple[str, ...] = Field(default=(), exclude=True)

    @model_validator(mode="after")
    def _true(self) -> Run:
        if self.finished_on < self.started_on:
            raise ValueError("it ends before it starts")
        if self.outcome == "pass" and self.failed:
            raise ValueError(f"it passes although {self.failed[0]} failed")
        if self.outcome != "pass" and not self.reason:
            raise ValueError(f"outcome {self.outcome} needs a reason")
        for name, value in self.measurements.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"measurement {name} is not a finite number")
        if self.kind == "benchmark":
            numbers = [v for v in self.measurements.values() if type(v) in (int, float)]
            if self.outcome == "pass" and not numbers:
                raise ValueError("a benchmark that passes holds at least one measured number")
            if self.passed or self.failed:
                raise ValueError("a benchmark holds measurements, not tests")
        return self


def build(run: Run, configuration: Mapping[str, str]) -> bytes:
    """Return the bytes of the record; `configuration` maps file names to digests.

    The library checks the statement and the predicate before a byte is written.
    """
    ours = run.model_dump(by_alias=True)
    ours |= {"startedOn": _stamp(run.started_on), "finishedOn": _stamp(run.finished_on)}
    predicate: dict[str, Any] = {
        "result": RESULT[run.outcome],
        "configuration": [
            {"name": name, "digest": {"sha256": digest}} for name, digest in configuration.items()
        ],
    }
    if run.kind == "test":
        predicate |= {"passedTests": [*run.passed], "warnedTests": [], "failedTests": [*run.failed]}
    json_format.ParseDict(predicate, TestResult())
    statement = Statement(
        [
            ResourceDescriptor(name=name, digest={"sha256": digest}).pb
            for name, digest in sorted(run.subjects.items())
        ],
        PREDICATES[run.kind],
        {**predicate, OURS: ours},
    )
    statement.validate()
    content = json_format.MessageToDict(statement.pb)
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def parse(content: bytes) -> Run:
    """Read a record's bytes strictly.

    Raises
    ------
    GateError
        With the first reason why the bytes are not a record: not text, cut off, not a statement,
        another predicate, a subject without a sha256, a field too many, an end before the start.
    """
    try:
        document = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise GateError("is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise GateError(f"is not whole JSON (line {error.lineno}: {error.msg})") from None
    except (RecursionError, ValueError):
        raise GateError("is JSON beyond every reasonable limit") from None
    try:
        json.dumps(document, ensure_ascii=False).encode()
        return _parse_statement(document)
    except UnicodeEncodeError:
        raise GateError("holds half a surrogate pair, which is no text") from None
    except ValidationError as error:
        raise GateError(reasons(error)) from None
    except (json_format.Error, ValueError, TypeError, KeyError, AttributeError) as error:
        raise GateError(f"is not an in-toto Statement v1: {error}") from None
    except RecursionError:
        raise GateError("is nested too deeply") from None


def as_utc(when: datetime | str) -> datetime:
    """Return a moment in UTC; text is ISO 8601 with an offset.

    Examples
    --------
    >>> as_utc("2030-01-02T05:00:00+02:00").isoformat()
    '2030-01-02T03:00:00+00:00'
    """
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when.replace("Z", "+00:00"))
        except ValueError:
            raise GateError(f"{when!r} is not an ISO 8601 time") from None
    if when.tzinfo is None:
        raise GateError(f"{when.isoformat()} has no offset from UTC", hint="append +00:00")
    try:
        return _in_utc(when)
    except ValueError as error:
        raise GateError(str(error)) from None


def reasons(error: ValidationError) -> str:
    """Return every problem of a run in one line, each with the field it is about."""
    found = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        found.append(f"{where}: {message}" if where else message)
    return "; ".join(found)


def _parse_statement(document: Any) -> Run:
    if not isinstance(document, dict):
        raise TypeError("the document is not a map")
    statement = Statement.copy_from_pb(json_format.ParseDict(document, statement_pb2.Statement()))
    statement.validate()
    kinds = [kind for kind, uri in PREDICATES.items() if uri == document["predicateType"]]
    if not kinds:
        raise ValueError(f"the predicate is not one of {', '.join(PREDICATES.values())}")
    predicate = dict(document["predicate"])
    ours = dict(predicate.pop(OURS))
    result = json_format.ParseDict(predicate, TestResult())
    if not result.configuration:
        raise ValueError("the predicate has no configuration")
    subjects = {}
    for subject in statement.pb.subject:
        if not subject.name or subject.name in subjects:
            raise ValueError("a subject has no name of its own")
        subjects[subject.name] = subject.digest.get("sha256", "")
    run = Run.model_validate(
        {
            **ours,
            "kind": kinds[0],
            "subjects": subjects,
            "passed": tuple(result.passed_tests),
            "failed": tuple(result.failed_tests),
        }
    )
    if RESULT[run.outcome] != result.result:
        raise ValueError(f"outcome {run.outcome} contradicts the result {result.result}")
    return run


def _in_utc(when: datetime) -> datetime:
    try:
        return when.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError(f"{when.isoformat()} is beyond the calendar in UTC") from None


def _stamp(when: datetime) -> str:
    return when.isoformat(timespec="microseconds")
