class BenchmarkError(Exception):
    """A measurement could not be made; the text says why in one line."""
