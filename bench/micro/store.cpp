// What is durable: objects of the API and blobs, beside the least that the disk and the hash allow.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>

#include "base/hash.h"
#include "cluster/testing.h"
#include "store/blob.h"

namespace slipway {
namespace {

// SLIPWAY_BENCH_DIR: the disk that is meant; /tmp may be none.
TempDir folder() {
  const char* where = std::getenv("SLIPWAY_BENCH_DIR");
  return must(TempDir::make_in(where != nullptr ? where : "/tmp", "bench"));
}

doc::Value config_map(int n) {
  auto object = kube::make_object({"v1", "ConfigMap"}, {"default", "m" + std::to_string(n)}, {{"app", "bench"}});
  object["data"] = doc::Map{{"key", "value " + std::to_string(n)}};
  return object;
}

// One durable write that nobody can do without.
void append_and_sync(benchmark::State& state) {
  auto dir = folder();
  Fd fd(::open((dir.path() / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const std::string line(700, 'x');
  for (auto _ : state) {
    if (::write(fd.get(), line.data(), line.size()) < 0 || ::fdatasync(fd.get()) != 0) state.SkipWithError("fdatasync");
  }
}
BENCHMARK(append_and_sync)->UseRealTime();

struct Api {
  TempDir dir = folder();
  std::unique_ptr<cluster::ApiServer> server = must(cluster::ApiServer::open({.database = dir.path() / "cluster.db"}));
  std::shared_ptr<kube::Client> client = server->client("bench");
  std::atomic<int> next = 0;
};

// Acknowledged is on disk. Several at once share a commit.
void create_object(benchmark::State& state) {
  static std::unique_ptr<Api> api;
  if (state.thread_index() == 0) api = std::make_unique<Api>();
  for (auto _ : state) {
    auto made = api->client->create(Ctx{}, config_map(api->next++), {});
    if (!made) state.SkipWithError(made.error().what().c_str());
  }
  if (state.thread_index() == 0) api.reset();
}
BENCHMARK(create_object)->UseRealTime()->Threads(1)->Threads(64);

void read_object(benchmark::State& state) {
  Api api;
  must(api.client->create(Ctx{}, config_map(0), {}));
  for (auto _ : state) benchmark::DoNotOptimize(must(api.client->get(Ctx{}, {"v1", "ConfigMap"}, {"default", "m0"})));
}
BENCHMARK(read_object);

constexpr std::size_t blob_size = 16 << 20;

void hash_and_write(benchmark::State& state) {
  auto dir = folder();
  std::string bytes(blob_size, 'b');
  int n = 0;
  for (auto _ : state) {
    std::memcpy(bytes.data(), &n, sizeof n), ++n;
    benchmark::DoNotOptimize(sha256_hex(bytes));
    Fd fd(::open((dir.path() / std::to_string(n)).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!write_all(fd.get(), bytes) || ::fdatasync(fd.get()) != 0) state.SkipWithError("write");
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(blob_size) * state.iterations());
}
BENCHMARK(hash_and_write)->UseRealTime();

void put_blob(benchmark::State& state) {
  auto dir = folder();
  auto blobs = must(store::BlobStore::open(dir.path() / "blobs"));
  std::string bytes(blob_size, 'b');
  int n = 0;
  for (auto _ : state) {
    std::memcpy(bytes.data(), &n, sizeof n), ++n;
    must(blobs->put(bytes));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(blob_size) * state.iterations());
}
BENCHMARK(put_blob)->UseRealTime();

}  // namespace
}  // namespace slipway
