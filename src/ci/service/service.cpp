#include "ci/service.h"

#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "ci/service/state.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

// Clients read the claims of the runtime token, so it has the form of a JWT. Its last part is random, not a signature:
// whoever has the token got it from us, and it is no use to anybody else.
std::string runtime_token(const JobState& job) {
  doc::Map claims{{"scp", fmt::format("Actions.Results:{}:{}", job.run_id, job.job_id)}};
  return fmt::format("{}.{}.{}", to_base64url(R"({"alg":"HS256","typ":"JWT"})"), to_base64url(doc::print_json(claims)),
                     to_base64url(random_bytes(32)));
}

// A key's file: that of ES256 is the one that was configured, the other lies beside it.
fs::path file_of(const fs::path& configured, const std::string& algorithm) {
  if (configured.empty() || algorithm == "ES256") return configured;
  return configured.parent_path() / (configured.stem().native() + "-rsa" + configured.extension().native());
}

Result<net::SigningKey> load_or_make(const fs::path& file, const std::string& algorithm) {
  auto kind = algorithm == "ES256" ? net::KeyKind::p256 : net::KeyKind::rsa2048;
  std::string pem;
  if (!file.empty() && path_exists(file)) {
    TRY(pem, read_file(file, 1 << 16));
  } else {
    TRY(pem, net::make_signing_key(kind));
    if (!file.empty()) TRY_OK(write_file(file, pem, 0600, Durable::yes));
  }
  TRY_IN(auto key, file.native(), net::SigningKey::load(pem));
  if (key.algorithm() != algorithm)
    return fail(Kind::invalid, "{}: is a key for {}, want one for {}", file.native(), key.algorithm(), algorithm);
  return key;
}

net::Response answer(const Ctx& ctx, JobService::Rep& service, net::Request& request) {
  std::string_view path = request.path;
  if (path.starts_with("/twirp/")) return answer_twirp(ctx, service, request);
  if (path.starts_with("/results/blobs/")) return answer_blob(ctx, service, request);
  if (path.starts_with("/results/_apis/artifactcache/")) return answer_cache_v1(ctx, service, request);
  if (path == "/results/id-token") return answer_id_token(ctx, service, request);
  if (path.starts_with("/.well-known/")) return answer_discovery(service, request);
  return net::Response::text(404, "nothing is here\n");
}

}  // namespace

struct JobService::Pass::Rep {
  std::shared_ptr<JobService::Rep> service;
  std::shared_ptr<JobState> job;
  std::string token, identity;
};

JobService::JobService(std::shared_ptr<Rep> rep) : rep_(std::move(rep)) {}
JobService::~JobService() = default;

Result<std::unique_ptr<JobService>> JobService::open(ServiceOptions options) {
  if (!options.blobs || !options.url) return fail(Kind::invalid, "job services: want a blob store and an address");
  auto rep = std::make_shared<Rep>();
  rep->algorithm = options.id_token_algorithm;
  if (rep->algorithm != "RS256" && rep->algorithm != "ES256")
    return fail(Kind::invalid, "id tokens: \"{}\", want RS256 or ES256", rep->algorithm);
  rep->options = options;
  for (auto* algorithm : {"RS256", "ES256"})
    if (auto file = file_of(options.key_file, algorithm); !file.empty() && path_exists(file))
      TRY_OK(rep->key(algorithm));
  if (!options.issuer) options.issuer = [url = options.url] { return url(false); };
  rep->options = std::move(options);
  return std::unique_ptr<JobService>(new JobService(std::move(rep)));
}

net::Handler JobService::routes() {
  return [rep = rep_](const Ctx& ctx, net::Request& request) { return answer(ctx, *rep, request); };
}

std::shared_ptr<JobService::Pass> JobService::admit(ServiceJob job) {
  auto state = std::make_shared<JobState>();
  state->run_id = sha256_hex(job.run_id).substr(0, 32);
  state->job_id = random_hex(16);
  state->job = std::move(job);
  auto pass = std::make_unique<Pass::Rep>();
  pass->token = runtime_token(*state);
  auto tables = rep_->tables.lock();
  tables->runtime[sha256_hex(pass->token)] = state;
  if (!state->job.claims.empty()) {
    pass->identity = random_hex(32);
    tables->identity[sha256_hex(pass->identity)] = state;
  }
  pass->service = rep_;
  pass->job = std::move(state);
  return std::shared_ptr<Pass>(new Pass(std::move(pass)));
}

JobService::Pass::Pass(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}

JobService::Pass::Pass() = default;

JobService::Pass::~Pass() {
  if (!rep_) return;
  std::vector<std::string> addresses;
  {
    std::lock_guard lock(rep_->job->mutex);
    rep_->job->closed = true;
    rep_->job->uploads.clear(), rep_->job->reserved.clear();
    addresses = std::move(rep_->job->addresses);
  }
  std::vector<Address> ended;  // what they held is let go without the lock
  auto tables = rep_->service->tables.lock();
  for (auto* tokens : {&tables->runtime, &tables->identity})
    std::erase_if(*tokens, [&](auto& entry) { return entry.second == rep_->job; });
  for (auto& address : addresses)
    if (auto at = tables->addresses.extract(address)) ended.push_back(std::move(at.mapped()));
}

std::map<std::string, std::string> JobService::Pass::env(bool own_network) const {
  auto url = rep_->service->options.url(own_network);
  std::map<std::string, std::string> out = {{"ACTIONS_RUNTIME_TOKEN", rep_->token},
                                            {"ACTIONS_RUNTIME_URL", url + "/results/"},
                                            {"ACTIONS_RESULTS_URL", url + "/"},
                                            {"ACTIONS_CACHE_URL", url + "/results/"},
                                            {"ACTIONS_CACHE_SERVICE_V2", "True"}};
  if (rep_->identity.empty()) return out;
  out["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = rep_->identity;
  out["ACTIONS_ID_TOKEN_REQUEST_URL"] = url + "/results/id-token?api-version=2.0";
  return out;
}

std::vector<std::string> JobService::Pass::secrets() const {
  std::vector<std::string> out = {rep_->token, rep_->token.substr(rep_->token.rfind('.') + 1)};
  if (!rep_->identity.empty()) out.push_back(rep_->identity);
  return out;
}

JobService::Pass::Changes JobService::Pass::take_changes() {
  std::lock_guard lock(rep_->job->mutex);
  return std::exchange(rep_->job->changes, {});
}

Result<std::string> JobService::Pass::id_token(const Ctx& ctx, const std::string& audience) const {
  if (rep_->identity.empty()) return fail(Kind::denied, "this job may not have an id token");
  return make_id_token(ctx, *rep_->service, *rep_->job, audience);
}

std::shared_ptr<JobState> JobService::Rep::who(const net::Request& request, bool identity) {
  auto given = request.headers.get_or("authorization", "");
  auto parts = cut(given, " ");
  if (!parts || !iequals(parts->first, "bearer")) return nullptr;
  auto all = tables.lock();
  auto& tokens = identity ? all->identity : all->runtime;
  auto found = tokens.find(sha256_hex(trim(parts->second)));
  return found == tokens.end() ? nullptr : found->second;
}

std::string JobService::Rep::base_for(const net::Request& request) const {
  auto apart = options.url(true);
  return apart.ends_with(fmt::format("//{}", request.headers.get_or("host", "?"))) ? apart : options.url(false);
}

Result<std::shared_ptr<const net::SigningKey>> JobService::Rep::key(const std::string& of) {
  auto all = keys.lock();
  auto& place = (*all)[of];
  if (!place) {
    TRY(auto made, load_or_make(file_of(options.key_file, of), of));
    place = std::make_shared<const net::SigningKey>(std::move(made));
  }
  return place;
}

Result<> ServiceCall::begin() const {
  if (job.closed) return fail(Kind::denied, "the job has ended");
  if (++job.begun > service.options.max_blobs)
    return fail(Kind::denied, "one job may reach {} blobs, and this one has", service.options.max_blobs);
  return {};
}

Result<std::string> ServiceCall::address(Address what) const {
  auto id = random_hex(16);
  what.signature = random_hex(32);
  auto text = fmt::format("{}/results/blobs/{}?sig={}", base, id, what.signature);
  std::lock_guard lock(job.mutex);
  TRY_OK(begin());
  job.addresses.push_back(id);
  // While the job's lock is held: its end looks for addresses afterwards.
  service.tables.lock()->addresses[id] = std::move(what);
  return text;
}

doc::View field(doc::View message, std::string_view snake_case) {
  if (auto there = message[snake_case]; there.exists()) return there;
  std::string camel;
  bool up = false;
  for (char c : snake_case) {
    if (c == '_')
      up = true;
    else
      camel += std::exchange(up, false) ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
  }
  return message[camel];
}

}  // namespace slipway::ci
