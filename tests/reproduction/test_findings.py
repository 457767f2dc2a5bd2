"""What a reproduction says follows from the figures: both outcomes of every sentence, on made-up results."""

import pytest

from vitrail.reproduction import conditional_gan_findings, explain_findings, gan_findings, transfer_findings
from vitrail.reproduction.gan_steps import balance, distance_against


def said(words):
    return " ".join(words.sentences)


def transfer(accuracy=0.9, *, backbone="vgg16", head="svm", curve=((0.1, 0.7), (1, 0.9), (10, 0.9)), low=0.85):
    return {
        "choice": {"backbone": backbone, "layer": "relu7", "head": head},
        "test": {"accuracy": accuracy, "interval": [low, 0.95], "per_class": [{"name": "coast"}, {"name": "Desk"}]},
        "curve_C": [{"C": C, "accuracy": value} for C, value in curve],
        "seconds": {"total": 10.0},
    }


def classified(*indices, folder="photographs", sure=0.9, backbone="squeezenet"):
    ending = ".png" if folder == "grey" else ""
    images = [
        {"file": f"/{folder}/{k}.jpg{ending}", "top": [{"index": i, "probability": sure}, {"index": 7}]}
        for k, i in enumerate(indices)
    ]
    return {"backbone": [{"name": backbone}], "images": images}


def trained(*, loss=0.5, real=0.8, fake=0.3, distance=50.0, agreement=0.95, pace=100.0, novelty=1.0, alarms=()):
    metrics = [
        {"name": "frechet-distance", "label": "FD[judge, 128, 800]", "value": distance, "baseline": 10.0},
        {"name": "coverage", "label": "coverage", "value": 0.5, "baseline": 0.9},
        {"name": "novelty", "label": "novelty", "value": novelty, "baseline": 1.0},
    ]
    means = {"discriminator_loss": loss, "generator_loss": 1.0, "d_real": real, "d_fake_before_g": fake}
    return {
        **{"task": "gan-train", "metrics": metrics, "last_epoch": means, "alarms": [{"name": name} for name in alarms]},
        **{"epochs": 3, "steps": 300, "best": {"epoch": 2}, "seconds": {"total": 9.0}, "images_per_second": pace},
        **{"label_agreement": agreement, "judge": {"accuracy": 0.99}, "data": {"names": list("0123456789")}},
    }


def test_where_the_parameters_are():
    def network(dense):
        layers = [{"name": "conv", "shape": [1, 8, 4, 4], "parameters": 100, "share": 0.1}]
        layers += [{"name": "fc", "shape": [1, 1000], "parameters": dense, "share": 0.9}]
        return {"x": {"parameters": 100 + dense, "layers": layers}}

    assert "most of them" in said(transfer_findings.parameter_findings(network(900)))
    assert "the smaller part of them" in said(transfer_findings.parameter_findings(network(50)))


def test_guesses_are_counted_where_classes_are_known():
    truth = {"0.jpg": 3, "1.jpg": 7}
    counted = transfer_findings.classify_findings({"x": classified(3, 4)}, truth)
    assert "right for 50.0 %, one of five for 100.0 %" in said(counted)
    assert [row.measured for row in counted.rows] == [0.5, 1.0]
    assert "0 of 2 images" in said(transfer_findings.classify_findings({"x": classified(3, 4, sure=0.4)}, {}))


def test_the_best_layer_is_the_deepest_or_not():
    def layers(*values):
        curve = [{"layer": name, "accuracy": value} for name, value in zip(("a", "b", "a+b"), values, strict=True)]
        return {"x": {**transfer(0.8), "curve_layer": curve}}

    assert "it is the deepest" in said(transfer_findings.layer_findings(layers(0.6, 0.7, 0.9)))
    assert "the deepest one, b, gives 60.0 %" in said(transfer_findings.layer_findings(layers(0.7, 0.6, 0.9)))


@pytest.mark.parametrize(
    ("grey", "says"),
    [((1, 2, 3, 4), "costs nothing"), ((1, 2, 3, 9), "not make the network useless"), ((9,) * 4, "costs most of it")],
)
def test_what_grey_costs(grey, says):
    results = {"colour": classified(1, 2, 3, 4), "grey": classified(*grey, folder="grey")}
    truth = {f"{k}.jpg": k + 1 for k in range(4)}
    kept = sum(k + 1 == index for k, index in enumerate(grey))
    assert f"{kept} of 4 images keep the name" in said(transfer_findings.grayscale_findings(results, {}))
    assert says in said(transfer_findings.grayscale_findings(results, truth))
    assert transfer_findings.grayscale_findings({"colour": classified(1)}, truth).sentences == ()


def test_the_svm_beside_the_report():
    words = transfer_findings.svm_findings({"a": transfer(0.9), "b": transfer(0.93, backbone="efficientnet-lite0")})
    assert "vgg16: the report's 0.888107 lies within" in said(words)
    assert "efficientnet-lite0, gets 93.0 %: 0.042 more" in said(words)
    assert {row.what: row.report for row in words.rows}["vgg16 relu7 + SVM, test accuracy"] == 0.888107
    worse = said(transfer_findings.svm_findings({"a": transfer(0.8, low=0.9)}))
    assert "lies outside" in worse
    assert "0.088 less than the report's VGG16" in worse


@pytest.mark.parametrize(
    ("curve", "says"),
    [
        (((0.1, 0.7), (1, 0.9), (10, 0.905)), "is flat for C ≥ 1, as in the report"),
        (((0.1, 0.7), (1, 0.9), (10, 0.8)), "is not flat for C ≥ 1, unlike in the report (it moves by 0.1000)"),
        (((0.1, 0.7), (0.2, 0.9)), "no C of 1 or more was tried"),
    ],
)
def test_whether_the_curve_of_C_is_flat(curve, says):
    assert says in transfer_findings.flatness("x", [{"C": C, "accuracy": value} for C, value in curve])


@pytest.mark.parametrize(("accuracy", "says"), [(0.9, "better than"), (0.8, "worse than"), (0.852, "about as good as")])
def test_a_head_against_the_svm(accuracy, says):
    results = {"svm": transfer(0.85), "other": transfer(accuracy, head="logistic")}
    assert f"vgg16 with logistic is {says} the SVM" in said(
        transfer_findings.head_findings(results, ("desk", "coast, shore")[:1])
    )


def test_which_scenes_a_network_can_name():
    assert "1 of the 2 scenes" in transfer_findings.cannot_name(["coast", "Desk"], ("desk",))
    assert "0 of the 1 scenes" in transfer_findings.cannot_name(["coast"], ("desk",))
    assert "All 1 scenes are classes" in transfer_findings.cannot_name(["coast"], ("seashore, coast",))


def explained(*pairs, shares=(), added=0.8):
    maps = [
        {
            "file": f"/p/{k}.png",
            "maps": [
                {
                    "deletion_auc": own,
                    "random_deletion_auc": chance,
                    "insertion_auc": added,
                    "random_insertion_auc": 0.5,
                }
            ],
        }
        for k, (own, chance) in enumerate(pairs)
    ]
    for entry, share in zip(maps, shares, strict=False):
        entry["maps"][0]["region_share"] = share
    return {"backbone": [{"name": "squeezenet"}], "images": maps}


def test_where_maps_mislead():
    assert "on all 2 images" in said(explain_findings.saliency_findings({"x": explained((0.1, 0.2), (0.1, 0.3))}))
    misled = said(explain_findings.saliency_findings({"x": explained((0.1, 0.2), (0.3, 0.3))}))
    assert "on 1 of 2 images deleting" in misled
    assert "misleads: 1.png; on none" in misled
    many = said(explain_findings.saliency_findings({"x": explained(*[(0.3, 0.2)] * 7, added=0.4)}))
    assert "and 2 others; on 7 of them (0.png," in many
    assert "holds for adding pixels" in many
    assert "4.png and 1 other; " in said(explain_findings.saliency_findings({"x": explained(*[(0.3, 0.2)] * 6)}))


def test_regions_that_are_everything_are_none():
    assert "20.0 % to 40.0 % of their images, 30.0 %" in said(
        explain_findings.region_findings({"x": explained((0, 1), (0, 1), shares=(0.2, 0.4))})
    )
    assert "nearly the whole image" in said(explain_findings.region_findings({"x": explained((0, 1), shares=(0.95,))}))
    assert "no image was segmented" in said(explain_findings.region_findings({"x": explained((0, 1))}))


def attacked(*held, l2=0.5):
    entry = {"steps": 12, "l2": l2, "linf": 4 / 255}
    return {"images": [{**entry, "verified": ok} for ok in held], "seconds": {"total": 1.0}}


def test_what_holds_in_the_saved_files():
    held = said(explain_findings.attack_findings({"lab": attacked(True, True)}))
    assert "lab: all 2 images" in held
    assert "after 12 steps" in held
    assert "by 4 of 255" in held
    assert "1 of 2 images are taken" in said(explain_findings.attack_findings({"lab": attacked(True, False)}))
    assert "no image of 1 was misclassified" in said(explain_findings.attack_findings({"lab": attacked(False)}))
    both = said(explain_findings.attack_findings({"lab": attacked(True), "least": attacked(True, l2=0.1)}))
    assert "5.0 times as far away" in both


@pytest.mark.parametrize(
    ("own", "agrees", "judge", "says"),
    [
        (0.2, False, "other", "does not see its tarantula yet (20.0"),
        (0.9, True, "other", "sees a tarantula (90.0 %), and other agrees"),
        (0.9, False, "other", "and other does not"),
        (0.9, None, None, "no other network was asked"),
    ],
)
def test_who_sees_the_class(own, agrees, judge, says):
    entry = {"name": "tarantula", "steps": 5, "probability": own, "judge_probability": 0.3, "judge_agrees": agrees}
    result = {"backbone": [{"name": "squeezenet"}], "judge": judge, "classes": [entry]}
    words = explain_findings.visualise_findings({"x": result})
    assert says in words.sentences[0]
    assert len(words.rows) == (1 if judge is None else 2)


@pytest.mark.parametrize(
    ("real", "fake", "says"), [(0.99, 0.01, "D has won"), (0.5, 0.49, "cannot tell"), (0.8, 0.3, "neither has won")]
)
def test_the_balance_of_D_and_G(real, fake, says):
    assert says in balance(trained(real=real, fake=fake))


@pytest.mark.parametrize(("distance", "says"), [(90.0, "worse"), (20.0, "better"), (52.0, "about as good")])
def test_a_distance_beside_the_usual_one(distance, says):
    assert f"its samples are {says}" in distance_against(trained(distance=distance), trained())
    assert "cannot be compared" in distance_against(trained(distance=distance), None)


def test_a_training_that_diverged_is_said_to_have():
    broken = trained() | {"last_epoch": None}
    assert balance(broken) == "the last epoch has no finite losses"
    assert "diverged" in said(gan_findings.beta1_findings({"faces": trained(), "x": broken}))
    assert "diverged" in said(gan_findings.loss_findings({"faces": trained(), "x": broken}))


def test_a_training_by_itself():
    near = said(gan_findings.training_findings({"faces": trained(distance=15.0)}))
    assert "close to real images: FD 15, real-vs-real baseline 10" in near
    assert "No alarm was raised." in near
    far = said(gan_findings.training_findings({"faces": trained(alarms=("copies", "copies"))}))
    assert "still far from real images" in far
    assert "Alarms: copies ×2." in far


def test_whether_the_loss_of_D_goes_to_0():
    usual = {"faces": trained()}
    assert "does not go to 0: it is 0.4" in said(gan_findings.beta1_findings({**usual, "x": trained(loss=0.4)}))
    assert "without reaching it: it is 0.06" in said(gan_findings.beta1_findings({**usual, "x": trained(loss=0.06)}))
    assert "goes to 0: it is 0.01" in said(gan_findings.beta1_findings({**usual, "x": trained(loss=0.01)}))
    assert gan_findings.beta1_findings(usual).sentences == ()


def test_one_sided_updates():
    results = {"faces": trained(), "faces-1-to-5": trained(real=0.5, fake=0.5), "faces-5-to-1": trained(distance=400.0)}
    words = said(gan_findings.step_ratio_findings(results))
    assert "five updates of G for one of D" in words
    assert "cannot tell them apart" in words
    assert "worse (FD 400 against 50" in words
    assert gan_findings.step_ratio_findings({"faces": trained()}).sentences == []


def test_whether_the_loss_saturates():
    usual = {"faces": trained()}
    assert "nearly flat there" in said(gan_findings.loss_findings({**usual, "x": trained(fake=0.01)}))
    assert "does not saturate here" in said(gan_findings.loss_findings({**usual, "x": trained(fake=0.2)}))


def test_which_came_nearest():
    usual = {"faces": trained(distance=20.0), "faces-beta1": trained(distance=90.0), "compared": {"task": "compare"}}
    assert "usual settings (FD 20), farthest faces-beta1 (90)" in said(gan_findings.best_findings(usual))
    other = {**usual, "faces": trained(distance=100.0)}
    assert "faces-beta1 (FD 90), farthest faces (100)" in said(gan_findings.best_findings(other))


def test_whether_digits_are_those_that_were_asked_for():
    assert "follows its label" in said(conditional_gan_findings.conditional_findings({"x": trained()}))
    assert "does not always follow its label" in said(
        conditional_gan_findings.conditional_findings({"x": trained(agreement=0.5)})
    )


def test_convolutions_against_layers():
    dcgan = trained()
    quick = said(
        conditional_gan_findings.pair_findings(
            {
                conditional_gan_findings.DCGAN: dcgan,
                conditional_gan_findings.MLP: trained(pace=300.0, distance=90.0, novelty=1.2),
            }
        )
    )
    assert "3.0 times as many images a second" in quick
    assert "farther from real digits (FD 90" in quick
    assert "its noise shows in that metric" in quick
    slow = said(
        conditional_gan_findings.pair_findings(
            {
                conditional_gan_findings.DCGAN: dcgan,
                conditional_gan_findings.MLP: trained(pace=50.0, distance=50.0, novelty=0.9),
            }
        )
    )
    assert "0.50 times the images a second" in slow
    assert "no farther from" in slow
    assert "no noisier" in slow
    assert conditional_gan_findings.pair_findings({conditional_gan_findings.MLP: dcgan}).sentences == ()


def test_what_becomes_of_the_label_that_D_does_not_see():
    ignored = said(
        conditional_gan_findings.unlabelled_discriminator_findings(
            {conditional_gan_findings.DCGAN: trained(), conditional_gan_findings.BLIND: trained(agreement=0.11)}
        )
    )
    assert "11.0 %, where it is 95.0 %" in ignored
    assert "G ignores the label too" in ignored
    assert "G does not ignore the label" in said(
        conditional_gan_findings.unlabelled_discriminator_findings(
            {conditional_gan_findings.BLIND: trained(agreement=0.6)}
        )
    )
    assert (
        conditional_gan_findings.unlabelled_discriminator_findings(
            {conditional_gan_findings.DCGAN: trained()}
        ).sentences
        == ()
    )


def without(result, *names):
    """A result whose certificate refused these metrics."""
    return {**result, "metrics": [entry for entry in result["metrics"] if entry["name"] not in names]}


@pytest.mark.parametrize("refused", [("frechet-distance",), ("coverage",), ("frechet-distance", "coverage", "novelty")])
def test_metrics_that_were_refused_are_not_missed(refused):
    results = {
        name: without(trained(), *refused) for name in ("faces", "faces-beta1-0.9", "digits-dcgan", "digits-mlp")
    }
    faces = {name: results[name] for name in ("faces", "faces-beta1-0.9")}
    told = [
        gan_findings.training_findings({"faces": results["faces"]}),
        gan_findings.beta1_findings(faces),
        gan_findings.loss_findings(faces),
        gan_findings.best_findings(faces),
        conditional_gan_findings.conditional_findings({"digits-dcgan": results["digits-dcgan"]}),
        conditional_gan_findings.pair_findings(results),
    ]
    words = " ".join(map(said, told))
    assert ("cannot tell" in words) == ("frechet-distance" in refused)
    assert "FD 50" not in words or "frechet-distance" not in refused
