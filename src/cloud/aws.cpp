// Rules: STS 2011-06-15, the chain of credentials of AWS's SDKs, IMDSv2.
#include "net/aws.h"

#include "base/encode.h"
#include "base/process.h"
#include "base/text.h"
#include "cloud/cloud.h"
#include "doc/json.h"
#include "doc/view.h"
#include "net/forms.h"

namespace slipway::cloud {
namespace {

using Keys = std::optional<net::AwsKeys>;

// signer: whose keys ask; none for a web identity, which proves itself.
Result<Keys> assume(const Call& call, const std::string& region, Fields fields, const Keys& signer) {
  auto at = aws_sts(call, region);
  auto session = call.env("AWS_ROLE_SESSION_NAME");
  fields.insert(fields.end(), {{"Version", "2011-06-15"}, {"RoleSessionName", session.empty() ? "slipway" : session}});
  auto request = form(at + "/", fields);
  if (signer) TRY_OK(net::sign_for_aws(request, *signer, region, "sts", call.ctx.clock->wall()));
  TRY(auto answer, call.send(std::move(request)));
  net::AwsKeys keys{net::text_in_xml(answer.body, "AccessKeyId"), net::text_in_xml(answer.body, "SecretAccessKey"),
                    net::text_in_xml(answer.body, "SessionToken")};
  if (keys.id.empty() || keys.secret.empty()) return fail(Kind::unavailable, "{}: the answer holds no keys", at);
  return keys;
}

Result<Keys> by_web_identity(const Call& call, const std::string& region, const std::string& role,
                             const std::string& file) {
  TRY_IN(auto token, "AWS web identity token", read_file(file, 1 << 16));
  return assume(
      call, region,
      {{"Action", "AssumeRoleWithWebIdentity"}, {"RoleArn", role}, {"WebIdentityToken", std::string(trim(token))}}, {});
}

using Profile = std::map<std::string, std::string>;

// ~/.aws/credentials and ~/.aws/config: "[name]" and "[profile name]", "key = value".
std::map<std::string, Profile> profiles(const Call& call) {
  std::map<std::string, Profile> out;
  auto folder = call.place.home / ".aws";
  for (auto [variable, fallback] :
       {std::pair{"AWS_CONFIG_FILE", "config"}, {"AWS_SHARED_CREDENTIALS_FILE", "credentials"}}) {
    auto file = call.env(variable);
    auto text = read_file(file.empty() ? folder / fallback : fs::path(file), 1 << 20).value_or("");
    Profile* current = nullptr;
    for (auto line : lines(text)) {
      line = trim(line);
      if (line.starts_with('[') && line.ends_with(']')) {
        auto name = trim(line.substr(1, line.size() - 2));
        if (name.starts_with("profile ")) name = trim(name.substr(8));
        current = &out[std::string(name)];
      } else if (auto pair = cut(line, "="); pair && current && !line.starts_with('#') && !line.starts_with(';')) {
        (*current)[std::string(trim(pair->first))] = trim(pair->second);
      }
    }
  }
  return out;
}

Result<Keys> keys_in(doc::View view) {
  net::AwsKeys keys{view["AccessKeyId"].str_or(""), view["SecretAccessKey"].str_or(""),
                    view["SessionToken"].str_or(view["Token"].str_or(""))};
  if (keys.id.empty() || keys.secret.empty()) return view.wrong("want AccessKeyId and SecretAccessKey");
  return keys;
}

Result<Keys> by_program(const Call& call, const std::string& line) {
  TRY_IN(auto output, "credential_process",
         run_ok(call.ctx.within(Millis(60000)), Command{.argv = {"/bin/sh", "-c", line}}));
  TRY(auto value, doc::parse_json(output, "credential_process"));
  return keys_in(doc::View(value, "credential_process"));
}

Result<Keys> by_profile(const Call& call, const std::string& region, const std::map<std::string, Profile>& all,
                        const std::string& name, int depth) {
  auto found = all.find(name);
  if (found == all.end()) return Keys();
  auto of = [&](const char* key) {
    auto it = found->second.find(key);
    return it == found->second.end() ? std::string() : it->second;
  };
  if (auto role = of("role_arn"); !role.empty()) {
    if (auto file = of("web_identity_token_file"); !file.empty()) return by_web_identity(call, region, role, file);
    if (depth > 4) return fail(Kind::invalid, "AWS profile {}: source_profile goes round", name);
    TRY(auto source, by_profile(call, region, all, of("source_profile"), of("source_profile") == name ? 5 : depth + 1));
    if (!source)
      return fail(Kind::invalid, "AWS profile {}: source_profile \"{}\" has no keys", name, of("source_profile"));
    Fields fields{{"Action", "AssumeRole"}, {"RoleArn", role}};
    if (auto external = of("external_id"); !external.empty()) fields.emplace_back("ExternalId", external);
    return assume(call, region, std::move(fields), source);
  }
  net::AwsKeys keys{of("aws_access_key_id"), of("aws_secret_access_key"), of("aws_session_token")};
  if (!keys.id.empty() && !keys.secret.empty()) return keys;
  if (auto line = of("credential_process"); !line.empty()) return by_program(call, line);
  if (!of("sso_session").empty() || !of("sso_start_url").empty())
    return Fail(Error(Kind::unavailable, fmt::format("AWS profile {}: sign-in by SSO is not there yet", name))
                    .with_hint("eval \"$(aws configure export-credentials --format env)\" gives its keys"));
  return Keys();
}

// Of a container on ECS, EKS (pod identity) and others.
Result<Keys> by_container(const Call& call) {
  auto url = call.env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (auto relative = call.env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); !relative.empty())
    url = "http://169.254.170.2" + relative;
  if (url.empty()) return Keys();
  net::ClientRequest request{.url = url};
  auto token = call.env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (auto file = call.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); !file.empty()) {
    TRY_IN(token, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", read_file(file, 1 << 16));
  }
  if (!token.empty()) request.headers.set("Authorization", std::string(trim(token)));
  TRY(auto value, call.json(std::move(request)));
  return keys_in(doc::View(value, "AWS container credentials"));
}

Result<Keys> by_instance(const Call& call) {
  auto at = first_of(call, {"AWS_EC2_METADATA_SERVICE_ENDPOINT"}, "");
  bool there = !at.empty() || call.says("sys_vendor", "Amazon EC2") || call.says("board_vendor", "Amazon EC2");
  if (!there || lower(call.env("AWS_EC2_METADATA_DISABLED")) == "true") return Keys();
  if (at.empty()) at = "http://169.254.169.254";
  net::ClientRequest hello{.method = "PUT", .url = at + "/latest/api/token"};
  hello.headers.set("X-aws-ec2-metadata-token-ttl-seconds", "300");
  TRY(auto token, call.send(std::move(hello)));
  auto ask = [&](const std::string& path) {
    net::ClientRequest request{.url = at + "/latest/meta-data/iam/security-credentials/" + path};
    request.headers.set("X-aws-ec2-metadata-token", token.body);
    return call.send(std::move(request));
  };
  auto role = ask("");
  if (!role) return Keys();  // a machine without a role
  TRY(auto answer, ask(std::string(trim(role->body))));
  TRY(auto value, doc::parse_json(answer.body, at));
  return keys_in(doc::View(value, at));
}

Result<Keys> own_keys(const Call& call, const std::string& region, const std::string& profile) {
  if (profile.empty()) {
    net::AwsKeys keys{call.env("AWS_ACCESS_KEY_ID"), call.env("AWS_SECRET_ACCESS_KEY"), call.env("AWS_SESSION_TOKEN")};
    if (!keys.id.empty() && !keys.secret.empty()) return keys;
    auto role = call.env("AWS_ROLE_ARN"), file = call.env("AWS_WEB_IDENTITY_TOKEN_FILE");
    if (!role.empty() && !file.empty()) return by_web_identity(call, region, role, file);
  }
  auto name = profile.empty() ? first_of(call, {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}, "default") : profile;
  TRY(auto found, by_profile(call, region, profiles(call), name, 0));
  if (!found && !profile.empty()) return fail(Kind::invalid, "AWS profile {}: there are no keys of it here", profile);
  if (!found) {
    TRY(found, by_container(call));
  }
  return found ? Result<Keys>(found) : by_instance(call);
}

}  // namespace

std::string aws_sts(const Call& call, const std::string& region) {
  return first_of(call, {"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"},
                  fmt::format("https://sts.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : ""));
}

Result<Keys> aws_keys(const Call& call, const AwsWish& wish) {
  TRY(auto own, own_keys(call, wish.region, wish.profile));
  if (!own || wish.role.empty()) return own;
  return assume(call, wish.region, {{"Action", "AssumeRole"}, {"RoleArn", wish.role}}, own);
}

}  // namespace slipway::cloud
