#include "intake/intake.h"

#include "base/text.h"

namespace slipway::intake {
namespace {

using git::zero_oid;

bool is_none(const std::string& id) { return id.empty() || id == zero_oid; }

// What a new ref is compared with: where its history left the default branch.
Result<git::Oid> starting_point(const git::Repository& repository, const std::string& ref, const git::Oid& tip) {
  auto head = repository.head();
  if (!head || *head == ref) return git::Oid();
  TRY(auto main, repository.resolve(*head));
  if (!main || *main == tip) return git::Oid();
  TRY(auto base, repository.merge_base(*main, tip));
  return base.value_or(git::Oid());
}

bool is_nobody(const std::string& pusher) { return pusher.empty() || pusher == "unknown" || pusher == "anonymous"; }

}  // namespace

Result<path::Change> change_of_push(const git::Repository& repository, const std::string& name,
                                    const git::RefUpdate& update, const std::string& pusher) {
  if (is_none(update.after)) return fail(Kind::invalid, "{}: {} was deleted: nothing to run", name, update.ref);
  TRY_IN(auto resolved, name, repository.resolve(update.after));
  if (!resolved) return fail(Kind::not_found, "{}: {}: commit {} is not here", name, update.ref, update.after);
  TRY_IN(auto commit, name, repository.commit(*resolved));
  path::Change change;
  change.event = update.ref.starts_with("refs/tags/") ? path::Change::Event::tag : path::Change::Event::push;
  change.repository = name;
  change.ref = update.ref;
  change.after = commit.id;
  change.tree = commit.tree;
  change.subject = commit.subject();
  change.author = is_nobody(pusher) ? commit.author.name : pusher;
  git::Oid from;
  if (!is_none(update.before)) {
    // A forced push may have dropped what it replaced.
    auto before = repository.resolve(update.before);
    if (before && *before) from = **before;
    change.before = from;
  }
  if (from.empty()) {
    TRY(from, starting_point(repository, update.ref, commit.id));
  }
  TRY_IN(change.paths, name, repository.changed_paths(from, commit.id));
  return change;
}

Result<path::Change> change_of_pull_request(const git::Repository& repository, const std::string& name,
                                            const PullRequest& request) {
  auto base_ref = request.base.starts_with("refs/") ? request.base : "refs/heads/" + request.base;
  TRY_IN(auto base, name, repository.resolve(base_ref));
  if (!base) return fail(Kind::not_found, "{}#{}: no branch {}", name, request.number, request.base);
  TRY_IN(auto head, name, repository.commit(request.head));
  TRY_IN(auto merged, name, repository.merge(*base, head.id));
  if (!merged.conflicts.empty())
    return Fail(
        Error(Kind::conflict, fmt::format("{}#{}: does not merge into {}: conflicts in {}", name, request.number,
                                          request.base, join(merged.conflicts, ", ")))
            .with_hint(fmt::format("git rebase origin/{} and push again", base_ref.substr(base_ref.rfind('/') + 1))));
  path::Change change;
  change.event = path::Change::Event::pull_request;
  change.repository = name;
  change.ref = fmt::format("refs/pull/{}/head", request.number);
  change.pull_request = request.number;
  change.base_ref = base_ref;
  change.base = *base;
  change.before = *base;
  change.after = head.id;
  change.tree = merged.tree;
  change.author = is_nobody(request.author) ? head.author.name : request.author;
  change.subject = request.title.empty() ? head.subject() : request.title;
  change.trusted = request.trusted;
  TRY_IN(change.paths, name, repository.changed_paths(*base, merged.tree));
  return change;
}

Result<std::optional<path::Change>> change_of_hook(const forge::Hook& hook) {
  using Type = forge::Hook::Type;
  if (hook.type != Type::push && hook.type != Type::tag && hook.type != Type::pull_request)
    return std::optional<path::Change>();
  if (hook.after.empty()) return std::optional<path::Change>();
  path::Change change;
  change.event = hook.type == Type::push  ? path::Change::Event::push
                 : hook.type == Type::tag ? path::Change::Event::tag
                                          : path::Change::Event::pull_request;
  change.repository = hook.repository;
  change.ref = hook.ref;
  change.before = hook.before;
  change.after = hook.after;
  change.pull_request = hook.pull_request;
  change.base_ref = hook.base_ref;
  change.base = hook.base;
  change.author = hook.author;
  change.subject = hook.subject;
  if (hook.paths_complete) change.paths = hook.paths;
  change.trusted = !hook.from_fork;
  return std::optional(std::move(change));
}

Result<std::optional<path::Change>> change_of_hook(const forge::Hook& hook, const git::Repository& mirror) {
  TRY(auto said, change_of_hook(hook));
  if (!said) return said;
  if (hook.type == forge::Hook::Type::pull_request) {
    TRY(auto head, mirror.resolve(hook.after));  // Bitbucket's ids are short
    if (!head)
      return fail(Kind::not_found, "{}#{}: commit {} is not in the mirror yet", hook.repository, hook.pull_request,
                  hook.after);
    TRY(auto change,
        change_of_pull_request(mirror, hook.repository,
                               {hook.pull_request, hook.base_ref, *head, hook.author, hook.subject, !hook.from_fork}));
    change.ref = hook.ref;
    return std::optional(std::move(change));
  }
  auto before = hook.before.empty() ? git::Oid(zero_oid) : hook.before;
  TRY(auto change, change_of_push(mirror, hook.repository, {hook.ref, before, hook.after, hook.forced}, hook.author));
  return std::optional(std::move(change));
}

Result<std::vector<path::Change>> missing_changes(const git::Repository& repository, const std::string& name,
                                                  const std::map<std::string, std::string>& known) {
  std::vector<path::Change> missing;
  TRY_IN(auto refs, name, repository.refs());
  for (const auto& [ref, id] : refs) {
    if (!ref.starts_with("refs/heads/") && !ref.starts_with("refs/tags/")) continue;
    auto last = known.find(ref);
    TRY_IN(auto tip, name, repository.resolve(ref));  // an annotated tag's commit, as a Change names it
    if (!tip || (last != known.end() && (last->second == *tip || last->second == id))) continue;
    auto commit = repository.commit(*tip);
    if (!commit) continue;  // a tag of a file
    git::Oid before = last == known.end() ? git::Oid(zero_oid) : last->second;
    TRY(auto change, change_of_push(repository, name, {ref, before, *tip, false}, ""));
    missing.push_back(std::move(change));
  }
  return missing;
}

}  // namespace slipway::intake
