// promote history from a folder: no server is asked.
#include <gtest/gtest.h>

#include "base/testing/golden.h"
#include "cli/command.h"
#include "promote/promote.h"

namespace slipway::cli {
namespace {

class PromoteHistory : public testing::Test {
 protected:
  PromoteHistory() {
    auto tree =
        must(repository_.write_tree("", {{"dev/kustomization.yaml", "images:\n- {name: shop/web, newTag: a}\n"}}));
    auto first = must(repository_.write_commit(tree, {}, {"ann", "ann@example.org", {}}, "first"));
    must(repository_.update_ref("refs/heads/main", first, std::nullopt, "test"));
    for (int n : {1, 2}) {
      promote::Request request;
      auto& p = request.promotion;
      p.service = "web", p.environment = "dev", p.config_path = "dev", p.approved_by = "ann";
      p.artifact = {.service = "web", .image = "shop/web", .digest = Digest::of(std::to_string(n))};
      p.artifact.repository = "shop", p.artifact.commit = fmt::format("{:040}", n);
      p.artifact.run = fmt::format("ci-{}", n);
      request.id = fmt::format("web-dev-{}", n);
      must(promote::promote(Ctx(), repository_, {}, {request}));
    }
  }
  // What it prints; the error when there is one.
  std::string say(std::vector<std::pair<std::string, std::string>> given, bool json = false) {
    Arguments arguments;
    arguments.add("limit", "50");
    arguments.add("repository", (folder_.path() / "config.git").native());
    for (auto& [key, value] : given) arguments.add(key, value);
    Io io(json);
    testing::internal::CaptureStdout();
    auto status = promote_history_commands().at(0).run(Ctx{}, arguments, io);
    auto out = testing::internal::GetCapturedStdout();
    return status ? out : status.error().print();
  }
  TempDir folder_ = must(TempDir::make("history"));
  git::Repository repository_ = must(git::Repository::init(folder_.path() / "config.git"));
};

TEST_F(PromoteHistory, IsATableNewestFirst) {
  auto text = say({});
  EXPECT_TRUE(text.starts_with("WHEN ")) << text;
  EXPECT_LT(text.find("ci-2"), text.find("ci-1")) << text;
  for (auto part : {"dev", "web", "shop/web@", "shop@000000000000", "approved by ann"})
    EXPECT_TRUE(text.contains(part)) << part << "\n" << text;
  EXPECT_EQ(say({{"what", "dev"}}), text);
  EXPECT_EQ(say({{"what", "web"}}), text);
}

TEST_F(PromoteHistory, IsADocument) {
  auto text = say({}, true);
  EXPECT_TRUE(text.contains("\"promotion\":\"web-dev-2\"") || text.contains("\"promotion\": \"web-dev-2\"")) << text;
  EXPECT_TRUE(text.contains("configRepository")) << text;
}

TEST_F(PromoteHistory, SaysWhatThereIs) {
  EXPECT_TRUE(say({{"what", "prod"}}).contains("nothing was promoted that is called prod, there are: dev, web"));
  EXPECT_TRUE(say({{"branch", "other"}}).contains("no branch other"));
}

}  // namespace
}  // namespace slipway::cli
