"""Puts the figures of a result into the documents that are marked for them.

What stands between the lines `<!-- figures: bench/run WHAT -->` and
`<!-- end of figures -->` is renewed. WHAT is a workload, `goals`, `servers`, `machine` or `summary`. A workload that
the result does not have leaves its table as it is. In docs/performance.md each
workload's plot stands below its table, as performance/WORKLOAD.svg.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Collection

import report
from plots import plot_all
from results import Result, read
from servers import ROOT
from workloads import WORKLOADS

DOCUMENTS = (ROOT / "README.md", ROOT / "docs/performance.md")
WHOLE: dict[str, Callable[[Result], str]] = {
    "goals": report.goals, "servers": report.servers, "machine": report.machine, "summary": report.summary,
}  # fmt: skip
MARK = re.compile(r"(?ms)^<!-- figures: bench/run (\S+) -->\n.*?^<!-- end of figures -->\n")


def publish(path: pathlib.Path) -> int:
    result = read(path)
    for document in DOCUMENTS:
        text = document.read_text()
        wanted = set(MARK.findall(text)) & set(result.workloads)
        folder = document.parent / "performance"
        if wanted:
            folder.mkdir(exist_ok=True)
        plots = plot_all(result, folder / "plot", wanted)
        for name, plot in plots.items():
            plot.rename(folder / f"{name}.svg")
        document.write_text(renewed(text, result, set(plots)))
        print(f"renewed: {document.relative_to(ROOT)}")
    return 0


def renewed(text: str, result: Result, plots: Collection[str] = ()) -> str:
    """The text with the tables of the result, and below them those of the plots that there are."""

    def block(match: re.Match[str]) -> str:
        what, workload = match[1], WORKLOADS.get(match[1])
        if what in WHOLE and (what != "summary" or "hello" in result.workloads):
            table = WHOLE[what](result)
        elif workload is not None and what in result.workloads:
            table = report.table(result, workload)
            table += f"\n\n![{what}](performance/{what}.svg)" if what in plots else ""
        else:
            return match[0]
        return f"<!-- figures: bench/run {what} -->\n{table}\n<!-- end of figures -->\n"

    return MARK.sub(block, text)
