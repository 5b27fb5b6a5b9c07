"""`python -m tfgantl.pipelines.adapt`."""

import sys

from tfgantl.pipelines.adapt import main

sys.exit(main())
