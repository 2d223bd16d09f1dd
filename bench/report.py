"""The results as Markdown."""

from __future__ import annotations

from goals import GOALS
from results import Result
from servers import PEERS
from workloads import WORKLOADS, Workload

LOWER = ("ms", "p99", "pss_worker", "bytes", "share")  # metrics of which less is better
COLUMNS = {
    "p50": "p50", "p99": "p99", "p99.9": "p999", "p99 before": "p99 calm", "reload took, s": "reload took", "waiting": "starved",
    "import": "import", "worst": "worst", "throughput, asked ÷ not": "ratio", "status, ms": "status", "its worst": "status worst",
}  # fmt: skip
NOTE = """Figures are medians of the rounds. Processor time is that of the server for one request, by its processes; the load generator ran on the
same processors, and "load" says how many of them it took. p50, p99 and p99.9 are in ms; at the highest rate a server can do they
omit what requests that were never sent would have waited, which *tail* and *reload*, at a fixed rate, do not. "waiting" are
connections that had no response until shortly before the end, and whose time is in no percentile. "Indrik" is how many times better
the row of Indrik for the same interface is (below 1: worse)."""


def markdown(result: Result, plots: dict[str, str]) -> str:
    """The whole report; plots are paths by workload."""
    parts = ["# Benchmarks\n", machine(result), "\n" + NOTE + "\n", "## Goals\n", goals(result)]
    for name in result.workloads:
        workload = WORKLOADS[name]
        parts += [f"\n## {name}: {workload.what}\n", table(result, workload)]
        parts += [f"\n![{name}]({plots[name]})"] if name in plots else []
    return "\n".join([*parts, "\n## How the servers were started\n", servers(result)]) + "\n"


def rows(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine(result: Result) -> str:
    known = [f"{what}: {value}" for what, value in result.machine.items() if value]
    return f"{result.date}. " + "; ".join(known) + "."


def goals(result: Result) -> str:
    """Those whose workload ran."""
    body = []
    for goal in GOALS:
        if goal.workload in result.workloads:
            value, reached = goal.value(result), goal.reached(result)
            said = "not measured" if reached is None else "reached" if reached else "**not reached**"
            body.append([goal.text, goal.bound(), "" if value is None else number(value), said])
    return rows(["goal", "wanted", "measured", ""], body)


def number(value: float) -> str:
    """With three digits, or all of them before the point."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def ahead(result: Result, workload: Workload, server: str) -> float | None:
    """How many times better Indrik is: its first row of the same family."""
    family = PEERS[server].family
    ours = [name for name in workload.servers if name.startswith("indrik") and family in (PEERS[name].family, "static")]
    mine = result.median(workload.name, ours[0], workload.metric) if ours else None
    theirs = result.median(workload.name, server, workload.metric)
    if not mine or not theirs:
        return None
    return theirs / mine if workload.metric in LOWER else mine / theirs


def table(result: Result, workload: Workload) -> str:
    """A row for each server. Columns that nothing fills are left out."""
    name = workload.name
    columns = {title: metric for title, metric in COLUMNS.items() if metric != workload.metric}
    body, reasons = [], []
    for server in result.servers(name):
        if reason := result.reason(name, server):
            reasons.append((server, reason))
            continue
        times = ahead(result, workload, server)
        cells = [number(result.median(name, server, workload.metric) or 0), number(times) if times else ""]
        for metric in columns.values():
            value = result.median(name, server, metric)
            cells.append("" if value is None else number(value))
        memory = result.median(name, server, "pss")
        cells += [by_role(result, name, server, "cpu"), "" if memory is None else number(memory)]
        cells += [f"{result.total(name, server, what):.0f}" for what in ("errors", "retried")]
        share = result.median(name, server, "generator")
        body.append([server, *cells, "" if share is None else f"{share:.2f}"])
    head = ["", workload.unit, "Indrik", *columns, "processor, µs", "memory, MB", "errors", "retried", "load"]
    keep = [n for n in range(len(head)) if n < 2 or any(line[n] not in ("", "0") for line in body) or head[n] == "errors"]
    shown = [[line[n] for n in keep] for line in body]
    shown += [[server, f"not run: {' '.join(reason.split()).replace('|', '/')}", *[""] * (len(keep) - 2)] for server, reason in reasons]
    return rows([head[n] for n in keep], shown)


def by_role(result: Result, workload: str, server: str, metric: str) -> str:
    """The sum, and its parts if there are several of any size."""
    total = result.median(workload, server, metric)
    if total is None:
        return ""
    parts = {what: value for what, value in result.medians(workload, server, f"{metric} ").items() if value >= 0.05}
    said = " + ".join(f"{what} {number(value)}" for what, value in parts.items())
    return f"{number(total)} ({said})" if len(parts) > 1 else number(total)


def servers(result: Result) -> str:
    """Who ran, in which version, with what that is not its default."""
    ran = [name for name in PEERS if any(row.server == name for row in result.rows)]
    body = []
    for name in ran:
        peer = PEERS[name]
        body.append([name, result.versions.get(peer.package or "indrik", ""), peer.settings])
    others = {peer.package for peer in PEERS.values()} | {"indrik"}
    tools = ", ".join(f"{name} {version}" for name, version in result.versions.items() if name not in others)
    return f"Two workers each, unless the workload says otherwise; and {tools}.\n\n" + rows(["", "version", "settings"], body)


def summary(result: Result) -> str:
    """Hello world in short, for README.md."""
    body = []
    for server in result.servers("hello"):
        rate, cpu = (result.median("hello", server, metric) for metric in ("rate", "cpu"))
        if rate is not None and cpu is not None:
            times = ahead(result, WORKLOADS["hello"], server)
            p99 = result.median("hello", server, "p99") or 0
            memory = result.median("hello", server, "pss") or 0
            cells = [f"{rate:,.0f}", f"{cpu:.0f} µs", f"{p99:.1f} ms", f"{memory:.0f} MB", number(times) if times else ""]
            body.append([f"{server} {result.versions.get(PEERS[server].package, '')}".strip(), *cells])
    return rows(["", "requests/s", "processor time of a request", "p99", "memory", "Indrik is"], body)
