"""The modules of the suite stand beside each other in the directory above."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
