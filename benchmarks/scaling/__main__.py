"""`python -m benchmarks.scaling`."""

import sys

from benchmarks.scaling import main

sys.exit(main())
