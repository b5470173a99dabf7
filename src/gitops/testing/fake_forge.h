#pragma once
// A server that answers as the published APIs of the forges say.
#include "base/text.h"
#include "gitops/testing/world.h"
#include "net/server.h"

namespace slipway::gitops::appset {

inline const std::string commit(40, 'a');

// By path, with its query where one is known with it; every one needs the token.
class FakeForge {
 public:
  explicit FakeForge(std::map<std::string, std::string> answers) : answers_(std::move(answers)) {
    server_ = must(net::Server::start({}, [this](const Ctx&, net::Request& request) { return serve(request); }));
  }
  std::string address() const { return "http://" + server_->address(); }
  std::atomic<int> asked = 0;
  Guarded<std::optional<net::Response>> instead;  // of the next answer
  Guarded<std::string> token{"t0ken"};            // "" for none

 private:
  net::Response serve(const net::Request& request) {
    ++asked;
    if (auto other = instead.lock(); *other) return *std::exchange(*other, std::nullopt);
    auto wanted = *token.lock();
    auto given = request.headers.get_or("authorization", request.headers.get_or("private-token", ""));
    if (!wanted.empty() && !given.ends_with(wanted))
      return net::Response::json(401, R"({"message":"Bad credentials"})");
    auto found = answers_.find(request.target);
    if (found == answers_.end()) found = answers_.find(request.path);
    if (found == answers_.end()) return net::Response::json(404, R"({"message":"Not Found"})");
    return net::Response::json(200, replace_all(found->second, "SHA", commit));
  }
  std::map<std::string, std::string> answers_;
  std::unique_ptr<net::Server> server_;
};

}  // namespace slipway::gitops::appset
