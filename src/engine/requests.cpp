#include "engine/requests.h"

#include "base/hash.h"
#include "base/text.h"
#include "doc/json.h"
#include "engine/house.h"
#include "engine/recorder.h"
#include "engine/workflows.h"

namespace slipway::engine {
namespace {

net::Response said(int status, std::string_view message) {
  return net::Response::json(status, doc::print_json(doc::Map{{"message", message}}));
}
net::Response said(const Error& error) {
  int status = error.is(Kind::not_found)                          ? 404
               : error.is(Kind::invalid)                          ? 422
               : error.is(Kind::unavailable) || error.retryable() ? 503
                                                                  : 500;
  return said(status, error.print());
}

// OWNER/NAME is a hosted repository of that name, or NAME: here owners are only a part of names.
Result<std::string> hosted(const House& house, const std::string& owner, const std::string& name) {
  for (const auto& candidate : {owner + "/" + name, name})
    if (house.git->repository(candidate)) return candidate;
  return fail(Kind::not_found, "there is no repository {}/{}", owner, name);
}

Result<doc::Value> body_of(const Ctx& ctx, net::Request& request) {
  TRY(auto text, request.read_body(ctx, std::size_t{1} << 20));
  auto body = doc::parse_json(text.empty() ? "{}" : text);
  if (!body || !body->is_map()) return fail(Kind::invalid, "want a JSON object as the body");
  return *std::move(body);
}

// Waits for what becomes of it: the caller hears of a wrong input at once.
Result<> put_down(const Ctx& ctx, House& house, const path::Change& change, const std::string& what) {
  auto name = object_name(fmt::format("{}-{}-{}", change.repository, what, random_hex(5)));
  TRY_OK(record(ctx, *house.client, "Change", name, to_doc(change),
                {{"slipway.dev/repository", object_name(change.repository)}}));
  TRY(auto now, kube::await(ctx.within(Millis(10000)), *house.client, kind("Change"), {home, name},
                            [](const kube::Object& o) { return !o || !o["status"]["phase"].text().empty(); }));
  if (now["status"]["phase"].text() != "Refused") return {};
  TRY_OK(house.client->remove(ctx, kind("Change"), {home, name}, {}));  // a script was told; nobody else need know
  return fail(Kind::invalid, "{}", now["status"]["message"].text());
}

Result<> dispatch_workflow(const Ctx& ctx, House& house, const User& user, const std::string& repository,
                           const std::string& file, const doc::Value& body) {
  path::Change change;
  change.event = path::Change::Event::manual;
  change.repository = repository, change.workflow = file, change.author = user.name;
  change.ref = body.str_at({"ref"});
  if (change.ref.empty()) return fail(Kind::invalid, "ref: want a branch or tag");
  for (const auto& [key, value] : doc::View(body)["inputs"].members()) {
    if (value.value().is_map() || value.value().is_list())
      return fail(Kind::invalid, "inputs.{}: want a string, a number or a boolean", key);
    change.inputs[key] = value.text();
  }
  return put_down(ctx, house, change, "dispatch");
}

Result<> dispatch_repository(const Ctx& ctx, House& house, const User& user, const std::string& repository,
                             const doc::Value& body) {
  path::Change change;
  change.event = path::Change::Event::repository_dispatch;
  change.repository = repository, change.author = user.name;
  change.action = body.str_at({"event_type"});
  if (change.action.empty() || change.action.size() > 100)
    return fail(Kind::invalid, "event_type: want a name of at most 100 characters");
  auto payload = doc::View(body)["client_payload"];
  if (payload.present() && !payload.value().is_map()) return fail(Kind::invalid, "client_payload: want an object");
  if (payload.members().size() > 10)
    return fail(Kind::invalid, "client_payload: {} fields are more than 10", payload.members().size());
  if (payload.present()) change.details = payload.value();
  return put_down(ctx, house, change, "repository-dispatch");
}

}  // namespace

net::Handler dispatch_routes(House& house) {
  return [&house](const Ctx& ctx, net::Request& request) {
    std::string header(request.headers.get_or("authorization", ""));
    if (header.starts_with("token ")) header = "Bearer " + header.substr(6);  // as older clients of GitHub say it
    auto user = house.users->by_header(header);
    if (!user) return said(401, "Requires authentication: Authorization: Bearer TOKEN");
    auto words = split(std::string_view(request.path).substr(1), '/');  // api v3 repos OWNER NAME ...
    auto is = [&](std::size_t n, std::string_view word) { return n < words.size() && words[n] == word; };
    bool one = words.size() == 6 && is(5, "dispatches");
    bool workflow = words.size() == 9 && is(5, "actions") && is(6, "workflows") && is(8, "dispatches");
    if (!is(2, "repos") || (!one && !workflow)) return said(404, "Not Found");
    if (request.method != "POST") return said(405, "want POST");
    auto repository = hosted(house, std::string(words[3]), std::string(words[4]));
    if (!repository) return said(repository.error());
    auto body = body_of(ctx, request);
    if (!body) return said(body.error());
    auto done = one ? dispatch_repository(ctx, house, *user, *repository, *body)
                    : dispatch_workflow(ctx, house, *user, *repository, std::string(words[7]), *body);
    if (!done) return said(done.error());
    net::Response response;
    response.status = 204;
    return response;
  };
}

}  // namespace slipway::engine
