"""`python -m tfgantl.pipelines.imagine`."""

import sys

from tfgantl.pipelines.imagine import main

sys.exit(main())
