#include "git/detail/receive.h"

#include "base/log.h"
#include "base/text.h"
#include "git/detail/quarantine.h"

namespace slipway::git {

bool Received::any_accepted() const {
  return std::any_of(statuses.begin(), statuses.end(), [](const auto& s) { return s.refused.empty(); });
}

namespace {

constexpr std::string_view review_prefix = "refs/for/";

class Receiver {
 public:
  Receiver(const Ctx& ctx, const HostPolicy& policy, const Repository& repository, Push push,
           const PushRequest& request)
      : ctx_(ctx), policy_(policy), git_dir_(repository.path()), push_(std::move(push)), request_(request) {
    result_.statuses.resize(request.commands.size());
  }

  Received run(PktReader& reader) {
    auto done = work(reader);
    if (!done) {
      if (!refs_started_) result_.unpack = done.error().what();
      refuse_rest(refs_started_ ? done.error().what() : "unpacker error");
      LOG(warn, "git.push.failed", {"repository", push_.repository}, {"error", done.error().what()});
    }
    return std::move(result_);
  }

 private:
  Result<> work(PktReader& reader);
  Result<> look_at_names(const Repository& plain);
  Result<> look_at_objects(git_repository* repo, const Repository& seen);
  void ask_policy(const Repository& seen);
  void find_review_refs(const Repository& seen);
  Result<> move_refs(std::optional<RefLock> lock);
  Result<> move_under_lock(git_repository* repo);
  void roll_back(git_repository* repo, std::size_t until);
  void point_head(const Repository& plain);
  void tell_accepted();

  void refuse(std::size_t i, std::string reason) {
    if (result_.statuses[i].refused.empty()) result_.statuses[i].refused = std::move(reason);
  }
  void refuse_rest(const std::string& reason) {
    for (std::size_t i = 0; i < result_.statuses.size(); ++i) refuse(i, reason);
  }
  bool has_reviews() const {
    return std::any_of(push_.updates.begin(), push_.updates.end(),
                       [](const auto& u) { return u.ref.starts_with(review_prefix); });
  }
  bool open(std::size_t i) const { return result_.statuses[i].refused.empty(); }
  void settle_atomic() {
    bool any_refused =
        std::any_of(result_.statuses.begin(), result_.statuses.end(), [](const auto& s) { return !s.refused.empty(); });
    if (request_.atomic && any_refused) refuse_rest("atomic push: another ref was refused");
  }

  const Ctx& ctx_;
  const HostPolicy& policy_;
  fs::path git_dir_;
  Push push_;
  const PushRequest& request_;
  Received result_;
  std::vector<std::string> targets_;  // the ref each command really moves
  bool refs_started_ = false;
};

Result<> Receiver::work(PktReader& reader) {
  TRY(auto quarantine, Quarantine::make(git_dir_));
  TRY(auto plain, Repository::open(git_dir_));
  {
    TRY(auto handle, open_handle(git_dir_, quarantine.path()));
    if (request_.has_pack())
      TRY_OK(quarantine.index(
          ctx_, handle.get(), [&](std::span<char> b) { return reader.read_raw(b); }, policy_.max_pack));
  }
  TRY_OK(look_at_names(plain));
  TRY(auto seen, Repository::open_with(git_dir_, quarantine.path()));
  TRY(auto handle, open_handle(git_dir_, quarantine.path()));
  TRY_OK(look_at_objects(handle.get(), seen));
  settle_atomic();
  if (result_.any_accepted()) ask_policy(seen);
  settle_atomic();
  // From the choice of a pull request's number to its ref nobody else may choose.
  std::optional<RefLock> lock;
  if (result_.any_accepted() && has_reviews()) {
    TRY(lock, RefLock::take(git_dir_));
    find_review_refs(seen);
  }
  settle_atomic();
  if (!result_.any_accepted()) return {};
  TRY_OK(ctx_.alive());
  if (request_.has_pack()) TRY_OK(quarantine.migrate(git_dir_));
  refs_started_ = true;
  TRY_OK(move_refs(std::move(lock)));
  point_head(plain);
  tell_accepted();
  return {};
}

Result<> Receiver::look_at_names(const Repository& plain) {
  std::set<std::string> twice;
  auto head = plain.head();
  for (std::size_t i = 0; i < request_.commands.size(); ++i) {
    const auto& command = request_.commands[i];
    push_.updates.push_back({command.ref, command.before, command.after, false, {}});
    targets_.push_back(command.ref);
    result_.statuses[i].before = command.before;
    result_.statuses[i].after = command.after;
    int valid = 0;
    bool deletes = command.after == zero_oid;
    if (!command.ref.starts_with("refs/") || git_reference_name_is_valid(&valid, command.ref.c_str()) < 0 || valid == 0)
      refuse(i, "not a valid ref name");
    else if (!twice.insert(command.ref).second)
      refuse(i, "named twice in one push");
    else if (command.ref.starts_with("refs/pull/"))
      refuse(i, "refs/pull/ is written by the host; push to refs/for/BRANCH");
    else if (command.ref.starts_with(review_prefix) && deletes)
      refuse(i, "nothing to delete; close the pull request instead");
    else if (command.ref.starts_with(review_prefix) && !policy_.review_ref)
      refuse(i, "pull requests are not offered here");
    else if (deletes && head && *head == command.ref)
      refuse(i, "refusing to delete the default branch");
  }
  return {};
}

Result<> Receiver::look_at_objects(git_repository* repo, const Repository& seen) {
  for (std::size_t i = 0; i < push_.updates.size(); ++i) {
    auto& update = push_.updates[i];
    if (!open(i) || update.after == zero_oid) continue;
    TRY(auto reason, check_connected(ctx_, repo, update.after));
    if (reason) {
      refuse(i, "missing necessary objects: " + *reason);
      continue;
    }
    if (update.ref.starts_with("refs/heads/") || update.ref.starts_with(review_prefix)) {
      git_object_t type = GIT_OBJECT_INVALID;
      std::size_t size = 0;
      TRY(auto id, oid_of(update.after));
      OdbHandle odb;
      GIT_OK("push", git_repository_odb(out(odb), repo));
      GIT_OK("push", git_odb_read_header(&size, &type, odb.get(), &id));
      if (type != GIT_OBJECT_COMMIT) {
        refuse(i, "a branch must point at a commit");
        continue;
      }
    }
    if (update.before != zero_oid) {
      auto forward = seen.is_ancestor(update.before, update.after);
      update.forced = !forward || !*forward;
    }
  }
  return {};
}

void Receiver::ask_policy(const Repository& seen) {
  if (!policy_.check) return;
  // The policy sees what can still be accepted; its answers are put back in place.
  Push asked = push_;
  asked.updates.clear();
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < push_.updates.size(); ++i)
    if (open(i)) {
      asked.updates.push_back(push_.updates[i]);
      places.push_back(i);
    }
  auto answers = policy_.check(ctx_, asked, seen);
  for (std::size_t k = 0; k < places.size(); ++k) {
    if (k >= answers.size() || answers[k].empty()) continue;
    // A reason is one line of the protocol; the rest of it is shown above.
    auto parts = lines(answers[k]);
    for (std::size_t n = 1; n < parts.size(); ++n) result_.lines.emplace_back(parts[n]);
    refuse(places[k], std::string(parts.empty() ? "refused" : parts[0]));
  }
}

void Receiver::find_review_refs(const Repository& seen) {
  for (std::size_t i = 0; i < push_.updates.size(); ++i) {
    auto& update = push_.updates[i];
    if (!open(i) || !update.ref.starts_with(review_prefix)) continue;
    auto real = policy_.review_ref(ctx_, push_, update, seen);
    if (!real) {
      refuse(i, real.error().what());
      if (!real.error().hint().empty()) result_.lines.push_back(real.error().hint());
      continue;
    }
    targets_[i] = *real;
    result_.statuses[i].real_ref = *real;
    auto now = seen.refs(*real);
    auto at = now ? now->find(*real) : decltype(now->end())();
    update.before = now && at != now->end() ? at->second : Oid(zero_oid);
    result_.statuses[i].before = update.before;
    if (update.before != zero_oid) {
      auto forward = seen.is_ancestor(update.before, update.after);
      update.forced = !forward || !*forward;
    }
  }
}

Result<> Receiver::move_refs(std::optional<RefLock> lock) {
  TRY(auto repo, open_handle(git_dir_, {}));
  if (!lock) {
    TRY(lock, RefLock::take(git_dir_));
  }
  return move_under_lock(repo.get());
}

Result<> Receiver::move_under_lock(git_repository* repo) {
  auto current = [&](const std::string& ref) {
    git_oid id;
    return git_reference_name_to_id(&id, repo, ref.c_str()) == 0 ? text_of(id) : Oid(zero_oid);
  };
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    if (!open(i)) continue;
    auto now = current(targets_[i]);
    if (now != push_.updates[i].before)
      refuse(i, now == zero_oid ? "fetch first: it is gone" : "fetch first: it is at " + now.substr(0, 12) + " now");
  }
  settle_atomic();
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    if (!open(i)) continue;
    const auto& update = push_.updates[i];
    auto moved = move_ref(repo, targets_[i], update.after, update.before, "push by " + push_.pusher);
    if (moved) continue;
    refuse(i, moved.error().what());
    if (!request_.atomic) continue;
    roll_back(repo, i);
    refuse_rest("atomic push: another ref was refused");
    break;
  }
  return {};
}

void Receiver::roll_back(git_repository* repo, std::size_t until) {
  for (std::size_t i = 0; i < until; ++i) {
    if (!open(i)) continue;
    const auto& update = push_.updates[i];
    if (auto back = move_ref(repo, targets_[i], update.before, update.after, "atomic push taken back"); !back)
      LOG(error, "git.push.rollback", {"ref", targets_[i]}, {"error", back.error().what()});
  }
}

// The first branch of an empty repository becomes its default, whatever it is called.
void Receiver::point_head(const Repository& plain) {
  auto head = plain.head();
  if (!head) return;
  auto exists = plain.resolve(*head);
  if (!exists || *exists) return;
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    if (!open(i) || !targets_[i].starts_with("refs/heads/") || push_.updates[i].after == zero_oid) continue;
    auto repo = open_handle(git_dir_, {});
    if (repo) git_repository_set_head(repo->get(), targets_[i].c_str());
    return;
  }
}

void Receiver::tell_accepted() {
  if (!policy_.accepted || !result_.any_accepted()) return;
  Push told = push_;
  told.updates.clear();
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    if (!open(i)) continue;
    auto update = push_.updates[i];
    if (update.ref != targets_[i]) update.asked = std::exchange(update.ref, targets_[i]);
    told.updates.push_back(std::move(update));
  }
  for (auto& line : policy_.accepted(ctx_, told)) result_.lines.push_back(std::move(line));
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return text.substr(0, 1000);
}

}  // namespace

Received receive(const Ctx& ctx, const HostPolicy& policy, const Repository& repository, Push push,
                 const PushRequest& request, PktReader& reader) {
  return Receiver(ctx, policy, repository, std::move(push), request).run(reader);
}

std::string print_received(const PushRequest& request, const Received& received) {
  std::string report;
  if (request.report_status || request.report_status_v2) {
    report += pkt(fmt::format("unpack {}\n", one_line(received.unpack)));
    for (std::size_t i = 0; i < request.commands.size(); ++i) {
      const auto& command = request.commands[i];
      const auto& status = received.statuses[i];
      if (!status.refused.empty()) {
        report += pkt(fmt::format("ng {} {}\n", command.ref, one_line(status.refused)));
        continue;
      }
      report += pkt(fmt::format("ok {}\n", command.ref));
      if (request.report_status_v2 && !status.real_ref.empty()) {
        report += pkt(fmt::format("option refname {}\n", status.real_ref));
        report += pkt(fmt::format("option old-oid {}\n", status.before));
        report += pkt(fmt::format("option new-oid {}\n", status.after));
      }
    }
    report += flush_pkt;
  }
  if (!request.side_band) return report;
  std::string body;
  for (const auto& line : received.lines) body += side_band(2, line + "\n");
  body += side_band(1, report);
  body += flush_pkt;
  return body;
}

}  // namespace slipway::git
