// up, kubeconfig, user add.
#include <poll.h>
#include <unistd.h>

#include "api/front.h"
#include "base/text.h"
#include "cli/command.h"
#include "doc/yaml.h"
#include "engine/api_endpoint.h"
#include "engine/conductor.h"

namespace slipway::cli {
namespace {

Result<std::pair<std::string, int>> listen_address(const std::string& text) {
  auto colon = text.rfind(':');
  auto port = colon == std::string::npos ? to_int(text) : to_int(std::string_view(text).substr(colon + 1));
  if (!port || *port < 0 || *port > 65535) return fail(Kind::invalid, "--listen \"{}\": want HOST:PORT or PORT", text);
  return std::pair{colon == std::string::npos ? std::string("127.0.0.1") : text.substr(0, colon),
                   static_cast<int>(*port)};
}

// "10GB", "500 MB", "2GiB", or bytes.
Result<std::uint64_t> bytes_of(const std::string& text) {
  auto digits = text.find_first_not_of("0123456789");
  auto number = to_int(text.substr(0, digits));
  auto unit = digits == std::string::npos ? std::string() : lower(trim(std::string_view(text).substr(digits)));
  constexpr std::pair<std::string_view, std::uint64_t> units[] = {
      {"", 1},           {"b", 1},           {"kb", 1000},
      {"mb", 1000000},   {"gb", 1000000000}, {"tb", 1000000000000},
      {"kib", 1 << 10},  {"mib", 1 << 20},   {"gib", 1 << 30},
      {"k", 1 << 10},    {"m", 1 << 20},     {"g", 1 << 30},
      {"t", 1ULL << 40}, {"tib", 1ULL << 40}};
  for (const auto& [name, size] : units)
    if (number && *number > 0 && static_cast<std::uint64_t>(*number) < (1ULL << 62) / size && name == unit)
      return static_cast<std::uint64_t>(*number) * size;
  return fail(Kind::invalid, "--cache-size \"{}\": want a size like 10GB or 500MiB", text);
}

// At the port of the last life where it is free: Pods that ran on meanwhile know no other.
Result<std::unique_ptr<net::Server>> serve_pods(engine::House& house) {
  auto file = house.settings.data / "pod-port";
  net::ServerOptions options{.host = house.network->gateway_ip(),
                             .certificate_pem = house.pki.server.certificate_pem,
                             .key_pem = house.pki.server.key_pem,
                             .threads = 16};
  auto before = to_int(trim(read_file(file, 64).value_or("")));
  options.port = before && *before > 0 && *before < 65536 ? static_cast<int>(*before) : 0;
  auto server = net::Server::start(options, api::front_for_pods(house));
  if (!server && options.port != 0) {
    options.port = 0;
    server = net::Server::start(options, api::front_for_pods(house));
  }
  TRY(auto started, std::move(server));
  TRY_OK(write_file(file, fmt::format("{}\n", started->port()), 0644));
  return started;
}

// --mirror docker.io=http://10.0.0.5:5000
Result<> take_mirrors(const Arguments& arguments, engine::Settings& settings) {
  for (const auto& given : arguments.all("mirror")) {
    auto pair = cut(given, "=");
    if (!pair || pair->first.empty() || !(pair->second.starts_with("http://") || pair->second.starts_with("https://")))
      return fail(Kind::invalid, "--mirror \"{}\": want HOST=URL, as docker.io=http://127.0.0.1:5000", given);
    settings.mirrors[std::string(pair->first)] = pair->second;
  }
  return {};
}

// Asks `stop` to stop when nobody holds the other end of our standard input any more.
std::jthread watch_input(ChildStop& stop) {
  return std::jthread([&stop](const std::stop_token& over) {
    auto ctx = Ctx{}.with_stop(over);
    char buffer[512];
    while (wait(ctx, 0, POLLIN))
      if (auto n = ::read(0, buffer, sizeof buffer); n == 0 || (n < 0 && errno != EINTR)) return stop.request_stop();
  });
}

// Nothing of a temporary one stays.
Result<> leave_nothing(std::unique_ptr<engine::House> house) {
  auto ctx = Ctx{}.within(Millis(20000));
  auto data = house->settings.data;
  TRY_OK(house->node->drain(ctx));
  if (house->network) TRY_OK(house->network->tear_down());
  house.reset();
  return remove_tree(data);
}

// Where jobs run.
Result<> take_jobs(const Arguments& arguments, engine::Settings& settings) {
  settings.jobs = arguments.get("jobs");
  settings.jobs_namespace = arguments.get("jobs-namespace");
  settings.jobs_kubeconfig = arguments.get("jobs-kubeconfig");
  settings.jobs_url = arguments.get("jobs-url");
  settings.jobs_registry = arguments.get("jobs-registry");
  settings.pod_image = arguments.get("pod-image");
  auto at_once = to_int(arguments.get("jobs-at-once"));
  if (!at_once || *at_once < 1 || *at_once > 10000)
    return fail(Kind::invalid, "--jobs-at-once \"{}\": want a number of jobs", arguments.get("jobs-at-once"));
  settings.jobs_at_once = static_cast<std::size_t>(*at_once);
  while (settings.jobs_url.ends_with('/')) settings.jobs_url.pop_back();
  return {};
}

// The house's own certificate, and the one of --tls-cert.
Result<> take_certificates(const engine::House& house, net::ServerOptions& options) {
  options.certificate_pem = house.pki.server.certificate_pem;
  options.key_pem = house.pki.server.key_pem;
  const auto& settings = house.settings;
  if (settings.tls_certificate.empty() != settings.tls_key.empty())
    return fail(Kind::invalid, "--tls-cert and --tls-key: want both or neither");
  if (settings.tls_certificate.empty()) return {};
  TRY_IN(auto certificate, "--tls-cert", read_file(settings.tls_certificate));
  TRY_IN(auto key, "--tls-key", read_file(settings.tls_key));
  options.certificate_pem += "\n" + certificate;
  options.key_pem += "\n" + key;
  return {};
}

Result<int> up(const Ctx& ctx, const Arguments& arguments, Io& io) {
  auto started = std::chrono::steady_clock::now();
  engine::Settings settings;
  settings.data = data_dir(arguments);
  TRY(auto address, listen_address(arguments.get("listen")));
  std::tie(settings.host, settings.port) = address;
  TRY(auto gateway, listen_address(arguments.get("gateway")));
  settings.gateway_port = gateway.second;
  settings.tls_certificate = arguments.get("tls-cert");
  settings.tls_key = arguments.get("tls-key");
  settings.bridge = arguments.get("bridge");
  settings.pod_cidr = arguments.get("pod-cidr");
  settings.service_cidr = arguments.get("service-cidr");
  settings.advisories = arguments.get("advisories");
  settings.actions = arguments.all("actions");
  for (auto& program : arguments.all("sign-in-program")) settings.sign_in_programs.insert(std::move(program));
  TRY(settings.cache_bytes, bytes_of(arguments.get("cache-size")));
  auto days = to_int(arguments.get("cache-days"));
  if (!days || *days < 1 || *days > 3650)
    return fail(Kind::invalid, "--cache-days \"{}\": want a number of days", arguments.get("cache-days"));
  settings.cache_days = static_cast<int>(*days);
  settings.id_tokens = arguments.get("id-tokens");
  TRY_OK(take_jobs(arguments, settings));
  TRY_OK(take_mirrors(arguments, settings));
  if (arguments.has("kubeconfig"))
    return fail(Kind::unavailable, "--kubeconfig: running the controllers against another cluster is not there yet");
  TRY(auto house, engine::House::open(ctx, settings));
  net::ServerOptions options{.host = settings.host, .port = settings.port};
  TRY_OK(take_certificates(*house, options));
  TRY(auto server, net::Server::start(std::move(options), api::front(*house)));
  house->settings.port = server->port();
  std::unique_ptr<net::Server> for_pods;
  if (house->network) {
    TRY(for_pods, serve_pods(*house));
    house->pod_port = for_pods->port();
    TRY_OK(engine::publish_api(ctx, *house->client, house->network->gateway_ip(), for_pods->port()));
  }
  auto kubeconfig = engine::kubeconfig_text(settings.host, server->port(), house->pki.ca.certificate_pem,
                                            house->users->admin_token());
  TRY_OK(write_file(settings.data / "kubeconfig", kubeconfig, 0600));
  TRY_OK(write_file(settings.data / "address", fmt::format("{}\n", house->url()), 0644));
  auto ready = [&] {
    auto ms = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - started).count();
    auto gateway_port = house->gateway ? house->gateway->port() : 0;
    if (io.json()) {
      io.document(doc::Map{{"url", house->url()},
                           {"gateway", fmt::format("http://127.0.0.1:{}", gateway_port)},
                           {"kubeconfig", (settings.data / "kubeconfig").native()},
                           {"readyMs", ms},
                           {"without", doc::List(house->without.begin(), house->without.end())}});
      return;
    }
    io.line(fmt::format("slipway is up after {} ms\n", ms));
    io.line(fmt::format("  page        {}/#token={}", house->url(), house->users->admin_token()));
    io.line(fmt::format("  git         {}/git/NAME.git       (any user name, the token of {} as password)",
                        house->url(), (settings.data / "token").native()));
    io.line(fmt::format("  registry    {}", house->url().substr(7)));
    io.line(fmt::format("  gateway     http://127.0.0.1:{}", gateway_port));
    io.line(fmt::format("  kubectl     export KUBECONFIG={}", (settings.data / "kubeconfig").native()));
    for (const auto& text : house->without) io.line("  without     " + text);
  };
  ChildStop stop(ctx.stop);
  std::jthread until_closed;
  if (arguments.has("temporary")) until_closed = watch_input(stop);
  auto ended = engine::conduct(ctx.with_stop(stop.token()), *house, ready);
  if (for_pods) for_pods->stop();
  server->stop();
  if (arguments.has("temporary")) {
    for_pods.reset(), server.reset();
    TRY_OK(leave_nothing(std::move(house)));
    return 0;
  }
  if (!ended) return Fail(std::move(ended).error());
  return 0;
}

Result<int> down(const Ctx& ctx, const Arguments& arguments, Io& io) {
  engine::Settings settings;
  settings.data = data_dir(arguments);
  if (!path_exists(settings.data)) return fail(Kind::not_found, "{}: no such data directory", settings.data.native());
  settings.bridge = arguments.get("bridge");
  settings.pod_cidr = arguments.get("pod-cidr");
  settings.service_cidr = arguments.get("service-cidr");
  settings.port = settings.gateway_port = 0;
  TRY(auto house, engine::House::open(ctx, settings));
  TRY_OK(house->node->drain(ctx));
  if (house->network) TRY_OK(house->network->tear_down());
  io.said("all containers and the pod network are gone; the data stays", doc::Map{{"data", settings.data.native()}});
  return 0;
}

Result<int> kubeconfig(const Ctx&, const Arguments& arguments, Io& io) {
  auto file = data_dir(arguments) / "kubeconfig";
  auto text = read_file(file);
  if (!text)
    return Fail(Error(Kind::unavailable, fmt::format("{}: not there: is slipway running?", file.native()))
                    .with_hint("slipway up writes it"));
  if (!arguments.has("file")) {
    if (!io.json()) {
      io.print(*text);
      return 0;
    }
    TRY(auto document, doc::parse_yaml(*text));
    io.document(document);
    return 0;
  }
  TRY_OK(write_file(arguments.get("file"), *text, 0600));
  io.note("wrote " + arguments.get("file"));
  return 0;
}

Result<int> user_add(const Ctx&, const Arguments& arguments, Io& io) {
  TRY(auto users, engine::Users::open(data_dir(arguments)));
  auto groups = arguments.all("group");
  if (groups.empty()) groups.emplace_back("system:masters");
  TRY(auto token, users->add(arguments.get("name"), groups));
  if (io.json())
    io.document(doc::Map{{"name", arguments.get("name")}, {"token", token}});
  else
    io.line(token);
  io.note("the token is shown only now; a running slipway takes it at its next start");
  return 0;
}

}  // namespace

std::vector<Command> server_commands() {
  std::vector<Option> network{{"--bridge", "name of the pod network's bridge", false, false, "slipway0"},
                              {"--pod-cidr", "addresses of pods", false, false, "10.244.0.0/16"},
                              {"--service-cidr", "addresses of services", false, false, "10.96.0.0/16"}};
  std::vector<Option> up_options{
      {"--data", "data directory"},
      {"--listen", "HOST:PORT of the API, git, registry and page", false, false, "127.0.0.1:7080"},
      {"--tls-cert", "certificate and chain, PEM, for the names by which others know the port"},
      {"--tls-key", "its private key, PEM"},
      {"--gateway", "PORT of the gateway to services", false, false, "7081"},
      {"--advisories", "folder of OSV advisories beside the built-in ones"},
      {"--actions", "folder or URL/{owner}/{name}.git of mirrors of actions", false, true},
      {"--mirror", "HOST=URL of a registry that is asked first for images of HOST", false, true},
      {"--sign-in-program", "program that a cluster Secret may name for its sign-in (execProviderConfig)", false, true},
      {"--temporary", "end, and remove all data, when standard input closes", true},
      {"--cache-size", "caches of jobs that a repository may have", false, false, "10GB"},
      {"--cache-days", "how long a cache is kept that nobody asks for", false, false, "7"},
      {"--id-tokens", "what signs the id tokens of jobs: RS256 or ES256", false, false, "RS256"},
      {"--jobs", "where jobs run: local, or pods of a cluster", false, false, "local"},
      {"--jobs-kubeconfig", "which cluster (the embedded one)"},
      {"--jobs-namespace", "namespace of the Pods of jobs", false, false, "slipway-jobs"},
      {"--jobs-url", "http://HOST:PORT by which Pods reach this house"},
      {"--jobs-registry", "HOST:PORT by which nodes know its registry (that of --jobs-url)"},
      {"--jobs-at-once", "Pods of one run at the same time", false, false, "32"},
      {"--pod-image", "image of jobs that name no container"},
      {"--kubeconfig", "run the controllers against this cluster"}};
  up_options.insert(up_options.end(), network.begin(), network.end());
  std::vector<Option> down_options{{"--data", "data directory"}};
  down_options.insert(down_options.end(), network.begin(), network.end());
  return {
      {"up",
       "runs everything: API, registry, git host, CI, controllers, page",
       "slipway up --data ./state --listen 127.0.0.1:7080",
       up_options,
       {},
       up,
       true,
       true},
      {"down",
       "ends every container and removes the pod network of a stopped slipway",
       "slipway down --data ./state",
       down_options,
       {},
       down,
       true},
      {"kubeconfig",
       "writes the embedded cluster's kubeconfig",
       "slipway kubeconfig >~/.kube/config",
       {{"--data", "data directory"}},
       {{"file", "where to write it (stdout)", false}},
       kubeconfig},
      {"user add",
       "gives a person a token",
       "slipway user add ada",
       {{"--data", "data directory"}, {"--group", "Kubernetes groups", false, true}},
       {{"name", "the person's name"}},
       user_add},
  };
}

}  // namespace slipway::cli
