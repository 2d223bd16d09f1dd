"""The shop of the Django tests with its files behind WhiteNoise."""

import os

from shop.wsgi import application as site
from whitenoise import WhiteNoise

HERE = os.path.dirname(os.path.abspath(__file__))


def scheme(environ, start_response):
    if environ["PATH_INFO"] == "/scheme":
        words = environ["wsgi.url_scheme"], str(environ["wsgi.multithread"]), os.environ["DJANGO_SETTINGS_MODULE"]
        body = " ".join(words).encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]
    return site(environ, start_response)


application = WhiteNoise(scheme, root=os.path.join(HERE, "files"), prefix="/static/", max_age=300)
