"""`python -m benchmarks.crossmodal`."""

import sys

from benchmarks.crossmodal import main

sys.exit(main())
