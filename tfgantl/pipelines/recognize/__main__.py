"""`python -m tfgantl.pipelines.recognize`."""

import sys

from tfgantl.pipelines.recognize import main

sys.exit(main())
