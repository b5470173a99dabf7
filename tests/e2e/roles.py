"""Roles of AppProjects, with stock kubectl as a member of a group and as a pipeline with a role's own name: what is not allowed is a
refusal that names it, and what may not be seen is not there."""
import json

from harness import House, check, get_path, main, need, until

ARGO = "argocd"
ROLES = [
    {"name": "release", "groups": ["releasers"],
     "policies": ["p, proj:shop:release, applications, get, shop/*, allow", "p, proj:shop:release, applications, sync, shop/*, allow",
                  "p, proj:shop:release, applications, sync, shop/vault, deny"]},
    {"name": "write", "policies": [f"p, proj:shop:write, applications, {action}, shop/*, allow" for action in ("get", "create", "update", "delete")]},
]


def project(name, roles=()):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": name, "namespace": ARGO},
            "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}], "roles": list(roles)}}


def application(name, project="shop", **spec):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name, "namespace": ARGO},
            "spec": {"project": project, "source": {"repoURL": "http://slipway/git/config.git", "path": "app", "targetRevision": "main"},
                     "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"}, **spec}}


class Person:
    def __init__(self, house, name, group):
        self.house, self.token = house, house.cli("user", "add", name, "--group", group).stdout.strip()

    def kubectl(self, *argv, **more):
        where = (f"--server=https://127.0.0.1:{self.house.port}", f"--certificate-authority={self.house.data}/pki/ca.crt", f"--token={self.token}")
        return self.house.kubectl("--kubeconfig=/dev/null", *where, *argv, check_it=False, **more)

    def may(self, *argv, **more):
        done = self.kubectl(*argv, **more)
        check(done.returncode == 0, f"{argv}: {done.all}")
        return done.stdout

    def may_not(self, what, *argv, **more):
        done = self.kubectl(*argv, **more)
        check(done.returncode != 0 and what in done.all, f"{argv}: want {what}: {done.all}")


def applications(text):
    return sorted(line.split("/")[-1] for line in text.split())


def sync(name):
    return ("patch", "application", name, "-n", ARGO, "--type=merge", "-p", '{"operation":{"sync":{}}}')


def test_roles(house: House):
    need("kubectl", "git")
    config = house.git("config")
    config.write("app/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {v: '1'}\n")
    config.commit("Begin")
    config.push("HEAD:main")
    house.kubectl("create", "namespace", "shop")
    for one in (project("shop", ROLES), project("other"), application("web"), application("vault"), application("alien", "other")):
        house.kubectl("apply", "-f", "-", input=json.dumps(one))
    rita, robot, stranger = Person(house, "rita", "releasers"), Person(house, "robot", "proj:shop:write"), Person(house, "sam", "others")

    # What they see.
    check(applications(rita.may("get", "applications", "-n", ARGO, "-o", "name")) == ["vault", "web"], "her project's alone")
    rita.may("get", "application", "web", "-n", ARGO)
    rita.may_not("Forbidden", "get", "application", "alien", "-n", ARGO)
    rita.may_not("Forbidden", "get", "secrets", "-n", ARGO)
    stranger.may_not("Forbidden", "get", "applications", "-n", ARGO)
    status, events = house.http("GET", f"/apis/argoproj.io/v1alpha1/namespaces/{ARGO}/applications?watch=1&timeoutSeconds=1", token=f"Bearer {rita.token}")
    seen = {get_path(json.loads(line), "object", "metadata", "name") for line in events.splitlines()}
    check(status == 200 and seen == {"vault", "web"}, events)

    # What a releaser does.
    rita.may(*sync("web"))
    until(lambda: house.kubectl("get", "configmap", "a", "-n", "shop", check_it=False).returncode == 0, "it is synced")
    rita.may("annotate", "application", "web", "-n", ARGO, "argocd.argoproj.io/refresh=normal")
    rita.may_not("no role of the project allows rita to sync shop/vault", *sync("vault"))
    rita.may_not("no role of the project allows rita to override shop/web", "patch", "application", "web", "-n", ARGO, "--type=merge", "-p",
                 '{"operation":{"sync":{"source":{"repoURL":"http://slipway/git/config.git","path":"other"}}}}')
    rita.may_not("no role of the project allows rita to update shop/web", "patch", "application", "web", "-n", ARGO, "--type=merge", "-p", '{"spec":{"source":{"targetRevision":"x"}}}')
    rita.may_not("Forbidden", "delete", "application", "web", "-n", ARGO)
    rita.may_not("Forbidden", "patch", "appproject", "shop", "-n", ARGO, "--type=merge", "-p", '{"spec":{"roles":[]}}')
    rita.may_not("no role of the project allows rita to create shop/new", "create", "-f", "-", input=json.dumps(application("new")))

    # What a pipeline does that has the role's name.
    robot.may("create", "-f", "-", input=json.dumps(application("new")))
    robot.may_not("no role of the project allows robot to create other/more", "create", "-f", "-", input=json.dumps(application("more", "other")))
    robot.may_not("no role of the project allows robot to create other/new", "patch", "application", "new", "-n", ARGO, "--type=merge", "-p", '{"spec":{"project":"other"}}')
    robot.may_not("no role of the project allows robot to sync shop/new", *sync("new"))
    robot.may("patch", "application", "new", "-n", ARGO, "--type=merge", "-p", '{"spec":{"source":{"path":"."}}}')
    robot.may("delete", "application", "new", "-n", ARGO)

    # What is taken away counts at once; what means nothing is not taken.
    house.kubectl("apply", "-f", "-", input=json.dumps(project("shop", [{"name": "release", "groups": ["releasers"], "policies": []}])))
    rita.may_not("Forbidden", "get", "application", "web", "-n", ARGO)
    bad = house.kubectl("apply", "-f", "-", input=json.dumps(project("shop", [{"name": "a", "policies": ["p, proj:shop:a, applications, sing, shop/*, allow"]}])), check_it=False)
    check(bad.returncode != 0 and "sing: no such action" in bad.all, bad.all)


if __name__ == "__main__":
    main(globals())
