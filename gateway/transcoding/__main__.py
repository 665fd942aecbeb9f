"""Serves the http rules of a descriptor set: `python -m gateway.transcoding --help`."""

import sys

from gateway.transcoding.serving import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
