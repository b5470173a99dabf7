#include "cluster/node/probe.h"

#include <thread>

#include "base/text.h"
#include "cluster/node/socket.h"
#include "net/client.h"

namespace slipway::cluster {
namespace {

constexpr std::size_t kOutputShown = 2000;

// "HTTP/1.1 200 OK" -> 200
std::optional<int> status_of(std::string_view head) {
  auto line = head.substr(0, head.find("\r\n"));
  auto words = split(line, ' ');
  if (words.size() < 2 || !words[0].starts_with("HTTP/")) return std::nullopt;
  auto status = to_int(words[1]);
  return status ? std::optional(static_cast<int>(*status)) : std::nullopt;
}

std::string request_text(doc::View get, const std::string& host, int port) {
  auto path = get["path"].str_or("/");
  if (!path.starts_with('/')) path.insert(0, "/");
  std::string headers, named_host;
  for (auto header : get["httpHeaders"].items()) {
    auto name = header["name"].str_or(""), value = header["value"].str_or("");
    if ((name + value).find_first_of("\r\n") != std::string::npos) continue;
    if (iequals(name, "host"))
      named_host = value;
    else
      headers += fmt::format("{}: {}\r\n", name, value);
  }
  if (named_host.empty()) named_host = fmt::format("{}:{}", host, port);
  path = replace_all(replace_all(path, "\r", ""), "\n", "");
  return fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: kube-probe/1.32\r\nAccept: */*\r\nConnection: close\r\n{}\r\n", path,
      named_host, headers);
}

Result<> judge(int status) {
  if (status >= 200 && status < 400) return {};
  return fail(Kind::unavailable, "HTTP probe failed with statuscode: {}", status);
}

Result<> probe_http(const Ctx& ctx, doc::View get, const ProbeTarget& target) {
  TRY(int port, port_number(get["port"], target.container));
  auto host = get["host"].str_or("");
  if (host.empty()) host = target.ip;
  if (iequals(get["scheme"].str_or("HTTP"), "https")) {
    static net::Client client({.verify = false});
    net::ClientRequest request{.url = fmt::format("https://{}:{}{}", host, port, get["path"].str_or("/")),
                               .redirects = 0};
    request.headers.set("User-Agent", "kube-probe/1.32");
    for (auto header : get["httpHeaders"].items())
      request.headers.set(header["name"].str_or(""), header["value"].str_or(""));
    TRY(auto response, client.send(ctx, std::move(request)));
    return judge(response.status);
  }
  TRY(auto fd, connect_tcp(ctx, host, port));
  TRY_OK(send_all(ctx, fd.get(), request_text(get, host, port)));
  std::string head;
  while (head.find("\r\n") == std::string::npos && head.size() < 8192) {
    TRY(auto piece, receive_some(ctx, fd.get(), 4096));
    if (piece.empty()) break;
    head += piece;
  }
  auto status = status_of(head);
  if (!status) return fail(Kind::unavailable, "HTTP probe failed: not an HTTP answer");
  return judge(*status);
}

Result<> probe_exec(const Ctx& ctx, doc::View exec, const ProbeTarget& target) {
  if (target.running == nullptr) return fail(Kind::unavailable, "the container does not run");
  TRY(auto command, exec["command"].strings());
  TRY(auto pipe, make_pipe());
  std::string output;
  std::thread reader([&, fd = pipe.read.get()] {
    char buffer[4096];
    while (wait(Ctx(), fd, 1 /* POLLIN */)) {
      ssize_t n = ::read(fd, buffer, sizeof buffer);
      if (n <= 0) break;
      if (output.size() < kOutputShown) output.append(buffer, static_cast<std::size_t>(n));
    }
  });
  auto code = target.running->exec(ctx, {.argv = command}, {-1, pipe.write.get(), pipe.write.get()});
  pipe.write.reset();
  reader.join();
  if (!code) return Fail(std::move(code).error());
  if (*code == 0) return {};
  return fail(Kind::unavailable, "command exited {}: {}", *code, trim(output));
}

Millis seconds(doc::View view, std::int64_t fallback, std::int64_t least) {
  return std::chrono::seconds(std::clamp<std::int64_t>(view.num_or(fallback), least, 86400));
}

}  // namespace

Result<int> port_number(doc::View port, doc::View container) {
  std::int64_t number = 0;
  if (const auto* n = port.value().if_int()) {
    number = *n;
  } else {
    auto text = port.text();
    number = to_int(text).value_or(0);
    for (auto p : container["ports"].items())
      if (p["name"].str_or("") == text) number = p["containerPort"].num_or(0);
    if (number == 0) return fail(Kind::invalid, "port \"{}\": no such named port", text);
  }
  if (number <= 0 || number > 65535) return fail(Kind::invalid, "port {}: out of range", number);
  return static_cast<int>(number);
}

Result<> probe_once(const Ctx& ctx, doc::View probe, const ProbeTarget& target) {
  if (auto get = probe["httpGet"]) return probe_http(ctx, get, target);
  if (auto tcp = probe["tcpSocket"]) {
    TRY(int port, port_number(tcp["port"], target.container));
    TRY(auto fd, connect_tcp(ctx, tcp["host"].str_or(target.ip), port));
    return {};
  }
  if (auto exec = probe["exec"]) return probe_exec(ctx, exec, target);
  if (auto grpc = probe["grpc"]) {
    TRY(int port, port_number(grpc["port"], target.container));
    return check_grpc_health(ctx, target.ip, port, grpc["service"].str_or(""));
  }
  return fail(Kind::invalid, "probe: want one of httpGet, tcpSocket, exec, grpc");
}

std::string_view to_string(ProbeKind kind) {
  switch (kind) {
    case ProbeKind::startup:
      return "Startup";
    case ProbeKind::readiness:
      return "Readiness";
    case ProbeKind::liveness:
      return "Liveness";
  }
  return "";
}

ProbeSchedule::ProbeSchedule(doc::View probe, Time started)
    : period_(seconds(probe["periodSeconds"], 10, 1)),
      timeout_(seconds(probe["timeoutSeconds"], 1, 1)),
      // An exec costs a process start of the runtime; a connection costs nothing.
      early_(probe["exec"].present() ? Millis(50) : Millis(4)),
      success_threshold_(static_cast<int>(probe["successThreshold"].num_or(1))),
      failure_threshold_(static_cast<int>(probe["failureThreshold"].num_or(3))),
      next_(started + seconds(probe["initialDelaySeconds"], 0, 0)),
      count_at_(next_ + period_) {}

ProbeSchedule::Verdict ProbeSchedule::finish(bool success, Time now) {
  in_flight_ = false;
  if (success) {
    ever_ = true;
    failures_ = 0;
    next_ = now + (successes_ + 1 < success_threshold_ ? std::min(period_, Millis(1000)) : period_);
    count_at_ = next_;
    return ++successes_ >= success_threshold_ ? Verdict::passed : Verdict::unchanged;
  }
  successes_ = 0;
  bool counts = ever_ || now >= count_at_;
  if (!ever_ && early_ < period_) {
    next_ = now + early_;
    early_ = std::min(early_ * 3 / 2 + Millis(1), Millis(500));
  } else {
    next_ = now + period_;
  }
  if (!counts) return Verdict::unchanged;
  count_at_ = now + period_;
  if (ever_) next_ = count_at_;
  return ++failures_ >= failure_threshold_ ? Verdict::failed : Verdict::unchanged;
}

}  // namespace slipway::cluster
