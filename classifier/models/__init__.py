"""The database: one module an aggregate."""

from classifier.models.analysis import Analysis, ClassMaps
from classifier.models.scan import Scan
from classifier.models.team import Membership, Team
from classifier.models.user import User

__all__ = ["Analysis", "ClassMaps", "Membership", "Scan", "Team", "User"]
