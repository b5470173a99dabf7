// A pod's logs, exec and attach, port-forward.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/guarded.h"
#include "base/text.h"
#include "base/time.h"
#include "cluster/api/call.h"
#include "cluster/api/spdy.h"
#include "doc/json.h"
#include "net/websocket.h"

namespace slipway::cluster {
namespace {

ApiError unavailable(std::string message) { return {503, "ServiceUnavailable", std::move(message)}; }

// The container that is meant. Errors: 400, with the names there are.
ApiResult<std::string> container_of(const kube::Object& pod, const std::string& asked) {
  std::vector<std::string> names;
  for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"})
    for (const auto& c : pod["spec"][list].items()) {
      auto name = c["name"].text();
      if (name == asked) return name;
      if (list == "containers") names.push_back(name);
    }
  if (!asked.empty())
    return ApiFail(bad_request(fmt::format("container {} is not valid for pod {}", asked, pod.name())));
  if (names.size() == 1) return names[0];
  if (auto fallback = pod.annotation("kubectl.kubernetes.io/default-container"); !fallback.empty()) return fallback;
  return ApiFail(bad_request(
      fmt::format("a container name must be specified for pod {}, choose one of: [{}]", pod.name(), join(names, " "))));
}

// A container that waits has no log yet. Errors: 400, saying what it waits for.
ApiResult<> has_started(const kube::Object& pod, const std::string& container, bool previous) {
  bool known = false;
  for (std::string_view list : {"containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"})
    for (const auto& c : pod["status"][list].items()) {
      if (c["name"].text() != container) continue;
      known = true;
      if (previous && !c["lastState"]["terminated"].present())
        return ApiFail(bad_request(
            fmt::format("previous terminated container \"{}\" in pod \"{}\" not found", container, pod.name())));
      auto waiting = c["state"]["waiting"];
      if (!waiting.present() || c["lastState"]["terminated"].present() || previous) continue;
      auto reason = waiting["reason"].text();
      if (reason == "CrashLoopBackOff") continue;
      auto text = waiting["message"].text();
      bool trouble = reason.find("Image") != std::string::npos || reason.find("Err") != std::string::npos ||
                     reason == "CreateContainerConfigError";
      return ApiFail(bad_request(
          trouble && !text.empty()
              ? fmt::format("container \"{}\" in pod \"{}\" is waiting to start: {}", container, pod.name(), text)
              : fmt::format("container \"{}\" in pod \"{}\" is waiting to start: {}", container, pod.name(),
                            reason.empty() ? "ContainerCreating" : reason)));
    }
  if (!known && pod["spec"]["nodeName"].text().empty())
    return ApiFail(bad_request(fmt::format("pod {} does not have a host assigned", pod.name())));
  return {};
}

net::Response log(Call& call, NodeAccess& node, const kube::Object& pod) {
  LogOptions options;
  auto container = container_of(pod, call.query("container"));
  if (!container) return answer(container.error());
  options.container = *container;
  options.follow = call.flag("follow"), options.previous = call.flag("previous"),
  options.timestamps = call.flag("timestamps");
  options.tail_lines = to_int(call.query("tailLines")), options.since_seconds = to_int(call.query("sinceSeconds")),
  options.limit_bytes = to_int(call.query("limitBytes"));
  if (auto since = call.query("sinceTime"); !since.empty()) {
    auto time = parse_rfc3339(since);
    if (!time) return answer(bad_request(fmt::format("sinceTime: {}", time.error().what())));
    options.since_seconds =
        std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(real_clock().wall() - *time).count());
  }
  if (auto started = has_started(pod, *container, options.previous); !started) return answer(started.error());
  net::Response response;
  response.headers.set("Content-Type", "text/plain");
  response.body = net::StreamBody([&node, key = call.key, options](const Ctx& ctx,
                                                                   net::BodyWriter& writer) -> Result<> {
    // A follower sees at once that it is connected.
    if (options.follow) TRY_OK(writer.write(ctx, {}));
    return node.logs(ctx, key, options, [&](std::string_view piece) { return writer.write(ctx, piece).has_value(); });
  });
  return response;
}

constexpr int stdin_channel = 0, stdout_channel = 1, stderr_channel = 2, status_channel = 3, resize_channel = 4,
              close_channel = 255;

Result<> send(const Ctx& ctx, net::WebSocket& socket, int channel, std::string_view bytes) {
  std::string message(1, static_cast<char>(channel));
  message += bytes;
  return socket.send(ctx, message, true);
}

// Everything that comes out of a pipe goes onto a channel.
void pump(const Ctx& ctx, net::WebSocket& socket, int fd, int channel) {
  std::array<char, 32768> buffer;
  for (;;) {
    auto n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    if (!send(ctx, socket, channel, {buffer.data(), static_cast<std::size_t>(n)})) return;
  }
}

// The client's input goes into the pipe; its end, or the client's going, stops.
void receive(const Ctx& ctx, net::WebSocket& socket, Fd input, ChildStop& stop) {
  for (;;) {
    auto message = socket.receive(ctx);
    if (!message || !*message) break;
    const auto& data = (*message)->data;
    if (data.empty()) continue;
    auto channel = static_cast<unsigned char>(data[0]);
    if (channel == stdin_channel && input && data.size() > 1 &&
        !write_all(input.get(), std::string_view(data).substr(1)))
      input.reset();
    bool eof = channel == close_channel && data.size() > 1 && data[1] == stdin_channel;
    if (eof) input.reset();
    // Terminal sizes have no place in ExecOptions: a terminal keeps the size it started with.
    if (channel == resize_channel) continue;
  }
  stop.request_stop();
}

doc::Value exec_status(const Result<int>& code) {
  if (code && *code == 0) return doc::Map{{"metadata", doc::Map{}}, {"status", "Success"}};
  if (code)
    return doc::Map{
        {"metadata", doc::Map{}},
        {"status", "Failure"},
        {"message", fmt::format("command terminated with non-zero exit code: exit status {}", *code)},
        {"reason", "NonZeroExitCode"},
        {"details",
         doc::Map{{"causes", doc::List{doc::Map{{"reason", "ExitCode"}, {"message", std::to_string(*code)}}}}}}};
  return ApiError(code.error()).to_doc();
}

void exec_session(const Ctx& ctx, net::WebSocket& socket, NodeAccess& node, const kube::Key& key, ExecOptions options,
                  bool in, bool out, bool err) {
  ChildStop stop(ctx.stop);
  Ctx inner = ctx.with_stop(stop.token());
  Pipe stdin_pipe, stdout_pipe, stderr_pipe;
  auto open = [](bool want, Pipe& pipe) -> Result<> {
    if (!want) return {};
    TRY(pipe, make_pipe());
    return {};
  };
  Result<int> code = 0;
  Result<> opened = open(in, stdin_pipe);
  if (opened) opened = open(out, stdout_pipe);
  if (opened) opened = open(err && !options.tty, stderr_pipe);
  if (!opened) {
    code = Fail(std::move(opened).error());
  } else {
    options.in = stdin_pipe.read.get(), options.out = stdout_pipe.write.get(), options.err = stderr_pipe.write.get();
    std::jthread reader(
        [&, input = std::move(stdin_pipe.write)]() mutable { receive(inner, socket, std::move(input), stop); });
    {
      std::jthread outs, errs;
      if (stdout_pipe.read) outs = std::jthread([&] { pump(ctx, socket, stdout_pipe.read.get(), stdout_channel); });
      if (stderr_pipe.read) errs = std::jthread([&] { pump(ctx, socket, stderr_pipe.read.get(), stderr_channel); });
      code = node.exec(inner, key, options);
      // Our ends close, so that the pumps see the end once the command's have gone.
      stdout_pipe.write.reset(), stderr_pipe.write.reset(), stdin_pipe.read.reset();
    }
    (void)send(ctx, socket, status_channel, doc::print_json(exec_status(code)));
    (void)socket.close(ctx.within(Millis(2000)));
    stop.request_stop();
    return;
  }
  (void)send(ctx, socket, status_channel, doc::print_json(exec_status(code)));
  (void)socket.close(ctx.within(Millis(2000)));
}

// Attaching shows what the container writes from now on; nothing can be typed into it.
net::Response attach(Call& call, NodeAccess& node, const std::string& container) {
  if (call.flag("stdin"))
    return answer(ApiError(501, "NotImplemented",
                           "attach with --stdin is not served: a container's standard input is closed; use `kubectl "
                           "exec -i` for a shell"));
  auto session = [&node, key = call.key, container](const Ctx& ctx, net::WebSocket& socket, const std::string&) {
    ChildStop stop(ctx.stop);
    Ctx inner = ctx.with_stop(stop.token());
    std::jthread reader([&] { receive(inner, socket, Fd(), stop); });
    LogOptions options{.container = container, .follow = true, .tail_lines = 0};
    auto ended = node.logs(inner, key, options, [&](std::string_view piece) {
      return send(inner, socket, stdout_channel, piece).has_value();
    });
    (void)send(ctx, socket, status_channel,
               doc::print_json(exec_status(ended ? Result<int>(0) : Result<int>(Fail(std::move(ended).error())))));
    (void)socket.close(ctx.within(Millis(2000)));
    stop.request_stop();
  };
  auto response = net::accept_websocket(call.request, {"v5.channel.k8s.io", "v4.channel.k8s.io"}, session);
  return response ? *std::move(response) : answer(bad_request(response.error().what()));
}

net::Response exec(Call& call, NodeAccess& node, const kube::Object& pod) {
  auto container = container_of(pod, call.query("container"));
  if (!container) return answer(container.error());
  auto phase = pod["status"]["phase"].text();
  if (phase == "Succeeded" || phase == "Failed")
    return answer(
        bad_request(fmt::format("cannot exec into a container in a completed pod; current phase is {}", phase)));
  ExecOptions options;
  options.container = *container;
  options.tty = call.flag("tty");
  for (const auto& [name, value] : call.request.query)
    if (name == "command") options.command.push_back(value);
  if (call.sub == "attach") return attach(call, node, options.container);
  if (options.command.empty()) return answer(bad_request("you must specify at least one command for the container"));
  bool in = call.flag("stdin"), out = call.flag("stdout"), err = call.flag("stderr");
  auto session = [&node, key = call.key, options, in, out, err](const Ctx& ctx, net::WebSocket& socket,
                                                                const std::string&) {
    exec_session(ctx, socket, node, key, options, in, out, err);
  };
  auto response = net::accept_websocket(call.request, {"v5.channel.k8s.io", "v4.channel.k8s.io"}, session);
  if (!response)
    return answer(bad_request(fmt::format("{}; want a WebSocket upgrade with v5.channel.k8s.io (kubectl 1.30 or newer)",
                                          response.error().what())));
  return *std::move(response);
}

net::Response forward(Call& call, NodeAccess& node) {
  auto session = [&node, key = call.key](const Ctx& ctx, net::WebSocket& socket, const std::string&) {
    forward_ports(ctx, socket, [&](const Ctx& c, int port) { return node.connect(c, key, port); });
  };
  auto response = net::accept_websocket(call.request, {"SPDY/3.1+portforward.k8s.io"}, session);
  if (!response)
    return answer(
        bad_request(fmt::format("{}; want a WebSocket upgrade with SPDY/3.1+portforward.k8s.io (kubectl 1.31 or newer)",
                                response.error().what())));
  return *std::move(response);
}

}  // namespace

net::Response serve_pod(Call& call, NodeAccess* node) {
  auto pod = call.machinery.get(*call.kind, call.key);
  if (!pod) return answer(pod.error());
  if (node == nullptr) return answer(unavailable("the node agent is not up yet"));
  if (call.sub == "log") return log(call, *node, *pod);
  if (call.sub == "portforward") return forward(call, *node);
  return exec(call, *node, *pod);
}

}  // namespace slipway::cluster
