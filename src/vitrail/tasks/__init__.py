"""What a user can do. To add a task: a file here and a line below."""

from vitrail.registry import Registry

TASKS = Registry(
    "task",
    __name__,
    {
        "demo": "demo:Demo",
        "models": "models:Models",
        "list": "list_names:List",
        "classify": "classify:Classify",
        "check": "check:Check",
        "transfer": "transfer:Transfer",
        "predict": "predict:Predict",
        "explain": "explain:Explain",
        "attack": "attack:Attack",
        "audit": "audit:Audit",
        "visualise": "visualise:Visualise",
        "gan-train": "gan_train:GanTrain",
        "gan-sample": "gan_sample:GanSample",
        "gan-evaluate": "gan_evaluate:GanEvaluate",
        "gan-sweep": "gan_sweep:GanSweep",
        "gan-interpolate": "gan_interpolate:GanInterpolate",
        "gan-export": "gan_export:GanExport",
        "gan-edit": "gan_edit:GanEdit",
        "replay": "replay:Replay",
        "compare": "compare:Compare",
        "report": "report:Report",
    },
)

FACES = Registry("face", "vitrail", {"studio": "studio.serve:Studio"})
"""What else the command line can start."""
