"""Build the two compiled parts of Skysail; everything declarative is in pyproject.toml.

* ``skysail.native._core``: the C++ core and its pybind11 bindings, built by CMake from ``native/``.
* ``skysail.native.codec``: Cython, from ``native/codec.pyx``.

``src/skysail`` holds one symbolic link per top-level folder, so packages are found, and extensions are left
in place, through the links.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pybind11
from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
# One build folder for editable installs and wheels alike: a second build is incremental.
CMAKE_BUILD = Path(os.environ.get("SKYSAIL_BUILD_DIR", ROOT / "build" / "python"))


class CMakeExtension(Extension):
    """An extension module that is one target of ``native/CMakeLists.txt``."""

    def __init__(self, name: str, target: str) -> None:
        super().__init__(name, sources=[])
        self.target = target


class BuildExt(build_ext):
    """Build CMake extensions with CMake and leave the rest to setuptools, with ccache where it is there."""

    def build_extension(self, ext: Extension) -> None:
        """Build one extension into the place that setuptools expects."""
        if not isinstance(ext, CMakeExtension):
            if shutil.which("ccache") and self.compiler.compiler_so_cxx[0] != "ccache":
                self.compiler.compiler_so_cxx.insert(0, "ccache")
            super().build_extension(ext)
            return
        configure = [
            "cmake",
            f"-S{ROOT / 'native'}",
            f"-B{CMAKE_BUILD}",
            "-GNinja",
            "-DSKYSAIL_PYTHON=ON",
            "-DSKYSAIL_TESTS=OFF",
            f"-DPython3_EXECUTABLE={sys.executable}",
            f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
        ]
        jobs = os.environ.get("SKYSAIL_BUILD_JOBS", str(len(os.sched_getaffinity(0))))
        subprocess.run(configure, check=True)
        subprocess.run(
            ["cmake", "--build", str(CMAKE_BUILD), "--target", ext.target, f"-j{jobs}"], check=True
        )
        destination = Path(self.get_ext_fullpath(ext.name))
        destination.parent.mkdir(parents=True, exist_ok=True)
        # A new file, not new bytes in the old one, which running processes have mapped.
        destination.unlink(missing_ok=True)
        shutil.copy2(CMAKE_BUILD / destination.name, destination)


def extensions() -> list[Extension]:
    """Both parts; none when scripts/setup, which builds them itself, installs the Python packages."""
    if os.environ.get("SKYSAIL_WITHOUT_EXTENSIONS"):
        return []
    codec = Extension(
        "skysail.native.codec",
        # With the parts of the core that read messages, so that both refuse the same ones in the same words.
        ["native/codec.pyx", "native/base/status.cc"]
        + [f"native/oip/{name}.cc" for name in ("contents", "message", "tensor", "text", "typed")],
        include_dirs=["native", numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        extra_compile_args=["-std=c++17", "-O2", "-g1", "-fvisibility=hidden"],
        depends=[str(path.relative_to(ROOT)) for path in sorted((ROOT / "native").glob("*/*.h"))],
        language="c++",
    )
    return [
        CMakeExtension("skysail.native._core", "_core"),
        # Through src/, codec.pxd bears the module's whole name.
        *cythonize([codec], include_path=["src"], build_dir="build/cython", language_level=3, quiet=True),
    ]


setup(
    package_dir={"": "src"},
    packages=find_packages("src"),
    package_data={"": ["*.pyi", "py.typed"]},
    include_package_data=False,
    ext_modules=extensions(),
    cmdclass={"build_ext": BuildExt},
    zip_safe=False,
)
