"""`python -m tfgantl.pipelines.edit`."""

import sys

from tfgantl.pipelines.edit import main

sys.exit(main())
