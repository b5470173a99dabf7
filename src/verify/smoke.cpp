#include "verify/smoke.h"

#include "base/text.h"
#include "doc/json.h"
#include "verify/json_path.h"

namespace slipway::verify {
namespace {

bool status_fits(std::string_view want, int status) {
  auto got = std::to_string(status);
  if (want.size() != got.size()) return false;
  for (std::size_t i = 0; i < got.size(); ++i)
    if (want[i] != 'x' && want[i] != got[i]) return false;
  return true;
}

Result<HttpCheck> check_from(doc::View view) {
  HttpCheck c;
  TRY(c.url, view["url"].str());
  c.name = view["name"].str_or(c.url);
  c.method = view["method"].str_or(c.method), c.body = view["body"].str_or("");
  if (view["status"]) c.status = lower(view["status"].text());
  if (c.status.size() != 3 || c.status.find_first_not_of("0123456789x") != std::string::npos)
    return view["status"].wrong("want a status like 200 or 2xx");
  c.contains = view["contains"].str_or("");
  if (auto json = view["json"]) {
    TRY(c.json_path, json["path"].str());
    if (!json["equals"].exists()) return json.wrong("want equals beside path");
    c.equals = json["equals"].value();
  }
  for (const auto& [name, value] : view["headers"].members()) c.headers.emplace_back(name, value.text());
  for (auto [key, field] : {std::pair{"within", &c.within}, {"every", &c.every}, {"timeout", &c.timeout}}) {
    if (!view[key]) continue;
    TRY(*field, view[key].duration());
  }
  return c;
}

// "" when it holds, else what was seen.
std::string try_once(const Ctx& ctx, net::Client& client, const HttpCheck& c) {
  net::ClientRequest request;
  request.method = c.method, request.url = c.url, request.body = c.body, request.limit = 4 << 20;
  for (const auto& [name, value] : c.headers) request.headers.set(name, value);
  auto response = client.send(ctx.within(c.timeout), std::move(request));
  if (!response) return response.error().what();
  if (!status_fits(c.status, response->status)) return fmt::format("status {}, want {}", response->status, c.status);
  if (!c.contains.empty() && response->body.find(c.contains) == std::string::npos)
    return fmt::format("the body does not contain \"{}\"", c.contains);
  if (c.json_path.empty()) return {};
  auto body = doc::parse_json(response->body, c.url);
  if (!body) return "the body is no JSON";
  auto value = json_path(*body, c.json_path);
  if (!value) return value.error().what();
  if (*value == c.equals) return {};
  return fmt::format("{} is {}, want {}", c.json_path, doc::print_json(*value).substr(0, 200),
                     doc::print_json(c.equals));
}

// Errors: cancelled only.
Result<std::string> try_until(const Ctx& ctx, net::Client& client, const HttpCheck& c, int& tries) {
  auto end = ctx.clock->now() + c.within;
  while (true) {
    ++tries;
    auto seen = try_once(ctx, client, c);
    if (seen.empty()) return seen;
    if (ctx.stop.stop_requested()) return fail(Kind::cancelled, "stopped while checking {}", c.name);
    auto now = ctx.clock->now();
    if (now + c.every > end || now + c.every > ctx.deadline) return seen;
    if (auto slept = sleep(ctx, c.every); !slept) return Fail(std::move(slept).error());
  }
}

}  // namespace

Result<std::vector<HttpCheck>> checks_from(doc::View list) {
  std::vector<HttpCheck> checks;
  TRY(auto items, list.list());
  for (const auto& item : items) {
    TRY(auto check, check_from(item));
    checks.push_back(std::move(check));
  }
  return checks;
}

Result<path::Verdict> run_checks(const Ctx& ctx, net::Client& client, const std::vector<HttpCheck>& checks) {
  path::Verdict verdict;
  if (checks.empty()) {
    verdict.why = "there is nothing to check";
    return verdict;
  }
  int failed = 0;
  for (const auto& check : checks) {
    int tries = 0;
    TRY(auto seen, try_until(ctx, client, check, tries));
    auto times = tries > 1 ? fmt::format(" after {} tries", tries) : "";
    verdict.evidence.push_back(fmt::format("{}: {}{}", check.name, seen.empty() ? "ok" : seen, times));
    if (!seen.empty() && ++failed == 1) verdict.why = verdict.evidence.back();
  }
  verdict.outcome = failed == 0 ? path::Verdict::Outcome::pass : path::Verdict::Outcome::fail;
  if (failed == 0) verdict.why = fmt::format("{} checks hold", checks.size());
  if (failed > 1) verdict.why += fmt::format(" (and {} more)", failed - 1);
  return verdict;
}

Result<path::Verdict> run_job(const Ctx& ctx, kube::Client& client, doc::Value job) {
  TRY(auto made, client.create(ctx, std::move(job), {}));
  auto ended = [](const kube::Object& o) {
    return !o || kube::condition_status(o, "Complete") == "True" || kube::condition_status(o, "Failed") == "True";
  };
  auto last = kube::await(ctx, client, made.type(), made.key(), ended);
  path::Verdict verdict;
  verdict.evidence.push_back(made.describe());
  if (!last && last.error().is(Kind::timeout)) {
    Ctx cleanup;
    cleanup.clock = ctx.clock;
    (void)client.remove(cleanup.within(Millis(10000)), made.type(), made.key(), {});
    verdict.outcome = path::Verdict::Outcome::fail;
    verdict.why = fmt::format("{} did not end in time", made.describe());
    return verdict;
  }
  if (!last) return Fail(std::move(last).error());
  bool complete = *last && kube::condition_status(*last, "Complete") == "True";
  verdict.outcome = complete ? path::Verdict::Outcome::pass : path::Verdict::Outcome::fail;
  verdict.why = fmt::format("{} {}", made.describe(), complete ? "completed" : *last ? "failed" : "was deleted");
  return verdict;
}

}  // namespace slipway::verify
