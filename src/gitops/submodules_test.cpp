// Applications whose manifests are in submodules: what is fetched, by whose sign-in, and when it is rendered anew.
#include "git/submodules.h"
#include "gitops/testing/world.h"

namespace slipway::gitops {
namespace {

const std::string config = "http://git/config", library = "http://git/lib";

git::FileEdit link(const std::string& path, const std::string& commit) { return {path, commit, git::submodule_mode}; }
git::FileEdit modules(std::string_view path, std::string_view url) {
  return {".gitmodules", fmt::format("[submodule \"{0}\"]\npath = {0}\nurl = {1}\n", path, url)};
}
Application app_of(std::string_view source) {
  auto text = fmt::format("{{metadata: {{name: shop, namespace: argocd}}, spec: {{source: {{repoURL: {}, {}}}}}}}",
                          config, source);
  return must(application_from(kube::Object(must(doc::parse_yaml(text)))));
}
std::string names(const Result<std::shared_ptr<const Rendered>>& rendered) {
  if (!rendered) return rendered.error().what();
  std::string text;
  for (const auto& object : must((*rendered)->objects->list())) text += object.str_at({"metadata", "name"}) + " ";
  return text;
}

// Says who was asked for which repository by whose sign-in.
class Signed final : public Repositories {
 public:
  TestRepositories below;
  std::map<std::string, std::string> secrets;  // URL -> user
  std::vector<std::string> fetched;
  std::set<std::string> not_for_project;
  bool lacks_commits = false;

  Result<git::Repository> open(const Ctx& ctx, const std::string& url) override {
    if (url_of_apart(url) != url && !here_.contains(url)) return fail(Kind::not_found, "{}: not fetched yet", url);
    return below.open(ctx, url);
  }
  Result<> refresh(const Ctx&, const std::string& url, const git::Access* access) override {
    auto user = access == nullptr ? "Secrets" : access->user.empty() ? "nobody" : access->user;
    fetched.push_back(fmt::format("{} by {}", url, user));
    here_.insert(url);
    return {};
  }
  Result<git::Access> access(const Ctx&, const std::string& url) override {
    git::Access access;
    if (auto found = secrets.find(url); found != secrets.end()) access.user = found->second;
    return access;
  }
  Result<> permit(const Ctx&, const std::string& url, const std::string&) override {
    return not_for_project.contains(url) ? fail(Kind::denied, "{}: not for this project", url) : Result<>();
  }
  std::string all_fetched() {
    auto all = std::exchange(fetched, {});
    return join(std::span<const std::string>(all), ", ");
  }

 private:
  std::set<std::string> here_;
};

struct ASource : testing::Test {
  Signed repositories;
  Renderer renderer{repositories};
  std::string lib = repositories.below.commit(library, {{"deploy/a.yaml", config_map("a")},
                                                        {"base/kustomization.yaml", "resources: [b.yaml]\n"},
                                                        {"base/b.yaml", config_map("b")}});
  ASource() {
    repositories.below.commit_edits(config,
                                    {{"app/kustomization.yaml", "resources: [../ext/lib/base]\nnamePrefix: my-\n"},
                                     {"plain/c.yaml", config_map("c")},
                                     link("ext/lib", lib),
                                     modules("ext/lib", "../lib")});
  }
  std::string render(std::string_view source) { return names(renderer.render(Ctx(), app_of(source))); }
  std::string moved() {
    std::string text;
    for (const auto& key : renderer.moved(Ctx(), config)) text += key.name;
    return text;
  }
};

TEST_F(ASource, ReadsThroughGitlinks) {
  EXPECT_EQ(render("path: ext/lib/deploy"), "a ");
  EXPECT_EQ(render("path: app"), "my-b ");
  EXPECT_EQ(render("path: ext, directory: {recurse: true, include: '*a.yaml'}"), "a ");
  EXPECT_EQ(render("path: ext/lib/gone"),
            "http://git/config: ext/lib/gone: app path does not exist at " +
                std::string(must(must(repositories.open(Ctx(), config)).resolve("main"))->substr(0, 12)));
}

TEST_F(ASource, IsNotHurtByOneThatNothingReads) {
  repositories.below.commit_edits(config, {link("gone", std::string(40, '1'))});
  auto opened = repositories.below.opened.load();
  EXPECT_EQ(render("path: plain"), "c ");
  EXPECT_EQ(render("path: app"), "my-b ");
  EXPECT_EQ(repositories.below.opened.load() - opened, 3) << "the source twice, what is read once";
  EXPECT_EQ(render("path: ., directory: {recurse: true}"), "submodule gone: .gitmodules says nothing of it");
}

TEST_F(ASource, IsRenderedAgainWhenTheGitlinkMoves) {
  auto app = app_of("path: app");
  auto first = must(renderer.render(Ctx(), app));
  auto opened = repositories.below.opened.load();
  repositories.below.commit(config, {{"plain/c.yaml", config_map("d")}});
  EXPECT_EQ(moved(), "");
  EXPECT_EQ(must(renderer.render(Ctx(), app))->objects, first->objects) << "it read none of that";
  EXPECT_EQ(repositories.below.opened.load() - opened, 2) << "nobody was asked for the submodule";

  auto next = repositories.below.commit(library, {{"base/b.yaml", config_map("b2")}});
  EXPECT_EQ(moved(), "") << "what is deployed is the commit that is linked";
  repositories.below.commit_edits(config, {link("ext/lib", next)});
  EXPECT_EQ(moved(), "shop");
  EXPECT_EQ(names(renderer.render(Ctx(), app)), "my-b2 ");
  EXPECT_EQ(moved(), "");
  // Another address of the same commit is another place to ask.
  repositories.below.commit_edits(config, {modules("ext/lib", "../gone")});
  EXPECT_EQ(moved(), "shop");
  EXPECT_TRUE(names(renderer.render(Ctx(), app)).contains("submodule ext/lib: http://git/gone")) << "lib is no more";
  // Files where the submodule was.
  repositories.below.commit_edits(config,
                                  {{"ext/lib", std::nullopt}, {"ext/lib/base/kustomization.yaml", "namePrefix: x-\n"}});
  EXPECT_EQ(moved(), "shop");
}

TEST_F(ASource, AsksWhetherTheSubmoduleMayBeRead) {
  auto app = app_of("path: app");
  bool allowed = false;
  auto permit = [&](const std::string& url) -> Result<> {
    EXPECT_EQ(url, "http://git/lib");
    return allowed ? Result<>() : fail(Kind::denied, "{}: not in sourceRepos", url);
  };
  EXPECT_TRUE(names(renderer.render(Ctx(), app, permit)).contains("submodule ext/lib: http://git/lib: not in source"))
      << names(renderer.render(Ctx(), app, permit));
  allowed = true;
  EXPECT_EQ(names(renderer.render(Ctx(), app, permit)), "my-b ");
  allowed = false;
  EXPECT_TRUE(names(renderer.render(Ctx(), app, permit)).contains("not in sourceRepos")) << "not by what is remembered";
  allowed = true;
  repositories.not_for_project.insert("http://git/lib");
  EXPECT_TRUE(names(renderer.render(Ctx(), app, permit)).contains("not for this project"));
}

TEST_F(ASource, SaysWhatCommitIsMissing) {
  repositories.below.commit_edits(config, {link("ext/lib", std::string(40, '1'))});
  auto text = render("path: app");
  EXPECT_TRUE(text.contains("submodule ext/lib: http://git/lib: has no commit 1111111111")) << text;
  EXPECT_EQ(repositories.all_fetched(), "http://git/lib by Secrets") << "it was looked for";
}

struct SignInCase {
  const char* name;
  std::map<std::string, std::string> secrets;
  std::string url, want;
};
class SignsIn : public testing::TestWithParam<SignInCase> {};
TEST_P(SignsIn, ByWhatIsMeantForTheSubmodule) {
  Signed repositories;
  repositories.secrets = GetParam().secrets;
  auto lib = repositories.below.commit(library, {{"a.yaml", config_map("a")}});
  repositories.below.commit_edits(config, {link("lib", lib), modules("lib", GetParam().url)});
  Renderer renderer(repositories);
  EXPECT_EQ(names(renderer.render(Ctx(), app_of("path: lib"))), "a ");
  // What is fetched under its own name the house signs in to itself.
  EXPECT_EQ(repositories.all_fetched(), GetParam().want);
}
const std::string below_config = "#" + url_below("", config).substr(1);
INSTANTIATE_TEST_SUITE_P(
    Submodules, SignsIn,
    testing::ValuesIn(std::to_array<SignInCase>({
        {"NobodyWhereNothingIsKnown", {}, "../lib", ""},
        {"ItsOwnSecret", {{"http://git/lib", "lib"}, {config, "config"}}, "../lib", ""},
        {"TheRepositorysOnTheSameHost", {{config, "config"}}, "../lib", "http://git/lib" + below_config + " by config"},
        {"TheSameByAWholeAddress",
         {{config, "config"}},
         "http://git/lib",
         "http://git/lib" + below_config + " by config"},
        {"NeverOnAnotherHost", {{config, "config"}}, "http://other/lib", ""},
        {"NorAnotherPort", {{config, "config"}}, "http://git:81/lib", ""},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Submodules, OfABaseElsewhereAreReadUnlessItSaysNot) {
  Signed repositories;
  auto lib = repositories.below.commit(library,
                                       {{"kustomization.yaml", "resources: [a.yaml]\n"}, {"a.yaml", config_map("a")}});
  repositories.below.commit_edits(
      "http://git/org/base",
      {{"kustomization.yaml", "resources: [lib]\n"}, link("lib", lib), modules("lib", "http://git/lib")});
  Renderer renderer(repositories);
  auto render = [&](std::string_view query) {
    repositories.below.commit(config,
                              {{"app/kustomization.yaml", fmt::format("resources: ['http://git/org/base{}']", query)}});
    return names(renderer.render(Ctx(), app_of("path: app")));
  };
  EXPECT_EQ(render(""), "a ");
  EXPECT_EQ(render("?submodules=true"), "a ");
  auto without = render("?submodules=false");
  EXPECT_TRUE(without.contains("lib: no kustomization.yaml")) << without;
}

TEST(Submodules, AddressesHaveNoFragment) {
  auto text = "{metadata: {name: a, namespace: argocd}, spec: {source: {repoURL: 'http://git/x#below-1', path: a}}}";
  auto app = application_from(kube::Object(must(doc::parse_yaml(text))));
  ASSERT_FALSE(app.has_value());
  EXPECT_TRUE(app.error().what().contains("repoURL: want an address without a fragment")) << app.error().what();
}

}  // namespace
}  // namespace slipway::gitops
