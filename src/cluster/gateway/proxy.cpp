#include "cluster/gateway/proxy.h"

#include "base/encode.h"
#include "base/log.h"
#include "base/text.h"

namespace slipway::cluster {
namespace {

// Below the five seconds after which the shortest-lived servers in use (Node's) close an idle connection.
constexpr std::chrono::seconds idle_time{4};
constexpr std::size_t idle_each = 64;
constexpr Millis connect_time{3000}, answer_time{120'000};
constexpr std::int64_t replay_limit = 64 << 10;

bool is_hop(std::string_view name) {
  for (auto hop : {"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE",
                   "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Expect"})
    if (iequals(name, hop)) return true;
  return false;
}

std::vector<std::string> connection_words(const net::Headers& headers) {
  std::vector<std::string> words;
  for (auto value : headers.all("Connection"))
    for (auto word : split(value, ',')) words.push_back(lower(trim(word)));
  return words;
}

net::Headers end_to_end(const net::Headers& headers) {
  auto named = connection_words(headers);
  net::Headers kept;
  for (const auto& [name, value] : headers.list())
    if (!is_hop(name) && std::find(named.begin(), named.end(), lower(name)) == named.end()) kept.add(name, value);
  return kept;
}

bool is_idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" || method == "OPTIONS" ||
         method == "TRACE";
}

std::string peer_address(std::string_view peer) { return std::string(peer.substr(0, peer.rfind(':'))); }

// What goes to the endpoint instead of what came.
struct Outgoing {
  net::Headers headers;
  std::string target, upgrade;
  std::optional<std::int64_t> length;  // of the body; -1 chunked
  std::string body;                    // read ahead, so that it can be sent again
  bool body_in_hand = false;
};

std::string rewritten(const Route& route, const net::Request& request) {
  auto mark = request.target.find('?');
  auto query = mark == std::string::npos ? std::string() : request.target.substr(mark);
  if (route.rewrites_all) return route.prefix_rewrite + query;
  if (!route.rewrites_prefix || !path_has_prefix(request.raw_path, route.path)) return request.raw_path + query;
  std::string_view prefix = route.path;
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  auto rest = request.raw_path.substr(prefix.size());
  auto front = route.prefix_rewrite;
  while (front.ends_with('/')) front.pop_back();
  auto path = front + (rest.empty() && front.empty() ? "/" : rest);
  return path + query;
}

Outgoing outgoing(const Route& route, const net::Request& request) {
  Outgoing out;
  out.headers = end_to_end(request.headers);
  out.target = rewritten(route, request);
  auto words = connection_words(request.headers);
  if (std::find(words.begin(), words.end(), "upgrade") != words.end())
    out.upgrade = request.headers.get_or("Upgrade", "");
  if (request.headers.get("Transfer-Encoding"))
    out.length = -1;
  else if (auto length = request.headers.get("Content-Length"))
    out.length = to_int(*length).value_or(0);
  auto peer = peer_address(request.peer);
  auto before = request.headers.get("X-Forwarded-For");
  out.headers.set("X-Forwarded-For", before ? fmt::format("{}, {}", *before, peer) : peer);
  out.headers.set("X-Forwarded-Proto", request.tls ? "https" : "http");
  if (!request.headers.get("X-Forwarded-Host")) out.headers.set("X-Forwarded-Host", request.headers.get_or("Host", ""));
  if (!request.headers.get("X-Real-IP")) out.headers.set("X-Real-IP", peer);
  for (const auto& name : route.drop_headers) out.headers.erase(name);
  for (const auto& [name, value] : route.set_headers) out.headers.set(name, value);
  for (const auto& [name, value] : route.add_headers) out.headers.add(name, value);
  return out;
}

// One request under way. Shared by the handler and the body that is sent after it.
struct Passage {
  UpstreamPool* pool;
  std::shared_ptr<const Table> table;
  TargetPtr target;
  const Endpoint* endpoint = nullptr;
  std::optional<net::Upstream> upstream;
  net::Upstream::Answer answer;
  Clock::time_point start = real_clock().now();
  bool counted = false;

  void count(Tally::End end) {
    if (std::exchange(counted, true)) return;
    auto seconds = std::chrono::duration<double>(real_clock().now() - start).count();
    const auto& tally = endpoint != nullptr ? endpoint->tally : target->none;
    tally->add(end, answer.status, seconds);
  }
  ~Passage() {
    if (answer.status != 0)
      count(Tally::End::answered);  // the client went before it was over; the backend did its part
  }
};

Result<> send_body(const Ctx& ctx, net::Upstream& upstream, net::Request& request) {
  std::array<char, 65536> buffer;
  for (;;) {
    TRY(auto got, request.body->read(ctx, buffer));
    if (got == 0) return upstream.finish(ctx);
    // An endpoint that stops reading may have answered already: that is what counts then.
    if (auto sent = upstream.send(ctx, {buffer.data(), got}); !sent)
      return sent.error().is(Kind::unavailable) ? Result<>{} : std::move(sent);
  }
}

enum class Outcome { answered, retry, failed };
struct Attempt {
  Outcome outcome = Outcome::failed;
  int status = 502;
  std::string why;
};

Attempt try_endpoint(const Ctx& ctx, Passage& passage, net::Request& request, const Outgoing& out, bool fresh_only) {
  const auto& endpoint = *passage.endpoint;
  bool reused = false;
  if (!fresh_only && out.upgrade.empty()) {
    passage.upstream = passage.pool->take(endpoint);
    reused = passage.upstream.has_value();
  }
  if (!passage.upstream) {
    auto made = net::Upstream::connect(ctx.within(connect_time), endpoint.address, endpoint.port);
    // Nothing was sent: another endpoint may have it, whatever the method.
    if (!made) return {ctx.alive() ? Outcome::retry : Outcome::failed, 502, made.error().what()};
    passage.upstream = *std::move(made);
  }
  auto& upstream = *passage.upstream;
  net::Upstream::Call call{request.method, out.target, &out.headers, out.length, out.upgrade, out.body};
  auto sent = upstream.start(ctx, call);
  bool replayable = !out.length || out.body_in_hand;
  if (sent && !replayable) {
    if (auto body = send_body(ctx, upstream, request); !body) {
      bool theirs = body.error().is(Kind::invalid);
      return {Outcome::failed, theirs ? 400 : 502, body.error().what()};
    }
  }
  auto answer = upstream.answer(ctx.within(answer_time), request.method == "HEAD");
  if (answer) {
    passage.answer = *std::move(answer);
    return {Outcome::answered, 0, ""};
  }
  bool again = reused && replayable && is_idempotent(request.method) && answer.error().is(Kind::unavailable);
  passage.upstream.reset();
  return {again ? Outcome::retry : Outcome::failed, answer.error().is(Kind::timeout) ? 504 : 502,
          answer.error().what()};
}

net::Response refuse(int status, std::string_view why) {
  return net::Response::text(status, fmt::format("{} {}: {}\n", status, net::status_text(status), why));
}

net::StreamBody stream_of(std::shared_ptr<Passage> passage) {
  return [passage](const Ctx& ctx, net::BodyWriter& writer) -> Result<> {
    std::array<char, 65536> buffer;
    for (;;) {
      auto got = passage->upstream->read(ctx, buffer);
      if (!got) {
        if (ctx.alive()) passage->count(Tally::End::failed);  // else it was the client that went
        return Fail(std::move(got).error());
      }
      if (*got == 0) break;
      // Before the last bytes leave: who has the answer finds it counted.
      if (passage->upstream->finished()) passage->count(Tally::End::answered);
      TRY_OK(writer.write(ctx, {buffer.data(), *got}));
    }
    passage->count(Tally::End::answered);
    if (passage->upstream->reusable())
      passage->pool->give(*passage->endpoint, *std::exchange(passage->upstream, std::nullopt));
    return {};
  };
}

// Both directions until either ends.
net::UpgradeBody tunnel_of(std::shared_ptr<Passage> passage) {
  return [passage](const Ctx& ctx, net::ByteStream& client) {
    passage->count(Tally::End::answered);
    auto& upstream = *passage->upstream;
    std::jthread back([&] {
      std::array<char, 16384> buffer;
      for (;;) {
        auto got = upstream.read_raw(ctx, buffer);
        if (!got || *got == 0 || !client.write(ctx, {buffer.data(), *got})) break;
      }
      client.shutdown();
    });
    std::array<char, 16384> buffer;
    for (;;) {
      auto got = client.read(ctx, buffer);
      if (!got || *got == 0 || !upstream.write_raw(ctx, {buffer.data(), *got})) break;
    }
    upstream.shutdown();
  };
}

net::Response pass_back(std::shared_ptr<Passage> passage) {
  net::Response response;
  response.status = passage->answer.status;
  if (response.status == 101) {
    response.headers = passage->answer.headers;
    response.body = tunnel_of(std::move(passage));
    return response;
  }
  response.headers = end_to_end(passage->answer.headers);
  if (passage->answer.length) response.headers.add("Content-Length", std::to_string(*passage->answer.length));
  if (passage->answer.has_body && passage->answer.length != 0u) {
    response.body = stream_of(std::move(passage));
    return response;
  }
  passage->count(Tally::End::answered);
  if (passage->upstream->reusable())
    passage->pool->give(*passage->endpoint, *std::exchange(passage->upstream, std::nullopt));
  return response;
}

net::Response redirect(const Route& route, const net::Request& request) {
  std::string host(request.headers.get_or("Host", ""));
  auto scheme = route.redirect_scheme.empty() ? std::string(request.tls ? "https" : "http") : route.redirect_scheme;
  if (!route.redirect_host.empty())
    host = route.redirect_host;
  else
    host = host.substr(0, host.rfind(':'));
  auto port = route.redirect_port;
  bool plain_port = port == 0 || (scheme == "https" && port == 443) || (scheme == "http" && port == 80);
  auto response = refuse(route.redirect_status, "see Location");
  response.headers.add("Location", fmt::format("{}://{}{}{}", scheme, host, plain_port ? "" : fmt::format(":{}", port),
                                               rewritten(route, request)));
  return response;
}

}  // namespace

std::optional<net::Upstream> UpstreamPool::take(const Endpoint& endpoint) {
  auto now = real_clock().now();
  auto idle = idle_.lock();
  auto it = idle->find({endpoint.address, endpoint.port});
  while (it != idle->end() && !it->second.empty()) {
    auto last = std::move(it->second.back());
    it->second.pop_back();
    if (now - last.since < idle_time && last.upstream.still_quiet()) return std::move(last.upstream);
  }
  return std::nullopt;
}

void UpstreamPool::give(const Endpoint& endpoint, net::Upstream upstream) {
  auto idle = idle_.lock();
  auto& list = (*idle)[{endpoint.address, endpoint.port}];
  if (list.size() < idle_each) list.push_back({std::move(upstream), real_clock().now()});
}

void UpstreamPool::trim() {
  auto now = real_clock().now();
  auto idle = idle_.lock();
  for (auto it = idle->begin(); it != idle->end();) {
    std::erase_if(it->second, [&](const Idle& one) { return now - one.since >= idle_time; });
    it = it->second.empty() ? idle->erase(it) : std::next(it);
  }
}

net::Response proxy(const Ctx& ctx, UpstreamPool& pool, const std::shared_ptr<const Table>& table,
                    net::Request& request) {
  if (!table) return refuse(503, "the gateway is starting");
  auto route = table->find(request);
  if (!route) return refuse(404, "no route for this host and path");
  if (route->redirect_status != 0) return redirect(*route, request);
  auto passage = std::make_shared<Passage>();
  passage->pool = &pool, passage->table = table;
  passage->target = choose(*route, request);
  if (!passage->target) return refuse(500, fmt::format("{} has no backend that can be used", route->origin));
  const auto& target = *passage->target;
  auto fail_with = [&](int status, std::string_view why) {
    if (ctx.alive()) passage->count(Tally::End::failed);
    LOG(debug, "gateway.failed", {"service", target.ns + "/" + target.service}, {"why", why});
    return refuse(status, why);
  };
  if (target.endpoints.empty())
    return fail_with(503, fmt::format("service {}/{} has no ready endpoint", target.ns, target.service));
  auto out = outgoing(*route, request);
  if (out.length && *out.length >= 0 && *out.length <= replay_limit) {
    auto body = request.read_body(ctx, replay_limit);
    if (!body) return refuse(400, body.error().what());
    out.body = *std::move(body);
    out.body_in_hand = true;
  }
  auto first = target.turn.fetch_add(1, std::memory_order_relaxed);
  Attempt attempt;
  // Each endpoint once, and once more on a fresh connection if a kept one had died.
  std::size_t tries = std::min<std::size_t>(target.endpoints.size(), 4) + 1;
  bool fresh_only = false;
  for (std::size_t i = 0, at = first; i < tries; ++i) {
    passage->endpoint = &target.endpoints[at % target.endpoints.size()];
    attempt = try_endpoint(ctx, *passage, request, out, fresh_only);
    if (attempt.outcome == Outcome::answered) return pass_back(std::move(passage));
    if (attempt.outcome == Outcome::failed) break;
    // A kept connection that died says nothing against its endpoint.
    bool connected = !attempt.why.starts_with("connect to ");
    if (!connected) ++at;
    fresh_only = true;
  }
  passage->upstream.reset();
  return fail_with(attempt.status, attempt.why);
}

}  // namespace slipway::cluster
