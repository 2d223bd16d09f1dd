import no_such_module_anywhere  # noqa: F401


def application(environ, start_response):
    return []
