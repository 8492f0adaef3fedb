"""The Grafana dashboard as data: its panels, and their expressions as Grafana would send them."""

import json

RATE_INTERVAL = "15s"


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def panels(dashboard):
    """Every panel that shows something, in its order."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expression(target):
    text = target["expr"]
    for variable, value in (("$__rate_interval", RATE_INTERVAL), ("$job", ".*"), ("$instance", ".*")):
        text = text.replace(variable, value)
    if "$" in text:
        raise ValueError(f"a variable that nothing stands for: {text}")
    return text


def faults(dashboard):
    """What is wrong with the structure; an empty list for a sound one."""
    found = []
    if not isinstance(dashboard.get("schemaVersion"), int) or dashboard["schemaVersion"] < 36:
        found.append("schemaVersion must be a number, 36 or newer")
    for name in ("title", "uid", "time", "templating", "panels"):
        if not dashboard.get(name):
            found.append(f"no {name}")
    variables = {variable["name"]: variable["type"] for variable in dashboard["templating"]["list"]}
    if variables.get("datasource") != "datasource":
        found.append("no variable that chooses the data source")
    ids = [panel["id"] for panel in dashboard["panels"]]
    if len(ids) != len(set(ids)):
        found.append("two panels have the same id")
    titles = [panel["title"] for panel in panels(dashboard)]
    if len(titles) != len(set(titles)):
        found.append("two panels have the same title")
    taken = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        if place["x"] + place["w"] > 24:
            found.append(f"{panel['title']} is wider than the page")
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        if cells & taken:
            found.append(f"{panel['title']} lies upon another panel")
        taken |= cells
    for panel in panels(dashboard):
        sources = [panel.get("datasource"), *(target.get("datasource") for target in panel["targets"])]
        if any(source != {"type": "prometheus", "uid": "${datasource}"} for source in sources):
            found.append(f"{panel['title']} does not use the chosen data source")
        references = [target["refId"] for target in panel["targets"]]
        if not references or len(references) != len(set(references)):
            found.append(f"{panel['title']} has no target, or two of one name")
    return found
