#include "cluster/api/local_client.h"

#include "base/log.h"
#include "base/text.h"
#include "cluster/api/rbac.h"
#include "cluster/api/service_tokens.h"

namespace slipway::cluster {
namespace {

constexpr std::size_t chunk = 256;

class LocalWatch final : public kube::Watch {
 public:
  LocalWatch(std::shared_ptr<Machinery> machinery, KindPtr kind, Filter filter, Revision since)
      : machinery_(std::move(machinery)), kind_(std::move(kind)), filter_(std::move(filter)), cursor_(since) {}
  void start_with(std::vector<StoredPtr> present) { present_.assign(present.begin(), present.end()); }

  Result<kube::Event> next(const Ctx& ctx) override {
    for (;;) {
      TRY_OK(ctx.alive());
      if (!present_.empty()) {  // one at a time: not all their trees at once
        auto object = machinery_->shown(*kind_, present_.front());
        present_.pop_front();
        return kube::Event{kube::Event::Type::added, std::move(object)};
      }
      if (!ready_.empty()) {
        auto event = std::move(ready_.front());
        ready_.pop_front();
        return event;
      }
      auto& store = machinery_->store();
      TRY_OK(store.await_changes(ctx, kind_->table, cursor_));
      auto changes = store.changes(kind_->table, cursor_, chunk);
      if (!changes) return Fail(changes.error().to_error());
      for (const auto& change : *changes) {
        cursor_ = change->revision;
        take(*change);
      }
    }
  }

 private:
  void take(const Change& change) {
    using T = kube::Event::Type;
    bool was = change.before && filter_.matches(change.key, *change.before),
         is = !change.deleted && filter_.matches(change.key, *change.now);
    if (!was && !is) return;
    ready_.push_back({is ? (was ? T::modified : T::added) : T::deleted, machinery_->shown(*kind_, change.now)});
  }
  std::shared_ptr<Machinery> machinery_;
  KindPtr kind_;
  Filter filter_;
  Revision cursor_;
  std::deque<StoredPtr> present_;  // of the first list, not given yet
  std::deque<kube::Event> ready_;
};

class LocalClient final : public kube::Client {
 public:
  LocalClient(std::shared_ptr<Machinery> machinery, std::string user)
      : machinery_(std::move(machinery)), caller_{std::move(user), "slipway", {"system:masters"}} {}

  Result<std::optional<kube::Object>> get(const Ctx& ctx, const kube::Type& type, const kube::Key& key) override {
    TRY_OK(ctx.alive());
    TRY(auto kind, kind_of(type));
    auto object = machinery_->get(*kind, place(*kind, key));
    if (!object)
      return object.error().code == 404 ? Result<std::optional<kube::Object>>(std::nullopt)
                                        : Fail(object.error().to_error());
    return std::optional(*std::move(object));
  }
  Result<kube::ObjectList> list(const Ctx& ctx, const kube::Type& type, const kube::ListOptions& options) override {
    kube::ObjectList out;
    TRY(out.resource_version, for_each(ctx, type, options, [&](kube::Object object) -> Result<> {
          out.items.push_back(std::move(object));
          return {};
        }));
    return out;
  }
  Result<std::string> for_each(const Ctx& ctx, const kube::Type& type, const kube::ListOptions& options,
                               const Visit& visit) override {
    TRY_OK(ctx.alive());
    TRY(auto kind, kind_of(type));
    TRY(auto listed, plain(machinery_->list(*kind, {.ns = options.ns,
                                                    .labels = options.label_selector,
                                                    .fields = options.field_selector,
                                                    .mentions = options.mentions})));
    for (auto& stored : listed.items) {
      TRY_OK(visit(machinery_->shown(*kind, stored)));
      stored.reset();
    }
    return std::to_string(listed.revision);
  }
  Result<std::unique_ptr<kube::Watch>> watch(const Ctx& ctx, const kube::Type& type,
                                             const kube::WatchOptions& options) override {
    TRY_OK(ctx.alive());
    TRY(auto kind, kind_of(type));
    TRY(auto filter, plain(Filter::make(*kind, options.ns, options.label_selector, options.field_selector)));
    if (!options.resource_version.empty() && options.resource_version != "0") {
      auto since = to_int(options.resource_version);
      if (!since || *since < 0)
        return fail(Kind::invalid, "resource version \"{}\": want a number", options.resource_version);
      auto old = machinery_->store().changes(kind->table, static_cast<Revision>(*since), 0);
      if (!old) return Fail(old.error().to_error());
      return std::make_unique<LocalWatch>(machinery_, kind, std::move(filter), static_cast<Revision>(*since));
    }
    TRY(auto present,
        plain(machinery_->list(
            *kind, {.ns = options.ns, .labels = options.label_selector, .fields = options.field_selector})));
    auto watch = std::make_unique<LocalWatch>(machinery_, kind, std::move(filter), present.revision);
    watch->start_with(std::move(present.items));
    return watch;
  }
  Result<kube::Object> create(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    if (options.subresource == "token") return create_token(ctx, std::move(object));
    TRY(auto kind, kind_of(object));
    if (kind->type.kind == "SubjectAccessReview")
      return kube::Object(review_access(machinery_->store(), std::move(object)));
    if (!options.subresource.empty()) return create_sub(ctx, *kind, object, options);
    return written(machinery_->create(ctx, *kind, "", std::move(object), args(options)));
  }
  Result<kube::Object> update(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    TRY(auto kind, kind_of(object));
    auto key = place(*kind, {object.str_at({"metadata", "namespace"}), object.str_at({"metadata", "name"})});
    return written(machinery_->update(ctx, *kind, key, options.subresource, std::move(object), args(options)));
  }
  Result<kube::Object> patch(const Ctx& ctx, const kube::Type& type, const kube::Key& key, kube::PatchType how,
                             const doc::Value& patch, const kube::WriteOptions& options) override {
    TRY(auto kind, kind_of(type));
    using P = kube::PatchType;
    auto as = how == P::json ? PatchKind::json : how == P::merge ? PatchKind::merge : PatchKind::strategic;
    return written(machinery_->patch(ctx, *kind, place(*kind, key), options.subresource, as, patch, args(options)));
  }
  Result<kube::Object> apply(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    TRY(auto kind, kind_of(object));
    kube::Key key{object.str_at({"metadata", "namespace"}), object.str_at({"metadata", "name"})};
    if (key.name.empty()) return fail(Kind::invalid, "apply {}: metadata.name is missing", kind->type.kind);
    return written(
        machinery_->patch(ctx, *kind, place(*kind, key), options.subresource, PatchKind::apply, object, args(options)));
  }
  Result<> remove(const Ctx& ctx, const kube::Type& type, const kube::Key& key,
                  const kube::RemoveOptions& options) override {
    TRY(auto kind, kind_of(type));
    using P = kube::RemoveOptions::Propagation;
    DeleteArgs d;
    d.caller = &caller_;
    d.grace = options.grace_seconds;
    d.propagation = options.propagation == P::foreground ? "Foreground"
                    : options.propagation == P::orphan   ? "Orphan"
                                                         : "Background";
    d.uid = options.uid, d.resource_version = options.resource_version;
    auto removed = machinery_->remove(ctx, *kind, place(*kind, key), d);
    if (!removed) return Fail(removed.error().to_error());
    return {};
  }
  Result<Resource> resource(const Ctx& ctx, const kube::Type& type) override {
    TRY_OK(ctx.alive());
    TRY(auto kind, kind_of(type));
    return as_resource(*kind);
  }
  Result<std::vector<Resource>> resources(const Ctx& ctx) override {
    TRY_OK(ctx.alive());
    std::vector<Resource> out;
    for (const auto& kind : machinery_->kinds().all()) out.push_back(as_resource(*kind));
    return out;
  }

 private:
  static Resource as_resource(const KindInfo& kind) {
    return {kind.type,       kind.plural,      kind.singular,
            kind.namespaced, kind.short_names, kind.has_verb("list") && kind.has_verb("watch")};
  }
  Result<KindPtr> kind_of(const kube::Type& type) const {
    if (auto kind = machinery_->kinds().by_type(type)) return kind;
    return fail(Kind::not_found, "no matches for kind \"{}\" in version \"{}\"", type.kind, type.api_version);
  }
  Result<KindPtr> kind_of(const doc::Value& object) const {
    return kind_of(kube::Type{object.str_at({"apiVersion"}), object.str_at({"kind"})});
  }
  static kube::Key place(const KindInfo& kind, kube::Key key) {
    if (!kind.namespaced)
      key.ns.clear();
    else if (key.ns.empty())
      key.ns = "default";
    return key;
  }
  WriteArgs args(const kube::WriteOptions& options) const {
    return {&caller_, options.field_manager, options.dry_run, options.force, FieldValidation::warn};
  }
  template <class T>
  static Result<T> plain(ApiResult<T> result) {
    if (!result) return Fail(result.error().to_error());
    return *std::move(result);
  }
  Result<kube::Object> written(ApiResult<Written> result) const {
    if (!result) return Fail(result.error().to_error());
    for (const auto& warning : result->warnings)
      LOG(warn, "cluster.write.warning", {"object", result->object.describe()}, {"user", caller_.user},
          {"warning", warning});
    return std::move(result->object);
  }
  Result<kube::Object> create_token(const Ctx& ctx, doc::Value request) {
    kube::Key account{request.str_at({"metadata", "namespace"}), request.str_at({"metadata", "name"})};
    if (machinery_->tokens() == nullptr)
      return fail(Kind::unavailable, "this server has no key to sign service account tokens with");
    auto made = machinery_->tokens()->issue(account, std::move(request), ctx.clock->wall());
    if (!made) return Fail(made.error().to_error());
    return kube::Object(*std::move(made));
  }
  Result<kube::Object> create_sub(const Ctx& ctx, const KindInfo& kind, const doc::Value& object,
                                  const kube::WriteOptions& options) {
    auto key = place(kind, {object.str_at({"metadata", "namespace"}), object.str_at({"metadata", "name"})});
    if (options.subresource == "binding") {
      auto bound = machinery_->bind(ctx, key, object, args(options));
      if (!bound) return Fail(bound.error().to_error());
    } else if (options.subresource == "eviction") {
      auto gone = machinery_->evict(ctx, key, {.caller = &caller_});
      if (!gone) return Fail(gone.error().to_error());
    } else {
      return fail(Kind::invalid, "{} has no subresource {} to create", kind.type.kind, options.subresource);
    }
    return kube::Object(object);
  }
  std::shared_ptr<Machinery> machinery_;
  Caller caller_;
};

}  // namespace

std::shared_ptr<kube::Client> make_local_client(std::shared_ptr<Machinery> machinery, std::string user) {
  return std::make_shared<LocalClient>(std::move(machinery), std::move(user));
}

}  // namespace slipway::cluster
