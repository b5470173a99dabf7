#pragma once
// One accepted connection and the loop that owns those at rest. Private to net.
#include <atomic>
#include <map>
#include <thread>

#include "base/guarded.h"
#include "base/pool.h"
#include "net/detail/head.h"
#include "net/detail/transport.h"
#include "net/server.h"

namespace slipway::net {

class Core;
class Parked;

// `mutex` guards everything but the transport, which belongs to whoever the state says: the loop (sniff, handshake,
// head, lingering), the handler's thread (busy), or the parked stream under its own lock (parked).
struct Conn {
  enum class State { sniff, handshake, head, busy, parked, lingering, closed };
  Conn(std::uint64_t number, Fd fd, std::string from) : id(number), transport(std::move(fd)), peer(std::move(from)) {}

  const std::uint64_t id;
  Transport transport;
  const std::string peer;
  std::mutex mutex;
  State state = State::sniff;
  Clock::time_point deadline = Clock::time_point::max();
  std::string in;           // read but not yet used
  std::size_t scanned = 0;  // of `in`, for the end of the head
  std::size_t lingered = 0;
  std::stop_source request;  // stops the running handler when the peer goes
  std::shared_ptr<Parked> parked;
};
using ConnPtr = std::shared_ptr<Conn>;

enum class After { keep, close, abort };

// The epoll loop and the threads behind it. Threads: any, as marked.
class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(ServerOptions options, Handler handler, SslContext tls, Fd listener, Fd epoll, Fd poke);
  void run();   // the loop thread
  void stop();  // any other thread
  // From a handler's thread, or the loop for a parked stream that ended.
  void finish(const ConnPtr& conn, After after);
  // Ends the connection now, whatever it does.
  void drop(const ConnPtr& conn);
  // One shot: after an event the connection is silent until armed again.
  void arm(const Conn& conn, std::uint32_t events);
  const ServerOptions& options() const { return options_; }
  const Handler& handler() const { return handler_; }
  bool stopping() const { return stopping_; }
  int listener() const { return listener_.get(); }

 private:
  void accept_all();
  void on_event(const ConnPtr& conn, std::uint32_t events);
  void sniff(const ConnPtr& conn);
  void handshake(const ConnPtr& conn);
  void read_head(const ConnPtr& conn);
  bool take_head(const ConnPtr& conn);
  void refuse(const ConnPtr& conn, const HeadError& error);
  void linger(const ConnPtr& conn);
  void discard(const ConnPtr& conn);
  void forget(const ConnPtr& conn);
  std::vector<ConnPtr> everyone();
  int expire();  // drops what is overdue; milliseconds until it is worth looking again
  void look(Clock::time_point at);
  void resume();

  const ServerOptions options_;
  const Handler handler_;
  const SslContext tls_;
  Fd listener_, epoll_, poke_;
  std::atomic<bool> stopping_ = false, paused_ = false;  // paused_: not accepting
  std::atomic<bool> quiet_ = false;                      // no deadline was running; now one is
  Clock::time_point next_look_ = Clock::time_point::max();
  std::uint64_t next_id_ = 2;  // 0 the listener, 1 the poke
  Guarded<std::unordered_map<std::uint64_t, ConnPtr>> conns_;
  Pool pool_;
};

// Runs the handler for one request and writes its response; ends with core.finish() or a parked stream.
void serve(const Ctx& ctx, Core& core, const ConnPtr& conn, RequestHead head);

// The PushStream of a parked connection. Threads: any.
class Parked final : public PushStream {
 public:
  Parked(std::shared_ptr<Core> core, ConnPtr conn, bool chunked, After after)
      : core_(std::move(core)), conn_(std::move(conn)), chunked_(chunked), after_(after) {}
  bool write(std::string_view bytes) override;
  void close() override;
  bool closed() const override;
  void on_close(std::function<void()> call) override;

  // The loop's side. `on_event` says whether the stream is over and with what.
  std::optional<After> on_event(std::uint32_t events, std::string& in);
  void finished();  // calls what waits for the end

 private:
  bool flush();  // false: broken
  std::uint32_t wanted() const;
  mutable std::mutex mutex_;
  std::shared_ptr<Core> core_;
  ConnPtr conn_;
  const bool chunked_;
  const After after_;
  std::string out_;
  std::size_t sent_ = 0;
  bool ending_ = false, closed_ = false, broken_ = false;
  std::vector<std::function<void()>> calls_;
};

// The head of a response as it goes over the wire, Date included.
std::string print_head(int status, const Headers& headers, std::string_view extra);

}  // namespace slipway::net
