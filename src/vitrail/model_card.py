"""The model card that is stored beside weights: Markdown with the YAML head of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def model_card(
    title: str,
    description: str,
    *,
    tags: Sequence[str],
    metrics: Mapping[str, str] | None = None,
    details: Sequence[str] = (),
    usage: Sequence[str] = (),
) -> str:
    """A model card.

    Args:
        description: one or two sentences on what the model is.
        tags: of the hub ("image-classification").
        metrics: name -> value with its unit, number of images and baseline.
        details: further paragraphs: training data, licence, limits.
        usage: lines of code or commands.
    """
    head = ["---", "library_name: vitrail", "tags:", *(f"- {tag}" for tag in tags), "---"]
    parts = ["\n".join(head), f"# {title}", description]
    if metrics:
        rows = [f"| {name} | {value} |" for name, value in metrics.items()]
        parts.append("\n".join(["| metric | value |", "|---|---|", *rows]))
    parts += details
    if usage:
        parts.append("Use:\n\n" + "\n".join(f"    {line}" for line in usage))
    return "\n\n".join(parts) + "\n"
