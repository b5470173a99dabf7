#include "forge/detail/rest.h"
#include "base/encode.h"
#include "base/text.h"
#include "doc/json.h"

namespace slipway::forge {

Rest::Rest(const ForgeOptions& options, net::Headers headers)
    : api_(options.api),
      headers_(std::move(headers)),
      client_(std::make_shared<net::Client>(net::ClientOptions{.ca_pem = options.ca_pem, .verify = options.verify})) {
  while (api_.ends_with('/')) api_.pop_back();
}

namespace {

// What the forge says is wrong, whatever shape it says it in.
std::string reason_of(const doc::Value& body) {
  doc::View view(body, "forge");
  std::string reason;
  for (auto key : {"message", "error_description", "error"}) {
    if (!reason.empty()) break;
    auto member = view[key];
    reason = member.text();
    if (reason.empty() && member["message"].present()) reason = member["message"].text();  // Bitbucket
    if (reason.empty() && member.present()) reason = doc::print_json(member.value());      // GitLab's maps
  }
  for (const auto& error : view["errors"].items()) {
    auto more = error["message"].str_or(error["code"].str_or(error.text()));
    if (!more.empty())
      reason += (reason.empty() ? "" : ": ") + (error["field"].present() ? error["field"].text() + " " : "") + more;
  }
  // Azure DevOps names the exception beside its translated words.
  if (auto type = view["typeKey"].text(); !type.empty()) reason += fmt::format(" ({})", type);
  return reason.empty() ? "no reason given" : reason.substr(0, 500);
}

std::optional<Millis> asked_to_wait(const net::ClientResponse& response, const Ctx& ctx) {
  if (auto after = to_int(response.headers.get_or("retry-after", "")))
    return Millis(std::clamp<std::int64_t>(*after, 0, 3600) * 1000);
  auto left = response.headers.get("x-ratelimit-remaining");
  if (!left) left = response.headers.get("ratelimit-remaining");
  if (!left || *left != "0") return std::nullopt;
  auto reset = to_int(response.headers.get_or("x-ratelimit-reset", response.headers.get_or("ratelimit-reset", "")));
  if (!reset) return Millis(60'000);
  auto now = std::chrono::duration_cast<std::chrono::seconds>(ctx.clock->wall().time_since_epoch()).count();
  return Millis(std::clamp<std::int64_t>(std::max<std::int64_t>(*reset, 0) - now, 1, 3600) * 1000);
}

Error refused(const net::ClientResponse& response, const doc::Value& body, const Ctx& ctx, const std::string& what) {
  auto text = fmt::format("{}: {} {}: {}", what, response.status, net::status_text(response.status), reason_of(body));
  auto wait = asked_to_wait(response, ctx);
  if (response.status == 429 || (response.status == 403 && wait))
    return Error(Kind::unavailable, text).with_retry_after(wait.value_or(Millis(60'000)));
  switch (response.status) {
    case 401:
      return Error(Kind::denied, text).with_hint("the token is wrong or has expired");
    case 403:
      return Error(Kind::denied, text)
          .with_hint("the token lacks the right: statuses, comments and pull requests must be writable");
    case 404:
      return Error(Kind::not_found, text).with_hint("the repository is not there, or the token may not see it");
    case 409:
      return Error(Kind::conflict, text);
    default:
      break;
  }
  if (response.status >= 500) {
    Error error(Kind::unavailable, text);
    return wait ? std::move(error).with_retry_after(*wait) : error;
  }
  return Error(Kind::invalid, text);
}

std::string next_page(const net::Headers& headers, const doc::Value& body) {
  for (auto part : split(headers.get_or("link", ""), ',')) {
    if (!part.contains("rel=\"next\"")) continue;
    auto begin = part.find('<'), end = part.find('>');
    if (begin != std::string_view::npos && end != std::string_view::npos && end > begin)
      return std::string(part.substr(begin + 1, end - begin - 1));
  }
  return body.is_map() ? body.str_at({"next"}) : std::string();
}

// Bitbucket Data Center counts items; the others link.
std::string page_after(const std::string& path, const Reply& reply) {
  auto view = reply.view();
  if (!view["isLastPage"].present()) return next_page(reply.headers, reply.body);
  if (view["isLastPage"].bool_or(true) || !view["nextPageStart"].present()) return "";
  return fmt::format("{}{}start={}", path, path.contains('?') ? '&' : '?', view["nextPageStart"].num_or(0));
}

// A list, or what a list is wrapped in.
std::optional<doc::View> list_in(doc::View answer) {
  for (auto list : {answer, answer["values"], answer["value"]})
    if (list.value().is_list()) return list;
  return std::nullopt;
}

}  // namespace

Result<Reply> Rest::call(const Ctx& ctx, std::string_view method, const std::string& path,
                         const doc::Value* body) const {
  net::ClientRequest request;
  request.method = method;
  request.url = path.starts_with("http") ? path : api_ + path;
  // A page link that leads elsewhere would take the token there.
  if (!request.url.starts_with(api_ + "/")) return fail(Kind::denied, "{}: leads away from {}", request.url, api_);
  request.headers = headers_;
  request.limit = std::size_t{32} << 20;
  if (body != nullptr) {
    request.headers.set("Content-Type", "application/json");
    request.body = doc::print_json(*body);
  }
  auto limited = ctx.within(Millis(30'000));
  TRY(auto response, client_->send(limited, std::move(request)));
  Reply reply;
  reply.status = response.status;
  reply.headers = response.headers;
  reply.bytes = response.body.size();
  auto parsed = doc::parse_json(response.body.empty() ? "null" : response.body, "forge");
  if (parsed) reply.body = *std::move(parsed);
  if (!response.ok())
    return Fail(
        refused(response, reply.body, ctx, fmt::format("{} {}{}", method, api_, path.starts_with("http") ? "" : path)));
  if (!parsed) return fail(Kind::invalid, "{} {}: the answer is no JSON: is this the API's address?", method, api_);
  return reply;
}

Result<std::optional<doc::Value>> Rest::find(const Ctx& ctx, const std::string& path,
                                             const std::function<bool(doc::View)>& wanted) const {
  auto page = path;
  for (int pages = 0; !page.empty() && pages < 100; ++pages) {
    TRY(auto reply, get(ctx, page));
    auto view = reply.view();
    for (const auto& item : reply.body.is_list() ? view.items() : view["values"].items())
      if (wanted(item)) return std::optional(item.value());
    page = next_page(reply.headers, reply.body);
  }
  return std::optional<doc::Value>();
}

Result<> Rest::each(const Ctx& ctx, const std::string& path, const std::function<Result<>(doc::View)>& visit) const {
  constexpr int most_pages = 100;
  constexpr std::size_t most_bytes = std::size_t{256} << 20;
  auto page = path;
  std::size_t bytes = 0;
  for (int pages = 0; !page.empty(); ++pages) {
    if (pages == most_pages) return fail(Kind::invalid, "{}{}: goes on after {} pages", api_, path, most_pages);
    TRY(auto reply, get(ctx, page));
    if (bytes += reply.bytes; bytes > most_bytes)
      return fail(Kind::invalid, "{}{}: is longer than {} MiB", api_, path, most_bytes >> 20);
    auto list = list_in(reply.view());
    if (!list) return fail(Kind::invalid, "{}{}: the answer is no list: is this the API's address?", api_, path);
    for (const auto& item : list->items()) TRY_OK(visit(item));
    page = page_after(path, reply);
  }
  return {};
}

std::string cut_text(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  auto end = bytes - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "…";
}

Result<std::string> repository_path(const std::string& repository) {
  std::string path;
  auto parts = split(repository, '/');
  for (auto part : parts) {
    if (part.empty() || part == "." || part == "..") return fail(Kind::invalid, "\"{}\": want OWNER/NAME", repository);
    path += (path.empty() ? "" : "/") + percent_encode(part);
  }
  if (parts.size() < 2) return fail(Kind::invalid, "\"{}\": want OWNER/NAME", repository);
  return path;
}

std::string html_marker(const std::string& marker) {
  return fmt::format("<!-- slipway:{} -->", replace_all(marker, "--", "-"));
}

}  // namespace slipway::forge
