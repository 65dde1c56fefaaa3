# Language policy: EXEMPT from the Rust-path rule. Looks for pins in files; no computation.
"""Ask whether what builds the project is pinned: compilers, back ends, images and actions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hpcgate.policy.data import Finding, Tree, line_of, source
from hpcgate.repo import read_text, tracked_files

__all__ = ["pins"]

DIGEST = r"@sha256:[0-9a-f]{64}$"


def pins(tree: Tree) -> Iterator[Finding]:
    """Ask whether what builds the project is pinned."""
    for language in tree.policy.palette.values():
        for pin in language.pins:
            text = source(tree, pin.file)
            if not text:
                yield Finding(pin.file, 1, "pin", f"missing; {pin.mend}")
            elif not re.search(pin.pattern, text, re.MULTILINE):
                yield Finding(pin.file, 1, "pin", pin.mend)
    for path in tracked_files(tree.root):
        if path.parent.as_posix() == ".github/workflows" and path.suffix in (".yml", ".yaml"):
            yield from _action_pins(path.as_posix(), read_text(tree.root / path))
        elif path.name in ("Containerfile", "Dockerfile"):
            yield from _image_pins(path.as_posix(), read_text(tree.root / path))
        elif path.name in ("compose.yaml", "compose.yml"):
            yield from _service_pins(path.as_posix(), read_text(tree.root / path))
        elif path.name == "go.mod":
            yield from _go_pins(tree, path.as_posix())


def _image_pins(path: str, text: str) -> Iterator[Finding]:
    stages = {"scratch"}
    for number, line in enumerate(text.splitlines(), 1):
        # An argument without a default names no image: the caller does.
        if asked := re.match(r"ARG\s+(\w+)\s*$", line, re.IGNORECASE):
            stages.update({f"${asked[1]}", f"${{{asked[1]}}}"})
        used = re.match(r"FROM\s+(?:--\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?", line, re.IGNORECASE)
        if used and used[1] not in stages and not re.search(DIGEST, used[1]):
            message = f"{used[1]} is not pinned; write @sha256: and the digest after it"
            yield Finding(path, number, "pin", message)
        if used and used[2]:
            stages.add(used[2])


def _action_pins(path: str, text: str) -> Iterator[Finding]:
    for number, line in enumerate(text.splitlines(), 1):
        used = re.match(r"\s*-?\s*uses:\s*([^\s#]+)\s*(#\s*v\d\S*)?", line)
        if used and not used[1].startswith("./"):
            if not re.fullmatch(r"[^@]+@[0-9a-f]{40}", used[1]):
                message = f"{used[1]} is not pinned; write the 40-digit commit after the @"
                yield Finding(path, number, "pin", message)
            elif not used[2]:
                message = f"{used[1]} does not say its version; add the comment `# vX.Y.Z`"
                yield Finding(path, number, "pin", message)


def _service_pins(path: str, text: str) -> Iterator[Finding]:
    try:
        services = dict(YAML(typ="safe").load(text)["services"])
        images = {
            name: (str(row.get("image", "")), "build" in row) for name, row in services.items()
        }
    except (YAMLError, KeyError, TypeError, ValueError, AttributeError):
        yield Finding(path, 1, "pin", "no compose file; give it `services:` with a mapping each")
        return
    for name, (image, built) in images.items():
        # One that is built here names what it makes; its Containerfile holds the pins. One that the
        # caller must name is the caller's to pin.
        named = re.fullmatch(r"\$\{\w+(:?\?[^}]*)?\}", image)
        if not built and not named and not re.search(DIGEST, image):
            message = f"{name}: {image or 'its image'} is not pinned; write @sha256: and the digest"
            yield Finding(path, line_of(text, rf"image:.*{re.escape(image)}"), "pin", message)


def _go_pins(tree: Tree, path: str) -> Iterator[Finding]:
    """A module that needs others has their digests in go.sum, and each names its toolchain."""
    text = read_text(tree.root / path)
    if not re.search(r"^toolchain go\d+\.\d+\.\d+$", text, re.MULTILINE):
        yield Finding(path, 1, "pin", "no toolchain; name it in full, such as toolchain go1.26.8")
    if re.search(r"^require\b", text, re.MULTILINE) and not source(tree, f"{path[:-3]}sum"):
        line = line_of(text, r"^require\b")
        yield Finding(path, line, "pin", "it needs others and has no go.sum; run go mod tidy")
