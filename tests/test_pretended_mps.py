"""All work on a pretended GPU of Apple's: it has no float64 and no eigenvalues, and the numbers are still the CPU's."""

import math

import pytest
import torch

import vitrail
from pretended_gpu import Pretended, pretended_gpu
from pretended_work import DRAWN, QUICK, WORK, numbers, run
from vitrail.devices import check_bfloat16
from vitrail.errors import BadSetting
from vitrail.gan_training.interpolation import lerp, slerp
from vitrail.metrics import METRICS


def test_the_pretended_device_refuses_what_mps_refuses():
    with pretended_gpu("mps"):
        images = torch.rand(3, 3, device="mps")
        assert isinstance(images, Pretended)
        assert str(images.device) == "mps:0"
        assert not images.is_cuda
        assert not torch.cuda.is_available()
        for refused in (images.double, lambda: torch.zeros(2, dtype=torch.float64, device="mps")):
            with pytest.raises(TypeError, match="float64"):
                refused()
        with pytest.raises(NotImplementedError, match="MPS"):
            torch.linalg.eigh(images)
    with pretended_gpu():
        assert torch.zeros(2, dtype=torch.float64, device="cuda").is_cuda


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in WORK]
)
def test_the_numbers_are_those_of_the_cpu(name, stripes, tmp_path):
    expected = dict(numbers(run(name, "cpu", stripes, tmp_path / "cpu")))
    with pretended_gpu("mps"):
        found = dict(numbers(run(name, "mps", stripes, tmp_path / "mps")))
    assert found.keys() == expected.keys()
    far = {
        place: (value, found[place])
        for place, value in expected.items()
        if not math.isclose(value, found[place], rel_tol=1e-3, abs_tol=1e-4)
    }
    assert far == {} or name in DRAWN


@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_those_of_the_cpu(name):
    draws = torch.Generator().manual_seed(0)
    real, fake = torch.randn(64, 6, generator=draws), torch.randn(64, 6, generator=draws) + 0.5
    expected = float(METRICS[name](real)(fake))
    with pretended_gpu("mps"):
        metric = METRICS[name](real.to("mps"))
        assert float(metric(fake.to("mps"))) == pytest.approx(expected, rel=1e-3, abs=1e-5)
        with pytest.raises(BadSetting, match="on one device"):
            metric(fake)


@pytest.mark.parametrize("between", [slerp, lerp])
def test_latents_of_the_device_are_interpolated(between):
    start, end = torch.randn(2, 6, generator=torch.Generator().manual_seed(0)).unbind()
    fractions = torch.arange(5) / 4
    expected = between(start, end, fractions)
    with pretended_gpu("mps"):
        found = between(*(each.to("mps") for each in (start, end, fractions)))
        assert found.device.type == "mps"
        assert torch.equal(found.cpu(), expected)


def test_what_the_device_lacks_is_one_sentence(stripes, tmp_path, monkeypatch):
    missing = NotImplementedError(
        "The operator 'aten::linalg_eigh' is not currently implemented for the MPS device. If you want this op to be\n"
        "considered for addition please comment on an issue."
    )

    def fails(*arguments, **options):
        raise missing

    with pretended_gpu("mps"):
        monkeypatch.setattr(torch.nn.Conv2d, "forward", fails)
        with pytest.raises(BadSetting, match="'mps' lacks .*aten::linalg_eigh.* Use --device cpu.$"):
            run("classify", "mps", stripes, tmp_path / "one")
        missing = NotImplementedError("of another kind")
        with pytest.raises(NotImplementedError, match="another kind"):
            run("classify", "mps", stripes, tmp_path / "two")


def test_a_device_without_bfloat16_is_one_sentence(stripes, tmp_path, monkeypatch):
    settings = WORK["gan dcgan"][1] | {"data": str(stripes), "cache": tmp_path, "precision": "bfloat16"}
    with pretended_gpu("mps"):
        check_bfloat16("mps")
        monkeypatch.setattr(Pretended, "lacks", (torch.float64, torch.bfloat16))
        with pytest.raises(BadSetting, match="no bfloat16; got device 'mps'. Use --precision float32"):
            vitrail.run("gan-train", device="mps", run_dir=tmp_path / "run", **settings)
