"""Settings for the rules' tests."""

from hypothesis import settings

# a busy machine, or the first import of a price table, is no failure of a rule
settings.register_profile("rules", deadline=None)
settings.load_profile("rules")
