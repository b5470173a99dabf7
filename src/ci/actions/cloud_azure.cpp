// azure/login: the `az` of where the job runs signs in, by the job's identity or a secret.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/toolchain.h"
#include "ci/actions/web.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

struct Azure {
  std::string client, tenant, subscription, secret;
};

Result<Azure> azure_of(ActionUse& use) {
  Azure out{use.input("client-id"), use.input("tenant-id"), use.input("subscription-id"), {}};
  if (auto creds = use.input("creds"); !creds.empty()) {
    use.job.add_mask(creds);
    TRY(auto value, doc::parse_json(creds, "creds"));
    auto take = [&](std::string& place, const char* name) {
      if (place.empty()) place = value.str_at({name});
    };
    take(out.client, "clientId"), take(out.tenant, "tenantId"), take(out.subscription, "subscriptionId");
    // What is given by itself wins, and then the identity is used.
    if (use.input("client-id").empty()) out.secret = value.str_at({"clientSecret"});
    if (!out.secret.empty()) use.job.add_mask(out.secret);
  }
  if (auto type = use.input("auth-type", "SERVICE_PRINCIPAL"); type != "SERVICE_PRINCIPAL")
    return fail(Kind::unavailable, "auth-type {}: machines here have no identity of Azure's, want SERVICE_PRINCIPAL",
                type);
  if (out.client.empty() || out.tenant.empty())
    return Fail(Error(Kind::invalid, "Not all values are present. Ensure 'client-id' and 'tenant-id' are supplied.")
                    .with_hint("are these from secrets that a change from outside does not get?"));
  if (out.subscription.empty() && !use.flag("allow-no-subscriptions", false))
    return Fail(Error(Kind::invalid, "Ensure 'subscription-id' is supplied or 'allow-no-subscriptions' is 'true'."));
  return out;
}

}  // namespace

Result<> azure_login(const Ctx& ctx, ActionUse& use) {
  TRY(auto azure, azure_of(use));
  TRY(auto there, output_of(ctx, use, "command -v az"));
  if (!there)
    return Fail(Error(Kind::not_found,
                      "azure/login signs in by az (Azure CLI), which is not installed where this job "
                      "runs")
                    .with_hint("install it on the runner, or run the job in an image that has it (container:)"));
  std::string proof;
  Environment env;  // not on a command line, where other processes would see it
  if (azure.secret.empty()) {
    TRY(env["SLIPWAY_PROOF"], use.job.id_token(ctx, use.input("audience", "api://AzureADTokenExchange")));
    proof = "--federated-token \"$SLIPWAY_PROOF\"";
  } else {
    env["SLIPWAY_PROOF"] = azure.secret;
    proof = "--password=\"$SLIPWAY_PROOF\"";
  }
  auto cloud = lower(use.input("environment", "azurecloud"));
  constexpr std::pair<std::string_view, std::string_view> clouds[] = {{"azurecloud", "AzureCloud"},
                                                                      {"azureusgovernment", "AzureUSGovernment"},
                                                                      {"azurechinacloud", "AzureChinaCloud"},
                                                                      {"azuregermancloud", "AzureGermanCloud"},
                                                                      {"azurestack", "AzureStack"}};
  auto named = std::find_if(std::begin(clouds), std::end(clouds), [&](auto& c) { return c.first == cloud; });
  if (named == std::end(clouds)) return fail(Kind::invalid, "environment: unknown cloud \"{}\"", cloud);
  auto script = fmt::format(
      "az cloud set -n {} --only-show-errors\naz login --service-principal --username {} --tenant {} {} "
      "--output none --only-show-errors{}\n",
      named->second, shell_quoted(azure.client), shell_quoted(azure.tenant), proof,
      azure.subscription.empty() ? " --allow-no-subscriptions" : "");
  if (!azure.subscription.empty())
    script += fmt::format("az account set --subscription {} --only-show-errors\n", shell_quoted(azure.subscription));
  TRY_OK(run_script(ctx, use, script, env));
  use.job.defer("Post " + use.step.id, [&job = use.job](const Ctx& later, StepContext& step) -> Result<> {
    auto code = job.process(later, step, {"sh", "-c", "az account clear --only-show-errors"},
                            job.inside(job.folder().workspace()));
    if (code && *code != 0) job.say(step, "##[warning]az account clear failed");
    return {};
  });
  use.say("Azure CLI login succeeds");
  return {};
}

}  // namespace slipway::ci
