#pragma once
// What an owner says about the registry: who may do what, which tags stay as they are, how much a repository may hold,
// what is kept, and which registries it stands in for. Written as YAML; read anew by each request that asks.
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/ctx.h"

namespace slipway::oci {

// Who asks. Without a name: nobody said who they are.
struct Who {
  std::string name;
  std::vector<std::string> groups;
  bool anonymous() const { return name.empty(); }
  bool admin() const;  // of the group system:masters: may everything
};

// Patterns of repositories are globs: `*` within a segment, `**` across.
struct Right {
  std::vector<std::string> who;  // names, "group:NAME", "*" for every user, "anonymous" for everybody
  std::vector<std::string> repositories, may;
};
struct Immutable {
  std::vector<std::string> repositories, tags;
};
struct Quota {
  std::vector<std::string> repositories;
  std::uint64_t bytes = 0;  // of each repository
};
struct Keep {
  std::vector<std::string> repositories, tags;
  std::optional<std::int64_t> newest;    // this many tags beside those
  std::optional<Millis> pushed, pulled;  // and whatever was in this time
  std::optional<Millis> untagged;        // manifests without a tag go after this time
  bool tags_go() const { return !tags.empty() || newest || pushed || pulled; }
};
// A registry whose images can be pulled through this one, as "host/repository".
struct Upstream {
  std::string host;     // as references name it: docker.io
  std::string name;     // as repositories here begin: docker.io, 127.0.0.1-5000
  std::string address;  // host[:port] it is reached at
  bool plain_http = false;
  Millis fresh{600'000};                  // a tag is looked up again after this time
  std::vector<std::string> repositories;  // empty: all
};

struct RegistryRules {
  bool anonymous_pulls = true;
  bool has_rights = false;  // without the list every user may do everything, and everybody pull
  std::vector<Right> rights;
  std::vector<Immutable> immutable;
  std::vector<Quota> quotas;
  std::vector<Keep> keep;
  std::vector<Upstream> upstreams;

  // `action`: pull, push, delete.
  bool may(const Who& who, std::string_view repository, std::string_view action) const;
  bool is_immutable(std::string_view repository, std::string_view tag) const;
  std::optional<std::uint64_t> quota(std::string_view repository) const;  // of the first rule that names it
  const Keep* keep_of(std::string_view repository) const;                 // the same
  // For a repository here ("docker.io/library/debian"); null: it is nobody else's.
  const Upstream* upstream_of(std::string_view repository) const;
  const Upstream* upstream_by_host(std::string_view host) const;
};

// Empty text: the defaults. Errors: invalid with source:line:col. Threads: any.
Result<RegistryRules> parse_registry_rules(std::string_view yaml, std::string_view source);

}  // namespace slipway::oci
