#include "ci/actions/web.h"

#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

// What went wrong in the words of the service: JSON, XML or the first line.
std::string reason(std::string_view body) {
  if (auto json = doc::parse_json(body, "answer"); json && json->is_map()) {
    for (const auto* name : {"message", "error_description", "error"})
      if (auto text = json->str_at({name}); !text.empty()) return text;
    if (auto text = json->str_at({"error", "message"}); !text.empty()) return text;
  }
  if (auto code = text_in_xml(body, "Code"); !code.empty()) return code + ": " + text_in_xml(body, "Message");
  return std::string(trim(body.substr(0, std::min<std::size_t>(body.find('\n'), 200))));
}

}  // namespace

std::string variable(const ActionUse& use, const std::string& name) {
  return use.job.scope(*use.step.frame, &use.step).context("env").member(name).text();
}

std::string github_api(const ActionUse& use, std::string_view input) {
  auto url = input.empty() ? std::string() : use.input(input);
  if (url.empty() || url == use.job.github().member("api_url").text()) url = variable(use, "GITHUB_API_URL");
  while (url.ends_with('/')) url.pop_back();
  return url == use.job.github().member("api_url").text() ? std::string() : url;
}

Fail no_github_api(std::string_view what) {
  return Fail(Error(Kind::unavailable, fmt::format("{} is asked of GitHub's API, and none is known here", what))
                  .with_hint("say which by env: {GITHUB_API_URL: https://api.github.com} of the step or the workflow"));
}

Result<net::ClientResponse> send(const Ctx& ctx, net::ClientRequest request) {
  request.redirects = 0;
  request.limit = 16 << 20;
  auto what = fmt::format("{} {}", request.method, request.url.substr(0, request.url.find('?')));
  static net::Client client;
  auto answer = client.send(ctx.within(std::chrono::minutes(10)), std::move(request));
  if (!answer) return Fail(std::move(answer).error().in(what));
  if (answer->ok()) return *std::move(answer);
  auto kind = answer->status == 401 || answer->status == 403   ? Kind::denied
              : answer->status == 404                          ? Kind::not_found
              : answer->status >= 400 && answer->status <= 499 ? Kind::invalid
                                                               : Kind::unavailable;
  return Fail(Error(kind, fmt::format("{}: {} {}", what, answer->status, reason(answer->body))));
}

Result<doc::Value> github_call(const Ctx& ctx, std::string method, std::string url, const std::string& token,
                               const doc::Value& body) {
  net::ClientRequest request{.method = std::move(method), .url = std::move(url)};
  request.headers = {{"Accept", "application/vnd.github+json"}, {"X-GitHub-Api-Version", "2022-11-28"}};
  if (!token.empty()) request.headers.set("Authorization", "Bearer " + token);
  if (!body.is_null()) {
    request.headers.set("Content-Type", "application/json");
    request.body = doc::print_json(body);
  }
  TRY(auto answer, send(ctx, std::move(request)));
  if (trim(answer.body).empty()) return doc::Value();
  TRY_IN(auto value, answer.url, doc::parse_json(answer.body, "answer"));
  return value;
}

}  // namespace slipway::ci
