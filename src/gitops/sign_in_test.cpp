// Signing in to clusters of clouds, against a fake that answers by their published contracts.
#include "gitops/sign_in.h"

#include <gtest/gtest.h>

#include "base/encode.h"
#include "cloud/testing/fake_cloud.h"

namespace slipway::gitops {
namespace {

class SignIn : public testing::Test {
 protected:
  Result<kube::Credential> sign_in(std::vector<std::string> args, std::string server = "https://1.2.3.4") {
    kube::Kubeconfig config;
    config.server = std::move(server);
    config.program = kube::SignInProgram{.command = "argocd-k8s-auth", .args = std::move(args), .env = given};
    cloud::Place place{
        .env = [this](const std::string& name) { return env[name]; }, .home = dir.path(), .dmi = dir.path() / "dmi"};
    TRY(auto how, sign_in_of(config, {}, place));
    return how(Ctx{});
  }
  std::string file(const std::string& name, const std::string& text) {
    must(write_file(dir.path() / name, text));
    return (dir.path() / name).native();
  }

  cloud::FakeCloud fake;
  TempDir dir = must(TempDir::make());
  std::map<std::string, std::string> env, given;
};

TEST_F(SignIn, EksByAPresignedQuestion) {
  env = {{"AWS_ACCESS_KEY_ID", "AKIA"}, {"AWS_SECRET_ACCESS_KEY", "s"}};
  auto credential = must(sign_in({"aws", "--cluster-name", "west"}, "https://AB.gr7.eu-west-1.eks.amazonaws.com"));
  ASSERT_TRUE(credential.token.starts_with("k8s-aws-v1."));
  EXPECT_EQ(credential.token.find_first_of("=+/"), std::string::npos);
  auto url = must(from_base64(credential.token.substr(11)));
  EXPECT_TRUE(
      url.starts_with("https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-"))
      << url;
  EXPECT_TRUE(url.contains("X-Amz-Expires=60") && url.contains("X-Amz-SignedHeaders=host%3Bx-k8s-aws-id")) << url;
  EXPECT_TRUE(credential.until);
  given = {{"AWS_REGION", "us-west-2"}};
  credential = must(sign_in({"aws", "--cluster-name=west"}, "https://AB.gr7.eu-west-1.eks.amazonaws.com"));
  EXPECT_TRUE(must(from_base64(credential.token.substr(11))).starts_with("https://sts.us-west-2."))
      << "the Secret's env";
}

TEST_F(SignIn, EksAsARole) {
  fake.answers["POST /"] = {200,
                            "<R><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
                            "<SessionToken>t</SessionToken></R>"};
  env = {{"AWS_ACCESS_KEY_ID", "AKIA"}, {"AWS_SECRET_ACCESS_KEY", "s"}, {"AWS_ENDPOINT_URL_STS", fake.url()}};
  auto token = must(sign_in({"aws", "--cluster-name", "west", "--role-arn", "arn:aws:iam::1:role/r"})).token;
  EXPECT_TRUE(fake.asked().at(0).body.contains("Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"))
      << fake.asked().at(0).body;
  auto url = must(from_base64(token.substr(11)));
  EXPECT_TRUE(url.contains("X-Amz-Credential=ASIA%2F") && url.contains("X-Amz-Security-Token=t&")) << url;
}

TEST_F(SignIn, Gke) {
  fake.answers["GET /computeMetadata/v1/instance/service-accounts/default/token"] = {
      200, R"({"access_token":"ya29","expires_in":3600})"};
  env = {{"GCE_METADATA_HOST", fake.url().substr(7)}};
  auto credential = must(sign_in({"gcp"}));
  EXPECT_EQ(credential.token, "ya29");
  EXPECT_GT(*credential.until, Ctx{}.clock->wall() + std::chrono::minutes(50));
}

TEST_F(SignIn, Aks) {
  fake.answers["POST /ten/oauth2/v2.0/token"] = {200, R"({"access_token":"ey.aks","expires_in":3599})"};
  env = {{"AZURE_CLIENT_ID", "app"},
         {"AZURE_TENANT_ID", "ten"},
         {"AZURE_FEDERATED_TOKEN_FILE", file("token", "ey.pod")},
         {"AZURE_AUTHORITY_HOST", fake.url() + "/"}};
  EXPECT_EQ(must(sign_in({"azure"})).token, "ey.aks");
  auto body = fake.asked().at(0).body;
  EXPECT_TRUE(body.contains("scope=6dae42f8-4368-4678-94ff-3960e28e3630%2F.default") &&
              body.contains("client_assertion=ey.pod"))
      << body;
}

TEST_F(SignIn, WhatIsWrong) {
  auto why = [&](std::vector<std::string> args) { return sign_in(std::move(args)).error().what(); };
  EXPECT_EQ(why({"aws"}), "argocd-k8s-auth aws: want --cluster-name NAME (awsAuthConfig.clusterName)");
  EXPECT_EQ(why({"aws", "--cluster-name"}),
            "argocd-k8s-auth aws: want --cluster-name NAME (awsAuthConfig.clusterName)");
  EXPECT_EQ(why({"oracle"}), "argocd-k8s-auth \"oracle\": want aws, gcp or azure");
  EXPECT_TRUE(why({"gcp"}).contains("nothing here signs in to Google"));
  EXPECT_TRUE(why({"azure"}).contains("nothing here signs in to Azure"));
  EXPECT_TRUE(why({"aws", "--cluster-name", "w"}).contains("nothing here signs in to AWS"));
}

TEST(SignInPrograms, RunOnlyWhenTheyWereNamed) {
  kube::Kubeconfig config;
  EXPECT_FALSE(must(sign_in_of(config, {})));
  auto may = [&](std::string command, std::set<std::string> programs) {
    config.program = kube::SignInProgram{.command = std::move(command)};
    auto how = sign_in_of(config, programs);
    return how.has_value() && *how;
  };
  EXPECT_FALSE(may("kubelogin", {}));
  EXPECT_TRUE(may("kubelogin", {"kubelogin"}));
  EXPECT_FALSE(may("/tmp/kubelogin", {"kubelogin"})) << "another file of that name";
  EXPECT_TRUE(may("/opt/kubelogin", {"/opt/kubelogin"}));
}

}  // namespace
}  // namespace slipway::gitops
