#include "scan/parsers.h"

#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "scan/inventory.h"

namespace slipway::scan {
namespace {

std::string print(const Packages& list) {
  std::string out;
  for (const auto& p : list) {
    out += fmt::format("{}:{} {} {}", p.place.file, p.place.line, p.name, p.version);
    if (!p.source_name.empty()) out += fmt::format(" from {} {}", p.source_name, p.source_version);
    out += "\n";
  }
  return out;
}

TEST(Parsers, DpkgKeepsInstalledAndNamesTheSource) {
  auto list = parse_dpkg_status(
      "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nSource: openssl (3.0.11-1)\nVersion: "
      "3.0.11-1+b1\n"
      "Description: x\n more: text\n\n"
      "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
      "Package: bash\nVersion: 5.2.15-2\n",
      "var/lib/dpkg/status");
  EXPECT_EQ(print(list),
            "var/lib/dpkg/status:1 libssl3 3.0.11-1+b1 from openssl 3.0.11-1\nvar/lib/dpkg/status:13 bash 5.2.15-2\n");
  EXPECT_EQ(list[0].advisory_name(), "openssl");
  EXPECT_EQ(list[1].advisory_version(), "5.2.15-2");
}

TEST(Parsers, ApkReadsOrigin) {
  EXPECT_EQ(print(parse_apk_installed(
                "C:Q1\nP:libcrypto3\nV:3.0.7-r0\nA:x86_64\no:openssl\nF:lib\nR:x\n\nP:musl\nV:1.2.3-r4\n", "i")),
            "i:1 libcrypto3 3.0.7-r0 from openssl \ni:9 musl 1.2.3-r4\n");
}

TEST(Parsers, NpmLocks) {
  EXPECT_EQ(print(parse_package_lock(R"({"lockfileVersion":3,"packages":{"":{"name":"app","version":"1.0.0"},
"node_modules/lodash":{"version":"4.17.4"},
"node_modules/a/node_modules/@s/b":{"version":"2.0.0"},
"node_modules/linked":{"link":true,"version":"1.0.0"}}})",
                                     "l")),
            "l:2 lodash 4.17.4\nl:3 @s/b 2.0.0\n");
  EXPECT_EQ(
      print(parse_package_lock(
          R"({"lockfileVersion":1,"dependencies":{"a":{"version":"1.0.0","dependencies":{"b":{"version":"2.0.0"}}},
"c":{"version":"npm:d@3.0.0"},"e":{"version":"git+ssh://git@host/e.git#1"}}})",
          "l")),
      "l:1 a 1.0.0\nl:1 b 2.0.0\nl:2 d 3.0.0\n");
  EXPECT_TRUE(parse_package_lock("{", "l").empty());
}

TEST(Parsers, PythonFiles) {
  EXPECT_EQ(
      print(parse_requirements(
          "# c\nrequests[socks]==2.19.0 ; python_version > '3'\nflask>=1\n-r other.txt\nDjango == 2.2.1 --hash=x\n"
          "x==1.*\ny===3\n",
          "r")),
      "r:2 requests 2.19.0\nr:5 Django 2.2.1\nr:7 y 3\n");
  EXPECT_EQ(print(parse_python_metadata("Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n\nName: no\n", "m")),
            "m:3 PyYAML 5.3\n");
  EXPECT_EQ(
      print(parse_toml_lock(
          "[[package]]\nname = \"jinja2\"\nversion = \"2.10\"\n\n[package.dependencies]\nname = \"x\"\n\n[metadata]\n",
          "PyPI", "p")),
      "p:1 jinja2 2.10\n");
}

TEST(Parsers, MoreLocks) {
  EXPECT_EQ(print(parse_yarn_lock("# yarn lockfile v1\n\n\"@s/a@^1.0.0\", \"@s/a@^1.1.0\":\n  version \"1.2.0\"\n  "
                                  "dependencies:\n    b \"^2\"\n\nb@^2:\n  version \"2.0.1\"\n",
                                  "y")),
            "y:3 @s/a 1.2.0\ny:8 b 2.0.1\n");
  EXPECT_EQ(print(parse_yarn_lock("__metadata:\n  version: 6\n\n\"a@npm:^1.0.0\":\n  version: "
                                  "1.2.0\n\n\"me@workspace:.\":\n  version: 0.0.0-use.local\n",
                                  "y")),
            "y:4 a 1.2.0\n");
  EXPECT_EQ(print(parse_pnpm_lock(
                "lockfileVersion: 5.4\npackages:\n  /a/1.0.0:\n    x: 1\n  /@s/b/2.0.0_c@3.0.0:\n    x: 1\n", "p")),
            "p:3 a 1.0.0\np:5 @s/b 2.0.0\n");
  EXPECT_EQ(print(parse_pnpm_lock(
                "lockfileVersion: '9.0'\npackages:\n  a@1.0.0:\n    x: 1\n  '@s/b@2.0.0(c@3.0.0)':\n    x: 1\n", "p")),
            "p:3 a 1.0.0\np:5 @s/b 2.0.0\n");
  EXPECT_EQ(print(parse_pipfile_lock(R"({"default":{"flask":{"version":"==1.0"}},"develop":{"x":{"git":"y"}}})", "p")),
            "p:1 flask 1.0\n");
  EXPECT_EQ(print(parse_composer_lock(R"({"packages":[{"name":"a/b","version":"v1.0.0"}]})", "c")), "c:1 a/b 1.0.0\n");
  EXPECT_EQ(print(parse_gemfile_lock("GIT\n  specs:\n    no (1)\nGEM\n  remote: r\n  specs:\n    nokogiri "
                                     "(1.10.0-x86_64-linux)\n      mini (~> 2)\n    rack (2.0.1)\n",
                                     "g")),
            "g:7 nokogiri 1.10.0\ng:9 rack 2.0.1\n");
}

// What a widely used scanner lists in these repositories.
TEST(Parsers, ListsWhatTheFixturesHold) {
  auto root = corpora();
  if (!root) GTEST_SKIP() << "no corpora here";
  auto dir = must(TempDir::make());
  must(run_ok({}, {.argv = {"tar", "--zstd", "-C", dir.path().string(), "-xf",
                            (*root / "osv/fixtures/trivy-integration.tar.zst").string()}}));
  auto data = dir.path() / "integration/testdata";
  std::size_t wanted = 0, found = 0, extra = 0;
  for (auto [golden_name, repo] : {std::pair{"npm-with-dev", "npm"},
                                   {"pip", "pip"},
                                   {"poetry", "poetry"},
                                   {"cargo.lock", "cargo"},
                                   {"uv", "uv"},
                                   {"yarn", "yarn"},
                                   {"pnpm", "pnpm"},
                                   {"pipenv", "pipenv"},

                                   {"pylock", "pylock"}}) {
    auto golden = must(doc::parse_json(must(read_file(data / fmt::format("{}.json.golden", golden_name)))));
    std::set<std::string> want, got;
    for (const auto& result : doc::View(golden)["Results"].items())
      for (const auto& p : result["Packages"].items()) {
        auto type = result["Type"].str_or("");
        auto version = p["Version"].str_or("");
        if (type == "composer" && version.starts_with('v')) version.erase(0, 1);
        // The project itself is no package of it.
        if (p["Relationship"].str_or("") != "root") want.insert(lower(p["Name"].str_or("")) + " " + version);
      }
    auto inventory = must(folder_inventory({}, data / "fixtures/repo" / repo));
    for (const auto& p : inventory.packages) got.insert(lower(p.name) + " " + p.version);
    std::string missing;
    for (const auto& p : want) got.contains(p) ? ++found : (missing += p + ", ", 0);
    wanted += want.size();
    for (const auto& p : got) extra += want.contains(p) ? 0 : 1;
    fmt::print("{}: {} wanted, {} got; missing: {}\n", golden_name, want.size(), got.size(), missing);
  }
  fmt::print("packages: {} of {}, {} more\n", found, wanted, extra);
  EXPECT_GE(found * 100, wanted * 97);
}

TEST(Parsers, CargoLeavesOutTheWorkspace) {
  EXPECT_EQ(print(parse_toml_lock(
                "version = 3\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"regex\"\n"
                "version = \"1.5.4\"\nsource = \"registry+https://index\"\nchecksum = \"ab\"\n",
                "crates.io", "c")),
            "c:7 regex 1.5.4\n");
}

TEST(Parsers, GoModFollowsReplacements) {
  EXPECT_EQ(print(parse_go_mod(
                "module m\ngo 1.21\nrequire example.org/a v1.0.0\nrequire (\n\texample.org/b v0.2.0 // indirect\n"
                "\texample.org/c v1.1.1\n\texample.org/d v1.0.0\n)\nreplace example.org/c => example.org/fork v1.2.0\n"
                "replace example.org/d => ../d\n",
                "g")),
            "g:3 example.org/a 1.0.0\ng:5 example.org/b 0.2.0\ng:6 example.org/fork 1.2.0\n");
}

TEST(Parsers, GoProgramTellsItsModules) {
  std::string header = "\xff Go buildinf:";
  header += '\x08';
  header += '\x02';
  header.resize(32, '\0');
  std::string version = "go1.21.1",
              modules = std::string(16, '<') +
                        "path\tx\nmod\texample.org/x\t(devel)\t\ndep\tgolang.org/x/net\tv0.10.0\th1:\n"
                        "dep\texample.org/y\tv1.0.0\n=>\texample.org/z\tv1.1.0\th1:\n" +
                        std::string(16, '>');
  auto bytes = std::string(
                   "\x7f"
                   "ELF....") +
               header + static_cast<char>(version.size()) + version;
  bytes += static_cast<char>((modules.size() & 0x7f) | 0x80);
  bytes += static_cast<char>(modules.size() >> 7);
  bytes += modules;
  EXPECT_EQ(print(parse_go_binary(bytes, "b")),
            "b:0 stdlib 1.21.1\nb:0 golang.org/x/net 0.10.0\nb:0 example.org/z 1.1.0\n");
  for (std::size_t n = 0; n < bytes.size(); ++n)
    (void)parse_go_binary(std::string_view(bytes).substr(0, n), "b");  // no over-read
}

TEST(Parsers, PurlsNameTheirPackage) {
  Package p{.ecosystem = "npm", .name = "@scope/name", .version = "1.0.0"};
  EXPECT_EQ(purl(p), "pkg:npm/%40scope/name@1.0.0");
  EXPECT_EQ(purl({.ecosystem = "Debian:12", .name = "openssl", .version = "1:3.0.11-1", .architecture = "amd64"}),
            "pkg:deb/debian/openssl@1:3.0.11-1?arch=amd64&distro=debian-12");
  EXPECT_EQ(purl({.ecosystem = "Maven", .name = "org.a:b", .version = "2"}), "pkg:maven/org.a/b@2");
  EXPECT_EQ(purl({.ecosystem = "PyPI", .name = "Foo_Bar", .version = "2"}), "pkg:pypi/foo-bar@2");
}

TEST(Parsers, DistributionsHaveOsvNames) {
  EXPECT_EQ(parse_os_release("ID=debian\nVERSION_ID=\"12\"\n").ecosystem(), "Debian:12");
  EXPECT_EQ(parse_os_release("ID=alpine\nVERSION_ID=3.20.3\n").ecosystem(), "Alpine:v3.20");
  EXPECT_EQ(parse_os_release("ID=ubuntu\nVERSION_ID=\"22.04\"\n").ecosystem(), "Ubuntu:22.04:LTS");
  EXPECT_EQ(parse_os_release("ID=ubuntu\nVERSION_ID=\"23.10\"\n").ecosystem(), "Ubuntu:23.10");
}

}  // namespace
}  // namespace slipway::scan
