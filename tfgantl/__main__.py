"""`python -m tfgantl VERB …`, which is `tfgantl VERB …`."""

from tfgantl.command import main

main()
