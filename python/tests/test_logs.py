"""Where logs go: files that are renamed, logging's own configuration, classes of others."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from indrik import hooks, load, logs, privileges

HERE = Path(__file__).resolve().parent.parent


def run(tmp_path: Path, settings: dict[str, Any], body: str, objects: str = "{}") -> subprocess.CompletedProcess[str]:
    """Run body in an interpreter of its own, because logging is one per process. log is the
    logger that a mold would have made of the settings."""
    start = f"""
        import json, logging, os, signal, sys
        from indrik import hooks, logfiles, logs, privileges
        cfg = hooks.Config(json.loads({json.dumps(json.dumps(settings))}), {{}})
        log = logs.boot(cfg, {objects}, privileges.Identity(), "app:app")
        errors = logs.Errors(log)
    """
    program = textwrap.dedent(start) + textwrap.dedent(body)
    environ = {**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{tmp_path}"}
    return subprocess.run(
        [sys.executable, "-c", program], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )


def test_lines_have_gunicorns_form(tmp_path: Path) -> None:
    told = run(tmp_path, {}, 'log.info("one %s", 1); log.debug("not this")').stderr
    stamp, rest = told[:27], told[27:]
    assert stamp[0] == "[" and stamp[-1] == "]" and rest.startswith(" [") and rest.endswith("] [INFO] one 1\n")


def test_errorlog_takes_lines_and_wsgi_errors(tmp_path: Path) -> None:
    body = """
        errors.write("raw\\n")
        errors.writelines(["a\\n", "b\\n"])
        errors.flush()
        errors.report("request failed:\\ntrace\\n")
    """
    assert run(tmp_path, {"errorlog": "log"}, body).stderr == ""
    text = (tmp_path / "log").read_text()
    assert text.startswith("raw\na\nb\n[") and text.endswith("[ERROR] request failed:\ntrace\n")


def test_output_is_captured_only_into_a_file(tmp_path: Path) -> None:
    body = 'print("by the application"); os.system("echo by a program"); sys.stdout.flush()'
    told = run(tmp_path, {"errorlog": "log", "capture_output": True}, body)
    assert told.stdout == "" and sorted((tmp_path / "log").read_text().splitlines()) == [
        "by a program",
        "by the application",
    ]
    assert run(tmp_path, {"capture_output": True}, body).stdout


def test_rotation_loses_nothing(tmp_path: Path) -> None:
    """Renamed under the writer again and again: each line is in one file, whole."""
    body = """
        import threading, time
        logfiles.hear_reopen(log)
        done = threading.Event()

        def rotate():
            for i in range(20):
                os.rename("log", f"log.{i}")
                os.kill(os.getpid(), signal.SIGUSR1)
                while not os.path.exists("log"):
                    time.sleep(0.001)
                time.sleep(0.01)
            done.set()

        thread = threading.Thread(target=rotate)
        thread.start()
        count = 0
        while not done.is_set():
            count += 1
            log.info("line %d", count)
            sys.stdout.write(f"printed {count}\\n")
            sys.stdout.flush()
        thread.join()
        os.write(3, str(count).encode())
    """
    read, write = os.pipe()
    program = "import os; os.dup2(%d, 3)\n" % write  # noqa: UP031
    os.set_inheritable(write, True)
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            program
            + textwrap.dedent(
                """
                import json, logging, os, signal, sys
                from indrik import hooks, logfiles, logs, privileges
                cfg = hooks.Config({"errorlog": "log", "capture_output": True}, {})
                log = logs.boot(cfg, {}, privileges.Identity(), "app:app")
                """
            )
            + textwrap.dedent(body),
        ],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        pass_fds=(write,),
    )
    os.close(write)
    count = int(os.read(read, 100) or b"0")
    os.close(read)
    assert told.returncode == 0 and count > 20, told
    files = list(tmp_path.glob("log*"))
    assert len(files) == 21
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert sorted(line for line in lines if line.startswith("printed")) == sorted(
        f"printed {i + 1}" for i in range(count)
    )
    assert sorted(int(line.split()[-1]) for line in lines if line.startswith("[")) == list(range(1, count + 1))


def test_a_file_that_cannot_be_reopened_is_kept(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    body = """
        logfiles.hear_reopen(log)
        os.rename("logs", "gone")
        os.kill(os.getpid(), signal.SIGUSR1)
        log.info("after")
    """
    told = run(tmp_path, {"errorlog": "logs/log"}, body)
    text = (tmp_path / "gone" / "log").read_text()
    assert told.returncode == 0 and "log file could not be reopened" in text and text.endswith("[INFO] after\n")


INI = """
[loggers]
keys=root, gunicorn.error
[handlers]
keys=file
[formatters]
keys=short
[logger_root]
handlers=
[logger_gunicorn.error]
handlers=file
qualname=gunicorn.error
level=WARNING
propagate=0
[handler_file]
class=FileHandler
formatter=short
args=("%(here)s/ini.log",)
[formatter_short]
format=ini %(message)s
"""


def described(name: str) -> dict[str, Any]:
    return {
        "formatters": {"short": {"format": name + " %(message)s"}},
        "handlers": {"file": {"class": "logging.FileHandler", "filename": f"{name}.log", "formatter": "short"}},
        "root": {"handlers": ["file"]},
        "loggers": {"gunicorn.error": {"handlers": ["file"], "level": "WARNING", "propagate": False}},
    }


def test_logconfig_in_order_of_precedence(tmp_path: Path) -> None:
    (tmp_path / "ini").write_text(INI)
    (tmp_path / "json").write_text(json.dumps(described("json")))
    ini, js = {"logconfig": str(tmp_path / "ini")}, {"logconfig_json": "json"}
    body = 'log.info("not this"); log.error("told"); errors.write("raw\\n"); logging.getLogger("app").warning("theirs")'
    for settings, objects, name in (
        (ini, "{}", "ini"),
        ({**ini, **js}, "{}", "json"),
        ({**ini, **js}, "{'logconfig_dict': %r}" % described("dict"), "dict"),  # noqa: UP031
    ):
        told = run(tmp_path, settings, body, objects)
        assert told.returncode == 0, told.stderr
        found = {path.name for path in tmp_path.glob("*.log")}
        assert found == {f"{name}.log"}
        text = (tmp_path / f"{name}.log").read_text()
        assert text.startswith(f"{name} told\nraw\n") and "not this" not in text
        (tmp_path / f"{name}.log").unlink()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"logconfig": "none.ini"}, "logconfig 'none.ini' cannot be used: [Errno 2]"),
        ({"logconfig_json": "none.json"}, "logconfig_json 'none.json' cannot be used: [Errno 2]"),
        ({"logconfig_json": "bad"}, "logconfig_json 'bad' cannot be used: Expecting"),
        ({"logconfig": "bad"}, "logconfig 'bad' cannot be used: "),
        ({"errorlog": "none/log"}, "errorlog: [Errno 2]"),
        ({"logger_class": "nothing"}, "not the dotted name of a class"),
        ({"logger_class": "no.such.Class"}, "'no.such.Class' cannot be imported: No module named 'no'"),
        ({"logger_class": "logging.Handler"}, "has no debug, info"),
        ({"logger_class": "bad_logger.Bad"}, "cannot be made: "),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, settings: dict[str, Any], says: str) -> None:
    (tmp_path / "bad").write_text("not this {")
    (tmp_path / "bad_logger.py").write_text(
        "from indrik import logs\nclass Bad(logs.Logger):\n    def setup(self, cfg): raise ValueError('as it is')\n"
    )
    told = run(tmp_path, settings, "")
    assert told.returncode == 1 and "indrik.load.Failure: " in told.stderr and says in told.stderr, told.stderr


def test_classes_of_others(tmp_path: Path) -> None:
    """One that knows nothing of us, and one of ours that was extended."""
    (tmp_path / "theirs.py").write_text(
        textwrap.dedent(
            """
            from indrik import logs

            class Foreign:
                def __init__(self, cfg):
                    self.lines = [f"{cfg.user} {cfg.accesslog} {cfg.proc_name} {cfg.loglevel}"]
                def error(self, msg, *args, **kwargs):
                    self.lines.append(msg % args)
                debug = info = warning = critical = exception = error
                def log(self, lvl, msg, *args, **kwargs):
                    self.error(msg, *args)

            class Extended(logs.Logger):
                def setup(self, cfg):
                    super().setup(cfg)
                    self.error_log.handlers[0].setFormatter(logs.logging.Formatter("mine %(message)s"))
            """
        )
    )
    body = 'errors.report("oh\\n"); errors.write("raw\\n"); print(log.lines)'
    told = run(tmp_path, {"logger_class": "theirs.Foreign", "loglevel": "info"}, body)
    assert told.stdout == f"['{os.geteuid()} None app:app info', 'oh']\n" and told.stderr == "raw\n"
    told = run(tmp_path, {"logger_class": "theirs:Extended"}, 'log.error("oh")')
    assert told.stderr == "mine oh\n", told
    told = run(tmp_path, {}, 'log.error("oh")', "{'logger_class': __import__('theirs').Extended}")
    assert told.stderr == "mine oh\n"


def test_gunicorns_own_class_if_it_is_there(tmp_path: Path) -> None:
    pytest.importorskip("gunicorn.glogging")
    (tmp_path / "custom.py").write_text("from gunicorn.glogging import Logger\nclass Mine(Logger):\n    pass\n")
    settings = {
        "errorlog": "log", "capture_output": True, "loglevel": "info", "logconfig": None, "logconfig_json": None,
        "syslog": False, "logger_class": "custom.Mine",
    }  # fmt: skip
    body = """
        logfiles.hear_reopen(log)
        log.info("one")
        os.rename("log", "log.1")
        os.kill(os.getpid(), signal.SIGUSR1)
        log.info("two")
        print("three", flush=True)
    """
    told = run(tmp_path, settings, body)
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "log.1").read_text().endswith("[INFO] one\n")
    assert "[INFO] two" in (tmp_path / "log").read_text() and "three" in (tmp_path / "log").read_text()


def test_syslog_gets_gunicorns_form(tmp_path: Path) -> None:
    path = str(tmp_path / "syslog")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(path)
        daemon.settimeout(10)
        settings = {
            "syslog": True,
            "syslog_addr": f"unix://{path}",
            "syslog_facility": "local3",
            "syslog_prefix": "shop",
        }
        told = run(tmp_path, settings, 'log.error("oh")')
        message = daemon.recv(1000).decode()
    assert (
        message.startswith("<155>gunicorn.shop.error: [") and message.endswith("] oh") and "[ERROR] oh" in told.stderr
    )


def test_syslog_by_stream_ends_messages(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as daemon:
        address = f"tcp://127.0.0.1:{daemon.getsockname()[1]}"
        settings = {"syslog": True, "syslog_addr": address, "syslog_facility": "user", "syslog_prefix": None}
        run(tmp_path, settings, 'log.error("one\\ntwo"); log.error("three")')
        with daemon.accept()[0] as conn, conn.makefile() as lines:
            got = lines.read().splitlines()
    assert [line.split("] ")[1] for line in got] == ["one#012two", "three"] and "<11>gunicorn.app.app.error: [" in got[
        0
    ]


def test_numbers(tmp_path: Path) -> None:
    path = str(tmp_path / "dsd")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(path)
        daemon.settimeout(10)
        body = """
            log.error("e"); log.warning("w"); log.critical("c")
            try:
                1 / 0
            except ZeroDivisionError:
                log.exception("x")
            log.info("", extra={"metric": "orders", "value": 3, "mtype": "gauge"})
            log.info("told", extra={"metric": "took", "value": 1.5, "mtype": "timer"})
            os.unlink(sys.argv[1] if len(sys.argv) > 1 else "dsd")
            log.error("nobody listens")
        """
        settings = {"statsd_host": f"unix://{path}", "statsd_prefix": "shop.", "dogstatsd_tags": "a:b"}
        told = run(tmp_path, settings, body)
        names = ["log.error:1|c", "log.warning:1|c", "log.critical:1|c", "log.exception:1|c"]
        want = [f"shop.gunicorn.{name}|#a:b" for name in names] + ["shop.orders:3|g|#a:b", "shop.took:1.5|ms|#a:b"]
        assert [daemon.recv(1000).decode() for _ in want] == want
    lines = [line for line in told.stderr.splitlines() if line.startswith("[")]
    assert len(lines) == 6 and "told" in lines[4], told.stderr


def test_the_failure_is_that_of_a_boot(tmp_path: Path) -> None:
    cfg = hooks.Config({"logger_class": "no.Such"}, {})
    with pytest.raises(load.Failure) as caught:
        logs.boot(cfg, {}, privileges.Identity(), "app")
    assert caught.value.stage == "boot"
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL and logging.getLogger().handlers is not None
