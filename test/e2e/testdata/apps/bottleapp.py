"""What people do with Bottle."""

import os

from bottle import Bottle, request, static_file

app = Bottle()


@app.get("/")
def index():
    return "hello"


@app.get("/stream")
def stream():
    for n in range(3):
        yield f"{n}\n"


@app.get("/file")
def file():
    """An open file, which Bottle gives to wsgi.file_wrapper."""
    folder, name = os.path.split(os.environ["E2E_FILE"])
    return static_file(name, root=folder)


@app.post("/json")
def json_echo():
    return {"got": request.json}


@app.post("/size")
def size():
    return {"size": len(request.body.read())}
