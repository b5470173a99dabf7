#pragma once
// What stages exchange: values only, no I/O. Each is stored as an API object (path/objects.h) and printed for people.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/time.h"
#include "doc/value.h"

namespace slipway::path {

// Something happened in a source repository.
struct Change {
  enum class Event {
    push,
    pull_request,
    tag,
    manual,
    schedule,
    repository_dispatch,
    workflow_run,
    created,
    deleted,
    release
  };
  Event event = Event::push;
  std::string repository;      // "shop"
  std::string ref;             // refs/heads/main; refs/pull/7/head for a pull request
  std::string before, after;   // commit ids; before "" when new
  std::string tree;            // of `after` (pull request: of the merge)
  int pull_request = 0;        // 0: none
  std::string base_ref, base;  // pull request: target branch and its commit
  std::string author, subject;
  std::vector<std::string> paths;             // touched
  bool trusted = true;                        // false: no secrets
  std::string workflow;                       // only this file: a person, a timer or another run asked for it
  std::map<std::string, std::string> inputs;  // as given, of workflow_dispatch
  std::string action;                         // completed; published; the type of a repository_dispatch
  std::string cron;                           // the line of `on: schedule`
  doc::Value details;                         // what else github.event holds: client_payload, workflow_run, release
  friend bool operator==(const Change&, const Change&) = default;
};

struct Place {
  std::string file;
  int line = 0, column = 0;
  std::string print() const;  // file:line:col
  friend bool operator==(const Place&, const Place&) = default;
};
enum class Severity { info, low, medium, high, critical, error, warning };
// What a check found.
struct Finding {
  std::string check;  // lint, vulnerability, secret, misconfiguration, policy
  std::string rule;   // CVE-2021-44228, private-key, DL3006
  Severity severity = Severity::info;
  Place place;
  std::string message, package, version, fixed_in;
  std::string fingerprint;  // same finding, same text
  bool fails = false;       // the policy stops on it
  friend bool operator==(const Finding&, const Finding&) = default;
};

// An image that was built (or reused) for a change.
struct Artifact {
  std::string service;  // "web"
  std::string image;    // "shop/web" in the registry's terms
  Digest digest;
  std::vector<std::string> tags;
  std::string repository, commit, run;
  std::string inputs;   // digest of everything the build read
  bool reused = false;  // answered from an earlier build
  std::uint64_t bytes = 0;
  friend bool operator==(const Artifact&, const Artifact&) = default;
};

enum class Phase { pending, running, waiting, succeeded, failed, cancelled, skipped };
std::string_view to_string(Phase phase);  // Pending, Running, Waiting, Succeeded, Failed, Cancelled, Skipped
std::optional<Phase> parse_phase(std::string_view text);
bool is_final(Phase phase);
std::string_view to_string(Severity severity);
std::optional<Severity> parse_severity(std::string_view text);
std::string_view to_string(Change::Event event);  // push, pull_request, tag, workflow_dispatch, schedule ...
std::optional<Change::Event> parse_event(std::string_view text);

// "Put this image of this service into this environment."
struct Promotion {
  std::string service, environment;
  Artifact artifact;
  std::string config_repository, config_path;
  std::string reason;  // "run shop-ci-41", "rollback of ..."
  std::string approved_by;
  Phase phase = Phase::pending;
  std::string commit;  // in the configuration repository, once written
  std::string message;
  bool revert = false;
  friend bool operator==(const Promotion&, const Promotion&) = default;
};

// The outcome of looking at what runs.
struct Verdict {
  enum class Outcome { pass, fail, inconclusive };
  Outcome outcome = Outcome::inconclusive;
  std::string why;
  std::vector<std::string> evidence;
  friend bool operator==(const Verdict&, const Verdict&) = default;
};
std::string_view to_string(Verdict::Outcome outcome);  // pass, fail, inconclusive
std::optional<Verdict::Outcome> parse_outcome(std::string_view text);

// Every transition worth telling somebody about.
struct Notice {
  std::string id;     // once per id
  std::string event;  // run.failed, promotion.waiting, rollout.aborted ...
  Severity severity = Severity::info;
  std::string title, text, link;
  std::map<std::string, std::string> facts;  // service, environment, commit, author ...
  friend bool operator==(const Notice&, const Notice&) = default;
};

}  // namespace slipway::path
