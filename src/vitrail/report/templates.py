"""The pages' templates, opened so that nothing in a run can become markup."""

from typing import TYPE_CHECKING, Any

from vitrail.errors import MissingExtra
from vitrail.plots.labels import readable

if TYPE_CHECKING:
    import jinja2


def template(name: str) -> "jinja2.Template":
    """The template in the file `name` of this room.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    try:
        import jinja2
        from markupsafe import Markup
    except ImportError:
        sentence = "Reports need jinja2, which is not installed; pip install 'vitrail[report]' brings it."
        raise MissingExtra(sentence) from None

    def show(value: Any) -> Any:
        # Autoescaping makes "<" harmless; a mark that turns the run direction, or half of a pair, needs more.
        return readable(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    loader = jinja2.PackageLoader("vitrail", "report")
    setup = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, finalize=show, trim_blocks=True
    )
    setup.lstrip_blocks = True
    style, _, _ = loader.get_source(setup, "page.css")
    setup.globals["style"] = Markup(style)
    # Base64 of our own making: safe as it is, and far too long to look at character by character.
    setup.filters["source"] = Markup
    return setup.get_template(name)
