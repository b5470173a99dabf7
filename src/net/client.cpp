#include "net/client.h"

#include <curl/curl.h>

#include "base/guarded.h"
#include "base/text.h"
#include "net/detail/curl.h"

namespace slipway::net {
namespace {

constexpr std::size_t idle_lines = 32;

// What curl calls back into while one request runs.
struct Transfer {
  const ClientRequest& request;
  const Client::Sink* sink;
  ClientResponse response;
  bool over_limit = false, stopped = false;
  std::exception_ptr thrown;
  std::uint64_t moved = 0;  // calls with bytes, either way

  bool passes_on() const { return sink != nullptr && response.ok(); }
};

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  ++transfer.moved;
  std::string_view line(data, size);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {  // also after a 100, or a proxy's answer: the last head counts
    transfer.response.headers = {};
    auto space = line.find(' ');
    transfer.response.status = space == line.npos ? 0 : static_cast<int>(to_int(line.substr(space + 1, 3)).value_or(0));
  } else if (auto pair = cut(line, ":"); pair) {
    transfer.response.headers.add(trim(pair->first), trim(pair->second));
  }
  return size;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  ++transfer.moved;
  if (transfer.passes_on()) {
    try {
      transfer.stopped = !(*transfer.sink)({data, size});
    } catch (...) {
      transfer.thrown = std::current_exception();
      transfer.stopped = true;
    }
    return transfer.stopped ? 0 : size;
  }
  if (transfer.response.body.size() + size > transfer.request.limit) {
    transfer.over_limit = true;
    return 0;
  }
  transfer.response.body.append(data, size);
  return size;
}

std::size_t on_upload(char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  ++transfer.moved;
  try {
    return transfer.request.upload({data, size});
  } catch (...) {
    transfer.thrown = std::current_exception();
    return CURL_READFUNC_ABORT;
  }
}

curl_slist* append(CurlList& list, const std::string& line) {
  auto* longer = curl_slist_append(list.get(), line.c_str());
  SLP_ASSERT(longer != nullptr);
  (void)list.release();
  list.reset(longer);
  return longer;
}

bool is_clean(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos; }

// How curl asks one host under another's name: the URL has the name that the certificate is for, the connection goes to
// where the URL said, and so does the Host header.
struct OtherName {
  std::string url, host;
  CurlList connect_to;
};
Result<OtherName> under_name(const std::string& text, const std::string& name) {
  TRY(auto url, parse_url(text));
  int port = url.port != 0 ? url.port : url.scheme == "https" ? 443 : 80;
  OtherName other;
  other.host = url.authority();
  append(other.connect_to,
         fmt::format("{}:{}:{}:{}", name, port, url.host.contains(':') ? "[" + url.host + "]" : url.host, port));
  other.url =
      fmt::format("{}://{}:{}{}{}{}", url.scheme, name, port, url.path, url.query.empty() ? "" : "?", url.query);
  return other;
}

Result<CurlList> header_list(const ClientRequest& request) {
  CurlList list;
  bool expects = false;
  for (const auto& [name, value] : request.headers.list()) {
    if (!is_clean(name) || !is_clean(value))
      return fail(Kind::invalid, "request header \"{}\": has a line break", name.substr(0, 100));
    expects |= iequals(name, "Expect");
    // curl takes "Name:" as "leave it out" and "Name;" as "send it empty".
    append(list, value.empty() ? name + ";" : name + ": " + value);
  }
  // Waiting a second for a 100 that many servers never send costs more than it saves.
  if (!expects) append(list, "Expect:");
  return list;
}

void set_body(CURL* easy, Transfer& transfer) {
  const auto& request = transfer.request;
  bool none = request.body.empty() && !request.upload;
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  if (request.upload) {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
    curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.upload_size));
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
  } else if (!none || request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Anything that could be a credential: only the headers that say what is asked for go on to another origin.
bool may_leave_origin(std::string_view name) {
  for (auto known :
       {"Accept", "Accept-Encoding", "Accept-Language", "Content-Type", "Content-Length", "Range", "If-Range",
        "If-None-Match", "If-Modified-Since", "User-Agent", "Expect", "Git-Protocol", "Content-Encoding"})
    if (iequals(name, known)) return true;
  return false;
}

Result<std::string> resolve(const std::string& base, std::string_view location) {
  Owned<CURLU, curl_url_cleanup> url(curl_url());
  char* text = nullptr;
  if (curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_URL, std::string(location).c_str(), CURLU_URLENCODE) != CURLUE_OK ||
      curl_url_get(url.get(), CURLUPART_URL, &text, 0) != CURLUE_OK)
    return fail(Kind::invalid, "redirect: the Location is no URL");
  std::string result(text);
  curl_free(text);
  return result;
}

bool same_origin(const std::string& a, const std::string& b) {
  auto one = parse_url(a), other = parse_url(b);
  if (!one || !other) return false;
  auto port = [](const Url& url) { return url.port != 0 ? url.port : url.scheme == "https" ? 443 : 80; };
  return one->scheme == other->scheme && one->host == other->host && port(*one) == port(*other);
}

// Makes `request` the one that the redirect asks for.
Result<> follow(ClientRequest& request, const ClientResponse& response) {
  TRY(auto next, resolve(request.url, response.headers.get_or("Location", "")));
  if (next.starts_with("http://") && request.url.starts_with("https://"))
    return fail(Kind::denied, "redirect from https to {}", next);
  bool to_get = response.status == 303 ? request.method != "HEAD" : response.status < 303 && request.method == "POST";
  if (!to_get && request.upload) return fail(Kind::invalid, "redirect of a streamed upload: it cannot be sent twice");
  if (to_get) {
    request.method = "GET";
    request.body.clear();
    request.upload = nullptr;
    for (auto name : {"Content-Type", "Content-Length", "Content-Encoding"}) request.headers.erase(name);
  }
  if (!same_origin(request.url, next)) {
    Headers kept;
    for (const auto& [name, value] : request.headers.list())
      if (may_leave_origin(name)) kept.add(name, value);
    request.headers = std::move(kept);
  }
  request.url = std::move(next);
  return {};
}

}  // namespace

struct Client::Rep {
  ClientOptions options;
  // Each line has connections of its own; the last one used is the warmest.
  Guarded<std::vector<std::unique_ptr<CurlLine>>> idle;

  std::unique_ptr<CurlLine> take() {
    auto lines = idle.lock();
    if (lines->empty()) return std::make_unique<CurlLine>();
    auto line = std::move(lines->back());
    lines->pop_back();
    return line;
  }
  void give(std::unique_ptr<CurlLine> line) {
    auto lines = idle.lock();
    if (lines->size() < idle_lines) lines->push_back(std::move(line));
  }
  Result<ClientResponse> once(const Ctx& ctx, const ClientRequest& request, const Sink* sink);
  Result<ClientResponse> run(const Ctx& ctx, ClientRequest request, const Sink* sink);
  void configure(CURL* easy, const ClientRequest& request) const;
};

void Client::Rep::configure(CURL* easy, const ClientRequest& request) const {
  set_common(easy);
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 128L << 10);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (options.stall.count() > 0) {
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall.count()));
  }
  if (!options.verify) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  auto blob = [&](CURLoption option, const std::string& text) {
    if (text.empty()) return;
    curl_blob value{const_cast<char*>(text.data()), text.size(), CURL_BLOB_COPY};
    curl_easy_setopt(easy, option, &value);
  };
  blob(CURLOPT_CAINFO_BLOB, options.ca_pem);
  blob(CURLOPT_SSLCERT_BLOB, options.cert_pem);
  blob(CURLOPT_SSLKEY_BLOB, options.key_pem);
  if (!options.proxy.empty()) curl_easy_setopt(easy, CURLOPT_PROXY, options.proxy.c_str());
  if (!options.unix_socket.empty()) curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, options.unix_socket.c_str());
}

Result<ClientResponse> Client::Rep::once(const Ctx& ctx, const ClientRequest& request, const Sink* sink) {
  TRY_OK(ctx.alive());
  TRY(auto headers, header_list(request));
  Transfer transfer{.request = request, .sink = sink, .response = {}, .thrown = nullptr};
  OtherName other;
  if (!options.server_name.empty()) {
    TRY(other, under_name(request.url, options.server_name));
    append(headers, "Host: " + other.host);
  }
  auto line = take();
  CURL* easy = line->easy();
  configure(easy, request);
  if (other.connect_to) {
    curl_easy_setopt(easy, CURLOPT_URL, other.url.c_str());
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, other.connect_to.get());
  }
  set_body(easy, transfer);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  auto done = line->perform(ctx, {.after = request.stall, .moved = &transfer.moved});
  line->reset();
  give(std::move(line));
  if (transfer.thrown) std::rethrow_exception(transfer.thrown);
  if (!done) {
    if (transfer.over_limit) return fail(Kind::invalid, "{}: a body of more than {} bytes", request.url, request.limit);
    if (transfer.stopped) return fail(Kind::cancelled, "{}: stopped by the reader", request.url);
    return Fail(std::move(done).error());
  }
  transfer.response.url = request.url;
  return std::move(transfer.response);
}

Result<ClientResponse> Client::Rep::run(const Ctx& ctx, ClientRequest request, const Sink* sink) {
  auto url = parse_url(request.url);
  if (!url) return Fail(std::move(url).error());
  if (url->scheme != "http" && url->scheme != "https")
    return fail(Kind::invalid, "url {}: want http or https", url->print());
  auto shown = url->print();
  for (int hops = 0;; ++hops) {
    auto response = once(ctx, request, sink);
    if (!response) return Fail(std::move(response).error().in(fmt::format("{} {}", request.method, shown)));
    if (request.redirects <= 0 || !is_redirect(response->status) || !response->headers.get("Location")) return response;
    if (hops >= request.redirects)
      return fail(Kind::invalid, "{} {}: more than {} redirects", request.method, shown, request.redirects);
    TRY_OK_IN(fmt::format("{} {}", request.method, shown), follow(request, *response));
  }
}

Client::Client(ClientOptions options) : rep_(new Rep) { rep_->options = std::move(options); }
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<ClientResponse> Client::send(const Ctx& ctx, ClientRequest request) {
  return rep_->run(ctx, std::move(request), nullptr);
}

Result<ClientResponse> Client::stream(const Ctx& ctx, ClientRequest request, const Sink& sink) {
  return rep_->run(ctx, std::move(request), &sink);
}

}  // namespace slipway::net
