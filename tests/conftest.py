"""What all tests share: on a busy machine no example of hypothesis is late."""

from hypothesis import settings

settings.register_profile("haplane", deadline=None)
settings.load_profile("haplane")
