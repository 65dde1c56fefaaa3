"""The gate may leave out files that said nothing, and nothing else."""

import shutil
from pathlib import Path

import pytest

from hpcgate.claims import check, gate, lexicon
from hpcgate.claims.memory import Memory, cache_folder, prepared
from hpcgate.claims.model import Finding

ROOT = Path(__file__).resolve().parents[2]
CLAIM = "pymars runs on GPUs.\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a small checkout with the words of this one."""
    root = tmp_path / "checkout"
    (root / "packaging").mkdir(parents=True)
    for name in ("claims.yaml", "release.yaml"):
        shutil.copy(ROOT / "packaging" / name, root / "packaging")
    (root / "quiet.md").write_text("It fits splines.\n", encoding="utf-8")
    (root / "loud.md").write_text(CLAIM, encoding="utf-8")
    return root


def _found(root: Path, strict: bool = False) -> list[str]:
    return [f.path for f in check(root, strict=strict, level=0, memory=root.parent / "cache")]


def _read(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the files that a run reads."""
    read: list[str] = []

    class Spied(gate.Files):
        def file(self, path: Path) -> gate.Judged:
            read.append(path.as_posix())
            return super().file(path)

    with monkeypatch.context() as patch:
        patch.setattr(gate, "Files", Spied)
        _found(root)
    return read


def test_a_second_run_reads_what_spoke_and_finds_the_same(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A silent file is left out, a file with a finding never is."""
    assert {"quiet.md", "loud.md"} <= set(_read(checkout, monkeypatch))
    assert "quiet.md" not in (again := _read(checkout, monkeypatch))
    assert "loud.md" in again
    assert _found(checkout) == ["loud.md"]


def test_a_changed_a_renamed_and_a_linked_file_are_read(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name and the bytes count, and a link may lead anywhere by now."""
    _found(checkout)
    (checkout / "same.md").symlink_to(checkout / "quiet.md")
    (checkout / "quiet.txt").write_bytes((checkout / "quiet.md").read_bytes())
    assert {"same.md", "quiet.txt"} <= set(_read(checkout, monkeypatch))
    assert "same.md" in _read(checkout, monkeypatch)
    (checkout / "quiet.md").write_text(CLAIM, encoding="utf-8")
    assert "quiet.md" in _found(checkout)


def test_other_words_or_another_mode_forget_everything(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verdict holds for the words and the rules it was made with."""
    _found(checkout)
    with (checkout / "packaging" / "claims.yaml").open("a", encoding="utf-8") as words:
        words.write("# One more line.\n")
    assert "quiet.md" in _read(checkout, monkeypatch)
    _found(checkout, strict=True)
    assert "quiet.md" in _read(checkout, monkeypatch)


def test_a_damaged_memory_is_empty(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are no memory are not believed, and are replaced."""
    _found(checkout)
    (kept,) = (checkout.parent / "cache").iterdir()
    for damage in (b"", b"\xff\xfe", b"mars-earth claims memory 1 0000\n" + b"0" * 64):
        kept.write_bytes(damage)
        assert "quiet.md" in _read(checkout, monkeypatch)
        assert "quiet.md" not in _read(checkout, monkeypatch)


def test_a_run_without_a_place_to_write_works(checkout: Path) -> None:
    """Where nothing can be remembered, every run reads everything."""
    place = checkout.parent / "cache"
    place.write_text("a file, not a folder", encoding="utf-8")
    assert _found(checkout) == ["loud.md"]
    memory = Memory(checkout, strict=False, folder=place)
    assert memory.silent(checkout, [Path("quiet.md")]) == {}


def test_the_folder_follows_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The usual variable decides; a relative path in it does not count."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mars-earth"
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_folder() == Path("/home/someone/.cache/mars-earth")


def test_prepared_words_are_those_of_the_file(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is kept is used for the same words only, and never when it is damaged."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert prepared(checkout, str, lambda: "first") == "first"
    assert prepared(checkout, str, lambda: "second") == "first"
    assert prepared(checkout, int, lambda: 2) == 2
    with (checkout / "packaging" / "claims.yaml").open("a", encoding="utf-8") as words:
        words.write("# One more line.\n")
    assert prepared(checkout, str, lambda: "third") == "third"
    (kept,) = (tmp_path / "cache" / "mars-earth").iterdir()
    for damage in (b"", b"\xff\xfe\n", kept.read_bytes()[:-3]):
        kept.write_bytes(damage)
        assert prepared(checkout, str, lambda: "again") == "again"


def test_kept_words_judge_as_fresh_ones(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A lexicon from the cache folder finds what one from the file finds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert lexicon.load(checkout).may_speak(CLAIM)
    lexicon._load.cache_clear()
    assert lexicon.load(checkout).may_speak(CLAIM)
    assert _found(checkout) == ["loud.md"]


def test_a_finding_is_no_silence() -> None:
    """What cannot be read is a finding, so it is never remembered as silent."""
    assert gate.Judged("a.md", (Finding("a.md", 1, "unreadable", "a.md", "no"),)).digest == ""
