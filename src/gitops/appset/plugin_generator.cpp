// What a service of the installation's own answers. Rules: Argo CD's plugin generator and
// applicationset/services/plugin.
#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"
#include "gitops/application.h"
#include "gitops/appset/detail.h"
#include "gitops/cluster_secret.h"
#include "net/client.h"

namespace slipway::gitops::appset::detail {
namespace {

constexpr std::size_t most_bytes = std::size_t{16} << 20;
constexpr std::size_t most_sets = 10'000;

struct Service {
  std::string url, token;
  Millis timeout{30'000};
};

// "$key" of argocd-secret, or "$secret:key".
Result<std::string> token_of(const Call& call, doc::View view) {
  auto reference = view.text();
  if (!reference.starts_with('$')) return view.wrong("does not reference a secret key starting with '$'");
  auto colon = reference.find(':');
  bool named = colon != std::string::npos;
  kube::Key secret{std::string(home_namespace), named ? reference.substr(1, colon - 1) : "argocd-secret"};
  auto key = reference.substr(named ? colon + 1 : 1);
  TRY(auto found, call.world.client.get(call.ctx, {"v1", "Secret"}, secret));
  if (!found) return view.wrong(fmt::format("there is no Secret {}", secret.str()));
  TRY_IN(auto token, fmt::format("Secret {}", secret.str()), secret_text(*found, key));
  auto trimmed = trim(token);
  if (trimmed.empty()) return view.wrong(fmt::format("Secret {} has no entry {}", secret.str(), key));
  for (unsigned char c : trimmed)
    if (c < 0x20 || c == 0x7f) return view.wrong(fmt::format("Secret {}: {} is no token", secret.str(), key));
  return std::string(trimmed);
}

// The ConfigMap lies where the installation is: who may make ApplicationSets elsewhere names no address.
Result<Service> service_of(const Call& call, doc::View plugin) {
  auto name = plugin["configMapRef"]["name"];
  if (name.text().empty()) return name.wrong("is empty, want the name of a ConfigMap");
  kube::Key key{std::string(home_namespace), name.text()};
  TRY(auto map, call.world.client.get(call.ctx, {"v1", "ConfigMap"}, key));
  if (!map) return name.wrong(fmt::format("there is no ConfigMap {}", key.str()));
  auto source = fmt::format("ConfigMap {}", key.str());
  doc::View data(map->value(), source);
  data = data["data"];
  Service service;
  service.url = trim(data["baseUrl"].text());
  if (service.url.empty()) return data["baseUrl"].wrong("is missing, want the plugin's address");
  TRY_IN(auto parsed, source + ": baseUrl", net::parse_url(service.url));
  if (parsed.scheme != "http" && parsed.scheme != "https") return data["baseUrl"].wrong("want http or https");
  if (!service.url.ends_with('/')) service.url += '/';
  if (data["token"].text().empty()) return data["token"].wrong("is missing");
  TRY(service.token, token_of(call, data["token"]));
  if (auto timeout = data["requestTimeout"]; timeout.present()) {
    auto text = timeout.text();
    auto seconds = to_int(trim(text));
    if (!seconds || *seconds < 0) return timeout.wrong("want a number of seconds");
    if (*seconds > 0) service.timeout = Millis(std::min<std::int64_t>(*seconds, 600) * 1000);
  }
  return service;
}

Result<std::string> ask(const Call& call, const Service& service, doc::View parameters) {
  doc::Map input;
  if (!parameters.members().empty()) input.set("parameters", parameters.value());
  net::ClientRequest request{.method = "POST", .url = service.url + "api/v1/getparams.execute"};
  request.headers.set("Content-Type", "application/json");
  request.headers.set("Authorization", "Bearer " + service.token);
  request.body = doc::print_json(doc::Map{{"applicationSetName", call.world.name}, {"input", std::move(input)}});
  request.limit = most_bytes;
  auto where = request.url;
  net::Client client;
  TRY_IN(auto answer, where, client.send(call.ctx.within(service.timeout), std::move(request)));
  if (answer.ok()) return std::move(answer.body);
  std::string why;
  if (auto body = doc::parse_json(answer.body, "plugin")) {
    doc::View view(*body);
    why = view["message"].str_or(view["error"].str_or(""));
  } else {
    why = std::string(trim(answer.body));
  }
  auto kind = answer.status >= 500 || answer.status == 429 ? Kind::unavailable : Kind::denied;
  return fail(kind, "{}: API error with status code {}: {}", where, answer.status, why.substr(0, 300));
}

}  // namespace

Result<std::vector<doc::Map>> parameters_in(std::string_view answer) {
  TRY(auto parsed, doc::parse_json(answer, "plugin's answer"));
  doc::View output(parsed, "plugin's answer");
  auto list = output["output"]["parameters"];
  // Null is how Go writes a list that is empty; a list that is not there is somebody else's answer.
  if (!list.exists() || (list.present() && !list.value().is_list())) return list.wrong("want a list of maps");
  if (list.items().size() > most_sets) return list.wrong(fmt::format("holds more than {} sets", most_sets));
  std::vector<doc::Map> out;
  for (const auto& item : list.items()) {
    if (!item.value().is_map()) return item.wrong("want a map");
    out.push_back(*item.value().if_map());
  }
  return out;
}

Result<Params> from_plugin(const Call& call, doc::View plugin) {
  auto parameters = plugin["input"]["parameters"];
  TRY(auto service, service_of(call, plugin));
  TRY_IN(auto answer, "plugin", ask(call, service, parameters));
  TRY_IN(auto sets, "plugin", parameters_in(answer));
  doc::Map input;
  input.set("parameters", parameters.value().is_map() ? parameters.value() : doc::Value(doc::Map()));
  doc::Map own{{"generator", doc::Map{{"input", std::move(input)}}}};
  if (!call.renderer.go()) own = flattened(own);
  Params out;
  for (const auto& set : sets) {
    auto params = call.renderer.go() ? set : flattened(set);
    for (const auto& [name, value] : own) params.set(name, value);
    TRY_OK(add_values(call, plugin["values"], params));
    out.push_back(std::move(params));
  }
  return out;
}

}  // namespace slipway::gitops::appset::detail
