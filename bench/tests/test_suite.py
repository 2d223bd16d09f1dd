"""The suite itself: what it reads from its tools, what it decides, and one short run of it."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys

import pytest

import report
from generators import count_starved, parse_h2load, parse_wrk
from goals import GOALS
from processes import NotRun, whole
from publish import renewed
from results import Result, Row, read
from schedule import Options, estimate, starts
from servers import PEERS, ROOT, Launch
from workloads import DEFAULT, WORKLOADS

WRK = """Running 2s test @ http://127.0.0.1:18100/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   630.91us  489.15us  13.38ms   94.87%
  Latency Distribution
     50%  550.00us
     75%  700.00us
     90%    1.02ms
     99%    2.10ms
  98765 requests in 2.00s, 13.28MB read
{errors}Requests/sec:  49382.50
Transfer/sec:      6.64MB
p99.9 9876 us
"""


def test_wrk() -> None:
    load = parse_wrk(WRK.format(errors=""))
    assert (load.requests, load.rate, load.errors) == (98765, 49382.5, 0)
    assert (load.p50, load.p99, load.p999) == (0.55, 2.1, 9.876)
    failed = "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\n"
    assert parse_wrk(WRK.format(errors=failed)).errors == 15
    with pytest.raises(NotRun):
        parse_wrk("unable to connect to 127.0.0.1:18100 Connection refused")


H2LOAD = """Application protocol: {protocol}
finished in 2.00s, 1500.00 req/s, 2.1MB/s
requests: 4 total, 4 started, 4 done, 3 succeeded, 1 failed, 0 errored, 0 timeout
"""


def test_h2load() -> None:
    log = "1\t200\t100\n2\t200\t400\n3\t200\t200\n4\t500\t300\n"
    load = parse_h2load(H2LOAD.format(protocol="h2"), log)
    assert (load.requests, load.rate, load.errors, load.p50, load.p99) == (3, 1500.0, 1, 0.2, 0.4)
    with pytest.raises(NotRun, match=r"http/1\.1"):
        parse_h2load(H2LOAD.format(protocol="http/1.1"), log)


SS = """44     0      127.0.0.1:18499  127.0.0.1:50012
\t cubic rto:204 bytes_received:44 segs_in:4 lastsnd:700 lastrcv:700 lastack:700
0      0      127.0.0.1:18499  127.0.0.1:50014
\t cubic rto:204 bytes_sent:99 bytes_acked:99 bytes_received:44 lastsnd:1 lastrcv:900 lastack:1
44     0      127.0.0.1:18499  127.0.0.1:50016
\t cubic rto:204 bytes_received:44 lastsnd:2 lastrcv:2 lastack:2
"""


def test_starved_connections() -> None:
    """The first has waited long; the second was answered; the third is new."""
    assert count_starved(SS) == 1


@pytest.mark.parametrize(
    ("response", "is_whole"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length:3\r\n\r\nabc", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n", False),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", False),
    ],
)
def test_whole(response: bytes, is_whole: bool) -> None:
    assert whole(response) is is_whole


def result(**rates: float) -> Result:
    rows = [Row("hello", server.replace("_", " "), 1, {"rate": rate, "cpu": 1e6 / rate, "cpu workers": 1.0}) for server, rate in rates.items()]
    return Result({}, {}, ["hello"], rows=rows)


def test_goals() -> None:
    measured = result(indrik_sync=66_000, gunicorn_sync=10_000, uwsgi=40_000)
    reached = {goal.text: goal.reached(measured) for goal in GOALS if goal.workload == "hello" and goal.server == "indrik sync"}
    assert reached["WSGI hello, requests/s ÷ gunicorn sync"] is True
    assert reached["WSGI hello, requests/s ÷ uWSGI http11"] is False
    assert reached["WSGI hello, requests/s ÷ granian"] is None
    assert reached["WSGI hello, processor time ÷ gunicorn sync"] is True


def test_goals_name_what_is_measured() -> None:
    for goal in GOALS:
        assert {goal.server, *goal.peers} <= set(WORKLOADS[goal.workload].servers), goal.text
        assert (goal.at_least is None) != (goal.at_most is None), goal.text


def test_ratios_and_reasons() -> None:
    measured = result(indrik_sync=60_000, gunicorn_sync=10_000, indrik_asgi=50_000, uvicorn=25_000)
    measured.rows.append(Row("hello", "bjoern", 1, not_run="it | did\nnot build"))
    text = report.table(measured, WORKLOADS["hello"])
    assert "| gunicorn sync | 10,000 | 6.00 |" in text
    assert "| uvicorn | 25,000 | 2.00 |" in text
    assert "| bjoern | not run: it / did not build |" in text


def test_indrik_may_fail_nothing() -> None:
    measured = result(indrik_sync=1, gunicorn_sync=1)
    measured.of("hello", "gunicorn sync")[0].metrics["errors"] = 5
    assert measured.failures() == []
    measured.of("hello", "indrik sync")[0].metrics["errors"] = 1
    assert measured.failures() == ["indrik sync hello"]


def test_rounds_take_turns() -> None:
    options = Options((WORKLOADS["hello"], WORKLOADS["10k"]), ("indrik sync", "uwsgi"), 2, 1.0, 18100)
    order = [(start.round, start.server, [w.name for w in start.workloads]) for start in starts(options)]
    both = ["hello", "10k"]
    assert order == [(1, "indrik sync", both), (1, "uwsgi", both), (2, "indrik sync", both), (2, "uwsgi", both)]


def test_a_whole_run_is_not_too_long() -> None:
    options = Options(tuple(WORKLOADS[name] for name in DEFAULT), tuple(PEERS), None, None, 18100)
    assert estimate(options) < 25 * 60


def test_figures_are_renewed() -> None:
    text = "# Title\n\n<!-- figures: bench/run hello -->\n| old |\n|---|\n| 1 |\n<!-- end of figures -->\n\nText.\n\n"
    text += "<!-- figures: bench/run ws -->\n| ws |\n<!-- end of figures -->\n"
    got = renewed(text, result(indrik_sync=60_000, gunicorn_sync=10_000))
    assert "| old |" not in got and "| gunicorn sync | 10,000 |" in got
    assert got.startswith("# Title\n\n<!-- figures: bench/run hello -->\n|") and "|\n<!-- end of figures -->\n\nText.\n" in got
    assert got.endswith("<!-- figures: bench/run ws -->\n| ws |\n<!-- end of figures -->\n"), "what was not measured stays"
    assert renewed(got, result(indrik_sync=60_000, gunicorn_sync=10_000)) == got


def test_every_server_has_a_command(tmp_path: pathlib.Path) -> None:
    for peer in PEERS.values():
        command = peer.command(Launch("127.0.0.1:18100", tmp_path))
        assert all(isinstance(word, str) for word in command) and "18100" in " ".join(command) + nginx_conf(tmp_path)


def nginx_conf(folder: pathlib.Path) -> str:
    path = folder / "nginx.conf"
    return path.read_text() if path.exists() else ""


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
@pytest.mark.skipif(not (ROOT / "bin/indrik").exists(), reason="bin/indrik is not built (make build)")
def test_a_short_run(tmp_path: pathlib.Path) -> None:
    """Indrik, gunicorn, and a server that is not installed here: two rows with figures, one with a reason."""
    command = [sys.executable, str(ROOT / "bench/suite.py"), "--quick", "--servers", "indrik sync,gunicorn sync,bjoern"]
    done = subprocess.run([*command, "--results", str(tmp_path), "--port", "18900"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("*.json")
    measured = read(path)
    for server in ("indrik sync", "gunicorn sync"):
        (row,) = measured.of("hello", server)
        assert row.metrics["requests"] > 0 and row.metrics["cpu workers"] > 0 and row.metrics["pss"] > 1, row
    assert {"cpu gateway", "cpu master"} <= set(measured.of("hello", "indrik sync")[0].metrics)
    assert measured.reason("hello", "bjoern")
    assert "÷ gunicorn sync" in path.with_suffix(".md").read_text()
