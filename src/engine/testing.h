#pragma once
// A House without containers or network: API, git host and the small stores, on a folder that goes with it.
#include <gtest/gtest.h>

#include "base/testing/golden.h"
#include "engine/audit.h"
#include "engine/house.h"
#include "engine/push_notes.h"
#include "engine/recorder.h"
#include "engine/registry_settings.h"
#include "engine/render.h"
#include "engine/run_logs.h"
#include "engine/running_runs.h"
#include "engine/test_history.h"
#include "engine/wake.h"
#include "path/crds.h"

namespace slipway::engine {

struct HouseTest : testing::Test {
  TempDir dir = must(TempDir::make("slipway-house"));
  Ctx ctx = Ctx{}.within(Millis(20000));
  House house;

  void SetUp() override {
    house.settings.data = dir.path();
    house.api = must(cluster::ApiServer::open({.database = dir.path() / "cluster.db",
                                               .authenticate = {},
                                               .crds = path::builtin_crds(),
                                               .namespaces = {home, "argocd"}}));
    house.client = house.api->client("slipway");
    house.push_notes = std::make_unique<PushNotes>(dir.path() / "pushes");
    house.running = std::make_unique<RunningRuns>();
    house.decisions = std::make_unique<Wake>();
    house.run_logs = std::make_unique<RunLogs>(dir.path() / "logs");
    house.tests = must(TestHistory::open(dir.path() / "tests.db"));
    house.git = must(git::Host::open(dir.path() / "git", {}));
    house.repositories = make_repositories(house);
    house.gitops = std::make_unique<gitops::Controller>(house.client, *house.repositories, gitops::ControllerOptions{});
    house.flux =
        std::make_unique<gitops::FluxController>(house.client, *house.repositories, gitops::ControllerOptions{});
  }

  // A commit of these files at a branch; gives its id. What was there before stays.
  std::string commit(const std::string& repository, const std::string& branch, const std::vector<git::FileEdit>& files,
                     const std::string& message = "A change") {
    auto known = house.git->repository(repository);
    auto store = known ? *std::move(known) : must(house.git->create(repository));
    auto ref = "refs/heads/" + branch;
    auto tip = must(store.resolve(ref));
    auto tree = must(store.write_tree(tip ? must(store.tree_of(*tip)) : git::Oid(), files));
    auto id = must(store.write_commit(tree, tip ? std::vector<git::Oid>{*tip} : std::vector<git::Oid>{},
                                      {"ada", "ada@example.com", ctx.clock->wall()}, message));
    EXPECT_TRUE(store.update_ref(ref, id, std::nullopt, "test"));
    return id;
  }
  kube::Object object(std::string_view kind, const std::string& name) {
    auto found = must(find(ctx, *house.client, kind, name));
    EXPECT_TRUE(found) << kind << " " << name;
    return found.value_or(kube::Object());
  }
};

}  // namespace slipway::engine
