"""What people do with Falcon."""

import os

import falcon


class Page:
    def on_get(self, req, resp):
        resp.text = "hello"


class Stream:
    def on_get(self, req, resp):
        resp.stream = (f"{n}\n".encode() for n in range(3))


class File:
    def on_get(self, req, resp):
        """A file that goes by wsgi.file_wrapper."""
        path = os.environ["E2E_FILE"]
        resp.set_stream(open(path, "rb"), os.path.getsize(path))


class Json:
    def on_post(self, req, resp):
        resp.media = {"got": req.get_media()}


class Size:
    def on_post(self, req, resp):
        resp.media = {"size": len(req.bounded_stream.read())}


app = falcon.App()
for path, resource in {"/": Page(), "/stream": Stream(), "/file": File(), "/json": Json(), "/size": Size()}.items():
    app.add_route(path, resource)
