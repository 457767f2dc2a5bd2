"""Audit of a network on a set of images: robust accuracy, minimal perturbations, and the faithfulness of its maps."""

from typing import TYPE_CHECKING

from vitrail.registry import lazy_names

if TYPE_CHECKING:
    from vitrail.audit.measurements import Auditor as Auditor
    from vitrail.audit.measurements import audit_images as audit_images
    from vitrail.audit.result import AuditResult as AuditResult

__all__ = ["AuditResult", "Auditor", "audit_images"]

lazy_names(
    __name__,
    {
        "AuditResult": "vitrail.audit.result",
        "Auditor": "vitrail.audit.measurements",
        "audit_images": "vitrail.audit.measurements",
    },
)
