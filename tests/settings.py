"""Settings of the tests: the product's own, in temporary folders, with cheap passwords and no outside broker."""

import os
import tempfile

_folder = tempfile.TemporaryDirectory(prefix="brainscan-tests-")
os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "0" * 40)
os.environ["DATA_DIR"] = _folder.name
os.environ["HTTPS"] = "0"

from brainscan.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Messages of unit tests stay in the process. The tests marked `processes` use real brokers.
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
ACCOUNT_RATE_LIMITS = False
STATIC_ROOT.mkdir(parents=True)  # noqa: F405 - WhiteNoise warns where it is missing
if EMBEDDED:  # noqa: F405
    # A file, as in production: a database in memory knows neither the write-ahead log nor waiting for a lock.
    DATABASES["default"]["TEST"] = {"NAME": os.path.join(_folder.name, "test.sqlite3")}  # noqa: F405
