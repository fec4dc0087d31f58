"""The errors a user of the lake can meet: one sentence each, with the place and the remedy."""


class LeamError(Exception):
    """Base of every error that the command lines print as one sentence and no traceback."""


class LakeError(LeamError):
    """A lake is missing, damaged, locked, or not what was asked for."""


class CatalogError(LeamError):
    """The catalog has mistakes, or does not know a name."""


class WeightsError(LeamError):
    """Weights are missing, damaged, or not those of the network."""


class UnusableImageError(LeamError):
    """An image that can't be used: it becomes a row with a reason and never stops a run.

    Parameters
    ----------
    reason : str
        One of ``leamstore.schema.REJECTIONS``.
    sentence : str
        What is wrong with this image, for people.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
