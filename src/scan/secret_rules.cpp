// The formats. Each is what its provider documents as the shape of its keys.
#include "scan/secrets.h"

namespace slipway::scan {
namespace {

using Check = SecretRule::Check;

constexpr SecretRule rules[] = {
    {"private-key", "a private key", "private key",
     R"((?s)-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\\n|[\sA-Za-z0-9+/=:,.\\-]){24,}?-----END)"},
    {"aws-access-key", "an AWS access key id", "akia asia abia acca", R"(\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})\b)"},
    {"aws-secret-key", "an AWS secret access key", "aws secret_access_key secretaccesskey",
     R"((?i:aws.{0,20}?(?:secret|sk)|secret_?access_?key).{0,20}?['"\s:=]([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$))",
     3.7},
    {"github-token", "a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", R"(\b(gh[pousr]_[A-Za-z0-9]{36,251})\b)", 2.5},
    {"github-fine-grained-token", "a GitHub fine-grained token", "github_pat_",
     R"(\b(github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b)", 2.5},
    {"gitlab-token", "a GitLab token", "glpat- gldt- glrt- glptt- glcbt- glft- glsoat- glimt- glagent- gloas-",
     R"(\b(gl(?:pat|dt|rt|ptt|cbt|ft|soat|imt|agent|oas)-[A-Za-z0-9_\-]{20,100}(?:\.[0-9a-z.]{9,20})?))", 2.5},
    {"slack-token", "a Slack token", "xox", R"(\b(xox[abeoprs]-(?:[A-Za-z0-9]+-){1,4}[A-Za-z0-9]{10,72}))", 2.5},
    {"slack-app-token", "a Slack app token", "xapp-", R"(\b(xapp-\d-[A-Z0-9]{8,15}-\d{8,15}-[a-z0-9]{40,80})\b)"},
    {"slack-webhook", "a Slack webhook", "hooks.slack.com",
     R"((https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{40,60}))"},
    {"stripe-key", "a Stripe key", "sk_live_ rk_live_ sk_test_ rk_test_ sk_prod_ whsec_",
     R"(\b((?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{16,247}|whsec_[A-Za-z0-9+/=]{32,64}))", 2.5},
    {"google-api-key", "a Google API key", "aiza", R"(\b(AIza[A-Za-z0-9_\-]{35})(?:[^A-Za-z0-9_\-]|$))", 3},
    {"google-oauth-secret", "a Google OAuth client secret", "gocspx-",
     R"(\b(GOCSPX-[A-Za-z0-9_\-]{28})(?:[^A-Za-z0-9_\-]|$))"},
    {"google-refresh-token", "a Google OAuth token", "ya29.", R"(\b(ya29\.[A-Za-z0-9_\-]{40,}))"},
    {"npm-token", "an npm token", "npm_", R"(\b(npm_[A-Za-z0-9]{36})\b)", 2.5},
    {"npmrc-auth", "an npm registry password", "_authtoken _password",
     R"((?i)_(?:authToken|password)\s*=\s*([A-Za-z0-9+/=_\-]{16,}))", 2.5},
    {"pypi-token", "a PyPI token", "pypi-ageichlwas5vcmc", R"((pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_\-]{50,1000}))"},
    {"rubygems-token", "a RubyGems key", "rubygems_", R"(\b(rubygems_[a-f0-9]{48})\b)"},
    {"crates-token", "a crates.io token", "cio", R"(\b(cio[A-Za-z0-9]{32})\b)", 3},
    {"docker-token", "a Docker Hub token", "dckr_pat_ dckr_oat_", R"(\b(dckr_[po]at_[A-Za-z0-9_\-]{27,32}))"},
    {"docker-auth", "registry credentials", "auth", R"re("auth"\s*:\s*"([A-Za-z0-9+/]{16,}={0,2})")re", 3},
    {"openai-key", "an OpenAI key", "t3blbkfj sk-proj- sk-svcacct-",
     R"(\b(sk-(?:(?:proj|svcacct|admin)-)?[A-Za-z0-9_\-]{20,160}T3BlbkFJ[A-Za-z0-9_\-]{20,160}))"},
    {"anthropic-key", "an Anthropic key", "sk-ant-", R"(\b(sk-ant-[a-z0-9]{3,8}-[A-Za-z0-9_\-]{80,120}))"},
    {"huggingface-token", "a Hugging Face token", "hf_", R"(\b(hf_[A-Za-z]{34})\b)", 3},
    {"sendgrid-key", "a SendGrid key", "sg.", R"(\b(SG\.[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43}))"},
    {"mailgun-key", "a Mailgun key", "key-", R"(\b(key-[a-f0-9]{32})\b)", 3},
    {"twilio-key", "a Twilio key", "sk", R"(\b(SK[a-f0-9]{32})\b)", 3},
    {"square-token", "a Square token", "sq0atp- sq0csp- eaaa",
     R"(\b(sq0(?:atp|csp)-[A-Za-z0-9_\-]{22,43}|EAAA[A-Za-z0-9_\-]{60}))", 3},
    {"shopify-token", "a Shopify token", "shpat_ shpca_ shppa_ shpss_", R"(\b(shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32})\b)"},
    {"digitalocean-token", "a DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", R"(\b(do[por]_v1_[a-f0-9]{64})\b)"},
    {"databricks-token", "a Databricks token", "dapi", R"(\b(dapi[a-f0-9]{32}(?:-\d)?)\b)"},
    {"hashicorp-vault-token", "a Vault token", "hvs. hvb. hvr.", R"(\b(hv[sbr]\.[A-Za-z0-9_\-]{24,300}))", 3},
    {"terraform-token", "a Terraform Cloud token", "atlasv1", R"(\b([A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_\-]{60,70}))"},
    {"pulumi-token", "a Pulumi token", "pul-", R"(\b(pul-[a-f0-9]{40})\b)"},
    {"grafana-token", "a Grafana token", "glsa_ glc_",
     R"(\b(glsa_[A-Za-z0-9]{32}_[a-fA-F0-9]{8}|glc_[A-Za-z0-9+/]{32,400}={0,3}))", 3},
    {"newrelic-key", "a New Relic key", "nrak-", R"(\b(NRAK-[A-Z0-9]{27})\b)"},
    {"linear-key", "a Linear key", "lin_api_", R"(\b(lin_api_[A-Za-z0-9]{40})\b)"},
    {"atlassian-token", "an Atlassian token", "atatt3", R"(\b(ATATT3[A-Za-z0-9_\-=]{186}))"},
    {"telegram-token", "a Telegram bot token", "telegram bot",
     R"((?i:telegram|bot).{0,40}?\b(\d{8,10}:AA[A-Za-z0-9_\-]{33})(?:[^A-Za-z0-9_\-]|$))"},
    {"azure-storage-key", "an Azure storage key", "accountkey", R"(AccountKey=([A-Za-z0-9+/]{86}==))"},
    {"azure-client-secret", "an Azure client secret", "q~",
     R"((?:^|['"=\s>:])([A-Za-z0-9_~.\-]{3}\dQ~[A-Za-z0-9_~.\-]{31,34})(?:$|['"\s<]))", 3},
    {"age-secret-key", "an age identity", "age-secret-key-1",
     R"(\b(AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58})\b)"},
    {"jwt", "a signed JSON web token", "eyj",
     R"(\b(eyJ[A-Za-z0-9_\-]{14,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{16,}))", 3, Check::jwt},
    {"url-password", "a password in a URL", "://",
     R"([a-z][a-z0-9+.\-]{1,20}://[^\s:/@'"<>]{0,80}:([^\s:/@'"<>]{3,120})@[A-Za-z0-9\[])", 0, Check::url_password},
    {"generic-secret", "a secret value", "key secret token passw credential auth",
     R"((?i)(?:api_?-?key|access_?-?key|secret|token|passwd|password|credential|private_?-?key|auth_?-?key)[a-z0-9_.\-]{0,20}["']?[ \t]*(?:=>|:=|=|:)[ \t]*["'`]?([A-Za-z0-9_\-/+=.~!@#$%^&*]{10,200}))",
     3.3, Check::generic},
};

}  // namespace

std::span<const SecretRule> secret_rules() { return rules; }

}  // namespace slipway::scan
