"""What a user can do. To add a task: a file here and a line below."""

from vitrail.registry import Registry

TASKS = Registry(
    "task",
    __name__,
    {
        "transfer": "transfer:Transfer",
    },
)
