"""Leaves a thread running when it has been imported."""

import threading

import gallery

threading.Thread(target=threading.Event().wait, name="poller", daemon=True).start()
application = gallery.hello
