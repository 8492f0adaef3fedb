#!/usr/bin/env python3
"""Runs the Conan recipe as far as that goes without Conan, with stand-ins for what it imports, and fails where it does
not fit the project: version, exported sources, options, targets and libraries.

Usage: check_conan_recipe.py CHECKOUT FOLDER-OF-INSTALLED-LIBRARIES EMPTY-FOLDER CMAKE-COMMAND...

The command configures a project, given -S and -B behind it; the exported sources are put to that test.
"""
import collections
import importlib.util
import pathlib
import re
import shutil
import subprocess
import sys
import types
from types import SimpleNamespace

sys.dont_write_bytecode = True
errors = []


def expect(holds, complaint):
    if not holds:
        errors.append(complaint)


class InvalidConfiguration(Exception):
    pass


class Version(tuple):
    def __new__(cls, text):
        return super().__new__(cls, map(int, str(text).split(".")))

    def __lt__(self, other):
        return tuple(self) < tuple(Version(other))


class Component(SimpleNamespace):
    """Of cpp_info, or all of it."""

    def __init__(self):
        super().__init__(properties={}, libs=[], requires=[], system_libs=[])

    def set_property(self, name, value):
        self.properties[name] = value


class Generator(SimpleNamespace):
    """CMakeToolchain or CMakeDeps; `made` has those of the last generate()."""

    made = []

    def __init__(self, recipe):
        super().__init__(cache_variables={}, properties=[])

    def set_property(self, *property):
        self.properties.append(property)

    def generate(self):
        Generator.made.append(self)


def check_min_cppstd(recipe, least):
    if int(recipe.settings.compiler.cppstd) < least:
        raise InvalidConfiguration()


def copy(recipe, pattern, source, destination):
    for path in pathlib.Path(source).glob(pattern):
        into = pathlib.Path(destination, path.relative_to(source))
        into.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if path.is_dir() else shutil.copy)(path, into)


def install_stand_ins():
    modules = {
        "conan": dict(ConanFile=type("ConanFile", (), {"version": None, "ref": "obol"})),
        "conan.errors": dict(ConanInvalidConfiguration=InvalidConfiguration),
        "conan.tools": {},
        "conan.tools.build": dict(check_min_cppstd=check_min_cppstd, can_run=lambda recipe: True),
        "conan.tools.cmake": dict(CMake=None, CMakeDeps=Generator, CMakeToolchain=Generator, cmake_layout=None),
        "conan.tools.files": dict(copy=copy, load=lambda recipe, path: pathlib.Path(path).read_text(), rmdir=None),
        "conan.tools.scm": dict(Version=Version),
    }
    for name, members in modules.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(members)


def load_recipe(path, name):
    specification = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def make_recipe(recipe_class, folder, **options):
    recipe = recipe_class()
    recipe.recipe_folder = str(folder)
    expect(set(recipe.options) == set(recipe.default_options), "each option must have a default")
    recipe.options = SimpleNamespace(**{**recipe.default_options, **options})
    recipe.settings = settings()
    recipe.cpp_info = Component()
    recipe.cpp_info.components = collections.defaultdict(Component)
    return recipe


def settings(os="Linux", compiler="gcc", version="12", cppstd="23"):
    name = type("Compiler", (SimpleNamespace,), {"__str__": lambda self: compiler, "__eq__": lambda self, to: to == compiler})
    return SimpleNamespace(os=os, compiler=name(version=version, cppstd=cppstd))


def is_valid(recipe, **changed):
    recipe.settings = settings(**changed)
    try:
        recipe.validate()
    except InvalidConfiguration:
        return False
    return True


def check_sources(recipe, checkout, work, cmake):
    header = (checkout / "include/obol/version.hpp").read_text()
    recipe.set_version()
    expect(f'OBOL_VERSION_STRING "{recipe.version}"' in header, f"the version {recipe.version} is not the header's")
    recipe.export_sources_folder = str(work / "sources")
    recipe.export_sources()
    expect((work / "sources/LICENSE").is_file(), "the licence is not exported")
    recipe.generate()
    variables = {name: value for made in Generator.made for name, value in made.cache_variables.items()}
    options = [f"-D{name}={'ON' if value else 'OFF'}" for name, value in variables.items()]
    configured = subprocess.run([*cmake, *options, "-S", work / "sources", "-B", work / "build"], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    expect(configured.returncode == 0, f"the exported sources are not enough to build Obol: {configured.stdout}")
    return set(variables)


def check_options(variables, checkout):
    declared = set(re.findall(r"option\((OBOL_(?:WITH|BUILD)_\w+)", (checkout / "CMakeLists.txt").read_text()))
    ours = {f"OBOL_BUILD_{part}" for part in ("TESTS", "BROWSER_TESTS", "FUZZERS", "EXAMPLES", "BENCHMARKS")}
    for option in sorted(declared - ours - variables):
        expect(False, f"the recipe has no option for {option}")


def check_package_info(recipe, libraries):
    recipe.package_info()
    expect(recipe.cpp_info.properties["cmake_file_name"] == "obol", "find_package(obol) would not find the package")
    core = recipe.cpp_info.components["obol"]
    expect(core.properties["cmake_target_name"] == "obol::obol", "the target is not obol::obol")
    for library in core.libs:
        expect(list(libraries.glob(f"lib{library}.*")), f"no library is named {library}")
    targets = (libraries / "cmake/obol/obol-targets.cmake").read_text()
    expect("add_library(obol::obol " in targets, "the project exports no target obol::obol")


def main(checkout, libraries, work, *cmake):
    checkout, libraries, work = map(pathlib.Path, (checkout, libraries, work))
    shutil.rmtree(work, ignore_errors=True)
    install_stand_ins()
    folder = checkout / "packaging/conan"
    recipe_class = load_recipe(folder / "conanfile.py", "recipe").ObolConan
    load_recipe(folder / "test_package/conanfile.py", "test_recipe")

    recipe = make_recipe(recipe_class, folder)
    check_options(check_sources(recipe, checkout, work, cmake), checkout)
    check_package_info(recipe, libraries)
    expect(is_valid(recipe), "GCC 12 with C++23 is refused")
    expect(not is_valid(recipe, cppstd="20"), "C++20 is not refused")
    expect(not is_valid(recipe, version="11"), "GCC 11 is not refused")
    expect(not is_valid(recipe, compiler="clang", version="18"), "Clang 18 is not refused")
    expect(not is_valid(recipe, os="Windows"), "Windows is not refused")

    parts = ("asio", "boost_asio", "opentelemetry", "prometheus")
    with_all = make_recipe(recipe_class, folder, with_json=True, **{f"with_{part}": True for part in parts})
    with_all.package_info()
    targets = {part.properties["cmake_target_name"] for part in with_all.cpp_info.components.values()}
    expect(targets == {f"obol::{part}" for part in ("obol", *parts)}, f"the targets are {sorted(targets)}")

    for error in errors:
        print("obol: error:", error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
