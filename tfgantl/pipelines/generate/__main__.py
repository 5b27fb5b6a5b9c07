"""`python -m tfgantl.pipelines.generate`."""

import sys

from tfgantl.pipelines.generate import main

sys.exit(main())
