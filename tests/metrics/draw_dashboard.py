"""Draws the dashboard's panels for docs/metrics.md from what Prometheus answers to their expressions, with the example
program as the load. It is not Grafana, and does not look like it.

Usage: draw_dashboard.py EXAMPLE-PROGRAM DASHBOARD SVG [SECONDS]"""

import math
import sys
import time
from html import escape

import dashboard
from prometheus_scrape import scraped_example

CELL_WIDTH, CELL_HEIGHT, GAP = 50, 26, 6
COLOURS = ["#2f6fb3", "#d9822b", "#3a9a5b", "#b23a48", "#7b52ab", "#8a6d3b", "#c2569b", "#6b7280", "#9a9a1f", "#1f9aa0"]
MOST_LEGENDS = 9


def text_of(value, unit):
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s":
        for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
            if value * factor >= 1 or name == "µs":
                return f"{value * factor:.3g} {name}"
    if unit == "bytes":
        return f"{value / 1024:.4g} KiB"
    return f"{value:.4g}" + {"reqps": "/s", "ops": "/s", "cps": "/s"}.get(unit, "")


def legend_of(target, labels):
    text = target["legendFormat"]
    for name, value in labels.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def answers(prometheus, panel, start, end):
    """(legend, [(time, value)…]) of each series of a panel."""
    for target in panel["targets"]:
        for series in prometheus.series_of(dashboard.expression(target), start, end, 1):
            points = [(when, float(value)) for when, value in series["values"]]
            yield legend_of(target, series["metric"]), [point for point in points if math.isfinite(point[1])]


def text(x, y, content, size=11, colour="#333", weight="normal", anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" font-weight="{weight}" '
            f'text-anchor="{anchor}">{escape(content)}</text>')


def curves(series, place, start, end, unit):
    left, top, width, height = place
    largest = max((value for _, points in series for _, value in points), default=0) or 1
    yield f'<path d="M{left} {top}V{top + height}H{left + width}" fill="none" stroke="#bbb"/>'
    yield text(left + 3, top + 9, text_of(largest, unit), 9, "#777")
    for index, (_, points) in enumerate(series):
        path = " ".join(f"{left + (when - start) / (end - start) * width:.1f},{top + height - value / largest * height:.1f}"
                        for when, value in points)
        yield f'<polyline points="{path}" fill="none" stroke="{COLOURS[index % len(COLOURS)]}" stroke-width="1.3"/>'


def legends(series, left, top, width):
    for index, (name, points) in enumerate(series[:MOST_LEGENDS]):
        x, y = left + index % 3 * width / 3, top + index // 3 * 12
        shown = name if len(name) <= width / 3 / 5.2 else name[: int(width / 3 / 5.2) - 1] + "…"
        yield f'<rect x="{x:.1f}" y="{y - 7:.1f}" width="7" height="7" fill="{COLOURS[index % len(COLOURS)]}"/>'
        yield text(x + 10, y, shown, 9)
    if len(series) > MOST_LEGENDS:
        yield text(left, top + 36, f"and {len(series) - MOST_LEGENDS} more", 9, "#777")


def drawn(panel, series, start, end):
    grid = panel["gridPos"]
    x, y = grid["x"] * CELL_WIDTH + GAP / 2, grid["y"] * CELL_HEIGHT + GAP / 2
    width, height = grid["w"] * CELL_WIDTH - GAP, grid["h"] * CELL_HEIGHT - GAP
    unit = panel["fieldConfig"]["defaults"]["unit"]
    yield f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3" fill="#fff" stroke="#ddd"/>'
    yield text(x + 8, y + 16, panel["title"], 12, "#111", "bold")
    if panel["type"] == "stat":
        yield text(x + width / 2, y + height / 2 + 18, text_of(series[0][1][-1][1], unit), 26, "#2f6fb3", "bold", "middle")
        return
    series = sorted(series, key=lambda one: one[0])
    rows = min(3, math.ceil(len(series) / 3)) + (1 if len(series) > MOST_LEGENDS else 0)
    yield from curves(series, (x + 8, y + 26, width - 16, height - 40 - 12 * rows), start, end, unit)
    yield from legends(series, x + 8, y + height - 12 * rows + 4, width - 16)


def picture(prometheus, board, start, end):
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"]) * CELL_HEIGHT
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * CELL_WIDTH} {bottom + 24}" '
           'font-family="sans-serif">')
    yield f'<rect width="{24 * CELL_WIDTH}" height="{bottom + 24}" fill="#f4f5f7"/>'
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield text(GAP, panel["gridPos"]["y"] * CELL_HEIGHT + 19, panel["title"], 14, "#111", "bold")
        else:
            yield from drawn(panel, list(answers(prometheus, panel, start, end)), start, end)
    yield text(GAP, bottom + 16, f"Drawn by tests/metrics/draw_dashboard.py from Prometheus' answers over "
               f"{end - start:.0f} s of examples/metrics.cpp; not a picture of Grafana.", 11, "#777")
    yield "</svg>"


def main(program, board_path, picture_path, seconds="60"):
    board = dashboard.load(board_path)
    with scraped_example(program) as (prometheus, _):
        time.sleep(float(seconds) + 5)
        end = time.time()
        lines = list(picture(prometheus, board, end - float(seconds), end))
    with open(picture_path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
