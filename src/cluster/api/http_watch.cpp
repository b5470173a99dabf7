#include "cluster/api/http_watch.h"

#include "base/guarded.h"
#include "base/text.h"
#include "cluster/api/convert.h"
#include "doc/json.h"

namespace slipway::cluster {
namespace {

constexpr Millis bookmark_every{60000};
constexpr std::size_t chunk = 512;

std::string frame(std::string_view type, std::string_view object) {
  return fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", type, object);
}

}  // namespace

struct Watches::Watcher {
  std::shared_ptr<net::PushStream> stream;
  KindPtr kind;
  Filter filter;
  Wanted wanted;
  Revision cursor = 0;
  bool bookmarks = false, whole_rows = false;
  Clock::time_point until, bookmark_at;
  std::shared_ptr<std::atomic<bool>> closed = std::make_shared<std::atomic<bool>>(false);

  // Table rows carry whole objects when the client asked for them.
  std::string print(const Machinery& machinery, const StoredPtr& stored) const {
    if (wanted.form == Form::object && kind->type == kind->stored) return stored->text();
    return print(machinery.shown(*kind, stored));
  }
  std::string print(const kube::Object& object) const {
    auto value = formed(*kind, object, wanted);
    if (whole_rows && wanted.form == Form::table) value["rows"].list()[0]["object"] = object.value();
    return doc::print_json(value);
  }
  std::string bookmark(Revision at, bool initial_end) const {
    doc::Map metadata{{"resourceVersion", std::to_string(at)}};
    if (initial_end) metadata.set("annotations", doc::Map{{"k8s.io/initial-events-end", "true"}});
    doc::Value object =
        doc::Map{{"kind", kind->type.kind}, {"apiVersion", kind->type.api_version}, {"metadata", std::move(metadata)}};
    if (wanted.form == Form::table)
      object = doc::Map{{"kind", "Table"},
                        {"apiVersion", "meta.k8s.io/" + wanted.version},
                        {"metadata", *object.find("metadata")},
                        {"columnDefinitions", doc::List{}},
                        {"rows", doc::List{}}};
    return frame("BOOKMARK", doc::print_json(object));
  }
};

struct Watches::Rep {
  std::shared_ptr<Machinery> machinery;
  std::mutex mutex;
  std::condition_variable_any changed;
  bool dirty = false, stopping = false;
  std::vector<std::shared_ptr<Watcher>> watchers;
};

Watches::Watches(std::shared_ptr<Machinery> machinery) : rep_(std::make_shared<Rep>()) {
  rep_->machinery = std::move(machinery);
  thread_ = std::thread([rep = rep_] { run(*rep); });
}
Watches::~Watches() { stop(); }

void Watches::wake() {
  std::lock_guard hold(rep_->mutex);
  rep_->dirty = true;
  rep_->changed.notify_one();
}

void Watches::stop() {
  {
    std::lock_guard hold(rep_->mutex);
    rep_->stopping = true;
    rep_->changed.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

// Sends what is new; marks the watcher closed at its end.
void Watches::feed(Rep& rep, Watcher& w) {
  if (*w.closed) return;
  auto& store = rep.machinery->store();
  std::string out;
  for (;;) {
    auto visible = store.visible(w.kind->table);
    auto changes = store.changes(w.kind->table, w.cursor, chunk);
    if (!changes) {
      (void)w.stream->write(out + frame("ERROR", doc::print_json(changes.error().to_doc())));
      w.stream->close();
      *w.closed = true;
      return;
    }
    for (const auto& change : *changes) {
      w.cursor = change->revision;
      bool was = change->before && w.filter.matches(change->key, *change->before),
           is = !change->deleted && w.filter.matches(change->key, *change->now);
      if (was || is) out += frame(is ? (was ? "MODIFIED" : "ADDED") : "DELETED", w.print(*rep.machinery, change->now));
    }
    if (changes->size() == chunk) continue;
    w.cursor = std::max(w.cursor, visible);
    break;
  }
  auto now = real_clock().now();
  if (w.bookmarks && now >= w.bookmark_at) {
    out += w.bookmark(w.cursor, false);
    w.bookmark_at = now + bookmark_every;
  }
  if (!out.empty() && !w.stream->write(out)) *w.closed = true;
  if (now >= w.until) {
    w.stream->close();
    *w.closed = true;
  }
}

void Watches::run(Rep& rep) {
  std::unique_lock lock(rep.mutex);
  while (!rep.stopping) {
    auto next = Clock::time_point::max();
    for (const auto& w : rep.watchers) next = std::min({next, w->until, w->bookmarks ? w->bookmark_at : next});
    auto ready = [&] { return rep.dirty || rep.stopping; };
    if (!rep.dirty) {
      if (next == Clock::time_point::max())
        rep.changed.wait(lock, ready);
      else
        rep.changed.wait_until(lock, next, ready);
    }
    rep.dirty = false;
    auto watchers = rep.watchers;
    lock.unlock();
    for (auto& w : watchers) feed(rep, *w);
    lock.lock();
    std::erase_if(rep.watchers, [](const auto& w) { return w->closed->load(); });
  }
  auto watchers = std::move(rep.watchers);
  rep.watchers.clear();
  lock.unlock();
  for (auto& w : watchers) w->stream->close();
}

net::Response Watches::serve(Call& call) {
  auto args = call.list_args();
  if (!call.key.name.empty()) args.fields += (args.fields.empty() ? "" : ",") + ("metadata.name=" + call.key.name);
  auto filter = Filter::make(*call.kind, args.ns, args.labels, args.fields);
  if (!filter) return answer(filter.error());
  filter->only(args.visible);
  auto w = std::make_shared<Watcher>();
  w->kind = call.kind, w->filter = *std::move(filter), w->wanted = call.wanted;
  w->bookmarks = call.flag("allowWatchBookmarks");
  w->whole_rows = include_object(call);
  bool streaming = call.flag("sendInitialEvents");
  bool from_now = args.resource_version.empty() || args.resource_version == "0" || streaming;
  auto seconds = to_int(call.query("timeoutSeconds")).value_or(0);
  auto now = real_clock().now();
  // As long as Kubernetes keeps one that names no length: half an hour to an hour.
  w->until = now + (seconds > 0 ? std::chrono::seconds(std::min<std::int64_t>(seconds, 86400))
                                : std::chrono::seconds(1800 + now.time_since_epoch().count() % 1800));
  w->bookmark_at = now + bookmark_every;
  std::string first;
  if (from_now) {
    auto present = call.machinery.list(
        *call.kind, {.ns = args.ns, .labels = args.labels, .fields = args.fields, .visible = args.visible});
    if (!present) return answer(present.error());
    w->cursor = present->revision;
    if (streaming || call.query("sendInitialEvents") != "false")
      for (const auto& object : present->items) first += frame("ADDED", w->print(call.machinery, object));
    if (streaming && w->bookmarks) first += w->bookmark(present->revision, true);
  } else {
    auto since = to_int(args.resource_version);
    if (!since || *since < 0)
      return answer(bad_request(fmt::format("Invalid value: \"{}\": strconv.ParseUint: parsing \"{}\": invalid syntax",
                                            args.resource_version, args.resource_version)));
    w->cursor = static_cast<Revision>(*since);
  }
  net::Response response;
  response.headers.set("Content-Type", "application/json");
  response.body = net::ParkBody([rep = rep_, w, first = std::move(first)](std::shared_ptr<net::PushStream> stream) {
    w->stream = std::move(stream);
    w->stream->on_close([closed = w->closed] { *closed = true; });
    if (!first.empty() && !w->stream->write(first)) return;
    std::lock_guard hold(rep->mutex);
    if (rep->stopping) return w->stream->close();
    rep->watchers.push_back(w);
    rep->dirty = true;  // for what came since the list
    rep->changed.notify_one();
  });
  return response;
}

}  // namespace slipway::cluster
