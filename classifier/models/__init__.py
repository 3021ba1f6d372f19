"""The database: one module an aggregate."""

from classifier.models.analysis import Analysis, ClassMaps
from classifier.models.batch import Batch, BatchFile
from classifier.models.event import Event
from classifier.models.review import Certainty, Diagnosis, Impression, Review
from classifier.models.scan import Scan
from classifier.models.team import Membership, Team
from classifier.models.user import User
from classifier.models.worker_process import WorkerProcess

__all__ = [
    "Analysis",
    "Batch",
    "BatchFile",
    "Certainty",
    "ClassMaps",
    "Diagnosis",
    "Event",
    "Impression",
    "Membership",
    "Review",
    "Scan",
    "Team",
    "User",
    "WorkerProcess",
]
