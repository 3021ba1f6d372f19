"""The API's URLs: resources end in a slash, files do not."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from classifier.api.analyses import AnalysisViewSet
from classifier.api.base import UnknownUrl
from classifier.api.batches import BatchViewSet
from classifier.api.commissioning import (
    AcceptanceReportView,
    CommissioningCasesView,
    CommissioningCloseView,
    CommissioningDetailView,
    CommissioningListView,
    SiteCalibrationView,
)
from classifier.api.conversations import ConversationViewSet, MessageViewSet
from classifier.api.disagreements import DisagreementsView
from classifier.api.explanations import ExplanationView, ExplanationViewSet
from classifier.api.export import ScanExportView
from classifier.api.mending import MendViewSet
from classifier.api.models import ModelDetailView, ModelListView, ModelsInUseView
from classifier.api.notifications import NotificationViewSet
from classifier.api.report_archives import ReportArchiveFileView, ReportArchiveView, ReportArchiveViewSet
from classifier.api.report_explanation import ReportExplanationView
from classifier.api.reports import ReportHtmlView, ReportPdfView, ReportView, ScanReportsView
from classifier.api.reviews import DiagnosisViewSet, ImpressionViewSet, ReviewViewSet
from classifier.api.scans import ScanViewSet
from classifier.api.side_by_side import AnalyzeAllView, ComparisonView
from classifier.api.site_comparison import SiteComparisonView
from classifier.api.statistics import StatisticsView
from classifier.api.webhooks import WebhookDeliveryViewSet, WebhookPingViewSet, WebhookViewSet

app_name = "api"

scans = ScanViewSet.as_view({"get": "list", "post": "create"})
scan = ScanViewSet.as_view({"get": "retrieve", "delete": "destroy"})

LISTED_AND_CREATED: dict[str, Any] = {"get": "list", "post": "create"}

urlpatterns = [
    path("v1/scans/", scans, name="scan-list"),
    path("v1/scans/export.csv", ScanExportView.as_view(), name="scan-export"),
    path("v1/scans/<uuid:pk>/", scan, name="scan-detail"),
    path("v1/scans/<uuid:pk>/image", ScanViewSet.as_view({"get": "image"}), name="scan-image"),
    path("v1/scans/<uuid:pk>/thumbnail", ScanViewSet.as_view({"get": "thumbnail"}), name="scan-thumbnail"),
    path("v1/scans/<uuid:pk>/saliency", ScanViewSet.as_view({"get": "saliency"}), name="scan-saliency"),
    path(
        "v1/scans/<uuid:pk>/analyses/",
        # A scan has few analyses: no pages, no filters.
        ScanViewSet.as_view({"get": "analyses", "post": "analyze"}, pagination_class=None, filterset_class=None),
        name="scan-analyses",
    ),
    path(
        "v1/scans/<uuid:pk>/analyses/all/",
        AnalyzeAllView.as_view(),
        name="scan-analyses-all",
    ),
    path(
        "v1/scans/<uuid:pk>/comparison/",
        ComparisonView.as_view(),
        name="scan-comparison",
    ),
    path("v1/scans/<uuid:pk>/mend/", MendViewSet.as_view({"post": "mend"}), name="scan-mend"),
    path("v1/scans/<uuid:pk>/impressions/", ImpressionViewSet.as_view(LISTED_AND_CREATED), name="scan-impressions"),
    path("v1/scans/<uuid:pk>/diagnoses/", DiagnosisViewSet.as_view(LISTED_AND_CREATED), name="scan-diagnoses"),
    path("v1/scans/<uuid:pk>/explanations/", ExplanationViewSet.as_view(LISTED_AND_CREATED), name="scan-explanations"),
    path(
        "v1/scans/<uuid:pk>/explanations/<uuid:explanation_id>/",
        ExplanationView.as_view({"get": "retrieve"}),
        name="scan-explanation",
    ),
    path(
        "v1/scans/<uuid:pk>/conversations/", ConversationViewSet.as_view(LISTED_AND_CREATED), name="scan-conversations"
    ),
    path(
        "v1/scans/<uuid:pk>/conversations/<uuid:conversation_id>/",
        ConversationViewSet.as_view({"delete": "destroy"}),
        name="scan-conversation",
    ),
    path(
        "v1/scans/<uuid:pk>/conversations/<uuid:conversation_id>/messages/",
        MessageViewSet.as_view(LISTED_AND_CREATED),
        name="scan-messages",
    ),
    path(
        "v1/scans/<uuid:pk>/conversations/<uuid:conversation_id>/messages/<uuid:message_id>/",
        MessageViewSet.as_view({"get": "retrieve"}),
        name="scan-message",
    ),
    path(
        "v1/scans/<uuid:pk>/conversations/<uuid:conversation_id>/messages/<uuid:message_id>/stop/",
        MessageViewSet.as_view({"post": "stop"}),
        name="scan-message-stop",
    ),
    path("v1/analyses/<uuid:pk>/reviews/", ReviewViewSet.as_view(LISTED_AND_CREATED), name="analysis-reviews"),
    path("v1/scans/<uuid:pk>/report.pdf", ReportPdfView.as_view(), name="scan-report-pdf"),
    path("v1/scans/<uuid:pk>/report.html", ReportHtmlView.as_view(), name="scan-report-html"),
    path("v1/scans/<uuid:pk>/reports/", ScanReportsView.as_view(), name="scan-reports"),
    path("v1/report-files/", ReportArchiveViewSet.as_view(LISTED_AND_CREATED), name="report-file-list"),
    path("v1/report-files/<uuid:pk>/", ReportArchiveView.as_view(), name="report-file"),
    path("v1/report-files/<uuid:pk>/file", ReportArchiveFileView.as_view(), name="report-file-content"),
    path("v1/reports/<uuid:pk>/", ReportView.as_view(), name="report-detail"),
    path("v1/reports/<uuid:pk>/explanation/", ReportExplanationView.as_view(), name="report-explanation"),
    path("v1/analyses/<uuid:pk>/cancel/", AnalysisViewSet.as_view({"post": "cancel"}), name="analysis-cancel"),
    path("v1/notifications/", NotificationViewSet.as_view({"get": "list"}), name="notification-list"),
    path("v1/notifications/read/", NotificationViewSet.as_view({"post": "read_all"}), name="notifications-read"),
    path(
        "v1/notifications/<int:notification_id>/read/",
        NotificationViewSet.as_view({"post": "read"}),
        name="notification-read",
    ),
    path("v1/batches/", BatchViewSet.as_view({"get": "list"}), name="batch-list"),
    path("v1/batches/<uuid:pk>/", BatchViewSet.as_view({"get": "retrieve"}), name="batch-detail"),
    path("v1/commissionings/", CommissioningListView.as_view(), name="commissioning-list"),
    path("v1/commissionings/compare/", SiteComparisonView.as_view(), name="commissioning-compare"),
    path("v1/commissionings/<uuid:pk>/", CommissioningDetailView.as_view(), name="commissioning-detail"),
    path("v1/commissionings/<uuid:pk>/cases/", CommissioningCasesView.as_view(), name="commissioning-cases"),
    path("v1/commissionings/<uuid:pk>/close/", CommissioningCloseView.as_view(), name="commissioning-close"),
    path("v1/commissionings/<uuid:pk>/calibration/", SiteCalibrationView.as_view(), name="commissioning-calibration"),
    path("v1/commissionings/<uuid:pk>/acceptance/", AcceptanceReportView.as_view(), name="commissioning-acceptance"),
    path("v1/models/", ModelListView.as_view(), name="model-list"),
    path("v1/models/in-use/", ModelsInUseView.as_view(), name="models-in-use"),
    path("v1/models/<str:name>/", ModelDetailView.as_view(), name="model-detail"),
    path(
        "v1/models/<str:name>/disagreements/<str:other>/",
        DisagreementsView.as_view(),
        name="model-disagreements",
    ),
    path("v1/statistics/", StatisticsView.as_view(), name="statistics"),
    path("v1/webhooks/", WebhookViewSet.as_view(LISTED_AND_CREATED), name="webhook-list"),
    path(
        "v1/webhooks/<uuid:webhook_id>/",
        WebhookViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="webhook-detail",
    ),
    path("v1/webhooks/<uuid:webhook_id>/ping/", WebhookPingViewSet.as_view({"post": "create"}), name="webhook-ping"),
    path(
        "v1/webhooks/<uuid:webhook_id>/deliveries/",
        WebhookDeliveryViewSet.as_view({"get": "list"}),
        name="webhook-deliveries",
    ),
    # The `path` converter does not match a line break.
    re_path(r"^v1/(?P<rest>[\s\S]*)\Z", UnknownUrl.as_view(), name="unknown"),
    path("schema/", login_required(SpectacularAPIView.as_view()), name="schema"),
    path(
        "docs/",
        login_required(SpectacularSwaggerSplitView.as_view(url_name="api:schema", template_name="api/docs.html")),
        name="docs",
    ),
]
