#include "ci/schedule.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"

namespace slipway::ci {
namespace {

std::string next(const char* cron, const char* after, const char* zone = "") {
  auto parsed = Cron::parse(cron);
  if (!parsed) return parsed.error().what();
  auto loaded = TimeZone::load(zone);
  if (!loaded) return loaded.error().what();
  auto at = parsed->next(*loaded, must(parse_rfc3339(after)));
  return at ? rfc3339(*at) : "never";
}

TEST(Cron, FieldsListsRangesSteps) {
  EXPECT_EQ(next("5 4 * * *", "2026-03-01T04:05:00Z"), "2026-03-02T04:05:00Z");
  EXPECT_EQ(next("*/15 * * * *", "2026-03-01T04:05:59Z"), "2026-03-01T04:15:00Z");
  EXPECT_EQ(next("7/20 * * * *", "2026-03-01T04:30:00Z"), "2026-03-01T04:47:00Z");
  EXPECT_EQ(next("0 9-17/4,23 * * *", "2026-03-01T09:00:00Z"), "2026-03-01T13:00:00Z");
  EXPECT_EQ(next("0 9-17/4,23 * * *", "2026-03-01T17:00:00Z"), "2026-03-01T23:00:00Z");
  EXPECT_EQ(next("0 0 1 jan,JUL *", "2026-03-01T00:00:00Z"), "2026-07-01T00:00:00Z");
  EXPECT_EQ(next("0 0 * * MON-fri", "2026-03-06T00:00:00Z"), "2026-03-09T00:00:00Z") << "a Friday, then a Monday";
  EXPECT_EQ(next("0 0 13 * 5", "2026-03-01T00:00:00Z"), "2026-03-06T00:00:00Z") << "the 13th, or a Friday";
  EXPECT_EQ(next("0 0 29 2 *", "2026-03-01T00:00:00Z"), "2028-02-29T00:00:00Z");
  EXPECT_EQ(next("0 0 29 2 *", "2096-03-01T00:00:00Z"), "2104-02-29T00:00:00Z");
  EXPECT_EQ(next("0 0 30 2 *", "2026-03-01T00:00:00Z"), "never");
  EXPECT_EQ(next("59 23 31 12 *", "2026-12-31T23:59:00Z"), "2027-12-31T23:59:00Z");
}

TEST(Cron, SaysWhichFieldIsWrong) {
  EXPECT_EQ(next("* * * *", ""), "cron \"* * * *\": want five fields: minute hour day month weekday");
  EXPECT_TRUE(next("60 * * * *", "").starts_with("minute \"60\": want 0 to 59"));
  for (auto* wrong : {"1-0 * * * *", "*/0 * * * *", "1,, * * * *", "* 24 * * *", "* * 0 * *", "* * * foo *",
                      "* * * * 7", "a * * * *", "*/a * * * *", "@daily", ""})
    EXPECT_FALSE(Cron::parse(wrong)) << wrong;
}

TEST(TimeZones, SummerAndWinter) {
  if (!TimeZone::load("Europe/Berlin")) GTEST_SKIP() << "no time zones on this machine";
  EXPECT_EQ(next("0 9 * * *", "2026-01-10T12:00:00Z", "Europe/Berlin"), "2026-01-11T08:00:00Z");
  EXPECT_EQ(next("0 9 * * *", "2026-07-10T12:00:00Z", "Europe/Berlin"), "2026-07-11T07:00:00Z");
  EXPECT_EQ(next("30 8 * * *", "2026-01-10T12:00:00Z", "Asia/Kolkata"), "2026-01-11T03:00:00Z");
  EXPECT_EQ(next("0 9 * * *", "2126-07-10T14:00:00Z", "America/New_York"), "2126-07-11T13:00:00Z") << "by its rule";
  EXPECT_EQ(next("0 12 * * *", "2126-01-10T12:00:00Z", "Australia/Sydney"), "2126-01-11T01:00:00Z") << "summer there";
}

TEST(TimeZones, HoursThatAreLeftOutOrRepeated) {
  if (!TimeZone::load("America/New_York")) GTEST_SKIP() << "no time zones on this machine";
  // 2026-03-08: 2:00 becomes 3:00. What would be due between is due then, and only once.
  EXPECT_EQ(next("30 2 * * *", "2026-03-08T06:00:00Z", "America/New_York"), "2026-03-08T07:00:00Z");
  EXPECT_EQ(next("30 2 * * *", "2026-03-08T07:00:00Z", "America/New_York"), "2026-03-09T06:30:00Z");
  EXPECT_EQ(next("30 * * * *", "2026-03-08T06:31:00Z", "America/New_York"), "2026-03-08T07:30:00Z");
  // 2026-11-01: 2:00 becomes 1:00 again.
  EXPECT_EQ(next("30 1 * * *", "2026-11-01T05:00:00Z", "America/New_York"), "2026-11-01T05:30:00Z");
  EXPECT_EQ(next("30 1 * * *", "2026-11-01T05:30:00Z", "America/New_York"), "2026-11-02T06:30:00Z");
  EXPECT_EQ(next("30 * * * *", "2026-11-01T05:30:00Z", "America/New_York"), "2026-11-01T06:30:00Z") << "of every hour";
}

TEST(TimeZones, ThatAreNot) {
  if (!TimeZone::load("Europe/Berlin")) GTEST_SKIP() << "no time zones on this machine";
  auto wrong = TimeZone::load("Europe/Berlim");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().hint(), "did you mean Europe/Berlin?");
  for (auto* bad : {"../../etc/passwd", "/etc/passwd", "Europe", "Mars/Olympus Mons", "Europe/"})
    EXPECT_FALSE(TimeZone::load(bad)) << bad;
  EXPECT_FALSE(TimeZone::parse("TZif"));
  EXPECT_FALSE(TimeZone::parse("nonsense"));
}

// Against the C library, by which the machine itself tells the time.
TEST(TimeZones, OffsetsAreThoseOfTheSystem) {
  if (!TimeZone::load("Europe/Berlin")) GTEST_SKIP() << "no time zones on this machine";
  for (auto* name : {"Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Tehran",
                     "Pacific/Apia", "America/Sao_Paulo", "Europe/Dublin"}) {
    auto zone = must(TimeZone::load(name));
    ::setenv("TZ", name, 1);
    ::tzset();
    for (std::int64_t t = 0; t < 4'000'000'000; t += 86400 * 5 + 3607) {
      auto at = static_cast<std::time_t>(t);
      std::tm there{};
      ::localtime_r(&at, &there);
      ASSERT_EQ(zone.offset(t).count(), there.tm_gmtoff) << name << " " << t;
    }
  }
  ::unsetenv("TZ");
  ::tzset();
}

}  // namespace
}  // namespace slipway::ci
