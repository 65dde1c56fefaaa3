# Copyright Spack Project Developers. See COPYRIGHT file for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

from spack_repo.builtin.build_systems.python import PythonPackage

from spack.package import *


class PyMarsEarth(PythonPackage):
    """Multivariate adaptive regression splines with a Rust core."""

    homepage = "https://github.com/edithatogo/mars"
    pypi = "mars-earth/mars_earth-2.0.0.tar.gz"

    maintainers("edithatogo")

    license("Apache-2.0")

    version("2.0.0", sha256="ffd7c795e8d4d211f7638e3b03241253e52ba9528bbe3c975b04dc8f7bc587bc")

    variant("arrow", default=False, description="Install pyarrow, to pass Arrow tables as input")
    variant("plots", default=False, description="Install Matplotlib, to draw models")

    with default_args(type="build"):
        # rustc links the extension module with the C compiler
        depends_on("c")
        # Cargo.toml
        depends_on("rust@1.85:")
        # pyproject.toml, build-system
        depends_on("py-maturin@1.8:1")

    with default_args(type=("build", "run")):
        # pyproject.toml
        depends_on("python@3.10:")
        depends_on("py-numpy@1.23:")
        depends_on("py-scikit-learn@1.6:")
        depends_on("py-click@8.1:")
        depends_on("py-pyarrow@14:", when="+arrow")
        depends_on("py-matplotlib@3.8:", when="+plots")

    # With an external Python of Debian, Spack looks for modules where none are and tests none
    import_modules = ["pymars", "pymars.cli"]

    def setup_build_environment(self, env: EnvironmentModifications) -> None:
        # Build what the Cargo.lock of the source archive pins, or fail
        env.set("MATURIN_PEP517_ARGS", "--locked")

    def test_fit_and_replay(self):
        """fit a model with the compiled core, store it, replay it, and check the numbers"""
        code = """
import os, tempfile
import numpy
import pymars as earth

X = numpy.arange(40.0).reshape(-1, 1)
y = 3.0 + 2.0 * X[:, 0]
model = earth.Earth(max_degree=1, penalty=3.0).fit(X, y)
# A straight line is a sum of hinges, so the fit has to reproduce it
assert numpy.abs(model.predict(X) - y).max() < 1e-8, model.summary()

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "model.json")
    earth.save_model(model, path)
    stored = earth.load_model(path)
assert (earth.predict(stored, X) == model.predict(X)).all()

hinge = {"kind": "hinge", "feature": 0, "knot": 0.5, "side": "right", "coefficients": [4.0]}
spec = {"spec_version": "1.0", "allow_missing": False, "features": [{"name": "x"}]}
spec.update(responses=["y"], terms=[hinge])
assert earth.predict(spec, [[-1.0], [0.5], [2.0]]).tolist() == [0.0, 0.0, 6.0]
"""
        python("-c", code)

    def test_thread_control(self):
        """check that threads are bounded (H1, not claimed: no gain from them is measured yet)"""
        if not self.spec.satisfies("platform=linux"):
            raise SkipTest("threads are counted in /proc")
        code = """
import os, threading, time
import numpy
import pymars as earth

X = numpy.random.default_rng(1).random((400000, 3))
model = earth.Earth(max_degree=2).fit(X[:500], numpy.abs(X[:500] - 0.5).sum(axis=1))

def count():
    return len(os.listdir("/proc/self/task"))

idle = count()

def replay(threads):
    # Wait until earlier threads have gone, then count until the replay is done
    for _ in range(1000):
        if count() == idle:
            break
        time.sleep(0.01)
    seen, done = [], threading.Event()

    def watch():
        while not done.is_set():
            seen.append(count())

    watcher = threading.Thread(target=watch)
    watcher.start()
    found = earth.predict(model.export_model(), X, threads=threads)
    done.set()
    watcher.join()
    return found, max(seen)

expected, alone = replay(1)
found, shared = replay(2)
assert (found == expected).all()
# The one that counts is extra
assert alone == idle + 1 and shared <= idle + 1 + 2, (idle, alone, shared)
os.environ["MARS_EARTH_THREADS"] = "3"
assert earth.runtime_threads() == 3
"""
        python("-c", code)

    def test_cli(self):
        """check that the command line tool reports its version"""
        exe = which(self.prefix.bin.join("mars-earth"), required=True)
        out = exe("--version", output=str.split, error=str.split)
        assert str(self.spec.version) in out, f"expected {self.spec.version} in {out}"
