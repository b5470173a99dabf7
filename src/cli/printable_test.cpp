#include "cli/printable.h"

#include <gtest/gtest.h>

namespace slipway::cli {
namespace {

TEST(Printable, LetsNobodyWriteToTheTerminal) {
  struct {
    std::string_view text, one, many;
  } cases[] = {{"plain \xc3\xa4", "plain \xc3\xa4", "plain \xc3\xa4"},
               {"a\nb\tc", "a\\u000ab\\u0009c", "a\nb\tc"},
               {"a\rb", "a\\u000db", "a\\u000db"},
               {"\033[2J\033]0;t\007", "\\u001b[2J\\u001b]0;t\\u0007", "\\u001b[2J\\u001b]0;t\\u0007"},
               {"\033[32mgood\033[0m", "\033[32mgood\033[0m", "\033[32mgood\033[0m"},
               {"\033[32", "\\u001b[32", "\\u001b[32"},
               {std::string_view("a\0b", 3), "a\\u0000b", "a\\u0000b"},
               {"\xc2\x9b"
                "31m\x7f",
                "\\u009b31m\\u007f", "\\u009b31m\\u007f"}};
  for (const auto& c : cases) {
    EXPECT_EQ(printable(c.text, Lines::one), c.one);
    EXPECT_EQ(printable(c.text, Lines::many), c.many);
  }
}

}  // namespace
}  // namespace slipway::cli
