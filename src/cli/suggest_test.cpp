#include "cli/suggest.h"

#include <gtest/gtest.h>

#include "cli/cli.h"

namespace slipway::cli {
namespace {

std::vector<Command> some() {
  return {{"status", "", "", {{"--watch,-w", "", true}}, {}, {}},
          {"app list", "", "", {}, {}, {}},
          {"app get", "", "", {}, {}, {}},
          {"promote", "", "", {}, {}, {}},
          {"promote history", "", "", {}, {}, {}}};
}

std::string said(const std::optional<Error>& error) { return error ? error->what() + " | " + error->hint() : ""; }
std::string command_line(std::vector<std::string> words) { return said(unknown_command(some(), words)); }

TEST(Suggest, Commands) {
  EXPECT_EQ(command_line({"status", "--nosuch"}), "");
  EXPECT_EQ(command_line({"app", "list", "x"}), "");
  EXPECT_EQ(command_line({"statsu"}), "there is no command \"statsu\" | did you mean: slipway status");
  EXPECT_EQ(command_line({"deploy"}), "there is no command \"deploy\" | slipway lists the commands");
  EXPECT_EQ(command_line({"app", "lst"}), "there is no command \"app lst\" | did you mean: slipway app list");
  EXPECT_EQ(command_line({"app", "destroy"}), "there is no command \"app destroy\" | slipway app has: list, get");
  EXPECT_EQ(command_line({"app"}), "slipway app: what of it? | slipway app has: list, get");
  for (auto words : {std::vector<std::string>{"promote"}, {"promote", "web"}, {"promote", "history", "web"}})
    EXPECT_EQ(command_line(words), "") << "an argument of a command that has others below it";
  EXPECT_EQ(command_line({"--hlep"}), "unknown option --hlep | did you mean --help?");
}

TEST(Suggest, Options) {
  auto all = some();
  auto say = [&](std::vector<std::string> rest) { return said(unknown_option(all[0], rest)); };
  EXPECT_EQ(say({}), "");
  EXPECT_EQ(say({"--wacth"}), "status: unknown option --wacth | did you mean --watch?");
  EXPECT_EQ(say({"x", "--outptu=json"}), "status: unknown option --outptu | did you mean --output?");
  EXPECT_EQ(say({"--frobnicate"}), "status: unknown option --frobnicate | slipway status --help");
  EXPECT_EQ(say({"extra"}), "status: \"extra\" is one argument too many | slipway status --help");
}

// What DESIGN.md promises: 1 the thing checked failed, 2 wrong usage, 3 refused by policy, 4 could not reach or run.
TEST(ExitCode, FollowsTheKindOfError) {
  EXPECT_EQ(exit_code(Error(Kind::invalid, "")), 2);
  EXPECT_EQ(exit_code(Error(Kind::denied, "")), 3);
  EXPECT_EQ(exit_code(Error(Kind::cancelled, "")), 130);
  EXPECT_EQ(exit_code(Error(Kind::not_found, "")), 1);
  EXPECT_EQ(exit_code(Error(Kind::conflict, "")), 1);
  EXPECT_EQ(exit_code(Error(Kind::unavailable, "")), 4);
  EXPECT_EQ(exit_code(Error(Kind::timeout, "")), 4);
  EXPECT_EQ(exit_code(Error(Kind::corrupt, "")), 4);
}

TEST(Arguments, TheLastOfARepeatedOptionCounts) {
  Arguments arguments;
  arguments.add("job", "a");
  arguments.add("job", "b");
  EXPECT_EQ(arguments.get("job"), "b");
  EXPECT_EQ(arguments.all("job"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(arguments.get("none", "fallback"), "fallback");
  EXPECT_FALSE(arguments.has("none"));
}

}  // namespace
}  // namespace slipway::cli
