"""`python -m tfgantl.pipelines.stylize`."""

import sys

from tfgantl.pipelines.stylize import main

sys.exit(main())
