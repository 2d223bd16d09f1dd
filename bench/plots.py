"""One plot for each workload, as SVG. Without matplotlib there are none."""

from __future__ import annotations

import pathlib
import sys

from results import Result
from workloads import WORKLOADS, Workload

OURS, THEIRS, TEXT = "#2a6f97", "#b8c4cc", "#1d2a33"
ROLES = {"gateway": "#2a6f97", "workers": "#61a5c2", "master": "#013a63", "nginx": "#b8c4cc"}


def plot_all(result: Result, stem: pathlib.Path, only: set[str] | None = None) -> dict[str, pathlib.Path]:
    """stem-WORKLOAD.svg for each workload that has figures; returns their paths by workload."""
    try:
        import matplotlib
    except ImportError:
        print("no plots: matplotlib is not installed here (bench/install)", file=sys.stderr)
        return {}
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 9, "text.color": TEXT})
    made = {}
    for name in result.workloads:
        if (only is None or name in only) and any(row.metrics for row in result.rows if row.workload == name):
            path = stem.with_name(f"{stem.name}-{name}.svg")
            plot(result, WORKLOADS[name], path)
            made[name] = path
    return made


def plot(result: Result, workload: Workload, path: pathlib.Path) -> None:
    """Bars of what the workload compares, and beside them those of the processor time, if it was measured."""
    from matplotlib import pyplot

    names = [name for name in result.servers(workload.name) if not result.reason(workload.name, name)]
    names.reverse()  # the first on top
    with_cpu = any(result.median(workload.name, name, "cpu") for name in names)
    figure, axes = pyplot.subplots(1, 2 if with_cpu else 1, squeeze=False, sharey=True, figsize=(9 if with_cpu else 6, 0.7 + 0.3 * len(names)))
    values = [result.median(workload.name, name, workload.metric) or 0.0 for name in names]
    left = axes[0][0]
    bars = left.barh(names, values, color=[OURS if name.startswith("indrik") else THEIRS for name in names])
    left.bar_label(bars, [f" {value:,.0f}" if value >= 100 else f" {value:.2f}" for value in values])
    left.set_title(f"{workload.unit}: {workload.what}", loc="left", fontsize=9)
    if with_cpu:
        right, starts = axes[0][1], [0.0] * len(names)
        for role, colour in ROLES.items():
            parts = [result.median(workload.name, name, f"cpu {role}") or 0.0 for name in names]
            if any(parts):
                right.barh(names, parts, left=starts, color=colour, label=role)
                starts = [start + part for start, part in zip(starts, parts, strict=True)]
        sums = [result.median(workload.name, name, "cpu") or 0.0 for name in names]
        for row, value in enumerate(sums):
            right.text(value, row, f"  {value:,.1f}", va="center")
        right.set_title("µs of processor time for each", loc="left", fontsize=9)
        right.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    for one in axes[0]:
        one.margins(x=0.18)
        one.spines[["top", "right", "bottom"]].set_visible(False)
        one.tick_params(length=0)
        one.set_xticks([])
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close(figure)
