"""Database models, one module per aggregate."""

from classifier.models.analysis import Analysis
from classifier.models.api_token import ApiToken
from classifier.models.assistant import AssistantProvider
from classifier.models.batch import Batch, BatchFile
from classifier.models.class_maps import ClassMaps
from classifier.models.commissioning import (
    AcceptanceReport,
    Commissioning,
    CommissioningCase,
    SiteCalibration,
)
from classifier.models.conversation import Conversation, Message
from classifier.models.event import Event
from classifier.models.explanation import Explanation
from classifier.models.installation import Installation
from classifier.models.notification import Dismissal, EventCursor, Notification
from classifier.models.picture_check import AssistantTrial, PictureCheck
from classifier.models.report import Report, ReportAddendum, ReportTemplate, SignedReport
from classifier.models.report_archive import ReportArchive
from classifier.models.report_explanation import ReportExplanation
from classifier.models.review import Certainty, Diagnosis, Impression, Review
from classifier.models.scan import Scan
from classifier.models.scan_index import ScanCount, ScanText
from classifier.models.team import Membership, Team
from classifier.models.user import User
from classifier.models.webhook import Webhook, WebhookDelivery
from classifier.models.worker_process import WorkerProcess

__all__ = [
    "AcceptanceReport",
    "Analysis",
    "ApiToken",
    "AssistantProvider",
    "AssistantTrial",
    "Batch",
    "BatchFile",
    "Certainty",
    "ClassMaps",
    "Commissioning",
    "CommissioningCase",
    "Conversation",
    "Diagnosis",
    "Dismissal",
    "Event",
    "EventCursor",
    "Explanation",
    "Impression",
    "Installation",
    "Membership",
    "Message",
    "Notification",
    "PictureCheck",
    "Report",
    "ReportAddendum",
    "ReportArchive",
    "ReportExplanation",
    "ReportTemplate",
    "Review",
    "Scan",
    "ScanCount",
    "ScanText",
    "SignedReport",
    "SiteCalibration",
    "Team",
    "User",
    "Webhook",
    "WebhookDelivery",
    "WorkerProcess",
]
