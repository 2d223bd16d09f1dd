"""A Django site with WhiteNoise, as its documentation and many templates write it."""

import multiprocessing
import os

wsgi_app = "shop_static:application"
chdir = os.path.dirname(os.path.abspath(__file__))
pythonpath = os.path.join(os.path.dirname(chdir), "django")

workers = min(multiprocessing.cpu_count() * 2 + 1, 3)
worker_class = "gthread"
threads = 2
timeout = 120
keepalive = 5
max_requests = 1000
max_requests_jitter = 50
preload_app = True
worker_tmp_dir = "/dev/shm"

accesslog = None
errorlog = "-"
loglevel = "info"
forwarded_allow_ips = "*"
secure_scheme_headers = {"X-FORWARDED-PROTOCOL": "ssl", "X-FORWARDED-PROTO": "https", "X-FORWARDED-SSL": "on"}
raw_env = ["DJANGO_SETTINGS_MODULE=shop.settings"]
