"""The figures of one run, as they are kept in JSON, and their medians."""

from __future__ import annotations

import datetime
import json
import pathlib
import statistics
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Row:
    """One server and one workload in one round: figures, or why there are none."""

    workload: str
    server: str
    round: int
    metrics: dict[str, float] = field(default_factory=dict)
    not_run: str = ""


@dataclass
class Result:
    """All of a run. Times are in ms, processor time in µs for a request, memory in MB, unless the name says otherwise."""

    machine: dict[str, str]
    versions: dict[str, str]
    workloads: list[str]
    date: str = field(default_factory=lambda: datetime.datetime.now().astimezone().isoformat(timespec="seconds"))
    rows: list[Row] = field(default_factory=list)

    def of(self, workload: str, server: str) -> list[Row]:
        return [row for row in self.rows if row.workload == workload and row.server == server]

    def servers(self, workload: str) -> list[str]:
        """In the order in which they ran."""
        return list(dict.fromkeys(row.server for row in self.rows if row.workload == workload))

    def median(self, workload: str, server: str, metric: str) -> float | None:
        figures = [row.metrics[metric] for row in self.of(workload, server) if metric in row.metrics]
        return statistics.median(figures) if figures else None

    def total(self, workload: str, server: str, metric: str) -> float:
        return sum(row.metrics.get(metric, 0.0) for row in self.of(workload, server))

    def medians(self, workload: str, server: str, beginning: str) -> dict[str, float]:
        """Of all metrics whose names begin so, without the beginning."""
        names = dict.fromkeys(name for row in self.of(workload, server) for name in row.metrics if name.startswith(beginning))
        return {name.removeprefix(beginning): self.median(workload, server, name) or 0.0 for name in names}

    def reason(self, workload: str, server: str) -> str:
        """Why it did not run, if it did not in any round."""
        rows = self.of(workload, server)
        return rows[-1].not_run if rows and not any(row.metrics for row in rows) else ""

    def failures(self) -> list[str]:
        """What Indrik failed."""
        ours = [row for row in self.rows if row.server.startswith("indrik")]
        return [f"{row.server} {row.workload}" for row in ours if row.not_run or row.metrics.get("errors")]

    def write(self, folder: pathlib.Path) -> pathlib.Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.date[:19].replace(':', '')}.json"
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")
        return path


def read(path: pathlib.Path) -> Result:
    known: dict[str, Any] = json.loads(path.read_text())
    known["rows"] = [Row(**row) for row in known["rows"]]
    return Result(**known)
