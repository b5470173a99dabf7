#include "notify/notify.h"

#include "base/encode.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "doc/json.h"
#include "notify/detail/payloads.h"

namespace slipway::notify {
namespace {

std::optional<Millis> retry_after(const net::ClientResponse& response) {
  auto header = response.headers.get("Retry-After");
  if (!header) return std::nullopt;
  auto seconds = to_int(trim(*header));
  // A date is also allowed; then our own back-off serves as well.
  return seconds && *seconds >= 0 ? std::optional(Millis(std::min<std::int64_t>(*seconds, 3600) * 1000)) : std::nullopt;
}

// What the other side's status means for another try.
Result<> judge(const std::string& name, const net::ClientResponse& response) {
  if (response.ok()) return {};
  auto status = response.status;
  auto kind = status == 429 || status >= 500   ? Kind::unavailable
              : status == 401 || status == 403 ? Kind::denied
              : status == 404 || status == 410 ? Kind::not_found
                                               : Kind::invalid;
  Error error(kind, fmt::format("notifier {}: the receiver answered {} {}: {}", name, status, net::status_text(status),
                                trim(std::string_view(response.body).substr(0, 200))));
  if (auto after = retry_after(response)) return Fail(std::move(error).with_retry_after(*after));
  return Fail(std::move(error));
}

class StageNotifier final : public Notifier {
 public:
  StageNotifier(Target target, NotifierOptions options, Template title, Template text)
      : target_(std::move(target)),
        options_(std::move(options)),
        title_(std::move(title)),
        text_(std::move(text)),
        client_(options_.http) {}

  Result<> send(const Ctx& ctx, const path::Notice& original) override {
    auto notice = clean(original);
    detail::Rendered message{cleaned(title_.render(notice)), cleaned(text_.render(notice))};
    switch (target_.channel) {
      case Channel::slack:
        return target_.token.empty() ? post(ctx, target_.url, slack_message(message, notice), notice)
                                     : post_slack(ctx, message, notice);
      case Channel::teams:
        return post(ctx, target_.url, teams_message(message, notice), notice);
      case Channel::webhook:
        return post(ctx, target_.url, webhook_message(message, notice), notice);
      case Channel::email:
        return mail(ctx, message, notice);
    }
    return {};
  }

 private:
  std::string cleaned(std::string text) const { return options_.redact ? options_.redact(text) : text; }
  path::Notice clean(path::Notice notice) const {
    notice.title = cleaned(std::move(notice.title)), notice.text = cleaned(std::move(notice.text)),
    notice.link = cleaned(std::move(notice.link));
    for (auto& [name, value] : notice.facts) value = cleaned(std::move(value));
    return notice;
  }

  net::ClientRequest request(std::string url, const doc::Value& body, const path::Notice& notice) const {
    net::ClientRequest r;
    r.method = "POST", r.url = std::move(url), r.body = doc::print_json(body), r.limit = 1 << 20;
    r.headers.set("Content-Type", "application/json; charset=utf-8");
    for (const auto& [name, value] : target_.headers) r.headers.set(name, value);
    if (target_.channel == Channel::webhook) {
      r.headers.set("X-Slipway-Event", notice.event);
      r.headers.set("X-Slipway-Delivery", notice.id);
      if (!target_.signing_key.empty())
        r.headers.set("X-Slipway-Signature-256", "sha256=" + to_hex(hmac_sha256(target_.signing_key, r.body)));
    }
    return r;
  }

  Result<> post(const Ctx& ctx, const std::string& url, const doc::Value& body, const path::Notice& notice) {
    TRY_IN(auto response, "notifier " + target_.name, client_.send(ctx, request(url, body, notice)));
    return judge(target_.name, response);
  }

  // chat.postMessage answers 200 also when it refuses.
  Result<> post_slack(const Ctx& ctx, const detail::Rendered& message, const path::Notice& notice) {
    auto body = slack_message(message, notice);
    body.map().set("channel", target_.slack_channel);
    auto r = request(options_.slack_api + "/chat.postMessage", body, notice);
    r.headers.set("Authorization", "Bearer " + target_.token);
    TRY_IN(auto response, "notifier " + target_.name, client_.send(ctx, std::move(r)));
    TRY_OK(judge(target_.name, response));
    TRY_IN(auto answer, "notifier " + target_.name, doc::parse_json(response.body, "Slack's answer"));
    doc::View view(answer);
    if (view["ok"].bool_or(false)) return {};
    auto why = view["error"].str_or("unknown error");
    if (why == "ratelimited" || why == "service_unavailable" || why == "internal_error")
      return fail(Kind::unavailable, "notifier {}: Slack answered {}", target_.name, why);
    return fail(why.ends_with("_auth") || why.starts_with("token_") ? Kind::denied : Kind::invalid,
                "notifier {}: Slack refused the message: {}", target_.name, why);
  }

  Result<> mail(const Ctx& ctx, const detail::Rendered& message, const path::Notice& notice) {
    auto letter = mail_message(message, notice, target_);
    // The same notice is the same message, however often it is sent.
    letter.headers.emplace_back("X-Slipway-Delivery", notice.id);
    net::SmtpServer server{target_.server, target_.user, target_.password, target_.require_tls};
    auto sent = net::send_mail(ctx, server, letter);
    if (!sent) return Fail(std::move(sent).error().in("notifier " + target_.name));
    return {};
  }

  Target target_;
  NotifierOptions options_;
  Template title_, text_;
  net::Client client_;
};

}  // namespace

Result<std::unique_ptr<Notifier>> make_notifier(Target target, NotifierOptions options) {
  TRY_IN(auto title, "notifier " + target.name, Template::parse(target.title));
  TRY_IN(auto text, "notifier " + target.name, Template::parse(target.text));
  return std::make_unique<StageNotifier>(std::move(target), std::move(options), std::move(title), std::move(text));
}

Result<> deliver(const Ctx& ctx, Notifier& notifier, const path::Notice& notice, const RetryOptions& options) {
  auto pause = options.first;
  for (int attempt = 1;; ++attempt) {
    auto sent = notifier.send(ctx, notice);
    if (sent) return {};
    LOG(warn, "notify.failed", {"notice", notice.id}, {"attempt", attempt}, {"why", sent.error().what()});
    if (!sent.error().retryable() || attempt >= options.attempts) return sent;
    // Half fixed, half by chance, so that receivers are not hit by everybody at once.
    auto jitter = static_cast<unsigned char>(random_bytes(1)[0]);
    auto wait = sent.error().retry_after().value_or(pause / 2 + pause * jitter / 512);
    if (auto slept = sleep(ctx, wait); !slept) return sent;  // the send's own error says more
    pause = std::min(pause * 2, options.most);
  }
}

}  // namespace slipway::notify
