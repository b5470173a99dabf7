#include "ci/pod/desk.h"

#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "ci/pod/rep.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

constexpr std::string_view prefix = "/agent/v1/";
constexpr std::size_t max_events = std::size_t{96} << 20;

struct Route {
  std::string_view name;
  DeskHandler handler;
};
constexpr Route routes[] = {{"artifacts", desk_artifacts}, {"blobs/", desk_blobs},   {"cache-blobs/", desk_cache_blobs},
                            {"caches/", desk_caches},      {"pass", desk_pass},      {"pass/", desk_pass},
                            {"actions", desk_actions},     {"source", desk_source},  {"build", desk_build},
                            {"scan", desk_scan},           {"preview", desk_preview}};

std::string token_of(const net::Request& request) {
  auto given = request.headers.get_or("authorization", "");
  auto parts = cut(given, " ");
  if (!parts) return {};
  if (iequals(parts->first, "bearer")) return std::string(trim(parts->second));
  // As git says it: any name, the token as password.
  auto plain = iequals(parts->first, "basic") ? from_base64(parts->second) : Result<std::string>(std::string());
  if (!plain) return {};
  return plain->substr(std::min(plain->find(':'), plain->size() - 1) + 1);
}

Result<net::Response> take_events(const Ctx& ctx, Visit& visit) {
  TRY(auto body, visit.request.read_body(ctx, max_events));
  TRY(auto taken, visit.job->take(body));
  return json_reply({{"want", taken.want}, {"cancel", taken.cancel}, {"over", taken.over}});
}

net::Response orders(Visit& visit) {
  net::Response out;
  out.headers.set("Content-Type", "text/plain");
  out.body = net::ParkBody([visit = std::move(visit)](std::shared_ptr<net::PushStream> stream) mutable {
    visit.job->listen(std::move(stream));
  });
  return out;
}

// The repository of the run, to be read: whatever name was asked for.
Result<net::Response> clone(const Ctx& ctx, const JobPodsOptions& options, Visit& visit) {
  auto& request = visit.request;
  auto slash = visit.rest.find('/');
  auto what = slash == std::string::npos ? std::string() : visit.rest.substr(slash);
  bool list = what == "/info/refs" && request.query_of("service") == "git-upload-pack";
  if (!options.git || (!list && what != "/git-upload-pack"))
    return fail(Kind::denied, "git: a job clones the repository of its run, and no more");
  auto& event = *visit.job->side().event;
  auto name =
      event.owner == "local" && event.repository.starts_with("local/") ? event.repository.substr(6) : event.repository;
  request.path = request.raw_path = fmt::format("/git/{}.git{}", name, what);
  request.target = request.path + (list ? "?service=git-upload-pack" : "");
  request.headers.erase("authorization");
  return options.git(ctx, request);
}

}  // namespace

net::Response json_reply(doc::Map fields) {
  return net::Response::json(200, doc::print_json(doc::Value(std::move(fields))));
}

Result<doc::Value> body_of(const Ctx& ctx, net::Request& request, std::size_t limit) {
  TRY(auto text, request.read_body(ctx, limit));
  if (trim(text).empty()) return doc::Value(doc::Map{});
  TRY(auto document, doc::parse_json(text, request.path));
  if (!document.is_map()) return fail(Kind::invalid, "{}: want an object", request.path);
  return document;
}

net::Response error_reply(const Error& error) {
  auto out = net::Response::json(
      net::status_of(error.kind()),
      doc::print_json(
          doc::Map{{"kind", static_cast<int>(error.kind())}, {"what", error.what()}, {"hint", error.hint()}}));
  out.headers.set("Slipway-Error", std::to_string(static_cast<int>(error.kind())));
  return out;
}

std::optional<JobPods::Rep::Guest> JobPods::Rep::who(const net::Request& request) const {
  auto token = token_of(request);
  if (token.size() < 32) return {};
  auto all = guests.lock();
  auto found = all->find(sha256_hex(token));
  return found == all->end() ? std::nullopt : std::optional(found->second);
}

// The word that is in the Pod's Secret is changed once for a token that steps never see: the agent makes it, and tells
// its digest. Asking again with the same one is fine: the answer may have been lost.
Result<net::Response> JobPods::Rep::greet(const Ctx& ctx, Visit& visit, const Guest& guest) {
  TRY(auto body, body_of(ctx, visit.request));
  auto session = doc::View(body)["session"].str_or("");
  auto& name = visit.job->name();
  auto known = expected(name);
  if (!known) return fail(Kind::denied, "no agent is expected in Pod {}", name);
  if (!Digest::parse("sha256:" + session)) return fail(Kind::invalid, "hello: want session, the sha256 of a token");
  if (!known->session.empty() && !same_secret(known->session, session))
    return fail(Kind::denied, "this word was used: the agent of Pod {} has been here", name);
  if (known->session.empty()) {
    TRY_OK(expect(name, {known->word, session}));
    (*guests.lock())[session] = {guest.job, guest.ns, false};
    (void)options.client->remove(ctx, secret_type, {guest.ns, name}, {});
  }
  auto state = visit.job->state().lock();
  state->greeted = true;
  state->heard = std::chrono::steady_clock::now();
  visit.job->changed().notify_all();
  if (!state->ready) {
    auto out = json_reply({{"wait", state->waits_for}});
    out.status = 202;
    return out;
  }
  return net::Response::json(200, visit.job->side().description);
}

net::Response JobPods::Rep::answer(const Ctx& ctx, net::Request& request) {
  auto guest = who(request);
  // Also while a house that has just started looks who is there: agents ask again.
  if (!guest) {
    auto out = net::Response::text(401, "an agent of a job that runs is expected\n");
    out.headers.set("WWW-Authenticate", "Basic realm=\"slipway\"");
    return out;
  }
  std::string_view path = request.path;
  if (!path.starts_with(prefix)) return net::Response::text(404, "nothing is here\n");
  path.remove_prefix(prefix.size());
  Visit visit{PodJob::Use(guest->job), request, {}};
  if (!visit.job) return net::Response::text(401, "the job is over\n");
  ChildStop stop(ctx.stop);
  std::stop_callback closing(guest->job->closing(), [&] { stop.request_stop(); });
  auto own = ctx.with_stop(stop.token());
  auto done = [&]() -> Result<net::Response> {
    if (path == "hello") return greet(own, visit, *guest);
    if (guest->word) return fail(Kind::denied, "this word is good for a greeting alone");
    visit.job->heard();
    if (path == "events") return take_events(own, visit);
    if (path == "orders") return orders(visit);
    if (path.starts_with("git/")) {
      visit.rest = path.substr(4);
      return clone(own, options, visit);
    }
    for (auto& route : ci::routes) {
      bool folder = route.name.ends_with('/');
      if (folder ? !path.starts_with(route.name) : path != route.name) continue;
      visit.rest = folder ? path.substr(route.name.size()) : std::string_view();
      return route.handler(own, visit);
    }
    return fail(Kind::not_found, "nothing is here");
  }();
  return done ? *std::move(done) : error_reply(done.error());
}

}  // namespace slipway::ci
