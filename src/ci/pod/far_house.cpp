#include "base/text.h"
#include "ci/pod/far.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::ci {
namespace {

constexpr Millis first_pause{50}, longest_pause{3000};

Error error_from(doc::View v, std::int64_t kind, std::string_view fallback) {
  if (kind < 0 || kind > static_cast<int>(Kind::internal)) kind = static_cast<int>(Kind::internal);
  Error error(static_cast<Kind>(kind), v["what"].str_or(fallback));
  auto hint = v["hint"].str_or("");
  return hint.empty() ? error : std::move(error).with_hint(hint);
}

Error error_of(const net::ClientResponse& response) {
  auto said = response.headers.get("slipway-error");
  if (!said) {
    auto text = fmt::format("the house answers {}: {}", response.status, trim(response.body.substr(0, 500)));
    bool away = response.status == 401 || response.status >= 500;
    return Error(away ? Kind::unavailable : Kind::invalid, text).with_retry_after(away ? first_pause : Millis(0));
  }
  auto document = doc::parse_json(response.body, "answer");
  static const doc::Value nothing;
  return error_from(doc::View(document ? *document : nothing), to_int(*said).value_or(-1), "the house refuses");
}

// Marked, to be told apart from an answer of the house that says the same.
Error away(Error error) { return error.retryable() ? std::move(error).with_retry_after(first_pause) : error; }

}  // namespace

bool is_away(const Error& error) { return error.retry_after() && *error.retry_after() > Millis(0); }

net::ClientRequest FarHouse::request(std::string method, std::string_view path, std::string body) const {
  net::ClientRequest out;
  out.method = std::move(method), out.url = fmt::format("{}/agent/v1/{}", url_, path), out.body = std::move(body);
  out.headers.set("Authorization", "Bearer " + token_);
  if (!out.body.empty()) out.headers.set("Content-Type", "application/json");
  out.redirects = 0;
  return out;
}

Result<net::ClientResponse> FarHouse::once(const Ctx& ctx, net::ClientRequest request) const {
  auto answer = client_.send(ctx, std::move(request));
  if (!answer) return Fail(ctx.alive() ? away(std::move(answer).error()) : std::move(answer).error());
  if (!answer->ok()) return Fail(error_of(*answer));
  return answer;
}

Result<net::ClientResponse> FarHouse::send(const Ctx& ctx, const net::ClientRequest& request) const {
  auto until = std::chrono::steady_clock::now() + patience_;
  for (auto pause = first_pause;; pause = std::min(pause * 2, longest_pause)) {
    auto answer = once(ctx, request);
    if (answer || !is_away(answer.error()) || std::chrono::steady_clock::now() > until) return answer;
    TRY_OK(sleep(ctx, pause));
  }
}

Result<doc::Value> FarHouse::ask(const Ctx& ctx, std::string_view path, doc::Map body) const {
  TRY(auto answer, send(ctx, request("POST", path, doc::print_json(doc::Value(std::move(body))))));
  return doc::parse_json(answer.body, path);
}

Result<doc::Value> FarHouse::live(const Ctx& ctx, std::string_view path, doc::Map body,
                                  const path::LogSink& log) const {
  auto asked = request("POST", path, doc::print_json(doc::Value(std::move(body))));
  std::string rest;
  std::optional<Result<doc::Value>> end;
  auto line_of = [&](std::string_view line) {
    auto document = doc::parse_json(line, path);
    if (!document) return;
    doc::View v(*document);
    if (v["x"].exists()) log(static_cast<int>(v["o"].num_or(1)), v["x"].str_or(""));
    if (v["done"].exists()) end = v["done"].value();
    if (v["error"].exists()) end = Fail(error_from(v["error"], v["error"]["kind"].num_or(-1), "the house could not"));
  };
  auto answer = client_.stream(ctx, std::move(asked), [&](std::string_view piece) {
    rest += piece;
    std::size_t from = 0;
    for (auto at = rest.find('\n'); at != std::string::npos; at = rest.find('\n', from)) {
      line_of(std::string_view(rest).substr(from, at - from));
      from = at + 1;
    }
    rest.erase(0, from);
    return true;
  });
  if (end) return *std::move(end);
  if (!answer) return Fail(std::move(answer).error().in("the house"));
  if (!answer->ok()) return Fail(error_of(*answer));
  return fail(Kind::unavailable, "the house ended in the middle of its work");
}

}  // namespace slipway::ci
