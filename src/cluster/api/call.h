#pragma once
// One HTTP request to the API, understood.
#include "cluster/api/machinery.h"
#include "net/server.h"

namespace slipway::cluster {

// How a response is wanted (the Accept header).
enum class Form { object, table, metadata };
struct Wanted {
  Form form = Form::object;
  std::string version = "v1";  // of Table and PartialObjectMetadata
  bool yaml = false;
};
ApiResult<Wanted> wanted_of(std::string_view accept);

struct Call {
  const Ctx& ctx;
  net::Request& request;
  Machinery& machinery;
  Caller caller;
  KindPtr kind;
  kube::Key key;  // name "": the collection
  std::string sub;
  Wanted wanted;
  std::function<bool(const kube::Object&)> visible = {};  // of lists and watches, for callers who may not see all

  std::string query(std::string_view name) const { return request.query_of(name); }
  bool flag(std::string_view name) const;
  WriteArgs write_args() const;
  ApiResult<doc::Value> body(std::size_t limit = std::size_t{3} << 20);  // JSON, YAML or protobuf
  ApiResult<DeleteArgs> delete_args();
  ListArgs list_args() const;
};

net::Response answer(int status, const doc::Value& value, const Wanted& wanted = {});
net::Response answer(const ApiError& error);
void warn(net::Response& response, const std::vector<std::string>& warnings);
// An object as the client wants to see it: whole, a Table of one row, its metadata.
doc::Value formed(const KindInfo& kind, const kube::Object& object, const Wanted& wanted);
bool include_object(const Call& call);

// The parts of the HTTP face.
net::Response serve_read(Call& call);                     // get and list
net::Response serve_write(Call& call);                    // create, update, patch, delete
net::Response serve_review(Call& call);                   // SelfSubjectReview and its kin
net::Response serve_pod(Call& call, NodeAccess* node);    // log, exec, attach, portforward
net::Response serve_usage(Call& call, NodeAccess* node);  // of the metrics API
std::optional<net::Response> serve_discovery(const net::Request& request, const Kinds& kinds);
std::optional<net::Response> serve_open_api(const net::Request& request, const Kinds& kinds);

}  // namespace slipway::cluster
