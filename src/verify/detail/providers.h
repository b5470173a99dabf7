#pragma once
// One function for each provider.
#include "verify/provider.h"

namespace slipway::verify::detail {

// spec: the provider's own map. The value that the conditions are asked about.
Result<doc::Value> web_value(const Ctx& ctx, net::Client& client, doc::View spec);
Result<doc::Value> prometheus_value(const Ctx& ctx, net::Client& client, doc::View spec,
                                    const std::string& fallback_address, WallTime now);
// The gateway's counts through a sequential test.
Result<Measurement> gateway_measurement(const ProviderOptions& options, const Providers::Asked& asked, doc::View spec);
Result<Measurement> start_job(const Ctx& ctx, kube::Client& client, const Providers::Asked& asked, doc::View spec);
Result<Measurement> follow_job(const Ctx& ctx, kube::Client& client, const std::string& ns, Measurement running);

std::string print_value(const doc::Value& value);

}  // namespace slipway::verify::detail
