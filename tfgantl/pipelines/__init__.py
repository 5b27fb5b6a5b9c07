"""One module or folder a verb, all of one pattern; each parses its options before it imports TensorFlow.

A verb offers `<Verb>Config`, a frozen dataclass whose fields are the options; a function of the name of the verb, from
configuration to result, which reads as the steps it takes; and `main(arguments)`. A folder has these in `__init__.py`,
and a file for each step: `preparation.py`, `training.py`, `evaluation.py`, `report.py`, `publishing.py`, `results.py`.

What verbs share: `settings.py` (options), `budget.py` (time → steps), `session.py` (how a run begins and ends),
`results.py` (what verbs return), `measurement.py` (on what generators are measured), `saving.py` (networks of a run),
`keywords.py` (keyword arguments → configuration).
"""

from tfgantl import interrupts

if interrupts.is_program():  # `python -m tfgantl.pipelines.VERB`, of which nothing else has been imported yet
    interrupts.exit_at_once()
