#include "engine/run_logs.h"

#include <fcntl.h>

#include "engine/recorder.h"

namespace slipway::engine {

fs::path RunLogs::file(const std::string& run, const std::string& job) const {
  return root_ / object_name(run) / (object_name(job) + ".log");
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

Result<std::string> RunLogs::read(const std::string& run, const std::string& job) const {
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
  return names;
}

}  // namespace slipway::engine
