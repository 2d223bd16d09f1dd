"""What the figures were measured on, and the versions of everything."""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import platform
import subprocess

from servers import PEERS, ROOT

FRAMEWORKS = ("flask", "django", "fastapi", "uvloop", "httptools", "gunicorn_h1c")


def describe() -> dict[str, str]:
    info = pathlib.Path("/proc/cpuinfo").read_text()
    names = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    return {
        "processors": f"{len(os.sched_getaffinity(0))} of {names[0] if names else platform.machine()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') >> 30} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "commit": first_line(["git", "-C", str(ROOT), "describe", "--always", "--dirty"]),
    }


def versions() -> dict[str, str]:
    """Of Indrik, the peers, the frameworks and the load generators; what is not installed is not there."""
    found = {"indrik": first_line([str(ROOT / "bin/indrik"), "--version"]).removeprefix("indrik ")}
    for name in dict.fromkeys([*(peer.package for peer in PEERS.values()), *FRAMEWORKS]):
        if name in ("", "nginx"):
            continue
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass  # its rows say so
    found["nginx"] = first_line(["nginx", "-v"]).removeprefix("nginx version: nginx/")
    found["wrk"] = first_line(["wrk", "-v"]).removeprefix("wrk ").partition(" [")[0]
    found["h2load"] = first_line(["h2load", "--version"]).removeprefix("h2load ")
    return {name: version for name, version in found.items() if version}


def first_line(command: list[str]) -> str:
    """Of what it prints, to either output; nothing if it is not there."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.partition("\n")[0].strip()
