"""Every figure: a PNG with ink on it, none of it at the border, whatever the names are."""

import os
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from vitrail import plots
from vitrail.errors import MissingExtra
from vitrail.plots import Axis, Guess, Interval, Line, Panel, Scale, Score, SmallMultiple, style

NAMES = [
    "$x_1$ and an unmatched $ \\frac{",
    "<script>alert(1)</script>",
    "W" * 300,
    "מחתרת עברית",
    "قطة صغيرة",
    "漢字の名前",
    "new\nline\ttab\x00",
    "e\u202egnp.exe",
    "half \ud83d",
    "",
]
COUNT = len(NAMES)
PHOTO = np.tile(np.arange(120, dtype=np.uint8)[:, None, None], (1, 90, 3))
SHARES = np.linspace(0.5, 1, COUNT).tolist()

FIGURES: dict[str, Callable[[list[str]], bytes]] = {
    "top_bars": lambda names: plots.top_bars([Guess(PHOTO, names, SHARES, names[0]), Guess(PHOTO, names, SHARES)]),
    "confusion": lambda names: plots.confusion(np.eye(COUNT, dtype=int) * 9 + 1, names),
    "curve": lambda names: plots.curve(
        [Line([0, 1, 2], [0.1, 0.2, 0.9], name, [0.1, 0.1, 0.1]) for name in names],
        Axis(names[0], names[1], percent_y=True, x_names=names[:3]),
        marks={names[2]: 1.0},
    ),
    "comparison": lambda names: plots.comparison([Interval(name, 0.5, 0.4, 0.6) for name in names]),
    "per_class": lambda names: plots.per_class(names, SHARES, SHARES[::-1]),
    "panels": lambda names: plots.panels(
        [[Panel(PHOTO, (name, name)) for name in names[:4]], [Panel(PHOTO.transpose(1, 0, 2), tuple(names[4:]))]],
        names[:4],
        [Scale(False), Scale(True)],
    ),
    "small_multiples": lambda names: plots.small_multiples(
        [
            SmallMultiple(
                name,
                [Line([1, 2], [0.1, 9.0], name), Line([2], [1.0], name)],
                [Line([1], [3.0])],
                {name: 4.0},
                str(index % 2),
            )
            for index, name in enumerate(names)
        ],
        Axis(names[0], names[1], log_y=True),
    ),
    "scores": lambda names: plots.scores(
        names, [Score(names[2], SHARES, SHARES[::-1]), Score(names[0], [None, float("nan"), *SHARES[2:]], (), "low")]
    ),
    "contact_sheet": lambda names: plots.contact_sheet([PHOTO] * COUNT, names, 4),
}


def decoded(png: bytes) -> np.ndarray:
    with Image.open(BytesIO(png), formats=["PNG"]) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture(params=sorted(FIGURES))
def draw(request: pytest.FixtureRequest) -> Callable[[list[str]], bytes]:
    return FIGURES[request.param]


def test_nothing_is_cut_whatever_the_names(draw: Callable[[list[str]], bytes]) -> None:
    pixels = decoded(draw(NAMES))
    assert np.unique(pixels).size > 10
    for edge in (pixels[:3], pixels[-3:], pixels[:, :3], pixels[:, -3:]):
        assert (edge == 255).all()


def test_equal_input_gives_equal_bytes(draw: Callable[[list[str]], bytes]) -> None:
    names = [f"class {index}" for index in range(COUNT)]
    assert draw(names) == draw(names)


def test_a_name_is_drawn_and_not_set_as_a_formula() -> None:
    def width(name: str) -> int:
        return decoded(plots.comparison([Interval(name, 0.5, 0.4, 0.6)])).shape[1]

    # As a formula, the dollars vanish and the parts shrink: the name would be narrower than one dollar more.
    assert width("$x^{abc}_{abc}$") > width("x^{abc}_{abc}") + 10


def test_figures_leave_matplotlib_as_it_was(
    draw: Callable[[list[str]], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib

    def settings() -> dict[str, object]:
        # To ask for the backend is to choose one, and that imports pyplot.
        return {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}

    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    before = settings()
    draw(NAMES)
    assert settings() == before
    assert "matplotlib.pyplot" not in sys.modules


def test_without_matplotlib_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"need matplotlib.*vitrail\[report\]"):
        plots.comparison([Interval("run", 0.5, 0.4, 0.6)])


def test_the_ramp_darkens_in_equal_steps() -> None:
    from skimage.color import rgb2lab

    rgb = np.array([[int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)] for colour in style.RAMP])
    steps = np.diff(rgb2lab(rgb[None])[0, :, 0])
    assert np.ptp(steps) < 1.0
    assert steps.mean() < -9


@pytest.mark.parametrize(("classes", "widest"), [(2, 600), (25, 1500), (26, 900), (130, 1500), (400, 1500)])
def test_a_confusion_map_fits_a_screen_for_any_number_of_classes(classes: int, widest: int) -> None:
    pixels = decoded(plots.confusion(np.eye(classes, dtype=int), [f"class {index}" for index in range(classes)]))
    assert 200 < pixels.shape[1] < widest


def test_confusion_colours_follow_the_share_of_the_true_class() -> None:
    pixels = decoded(plots.confusion(np.array([[900, 100], [0, 0]]), ["a", "b"]))

    def lit(colour: np.ndarray) -> int:
        return int((np.abs(pixels.astype(int) - 255 * colour[:3]).max(axis=2) < 3).sum())

    ramp = style.ramp()
    # Four equal cells: 90 % and 10 % of the first class (on a square root scale), and a second class without images.
    cells = [lit(np.array(ramp(share**0.5))) for share in (0.9, 0.1)]
    assert cells[0] == pytest.approx(cells[1], rel=0.1)
    assert lit(np.array(ramp(0.0))) == pytest.approx(2 * cells[0], rel=0.15)


def test_per_class_shows_the_weakest_when_there_are_too_many() -> None:
    recall = np.linspace(1, 0.5, 100).tolist()
    names = ["w" * 30] * 98 + ["weak"] * 2  # only the two weakest have short names
    few = decoded(plots.per_class(names, recall, recall, shown=2))
    many = decoded(plots.per_class(names, recall, recall, shown=3))
    assert few.shape[1] < many.shape[1] - 100


@pytest.mark.parametrize("settings", ["text.usetex: True\n", b"\xff\xfe\x00", None], ids=["latex", "garbage", "pipe"])
def test_settings_of_matplotlib_in_the_current_folder_are_not_read(settings, tmp_path):
    place = tmp_path / "matplotlibrc"
    if settings is None:
        os.mkfifo(place)
    else:
        place.write_bytes(settings if isinstance(settings, bytes) else settings.encode())
    code = "from vitrail.plots import confusion; import numpy; confusion(numpy.eye(2, dtype=int), ('a', 'b'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
