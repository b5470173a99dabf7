#include "oci/detail/session.h"

#include "base/encode.h"
#include "base/log.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::oci::detail {

std::vector<Challenge> parse_challenges(const std::vector<std::string_view>& headers) {
  std::vector<Challenge> out;
  for (auto text : headers) {
    std::size_t i = 0;
    auto blanks = [&] {
      while (i < text.size() && (text[i] == ' ' || text[i] == '\t' || text[i] == ',')) ++i;
    };
    auto token = [&] {
      auto start = i;
      while (i < text.size() && std::string_view(" \t,=\"").find(text[i]) == std::string_view::npos) ++i;
      return text.substr(start, i - start);
    };
    for (blanks(); i < text.size(); blanks()) {
      auto word = token();
      if (word.empty()) {
        ++i;
        continue;
      }
      auto at = i;
      while (i < text.size() && text[i] == ' ') ++i;
      if (i >= text.size() || text[i] != '=') {  // a scheme; else a parameter of the last one
        i = at;
        out.push_back({lower(word), {}});
        continue;
      }
      ++i;
      while (i < text.size() && text[i] == ' ') ++i;
      std::string value;
      if (i < text.size() && text[i] == '"') {
        for (++i; i < text.size() && text[i] != '"'; ++i) {
          if (text[i] == '\\' && i + 1 < text.size()) ++i;
          value += text[i];
        }
        ++i;
      } else {
        value = token();
      }
      if (!out.empty()) out.back().parameters[lower(word)] = std::move(value);
    }
  }
  return out;
}

bool is_loopback(std::string_view authority) {
  auto host = authority.starts_with('[') ? authority.substr(0, authority.find(']') + 1)
                                         : authority.substr(0, authority.find(':'));
  return host == "localhost" || host == "[::1]" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos);
}

namespace {

// Addresses a token service of another host has no business at (SSRF).
bool is_private_address(std::string_view host) {
  if (is_loopback(host)) return true;
  if (host.find_first_not_of("0123456789.") != std::string_view::npos) return host.starts_with('[');
  return host.starts_with("10.") || host.starts_with("192.168.") || host.starts_with("169.254.") ||
         host.starts_with("0.") ||
         (host.starts_with("172.") && to_int(host.substr(4, host.find('.', 4) - 4)).value_or(0) / 16 == 1);
}

std::string scope_of(const Call& call) {
  if (call.repository.empty()) return {};
  auto scope = fmt::format("repository:{}:{}", call.repository, call.actions);
  if (!call.mount_from.empty()) scope += fmt::format(" repository:{}:pull", call.mount_from);
  return scope;
}

bool worth_retrying(int status) {
  return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

}  // namespace

std::string Session::absolute(std::string_view location) const {
  if (location.starts_with("http://") || location.starts_with("https://")) return std::string(location);
  return location.starts_with('/') ? base_ + std::string(location) : base_ + "/" + std::string(location);
}

Result<std::optional<Credentials>> Session::credentials(const Ctx& ctx) {
  if (options_.credentials) return options_.credentials(host_);
  TRY(auto found, docker_credentials(ctx, host_));
  return found ? Result<std::optional<Credentials>>(std::move(found)) : cloud_credentials(ctx);
}

Result<std::optional<Credentials>> Session::cloud_credentials(const Ctx& ctx) {
  auto known = cloud_.lock();
  if (!*known || (*known)->until <= ctx.clock->wall()) {
    auto place = options_.cloud ? *options_.cloud : cloud::Place::here();
    TRY(*known, oci::cloud_credentials(ctx, client_, host_, base_, place));
  }
  return *known ? std::optional((*known)->credentials) : std::nullopt;
}

Clock::time_point Session::credentials_end(const Ctx& ctx) {
  auto known = cloud_.lock();
  if (!*known) return Clock::time_point::max();
  return ctx.clock->now() + std::chrono::duration_cast<Millis>((*known)->until - ctx.clock->wall());
}

Result<> Session::check_realm(const net::Url& realm) const {
  TRY(auto base, net::parse_url(base_));
  if (realm.authority() == base.authority()) return {};
  if (realm.scheme != "https" && !(realm.scheme == "http" && base.scheme == "http"))
    return fail(Kind::denied, "{}: its token service {} is not https", host_, realm.print());
  if (is_private_address(realm.host) && !is_private_address(base.host))
    return fail(Kind::denied, "{}: its token service {} is a private address", host_, realm.print());
  return {};
}

Result<std::string> Session::token(const Ctx& ctx, const Challenge& challenge, const Call& call) {
  auto parameter = [&](const char* name) {
    auto it = challenge.parameters.find(name);
    return it == challenge.parameters.end() ? std::string() : it->second;
  };
  TRY_IN(auto realm, fmt::format("{}: token service", host_), net::parse_url(parameter("realm")));
  TRY_OK(check_realm(realm));
  TRY(auto who, credentials(ctx));
  auto scopes = scope_of(call);
  if (scopes.empty()) scopes = parameter("scope");
  net::ClientRequest request{.url = parameter("realm")};
  if (who && who->user == "<token>") {
    request.method = "POST";
    request.headers.set("Content-Type", "application/x-www-form-urlencoded");
    request.body =
        fmt::format("grant_type=refresh_token&service={}&client_id=slipway&scope={}&refresh_token={}",
                    percent_encode(parameter("service")), percent_encode(scopes), percent_encode(who->secret));
  } else {
    std::string query = "service=" + percent_encode(parameter("service"));
    for (auto scope : split(scopes, ' '))
      if (!scope.empty()) query += "&scope=" + percent_encode(scope);
    request.url += (realm.query.empty() ? "?" : "&") + query;
    if (who) {
      request.url += "&account=" + percent_encode(who->user);
      request.headers.set("Authorization", "Basic " + to_base64(who->user + ":" + who->secret));
    }
  }
  request.limit = 1 << 20;
  TRY_IN(auto response, fmt::format("{}: token service", host_), client_.send(ctx, std::move(request)));
  if (response.status == 401 || response.status == 403 || response.status == 400) {
    return Fail(
        Error(Kind::denied, fmt::format("{}: sign-in refused ({})", host_, response.status))
            .with_hint(who ? "check the user and password of this registry" : fmt::format("docker login {}", host_)));
  }
  if (!response.ok()) return fail(Kind::unavailable, "{}: token service answers {}", host_, response.status);
  TRY_IN(auto value, fmt::format("{}: token service", host_), doc::parse_json(response.body, "token"));
  doc::View view(value, "token");
  auto text = view["token"].str_or(view["access_token"].str_or(""));
  if (text.empty()) return fail(Kind::unavailable, "{}: token service gives no token", host_);
  // A little less than promised: clocks differ, and the request is still to be made.
  auto lives = std::max<std::int64_t>(view["expires_in"].num_or(60) - 10, 10);
  auto authorization = "Bearer " + text;
  (*grants_.lock())[scope_of(call)] = {authorization, ctx.clock->now() + std::chrono::seconds(lives)};
  return authorization;
}

Result<std::string> Session::sign_in(const Ctx& ctx, const std::vector<Challenge>& challenges, const std::string& scope,
                                     const Call& call) {
  for (const auto& challenge : challenges)
    if (challenge.scheme == "bearer") return token(ctx, challenge, call);
  for (const auto& challenge : challenges) {
    if (challenge.scheme != "basic") continue;
    TRY(auto who, credentials(ctx));
    if (!who) break;
    auto authorization = "Basic " + to_base64(who->user + ":" + who->secret);
    (*grants_.lock())[scope] = {authorization, credentials_end(ctx)};
    return authorization;
  }
  return Fail(
      Error(Kind::denied, fmt::format("{}: wants a sign-in", host_)).with_hint(fmt::format("docker login {}", host_)));
}

Result<net::ClientResponse> Session::once(const Ctx& ctx, const Call& call) {
  auto scope = scope_of(call);
  std::string authorization;
  {
    auto grants = grants_.lock();
    if (auto it = grants->find(scope); it != grants->end() && it->second.until > ctx.clock->now())
      authorization = it->second.authorization;
  }
  for (int attempt = 0;; ++attempt) {
    net::ClientRequest request{
        .method = call.method, .url = absolute(call.target), .headers = call.headers, .body = call.body};
    // An upload may have been sent elsewhere (a storage service with a signed URL): our token is not for it.
    bool ours = request.url.starts_with(base_ + "/");
    // What was sent may take long to be stored.
    bool reads = call.method == "GET" || call.method == "HEAD";
    request.stall = reads ? options_.stall : options_.stall * 10;
    if (!authorization.empty() && ours) request.headers.set("Authorization", authorization);
    if (call.upload) {
      request.upload = call.upload();
      request.upload_size = call.upload_size;
      request.redirects = 0;
    }
    auto response =
        call.sink ? client_.stream(ctx, std::move(request), call.sink) : client_.send(ctx, std::move(request));
    if (!response) return Fail(std::move(response).error().in(host_));
    if (response->status != 401 || !ours) return response;
    if (attempt == 1) return fail(Kind::denied, "{}: {} of {} refused", host_, call.actions, call.repository);
    TRY(authorization, sign_in(ctx, parse_challenges(response->headers.all("www-authenticate")), scope, call));
  }
}

Result<net::ClientResponse> Session::send(const Ctx& ctx, const Call& call) {
  for (int attempt = 0;; ++attempt) {
    auto response = once(ctx, call);
    bool again = response ? worth_retrying(response->status) : response.error().retryable();
    if (!again || !call.retries || attempt == 3 || !ctx.alive()) return response;
    // Half a second, doubled, with jitter so that many clients do not come back at once.
    auto pause = Millis(500 << attempt) + Millis(static_cast<unsigned char>(random_bytes(1)[0]));
    if (response) {
      if (auto after = to_int(response->headers.get_or("retry-after", "")); after && *after >= 0)
        pause = Millis(std::min<std::int64_t>(*after, 60) * 1000);
    }
    LOG(debug, "oci.remote.retry", {"host", host_}, {"target", call.target}, {"attempt", attempt + 1});
    TRY_OK(sleep(ctx, pause));
  }
}

}  // namespace slipway::oci::detail
