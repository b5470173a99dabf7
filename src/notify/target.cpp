#include "base/text.h"
#include "notify/notify.h"
#include "path/findings.h"

namespace slipway::notify {
namespace {

Result<> known_keys(doc::View spec) {
  const std::vector<std::string> known = {
      "type",     "url",          "urlFrom", "token",        "tokenFrom",  "secret",  "secretFrom",
      "password", "passwordFrom", "events",  "environments", "severity",   "channel", "headers",
      "server",   "user",         "from",    "to",           "requireTls", "title",   "text"};
  for (const auto& [key, value] : spec.members()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    auto near = nearest(key, known);
    return value.wrong(near ? fmt::format("unknown key; did you mean {}?", *near) : "unknown key");
  }
  return {};
}

// The value itself, or out of a Secret.
Result<std::string> value_of(doc::View spec, const std::string& key, const SecretLookup& secrets) {
  auto from = spec[key + "From"];
  if (!from) return spec[key].str_or("");
  TRY(auto name, from["name"].str());
  TRY(auto entry, from["key"].str());
  if (!secrets) return from.wrong("no secrets can be read here");
  return secrets(name, entry);
}

Result<Channel> read_channel(doc::View type) {
  TRY(auto word, type.str());
  if (word == "slack") return Channel::slack;
  if (word == "teams") return Channel::teams;
  if (word == "webhook") return Channel::webhook;
  if (word == "email") return Channel::email;
  return type.wrong("want slack, teams, webhook or email");
}

Result<> complete(doc::View spec, const Target& t) {
  bool mail = t.channel == Channel::email, token = t.channel == Channel::slack && !t.token.empty();
  if (mail && t.server.empty()) return spec["server"].wrong("want smtp://host:port or smtps://host:port");
  if (mail && (t.from.empty() || t.to.empty()))
    return spec[t.from.empty() ? "from" : "to"].wrong("want a mail address");
  if (token && t.slack_channel.empty()) return spec["channel"].wrong("a token needs the channel to post to");
  if (!mail && !token && !t.url.starts_with("http://") && !t.url.starts_with("https://"))
    return spec["url"].wrong("want an http or https URL");
  for (auto key : {"title", "text"})
    if (auto text = spec[key]) {
      auto parsed = Template::parse(text.str_or(""));
      if (!parsed) return text.wrong(parsed.error().what());
    }
  return {};
}

bool any_glob(const std::vector<std::string>& globs, const std::string& word) {
  return globs.empty() ||
         std::any_of(globs.begin(), globs.end(), [&](const auto& glob) { return glob_match(glob, word); });
}

}  // namespace

bool matches(const Rule& rule, const path::Notice& notice) {
  if (!any_glob(rule.events, notice.event)) return false;
  // What belongs to no environment concerns everybody.
  auto environment = field_of(notice, "environment");
  if (!environment.empty() && !any_glob(rule.environments, environment)) return false;
  return !rule.at_least || path::severity_rank(notice.severity) >= path::severity_rank(*rule.at_least);
}

Result<Target> target_from(doc::View notifier, const SecretLookup& secrets) {
  auto spec = notifier["spec"];
  TRY_OK(known_keys(spec));
  Target t;
  t.name = notifier["metadata"]["name"].str_or("");
  TRY(t.channel, read_channel(spec["type"]));
  TRY(t.url, value_of(spec, "url", secrets));
  TRY(t.token, value_of(spec, "token", secrets));
  TRY(t.signing_key, value_of(spec, "secret", secrets));
  TRY(t.password, value_of(spec, "password", secrets));
  t.slack_channel = spec["channel"].str_or("");
  t.server = spec["server"].str_or(""), t.user = spec["user"].str_or(""), t.from = spec["from"].str_or("");
  t.require_tls = spec["requireTls"].bool_or(false);
  t.title = spec["title"].str_or(t.title), t.text = spec["text"].str_or(t.text);
  for (auto& item : spec["to"].items()) t.to.push_back(item.str_or(""));
  if (t.to.empty() && spec["to"]) t.to.push_back(spec["to"].str_or(""));
  for (auto& item : spec["events"].items()) t.rule.events.push_back(item.str_or(""));
  for (auto& item : spec["environments"].items()) t.rule.environments.push_back(item.str_or(""));
  for (const auto& [name, value] : spec["headers"].members()) t.headers.emplace_back(name, value.text());
  if (auto least = spec["severity"]) {
    t.rule.at_least = path::parse_severity(least.str_or(""));
    if (!t.rule.at_least) return least.wrong("want info, low, medium, high, critical, warning or error");
  }
  TRY_OK(complete(spec, t));
  return t;
}

}  // namespace slipway::notify
