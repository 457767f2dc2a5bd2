"""How the command's process treats memory that is free again."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
from vitrail.process import keep_freed_memory
{}
for _ in range(2):
    block = b"x" * (64 << 20)
    del block
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    block = b"x" * (64 << 20)
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc is another one")
def test_freed_memory_is_used_again_without_the_system():
    def faults(first, **environment):
        child = [sys.executable, "-c", FAULTS.format(first)]
        return int(subprocess.run(child, capture_output=True, check=True, text=True, env=environment).stdout)

    assert faults("keep_freed_memory()") < 20
    assert faults("") > 100
    assert faults("keep_freed_memory()", MALLOC_TRIM_THRESHOLD_="131072") > 100  # whoever runs it has the last word
