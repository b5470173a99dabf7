// Sources that look through gitlinks into other repositories.
#include "base/testing/golden.h"
#include "base/text.h"
#include "manifest/submodules.h"
#include "manifest/testing/tree.h"

namespace slipway::manifest {
namespace {

std::string gitmodules(std::string_view path, std::string_view url) {
  return fmt::format("[submodule \"{0}\"]\n\tpath = {0}\n\turl = {1}\n", path, url);
}

// Repositories below https://host/, and who was asked for what.
struct World {
  TempDir dir = must(TempDir::make("submodules"));
  std::map<std::string, git::Repository> known;
  std::vector<std::string> asked;  // URL and whether it is near
  std::map<std::string, Error> broken;

  git::Repository& repository(const std::string& url) {
    auto found = known.find(url);
    if (found != known.end()) return found->second;
    auto folder = dir.path() / std::to_string(known.size());
    return known.emplace(url, must(git::Repository::init(folder))).first->second;
  }
  git::Oid commit(const std::string& url, const std::vector<git::FileEdit>& files) {
    auto& repo = repository(url);
    return must(repo.write_commit(must(repo.write_tree("", files)), {}, {"a", "a@example.org", {}}, "x"));
  }
  FetchSubmodule fetch() {
    return [this](const std::string& url, const git::Oid&, bool near) -> Result<git::Repository> {
      asked.push_back(url + (near ? " near" : ""));
      if (auto error = broken.find(url); error != broken.end()) return Fail(error->second);
      auto found = known.find(url);
      if (found == known.end()) return fail(Kind::not_found, "{}: no such repository", url);
      return found->second;
    };
  }
  GitSource source(const git::Oid& commit, const std::string& url = "https://host/org/app.git") {
    return GitSource(repository(url), commit, nullptr, submodules_by_address(url, fetch()));
  }
  std::string all_asked() { return join(std::span<const std::string>(std::exchange(asked, {})), ", "); }
};

std::string text_of(const Result<std::optional<std::string>>& read) {
  return !read ? read.error().what() : read->value_or("nothing");
}
std::string names_of(const Result<std::vector<FileSource::Entry>>& list) {
  if (!list) return list.error().what();
  std::string text;
  for (const auto& entry : *list) text += entry.name + (entry.folder ? "/ " : " ");
  return text;
}

TEST(Submodules, AreReadWhenSomethingInThemIs) {
  World w;
  auto leaf = w.commit("http://other/leaf", {{"deep/z.txt", "z"}});
  auto lib = w.commit("https://host/org/lib.git", {{"x.txt", "x"},
                                                   {"sub/y.txt", "y"},
                                                   {"leaf", leaf, git::submodule_mode},
                                                   {".gitmodules", gitmodules("leaf", "http://other/leaf")}});
  auto app = w.commit("https://host/org/app.git", {{"a.txt", "a"},
                                                   {"ext/lib", lib, git::submodule_mode},
                                                   {"to-lib", "ext/lib/sub", 0120000},
                                                   {".gitmodules", gitmodules("ext/lib", "../lib.git")}});
  auto source = w.source(app);
  EXPECT_EQ(text_of(source.read("a.txt")), "a");
  EXPECT_EQ(names_of(source.list("ext")), "lib/ ");
  EXPECT_TRUE(must(source.is_dir("ext/lib")));
  EXPECT_EQ(text_of(source.read("ext/lib")), "nothing") << "it is a folder";
  EXPECT_EQ(must(source.id_at("ext/lib/x.txt")), lib) << "known without a look at it";
  EXPECT_EQ(w.all_asked(), "") << "nothing was read of it";
  EXPECT_FALSE(source.read_submodules());

  EXPECT_EQ(text_of(source.read("ext/lib/x.txt")), "x");
  EXPECT_EQ(text_of(source.read("ext/lib/sub/y.txt")), "y");
  EXPECT_EQ(text_of(source.read("to-lib/y.txt")), "y");
  EXPECT_EQ(text_of(source.read("ext/lib/gone.txt")), "nothing");
  EXPECT_EQ(names_of(source.list("ext/lib")), ".gitmodules leaf/ sub/ x.txt ");
  EXPECT_EQ(w.all_asked(), "https://host/org/lib.git near") << "once";
  EXPECT_EQ(text_of(source.read("ext/lib/leaf/deep/z.txt")), "z");
  EXPECT_EQ(w.all_asked(), "http://other/leaf");
  EXPECT_TRUE(source.read_submodules());
  // All of it stands as long as the gitlink does.
  for (auto path : {"ext/lib", "ext/lib/x.txt", "ext/lib/gone", "ext/lib/leaf/deep/z.txt"})
    EXPECT_EQ(must(source.id_at(path)), lib) << path;
  EXPECT_EQ(must(source.id_at("to-lib/y.txt")), std::nullopt);
}

TEST(Submodules, LinksInThemAreFollowedWithinTheSource) {
  World w;
  auto lib =
      w.commit("https://host/org/lib.git", {{"up.txt", "../a.txt", 0120000}, {"out.txt", "../../etc/passwd", 0120000}});
  auto app =
      w.commit("https://host/org/app.git",
               {{"a.txt", "a"}, {"lib", lib, git::submodule_mode}, {".gitmodules", gitmodules("lib", "../lib.git")}});
  auto source = w.source(app);
  EXPECT_EQ(text_of(source.read("lib/up.txt")), "a");
  EXPECT_EQ(must(source.id_at("lib/up.txt")), std::nullopt) << "the gitlink does not tell what it leads to";
  EXPECT_EQ(text_of(source.read("lib/out.txt")), "lib/out.txt: the link 'lib/out.txt' leaves the repository");
}

TEST(Submodules, WithoutAnybodyWhoBringsThemAreEmpty) {
  World w;
  auto app = w.commit("https://host/org/app.git", {{"a.txt", "a"}, {"lib", std::string(40, '1'), git::submodule_mode}});
  GitSource source(w.repository("https://host/org/app.git"), app);
  EXPECT_TRUE(must(source.is_dir("lib")));
  EXPECT_EQ(names_of(source.list("")), "a.txt lib/ ");
  EXPECT_EQ(names_of(source.list("lib")), "");
  EXPECT_EQ(text_of(source.read("lib/x")), "nothing");
  EXPECT_EQ(must(source.submodule_above("lib/x/y")), "lib");
  EXPECT_EQ(must(source.submodule_above("a.txt")), "");
}

struct Wrong {
  const char *name, *gitmodules, *want;
  unsigned mode = 0;
};
class WrongModules : public testing::TestWithParam<Wrong> {};
TEST_P(WrongModules, AreOneClearErrorWhereTheyAreRead) {
  World w;
  std::vector<git::FileEdit> files{{"a.txt", "a"}, {"lib", std::string(40, '1'), git::submodule_mode}};
  if (*GetParam().gitmodules != 0) files.push_back({".gitmodules", GetParam().gitmodules, GetParam().mode});
  auto source = w.source(w.commit("https://host/org/app.git", files));
  EXPECT_EQ(text_of(source.read("lib/x.txt")), std::string("submodule lib: ") + GetParam().want);
  EXPECT_EQ(text_of(source.read("a.txt")), "a") << "the rest is read all the same";
  EXPECT_EQ(names_of(source.list("")), (files.size() > 2 ? ".gitmodules a.txt lib/ " : "a.txt lib/ "));
}
#define LIB "[submodule \"lib\"]\npath = lib\nurl = "
INSTANTIATE_TEST_SUITE_P(
    Submodules, WrongModules,
    testing::ValuesIn(std::to_array<Wrong>({
        {"NoFile", "", "there is no .gitmodules"},
        {"NotNamed", "[submodule \"a\"]\npath = a\nurl = ../a\n", ".gitmodules says nothing of it"},
        {"NoUrl", "[submodule \"lib\"]\npath = lib\n", "has no url"},
        {"ALink", "a.txt", ".gitmodules: is no plain file", 0120000},
        {"OfOthers", "[other]\npath = lib\n", ".gitmodules says nothing of it"},
        {"Program", LIB "ext::sh -c id\n", "\"ext::sh -c id\" is no address that a submodule is fetched from"},
        {"File", LIB "file:///etc\n", "\"file:///etc\" is no address that a submodule is fetched from"},
        {"Folder", LIB "/etc\n", "\"/etc\" is no address that a submodule is fetched from"},
        {"AboveTheHost", LIB "../../../x\n", "\"../../../x\" is no address that a submodule is fetched from"},
        {"Apart", LIB "\"https://h/x#anonymous\"\n",
         "\"https://h/x#anonymous\" is no address that a submodule is fetched from"},
        {"Option", LIB "--upload-pack=x\n", ".gitmodules: submodule \"lib\": the url \"--upload-pack=x\" is refused"},
        {"Gone", LIB "../gone.git\n", "https://host/org/gone.git: no such repository"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Submodules, AFileOfManyMegabytesIsRefused) {
  World w;
  auto source = w.source(w.commit("https://host/org/app.git", {{"lib", std::string(40, '1'), git::submodule_mode},
                                                               {".gitmodules", std::string(1 << 20, '#')}}));
  EXPECT_TRUE(text_of(source.read("lib/x")).starts_with("submodule lib: .gitmodules: "))
      << text_of(source.read("lib/x"));
}

TEST(Submodules, NestTooDeepOnlyAsAnError) {
  World w;
  auto at = [&](int depth) {
    auto id = w.commit("https://host/m", {{"end.txt", "end"}});
    std::string to = "end.txt";
    for (int i = 0; i < depth; ++i) {
      id = w.commit("https://host/m",
                    {{"m", id, git::submodule_mode}, {".gitmodules", gitmodules("m", "https://host/m")}});
      to = "m/" + to;
    }
    return text_of(w.source(id, "https://host/m").read(to));
  };
  EXPECT_EQ(at(git::deepest_submodule), "end");
  auto deep = at(git::deepest_submodule + 1);
  EXPECT_TRUE(deep.ends_with("submodule m/m/m/m/m/m/m/m/m: nested more than 8 deep")) << deep;
}

TEST(Submodules, OnlyWhatIsOnTheHostAllTheWayIsNear) {
  World w;
  auto back = w.commit("https://host/org/back", {{"x", "x"}});
  auto far = w.commit("https://far/lib", {{"back", back, git::submodule_mode},
                                          {".gitmodules", gitmodules("back", "https://host/org/back")}});
  auto app =
      w.commit("https://host/org/app.git",
               {{"far", far, git::submodule_mode},
                {"port", back, git::submodule_mode},
                {"near", back, git::submodule_mode},
                {".gitmodules", gitmodules("far", "https://far/lib") + gitmodules("near", "https://HOST/org/back") +
                                    gitmodules("port", "https://host:444/org/back")}});
  w.known.emplace("https://HOST/org/back", w.repository("https://host/org/back"));
  w.known.emplace("https://host:444/org/back", w.repository("https://host/org/back"));
  auto source = w.source(app);
  for (auto path : {"far/back/x", "near/x", "port/x"}) EXPECT_EQ(text_of(source.read(path)), "x") << path;
  EXPECT_EQ(w.all_asked(),
            "https://far/lib, https://host/org/back, https://HOST/org/back near, https://host:444/org/back");
}

TEST(Submodules, AListHurtsNobodyWhoseLinkLeadsIntoOneThatIsAway) {
  World w;
  auto app = w.commit("https://host/org/app.git", {{"a.txt", "a"},
                                                   {"link", "lib/x", 0120000},
                                                   {"lib", std::string(40, '1'), git::submodule_mode},
                                                   {".gitmodules", gitmodules("lib", "../lib")}});
  auto source = w.source(app);
  EXPECT_EQ(names_of(source.list("")), ".gitmodules a.txt lib/ link ");
  EXPECT_EQ(text_of(source.read("link")), "submodule lib: https://host/org/lib: no such repository");
}

}  // namespace
}  // namespace slipway::manifest
