"""Indrik and its peers in one run: who serves the same application faster, with less, and more steadily.

    bench/run                          # everything, some 25 minutes on two processors
    bench/run hello flask         # these workloads; --list names them
    bench/run --servers indrik,granian # whose names begin so
    bench/run --quick                  # hello, once and short: does it all work?
    bench/run --publish RESULT.json    # put its figures into README.md and docs/

In each round every server gets its turn, so that a machine that becomes slower
does so for all; figures are medians of the rounds. A server that does not run is
a row that says why. Writes JSON, a table in Markdown and plots to bench/results.
Exit status 1 if Indrik failed anything: a request, or a workload.
"""

from __future__ import annotations

import argparse
import pathlib
import resource
import sys
import tempfile

import machine
import report
from plots import plot_all
from publish import publish
from results import Result
from schedule import Options, certificate, estimate, run
from servers import PEERS
from workloads import DEFAULT, WORKLOADS


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help="all of --list if none is named")
    parser.add_argument("--servers", default="", metavar="NAMES", help="beginnings of names, with commas between them")
    parser.add_argument("--rounds", type=int, help="of every workload, instead of its own number")
    parser.add_argument("--seconds", type=float, help="of load, instead of each workload's own")
    parser.add_argument("--quick", action="store_true", help="one round of one second; hello if no workload is named")
    parser.add_argument("--port", type=int, default=18100, help="the first of those that are used (default 18100)")
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path(__file__).parent / "results", metavar="DIRECTORY")
    parser.add_argument("--list", action="store_true", help="name the workloads and how long they take")
    parser.add_argument("--publish", type=pathlib.Path, metavar="RESULT.json", help="measure nothing: renew the documents from this")
    args = parser.parse_args()
    if unknown := set(args.workloads) - set(WORKLOADS):
        parser.error(f"no workload: {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    wanted = [name for name in args.servers.split(",") if name]
    args.peers = [name for name in PEERS if not wanted or name.startswith(tuple(wanted))]
    if not args.peers:
        parser.error(f"no server begins with {args.servers}; there are {', '.join(PEERS)}")
    return args


def main() -> int:
    args = arguments()
    if args.publish:
        return publish(args.publish)
    names = args.workloads or (["hello"] if args.quick else DEFAULT)
    rounds, seconds = (1, args.seconds or 1.0) if args.quick else (args.rounds, args.seconds)
    options = Options(tuple(WORKLOADS[name] for name in names), tuple(args.peers), rounds, seconds, args.port)
    if args.list:
        for workload in options.workloads:
            alone = Options((workload,), options.peers, rounds, seconds, args.port)
            print(f"{workload.name:12s} {estimate(alone):5.0f} s  {workload.what}")
        print(f"{'together':12s} {estimate(options):5.0f} s")
        return 0
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # thousands of connections, here and in the servers
    result = Result(machine.describe(), machine.versions(), list(names))
    with tempfile.TemporaryDirectory() as folder:
        certificate(pathlib.Path(folder))
        try:
            run(options, pathlib.Path(folder), result)
        except KeyboardInterrupt:
            print("interrupted: what was measured is written", file=sys.stderr)
    path = result.write(args.results)
    plots = plot_all(result, path.with_suffix(""))
    text = report.markdown(result, {name: plot.name for name, plot in plots.items()})
    path.with_suffix(".md").write_text(text)
    print(f"\n{text}\nwritten: {path}, {path.with_suffix('.md')}")
    return 1 if result.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
