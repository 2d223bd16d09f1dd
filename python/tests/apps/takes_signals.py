"""An application that takes the signals for itself while it is imported."""

import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)

from gallery import shop as application  # noqa: E402, F401
