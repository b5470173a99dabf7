#pragma once
// What went wrong with an Application since its last status, for people who are not looking. Rule: what Argo CD's
// catalog of notifications calls on-sync-failed, on-health-degraded and on-sync-status-unknown.
#include "kube/client.h"

namespace slipway::gitops {

struct Turn {
  kube::Key application;  // or Kustomization, source
  std::string kind;
  std::string event;  // sync-failed, degraded, unknown
  std::string revision, message;
  std::string id;  // the same when it is told again
};
// Of Flux's objects: Ready that turned to False. `status` is about to be written to the Application as it was read.
std::vector<Turn> turns_of(const kube::Object& application, doc::View status);

}  // namespace slipway::gitops
