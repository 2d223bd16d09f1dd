"""JSON by Django with the middleware that startproject writes, without those that need a database."""

import django
from django.conf import settings
from django.http import JsonResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a benchmark",
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
)
django.setup()


def hello(request):
    return JsonResponse({"message": "Hello, world!", "numbers": [1, 2, 3]})


urlpatterns = [path("", hello)]

from django.core.wsgi import get_wsgi_application  # noqa: E402 (it needs the settings)

wsgi = get_wsgi_application()
