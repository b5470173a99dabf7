#pragma once
// Time zones by their IANA names, from the system's database (RFC 8536).
#include <memory>
#include <string>
#include <string_view>

#include "base/time.h"

namespace slipway {

// Threads: any.
class TimeZone {
 public:
  static TimeZone utc();
  // "Europe/Berlin", "UTC", "" for UTC. Errors: invalid (no such zone, or a database that cannot be read).
  static Result<TimeZone> find(std::string_view name);
  // The bytes of a TZif file. Errors: invalid.
  static Result<TimeZone> parse(std::string_view name, std::string_view bytes);

  struct Local {
    std::chrono::seconds offset{0};  // east of UTC
    std::string abbreviation;        // "CET"
    bool summer = false;
  };
  Local at(WallTime t) const;
  const std::string& name() const;

 private:
  struct Rep;
  explicit TimeZone(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}
  std::shared_ptr<const Rep> rep_;
};

}  // namespace slipway
