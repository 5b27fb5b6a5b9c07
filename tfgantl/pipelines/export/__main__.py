"""`python -m tfgantl.pipelines.export`."""

import sys

from tfgantl.pipelines.export import main

sys.exit(main())
