#include "verify/provider.h"

#include <cmath>

#include "verify/detail/providers.h"

namespace slipway::verify {

struct Providers::Rep {
  ProviderOptions options;
  net::Client http;

  explicit Rep(ProviderOptions o) : options(std::move(o)), http(options.http) {}

  net::Client& http_for(doc::View spec, std::optional<net::Client>& own) {
    if (!spec["insecure"].bool_or(false)) return http;
    auto lax = options.http;
    lax.verify = false;
    return own.emplace(lax);
  }

  Result<Measurement> measure(const Ctx& ctx, const Asked& asked) {
    const auto& [kind, value] = *asked.metric.provider.if_map()->begin();
    doc::View spec(value);
    std::optional<net::Client> own;
    if (kind == "web") {
      TRY(auto got, detail::web_value(ctx, http_for(spec, own), spec));
      return judged(asked, got);
    }
    if (kind == "prometheus") {
      TRY(auto got, detail::prometheus_value(ctx, http_for(spec, own), spec, options.prometheus, ctx.clock->wall()));
      return judged(asked, got);
    }
    if (kind == "slipway") return detail::gateway_measurement(options, asked, spec);
    if (kind == "job") {
      if (!options.client) return fail(Kind::invalid, "the job provider needs a cluster");
      return detail::start_job(ctx, *options.client, asked, spec);
    }
    return fail(Kind::invalid, "provider \"{}\" is not supported, want web, prometheus, job or slipway", kind);
  }

  static Measurement judged(const Asked& asked, const doc::Value& value) {
    auto verdict = judge(asked.metric, value);
    Measurement m;
    m.phase = verdict.phase, m.message = verdict.message, m.value = detail::print_value(value);
    return m;
  }

  // Seconds between looks at a Job grow with its age, as the square root.
  static Measurement stamped(const Ctx& ctx, Measurement m, WallTime started) {
    auto now = ctx.clock->wall();
    m.started = m.started.value_or(started);
    if (is_final(m.phase))
      m.finished = now, m.resume_at.reset();
    else
      m.resume_at = now + Millis(std::clamp<std::int64_t>(
                              static_cast<std::int64_t>(
                                  std::sqrt(2.0 * std::chrono::duration<double>(now - *m.started).count()) * 1000),
                              1000, 60000));
    return m;
  }
  static Measurement settled(const Ctx& ctx, Result<Measurement> result, WallTime started) {
    if (result) return stamped(ctx, *std::move(result), started);
    Measurement m;
    m.phase = Phase::error, m.message = result.error().what();
    return stamped(ctx, std::move(m), started);
  }
};

Providers::Providers(ProviderOptions options) : rep_(std::make_unique<Rep>(std::move(options))) {}
Providers::~Providers() = default;

Measurement Providers::measure(const Ctx& ctx, const Asked& asked) {
  auto started = ctx.clock->wall();
  return Rep::settled(ctx, rep_->measure(ctx, asked), started);
}

Measurement Providers::resume(const Ctx& ctx, const Asked& asked, Measurement running) {
  auto started = running.started.value_or(ctx.clock->wall());
  if (!rep_->options.client || !running.metadata.contains("job-name"))
    return Rep::settled(ctx, fail(Kind::internal, "a running measurement without a Job"), started);
  return Rep::settled(ctx, detail::follow_job(ctx, *rep_->options.client, asked.run.ns(), std::move(running)), started);
}

Measurement Providers::terminate(const Ctx& ctx, const Asked& asked, Measurement running) {
  auto it = running.metadata.find("job-name");
  if (rep_->options.client && it != running.metadata.end())
    (void)rep_->options.client->remove(ctx, {"batch/v1", "Job"}, {asked.run.ns(), it->second},
                                       {});  // its owner's end takes it at the latest
  running.phase = Phase::inconclusive;
  running.message = "terminated while it ran";
  return Rep::stamped(ctx, std::move(running), ctx.clock->wall());
}

}  // namespace slipway::verify
