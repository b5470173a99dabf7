"""The whole path by examples/demo/demo.py with this program; skipped where what it needs is not installed."""
import importlib.util
import os
import shutil
import sys


def skip(why):
    print("skipped: " + why)
    sys.exit(77)


def main():
    if os.geteuid() != 0:
        skip("needs root: pods want a network of their own")
    for program in ("git", "busybox", "gcc", "make", "node", "openssl"):
        if not shutil.which(program):
            skip(f"{program} is not installed")
    # The demo's mail server is a Debian package: it belongs to the system's Python.
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    if python == sys.executable and importlib.util.find_spec("aiosmtpd") is None:
        skip("python3-aiosmtpd is not installed")
    if os.spawnlp(os.P_WAIT, python, python, "-c", "import aiosmtpd") != 0:
        skip("python3-aiosmtpd is not installed")
    demo = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/demo/demo.py")
    os.execv(python, [python, demo, "--program", os.path.abspath(sys.argv[1])])


main()
