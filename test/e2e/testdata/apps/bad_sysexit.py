import sys

sys.exit("wrong configuration")
