"""bench/gitops: rendering beside kubectl, and the sync engine with many Applications."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fleet  # noqa: E402
import render  # noqa: E402


def measure(program, quick, say):
    return render.measure(program, quick, say) + fleet.measure(program, quick, say)
