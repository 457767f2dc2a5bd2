"""Bad options of GANs, run as a program of its own: in the tests, types are checked before ours are.

Prints one line of JSON for each attempt: the option, what was given, whether the error is ours, and its message.
"""

import json

from vitrail import gan
from vitrail.errors import VitrailError

NAN, INF = float("nan"), float("inf")
COUNTS = (0, -1, 1.5, "1", None, True, NAN)  # that are none
NUMBERS = (-1, NAN, INF, "1", None, True)  # neither shares nor rates
FLAGS = ("no", 1, None)
TYPES = (None, 5, "text", {})

OPTIONS = [
    (
        gan.OptimizerOptions,
        {
            "updates": (*COUNTS, 101),
            "learning_rate": (*NUMBERS, 0),
            "beta1": (*NUMBERS, 1.0),
            "beta2": (*NUMBERS, 1.0),
        },
    ),
    (
        gan.TrainingOptions,
        {
            "loss": ("nope", "", None, 5),
            "generator": TYPES,
            "discriminator": TYPES,
            "label_smoothing": (*NUMBERS, 1),
            "gradient_penalty": (-1, NAN, INF, "1"),
            "mismatched_labels": ("no", 1),
            "diffaugment": FLAGS,
            "ema_decay": (*NUMBERS, 1, 2.0),
            "channels_last": FLAGS,
            "fused": FLAGS,
            "concat_real_fake": FLAGS,
            "bfloat16": FLAGS,
        },
    ),
    (
        gan.NetworkOptions,
        {
            "architecture": ("nope", "", None, 5),
            "conditional": ("no", 1),
            "discriminator_sees_label": FLAGS,
            "latent_size": (*COUNTS, 4097),
            "width": (0, -1, 1.5, "1", 4097),
        },
    ),
    (
        gan.EvaluationOptions,
        {
            "extractor": (None, 5),
            "samples": (*COUNTS, 7),
            "final_samples": (*COUNTS, 7),
            "every": (0, -1, 1.5, "1"),
        },
    ),
]


def main():
    """All attempts."""
    for kind, options in OPTIONS:
        for name, values in options.items():
            for value in values:
                try:
                    kind(**{name: value})
                    ours, message = False, ""
                except Exception as error:
                    ours, message = isinstance(error, VitrailError), str(error)
                print(json.dumps({"name": name, "value": repr(value), "ours": ours, "message": message}))


if __name__ == "__main__":
    main()
