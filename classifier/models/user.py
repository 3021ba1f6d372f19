"""People."""

from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.db.models.functions import Lower


class User(AbstractUser):
    """A clinician, an integrator's account or an administrator.

    The first account made on a new installation becomes its administrator: there is nobody else who could appoint
    one. Accounts of programs, which have no password and could never sign in to administer anything, do not count.
    `founder` is unique, so of two accounts made at once one is first.
    """

    email = models.EmailField("e-mail address", unique=True)
    founder = models.BooleanField(null=True, default=None, unique=True, editable=False)

    class Meta:
        db_table = "classifier_user"
        constraints = (
            # "Meyer" and "meyer" would be told apart by the machine and by nobody else.
            models.UniqueConstraint(Lower("username"), name="username_once"),
            models.UniqueConstraint(Lower("email"), name="email_once"),
        )

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the account; the first one of an installation as administrator."""
        if not self._is_first():
            super().save(*args, **kwargs)
            return
        wanted = (self.is_staff, self.is_superuser)
        self.founder, self.is_staff, self.is_superuser = True, True, True
        try:
            with transaction.atomic():
                super().save(*args, **kwargs)
        except IntegrityError:
            # Another account was first by a moment; or the name is taken, which the second try says again.
            self.founder, (self.is_staff, self.is_superuser) = None, wanted
            super().save(*args, **kwargs)

    def _is_first(self) -> bool:
        if not self._state.adding or not self.has_usable_password():
            return False
        return not User.objects.filter(Q(founder=True) | Q(is_superuser=True)).exists()

    @property
    def display_name(self) -> str:
        """The full name where one is given, else the user name."""
        return self.get_full_name() or self.username
