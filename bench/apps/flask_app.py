"""JSON by Flask, as its documentation shows it."""

from flask import Flask

wsgi = Flask(__name__)


@wsgi.get("/")
def hello():
    return {"message": "Hello, world!", "numbers": [1, 2, 3]}
