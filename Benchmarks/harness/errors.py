class BenchmarkError(Exception):
    """A measurement could not be made; the text says why in one line."""


class NotHere(Exception):
    """What is to be measured is not installed, or cannot be built; the text says why in one line."""
