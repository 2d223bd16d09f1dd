"""Notes an application leaves for the test: files that appear whole."""

import os


def note(name, text=""):
    path = os.path.join(os.environ["E2E_NOTES"], name)
    half = f"{path}.{os.getpid()}"  # workers may leave the same note at the same time
    with open(half, "w") as file:
        file.write(str(text))
    os.rename(half, path)
