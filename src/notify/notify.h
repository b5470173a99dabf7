#pragma once
// The notify stage: a notice to chat, mail or a hook.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ctx.h"
#include "doc/view.h"
#include "net/client.h"
#include "notify/template.h"
#include "path/types.h"

namespace slipway::notify {

// Which notices somebody wants.
struct Rule {
  std::vector<std::string> events;         // globs over the event: "rollout.*", "run.failed"; empty: all
  std::vector<std::string> environments;   // globs over the fact "environment"; empty: all
  std::optional<path::Severity> at_least;  // info < low < warning = medium < error = high < critical
  friend bool operator==(const Rule&, const Rule&) = default;
};
bool matches(const Rule& rule, const path::Notice& notice);

enum class Channel { slack, teams, webhook, email };
// A Notifier object's spec.
struct Target {
  std::string name;
  Channel channel = Channel::webhook;
  Rule rule;
  std::string url;                   // incoming webhook; "" for Slack with a token, and for mail
  std::string token, slack_channel;  // Slack's Web API: chat.postMessage
  std::string signing_key;           // webhook: X-Slipway-Signature-256
  std::vector<std::pair<std::string, std::string>> headers;
  std::string server, user, password, from;  // mail: smtp://host:port or smtps://
  std::vector<std::string> to;
  bool require_tls = false;
  std::string title = "{{ title }}", text = "{{ text }}";
};
// A value of a Secret: by its name and key.
using SecretLookup = std::function<Result<std::string>(const std::string& name, const std::string& key)>;
// url, token, secret and password may each be given as <key>From: {name, key}. Errors: invalid with the path (unknown
// type, missing url, bad template, unknown key), those of the look-up.
Result<Target> target_from(doc::View notifier, const SecretLookup& secrets);

struct NotifierOptions {
  net::ClientOptions http;
  std::function<std::string(std::string_view)> redact;  // the whole message passes through it
  std::string slack_api = "https://slack.com/api";
};
// Threads: any.
class Notifier {
 public:
  virtual ~Notifier() = default;
  // One attempt. Errors: unavailable (with retry_after where the other side names one), timeout, denied, not_found,
  // invalid (the other side refuses the message).
  virtual Result<> send(const Ctx& ctx, const path::Notice& notice) = 0;
};
Result<std::unique_ptr<Notifier>> make_notifier(Target target, NotifierOptions options = {});

struct RetryOptions {
  int attempts = 5;
  Millis first{1000}, most{60000};
};
// Sends, and again while the error may pass: after Retry-After, or first, 2*first ... with jitter. The caller keeps
// which ids were sent; the same id gives the same Message-ID and delivery header, so that a repeat can be told.
Result<> deliver(const Ctx& ctx, Notifier& notifier, const path::Notice& notice, const RetryOptions& options = {});

}  // namespace slipway::notify
