"""Wrong files and wrong credentials: one clear error with its place, and nothing is lost."""
import base64
import hashlib
import hmac
import json
import os
import shutil
import subprocess

import harness
from harness import HOME, Failed, check, folder, get_path, need, one_error, phase, run, slipway, until, write

GOOD = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: 'true'\n"


# -- files, without a server ------------------------------------------------------------------------------------------
def test_malformed_workflow():
    root = folder()
    file = ".github/workflows/ci.yml"
    for text, place, word in (("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: [\n", f"{file}:", ""),
                              ("on: push\njobs:\n  a:\n    runs-onn: x\n    steps: [{run: ls}]\n", f"{file}:4:5", "runs-on"),
                              ("on: pusch\njobs:\n  a:\n    runs-on: x\n    steps: [{run: ls}]\n", f"{file}:1:5", "push"),
                              ("on: push\njobs:\n  c:\n    runs-on: x\n    steps: [{run: ls}]\n  a:\n    runs-on: x\n    needs: b\n    steps: [{run: ls}]\n", f"{file}:8:", "b"),
                              ("on: push\njobs:\n  a:\n    runs-on: x\n    steps: [{run: 'echo ${{ nope( }}'}]\n", f"{file}:5:", "")):
        write(root, file, text)
        for words in (["run", "-C", root, "--plan"], ["lint", root]):
            result = slipway(*words)
            check(result.returncode in (1, 2), f"{words[0]}: exit {result.returncode}: {result.all}")
            check(place in result.all and word in result.all, f"{words[0]}: want {place} {word}: {result.all}")


def test_malformed_dockerfile():
    root = folder()
    for text, place, word in (("FROM scratch\nRNU echo\n", "Dockerfile:2:1", "RUN"), ("FROM scratch\nCOPY --form=x a b\n", "Dockerfile:2:", "from"), ("RUN ls\n", "Dockerfile:1:", "FROM")):
        write(root, "Dockerfile", text)
        result = slipway("lint", root)
        check(result.returncode == 1 and place in result.all and word in result.all, f"want {place} {word}: exit {result.returncode}: {result.all}")


def test_malformed_manifest():
    root = folder()
    for text, place, word in (("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n data: x\n", "a.yaml:5:", ""), ("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  prots: []\n", "a.yaml:5:", "ports")):
        write(root, "a.yaml", text)
        result = slipway("lint", root)
        check(result.returncode == 1 and place in result.all and word in result.all, f"want {place} {word}: exit {result.returncode}: {result.all}")
    write(root, "a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n data: x\n")
    one_error(slipway("render", root), 2, "a.yaml:5:")


def test_malformed_kustomization():
    root = folder()
    for text, place, word in (("resources:\n- a.yaml\nimagse: []\n", "kustomization.yaml:3:1", "images"), ("resources: [\n", "kustomization.yaml:", ""), ("resources:\n- nosuch.yaml\n", "kustomization.yaml:2:", "nosuch.yaml")):
        write(root, "kustomization.yaml", text)
        result = slipway("render", root)
        check(result.returncode in (1, 2), f"exit {result.returncode}: {result.all}")
        one_error(result, result.returncode, place, word)
    one_error(slipway("render", root + "/nosuch"), 1, "nosuch")


# -- a running Slipway -------------------------------------------------------------------------------------------------
def test_pushed_broken_workflow(house):
    shop = house.git("broken")
    shop.write(".github/workflows/ci.yml", "on: push\njobs:\n  a:\n    runs-onn: x\n    steps: [{run: ls}]\n")
    shop.write(".github/workflows/good.yml", GOOD)
    commit = shop.commit("Broken")
    shop.push("HEAD:main")
    runs = {r["spec"]["workflow"]: r for r in house.runs_of(commit, 2)}
    bad = runs[".github/workflows/ci.yml"]
    check(phase(bad) == "Failed" and ".github/workflows/ci.yml:4:5" in bad["status"]["message"], bad["status"])
    check(phase(runs[".github/workflows/good.yml"]) == "Succeeded", runs[".github/workflows/good.yml"]["status"])


def test_protected_branch(house):
    shop = house.git("protected")
    shop.write("a", "1\n")
    first = shop.commit("First")
    shop.push("HEAD:main")
    shop.write("a", "2\n")
    shop.commit("Second")
    refused = shop.push("HEAD:main", check=False)
    check(refused.returncode != 0 and "main is protected" in refused.stderr and "refs/for/main" in refused.stderr, refused.stderr)
    shop.git("checkout", "-q", "--orphan", "other")
    shop.commit("Another history")
    for words in (["--force", "HEAD:main"], [":main"]):
        refused = shop.push(*words, check=False)
        check(refused.returncode != 0 and ("main is protected" in refused.stderr or "refusing to delete the default branch" in refused.stderr), refused.stderr)
    shop.git("checkout", "-q", "main")
    check(first in shop.git("ls-remote", "origin", "refs/heads/main").stdout, "main stays")
    opened = shop.push("HEAD:refs/for/main")
    check("pull request 1 opened" in opened.stderr, opened.stderr)
    refused = shop.push("HEAD:refs/pull/7/head", check=False)
    check(refused.returncode != 0 and "refs/for" in refused.stderr, refused.stderr)
    refused = shop.push("HEAD:refs/for/nosuch", check=False)
    check(refused.returncode != 0 and "there is no branch nosuch" in refused.stderr, refused.stderr)


def test_wrong_token(house):
    for path in ("/api/v1/namespaces", "/logs/x", "/git/protected.git/info/refs?service=git-receive-pack"):
        for token in ("Bearer wrong", "Basic " + base64.b64encode(b"ada:wrong").decode(), "nonsense", None):
            status, text = house.http("GET", path, token=token)
            check(status == 401 and house.token not in text, f"{path} {token}: {status} {text}")
    status, text = house.http("POST", "/v2/a/blobs/uploads/", "", token="Basic " + base64.b64encode(b"ada:wrong").decode())
    check(status == 401 and json.loads(text)["errors"][0]["code"] == "UNAUTHORIZED", f"{status} {text}")
    status, text = house.http("GET", "/api/v1/namespaces", token=None)
    check("token is needed" in text or json.loads(text)["kind"] == "Status", text)
    shop = house.git("tokens", token="slw_0000000000000000000000000000000000000000")
    shop.write("a", "1\n")
    shop.commit("First")
    refused = shop.push("HEAD:main", check=False)
    check(refused.returncode != 0 and "uthentication failed" in refused.stderr, refused.stderr)
    check(not os.path.isdir(os.path.join(house.data, "git", "tokens.git")), "a refused push makes no repository")


def test_webhook_signatures(house):
    secret = b"hush"
    house.kubectl("-n", HOME, "create", "secret", "generic", "webhooks", "--from-literal=github=hush")
    source = os.path.join(house.root, "hooked")
    run("git", "init", "-q", "-b", "main", source)
    write(source, ".github/workflows/ci.yml", GOOD)
    run("git", "-C", source, "add", "-A")
    run("git", "-C", source, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "First")
    commit = run("git", "-C", source, "rev-parse", "HEAD").stdout.strip()
    body = json.dumps({"ref": "refs/heads/main", "before": "0" * 40, "after": commit, "repository": {"full_name": "acme/hooked", "clone_url": "file://" + source, "default_branch": "main"},
                       "pusher": {"name": "ada"}, "sender": {"login": "ada"}, "head_commit": {"id": commit, "message": "First"}, "commits": []}).encode()

    def post(signature, delivery="1"):
        headers = {"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": delivery}
        if signature:
            headers["X-Hub-Signature-256"] = signature
        return house.http("POST", "/hooks/github", body, headers, token=None)
    good = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    for wrong in (None, "sha256=" + "0" * 64, "sha1=abc", good[:-1] + ("0" if good[-1] != "0" else "1")):
        status, text = post(wrong)
        check(status in (400, 401, 403), f"{wrong}: {status} {text}")
    check(not [c for c in house.list("Change") if c["spec"]["after"] == commit], "a refused hook does nothing")
    metrics = house.http("GET", "/metrics")[1]
    check(any("hook" in line and "refused" in line and not line.endswith(" 0") for line in metrics.splitlines() if not line.startswith("#")), "refused hooks are counted")
    status, text = house.http("POST", "/hooks/github", b"{", {"X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=" + hmac.new(secret, b"{", hashlib.sha256).hexdigest(), "X-GitHub-Delivery": "9"}, token=None)
    check(status == 400, f"{status} {text}")
    for _ in range(2):  # the second is a replay
        status, text = post(good)
        check(status in (200, 202), f"{status} {text}")
    house.runs_of(commit)
    check(len([c for c in house.list("Change") if c["spec"]["after"] == commit]) == 1, "a replay does nothing twice")


def test_unknown_kind(house):
    root = folder()
    unknown = write(root, "a.yaml", "apiVersion: example.com/v1\nkind: Frobnicator\nmetadata: {name: a, namespace: default}\n")
    result = house.kubectl("apply", "-f", unknown, check_it=False)
    check(result.returncode == 1 and "no matches for kind \"Frobnicator\"" in result.all, result.all)
    config = house.git("unknown-config")
    config.write("app/a.yaml", open(unknown).read())
    config.write("app/b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n")
    config.commit("Unknown")
    config.push("HEAD:main")
    application = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "unknown", "namespace": "argocd"},
                   "spec": {"project": "default", "source": {"repoURL": "http://slipway/git/unknown-config.git", "path": "app", "targetRevision": "main"},
                            "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"}, "syncPolicy": {"automated": {}}}}
    house.kubectl("apply", "-f", "-", input=json.dumps(application))
    seen = house.wait("Application", lambda apps: next((a for a in apps if a["metadata"]["name"] == "unknown" and "Frobnicator" in json.dumps(a.get("status", {}).get("conditions", []) + [a.get("status", {}).get("operationState", {})])), None), "the error", "argocd", 20)
    check(seen["status"]["sync"]["status"] != "Synced", seen["status"])
    one_error(house.cli("why", "frobnicator/a"), 1, "knows no kind \"frobnicator\"")


def test_image_that_cannot_be_pulled(house):
    harness.need_root()
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "nopull"}, "spec": {"containers": [{"name": "a", "image": "registry.slipway.local/no/such:1"}]}}
    house.kubectl("apply", "-f", "-", input=json.dumps(pod))
    seen = house.wait("Pod", lambda pods: next((p for p in pods if get_path(p, "status", "containerStatuses", 0, "state", "waiting", "reason") in ("ErrImagePull", "ImagePullBackOff")), None), "ErrImagePull", "default", 20)
    message = get_path(seen, "status", "containerStatuses", 0, "state", "waiting", "message")
    check("no/such" in message, message)
    described = house.kubectl("describe", "pod", "nopull").stdout
    check("Failed" in described and "no/such" in described, described)
    house.kubectl("delete", "pod", "nopull", "--now")


def test_bad_objects(house):
    """The API server names the field."""
    for document, word in (({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": []}}, "spec.containers"),
                           ({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "UPPER"}, "spec": {}}, "metadata.name"),
                           ({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"clusterIP": "1.2.3.4", "ports": [{"port": 80}]}}, "/20")):
        result = house.kubectl("apply", "-f", "-", input=json.dumps(document), check_it=False)
        check(result.returncode == 1 and word in result.all, f"want {word}: {result.all}")
    status, text = house.http("POST", "/api/v1/namespaces/default/configmaps", b"{not json", {"Content-Type": "application/json"})
    check(status == 400 and json.loads(text)["kind"] == "Status", f"{status} {text}")


harness.main(globals())
