// Rules: Application Default Credentials; RFC 7523 assertions of service accounts, RFC 8693 exchange of external
// accounts, the metadata server.
#include "base/text.h"
#include "cloud/cloud.h"
#include "doc/json.h"
#include "doc/view.h"
#include "net/jwt.h"

namespace slipway::cloud {
namespace {

using Answer = Result<std::optional<Token>>;

constexpr std::string_view scope = "https://www.googleapis.com/auth/cloud-platform";

Token granted(const Call& call, const std::string& token, std::int64_t seconds) {
  return {token, call.ctx.clock->wall() + std::chrono::seconds(std::max<std::int64_t>(seconds - 60, 30))};
}

Answer grant_in(const Call& call, const doc::Value& value, const std::string& at) {
  doc::View view(value, at);
  auto token = view["access_token"].str_or("");
  if (token.empty()) return fail(Kind::unavailable, "{}: gives no access_token", at);
  return granted(call, token, view["expires_in"].num_or(3600));
}

Answer by_key(const Call& call, doc::View file) {
  auto at = file["token_uri"].str_or("https://oauth2.googleapis.com/token");
  TRY_IN(auto key, "private_key", net::SigningKey::load(file["private_key"].str_or("")));
  auto now = std::chrono::system_clock::to_time_t(call.ctx.clock->wall());
  auto mail = file["client_email"].str_or("");
  TRY(auto assertion,
      key.sign(doc::print_json(
          doc::Map{{"iss", mail}, {"sub", mail}, {"aud", at}, {"scope", scope}, {"iat", now}, {"exp", now + 3600}})));
  TRY(auto answer,
      call.json(form(at, {{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"}, {"assertion", assertion}})));
  return grant_in(call, answer, at);
}

Answer by_refresh(const Call& call, doc::View file) {
  auto at = file["token_uri"].str_or("https://oauth2.googleapis.com/token");
  TRY(auto answer, call.json(form(at, {{"grant_type", "refresh_token"},
                                       {"client_id", file["client_id"].str_or("")},
                                       {"client_secret", file["client_secret"].str_or("")},
                                       {"refresh_token", file["refresh_token"].str_or("")}})));
  return grant_in(call, answer, at);
}

// The identity that the platform gave: in a file, or at an address.
Result<std::string> subject_token(const Call& call, doc::View source) {
  std::string text;
  if (auto file = source["file"].str_or(""); !file.empty()) {
    TRY_IN(text, "credential_source", read_file(file, 1 << 20));
  } else if (auto url = source["url"].str_or(""); !url.empty()) {
    net::ClientRequest request{.url = url};
    for (const auto& [name, value] : source["headers"].members()) request.headers.set(name, value.str_or(""));
    TRY(auto answer, call.send(std::move(request)));
    text = answer.body;
  } else {
    return fail(Kind::invalid, "credential_source: want file or url (those of AWS and by a program are not there yet)");
  }
  if (source["format"]["type"].str_or("text") != "json") return std::string(trim(text));
  TRY(auto value, doc::parse_json(text, "credential_source"));
  return doc::View(value)[source["format"]["subject_token_field_name"].str_or("")].str_or("");
}

Answer by_exchange(const Call& call, doc::View file) {
  auto at = file["token_url"].str_or("https://sts.googleapis.com/v1/token");
  TRY(auto subject, subject_token(call, file["credential_source"]));
  TRY(auto answer, call.json(form(at, {{"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"},
                                       {"audience", file["audience"].str_or("")},
                                       {"scope", std::string(scope)},
                                       {"requested_token_type", "urn:ietf:params:oauth:token-type:access_token"},
                                       {"subject_token_type",
                                        file["subject_token_type"].str_or("urn:ietf:params:oauth:token-type:jwt")},
                                       {"subject_token", subject}})));
  auto as = file["service_account_impersonation_url"].str_or("");
  if (as.empty()) return grant_in(call, answer, at);
  net::ClientRequest request{.method = "POST", .url = as};
  request.headers.set("Content-Type", "application/json");
  request.headers.set("Authorization", "Bearer " + doc::View(answer)["access_token"].str_or(""));
  request.body = doc::print_json(doc::Map{{"scope", doc::List{scope}}});
  TRY(auto made, call.json(std::move(request)));
  auto token = doc::View(made)["accessToken"].str_or("");
  if (token.empty()) return fail(Kind::unavailable, "{}: gives no accessToken", as);
  return granted(call, token, 3600);
}

Answer by_machine(const Call& call) {
  auto host = call.env("GCE_METADATA_HOST");
  if (host.empty() && !call.says("product_name", "Google")) return std::optional<Token>();
  if (host.empty()) host = "metadata.google.internal";
  auto at = fmt::format("http://{}/computeMetadata/v1/instance/service-accounts/default/token", host);
  net::ClientRequest request{.url = at};
  request.headers.set("Metadata-Flavor", "Google");
  TRY(auto answer, call.json(std::move(request)));
  return grant_in(call, answer, at);
}

}  // namespace

Answer google_token(const Call& call) {
  auto named = call.env("GOOGLE_APPLICATION_CREDENTIALS");
  auto file = named.empty() ? call.place.home / ".config/gcloud/application_default_credentials.json" : fs::path(named);
  auto text = read_file(file, 1 << 20);
  if (!text && !named.empty()) return Fail(std::move(text).error().in("GOOGLE_APPLICATION_CREDENTIALS"));
  if (!text) return by_machine(call);
  TRY(auto value, doc::parse_json(*text, file.native()));
  doc::View view(value, file.native());
  auto type = view["type"].str_or("");
  auto grant = type == "service_account"    ? by_key(call, view)
               : type == "authorized_user"  ? by_refresh(call, view)
               : type == "external_account" ? by_exchange(call, view)
                                            : Answer(view["type"].wrong("want service_account, authorized_user or "
                                                                        "external_account"));
  if (!grant) return Fail(std::move(grant).error().in(file.native()));
  return grant;
}

}  // namespace slipway::cloud
