"""How well each class is recognised: its recall and its precision, the weakest class first."""

from collections.abc import Sequence

from vitrail.plots import style

_WIDTH, _ROW = 4.6, 0.27  # inches: the plotting area, the height of one class


def per_class(classes: Sequence[str], recall: Sequence[float], precision: Sequence[float], shown: int = 40) -> bytes:
    """PNG with one row per class, the lowest recall first: a dot (recall), a wider ring (precision), a line between.

    Args:
        recall: share of the class's images that were recognised, in [0, 1].
        precision: share of the images given this class that are of it, in [0, 1].
        shown: at most so many classes, the weakest.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    order = sorted(range(len(classes)), key=lambda index: recall[index])[:shown]
    figure = style.canvas(_WIDTH, len(order) * _ROW)
    axes = figure.add_axes((0, 0, 1, 1))
    style.style_axes(axes, grid="x", sides=("bottom",))
    rows = range(len(order))
    recalls, precisions = ([values[index] for index in order] for values in (recall, precision))
    axes.hlines(rows, recalls, precisions, color=style.RULE, linewidth=3)
    axes.plot(precisions, rows, "o", color="white", markeredgecolor=style.RED, markersize=9, label="precision")
    axes.plot(recalls, rows, "o", color=style.BLUE, markersize=6, label="recall")
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.set_yticks(rows, [style.label(classes[index]) for index in order])
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(right=1.015)
    style.percent_ticks(axes.xaxis)
    axes.legend(fontsize=style.SMALL, frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1.02, 1.0))
    return style.png(figure)
