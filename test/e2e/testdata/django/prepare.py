"""What is done once before a Django project is served: the tables, somebody who may
administer, and the static files in one place."""

import os

import django
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
django.setup()
call_command("migrate", run_syncdb=True, verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)

from django.contrib.auth.models import User  # noqa: E402 (there are no models before setup)

User.objects.create_superuser("keeper", password="of the tests")
