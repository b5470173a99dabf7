#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/fd.h"
#include "base/process.h"
#include "base/text.h"
#include "base/time.h"
#include "doc/json.h"
#include "script/frame.h"
#include "script/script.h"

namespace slipway::script {

std::string_view runner_bytes();

struct Worker::Process {
  Child child;
  Fd line;       // our end of the socket
  Fd complaint;  // what it wrote on its standard error
};

namespace {

constexpr std::size_t most_imports = 4096;
constexpr int killed_by = 128;  // Output::code of a process that a signal ended

Result<Fd> memory_file(const char* name) {
  Fd file(::memfd_create(name, MFD_CLOEXEC));
  if (!file) return fail_errno(errno, "memfd_create");
  return file;
}

std::string words_of(int file) {
  std::string text(512, '\0');
  auto n = ::pread(file, text.data(), text.size(), 0);
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return std::string(trim(text));
}

// Both ends are done with their part by polling, so that a stop request is heard while the other is at work.
Result<> send_all(const Ctx& ctx, int line, std::string_view bytes) {
  while (!bytes.empty()) {
    TRY_OK(wait(ctx, line, POLLOUT));
    auto n = ::send(line, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return fail_errno(errno, "send");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::string> receive(const Ctx& ctx, int line, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t at = 0; at < size;) {
    TRY_OK(wait(ctx, line, POLLIN));
    auto n = ::recv(line, bytes.data() + at, size - at, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return fail_errno(errno, "recv");
    if (n == 0) return fail(Kind::unavailable, "the line is closed");
    at += static_cast<std::size_t>(n);
  }
  return bytes;
}

// The body of a frame.
Result<std::string> receive_frame(const Ctx& ctx, int line) {
  TRY(auto head, receive(ctx, line, sizeof(std::uint32_t)));
  std::string_view rest(head);
  auto length = *take_length(rest);
  if (length > frame_limit) return fail(Kind::corrupt, "an answer of {} bytes", length);
  return receive(ctx, line, length);
}

std::string_view name_of(Program::Language language) {
  switch (language) {
    case Program::Language::jq:
      return "jq";
    case Program::Language::lua:
      return "lua";
    default:
      return "lua with all libraries";
  }
}

Result<Outcome> outcome_of(std::string_view body) {
  auto fields = fields_of(body);
  if (!fields || fields->size() != 3) return fail(Kind::internal, "the script runner gave an answer that is none");
  auto status = (*fields)[0], text = (*fields)[1];
  if (status == "failure") return Outcome{{}, std::string(text), (*fields)[2] == "clock"};
  if (status != "value") return fail(Kind::invalid, "{}", text);
  TRY(auto value, doc::parse_json(text, "what the program gives"));
  return Outcome{std::move(value), {}, (*fields)[2] == "clock"};
}

bool is_fault_of_the_program(const Error& error) {
  return error.is(Kind::invalid) || error.is(Kind::denied) || error.is(Kind::not_found);
}

}  // namespace

// An import is answered amid a program. After an error that is not the program's it is told that there is no such
// file, and ends; the error is `broken`.
struct Worker::Questions {
  const Jsonnet& program;
  std::size_t asked = 0;
  std::optional<Error> broken;

  Result<Jsonnet::File> file(const Ctx& ctx, std::string_view folder, std::string_view path) {
    // The library asks once for each pair of them.
    if (++asked > most_imports) return fail(Kind::invalid, "the program imports more than {} files", most_imports);
    TRY_OK(ctx.alive());
    TRY(auto file, program.import(std::string(folder), std::string(path)));
    if (file.text.contains('\0')) return fail(Kind::invalid, "{}: holds a zero byte", file.name);
    if (file.text.size() + file.name.size() > frame_limit - 1024)
      return fail(Kind::invalid, "{}: has {}, want at most {}", file.name, human_bytes(file.text.size()),
                  human_bytes(frame_limit));
    return file;
  }
  // Nothing: that was no question.
  std::optional<std::string> answer(const Ctx& ctx, std::string_view body) {
    auto fields = fields_of(body);
    if (!fields || fields->size() != 3 || (*fields)[0] != "import") return std::nullopt;
    auto found = file(ctx, (*fields)[1], (*fields)[2]);
    if (found) return frame_of({"file", found->name, found->text});
    auto words = frame_of({"none", found.error().what()});
    if (!is_fault_of_the_program(found.error())) broken = std::move(found).error();
    return words;
  }
};

// Who has the turn. Gives it on at the end.
struct Worker::Turn {
  Worker& worker;
  ~Turn() {
    worker.state_.lock()->taken = false;
    worker.free_.notify_one();
  }
};

Worker::Worker(Limits limits) : limits_(limits) {}
Worker::~Worker() = default;
int Worker::pid() const { return pid_; }

// The answer's body; the process is gone when there is none.
Result<std::string> Worker::ask(const Ctx& ctx, std::unique_ptr<Process>& process, std::string_view request,
                                Questions* questions) {
  if (!process) {
    TRY(auto program, memory_file("slipway-script"));
    TRY_OK(write_all(program.get(), runner_bytes()));
    TRY(auto complaint, memory_file("slipway-script-stderr"));
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return fail_errno(errno, "socketpair");
    Fd ours(pair[0]), theirs(pair[1]);
    // Its time is UTC, and there is no home in which jq would look for a library.
    Command command{.argv = {fmt::format("/proc/self/fd/{}", program.get()), std::to_string(limits_.memory)},
                    .env = std::map<std::string, std::string>{{"TZ", "UTC0"}, {"HOME", "/nonexistent"}}};
    TRY_IN(auto child, "the script runner", Child::start(command, {theirs.get(), -1, complaint.get()}));
    process.reset(new Process{std::move(child), std::move(ours), std::move(complaint)});
    pid_ = process->child.pid();
  }
  auto exchange = [&](int line) -> Result<std::string> {
    TRY_OK(send_all(ctx, line, request));
    for (;;) {
      TRY(auto body, receive_frame(ctx, line));
      auto answer = questions != nullptr ? questions->answer(ctx, body) : std::nullopt;
      if (!answer) return body;
      TRY_OK(send_all(ctx, line, *answer));
    }
  };
  auto answer = exchange(process->line.get());
  if (answer) return answer;
  pid_ = 0;
  auto gone = std::move(process);
  if (answer.error().is(Kind::cancelled) || answer.error().is(Kind::timeout)) return answer;
  TRY(auto code, gone->child.wait(Ctx().within(Millis(2000))));
  if (code == killed_by + SIGPROF)
    return fail(Kind::invalid, "takes more than {} of processor time, want less", print_duration(limits_.time));
  if (code == killed_by + SIGKILL) return fail(Kind::unavailable, "the script runner was killed");
  if (code > killed_by)
    return fail(Kind::invalid, "ends its interpreter (signal {}), want less depth or memory", code - killed_by);
  auto words = words_of(gone->complaint.get());
  if (words.empty()) return fail(Kind::invalid, "ends its interpreter, want a value");
  return fail(Kind::unavailable, "the script runner does not start: {}", words);
}

Result<Outcome> Worker::run(const Ctx& ctx, const Program& program, const std::vector<Input>& inputs) {
  auto time = std::to_string(limits_.time.count());
  std::vector<std::string> documents;
  for (const auto& input : inputs) documents.push_back(doc::print_json(input.value));
  Fields fields{name_of(program.language), time, program.text};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    fields.push_back(inputs[i].name);
    fields.push_back(documents[i]);
  }
  return answer(ctx, fields, nullptr);
}

Result<Outcome> Worker::run(const Ctx& ctx, const Jsonnet& program) {
  constexpr std::size_t most_variables = 300;
  if (program.external.size() + program.arguments.size() > most_variables)
    return fail(Kind::invalid, "has {} variables, want at most {}", program.external.size() + program.arguments.size(),
                most_variables);
  auto time = std::to_string(limits_.time.count());
  Fields fields{"jsonnet", time, program.file.text, program.file.name};
  for (const auto& variable : program.external)
    fields.insert(fields.end(), {variable.code ? "ext code" : "ext", variable.name, variable.value});
  for (const auto& variable : program.arguments)
    fields.insert(fields.end(), {variable.code ? "tla code" : "tla", variable.name, variable.value});
  // To the library they are the ends of texts.
  for (auto field : fields)
    if (field.contains('\0')) return fail(Kind::invalid, "holds a zero byte, or a variable does");
  Questions questions{program, 0, {}};
  auto outcome = answer(ctx, fields, &questions);
  if (questions.broken) return Fail(*std::move(questions.broken));
  return outcome;
}

Result<Outcome> Worker::answer(const Ctx& ctx, const std::vector<std::string_view>& fields, Questions* questions) {
  auto request = frame_of(fields);
  if (request.size() > frame_limit)
    return fail(Kind::invalid, "the documents have {}, want at most {}", human_bytes(request.size()),
                human_bytes(frame_limit));
  std::unique_ptr<Process>* process = nullptr;
  {
    auto state = state_.lock();
    TRY_OK(state.wait(ctx, free_, [&] { return !state->taken; }));
    state->taken = true;
    process = &state->process;
  }
  Turn turn{*this};
  // The real clock's, whatever the caller lives by: this is about a process.
  Ctx own;
  own.stop = ctx.stop;
  own = own.within(limits_.wait);
  auto body = ask(own, *process, request, questions);
  // Killed by the kernel for want of memory, or by hand: that says nothing of the program.
  if (!body && body.error().is(Kind::unavailable)) body = ask(own, *process, request, questions);
  if (!body && body.error().is(Kind::timeout))
    return fail(Kind::unavailable, "gave no answer within {}", print_duration(limits_.wait));
  if (!body) return Fail(std::move(body).error());
  auto outcome = outcome_of(*body);
  // After a want of memory the runner ends.
  if (!outcome) process->reset(), pid_ = 0;
  return outcome;
}

Result<Outcome> run(const Ctx& ctx, const Program& program, const std::vector<Input>& inputs) {
  static Worker worker;
  return worker.run(ctx, program, inputs);
}

Result<Outcome> run(const Ctx& ctx, const Jsonnet& program) {
  // libjsonnet 0.18 reads its own library again for every file that is imported: 10 ms and 3.5 MiB each.
  static Worker worker(Limits{Millis(20000), Millis(60000), 1024});
  return worker.run(ctx, program);
}

Result<Outcome> paths(const Ctx& ctx, std::string_view expression, const doc::Value& document) {
  // The end of the line ends a comment.
  return run(ctx, {Program::Language::jq, fmt::format("[path({}\n)]", expression)}, {{"", document}});
}

}  // namespace slipway::script
