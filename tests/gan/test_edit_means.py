"""Lines of a summary of edits: what was judged, how strong edits had to be, and what is not known."""

from vitrail.gan.edit_means import strength_line, success_lines


def test_an_accuracy_that_nothing_gives_is_no_number():
    changed = {name: {"n": 4, "succeeded": 3, "judge_accuracy": known} for name, known in (("a", 0.5), ("b", None))}
    assert list(success_lines(changed)) == [
        ("success, a", "3 of 4 changed (judge on real images: 50.0 %)"),
        ("success, b", "3 of 4 changed (no held-out image is so)"),
    ]
    assert list(success_lines({})) == [("success", "not measured")]


def test_strengths_and_whether_edits_show():
    entries = [{"strength": 0.25, "seen": True}, {"strength": 4.0, "seen": False}]
    assert strength_line(entries) == "0.25 to 4; the encoder of attributes sees the edit in 1 of 2"
    assert strength_line(entries[:1]).startswith("0.25; ")
