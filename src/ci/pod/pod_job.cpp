#include "ci/pod/pod_job.h"

#include "base/text.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_uploads = 16;  // of one job, begun and not ended

}  // namespace

void PodJob::close() {
  closing_.request_stop();
  std::unique_lock lock(door_);
  closed_ = true;
  uploads_.lock()->clear();
  kept_.lock()->clear();
}

Result<PodJob::Taken> PodJob::take(std::string_view body) {
  std::lock_guard turn(taking_);
  auto want = state_.lock()->want;
  std::optional<JobResult> result;
  for (auto line : lines(body)) {
    if (line.empty()) continue;
    TRY(auto event, parse_event(line));
    if (event.number < want) continue;
    if (event.number > want) break;
    ++want;
    if (event.what == JobEvent::What::ended)
      result = event.result;
    else
      side_.take(event);
  }
  auto state = state_.lock();
  state->want = want;
  state->heard = std::chrono::steady_clock::now();
  if (result) state->result = std::move(result);
  changed_.notify_all();
  return Taken{want, state->cancel, state->over};
}

void PodJob::pod_is(const kube::Object& pod, bool gone) {
  auto state = state_.lock();
  state->pod = pod;
  state->gone = state->gone || gone;
  changed_.notify_all();
}

void PodJob::heard() { state_.lock()->heard = std::chrono::steady_clock::now(); }

void PodJob::cancel() {
  auto state = state_.lock();
  state->cancel = true;
  if (state->orders) state->orders->write("cancel\n");
}

void PodJob::release() {
  auto state = state_.lock();
  state->over = true;
  if (!state->orders) return;
  state->orders->write("over\n");
  state->orders->close();
}

void PodJob::listen(std::shared_ptr<net::PushStream> stream) {
  auto state = state_.lock();
  stream->write(state->over ? "over\n" : state->cancel ? "cancel\n" : "hello\n");
  state->orders = std::move(stream);
}

void PodJob::allow(const Digest& digest) { readable_.lock()->insert(digest); }

bool PodJob::may_read(const Digest& digest) const {
  if (readable_.lock()->contains(digest)) return true;
  auto all = side_.artifacts->lock();
  return std::any_of(all->begin(), all->end(), [&](auto& one) { return one.second.digest == digest; });
}

void PodJob::keep(std::shared_ptr<const void> held) { kept_.lock()->push_back(std::move(held)); }

Result<std::string> PodJob::begin_upload(store::BlobStore& blobs) {
  TRY(auto writer, blobs.begin());
  auto uploads = uploads_.lock();
  if (uploads->size() >= max_uploads)
    return fail(Kind::denied, "{} uploads are under way: end some first", uploads->size());
  auto id = random_hex(12);
  uploads->emplace(id, std::make_shared<Upload>(std::move(writer)));
  return id;
}

std::shared_ptr<PodJob::Upload> PodJob::upload(const std::string& id) const {
  auto uploads = uploads_.lock();
  auto found = uploads->find(id);
  return found == uploads->end() ? nullptr : found->second;
}

void PodJob::end_upload(const std::string& id) { uploads_.lock()->erase(id); }

}  // namespace slipway::ci
