// Signed addresses, as @azure/storage-blob uses them. Rule: Azure's Put Blob, Put Block, Put Block List, Get Blob, Get
// Blob Properties; all else of that protocol is refused.
#include "base/hash.h"
#include "base/text.h"
#include "base/time.h"
#include "ci/service/state.h"
#include "ci/service/wire.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_list = 8 << 20;
constexpr std::string_view version = "2023-11-03";  // of the protocol

// "Thu, 26 Nov 2026 19:32:36 GMT"
std::string http_date(std::time_t when) {
  std::tm parts{};
  ::gmtime_r(&when, &parts);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

void add_common(const Ctx& ctx, net::Response& response, const std::optional<StoredBlob>& blob) {
  auto& h = response.headers;
  h.set("x-ms-version", version);
  h.set("x-ms-request-id", uuid4());
  auto now = http_date(std::chrono::system_clock::to_time_t(ctx.clock->wall()));
  h.set("Date", now);
  if (!blob) return;
  h.set("ETag", fmt::format("\"{}\"", blob->digest.hex().substr(0, 32)));
  h.set("Last-Modified", now);
}

net::Response azure_error(const Ctx& ctx, int status, std::string_view code, std::string_view message) {
  auto text = std::string(message);
  for (auto [from, to] : {std::pair{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}}) text = replace_all(text, from, to);
  auto response = net::Response::text(
      status,
      fmt::format("<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{}</Code><Message>{}</Message></Error>", code,
                  text),
      "application/xml");
  add_common(ctx, response, {});
  response.headers.set("x-ms-error-code", code);
  return response;
}

net::Response azure_error(const Ctx& ctx, const Error& error) {
  if (error.is(Kind::invalid))
    return azure_error(ctx, error.what().starts_with("upload:") ? 413 : 400, "InvalidInput", error.what());
  if (error.is(Kind::unavailable)) return azure_error(ctx, 503, "ServerBusy", error.what());
  return azure_error(ctx, 500, "InternalError", error.what());
}

net::Response write(const Ctx& ctx, Upload& upload, net::Request& request) {
  auto part = request.query_of("comp");
  Result<> done;
  if (part == "block") {
    done = upload.put_block(ctx, request.query_of("blockid"), *request.body);
  } else if (part == "blocklist") {
    auto text = request.read_body(ctx, max_list);
    auto ids = text ? parse_block_list(*text) : Result<std::vector<std::string>>(Fail(text.error()));
    done = ids ? upload.commit(ctx, *ids) : Result<>(Fail(ids.error()));
  } else if (part.empty()) {
    if (!iequals(request.headers.get_or("x-ms-blob-type", ""), "BlockBlob"))
      return azure_error(ctx, 400, "InvalidBlobType", "want x-ms-blob-type: BlockBlob");
    done = upload.put(ctx, *request.body);
  } else {
    return azure_error(ctx, 400, "InvalidQueryParameterValue", fmt::format("comp={}: not done here", part));
  }
  if (!done) return azure_error(ctx, done.error());
  net::Response response{.status = 201};
  add_common(ctx, response, part == "block" ? std::nullopt : upload.done());
  response.headers.set("x-ms-request-server-encrypted", "false");
  return response;
}

net::Response read(const Ctx& ctx, JobService::Rep& service, const Address& address, const net::Request& request) {
  auto& blob = *address.stored;
  auto file = (address.from ? address.from : service.options.blobs)->open_blob(blob.digest);
  if (!file) return azure_error(ctx, 404, "BlobNotFound", "the blob is gone");
  auto wanted = request.headers.get("x-ms-range");
  auto range = parse_range(wanted ? *wanted : request.headers.get_or("range", ""), blob.bytes);
  if (!range) {
    auto response = azure_error(ctx, 416, "InvalidRange", range.error().what());
    response.headers.set("Content-Range", fmt::format("bytes */{}", blob.bytes));
    return response;
  }
  net::Response response;
  add_common(ctx, response, blob);
  auto& h = response.headers;
  h.set("Content-Type", address.type);
  if (!address.file.empty()) h.set("Content-Disposition", fmt::format("attachment; filename=\"{}\"", address.file));
  h.set("Accept-Ranges", "bytes");
  h.set("x-ms-blob-type", "BlockBlob");
  net::FileBody body{.fd = *std::move(file), .offset = 0, .length = blob.bytes};
  if (*range) {
    response.status = 206;
    body.offset = (*range)->offset, body.length = (*range)->length;
    h.set("Content-Range", fmt::format("bytes {}-{}/{}", body.offset, body.offset + body.length - 1, blob.bytes));
  }
  response.body = std::move(body);
  return response;
}

}  // namespace

net::Response answer_blob(const Ctx& ctx, JobService::Rep& service, net::Request& request) {
  auto id = request.path.substr(std::string_view("/results/blobs/").size());
  std::optional<Address> address;
  {
    auto tables = service.tables.lock();
    if (auto found = tables->addresses.find(id); found != tables->addresses.end()) address = found->second;
  }
  if (!address || !same_secret(address->signature, request.query_of("sig")))
    return azure_error(ctx, 403, "AuthenticationFailed",
                       "this address is not, or no longer, good: addresses end with the job they were given to");
  if (request.method == "PUT" && address->upload) return write(ctx, *address->upload, request);
  if ((request.method == "GET" || request.method == "HEAD") && address->stored)
    return read(ctx, service, *address, request);
  return azure_error(ctx, 405, "UnsupportedHttpVerb",
                     fmt::format("this address is to {} only", address->upload ? "upload" : "download"));
}

}  // namespace slipway::ci
