#include "ci/pod/agent_log.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::ci {
namespace {

constexpr std::uint64_t batch_size = 512 << 10;
constexpr Millis heartbeat{10'000};
constexpr Millis pause_at_most{3000};

}  // namespace

AgentLog::AgentLog(const FarHouse& house, Fd file, std::function<void()> cancel)
    : house_(house), file_(std::move(file)), cancel_(std::move(cancel)) {
  sender_ = std::jthread([this](const std::stop_token& stop) { send_all(stop); });
  listener_ = std::jthread([this](const std::stop_token& stop) { obey(stop); });
}
AgentLog::~AgentLog() = default;

Result<std::unique_ptr<AgentLog>> AgentLog::open(const FarHouse& house, const fs::path& file,
                                                 std::function<void()> cancel) {
  Fd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(errno, file.native());
  return std::unique_ptr<AgentLog>(new AgentLog(house, std::move(fd), std::move(cancel)));
}

void AgentLog::add(JobEvent event) {
  auto state = state_.lock();
  event.number = static_cast<std::int64_t>(state->starts.size()) + 1;
  if (event.time == std::chrono::system_clock::time_point()) event.time = std::chrono::system_clock::now();
  auto line = print(event) + "\n";
  if (auto written = write_all(file_.get(), line); !written) {
    LOG(error, "agent.spool_failed", {"error", written.error().what()});
    return;
  }
  state->starts.push_back(state->size);
  state->size += line.size();
  changed_.notify_all();
}

void AgentLog::step_started(const std::string&, const std::string& id, const std::string& name) {
  add({.what = JobEvent::What::step_started, .step = id, .text = name});
}
void AgentLog::step_finished(const std::string& job, const StepResult& step) {
  JobEvent event{.what = JobEvent::What::step_finished, .step = step.id};
  event.result.key = job, event.result.steps = {step}, event.spans = step.commands;
  add(std::move(event));
}
void AgentLog::log(const LogLine& line) {
  JobEvent event{.what = JobEvent::What::log, .step = std::string(line.step), .text = std::string(line.text)};
  event.stream = line.stream, event.time = line.time;
  add(std::move(event));
}
void AgentLog::annotation(const std::string& job, const Annotation& annotation) {
  JobEvent event{.what = JobEvent::What::annotation};
  event.result.key = job, event.result.annotations = {annotation};
  add(std::move(event));
}
void AgentLog::tests(const std::string&, const TestReport& report) {
  JobEvent event{.what = JobEvent::What::tests};
  event.report = report;
  add(std::move(event));
}
void AgentLog::ended(const JobResult& result) {
  JobEvent event{.what = JobEvent::What::ended};
  event.result = result;
  add(std::move(event));
}

// Lines from the event `from` on, one at least.
Result<std::string> AgentLog::batch(std::int64_t from) const {
  std::uint64_t start = 0, end = 0;
  {
    auto state = state_.lock();
    auto first = static_cast<std::size_t>(from) - 1;
    if (first >= state->starts.size()) return std::string();
    start = end = state->starts[first];
    for (auto i = first; i < state->starts.size(); ++i) {
      auto next = i + 1 < state->starts.size() ? state->starts[i + 1] : state->size;
      if (i > first && next - start > batch_size) break;
      end = next;
    }
  }
  std::string out(end - start, '\0');
  for (std::size_t have = 0; have < out.size();) {
    auto n = ::pread(file_.get(), out.data() + have, out.size() - have, static_cast<off_t>(start + have));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail_errno(n < 0 ? errno : EIO, "the job's log");
    have += static_cast<std::size_t>(n);
  }
  return out;
}

// False: nobody answers.
bool AgentLog::send_some(const Ctx& ctx) {
  auto from = state_.lock()->want;
  auto body = batch(from);
  if (!body) return false;
  if (body->empty()) *body = "\n";
  auto answer = house_.once(ctx.within(Millis(60'000)), house_.request("POST", "events", *std::move(body)));
  if (!answer) {
    if (is_away(answer.error()) || !ctx.alive()) return false;
    LOG(error, "agent.events_refused", {"error", answer.error().what()});
    return false;
  }
  auto document = doc::parse_json(answer->body, "events");
  if (!document) return false;
  doc::View v(*document);
  {
    auto state = state_.lock();
    auto last = static_cast<std::int64_t>(state->starts.size()) + 1;
    state->want = std::clamp<std::int64_t>(v["want"].num_or(from), 1, last);
    state->over = state->over || v["over"].bool_or(false);
    state->told = std::chrono::steady_clock::now();
    changed_.notify_all();
  }
  if (v["cancel"].bool_or(false)) cancel_();
  return true;
}

void AgentLog::send_all(const std::stop_token& stop) {
  Ctx ctx{.stop = stop};
  Millis pause{50};
  while (ctx.alive()) {
    {
      auto state = state_.lock();
      auto wake = ctx.within(heartbeat);
      (void)state.wait(wake, changed_, [&] { return static_cast<std::size_t>(state->want) <= state->starts.size(); });
    }
    if (!ctx.alive()) return;
    if (send_some(ctx)) {
      pause = Millis(50);
      continue;
    }
    auto quiet = std::chrono::steady_clock::now() - state_.lock()->told;
    if (quiet > house_.patience()) {
      LOG(error, "agent.house_lost", {"seconds", std::chrono::duration_cast<std::chrono::seconds>(quiet).count()});
      state_.lock()->lost = true;
      changed_.notify_all();
      cancel_();
      return;
    }
    (void)sleep(ctx, pause);
    pause = std::min(pause * 2, pause_at_most);
  }
}

// One answer that stays open: a word of the house arrives at once.
void AgentLog::obey(const std::stop_token& stop) {
  Ctx ctx{.stop = stop};
  while (ctx.alive()) {
    std::string text;
    auto answer = house_.client().stream(ctx, house_.request("GET", "orders"), [&](std::string_view piece) {
      text += piece;
      if (text.contains("cancel\n")) cancel_();
      if (text.contains("over\n")) {
        state_.lock()->over = true;
        changed_.notify_all();
      }
      text.erase(0, text.rfind('\n') + 1);
      return true;
    });
    (void)answer;
    if (state_.lock()->over) return;
    (void)sleep(ctx, Millis(1000));
  }
}

Result<> AgentLog::settle(const Ctx& ctx) {
  auto state = state_.lock();
  TRY_OK(state.wait(ctx, changed_, [&] {
    return state->lost || (state->over && static_cast<std::size_t>(state->want) > state->starts.size());
  }));
  if (state->lost) return fail(Kind::timeout, "the house took no word for {}", print_duration(house_.patience()));
  return {};
}

}  // namespace slipway::ci
