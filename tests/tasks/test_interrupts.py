"""Ctrl-C in the middle of many images: the run ends with what was finished by then."""

import json
import shutil
import signal

import pytest
from command import run

from vitrail.attacks import image_files
from vitrail.attributions import explainer
from vitrail.audit import Auditor


@pytest.fixture
def two(cat, tmp_path):
    """Two images of unlike sizes: they cannot go through together."""
    from PIL import Image

    folder = tmp_path / "two"
    folder.mkdir()
    shutil.copy(cat, folder / "a.png")
    Image.open(cat).resize((300, 240)).save(folder / "b.png")
    return folder


def interrupting(work):
    """`work` once; Ctrl-C instead of the second time."""
    calls = []

    def interrupted(*arguments, **named):
        calls.append(arguments)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return work(*arguments, **named)

    return interrupted


def stopped(task, *arguments, home):
    done = run(task, *arguments, "--json", "--run", home / "run")
    assert done.exit_code == 0, done.output
    assert "1 image was finished" in done.output
    return json.loads((home / "run" / "result.json").read_text())


def test_adversarial_images_are_kept(two, tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "quantise_result", interrupting(image_files.quantise_result))
    (image,) = stopped("attack", two, "--steps", "3", "--backbone", "tiny", home=tmp_path)["images"]
    assert (tmp_path / "run" / image["output"]).is_file()


def test_what_was_audited_counts(two, tmp_path, monkeypatch):
    monkeypatch.setattr(Auditor, "batch_size", lambda *_: 1)
    monkeypatch.setattr(Auditor, "measure", interrupting(Auditor.measure))
    options = ("--backbone", "tiny", "--linf", "0.01", "--l2", "0.1")
    assert stopped("audit", two, *options, home=tmp_path)["n"] == 1


def test_maps_of_the_first_network_are_drawn_without_the_second(cat, tmp_path, monkeypatch):
    monkeypatch.setattr(explainer, "run_gradient_pass", interrupting(explainer.run_gradient_pass))
    names = "tiny,squeezenet"
    result = stopped("explain", cat, "--backbone", names, "--no-faithfulness", home=tmp_path)
    assert [each["backbone"] for each in result["images"][0]["maps"]] == ["tiny"]
    assert (tmp_path / "run" / "plots" / "maps.png").is_file()


def test_before_anything_was_finished_it_ends_as_ever(cat, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(explainer, "run_gradient_pass", interrupted)
    assert run("explain", cat, "--run", tmp_path / "run").exit_code == 130


def test_sigterm_is_a_wish_where_it_is_taken_for_ctrl_c():
    from vitrail.interrupts import Interrupts

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGTERM)
            assert interrupts.wanted
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with Interrupts():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
