#!/usr/bin/python3
"""script/bench: figures of Slipway beside a peer or a limit, measured in one run.

bench/README.md says what each figure means. Exit code 1: a target does not hold.
"""
import argparse
import importlib
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from figures import machine, save, table  # noqa: E402

GROUPS = ("micro", "up", "path", "registry", "cache", "gitops", "images")


def main():
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__.split("\n")[0])
    parser.add_argument("filter", nargs="*", help=f"only figures whose group or name begins so: {', '.join(GROUPS)}, gitops/render ...")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: under three minutes")
    parser.add_argument("--json", metavar="FILE", help="writes the figures with their samples as JSON")
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--micro", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = [f for f in options.filter if f.split("/")[0] not in GROUPS]
    if unknown:
        parser.error(f"{unknown[0]}: no such group, want one of {', '.join(GROUPS)}")
    if os.geteuid() != 0:
        parser.error("pods and network namespaces are made here: run as root")

    def wanted(name):
        return not options.filter or any(name.startswith(f) or f.startswith(name + "/") for f in options.filter)

    def say(text):
        print(f"  {text}", flush=True)

    here = machine()
    print(f"{here['cpus']} x {here['model']}, {here['memory_gib']} GiB, Linux {here['kernel']}, load {here['load']:.1f}" + (" - not quiet: figures will be worse" if here["load"] > here["cpus"] / 2 else "") + f", {here['disk']}")
    if "without a journal" in here["disk"]:
        print("  new files cost up to ten times as much there: name a folder of another file system by TMPDIR")
    began, figures = time.time(), []
    for group in GROUPS:
        if not wanted(group):
            continue
        module = importlib.import_module(f"{group}.{group}")
        program = (options.micro or os.path.join(os.path.dirname(options.program), "bench/bench")) if group == "micro" else options.program
        figures += [f for f in module.measure(program, options.quick, say) if wanted(f.name) or f.name.split("/")[0] in options.filter]
    print(f"\n{table(figures)}\n")
    for f in figures:
        if f.note:
            print(f"{f.name}: {f.note}")
    failed = [f.name for f in figures if f.holds is False]
    print(f"\n{'does not hold: ' + ', '.join(failed) if failed else 'every target holds'}; {time.time() - began:.0f} s")
    if options.json:
        save(options.json, figures, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)), os.path.basename(os.path.dirname(options.program)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
