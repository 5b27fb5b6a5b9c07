"""Learning rates that can be lowered in the middle of a run."""

import keras


class ScaledRate(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate, or a schedule of it, times a variable.

    Args:
        rate: Number or schedule.
        factor: Variable to multiply by.
    """

    def __init__(self, rate, factor):
        self.rate, self.factor = rate, factor

    def __call__(self, step):
        return (self.rate(step) if callable(self.rate) else self.rate) * self.factor

    def get_config(self):
        return {"rate": self.rate, "factor": float(self.factor)}
