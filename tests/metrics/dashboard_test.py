"""Holds the dashboard and the alerts against a scraped example: every expression gives data, every metric that the
documentation names is there.

Usage: dashboard_test.py EXAMPLE-PROGRAM DASHBOARD ALERTS DOCUMENTATION"""

import math
import os
import re
import subprocess
import sys
import time
import urllib.request

import dashboard
from prometheus_scrape import await_condition, scraped_example


def has_data(result):
    return any(math.isfinite(float(sample["value"][1])) for sample in result)


def lacking(prometheus, expressions):
    return [text for text in expressions if not has_data(prometheus.value_of(text))]


def check_every_panel(prometheus, board):
    expressions = [dashboard.expression(target) for panel in dashboard.panels(board) for target in panel["targets"]]
    assert len(expressions) > 20
    try:
        await_condition(lambda: not lacking(prometheus, expressions), "data in every panel")
    except RuntimeError as error:
        raise AssertionError("no data for " + "\n".join(lacking(prometheus, expressions))) from error
    print(f"{len(expressions)} expressions of {len(dashboard.panels(board))} panels give data")


def check_that_no_data_is_noticed(prometheus):
    assert lacking(prometheus, ["obol_no_such_metric_total"]) == ["obol_no_such_metric_total"]


# OpenTelemetry's name for it, which its own exporters write so, too.
ACCEPTED = 'db_client_connection_count non-histogram and non-summary metrics should not have "_count" suffix'


def check_the_exposition(address):
    """By promtool's own rules for names, types and units."""
    text = urllib.request.urlopen(address, timeout=10).read()
    verdict = subprocess.run([os.environ["OBOL_PROMTOOL"], "check", "metrics"], input=text, capture_output=True,
                             check=False)
    complaints = [line for line in (verdict.stdout + verdict.stderr).decode().splitlines()
                  if line.startswith(("db_", "obol_")) or "error" in line]
    complaints = [line for line in complaints if line != ACCEPTED]
    assert not complaints, "\n".join(complaints)
    return text.decode()


def check_the_documentation(exposition, path):
    """Every metric scraped is documented, and every one documented is scraped."""
    scraped = set(re.findall(r"^# TYPE ((?:db|obol)_\S+)", exposition, re.MULTILINE))
    with open(path, encoding="utf-8") as file:
        documented = set(re.findall(r"^\| `((?:db|obol)_[a-z_]+)`", file.read(), re.MULTILINE))
    assert scraped == documented, f"only scraped: {scraped - documented}; only documented: {documented - scraped}"


def check_the_alerts(prometheus, path):
    """Each expression of the rules is one that Prometheus takes, over metrics that there are."""
    promtool = os.environ["OBOL_PROMTOOL"]
    subprocess.run([promtool, "check", "rules", "--lint=all", "--lint-fatal", path], check=True,
                   stdout=subprocess.DEVNULL)
    with open(path, encoding="utf-8") as file:
        named = set(re.findall(r"(?<![.\w])(?:db|obol)_[a-z_]+(?=[{\[ ])", file.read()))
    there = set(prometheus.ask("/api/v1/label/__name__/values"))
    assert len(named) > 5 and named <= there, f"unknown metrics in the alerts: {named - there}"


def main(program, board_path, alerts_path, documentation_path):
    board = dashboard.load(board_path)
    faults = dashboard.faults(board)
    assert not faults, "\n".join(faults)
    began = time.monotonic()
    with scraped_example(program) as (prometheus, address):
        check_that_no_data_is_noticed(prometheus)
        check_every_panel(prometheus, board)
        exposition = check_the_exposition(address)
        check_the_documentation(exposition, documentation_path)
        check_the_alerts(prometheus, alerts_path)
    print(f"took {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
