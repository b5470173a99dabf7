#pragma once
// A cluster that may be away. Its clients ask nobody while it is known not to answer, so that what is done there fails
// at once, and wait for one question no longer than its time. check() finds out whether it is there: again and again
// while it is away, now and then while all is well, at once when a call met a doubt.
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/guarded.h"
#include "kube/client.h"
#include "kube/kubeconfig.h"

namespace slipway::gitops {

// How a cluster is reached, given a server and a sign-in: kube::connect, or what a test puts in its place.
struct Connection {
  std::shared_ptr<kube::Client> client;
  std::function<Result<>(const Ctx&)> reach;  // whether it answers at all
};
using Connect = std::function<Result<Connection>(const kube::Kubeconfig&)>;
// `programs`: those that a cluster Secret may name for its sign-in (sign_in.h).
Connect connect_by_http(std::set<std::string> programs = {});

struct Patience {
  Millis answer{5000};  // for check()'s question
  Millis call{40000};   // for any other: the webhooks of an API server may take 30 s
  Millis well{30000};   // between questions while it answers
  Millis first{1000};   // after it did not, doubled each time
  Millis longest{30000};
};

// Threads: any.
class Remote {
 public:
  // `title` names it in errors. Errors: invalid (a kubeconfig that cannot be used).
  static Result<std::shared_ptr<Remote>> open(std::string title, const kube::Kubeconfig& config, Connect connect,
                                              const Clock& clock, Patience patience = {});
  // Errors of calls beside their own: unavailable (it is away).
  std::shared_ptr<kube::Client> client() const { return client_; }
  // The same as another user (user impersonation). Errors: as open.
  Result<std::shared_ptr<kube::Client>> as(const std::string& user);

  // Asks whether it answers; one at a time. Gives whether that is another answer than before.
  bool check(const Ctx& ctx);
  bool due() const;                    // it is time to check
  Result<> await_due(const Ctx& ctx);  // Errors: cancelled, timeout
  // Why it is away, "" when it is not, or nobody asked yet.
  std::string away() const;

 private:
  class Guard;
  class Watched;
  struct State {
    bool asked = false, asking = false;
    std::string away;
    Clock::time_point next, last;
    Millis pause{0};
    std::map<std::string, std::shared_ptr<kube::Client>> users;
  };
  Remote(std::string title, kube::Kubeconfig config, Connect connect, const Clock& clock, Patience patience)
      : title_(std::move(title)),
        config_(std::move(config)),
        connect_(std::move(connect)),
        clock_(clock),
        patience_(patience) {}
  Result<> admit() const;
  void doubt();

  const std::string title_;
  const kube::Kubeconfig config_;
  const Connect connect_;
  const Clock& clock_;
  const Patience patience_;
  std::weak_ptr<Remote> self_;
  std::function<Result<>(const Ctx&)> reach_;
  std::shared_ptr<kube::Client> client_;
  Guarded<State> state_;
  std::condition_variable_any wake_;
};

}  // namespace slipway::gitops
