// Rule: Argo CD's SyncOperation. A rollback, or a sync to a revision, is made from what it names until it has ended;
// the Application is compared with what it says itself.
#include "gitops/detail/request.h"

#include "gitops/options.h"

namespace slipway::gitops::detail {
namespace {

bool is_automated(doc::View request) { return request["initiatedBy"]["automated"].bool_or(false); }

// A failed operation is made again from the same, as long as its own rule lets it.
bool is_tried_again(const Operation& op) {
  auto own = doc::View(op.request)["retry"];
  if (op.phase != "Failed" || !own.present()) return false;
  auto retry = retry_from(own);
  return retry && (retry->limit < 0 || op.retries < retry->limit);
}

// Clients send what the Application says; only what differs from that is another source.
bool is_other(doc::View asked, doc::View own) {
  return asked.present() && !(without_empty(asked.value()) == without_empty(own.value()));
}

// One a source; "" where nothing is asked for.
Revisions asked_revisions(doc::View sync) {
  Revisions all;
  for (const auto& one : sync["revisions"].items()) all.push_back(one.text());
  if (all.empty()) all.push_back(sync["revision"].text());
  return all;
}

}  // namespace

bool goes_on(const Operation& op) { return op.running() || is_tried_again(op); }

doc::View request_of(const kube::Object& application, const AppStatus& status) {
  if (auto asked = application["operation"]; asked["sync"].present()) return asked;
  static const doc::Value none;
  const auto& op = status.operation;
  return doc::View(goes_on(op) ? op.request : none);
}

kube::Object as_asked(const kube::Object& application, const AppStatus& status) {
  auto request = request_of(application, status);
  auto sync = request["sync"];
  auto spec = application["spec"];
  bool many = is_other(sync["sources"], spec["sources"]);
  bool one = !many && is_other(sync["source"], spec["source"]) && !sync["sources"].present();
  if (is_automated(request) || (!many && !one)) return application;
  auto changed = application.copy();
  auto& map = changed["spec"].map();
  map.erase("source"), map.erase("sources");
  auto key = many ? "sources" : "source";
  map.set(key, sync[key].value());
  return kube::Object(std::move(changed));
}

Result<> take_request(const kube::Object& application, const AppStatus& status, Application& app) {
  auto request = request_of(application, status);
  auto sync = request["sync"];
  if (auto own = sync["syncOptions"]; own.present()) {
    SyncOptions options;
    TRY(auto list, own.list());
    for (const auto& item : list) {
      TRY(auto text, item.str());
      if (auto read = read_option(options, text); !read) return item.wrong(read.error().what());
    }
    app.options = options;
  }
  for (auto way : {"hook", "apply"})
    if (sync["syncStrategy"][way]["force"].bool_or(false)) app.options.force = true;
  // An automatic one names the commit that it began with, and takes a newer one at once.
  if (is_automated(request)) return {};
  auto asked = asked_revisions(sync);
  for (std::size_t n = 0; n < asked.size() && n < app.sources.size(); ++n)
    if (!asked[n].empty()) app.sources[n].target_revision = asked[n];
  return {};
}

bool asks_for_other(const kube::Object& application, doc::View request) {
  auto sync = request["sync"];
  if (!sync.present() || is_automated(request)) return false;
  auto spec = application["spec"];
  if (is_other(sync["sources"], spec["sources"]) ||
      (is_other(sync["source"], spec["source"]) && !spec["sources"].present()))
    return true;
  std::vector<std::string> own;
  for (const auto& source : spec["sources"].items()) own.push_back(source["targetRevision"].text());
  if (own.empty()) own.push_back(spec["source"]["targetRevision"].text());
  auto asked = asked_revisions(sync);
  for (std::size_t n = 0; n < asked.size() && n < own.size(); ++n)
    if (!asked[n].empty() && asked[n] != own[n]) return true;
  return false;
}

}  // namespace slipway::gitops::detail
