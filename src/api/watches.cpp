#include "api/watches.h"

#include "base/text.h"
#include "doc/json.h"

namespace slipway::api {
namespace {

constexpr std::size_t most = 64;

// The one stream that all of them share.
class Joined {
 public:
  Joined(std::shared_ptr<net::PushStream> out, std::size_t count) : out_(std::move(out)), open_(count) {}
  bool say(std::size_t of, std::string_view field, std::string_view value) {
    std::lock_guard hold(mutex_);
    return out_->write(fmt::format("{{\"of\":{},\"{}\":{}}}\n", of, field, value));
  }
  void over(std::size_t of, int status, std::string_view message) {
    (void)say(of, "end", fmt::format("{},\"message\":{}", status, doc::json_quote(message)));
    if (--open_ == 0) out_->close();
  }
  net::PushStream& out() { return *out_; }

 private:
  std::shared_ptr<net::PushStream> out_;
  std::mutex mutex_;  // of whole lines
  std::atomic<std::size_t> open_;
};

// What one watch writes to: its lines get its number.
class Part final : public net::PushStream {
 public:
  Part(std::shared_ptr<Joined> joined, std::size_t of) : joined_(std::move(joined)), of_(of) {}
  bool write(std::string_view bytes) override {
    rest_ += bytes;
    std::size_t from = 0;
    for (auto end = rest_.find('\n'); end != std::string::npos; from = end + 1, end = rest_.find('\n', from))
      if (!joined_->say(of_, "event", std::string_view(rest_).substr(from, end - from))) return false;
    rest_.erase(0, from);
    return !closed();
  }
  void close() override {
    if (!closed_.exchange(true)) joined_->over(of_, 200, "");
  }
  bool closed() const override { return closed_ || joined_->out().closed(); }
  void on_close(std::function<void()> call) override { joined_->out().on_close(std::move(call)); }

 private:
  std::shared_ptr<Joined> joined_;
  std::size_t of_;
  std::string rest_;
  std::atomic<bool> closed_ = false;
};

class NoBody final : public net::BodyReader {
 public:
  Result<std::size_t> read(const Ctx&, std::span<char>) override { return std::size_t{0}; }
};

// The request as it would have come alone.
Result<net::Response> ask(const Ctx& ctx, const net::Handler& kubernetes, const net::Request& whole,
                          std::string_view of) {
  auto mark = of.find('?');
  auto path = std::string(of.substr(0, mark));
  if (!(path.starts_with("/api/") || path.starts_with("/apis/")) || path.contains(".."))
    return fail(Kind::invalid, "of={}: want a path of the Kubernetes API", path.substr(0, 80));
  NoBody body;
  net::Request one;
  one.method = "GET";
  one.target = of, one.path = one.raw_path = path;
  if (mark != std::string_view::npos) one.query = net::parse_query(of.substr(mark + 1));
  if (one.query_of("watch").empty()) return fail(Kind::invalid, "of={}: want watch=1", path.substr(0, 80));
  one.headers = whole.headers;
  one.peer = whole.peer, one.tls = whole.tls;
  one.client_cert_cn = whole.client_cert_cn, one.client_cert_org = whole.client_cert_org;
  one.body = &body;
  return kubernetes(ctx, one);
}

std::string message_of(const net::Response& response) {
  auto* text = std::get_if<std::string>(&response.body);
  if (text == nullptr) return "";
  auto status = doc::parse_json(*text);
  return status ? status->str_at({"message"}) : *text;
}

}  // namespace

net::Handler joined_watches(net::Handler kubernetes) {
  return [kubernetes = std::move(kubernetes)](const Ctx& ctx, net::Request& request) {
    std::vector<net::Response> answers;
    for (const auto& [name, value] : request.query) {
      if (name != "of") continue;
      if (answers.size() == most) return net::Response::text(400, fmt::format("watch: more than {} at once\n", most));
      auto answer = ask(ctx, kubernetes, request, value);
      if (!answer) return net::Response::error(answer.error());
      answers.push_back(*std::move(answer));
    }
    if (answers.empty()) return net::Response::text(400, "watch: want of=PATH%3FQUERY, once or more\n");
    if (answers.front().status == 401) return std::move(answers.front());  // nobody known: true of them all
    net::Response response;
    response.headers.set("Content-Type", "application/x-ndjson");
    response.body = net::ParkBody([answers = std::move(answers)](std::shared_ptr<net::PushStream> out) mutable {
      auto joined = std::make_shared<Joined>(out, answers.size());
      for (std::size_t of = 0; of < answers.size(); ++of) {
        if (auto* park = std::get_if<net::ParkBody>(&answers[of].body))
          (*park)(std::make_shared<Part>(joined, of));
        else
          joined->over(of, answers[of].status, message_of(answers[of]));
      }
    });
    return response;
  };
}

}  // namespace slipway::api
