#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <ctime>
#include <new>

#include "script/runner/runner.h"

namespace slipway::script {
namespace {

// The socket to the host and its ear for complaints: where no program looks for its input and output.
constexpr int line = 3, complaints = 4;

bool read_exactly(char* to, std::size_t size) {
  while (size > 0) {
    auto n = ::read(line, to, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to += n, size -= static_cast<std::size_t>(n);
  }
  return true;
}

void write_exactly(std::string_view bytes) {
  while (!bytes.empty()) {
    auto n = ::write(line, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) ::_exit(0);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

// The frame is made ahead: when it is wanted there is no memory.
std::string out_of_memory;
void without_memory(void*) { answer_out_of_memory(); }

long number_of(std::string_view text) {
  long number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Processor time, so that a busy machine is not taken for a slow program. The signal ends the process.
void allow(std::string_view milliseconds) {
  auto ms = number_of(milliseconds);
  itimerval timer{{0, 0}, {ms / 1000, (ms % 1000) * 1000}};
  ::setitimer(ITIMER_PROF, &timer, nullptr);
}

// The body of the next frame. False: the host is gone.
bool read_frame(std::string& body) {
  char head[sizeof(std::uint32_t)];
  if (!read_exactly(head, sizeof head)) return false;
  std::string_view rest(head, sizeof head);
  auto length = *take_length(rest);
  if (length > frame_limit) return false;
  body.resize(length);
  return read_exactly(body.data(), length);
}

// language, milliseconds, program, and pairs of name and document.
Answer answer(const Fields& request) {
  if (!request.empty() && request[0] == "jsonnet") return run_jsonnet(request);
  if (request.size() < 3 || request.size() % 2 == 0) return wrong("the request is none");
  std::vector<Input> inputs;
  for (std::size_t i = 3; i < request.size(); i += 2) inputs.push_back({request[i], request[i + 1]});
  if (request[0] == "jq") return run_jq(request[2], inputs);
  return run_lua(request[2], inputs, request[0] == "lua with all libraries");
}

int serve() {
  std::string body;
  for (;;) {
    if (!read_frame(body)) return 0;
    auto request = fields_of(body);
    if (!request) return 1;
    allow(request->size() > 1 ? (*request)[1] : "0");
    auto said = answer(*request);
    write_exactly(frame_of({said.status, said.text, said.clock ? "clock" : ""}));
    allow("0");
    if (said.status == "limit") return 0;
  }
}

// When the machine's memory ends, a program's goes before the house's. Raising it is everybody's right; where it does
// not go, it is as it was.
void go_first() {
  constexpr std::string_view first = "1000";
  int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0 || ::write(file, first.data(), first.size()) < 0) return;
  ::close(file);
}

// Standard streams lead nowhere.
bool arrange_files() {
  constexpr int aside = 16;
  int host = ::fcntl(0, F_DUPFD, aside), ear = ::fcntl(2, F_DUPFD, aside);
  int nothing = ::fcntl(::open("/dev/null", O_RDWR), F_DUPFD, aside);
  if (::dup2(host, line) < 0 || ::dup2(ear, complaints) < 0) return false;
  for (int standard : {0, 1, 2})
    if (::dup2(nothing, standard) < 0) return false;
  return ::close_range(complaints + 1, ~0U, 0) == 0;
}

}  // namespace

std::optional<Fields> ask_host(const Fields& question, std::string& answer) {
  write_exactly(frame_of(question));
  if (!read_frame(answer)) ::_exit(0);
  return fields_of(answer);
}

void answer_out_of_memory() {
  write_exactly(out_of_memory);
  ::_exit(0);
}

Answer print(jv value) {
  auto text = jv_dump_string(value, JV_PRINT_SORTED);
  std::string out(jv_string_value(text), static_cast<std::size_t>(jv_string_length_bytes(jv_copy(text))));
  jv_free(text);
  if (out.size() > most_output) return wrong("gives more than 8 MiB, want less");
  return {"value", std::move(out), false};
}

}  // namespace slipway::script

// How many MiB of memory it may have.
int main(int count, char** words) {
  using namespace slipway::script;
  auto memory = count > 1 ? number_of(words[1]) : 0;
  ::tzset();  // reads its file now, while there are files
  out_of_memory = frame_of({"limit", "needs more than " + std::to_string(memory) + " MiB, want less", ""});
  jv_nomem_handler(without_memory, nullptr);
  std::set_new_handler(answer_out_of_memory);
  go_first();
  if (!arrange_files()) return 4;
  if (confine(static_cast<std::size_t>(memory) << 20)) return serve();
  static constexpr std::string_view what = "the kernel does not confine it (seccomp)\n";
  return ::write(complaints, what.data(), what.size()) > 0 ? 3 : 4;
}
