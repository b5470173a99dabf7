"""Every command as a person meets it: help, wrong usage, JSON, pipes, a reader that went away."""
import json
import os
import subprocess

import harness
from harness import PROGRAM, check, folder, one_error, slipway, write


def commands():
    text = slipway().stdout
    return [line[10:28].strip() for line in text.splitlines() if line.startswith("  slipway ")]


def test_map():
    result = slipway()
    check(result.returncode == 0 and len(commands()) >= 25, result.all)
    check("\033" not in result.all, "no colour in a pipe")


def test_help_everywhere():
    for command in commands():
        result = slipway(*command.split(), "--help")
        check(result.returncode == 0, f"{command} --help: exit {result.returncode}: {result.all}")
        check("Usage: slipway " + command in result.stdout and "Example:" in result.stdout and "--output" in result.stdout, f"{command}: {result.stdout}")
        check(result.stderr == "" and "\033" not in result.stdout, result.stderr)
    for words in (["--help"], ["app", "--help"], ["--version"]):
        check(slipway(*words).returncode == 0, words)


def test_unknown_option_everywhere():
    for command in commands():
        one_error(slipway(*command.split(), "--ouptut"), 2, f"{command}: unknown option --ouptut", "did you mean --output?")


def test_unknown_commands():
    one_error(slipway("statsu"), 2, "there is no command \"statsu\"", "did you mean: slipway status")
    one_error(slipway("app", "lsit"), 2, "did you mean: slipway app list")
    one_error(slipway("rollout"), 2, "slipway rollout has:", "watch")
    one_error(slipway("--hlep"), 2, "did you mean --help?")
    one_error(slipway("why"), 2, "slipway why --help")
    one_error(slipway("kubeconfig", "a", "b"), 2, "kubeconfig: \"b\" is one argument too many")
    one_error(slipway("status", "--output", "yaml"), 2, "yaml", "text", "json")
    one_error(slipway("run", "--job"), 2, "--job")


def test_nobody_listens():
    for words in (["status"], ["app", "list"], ["pr", "list"], ["rollout", "list"], ["promotions"], ["why", "pod/x"], ["approve", "x"], ["kubeconfig"]):
        one_error(slipway(*words, "--data", "/nonexistent"), 4, "hint: slipway up")
    broken = write(folder(), "kubeconfig", "clusters: [\n")
    result = slipway("status", "--kubeconfig", broken)
    check(result.returncode == 2 and "kubeconfig" in result.all, result.all)


LISTS = (["status"], ["app", "list"], ["pr", "list"], ["rollout", "list"], ["promotions"])


def test_json(house):
    for words in LISTS:
        result = house.cli(*words, "--output", "json")
        check(result.returncode == 0, f"{words}: {result.all}")
        check(isinstance(json.loads(result.stdout), list), result.stdout)
    made = slipway("user", "add", "grace", "--data", house.data, "--output", "json")
    check(json.loads(made.stdout)["token"].startswith("slw_"), made.all)
    one_error(slipway("user", "add", "grace", "--data", house.data), 1, "grace: is there already")
    one_error(house.cli("app", "get", "nosuch"), 1, "there is no application nosuch", "slipway app list")
    one_error(house.cli("pr", "view", "shop#99"), 1, "there is no pull request shop#99")
    one_error(house.cli("pr", "view", "x"), 2, "want REPOSITORY#NUMBER")
    one_error(house.cli("rollout", "get", "nosuch"), 1, "nosuch")
    one_error(house.cli("why", "nosuch/x"), 1, "knows no kind")
    one_error(house.cli("why", "x"), 2, "want KIND/NAME")
    one_error(house.cli("approve", "nosuch"), 1, "there is no promotion nosuch")


def test_json_of_files():
    root = folder()
    write(root, "deploy/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n")
    write(root, ".github/workflows/ci.yml", "on: push\njobs:\n  a:\n    runs-on: x\n    steps: [{run: 'true'}]\n")
    check(json.loads(slipway("render", root + "/deploy", "--output", "json").stdout)[0]["kind"] == "ConfigMap", "render")
    plan = json.loads(slipway("run", "-C", root, "--plan", "--output", "json").stdout)
    check(plan["jobs"][0]["id"] == "a", plan)
    for words in (["lint", root], ["scan", root]):
        for line in slipway(*words, "--output", "json").stdout.splitlines():
            check({"file", "line", "column", "rule", "severity", "message"} <= set(json.loads(line)), line)
    for form in ("sarif", "cyclonedx", "spdx"):
        json.loads(slipway("scan", root, "--format", form).stdout)


def test_closed_output(house):
    """`slipway ... | head -0`: the reader is gone before the first byte."""
    for words in ([], ["--help"], ["app", "--help"], ["status", "--data", house.data], ["status", "--data", house.data, "--output", "json"]):
        reader, writer = os.pipe()
        os.close(reader)
        process = subprocess.Popen([PROGRAM, *words], stdout=writer, stderr=subprocess.PIPE, env=harness.ENV)
        os.close(writer)
        error = process.communicate(timeout=20)[1].decode()
        check(process.returncode >= 0 and "terminate" not in error, f"{words}: exit {process.returncode}: {error}")
    with open("/dev/full", "w") as full:
        process = subprocess.run([PROGRAM, "status", "--data", house.data], stdout=full, stderr=subprocess.PIPE, env=harness.ENV, timeout=20)
    check(process.returncode == 4 and b"standard output: " in process.stderr and b"No space left" in process.stderr, f"full output: {process.returncode}: {process.stderr}")
    process = subprocess.run(f"exec '{PROGRAM}' --help >&- 2>&-", shell=True, env=harness.ENV, timeout=20)
    check(process.returncode >= 0, f"closed descriptors: {process.returncode}")


harness.main(globals())
