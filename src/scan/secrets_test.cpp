#include "scan/secrets.h"

#include "base/testing/golden.h"
#include "base/text.h"
#include "scan/cvss.h"

namespace slipway::scan {
namespace {

// "@" splits every token of this file, so that the file itself holds none.
std::string whole(std::string_view text) { return replace_all(std::string(text), "@@", ""); }

struct Case {
  const char* name;
  const char* file;
  const char* text;
  const char* rules;  // found, space separated
};
class Secrets : public testing::TestWithParam<Case> {};

TEST_P(Secrets, FindsWhatTheFormatSays) {
  std::vector<std::string> found;
  auto text = whole(GetParam().text);
  for (const auto& f : find_secrets(GetParam().file, text)) found.push_back(f.rule);
  EXPECT_EQ(join(found, " "), GetParam().rules);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Secrets,
    testing::ValuesIn(std::to_array<Case>({
        {"Aws", "a.py", "key = 'AKIA@@QYLPMN5HHHFPZAM2'", "aws-access-key"},
        {"AwsSecret", "c", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY@@ZQTRW5pQ19", "aws-secret-key"},
        {"GitHub", "x.sh", "export T=ghp_@@aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5", "github-token"},
        {"GitLab", "x", "glpat-@@aB3dE5fG7hJ9kL1mN3pQ", "gitlab-token"},
        {"SlackBot", "x", "xoxb-@@123456789012-1234567890123-aB3dE5fG7hJ9kL1mN3pQ5rS7", "slack-token"},
        {"SlackHook", "x", "https://hooks.slack.com/services/@@T00AB12CD/B00EF34GH/aB3dE5fG7hJ9kL1mN3pQ5rS7",
         "slack-webhook"},
        {"Stripe", "x.js", "const k = \"sk_live_@@4eC39HqLyjWDarjtT1zdp7dc\"", "stripe-key"},
        {"Google", "x", "AIza@@SyD3kX9vQwErTyUiOpAsDfGhJkLzXcVb12M", "google-api-key"},
        {"Npm", ".npmrc", "//registry.example/:_authToken=npm_@@aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5", "npm-token"},
        {"PrivateKey", "id",
         "-----BEGIN RSA PRIVATE@@ KEY-----\nMIIEpAIBAAKCAQEA1c7+9z5Pad7OejecsQ0bu\n-----END RSA PRIVATE KEY-----",
         "private-key"},
        {"PrivateKeyInJson", "x.json",
         "{\"k\":\"-----BEGIN PRIVATE@@ KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\\n-----END PRIVATE "
         "KEY-----\"}",
         "private-key"},
        {"PublicKeyIsFine", "id.pub",
         "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----", ""},
        {"Jwt", "x",
         "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9@@.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4ifQ."
         "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
         "jwt"},
        {"UrlPassword", "x.yaml", "db: postgres://shop:h8Kq2vR9@@@db.internal:5432/shop", "url-password"},
        {"UrlPlaceholderIsFine", "x.yaml", "db: postgres://user:password@localhost/x\nu: https://user:${PASS}@host/",
         ""},
        {"GenericQuoted", "x.py", "api_key = \"9f8Kd72hQmZx4Lw0TbYv\"", "generic-secret"},
        {"GenericUnquotedInCodeIsFine", "x.py", "api_key = get_api_key_from_vault1()", ""},
        {"GenericInEnvFile", ".env", "DB_PASSWORD=h8Kq2vR9xZ3mT7w", "generic-secret"},
        {"PlaceholderIsFine", ".env", "API_KEY=your-api-key-here1\nTOKEN=changeme123456\nSECRET=${SECRET_FROM_VAULT}",
         ""},
        {"AllowedOnTheLine", "x.py", "k = 'AKIA@@QYLPMN5HHHFPZAM2'  # slipway:allow-secret test value", ""},
        {"AllowedByTheLineAbove", "x.py", "# slipway:allow-secret\nk = 'AKIA@@QYLPMN5HHHFPZAM2'", ""},
        {"ProseIsFine", "README.md",
         "The token is sent in the header; the secret must be kept. password: see the vault", ""},
        {"HashIsFine", "go.sum", "example.org/x v1.0.0 h1:abcdefGHIJKLMNOPqrstuvwxyz0123456789ABCDEFG=", ""},
        {"BinaryIsSkipped", "x",
         "\x7f"
         "ELF",
         ""},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Secrets, SaysWhereAndNeverWhat) {
  auto secret = whole("ghp_@@aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5");
  auto found = find_secrets("deploy/run.sh", "#!/bin/sh\nset -e\n  T=" + secret + "\n");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].place, (path::Place{"deploy/run.sh", 3, 5}));
  EXPECT_EQ(found[0].message.find(secret.substr(5)), std::string::npos);
  EXPECT_NE(found[0].message.find("ghp_****"), std::string::npos);
  // The fingerprint holds when the line moves.
  EXPECT_EQ(find_secrets("deploy/run.sh", "\n\n\n\nT=" + secret).at(0).fingerprint, found[0].fingerprint);
}

TEST(Secrets, LargeInputWithoutKeywordsIsFast) {
  std::string text;
  for (int i = 0; i < 40000; ++i) text += fmt::format("line {} of quite ordinary prose without anything\n", i);
  auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(find_secrets("big.txt", text).empty());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

TEST(Cvss, ScoresAsTheStandardDoes) {
  // Worked values of the first.org calculators.
  EXPECT_EQ(cvss_score("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), 9.8);
  EXPECT_EQ(cvss_score("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"), 10.0);
  EXPECT_EQ(cvss_score("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"), 6.1);
  EXPECT_EQ(cvss_score("CVSS:3.0/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"), 1.8);
  EXPECT_EQ(cvss_score("CVSS:3.1/AV:N/AC:H/PR:L/UI:N/S:U/C:N/I:N/A:N"), 0.0);
  EXPECT_EQ(cvss_score("AV:N/AC:L/Au:N/C:P/I:P/A:P"), 7.5);
  EXPECT_EQ(cvss_score("CVSS:4.0/AV:N"), std::nullopt);
  EXPECT_EQ(cvss_score("CVSS:3.1/AV:N/AC:L"), std::nullopt);
  EXPECT_EQ(severity_of_score(9.0), path::Severity::critical);
  EXPECT_EQ(severity_of_label("MODERATE"), path::Severity::medium);
}

}  // namespace
}  // namespace slipway::scan
