"""Settings of the REST API and of its schema. No environment variable changes them."""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "classifier.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "classifier.api.parsers.JSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "classifier.api.schema.ApiSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
}
DRF_STANDARDIZED_ERRORS = {"EXCEPTION_HANDLER_CLASS": "classifier.api.errors.ExceptionHandler"}
# Integrations run unattended: a token lasts until it is revoked.
REST_KNOX = {"TOKEN_TTL": None, "AUTH_HEADER_PREFIX": "Token"}
SPECTACULAR_SETTINGS = {
    "TITLE": "BrainScan API",
    "VERSION": "1",
    "DESCRIPTION": "Upload brain MR images and read their classification. Decision support, never a diagnosis.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    # Deep links would be links inside buttons.
    "SWAGGER_UI_SETTINGS": {"deepLinking": False},
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "ErrorTypeEnum": "classifier.api.schema.ERROR_TYPES",
        "ReadingEnum": "classifier.models.review.READING_CHOICES",
        "JobStateEnum": "classifier.models.leased_job.LeasedJob.State",
        "AnalysisStateEnum": "classifier.models.analysis.Analysis.State",
        "ReportArchiveKindEnum": "classifier.models.report_archive.ReportArchive.Kind",
        "CodeEnum": "classifier.input_problems.SENTENCES",
        "AnswerEnum": "classifier.models.analysis.Analysis.FINDING_CHOICES",
    },
}
