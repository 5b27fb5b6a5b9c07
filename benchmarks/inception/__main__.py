"""`python -m benchmarks.inception`."""

import sys

from benchmarks.inception import main

sys.exit(main())
