"""The Flask application that the units serve in the lab."""

import os
import subprocess
import sys
import time

from flask import Flask, Response

app = Flask(__name__)


@app.get("/")
def hello():
    return "hello from flask\n"


@app.get("/environment")
def environment():
    return "\n".join(sorted(os.environ)) + "\n"


@app.get("/leave-behind")
def leave_behind():
    """Start a process that does everything to outlive its worker."""
    return str(subprocess.Popen(["sleep", "600"], start_new_session=True).pid)


@app.get("/slow")
def slow():
    # The test waits for this line in the journal before it stops the service.
    print("slow request begun", file=sys.stderr, flush=True)
    time.sleep(2)
    return "slow but whole\n"


@app.get("/slow-stream")
def slow_stream():
    def body():
        yield "first\n"
        time.sleep(2)
        yield "last\n"

    return Response(body(), mimetype="text/plain")
