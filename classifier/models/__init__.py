"""The database: one module an aggregate."""

from classifier.models.analysis import Analysis, ClassMaps
from classifier.models.event import Event
from classifier.models.scan import Scan
from classifier.models.team import Membership, Team
from classifier.models.user import User
from classifier.models.worker_process import WorkerProcess

__all__ = ["Analysis", "ClassMaps", "Event", "Membership", "Scan", "Team", "User", "WorkerProcess"]
