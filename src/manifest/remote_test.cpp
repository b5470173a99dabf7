// Bases that are elsewhere.
#include "manifest/remote.h"

#include "manifest/testing/tree.h"

namespace slipway::manifest {
namespace {

struct Address {
  const char *text, *url, *folder, *revision;
  bool file = false;
};
class Addresses : public testing::TestWithParam<Address> {};
TEST_P(Addresses, AreRead) {
  const auto& want = GetParam();
  EXPECT_TRUE(is_remote(want.text));
  EXPECT_EQ(is_remote_file(want.text), want.file);
  if (want.file) return;
  auto got = must(remote_folder(want.text));
  EXPECT_EQ(got.url, want.url);
  EXPECT_EQ(got.folder, want.folder);
  EXPECT_EQ(got.revision, want.revision);
}
INSTANTIATE_TEST_SUITE_P(
    Table, Addresses,
    testing::Values(
        Address{"https://host/org/repo//a/b?ref=v1", "https://host/org/repo", "a/b", "v1"},
        Address{"https://host/org/repo?ref=v1&timeout=60&submodules=false", "https://host/org/repo", "", "v1"},
        Address{"https://host/org/repo/a/b", "https://host/org/repo", "a/b", ""},
        Address{"https://host/group/sub/repo.git/a?version=main", "https://host/group/sub/repo.git", "a", "main"},
        Address{"https://host:8443/org/repo//", "https://host:8443/org/repo", "", ""},
        Address{"github.com/org/repo/a?ref=v1", "https://github.com/org/repo", "a", "v1"},
        Address{"git@github.com:org/repo.git//a", "git@github.com:org/repo.git", "a", ""},
        Address{"ssh://git@host/org/repo//a", "ssh://git@host/org/repo", "a", ""},
        Address{"git::https://host/org/repo//a?ref=x", "https://host/org/repo", "a", "x"},
        Address{"https://dev.azure.com/org/project/_git/repo/a/b", "https://dev.azure.com/org/project/_git/repo", "a/b",
                ""},
        Address{"file:///srv/repo.git//base?ref=v1", "file:///srv/repo.git", "base", "v1"},
        Address{"https://host/x/deploy.yaml", "", "", "", true},
        Address{"https://host/x/deploy.json?token=1", "", "", "", true},
        Address{"https://host/org/repo//deploy.yaml?ref=v1", "https://host/org/repo", "deploy.yaml", "v1"}));

TEST(Remote, LocalPathsAreNot) {
  for (auto text : {"base", "../base", "a/b.yaml", "./github.com", "a:b"}) EXPECT_FALSE(is_remote(text)) << text;
  EXPECT_EQ(remote_folder("https://host").error().what(), "'https://host': names no repository");
  EXPECT_TRUE(remote_folder("https://host/a/b?timeout=soon").error().what().contains("want a time such as 60s"));
}

TEST(Remote, HostsOfAddresses) {
  for (auto [url, host] : {std::pair{"https://ada:x@example.org:8443/a", "example.org"},
                           {"git@example.org:a/b", "example.org"},
                           {"ssh://git@[::1]:22/a", "[::1]"},
                           {"file:///srv/a", ""},
                           {"/srv/a", ""}})
    EXPECT_EQ(host_of(url), host) << url;
}

struct RemoteBase : testing::Test {
  Tree tree;
  git::Repository upstream = must(git::Repository::init(tree.path() / "upstream.git"));
  std::string url = "file://" + (tree.path() / "upstream.git").string();
  int asked = 0;
  MirroredRemotes remotes{tree.path() / "mirrors", {}, [this](const Ctx&, const std::string&) -> Result<std::string> {
                            ++asked;
                            return std::string("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fetched}\n");
                          }};

  std::string commit(const std::vector<git::FileEdit>& files, const char* ref = "refs/heads/main") {
    auto tip = must(upstream.resolve("refs/heads/main"));
    auto written = must(upstream.write_tree(tip ? must(upstream.tree_of(*tip)) : git::Oid(), files));
    auto id = must(upstream.write_commit(written, tip ? std::vector{*tip} : std::vector<git::Oid>{},
                                         {"a", "a@example.org", {}}, "change"));
    EXPECT_TRUE(upstream.update_ref(ref, id, std::nullopt, "test"));
    return id;
  }
  std::string build(const std::string& resource, MirroredRemotes* by = nullptr) {
    tree.file("app/kustomization.yaml", fmt::format("resources: ['{}']\nnamePrefix: my-\n", resource));
    KustomizeOptions options;
    options.remotes = by == nullptr ? &remotes : by;
    auto text = tree.build("app", options);
    std::string names;
    for (auto line : lines(text))
      if (line.starts_with("  name: ")) names += std::string(line.substr(8)) + " ";
    return names.empty() ? text : names;
  }
};
std::string map(std::string_view name) {
  return fmt::format("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n", name);
}

TEST_F(RemoteBase, ComesFromItsRevision) {
  auto first = commit({{"base/kustomization.yaml", "resources: [../common, m.yaml]\n"},
                       {"base/m.yaml", map("one")},
                       {"common/kustomization.yaml", "resources: [c.yaml]\n"},
                       {"common/c.yaml", map("common")}});
  EXPECT_EQ(build(url + "//base?ref=main"), "my-common my-one ");
  commit({{"base/m.yaml", map("two")}});
  EXPECT_EQ(build(url + "//base"), "my-common my-two ") << "a branch is looked up each time";
  EXPECT_EQ(build(url + "//base?ref=" + first), "my-common my-one ");
  fs::rename(tree.path() / "upstream.git", tree.path() / "away.git");
  EXPECT_EQ(build(url + "//base?ref=" + first), "my-common my-one ") << "a commit that is there is not asked for";
  EXPECT_TRUE(build(url + "//base").starts_with("error: "));
}

TEST_F(RemoteBase, SaysWhatIsWrong) {
  commit({{"base/kustomization.yaml", "resources: [gone.yaml]\n"},
          {"round/kustomization.yaml", "resources: ['" + url + "//round']\n"}});
  const std::string place = "error: app/kustomization.yaml:1:12: ";
  EXPECT_EQ(
      build(url + "//base"),
      "error: file://upstream.git//base/kustomization.yaml:1:12: file://upstream.git//base/gone.yaml: no such file");
  EXPECT_EQ(build(url + "//nowhere"),
            place + "file://upstream.git//nowhere: no kustomization.yaml, kustomization.yml or Kustomization there");
  EXPECT_EQ(build(url + "//base?ref=v9"), place + "file://upstream.git: no revision v9");
  EXPECT_TRUE(build(url + "//round").contains("cycle detected")) << build(url + "//round");
}

TEST_F(RemoteBase, OnlyFromHostsThatMayBeAsked) {
  MirroredRemotes strict(tree.path() / "mirrors", {"*.example.org"});
  EXPECT_TRUE(
      build("https://evil.example.com/a/b//c", &strict).contains("is no host that may be asked, want *.example.org"));
  EXPECT_TRUE(build("https://evil.example.com/a.yaml", &strict).contains("is no host that may be asked"));
}

TEST_F(RemoteBase, FilesAreFetched) {
  EXPECT_EQ(build("https://host/x.yaml"), "my-fetched ");
  EXPECT_EQ(asked, 1);
}

}  // namespace
}  // namespace slipway::manifest
