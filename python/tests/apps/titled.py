import setproctitle


def application(environ, start_response):
    start_response("200 OK", [])
    return [setproctitle.title.encode()]
