#include "base/time_zone.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"

namespace slipway {
namespace {

struct Moment {
  const char* name;
  const char* zone;
  const char* utc;
  const char* want;  // offset in minutes and abbreviation
};
class Zones : public testing::TestWithParam<Moment> {};

TEST_P(Zones, Table) {
  if (!path_exists("/usr/share/zoneinfo/Europe/Berlin")) GTEST_SKIP() << "no time zone database";
  auto zone = must(TimeZone::find(GetParam().zone));
  auto local = zone.at(must(parse_rfc3339(GetParam().utc)));
  EXPECT_EQ(fmt::format("{} {}", local.offset.count() / 60, local.abbreviation), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(TimeZone, Zones,
                         testing::ValuesIn(std::to_array<Moment>({
                             {"Winter", "Europe/Berlin", "2026-01-15T12:00:00Z", "60 CET"},
                             {"BeforeSpring", "Europe/Berlin", "2026-03-29T00:59:59Z", "60 CET"},
                             {"Spring", "Europe/Berlin", "2026-03-29T01:00:00Z", "120 CEST"},
                             {"Autumn", "Europe/Berlin", "2026-10-25T01:00:00Z", "60 CET"},
                             {"BeyondTheFile", "Europe/Berlin", "2071-07-01T00:00:00Z", "120 CEST"},
                             {"SouthSummerGoesOverNewYear", "Australia/Sydney", "2050-01-01T00:00:00Z", "660 AEDT"},
                             {"SouthWinter", "Australia/Sydney", "2050-07-01T00:00:00Z", "600 AEST"},
                             {"NoSummer", "Asia/Tokyo", "2050-07-01T00:00:00Z", "540 JST"},
                             {"HalfHours", "Asia/Kolkata", "2026-07-01T00:00:00Z", "330 IST"},
                             {"Old", "America/New_York", "1970-07-01T00:00:00Z", "-240 EDT"},
                             {"Utc", "UTC", "2026-07-01T00:00:00Z", "0 UTC"},
                             {"Empty", "", "2026-07-01T00:00:00Z", "0 UTC"},
                         })),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(TimeZone, NamesThatAreNone) {
  for (auto name : {"Europe/Nowhere", "../../etc/passwd", "/etc/localtime", "Europe/Ber lin"})
    EXPECT_FALSE(TimeZone::find(name)) << name;
}

TEST(TimeZone, FilesThatAreNone) {
  for (std::string_view bytes : {"", "TZif", "TZif2 and then nothing that is long enough to be a header of it"})
    EXPECT_FALSE(TimeZone::parse("x", bytes));
  // Every cut of a real file ends without harm.
  auto file = read_file("/usr/share/zoneinfo/Europe/Berlin");
  if (!file) GTEST_SKIP() << "no time zone database";
  auto now = must(parse_rfc3339("2026-07-01T00:00:00Z"));
  for (std::size_t n = 0; n < file->size(); n += 7)
    if (auto zone = TimeZone::parse("x", std::string_view(*file).substr(0, n))) (void)zone->at(now);
}

}  // namespace
}  // namespace slipway
