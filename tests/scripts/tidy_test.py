"""scripts/tidy checks each file, also where files do not compile as one; clang-tidy is a fake.

The fake finds what a source file says in a line `FINDING text`. Included together, files with a line `ALONE` do not compile.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SCRIPT = sys.argv.pop()
FAKE = """#!/usr/bin/env python3
import pathlib, re, sys
source = pathlib.Path(sys.argv[-1])
config = next(word for word in sys.argv if word.startswith("--config-file="))
texts = [pathlib.Path(name).read_text() for name in re.findall('#include "(.*)"', source.read_text())]
with open("batches", "a") as log:
    log.write(f"{len(texts)} {config}\\n")
if sum("ALONE" in text for text in texts) > 1:
    print("x.cpp:1:1: error: redefinition [clang-diagnostic-error]")
    sys.exit(1)
found = [line.removeprefix("FINDING ") for text in texts for line in text.splitlines() if line.startswith("FINDING")]
print("\\n".join(found))
sys.exit(bool(found))
"""


class Tidy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        self.write("bin/clang-tidy-19", FAKE).chmod(0o755)
        shutil.copy(SCRIPT, self.write("scripts/tidy", ""))
        self.write("tests/.clang-tidy", "")

    def write(self, name, text):
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def tidy(self, files, without_command=(), arguments=(), drogon=""):
        commands = []
        for name, text in files.items():
            file = self.write(name, text)
            if name not in without_command:
                commands.append({"directory": "/", "file": str(file), "command": f"clang++-19 -DONE -o x.o -c {file}"})
        self.write("build/lint/compile_commands.json", json.dumps(commands))
        for words in (["init", "-q"], ["add", "."]):
            subprocess.run(["git", *words], cwd=self.root, check=True)
        environment = {**os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}", "OBOL_DROGON": drogon}
        done = subprocess.run([sys.executable, self.root / "scripts" / "tidy", *arguments], cwd=self.root, text=True, check=False,
                              capture_output=True, env=environment)
        log = self.root / "batches"
        return done, sorted(log.read_text().splitlines()) if log.exists() else []

    def test_passes_if_nothing_is_found(self):
        done, batches = self.tidy({"src/one.cpp": "int a;\n", "src/two.cpp": "int b;\n", "tests/one_test.cpp": "int a;\n"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(batches, [f"1 --config-file={self.root}/tests/.clang-tidy", f"2 --config-file={self.root}/.clang-tidy"])

    def test_fails_with_what_is_found_in_the_library_and_in_tests(self):
        done, _ = self.tidy({"src/one.cpp": "int a;\n", "src/two.cpp": "FINDING in the library\n",
                             "tests/one_test.cpp": "FINDING in a test\n"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("in the library\n", done.stdout)
        self.assertIn("in a test\n", done.stdout)

    def test_leaves_what_is_found_in_headers_of_asio_and_nothing_else(self):
        in_asio = "FINDING /usr/include/boost/asio/executor.hpp:1:1: error: null\nFINDING x.cpp:1:1: note: here\n"
        done, _ = self.tidy({"src/one.cpp": in_asio})
        self.assertEqual(done.returncode, 0, done.stdout)
        own = f"FINDING {self.root}/src/asio/one.cpp:1:1: error: own\n"
        done, _ = self.tidy({"src/one.cpp": in_asio + own + "FINDING /usr/include/c++/12/memory:1:1: error: null pointer\n"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: own\n", done.stdout)
        self.assertIn("error: null pointer\n", done.stdout)
        self.assertNotIn("executor", done.stdout)

    def test_checks_files_that_define_the_same_name_apart(self):
        for line in ("struct Case {", "int count = 0;", "std::string count(int a) {", "constexpr int count{1};", "enum class Case {"):
            with self.subTest(line):
                (self.root / "batches").unlink(missing_ok=True)
                done, batches = self.tidy({"src/one.cpp": line, "src/two.cpp": line})
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertEqual([batch[0] for batch in batches], ["1", "1"])

    def test_checks_the_halves_of_what_does_not_compile_as_one(self):
        files = {f"src/{number}.cpp": "ALONE\n" if number in (1, 4) else f"int a{number};\n" for number in range(5)}
        files["src/3.cpp"] += "FINDING behind\n"
        done, batches = self.tidy(files)
        self.assertEqual([batch[0] for batch in batches], ["2", "3", "5"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("behind\n", done.stdout)
        self.assertNotIn("redefinition", done.stdout)

    def test_fails_if_a_file_is_not_compiled(self):
        done, _ = self.tidy({"src/one.cpp": "", "src/two.cpp": ""}, without_command=["src/two.cpp"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("does not compile src/two.cpp", done.stderr)

    def test_skips_the_example_of_a_library_that_the_system_lacks(self):
        files = {"src/one.cpp": "", "examples/drogon/main.cpp": "FINDING in it\n"}
        done, batches = self.tidy(files, without_command=["examples/drogon/main.cpp"])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("examples/drogon/main.cpp is skipped; it needs OBOL_DROGON", done.stdout)
        self.assertEqual([batch[0] for batch in batches], ["1"])

    def test_checks_the_example_of_a_library_that_the_system_has(self):
        files = {"src/one.cpp": "", "examples/drogon/main.cpp": "FINDING in it\n"}
        done, _ = self.tidy(files)
        self.assertIn("in it\n", done.stdout)
        done, _ = self.tidy(files, without_command=["examples/drogon/main.cpp"], drogon="/somewhere")
        self.assertEqual(done.returncode, 1)
        self.assertIn("does not compile examples/drogon/main.cpp", done.stderr)

    def test_finds_names_that_a_file_does_not_use(self):
        done, _ = self.tidy({"src/one.cpp": "using std::string;\nusing std::vector;\nvector<int> a;\n"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("src/one.cpp:1:1: error: string is not used", done.stdout)
        self.assertNotIn("vector is not used", done.stdout)

    def test_checks_only_the_files_it_is_given(self):
        done, _ = self.tidy({"src/one.cpp": "FINDING one\n", "src/two.cpp": "FINDING two\n"}, arguments=["src/two.cpp"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("two\n", done.stdout)
        self.assertNotIn("one\n", done.stdout)


unittest.main()
