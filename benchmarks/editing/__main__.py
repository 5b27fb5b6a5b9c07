"""`python -m benchmarks.editing`."""

import sys

from benchmarks.editing import main

sys.exit(main())
