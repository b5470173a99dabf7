#include "git/detail/quarantine.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "base/hash.h"
#include "base/text.h"

namespace slipway::git {

using IndexerHandle = Owned<git_indexer, git_indexer_free>;

Result<Quarantine> Quarantine::make(const fs::path& git_dir) {
  TRY(auto folder, TempDir::make_in(git_dir / "objects", "incoming-"));
  TRY_OK(make_dirs(folder.path() / "pack"));
  return Quarantine(std::move(folder));
}

void Quarantine::sweep(const fs::path& git_dir) {
  auto names = list_dir(git_dir / "objects");
  if (!names) return;
  for (const auto& name : *names)
    if (name.starts_with("incoming-")) (void)remove_tree(git_dir / "objects" / name);
}

namespace {

Fail bad_pack(int code) {
  const git_error* last = git_error_last();
  std::string why = last != nullptr && last->message != nullptr ? last->message : fmt::format("error {}", code);
  // A full disk is not the sender's fault.
  auto kind = last != nullptr && last->klass == GIT_ERROR_OS && errno == ENOSPC ? Kind::unavailable : Kind::invalid;
  return Fail(Error(kind, fmt::format("pack: {}", why)));
}

// The twelve bytes every pack starts with; gives the number of objects.
Result<std::uint32_t> read_head(const ByteSource& bytes, std::string& head) {
  head.resize(12);
  std::size_t have = 0;
  while (have < head.size()) {
    TRY(auto n, bytes(std::span(head).subspan(have)));
    if (n == 0) return fail(Kind::invalid, "pack: the stream ends after {} bytes", have);
    have += n;
  }
  auto number = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(head[at + i]);
    return value;
  };
  if (!head.starts_with("PACK")) return fail(Kind::invalid, "pack: does not start with PACK");
  if (number(4) != 2) return fail(Kind::invalid, "pack: version {}, want 2", number(4));
  return number(8);
}

// True: the pack held nothing.
Result<bool> feed(const Ctx& ctx, git_indexer* indexer, const ByteSource& bytes, std::uint64_t limit,
                  git_indexer_progress& stats) {
  std::vector<char> buffer(std::size_t{64} << 10);
  std::string head;
  TRY(auto objects, read_head(bytes, head));
  std::uint64_t total = head.size();
  if (objects > 0)
    if (int rc = git_indexer_append(indexer, head.data(), head.size(), &stats); rc < 0) return bad_pack(rc);
  for (;;) {
    TRY_OK(ctx.alive());
    TRY(auto n, bytes(buffer));
    if (n == 0) break;
    total += n;
    if (total > limit) return fail(Kind::invalid, "pack: larger than the limit of {}", human_bytes(limit));
    if (objects == 0) {
      head.append(buffer.data(), n);
      if (head.size() > 32) return fail(Kind::invalid, "pack: bytes behind the end of an empty pack");
      continue;
    }
    if (int rc = git_indexer_append(indexer, buffer.data(), n, &stats); rc < 0) return bad_pack(rc);
  }
  // A branch made of a commit that is here already comes with a pack of nothing.
  if (objects == 0) {
    Hasher hash(Hasher::Algorithm::sha1);
    if (head.size() != 32 || hash.update(std::string_view(head).substr(0, 12)).finish_raw() != head.substr(12))
      return fail(Kind::invalid, "pack: wrong checksum");
    return true;
  }
  if (total < 32) return fail(Kind::invalid, "pack: the stream ends after {} bytes", total);
  return false;
}

}  // namespace

Result<> Quarantine::index(const Ctx& ctx, git_repository* repo, const ByteSource& bytes, std::uint64_t limit) {
  OdbHandle odb;
  GIT_OK("pack", git_repository_odb(out(odb), repo));
  git_indexer_options options = GIT_INDEXER_OPTIONS_INIT;
  options.progress_cb = [](const git_indexer_progress*, void* ctx_pointer) {
    return static_cast<const Ctx*>(ctx_pointer)->alive() ? 0 : -1;
  };
  options.progress_cb_payload = const_cast<Ctx*>(&ctx);
  IndexerHandle indexer;
  auto folder = path() / "pack";
  GIT_OK("pack", git_indexer_new(out(indexer), folder.c_str(), 0444, odb.get(), &options));
  git_indexer_progress stats{};
  TRY(auto empty, feed(ctx, indexer.get(), bytes, limit, stats));
  if (empty) return {};
  if (int rc = git_indexer_commit(indexer.get(), &stats); rc < 0) {
    TRY_OK(ctx.alive());
    return bad_pack(rc);
  }
  return {};
}

Result<> Quarantine::migrate(const fs::path& git_dir) {
  auto target = git_dir / "objects/pack";
  TRY(auto names, list_dir(path() / "pack"));
  // The index makes a pack visible: it goes last.
  std::stable_sort(names.begin(), names.end(),
                   [](const auto& a, const auto& b) { return !a.ends_with(".idx") && b.ends_with(".idx"); });
  for (const auto& name : names) {
    if (!name.ends_with(".pack") && !name.ends_with(".idx")) continue;
    auto from = path() / "pack" / name, to = target / name;
    if (path_exists(to)) continue;  // the same pack came before: its name is its content
    if (::rename(from.c_str(), to.c_str()) < 0) return fail_errno(errno, to.string());
  }
  return sync_folder(target);
}

namespace {

class Connectivity {
 public:
  Connectivity(const Ctx& ctx, git_repository* repo, git_odb* odb) : ctx_(ctx), repo_(repo), odb_(odb) {}

  // The reason why not; empty: all is there.
  Result<std::string> tip(const git_oid& id) {
    ObjectHandle object;
    if (git_object_lookup(out(object), repo_, &id, GIT_OBJECT_ANY) < 0) return missing("object", id, "");
    switch (git_object_type(object.get())) {
      case GIT_OBJECT_TAG: {
        if (++tags_ > 20) return std::string("a tag of a tag of a tag without end");
        return tip(*git_tag_target_id(reinterpret_cast<git_tag*>(object.get())));
      }
      case GIT_OBJECT_COMMIT:
        return history(id);
      case GIT_OBJECT_TREE:
        return tree(id, {}, "", 0);
      default:
        return std::string();
    }
  }

 private:
  static std::string missing(std::string_view what, const git_oid& id, const std::string& where) {
    return fmt::format("{} {} is missing{}{}", what, text_of(id), where.empty() ? "" : " at ", where);
  }

  Result<std::string> history(const git_oid& tip_id) {
    WalkHandle walk;
    GIT_OK("push", git_revwalk_new(out(walk), repo_));
    git_revwalk_sorting(walk.get(), GIT_SORT_TOPOLOGICAL | GIT_SORT_REVERSE);  // parents first
    TRY_OK(hide_known(walk.get()));
    if (int rc = git_revwalk_push(walk.get(), &tip_id); rc < 0) return missing("commit", tip_id, "");
    git_oid id;
    for (;;) {
      int rc = git_revwalk_next(&id, walk.get());
      if (rc == GIT_ITEROVER) return std::string();
      if (rc < 0) return fmt::format("history of {} is not complete: {}", text_of(tip_id), git_error_last()->message);
      TRY_OK(ctx_.alive());
      TRY(auto reason, commit(id));
      if (!reason.empty()) return reason;
    }
  }

  Result<> hide_known(git_revwalk* walk) {
    Owned<git_reference_iterator, git_reference_iterator_free> iterator;
    GIT_OK("push", git_reference_iterator_new(out(iterator), repo_));
    git_reference* raw = nullptr;
    while (git_reference_next(&raw, iterator.get()) == 0) {
      RefHandle ref(raw);
      const git_oid* target = git_reference_target(raw);
      if (target == nullptr) continue;
      ObjectHandle object;
      git_object* peeled = nullptr;
      if (git_object_lookup(out(object), repo_, target, GIT_OBJECT_ANY) < 0) continue;
      if (git_object_peel(&peeled, object.get(), GIT_OBJECT_COMMIT) < 0) continue;  // a tag of a file
      ObjectHandle commit(peeled);
      GIT_OK("push", git_revwalk_hide(walk, git_object_id(peeled)));
    }
    return {};
  }

  Result<std::string> commit(const git_oid& id) {
    CommitHandle handle;
    if (git_commit_lookup(out(handle), repo_, &id) < 0) return missing("commit", id, "");
    std::vector<TreeHandle> parents;
    std::vector<git_tree*> trusted;
    for (unsigned i = 0; i < git_commit_parentcount(handle.get()); ++i) {
      CommitHandle parent;
      if (git_commit_parent(out(parent), handle.get(), i) < 0)
        return missing("parent commit", *git_commit_parent_id(handle.get(), i), "");
      TreeHandle parent_tree;
      if (git_commit_tree(out(parent_tree), parent.get()) < 0)
        return missing("tree", *git_commit_tree_id(parent.get()), "");
      trusted.push_back(parent_tree.get());
      parents.push_back(std::move(parent_tree));
    }
    return tree(*git_commit_tree_id(handle.get()), trusted, "", 0);
  }

  // `trusted` are trees at the same path that were checked before (a parent's): what they hold need not be again.
  Result<std::string> tree(const git_oid& id, const std::vector<git_tree*>& trusted, const std::string& at, int depth) {
    if (depth > 200) return at + " is nested too deep";
    if (!seen_.insert(text_of(id)).second) return std::string();
    for (auto* known : trusted)
      if (git_oid_equal(git_tree_id(known), &id) != 0) return std::string();
    TreeHandle handle;
    if (git_tree_lookup(out(handle), repo_, &id) < 0) return missing("tree", id, at);
    TRY_OK(ctx_.alive());
    std::vector<Beside> beside;
    for (auto* known : trusted) beside.push_back({known});
    for (std::size_t i = 0; i < git_tree_entrycount(handle.get()); ++i) {
      TRY(auto reason, entry(git_tree_entry_byindex(handle.get(), i), beside, at, depth));
      if (!reason.empty()) return reason;
    }
    return std::string();
  }

  // A trusted tree, read along with another: looking up each name of a folder of thousands took longer than the rest of
  // a push. In a tree that is not sorted something is not found, and so checked.
  struct Beside {
    git_tree* tree;
    std::size_t next = 0;
    const git_tree_entry* find(const git_tree_entry* entry) {
      for (; next < git_tree_entrycount(tree); ++next) {
        const git_tree_entry* here = git_tree_entry_byindex(tree, next);
        int order = git_tree_entry_cmp(here, entry);
        if (order >= 0) return order == 0 ? here : nullptr;
      }
      return nullptr;
    }
  };

  Result<std::string> entry(const git_tree_entry* entry, std::vector<Beside>& trusted, const std::string& at,
                            int depth) {
    const git_oid* id = git_tree_entry_id(entry);
    std::vector<const git_tree_entry*> olds;
    for (auto& known : trusted) {
      const git_tree_entry* old = known.find(entry);
      if (old == nullptr) continue;
      if (git_oid_equal(git_tree_entry_id(old), id) != 0 && git_tree_entry_type(old) == git_tree_entry_type(entry))
        return std::string();
      olds.push_back(old);
    }
    std::string name = git_tree_entry_name(entry);
    auto path = at + name;
    if (!is_safe_name(name)) return fmt::format("\"{}\" is not allowed as a file name", path);
    std::vector<TreeHandle> below;
    std::vector<git_tree*> below_trusted;
    for (const auto* old : olds) {
      TreeHandle old_tree;
      if (git_tree_entry_type(old) == GIT_OBJECT_TREE &&
          git_tree_lookup(out(old_tree), repo_, git_tree_entry_id(old)) == 0) {
        below_trusted.push_back(old_tree.get());
        below.push_back(std::move(old_tree));
      }
    }
    switch (git_tree_entry_type(entry)) {
      case GIT_OBJECT_TREE:
        return tree(*id, below_trusted, path + "/", depth + 1);
      case GIT_OBJECT_COMMIT:
        return std::string();  // a submodule lives elsewhere
      default:
        break;
    }
    if (!seen_.insert(text_of(*id)).second) return std::string();
    std::size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    if (git_odb_read_header(&size, &type, odb_, id) < 0) return missing("file", *id, path);
    if (type != GIT_OBJECT_BLOB) return fmt::format("{} is no file", path);
    return std::string();
  }

  const Ctx& ctx_;
  git_repository* repo_;
  git_odb* odb_;
  std::unordered_set<std::string> seen_;
  int tags_ = 0;
};

}  // namespace

Result<std::optional<std::string>> check_connected(const Ctx& ctx, git_repository* repo, const Oid& tip) {
  OdbHandle odb;
  GIT_OK("push", git_repository_odb(out(odb), repo));
  TRY(auto id, oid_of(tip));
  TRY(auto reason, Connectivity(ctx, repo, odb.get()).tip(id));
  return reason.empty() ? std::optional<std::string>() : std::optional(reason);
}

}  // namespace slipway::git
