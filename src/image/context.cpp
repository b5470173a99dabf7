#include "image/context.h"

#include <unistd.h>

#include "image/detail/git_source.h"
#include "net/client.h"
#include "oci/layer.h"

namespace slipway::image {

namespace {

Result<FetchedContext> from_bytes(const Ctx& ctx, std::string_view bytes, const fs::path& into) {
  FetchedContext out{.folder = into / "context", .dockerfile = {}};
  TRY_OK(make_dirs(out.folder));
  auto file = into / "received";
  TRY_OK(write_file(file, bytes));
  TRY(bool archive, oci::is_archive(file));
  if (archive) {
    TRY_OK(oci::unpack_archive(ctx, file, out.folder));
    TRY_OK(remove_tree(file));
  } else {
    out.dockerfile = into / "Dockerfile";
    fs::rename(file, out.dockerfile);
  }
  return out;
}

}  // namespace

bool is_remote_context(const std::string& text) {
  if (text == "-" || text.starts_with("http://") || text.starts_with("https://")) return true;
  auto git = detail::parse_git_address(text);
  return !git || *git;
}

Result<FetchedContext> fetch_context(const Ctx& ctx, const std::string& text, const ContextOptions& options,
                                     const fs::path& into) {
  if (text == "-") {
    TRY(auto bytes, read_all(STDIN_FILENO));
    return from_bytes(ctx, bytes, into);
  }
  TRY(auto git, detail::parse_git_address(text));
  if (git) {
    detail::GitAccess access{.mirrors = into / "git", .secrets = options.secrets, .agent = options.agent};
    TRY(auto commit, detail::fetch_git(ctx, *git, access));
    FetchedContext out{.folder = into / "context", .dockerfile = {}};
    TRY_OK(detail::check_out_git(ctx, commit, *git, access, git->keep_git_dir.value_or(false), out.folder));
    return out;
  }
  net::Client client;
  TRY(auto response, client.send(ctx.within(Millis(600'000)), {.url = text, .limit = std::size_t{2} << 30}));
  if (!response.ok()) return fail(Kind::unavailable, "the server answers {}", response.status);
  return from_bytes(ctx, response.body, into);
}

}  // namespace slipway::image
