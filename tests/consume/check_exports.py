#!/usr/bin/env python3
"""Fails unless a shared libobol exports every public name and no other, under the soname that its version asks for.

Usage: check_exports.py INCLUDE-FOLDER LIBOBOL.SO LIBOBOL.A

Public is what the headers declare and the static library, made of the same sources, defines: of a class each function
that is not inline; at namespace scope each function as often as it is declared, since more overloads may be internal.
"""
import collections
import pathlib
import re
import subprocess
import sys

NAMESPACE = "obol::v0::"
TYPE = re.compile(r"(?:vtable|typeinfo name|typeinfo) for (.*)")
CLASS = re.compile(r"\b(?:class|struct)\s+(?:OBOL_EXPORT\s+)?(\w+)(?:\s+final)?\s*(?::[^{;]*)?\{")
FUNCTION = re.compile(r"^(?!inline|constexpr|using|template|class|struct)\w[\w:<>,&* ]*?\b(\w+)\([^{}]*?\)[^{}()]*;", re.M)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def read_headers(include):
    """The classes that the headers define, and how often they declare which function that is not inline."""
    text = "\n".join(re.sub(r"//.*", "", path.read_text()) for path in sorted(include.rglob("*.hpp")))
    return set(CLASS.findall(text)), collections.Counter(FUNCTION.findall(text))


def defined_symbols(*arguments):
    """Kind and demangled name of what an object defines."""
    lines = run("nm", "--defined-only", "-C", *arguments).splitlines()
    return [match.groups() for line in lines if (match := re.fullmatch(r"[0-9a-f]+ (\w) (.+)", line))]


def place_of(function):
    """["Keyring", "empty"] for a member of a class, ["issue_token"] for a function at namespace scope; [] for others."""
    if not function.startswith(NAMESPACE):
        return []
    return re.split(r"[(\[]", function.removeprefix(NAMESPACE))[0].split("::")


def check_names(exported, strong, classes, functions):
    """What is wrong, one line each."""
    def is_public_member(name):
        place = place_of(name)
        return len(place) == 2 and place[0] in classes

    found = collections.Counter()
    for name in exported:
        place = place_of(name)
        if match := TYPE.fullmatch(name):
            if match[1].removeprefix(NAMESPACE) not in classes:
                yield f"exported, but not public: {name}"
        elif len(place) == 1 and place[0] in functions:
            found[place[0]] += 1
        elif not is_public_member(name):
            yield f"exported, but not public: {name}"
    ours = {place[0] for name in strong if len(place := place_of(name)) == 1}  # The others are an adapter's.
    for name, declared in functions.items():
        if name in ours and found[name] != declared:
            yield f"{name} is declared {declared} times and exported {found[name]} times; is an OBOL_EXPORT missing?"
    for name in strong - exported:
        if is_public_member(name):
            yield f"public, but not exported; is an OBOL_EXPORT missing? {name}"
    for name in {f"typeinfo for {NAMESPACE}{name}" for name in ("SessionStore", "RedisStore")} - exported:
        yield f"not exported, though dynamic_cast needs it on both sides: {name}"


def main(include, shared_library, static_library):
    classes, functions = read_headers(pathlib.Path(include))
    version = re.search(r'OBOL_VERSION_STRING "([0-9.]+)"', pathlib.Path(include, "obol/version.hpp").read_text())[1]
    wanted_soname = "libobol.so." + version.rpartition(".")[0]
    soname = re.search(r"\(SONAME\).*\[(.+)\]", run("readelf", "-d", shared_library))
    exported = {name for _, name in defined_symbols("-D", shared_library)}
    strong = {name for kind, name in defined_symbols(static_library) if kind == "T"}

    errors = sorted(check_names(exported, strong, classes, functions))
    if not soname or soname[1] != wanted_soname:
        errors.append(f"the soname is {soname and soname[1]}, not {wanted_soname}")
    for error in errors:
        print("obol: error:", error)
    print(f"obol: {wanted_soname} exports {len(exported)} names; the headers declare {functions.total()} functions")
    return 1 if errors or not exported or not functions else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
