"""Repositories elsewhere that want a sign-in: Argo CD's Secrets, Flux's Secrets, over HTTP (git http-backend behind
a password) and over ssh (sshd)."""
import base64
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import ENV, HOME, House, check, folder, get_path, main, need, need_root, run, until, write

ARGO, FLUX = "argocd", "flux-system"
PASSWORD = "hush-hush-hush"


def config_map(name, value):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"v": value}})


def apply(house, *objects):
    house.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def secret(name, kind, **fields):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": ARGO, "labels": {"argocd.argoproj.io/secret-type": kind}}, "stringData": fields}


def application(name, url, project="default"):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name, "namespace": ARGO}, "spec": {
        "project": project, "source": {"repoURL": url, "path": "app", "targetRevision": "main"}, "destination": {"name": "in-cluster", "namespace": name},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"]}}}


def state(house, name):
    o = json.loads(house.kubectl("get", "application", name, "-n", ARGO, "-o", "json").stdout)
    words = "; ".join(c["message"] for c in get_path(o, "status", "conditions") or [])
    return f"{get_path(o, 'status', 'sync', 'status')} {words}"


def reaches(house, name, want, seconds=25):
    seen = []

    def test():
        seen[:] = [state(house, name)]
        return want in seen[0]
    try:
        until(test, want, seconds)
    except Exception as error:
        check(False, f"{name}: want \"{want}\", is \"{seen and seen[0]}\": {error}")


def value(house, name):
    result = house.kubectl("get", "configmap", "a", "-n", name, "-o", "jsonpath={.data.v}", check_it=False)
    return result.stdout if result.returncode == 0 else None


ADA = {**ENV, "GIT_AUTHOR_NAME": "ada", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "ada", "GIT_COMMITTER_EMAIL": "a@b"}


def repository(root, name, value):
    """A bare repository with one object in app/."""
    path, work = os.path.join(root, name + ".git"), os.path.join(root, name)
    env = ADA
    run("git", "init", "-q", "--bare", "-b", "main", path, env=env)
    run("git", "init", "-q", "-b", "main", work, env=env)
    write(work, "app/a.yaml", config_map("a", value))
    run("git", "-C", work, "add", ".", env=env)
    run("git", "-C", work, "commit", "-q", "-m", "First", env=env)
    check(run("git", "-C", work, "push", "-q", path, "main", env=env).returncode == 0, "pushed")
    return path


class Web:
    """git's own HTTP server (http-backend), for whoever has the password."""

    def __init__(self):
        need("git")
        root = self.root = folder()
        asked = self.asked = []  # paths, by who had the password

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                want = "Basic " + base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
                if self.headers.get("Authorization") != want:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="git"')
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                path, _, query = self.path.partition("?")
                asked.append(path)
                length = int(self.headers.get("Content-Length") or 0)
                env = {**ENV, "GIT_PROJECT_ROOT": root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
                       "CONTENT_TYPE": self.headers.get("Content-Type") or "", "CONTENT_LENGTH": str(length)}
                out = subprocess.run(["git", "-c", "safe.directory=*", "http-backend"], input=self.rfile.read(length), stdout=subprocess.PIPE, env=env).stdout
                head, _, body = out.partition(b"\r\n\r\n")
                lines = [line.split(": ", 1) for line in head.decode().split("\r\n")]
                self.send_response(int(next((value for name, value in lines if name == "Status"), "200").split()[0]))
                for name, value in lines:
                    if name != "Status":
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            do_POST = do_GET
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        shutil.rmtree(self.root, ignore_errors=True)


def test_a_secret_signs_in(house: House):
    need("kubectl")
    web = Web()
    try:
        repository(web.root, "private", "1")
        url = f"{web.url}/private.git"
        apply(house, application("private", url))
        reaches(house, "private", "wants credentials")
        apply(house, secret("private", "repository", url=url, username="ada", password="wrong-password"))
        # The right one is acted on when it comes, not at the next poll.
        apply(house, secret("private", "repository", url=url, username="ada", password=PASSWORD))
        reaches(house, "private", "Synced", 10)
        check(value(house, "private") == "1", "it came")
        for text in (open(house.log, errors="replace").read(), house.kubectl("get", "application,event", "-A", "-o", "yaml").stdout):
            check(PASSWORD not in text, "the password is nowhere to be seen")
        shown = house.cli("app", "diff", "private")
        check(shown.returncode == 0, shown.all)
    finally:
        web.close()


def test_a_prefix_and_a_project(house: House):
    need("kubectl")
    web = Web()
    try:
        repository(web.root, "of-team", "1")
        url = f"{web.url}/of-team.git"
        apply(house, secret("web", "repo-creds", url=f"{web.url}/of", username="ada", password=PASSWORD),
              {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "team", "namespace": ARGO},
               "spec": {"sourceRepos": ["*"], "destinations": [{"name": "*", "server": "*", "namespace": "*"}], "clusterResourceWhitelist": [{"group": "*", "kind": "*"}]}},
              secret("of-team", "repository", url=url, project="team"))
        apply(house, application("of-team", url, "team"), application("of-others", url))
        reaches(house, "of-team", "Synced")
        reaches(house, "of-others", "is one of project 'team' alone")
        check(value(house, "of-others") is None, "nothing came")
    finally:
        web.close()


class Sshd:
    """An ssh server that lets one key read repositories."""

    def __init__(self):
        need("ssh-keygen", "git")
        need_root()
        self.program = shutil.which("sshd", path="/usr/sbin:/usr/bin") or None
        if not self.program:
            need("sshd")
        self.root = folder()
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        for name in ("host", "user"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(self.root, name))
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.key = open(os.path.join(self.root, "user")).read()
        self.known = f"[127.0.0.1]:{self.port} {open(os.path.join(self.root, 'host.pub')).read()}"
        # Only git, and only below this folder.
        write(self.root, "git", "#!/bin/sh\nexec git-shell -c \"$SSH_ORIGINAL_COMMAND\"\n")
        os.chmod(os.path.join(self.root, "git"), 0o755)
        write(self.root, "keys", f"command=\"{self.root}/git\",restrict {open(os.path.join(self.root, 'user.pub')).read()}")
        write(self.root, "config", f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.root}/host\nAuthorizedKeysFile {self.root}/keys\n"
              "StrictModes no\nPasswordAuthentication no\nUsePAM no\nPermitRootLogin yes\nPidFile none\nLogLevel VERBOSE\n")
        self.process = subprocess.Popen([self.program, "-D", "-e", "-f", os.path.join(self.root, "config")], stderr=open(os.path.join(self.root, "log"), "wb"), env=ENV)

        def up():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0
        until(up, "sshd listens")

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)


def test_ssh_keys_of_argo_and_flux(house: House):
    need("kubectl")
    server = Sshd()
    try:
        url = f"ssh://root@127.0.0.1:{server.port}{repository(server.root, 'shop', 'by ssh')}"
        apply(house, secret("ssh", "repository", url=url, sshPrivateKey=server.key), application("by-ssh", url))
        reaches(house, "by-ssh", "the host's key is not known")
        apply(house, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-ssh-known-hosts-cm", "namespace": ARGO}, "data": {"ssh_known_hosts": server.known}})
        house.kubectl("annotate", "application", "by-ssh", "-n", ARGO, "argocd.argoproj.io/refresh=normal")
        reaches(house, "by-ssh", "Synced")
        check(value(house, "by-ssh") == "by ssh", "it came by ssh")

        # Flux's own Secret; Argo CD's is not for it.
        house.kubectl("create", "namespace", FLUX, check_it=False)
        house.kubectl("create", "namespace", "flux-ssh")
        source = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": "shop", "namespace": FLUX}, "spec": {"interval": "1s", "url": url, "ref": {"branch": "main"}}}
        apply(house, source, {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": "shop", "namespace": FLUX},
                              "spec": {"interval": "1s", "retryInterval": "1s", "prune": True, "path": "app", "targetNamespace": "flux-ssh", "sourceRef": {"kind": "GitRepository", "name": "shop"}}})

        def ready(kind):
            o = json.loads(house.kubectl("get", kind, "shop", "-n", FLUX, "-o", "json").stdout)
            c = next((c for c in get_path(o, "status", "conditions") or [] if c["type"] == "Ready"), {})
            return f"{c.get('status')} {c.get('message')}"
        until(lambda: ready("gitrepository").startswith("False "), "without a Secret nobody signs in")
        check(value(house, "flux-ssh") is None, "nothing came")
        source["spec"]["secretRef"] = {"name": "shop"}
        apply(house, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop", "namespace": FLUX}, "stringData": {"identity": server.key, "identity.pub": "", "known_hosts": server.known}}, source)
        until(lambda: value(house, "flux-ssh") == "by ssh", f"Flux's: {ready('gitrepository')}; {ready('kustomization')}", 25)
        check("BEGIN OPENSSH" not in open(house.log, errors="replace").read(), "no key in the log")
    finally:
        server.close()


def link(root, name, path, url, commit):
    """A commit with a gitlink, as `git submodule add` makes it."""
    work = os.path.join(root, name)
    write(work, ".gitmodules", f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n')
    for argv in (["add", ".gitmodules"], ["update-index", "--add", "--cacheinfo", f"160000,{commit},{path}"], ["commit", "-q", "-m", "Link"],
                 ["push", "-q", os.path.join(root, name + ".git"), "main"]):
        check(run("git", "-C", work, *argv, env=ADA).returncode == 0, argv)


def tip(root, name):
    return run("git", "-C", os.path.join(root, name), "rev-parse", "HEAD", env=ENV).stdout.strip()


def test_submodules(house: House):
    need("kubectl")
    web = Web()
    try:
        for name in ("parent", "lib", "unread"):
            repository(web.root, name, name)
        link(web.root, "parent", "lib", "../lib.git", tip(web.root, "lib"))
        url = f"{web.url}/parent.git"
        # Who signs in to the repository signs in to its submodules on the same host.
        app = application("modules", url)
        app["spec"]["source"]["path"] = "lib/app"
        apply(house, secret("parent", "repository", url=url, username="ada", password=PASSWORD), app, application("beside", f"{web.url}/lib.git"))
        reaches(house, "modules", "Synced")
        check(value(house, "modules") == "lib", "it came from the submodule")
        reaches(house, "beside", "wants credentials")
        check(value(house, "beside") is None, "what came as a submodule is not there for others")

        # Another commit of the submodule, that no branch has any more.
        work = os.path.join(web.root, "lib")
        run("git", "-C", os.path.join(web.root, "lib.git"), "config", "uploadpack.allowAnySHA1InWant", "true")
        write(work, "app/a.yaml", config_map("a", "second"))
        for argv in (["commit", "-q", "-a", "-m", "Second"], ["push", "-q", os.path.join(web.root, "lib.git"), "main:aside"], ["push", "-q", os.path.join(web.root, "lib.git"), ":aside"]):
            check(run("git", "-C", work, *argv, env=ADA).returncode == 0, argv)
        link(web.root, "parent", "lib", "../lib.git", tip(web.root, "lib"))
        house.kubectl("annotate", "application", "modules", "-n", ARGO, "argocd.argoproj.io/refresh=normal")
        until(lambda: value(house, "modules") == "second", "the submodule's next commit")

        # An unread one is not asked for, and hurts nobody; a hostile address is one clear error.
        link(web.root, "unread", "there", f"{web.url}/gone.git", "1" * 40)
        apply(house, secret("unread", "repository", url=f"{web.url}/unread.git", username="ada", password=PASSWORD), application("unread", f"{web.url}/unread.git"))
        reaches(house, "unread", "Synced")
        check(not any("gone.git" in path for path in web.asked), "nobody asked for it")
        link(web.root, "parent", "lib", "ext::sh -c touch% /tmp/no", tip(web.root, "lib"))
        house.kubectl("annotate", "application", "modules", "-n", ARGO, "argocd.argoproj.io/refresh=normal")
        reaches(house, "modules", "is no address that a submodule is fetched from")

        # Flux's, by its own Secret.
        link(web.root, "parent", "lib", "../lib.git", tip(web.root, "lib"))
        house.kubectl("create", "namespace", FLUX, check_it=False)
        house.kubectl("create", "namespace", "flux-modules")
        source = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": "modules", "namespace": FLUX},
                  "spec": {"interval": "1s", "url": url, "ref": {"branch": "main"}, "secretRef": {"name": "modules"}}}
        apply(house, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "modules", "namespace": FLUX}, "stringData": {"username": "ada", "password": PASSWORD}}, source,
              {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": "modules", "namespace": FLUX},
               "spec": {"interval": "1s", "retryInterval": "1s", "prune": True, "path": "lib/app", "targetNamespace": "flux-modules", "sourceRef": {"kind": "GitRepository", "name": "modules"}}})

        def told():
            return house.kubectl("get", "kustomization", "modules", "-n", FLUX, "-o", "jsonpath={.status.conditions}").stdout
        until(lambda: "is in the submodule lib" in told(), "without recurseSubmodules it says so")
        source["spec"]["recurseSubmodules"] = True
        apply(house, source)
        until(lambda: value(house, "flux-modules") == "second", f"Flux's submodule: {told()}", 25)
        check(PASSWORD not in open(house.log, errors="replace").read(), "the password is nowhere to be seen")
    finally:
        web.close()


def test_signed_commits(house: House):
    need("kubectl"), need("gpg"), need("gpgconf")
    web = Web()
    home = folder()
    os.chmod(home, 0o700)
    env = {**ADA, "GNUPGHOME": home}
    try:
        def key(name):
            run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", f"{name} <{name}@b>", "ed25519", "sign", "never", env=env)
            listed = run("gpg", "--list-keys", "--with-colons", name, env=env).stdout
            return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))[-16:]

        def commit(by, text):
            work = os.path.join(web.root, "signed")
            write(work, "app/a.yaml", config_map("a", text))
            sign = [f"-S{by}"] if by else []
            for argv in (["commit", "-q", "-a", "-m", text, *sign], ["push", "-q", os.path.join(web.root, "signed.git"), "main"]):
                result = run("git", "-C", work, *argv, env=env)
                check(result.returncode == 0, result.all)
            return tip(web.root, "signed")
        ada, eve = key("ada"), key("eve")
        public = run("gpg", "--armor", "--export", ada, env=env).stdout
        repository(web.root, "signed", "unsigned")
        url = f"{web.url}/signed.git"
        app = application("signed", url)
        app["spec"]["project"] = "signed"
        apply(house, secret("signed", "repository", url=url, username="ada", password=PASSWORD),
              {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-gpg-keys-cm", "namespace": ARGO}, "data": {ada: public}},
              {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "signed", "namespace": ARGO},
               "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}], "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
                        "signatureKeys": [{"keyID": ada}]}}, app)
        reaches(house, "signed", f"GIT/GPG: Failed verifying revision {tip(web.root, 'signed')} by 'ada <a@b>': unsigned (key_id=)")
        check(value(house, "signed") is None, "nothing unsigned is deployed")

        def refresh():
            house.kubectl("annotate", "application", "signed", "-n", ARGO, "argocd.argoproj.io/refresh=normal", "--overwrite")
        commit(eve, "by-eve")
        refresh()
        reaches(house, "signed", f"signed with key not in keyring (key_id={eve})")
        commit(ada, "by-ada")
        refresh()
        until(lambda: value(house, "signed") == "by-ada", "what ada signed is deployed")

        # Flux's, by keys in a Secret.
        house.kubectl("create", "namespace", FLUX, check_it=False)
        apply(house, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "signed", "namespace": FLUX}, "stringData": {"username": "ada", "password": PASSWORD}},
              {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "signers", "namespace": FLUX}, "stringData": {"ada.asc": public}},
              {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": "signed", "namespace": FLUX},
               "spec": {"interval": "1s", "url": url, "ref": {"branch": "main"}, "secretRef": {"name": "signed"}, "verify": {"mode": "HEAD", "secretRef": {"name": "signers"}}}})

        def verified():
            return house.kubectl("get", "gitrepository", "signed", "-n", FLUX, "-o", "jsonpath={.status.conditions[?(@.type=='SourceVerified')]}").stdout
        until(lambda: f"with key '{ada}'" in verified(), "Flux's source is verified")
        commit(eve, "again-by-eve")
        until(lambda: "InvalidCommitSignature" in verified(), "and is refused")
    finally:
        run("gpgconf", "--kill", "all", env=env)
        web.close()


WORKFLOW = """on: push
jobs:
  image:
    runs-on: x
    steps:
      - uses: actions/checkout@v4
      - uses: docker/build-push-action@v6
        with: {context: ., push: true, tags: "acme/far:1"}
"""


def test_promotions_go_to_a_repository_elsewhere(house: House):
    need("kubectl", "git")
    web = Web()
    try:
        path = repository(web.root, "far-config", "1")
        run("git", "-C", path, "config", "http.receivepack", "true")
        work = os.path.join(web.root, "far-config")
        env = ADA

        def commit(name, text):
            write(work, name, text)
            for argv in (["add", "."], ["commit", "-q", "-m", name], ["push", "-q", path, "HEAD:main"]):
                check(run("git", "-C", work, *argv, env=env).returncode == 0, argv)
        commit("dev/kustomization.yaml", "resources: [app.yaml]\nimages:\n- name: acme/far  # ours\n  newTag: none\n")
        commit("dev/app.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: none}\n")
        url = f"{web.url}/far-config.git"
        apply(house, secret("far", "repository", url=url, username="ada", password=PASSWORD),
              {"apiVersion": "slipway.dev/v1", "kind": "Pipeline", "metadata": {"name": "far", "namespace": HOME}, "spec": {
                  "repository": "far-config", "url": url, "services": [{"name": "far", "image": "acme/far", "repository": "far"}],
                  "environments": [{"name": "dev", "path": "dev", "namespace": "default"}]}})
        app = house.git("far")
        app.write(".github/workflows/ci.yml", WORKFLOW)
        app.write("Dockerfile", "FROM scratch\nCOPY version /version\n")

        def promoted(version):
            app.write("version", version)
            app.commit("Version " + version)
            if seen:
                app.push("HEAD:refs/for/main")
                house.command("pr", "merge", "far#1")
            else:
                app.push("HEAD:main")

            def there():
                run("git", "-C", work, "fetch", "-q", path, "main", env=env)
                text = run("git", "-C", work, "show", "FETCH_HEAD:dev/kustomization.yaml", env=env).stdout
                found = [line for line in text.splitlines() if "sha256:" in line]
                return text if found and found[0] not in seen and not seen.append(found[0]) else None
            return until(there, f"version {version} is promoted there", 40)
        seen = []
        text = promoted("1")
        check("# ours" in text, f"the rest of the file stays: {text}")
        # Somebody else pushes meanwhile: nothing of theirs is lost.
        run("git", "-C", work, "reset", "-q", "--hard", "FETCH_HEAD", env=env)
        commit("notes", "by a person")
        promoted("2")
        check(run("git", "-C", work, "show", "FETCH_HEAD:notes", env=env).stdout == "by a person", "their commit is there")
        check(PASSWORD not in open(house.log, errors="replace").read(), "no password in the log")
    finally:
        web.close()


if __name__ == "__main__":
    main(globals())
