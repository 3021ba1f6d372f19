"""Lengths of columns that several tables, forms, and the API share. A length of one table stands in its module."""

PATIENT_REFERENCE = 64
"""Characters of a patient reference. A pseudonym is shorter; a longer text is probably a name with details."""

MODEL_NAME = 64
"""Characters of the name of a network, and of its version."""

MODEL_AND_VERSION = 2 * MODEL_NAME + 1
"""Characters of the name of a network and its version, with a colon between them."""

LANGUAGE_MODEL = 120
"""Characters of the name of a language model, as its provider spells it."""

PROVIDER_NAME = 32
"""Characters of the name of a provider of language models."""

GIVEN_NAME = 80
"""Characters of a name that people give to a team, a token, a report template, or a commissioning."""

SENTENCE = 300
"""Characters of a sentence for people that says why something failed or was refused."""

IDEMPOTENCY_KEY = 255
"""Characters of the value that a client chooses so that a repeated request is carried out once."""

EMAIL = 254
"""Characters of an e-mail address, as RFC 5321 limits them."""

FILE_NAME = 255
"""Characters of the name of a file, as on most file systems."""

SEARCH = 200
"""Characters of the text that a list is searched for."""
