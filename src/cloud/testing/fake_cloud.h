#pragma once
// A fake that answers by the clouds' published contracts. For tests.
#include <map>

#include "base/guarded.h"
#include "base/testing/golden.h"
#include "net/server.h"

namespace slipway::cloud {

struct Asked {
  std::string what, body, authorization, target;
};

class FakeCloud {
 public:
  FakeCloud() {
    server_ = must(net::Server::start({.threads = 2}, [this](const Ctx& ctx, net::Request& request) {
      auto what = request.method + " " + request.raw_path;
      asked_.lock()->push_back({what, must(request.read_body(ctx)),
                                std::string(request.headers.get_or("authorization", "")),
                                std::string(request.headers.get_or("x-amz-target", ""))});
      auto found = answers.find(what);
      auto [status, body] = found == answers.end() ? std::pair(404, std::string("no such thing")) : found->second;
      net::Response response;
      response.status = status, response.body = body;
      return response;
    }));
  }
  std::string url() const { return "http://" + server_->address(); }
  std::vector<Asked> asked() { return *asked_.lock(); }
  std::map<std::string, std::pair<int, std::string>> answers;  // before the first request

 private:
  Guarded<std::vector<Asked>> asked_;
  std::unique_ptr<net::Server> server_;
};

}  // namespace slipway::cloud
