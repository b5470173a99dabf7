#include "engine/run_logs.h"

#include <fcntl.h>

#include "engine/recorder.h"

namespace slipway::engine {

fs::path RunLogs::file(const std::string& run, const std::string& job, std::int64_t attempt) const {
  auto name = object_name(job) + (attempt > 0 ? fmt::format(".{}.log", attempt) : std::string(".log"));
  return root_ / object_name(run) / name;
}

Result<> RunLogs::set_aside(const std::string& run, const std::string& job, std::int64_t attempt) {
  auto open = open_.lock();
  if (auto found = open->find(run); found != open->end()) found->second[job].fd = Fd();
  auto from = file(run, job);
  if (!path_exists(from)) return {};
  std::error_code error;
  fs::rename(from, file(run, job, attempt), error);
  return error ? Result<>(fail_errno(error.value(), from.native())) : Result<>{};
}

void RunLogs::begin(const std::string& run) { (void)(*open_.lock())[run]; }

Result<> RunLogs::append(const std::string& run, const std::string& job, std::string_view text) {
  auto open = open_.lock();
  auto& entry = (*open)[run][job];
  if (!entry.fd) {
    auto path = file(run, job);
    TRY_OK(make_dirs(path.parent_path()));
    entry.fd = Fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
    if (!entry.fd) return fail_errno(errno, path.native());
  }
  TRY_OK(write_all(entry.fd.get(), text));
  std::erase_if(entry.followers, [&](const auto& follower) { return !follower->write(text); });
  return {};
}

void RunLogs::restart(const std::string& run, const std::string& job) {
  auto open = open_.lock();
  auto& entry = (*open)[run][job];
  entry.fd = Fd();
  std::error_code ignored;
  fs::remove(file(run, job), ignored);
  for (auto& follower : entry.followers) follower->close();
  entry.followers.clear();
}

void RunLogs::finish(const std::string& run) {
  auto open = open_.lock();
  auto found = open->find(run);
  if (found == open->end()) return;
  for (auto& [job, entry] : found->second)
    for (auto& follower : entry.followers) follower->close();
  open->erase(found);
}

Result<> RunLogs::remove(const std::string& run) {
  finish(run);
  return remove_tree(root_ / object_name(run));
}

Result<std::string> RunLogs::read(const std::string& run, const std::string& job, std::int64_t attempt) const {
  // A job that the next attempts kept has its log put aside by the one that did not, if any.
  constexpr std::int64_t most = 100;
  if (attempt > 0)
    for (auto n = attempt; n < attempt + most; ++n)
      if (path_exists(file(run, job, n))) return read_file(file(run, job, n));
  return read_file(file(run, job));
}

Result<> RunLogs::follow(const std::string& run, const std::string& job, std::shared_ptr<net::PushStream> stream) {
  auto open = open_.lock();  // held while the past is sent: nothing is lost or doubled between past and live
  auto text = read_file(file(run, job));
  if (text && !text->empty()) stream->write(*text);
  auto found = open->find(run);
  if (found == open->end()) {
    stream->close();
    return {};
  }
  found->second[job].followers.push_back(std::move(stream));
  return {};
}

Result<std::vector<std::string>> RunLogs::jobs(const std::string& run) const {
  auto folder = root_ / object_name(run);
  if (!path_exists(folder)) return std::vector<std::string>();
  TRY(auto names, list_dir(folder));
  for (auto& name : names)
    if (name.ends_with(".log")) name.resize(name.size() - 4);
  std::erase_if(names, [](const auto& name) { return name.contains('.'); });  // of earlier attempts
  return names;
}

}  // namespace slipway::engine
