// aws-actions/configure-aws-credentials: keys that are given, or a role by the job's identity.
// Rule: AWS STS, AssumeRoleWithWebIdentity and AssumeRole of version 2011-06-15.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/web.h"
#include "net/aws.h"

namespace slipway::ci {
namespace {

struct Wish {
  std::string region, role, session, endpoint;
  std::int64_t seconds = 3600;
  net::AwsKeys keys;
};

Result<Wish> wish_of(ActionUse& use) {
  Wish out;
  out.region = use.input("aws-region");
  bool plain = out.region.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
  if (!plain) return fail(Kind::invalid, "Region is not valid: {}", out.region);
  out.role = use.input("role-to-assume");
  out.keys = {use.input("aws-access-key-id"), use.input("aws-secret-access-key"), use.input("aws-session-token")};
  if (use.flag("role-chaining", false) && out.keys.id.empty())
    out.keys = {variable(use, "AWS_ACCESS_KEY_ID"), variable(use, "AWS_SECRET_ACCESS_KEY"),
                variable(use, "AWS_SESSION_TOKEN")};
  for (auto* secret : {&out.keys.secret, &out.keys.session})
    if (!secret->empty()) use.job.add_mask(*secret);
  if (out.keys.id.empty() != out.keys.secret.empty())
    return fail(Kind::invalid, "'aws-access-key-id' and 'aws-secret-access-key' must be given together");
  if (out.role.empty() && out.keys.id.empty())
    return Fail(Error(Kind::invalid, "neither role-to-assume nor aws-access-key-id is given")
                    .with_hint("a role needs no secret: permissions: {id-token: write}, and a trust of this house's "
                               "/.well-known/openid-configuration in AWS"));
  auto duration = use.input("role-duration-seconds", "3600");
  auto seconds = to_int(duration);
  if (!seconds || *seconds < 900 || *seconds > 43200)
    return fail(Kind::invalid, "role-duration-seconds: got \"{}\", want 900 to 43200", duration);
  out.seconds = *seconds;
  out.session = use.input("role-session-name", "GitHubActions");
  for (auto* name : {"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"})
    if (out.endpoint.empty()) out.endpoint = variable(use, name);
  if (out.endpoint.empty())
    out.endpoint =
        fmt::format("https://sts.{}.amazonaws.com{}", out.region, out.region.starts_with("cn-") ? ".cn" : "");
  // A name without "arn:" is a role of an account that would have to be asked for first.
  if (!out.role.empty() && !out.role.starts_with("arn:"))
    return fail(Kind::invalid, "role-to-assume: got \"{}\", want arn:aws:iam::ACCOUNT:role/NAME", out.role);
  return out;
}

Result<std::string> web_identity(const Ctx& ctx, ActionUse& use) {
  auto file = use.input("web-identity-token-file");
  if (file.empty()) return use.job.id_token(ctx, use.input("audience", "sts.amazonaws.com"));
  TRY(auto relative, use.job.relative_of(file));
  if (!use.job.folder().has_file(relative))
    return fail(Kind::not_found, "web-identity-token-file: no such file {}", file);
  TRY(auto text, use.job.folder().read(relative, 1 << 16));
  use.job.add_mask(trim(text));
  return std::string(trim(text));
}

using Fields = std::vector<std::pair<std::string, std::string>>;

void add_policies(ActionUse& use, Fields& fields) {
  if (auto policy = use.input("inline-session-policy"); !policy.empty()) fields.emplace_back("Policy", policy);
  int number = 0;
  for (auto& arn : use.list("managed-session-policies"))
    fields.emplace_back(fmt::format("PolicyArns.member.{}.arn", ++number), arn);
}

Result<net::AwsKeys> assume(const Ctx& ctx, ActionUse& use, const Wish& wish, std::string& expires) {
  bool by_identity = wish.keys.id.empty();
  Fields fields = {{"Action", by_identity ? "AssumeRoleWithWebIdentity" : "AssumeRole"},
                   {"Version", "2011-06-15"},
                   {"RoleArn", wish.role},
                   {"RoleSessionName", wish.session},
                   {"DurationSeconds", std::to_string(wish.seconds)}};
  if (by_identity) {
    TRY(auto token, web_identity(ctx, use));
    fields.emplace_back("WebIdentityToken", token);
  } else if (auto external = use.input("role-external-id"); !external.empty()) {
    fields.emplace_back("ExternalId", external);
  }
  add_policies(use, fields);
  net::ClientRequest request{.method = "POST", .url = wish.endpoint + "/"};
  request.body = form_of(fields);
  request.headers.set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
  if (!by_identity) {
    TRY_OK(net::sign_for_aws(request, wish.keys, wish.region, "sts", ctx.clock->wall()));
  }
  auto answer = send(ctx, std::move(request));
  if (!answer && answer.error().is(Kind::unavailable))
    return Fail(std::move(answer).error().with_hint("AWS_ENDPOINT_URL_STS says where STS is, when not at AWS"));
  if (!answer)
    return Fail(std::move(answer).error().with_hint(
        by_identity ? "does AWS trust this house (an identity provider with its address), and does the role's trust "
                      "policy name this job's `sub`?"
                    : "may these keys assume the role?"));
  net::AwsKeys out{text_in_xml(answer->body, "AccessKeyId"), text_in_xml(answer->body, "SecretAccessKey"),
                   text_in_xml(answer->body, "SessionToken")};
  expires = text_in_xml(answer->body, "Expiration");
  if (out.id.empty() || out.secret.empty())
    return fail(Kind::unavailable, "{}: the answer holds no keys", wish.endpoint);
  return out;
}

}  // namespace

Result<> aws_credentials(const Ctx& ctx, ActionUse& use) {
  TRY(auto wish, wish_of(use));
  auto keys = wish.keys;
  std::string expires;
  if (!wish.role.empty()) {
    TRY(keys, assume(ctx, use, wish, expires));
  }
  for (const auto& secret : {keys.id, keys.secret, keys.session})
    if (!secret.empty()) use.job.add_mask(secret);
  auto& job = use.job;
  if (use.flag("output-env-credentials", true)) {
    job.set_env(use.step, "AWS_ACCESS_KEY_ID", keys.id);
    job.set_env(use.step, "AWS_SECRET_ACCESS_KEY", keys.secret);
    // Also when there is none: one of a step before would not fit these keys.
    job.set_env(use.step, "AWS_SESSION_TOKEN", keys.session);
  }
  job.set_env(use.step, "AWS_REGION", wish.region);
  job.set_env(use.step, "AWS_DEFAULT_REGION", wish.region);
  auto parts = split(wish.role, ':');
  auto account = parts.size() > 4 ? std::string(parts[4]) : std::string();
  if (use.flag("mask-aws-account-id", false) && !account.empty()) job.add_mask(account);
  use.output("aws-account-id", account);
  if (use.flag("output-credentials", false)) {
    use.output("aws-access-key-id", keys.id);
    use.output("aws-secret-access-key", keys.secret);
    use.output("aws-session-token", keys.session);
    use.output("aws-expiration", expires);
  }
  use.say(wish.role.empty() ? fmt::format("Keys for {} as they were given", wish.region)
                            : fmt::format("Authenticated as {}, until {}", wish.role, expires));
  return {};
}

}  // namespace slipway::ci
