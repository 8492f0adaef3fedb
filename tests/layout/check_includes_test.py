"""scripts/check-includes accepts a good tree and refuses each kind of wrong include."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = sys.argv.pop()


class CheckIncludes(unittest.TestCase):
    def check(self, **files):
        with tempfile.TemporaryDirectory() as folder:
            for path, included in files.items():
                file = pathlib.Path(folder, "src", *path.split("__")).with_suffix(".hpp")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f'#pragma once\n#include "{included}"\n')
            return subprocess.run([sys.executable, CHECK, folder], capture_output=True, text=True, check=False)

    def assert_refused(self, text, **files):
        checked = self.check(**files)
        self.assertEqual(checked.returncode, 1, checked.stderr)
        self.assertIn(text, checked.stdout)

    def test_accepts_includes_that_point_down(self):
        checked = self.check(store__top="redis/core/low.hpp", redis__core__low="base/lowest.hpp", base__lowest="obol/error.hpp")
        self.assertEqual((checked.returncode, checked.stdout), (0, ""))

    def test_refuses_one_that_points_up(self):
        self.assert_refused("src/redis/net/low.hpp: includes redis/pool/high.hpp",
                            redis__net__low="redis/pool/high.hpp", redis__pool__high="base/x.hpp")

    def test_refuses_sessions_in_redis(self):
        self.assert_refused("includes obol/session.hpp", redis__client__client="obol/session.hpp")

    def test_refuses_a_cycle(self):
        self.assert_refused("cycle: base/one.hpp -> base/two.hpp -> base/one.hpp",
                            base__one="base/two.hpp", base__two="base/one.hpp")

    def test_refuses_a_file_in_no_layer(self):
        self.assert_refused("stands in no layer", loose="base/x.hpp")


unittest.main()
