"""Conventions: each rule of each lane has a recipe that breaks it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hpcgate.lanes
from hpcgate.lanes import lint

from .conftest import Checkout, rules

BUNDLE = "spack/**/mars_earth/package.py"
LIBRARY = "spack/**/py_mars_earth/package.py"
EASYCONFIG = "easybuild/**/*-2025b.eb"
RECIPE = "conda-forge/**/recipe.yaml"
SETTINGS = "conda-forge/conda-forge.yml"
CONDA_BUILD = "conda-forge/conda-build/meta.yaml"
MANIFEST = "packages/pymars/pyproject.toml"
GENERATIONS = "packaging/easybuild/facts.yaml"
SERDE = "4148590afebada386688f18773da617792bf2ef03ffc1e4cbd2b1d45b023e0ba"

# rule, file, text that is there, text that breaks the rule
BROKEN = [
    ("syntax", LIBRARY, "class PyMarsEarth", "klass PyMarsEarth"),
    ("syntax", LIBRARY, "class PyMarsEarth(PythonPackage):", "if True:"),
    ("class-name", LIBRARY, "class PyMarsEarth", "class MarsEarth"),
    ("py-prefix", BUNDLE, "BundlePackage", "PythonPackage"),
    ("docstring", LIBRARY, '"""Multivariate', 'note = """Multivariate'),
    ("homepage", LIBRARY, 'homepage = "https', 'homepage = "http'),
    ("order", LIBRARY, '    maintainers("edithatogo")\n\n    license("Apache-2.0")',
     '    license("Apache-2.0")\n\n    maintainers("edithatogo")'),
    ("maintainers", LIBRARY, 'maintainers("edithatogo")', "maintainers()"),
    ("licence", LIBRARY, 'license("Apache-2.0")', 'license("Apache 2")'),
    ("licence", LIBRARY, 'license("Apache-2.0")', ""),
    ("version", LIBRARY, "    version(", "    versions("),
    ("sha256", BUNDLE, 'version("2.0.0")', f'version("2.0.0", sha256="{"ab" * 32}")'),
    ("typed", LIBRARY, 'with default_args(type="build")', 'with default_args(when="@1:")'),
    ("typed", BUNDLE, 'with default_args(type="run")', 'with when("@1:")'),
    ("variant", LIBRARY, ', description="Install', ', describe="Install'),
    ("hardware", LIBRARY, "Arrow tables as input", "Arrow tables and their relationship"),
    ("hardware", BUNDLE, "Arrow tables as input", "CUDA arrays"),
    ("test", BUNDLE, "def test_cli", "def check_cli"),
    ("test-docstring", LIBRARY, '        """fit a model', '        note = """fit a model'),
    ("generated-comment", LIBRARY, 'depends_on("c")', 'depends_on("c")  # generated'),
    ("line-length", LIBRARY, "# Cargo.toml", "# " + "x" * 99),
    ("syntax", EASYCONFIG, "version = '2.0.0'", "version = SOURCE"),
    ("syntax", EASYCONFIG, "version = '2.0.0'", "print(1)"),
    ("keys", EASYCONFIG, "moduleclass = 'ai'", ""),
    ("keys", EASYCONFIG, "moduleclass = 'ai'", "moduleclass = 'ai'\nmodule_class = 'ai'"),
    ("default", EASYCONFIG, "moduleclass = 'ai'", "use_pip = True\nmoduleclass = 'ai'"),
    ("order", EASYCONFIG, "name = 'mars-earth'\nversion = '2.0.0'",
     "version = '2.0.0'\nname = 'mars-earth'"),
    ("file-name", EASYCONFIG, "version = '2.0.0'", "version = '2.0.1'"),
    ("easyblock", EASYCONFIG, "'CargoPythonPackage'", "'PythonPackage'"),
    ("https", EASYCONFIG, "homepage = 'https", "homepage = 'http"),
    ("https", EASYCONFIG, "source_urls = ['https", "source_urls = ['http"),
    ("build", EASYCONFIG, "('maturin', '1.9.1'),", ""),
    ("sanity", EASYCONFIG, "python -s -c", "python -c"),
    ("checksums", EASYCONFIG, "    ('serde', '1.0.229'),\n", ""),
    ("sha256", EASYCONFIG, SERDE, "0" * 64),
    ("line-length", EASYCONFIG, "moduleclass = 'ai'", "moduleclass = 'ai'  # " + "x" * 120),
    ("syntax", RECIPE, "schema_version: 1", "schema_version: [1"),
    ("shape", RECIPE, "build:\n  number: 0", "build: 0\nbuild_:\n  number: 0"),
    ("sections", RECIPE, "about:\n", "abuot:\n"),
    ("order", RECIPE, 'context:\n  version: "2.0.0"\n', ""),
    ("schema", RECIPE, "schema_version: 1", "schema_version: 2"),
    ("name", RECIPE, "name: mars-earth", "name: py-mars-earth"),
    ("pinned", RECIPE, 'version: "2.0.0"', 'version: "2.0.0"\n  python_min: "3.10"'),
    ("sha256", RECIPE, "sha256: ", "sha512: "),
    ("source", RECIPE, "url: https", "git: https"),
    ("source", RECIPE, ".tar.gz", ".whl"),
    ("number", RECIPE, "number: 0", "number: 1"),
    ("stdlib", RECIPE, "    - ${{ stdlib('c') }}\n", ""),
    ("compiler", RECIPE, "${{ compiler('rust') }}", '${{ compiler("rust") }}'),
    ("compiler", RECIPE, "    - ${{ compiler('c') }}\n", ""),
    ("licences", RECIPE, "    - cargo-bundle-licenses\n  host", "  host"),
    ("host", RECIPE, "    - pip\n", ""),
    ("python", RECIPE, "  run:\n    - python\n", "  run:\n    - python >=3.10\n"),
    ("run-exports", RECIPE, "  host:", "  ignore_run_exports: {}\n  host:"),
    ("imports", RECIPE, "imports:\n        - pymars\n        - pymars._core", "imports: []"),
    ("pip-check", RECIPE, "pip_check: true", "pip_check: false"),
    ("python-version", RECIPE, '        - "*"\n', ""),
    ("abi3audit", RECIPE, "--assume-minimum-abi3", "--help"),
    ("licence", RECIPE, "license: Apache-2.0", "license: Apache"),
    ("license-file", RECIPE, "    - THIRDPARTY.yml\n", ""),
    ("about", RECIPE, "  summary: ", "  tagline: "),
    ("maintainers", RECIPE, "recipe-maintainers:\n    - edithatogo", "recipe-maintainers: []"),
    ("maintainers", RECIPE, "    - edithatogo", "    - edithatogo/people"),
    ("maintainers", RECIPE, "recipe-maintainers:\n    - edithatogo",
     "recipe-maintainers: edithatogo"),
    ("version", RECIPE, 'version: "2.0.0"', "version: 2.0"),
    ("source", RECIPE, "https://github.com", "https://pypi.io"),
    ("noarch", RECIPE, "number: 0", "number: 0\n  noarch: python"),
    ("requirements-order", RECIPE, "  run:\n    - python\n", "  run_: []\n  run:\n    - python\n"),
    ("conda-build", CONDA_BUILD, "nrg-pymars", "pymars"),
    ("run-python", RECIPE, "  run:\n    - python\n", "  run:\n"),
    ("spec", RECIPE, "    - numpy >=1.23", "    - numpy>=1.23"),
    ("spec", RECIPE, "    - numpy >=1.23", "    - numpy >= 1.23"),
    ("jinja", RECIPE, "${{ version }}", "${{version}}"),
    ("command", RECIPE, "      - mars-earth = pymars.cli:main", "      - mars = pymars.cli:main"),
    ("pytest", RECIPE, "      - pytest -v test_installed.py\n", ""),
    ("command-test", RECIPE, "      - mars-earth --version\n", ""),
    ("syntax", SETTINGS, "build_platform:", "build_platform: ["),
    ("shape", SETTINGS, "build_platform:", "build_platforms:"),
    ("settings", SETTINGS, "test:", "provider: {}\ntest:"),
    ("settings", SETTINGS, "rattler-build", "conda-build"),
    ("settings", SETTINGS, "native_and_emulated", "sometimes"),
    ("settings", SETTINGS, "osx_arm64: osx_64", "osx_arm64: vax"),
    ("cross", RECIPE, "        - cross-python_${{ target_platform }}\n", ""),
    ("syntax", CONDA_BUILD, "requirements:", "requirements: ["),
    ("shape", CONDA_BUILD, "requirements:", "requires:"),
    ("conda-build", CONDA_BUILD, 'version: "2.0.0"', 'version: "2.0.1"'),
    ("conda-build", CONDA_BUILD, "    - numpy >=1.23", "    - numpy >=1.22"),
    ("conda-build", CONDA_BUILD, "license: Apache-2.0", "license: MIT"),
    ("newline", RECIPE, "    - edithatogo\n", "    - edithatogo\n\n"),
    ("agreement", LIBRARY, '"py-numpy@1.23:"', '"py-numpy@1.22:"'),
    ("agreement", LIBRARY, "Rust core", "Rust kernel"),
    ("agreement", LIBRARY, 'version("2.0.0"', 'version("2.0.1"'),
    ("agreement", BUNDLE, 'license("Apache-2.0")', 'license("MIT")'),
    ("agreement", EASYCONFIG, "('Rust', '1.88.0')", "('Rust', '1.91.1')"),
    ("agreement", EASYCONFIG, "('serde', '1.0.229')", "('serde', '1.0.228')"),
    ("agreement", EASYCONFIG, "'modulename': 'pymars'", "'modulename': 'mars_earth'"),
    ("agreement", RECIPE, "scikit-learn >=1.6", "scikit-learn >=1.5"),
    ("agreement", RECIPE, "summary: Multivariate", "summary: Adaptive"),
    ("agreement", RECIPE, "license: Apache-2.0", "license: MIT"),
    ("agreement", MANIFEST, "numpy>=1.23", "numpy>=1.24"),
    ("agreement", MANIFEST, "maturin>=1.8,<2", "maturin>=1.8"),
    ("agreement", MANIFEST, "pyarrow>=14", "pyarrow>=15"),
    ("agreement", MANIFEST, 'version = "2.0.0"', 'version = "2.0.1"'),
    ("agreement", "packages/Cargo.toml", 'rust-version = "1.85"', 'rust-version = "1.86"'),
    ("crates", "packages/rust-runtime/core/Cargo.toml", 'rayon = "', 'log = "'),
    ("bounds", GENERATIONS, 'Rust: "1.85.1"', 'Rust: "1.84.0"'),
    ("bounds", GENERATIONS, 'Python: "3.13.1"', 'Python: "3.9.6"'),
    ("bounds", GENERATIONS, 'click: "8.1.8"', 'click: "8.0.1"'),
    ("bounds", GENERATIONS, '      click: "8.1.8"\n', ""),
]  # fmt: skip


def test_a_current_checkout_keeps_every_convention(checkout: Checkout) -> None:
    assert [str(problem) for problem in lint(checkout.root)] == []


@pytest.mark.parametrize(
    ("rule", "pattern", "old", "new"),
    [pytest.param(*case, id=f"{number}-{case[0]}") for number, case in enumerate(BROKEN)],
)
def test_a_broken_convention_is_seen(
    checkout: Checkout, rule: str, pattern: str, old: str, new: str
) -> None:
    checkout.replace(pattern, old, new)
    assert rule in rules(lint(checkout.root))


def test_two_formats_beside_each_other_are_seen(checkout: Checkout) -> None:
    (checkout.root / "conda-forge/recipes/mars-earth/meta.yaml").write_text("")
    assert rules(lint(checkout.root)) == {"one-format"}


def test_a_lane_without_recipes_is_seen(bare: Checkout) -> None:
    absent = [problem for problem in lint(bare.root) if problem.rule == "present"]
    assert {problem.file for problem in absent} == {"spack", "easybuild", "conda-forge"}


def test_every_rule_has_a_recipe_that_breaks_it() -> None:
    folder = Path(hpcgate.lanes.__file__).parent
    source = "\n".join(path.read_text() for path in folder.glob("*.py"))
    declared = set(re.findall(r'(?:yield \(?\s*|Problem\(\S+ )"([a-z0-9-]+)",\s', source))
    assert declared == {case[0] for case in BROKEN} | {"present", "one-format"}
