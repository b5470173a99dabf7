#include "promote/promote.h"

#include "base/guarded.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "promote/detail/config_file.h"

namespace slipway::promote {
namespace {

constexpr int most_tries = 60;
constexpr std::size_t looked_back = 300;  // commits that are searched for a promotion done before

// One writer a repository within this process: others wait instead of working in vain.
Result<Turns::Turn> take_turn(const Ctx& ctx, const fs::path& repository) {
  static Guarded<std::map<std::string, Turns>> writers;
  auto& turns = (*writers.lock())[fs::weakly_canonical(repository).string()];
  return turns.take(ctx);
}

struct Tip {
  git::Oid base;      // of the branch
  git::Oid proposal;  // of the proposal branch, zero when there is none
};

// What each try does with the tip it finds.
struct Plan {
  // Nothing to write: an Outcome. Else the files to write and the message.
  struct Write {
    std::vector<git::FileEdit> edits;
    std::string message;
  };
  std::function<Result<std::variant<Outcome, Write>>(const git::Repository&, const git::Oid& tip)> look;
};

class Writer {
 public:
  Writer(const Ctx& ctx, git::Repository& repository, const ConfigRepo& config)
      : ctx_(ctx), repository_(repository), config_(config) {}

  Result<Outcome> run(const Plan& plan) {
    TRY(auto turn, take_turn(ctx_, repository_.path()));
    for (int tries = 1;; ++tries) {
      TRY(auto tip, find_tip());
      TRY(auto next, plan.look(repository_, tip.base));
      if (auto* done = std::get_if<Outcome>(&next)) return *std::move(done);
      auto& write = std::get<Plan::Write>(next);
      TRY(auto tree, repository_.write_tree(tip.base, write.edits));
      if (auto same = proposed_already(tip, tree)) return Outcome{*same, false, "proposed already"};
      git::Signature author{config_.author, config_.email, ctx_.clock->wall()};
      TRY(auto commit, repository_.write_commit(tree, {tip.base}, author, write.message));
      auto moved = move(tip, commit);
      if (moved) return Outcome{commit, true, {}};
      if (!moved.error().is(Kind::conflict) || tries >= most_tries) return Fail(std::move(moved).error());
      LOG(debug, "promote.retry", {"try", tries}, {"why", moved.error().what()});
      TRY_OK(sleep(ctx_, Millis(2 + static_cast<unsigned char>(random_bytes(1)[0]) % (8 * std::min(tries, 12)))));
    }
  }

 private:
  std::string ref() const {
    return "refs/heads/" + (config_.proposal_branch.empty() ? config_.branch : config_.proposal_branch);
  }

  Result<Tip> find_tip() {
    if (!config_.remote.empty()) {
      TRY(repository_, git::Repository::mirror(ctx_, config_.remote, repository_.path(), config_.access));
    }
    Tip tip;
    TRY(auto base, repository_.resolve("refs/heads/" + config_.branch));
    if (!base)
      return Fail(Error(Kind::not_found,
                        fmt::format("{}: no branch {}", repository_.path().filename().string(), config_.branch))
                      .with_hint("push the configuration there first"));
    tip.base = *base;
    TRY(auto proposal, repository_.resolve("refs/heads/" + config_.proposal_branch));
    tip.proposal = config_.proposal_branch.empty() || !proposal ? git::Oid(git::zero_oid) : *proposal;
    return tip;
  }

  std::optional<git::Oid> proposed_already(const Tip& tip, const git::Oid& tree) {
    if (tip.proposal == git::zero_oid) return std::nullopt;
    auto commit = repository_.commit(tip.proposal);
    bool same = commit && commit->tree == tree && commit->parents == std::vector{tip.base};
    return same ? std::optional(tip.proposal) : std::nullopt;
  }

  Result<> move(const Tip& tip, const git::Oid& commit) {
    auto before = config_.proposal_branch.empty() ? tip.base : tip.proposal;
    if (!config_.remote.empty()) {
      auto force = config_.proposal_branch.empty() ? "" : "+";
      TRY_OK(repository_.push(ctx_, config_.remote, {fmt::format("{}{}:{}", force, commit, ref())}, config_.access));
      return repository_.update_ref(ref(), commit, std::nullopt, "promotion");  // as the next fetch would
    }
    if (config_.move) return config_.move(ctx_, ref(), before, commit);
    return repository_.update_ref(ref(), commit, before, "promotion");
  }

  const Ctx& ctx_;
  git::Repository& repository_;
  const ConfigRepo& config_;
};

std::string label_of(const path::Artifact& artifact) {
  auto setting = setting_of(artifact);
  return setting.tag.empty() ? artifact.digest.short_hex() : setting.tag;
}

std::string pull_request_of(const path::Artifact& artifact) {
  for (const auto& tag : artifact.tags)
    if (tag.starts_with("pr-")) return tag.substr(3);
  return {};
}

// A value of ours may hold what others wrote: one line, so that it makes no trailer of its own.
std::string one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return text;
}

void add_trailers(std::string& message, const Request& request, std::string_view reverts) {
  const auto& promotion = request.promotion;
  auto add = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) message += fmt::format("Slipway-{}: {}\n", key, one_line(value));
  };
  add("Service", promotion.service);
  add("Environment", promotion.environment);
  add("Artifact", fmt::format("{}@{}", promotion.artifact.image, promotion.artifact.digest.str()));
  add("Commit", promotion.artifact.repository.empty()
                    ? promotion.artifact.commit
                    : promotion.artifact.repository + "@" + promotion.artifact.commit);
  add("Run", promotion.artifact.run);
  add("Pull-Request", pull_request_of(promotion.artifact));
  add("Approved-By", promotion.approved_by);
  add("Override-Window", request.override_window);
  add("Promotion", request.id);
  add("Reverts", std::string(reverts));
}

std::string message_of(const std::vector<Request>& requests) {
  std::set<std::string> services, environments;
  for (const auto& request : requests) {
    services.insert(request.promotion.service);
    environments.insert(request.promotion.environment);
  }
  auto list = [](const std::set<std::string>& names) {
    return join(std::vector<std::string>(names.begin(), names.end()), ", ");
  };
  std::string message = requests.size() == 1 ? fmt::format("{}: Promote {} to {}\n", list(services),
                                                           label_of(requests[0].promotion.artifact), list(environments))
                                             : fmt::format("Promote {} to {}\n", list(services), list(environments));
  message = one_line(message.substr(0, message.size() - 1)) + "\n\n";
  for (const auto& request : requests)
    if (!request.promotion.reason.empty()) message += one_line(request.promotion.reason) + "\n";
  if (!message.ends_with("\n\n")) message += "\n";
  for (const auto& request : requests) add_trailers(message, request, {});
  return message;
}

// The commits of the branch that did promotions, by id. Looks only at what is new since the last look.
class Done {
 public:
  Result<> look(const git::Repository& repository, const git::Oid& tip) {
    if (tip == seen_) return {};
    TRY(auto commits, repository.log(tip, looked_back, seen_));
    for (const auto& commit : commits)
      for (const auto& [key, value] : trailers(commit.message))
        if (key == "Slipway-Promotion" || key == "Slipway-Reverts") by_id_.emplace(key + value, commit.id);
    seen_ = tip;
    return {};
  }
  std::optional<git::Oid> promotion(const std::string& id) const { return find("Slipway-Promotion" + id); }

 private:
  std::optional<git::Oid> find(const std::string& key) const {
    auto at = by_id_.find(key);
    return at == by_id_.end() ? std::nullopt : std::optional(at->second);
  }
  git::Oid seen_;
  std::map<std::string, git::Oid> by_id_;
};

}  // namespace

Result<std::optional<Said>> image_at(const git::Repository& repository, const git::Oid& commit,
                                     const std::string& config_path, const std::string& image) {
  TRY(auto file, locate(repository, commit, config_path));
  TRY(auto text, read_text(repository, commit, file));
  TRY(auto setting, get_image(file, text, image));
  if (!setting || setting->digest.empty()) return std::optional<Said>();
  TRY(auto digest, Digest::parse(setting->digest));
  return std::optional(Said{digest, setting->tag});
}

std::vector<std::pair<std::string, std::string>> trailers(std::string_view message) {
  std::vector<std::pair<std::string, std::string>> found;
  for (auto line : lines(message)) {
    auto parts = cut(line, ": ");
    if (parts && parts->first.starts_with("Slipway-")) found.emplace_back(parts->first, trim(parts->second));
  }
  return found;
}

Result<Outcome> promote(const Ctx& ctx, git::Repository& repository, const ConfigRepo& config,
                        const std::vector<Request>& requests) {
  if (requests.empty()) return fail(Kind::invalid, "promote: nothing to promote");
  Done done;
  Plan plan;
  plan.look = [&](const git::Repository& repo, const git::Oid& tip) -> Result<std::variant<Outcome, Plan::Write>> {
    TRY_OK(done.look(repo, tip));
    std::map<std::string, std::string> texts;  // by file: several services may share one
    std::set<std::string> changed;
    std::vector<Request> fresh;
    git::Oid before;
    for (const auto& request : requests) {
      if (auto earlier = request.id.empty() ? std::nullopt : done.promotion(request.id)) {
        before = *earlier;
        continue;
      }
      const auto& promotion = request.promotion;
      TRY(auto file, locate(repo, tip, promotion.config_path));
      if (!texts.contains(file.path)) {
        TRY(texts[file.path], read_text(repo, tip, file));
      }
      TRY(auto next, set_image(file, texts[file.path], promotion.artifact.image, setting_of(promotion.artifact)));
      if (next == texts[file.path]) continue;
      texts[file.path] = next;
      changed.insert(file.path);
      fresh.push_back(request);
    }
    if (fresh.empty())
      return Outcome{before.empty() ? tip : before, false, before.empty() ? "is set already" : "was promoted before"};
    Plan::Write write;
    for (const auto& path : changed) write.edits.push_back({path, texts[path]});
    write.message = message_of(fresh);
    return write;
  };
  return Writer(ctx, repository, config).run(plan);
}

Result<Outcome> revert(const Ctx& ctx, git::Repository& repository, const ConfigRepo& config, const Request& request,
                       const std::string& why) {
  const auto& promotion = request.promotion;
  const auto& image = promotion.artifact.image;
  if (promotion.commit.empty())
    return fail(Kind::invalid, "revert {}: the promotion names no commit", promotion.service);
  Plan plan;
  plan.look = [&](const git::Repository& repo, const git::Oid& tip) -> Result<std::variant<Outcome, Plan::Write>> {
    TRY(auto commit, repo.commit(promotion.commit));
    TRY(auto file, locate(repo, tip, promotion.config_path));
    TRY(auto wrote_text, read_text(repo, promotion.commit, file));
    TRY(auto wrote, get_image(file, wrote_text, image));
    std::optional<manifest::ImageSetting> had;
    if (!commit.parents.empty()) {
      auto old_text = repo.read(commit.parents[0], file.path);
      if (old_text && *old_text) {
        TRY(had, get_image(file, **old_text, image));
      }
    }
    TRY(auto text, read_text(repo, tip, file));
    TRY(auto now, get_image(file, text, image));
    if (now == had) return Outcome{tip, false, "is reverted already"};
    if (now != wrote) return Outcome{tip, false, "was promoted again since: nothing to revert"};
    if (!had && !file.field.empty())
      return fail(Kind::invalid, "{}: had no image before {}", file.path, promotion.commit.substr(0, 12));
    Plan::Write write;
    TRY(auto next, set_image(file, text, image, had));
    write.edits.push_back({file.path, next});
    write.message = one_line(fmt::format("{}: Revert {} to {}", promotion.service, promotion.environment,
                                         !had               ? "no image of its own"
                                         : had->tag.empty() ? had->digest.substr(0, 19)
                                                            : had->tag));
    write.message += fmt::format("\n\nTakes back {}: {}\n\n", promotion.commit.substr(0, 12), one_line(why));
    add_trailers(write.message, request, promotion.commit);
    return write;
  };
  return Writer(ctx, repository, config).run(plan);
}

}  // namespace slipway::promote
