"""Distances between sets of features, against closed forms and formulas written anew."""

import math
import sys

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from vitrail.datasets.pixels import PixelSet
from vitrail.errors import BadSetting
from vitrail.metrics import (
    METRICS,
    KernelDistance,
    SampleClassifier,
    SampleEvaluation,
    diversity,
    expected_calibration_error,
    frechet_distance,
    kernel_distance,
    prdc,
)
from vitrail.metrics.diversity import within_class_distance
from vitrail.metrics.feature_extractors import ClassifierFeatures
from vitrail.metrics.prdc import knn_radii, nearest_distances
from vitrail.metrics.real_images import RealImages
from vitrail.metrics.sample_evaluation import gan_train_score


def normal(count, size, seed, mean=0.0, spread=1.0):
    return mean + spread * torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


class TestFrechet:
    def test_it_is_the_formula_with_the_general_root(self):
        one, two = normal(60, 12, 0) @ normal(12, 12, 1), normal(50, 12, 2, mean=0.3)
        a, b = (np.cov(each.double().numpy(), rowvar=False) for each in (one, two))
        gap = (one.double().mean(0) - two.double().mean(0)).square().sum().item()
        wanted = gap + np.trace(a) + np.trace(b) - 2 * np.trace(sqrtm(a @ b)).real
        assert frechet_distance(two, one) == pytest.approx(wanted, rel=1e-6)
        assert frechet_distance(one, two) == pytest.approx(wanted, rel=1e-6)

    def test_of_known_gaussians_it_is_what_they_say(self):
        """Per dimension: (difference of means)² + (difference of deviations)²."""
        result = frechet_distance(normal(200_000, 2, 1, mean=1.0, spread=3.0), normal(200_000, 2, 0))
        assert result == pytest.approx(2 * (1 + 4), rel=0.02)

    def test_fewer_images_than_dimensions_and_equal_sets(self):
        few = normal(20, 64, 0)
        assert frechet_distance(few, few) == pytest.approx(0, abs=1e-5)
        assert np.isfinite(frechet_distance(normal(15, 64, 1), few))


class TestKernel:
    def test_it_is_the_formula_pair_by_pair(self):
        real, fake = normal(7, 4, 0), normal(7, 4, 1, mean=0.5)
        x, y = (each.double().tolist() for each in (fake, real))

        def kernel(a, b):
            return (sum(p * q for p, q in zip(a, b, strict=True)) / 4 + 1) ** 3

        def others(rows):
            pairs = [kernel(rows[i], rows[j]) for i in range(len(rows)) for j in range(len(rows)) if i != j]
            return sum(pairs) / len(pairs)

        across = [kernel(a, b) for a in x for b in y]
        wanted = others(x) + others(y) - 2 * sum(across) / len(across)
        found = kernel_distance(fake, real, size=7)
        assert found.mean == pytest.approx(wanted, rel=1e-9)
        assert found.deviation == pytest.approx(0, abs=1e-9)

    def test_equal_distributions_are_near_zero_and_others_are_not(self):
        distance = KernelDistance(normal(2000, 8, 0))
        assert abs(distance(normal(2000, 8, 1))) < 0.01
        assert distance(normal(2000, 8, 1, mean=1.0)) > 0.5

    def test_a_constant_feature_changes_the_scale_alone(self):
        """Divided by its deviation of nearly 0, it was the whole distance, 10^54."""
        real, fake = normal(200, 8, 0), normal(200, 8, 1, mean=0.3)
        without = kernel_distance(fake[:, 1:], real[:, 1:])
        real[:, 0], fake[:, 0] = 0.5, 0.5 + 1e-9
        assert kernel_distance(fake, real).mean == pytest.approx(without.mean, rel=0.3)

    def test_deviations_shrink_with_larger_subsets(self):
        real, fake = normal(400, 8, 0), normal(300, 8, 1, mean=0.3)
        small, large = (kernel_distance(fake, real, size=size) for size in (20, 150))
        assert large.deviation < small.deviation / 2
        assert large.mean == pytest.approx(small.mean, abs=small.deviation)
        assert kernel_distance(fake, real) == large  # half of the fewer, by default

    def test_many_images_give_what_few_do(self, monkeypatch):
        real, fake = normal(60, 8, 0), normal(50, 8, 1, mean=0.3)
        at_once = kernel_distance(fake, real, size=20)
        monkeypatch.setattr("vitrail.metrics.kernel.WHOLE", 10)
        subset_by_subset = kernel_distance(fake, real, size=20)
        assert subset_by_subset.mean == pytest.approx(at_once.mean, rel=1e-9)
        assert subset_by_subset.deviation == pytest.approx(at_once.deviation, rel=1e-9)

    @pytest.mark.parametrize("given", [{"size": 21}, {"size": 1}, {"subsets": 0}])
    def test_subsets_that_cannot_be(self, given):
        with pytest.raises(BadSetting):
            kernel_distance(normal(30, 3, 0), normal(20, 3, 1), **given)
        if given == {"size": 21}:
            with pytest.raises(BadSetting, match="at least 20"):
                KernelDistance(normal(30, 3, 0), size=20)(normal(10, 3, 1))


class TestNeighbours:
    def test_it_is_the_definition(self):
        real, fake, k = normal(40, 3, 0), normal(30, 3, 1, mean=0.8), 3
        r, f = real.numpy(), fake.numpy()
        across = np.linalg.norm(r[:, None] - f[None], axis=2)
        reach = np.sort(np.linalg.norm(r[:, None] - r[None], axis=2), axis=1)[:, k]
        own = np.sort(np.linalg.norm(f[:, None] - f[None], axis=2), axis=1)[:, k]
        result = prdc(fake, real, nearest=k)
        assert result.precision == pytest.approx((across <= reach[:, None]).any(axis=0).mean())
        assert result.recall == pytest.approx((across <= own[None]).any(axis=1).mean())
        assert result.density == pytest.approx((across <= reach[:, None]).sum() / (k * 30))
        assert result.coverage == pytest.approx((across.min(axis=1) <= reach).mean())

    def test_collapse_is_seen_by_coverage_and_not_by_precision(self):
        real = normal(500, 4, 0)
        repeated = real[:2].repeat(250, 1)
        result = prdc(repeated, real)
        assert result.precision == 1.0
        assert result.coverage < 0.05

    def test_tiles_change_nothing(self, monkeypatch):
        real, fake = normal(60, 5, 0), normal(50, 5, 1)
        whole = prdc(fake, real)
        monkeypatch.setattr(sys.modules["vitrail.metrics.prdc"], "ROWS", 7)
        assert prdc(fake, real) == whole

    @pytest.mark.parametrize("shift", [1e3, 1e4])
    def test_features_far_from_zero_have_the_same_neighbours(self, shift):
        """On a grid that float32 keeps there, so that nothing but the arithmetic of distances is rounded."""
        real, fake = (each.mul(64).round() / 64 for each in (normal(60, 4, 0), normal(50, 4, 1)))
        assert prdc(fake + shift, real + shift) == prdc(fake, real)

    @pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
    def test_features_of_another_type_are_compared(self, kind):
        real, fake = normal(60, 4, 0), normal(50, 4, 1)
        for result in (prdc(fake.to(kind), real), prdc(fake, real.to(kind))):
            assert vars(result) == pytest.approx(vars(prdc(fake, real)), abs=0.1)

    def test_too_few_are_refused(self):
        with pytest.raises(BadSetting, match="got 4"):
            prdc(normal(4, 2, 0), normal(40, 2, 1))

    def test_radii_are_distances_to_the_kth_other(self):
        line = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
        assert knn_radii(line, 1).tolist() == [1, 1, 2, 4]
        assert nearest_distances(torch.tensor([[2.2]]), line)[1].tolist() == [2]


class TestDiversity:
    labels = torch.arange(300) % 3

    def sets(self):
        shift = 10.0 * self.labels[:, None]
        training, held_out = normal(300, 6, 0) + shift, normal(300, 6, 1) + shift
        return training, (held_out, self.labels)

    def test_real_images_are_as_diverse_as_real_images(self):
        training, held_out = self.sets()
        result = diversity((normal(300, 6, 2) + 10.0 * self.labels[:, None], self.labels), held_out, training)
        for value in vars(result).values():
            assert value == pytest.approx(1, abs=0.12)

    def test_one_image_a_class_repeated(self):
        training, held_out = self.sets()
        result = diversity((10.0 * self.labels[:, None].expand(-1, 6).float(), self.labels), held_out, training)
        assert result.distance_ratio == pytest.approx(0, abs=1e-5)
        assert result.unique_neighbours < 0.05

    def test_copies_of_training_images(self):
        training, held_out = self.sets()
        result = diversity((training + 0.01, self.labels), held_out, training)
        assert result.novelty < 0.1
        assert result.distance_ratio == pytest.approx(1, abs=0.1)

    def test_classes_of_one_image_do_not_count(self):
        features = torch.tensor([[0.0], [2.0], [9.0]])
        assert within_class_distance(features, torch.tensor([0, 0, 1])) == 2.0
        assert within_class_distance(features, torch.tensor([0, 1, 2])) == 0.0

    def test_what_held_out_images_cannot_be_compared_by_is_no_number(self):
        """Divided by nearly 0 it would be a large one, and its inverse an alarm."""
        training, (held_out, _) = self.sets()
        alone = diversity((held_out, self.labels), (held_out, torch.arange(300)), training)
        assert math.isnan(alone.distance_ratio)
        assert alone.novelty == 1
        assert math.isnan(diversity((held_out, self.labels), (training, self.labels), training).novelty)


class TestEvaluation:
    def test_a_figure_without_a_baseline_is_left_out(self):
        """Twelve images of twelve classes: no two of a class."""
        pixels, labels = torch.randint(256, (12, 1, 16, 16), dtype=torch.uint8), torch.arange(12)
        data = PixelSet(pixels, labels, tuple("abcdefghijkl"))
        judge = SampleClassifier(size=16, channels=1, names=12)
        evaluation = SampleEvaluation(ClassifierFeatures(judge, "", 1.0, {}, 12), data, data, count=12, seed=0)
        measured = evaluation.measure(255 - pixels, labels, conditional=False)
        assert "distance-ratio" not in measured.values
        assert "distance_ratio" not in measured.ratios
        assert {"unique-neighbours", "coverage", "frechet-distance"} <= measured.values.keys()

    def test_a_generator_without_condition_is_compared_as_one_class(self):
        """Grey images of two classes, black and white: two of a class are alike, any two are not."""
        labels = torch.arange(200) % 2
        noise = torch.randint(40, (200, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        data = PixelSet(noise + 200 * labels[:, None, None, None].to(torch.uint8), labels, ("black", "white"))
        torch.manual_seed(0)
        judge = ClassifierFeatures(SampleClassifier(size=16, channels=1, names=2).eval(), "", 1.0, {}, 200)
        ratios = {}
        for by_class in (True, False):
            evaluation = SampleEvaluation(judge, data, data, count=200, seed=0, by_class=by_class)
            measured = evaluation.measure(data.images, torch.zeros(200, dtype=torch.long), conditional=False)
            assert measured.baselines["distance-ratio"] == pytest.approx(1)
            ratios[by_class] = measured.values["distance-ratio"]
        assert ratios[False] == pytest.approx(1)
        assert ratios[True] > 2

    def test_a_distance_leaves_out_features_that_are_constant_among_real_images(self):
        real, samples = normal(200, 5, 0), normal(200, 5, 1, mean=0.5)
        held_out = real, torch.zeros(200, dtype=torch.long)
        without = RealImages(real, real, held_out)
        dead, alive = torch.zeros(200, 1), 100 * torch.rand(200, 1)
        with_dead = RealImages(torch.cat([real, dead], 1), torch.cat([real, dead], 1), held_out_with(held_out, dead))
        for name in METRICS:
            found = with_dead.distance(name, torch.cat([samples, alive], 1))
            assert found == pytest.approx(without.distance(name, samples), rel=1e-5)

    def test_the_baseline_of_gan_train_is_taught_all_classes(self, monkeypatch):
        """Folders of classes are read class by class."""
        labels, taught = torch.arange(90) // 30, []
        data = PixelSet(torch.zeros(90, 1, 16, 16, dtype=torch.uint8), labels, ("a", "b", "c"))

        def train(data, **_):
            taught.append(data.labels)
            yield from ()
            return SampleClassifier(size=16, channels=1, names=3).eval(), ""

        monkeypatch.setattr("vitrail.metrics.sample_evaluation.train_sample_classifier", train)
        for _ in gan_train_score(data.images[:30], labels[:30], data, data, seed=0, device="cpu"):
            pass
        assert len(taught[1]) == 30
        assert set(taught[1].tolist()) == {0, 1, 2}


def held_out_with(held_out, column):
    features, labels = held_out
    return torch.cat([features, column], 1), labels


class TestCalibration:
    def test_rounding_does_not_lead_beyond_one(self):
        beyond = np.tile(np.array([1.0009, 0], np.float32), (4, 1))
        assert expected_calibration_error(beyond, np.ones(4, int)) == 1
