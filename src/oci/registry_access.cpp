#include "base/encode.h"
#include "base/text.h"
#include "base/time.h"
#include "doc/json.h"
#include "doc/view.h"
#include "oci/detail/access.h"

namespace slipway::oci::detail {
namespace {

constexpr std::int64_t lifetime = 300;  // seconds, as Docker Hub's
constexpr std::size_t most_scopes = 64;
constexpr std::string_view actions[] = {"pull", "push", "delete"};

// Some clients send an empty name and password for nobody.
bool nobody(std::string_view authorization) { return authorization.empty() || iequals(authorization, "Basic Og=="); }

// The registry's address as this client knows it. Nothing that is no host gets into a header.
std::string address_of(const net::Request& request) {
  auto host = request.headers.get_or("host", "");
  auto odd = host.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_:[]");
  if (host.empty() || odd != std::string_view::npos) return {};
  bool tls = request.tls || iequals(request.headers.get_or("x-forwarded-proto", ""), "https");
  return fmt::format("{}://{}", tls ? "https" : "http", host);
}

doc::Value to_doc(const std::vector<Grant>& grants) {
  doc::List list;
  for (const auto& g : grants)
    list.emplace_back(doc::Map{
        {"type", "repository"}, {"name", g.repository}, {"actions", doc::List(g.actions.begin(), g.actions.end())}});
  return list;
}

}  // namespace

net::Response problem(int status, std::string_view code, std::string_view message) {
  auto response = net::Response::json(
      status, doc::print_json(doc::Map{
                  {"errors", doc::List{doc::Map{{"code", code}, {"message", message}, {"detail", nullptr}}}}}));
  response.headers.set("Docker-Distribution-Api-Version", "registry/2.0");
  return response;
}

std::vector<Grant> parse_scopes(std::string_view text) {
  std::vector<Grant> out;
  for (auto scope : split(text, ' ')) {
    if (!scope.starts_with("repository:") || out.size() == most_scopes) continue;
    scope.remove_prefix(11);
    auto colon = scope.rfind(':');  // a name may hold a host's port
    if (colon == std::string_view::npos || !valid_repository(scope.substr(0, colon))) continue;
    Grant grant{std::string(scope.substr(0, colon)), {}};
    for (auto word : split(scope.substr(colon + 1), ','))
      for (auto action : actions)
        if (word == action || word == "*") grant.actions.emplace_back(action);
    out.push_back(std::move(grant));
  }
  return out;
}

Result<std::unique_ptr<Access>> Access::open(const RegistryOptions& options) {
  std::unique_ptr<Access> access(new Access(options));
  if (options.token_key_pem.empty()) return access;
  TRY(access->key_, net::SigningKey::load(options.token_key_pem));
  return access;
}

std::shared_ptr<const RegistryRules> Access::rules() const {
  static const auto defaults = std::make_shared<const RegistryRules>();
  auto own = options_.rules ? options_.rules() : nullptr;
  return own ? own : defaults;
}

Result<Who> Access::password(std::string_view authorization) const {
  if (!options_.sign_in) return Who{"anybody", {"system:masters"}};
  if (nobody(authorization)) return Who{};
  auto who = options_.sign_in(authorization);
  if (!who) return fail(Kind::denied, "wrong user, password or token");
  return *std::move(who);
}

Result<Visitor> Access::visitor(const net::Request& request) const {
  auto given = request.headers.get_or("authorization", "");
  auto pair = cut(given, " ");
  if (key_ && pair && iequals(pair->first, "Bearer")) {
    if (auto claims = key_->verify(trim(pair->second))) {
      TRY(auto value, doc::parse_json(*claims, "token"));
      doc::View view(value, "token");
      if (view["exp"].num_or(0) < static_cast<std::int64_t>(std::time(nullptr)))
        return fail(Kind::denied, "the token is too old");
      Visitor visitor{{view["sub"].text(), {}}, std::vector<Grant>()};
      for (const auto& group : view["groups"].items()) visitor.who.groups.push_back(group.text());
      for (const auto& access : view["access"].items()) {
        Grant grant{access["name"].text(), {}};
        for (const auto& action : access["actions"].items()) grant.actions.push_back(action.text());
        visitor.grants->push_back(std::move(grant));
      }
      return visitor;
    }
  }
  TRY(auto who, password(given));
  return Visitor{std::move(who), {}};
}

bool Access::may(const Visitor& visitor, std::string_view repository, std::string_view action) const {
  if (!rules()->may(visitor.who, repository, action)) return false;
  if (!visitor.grants) return true;
  return std::any_of(visitor.grants->begin(), visitor.grants->end(), [&](const Grant& grant) {
    return grant.repository == repository &&
           std::find(grant.actions.begin(), grant.actions.end(), action) != grant.actions.end();
  });
}

net::Response Access::refusal(const net::Request& request, const Visitor& visitor, std::string_view repository,
                              std::string_view action, std::string_view why) const {
  bool known = !visitor.who.anonymous();
  if (known && !repository.empty() && !rules()->may(visitor.who, repository, action))
    return problem(403, "DENIED", fmt::format("{} may not {} {}", visitor.who.name, action, repository));
  std::string message(why);
  if (message.empty())
    message = action == "pull" || action.empty()
                  ? "sign in to use this repository"
                  : fmt::format(
                        "a {} needs a user and a token: skopeo login, docker login; any user name and the token "
                        "of DIR/token",
                        action);
  auto response = problem(401, "UNAUTHORIZED", message);
  auto address = address_of(request);
  if (!key_ || address.empty()) {
    response.headers.set("WWW-Authenticate", "Basic realm=\"slipway\", charset=\"UTF-8\"");
    return response;
  }
  auto challenge = fmt::format("Bearer realm=\"{}{}\",service=\"slipway\"", address, token_path);
  if (!repository.empty())
    challenge += fmt::format(",scope=\"repository:{}:{}\"", repository, action == "push" ? "pull,push" : action);
  if (!why.empty())
    challenge += ",error=\"invalid_token\"";
  else if (visitor.grants)
    challenge += ",error=\"insufficient_scope\"";
  response.headers.set("WWW-Authenticate", challenge);
  return response;
}

net::Response Access::grant(const Ctx& ctx, const Who& who, const std::vector<Grant>& asked,
                            std::string refresh) const {
  std::vector<Grant> given;
  auto own = rules();
  for (const auto& wish : asked) {
    Grant grant{wish.repository, {}};
    for (const auto& action : wish.actions)
      if (own->may(who, wish.repository, action)) grant.actions.push_back(action);
    if (!grant.actions.empty()) given.push_back(std::move(grant));
  }
  auto issued = ctx.clock->wall();
  auto now = std::chrono::duration_cast<std::chrono::seconds>(issued.time_since_epoch()).count();
  auto token = key_->sign(doc::print_json(doc::Map{{"iss", "slipway"},
                                                   {"aud", "slipway"},
                                                   {"sub", who.name},
                                                   {"groups", doc::List(who.groups.begin(), who.groups.end())},
                                                   {"iat", std::int64_t{now}},
                                                   {"exp", std::int64_t{now + lifetime}},
                                                   {"access", to_doc(given)}}));
  if (!token) return problem(500, "UNKNOWN", token.error().what());
  doc::Map answer{
      {"token", *token}, {"access_token", *token}, {"expires_in", lifetime}, {"issued_at", rfc3339(issued)}};
  if (!refresh.empty()) answer.set("refresh_token", std::move(refresh));
  auto response = net::Response::json(200, doc::print_json(answer));
  response.headers.set("Cache-Control", "no-store");
  return response;
}

net::Response Access::token(const Ctx& ctx, net::Request& request) const {
  if (!key_) return problem(404, "UNSUPPORTED", "no such endpoint");
  auto authorization = std::string(request.headers.get_or("authorization", ""));
  std::string scopes, refresh;
  net::Query form = request.query;
  if (request.method == "POST") {
    auto body = request.read_body(ctx, 64 << 10);
    if (!body) return problem(net::status_of(body.error().kind()), "SIZE_INVALID", body.error().what());
    form = net::parse_query(*body);
    auto type = net::query_value(form, "grant_type");
    if (type == "refresh_token")
      authorization = "Bearer " + net::query_value(form, "refresh_token");
    else if (type == "password")
      authorization =
          "Basic " + to_base64(net::query_value(form, "username") + ":" + net::query_value(form, "password"));
    else
      return problem(400, "UNSUPPORTED", fmt::format("grant_type {:?}, want password or refresh_token", type));
    if (net::query_value(form, "access_type") == "offline") refresh = net::query_value(form, "password");
  } else if (request.method != "GET") {
    return problem(405, "UNSUPPORTED", "want GET or POST");
  } else if (net::query_value(form, "offline_token") == "true") {
    if (auto basic = cut(authorization, " "); basic && iequals(basic->first, "Basic"))
      if (auto text = from_base64(trim(basic->second)))
        if (auto colon = text->find(':'); colon != std::string::npos) refresh = text->substr(colon + 1);
  }
  for (const auto& [key, value] : form)
    if (key == "scope") scopes += value + " ";
  auto who = password(authorization);
  if (!who) {
    auto response = problem(401, "UNAUTHORIZED", who.error().what());
    response.headers.set("WWW-Authenticate", "Basic realm=\"slipway\", charset=\"UTF-8\"");
    return response;
  }
  return grant(ctx, *who, parse_scopes(scopes), std::move(refresh));
}

}  // namespace slipway::oci::detail
