#include "forge/hook.h"

#include <deque>

#include "base/encode.h"
#include "base/guarded.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "doc/json.h"
#include "forge/detail/payload.h"

namespace slipway::forge {

std::string_view to_string(Provider provider) {
  switch (provider) {
    case Provider::github:
      return "github";
    case Provider::gitlab:
      return "gitlab";
    case Provider::gitea:
      return "gitea";
    case Provider::bitbucket:
      return "bitbucket";
    case Provider::bitbucket_server:
      return "bitbucket-server";
  }
  return "?";
}

std::optional<Provider> parse_provider(std::string_view text) {
  for (auto provider :
       {Provider::github, Provider::gitlab, Provider::gitea, Provider::bitbucket, Provider::bitbucket_server})
    if (text == to_string(provider)) return provider;
  return text == "forgejo" ? std::optional(Provider::gitea) : std::nullopt;
}

std::optional<Provider> provider_of(const net::Headers& headers) {
  // Gitea and Forgejo send GitHub's headers too: they are asked first.
  if (headers.get("x-gitea-event") || headers.get("x-forgejo-event")) return Provider::gitea;
  if (headers.get("x-gitlab-event")) return Provider::gitlab;
  if (headers.get("x-github-event")) return Provider::github;
  if (headers.get("x-hook-uuid")) return Provider::bitbucket;
  if (headers.get("x-event-key")) return Provider::bitbucket_server;
  return std::nullopt;
}

std::string event_of(Provider provider, const net::Headers& headers) {
  switch (provider) {
    case Provider::github:
      return std::string(headers.get_or("x-github-event", ""));
    case Provider::gitlab:
      return std::string(headers.get_or("x-gitlab-event", ""));
    case Provider::gitea:
      return std::string(headers.get_or("x-gitea-event", headers.get_or("x-forgejo-event", "")));
    default:
      return std::string(headers.get_or("x-event-key", ""));
  }
}

std::string delivery_of(Provider provider, const net::Headers& headers) {
  switch (provider) {
    case Provider::github:
      return std::string(headers.get_or("x-github-delivery", ""));
    case Provider::gitlab:
      return std::string(headers.get_or("idempotency-key", headers.get_or("x-gitlab-event-uuid", "")));
    case Provider::gitea:
      return std::string(headers.get_or("x-gitea-delivery", headers.get_or("x-forgejo-delivery", "")));
    case Provider::bitbucket:
      return std::string(headers.get_or("x-request-uuid", ""));
    case Provider::bitbucket_server:
      return std::string(headers.get_or("x-request-id", ""));
  }
  return {};
}

namespace {
Result<> check_hmac(std::string_view given, std::string_view prefix, std::string_view body, std::string_view secret) {
  if (given.empty()) return fail(Kind::denied, "webhook: no signature");
  if (!given.starts_with(prefix)) return fail(Kind::denied, "webhook: signature of another kind, want {}", prefix);
  if (!same_secret(lower(given.substr(prefix.size())), to_hex(hmac_sha256(secret, body))))
    return fail(Kind::denied, "webhook: wrong signature");
  return {};
}
}  // namespace

Result<> verify_hook(Provider provider, const net::Headers& headers, std::string_view body, std::string_view secret) {
  // Without a secret anybody's word would count.
  if (secret.empty())
    return Fail(Error(Kind::denied, "webhook: no secret is set for it").with_hint("set one here and at the forge"));
  switch (provider) {
    case Provider::gitlab: {
      auto token = headers.get("x-gitlab-token");
      if (!token) return fail(Kind::denied, "webhook: no token");
      return same_secret(*token, secret) ? Result<>{} : fail(Kind::denied, "webhook: wrong token");
    }
    case Provider::gitea:
      return check_hmac(headers.get_or("x-gitea-signature", headers.get_or("x-forgejo-signature", "")), "", body,
                        secret);
    case Provider::github:
      return check_hmac(headers.get_or("x-hub-signature-256", ""), "sha256=", body, secret);
    default:
      return check_hmac(headers.get_or("x-hub-signature", ""), "sha256=", body, secret);
  }
}

Result<std::vector<Hook>> parse_hook(Provider provider, std::string_view event, std::string_view body) {
  TRY(auto payload, doc::parse_json(body, "webhook"));
  if (!payload.is_map()) return fail(Kind::invalid, "webhook: want a JSON object");
  doc::View view(payload, "webhook");
  auto hooks = [&]() -> Hooks {
    switch (provider) {
      case Provider::github:
        return read_github(event, view);
      case Provider::gitlab:
        return read_gitlab(event, view);
      case Provider::gitea:
        return read_gitea(event, view);
      case Provider::bitbucket:
        return read_bitbucket(event, view);
      case Provider::bitbucket_server:
        return read_bitbucket_server(event, view);
    }
    return fail(Kind::internal, "unknown provider");
  }();
  if (!hooks) return hooks;
  for (const auto& hook : *hooks) {
    if (hook.type == Hook::Type::other || hook.type == Hook::Type::ping) continue;
    if (hook.provider == Provider::bitbucket && hook.pull_request != 0) continue;  // short ids
    TRY_OK(check_fields(hook));
  }
  return hooks;
}

struct HookReceiver::Rep {
  ReceiverOptions options;
  struct Seen {
    std::set<std::string, std::less<>> keys;
    std::deque<std::string> order;
  };
  Guarded<Seen> seen;

  net::Response serve(const Ctx& ctx, net::Request& request);
  Result<> verify(Provider provider, const net::Request& request, std::string_view body) const;
  // False: one of the keys is known. Else all are, from now on.
  bool remember(const std::vector<std::string>& keys);
  void forget(const std::vector<std::string>& keys);
};

namespace {
Counter hooks_total("slipway_forge_hooks_total", "Webhooks received, by provider and outcome");

net::Response answer(Provider provider, int status, std::string_view outcome, std::string text) {
  hooks_total.add(1, {{"provider", std::string(to_string(provider))}, {"outcome", std::string(outcome)}});
  return net::Response::text(status, std::move(text) + "\n");
}
}  // namespace

bool HookReceiver::Rep::remember(const std::vector<std::string>& keys) {
  auto known = seen.lock();
  for (const auto& key : keys)
    if (known->keys.contains(key)) return false;
  for (const auto& key : keys) {
    known->keys.insert(key);
    known->order.push_back(key);
  }
  while (known->order.size() > 2 * options.remembered) {
    known->keys.erase(known->order.front());
    known->order.pop_front();
  }
  return true;
}

void HookReceiver::Rep::forget(const std::vector<std::string>& keys) {
  auto known = seen.lock();
  for (const auto& key : keys) {
    known->keys.erase(key);
    std::erase(known->order, key);
  }
}

Result<> HookReceiver::Rep::verify(Provider provider, const net::Request& request, std::string_view body) const {
  auto secrets = options.secrets ? options.secrets(provider) : std::vector<std::string>();
  Result<> last = verify_hook(provider, request.headers, body, "");
  for (const auto& secret : secrets) {
    last = verify_hook(provider, request.headers, body, secret);
    if (last) return last;
  }
  return last;
}

net::Response HookReceiver::Rep::serve(const Ctx& ctx, net::Request& request) {
  auto told = provider_of(request.headers);
  auto name = request.path.substr(request.path.rfind('/') + 1);
  auto provider = name.empty() || name == "hooks" ? told : parse_provider(name);
  if (!provider)
    return net::Response::text(404,
                               "no such forge: want /hooks/github, gitlab, gitea, bitbucket or bitbucket-server\n");
  if (request.method != "POST") return net::Response::text(405, "want POST\n");
  auto body = request.read_body(ctx, options.max_body);
  if (!body) return net::Response::error(body.error());
  if (auto genuine = verify(*provider, request, *body); !genuine) {
    LOG(warn, "forge.hook.refused", {"provider", to_string(*provider)}, {"peer", request.peer},
        {"why", genuine.error().what()});
    return answer(*provider, 401, "refused", genuine.error().print());
  }
  auto hooks = parse_hook(*provider, event_of(*provider, request.headers), *body);
  if (!hooks) return answer(*provider, 400, "invalid", hooks.error().what());
  // The delivery's name is not signed: the body counts as well, so that an old one under a new name is no news.
  std::vector<std::string> keys = {fmt::format("{} {}", to_string(*provider), sha256_hex(*body))};
  if (auto delivery = delivery_of(*provider, request.headers); !delivery.empty())
    keys.push_back(fmt::format("{} id {}", to_string(*provider), delivery.substr(0, 200)));
  if (!remember(keys)) return answer(*provider, 200, "replayed", "was taken before");
  bool acted = false;
  for (const auto& hook : *hooks) {
    if (hook.type == Hook::Type::other || hook.type == Hook::Type::ping) continue;
    acted = true;
    auto taken = options.take ? options.take(ctx, hook) : Result<>{};
    if (taken) continue;
    forget(keys);
    LOG(warn, "forge.hook.failed", {"provider", to_string(*provider)}, {"repository", hook.repository},
        {"error", taken.error().what()});
    return answer(*provider, 503, "failed", taken.error().what());
  }
  return acted ? answer(*provider, 202, "taken", "taken")
               : answer(*provider, 200, "ignored", "nothing to do for this event");
}

HookReceiver::HookReceiver(ReceiverOptions options) : rep_(std::make_unique<Rep>()) {
  rep_->options = std::move(options);
}
HookReceiver::~HookReceiver() = default;
net::Handler HookReceiver::routes() {
  return [this](const Ctx& ctx, net::Request& request) { return rep_->serve(ctx, request); };
}

}  // namespace slipway::forge
