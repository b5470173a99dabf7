#include "box/detail/oci_runtime.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"

namespace slipway::box {

std::vector<std::string> OciHost::command(const fs::path& log) const {
  std::vector<std::string> argv{program, "--root", (root / "runtime").string(), "--log", log.string()};
  if (rootless && name == "runc") argv.insert(argv.end(), {"--rootless", "true"});
  return argv;
}

namespace {

// msg="a \"b\" c" of a logrus text line.
std::string message_of(std::string_view line) {
  auto at = line.find("msg=");
  if (at == std::string_view::npos) return std::string(trim(line));
  line.remove_prefix(at + 4);
  if (!line.starts_with('"')) return std::string(trim(line));
  std::string text;
  for (std::size_t i = 1; i < line.size() && line[i] != '"'; ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) ++i;
    text += line[i];
  }
  return text;
}

}  // namespace

std::string last_error(const fs::path& log) {
  auto text = read_file(log, 1 << 20);
  if (!text) return "";
  std::string found;
  for (auto line : lines(*text))
    if (!line.contains("level=") || line.contains("level=error") || line.contains("level=fatal"))
      found = message_of(line);
  for (std::string_view noise :
       {"runc run failed: ", "exec failed: ", "runc create failed: ", "unable to start container process: "})
    if (found.starts_with(noise)) found.erase(0, noise.size());
  return found;
}

Fail runtime_failed(const std::string& id, int code, const fs::path& log) {
  auto text = last_error(log);
  if (text.empty()) text = fmt::format("the runtime exited {} without a message", code);
  bool callers = text.contains("executable file not found") || text.contains("exec: \"") || text.contains("exec /") ||
                 text.contains("exec format error") || text.contains("exec user process") ||
                 text.contains("not a directory");
  return fail(callers ? Kind::invalid : Kind::unavailable, "container {}: {}", id, text);
}

std::optional<std::uint64_t> process_start(int pid) {
  auto text = read_file(fmt::format("/proc/{}/stat", pid));
  if (!text) return std::nullopt;
  auto end = text->rfind(')');
  if (end == std::string::npos) return std::nullopt;
  auto fields = split(std::string_view(*text).substr(end + 2), ' ');  // from field 3, the state
  if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X") return std::nullopt;
  return static_cast<std::uint64_t>(to_int(fields[19]).value_or(0));
}

Fd open_process(int pid, std::uint64_t start) {
  if (pid <= 0) return Fd();
  Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd || process_start(pid) != start) return Fd();
  return fd;
}

}  // namespace slipway::box
