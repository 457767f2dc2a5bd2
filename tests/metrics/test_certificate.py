"""Metrics are shown only where they see what is wrong with images that were made worse."""

import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from vitrail.datasets.pixels import PixelSet
from vitrail.errors import BadSetting
from vitrail.metrics import SampleEvaluation
from vitrail.metrics.certificate import FEWEST_CERTIFIED, Certificate, certify
from vitrail.metrics.certificate_cache import open_certificate
from vitrail.metrics.degradations import DEGRADATIONS, blur, shift_colour
from vitrail.metrics.feature_extractors import ClassifierFeatures
from vitrail.metrics.frechet import FrechetDistance
from vitrail.metrics.sample_classifier import SampleClassifier
from vitrail.metrics.sample_evaluation import FEWEST_NEIGHBOURS, PRDC

SIZE = 32


def pictures(count, seed, channels=3):
    """Textures of many scales, contrasts and colours."""
    draws = torch.Generator().manual_seed(seed)
    whole = torch.zeros(count, channels, SIZE, SIZE)
    for cells in (2, 4, 8, 16, 32):
        coarse = torch.randn(count, channels, cells, cells, generator=draws)
        strength = 0.5 + torch.rand(count, 1, 1, 1, generator=draws)
        whole += strength * F.interpolate(coarse, size=(SIZE, SIZE), mode="bicubic") / cells**0.3
    return PixelSet((128 + 40 * whole).clamp(0, 255).to(torch.uint8), torch.zeros(count, dtype=torch.long))


class Seeing:
    """Features by filters of several scales: what is where, and how much detail there is."""

    name, weights_sha256, dimension, max_images = "seeing", "5ee1" * 16, 40, 10_000

    def __init__(self):
        self.passes = 0
        draws = torch.Generator().manual_seed(0)
        self.filters = torch.randn(self.dimension // 2, 3, 5, 5, generator=draws)
        self.filters -= self.filters.mean(dim=(2, 3), keepdim=True) * 0.9

    def features(self, pixels):
        self.passes += len(pixels)
        images = pixels.float().expand(-1, 3, -1, -1) / 255
        strength = F.conv2d(images, self.filters)
        half = F.conv2d(F.avg_pool2d(images, 2), self.filters)
        return torch.cat([each.abs().mean(dim=(2, 3)).add(1e-3).log() for each in (strength, half)], dim=1)


class Blind(Seeing):
    """Features of the first pixel."""

    name = "blind"

    def features(self, pixels):
        return pixels[:, :1, :1, 0].flatten(1).float().expand(-1, 8) * torch.arange(1, 9)


class Equal(Seeing):
    name = "equal"

    def features(self, pixels):
        return torch.ones(len(pixels), 8)


def made(extractor, train, held_out):
    steps = certify(extractor, train, held_out)
    fractions = []
    while True:
        try:
            fractions.append(next(steps))
        except StopIteration as ended:
            assert fractions == sorted(fractions)
            return ended.value


@pytest.fixture(scope="module")
def sets():
    return pictures(400, 0), pictures(200, 1)


@pytest.fixture(scope="module")
def certificate(sets):
    return made(Seeing(), *sets)


def test_features_that_see_are_certified(certificate):
    assert (certificate.n, certificate.size) == (128, SIZE)
    for metric in ("frechet-distance", "kernel-distance", "coverage"):
        assert certificate.refusal(metric) == ""
        for finding in certificate.findings(metric):
            if finding.degradation in (*DEGRADATIONS, "repeats"):
                assert finding.distinguished >= 1
    json.dumps(certificate.entries(), allow_nan=False)


def test_features_that_do_not_see_are_refused(sets):
    certificate = made(Blind(), *sets)
    for metric in ("frechet-distance", "kernel-distance", "precision", "coverage"):
        assert "passes for real images" in certificate.refusal(metric)
        assert certificate.scale(100.0, metric=metric) is None


def test_precision_does_not_need_to_see_repeats_and_coverage_does(certificate):
    by_name = {finding.degradation: finding for finding in certificate.findings("precision")}
    assert by_name["repeats"].distinguished == 0
    assert by_name["repeats"].passed
    assert {f.degradation: f for f in certificate.findings("coverage")}["repeats"].distinguished >= 3


def test_what_takes_blur_for_an_improvement_is_refused(certificate):
    values = {metric: list(each) for metric, each in certificate.degraded["blur"].items()}
    values["recall"] = [1.0] * 5
    changed = replace(certificate, degraded={**certificate.degraded, "blur": values}, real={"recall": [0.7, 0.72]})
    assert "taken for an improvement" in changed.refusal("recall")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([1.1, 2, 3, 4, 5], ""),
        ([1.0, 1.0, 1.0, 1.0, 5], ""),
        ([2, 3, 4, 5, 4.5], ""),  # of the worst images, who could say which is worse
        ([2, 5, 2, 3, 5], "does not worsen steadily"),
        ([5, 4, 3, 2, 1.05], "passes for real images"),
        ([1.0, 1.0, 1.0, 1.0, 1.0], "passes for real images"),
        ([0.5, 0.5, 0.5, 0.5, 0.5], "passes for real images"),
    ],
)
def test_a_metric_has_to_worsen_from_level_to_level(values, reason):
    degraded = {name: {"frechet-distance": [2, 3, 4, 5, 6]} for name in (*DEGRADATIONS, "repeats")}
    certificate = Certificate(100, 32, {"frechet-distance": [1.0, 1.1, 1.05]}, degraded)
    assert certificate.refusal("frechet-distance") == ""
    degraded["noise"] = {"frechet-distance": values}
    assert reason in certificate.refusal("frechet-distance")
    assert bool(certificate.refusal("frechet-distance")) == bool(reason)


@pytest.mark.parametrize(("training", "held_out"), [(400, FEWEST_CERTIFIED - 1), (FEWEST_CERTIFIED - 1, 200)])
def test_too_few_images_are_said(training, held_out):
    certificate = made(Seeing(), pictures(training, 0), pictures(held_out, 1))
    assert "too few" in certificate.undefined
    assert str(held_out) in certificate.undefined
    assert certificate.refusal("frechet-distance").startswith("undefined, because")
    assert certificate.entries() == []
    assert certificate.scale(1.0) is None


def test_equal_features_are_said(sets):
    assert made(Equal(), *sets).undefined == "the features of all real images are equal"


def test_features_that_are_no_numbers_are_an_error(sets):
    class Broken(Seeing):
        def features(self, pixels):
            return super().features(pixels) * float("nan")

    with pytest.raises(BadSetting, match="finite"):
        made(Broken(), *sets)


def test_copies_are_counted(sets, certificate):
    train, held_out = sets
    evaluation = SampleEvaluation(Seeing(), train, held_out, count=200, seed=0, certificate=certificate)
    for source in (train, held_out):
        samples = pictures(200, 2).images
        samples[:30] = shift_colour(source.images[:30], 1)
        found = evaluation.measure(samples, evaluation.labels, conditional=False, detailed=True)
        assert 28 <= found.near_copies <= 33
    assert (
        evaluation.measure(pictures(200, 2).images, evaluation.labels, conditional=False, detailed=True).near_copies
        <= 3
    )


def test_a_metric_that_cannot_tell_raises_no_alarm(sets, certificate):
    blind = {name: {**levels, "distance-ratio": [1.0] * 5} for name, levels in certificate.degraded.items()}
    repeated = sets[0].images[:4].repeat(50, 1, 1, 1)
    for given, missing in ((certificate, False), (replace(certificate, degraded=blind), True)):
        evaluation = SampleEvaluation(Seeing(), *sets, count=200, seed=0, certificate=given)
        found = evaluation.measure(repeated, evaluation.labels, conditional=False)
        assert ("distance-ratio" in found.refused) == missing
        assert ("distance_ratio" in found.ratios) == (not missing)


@pytest.mark.parametrize(("count", "refused"), [(FEWEST_NEIGHBOURS - 1, True), (FEWEST_NEIGHBOURS, False)])
def test_shares_of_neighbours_need_images(sets, count, refused):
    evaluation = SampleEvaluation(Seeing(), *sets, count=count, seed=0)
    found = evaluation.measure(sets[1].images[:count], evaluation.labels, conditional=False)
    names = {entry["name"] for entry in evaluation.entries(found)}
    assert names.isdisjoint(PRDC) == refused
    assert "frechet-distance" in names


def test_a_judge_confirms_labels_beside_another_network(sets):
    images = sets[0]
    labels = torch.arange(len(images)) % 2
    labelled = replace(images, labels=labels, names=("a", "b"))
    torch.manual_seed(0)
    network = SampleClassifier(size=images.size, channels=images.channels, names=2)
    judges = [ClassifierFeatures(network, "0", accuracy, {}, 200, majority=0.5) for accuracy in (0.9, 0.51)]
    confirmed = []
    for judge in judges:
        evaluation = SampleEvaluation(Seeing(), labelled, labelled, count=100, seed=0, judge=judge)
        found = evaluation.measure(images.images[:100], evaluation.labels, conditional=True)
        confirmed.append(found.label_agreement)
        assert evaluation.accuracy == judge.accuracy
    said = network.features_and_logits(images.images[:100])[1].argmax(dim=1)
    assert confirmed == [pytest.approx(float((said == evaluation.labels).float().mean())), None]


def test_the_kernel_distance_gives_a_scale_where_the_other_is_refused(sets, certificate):
    blind = {name: {**levels, "frechet-distance": [0.0] * 5} for name, levels in certificate.degraded.items()}
    certificate = replace(certificate, degraded=blind)
    evaluation = SampleEvaluation(Seeing(), *sets, count=200, seed=0, certificate=certificate)
    scale = evaluation.measure(blur(pictures(200, 2).images, 1.2), evaluation.labels, conditional=False).scale
    assert scale.metric == "kernel-distance"
    assert scale.level == pytest.approx(1.2, rel=0.25)
    assert scale.text.endswith("(KD, 128 images)")


@pytest.mark.parametrize(("last", "passes"), [(10.0, True), (8.3, True), (8.0, False), (0.5, False)])
def test_a_distance_may_fall_a_little_beyond_what_it_can_tell(last, passes):
    """By a fifth of its way from real images to the worst, wherever that lies; and its last level is not real."""
    levels = [3.0, 6.0, 10.0, 10.0, last]
    found = Certificate(64, 16, {"frechet-distance": [1.0] * 5}, {"pixelation": {"frechet-distance": levels}})
    assert (found.refusal("frechet-distance") == "") == passes


class TestScale:
    @pytest.mark.parametrize("sigma", [0.5, 0.8, 1.2, 1.8])
    def test_it_finds_the_blur_of_other_images(self, sigma, sets, certificate):
        train, held_out = sets
        evaluation = SampleEvaluation(Seeing(), train, held_out, count=200, seed=0, certificate=certificate)
        samples = blur(pictures(200, 2).images, sigma)
        scale = evaluation.measure(samples, evaluation.labels, conditional=False).scale
        assert scale.degradation == "blur"
        assert scale.level == pytest.approx(sigma, rel=0.2)
        assert scale.text.startswith("as far away as real images blurred with σ = ")

    def test_real_images_and_images_beyond_it(self, sets, certificate):
        train, held_out = sets
        evaluation = SampleEvaluation(Seeing(), train, held_out, count=200, seed=0, certificate=certificate)

        def scale(samples):
            return evaluation.measure(samples, evaluation.labels, conditional=False).scale

        assert scale(held_out.images).level is None
        assert scale(held_out.images).reached == 0
        assert scale(held_out.images).text == "no further away than real images are (FD, 128 images)"
        grey = torch.full_like(held_out.images, 128)
        assert scale(grey).text.startswith("further away than real images blurred")
        assert scale(grey).reached == 6
        strengths = DEGRADATIONS["blur"].strengths(train.size)
        reached = [scale(blur(pictures(200, 2).images, sigma)).reached for sigma in strengths]
        assert all(abs(number - place) <= 1 for place, number in enumerate(reached, 1)), reached

    def test_fewer_samples_than_it_was_made_with_have_none(self, sets, certificate):
        train, held_out = sets
        evaluation = SampleEvaluation(Seeing(), train, held_out, count=100, seed=0, certificate=certificate)
        assert evaluation.measure(held_out.images[:100], evaluation.labels, conditional=False).scale is None

    @pytest.mark.parametrize("degradation", [name for name in DEGRADATIONS if name != "pixelation"])
    def test_each_degradation_is_found_at_its_own_levels(self, degradation, sets, certificate):
        found = [
            certificate.scale(value, degradation=degradation).level
            for value in certificate.degraded[degradation]["frechet-distance"]
        ]
        strengths = DEGRADATIONS[degradation].strengths(SIZE)
        assert found[-1] == pytest.approx(strengths[-1])
        levels = [level for level in found if level is not None]
        assert levels == sorted(levels, reverse=strengths[0] > strengths[-1])


class TestEvaluation:
    def test_refused_metrics_are_left_out_and_explained(self, sets):
        train, held_out = sets
        certificate = made(Blind(), train, held_out)
        evaluation = SampleEvaluation(Blind(), train, held_out, count=64, seed=0, certificate=certificate)
        metrics = evaluation.measure(held_out.images[:64], evaluation.labels, conditional=False)
        shown = {entry["name"] for entry in evaluation.entries(metrics)}
        refused = {entry["name"]: entry for entry in evaluation.certificate_values()["refused"]}
        assert shown.isdisjoint(refused)
        assert shown | refused.keys() == metrics.values.keys()
        assert {"frechet-distance", "precision"} <= refused.keys()
        assert refused["precision"]["extractor"] == "blind"
        assert metrics.scale is None
        json.dumps(evaluation.certificate_values(), allow_nan=False)

    def test_without_a_certificate_all_are_shown(self, sets):
        evaluation = SampleEvaluation(Blind(), *sets, count=64, seed=0)
        metrics = evaluation.measure(sets[1].images[:64], evaluation.labels, conditional=False)
        assert {entry["name"] for entry in evaluation.entries(metrics)} == metrics.values.keys()
        assert evaluation.certificate_values() == {}

    def test_constant_features_are_counted_and_change_nothing(self, sets):
        class Padded(Seeing):
            def features(self, pixels):
                features = super().features(pixels)
                return torch.cat([features, torch.full((len(features), 3), 7.0)], dim=1)

        values = []
        for extractor in (Seeing(), Padded()):
            evaluation = SampleEvaluation(extractor, *sets, count=64, seed=0)
            metrics = evaluation.measure(sets[1].images[:64], evaluation.labels, conditional=False)
            values.append(metrics.values)
            constant = {entry["extractor"]["constant"] for entry in evaluation.entries(metrics)}
            assert constant == ({3} if isinstance(extractor, Padded) else {0})
        assert values[0] == values[1]

    def test_the_kernel_distance_has_its_deviation(self, sets):
        evaluation = SampleEvaluation(Seeing(), *sets, count=64, seed=0)
        metrics = evaluation.measure(sets[1].images[:64], evaluation.labels, conditional=False)
        deviations = {entry["name"]: entry.get("deviation") for entry in evaluation.entries(metrics)}
        assert deviations.pop("kernel-distance") > 0
        assert set(deviations.values()) == {None}

    def test_coverage_of_each_class(self, sets):
        train, held_out = sets
        labels = torch.arange(len(train)) % 2
        train = replace(train, labels=labels, names=("one", "other"))
        images = train.images.clone()
        images[labels == 1] //= 4  # a class of dark images
        evaluation = SampleEvaluation(Seeing(), replace(train, images=images), held_out, count=200, seed=0)
        metrics = evaluation.measure(held_out.images[:200], evaluation.labels, conditional=False, detailed=True)
        assert metrics.coverage_per_class["one"] > 0.6
        assert metrics.coverage_per_class["other"] < 0.1
        mean = sum(metrics.coverage_per_class[n] * c for n, c in zip(("one", "other"), counts(evaluation), strict=True))
        assert mean == pytest.approx(metrics.values["coverage"], abs=1e-6)

    def test_the_distance_of_the_scale_is_that_of_its_images(self, sets, certificate):
        from vitrail.metrics.certificate import certificate_images

        train, held_out = sets
        evaluation = SampleEvaluation(Seeing(), train, held_out, count=200, seed=0, certificate=certificate)
        samples = blur(pictures(200, 2).images, 1.0)
        scale = evaluation.measure(samples, evaluation.labels, conditional=False).scale
        reference = Seeing().features(certificate_images(Seeing(), train, held_out).reference)
        wanted = FrechetDistance(reference)(Seeing().features(samples[:128]))
        assert (scale.n, scale.value) == (128, pytest.approx(wanted))


def counts(evaluation):
    """Share of each class among the reference images of an evaluation."""
    labels, names = evaluation._classes
    return [float((labels == place).float().mean()) for place in range(len(names))]


CHANGES = {
    "fewer images": lambda values: values.update(n=1),
    "more images": lambda values: values.update(n=10**9),
    "another size": lambda values: values.update(size=64),
    "a reason": lambda values: values.update(undefined="no"),
    "nothing of real images": lambda values: values.update(real={}),
    "nothing of others": lambda values: values.update(degraded={}),
    "no blur": lambda values: values["degraded"].pop("blur"),
    "no distance": lambda values: values["degraded"]["noise"].pop("frechet-distance"),
    "four levels": lambda values: values["degraded"]["jpeg"]["coverage"].pop(),
    "words": lambda values: values["degraded"]["jpeg"].update(coverage=["x"] * 5),
    "truths": lambda values: values["degraded"]["jpeg"].update(coverage=[True] * 5),
    "huge": lambda values: values["degraded"]["jpeg"].update(coverage=[1e308] * 5),
    "huge and whole": lambda values: values["degraded"]["jpeg"].update(coverage=[10**400] * 5),
    "another key": lambda values: values.update(more=1),
}


class TestCache:
    def finish(self, steps):
        while True:
            try:
                next(steps)
            except StopIteration as ended:
                return ended.value

    def test_it_is_made_once(self, sets, tmp_path, certificate):
        extractor = Seeing()
        first = self.finish(open_certificate(extractor, *sets, cache=tmp_path))
        passes = extractor.passes
        assert passes > 0
        again = self.finish(open_certificate(extractor, *sets, cache=tmp_path))
        assert extractor.passes == passes
        assert first.entries() == again.entries() == certificate.entries()
        other = pictures(200, 9)
        self.finish(open_certificate(extractor, sets[0], other, cache=tmp_path))
        assert extractor.passes > passes
        assert len(list(tmp_path.iterdir())) == 2

    @pytest.mark.parametrize("content", [b"", b"nothing", b"[]", b"{}", b"3", b"null", b'{"n": 1}', b"[" * 100_000])
    def test_a_damaged_file_is_made_again(self, content, sets, tmp_path, certificate):
        extractor = Seeing()
        self.finish(open_certificate(extractor, *sets, cache=tmp_path))
        (file,) = tmp_path.iterdir()
        file.write_bytes(content)
        assert self.finish(open_certificate(extractor, *sets, cache=tmp_path)).entries() == certificate.entries()
        assert json.loads(file.read_bytes())["n"] == 128

    @pytest.mark.parametrize("change", CHANGES)
    def test_a_file_of_other_content_is_made_again(self, change, sets, tmp_path, certificate):
        self.finish(open_certificate(Seeing(), *sets, cache=tmp_path))
        (file,) = tmp_path.iterdir()
        values = json.loads(file.read_bytes())
        CHANGES[change](values)
        file.write_text(json.dumps(values))
        assert self.finish(open_certificate(Seeing(), *sets, cache=tmp_path)).entries() == certificate.entries()

    @pytest.mark.parametrize("kind", ["folder", "link"])
    def test_what_cannot_be_replaced_costs_no_result(self, kind, sets, tmp_path, certificate):
        self.finish(open_certificate(Seeing(), *sets, cache=tmp_path))
        (file,) = tmp_path.iterdir()
        file.unlink()
        file.mkdir() if kind == "folder" else file.symlink_to(tmp_path / "elsewhere")
        found = []

        def noted():
            found.append((yield from open_certificate(Seeing(), *sets, cache=tmp_path)))

        assert "continues without it" in list(noted())[-1].text
        assert found[0].entries() == certificate.entries()
        assert not (tmp_path / "elsewhere").exists()

    def test_too_few_images_are_not_kept(self, tmp_path):
        self.finish(open_certificate(Seeing(), pictures(20, 0), pictures(20, 1), cache=tmp_path))
        assert list(tmp_path.iterdir()) == []
