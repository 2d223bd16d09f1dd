def stamp(get_response):
    """A header on every response, to see that middleware runs."""

    def middleware(request):
        response = get_response(request)
        response["X-Stamp"] = request.method
        return response

    return middleware
