// Argo CD's Application as a front of the engine.
#include "base/text.h"
#include "gitops/front.h"
#include "gitops/keys.h"

namespace slipway::gitops {
namespace {

// Names of other Applications, comma between; NAMESPACE/NAME for one elsewhere.
constexpr std::string_view depends_on = "slipway.dev/depends-on";

std::vector<Dependency> dependencies_of(const kube::Object& application) {
  std::vector<Dependency> all;
  auto words = application.annotation(depends_on);
  for (auto word : split(words, ',')) {
    word = trim(word);
    auto pair = cut(word, "/");
    if (pair)
      all.push_back({{std::string(pair->first), std::string(pair->second)}, {}});
    else if (!word.empty())
      all.push_back({{application.ns(), std::string(word)}, {}});
  }
  return all;
}

class ArgoFront final : public Front {
 public:
  kube::Type type() const override { return {"argoproj.io/v1alpha1", "Application"}; }
  std::string owner(const kube::Key& key) const override { return tracking_name(key); }

  Result<Application> read(const Ctx&, kube::Client& home, const kube::Object& object) const override {
    TRY(auto app, application_from(object));
    app.depends_on = dependencies_of(object);
    app.keys = [&home, ns = app.key.ns, project = app.project](const Ctx& ctx) {
      return keys_for_project(ctx, home, ns, project);
    };
    return app;
  }
  std::string condition_of(const Error&) const override { return "InvalidSpecError"; }
  std::vector<Task> tasks(const std::vector<doc::Value>& objects, const Application& app,
                          std::vector<std::string>& warnings) const override {
    return tasks_of(objects, app.options, warnings);
  }
  void mark(doc::Value& object, const Application& app, const Task& task) const override {
    mark_as_tracked(object, app, task);
  }

  AppStatus status_from(const kube::Object& object) const override { return gitops::status_from(object); }
  doc::Value to_doc(const AppStatus& status, const kube::Object& before, const std::string& now) const override {
    return gitops::to_doc(status, before, now);
  }
  std::string_view end_reason(bool) const override { return "OperationCompleted"; }
  std::string status_subresource() const override { return ""; }

  std::optional<kube::RemoveOptions::Propagation> cascade_of(const kube::Object& object) const override {
    return gitops::cascade_of(object);
  }
  std::optional<Millis> deletion_patience(const kube::Object&) const override { return std::nullopt; }
  bool is_our_finalizer(std::string_view finalizer) const override {
    return is_cascade_finalizer(finalizer) || is_hook_finalizer(finalizer);
  }
  bool takes_definitions() const override { return false; }

  std::string unready(const kube::Object& dependency, const Application&) const override {
    auto status = dependency["status"];
    auto sync = status["sync"]["status"].text(), health = status["health"]["status"].text();
    if (sync != "Synced") return fmt::format("is {}", sync.empty() ? "not looked at yet" : sync);
    if (status["operationState"]["phase"].text() == "Running") return "is being synced";
    return health == "Healthy" ? "" : fmt::format("is {}", health);
  }
};

}  // namespace

const Front& argo_front() {
  static const ArgoFront front;
  return front;
}

const Front& front_of(const kube::Type& type) {
  return type.group() == flux_front().type().group() ? flux_front() : argo_front();
}

}  // namespace slipway::gitops
