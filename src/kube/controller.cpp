#include "kube/controller.h"

#include "base/hash.h"
#include "base/keyed_queue.h"
#include "base/log.h"
#include "doc/json.h"

namespace slipway::kube {
namespace {

// Half to the whole of the delay, so that many watchers do not come back at once.
Millis jitter(Millis delay) {
  auto bytes = random_bytes(2);
  auto share = (static_cast<unsigned char>(bytes[0]) << 8 | static_cast<unsigned char>(bytes[1])) / 65535.0;
  return Millis(static_cast<std::int64_t>(static_cast<double>(delay.count()) * (0.5 + share / 2)));
}

// What a source has seen: enough to tell, after events were missed, what changed and what has gone. Not the objects:
// those of a large cluster are many. Threads: one.
class Sightings {
 public:
  explicit Sightings(const Source& source) : source_(source) {}

  enum class Was { unknown, other, same };
  Was note(const Object& object) {
    auto [at, fresh] = seen_.try_emplace(object.key());
    auto& sighting = at->second;
    auto version = object.resource_version();
    auto was = fresh ? Was::unknown : sighting.version == version ? Was::same : Was::other;
    sighting.list = list_;
    if (was == Was::same) return was;
    sighting.version = std::move(version);
    if (source_.keys) sighting.metadata = metadata_of(object);
    return was;
  }
  void forget(const Object& object) { seen_.erase(object.key()); }

  void begin_list() { ++list_; }
  // What this list did not have.
  void end_list(const std::function<void(Object)>& gone) {
    for (auto it = seen_.begin(); it != seen_.end();) {
      if (it->second.list == list_) {
        ++it;
        continue;
      }
      auto last = last_of(it->first, it->second);
      it = seen_.erase(it);
      gone(std::move(last));
    }
  }

 private:
  struct Sighting {
    std::string version;
    std::string metadata;  // as JSON, without what the key says; "" where the key is all that counts
    unsigned list = 0;     // the one that had it, or that its event came after
  };
  static std::string metadata_of(const Object& object) {
    doc::Map kept;
    if (const auto* all = object.view()["metadata"].value().if_map())
      for (const auto& [name, value] : *all)
        if (name != "managedFields" && name != "annotations" && name != "name" && name != "namespace" &&
            name != "resourceVersion")
          kept.append(name, value);
    auto text = doc::print_json(kept);
    text.shrink_to_fit();
    return text;
  }
  Object last_of(const Key& key, const Sighting& sighting) const {
    auto last = make_object(source_.type, key);
    auto& metadata = last["metadata"].map();
    metadata.set("resourceVersion", sighting.version);
    if (auto kept = doc::parse_json(sighting.metadata, "sighting"); kept && kept->is_map())
      for (auto& [name, value] : kept->map()) metadata.set(name, std::move(value));
    return Object(std::move(last));
  }

  const Source& source_;
  std::map<Key, Sighting> seen_;
  unsigned list_ = 0;
};

class Runner {
 public:
  Runner(const Ctx& ctx, Client& client, const ControllerOptions& options, const Reconcile& reconcile)
      : client_(client),
        options_(options),
        reconcile_(reconcile),
        stop_(ctx.stop),
        ctx_(ctx.with_stop(stop_.token())),
        own_(*ctx.clock),
        queue_(options.queue != nullptr ? *options.queue : own_) {}

  Result<> run() {
    {
      std::vector<std::jthread> threads;
      for (const auto& source : options_.sources) threads.emplace_back([this, &source] { follow(source); });
      for (std::size_t i = 0; i < std::max<std::size_t>(1, options_.workers); ++i)
        threads.emplace_back([this] { work(); });
    }
    return ctx_.alive();
  }

 private:
  void enqueue(const Source& source, const Event& event) {
    if (event.type == Event::Type::bookmark) return;
    if (!source.keys) return queue_.add(event.object.key());
    for (const auto& key : source.keys(event)) queue_.add(key);
  }

  // Watches until the context stops. What was seen is kept so that a new list tells what has gone meanwhile.
  void follow(const Source& source) {
    Sightings seen(source);
    Millis pause = options_.backoff_first;
    while (ctx_.alive()) {
      auto started = ctx_.clock->now();
      auto why = one_watch(source, seen);
      if (!ctx_.alive()) return;
      if (ctx_.clock->now() - started > Millis(5000)) pause = options_.backoff_first;
      LOG(debug, "kube.watch.again", {"controller", options_.name}, {"kind", source.type.kind}, {"why", why.what()});
      if (!sleep(ctx_, jitter(pause))) return;
      pause = std::min(pause * 2, options_.backoff_max);
    }
  }

  Error one_watch(const Source& source, Sightings& seen) {
    auto options = source.options;
    seen.begin_list();
    auto version = client_.for_each(
        ctx_, source.type, {options.ns, options.label_selector, options.field_selector},
        [&](Object object) -> Result<> {
          using Was = Sightings::Was;
          auto was = seen.note(object);
          if (was != Was::same)
            enqueue(source, {was == Was::unknown ? Event::Type::added : Event::Type::modified, std::move(object)});
          return {};
        });
    if (!version) return std::move(version).error();
    seen.end_list([&](Object gone) { enqueue(source, {Event::Type::deleted, std::move(gone)}); });
    options.resource_version = *std::move(version);
    for (;;) {
      auto watch = client_.watch(ctx_, source.type, options);
      if (!watch) return std::move(watch).error();
      auto why = drain(source, **watch, seen, options.resource_version);
      // The connection ended; nothing is lost when it goes on from the last version.
      if (!why.is(Kind::unavailable) || !ctx_.alive()) return why;
      if (auto r = sleep(ctx_, jitter(options_.backoff_first)); !r) return std::move(r).error();
    }
  }

  Error drain(const Source& source, Watch& watch, Sightings& seen, std::string& version) {
    for (;;) {
      auto event = watch.next(ctx_);
      if (!event) return std::move(event).error();
      if (auto v = event->object.resource_version(); !v.empty()) version = std::move(v);
      if (event->type == Event::Type::bookmark) continue;
      if (event->type == Event::Type::deleted)
        seen.forget(event->object);
      else
        seen.note(event->object);
      enqueue(source, *event);
    }
  }

  void work() {
    for (;;) {
      auto key = queue_.pop(ctx_);
      if (!key) return;
      auto again = once(*key);
      queue_.done(*key);
      if (again) queue_.add_after(*key, *again);
    }
  }

  std::optional<Millis> once(const Key& key) {
    Result<Reconciled> result;
    try {
      result = reconcile_(ctx_, key);
    } catch (const std::exception& e) {
      result = fail(Kind::internal, "{}", e.what());
    }
    if (result) {
      failures_.lock()->erase(key);
      return result->again;
    }
    if (!ctx_.alive()) return std::nullopt;
    int times = ++(*failures_.lock())[key];
    auto delay = options_.backoff_max;
    if (times < 20) delay = std::min(delay, options_.backoff_first * (std::int64_t{1} << (times - 1)));
    if (auto after = result.error().retry_after()) delay = std::max(delay, *after);
    // The first conflict is the ordinary course of things, and so is a namespace on its way out.
    if ((result.error().is(Kind::conflict) && times < 3) || is_namespace_going(result.error()))
      LOG(debug, "kube.reconcile.expected", {"controller", options_.name}, {"key", key.str()},
          {"error", result.error().what()});
    else
      LOG(warn, "kube.reconcile.failed", {"controller", options_.name}, {"key", key.str()},
          {"error", result.error().what()}, {"again_ms", delay.count()});
    return jitter(delay);
  }

  Client& client_;
  const ControllerOptions& options_;
  const Reconcile& reconcile_;
  ChildStop stop_;
  Ctx ctx_;
  KeyedQueue<Key> own_;
  KeyedQueue<Key>& queue_;
  Guarded<std::map<Key, int>> failures_;
};

}  // namespace

bool is_namespace_going(const Error& error) {
  if (error.is(Kind::denied)) return error.what().contains("because it is being terminated");
  return error.is(Kind::not_found) && error.what().starts_with("namespaces \"");
}

std::function<std::vector<Key>(const Event&)> keys_of_owner(std::string kind) {
  return [kind = std::move(kind)](const Event& event) -> std::vector<Key> {
    auto owner = event.object.controller();
    if (!owner || owner->kind != kind) return {};
    return {Key{event.object.ns(), owner->name}};
  };
}

Result<> run_controller(const Ctx& ctx, Client& client, const ControllerOptions& options, const Reconcile& reconcile) {
  return Runner(ctx, client, options, reconcile).run();
}

}  // namespace slipway::kube
