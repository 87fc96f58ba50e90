"""`python -m model_export SOURCE --name NAME`: makes a model servable."""

import sys

from model_export.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
