// SOURCE_DATE_EPOCH: a number, or the name of what the time is taken from.
#include <ctime>

#include "base/text.h"
#include "image/detail/build.h"
#include "net/client.h"
#include "oci/layer.h"

namespace slipway::image::detail {

namespace {

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, "Date/Time Formats": the others are obsolete).
std::optional<std::int64_t> http_date(const std::string& text) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return static_cast<std::int64_t>(::timegm(&parts));
}

bool is_http(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }

}  // namespace

Result<std::shared_ptr<const Download>> Build::download(const Ctx& ctx, const std::string& url) {
  TRY(auto held, shop_.busy.take(ctx, "download " + url));
  if (auto it = downloads_.lock(); it->contains(url)) return it->at(url);
  net::Client client;
  TRY(auto response, client.send(ctx.within(Millis(600'000)), {.url = url, .limit = std::size_t{2} << 30}));
  if (!response.ok()) return fail(Kind::unavailable, "the server answers {}", response.status);
  auto modified = http_date(std::string(response.headers.get_or("last-modified", "")));
  auto download = std::make_shared<const Download>(Download{std::move(response.body), modified});
  (*downloads_.lock())[url] = download;
  return download;
}

// The newest entry of an archive, else when the server says that it was changed; the commit of a repository.
Result<std::optional<std::int64_t>> Build::time_of_source(const std::string& url) {
  auto address = parse_git_address(url);
  if (!address) return Fail(std::move(address).error());
  if (*address) {
    TRY(auto commit, fetch_git(ctx_, **address, git_access()));
    TRY(auto read, commit.repository.commit(commit.id));
    return std::chrono::duration_cast<std::chrono::seconds>(read.committer.when.time_since_epoch()).count();
  }
  if (!is_http(url)) return std::optional<std::int64_t>();
  TRY_IN(auto download, url, download(ctx_, url));
  TRY(auto temp, TempDir::make_in(steps_folder(), "epoch"));
  auto file = temp.path() / "source";
  TRY_OK(write_file(file, download->bytes));
  TRY(bool archive, oci::is_archive(file));
  if (!archive) return download->modified;
  return oci::newest_entry(ctx_, file);
}

// A stage of one ADD, a named context, or "context": BuildKit's forms. Nothing: no time is known of it.
Result<std::optional<std::int64_t>> Build::time_of(const std::string& name) {
  if (const auto* stage = plan_.find(name); stage != nullptr && !is_replaced(*stage)) {
    const auto* add = stage->steps.size() == 1 ? &stage->steps.front() : nullptr;
    bool fits = stage->base == "scratch" && add != nullptr && add->name == "add" && add->args.size() == 2;
    auto git = fits ? parse_git_address(add->args[0]) : std::optional<GitAddress>();
    if (!fits || !git || (!*git && !is_http(add->args[0])))
      return file_.wrong(stage->from, fmt::format("SOURCE_DATE_EPOCH={}: want a stage FROM scratch with one ADD of an "
                                                  "address alone",
                                                  name));
    return time_of_source(add->args[0]);
  }
  if (const auto* key = context_key(name); key != nullptr) {
    auto it = request_.context_urls.find(*key);
    return it == request_.context_urls.end() ? Result<std::optional<std::int64_t>>(std::nullopt)
                                             : time_of_source(it->second);
  }
  if (name == "context") return std::optional<std::int64_t>();  // a folder has no time of its own
  return fail(Kind::invalid, "SOURCE_DATE_EPOCH {:?}: want seconds since 1970, or the name of a stage or context",
              name);
}

// The request's, else the argument's, else the default that the Dockerfile gives the argument before its first FROM.
Result<> Build::read_epoch() {
  std::optional<std::string> text;
  if (auto it = request_.args.find("SOURCE_DATE_EPOCH"); it != request_.args.end()) text = it->second;
  if (!text) text = global("SOURCE_DATE_EPOCH");
  if (request_.source_date_epoch) {
    epoch_ = *request_.source_date_epoch;
  } else if (text && !text->empty()) {
    auto seconds = to_int(*text);
    std::optional<std::int64_t> named;
    if (!seconds) {
      TRY(named, time_of(*text));
      epoch_text_ = named ? std::to_string(*named) : std::string();
      if (globals_.contains("SOURCE_DATE_EPOCH")) globals_["SOURCE_DATE_EPOCH"] = *epoch_text_;
    }
    epoch_ = seconds ? *seconds : named.value_or(default_epoch);
  }
  if (epoch_ < 0) return fail(Kind::invalid, "SOURCE_DATE_EPOCH {}: want seconds since 1970", epoch_);
  return {};
}

std::optional<std::string> Build::argument(const std::string& name) const {
  if (name == "SOURCE_DATE_EPOCH" && epoch_text_) return epoch_text_;
  auto it = request_.args.find(name);
  return it == request_.args.end() ? std::nullopt : std::optional(it->second);
}

}  // namespace slipway::image::detail
