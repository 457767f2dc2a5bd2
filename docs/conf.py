"""How Sphinx builds the pages: `make docs`. Nothing is fetched, and the pages ask for nothing from outside."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

from vitrail.version import __version__

project = "Vitrail"
author = "The authors of Vitrail"
copyright = "2026, the authors of Vitrail, MIT licence"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_pages",
    "docstrings",
    "mathml",
]
exclude_patterns = ["extensions"]
default_role = "code"  # docstrings write code in single backticks, as Markdown does

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # shapes are in the docstrings; jaxtyping's annotations are longer than what they say
napoleon_use_ivar = True  # autodoc lists the attributes of a dataclass already
napoleon_attr_annotations = False
napoleon_use_rtype = False

html_theme = "furo"
html_static_path = ["style"]
html_css_files = ["tables.css"]
html_title = f"Vitrail {__version__}"
html_copy_source = False
html_show_sphinx = False
