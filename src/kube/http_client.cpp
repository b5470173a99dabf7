#include "kube/http_client.h"

#include <set>
#include <thread>

#include "base/encode.h"
#include "base/guarded.h"
#include "base/text.h"
#include "doc/json.h"
#include "net/client.h"

namespace slipway::kube {
namespace {

// A server tells a watch once a minute how far it is, whatever happens: one that is silent for longer is gone.
constexpr Millis watch_stall{150000};

// The error that a Status answer stands for.
Error error_of(int code, std::string_view body, std::string_view doing) {
  std::string message = fmt::format("HTTP {}", code);
  std::optional<std::int64_t> retry;
  if (auto status = doc::parse_json(body); status && status->is_map()) {
    doc::View v(*status);
    if (auto text = v["message"].text(); !text.empty()) message = text;
    if (v["details"]["retryAfterSeconds"].present()) retry = v["details"]["retryAfterSeconds"].num_or(0);
  } else if (!trim(body).empty()) {
    message += fmt::format(": {}", trim(body.substr(0, 200)));
  }
  Kind kind = Kind::internal;
  switch (code) {
    case 400:
    case 405:
    case 406:
    case 413:
    case 415:
    case 422:
      kind = Kind::invalid;
      break;
    case 401:
    case 403:
      kind = Kind::denied;
      break;
    case 404:
      kind = Kind::not_found;
      break;
    case 409:
    case 410:
      kind = Kind::conflict;
      break;
    case 429:
    case 502:
    case 503:
      kind = Kind::unavailable;
      break;
    case 504:
      kind = Kind::timeout;
      break;
    default:
      kind = code >= 500 ? Kind::unavailable : Kind::internal;
  }
  // An API server before 1.21 answers so when what is applied has not the shape of its kind: no later try fares better.
  if (code == 500 && message.starts_with("failed to create typed patch object")) kind = Kind::invalid;
  auto error = Error(kind, fmt::format("{}: {}", doing, message));
  if (retry && *retry > 0) error = std::move(error).with_retry_after(std::chrono::seconds(*retry));
  return error;
}

class Query {
 public:
  void add(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    text_ += text_.empty() ? '?' : '&';
    text_ += fmt::format("{}={}", key, percent_encode(value));
  }
  const std::string& str() const { return text_; }

 private:
  std::string text_;
};

// A server, and who we are there. Threads: any.
class Connection {
 public:
  Connection(Kubeconfig config, SignIn sign_in) : config_(std::move(config)), sign_in_(std::move(sign_in)) {
    if (!sign_in_ && config_.program)
      sign_in_ = [program = *config_.program](const Ctx& ctx) { return sign_in_by(ctx, program); };
    signed_in_.lock()->http = http_for({});
  }
  const std::string& ns() const { return config_.ns; }

  static net::ClientRequest request(std::string method, std::string path) {
    net::ClientRequest r;
    r.method = std::move(method), r.url = std::move(path);
    r.redirects = 0;
    r.headers.set("Accept", "application/json");
    return r;
  }
  // `request`'s URL is a path of the server. One that is refused is asked again with a new sign-in.
  Result<net::ClientResponse> send(const Ctx& ctx, net::ClientRequest request) {
    return as_who_we_are(ctx, std::move(request),
                         [&](net::Client& http, net::ClientRequest asked) { return http.send(ctx, std::move(asked)); });
  }
  Result<net::ClientResponse> stream(const Ctx& ctx, net::ClientRequest request, const net::Client::Sink& sink) {
    return as_who_we_are(ctx, std::move(request), [&](net::Client& http, net::ClientRequest asked) {
      return http.stream(ctx, std::move(asked), sink);
    });
  }

 private:
  struct SignedIn {
    std::shared_ptr<net::Client> http;
    Credential credential;
    bool valid = false;
    bool runs_out(WallTime now) const { return credential.until && *credential.until <= now + std::chrono::seconds(5); }
  };

  std::shared_ptr<net::Client> http_for(const Credential& credential) const {
    bool given = !credential.key_pem.empty();
    return std::make_shared<net::Client>(
        net::ClientOptions{.ca_pem = config_.ca_pem,
                           .cert_pem = given ? credential.certificate_pem : config_.client_certificate_pem,
                           .key_pem = given ? credential.key_pem : config_.client_key_pem,
                           .verify = config_.verify,
                           .server_name = config_.server_name,
                           .proxy = config_.proxy});
  }

  // Callers wait for the one that signs in.
  Result<SignedIn> signed_in(const Ctx& ctx) {
    auto state = signed_in_.lock();
    if (!sign_in_ || (state->valid && !state->runs_out(ctx.clock->wall()))) return *state;
    TRY(auto credential, sign_in_(ctx));
    if (credential.key_pem != state->credential.key_pem) state->http = http_for(credential);
    state->credential = std::move(credential), state->valid = true;
    return *state;
  }
  void refused(const Credential& credential) {
    if (auto state = signed_in_.lock(); state->credential == credential) state->valid = false;
  }

  template <class Ask>
  Result<net::ClientResponse> as_who_we_are(const Ctx& ctx, net::ClientRequest request, const Ask& ask) {
    request.url = config_.server + request.url;
    for (bool again = false;; again = true) {
      TRY(auto who, signed_in(ctx));
      auto asked = request;
      TRY_OK(authorize(asked, who.credential));
      auto answer = ask(*who.http, std::move(asked));
      if (again || !sign_in_ || !answer || answer->status != 401) return answer;
      refused(who.credential);
    }
  }

  Result<> authorize(net::ClientRequest& r, const Credential& credential) const {
    auto token = credential.token.empty() ? config_.token : credential.token;
    if (credential.token.empty() && !config_.token_file.empty()) {
      TRY_IN(auto text, "token file", read_file(config_.token_file, 1 << 16));
      token = trim(text);
    }
    if (!token.empty())
      r.headers.set("Authorization", "Bearer " + token);
    else if (!config_.user.empty())
      r.headers.set("Authorization", "Basic " + to_base64(config_.user + ":" + config_.password));
    if (!config_.impersonate.empty()) r.headers.set("Impersonate-User", config_.impersonate);
    for (const auto& group : config_.impersonate_groups) r.headers.add("Impersonate-Group", group);
    return {};
  }

  const Kubeconfig config_;
  SignIn sign_in_;
  Guarded<SignedIn> signed_in_;
};

// Reads the stream on a thread of its own into a bounded queue.
class HttpWatch final : public Watch {
 public:
  HttpWatch(std::shared_ptr<Connection> connection, net::ClientRequest request, Type type)
      : state_(std::make_shared<State>()), type_(std::move(type)) {
    thread_ = std::jthread([state = state_, connection = std::move(connection), request = std::move(request)](
                               std::stop_token stop) mutable { read(stop, *state, *connection, std::move(request)); });
  }
  ~HttpWatch() override {
    thread_.request_stop();
    state_->room.notify_all();
  }
  Result<Event> next(const Ctx& ctx) override {
    for (;;) {
      std::string line;
      {
        auto box = state_->box.lock();
        TRY_OK(box.wait(ctx, state_->filled, [&] { return !box->lines.empty() || box->end; }));
        if (box->lines.empty()) return Fail(Error(*box->end));
        line = std::move(box->lines.front());
        box->lines.pop_front();
        state_->room.notify_all();
      }
      TRY_IN(auto value, "watch", doc::parse_json(line));
      TRY(auto event, event_of(std::move(value)));
      if (event) return *std::move(event);
    }
  }

 private:
  static constexpr std::size_t most = 1024, longest = std::size_t{64} << 20;
  struct Box {
    std::deque<std::string> lines;
    std::optional<Error> end;
  };
  struct State {
    Guarded<Box> box;
    std::condition_variable_any filled, room;
  };

  static void read(const std::stop_token& stop, State& state, Connection& connection, net::ClientRequest request) {
    std::string rest;
    Ctx ctx;
    ctx.stop = stop;
    bool too_long = false;
    auto sink = [&](std::string_view piece) {
      rest += piece;
      std::size_t at = 0;
      for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', at)) {
        auto box = state.box.lock();
        if (!box.wait(ctx, state.room, [&] { return box->lines.size() < most; })) return false;
        if (end > at) box->lines.push_back(rest.substr(at, end - at));
        state.filled.notify_all();
        at = end + 1;
      }
      rest.erase(0, at);
      too_long = rest.size() > longest;
      return !too_long;
    };
    auto answer = connection.stream(ctx, std::move(request), sink);
    auto box = state.box.lock();
    if (too_long)
      box->end = Error(Kind::invalid, "watch: an event is too long");
    else if (!answer)
      box->end = std::move(answer).error().in("watch");
    else if (!answer->ok())
      box->end = error_of(answer->status, answer->body, "watch");
    else
      box->end = Error(Kind::unavailable, "watch: the server ended the stream");
    state.filled.notify_all();
  }

  Result<std::optional<Event>> event_of(doc::Value value) const {
    auto type = value.str_at({"type"});
    auto* object = value.map().find("object");
    if (object == nullptr) return fail(Kind::invalid, "watch: an event without an object");
    if (type == "ERROR") {
      auto code = static_cast<int>(doc::View(*object)["code"].num_or(500));
      return Fail(error_of(code, doc::print_json(*object), "watch"));
    }
    using T = Event::Type;
    Event event;
    if (type == "ADDED")
      event.type = T::added;
    else if (type == "MODIFIED")
      event.type = T::modified;
    else if (type == "DELETED")
      event.type = T::deleted;
    else if (type == "BOOKMARK")
      event.type = T::bookmark;
    else
      return std::optional<Event>();
    event.object = Object(std::move(*object));
    return std::optional(std::move(event));
  }
  std::shared_ptr<State> state_;
  Type type_;
  std::jthread thread_;
};

class HttpClient final : public Client {
 public:
  explicit HttpClient(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

  Result<std::optional<Object>> get(const Ctx& ctx, const Type& type, const Key& key) override {
    TRY(auto path, place(ctx, type, key));
    auto request = Connection::request("GET", path);
    TRY(auto answer, connection_->send(ctx, std::move(request)));
    if (answer.status == 404) return std::optional<Object>();
    TRY(auto object, parsed(answer, fmt::format("get {} {}", type.kind, key.str())));
    return std::optional(std::move(object));
  }

  Result<ObjectList> list(const Ctx& ctx, const Type& type, const ListOptions& options) override {
    ObjectList out;
    auto take = [&](Object object) -> Result<> {
      out.items.push_back(std::move(object));
      return {};
    };
    TRY(out.resource_version, pages(ctx, type, options, take, [&] { out.items.clear(); }));
    return out;
  }
  Result<std::string> for_each(const Ctx& ctx, const Type& type, const ListOptions& options,
                               const Visit& visit) override {
    return pages(ctx, type, options, visit, [] {});
  }

  Result<std::unique_ptr<Watch>> watch(const Ctx& ctx, const Type& type, const WatchOptions& options) override {
    TRY(auto path, place(ctx, type, {options.ns, ""}, true));
    Query query;
    query.add("watch", "true"), query.add("allowWatchBookmarks", "true");
    query.add("labelSelector", options.label_selector), query.add("fieldSelector", options.field_selector);
    query.add("resourceVersion", options.resource_version);
    auto request = Connection::request("GET", path + query.str());
    request.stall = watch_stall;
    return std::make_unique<HttpWatch>(connection_, std::move(request), type);
  }

  Result<Object> create(const Ctx& ctx, doc::Value object, const WriteOptions& options) override {
    Object o(std::move(object));
    Key key{o.ns(), options.subresource.empty() ? "" : o.name()};
    // Bindings and evictions are sent to the pod they name.
    bool of_pod = options.subresource == "binding" || options.subresource == "eviction";
    return write(ctx, "POST", of_pod ? Type{"v1", "Pod"} : o.type(), key, "application/json", o.value(), options,
                 fmt::format("create {}", o.describe()));
  }
  Result<Object> update(const Ctx& ctx, doc::Value object, const WriteOptions& options) override {
    Object o(std::move(object));
    return write(ctx, "PUT", o.type(), o.key(), "application/json", o.value(), options,
                 fmt::format("update {}", o.describe()));
  }
  Result<Object> patch(const Ctx& ctx, const Type& type, const Key& key, PatchType kind, const doc::Value& patch,
                       const WriteOptions& options) override {
    std::string_view form = kind == PatchType::json    ? "application/json-patch+json"
                            : kind == PatchType::merge ? "application/merge-patch+json"
                                                       : "application/strategic-merge-patch+json";
    return write(ctx, "PATCH", type, key, form, patch, options, fmt::format("patch {} {}", type.kind, key.str()));
  }
  Result<Object> apply(const Ctx& ctx, doc::Value object, const WriteOptions& options) override {
    Object o(std::move(object));
    if (o.name().empty()) return fail(Kind::invalid, "apply {}: metadata.name is missing", o.kind());
    return write(ctx, "PATCH", o.type(), o.key(), "application/apply-patch+yaml", o.value(), options,
                 fmt::format("apply {}", o.describe()));
  }

  Result<> remove(const Ctx& ctx, const Type& type, const Key& key, const RemoveOptions& options) override {
    TRY(auto path, place(ctx, type, key));
    auto request = Connection::request("DELETE", path);
    using P = RemoveOptions::Propagation;
    doc::Map body{{"kind", "DeleteOptions"},
                  {"apiVersion", "v1"},
                  {"propagationPolicy", options.propagation == P::foreground ? "Foreground"
                                        : options.propagation == P::orphan   ? "Orphan"
                                                                             : "Background"}};
    if (options.grace_seconds) body.set("gracePeriodSeconds", *options.grace_seconds);
    doc::Map preconditions;
    if (!options.uid.empty()) preconditions.set("uid", options.uid);
    if (!options.resource_version.empty()) preconditions.set("resourceVersion", options.resource_version);
    if (!preconditions.empty()) body.set("preconditions", std::move(preconditions));
    request.headers.set("Content-Type", "application/json");
    request.body = doc::print_json(body);
    TRY(auto answer, connection_->send(ctx, std::move(request)));
    TRY_OK(body_of(answer, fmt::format("delete {} {}", type.kind, key.str())));
    return {};
  }

  Result<> reach(const Ctx& ctx) {
    TRY_OK(fetch(ctx, "/api", "discovery"));
    return {};
  }

  Result<Resource> resource(const Ctx& ctx, const Type& type) override {
    {
      auto known = known_.lock();
      if (auto it = known->find(type); it != known->end()) return it->second;
    }
    TRY_OK(discover(ctx, type.api_version));
    auto known = known_.lock();
    if (auto it = known->find(type); it != known->end()) return it->second;
    return fail(Kind::not_found, "no matches for kind \"{}\" in version \"{}\"", type.kind, type.api_version);
  }

  Result<std::vector<Resource>> resources(const Ctx& ctx) override {
    TRY_OK(discover(ctx, "v1"));
    TRY(auto groups, fetch(ctx, "/apis", "discovery"));
    for (const auto& group : doc::View(groups)["groups"].items())
      for (const auto& version : group["versions"].items()) {
        // One broken group (an API service that is down) must not hide the others.
        auto found = discover(ctx, version["groupVersion"].text());
        if (!found && !found.error().retryable() && !found.error().is(Kind::not_found))
          return Fail(std::move(found).error());
      }
    std::vector<Resource> out;
    for (const auto& [type, r] : *known_.lock()) out.push_back(r);
    return out;
  }

 private:
  Result<doc::Value> body_of(const net::ClientResponse& answer, std::string_view doing) const {
    if (!answer.ok()) return Fail(error_of(answer.status, answer.body, doing));
    TRY_IN(auto value, doing, doc::parse_json(answer.body, "answer"));
    return value;
  }
  Result<Object> parsed(const net::ClientResponse& answer, std::string_view doing) const {
    TRY(auto value, body_of(answer, doing));
    return Object(std::move(value));
  }
  Result<doc::Value> fetch(const Ctx& ctx, const std::string& path, std::string_view doing) {
    auto request = Connection::request("GET", path);
    TRY(auto answer, connection_->send(ctx, std::move(request)));
    return body_of(answer, doing);
  }

  // `again`: the pages ran out of history, and the list begins anew, in one piece.
  Result<std::string> pages(const Ctx& ctx, const Type& type, const ListOptions& options, const Visit& visit,
                            const std::function<void()>& again) {
    TRY(auto path, place(ctx, type, {options.ns, ""}, true));
    std::string limit = "500", more;
    for (;;) {
      Query query;
      query.add("labelSelector", options.label_selector), query.add("fieldSelector", options.field_selector);
      query.add("limit", limit), query.add("continue", more);
      auto request = Connection::request("GET", path + query.str());
      TRY(auto answer, connection_->send(ctx, std::move(request)));
      if (answer.status == 410 && !more.empty()) {
        again();
        limit.clear(), more.clear();
        continue;
      }
      TRY(auto page, body_of(answer, fmt::format("list {}", type.kind)));
      TRY_OK(visit_items(page, type, visit));
      more = page.str_at({"metadata", "continue"});
      if (more.empty()) return page.str_at({"metadata", "resourceVersion"});
    }
  }
  static Result<> visit_items(doc::Value& page, const Type& type, const Visit& visit) {
    auto* items = page.map().find("items");
    if (items == nullptr || !items->is_list()) return {};
    for (auto& item : items->list()) {
      // Items of a typed list do not repeat their kind.
      if (item.find("kind") == nullptr) item["kind"] = type.kind, item["apiVersion"] = type.api_version;
      TRY_OK(visit(Object(std::move(item))));
    }
    return {};
  }

  Result<> discover(const Ctx& ctx, const std::string& api_version) {
    auto path = api_version.find('/') == std::string::npos ? "/api/" + api_version : "/apis/" + api_version;
    TRY(auto list, fetch(ctx, path, fmt::format("discovery of {}", api_version)));
    auto known = known_.lock();
    for (const auto& r : doc::View(list)["resources"].items()) {
      auto name = r["name"].text();
      if (name.find('/') != std::string::npos) continue;
      Resource resource;
      resource.type = {api_version, r["kind"].text()};
      resource.plural = name, resource.singular = r["singularName"].str_or(lower(r["kind"].text()));
      resource.namespaced = r["namespaced"].bool_or(false);
      for (const auto& s : r["shortNames"].items()) resource.short_names.push_back(s.text());
      std::set<std::string> verbs;
      for (const auto& verb : r["verbs"].items()) verbs.insert(verb.text());
      resource.watchable = verbs.contains("list") && verbs.contains("watch");
      (*known)[resource.type] = std::move(resource);
    }
    return {};
  }

  // The path of an object or, with an empty name, of its collection.
  Result<std::string> place(const Ctx& ctx, const Type& type, const Key& key, bool all_namespaces = false) {
    TRY(auto r, resource(ctx, type));
    auto path =
        type.group().empty() ? "/api/" + type.version() : fmt::format("/apis/{}/{}", type.group(), type.version());
    auto ns = key.ns;
    if (r.namespaced && ns.empty() && !all_namespaces) ns = connection_->ns().empty() ? "default" : connection_->ns();
    if (r.namespaced && !ns.empty()) path += "/namespaces/" + percent_encode(ns);
    path += "/" + r.plural;
    if (!key.name.empty()) path += "/" + percent_encode(key.name);
    return path;
  }

  Result<Object> write(const Ctx& ctx, std::string method, const Type& type, const Key& key, std::string_view form,
                       const doc::Value& body, const WriteOptions& options, std::string_view doing) {
    TRY(auto path, place(ctx, type, key));
    if (!options.subresource.empty()) path += "/" + options.subresource;
    Query query;
    query.add("fieldManager", options.field_manager);
    if (options.dry_run) query.add("dryRun", "All");
    if (form == "application/apply-patch+yaml") query.add("force", options.force ? "true" : "false");
    auto request = Connection::request(std::move(method), path + query.str());
    request.headers.set("Content-Type", form);
    request.body = doc::print_json(body);
    TRY(auto answer, connection_->send(ctx, std::move(request)));
    return parsed(answer, doing);
  }

  std::shared_ptr<Connection> connection_;
  Guarded<std::map<Type, Resource>> known_;
};

}  // namespace

Result<> reach(const Ctx& ctx, Client& client) {
  auto* http = dynamic_cast<HttpClient*>(&client);
  return http == nullptr ? Result<>{} : http->reach(ctx);
}

Result<std::unique_ptr<Client>> connect(const Kubeconfig& config, SignIn sign_in) {
  for (auto [field, text] : {std::pair("server", &config.server), std::pair("proxy-url", &config.proxy)}) {
    if (text == &config.proxy && text->empty()) continue;
    TRY_IN(auto url, fmt::format("kubeconfig: {}", field), net::parse_url(*text));
    bool socks = text == &config.proxy && url.scheme == "socks5";
    if (url.scheme != "http" && url.scheme != "https" && !socks)
      return fail(Kind::invalid, "kubeconfig: {} \"{}\": want http{} or https", field, url.print(),
                  text == &config.proxy ? ", socks5" : "");
  }
  return std::make_unique<HttpClient>(std::make_shared<Connection>(config, std::move(sign_in)));
}

}  // namespace slipway::kube
