#pragma once
// A language in which people say what a cluster should be: Argo CD's Application, Flux's Kustomization. A front reads
// it and writes its status; comparing, applying, waiting, pruning and healing (look) are the same for all.
#include <string>
#include <vector>

#include "gitops/status.h"

namespace slipway::gitops {

// Threads: any.
class Front {
 public:
  virtual ~Front() = default;
  virtual kube::Type type() const = 0;
  // How the objects of one name it.
  virtual std::string owner(const kube::Key& key) const = 0;
  // `home`: where the object lives; others that it names are read there. Errors: what condition_of() knows.
  virtual Result<Application> read(const Ctx& ctx, kube::Client& home, const kube::Object& object) const = 0;
  // The condition under which an error of read() is shown.
  virtual std::string condition_of(const Error& error) const = 0;
  virtual std::vector<Task> tasks(const std::vector<doc::Value>& objects, const Application& app,
                                  std::vector<std::string>& warnings) const = 0;
  // Puts the owner into an object that is to be applied.
  virtual void mark(doc::Value& object, const Application& app, const Task& task) const = 0;

  virtual AppStatus status_from(const kube::Object& object) const = 0;
  // `now` stands in for times that change only with what they date.
  virtual doc::Value to_doc(const AppStatus& status, const kube::Object& before, const std::string& now) const = 0;
  // The reason of the event that an operation's end is told by.
  virtual std::string_view end_reason(bool succeeded) const = 0;
  virtual std::string status_subresource() const = 0;  // "" where the status is part of the object

  // What deleting it does to its objects; nothing: they stay. Needs no valid spec.
  virtual std::optional<kube::RemoveOptions::Propagation> cascade_of(const kube::Object& object) const = 0;
  // How long its deletion waits for objects that are asked to go; nothing: as long as it takes.
  virtual std::optional<Millis> deletion_patience(const kube::Object& object) const = 0;
  virtual bool is_our_finalizer(std::string_view finalizer) const = 0;
  virtual bool takes_definitions() const = 0;  // whether CRDs go as well then

  // Why what waits for `dependency` must wait, or "".
  virtual std::string unready(const kube::Object& dependency, const Application& waiting) const = 0;
};
const Front& argo_front();
const Front& flux_front();
const Front& front_of(const kube::Type& type);  // Argo CD's for what is not Flux's

}  // namespace slipway::gitops
