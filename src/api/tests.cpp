#include "api/tests.h"

#include "doc/json.h"
#include "engine/test_history.h"

namespace slipway::api {
namespace {

constexpr std::size_t shown = 30;  // outcomes of a test

std::string_view word(ci::TestCase::Outcome outcome) {
  using O = ci::TestCase::Outcome;
  return outcome == O::passed ? "passed" : outcome == O::failed ? "failed" : "skipped";
}

doc::Value document(const engine::TestHistoryOf& test) {
  doc::List strip;
  auto first = test.outcomes.size() > shown ? test.outcomes.size() - shown : 0;
  for (auto i = first; i < test.outcomes.size(); ++i) {
    const auto& o = test.outcomes[i];
    strip.emplace_back(doc::Map{{"outcome", word(o.outcome)},
                                {"commit", o.commit},
                                {"run", o.run},
                                {"attempt", o.attempt},
                                {"job", test.job},
                                {"at", rfc3339(o.at)},
                                {"millis", o.time.count()}});
  }
  doc::Map out{{"job", test.job}, {"suite", test.suite}, {"name", test.name}, {"flaky", test.flaky}};
  if (test.flaky) out.set("flips", test.flips), out.set("why", test.why);
  out.set("strip", std::move(strip));
  return out;
}

}  // namespace

net::Handler test_routes(engine::House& house) {
  return [&house](const Ctx&, net::Request& request) {
    constexpr std::string_view prefix = "/tests/";
    if (!house.users->by_header(request.headers.get_or("authorization", ""))) {
      auto refused = net::Response::text(401, "a token is needed: Authorization: Bearer\n");
      refused.headers.set("WWW-Authenticate", "Basic realm=\"slipway\"");
      return refused;
    }
    if (!request.path.starts_with(prefix) || request.path.size() == prefix.size())
      return net::Response::text(404, "want /tests/REPOSITORY\n");
    auto repository = request.path.substr(prefix.size());
    auto tests = house.tests->of(repository, !request.query_of("flaky").empty());
    if (!tests) return net::Response::error(tests.error());
    doc::List list;
    for (const auto& test : *tests) list.push_back(document(test));
    return net::Response::json(200, doc::print_json(doc::Map{{"repository", repository}, {"tests", std::move(list)}}));
  };
}

}  // namespace slipway::api
