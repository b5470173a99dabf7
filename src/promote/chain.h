#pragma once
// The rules of the chain of environments, as functions of values: dev, then staging after verification and a soak
// time, then production by approval.
#include <map>
#include <optional>
#include <vector>

#include "base/time.h"
#include "path/objects.h"

namespace slipway::promote {

// What an environment holds or held of a service.
struct Holding {
  std::string service, environment;
  Digest digest;
  bool current = true;                                                    // false: it was replaced or taken back
  path::Verdict::Outcome verdict = path::Verdict::Outcome::inconclusive;  // inconclusive: not verified yet
  WallTime since{};  // when the verdict was given (or, before it, when it arrived)
};
struct Approval {
  std::string service, environment;
  Digest digest;
  std::string by;
};
// An artifact whose run passed, and when: the same bytes pass again when a later commit brings them back.
struct Passed {
  path::Artifact artifact;
  WallTime at{};
};
// Whether the artifact is of this service: several Pipelines may have one of the same name, whose image or source
// repository tells them apart. What neither of them says is not compared.
bool is_of(const path::Artifact& artifact, const path::ServiceSource& service);

struct Next {
  std::vector<path::Promotion> promotions;  // pending: do it; waiting: needs an approval, see message
  std::vector<path::Promotion> held;        // due but for a window; waiting, see message
  std::optional<WallTime> look_again;       // when a soak time ends, or a window opens or closes
};

// `artifacts` of all services, in the order in which they passed; holdings and approvals of this Pipeline. A promotion
// that is there already (the environment holds the digest) is not given again; one that failed there is not tried
// again; nothing older than what the environment has held is promoted: what people took back in Git stays back until
// there is something newer.
Next next_promotions(const path::Pipeline& pipeline, const std::vector<Passed>& artifacts,
                     const std::vector<Holding>& holdings, const std::vector<Approval>& approvals, WallTime now);

// A promotion that is recorded somewhere, by the name of its object.
struct Recorded {
  std::string name, service, environment;
  Digest digest;
  WallTime at{};  // when it was recorded
  path::Phase phase = path::Phase::pending;
  bool proposed = false;        // as a pull request
  bool undecided = false;       // nothing is said of it yet: it overtakes nothing
  std::string image, pipeline;  // the service's; "": not known
};
// Those that wait, or are about to be carried out, although something newer of their service was recorded since for
// their environment and has come as far: what waits in a pull request is overtaken by what is in one or is done, what
// waits for a word by all that is not given up. Never by what is older. Gives what took the place of each, by name.
std::map<std::string, std::string> superseded(const std::vector<Passed>& artifacts,
                                              const std::vector<Recorded>& promotions);

// Which window holds promotions back now, in words; "" for none. A denial that is open wins, and where any hours are
// allowed, all others are not. Rule: Argo CD's sync windows.
std::string held_back(const path::Environment& environment, WallTime now);
// What a promotion says that a window holds back; the window follows.
inline constexpr std::string_view held_mark = "held back: ";
// When a window opens or closes, or in a day.
WallTime windows_change(const path::Environment& environment, WallTime now);

// "waiting for approval by ann or ben".
std::string asks_for(const path::Environment& environment);
// True when the person may approve for this environment.
bool may_approve(const path::Environment& environment, std::string_view person);

}  // namespace slipway::promote
