"""Running a schedule: callbacks, checkpoints and the run directory."""
