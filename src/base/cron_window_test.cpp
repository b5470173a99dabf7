#include "base/cron_window.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"

namespace slipway {
namespace {

bool has_zones() { return path_exists("/usr/share/zoneinfo/Europe/Berlin"); }

struct Moment {
  const char* name;
  const char* schedule;
  const char* duration;
  const char* zone;
  const char* utc;
  bool open;
};
class CronWindow : public testing::TestWithParam<Moment> {};
TEST_P(CronWindow, Table) {
  if (!has_zones()) GTEST_SKIP() << "no time zone database";
  const auto& p = GetParam();
  EXPECT_EQ(is_cron_open(p.schedule, must(parse_duration(p.duration)), must(parse_rfc3339(p.utc)),
                         must(TimeZone::find(p.zone))),
            p.open);
}
INSTANTIATE_TEST_SUITE_P(
    Zones, CronWindow,
    testing::ValuesIn(std::to_array<Moment>({
        {"WinterBefore", "0 10 * * *", "1h", "Europe/Berlin", "2026-01-15T08:59:59Z", false},
        {"WinterFirst", "0 10 * * *", "1h", "Europe/Berlin", "2026-01-15T09:00:00Z", true},
        {"SummerFirst", "0 10 * * *", "1h", "Europe/Berlin", "2026-07-15T08:00:00Z", true},
        {"SummerAfter", "0 10 * * *", "1h", "Europe/Berlin", "2026-07-15T09:00:00Z", false},
        {"HalfAnHourOff", "0 10 * * *", "30m", "Asia/Kolkata", "2026-07-15T04:45:00Z", true},
        {"WestOfIt", "0 22 * * 5", "2h", "America/New_York", "2026-07-18T02:30:00Z", true},
        {"WeekdayOfTheZone", "0 0 * * 1", "1h", "Pacific/Auckland", "2026-07-12T12:10:00Z", true},
        // 2026-03-29 in Berlin: 02:00 becomes 03:00 at 01:00Z.
        {"SpringInTheHourThatIsNot", "30 2 * * *", "1h", "Europe/Berlin", "2026-03-29T00:59:00Z", false},
        {"SpringForItsRest", "30 2 * * *", "1h", "Europe/Berlin", "2026-03-29T01:00:00Z", true},
        {"SpringUntilTheClockSays", "30 2 * * *", "1h", "Europe/Berlin", "2026-03-29T01:30:00Z", false},
        {"SpringAllNight", "0 22 * * *", "8h", "Europe/Berlin", "2026-03-29T03:59:00Z", true},
        {"SpringUntilSix", "0 22 * * *", "8h", "Europe/Berlin", "2026-03-29T04:00:00Z", false},
        // 2026-10-25 in Berlin: 03:00 becomes 02:00 at 01:00Z.
        {"AutumnFirst", "30 2 * * *", "15m", "Europe/Berlin", "2026-10-25T00:35:00Z", true},
        {"AutumnBetween", "30 2 * * *", "15m", "Europe/Berlin", "2026-10-25T01:10:00Z", false},
        {"AutumnAgain", "30 2 * * *", "15m", "Europe/Berlin", "2026-10-25T01:35:00Z", true},
        {"AutumnWholeDay", "0 0 * * *", "24h", "Europe/Berlin", "2026-10-25T22:59:00Z", true},
        {"AutumnUntilSix", "0 22 * * *", "8h", "Europe/Berlin", "2026-10-25T04:59:00Z", true},
        {"AutumnAfterSix", "0 22 * * *", "8h", "Europe/Berlin", "2026-10-25T05:00:00Z", false},
        // The south has summer at new year.
        {"SydneySummer", "0 9 * * *", "1h", "Australia/Sydney", "2026-12-31T22:30:00Z", true},
        {"SydneyWinter", "0 9 * * *", "1h", "Australia/Sydney", "2026-06-30T22:30:00Z", false},
        {"LordHoweMovesHalfAnHour", "0 2 * * *", "30m", "Australia/Lord_Howe", "2026-10-03T15:29:00Z", false},
        {"LordHoweHasNoTwoToHalfPast", "0 2 * * *", "40m", "Australia/Lord_Howe", "2026-10-03T15:30:00Z", true},
    })),
    [](const auto& i) { return i.param.name; });

TEST(CronFields, AreReadAsRobfigsParserDoes) {
  auto now = must(parse_rfc3339("2026-11-26T10:20:00Z"));  // a Thursday
  for (auto [schedule, open] : {std::pair{"20 10 * NOV THU", true},
                                {"20 10 * nov mon-fri", true},
                                {"20 10 ? * thu", true},
                                {"20 10 * dec *", false},
                                {"5/15 10 * * *", true},
                                {"0/1 10 * * *", true},
                                {"20 10 1 * 4", true},
                                {"20 10 1 * */2", true},
                                {"20 10 1 * *", false},
                                {"20 10 * * 1-7/3", true},
                                {"20 10 * * 0,7", false}})
    EXPECT_EQ(is_cron_open(schedule, Millis(60000), now), open) << schedule;
  for (auto schedule : {"* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "a * * * *", "5-1 * * * *", "*/0 * * * *",
                        "", "@daily", "* * * foo *", "* * * * * *", "TZ=UTC * * * *", "1- * * * *", "1/ * * * *",
                        "* * * * 8", "* * * anf *", "99999999999999999999 * * * *"})
    EXPECT_FALSE(is_cron(schedule)) << schedule;
}

// Where the answer changes is where a look at every minute finds that it does: in nights in which a clock is moved.
TEST(CronChanges, AreWhatEveryMinuteSays) {
  if (!has_zones()) GTEST_SKIP() << "no time zone database";
  constexpr auto horizon = std::chrono::hours(4);
  for (auto [zone_name, start] : {std::pair{"Europe/Berlin", "2026-03-28T23:10:30Z"},
                                  {"Europe/Berlin", "2026-10-24T23:10:30Z"},
                                  {"Australia/Lord_Howe", "2026-10-03T14:00:00Z"},
                                  {"Australia/Lord_Howe", "2026-04-04T13:30:00Z"}}) {
    auto zone = must(TimeZone::find(zone_name));
    auto now = must(parse_rfc3339(start));
    for (auto schedule : {"30 2 * * *", "0 1 * * *", "*/7 2-3 * * *", "0 0 * * *"}) {
      for (auto minutes : {1, 45, 240}) {
        Millis duration = std::chrono::minutes(minutes);
        std::optional<WallTime> want;
        bool open = is_cron_open(schedule, duration, now, zone);
        auto at = WallTime(std::chrono::floor<std::chrono::minutes>(now)) + std::chrono::minutes(1);
        for (; !want && at - now <= horizon; at += std::chrono::minutes(1))
          if (is_cron_open(schedule, duration, at, zone) != open) want = at;
        EXPECT_EQ(cron_changes(schedule, duration, now, horizon, zone), want)
            << schedule << " for " << minutes << "m in " << zone_name << " from " << start;
      }
    }
  }
}

}  // namespace
}  // namespace slipway
