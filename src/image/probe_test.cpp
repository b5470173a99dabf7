// Every feature of Dockerfiles by itself: a tiny file, and what it must lead to.
#include <sys/stat.h>
#include <sys/un.h>

#include "base/process.h"
#include "git/host.h"
#include "image/testing/house.h"
#include "net/server.h"

namespace slipway::image {
namespace {

// What the probes reach: a base, a context, a Git host, a web server, an agent.
struct Place : House {
  std::unique_ptr<git::Host> host;
  std::unique_ptr<net::Server> git, web;
  std::string commit, file_digest;
  std::optional<Child> agent;
  path::BuildRequest base_request;

  Place() : House(With::runtime) {
    base();
    file("a.txt", "A");
    file("b.txt", "B", 0600);
    file("dir/c.txt", "C");
    file("dir/sub/d.md", "D");
    file("hidden", "no");
    file(".dockerignore", "Dockerfile\nhidden\n");
    must(run_ok(ctx,
                {.argv = {"tar", "-C", (context / "dir").native(), "-czf", (context / "x.tgz").native(), "c.txt"}}));
    serve_git();
    serve_files();
  }
  void serve_git() {
    host = must(git::Host::open(dir.path() / "git",
                                {.authenticate = [](const Ctx&, const std::string&, const std::string&, bool) {
                                  return std::optional<std::string>("anybody");
                                }}));
    auto repository = must(host->create("lib"));
    git::Signature who{"a", "a@example.com", {}};
    auto tree = must(repository.write_tree("", {{"sub/x", "from git\n", 0}, {"run.sh", "#!/bin/sh\n", 0100755}}));
    commit = must(repository.write_commit(tree, {}, who, "one"));
    must(repository.update_ref("refs/heads/main", commit, {}, "test"));
    must(repository.update_ref("refs/tags/v1", commit, {}, "test"));
    auto next =
        must(repository.write_commit(must(repository.write_tree(tree, {{"new", "later\n", 0}})), {commit}, who, "two"));
    must(repository.update_ref("refs/heads/main", next, {}, "test"));
    git = must(net::Server::start({}, host->routes()));
  }
  void serve_files() {
    auto tar = must(read_file(context / "x.tgz"));
    file_digest = Digest::of("from the web\n").str();
    web = must(net::Server::start({}, [tar](const Ctx&, net::Request& request) {
      return net::Response::text(200, request.path == "/x.tgz" ? tar : std::string("from the web\n"));
    }));
  }
  std::string filled(std::string text) const {
    text = replace_all(text, "@GIT@", "http://" + git->address() + "/git/lib.git");
    text = replace_all(text, "@WEB@", "http://" + web->address());
    text = replace_all(text, "@COMMIT@", commit);
    text = replace_all(text, "@DIGEST@", file_digest);
    return text;
  }
};

struct Probe {
  const char* name;
  const char* dockerfile;  // after "FROM base/busybox:1", unless it has a FROM
  const char* want;        // the tree on top of the base, or "error: part of the message"
  void (*set)(Place&, path::BuildRequest&) = nullptr;
};
void PrintTo(const Probe& probe, std::ostream* out) { *out << probe.name; }

void start_agent(Place& place, path::BuildRequest& r) {
  auto socket = place.dir.path() / "agent";
  place.agent = must(Child::start({.argv = {"ssh-agent", "-D", "-a", socket.native()}}, {}));
  while (!path_exists(socket)) ::usleep(1000);
  r.ssh["default"] = socket;
}

class Feature : public testing::TestWithParam<Probe> {};
TEST_P(Feature, Works) {
  Place place;
  NEEDS_RUNTIME(place);
  std::string text = GetParam().dockerfile;
  bool whole = text.starts_with("FROM") || text.contains("\nFROM ");
  auto r = place.request(place.filled(whole ? text : "FROM base/busybox:1\n" + text));
  if (GetParam().set != nullptr) GetParam().set(place, r);
  auto done = place.build(r);
  std::string want = place.filled(GetParam().want);
  if (want.starts_with("error: ")) {
    ASSERT_FALSE(done) << place.tree();
    EXPECT_NE(done.error().print().find(want.substr(7)), std::string::npos) << done.error().print();
    return;
  }
  ASSERT_TRUE(done) << done.error().print() << "\n" << place.log;
  EXPECT_EQ(place.tree(), want) << place.log;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Feature,
    testing::ValuesIn(std::to_array<Probe>({
        {"Stages", "FROM base/busybox:1 AS one\nRUN echo 1 > /o\nFROM base/busybox:1\nCOPY --from=one /o /t\n", "/t 644 1"},
        {"FromScratch", "FROM scratch\nCOPY a.txt /\n", "/a.txt 644 A"},
        {"FromVariable", "ARG TAG=1\nFROM base/busybox:${TAG}\nRUN echo ok > /o\n", "/o 644 ok"},
        {"FromDigest", "FROM scratch\n", "/o 644 ok",
         [](Place& p, path::BuildRequest& r) {
           auto digest = must(p.registry->image("base/busybox", "1")).digest.str();
           p.file("Dockerfile", "FROM base/busybox@" + digest + "\nRUN echo ok > /o\n");
           (void)r;
         }},
        {"FromEarlierStage", "FROM base/busybox:1 AS one\nRUN echo 1 > /o\nFROM one\nRUN cat /o > /p\n",
         "/o 644 1\n/p 644 1"},
        {"FromPlatform", "FROM --platform=$BUILDPLATFORM base/busybox:1\nRUN echo ok > /o\n", "/o 644 ok"},
        {"Target", "FROM base/busybox:1 AS one\nRUN echo 1 > /o\nFROM one AS two\nRUN echo 2 > /p\n", "/o 644 1",
         [](Place&, path::BuildRequest& r) { r.target = "One"; }},
        {"ArgBeforeFrom", "ARG V=x\nFROM base/busybox:1\nRUN echo \"[$V]\" > /no\nARG V\nRUN echo \"[$V]\" > /yes\n",
         "/no 644 []\n/yes 644 [x]"},
        {"ArgsOnOneLine", "ARG A=1 B=${A}2\nRUN echo $A $B > /o\n", "/o 644 1 12"},
        {"ArgFromOutside", "ARG A=1\nRUN echo $A > /o\n", "/o 644 7",
         [](Place&, path::BuildRequest& r) { r.args["A"] = "7"; }},
        {"TargetArgs", "ARG TARGETPLATFORM TARGETOS TARGETARCH\nRUN test $TARGETPLATFORM = $TARGETOS/$TARGETARCH && echo ok > /o\n",
         "/o 644 ok"},
        {"BuildArgs", "ARG BUILDPLATFORM BUILDOS BUILDARCH\nRUN test $BUILDPLATFORM = $BUILDOS/$BUILDARCH && echo ok > /o\n",
         "/o 644 ok"},
        {"ProxyArgs", "RUN echo $HTTP_PROXY > /o\n", "/o 644 http://p",
         [](Place&, path::BuildRequest& r) { r.args["HTTP_PROXY"] = "http://p"; }},
        {"RunShell", "RUN echo $((1+1)) > /o\n", "/o 644 2"},
        {"RunExec", "RUN [\"touch\", \"/a b\"]\n", "/a b 644 "},
        {"RunHeredoc", "RUN <<EOF\nX=1\necho $X > /o\nEOF\n", "/o 644 1"},
        {"RunHeredocTabs", "RUN <<-EOF\n\techo 1 > /o\n\tEOF\n", "/o 644 1"},
        {"RunHeredocScript", "RUN <<EOF\n#!/bin/cat\nhello\nEOF\nRUN <<EOF\n#!/bin/sh\necho $0 > /o\nEOF\n",
         "/o 644 /dev/pipes/EOF"},
        {"RunHeredocStdin", "RUN cat <<EOF > /o\nx $((1+1))\nEOF\n", "/o 644 x 2"},
        {"RunHeredocTwo", "RUN cat <<A - <<'B' > /o && echo ok > /p\na\nA\nb $x\nB\n", "/o 644 b $x\n/p 644 ok"},
        {"RunHeredocDot", "RUN <<.\necho dot > /o\n.\n", "/o 644 dot"},
        {"CopyHeredoc", "ARG W=me\nCOPY <<A <<\"B\" /d/\nhi $W\nA\nhi $W\nB\n", "/d/\n/d/A 644 hi me\n/d/B 644 hi $W"},
        {"CopyHeredocTabs", "COPY <<-A /f\n\tx\n\tA\n", "/f 644 x"},
        {"AddHeredoc", "ADD <<A /f\nx\nA\n", "/f 644 x"},
        {"CacheMount", "RUN --mount=type=cache,target=/c,id=k echo 1 > /c/x\nRUN --mount=type=cache,target=/d,id=k cat /d/x > /o\n",
         "/o 644 1"},
        {"CacheMountOfAnother",
         "RUN --mount=type=cache,target=/c,id=k echo 1 > /c/x\nRUN --mount=type=cache,target=/d,id=k,mode=0700,uid=7 "
         "stat -c %a:%u /d > /o; ls /d >> /o\n",
         "/o 644 700:7"},
        {"LaterOfEnvAndArg",
         "ENV A=1\nARG A=2\nARG B=3\nENV B=4\nRUN echo $A $B > /o\nENV C=$A\nRUN echo $C > /p\n", "/o 644 2 4\n/p 644 2"},
        {"ArgOfTheStageBelow",
         "FROM base/busybox:1 AS one\nARG N=base\nFROM one AS two\nARG N=\"$N-dev\"\nFROM two\nARG N\nRUN echo $N > /o\n",
         "/o 644 base-dev"},
        {"EmptyRun", "RUN\n", ""},
        {"WildcardWithoutFolder", "COPY nope/* /o\n", "error: /nope: not found"},
        {"WildcardOfOne", "COPY b*t /o\n", "/o 600 B"},
        {"EqualLayers", "FROM base/busybox:1 AS one\nCOPY a.txt /o\nCOPY a.txt /o\nRUN cat /o > /p\nRUN cat /o > /p\nRUN cat /p > /q\n",
         "/o 644 A\n/p 644 A\n/q 644 A"},
        {"BindFrom", "RUN --mount=from=base/busybox:1,target=/b test -x /b/bin/busybox && echo ok > /o\n", "/o 644 ok"},
        {"BindContext", "RUN --mount=target=/b cat /b/a.txt > /o; test -e /b/hidden || echo hidden >> /o\n",
         "/o 644 Ahidden"},
        {"BindReadWriteIsDropped", "RUN --mount=target=/b,rw echo x > /b/new && cat /b/new > /o\nRUN --mount=target=/b test ! -e /b/new\n",
         "/o 644 x"},
        {"SecretFile", "RUN --mount=type=secret,id=k,required cat /run/secrets/k > /o; stat -c %a /run/secrets/k >> /o\n",
         "/o 644 s3\n400", [](Place&, path::BuildRequest& r) { r.secrets["k"] = "s3\n"; }},
        {"SecretTarget", "RUN --mount=type=secret,id=k,target=t/k,mode=0444,uid=5 cat t/k > /o; stat -c %a:%u t/k >> /o\n",
         "/o 644 s3\n444:5", [](Place&, path::BuildRequest& r) { r.secrets["k"] = "s3\n"; }},
        {"SecretEnv", "RUN --mount=type=secret,id=k,env=K echo $K > /o; test ! -e /run/secrets/k && echo ok >> /o\n",
         "/o 644 s3\nok", [](Place&, path::BuildRequest& r) { r.secrets["k"] = "s3"; }},
        {"SecretRequired", "RUN --mount=type=secret,id=k,required=true true\n", "error: secret \"k\" is required"},
        {"SecretLeavesNothing", "RUN --mount=type=secret,id=k true\n", "",
         [](Place&, path::BuildRequest& r) { r.secrets["k"] = "s3"; }},
        {"Ssh", "RUN --mount=type=ssh test -S $SSH_AUTH_SOCK && echo $SSH_AUTH_SOCK > /o\n",
         "/o 644 /run/buildkit/ssh_agent.0", start_agent},
        {"SshOwner", "RUN --mount=type=ssh,target=/s,mode=0666,uid=7 stat -c %a:%u /s > /o\n", "/o 644 666:7", start_agent},
        {"SshAbsent", "RUN --mount=type=ssh echo \"[$SSH_AUTH_SOCK]\" > /o\n", "/o 644 []"},
        {"SshRequired", "RUN --mount=type=ssh,required true\n", "error: SSH agent \"default\" is required"},
        {"TmpfsMount", "RUN --mount=type=tmpfs,target=/t,size=1m echo x > /t/x; mount | grep ' /t ' | grep -c size=1024k > /o\n",
         "/o 644 1"},
        {"MountVariables", "ARG T=/b\nRUN --mount=target=$T cat /b/a.txt > /o\n", "/o 644 A"},
        {"NetworkNone", "RUN --network=none ls /sys/class/net | tr '\\n' ' ' > /o\n", "/o 644 lo"},
        {"NetworkHost", "RUN --network=host ls /sys/class/net | grep -c lo > /o\n", "/o 644 1"},
        {"NetworkDefault", "RUN --network=default ls /sys/class/net | grep -c lo > /o\n", "/o 644 1"},
        {"SecurityInsecure", "RUN --security=insecure mount -t tmpfs t /tmp && echo ok > /o\n", "/o 644 ok",
         [](Place&, path::BuildRequest& r) { r.allow = {"security.insecure"}; }},
        {"SecuritySandbox", "RUN --security=sandbox mount -t tmpfs t /tmp 2> /dev/null || echo refused > /o\n",
         "/o 644 refused"},
        {"SecurityNeedsAllow", "RUN --security=insecure true\n", "error: not allowed in this build"},
        {"DeviceOptional", "RUN --device=vendor.example/gpu=all echo ok > /o\n", "/o 644 ok"},
        {"DeviceRequired", "RUN --device=vendor.example/gpu=all,required true\n", "error: no devices are given to builds"},
        {"CopyAll", "FROM scratch\nCOPY . /x\n",
         "/x/\n/x/.dockerignore 644 Dockerfile\nhidden\n/x/a.txt 644 A\n/x/b.txt 600 B\n/x/dir/\n/x/dir/c.txt 644 C\n/x/dir/sub/\n/x/dir/sub/d.md 644 D\n/x/x.tgz 644 T",
         [](Place& p, path::BuildRequest&) { p.file("x.tgz", "T"); }},
        {"CopyWildcard", "FROM scratch\nCOPY *.txt d?r/[cd].txt /x/\n", "/x/\n/x/a.txt 644 A\n/x/b.txt 600 B\n/x/c.txt 644 C"},
        {"CopyFromNumber", "FROM base/busybox:1\nRUN echo 1 > /o\nFROM scratch\nCOPY --from=0 /o /\n", "/o 644 1"},
        {"CopyFromImage", "FROM scratch\nCOPY --from=base/busybox:1 /etc/group /\n", "/group 644 root:x:0:\nstaff:x:50:"},
        {"CopyFromContext", "FROM scratch\nCOPY --from=other f /\n", "/f 644 other",
         [](Place& p, path::BuildRequest& r) {
           must(make_dirs(p.dir.path() / "other"));
           must(write_file(p.dir.path() / "other/f", "other"));
           r.contexts["other"] = p.dir.path() / "other";
         }},
        {"CopyFromVariable", "ARG S=x\nFROM scratch AS x\nFROM scratch\nCOPY --from=$S / /\n",
         "error: COPY --from takes no variables"},
        {"CopyChown", "COPY --chown=app:staff a.txt /o\n", "/o 644 1000:50 A"},
        {"CopyChmodOctal", "COPY --chmod=4711 a.txt /o\n", "/o 4711 A"},
        {"CopyMakesParents", "COPY --chown=7:8 --chmod=750 a.txt /n/m/o\nCOPY --chown=7 --chmod=u=rw,go= a.txt /p/q/\n",
         "/n/ 750 7:8\n/n/m/ 750 7:8\n/n/m/o 750 7:8 A\n/p/ 7:7\n/p/q/ 7:7\n/p/q/a.txt 600 7:7 A"},
        {"JsonIsWholeOrNone", "RUN [\"no\"] || echo shell > /o\n", "/o 644 shell"},
        {"CopyChmodSymbolic", "COPY --chmod=u=rwX,go= dir/sub /o\n", "/o/\n/o/d.md 600 D"},
        {"CopyLink", "COPY --link a.txt /new/\n", "/new/\n/new/a.txt 644 A"},
        {"CopyParents", "FROM scratch\nCOPY --parents dir/./sub/d.md dir/c.txt /x/\n",
         "/x/\n/x/dir/\n/x/dir/c.txt 644 C\n/x/sub/\n/x/sub/d.md 644 D"},
        {"CopyParentsOfNothing", "FROM scratch\nCOPY --parents dir/./no* /x/\n", "/x/"},
        {"CopyExclude", "FROM scratch\nCOPY --exclude=*.md --exclude=b* --exclude=x.tgz --exclude=.d* . /x\n",
         "/x/\n/x/a.txt 644 A\n/x/dir/\n/x/dir/c.txt 644 C\n/x/dir/sub/\n/x/dir/sub/d.md 644 D"},
        {"AddUnpacks", "FROM scratch\nADD x.tgz /x/\n", "/x/\n/x/c.txt 644 C"},
        {"AddUnpackOff", "FROM scratch\nADD --unpack=false x.tgz /x/\nCOPY a.txt /x/x.tgz\n", "/x/\n/x/x.tgz 644 A"},
        {"AddUrl", "FROM scratch\nADD @WEB@/f /\n", "/f 600 from the web"},
        {"AddUrlChecksum", "FROM scratch\nADD --checksum=@DIGEST@ --chmod=644 @WEB@/f /g\n", "/g 644 from the web"},
        {"AddUrlWrongChecksum",
         "FROM scratch\nADD --checksum=sha256:0000000000000000000000000000000000000000000000000000000000000000 @WEB@/f /\n",
         "error: its digest is @DIGEST@, want"},
        {"AddUrlUnpack", "FROM scratch\nADD --unpack=true @WEB@/x.tgz /x/\n", "/x/\n/x/c.txt 644 C"},
        {"AddUrlWithoutName", "FROM scratch\nADD @WEB@/ /\n", "/__unnamed__ 600 from the web"},
        {"AddGit", "FROM scratch\nADD @GIT@ /x\n",
         "/x/\n/x/new 644 later\n/x/run.sh 755 #!/bin/sh\n/x/sub/\n/x/sub/x 644 from git"},
        {"AddGitFolder", "FROM scratch\nADD @GIT@#v1:sub /x\n", "/x/\n/x/x 644 from git"},
        {"AddGitQuery", "FROM scratch\nADD @GIT@?ref=v1&subdir=sub /x\n", "/x/\n/x/x 644 from git"},
        {"AddGitChecksum", "FROM scratch\nADD --checksum=@COMMIT@ @GIT@#v1:sub /x\n", "/x/\n/x/x 644 from git"},
        {"AddGitWrongChecksum", "FROM scratch\nADD --checksum=@COMMIT@ @GIT@#main /x\n", "error: want @COMMIT@"},
        {"AddGitKeepDir", "ADD --keep-git-dir=true @GIT@#v1 /x\nRUN cat /x/.git/HEAD > /o && rm -r /x\n", "/o 644 @COMMIT@"},
        {"AddGitNoRef", "FROM scratch\nADD @GIT@#nope /x\n", "error: has no nope"},
        {"EnvForms", "ENV A=1 B=\"2 3\"\nENV C 4 5\nRUN echo $A $B $C > /o\n", "/o 644 1 2 3 4 5"},
        {"EnvSeesTheLineBefore", "ENV A=1\nENV A=2 B=$A\nRUN echo $A $B > /o\n", "/o 644 2 1"},
        {"UserAndGroup", "USER app:staff\nRUN id -u > /tmp/o; id -g >> /tmp/o\n",
         "/tmp/ 1777\n/tmp/o 644 1000:50 1000\n50"},
        {"WorkdirRelative", "WORKDIR /w\nWORKDIR d\nRUN pwd > o\n", "/w/\n/w/d/\n/w/d/o 644 /w/d"},
        {"Shell", "SHELL [\"/bin/sh\", \"-ec\"]\nRUN false; echo no > /o\n", "error: exit status 1"},
        {"OnBuildOfStage", "FROM base/busybox:1 AS one\nONBUILD RUN echo ran > /o\nFROM one\n", "/o 644 ran"},
        {"OnBuildHeredoc", "FROM base/busybox:1 AS one\nONBUILD COPY <<EOF /o\nx\nEOF\nFROM one\n", "/o 644 x"},
        {"EscapeDirective", "# escape=`\nFROM base/busybox:1\nRUN echo 1 `\n  2 > /o\n", "/o 644 1 2"},
        {"SyntaxDirective", "# syntax=docker/dockerfile:1\nFROM scratch\nCOPY a.txt /\n", "/a.txt 644 A"},
        {"CheckDirective", "# check=error=true\nFROM scratch as x\nCOPY a.txt /\n", "error: FromAsCasing"},
        {"CheckSkipped", "# check=skip=FromAsCasing;error=true\nFROM scratch as x\nCOPY a.txt /\n", "/a.txt 644 A"},
        {"ExpandDefaults", "ENV E=\nENV O=${U:-a}${E:-b}${U-c}[${E-d}]${P:+e}${P+f}[${E:+g}]${E+h} P=1\nENV Q=${P:+e}${P+f}\nRUN echo $O $Q > /o\n",
         "/o 644 abc[][]h ef"},
        {"ExpandRefuses", "ENV O=\"${U:?set it}\"\n", "error: U: set it"},
        {"ExpandStrips", "ENV F=a/b.tar.gz\nENV O=${F#*/},${F##*.},${F%.*},${F%%.*}\nRUN echo $O > /o\n",
         "/o 644 b.tar.gz,gz,a/b.tar,a/b"},
        {"ExpandReplaces", "ENV F=a-b-c\nENV O=${F/-/+},${F//-/+}\nRUN echo $O > /o\n", "/o 644 a+b-c,a+b+c"},
        {"CommentInContinuation", "RUN echo 1 \\\n# no\n  2 \\\n\n  3 > /o\n", "/o 644 1 2 3"},
        {"IgnoreFileOfTheDockerfile", "FROM scratch\nCOPY . /x\n", "/x/\n/x/hidden 644 no",
         [](Place& p, path::BuildRequest& r) {
           p.file("sub.Dockerfile", "FROM scratch\nCOPY . /x\n");
           p.file("sub.Dockerfile.dockerignore", "*\n!hidden\n");
           r.dockerfile = "sub.Dockerfile";
         }},
        {"StageNamesTwice", "FROM base/busybox:1 AS x\nRUN echo 1 > /o\nFROM x AS x\nRUN echo 2 >> /o\nFROM scratch\nCOPY --from=x /o /\n",
         "/o 644 1\n2"},
        {"ContextReplacesImage", "FROM nowhere/base:1\nRUN echo ok > /o\n", "/o 644 ok",
         [](Place&, path::BuildRequest& r) { r.context_urls["nowhere/base:1"] = "docker-image://base/busybox:1"; }},
        {"ContextReplacesStage", "FROM scratch AS one\nCOPY a.txt /f\nFROM scratch\nCOPY --from=one /f /\n", "/f 644 other",
         [](Place& p, path::BuildRequest& r) {
           must(make_dirs(p.dir.path() / "other"));
           must(write_file(p.dir.path() / "other/f", "other"));
           r.contexts["one"] = p.dir.path() / "other";
         }},
        {"ContextFolderAsBase", "FROM files\nCOPY a.txt /\n", "/a.txt 644 A\n/f 644 other",
         [](Place& p, path::BuildRequest& r) {
           must(make_dirs(p.dir.path() / "other"));
           must(write_file(p.dir.path() / "other/f", "other"));
           must(write_file(p.dir.path() / "other/out", "no"));
           must(write_file(p.dir.path() / "other/.dockerignore", "out\n.dockerignore\n"));
           r.contexts["files"] = p.dir.path() / "other";
         }},
        {"ContextGit", "FROM scratch\nCOPY --from=lib x /\n", "/x 644 from git",
         [](Place& p, path::BuildRequest& r) { r.context_urls["lib"] = p.filled("@GIT@#v1:sub"); }},
    })),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace slipway::image
