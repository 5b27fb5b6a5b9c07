"""`python -m tfgantl.pipelines.pretrain`."""

import sys

from tfgantl.pipelines.pretrain import main

sys.exit(main())
