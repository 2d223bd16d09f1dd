"""What people do with Flask."""

import os

from flask import Flask, Response, jsonify, request, send_file, session

app = Flask(__name__)
app.secret_key = "for the tests only"


@app.get("/")
def index():
    return "hello from flask"


@app.get("/json/<name>")
def json_page(name):
    return jsonify(name=name, args=request.args)


@app.post("/json")
def json_echo():
    return jsonify(got=request.get_json())


@app.post("/form")
def form():
    file = request.files.get("file")
    return jsonify(
        fields=request.form.to_dict(flat=False),
        file=None if file is None else [file.filename, len(file.read())],
    )


@app.get("/stream")
def stream():
    def parts():
        for n in range(3):
            yield f"{n}\n"

    return Response(parts(), mimetype="text/plain")


@app.get("/file")
def file():
    """Conditional and range requests are Flask's; the file itself goes by wsgi.file_wrapper."""
    return send_file(os.environ["E2E_FILE"], mimetype="application/octet-stream")


@app.get("/count")
def count():
    session["seen"] = session.get("seen", 0) + 1
    return str(session["seen"])


@app.get("/fail")
def fail():
    raise RuntimeError("flask was asked to fail")


def create_app(greeting):
    made = Flask(__name__)
    made.add_url_rule("/", view_func=lambda: greeting)
    return made
