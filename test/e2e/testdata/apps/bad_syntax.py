"""An application with a mistake that the parser finds. Do not format."""

def application(environ, start_response)
    return []
