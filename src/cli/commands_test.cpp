// Commands as data, and those that need no server.
#include <gtest/gtest.h>

#include <set>

#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "box/box.h"
#include "cli/command.h"
#include "net/server.h"
#include "oci/registry.h"

namespace slipway::cli {
namespace {

std::vector<Command> all() {
  std::vector<Command> commands;
  for (auto list :
       {server_commands, path_commands, pr_commands, app_commands, rollout_commands, local_commands, init_commands,
        scan_commands, build_commands, image_commands, signing_commands, db_commands, secret_commands, sealing_commands,
        promote_commands, promote_history_commands, app_diff_commands, app_action_commands})
    for (auto& command : list()) commands.push_back(std::move(command));
  return commands;
}

Result<int> call(const std::string& name, const std::vector<std::pair<std::string, std::string>>& given) {
  Arguments arguments;
  for (const auto& [key, value] : given) arguments.add(key, value);
  for (const auto& command : all()) {
    if (command.name != name) continue;
    for (const auto& option : command.options) {
      auto key = option.names.substr(2, option.names.find(',') - 2);
      if (!option.fallback.empty() && !arguments.has(key)) arguments.add(key, option.fallback);
    }
    Io io(true);
    testing::internal::CaptureStdout();
    auto status = command.run(Ctx{}, arguments, io);
    testing::internal::GetCapturedStdout();
    return status;
  }
  return fail(Kind::internal, "there is no command {}", name);
}

TEST(Commands, EachHasASummaryAndAnExampleOfItself) {
  std::set<std::string> names;
  for (const auto& command : all()) {
    EXPECT_TRUE(names.insert(command.name).second) << command.name << " is there twice";
    EXPECT_FALSE(command.summary.empty()) << command.name;
    EXPECT_TRUE(command.example.starts_with("slipway " + command.name)) << command.name << ": " << command.example;
  }
}

class Init : public testing::Test {
 protected:
  Init() {
    must(make_dirs(folder_.path() / "shop"));
    must(write_file(folder_.path() / "shop/Dockerfile", "FROM scratch\nCOPY app /app\nEXPOSE 80\n"));
  }
  std::string text(const char* path) { return must(read_file(folder_.path() / path)); }
  TempDir folder_ = must(TempDir::make("init"));
  std::string shop_ = (folder_.path() / "shop").native();
};

TEST_F(Init, ShowsAndWritesNothing) {
  EXPECT_EQ(must(call("init", {{"folder", shop_}})), 0);
  EXPECT_EQ(must(list_dir(folder_.path())), std::vector<std::string>{"shop"});
  EXPECT_FALSE(path_exists(folder_.path() / "shop/.github"));
}

TEST_F(Init, WritesBesideTheRepositoryAndNeverOver) {
  must(make_dirs(folder_.path() / "shop-config/base"));
  must(write_file(folder_.path() / "shop-config/base/service.yaml", "mine\n"));
  EXPECT_EQ(must(call("init", {{"folder", shop_}, {"write", "true"}})), 0);
  EXPECT_EQ(text("shop-config/base/service.yaml"), "mine\n");
  EXPECT_TRUE(text("shop/.github/workflows/slipway.yml").contains("apps/shop"));
  EXPECT_TRUE(text("shop-config/apps/pipeline.yaml").contains("kind: Pipeline"));
  EXPECT_FALSE(path_exists(folder_.path() / "shop-config/.git")) << "a folder that was there is somebody's";
  must(write_file(folder_.path() / "shop/.github/workflows/slipway.yml", "on: push\n"));
  EXPECT_EQ(must(call("init", {{"folder", shop_}, {"write", "true"}})), 0);
  EXPECT_EQ(text("shop/.github/workflows/slipway.yml"), "on: push\n");
}

TEST_F(Init, AConfigurationThatIsNewIsARepository) {
  if (!find_program("git")) GTEST_SKIP() << "there is no git on this machine";
  EXPECT_EQ(must(call("init", {{"folder", shop_}, {"write", "true"}})), 0);
  auto branch = must(run_ok(
      Ctx{}, {.argv = {"git", "-C", (folder_.path() / "shop-config").native(), "symbolic-ref", "--short", "HEAD"}}));
  EXPECT_EQ(trim(branch), "main");
}

TEST_F(Init, WritesNothingThroughALink) {
  must(make_dirs(folder_.path() / "shop-config/base"));
  fs::create_symlink(folder_.path() / "elsewhere", folder_.path() / "shop-config/base/service.yaml");
  (void)call("init", {{"folder", shop_}, {"write", "true"}});
  EXPECT_FALSE(path_exists(folder_.path() / "elsewhere"));
}

constexpr const char* record =
    R"({"id":"GHSA-aaaa-bbbb-cccc","modified":"2024-01-02T00:00:00Z","summary":"x","database_specific":{"severity":"HIGH"},
"affected":[{"package":{"ecosystem":"npm","name":"left"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.0.1"}]}]}]})";

TEST(Db, ImportsRecordsAndRefusesWhatIsNone) {
  auto folder = must(TempDir::make("db"));
  auto data = (folder.path() / "data").native();
  must(write_file(folder.path() / "good.json", record));
  must(write_file(folder.path() / "bad.json", "{\"id\": 7}"));
  EXPECT_EQ(must(call("db import", {{"data", data}, {"source", (folder.path() / "good.json").native()}})), 0);
  EXPECT_EQ(must(call("db import", {{"data", data}, {"source", (folder.path() / "bad.json").native()}})), 1);
  auto missing = call("db import", {{"data", data}, {"source", (folder.path() / "none").native()}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(exit_code(missing.error()), 1);
  EXPECT_EQ(must(call("db status", {{"data", data}})), 0);
}

TEST(Db, AnUpdateFromNowhereCouldNotReachWhatItNeeds) {
  auto folder = must(TempDir::make("db"));
  auto refused =
      call("db update", {{"data", folder.path().native()}, {"from", "http://127.0.0.1:1"}, {"ecosystem", "npm"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(exit_code(refused.error()), 4) << refused.error().what();
  EXPECT_TRUE(refused.error().hint().contains("db import"));
}

// What was imported is what scans compare with; a threshold on the command line decides about the exit.
TEST(Db, AnImportIsSeenByTheNextScan) {
  auto folder = must(TempDir::make("db"));
  auto data = (folder.path() / "data").native(), app = (folder.path() / "app").native();
  must(make_dirs(app));
  must(write_file(
      folder.path() / "app/package-lock.json",
      R"({"name":"a","lockfileVersion":3,"packages":{"":{"name":"a"},"node_modules/left":{"version":"1.0.0"}}})"));
  must(write_file(folder.path() / "good.json", record));
  EXPECT_EQ(must(call("scan", {{"data", data}, {"target", app}, {"fail-on", "low"}})), 0);
  EXPECT_EQ(must(call("db import", {{"data", data}, {"source", (folder.path() / "good.json").native()}})), 0);
  EXPECT_EQ(must(call("scan", {{"data", data}, {"target", app}, {"fail-on", "low"}})), 1);
  EXPECT_EQ(must(call("scan", {{"data", data}, {"target", app}, {"fail-on", "none"}})), 0);
  EXPECT_FALSE(call("scan", {{"data", data}, {"target", app}, {"fail-on", "some"}}));
  EXPECT_FALSE(call("scan", {{"data", data}, {"target", "no/such:1"}}));
}

TEST(Images, AKeylessSignatureWantsAllThatNamesIt) {
  auto folder = must(TempDir::make("images"));
  auto data = (folder.path() / "data").native();
  must(make_dirs(folder.path() / "root"));
  must(call("image import",
            {{"data", data}, {"from", (folder.path() / "root").native()}, {"image", "shop/web:1"}, {"root", "true"}}));
  auto verify = [&](std::vector<std::pair<std::string, std::string>> more) {
    more.insert(more.end(), {{"data", data}, {"image", "shop/web:1"}});
    auto done = call("image verify", more);
    return done ? std::string("fine") : fmt::format("{} {}", exit_code(done.error()), done.error().what());
  };
  EXPECT_TRUE(verify({{"certificate-identity", "me@shop.test"}}).starts_with("2 a keyless signature wants all of"));
  auto root = (folder.path() / "root.json").native();
  must(write_file(root, "{}"));
  std::vector<std::pair<std::string, std::string>> all{
      {"trusted-root", root}, {"certificate-identity", "me@shop.test"}, {"certificate-oidc-issuer", "https://id.test"}};
  EXPECT_TRUE(verify(all).contains("want application/vnd.dev.sigstore.trustedroot")) << verify(all);
  must(write_file(root, R"({"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"})"));
  EXPECT_TRUE(verify(all).contains("nobody of this identity has signed it")) << verify(all);
}

TEST(Images, WrongNamesAndMissingOnesSaySo) {
  auto folder = must(TempDir::make("images"));
  auto data = folder.path().native();
  auto missing = call("image inspect", {{"data", data}, {"image", "shop/web:1"}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(exit_code(missing.error()), 1);
  auto wrong = call("image inspect", {{"data", data}, {"image", "shop/WEB:1"}});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(exit_code(wrong.error()), 2) << wrong.error().what();
  EXPECT_EQ(must(call("image ls", {{"data", data}})), 0);
}

TEST(Build, AnImageIsInTheStoreUnderEachOfItsNames) {
  auto folder = must(TempDir::make("build"));
  auto data = (folder.path() / "data").native();
  if (auto runtime = box::Runtime::open(folder.path() / "box"); !runtime)
    GTEST_SKIP() << "no container runtime: " << runtime.error().what();
  must(write_file(folder.path() / "Dockerfile", "FROM scratch\nCOPY Dockerfile /here\n"));
  auto built = call("build", {{"data", data},
                              {"context", folder.path().native()},
                              {"tag", "shop/web:1"},
                              {"tag", "other/web:2"},
                              {"layout", (folder.path() / "web.tar").native()}});
  ASSERT_TRUE(built) << built.error().print();
  EXPECT_EQ(*built, 0);
  EXPECT_EQ(must(call("image inspect", {{"data", data}, {"image", "other/web:2"}})), 0);
  EXPECT_EQ(must(call("image import",
                      {{"data", data}, {"from", (folder.path() / "web.tar").native()}, {"image", "third/web:3"}})),
            0);
  EXPECT_EQ(must(call("scan", {{"data", data}, {"target", "third/web:3"}})), 0);
  EXPECT_EQ(must(call("image copy", {{"data", data}, {"from", "third/web:3"}, {"to", "fourth/web:4"}})), 0);
  EXPECT_EQ(must(call("image push",
                      {{"data", data}, {"image", "third/web:3"}, {"to", "registry.slipway.local/fifth/web:5"}})),
            0);
  EXPECT_EQ(must(call("image inspect", {{"data", data}, {"image", "fifth/web:5"}})), 0);
  EXPECT_EQ(must(call("image rm", {{"data", data}, {"image", "fourth/web:4"}})), 0);
  EXPECT_FALSE(call("image rm", {{"data", data}, {"image", "fourth/web:4"}}));
}

TEST(Images, WhatNothingReachesIsFreedAndWhatNoRuleKeepsExpires) {
  auto folder = must(TempDir::make("images"));
  auto data = (folder.path() / "data").native();
  must(make_dirs(folder.path() / "root/etc"));
  must(write_file(folder.path() / "root/etc/motd", "hello"));
  for (const char* tag : {"shop/web:1", "shop/web:2", "shop/web:keep"})
    EXPECT_EQ(
        must(call("image import",
                  {{"data", data}, {"from", (folder.path() / "root").native()}, {"image", tag}, {"root", "true"}})),
        0);
  auto rules = (folder.path() / "rules.yaml").native();
  must(write_file(rules, "keep:\n- {repositories: 'shop/*', tags: keep}\n"));
  EXPECT_EQ(must(call("image expire", {{"data", data}, {"rules", rules}, {"dry-run", "true"}})), 0);
  EXPECT_EQ(must(call("image inspect", {{"data", data}, {"image", "shop/web:1"}})), 0) << "only looked";
  EXPECT_EQ(must(call("image expire", {{"data", data}, {"rules", rules}})), 0);
  EXPECT_FALSE(call("image inspect", {{"data", data}, {"image", "shop/web:1"}}));
  EXPECT_EQ(must(call("image gc", {{"data", data}, {"grace", "1h"}, {"dry-run", "true"}})), 0);
  EXPECT_EQ(must(call("image gc", {{"data", data}, {"grace", "0s"}})), 0);
  EXPECT_EQ(must(call("image inspect", {{"data", data}, {"image", "shop/web:keep"}})), 0);
  EXPECT_EQ(must(call("image rm", {{"data", data}, {"image", "shop/web:keep"}})), 0);
  must(write_file(rules, "keep:\n- {repositories: 'shop/*', untagged: 0s}\n"));
  EXPECT_EQ(must(call("image expire", {{"data", data}, {"rules", rules}})), 0);
  EXPECT_EQ(must(call("image gc", {{"data", data}, {"grace", "0s"}})), 0);
  auto blobs = must(store::BlobStore::open(folder.path() / "data/blobs"));
  std::size_t left = 0;
  must(blobs->for_each([&](const Digest&, std::uint64_t) { ++left; }));
  EXPECT_EQ(left, 0u);
  must(write_file(rules, "keep:\n- {repository: x}\n"));
  auto wrong = call("image expire", {{"data", data}, {"rules", rules}});
  ASSERT_FALSE(wrong);
  EXPECT_TRUE(wrong.error().what().contains("rules.yaml:2:")) << wrong.error().what();
}

// Between two stores by the distribution protocol, as any registry speaks it.
TEST(Images, GoToAnotherRegistryAndComeBack) {
  auto folder = must(TempDir::make("images"));
  auto blobs = must(store::BlobStore::open(folder.path() / "there/blobs"));
  auto registry = must(oci::Registry::open(*blobs, folder.path() / "there/registry.db"));
  auto server = must(net::Server::start({}, registry->routes()));
  auto host = fmt::format("127.0.0.1:{}", server->port());
  auto here = (folder.path() / "here").native(), elsewhere = (folder.path() / "elsewhere").native();
  must(make_dirs(folder.path() / "root/etc"));
  must(write_file(folder.path() / "root/etc/motd", "hello"));
  EXPECT_EQ(
      must(call(
          "image import",
          {{"data", here}, {"from", (folder.path() / "root").native()}, {"image", "shop/web:1"}, {"root", "true"}})),
      0);
  EXPECT_EQ(must(call("image push", {{"data", here}, {"image", "shop/web:1"}, {"to", host + "/team/web:1"}})), 0);
  EXPECT_TRUE(must(registry->manifest("team/web", "1")));
  EXPECT_EQ(must(call("image copy", {{"data", here}, {"from", host + "/team/web:1"}, {"to", host + "/team/web:2"}})),
            0);
  EXPECT_EQ(must(call("image pull", {{"data", elsewhere}, {"image", host + "/team/web:2"}})), 0);
  EXPECT_EQ(must(call("image inspect", {{"data", elsewhere}, {"image", host + "/team/web:2"}})), 0);
  auto missing = call("image pull", {{"data", elsewhere}, {"image", host + "/team/none:1"}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(exit_code(missing.error()), 1) << missing.error().what();
  auto nobody = call("image pull", {{"data", elsewhere}, {"image", "127.0.0.1:1/team/none:1"}, {"timeout", "5s"}});
  ASSERT_FALSE(nobody);
  EXPECT_EQ(exit_code(nobody.error()), 4) << nobody.error().what();
}

TEST(Build, ADockerfileThatIsWrongFailsTheBuildAndNotTheCommandLine) {
  auto folder = must(TempDir::make("build"));
  if (auto runtime = box::Runtime::open(folder.path() / "box"); !runtime)
    GTEST_SKIP() << "no container runtime: " << runtime.error().what();
  must(write_file(folder.path() / "Dockerfile", "FROM scratch\nCOPY nothing /here\n"));
  EXPECT_EQ(must(call("build", {{"data", (folder.path() / "data").native()}, {"context", folder.path().native()}})), 1);
  auto push = call("build", {{"data", (folder.path() / "data").native()},
                             {"context", folder.path().native()},
                             {"tag", "shop/web:1"},
                             {"push", "true"}});
  ASSERT_FALSE(push);
  EXPECT_EQ(exit_code(push.error()), 2);
}

}  // namespace
}  // namespace slipway::cli
