#include "cluster/api/protobuf.h"

#include "base/encode.h"
#include "base/time.h"
#include "doc/json.h"
#include "kube/schema.h"

namespace slipway::cluster {
namespace {

using kube::Member;
using kube::Schema;
using kube::Struct;
using Shape = Schema::Shape;

constexpr int max_depth = 64;

struct Field {
  std::uint32_t number = 0;
  int wire = 0;
  std::uint64_t number_value = 0;  // of wire 0, 1, 5
  std::string_view bytes;          // of wire 2
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool done() const { return at_ == bytes_.size(); }

  Result<Field> next() {
    Field field;
    TRY(auto tag, varint());
    field.number = static_cast<std::uint32_t>(tag >> 3), field.wire = static_cast<int>(tag & 7);
    if (field.number == 0) return wrong("field number 0");
    switch (field.wire) {
      case 0: {
        TRY(field.number_value, varint());
        return field;
      }
      case 1:
        return fixed(field, 8);
      case 5:
        return fixed(field, 4);
      case 2: {
        TRY(auto size, varint());
        if (size > bytes_.size() - at_) return wrong("a length beyond the end");
        field.bytes = bytes_.substr(at_, size);
        at_ += size;
        return field;
      }
      default:
        return wrong(fmt::format("wire type {}", field.wire));
    }
  }

 private:
  Fail wrong(std::string_view what) const { return fail(Kind::invalid, "protobuf: byte {}: {}", at_, what); }
  Result<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) return wrong("the message ends inside a number");
      auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return wrong("a number of more than 10 bytes");
  }
  Result<Field> fixed(Field field, std::size_t size) {
    if (bytes_.size() - at_ < size) return wrong("the message ends inside a number");
    for (std::size_t i = 0; i < size; ++i)
      field.number_value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes_[at_ + i])) << (8 * i);
    at_ += size;
    return field;
  }
  std::string_view bytes_;
  std::size_t at_ = 0;
};

Result<doc::Value> message(std::string_view bytes, const Struct& type, int depth);
Result<doc::Value> value(const Field& field, const Schema& schema, int depth);

// Time {1 seconds, 2 nanoseconds}; all zero is no time.
Result<doc::Value> time(std::string_view bytes, bool micro) {
  std::int64_t seconds = 0, nanos = 0;
  for (Reader reader(bytes); !reader.done();) {
    TRY(auto field, reader.next());
    if (field.number == 1) seconds = static_cast<std::int64_t>(field.number_value);
    if (field.number == 2) nanos = static_cast<std::int64_t>(field.number_value);
  }
  if (bytes.empty()) return doc::Value();
  constexpr std::int64_t year_9999 = 253'402'300'799;
  if (seconds < -62'135'596'800 || seconds > year_9999) return fail(Kind::invalid, "protobuf: a time out of range");
  if (seconds > 9'000'000'000 || seconds < -9'000'000'000) return fail(Kind::invalid, "protobuf: a time out of range");
  auto at = WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::seconds(seconds) +
                                                                    std::chrono::nanoseconds(nanos % 1'000'000'000)));
  return doc::Value(micro ? rfc3339_micro(at) : rfc3339(at));
}

// Quantity {1 string}; IntOrString {1 type, 2 int, 3 string}; RawExtension, FieldsV1, JSON {1 raw}.
Result<doc::Value> special(std::string_view bytes, Shape shape) {
  std::string_view text, string;
  std::int64_t type = 0, number = 0;
  for (Reader reader(bytes); !reader.done();) {
    TRY(auto field, reader.next());
    if (field.number == 1 && field.wire == 2) text = field.bytes;
    if (field.number == 1 && field.wire == 0) type = static_cast<std::int64_t>(field.number_value);
    if (field.number == 2 && field.wire == 0) number = static_cast<std::int32_t>(field.number_value);
    if (field.number == 3 && field.wire == 2) string = field.bytes;
  }
  if (shape == Shape::quantity) return doc::Value(text);
  if (shape == Shape::int_or_string) return type == 0 ? doc::Value(number) : doc::Value(string);
  if (text.empty()) return doc::Value();
  TRY_IN(auto parsed, "protobuf: embedded JSON", doc::parse_json(text));
  return parsed;
}

Result<doc::Value> value(const Field& field, const Schema& schema, int depth) {
  bool bytes = field.wire == 2;
  switch (schema.shape) {
    case Shape::string:
      if (!bytes) break;
      return doc::Value(field.bytes);
    case Shape::bytes:
      if (!bytes) break;
      return doc::Value(to_base64(field.bytes));
    case Shape::boolean:
      if (bytes) break;
      return doc::Value(field.number_value != 0);
    case Shape::int32:
    case Shape::int64:
      if (bytes) break;
      return doc::Value(static_cast<std::int64_t>(field.number_value));
    case Shape::number: {
      if (bytes) break;
      double d = 0;
      std::memcpy(&d, &field.number_value, sizeof d);
      return doc::Value(d);
    }
    case Shape::time:
    case Shape::micro_time:
      if (!bytes) break;
      return time(field.bytes, schema.shape == Shape::micro_time);
    case Shape::quantity:
    case Shape::int_or_string:
    case Shape::any:
      if (!bytes) break;
      return special(field.bytes, schema.shape);
    case Shape::object:
      if (!bytes || schema.fields == nullptr) break;
      return message(field.bytes, *schema.fields, depth + 1);
    case Shape::list:
    case Shape::map:
      break;
  }
  return fail(Kind::invalid, "protobuf: field {} has the wrong wire type", field.number);
}

Result<> add_entry(const Field& field, const Schema& schema, doc::Value& into, int depth) {
  std::string key;
  doc::Value held;
  // An absent value is the zero of its type.
  switch (schema.items->shape) {
    case Shape::string:
    case Shape::bytes:
      held = "";
      break;
    case Shape::quantity:
      held = "0";
      break;
    case Shape::list:
      held = doc::List{};
      break;
    default:
      held = doc::Map{};
  }
  for (Reader reader(field.bytes); !reader.done();) {
    TRY(auto part, reader.next());
    if (part.number == 1) key = part.bytes;
    if (part.number != 2) continue;
    if (schema.items->shape == Shape::list) {  // a message with a repeated field 1: []string in a map
      for (Reader items(part.bytes); !items.done();) {
        TRY(auto item, items.next());
        TRY(auto one, value(item, *schema.items->items, depth));
        held.list().push_back(std::move(one));
      }
      continue;
    }
    TRY(held, value(part, *schema.items, depth));
  }
  into[key] = std::move(held);
  return {};
}

bool is_zero(const doc::Value& v) {
  if (v.is_null()) return true;
  if (const auto* b = v.if_bool()) return !*b;
  if (const auto* n = v.if_int()) return *n == 0;
  if (const auto* d = v.if_double()) return *d == 0;
  if (const auto* s = v.if_string()) return s->empty();
  if (const auto* m = v.if_map()) return m->empty();
  return v.if_list()->empty();
}

// Go encodes every non-pointer field; JSON leaves the empty ones out.
bool left_out(const doc::Value& v, const Member& member) {
  if (v.is_null()) return true;
  if (member.pointer) return false;
  if (v.is_map()) return v.if_map()->empty();
  if (member.schema->shape == Shape::quantity || member.schema->shape == Shape::int_or_string) return false;
  return member.omit_empty && is_zero(v);
}

Result<doc::Value> message(std::string_view bytes, const Struct& type, int depth) {
  if (depth > max_depth) return fail(Kind::invalid, "protobuf: nested more than {} levels", max_depth);
  doc::Value out = doc::Map{};
  for (Reader reader(bytes); !reader.done();) {
    TRY(auto field, reader.next());
    const auto* member = type.by_number(field.number);
    if (member == nullptr) continue;  // of a newer version than ours
    const auto& schema = *member->schema;
    if (schema.shape == Shape::list) {
      TRY(auto item, value(field, *schema.items, depth));
      out[member->name].list().push_back(std::move(item));
    } else if (schema.shape == Shape::map) {
      if (field.wire != 2) return fail(Kind::invalid, "protobuf: field {} has the wrong wire type", field.number);
      auto& map = out[member->name];
      if (map.is_null()) map = doc::Map{};
      TRY_OK(add_entry(field, schema, map, depth));
    } else {
      TRY(auto held, value(field, schema, depth));
      if (member->inlined) {
        for (const auto& [key, inner] : held.map()) out[key] = inner;
        continue;
      }
      if (left_out(held, *member)) continue;
      out[member->name] = std::move(held);
    }
  }
  return out;
}

}  // namespace

Result<doc::Value> decode_protobuf(std::string_view bytes) {
  if (!bytes.starts_with(std::string_view("k8s\0", 4)))
    return fail(Kind::invalid, "protobuf: the body does not start with k8s and a zero byte");
  std::string_view raw;
  kube::Type type;
  for (Reader envelope(bytes.substr(4)); !envelope.done();) {
    TRY(auto field, envelope.next());
    if (field.number == 2 && field.wire == 2) raw = field.bytes;
    if (field.number != 1 || field.wire != 2) continue;
    for (Reader meta(field.bytes); !meta.done();) {
      TRY(auto part, meta.next());
      if (part.number == 1) type.api_version = part.bytes;
      if (part.number == 2) type.kind = part.bytes;
    }
  }
  const auto* schema = kube::builtin_schema(type);
  if (schema == nullptr)
    return fail(Kind::invalid, "protobuf: no kind \"{}\" is registered for version \"{}\"", type.kind,
                type.api_version);
  TRY(auto object, message(raw, *schema->fields, 0));
  doc::Value out = doc::Map{{"apiVersion", type.api_version}, {"kind", type.kind}};
  for (auto& [key, held] : object.map()) out[key] = std::move(held);
  return out;
}

}  // namespace slipway::cluster
