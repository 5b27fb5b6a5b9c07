"""`python -m tfgantl.pipelines.evaluate`."""

import sys

from tfgantl.pipelines.evaluate import main

sys.exit(main())
