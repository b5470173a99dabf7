#pragma once
// Signing in to clouds. Private to ci/actions.
#include "base/time.h"
#include "ci/detail/job_run.h"

namespace slipway::ci {

struct AwsKeys {
  std::string id, secret, session;
};
// The Authorization header of a POST to a service of AWS. Rule: Signature Version 4.
// headers: further signed ones, lower-case names, in order.
std::string aws_authorization(const AwsKeys& keys, const std::string& region, const std::string& service,
                              const std::string& host, std::string_view body, WallTime now);
std::string aws_date(WallTime now);  // 20250101T000000Z

}  // namespace slipway::ci
