"""Stock kubectl, git and skopeo against a running Slipway."""
import json
import os
import subprocess
import threading

import harness
from harness import ENV, PROGRAM, check, folder, get_path, need, need_root, run, until, write


def test_kubectl_objects(house):
    need("kubectl")
    k = house.kubectl
    check("Server Version" in k("version").stdout, "version")
    check("deployments" in k("api-resources").stdout and "rollouts" in k("api-resources").stdout, "api-resources")
    check("default" in k("get", "namespaces").stdout, "namespaces")
    k("create", "namespace", "tools")
    k("-n", "tools", "create", "configmap", "a", "--from-literal=k=v")
    check(json.loads(k("-n", "tools", "get", "cm", "a", "-o", "json").stdout)["data"] == {"k": "v"}, "get -o json")
    check(k("-n", "tools", "get", "cm", "a", "-o", "jsonpath={.data.k}").stdout == "v", "jsonpath")
    document = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: tools}\ndata: {x: '1'}\n"
    check("created" in k("apply", "-f", "-", input=document).stdout, "apply")
    check("unchanged" in k("apply", "-f", "-", input=document).stdout, "apply again")
    diff = k("diff", "-f", "-", input=document.replace("'1'", "'2'"), check_it=False)
    check(diff.returncode == 1 and "+  x: \"2\"" in diff.stdout, diff.all)
    check("configured" in k("apply", "-f", "-", input=document.replace("'1'", "'2'")).stdout, "apply a change")
    check("serverside-applied" in k("apply", "--server-side", "--force-conflicts", "-f", "-", input=document).stdout, "server side")
    k("-n", "tools", "label", "cm", "b", "tier=web")
    check("b" in k("-n", "tools", "get", "cm", "-l", "tier=web", "-o", "name").stdout, "selector")
    k("-n", "tools", "patch", "cm", "b", "--type", "merge", "-p", '{"data":{"y":"3"}}')
    check("y:" in k("-n", "tools", "describe", "cm", "b").stdout, "describe")
    check("FIELDS" in k("explain", "deployment.spec.strategy").stdout, "explain")
    check(k("auth", "can-i", "create", "pods").stdout.strip() == "yes", "can-i")
    gone = k("-n", "tools", "get", "cm", "nosuch", check_it=False)
    check(gone.returncode == 1 and 'configmaps "nosuch" not found' in gone.stderr, gone.all)
    k("-n", "tools", "delete", "cm", "a", "b")
    k("delete", "namespace", "tools")
    check("tools" not in k("get", "namespaces", "-o", "name").stdout, "the namespace is gone")


def test_kubectl_watch(house):
    need("kubectl")
    process = subprocess.Popen(["kubectl", "get", "configmap", "--watch-only", "-o", "name"], stdout=subprocess.PIPE, env={**ENV, "KUBECONFIG": house.kubeconfig, "HOME": house.root})
    seen, arrived = [], threading.Event()

    def read():
        for line in process.stdout:
            seen.append(line)
            arrived.set()
    threading.Thread(target=read, daemon=True).start()

    def written():
        house.kubectl("create", "configmap", f"watched-{len(os.listdir(house.root))}-{harness.time.monotonic_ns()}", "--from-literal=a=b")
        return arrived.wait(0.5)
    until(written, "an event of the watch", 15)
    check(seen[0].startswith(b"configmap/watched-"), seen)
    process.terminate()
    process.wait(5)


def web(image):
    script = "mkdir -p /tmp/www && echo hello >/tmp/www/index.html && echo ready && exec busybox httpd -f -p 8080 -h /tmp/www"
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    return [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
             "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
                      "template": {"metadata": {"labels": {"app": "web"}},
                                   "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "web", "image": image, "command": ["sh", "-c", script], "ports": [{"containerPort": 8080}], "readinessProbe": probe, "livenessProbe": probe}]}}}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}}]


def test_kubectl_deployment(house):
    need_root()
    need("kubectl")
    image = house.push_busybox()
    k = house.kubectl
    for document in web(image):
        k("apply", "-f", "-", input=json.dumps(document))
    check("successfully rolled out" in k("rollout", "status", "deployment/web", "--timeout=20s").stdout, "rollout status")
    k("wait", "--for=condition=Available", "deployment/web", "--timeout=10s")
    pods = k("get", "pods", "-l", "app=web", "-o", "name").stdout.split()
    check(len(pods) == 2, pods)
    check("2/2" in k("get", "deployment", "web").stdout and "Running" in k("get", "pods").stdout, "the tables")
    check("Readiness" in k("describe", pods[0]).stdout and "Started" in k("describe", pods[0]).stdout, "describe")
    check("ready" in k("logs", pods[0]).stdout, "logs")
    address = k("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}").stdout
    import urllib.request
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    check(opener.open(f"http://{address}/", timeout=5).read() == b"hello\n", "the Service answers")
    out = k("exec", pods[0], "--", "cat", "/tmp/www/index.html", check_it=False)
    check(out.stdout == "hello\n" or (out.returncode != 0 and len(out.stderr.strip()) > 10 and "panic" not in out.stderr), out.all)
    failed = k("exec", pods[0], "--", "sh", "-c", "exit 7", check_it=False)
    check(failed.returncode == 7 or out.returncode != 0, f"exec keeps the exit status: {failed.returncode} {failed.all}")
    forward = subprocess.Popen(["kubectl", "port-forward", "service/web", ":80"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**ENV, "KUBECONFIG": house.kubeconfig, "HOME": house.root}, text=True)
    line = forward.stdout.readline()
    if line:
        port = line.split("127.0.0.1:")[1].split(" ")[0]
        check(opener.open(f"http://127.0.0.1:{port}/", timeout=5).read() == b"hello\n", "through port-forward")
    else:
        check(len(forward.stderr.read().strip()) > 10, "port-forward says why not")
    forward.terminate()
    forward.wait(5)
    k("scale", "deployment/web", "--replicas=1")
    house.wait("Pod", lambda ps: len([p for p in ps if p["metadata"].get("labels", {}).get("app") == "web"]) == 1, "one pod", "default", 15)
    k("set", "env", "deployment/web", "A=b")
    check("successfully rolled out" in k("rollout", "status", "deployment/web", "--timeout=20s").stdout, "rollout of a change")
    k("rollout", "undo", "deployment/web")
    k("rollout", "status", "deployment/web", "--timeout=20s")
    check("REVISION" in k("rollout", "history", "deployment/web").stdout, "history")
    k("delete", "deployment,service", "web")
    house.wait("Pod", lambda ps: not [p for p in ps if p["metadata"].get("labels", {}).get("app") == "web"] or None, "no pod", "default", 15)


def test_kubectl_bad_probe(house):
    need_root()
    need("kubectl")
    document = web(house.push_busybox())[0]
    document["metadata"]["name"] = "sick"
    container = document["spec"]["template"]["spec"]["containers"][0]
    container["readinessProbe"] = {"httpGet": {"path": "/nosuch", "port": 8080}, "periodSeconds": 1}
    del container["livenessProbe"]
    house.kubectl("apply", "-f", "-", input=json.dumps(document))
    status = house.kubectl("rollout", "status", "deployment/sick", "--timeout=3s", check_it=False)
    check(status.returncode != 0, "an unready deployment is not rolled out: " + status.all)
    events = house.wait("Event", lambda es: next((e for e in es if e.get("reason") == "Unhealthy" and "404" in e.get("message", "")), None), "an event of the probe", "default", 10)
    check("Readiness probe failed" in events["message"], events)
    house.kubectl("delete", "deployment", "sick")


# -- git -----------------------------------------------------------------------------------------------------------------
def test_git(house):
    shop = house.git("stock")
    for number in range(20):
        shop.write(f"dir/{number}", f"{number}\n")
        shop.commit(f"Commit {number}")
    shop.push("HEAD:main")
    shop.git("tag", "-a", "v1", "-m", "One")
    shop.push("v1", "HEAD:refs/heads/feature")
    place = folder()
    for words in ([], ["--depth", "3"], ["--filter=blob:none", "--no-checkout"], ["--branch", "v1"], ["-c", "protocol.version=0"]):
        clone = f"{place}/{len(os.listdir(place))}"
        result = run("git", "clone", "-q", *words, shop.remote, clone)
        check(result.returncode == 0, f"{words}: {result.all}")
    check(run("git", "-C", f"{place}/1", "rev-list", "--count", "HEAD").stdout.strip() == "3", "shallow")
    check(run("git", "-C", f"{place}/0", "fsck", "--full").returncode == 0, "fsck")
    anonymous = run("git", "ls-remote", f"{house.url}/git/stock.git")
    check(anonymous.returncode == 0 and "refs/tags/v1" in anonymous.stdout, anonymous.all)
    nosuch = run("git", "clone", "-q", f"{house.url}/git/nosuch.git", place + "/x")
    check(nosuch.returncode != 0 and "not found" in nosuch.stderr, nosuch.all)
    shop.push(":refs/heads/feature")
    check("feature" not in shop.git("ls-remote", "origin").stdout, "a branch is deleted")
    shop.write("dir/0", "changed\n")
    shop.commit("Review me")
    opened = shop.push("HEAD:refs/for/main").stderr
    check("pull request 1 opened" in opened and f"{house.url}/#/pr/stock/1" in opened, opened)
    shop.git("commit", "-q", "--amend", "--no-edit", "--reset-author", "--allow-empty", "--date", "2030-01-01T00:00:00Z")
    check("pull request 1 updated" in shop.push("--force", "HEAD:refs/for/main").stderr, "amended")
    house.wait("PullRequest", lambda ps: next((p for p in ps if p["spec"]["repository"] == "stock" and get_path(p, "status", "mergeable")), None), "mergeable")
    check("stock#1" in house.cli("pr", "list").stdout and "Review me" in house.cli("pr", "view", "stock#1").stdout, "pr list")
    merged = house.cli("pr", "merge", "stock#1", "--timeout", "15s")
    check(merged.returncode == 0, merged.all)
    shop.git("fetch", "-q", "origin")
    check("Merge pull request #1" in shop.git("log", "-1", "--format=%s", "origin/main").stdout, "merged")


def test_big_push(house):
    shop = house.git("big")
    for number in range(3):
        with open(f"{shop.folder}/blob{number}", "wb") as file:
            file.write(os.urandom(4 << 20))
    shop.commit("Big")
    shop.push("HEAD:main")
    place = folder()
    check(run("git", "clone", "-q", shop.remote, place + "/c").returncode == 0 and os.path.getsize(place + "/c/blob2") == 4 << 20, "12 MiB both ways")


# -- skopeo --------------------------------------------------------------------------------------------------------------
def test_skopeo(house):
    need("skopeo")
    house.push_busybox("team/app", "1")
    place = folder()
    registry = house.url[len("http://"):]
    plain = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    pulled = run("skopeo", "copy", "-q", *plain, f"docker://{registry}/team/app:1", f"oci:{place}/layout:1")
    check(pulled.returncode == 0, pulled.all)
    pushed = run("skopeo", "copy", "-q", *plain, "--dest-creds", f"ada:{house.token}", f"oci:{place}/layout:1", f"docker://{registry}/team/copy:2")
    check(pushed.returncode == 0, pushed.all)
    seen = json.loads(run("skopeo", "inspect", "--tls-verify=false", f"docker://{registry}/team/copy:2").stdout)
    origin = json.loads(run("skopeo", "inspect", "--tls-verify=false", f"docker://{registry}/team/app:1").stdout)
    check(seen["Layers"] == origin["Layers"] and seen["RepoTags"] == ["2"], seen)
    for form in ("dir", "docker-archive"):
        check(run("skopeo", "copy", "-q", *plain, f"docker://{registry}/team/copy:2", f"{form}:{place}/{form}").returncode == 0, form)
    wrong = run("skopeo", "copy", "-q", *plain, "--dest-creds", "ada:wrong", f"oci:{place}/layout:1", f"docker://{registry}/team/copy:3")
    check(wrong.returncode != 0 and ("unauthorized" in wrong.stderr.lower() or "authentication required" in wrong.stderr.lower() or "username/password" in wrong.stderr), wrong.all)
    missing = run("skopeo", "inspect", "--tls-verify=false", f"docker://{registry}/team/nosuch:1")
    check(missing.returncode != 0 and ("unknown" in missing.stderr or "not found" in missing.stderr), missing.all)
    gone = run("skopeo", "delete", "--tls-verify=false", "--creds", f"ada:{house.token}", f"docker://{registry}/team/copy:2")
    check(gone.returncode == 0, gone.all)


harness.main(globals())
