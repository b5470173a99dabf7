#pragma once
// JSON over HTTP as the forges speak it, with their ways to say "later" and "no".
#include <functional>

#include "doc/value.h"
#include "doc/view.h"
#include "forge/forge.h"
#include "net/client.h"

namespace slipway::forge {

struct Reply {
  int status = 0;
  doc::Value body;
  net::Headers headers;
  std::size_t bytes = 0;  // of the body, as it came
  doc::View view() const { return doc::View(body, "forge"); }
};

class Rest {
 public:
  Rest(const ForgeOptions& options, net::Headers headers);
  Result<Reply> get(const Ctx& ctx, const std::string& path) const { return call(ctx, "GET", path, nullptr); }
  Result<Reply> post(const Ctx& ctx, const std::string& path, const doc::Value& body) const {
    return call(ctx, "POST", path, &body);
  }
  Result<Reply> put(const Ctx& ctx, const std::string& path, const doc::Value& body) const {
    return call(ctx, "PUT", path, &body);
  }
  Result<Reply> patch(const Ctx& ctx, const std::string& path, const doc::Value& body) const {
    return call(ctx, "PATCH", path, &body);
  }
  // The first item for which `wanted` holds, over all pages of a list. Lists are followed by Link rel=next or, as
  // Bitbucket does, by a member "next".
  Result<std::optional<doc::Value>> find(const Ctx& ctx, const std::string& path,
                                         const std::function<bool(doc::View)>& wanted) const;
  // Every item over all pages of a list; who acts on what is missing must have seen all. What `visit` answers as an
  // error ends it. Errors: also invalid (the answer is no list, or longer than 100 pages or 256 MiB).
  Result<> each(const Ctx& ctx, const std::string& path, const std::function<Result<>(doc::View)>& visit) const;

 private:
  Result<Reply> call(const Ctx& ctx, std::string_view method, const std::string& path, const doc::Value* body) const;
  std::string api_;
  net::Headers headers_;
  std::shared_ptr<net::Client> client_;
};

std::string cut_text(std::string_view text, std::size_t bytes);  // whole characters, with an ellipsis
// "owner/name" with each part encoded.
Result<std::string> repository_path(const std::string& repository);
std::string html_marker(const std::string& marker);

std::unique_ptr<Forge> make_github(const ForgeOptions& options);
std::unique_ptr<Forge> make_gitea(const ForgeOptions& options);
std::unique_ptr<Forge> make_gitlab(const ForgeOptions& options);
std::unique_ptr<Forge> make_bitbucket(const ForgeOptions& options);
std::unique_ptr<Forge> make_bitbucket_server(const ForgeOptions& options);

}  // namespace slipway::forge
