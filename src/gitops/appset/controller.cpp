#include "gitops/appset/controller.h"

#include "base/guarded.h"
#include "gitops/application.h"
#include "gitops/source.h"
#include "kube/controller.h"

namespace slipway::gitops::appset {
namespace {

const kube::Type application_type{"argoproj.io/v1alpha1", "Application"};

struct Reads {
  std::set<std::string> urls;
  bool clusters = false, requests = false, hosted = false;
};

}  // namespace

struct Controller::Rep {
  std::shared_ptr<kube::Client> client;
  Repositories& repositories;
  std::string ns;
  KeyedQueue<kube::Key> queue;
  Guarded<std::map<kube::Key, Reads>> sets;
  Guarded<std::map<kube::Key, std::shared_ptr<Answers>>> answers;

  template <class Wanted>
  std::vector<kube::Key> those(const Wanted& wanted) {
    std::vector<kube::Key> keys;
    auto known = sets.lock();
    for (const auto& [key, reads] : *known)
      if (wanted(reads)) keys.push_back(key);
    return keys;
  }
  void note(const kube::Object& set) {
    doc::View spec = set["spec"];
    Reads reads;
    for (const auto& url : repositories_of(spec)) reads.urls.insert(plain_url(url));
    reads.clusters = reads_clusters(spec), reads.requests = reads_pull_requests(spec);
    reads.hosted = reads_hosted(spec);
    (*sets.lock())[set.key()] = std::move(reads);
  }
  Result<kube::Reconciled> look_at(const Ctx& ctx, const kube::Key& key);
};

Result<kube::Reconciled> Controller::Rep::look_at(const Ctx& ctx, const kube::Key& key) {
  TRY(auto set, client->get(ctx, set_type, key));
  if (!set) {
    sets.lock()->erase(key);
    answers.lock()->erase(key);
    return kube::Reconciled{};
  }
  note(*set);
  auto kept = [&] {
    auto& one = (*answers.lock())[key];
    if (!one) one = std::make_shared<Answers>();
    return one;
  }();
  TRY(auto looked, look(ctx, *client, repositories, *set, kept.get()));
  if (!looked.status.is_null()) {
    auto written = kube::write_status(ctx, *client, *set, std::move(looked.status), manager);
    if (!written && !written.error().is(Kind::not_found)) return Fail(std::move(written).error());
  }
  if (!set->annotation(refresh_annotation).empty()) {
    doc::Map none{{std::string(refresh_annotation), nullptr}};
    TRY_OK(client->patch(ctx, set_type, key, kube::PatchType::merge,
                         doc::Map{{"metadata", doc::Map{{"annotations", std::move(none)}}}},
                         {.field_manager = std::string(manager)}));
  }
  return kube::Reconciled{looked.again};
}

Controller::Controller(std::shared_ptr<kube::Client> client, Repositories& repositories, std::string ns)
    : rep_(new Rep{std::move(client), repositories, std::move(ns), KeyedQueue<kube::Key>(), {}, {}}) {}
Controller::~Controller() = default;

void Controller::repository_changed(const std::string& url) {
  auto plain = plain_url(url);
  for (const auto& key : rep_->those([&](const Reads& reads) { return reads.hosted || reads.urls.contains(plain); }))
    rep_->queue.add(key);
}

Result<> Controller::run(const Ctx& ctx) {
  auto& rep = *rep_;
  auto those_of = [&rep](auto member) {
    return [&rep, member](const kube::Event&) { return rep.those([&](const Reads& reads) { return reads.*member; }); };
  };
  kube::ControllerOptions options;
  options.name = "appset";
  options.workers = 4;  // a forge that takes its time holds up no other set
  options.queue = &rep.queue;
  options.sources = {
      {set_type, nullptr, {.ns = rep.ns}},
      {application_type, kube::keys_of_owner("ApplicationSet"), {.ns = rep.ns}},
      {{"v1", "Secret"},
       those_of(&Reads::clusters),
       {.ns = std::string(home_namespace), .label_selector = "argocd.argoproj.io/secret-type=cluster"}},
      {{"slipway.dev/v1", "PullRequest"}, those_of(&Reads::requests), {}},
  };
  return kube::run_controller(ctx, *rep.client, options,
                              [&rep](const Ctx& inner, const kube::Key& key) { return rep.look_at(inner, key); });
}

}  // namespace slipway::gitops::appset
