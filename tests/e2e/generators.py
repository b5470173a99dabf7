"""ApplicationSets whose generators ask others: the repositories of this house, a plugin (as Argo CD's documents write one),
the clusters that another object's status names."""
import http.server
import json
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import House, check, get_path, main, until

ARGO = "argocd"


def apply(house, *objects):
    house.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def config(kind, name, data):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": ARGO}, "data" if kind == "ConfigMap" else "stringData": data}


def a_set(name, generator, application, **more):
    spec = {"project": "default", "source": {"repoURL": "http://slipway/git/web.git", "path": "app"}, "destination": {"name": "in-cluster", "namespace": "default"}, **more}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": name, "namespace": ARGO}, "spec": {
        "goTemplate": True, "goTemplateOptions": ["missingkey=error"], "generators": [generator],
        "template": {"metadata": {"name": application}, "spec": spec}}}


def names(house, of):
    items = json.loads(house.kubectl("get", "applications", "-n", ARGO, "-o", "json").stdout)["items"]
    return sorted(i["metadata"]["name"] for i in items if i["metadata"]["ownerReferences"][0]["name"] == of)


def becomes(house, of, want, seconds=25):
    seen = []
    try:
        until(lambda: seen.append(names(house, of)) or seen[-1] == want, str(want), seconds)
    except Exception as error:
        said = house.kubectl("get", "applicationset", of, "-n", ARGO, "-o", "jsonpath={.status.conditions}").stdout
        check(False, f"{of}: want {want}, are {seen and seen[-1]}: {said}: {error}")


def said(house, of):
    o = json.loads(house.kubectl("get", "applicationset", of, "-n", ARGO, "-o", "json").stdout)
    return " ".join(c["message"] for c in get_path(o, "status", "conditions") or [] if c["type"] == "ErrorOccurred")


def push(house, name, **files):
    repository = house.git(name)
    for path, text in files.items():
        repository.write(path.replace("__", "/"), text)
    repository.commit("files")
    repository.push("HEAD:main")
    return repository


def test_repositories_of_this_house(house):
    push(house, "web", app__a_yaml="kind: List\napiVersion: v1\nitems: []\n")
    apply(house, a_set("repos", {"scmProvider": {"slipway": {}, "filters": [{"pathsExist": ["app"]}]}}, "repo-{{.repository}}-{{.branchNormalized}}"))
    becomes(house, "repos", ["repo-web-main"])
    push(house, "shop", app__b_yaml="kind: List\napiVersion: v1\nitems: []\n")
    becomes(house, "repos", ["repo-shop-main", "repo-web-main"])
    push(house, "library", src__main_c="int main(void) { return 0; }\n")
    other = push(house, "api", app__c_yaml="kind: List\napiVersion: v1\nitems: []\n")
    becomes(house, "repos", ["repo-api-main", "repo-shop-main", "repo-web-main"])
    other.git("rm", "-rq", "app")
    other.write("README", "moved away")
    other.commit("moved")
    other.push("HEAD:refs/for/main")
    house.command("pr", "merge", "api#1")
    becomes(house, "repos", ["repo-shop-main", "repo-web-main"])


def test_plugin(house):
    state = {"answer": [{"k": "a"}, {"k": "b"}], "status": 200, "asked": []}

    class Plugin(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state["asked"].append((self.path, self.headers["Authorization"], body))
            text = json.dumps({"output": {"parameters": state["answer"]}}).encode()
            self.send_response(state["status"])
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Plugin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        apply(house, config("ConfigMap", "my-plugin", {"token": "$my-secret:token", "baseUrl": f"http://127.0.0.1:{server.server_port}"}),
              config("Secret", "my-secret", {"token": "strong-password"}),
              a_set("plugged", {"plugin": {"configMapRef": {"name": "my-plugin"}, "input": {"parameters": {"one": 1}}, "requeueAfterSeconds": 5}}, "plug-{{.k}}-{{.generator.input.parameters.one}}"))
        becomes(house, "plugged", ["plug-a-1", "plug-b-1"])
        path, authorization, body = state["asked"][0]
        check(path == "/api/v1/getparams.execute" and authorization == "Bearer strong-password", f"{path} {authorization}")
        check(body == {"applicationSetName": "plugged", "input": {"parameters": {"one": 1}}}, body)
        state["answer"] = [{"k": "b"}, {"k": "c"}]
        becomes(house, "plugged", ["plug-b-1", "plug-c-1"])
        state["status"] = 503
        until(lambda: "503" in said(house, "plugged"), "its condition says so")
        check(names(house, "plugged") == ["plug-b-1", "plug-c-1"], "nothing goes while it is away")
        check("strong-password" not in open(house.log, errors="replace").read(), "no token in the log")
    finally:
        server.shutdown()
        server.server_close()


def test_clusters_that_another_object_names(house):
    apply(house, {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "ducks.mallard.io"}, "spec": {
        "group": "mallard.io", "scope": "Namespaced", "names": {"kind": "Duck", "plural": "ducks", "singular": "duck", "listKind": "DuckList"},
        "versions": [{"name": "v1beta1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}})
    until(lambda: house.kubectl("get", "ducks", "-n", ARGO, check_it=False).returncode == 0, "ducks are known")
    duck = {"apiVersion": "mallard.io/v1beta1", "kind": "Duck", "metadata": {"name": "quak", "namespace": ARGO}, "status": {"decisions": [{"clusterName": "in-cluster", "zone": "z1"}, {"clusterName": "gone"}]}}
    apply(house, duck, config("ConfigMap", "duck", {"apiVersion": "mallard.io/v1beta1", "kind": "ducks", "statusListKey": "decisions", "matchKey": "clusterName"}),
          a_set("decided", {"clusterDecisionResource": {"configMapRef": "duck", "name": "quak", "requeueAfterSeconds": 5}}, "on-{{.name}}-{{.zone}}", destination={"server": "{{.server}}", "namespace": "default"}))
    becomes(house, "decided", ["on-in-cluster-z1"])
    duck["status"] = {"decisions": []}
    apply(house, duck)
    becomes(house, "decided", [])


if __name__ == "__main__":
    main(globals())
