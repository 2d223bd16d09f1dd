"""An echo as Flask-Sock has it: WSGI, over simple-websocket and the raw socket."""

from flask import Flask
from flask_sock import Sock

app = Flask(__name__)
sock = Sock(app)


@app.get("/")
def hello():
    return "hello"


@sock.route("/")
def echo(ws):
    while True:
        ws.send(ws.receive())
