// Rules: ECR's GetAuthorizationToken (2015-09-21), ECR Public's (2020-10-30), STS 2011-06-15, the chain of credentials
// of AWS's SDKs, IMDSv2.
#include "net/aws.h"
#include "base/encode.h"
#include "base/process.h"
#include "base/text.h"
#include "doc/json.h"
#include "net/forms.h"
#include "oci/cloud/cloud.h"

namespace slipway::oci::cloud {
namespace {

using Keys = std::optional<net::AwsKeys>;

struct EcrHost {
  std::string region, endpoint, service = "ecr";
  std::string target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
};

// 123456789012.dkr.ecr[-fips].eu-west-1.amazonaws.com[.cn]
std::optional<EcrHost> parse_host(const std::string& host) {
  if (host == "public.ecr.aws")
    return EcrHost{"us-east-1", "https://api.ecr-public.us-east-1.amazonaws.com", "ecr-public",
                   "SpencerFrontendService.GetAuthorizationToken"};
  auto parts = split(host, '.');
  bool fips = parts.size() > 2 && parts[2] == "ecr-fips";
  if (parts.size() < 6 || parts[1] != "dkr" || (parts[2] != "ecr" && !fips)) return {};
  if (parts[0].size() != 12 || !to_int(parts[0])) return {};
  EcrHost out;
  out.region = parts[3];
  auto suffix = host.substr(host.find(out.region) + out.region.size());  // ".amazonaws.com"
  if (!suffix.starts_with(".amazonaws.com")) return {};
  out.endpoint = fmt::format("https://{}.{}{}", fips ? "ecr-fips" : "api.ecr", out.region, suffix);
  return out;
}

std::string first_of(const Call& call, std::initializer_list<const char*> names, std::string fallback) {
  for (const auto* name : names)
    if (auto value = call.env(name); !value.empty()) {
      while (value.ends_with('/')) value.pop_back();
      return value;
    }
  return fallback;
}

// signer: whose keys ask; none for a web identity, which proves itself.
Result<Keys> assume(const Call& call, const std::string& region, Fields fields, const Keys& signer) {
  auto at = first_of(call, {"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"},
                     fmt::format("https://sts.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : ""));
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

Result<Keys> find_keys(const Call& call, const std::string& region) {
  net::AwsKeys keys{call.env("AWS_ACCESS_KEY_ID"), call.env("AWS_SECRET_ACCESS_KEY"), call.env("AWS_SESSION_TOKEN")};
  if (!keys.id.empty() && !keys.secret.empty()) return keys;
  auto role = call.env("AWS_ROLE_ARN"), file = call.env("AWS_WEB_IDENTITY_TOKEN_FILE");
  if (!role.empty() && !file.empty()) return by_web_identity(call, region, role, file);
  auto name = first_of(call, {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}, "default");
  TRY(auto found, by_profile(call, region, profiles(call), name, 0));
  if (!found) {
    TRY(found, by_container(call));
  }
  return found ? Result<Keys>(found) : by_instance(call);
}

}  // namespace

Grant aws(const Call& call, const std::string& host) {
  auto ecr = parse_host(host);
  if (!ecr) return std::optional<CloudGrant>();
  TRY_IN(auto keys, host, find_keys(call, ecr->region));
  if (!keys) return std::optional<CloudGrant>();  // the public one is read without
  auto at = first_of(
      call, {ecr->service == "ecr" ? "AWS_ENDPOINT_URL_ECR" : "AWS_ENDPOINT_URL_ECR_PUBLIC", "AWS_ENDPOINT_URL"},
      ecr->endpoint);
  net::ClientRequest request{.method = "POST", .url = at + "/"};
  request.body = "{}";
  request.headers.set("Content-Type", "application/x-amz-json-1.1");
  request.headers.set("X-Amz-Target", ecr->target);
  TRY_OK(net::sign_for_aws(request, *keys, ecr->region, ecr->service, call.ctx.clock->wall()));
  TRY_IN(auto value, host, call.json(std::move(request)));
  doc::View view(value, at);
  // A list of ECR's; of ECR Public's one.
  auto data = view["authorizationData"];
  auto one = data.items().empty() ? data : data[std::size_t{0}];
  auto pair = from_base64(one["authorizationToken"].str_or(""));
  auto colon = pair ? pair->find(':') : std::string::npos;
  if (colon == std::string::npos) return fail(Kind::unavailable, "{}: {} gives no token", host, at);
  // Good for twelve hours.
  return CloudGrant{{pair->substr(0, colon), pair->substr(colon + 1)}, call.ctx.clock->wall() + std::chrono::hours(11)};
}

}  // namespace slipway::oci::cloud
