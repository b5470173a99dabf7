#include "git/submodules.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace slipway::git {
namespace {

// "name path url" of each, or the error.
std::string read(std::string_view text) {
  auto found = read_gitmodules(text);
  if (!found) return found.error().what();
  std::vector<std::string> out;
  for (const auto& module : *found) out.push_back(fmt::format("{} {} {}", module.name, module.path, module.url));
  return join(std::span<const std::string>(out), "; ");
}

TEST(Gitmodules, AreReadAsGitReadsThem) {
  struct Case {
    std::string_view text, want;
  };
  for (const auto& [text, want] : {
           Case{"", ""},
           Case{"[submodule \"lib\"]\n\tpath = ext/lib\n\turl = https://h/lib.git\n", "lib ext/lib https://h/lib.git"},
           Case{"\xef\xbb\xbf[submodule \"lib\"]\r\npath=lib/\r\nurl=../lib.git\r\n", "lib lib ../lib.git"},
           Case{"[SubModule \"A b\"] PATH = a ; why\n  Url = \"../a;b.git\" # c\n", "A b a ../a;b.git"},
           Case{"[submodule \"q\\\"\\\\\"]\npath = a\\\n b\nurl = x\n", "q\"\\ a b x"},
           Case{"[submodule.old]\npath = o\nurl = x\n", "old o x"},
           Case{"# of others\n[core]\npath = no\n[submodule \"a\"]\npath = a\nbranch\nurl = x\n", "a a x"},
           Case{"[submodule \"a\"]\npath=a\nurl=1\n[submodule \"b\"]\npath=b\n[submodule \"a\"]\nurl=2\n",
                "a a 2; b b "},
           Case{"[submodule \"a\"\npath = a\n", ".gitmodules:1: want a section such as [submodule \"name\"]"},
           Case{"[submodule \"a]\n", ".gitmodules:1: the section's name has no end"},
           Case{"[submodule \"a\"]\n= a\n", ".gitmodules:2: want `key = value`"},
           Case{"[submodule \"a\"]\npath a\n", ".gitmodules:2: want `key = value`"},
           Case{"\n[submodule \"a\"]\npath = \"a\n", ".gitmodules:3: a quotation has no end"},
           Case{"[submodule \"a\"]\npath = a\\x\n", ".gitmodules:2: unknown escape, want one of \\n \\t \\b \\\" \\\\"},
           Case{"[submodule \"a\"]\npath = a\\", ".gitmodules:2: a backslash ends the file"},
       })
    EXPECT_EQ(read(text), want) << text;
  EXPECT_EQ(read("#" + std::string(largest_gitmodules, ' ')), ".gitmodules: larger than 256 KiB");
}

TEST(Gitmodules, WhatLeadsElsewhereIsRefused) {
  struct Case {
    std::string_view name, path, url, want;
  };
  for (const auto& [name, path, url, want] : {
           Case{"../x", "a", "u", "the name \"../x\""},
           Case{"x\\\\..\\\\y", "a", "u", "the name \"x\\\\..\\\\y\""},
           Case{"", "a", "u", "the name \"\""},
           Case{"a", "../a", "u", "the path \"../a\""},
           Case{"a", "b/../../a", "u", "the path \"b/../../a\""},
           Case{"a", "/etc", "u", "the path \"/etc\""},
           Case{"a", "-a", "u", "the path \"-a\""},
           Case{"a", "a", "--upload-pack=x", "the url \"--upload-pack=x\""},
           Case{"a", "a", "\"https://h\\n/x\"", "the url \"https://h\\n/x\""},
       }) {
    auto text = fmt::format("[submodule \"{}\"]\npath = {}\nurl = {}\n", name, path, url);
    EXPECT_EQ(read(text), fmt::format(".gitmodules: submodule \"{}\": {} is refused", name, want)) << text;
  }
}

TEST(Gitmodules, TheLastThatNamesAFolderCounts) {
  auto all =
      *read_gitmodules("[submodule \"a\"]\npath=x\nurl=1\n[submodule \"b\"]\npath=x\nurl=2\n[submodule \"c\"]\n");
  ASSERT_NE(submodule_at(all, "x"), nullptr);
  EXPECT_EQ(submodule_at(all, "x")->url, "2");
  EXPECT_EQ(submodule_at(all, "y"), nullptr);
  EXPECT_EQ(submodule_at(all, ""), nullptr);
}

TEST(SubmoduleUrl, IsSeenFromTheRepository) {
  struct Case {
    std::string_view repository, url, want;
  };
  for (const auto& [repository, url, want] : {
           Case{"https://h/org/app.git", "../lib.git", "https://h/org/lib.git"},
           Case{"https://h/org/app.git/", "../lib.git/", "https://h/org/lib.git"},
           Case{"https://h/org/app", "./lib.git", "https://h/org/app/lib.git"},
           Case{"https://h/org/app", "../../other/lib", "https://h/other/lib"},
           Case{"https://h/app", "../lib", "https://h/lib"},
           Case{"https://ada:key@h:8443/org/app", "../lib", "https://ada:key@h:8443/org/lib"},
           Case{"git@h:org/app.git", "../lib.git", "git@h:org/lib.git"},
           Case{"git@h:app.git", "../lib.git", "git@h:lib.git"},
           Case{"git@h:/app.git", "../lib.git", "git@h:/lib.git"},
           Case{"ssh://git@h:22/org/app.git", "../lib.git", "ssh://git@h:22/org/lib.git"},
           Case{"https://h/app", "http://other/lib", "http://other/lib"},
           Case{"file:///srv/app", "git@h:lib.git", "git@h:lib.git"},
           Case{"https://h/app", "git://h/lib", "git://h/lib"},
       }) {
    auto found = submodule_url(repository, url);
    EXPECT_EQ(found ? *found : found.error().what(), want) << repository << " " << url;
  }
}

TEST(SubmoduleUrl, NeverRunsAProgramNorReadsThisMachine) {
  for (std::string_view url : {"",
                               "ext::sh -c x",
                               "file:///etc",
                               "/srv/lib.git",
                               "lib.git",
                               ".",
                               "..",
                               "-x",
                               "--upload-pack=x:y",
                               "ssh://-x/y",
                               "ssh://git@-x/y",
                               "git@h:-x",
                               "-h:x",
                               "https:///x",
                               "https://h/a\nb",
                               "https://h%0a/x",
                               "https://h/x#other",
                               "ftp://h/x",
                               "fd::7",
                               "../../lib",
                               "../..",
                               "../",
                               "../a/../../x",
                               "C:\\x y"}) {
    auto found = submodule_url("https://h/app", url);
    ASSERT_FALSE(found.has_value()) << url << " gave " << *found;
    EXPECT_TRUE(found.error().is(Kind::invalid)) << url;
  }
  // A folder of this machine names its neighbours no more than others do.
  EXPECT_FALSE(submodule_url("file:///srv/app", "../lib").has_value());
  EXPECT_FALSE(submodule_url("/srv/app", "../lib").has_value());
}

}  // namespace
}  // namespace slipway::git
