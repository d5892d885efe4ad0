"""Asks a Prometheus every query of a dashboard, those behind its variables, too, with the variables at `All`.

    dashboard.py DASHBOARD PROMETHEUS

Each has to answer within two minutes, with at least one number that is one; what may stay empty is named in MAY_BE_EMPTY with its reason.
Ends with 1 and a list when one does not.
"""

import json
import math
import re
import sys
import time
import urllib.parse
import urllib.request

# Query to reason. Nothing may stay here that answers.
MAY_BE_EMPTY: dict[str, str] = {}
PATIENCE_S = 120
# What Grafana puts in the place of its own variables, for a look at the last minutes.
BUILT_IN = {"$__rate_interval": "1m", "$__range": "5m", "$__interval": "15s"}


def panels(of):
    for panel in of:
        yield panel
        yield from panels(panel.get("panels", []))


def queries(dashboard):
    """Title and query of all that is asked."""
    for panel in panels(dashboard["panels"]):
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]).groups()
            yield f"${variable['name']}", f"count by ({label}) ({metric})"


def spelled_out(query, names):
    for name, value in BUILT_IN.items():
        query = query.replace(name, value)
    for name in names:
        query = query.replace(f"${name}", ".*")
    if "$" in query:
        sys.exit(f"a variable that nobody sets: {query}")
    return query


def answer(prometheus, query):
    """The numbers of the answer that are numbers."""
    url = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=10) as reply:
        result = json.load(reply)["data"]["result"]
    return [value for value in (float(series["value"][1]) for series in result) if not math.isnan(value)]


def main(path, prometheus):
    with open(path, encoding="utf-8") as file:
        dashboard = json.load(file)
    names = [variable["name"] for variable in dashboard["templating"]["list"]]
    asked = [(title, spelled_out(query, names)) for title, query in queries(dashboard)]
    waiting, end = dict.fromkeys(asked), time.monotonic() + PATIENCE_S
    while waiting and time.monotonic() < end:
        waiting = [(title, query) for title, query in waiting if query not in MAY_BE_EMPTY and not answer(prometheus, query)]
        time.sleep(0.5)
    for title, query in waiting:
        print(f"no answer for `{title}`: {query}", file=sys.stderr)
    for _, query in asked:
        if query in MAY_BE_EMPTY and answer(prometheus, query):
            sys.exit(f"answers, and is on the list of what may stay empty: {query}")
    if waiting:
        sys.exit(1)
    if len(asked) < 15:
        sys.exit(f"only {len(asked)} queries were found in {path}")
    print(f"dashboard: {len(asked)} queries answered, {len(MAY_BE_EMPTY)} may stay empty")


main(*sys.argv[1:])
