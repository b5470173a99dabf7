#pragma once
// Values as text, and text as values.
#include <optional>
#include <string>
#include <string_view>

#include "cel/value.h"

namespace slipway::cel::detail {

// Go's %g: the shortest that reads back, "1e+06", "NaN", "+Inf".
std::string print_double(double value);
// What string() gives of a scalar, a time, a duration, a type, an object; "" of the rest.
std::string plain_text(const Value& value);
std::string print_time(Timestamp t);     // 2009-02-13T23:31:30.5Z
std::string print_duration(Duration d);  // 1.5s
// RFC 3339 with years 1 to 9999. Nothing: no time.
std::optional<Timestamp> parse_time(std::string_view text);
// Go's "1h30m", "-1.5s", "0". Nothing: no duration, or longer than 292 years.
std::optional<Duration> parse_duration(std::string_view text);
bool in_range(const Timestamp& t);
// The moment as days and seconds of a zone's own clock: "Europe/Berlin", "+02:00". Errors: invalid.
Result<std::int64_t> offset_of(const Timestamp& t, std::string_view zone);

}  // namespace slipway::cel::detail
