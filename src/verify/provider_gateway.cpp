// The embedded gateway's own counts, canary against stable.
//
//   provider:
//     slipway:
//       service: web                       # or canaryService and stableService
//       canaryHash: "{{args.canary-hash}}"
//       stableHash: "{{args.stable-hash}}"
//       alpha: 0.01                        # chance of ever aborting a canary that is no worse
//       minRequests: 100                   # fewer to the canary in the whole run: Inconclusive
#include "base/text.h"
#include "doc/json.h"
#include "verify/detail/providers.h"

namespace slipway::verify::detail {
namespace {

struct Counts {
  Traffic canary, stable;
};

std::string print(const Counts& c) {
  return fmt::format("{} {} {} {}", c.canary.requests, c.canary.errors, c.stable.requests, c.stable.errors);
}
std::optional<Counts> parse_counts(std::string_view text) {
  std::vector<std::uint64_t> n;
  for (auto word : split(text, ' ')) {
    auto value = to_int(word);
    if (!value || *value < 0) return std::nullopt;
    n.push_back(static_cast<std::uint64_t>(*value));
  }
  if (n.size() != 4) return std::nullopt;
  return Counts{{n[0], n[1]}, {n[2], n[3]}};
}
// A counter that fell was started anew: all of it is new.
Traffic since(const Traffic& now, const Traffic& before) {
  if (now.requests < before.requests || now.errors < before.errors) return now;
  return {now.requests - before.requests, now.errors - before.errors};
}
double rate(const Traffic& t) {
  return t.requests == 0 ? 0 : static_cast<double>(t.errors) / static_cast<double>(t.requests);
}

std::string metadata_of(const MetricResult& result, const std::string& key) {
  if (result.measurements.empty()) return {};
  // The last that has it: a measurement that ended in an error carries none.
  for (auto it = result.measurements.rbegin(); it != result.measurements.rend(); ++it)
    if (auto found = it->metadata.find(key); found != it->metadata.end()) return found->second;
  return {};
}

}  // namespace

Result<Measurement> gateway_measurement(const ProviderOptions& options, const Providers::Asked& asked, doc::View spec) {
  if (!options.traffic)
    return fail(Kind::invalid, "the slipway provider needs the embedded gateway, which does not run here");
  auto service = spec["service"].str_or("");
  auto canary_service = spec["canaryService"].str_or(service), stable_service = spec["stableService"].str_or(service);
  if (canary_service.empty() || stable_service.empty())
    return spec["service"].wrong("want the service, or canaryService and stableService");
  double alpha = to_double(spec["alpha"] ? spec["alpha"].text() : "0.01").value_or(0);
  if (!(alpha > 0) || !(alpha < 1)) return spec["alpha"].wrong("want a chance between 0 and 1");
  auto least = to_int(spec["minRequests"] ? spec["minRequests"].text() : "100").value_or(-1);
  if (least < 0) return spec["minRequests"].wrong("want a whole number");

  Counts now;
  TRY(now.canary, options.traffic(asked.run.ns(), canary_service, spec["canaryHash"].str_or("")));
  TRY(now.stable, options.traffic(asked.run.ns(), stable_service, spec["stableHash"].str_or("")));
  auto before = parse_counts(metadata_of(asked.result, "counts"));
  auto total = parse_counts(metadata_of(asked.result, "total")).value_or(Counts{});
  TRY(auto test, SequentialTest::parse(metadata_of(asked.result, "evidence")));
  Counts fresh;
  if (before) {
    fresh = {since(now.canary, before->canary), since(now.stable, before->stable)};
    test.look(fresh.canary, fresh.stable);
  }
  auto add = [](Traffic& to, const Traffic& t) { to.requests += t.requests, to.errors += t.errors; };
  add(total.canary, fresh.canary), add(total.stable, fresh.stable);

  Measurement m;
  auto evidence = test.evidence();
  m.value = doc::print_json(doc::Map{{"canaryRequests", total.canary.requests},
                                     {"canaryErrors", total.canary.errors},
                                     {"stableRequests", total.stable.requests},
                                     {"stableErrors", total.stable.errors},
                                     {"evidence", std::min(evidence, 1e12)},
                                     {"abortsAt", 1 / alpha}});
  m.metadata = {{"counts", print(now)}, {"total", print(total)}, {"evidence", test.print()}};
  auto missing = static_cast<std::int64_t>(total.canary.requests) < least
                     ? static_cast<std::uint64_t>(least) - total.canary.requests
                     : 0;
  if (evidence >= 1 / alpha) {
    m.phase = Phase::failed;
    m.message = fmt::format(
        "the canary answers {:.2f} % of {} requests with errors, stable {:.2f} % of {}; a canary that is no worse "
        "would look like this with a "
        "chance below {:.1f} %",
        100 * rate(total.canary), total.canary.requests, 100 * rate(total.stable), total.stable.requests, 100 * alpha);
  } else if (missing > 0 && asked.last) {
    m.phase = Phase::inconclusive;
    m.message = fmt::format("only {} requests reached the canary, want {}: needs {} more", total.canary.requests, least,
                            missing);
  } else {
    m.phase = Phase::successful;
    if (missing > 0) m.message = fmt::format("needs {} more requests to the canary", missing);
  }
  return m;
}

}  // namespace slipway::verify::detail
