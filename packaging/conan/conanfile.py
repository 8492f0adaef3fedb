import os

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir
from conan.tools.scm import Version

required_conan_version = ">=2.1"


class ObolConan(ConanFile):
    name = "obol"
    description = "Login sessions in Redis or Valkey: signed, expiring by themselves, safe under concurrent refreshes"
    license = "Apache-2.0"
    topics = ("session", "authentication", "redis", "valkey")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {
        "shared": [True, False],
        "fPIC": [True, False],
        "with_asio": [True, False],
        "with_boost_asio": [True, False],
        "with_json": [True, False],
        "with_opentelemetry": [True, False],
        "with_prometheus": [True, False],
        "with_tool": [True, False],
    }
    default_options = {
        "shared": False,
        "fPIC": True,
        "with_asio": False,
        "with_boost_asio": False,
        "with_json": False,
        "with_opentelemetry": False,
        "with_prometheus": False,
        "with_tool": False,
    }
    implements = ["auto_shared_fpic"]

    @property
    def _checkout(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):
        if not self.version:
            header = load(self, os.path.join(self._checkout, "include", "obol", "version.hpp"))
            self.version = header.split('OBOL_VERSION_STRING "')[1].split('"')[0]

    def export_sources(self):
        copy(self, "LICENSE", self._checkout, self.export_sources_folder)
        copy(self, "CMakeLists.txt", self._checkout, self.export_sources_folder)
        for folder in ("cmake", "docs/man", "include", "lua", "src"):
            copy(self, f"{folder}/*", self._checkout, self.export_sources_folder)

    def layout(self):
        self.folders.root = os.path.join("..", "..")
        cmake_layout(self)

    def requirements(self):
        self.requires("fmt/[>=9 <13]")
        self.requires("hiredis/[>=1.2 <2]")
        self.requires("openssl/[>=3 <4]")
        if self.options.with_asio:
            self.requires("asio/[>=1.22 <2]", transitive_headers=True)
        if self.options.with_boost_asio:
            self.requires("boost/[>=1.81 <2]", transitive_headers=True)
        if self.options.with_json or self.options.with_tool:
            self.requires("nlohmann_json/[>=3.11 <4]", transitive_headers=True)
        if self.options.with_opentelemetry:
            self.requires("opentelemetry-cpp/[>=1.9 <2]", transitive_headers=True)
        if self.options.with_prometheus:
            self.requires("prometheus-cpp/[>=1.1 <2]", transitive_headers=True)
        if self.options.with_tool:
            self.requires("cli11/[>=2.3 <3]")

    def build_requirements(self):
        self.tool_requires("cmake/[>=3.25 <5]")

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration(f"{self.ref} runs on Linux only")
        check_min_cppstd(self, 23)
        oldest = {"gcc": "12", "clang": "19"}.get(str(self.settings.compiler))
        if oldest and Version(self.settings.compiler.version) < oldest:
            raise ConanInvalidConfiguration(f"{self.ref} needs {self.settings.compiler} {oldest} or newer")

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["OBOL_BUILD_TOOL"] = bool(self.options.with_tool)
        toolchain.cache_variables["OBOL_WITH_ASIO"] = bool(self.options.with_asio)
        toolchain.cache_variables["OBOL_WITH_BOOST_ASIO"] = bool(self.options.with_boost_asio)
        toolchain.cache_variables["OBOL_WITH_OPENTELEMETRY"] = bool(self.options.with_opentelemetry)
        toolchain.cache_variables["OBOL_WITH_PROMETHEUS"] = bool(self.options.with_prometheus)
        toolchain.generate()
        dependencies = CMakeDeps(self)
        # Obol accepts fmt 9 or newer; without this CMake would accept only 9.
        dependencies.set_property("fmt", "cmake_config_version_compat", "AnyNewerVersion")
        if self.options.with_opentelemetry:
            dependencies.set_property("opentelemetry-cpp", "cmake_target_name", "opentelemetry-cpp::api")
        dependencies.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        cmake = CMake(self)
        cmake.install()
        rmdir(self, os.path.join(self.package_folder, "lib", "cmake"))
        rmdir(self, os.path.join(self.package_folder, "lib", "pkgconfig"))
        rmdir(self, os.path.join(self.package_folder, "share"))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "obol")
        self._add_component("obol", "obol", ["fmt::fmt", "hiredis::hiredis", "openssl::ssl", "openssl::crypto"])
        self.cpp_info.components["obol"].set_property("pkg_config_name", "obol")
        if self.settings.os == "Linux":
            self.cpp_info.components["obol"].system_libs = ["pthread"]
        if self.options.with_json or self.options.with_tool:
            self.cpp_info.components["obol"].requires.append("nlohmann_json::nlohmann_json")
        if self.options.with_asio:
            self._add_component("asio", None, ["obol", "asio::asio"])
        if self.options.with_boost_asio:
            self._add_component("boost_asio", None, ["obol", "boost::headers"])
        if self.options.with_opentelemetry:
            self._add_component("opentelemetry", "obol_opentelemetry", ["obol", "opentelemetry-cpp::opentelemetry-cpp"])
        if self.options.with_prometheus:
            self._add_component("prometheus", "obol_prometheus", ["obol", "prometheus-cpp::prometheus-cpp-core"])

    def _add_component(self, name, library, requires):
        component = self.cpp_info.components[name]
        component.set_property("cmake_target_name", f"obol::{name}")
        component.libs = [library] if library else []
        component.requires = requires
