// Actions that talk to services of others: GitHub's API, AWS, Google and Azure. The other side is a fake that answers
// as their published contracts say; nothing here has been in touch with the services themselves.
#include "base/encode.h"
#include "ci/actions/coverage.h"
#include "ci/actions/testing.h"
#include "ci/service.h"
#include "doc/json.h"
#include "doc/view.h"
#include "net/http.h"
#include "net/jwt.h"
#include "net/server.h"

namespace slipway::ci {
namespace {

// Answers what a table says, and remembers what was asked.
class FakeService {
 public:
  struct Asked {
    std::string line, authorization, type, body;
  };
  FakeService() {
    server_ = must(net::Server::start({.threads = 2}, [this](const Ctx& ctx, net::Request& request) {
      Asked one{request.method + " " + request.path, std::string(request.headers.get_or("authorization", "")),
                std::string(request.headers.get_or("content-type", "")), request.read_body(ctx, 1 << 20).value_or("")};
      if (!request.query_of("name").empty()) one.line += "?name=" + request.query_of("name");
      auto found = answers.find(one.line);
      auto status = found == answers.end() ? 404 : found->second.first;
      auto body = found == answers.end() ? std::string(R"({"message":"Not Found"})") : found->second.second;
      asked.lock()->push_back(std::move(one));
      return net::Response::text(status, replace_all(body, "SELF", "http://" + server_->address()), "application/json");
    }));
  }
  std::string url() const { return "http://" + server_->address(); }
  std::string lines() {
    std::string out;
    for (auto& one : *asked.lock()) out += (out.empty() ? "" : ", ") + one.line;
    return out;
  }
  Asked at(std::size_t i) { return asked.lock()->at(i); }

  std::map<std::string, std::pair<int, std::string>> answers;
  Guarded<std::vector<Asked>> asked;

 private:
  std::unique_ptr<net::Server> server_;
};

class OtherServices : public ActionsTest {
 protected:
  OtherServices() {
    service = must(
        JobService::open({.blobs = blobs.get(), .cache = cache.get(), .key_file = dir.path() / "key", .url = [](bool) {
                            return "http://house.example";
                          }}));
    options.service = service.get();
    options.server_url = "http://house.example";
    event.repository = "acme/shop", event.owner = "acme";
  }
  Ran job(const std::string& steps, const std::string& env, const std::string& permissions = "{id-token: write}") {
    std::string indented;
    for (auto line : lines(steps)) indented += "      " + std::string(line) + "\n";
    return run("on: push\npermissions: " + permissions + "\nenv: " + env +
               "\njobs:\n  j:\n    runs-on: x\n    steps:\n" + indented);
  }
  doc::Value claims(const std::string& token) {
    auto key = must(net::SigningKey::load(must(read_file(dir.path() / "key-rsa"))));
    return must(doc::parse_json(must(key.verify(token))));
  }
  static std::string field_of(const std::string& form, std::string_view name) {
    return net::query_value(net::parse_query(form), name);
  }
  FakeService fake;
  std::unique_ptr<JobService> service;
};

// ---- GitHub Apps

const std::string app_step =
    "- uses: actions/create-github-app-token@v2\n"
    "  id: t\n"
    "  with: {app-id: 7, private-key: '${{ secrets.KEY }}', repositories: 'shop,acme/web', owner: acme, "
    "permission-issues: write}\n"
    "- run: echo \"got ${{ steps.t.outputs.app-slug }} ${{ steps.t.outputs.installation-id }}\"\n"
    "- run: test \"${{ steps.t.outputs.token }}\" = ghs_secret\n";

TEST_F(OtherServices, ATokenOfAGitHubApp) {
  auto pem = must(net::make_signing_key(net::KeyKind::rsa2048));
  options.secrets["KEY"] = replace_all(pem, "\n", "\\n");
  fake.answers["GET /repos/acme/shop/installation"] = {200, R"({"id":42,"app_slug":"helper"})"};
  fake.answers["POST /app/installations/42/access_tokens"] = {
      201, R"({"token":"ghs_secret","expires_at":"2030-01-01T00:00:00Z"})"};
  fake.answers["DELETE /installation/token"] = {204, ""};
  auto r = job(app_step, fmt::format("{{GITHUB_API_URL: '{}'}}", fake.url()));
  ASSERT_EQ(r.conclusions(), "j=success") << r.words << r.output;
  EXPECT_TRUE(r.output.contains("got helper 42")) << r.output;
  EXPECT_FALSE((r.output + r.words).contains("ghs_secret"));
  EXPECT_EQ(fake.lines(),
            "GET /repos/acme/shop/installation, POST /app/installations/42/access_tokens, DELETE /installation/token");
  auto jwt = fake.at(0).authorization.substr(7);
  auto key = must(net::SigningKey::load(pem));
  auto said = must(doc::parse_json(must(key.verify(jwt))));
  EXPECT_EQ(said.str_at({"iss"}), "7");
  EXPECT_LE(doc::View(said)["exp"].num_or(0) - doc::View(said)["iat"].num_or(0), 600);
  EXPECT_EQ(fake.at(1).body, R"({"permissions":{"issues":"write"},"repositories":["shop","web"]})");
  EXPECT_EQ(fake.at(2).authorization, "Bearer ghs_secret");
}

struct Refusal {
  const char* name;
  const char* step;
  const char* env;
  const char* want;
};
class Refused : public OtherServices, public testing::WithParamInterface<Refusal> {};
TEST_P(Refused, Says) {
  options.secrets["KEY"] = must(net::make_signing_key());
  auto r = job(std::string("- uses: ") + GetParam().step + "\n", replace_all(GetParam().env, "FAKE", fake.url()), "{}");
  EXPECT_EQ(r.conclusions(), "j=failure") << r.words;
  EXPECT_TRUE(r.words.contains(GetParam().want)) << r.words;
}
INSTANTIATE_TEST_SUITE_P(
    Table, Refused,
    testing::ValuesIn(std::to_array<Refusal>({
        {"AppNoApi", "actions/create-github-app-token@v2\n  with: {app-id: 7, private-key: x}", "{}",
         "none is known here"},
        {"AppNoKey", "actions/create-github-app-token@v2\n  with: {app-id: 7, private-key: nonsense}",
         "{GITHUB_API_URL: FAKE}", "want an RSA key in PEM"},
        {"AppOtherKey", "actions/create-github-app-token@v2\n  with: {app-id: 7, private-key: '${{ secrets.KEY }}'}",
         "{GITHUB_API_URL: FAKE}", "want an RSA key in PEM"},
        {"AwsNoIdentity",
         "aws-actions/configure-aws-credentials@v5\n  with: {aws-region: eu-west-1, role-to-assume: "
         "'arn:aws:iam::123456789012:role/x'}",
         "{AWS_ENDPOINT_URL_STS: FAKE}", "write permissions: {id-token: write}"},
        {"AwsNothing", "aws-actions/configure-aws-credentials@v5\n  with: {aws-region: eu-west-1}", "{}",
         "neither role-to-assume nor aws-access-key-id is given"},
        {"AwsRegion", "aws-actions/configure-aws-credentials@v5\n  with: {aws-region: 'x/../y'}", "{}",
         "Region is not valid"},
        {"AwsRole", "aws-actions/configure-aws-credentials@v5\n  with: {aws-region: eu-west-1, role-to-assume: deploy}",
         "{}", "want arn:aws:iam::ACCOUNT:role/NAME"},
        {"GoogleBoth", "google-github-actions/auth@v3", "{}", "must specify exactly one of"},
        {"GoogleProvider", "google-github-actions/auth@v3\n  with: {workload_identity_provider: x}", "{}",
         "want projects/NUMBER/locations/global/"},
        {"AzureNothing", "azure/login@v2", "{}", "Ensure 'client-id' and 'tenant-id' are supplied"},
        {"ReleaseNoTag", "softprops/action-gh-release@v2", "{}", "GitHub Releases requires a tag"},
        {"ReleaseTag", "softprops/action-gh-release@v2\n  with: {tag_name: '../x'}", "{}", "is no name for a tag"},
        {"UploadUrl",
         "actions/upload-release-asset@v1\n  with: {upload_url: x, asset_path: f, asset_name: f, "
         "asset_content_type: a/b}",
         "{}", "asset_path: no such file f"},
        {"Pages", "actions/deploy-pages@v4", "{}", "No artifacts named \"github-pages\""},
        {"Cosign", "sigstore/cosign-installer@v3\n  with: {cosign-release: v2.4.1}", "{}",
         "cosign is not installed where this job runs"},
        {"CosignMain", "sigstore/cosign-installer@v3\n  with: {cosign-release: main}", "{}", "nothing is built"},
        {"NoTool", "taiki-e/install-action@v2", "{}", "Input required and not supplied: tool"},
        {"Goreleaser", "goreleaser/goreleaser-action@v6\n  with: {args: release}", "{}",
         "goreleaser is not installed where this job runs"},
    })),
    [](auto& case_of) { return case_of.param.name; });

// ---- releases

TEST_F(OtherServices, AReleaseOnGitHub) {
  file("dist/a.tar.gz", "aaa"), file("dist/b.txt", "b");
  event.ref = "refs/tags/v1.2.0";
  options.secrets["GITHUB_TOKEN"] = "tok";
  fake.answers["POST /repos/acme/shop/releases"] = {
      201, R"({"id":9,"html_url":"http://x/9","upload_url":"SELF/up/9/assets{?name,label}","assets":[]})"};
  for (auto* name : {"a.tar.gz", "b.txt"})
    fake.answers[std::string("POST /up/9/assets?name=") + name] = {201, R"({"browser_download_url":"http://x/f"})"};
  auto r =
      job("- uses: actions/checkout@v4\n- uses: softprops/action-gh-release@v2\n  id: r\n  with: {files: "
          "\"dist/*\\nnone*\", "
          "body: text, generate_release_notes: true}\n- run: echo \"${{ steps.r.outputs.url }} ${{ steps.r.outputs.id "
          "}}\"\n",
          fmt::format("{{GITHUB_API_URL: '{}/'}}", fake.url()));
  ASSERT_EQ(r.conclusions(), "j=success") << r.words;
  EXPECT_TRUE(r.output.contains("http://x/9 9")) << r.output;
  EXPECT_TRUE(r.words.contains("Pattern 'none*' does not match any files."));
  EXPECT_EQ(fake.lines(),
            "GET /repos/acme/shop/releases/tags/v1.2.0, POST /repos/acme/shop/releases, POST "
            "/up/9/assets?name=a.tar.gz, POST /up/9/assets?name=b.txt");
  auto body = must(doc::parse_json(fake.at(1).body));
  EXPECT_EQ(body.str_at({"tag_name"}) + body.str_at({"name"}) + body.str_at({"body"}), "v1.2.0v1.2.0text");
  EXPECT_EQ(fake.at(2).type + " " + fake.at(2).body + " " + fake.at(2).authorization,
            "application/gzip aaa Bearer tok");
}

TEST_F(OtherServices, AReleaseOfThisHouse) {
  file("dist/a.txt", "aaa"), file("dist/b.txt", "b");
  auto r =
      job("- uses: actions/checkout@v4\n"
          "- uses: actions/create-release@v1\n  id: r\n  with: {tag_name: v2, release_name: Two, body: text}\n"
          "- uses: actions/upload-release-asset@v1\n"
          "  with: {upload_url: '${{ steps.r.outputs.upload_url }}', asset_path: dist/a.txt, asset_name: first.txt, "
          "asset_content_type: text/plain}\n"
          "- uses: softprops/action-gh-release@v2\n  with: {tag_name: v2, files: dist/b.txt}\n"
          "- uses: actions/download-artifact@v4\n  with: {name: release v2, path: got}\n"
          "- run: cat got/first.txt got/b.txt got/release.json\n"
          "- uses: ncipollo/release-action@v1\n  with: {tag: v2, skipIfReleaseExists: true}\n"
          "- uses: ncipollo/release-action@v1\n  with: {tag: v2}\n",
          "{}");
  EXPECT_EQ(r.conclusions(), "j=failure");
  EXPECT_TRUE(r.output.contains("aaab")) << r.output << r.words;
  EXPECT_TRUE(r.output.contains("\"tag\": \"v2\"")) << r.output;
  EXPECT_TRUE(r.words.contains("release v2 is already there, and may not be changed")) << r.words;
  ASSERT_EQ(r.job("j").artifacts.size(), 1u);
  EXPECT_EQ(r.job("j").artifacts[0].name, "release v2");
}

// ---- clouds

TEST_F(OtherServices, ARoleOfAwsByIdentity) {
  fake.answers["POST /"] = {
      200,
      "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAX</"
      "AccessKeyId>"
      "<SecretAccessKey>hush</SecretAccessKey><SessionToken>session</SessionToken><Expiration>2030-01-01T00:00:00Z"
      "</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"};
  auto r = job(
      "- uses: aws-actions/configure-aws-credentials@v5\n  id: a\n"
      "  with: {aws-region: eu-west-1, role-to-assume: 'arn:aws:iam::123456789012:role/deploy'}\n"
      "- run: test \"$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_SESSION_TOKEN $AWS_REGION\" = \"ASIAX hush session "
      "eu-west-1\"\n- run: echo account ${{ steps.a.outputs.aws-account-id }}, $AWS_SECRET_ACCESS_KEY\n",
      fmt::format("{{AWS_ENDPOINT_URL_STS: '{}'}}", fake.url()));
  ASSERT_EQ(r.conclusions(), "j=success") << r.words;
  EXPECT_TRUE(r.output.contains("account 123456789012, ***")) << r.output;
  auto form = fake.at(0).body;
  EXPECT_EQ(field_of(form, "Action") + " " + field_of(form, "Version") + " " + field_of(form, "RoleArn") + " " +
                field_of(form, "RoleSessionName"),
            "AssumeRoleWithWebIdentity 2011-06-15 arn:aws:iam::123456789012:role/deploy GitHubActions");
  auto said = claims(field_of(form, "WebIdentityToken"));
  EXPECT_EQ(said.str_at({"aud"}) + " " + said.str_at({"sub"}), "sts.amazonaws.com repo:acme/shop:ref:refs/heads/main");
  EXPECT_EQ(said.str_at({"job_workflow_ref"}), "acme/shop/w.yml@refs/heads/main");
}

TEST_F(OtherServices, AwsSaysNo) {
  fake.answers["POST /"] = {
      403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized</Message></Error></ErrorResponse>"};
  auto r =
      job("- uses: aws-actions/configure-aws-credentials@v5\n"
          "  with: {aws-region: eu-west-1, role-to-assume: 'arn:aws:iam::1:role/x', aws-access-key-id: AKIA, "
          "aws-secret-access-key: hush}\n",
          fmt::format("{{AWS_ENDPOINT_URL_STS: '{}'}}", fake.url()), "{}");
  EXPECT_EQ(r.conclusions(), "j=failure");
  EXPECT_TRUE(r.words.contains("403 AccessDenied: Not authorized")) << r.words;
  EXPECT_EQ(field_of(fake.at(0).body, "Action"), "AssumeRole");
  EXPECT_TRUE(fake.at(0).authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIA/")) << fake.at(0).authorization;
}

const std::string provider = "projects/1/locations/global/workloadIdentityPools/pool/providers/house";

TEST_F(OtherServices, ATokenOfGoogle) {
  fake.answers["POST /v1/token"] = {200, R"({"access_token":"federated","token_type":"Bearer","expires_in":3600})"};
  fake.answers["POST /v1/projects/-/serviceAccounts/ci@p.iam.gserviceaccount.com:generateAccessToken"] = {
      200, R"({"accessToken":"ya29.x","expireTime":"2030-01-01T00:00:00Z"})"};
  auto r =
      job("- uses: google-github-actions/auth@v3\n  id: g\n  with: {workload_identity_provider: '" + provider +
              "', service_account: ci@p.iam.gserviceaccount.com, project_id: p, token_format: access_token}\n"
              "- run: test \"${{ steps.g.outputs.access_token }}\" = ya29.x && echo $GOOGLE_CLOUD_PROJECT && cat "
              "$GOOGLE_APPLICATION_CREDENTIALS\n",
          fmt::format(
              "{{CLOUDSDK_API_ENDPOINT_OVERRIDES_STS: '{0}', CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS: '{0}'}}",
              fake.url()));
  ASSERT_EQ(r.conclusions(), "j=success") << r.words;
  auto asked = must(doc::parse_json(fake.at(0).body));
  EXPECT_EQ(asked.str_at({"audience"}), "//iam.googleapis.com/" + provider);
  EXPECT_EQ(claims(asked.str_at({"subjectToken"})).str_at({"aud"}), "https://iam.googleapis.com/" + provider);
  EXPECT_EQ(fake.at(1).authorization, "Bearer federated");
  EXPECT_TRUE(r.output.contains("\"type\":\"external_account\"")) << r.output;
  EXPECT_TRUE(r.output.contains("/results/id-token?api-version=2.0&audience=https%3A%2F%2Fiam")) << r.output;
  EXPECT_TRUE(r.output.contains("p\n"));
}

TEST_F(OtherServices, AKeyOfGoogle) {
  fake.answers["POST /token"] = {200, R"({"access_token":"by-key"})"};
  fake.answers["POST /v1/projects/-/serviceAccounts/ci@p.iam:generateIdToken"] = {200, R"({"token":"idt"})"};
  auto pem = must(net::make_signing_key(net::KeyKind::rsa2048));
  options.secrets["G"] = doc::print_json(doc::Map{
      {"client_email", "ci@p.iam"}, {"private_key", pem}, {"project_id", "p"}, {"token_uri", fake.url() + "/token"}});
  auto r = job(
      "- uses: google-github-actions/auth@v3\n  id: g\n  with: {credentials_json: '${{ secrets.G }}', token_format: "
      "id_token, id_token_audience: x}\n- run: test \"${{ steps.g.outputs.id_token }}\" = idt\n",
      fmt::format("{{CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS: '{}'}}", fake.url()), "{}");
  ASSERT_EQ(r.conclusions(), "j=success") << r.words;
  auto key = must(net::SigningKey::load(pem));
  auto said = must(doc::parse_json(must(key.verify(field_of(fake.at(0).body, "assertion")))));
  EXPECT_EQ(said.str_at({"sub"}) + said.str_at({"aud"}), "ci@p.iam" + fake.url() + "/token");
}

TEST_F(OtherServices, AzureSignsInByAz) {
  own_path();
  auto az = dir.path() / "bin/az";
  must(make_dirs(az.parent_path()));
  must(write_file(az, "#!/bin/sh\necho \"az $*\"\n", 0755));
  auto r =
      job("- uses: azure/login@v2\n  with: {client-id: c, tenant-id: t, subscription-id: s}\n"
          "- uses: azure/login@v2\n  with: {creds: '{\"clientId\":\"c2\",\"clientSecret\":\"hush\",\"tenantId\":\"t2\","
          "\"subscriptionId\":\"s2\"}'}\n",
          "{}");
  ASSERT_EQ(r.conclusions(), "j=success") << r.words;
  EXPECT_TRUE(r.output.contains("az cloud set -n AzureCloud")) << r.output;
  EXPECT_TRUE(r.output.contains("az login --service-principal --username c --tenant t --federated-token ***"))
      << r.output;
  EXPECT_TRUE(r.output.contains("az account set --subscription s")) << r.output;
  EXPECT_TRUE(r.output.contains("--username c2 --tenant t2 --password=***")) << r.output;
  EXPECT_FALSE((r.output + r.words).contains("hush"));
}

// ---- tools, pages

TEST_F(OtherServices, ToolsThatAreThere) {
  own_path();
  tool("bin/cosign", "GitVersion: v2.4.1"), tool("bin/cargo-nextest", "cargo-nextest 0.9.80");
  tool("bin/goreleaser", "goreleaser 2.4.0");
  auto r =
      job("- uses: sigstore/cosign-installer@v3\n  with: {cosign-release: v2.4.1}\n"
          "- uses: taiki-e/install-action@nextest\n- uses: taiki-e/install-action@v2\n  with: {tool: "
          "'nextest@0.9,cosign'}\n"
          "- uses: goreleaser/goreleaser-action@v6\n  with: {args: release --clean}\n",
          "{}");
  ASSERT_EQ(r.conclusions(), "j=success") << r.words;
  EXPECT_TRUE(r.words.contains("goreleaser' release --clean")) << r.words;
}

TEST_F(OtherServices, ASiteIsKept) {
  file("_site/index.html", "<p>");
  auto r =
      job("- uses: actions/checkout@v4\n- uses: actions/configure-pages@v5\n  id: p\n- uses: "
          "actions/upload-pages-artifact@v3\n"
          "- run: echo ${{ steps.p.outputs.base_path }}\n- uses: actions/deploy-pages@v4\n",
          "{}");
  EXPECT_TRUE(r.output.contains("/pages/acme/shop")) << r.output;
  EXPECT_TRUE(r.words.contains("this house does not serve sites")) << r.words;
  EXPECT_EQ(r.job("j").artifacts.at(0).name, "github-pages");
}

// ---- coverage

struct Report {
  const char* name;
  const char* text;
  const char* want;
};
class Coverage : public testing::TestWithParam<Report> {};
TEST_P(Coverage, Reads) {
  auto report = parse_coverage(GetParam().text, "r");
  std::string got;
  if (!report) got = report.error().what();
  if (report)
    for (auto& [file, count] : report->files) got += fmt::format("{} {}/{} ", file, count.covered, count.total);
  EXPECT_EQ(trim(got), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Table, Coverage,
    testing::ValuesIn(std::to_array<Report>({
        {"Lcov", "TN:\nSF:a.c\nDA:1,2\nDA:2,0\nDA:2,1\nLF:9\nend_of_record\nSF:b.c\nend_of_record\n",
         "a.c 2/2 b.c 0/0"},
        {"LcovWrong", "SF:a.c\nDA:x\n", "r:2: \"DA:x\", want DA:LINE,COUNT"},
        {"LcovNoFile", "DA:1,1\nSF:a\n", "r:1: DA: without an SF: before it"},
        {"Go", "mode: set\na/b.go:1.2,3.4 2 1\na/b.go:4.2,5.4 3 0\na/b.go:4.2,5.4 3 0\n", "a/b.go 2/5"},
        {"GoWrong", "mode: set\na/b.go 2\n", "r:2: \"a/b.go 2\", want FILE:FROM,TO STATEMENTS COUNT"},
        {"Cobertura",
         "<?xml version='1.0'?><!DOCTYPE coverage SYSTEM \"x\"><coverage line-rate=\"0.5\"><class name='A' "
         "filename=\"a.py\"><methods><method><lines><line number='9' hits='1'/></lines></method></methods><lines><line "
         "number=\"1\" hits=\"1\"/><line number='2' hits='0'/></lines></class></coverage>",
         "a.py 1/2"},
        {"JaCoCo",
         "<report name='x'><package name='a/b'><class name='C'><counter type='LINE' missed='9' covered='9'/></class>"
         "<sourcefile name='C.java'><counter type='INSTRUCTION' missed='9' covered='9'/><counter type='LINE' "
         "missed='1' "
         "covered='3'/></sourcefile></package></report>",
         "a/b/C.java 3/4"},
        {"Clover",
         "<coverage generated=\"1\"><project><file name=\"b.js\" path=\"/a/b.js\"><line num=\"1\" count=\"0\"/><line "
         "num=\"2\" count=\"4\"/></file></project></coverage>",
         "/a/b.js 1/2"},
        {"OpenTag", "<coverage line-rate='1'><class", "r:1: a tag is not closed"},
        {"Other", "{}", "r:1: want lcov, Cobertura, JaCoCo, Clover or a profile of Go"},
    })),
    [](auto& case_of) { return case_of.param.name; });

TEST_F(OtherServices, CoverageIsInTheSummary) {
  file("lcov.info", "SF:a.c\nDA:1,2\nDA:2,0\nend_of_record\n");
  auto r = job("- uses: actions/checkout@v4\n- uses: codecov/codecov-action@v5\n", "{}");
  ASSERT_EQ(r.conclusions(), "j=success") << r.words;
  EXPECT_TRUE(r.job("j").summary.contains("Coverage: 50.00 %")) << r.job("j").summary;
  EXPECT_TRUE(r.job("j").summary.contains("| a.c | 50.0 % | 2 | 1 |")) << r.job("j").summary;
  EXPECT_EQ(r.job("j").coverage, 50.0);
}

// ---- artifacts that are no archive

TEST_F(OtherServices, AFileAsItIs) {
  file("page.html", "<p>");
  auto r =
      job("- uses: actions/checkout@v4\n- uses: actions/upload-artifact@v7\n  with: {path: page.html, archive: false}\n"
          "- uses: actions/download-artifact@v7\n  with: {name: page.html, path: got}\n- run: cat got/page.html\n",
          "{}");
  ASSERT_EQ(r.conclusions(), "j=success") << r.words;
  EXPECT_TRUE(r.output.contains("<p>")) << r.output;
  EXPECT_EQ(must(blobs->read(r.job("j").artifacts.at(0).digest)), "<p>");
}

// ---- who a job is

TEST_F(OtherServices, ACalledWorkflowHasWhatItsCallerHas) {
  std::string last;
  auto token = [&](const std::string& caller, const std::string& called) {
    fake.asked.lock()->clear();
    fake.answers["POST /"] = {200, "<AccessKeyId>A</AccessKeyId><SecretAccessKey>S</SecretAccessKey>"};
    file("called.yml", "on: workflow_call\n" + called + "env: {AWS_ENDPOINT_URL_STS: '" + fake.url() +
                           "'}\njobs:\n  k:\n    runs-on: x\n    environment: prod:1\n    steps:\n      - uses: "
                           "aws-actions/configure-aws-credentials@v5\n        with: {aws-region: eu-west-1, "
                           "role-to-assume: 'arn:aws:iam::1:role/x'}\n");
    auto r = run("name: Top\non: push\njobs:\n  j:\n    uses: ./called.yml\n" + caller);
    auto all = *fake.asked.lock();
    auto asked = all.empty() ? std::string() : all[0].body;
    if (asked.empty()) last = r.words;
    return asked.empty() ? "none" : field_of(asked, "WebIdentityToken");
  };
  const std::string write = "permissions: {id-token: write}\n", read = "permissions: {contents: read}\n";
  auto granted = token("    " + write, "");
  ASSERT_NE(granted, "none") << last;
  auto said = claims(granted);
  EXPECT_EQ(said.str_at({"sub"}), "repo:acme/shop:environment:prod%3A1");
  EXPECT_EQ(said.str_at({"job_workflow_ref"}) + " " + said.str_at({"workflow_ref"}) + " " + said.str_at({"workflow"}),
            "acme/shop/called.yml@refs/heads/main acme/shop/w.yml@refs/heads/main Top");
  EXPECT_NE(token("    " + write, write), "none");
  EXPECT_EQ(token("    " + write, read), "none");
  EXPECT_EQ(token("", ""), "none");
  event.trusted = false;
  EXPECT_EQ(token("    " + write, ""), "none");
}

}  // namespace
}  // namespace slipway::ci
