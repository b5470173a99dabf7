// Sign-ins to the registries of clouds, against a fake that answers by their published contracts.
#include "oci/cloud.h"

#include <gtest/gtest.h>

#include "base/encode.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "cloud/testing/fake_cloud.h"
#include "doc/json.h"
#include "net/jwt.h"

namespace slipway::oci {
namespace {

class CloudTest : public ::testing::Test {
 protected:
  Result<std::optional<CloudGrant>> sign_in(const std::string& host) {
    cloud::Place place{
        .env = [this](const std::string& name) { return env[name]; }, .home = dir.path(), .dmi = dir.path() / "dmi"};
    return cloud_credentials(Ctx{}, client, host, fake.url(), place);
  }
  // "user:secret", "nothing", or what is wrong.
  std::string outcome(const std::string& host) {
    auto grant = sign_in(host);
    if (!grant) return grant.error().what();
    return *grant ? (*grant)->credentials.user + ":" + (*grant)->credentials.secret : "nothing";
  }
  void file(const std::string& name, const std::string& text) {
    must(make_dirs((dir.path() / name).parent_path()));
    must(write_file(dir.path() / name, text));
  }
  std::string path(const std::string& name) const { return (dir.path() / name).string(); }

  cloud::FakeCloud fake;
  TempDir dir = must(TempDir::make());
  net::Client client;
  std::map<std::string, std::string> env;
};

const std::string ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const std::string keys_xml =
    "<R><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
    "<SessionToken>t</SessionToken></Credentials></R>";
std::string ecr_answer() {
  return R"({"authorizationData":[{"authorizationToken":")" + to_base64("AWS:pw") + R"(","expiresAt":1.7e9}]})";
}

TEST_F(CloudTest, OtherRegistriesAreNobodysBusiness) {
  for (auto* host : {"docker.io", "ghcr.io", "quay.io", "registry.example:5000", "12.dkr.ecr.eu-west-1.amazonaws.com",
                     "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example.dkr.ecr", "azurecr.io.example"})
    EXPECT_EQ(outcome(host), "nothing") << host;
  EXPECT_TRUE(fake.asked().empty());
}

TEST_F(CloudTest, NothingHereSignsIn) {
  for (auto& host : {ecr, std::string("public.ecr.aws"), std::string("gcr.io"), std::string("shop.azurecr.io")})
    EXPECT_EQ(outcome(host), "nothing") << host;
}

TEST_F(CloudTest, EcrByKeysOfTheEnvironment) {
  fake.answers["POST /"] = {200, ecr_answer()};
  env = {{"AWS_ENDPOINT_URL_ECR", fake.url()}, {"AWS_ACCESS_KEY_ID", "AKIA"}, {"AWS_SECRET_ACCESS_KEY", "hush"}};
  auto grant = must(sign_in(ecr));
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->credentials.user + ":" + grant->credentials.secret, "AWS:pw");
  EXPECT_GT(grant->until, Ctx{}.clock->wall() + std::chrono::hours(10));
  auto asked = fake.asked().at(0);
  EXPECT_EQ(asked.target, "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken");
  EXPECT_TRUE(asked.authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIA/") &&
              asked.authorization.contains("/eu-west-1/ecr/aws4_request"))
      << asked.authorization;
}

TEST_F(CloudTest, EcrPublic) {
  fake.answers["POST /"] = {200, R"({"authorizationData":{"authorizationToken":")" + to_base64("AWS:p") + "\"}}"};
  env = {{"AWS_ENDPOINT_URL", fake.url()}, {"AWS_ACCESS_KEY_ID", "AKIA"}, {"AWS_SECRET_ACCESS_KEY", "hush"}};
  EXPECT_EQ(outcome("public.ecr.aws"), "AWS:p");
  EXPECT_TRUE(fake.asked().at(0).authorization.contains("/us-east-1/ecr-public/aws4_request"));
  EXPECT_EQ(fake.asked().at(0).target, "SpencerFrontendService.GetAuthorizationToken");
}

TEST_F(CloudTest, EcrByTheIdentityOfAPod) {
  fake.answers["POST /"] = {200, keys_xml};
  file("token", "ey.pod\n");
  env = {{"AWS_ENDPOINT_URL", fake.url()},
         {"AWS_ROLE_ARN", "arn:aws:iam::1:role/r"},
         {"AWS_WEB_IDENTITY_TOKEN_FILE", path("token")}};
  (void)outcome(ecr);  // the fake has one answer for both services
  auto first = fake.asked().at(0);
  EXPECT_TRUE(first.body.contains("Action=AssumeRoleWithWebIdentity") &&
              first.body.contains("WebIdentityToken=ey.pod&"))
      << first.body;
  EXPECT_EQ(first.authorization, "");
  EXPECT_TRUE(fake.asked().at(1).authorization.contains("Credential=ASIA/"));
}

TEST_F(CloudTest, EcrByAProfile) {
  fake.answers["POST /"] = {200, ecr_answer()};
  env["AWS_ENDPOINT_URL_ECR"] = fake.url();
  file(".aws/credentials",
       "# mine\n[default]\naws_access_key_id = "
       "AKIA1\naws_secret_access_key=x=y\n[other]\naws_access_key_id=AKIA2\naws_secret_access_key=z\n");
  file(".aws/config",
       "[profile made]\ncredential_process = echo "
       "'{\"Version\":1,\"AccessKeyId\":\"AKIA3\",\"SecretAccessKey\":\"p\"}'\n[profile sso]\nsso_session = "
       "s\n[profile round]\nrole_arn=r\nsource_profile=round\n");
  for (auto& [profile, key] : {std::pair{"", "AKIA1"}, {"other", "AKIA2"}, {"made", "AKIA3"}}) {
    env["AWS_PROFILE"] = profile;
    EXPECT_EQ(outcome(ecr), "AWS:pw") << profile;
    EXPECT_TRUE(fake.asked().back().authorization.contains(fmt::format("Credential={}/", key))) << profile;
  }
  env["AWS_PROFILE"] = "sso";
  EXPECT_TRUE(outcome(ecr).contains("sign-in by SSO is not there yet"));
  env["AWS_PROFILE"] = "round";
  EXPECT_TRUE(outcome(ecr).contains("source_profile")) << outcome(ecr);
}

TEST_F(CloudTest, EcrByTheMachine) {
  fake.answers = {{"PUT /latest/api/token", {200, "v2"}},
                  {"GET /latest/meta-data/iam/security-credentials/", {200, "role-a"}},
                  {"GET /latest/meta-data/iam/security-credentials/role-a",
                   {200, R"({"AccessKeyId":"ASIA","SecretAccessKey":"s","Token":"t"})"}},
                  {"POST /", {200, ecr_answer()}}};
  env = {{"AWS_ENDPOINT_URL_ECR", fake.url()}, {"AWS_EC2_METADATA_SERVICE_ENDPOINT", fake.url()}};
  EXPECT_EQ(outcome(ecr), "AWS:pw");
  env["AWS_EC2_METADATA_DISABLED"] = "true";
  EXPECT_EQ(outcome(ecr), "nothing");
}

TEST_F(CloudTest, EcrSaysNo) {
  fake.answers["POST /"] = {400,
                            R"({"__type":"UnrecognizedClientException","message":"The security token is invalid."})"};
  env = {{"AWS_ENDPOINT_URL", fake.url()}, {"AWS_ACCESS_KEY_ID", "AKIA"}, {"AWS_SECRET_ACCESS_KEY", "hush"}};
  auto said = outcome(ecr);
  EXPECT_TRUE(said.contains(ecr) && said.contains("The security token is invalid")) << said;
  EXPECT_FALSE(said.contains("hush"));
}

TEST_F(CloudTest, GoogleByItsFiles) {
  auto pem = must(net::make_signing_key(net::KeyKind::rsa2048));
  fake.answers = {{"POST /token", {200, R"({"access_token":"ya29","expires_in":3599})"}},
                  {"POST /sts", {200, R"({"access_token":"federated","expires_in":3599})"}},
                  {"POST /as", {200, R"({"accessToken":"as-account"})"}},
                  {"GET /oidc", {200, R"({"value":"ey.job"})"}}};
  env["GOOGLE_APPLICATION_CREDENTIALS"] = path("key.json");
  file("key.json", doc::print_json(doc::Map{{"type", "service_account"},
                                            {"client_email", "ci@p"},
                                            {"private_key", pem},
                                            {"token_uri", fake.url() + "/token"}}));
  EXPECT_EQ(outcome("europe-docker.pkg.dev"), "oauth2accesstoken:ya29");
  EXPECT_TRUE(fake.asked().back().body.contains("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"));

  file("key.json", doc::print_json(doc::Map{{"type", "authorized_user"},
                                            {"client_id", "c"},
                                            {"client_secret", "s"},
                                            {"refresh_token", "r"},
                                            {"token_uri", fake.url() + "/token"}}));
  EXPECT_EQ(outcome("eu.gcr.io"), "oauth2accesstoken:ya29");
  EXPECT_EQ(fake.asked().back().body, "grant_type=refresh_token&client_id=c&client_secret=s&refresh_token=r");

  doc::Value external =
      doc::Map{{"type", "external_account"}, {"audience", "//iam"}, {"token_url", fake.url() + "/sts"}};
  external["credential_source"]["url"] = fake.url() + "/oidc";
  external["credential_source"]["format"] = doc::Map{{"type", "json"}, {"subject_token_field_name", "value"}};
  file("key.json", doc::print_json(external));
  EXPECT_EQ(outcome("gcr.io"), "oauth2accesstoken:federated");
  EXPECT_TRUE(fake.asked().back().body.ends_with("subject_token=ey.job"));
  external["service_account_impersonation_url"] = fake.url() + "/as";
  file("key.json", doc::print_json(external));
  EXPECT_EQ(outcome("gcr.io"), "oauth2accesstoken:as-account");
  EXPECT_EQ(fake.asked().back().authorization, "Bearer federated");

  file("key.json", R"({"type":"gdch"})");
  EXPECT_TRUE(outcome("gcr.io").contains("want service_account")) << outcome("gcr.io");
  env["GOOGLE_APPLICATION_CREDENTIALS"] = path("absent.json");
  EXPECT_TRUE(outcome("gcr.io").contains("GOOGLE_APPLICATION_CREDENTIALS")) << outcome("gcr.io");
}

TEST_F(CloudTest, GoogleByTheMachine) {
  fake.answers["GET /computeMetadata/v1/instance/service-accounts/default/token"] = {
      200, R"({"access_token":"ya29.m","expires_in":600})"};
  env["GCE_METADATA_HOST"] = fake.url().substr(7);
  EXPECT_EQ(outcome("gcr.io"), "oauth2accesstoken:ya29.m");
}

TEST_F(CloudTest, AzureExchangesTheTokenOfEntra) {
  fake.answers = {{"POST /tenant-1/oauth2/v2.0/token", {200, R"({"access_token":"entra"})"}},
                  {"POST /oauth2/exchange", {200, R"({"refresh_token":"acr"})"}},
                  {"GET /metadata/identity/oauth2/token", {200, R"({"access_token":"of-machine"})"}}};
  env = {{"AZURE_CLIENT_ID", "c"},
         {"AZURE_TENANT_ID", "tenant-1"},
         {"AZURE_CLIENT_SECRET", "s"},
         {"AZURE_AUTHORITY_HOST", fake.url() + "/"}};
  EXPECT_EQ(outcome("shop.azurecr.io"), "<token>:acr");
  EXPECT_EQ(fake.asked().back().body,
            "grant_type=access_token&service=shop.azurecr.io&access_token=entra&tenant=tenant-1");
  env.erase("AZURE_CLIENT_SECRET");
  file("token", "ey.pod");
  env["AZURE_FEDERATED_TOKEN_FILE"] = path("token");
  EXPECT_EQ(outcome("shop.azurecr.io"), "<token>:acr");
  EXPECT_TRUE(fake.asked().at(2).body.ends_with("client_assertion=ey.pod"));
  env = {{"AZURE_POD_IDENTITY_AUTHORITY_HOST", fake.url()}};
  EXPECT_EQ(outcome("shop.azurecr.io"), "<token>:acr");
  EXPECT_EQ(fake.asked().back().body, "grant_type=access_token&service=shop.azurecr.io&access_token=of-machine");
}

}  // namespace
}  // namespace slipway::oci
