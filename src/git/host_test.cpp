// The host against git's own client over HTTP.
#include "git/host.h"

#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/encode.h"
#include "base/guarded.h"
#include "base/hash.h"
#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "git/detail/pktline.h"
#include "net/client.h"

namespace slipway::git {
namespace {

struct HostTest : testing::Test {
  TempDir dir = must(TempDir::make("host"));
  Guarded<std::vector<Push>> pushes;
  std::unique_ptr<Host> host;
  std::unique_ptr<net::Server> server;

  void SetUp() override {
    HostPolicy policy;
    policy.check = [](const Ctx&, const Push& push, const Repository& repo) {
      std::vector<std::string> answers;
      for (const auto& update : push.updates) {
        std::string answer;
        if (update.ref == "refs/heads/protected")
          answer = "protected is protected: open a pull request\ngit push origin HEAD:refs/for/protected";
        if (update.forced && update.ref == "refs/heads/main") answer = "main takes no forced push";
        // The quarantined objects are readable.
        if (update.after != zero_oid && must(repo.read(update.after, "secret.txt")))
          answer = "secret.txt: holds a secret";
        answers.push_back(answer);
      }
      return answers;
    };
    policy.accepted = [this](const Ctx&, const Push& push) {
      pushes.lock()->push_back(push);
      return std::vector<std::string>{"thank you, " + push.pusher};
    };
    policy.review_ref = [](const Ctx&, const Push&, const RefUpdate& update,
                           const Repository& seen) -> Result<std::string> {
      TRY_OK(seen.commit(update.after));  // not accepted yet, but readable
      if (update.ref != "refs/for/main") return fail(Kind::not_found, "no branch {}", update.ref.substr(9));
      return std::string("refs/pull/7/head");
    };
    policy.authenticate = [](const Ctx&, const std::string& user, const std::string& secret,
                             bool write) -> std::optional<std::string> {
      if (secret == "token") return "robot";
      if (user == "ada" && secret == "pw") return user;
      return write || !user.empty() ? std::nullopt : std::optional<std::string>("anonymous");
    };
    host = must(Host::open(dir.path() / "repos", std::move(policy)));
    server = must(net::Server::start({}, host->routes()));
    git("", {"init", "-q", "-b", "main", "work"});
  }
  void TearDown() override { server.reset(); }

  std::string url(const std::string& name = "shop", const std::string& who = "ada:pw@") {
    return fmt::format("http://{}{}/git/{}.git", who, server->address(), name);
  }
  Output git(const std::string& in, std::vector<std::string> argv, std::map<std::string, std::string> env = {}) {
    Command command;
    command.argv = {"git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "protocol.version=2"};
    command.argv.insert(command.argv.end(), argv.begin(), argv.end());
    command.cwd = (dir.path() / in).string();
    command.extra_env = {
        {"GIT_TERMINAL_PROMPT", "0"}, {"GIT_CONFIG_GLOBAL", "/dev/null"}, {"LC_ALL", "C"}, {"no_proxy", "*"}};
    for (auto& [key, value] : env) command.extra_env[key] = value;
    return must(run(Ctx{}, command));
  }
  void ok(const std::string& in, std::vector<std::string> argv) {
    auto output = git(in, argv);
    ASSERT_EQ(output.code, 0) << join(argv, " ") << "\n" << output.err;
  }
  void commit(const std::string& file, const std::string& text, const std::string& in = "work") {
    must(write_file(dir.path() / in / file, text));
    ok(in, {"add", "-A"});
    ok(in, {"commit", "-qm", "change " + file});
  }
  std::string tip(const std::string& in = "work") { return std::string(trim(git(in, {"rev-parse", "HEAD"}).out)); }
  std::string hosted(const std::string& ref, const std::string& name = "shop") {
    return must(must(host->repository(name)).resolve(ref)).value_or("none");
  }
  std::string fsck() {
    auto result = git("repos/shop.git", {"-c", "safe.directory=*", "fsck", "--strict", "--no-dangling"});
    return result.out + result.err;
  }
};

TEST_F(HostTest, PushesAndClones) {
  commit("a.txt", "one");
  auto pushed = git("work", {"push", "-o", "ci.skip", url(), "main"});
  ASSERT_EQ(pushed.code, 0) << pushed.err;
  EXPECT_TRUE(pushed.err.contains("remote: thank you, ada")) << pushed.err;
  EXPECT_EQ(hosted("main"), tip());
  EXPECT_EQ(must(host->list()), std::vector<std::string>{"shop"});
  {
    auto seen = pushes.lock();
    ASSERT_EQ(seen->size(), 1u);
    EXPECT_EQ((*seen)[0].options, std::vector<std::string>{"ci.skip"});
    EXPECT_EQ((*seen)[0].updates[0].ref, "refs/heads/main");
    EXPECT_EQ((*seen)[0].updates[0].before, zero_oid);
  }
  for (std::string version : {"0", "1", "2"}) {
    ok("", {"-c", "protocol.version=" + version, "clone", "-q", url("shop", ""), "clone" + version});
    EXPECT_EQ(tip("clone" + version), tip()) << version;
  }
  commit("b.txt", "two");
  ok("work", {"push", "-q", url(), "main"});
  ok("clone2", {"pull", "-q"});
  EXPECT_EQ(tip("clone2"), tip());
  EXPECT_EQ(fsck(), "");
}

TEST_F(HostTest, ClonesShallowAndPartial) {
  for (int i = 0; i < 5; ++i) commit("a.txt", std::to_string(i));
  ok("work", {"push", "-q", url(), "main"});
  ok("", {"clone", "-q", "--depth", "1", url("shop", ""), "shallow"});
  EXPECT_EQ(trim(git("shallow", {"rev-list", "--count", "HEAD"}).out), "1");
  ok("", {"clone", "-q", "--bare", "--filter=blob:none", url("shop", ""), "partial"});
  EXPECT_EQ(trim(git("partial", {"cat-file", "-p", "HEAD:a.txt"}).out), "4");
  // One commit by its id, as a run fetches it.
  auto third = std::string(trim(git("work", {"rev-parse", "HEAD~2"}).out));
  ok("", {"init", "-q", "one"});
  ok("one", {"fetch", "-q", "--depth", "1", url("shop", ""), third});
  // A push from a shallow clone: what it lacks is here.
  commit("b.txt", "b", "shallow");
  ok("shallow", {"push", "-q", url(), "main"});
  EXPECT_EQ(hosted("main"), tip("shallow"));
}

TEST_F(HostTest, ShowsWhyAPushIsRefused) {
  commit("a.txt", "one");
  auto refused = git("work", {"push", url(), "main:protected"});
  EXPECT_NE(refused.code, 0);
  EXPECT_TRUE(
      refused.err.contains("! [remote rejected] main -> protected (protected is protected: open a pull request)"))
      << refused.err;
  EXPECT_TRUE(refused.err.contains("remote: git push origin HEAD:refs/for/protected")) << refused.err;
  EXPECT_EQ(hosted("protected"), "none");
  EXPECT_EQ(must(list_dir(dir.path() / "repos/shop.git/objects/pack")).size(), 0u);  // nothing of it stays
  ok("work", {"push", "-q", url(), "main"});
  ok("work", {"commit", "-q", "--amend", "-m", "other"});
  EXPECT_TRUE(git("work", {"push", "-f", url(), "main"}).err.contains("main takes no forced push"));
  ok("work", {"push", "-q", url(), "main:topic", "main~0:refs/heads/gone"});
  ok("work", {"commit", "-q", "--amend", "-m", "again"});
  ok("work", {"push", "-q", "-f", url(), "main:topic"});
  EXPECT_EQ(hosted("topic"), tip());
  ok("work", {"push", "-q", url(), ":gone"});
  EXPECT_EQ(hosted("gone"), "none");
  EXPECT_TRUE(git("work", {"push", url(), ":main"}).err.contains("refusing to delete the default branch"));
  commit("secret.txt", "hunter2");
  EXPECT_TRUE(git("work", {"push", url(), "main:leak"}).err.contains("secret.txt: holds a secret"));
  EXPECT_TRUE(git("work", {"push", url(), "main:refs/pull/1/head"}).err.contains("push to refs/for/BRANCH"));
}

TEST_F(HostTest, OpensPullRequests) {
  commit("a.txt", "one");
  ok("work", {"push", "-q", url(), "main"});
  commit("b.txt", "two");
  auto pushed = git("work", {"push", url(), "HEAD:refs/for/main"});
  ASSERT_EQ(pushed.code, 0) << pushed.err;
  EXPECT_TRUE(pushed.err.contains("HEAD -> refs/pull/7/head")) << pushed.err;
  EXPECT_EQ(hosted("refs/pull/7/head"), tip());
  EXPECT_EQ(hosted("refs/for/main"), "none");
  auto first = tip();
  ok("work", {"commit", "-q", "--amend", "-m", "better"});
  ok("work", {"push", "-q", url(), "HEAD:refs/for/main"});
  auto seen = pushes.lock();
  ASSERT_EQ(seen->size(), 3u);
  EXPECT_EQ((*seen)[2].updates[0].ref, "refs/pull/7/head");
  EXPECT_EQ((*seen)[2].updates[0].asked, "refs/for/main");
  EXPECT_EQ((*seen)[2].updates[0].before, first);
  EXPECT_TRUE((*seen)[2].updates[0].forced);
  EXPECT_TRUE(git("work", {"push", url(), "HEAD:refs/for/none"}).err.contains("no branch none"));
}

TEST_F(HostTest, TakesReviewsAtOnce) {
  commit("a.txt", "one");
  ok("work", {"push", "-q", url(), "main"});
  std::vector<std::jthread> people;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 4; ++i) ok("", {"clone", "-q", url(), "p" + std::to_string(i)});
  for (int i = 0; i < 4; ++i)
    people.emplace_back([&, i] {
      auto me = "p" + std::to_string(i);
      git(me, {"commit", "-q", "--allow-empty", "-m", me});
      if (git(me, {"push", "-q", "origin", "HEAD:refs/for/main"}).code != 0) ++failed;
    });
  people.clear();
  EXPECT_EQ(failed, 0);
}

TEST_F(HostTest, ClonesAnEmptyRepository) {
  must(host->create("team/empty"));
  ok("", {"clone", "-q", url("team/empty", ""), "empty"});
  EXPECT_EQ(trim(git("empty", {"symbolic-ref", "HEAD"}).out), "refs/heads/main");
}

TEST_F(HostTest, TheFirstBranchBecomesTheDefault) {
  commit("a.txt", "one");
  ok("work", {"push", "-q", url(), "main:trunk"});
  EXPECT_EQ(must(must(host->repository("shop")).head()), "refs/heads/trunk");
}

TEST_F(HostTest, PushesAllRefsOrNone) {
  commit("a.txt", "one");
  auto refused = git("work", {"push", "--atomic", url(), "main", "main:protected", "main:topic"});
  EXPECT_NE(refused.code, 0);
  EXPECT_EQ(must(must(host->repository("shop")).refs()).size(), 0u);
  ok("work", {"tag", "-a", "v1", "-m", "one"});
  ok("work", {"tag", "light"});
  ok("work", {"push", "-q", "--atomic", url(), "main", "main:topic", "v1", "light"});
  EXPECT_EQ(must(must(host->repository("shop")).refs()).size(), 4u);
  EXPECT_EQ(hosted("v1"), tip());
  // Without --atomic the others go through.
  EXPECT_NE(git("work", {"push", url(), "main:protected", "main:also"}).code, 0);
  EXPECT_EQ(hosted("also"), tip());
  EXPECT_EQ(fsck(), "");
}

TEST_F(HostTest, ServesACommitThatNoRefHas) {
  commit("a.txt", "one");
  ok("work", {"push", "-q", url(), "main"});
  commit("a.txt", "lost");
  auto lost = tip();
  ok("work", {"push", "-q", url(), "HEAD:refs/heads/aside"});
  ok("work", {"push", "-q", url(), ":refs/heads/aside"});
  auto mirror = must(Repository::mirror(Ctx{}, url(), dir.path() / "mirror.git"));
  EXPECT_FALSE(mirror.commit(lost).has_value());
  must(mirror.fetch_commit(Ctx{}, url(), lost));
  EXPECT_EQ(must(mirror.read(lost, "a.txt")), "lost");
  EXPECT_FALSE(mirror.fetch_commit(Ctx{}, url(), std::string(40, '1')).has_value());
}

TEST_F(HostTest, AsksWhoItIs) {
  commit("a.txt", "one");
  auto anonymous = git("work", {"push", url("shop", ""), "main"});
  EXPECT_TRUE(anonymous.err.contains("could not read Username") || anonymous.err.contains("terminal prompts disabled"))
      << anonymous.err;
  EXPECT_TRUE(git("work", {"push", url("shop", "ada:wrong@"), "main"}).err.contains("Authentication failed"));
  EXPECT_EQ(must(host->list()).size(), 0u);
  ok("work", {"-c", "http.extraHeader=Authorization: Bearer token", "push", "-q", url("shop", ""), "main"});
  EXPECT_EQ((*pushes.lock())[0].pusher, "robot");
  EXPECT_TRUE(git("", {"clone", "-q", url("none", ""), "x"}).err.contains("not found"));
  for (std::string path :
       {"/git/../../etc/passwd/info/refs", "/git/.hidden.git/info/refs", "/git/a/b/c/d/e.git/info/refs",
        "/git/-x.git/info/refs", "/git/shop.git/HEAD", "/git/shop.git/objects/info/packs"}) {
    auto answer = net::Client().get(Ctx{}, "http://" + server->address() + path + "?service=git-upload-pack");
    EXPECT_TRUE(!answer || answer->status == 404 || answer->status == 400) << path;
  }
}

TEST_F(HostTest, SLOW_LosesNoneOfManyPushesAtOnce) {
  commit("a.txt", "one");
  ok("work", {"push", "-q", url(), "main"});
  std::vector<std::jthread> people;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 20; ++i) ok("", {"clone", "-q", url(), "p" + std::to_string(i)});
  for (int i = 0; i < 20; ++i)
    people.emplace_back([&, i] {
      auto me = "p" + std::to_string(i);
      must(write_file(dir.path() / me / ("f" + std::to_string(i)), std::to_string(i)));
      git(me, {"add", "-A"});
      git(me, {"commit", "-qm", me});
      for (int tries = 0; tries < 100; ++tries) {
        if (git(me, {"push", "-q", "origin", "main"}).code == 0) return;
        git(me, {"pull", "-q", "--rebase", "origin", "main"});
      }
      ++failed;
    });
  people.clear();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(must(must(host->repository("shop")).list(hosted("main"))).size(), 21u);
  EXPECT_EQ(pushes.lock()->size(), 21u);
  server.reset();
  host.reset();  // fsck does not bear the packs being put together meanwhile
  EXPECT_EQ(fsck(), "");
}

TEST_F(HostTest, SLOW_TakesALargePush) {
  for (int i = 0; i < 5; ++i)
    must(write_file(dir.path() / "work" / ("blob" + std::to_string(i)), random_bytes(10 << 20)));
  commit("a.txt", "one");
  auto pushed = git("work", {"push", "-q", url(), "main"});  // over http.postBuffer: a probe, then chunked
  ASSERT_EQ(pushed.code, 0) << pushed.err;
  EXPECT_EQ(hosted("main"), tip());
}

TEST_F(HostTest, MirrorsAndPushesByItsOwnClient) {
  commit("a.txt", "one");
  ok("work", {"push", "-q", url(), "main"});
  Ctx ctx;
  auto copy = must(Repository::mirror(ctx, url(), dir.path() / "copy.git"));
  EXPECT_EQ(must(copy.resolve("main")), tip());
  auto tree = must(copy.write_tree(tip(), {{"b.txt", "two"}}));
  auto next = must(copy.write_commit(tree, {tip()}, {"Ada", "a@b", {}}, "two"));
  ASSERT_TRUE(copy.update_ref("refs/heads/main", next, tip(), "two"));
  auto pushed = copy.push(ctx, url(), {"refs/heads/main:refs/heads/main"});
  ASSERT_TRUE(pushed) << pushed.error().what();
  EXPECT_EQ(hosted("main"), next);
  auto refused = copy.push(ctx, url(), {"refs/heads/main:refs/heads/protected"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), Kind::denied) << refused.error().what();
  EXPECT_TRUE(refused.error().what().contains("open a pull request")) << refused.error().what();
  // Somebody else was faster.
  commit("c.txt", "three");
  ok("work", {"pull", "-q", "--rebase", url(), "main"});
  ok("work", {"push", "-q", url(), "main"});
  auto mine = must(copy.write_commit(tree, {next}, {"Ada", "a@b", {}}, "mine"));
  ASSERT_TRUE(copy.update_ref("refs/heads/main", mine, next, "mine"));
  EXPECT_EQ(copy.push(ctx, url(), {"refs/heads/main:refs/heads/main"}).error().kind(), Kind::conflict);
  EXPECT_EQ(Repository::mirror(ctx, url("shop", "ada:bad@"), dir.path() / "no.git").error().kind(), Kind::denied);
  EXPECT_EQ(Repository::mirror(ctx, url("none"), dir.path() / "no.git").error().kind(), Kind::not_found);
}

// Below: a client that does not behave.

std::string gzip(const std::string& text) {
  std::string packed(text.size() + 100, '\0');
  z_stream z{};
  deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(packed.data());
  z.avail_out = static_cast<uInt>(packed.size());
  deflate(&z, Z_FINISH);
  packed.resize(z.total_out);
  deflateEnd(&z);
  return packed;
}

struct HostileTest : HostTest {
  std::string post(const std::string& body, const std::string& coding = "") {
    net::ClientRequest request{.method = "POST",
                               .url = fmt::format("http://{}/git/shop.git/git-receive-pack", server->address())};
    request.headers = {{"Content-Type", "application/x-git-receive-pack-request"},
                       {"Authorization", "Basic " + to_base64("ada:pw")}};
    if (!coding.empty()) request.headers.set("Content-Encoding", coding);
    request.body = body;
    auto answer = must(net::Client().send(Ctx{}, request));
    return answer.ok() ? answer.body : fmt::format("{} {}", answer.status, answer.body);
  }
  std::string command(const std::string& id, const std::string& ref = "refs/heads/x") {
    return pkt(fmt::format("{} {} {}{}report-status", zero_oid, id, ref, '\0')) + "0000";
  }
  // The pack of the work tree's whole history.
  std::string pack() {
    Command pack{.argv = {"git", "-C", (dir.path() / "work").string(), "pack-objects", "--all", "--stdout", "-q"}};
    return must(run_ok(Ctx{}, pack));
  }
  std::string pack_of(const std::string& objects) {
    Command pack{.argv = {"git", "-C", (dir.path() / "work").string(), "pack-objects", "--stdout", "-q"}};
    pack.input = objects;
    return must(run_ok(Ctx{}, pack));
  }
};

TEST_F(HostileTest, RefusesBrokenPacks) {
  commit("a.txt", "one");
  auto good = pack();
  auto flipped = good;
  flipped[flipped.size() / 2] ^= 0x55;
  auto many = good;
  many[11] = 99;
  const std::pair<std::string, std::string> cases[] = {
      {"", "unpack pack: the stream ends after 0 bytes"},
      {good.substr(0, good.size() - 30), "unpack pack: "},
      {good.substr(0, 5), "unpack pack: the stream ends after 5 bytes"},
      {flipped, "unpack pack: "},
      {many, "unpack pack: "},
      {good + "tail", "unpack pack: "},
      {"JUNK" + good, "unpack pack: does not start with PACK"},
      {std::string("PACK\0\0\0\3\0\0\0\1", 12) + std::string(30, 'x'), "unpack pack: version 3, want 2"},
      {std::string("PACK\0\0\0\2\0\0\0\0", 12) + std::string(20, 'x'), "unpack pack: wrong checksum"},
  };
  for (const auto& [bytes, want] : cases) {
    auto answer = post(command(tip()) + bytes);
    EXPECT_TRUE(answer.contains(want)) << want << "\n" << answer;
    EXPECT_TRUE(answer.contains("ng refs/heads/x unpacker error")) << answer;
  }
  EXPECT_EQ(hosted("x"), "none");
  EXPECT_EQ(must(list_dir(dir.path() / "repos/shop.git/objects")), (std::vector<std::string>{"info", "pack"}));
  EXPECT_TRUE(must(list_dir(dir.path() / "repos/shop.git/objects/pack")).empty());
  EXPECT_TRUE(post(command(tip()) + good).contains("ok refs/heads/x"));
}

TEST_F(HostileTest, RefusesHistoriesWithHoles) {
  commit("dir.txt", "one");
  commit("b.txt", "two");
  auto parse = [&](const std::string& what) { return std::string(trim(git("work", {"rev-parse", what}).out)); };
  auto head = tip(), tree = parse("HEAD^{tree}"), parent = parse("HEAD~1");
  EXPECT_TRUE(post(command(head) + pack_of(head + "\n")).contains("missing necessary objects: ")) << "tree";
  EXPECT_TRUE(post(command(head) +
                   pack_of(head + "\n" + tree + "\n" + parse("HEAD:b.txt") + "\n" + parse("HEAD:dir.txt") + "\n"))
                  .contains("missing necessary objects: "))
      << "parent";
  // Objects that nothing reaches are not to be trusted later: first the tree without its file, then a commit on it.
  EXPECT_TRUE(post(command(parent) +
                   pack_of(parent + "\n" + parse("HEAD~1^{tree}") + "\n" + parse("HEAD:dir.txt") + "\n" + tree + "\n"))
                  .contains("ok refs/heads/x"));
  auto answer =
      post(pkt(fmt::format("{} {} refs/heads/x{}report-status", parent, head, '\0')) + "0000" + pack_of(head + "\n"));
  EXPECT_TRUE(answer.contains("missing at b.txt")) << answer;
  EXPECT_EQ(hosted("x"), parent);
  EXPECT_TRUE(post(command(std::string(40, 'd')) + pack()).contains("missing necessary objects: object dddd"));
  EXPECT_TRUE(post(command(tree) + pack()).contains("a branch must point at a commit"));
}

TEST_F(HostileTest, RefusesTreesThatLeadAstray) {
  commit("a.txt", "one");
  auto tree = std::string(trim(git("work", {"rev-parse", "HEAD^{tree}"}).out));
  Command mktree{.argv = {"git", "-C", (dir.path() / "work").string(), "mktree"},
                 .input = fmt::format("040000 tree {}\t.git\n", tree)};
  auto bad = std::string(trim(must(run_ok(Ctx{}, mktree))));
  auto made = std::string(trim(git("work", {"commit-tree", bad, "-m", "evil"}).out));
  git("work", {"update-ref", "refs/heads/evil", made});
  EXPECT_TRUE(post(command(made) + pack()).contains("\".git\" is not allowed as a file name"));
}

TEST_F(HostileTest, UnderstandsGzipAndBadCommands) {
  commit("a.txt", "one");
  EXPECT_TRUE(post(gzip(command(tip()) + pack()), "gzip").contains("ok refs/heads/x"));
  EXPECT_TRUE(post(gzip(command(tip()) + pack()).substr(0, 60), "gzip").starts_with("400 gzip body: ends early"));
  EXPECT_EQ(post("0000"), "");  // may I?
  EXPECT_TRUE(post("garbage").starts_with("400 pkt-line: "));
  EXPECT_TRUE(post(pkt("x") + "0000").starts_with("400 push: command \"x\": want OLD NEW REF"));
  for (std::string ref : {"HEAD", "refs/heads/../x", "refs/heads/x.lock", "config", "refs/heads/"})
    EXPECT_TRUE(post(command(tip(), ref) + pack()).contains("not a valid ref name")) << ref;
  // An old value that is not the old value any more.
  EXPECT_TRUE(post(command(tip()) + pack()).contains("ng refs/heads/x fetch first: it is at"));
}

TEST_F(HostileTest, RefusesDeltasThatSwell) {
  // A delta of a few bytes that claims a result of 1 TiB.
  auto size_code = [](std::uint64_t n) {
    std::string code;
    do {
      code += static_cast<char>((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
      n >>= 7;
    } while (n > 0);
    return code;
  };
  auto deflated = [](const std::string& text) {
    std::string packed(compressBound(text.size()), '\0');
    uLongf size = packed.size();
    compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(text.data()), text.size());
    packed.resize(size);
    return packed;
  };
  std::string base(10, 'a');
  std::string delta = size_code(base.size()) + size_code(std::uint64_t{1} << 40);
  for (int i = 0; i < 1000; ++i) delta += std::string("\x90\x0a", 2);
  std::string bomb("PACK\0\0\0\2\0\0\0\2", 12);
  bomb += static_cast<char>(0x3a);  // blob, 10 bytes
  bomb += deflated(base);
  std::uint64_t n = delta.size();
  std::string head(1, static_cast<char>(0x80 | 0x70 | (n & 15)));  // ref delta
  head += size_code(n >> 4);
  bomb += head + must(from_hex(sha1_hex("blob 10" + std::string(1, '\0') + base))) + deflated(delta);
  bomb += Hasher(Hasher::Algorithm::sha1).update(bomb).finish_raw();
  auto answer = post(command(std::string(40, 'd')) + bomb);
  EXPECT_TRUE(answer.contains("unpack pack: ")) << answer;
}

TEST_F(HostTest, SweepsWhatAKillLeft) {
  commit("a.txt", "one");
  ok("work", {"push", "-q", url(), "main"});
  must(make_dirs(dir.path() / "repos/shop.git/objects/incoming-abc/pack"));
  auto second = must(Host::open(dir.path() / "repos", {}));
  EXPECT_FALSE(path_exists(dir.path() / "repos/shop.git/objects/incoming-abc"));
}

// The host in a process of its own that kills itself at a chosen moment of a push.
enum class Moment { checking, accepted };
pid_t start_mortal_host(const fs::path& repos, Moment moment, int port_pipe) {
  pid_t pid = ::fork();
  if (pid != 0) return pid;
  HostPolicy policy;
  policy.check = [moment](const Ctx&, const Push&, const Repository&) {
    if (moment == Moment::checking) ::kill(::getpid(), SIGKILL);
    return std::vector<std::string>();
  };
  policy.accepted = [moment](const Ctx&, const Push&) {
    if (moment == Moment::accepted) ::kill(::getpid(), SIGKILL);
    return std::vector<std::string>();
  };
  auto host = Host::open(repos, std::move(policy));
  auto server = net::Server::start({}, (*host)->routes());
  int port = (*server)->port();
  (void)!::write(port_pipe, &port, sizeof port);
  for (;;) ::pause();
}

TEST_F(HostTest, AKillLosesNothingAcceptedAndKeepsNothingHalf) {
  commit("a.txt", "one");
  ok("work", {"push", "-q", url(), "main"});
  server.reset();
  host.reset();
  auto first = tip();
  commit("b.txt", "two");
  for (auto moment : {Moment::checking, Moment::accepted}) {
    auto pipe = must(make_pipe());
    pid_t pid = start_mortal_host(dir.path() / "repos", moment, pipe.write.get());
    int port = 0;
    ASSERT_EQ(::read(pipe.read.get(), &port, sizeof port), static_cast<ssize_t>(sizeof port));
    EXPECT_NE(git("work", {"push", "-q", fmt::format("http://127.0.0.1:{}/git/shop.git", port), "main"}).code, 0);
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    auto again = must(Host::open(dir.path() / "repos", {}));
    EXPECT_EQ(must(must(again->repository("shop")).resolve("main")), moment == Moment::checking ? first : tip());
    for (const auto& name : must(list_dir(dir.path() / "repos/shop.git/objects")))
      EXPECT_FALSE(name.starts_with("incoming-"));
    EXPECT_EQ(fsck(), "");
  }
}

TEST_F(HostTest, MovesRefsForTheHouse) {
  commit("a.txt", "one");
  ok("work", {"push", "-q", url(), "main", "main:topic"});
  auto first = tip();
  commit("b.txt", "two");
  ok("work", {"push", "-q", url(), "main:topic"});
  ASSERT_TRUE(host->update(Ctx{}, "shop", {"refs/heads/main", first, tip()}, "merge button"));
  EXPECT_EQ(hosted("main"), tip());
  EXPECT_EQ(pushes.lock()->back().pusher, "merge button");
  EXPECT_EQ(host->update(Ctx{}, "shop", {"refs/heads/main", first, tip()}, "x").error().kind(), Kind::conflict);
  EXPECT_EQ(host->update(Ctx{}, "none", {"refs/heads/main", first, tip()}, "x").error().kind(), Kind::not_found);
}

}  // namespace
}  // namespace slipway::git
