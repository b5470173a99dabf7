#include "ci/pod/in_pod.h"

#include "ci/detail/job_run.h"

namespace slipway::ci {
namespace {

class PodSandbox final : public Sandbox {
 public:
  explicit PodSandbox(std::string name) : name_(std::move(name)), inner_(open_host_sandbox({})) {}
  Result<int> run(const Ctx& ctx, const Process& process, const OutputSink& sink) override {
    return inner_->run(ctx, process, sink);
  }
  bool isolated() const override { return true; }
  bool alive() override { return inner_->alive(); }
  std::string describe() const override { return fmt::format("in Pod {}", name_); }
  void end() override { inner_->end(); }
  void close() override { inner_->close(); }

 private:
  std::string name_;
  std::unique_ptr<Sandbox> inner_;
};

}  // namespace

std::unique_ptr<Sandbox> open_pod_sandbox(const InPod& pod) { return std::make_unique<PodSandbox>(pod.name); }

// The containers are there already: of the job, where we are, and of its services.
Result<> JobRun::enter_pod() {
  auto& pod = *options().in_pod;
  for (auto& [key, value] : pod.env) base_env_[key] = value;
  if (definition_.container) {
    TRY(auto container, definition_.container->evaluate(scope(root_, nullptr), root_.source));
    auto image = container.if_string() ? container.text() : container.member("image").text();
    has_image_ = !image.empty();
    auto env = container.member("env");
    if (const auto* given = env.if_object())
      for (auto& [key, value] : given->entries) base_env_[key] = value.text();
  }
  if (definition_.services) {
    TRY(auto definitions, definition_.services->evaluate(scope(root_, nullptr), root_.source));
    if (const auto* object = definitions.if_object())
      for (auto& [name, definition] : object->entries) note_service(name, definition);
  }
  sandbox_ = open_pod_sandbox(pod);
  return {};
}

// At its port of localhost, as in a network that job and services share elsewhere too.
void JobRun::note_service(const std::string& name, const Data& definition) {
  Service service;
  service.name = name;
  auto ports = definition.member("ports");
  if (const auto* list = ports.if_array())
    for (auto& port : list->items) {
      auto text = port.text();
      auto colon = text.rfind(':');
      service.ports.push_back(colon == std::string::npos ? text : text.substr(colon + 1));
    }
  services_.push_back(std::move(service));
}

}  // namespace slipway::ci
