#include "path/spans.h"

#include <gtest/gtest.h>

namespace slipway::path {
namespace {

WallTime at(int ms) { return WallTime{} + Millis(ms); }

struct Case {
  const char* name;
  Spans spans;
  Spans want;
  int covered;
};

TEST(SpansTest, WhatRunsSideBySideCountsOnce) {
  const Case cases[] = {
      {"none", {}, {}, 0},
      {"one after the other", {{at(0), at(10)}, {at(20), at(25)}}, {{at(0), at(10)}, {at(20), at(25)}}, 15},
      {"side by side", {{at(5), at(20)}, {at(0), at(10)}}, {{at(0), at(20)}}, 20},
      {"one within another", {{at(0), at(100)}, {at(10), at(20)}, {at(99), at(101)}}, {{at(0), at(101)}}, 101},
      {"touching", {{at(0), at(10)}, {at(10), at(20)}}, {{at(0), at(20)}}, 20},
      {"empty and backwards", {{at(5), at(5)}, {at(9), at(3)}}, {}, 0},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(merged(c.spans), c.want) << c.name;
    EXPECT_EQ(covered(c.spans), Millis(c.covered)) << c.name;
  }
}

}  // namespace
}  // namespace slipway::path
