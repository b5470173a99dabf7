// google-github-actions/auth. Rule: Google's STS v1 token exchange (RFC 8693), IAM Credentials API v1, and the
// credential files that its libraries read (external_account).
#include "base/encode.h"
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/web.h"
#include "doc/json.h"
#include "net/jwt.h"

namespace slipway::ci {
namespace {

constexpr std::string_view default_scope = "https://www.googleapis.com/auth/cloud-platform";

struct Google {
  std::string provider, account, project, universe, sts, iam, oauth;
  std::optional<doc::Value> key;  // of a service account
};

std::string endpoint(const ActionUse& use, const std::string& name, std::string fallback) {
  auto url = variable(use, name);
  if (url.empty()) url = std::move(fallback);
  while (url.ends_with('/')) url.pop_back();
  return url;
}

Result<Google> google_of(ActionUse& use) {
  Google out;
  out.provider = use.input("workload_identity_provider");
  out.account = use.input("service_account");
  out.project = use.input("project_id");
  out.universe = use.input("universe", "googleapis.com");
  out.sts = endpoint(use, "CLOUDSDK_API_ENDPOINT_OVERRIDES_STS", fmt::format("https://sts.{}", out.universe));
  out.iam = endpoint(use, "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS",
                     fmt::format("https://iamcredentials.{}", out.universe));
  auto text = use.input("credentials_json");
  if (text.empty() == out.provider.empty())
    return Fail(Error(Kind::invalid,
                      "must specify exactly one of \"workload_identity_provider\" or "
                      "\"credentials_json\"")
                    .with_hint("are these from secrets that a change from outside does not get?"));
  if (!out.provider.empty()) {
    auto parts = split(out.provider, '/');
    bool good = parts.size() == 8 && parts[0] == "projects" && parts[4] == "workloadIdentityPools";
    if (!good)
      return fail(Kind::invalid,
                  "workload_identity_provider: got \"{}\", want projects/NUMBER/locations/global/"
                  "workloadIdentityPools/POOL/providers/PROVIDER",
                  out.provider);
    return out;
  }
  use.job.add_mask(text);
  if (!trim(text).starts_with('{'))
    if (auto decoded = from_base64(trim(text))) text = *decoded;
  TRY(out.key, doc::parse_json(text, "credentials_json"));
  auto secret = out.key->str_at({"private_key"});
  use.job.add_mask(secret);
  out.account = out.key->str_at({"client_email"});
  if (out.project.empty()) out.project = out.key->str_at({"project_id"});
  if (out.account.empty() || secret.empty())
    return fail(Kind::invalid, "credentials_json: want a service account's key with client_email and private_key");
  out.oauth = out.key->str_at({"token_uri"});
  if (out.oauth.empty()) out.oauth = fmt::format("https://oauth2.{}/token", out.universe);
  return out;
}

std::string scopes(const ActionUse& use) {
  std::string out;
  auto text = use.input("access_token_scopes", default_scope);
  for (char& c : text)
    if (c == ',' || c == '\n') c = ' ';
  for (auto word : split(text, ' '))
    if (!word.empty()) out += (out.empty() ? "" : " ") + std::string(word);
  return out;
}

Result<doc::Value> post_json(const Ctx& ctx, const std::string& url, const doc::Value& body,
                             const std::string& token = {}) {
  net::ClientRequest request{.method = "POST", .url = url};
  request.headers.set("Content-Type", "application/json");
  if (!token.empty()) request.headers.set("Authorization", "Bearer " + token);
  request.body = doc::print_json(body);
  TRY(auto answer, send(ctx, std::move(request)));
  return doc::parse_json(answer.body, "answer");
}

std::string audience(const ActionUse& use, const Google& google) {
  return use.input("audience", fmt::format("https://iam.{}/{}", google.universe, google.provider));
}

// A token that Google takes: of the job's identity, or of the key.
Result<std::string> auth_token(const Ctx& ctx, ActionUse& use, const Google& google) {
  if (google.key) {
    TRY_IN(auto key, "credentials_json: private_key", net::SigningKey::load(google.key->str_at({"private_key"})));
    auto now = std::chrono::system_clock::to_time_t(ctx.clock->wall());
    TRY(auto assertion, key.sign(doc::print_json(doc::Map{{"iss", google.account},
                                                          {"sub", google.account},
                                                          {"aud", google.oauth},
                                                          {"scope", scopes(use)},
                                                          {"iat", now},
                                                          {"exp", now + 3600}})));
    net::ClientRequest request{.method = "POST", .url = google.oauth};
    request.headers.set("Content-Type", "application/x-www-form-urlencoded");
    request.body = form_of({{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"}, {"assertion", assertion}});
    TRY(auto answer, send(ctx, std::move(request)));
    TRY(auto value, doc::parse_json(answer.body, "answer"));
    return value.str_at({"access_token"});
  }
  TRY(auto identity, use.job.id_token(ctx, audience(use, google)));
  auto answer = post_json(ctx, google.sts + "/v1/token",
                          doc::Map{{"audience", fmt::format("//iam.{}/{}", google.universe, google.provider)},
                                   {"grantType", "urn:ietf:params:oauth:grant-type:token-exchange"},
                                   {"requestedTokenType", "urn:ietf:params:oauth:token-type:access_token"},
                                   {"scope", default_scope},
                                   {"subjectTokenType", "urn:ietf:params:oauth:token-type:jwt"},
                                   {"subjectToken", identity}});
  if (!answer)
    return Fail(std::move(answer).error().with_hint(
        "does the pool's provider have this house's address as its issuer, and do its conditions let this job in?"));
  return answer->str_at({"access_token"});
}

// A file that Google's libraries read. It holds no key: they ask for the job's identity when they need it.
Result<std::string> credentials_file(ActionUse& use, const Google& google) {
  doc::Value content;
  if (google.key) {
    content = *google.key;
  } else {
    TRY(auto request, use.job.id_token_request());
    content["universe_domain"] = google.universe;
    content["type"] = "external_account";
    content["audience"] = fmt::format("//iam.{}/{}", google.universe, google.provider);
    content["subject_token_type"] = "urn:ietf:params:oauth:token-type:jwt";
    content["token_url"] = google.sts + "/v1/token";
    auto& source = content["credential_source"];
    source["url"] = fmt::format("{}&audience={}", request.first, percent_encode(audience(use, google)));
    source["headers"]["Authorization"] = "Bearer " + request.second;
    source["format"]["type"] = "json";
    source["format"]["subject_token_field_name"] = "value";
    if (!google.account.empty())
      content["service_account_impersonation_url"] =
          fmt::format("{}/v1/projects/-/serviceAccounts/{}:generateAccessToken", google.iam, google.account);
  }
  auto file = fmt::format("{}/gha-creds-{}.json", use.job.folder().workspace(), random_hex(8));
  TRY_OK(use.job.folder().write(file, doc::print_json(content), 0640));
  if (use.flag("cleanup_credentials", true))
    use.job.defer("Post " + use.step.id, [&job = use.job, file](const Ctx&, StepContext&) -> Result<> {
      return job.folder().empty(fs::path(file).parent_path().string(), {fs::path(file).filename().string()});
    });
  return use.job.inside(file);
}

void export_all(ActionUse& use, const Google& google, const std::string& file) {
  auto& job = use.job;
  for (auto* name :
       {"CLOUDSDK_CORE_PROJECT", "CLOUDSDK_PROJECT", "GCLOUD_PROJECT", "GCP_PROJECT", "GOOGLE_CLOUD_PROJECT"})
    if (!google.project.empty()) job.set_env(use.step, name, google.project);
  for (auto* name :
       {"CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_GHA_CREDS_PATH"})
    if (!file.empty()) job.set_env(use.step, name, file);
}

Result<std::string> made_token(const Ctx& ctx, ActionUse& use, const Google& google, const std::string& auth,
                               const std::string& format) {
  if (google.account.empty())
    return fail(Kind::invalid, "token_format {}: want service_account, whose token it will be", format);
  auto place = fmt::format("{}/v1/projects/-/serviceAccounts/{}", google.iam, google.account);
  doc::List delegates;
  auto named = use.input("delegates");
  for (auto one : split(named, ','))
    if (!trim(one).empty()) delegates.emplace_back(fmt::format("projects/-/serviceAccounts/{}", trim(one)));
  if (format == "id_token") {
    if (use.input("id_token_audience").empty())
      return fail(Kind::invalid, "Input required and not supplied: id_token_audience");
    TRY(auto answer, post_json(ctx, place + ":generateIdToken",
                               doc::Map{{"delegates", std::move(delegates)},
                                        {"audience", use.input("id_token_audience")},
                                        {"includeEmail", use.flag("id_token_include_email", false)}},
                               auth));
    return answer.str_at({"token"});
  }
  auto lifetime = use.input("access_token_lifetime", "3600s");
  auto parsed = parse_duration(lifetime);
  if (!parsed) return fail(Kind::invalid, "access_token_lifetime: got \"{}\", want a duration like 3600s", lifetime);
  doc::List wanted;
  auto all = scopes(use);
  for (auto scope : split(all, ' ')) wanted.emplace_back(scope);
  TRY(auto answer,
      post_json(
          ctx, place + ":generateAccessToken",
          doc::Map{{"delegates", std::move(delegates)},
                   {"scope", std::move(wanted)},
                   {"lifetime", fmt::format("{}s", std::chrono::duration_cast<std::chrono::seconds>(*parsed).count())}},
          auth));
  return answer.str_at({"accessToken"});
}

}  // namespace

Result<> google_auth(const Ctx& ctx, ActionUse& use) {
  TRY(auto google, google_of(use));
  auto format = use.input("token_format");
  if (!format.empty() && format != "access_token" && format != "id_token")
    return fail(Kind::invalid, "token_format: got \"{}\", want access_token or id_token", format);
  use.output("project_id", google.project);
  std::string file;
  if (use.flag("create_credentials_file", true)) {
    TRY(file, credentials_file(use, google));
    use.output("credentials_file_path", file);
  }
  if (use.flag("export_environment_variables", true)) export_all(use, google, file);
  // Without a format nothing is asked of Google now: its libraries do it when they need it.
  if (format.empty()) {
    use.say(
        fmt::format("Credentials of {} are at {}", google.account.empty() ? google.provider : google.account, file));
    return {};
  }
  TRY(auto auth, auth_token(ctx, use, google));
  use.job.add_mask(auth);
  use.output("auth_token", auth);
  TRY(auto token, made_token(ctx, use, google, auth, format));
  use.job.add_mask(token);
  use.output(format, token);
  use.say(fmt::format("{} for {}", format, google.account));
  return {};
}

}  // namespace slipway::ci
