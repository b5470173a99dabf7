// Rules: argocd-k8s-auth of Argo CD 3.x; the tokens of aws-iam-authenticator ("k8s-aws-v1." and a presigned
// GetCallerIdentity that names the cluster, good for fifteen minutes); GKE takes an access token of Google; AKS one of
// Entra for its server application.
#include "gitops/sign_in.h"

#include "base/encode.h"
#include "base/text.h"
#include "net/http.h"

namespace slipway::gitops {
namespace {

constexpr std::string_view helper = "argocd-k8s-auth", aks_server = "6dae42f8-4368-4678-94ff-3960e28e3630";

// The value of --name VALUE or --name=VALUE.
std::string flag(const kube::SignInProgram& program, std::string_view name) {
  for (std::size_t n = 0; n < program.args.size(); ++n) {
    const auto& arg = program.args[n];
    if (arg == name) return n + 1 < program.args.size() ? program.args[n + 1] : "";
    if (arg.starts_with(name) && arg.size() > name.size() && arg[name.size()] == '=')
      return arg.substr(name.size() + 1);
  }
  return "";
}

// One cloud's sign-in, with what the Secret sets of the environment.
class Built {
 public:
  Built(kube::SignInProgram program, std::string server, const cloud::Place& place)
      : program_(std::move(program)), server_(std::move(server)), place_(place) {
    place_.env = [ours = place.env, given = program_.env](const std::string& name) {
      auto found = given.find(name);
      return found == given.end() ? ours(name) : found->second;
    };
  }
  using Answer = Result<kube::Credential>;

  Answer aws(const Ctx& ctx) const {
    cloud::Call call{ctx, *http_, place_};
    auto region = region_of(call);
    TRY(auto keys,
        cloud::aws_keys(
            call, {.region = region, .profile = flag(program_, "--profile"), .role = flag(program_, "--role-arn")}));
    if (!keys) return nobody("AWS");
    net::ClientRequest request{.url = cloud::aws_sts(call, region) + "/?Action=GetCallerIdentity&Version=2011-06-15"};
    request.headers.set("x-k8s-aws-id", flag(program_, "--cluster-name"));
    auto now = ctx.clock->wall();
    TRY(auto url, net::presign_for_aws(request, *keys, region, "sts", now, 60));
    return kube::Credential{.token = "k8s-aws-v1." + to_base64url(url), .until = now + std::chrono::minutes(14)};
  }
  Answer google(const Ctx& ctx) const {
    TRY(auto token, cloud::google_token({ctx, *http_, place_}));
    return token ? Answer(credential(*token)) : nobody("Google");
  }
  Answer azure(const Ctx& ctx) const {
    auto resource = flag(program_, "--server-id");
    if (resource.empty()) resource = place_.env("AAD_SERVER_APPLICATION_ID");
    if (resource.empty()) resource = aks_server;
    auto in = lower(place_.env("AAD_ENVIRONMENT_NAME"));
    auto where = in == "azurechinacloud"          ? cloud::AzureCloud::china
                 : in == "azureusgovernmentcloud" ? cloud::AzureCloud::us_government
                                                  : cloud::AzureCloud::global;
    TRY(auto token, cloud::azure_token({ctx, *http_, place_}, where, resource));
    return token ? Answer(credential(*token)) : nobody("Azure");
  }

 private:
  static kube::Credential credential(cloud::Token token) {
    return {.token = std::move(token.text), .until = token.until};
  }
  static Fail nobody(std::string_view cloud) {
    return fail(Kind::denied, "sign-in: nothing here signs in to {}: no keys, workload identity or machine's role",
                cloud);
  }
  // https://0123ABC.gr7.eu-west-1.eks.amazonaws.com
  std::string region_of(const cloud::Call& call) const {
    auto region = cloud::first_of(call, {"AWS_REGION", "AWS_DEFAULT_REGION"}, "");
    auto url = net::parse_url(server_);
    if (!region.empty() || !url) return region.empty() ? "us-east-1" : region;
    auto parts = split(url->host, '.');
    for (std::size_t n = 1; n < parts.size(); ++n)
      if (parts[n] == "eks") return std::string(parts[n - 1]);
    return "us-east-1";
  }

  kube::SignInProgram program_;
  std::string server_;
  cloud::Place place_;
  std::shared_ptr<net::Client> http_ = std::make_shared<net::Client>();
};

}  // namespace

Result<kube::SignIn> sign_in_of(const kube::Kubeconfig& config, const std::set<std::string>& programs,
                                const cloud::Place& place) {
  if (!config.program) return kube::SignIn();
  const auto& program = *config.program;
  auto name = fs::path(program.command).filename().string();
  if (programs.contains(program.command) || (programs.contains(name) && name == program.command))
    return kube::SignIn([program](const Ctx& ctx) { return kube::sign_in_by(ctx, program); });
  if (name != helper)
    return Fail(Error(Kind::denied, fmt::format("sign-in by the program {}: it is not one of those that may run", name))
                    .with_hint("slipway up --sign-in-program " + program.command +
                               ", or the bearerToken of a service account there; argocd-k8s-auth is built in"));
  auto built = std::make_shared<Built>(program, config.server, place);
  auto cloud = program.args.empty() ? "" : program.args[0];
  if (cloud == "aws") {
    if (flag(program, "--cluster-name").empty())
      return fail(Kind::invalid, "{} aws: want --cluster-name NAME (awsAuthConfig.clusterName)", helper);
    return kube::SignIn([built](const Ctx& ctx) { return built->aws(ctx); });
  }
  if (cloud == "gcp") return kube::SignIn([built](const Ctx& ctx) { return built->google(ctx); });
  if (cloud == "azure") return kube::SignIn([built](const Ctx& ctx) { return built->azure(ctx); });
  return fail(Kind::invalid, "{} \"{}\": want aws, gcp or azure", helper, cloud);
}

}  // namespace slipway::gitops
