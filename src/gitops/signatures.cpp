#include "gitops/signatures.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/guarded.h"
#include "base/text.h"
#include "gitops/keys.h"

namespace slipway::gitops {
namespace {

constexpr std::string_view check_name = "GIT/GPG", seal = "argocd-gpg-seal:";
constexpr std::size_t most_problems = 10;
constexpr std::size_t most_commits = 20'000;  // that are looked through for seals
constexpr std::size_t most_verified = 1000;   // at ten milliseconds each

// Addresses have slashes, and a star means them too.
bool fits(std::string_view pattern, std::string_view url) {
  return glob_match(replace_all(std::string(pattern), "*", "**"), url);
}

bool takes(const SignatureRule& rule, std::string_view url) {
  bool taken = false;
  for (std::string_view pattern : rule.repositories) {
    if (pattern.starts_with('!')) {
      if (fits(pattern.substr(1), url)) return false;
    } else if (fits(pattern, url)) {
      taken = true;
    }
  }
  return taken;
}

Result<> only(doc::View map, const std::vector<std::string_view>& known) {
  for (const auto& [name, value] : map.members())
    if (std::ranges::find(known, name) == known.end())
      return value.wrong(fmt::format("is not understood, want {}", join(known, ", ")));
  return {};
}

Result<SignatureRule> rule_from(doc::View policy) {
  TRY_OK(only(policy, {"repos", "gpg"}));
  auto gpg = policy["gpg"];
  TRY_OK(only(gpg, {"mode", "keys"}));
  SignatureRule rule;
  auto mode = gpg["mode"].text();
  if (mode == "none")
    rule.depth = SignatureRule::Depth::none;
  else if (mode == "strict")
    rule.depth = SignatureRule::Depth::strict;
  else if (mode != "head")
    return gpg["mode"].wrong(fmt::format("got \"{}\", want none, head or strict", mode));
  for (const auto& repository : policy["repos"].items()) rule.repositories.push_back(repository["url"].text());
  for (const auto& key : gpg["keys"].items()) rule.keys.push_back(key.text());
  return rule;
}

// Argo CD's key ring, as its ConfigMap says it now.
Result<std::shared_ptr<const KeyRing>> argo_keys(const Ctx& ctx, kube::Client& home) {
  TRY(auto map, home.get(ctx, {"v1", "ConfigMap"}, {std::string(home_namespace), std::string(signing_keys_name)}));
  KeyEntries entries;
  if (map)
    for (const auto& [name, value] : (*map)["data"].members()) entries[name] = value.text();
  return key_ring(entries, true);
}

// What the ring says of one commit or tag.
struct Judged {
  std::string revision, signer, wrong, key, primary;
};
Result<Judged> judge(const git::Repository& repository, const KeyRing& keys, const SignatureRule& rule,
                     const git::Oid& id, const std::string& revision) {
  Judged judged{revision, "", "", "", ""};
  auto object = repository.signed_object(id);
  if (!object && !object.error().is(Kind::invalid)) return Fail(std::move(object).error());
  if (!object) {
    judged.wrong = "bad signature: " + object.error().what();
    return judged;
  }
  judged.signer = object->signer;
  if (trim(object->signature).empty()) {
    judged.wrong = "unsigned";
  } else if (!secret::is_pgp_signature(object->signature)) {
    judged.wrong = "signed with no OpenPGP key";
  } else if (auto said = keys.keys.check(object->payload, object->signature)) {
    // Of several one is enough, if it is one of those that the project wants.
    auto good = [](const secret::PgpSignature& one) { return one.wrong.empty(); };
    auto wanted = [&](const secret::PgpSignature& one) {
      auto its = [&](const std::string& key) { return secret::pgp_key_id(key) == one.key; };
      return good(one) && std::ranges::any_of(rule.keys, its);
    };
    auto best = std::ranges::find_if(*said, wanted);
    if (best == said->end()) best = std::ranges::find_if(*said, good);
    if (best == said->end()) best = said->begin();
    judged.wrong = best->wrong, judged.key = best->key, judged.primary = best->primary;
  } else if (said.error().is(Kind::invalid)) {
    judged.wrong = "bad signature: " + said.error().what();
  } else {
    return Fail(std::move(said).error());
  }
  return judged;
}

std::string problem_with(const Judged& judged, const SignatureRule& rule, const KeyRing& keys) {
  auto why = judged.wrong;
  std::string more;
  if (why.empty()) {
    std::string invalid;
    for (const auto& key : rule.keys) {
      auto id = secret::pgp_key_id(key);
      if (!id.empty() && id == judged.key) return "";
      if (id.empty()) invalid += fmt::format(", '{}' is not a valid GnuPG key ID", key);
      if (!id.empty() && id == judged.primary)
        more = fmt::format(", a subkey of the allowed key {}: want the subkey's own id there", judged.primary);
    }
    why = "signed with unallowed key", more += invalid;
  } else if (why == "signed with key not in keyring" && !keys.broken.empty()) {
    more = fmt::format(", {}: {}", signing_keys_name, keys.broken);
  }
  return fmt::format("Failed verifying revision {} by '{}': {} (key_id={}){}", judged.revision, judged.signer, why,
                     judged.key, more);
}

// The commits that `strict` wants signed: all up to those that seal what is below them, and these. Rule: Argo CD's, a
// seal is any good signature of the ring on a message with its trailer.
Result<std::vector<git::Oid>> unsealed(const git::Repository& repository, const KeyRing& keys,
                                       const SignatureRule& rule, const git::Oid& tip) {
  TRY(auto commits, repository.log(tip, most_commits + 1));
  if (commits.size() > most_commits)
    return fail(Kind::invalid, "strict: the history has more than {} commits", most_commits);
  std::map<git::Oid, const git::Commit*> known;
  for (const auto& commit : commits) known[commit.id] = &commit;
  std::vector<git::Oid> open;
  std::set<git::Oid> sealed, seals;
  for (const auto& commit : commits) {
    if (!lower(commit.message).contains(seal)) continue;
    TRY(auto judged, judge(repository, keys, rule, commit.id, commit.id));
    if (!judged.wrong.empty()) continue;
    if (commit.id == tip) return std::vector<git::Oid>{tip};
    seals.insert(commit.id), open.push_back(commit.id);
  }
  while (!open.empty()) {
    auto id = open.back();
    open.pop_back();
    if (!sealed.insert(id).second || !known.contains(id)) continue;
    for (const auto& parent : known[id]->parents) open.push_back(parent);
  }
  std::vector<git::Oid> wanted;
  std::set<git::Oid> boundary;
  for (const auto& commit : commits) {
    if (sealed.contains(commit.id)) continue;
    wanted.push_back(commit.id);
    for (const auto& parent : commit.parents)
      if (sealed.contains(parent) && boundary.insert(parent).second) wanted.push_back(parent);
  }
  if (wanted.size() > most_verified)
    return fail(Kind::invalid,
                "strict: {} commits would have to be verified, want a seal (Argocd-gpg-seal:) at most {} "
                "commits back",
                wanted.size(), most_verified);
  return wanted;
}

}  // namespace

Result<SignatureRules> SignatureRules::read(doc::View project_spec) {
  SignatureRules rules;
  auto integrity = project_spec["sourceIntegrity"];
  TRY_OK(only(integrity, {"git"}));
  TRY_OK(only(integrity["git"], {"policies"}));
  // As Argo CD has it, the new way is the only one where both are there.
  if (integrity["git"].present()) {
    for (const auto& policy : integrity["git"]["policies"].items()) {
      TRY(auto rule, rule_from(policy));
      rules.rules_.push_back(std::move(rule));
    }
    return rules;
  }
  auto keys = project_spec["signatureKeys"];
  if (!keys.members().empty()) return keys.wrong("want a list of {keyID}");
  SignatureRule all{.repositories = {"*"}};
  for (const auto& key : keys.items()) all.keys.push_back(key["keyID"].text());
  if (!all.keys.empty()) rules.rules_.push_back(std::move(all));
  return rules;
}

Result<const SignatureRule*> SignatureRules::rule_for(const std::string& url) const {
  const SignatureRule* found = nullptr;
  std::size_t count = 0;
  for (const auto& rule : rules_)
    if (takes(rule, url)) found = &rule, ++count;
  if (count > 1)
    return fail(Kind::invalid, "multiple ({}) git source integrity policies found for repo URL: {}", count, url);
  return found != nullptr && found->depth == SignatureRule::Depth::none ? nullptr : found;
}

Result<std::vector<std::string>> SignatureRules::problems_of(const Ctx& ctx, kube::Client& home,
                                                             const git::Repository& repository, const std::string& url,
                                                             const std::string& revision,
                                                             const git::Oid& commit) const {
  TRY(const auto* rule, rule_for(url));
  if (rule == nullptr) return std::vector<std::string>();
  TRY(auto keys, argo_keys(ctx, home));
  TRY(auto named, plain_revision(repository, revision));
  TRY(auto tag, repository.annotated_tag(named));
  std::vector<std::pair<git::Oid, std::string>> objects;  // and how they are named
  if (tag) {
    TRY(auto now, repository.resolve(*tag));
    if (now != commit) return fail(Kind::unavailable, "{}: {} has moved meanwhile", url, revision);
    objects.emplace_back(*tag, named.starts_with("refs/tags/") ? named.substr(10) : named);
  }
  if (rule->depth == SignatureRule::Depth::strict) {
    TRY(auto ids, unsealed(repository, *keys, *rule, commit));
    for (const auto& id : ids) objects.emplace_back(id, id);
  } else if (!tag) {
    objects.emplace_back(commit, commit);
  }
  std::vector<std::string> problems;
  std::set<std::string> told;  // a key that is wrong is told of once
  for (const auto& [id, name] : objects) {
    TRY(auto judged, judge(repository, *keys, *rule, id, name));
    auto problem = problem_with(judged, *rule, *keys);
    if (problem.empty() || (id == name && !judged.key.empty() && !told.insert(judged.key).second)) continue;
    problems.push_back(std::move(problem));
    if (problems.size() == most_problems) break;
    TRY_OK(ctx.alive());
  }
  return problems;
}

Result<std::string> SignatureRules::problems(const Ctx& ctx, kube::Client& home, Repositories& repositories,
                                             const Application& app, const std::vector<std::string>& commits) const {
  std::string text;
  for (std::size_t i = 0; i < app.sources.size() && i < commits.size(); ++i) {
    const auto& source = app.sources[i];
    TRY(const auto* rule, rule_for(source.repo_url));
    if (rule == nullptr) continue;
    TRY(auto repository, repositories.at(ctx, source.repo_url, commits[i]));
    TRY(auto problems, problems_of(ctx, home, repository, source.repo_url, source.target_revision, commits[i]));
    auto name = source.written.str_at({"name"});
    auto which = app.sources.size() < 2 ? ""
                 : name.empty()         ? fmt::format("source {} of {}: ", i + 1, app.sources.size())
                                        : fmt::format("source {}: ", name);
    for (const auto& problem : problems)
      text += fmt::format("{}{}: {}{}", text.empty() ? "" : "\n", check_name, which, problem);
  }
  return text;
}

Result<std::shared_ptr<const KeyRing>> key_ring(const KeyEntries& entries, bool by_id) {
  static Guarded<std::vector<std::pair<std::string, std::shared_ptr<const KeyRing>>>> made;
  auto print = std::string(by_id ? "1" : "0");
  for (const auto& [name, text] : entries) print += fmt::format("{}\n{}\n{}", name, text.size(), text);
  auto rings = made.lock();
  for (const auto& [of, ring] : *rings)
    if (of == print) return ring;
  auto ring = std::make_shared<KeyRing>();
  for (const auto& [name, text] : entries) {
    auto added = ring->keys.add(text);
    if (!added && added.error().is(Kind::unavailable)) return Fail(std::move(added).error());
    auto wrong = added ? std::string() : added.error().what();
    if (added && by_id && *added != std::vector{secret::pgp_key_id(name)})
      wrong = fmt::format("holds the key {}", join(*added, ", "));
    if (added) ring->empty = false;
    if (!wrong.empty()) ring->broken += fmt::format("{}{}: {}", ring->broken.empty() ? "" : "; ", name, wrong);
  }
  constexpr std::size_t most_rings = 8;
  if (rings->size() == most_rings) rings->erase(rings->begin());
  rings->emplace_back(std::move(print), ring);
  return std::shared_ptr<const KeyRing>(std::move(ring));
}

}  // namespace slipway::gitops
