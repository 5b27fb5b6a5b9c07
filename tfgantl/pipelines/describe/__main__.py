"""`python -m tfgantl.pipelines.describe`."""

import sys

from tfgantl.pipelines.describe import main

sys.exit(main())
