"""Users."""

from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.db.models.functions import Lower

from classifier.models import lengths


class User(AbstractUser):
    """A clinician, an integrator's program or an administrator.

    The first account created on a new installation becomes its administrator, because no one else could appoint one.
    Accounts without a password do not count: they belong to programs and can never sign in. `founder` is unique, so
    exactly one of two accounts created at once becomes the first.
    """

    email = models.EmailField("e-mail address", max_length=lengths.EMAIL, unique=True)
    founder = models.BooleanField(null=True, default=None, unique=True, editable=False)

    sealed_reading_since = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Scans uploaded from then on stay closed until the person has recorded an impression. Empty: off.",
    )
    keep_file_names = models.BooleanField(default=False, help_text="Store the names of uploaded files.")
    time_zone = models.CharField(
        max_length=64, blank=True, help_text="Name in the IANA database. Empty: the zone of the browser."
    )
    assistant_provider = models.CharField(
        max_length=lengths.PROVIDER_NAME,
        blank=True,
        editable=False,
        help_text="The language model that the person chose last.",
    )
    assistant_image = models.BooleanField(
        default=False, editable=False, help_text="Whether the person sent the image with the last request."
    )
    notification_choices = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="By kind of notification, where it is wanted: `page`, `email`. Without an entry: on the page.",
    )

    class Meta:
        db_table = "classifier_user"
        constraints = (
            # Users do not distinguish "Meyer" from "meyer".
            models.UniqueConstraint(Lower("username"), name="username_once"),
            models.UniqueConstraint(Lower("email"), name="email_once"),
        )

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the account. Make the first one of an installation an administrator."""
        if not self._is_first():
            super().save(*args, **kwargs)
            return
        wanted = (self.is_staff, self.is_superuser)
        self.founder, self.is_staff, self.is_superuser = True, True, True
        try:
            with transaction.atomic():
                super().save(*args, **kwargs)
        except IntegrityError:
            # Another account was created a moment earlier. If the user name is taken, the second save raises again.
            self.founder, (self.is_staff, self.is_superuser) = None, wanted
            super().save(*args, **kwargs)

    def _is_first(self) -> bool:
        if not self._state.adding or not self.has_usable_password():
            return False
        return not User.objects.filter(Q(founder=True) | Q(is_superuser=True)).exists()

    @property
    def display_name(self) -> str:
        """The full name if there is one, else the user name."""
        return self.get_full_name() or self.username
