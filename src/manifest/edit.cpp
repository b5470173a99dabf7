#include "manifest/edit.h"

#include "base/text.h"
#include "manifest/detail/splice.h"

namespace slipway::manifest {

std::string ImageSetting::reference() const {
  auto text = new_name.empty() ? name : new_name;
  if (!tag.empty()) text += ":" + tag;
  if (!digest.empty()) text += "@" + digest;
  return text;
}

namespace {

using doc::Value;

Result<Splicer> open_kustomization(std::string_view text, std::string_view source) {
  TRY(auto splicer, Splicer::open(text, source, Splicer::Documents::one));
  const auto& root = splicer.tree()[0];
  if (!root.is_map() && !root.is_null()) return splicer.wrong(root, "want a map, as a kustomization is");
  if (const auto* images = root.find("images"); images != nullptr && !images->is_list() && !images->is_null())
    return splicer.wrong(*images, "images: want a list");
  return splicer;
}

// The images list, when there is one that holds anything.
Value* images_of(Splicer& splicer) {
  auto& root = splicer.tree()[0];
  auto* images = root.is_map() ? root.if_map()->find("images") : nullptr;
  return images != nullptr && images->is_list() ? images : nullptr;
}

std::vector<std::pair<std::string, std::string>> members_of(const ImageSetting& image) {
  std::vector<std::pair<std::string, std::string>> members = {{"name", image.name}};
  if (!image.new_name.empty()) members.emplace_back("newName", image.new_name);
  if (!image.tag.empty()) members.emplace_back("newTag", image.tag);
  if (!image.digest.empty()) members.emplace_back("digest", image.digest);
  return members;
}

std::string block_of(const ImageSetting& image, std::string_view newline) {
  std::string block;
  for (const auto& [key, value] : members_of(image))
    block += fmt::format("{}{}: {}{}", block.empty() ? "- " : "  ", key, Splicer::quoted(value), newline);
  return block;
}

// No list yet, or one with nothing in it.
Result<> start_list(Splicer& splicer, const ImageSetting& image) {
  auto& root = splicer.tree()[0];
  auto block = block_of(image, splicer.newline());
  auto* images = root.is_map() ? root.if_map()->find("images") : nullptr;
  if (images == nullptr) {
    if (root.is_map() && root.mark().begin < splicer.text().size() && splicer.text()[root.mark().begin] == '{')
      return splicer.wrong(root, "a kustomization in flow style has no place for images, want block style");
    splicer.append(fmt::format("images:{}{}", splicer.newline(), block));
  } else {
    auto key = root.if_map()->key_mark("images");
    auto colon = splicer.text().find(':', key.end);
    auto end = std::max<std::size_t>(colon + 1, images->mark().end);
    splicer.splice(colon + 1, end, std::string(splicer.newline()) + std::string(trim_end(block)));
  }
  doc::Map item;
  for (const auto& [name, value] : members_of(image)) item.set(name, Value(value));
  root.map().set("images", Value(doc::List{Value(std::move(item))}));
  return {};
}

std::string text_of(const Value* value) {
  if (value == nullptr) return {};
  if (const auto* text = value->if_string()) return *text;
  if (const auto* number = value->if_int()) return std::to_string(*number);
  if (const auto* real = value->if_double()) return fmt::format("{}", *real);
  return {};
}

}  // namespace

namespace {

// What the setting has no word for goes. A change of its own: the line that goes may be the one behind which another
// came.
Result<std::string> without_leftovers(std::string_view text, const ImageSetting& image, std::string_view source) {
  TRY(auto splicer, open_kustomization(text, source));
  for (auto& item : *images_of(splicer)->if_list()) {
    if (item.str_at({"name"}) != image.name) continue;
    if (image.tag.empty()) TRY_OK(splicer.set(item, "newTag", std::nullopt));
    if (image.digest.empty()) TRY_OK(splicer.set(item, "digest", std::nullopt));
  }
  return splicer.finish();
}

}  // namespace

Result<std::string> set_kustomize_image(std::string_view text, const ImageSetting& image, std::string_view source) {
  TRY(auto splicer, open_kustomization(text, source));
  auto* images = images_of(splicer);
  bool found = false;
  if (images != nullptr) {
    for (auto& item : *images->if_list()) {
      if (item.str_at({"name"}) != image.name) continue;
      found = true;
      if (!image.new_name.empty()) TRY_OK(splicer.set(item, "newName", image.new_name));
      if (!image.tag.empty()) TRY_OK(splicer.set(item, "newTag", image.tag));
      if (!image.digest.empty()) TRY_OK(splicer.set(item, "digest", image.digest));
    }
  }
  if (!found && images != nullptr && !images->if_list()->empty()) {
    splicer.append_item(*images, members_of(image));
  } else if (!found) {
    TRY_OK(start_list(splicer, image));
  }
  TRY(auto written, splicer.finish());
  return found ? without_leftovers(written, image, source) : written;
}

Result<std::string> remove_kustomize_image(std::string_view text, std::string_view name, std::string_view source) {
  TRY(auto splicer, open_kustomization(text, source));
  auto* images = images_of(splicer);
  if (images == nullptr) return std::string(text);
  auto& items = *images->if_list();
  std::size_t matching =
      std::count_if(items.begin(), items.end(), [&](const auto& i) { return i.str_at({"name"}) == name; });
  if (matching == 0) return std::string(text);
  if (matching == items.size()) {
    // The list goes with its last entry.
    auto key = splicer.tree()[0].if_map()->key_mark("images");
    auto colon = splicer.text().find(':', key.end);
    splicer.splice(colon + 1, images->mark().end, " []");
    items.clear();
    return splicer.finish();
  }
  for (std::size_t i = items.size(); i-- > 0;)
    if (items[i].str_at({"name"}) == name) TRY_OK(splicer.remove_item(*images, i));
  return splicer.finish();
}

Result<std::optional<ImageSetting>> kustomize_image(std::string_view text, std::string_view name,
                                                    std::string_view source) {
  TRY(auto splicer, open_kustomization(text, source));
  auto* images = images_of(splicer);
  if (images == nullptr) return std::optional<ImageSetting>();
  for (const auto& item : *images->if_list()) {
    if (item.str_at({"name"}) != name) continue;
    return std::optional(ImageSetting{std::string(name), item.str_at({"newName"}), text_of(item.find("newTag")),
                                      item.str_at({"digest"})});
  }
  return std::optional<ImageSetting>();
}

namespace {

// One step of a path: a key, [3], or [name=web].
struct Step {
  std::string key, value;
  std::optional<std::size_t> index;
  bool selects = false;
};

Result<std::vector<Step>> parse_path(std::string_view path) {
  std::vector<Step> steps;
  std::string key;
  auto flush = [&] {
    if (!key.empty()) steps.push_back({std::exchange(key, {}), {}, {}, false});
  };
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\' && i + 1 < path.size()) {
      key += path[++i];
    } else if (path[i] == '.') {
      flush();
    } else if (path[i] == '[') {
      flush();
      auto close = path.find(']', i);
      if (close == std::string_view::npos) return fail(Kind::invalid, "{}: \"[\" without \"]\"", path);
      auto inner = path.substr(i + 1, close - i - 1);
      if (auto pair = cut(inner, "="))
        steps.push_back({std::string(pair->first), std::string(pair->second), {}, true});
      else if (auto number = to_int(inner); number && *number >= 0)
        steps.push_back({{}, {}, static_cast<std::size_t>(*number), false});
      else
        return fail(Kind::invalid, "{}: [{}]: want an index or key=value", path, inner);
      i = close;
    } else {
      key += path[i];
    }
  }
  flush();
  if (steps.empty()) return fail(Kind::invalid, "\"{}\": want a path such as web.image", path);
  return steps;
}

Value* walk(Value& root, const std::vector<Step>& steps) {
  Value* at = &root;
  for (const auto& step : steps) {
    Value* next = nullptr;
    if (step.index) {
      if (auto* list = at->if_list(); list != nullptr && *step.index < list->size()) next = &(*list)[*step.index];
    } else if (step.selects) {
      if (auto* list = at->if_list())
        for (auto& item : *list)
          if (next == nullptr && item.str_at({step.key}) == step.value) next = &item;
    } else if (auto* map = at->if_map()) {
      next = map->find(step.key);
    }
    if (next == nullptr) return nullptr;
    at = next;
  }
  return at;
}

Result<Value*> find_at(Splicer& splicer, std::string_view path) {
  TRY(auto steps, parse_path(path));
  for (auto& document : splicer.tree())
    if (auto* found = walk(document, steps)) return found;
  return fail(Kind::not_found, "{}: {}: no such field", splicer.source(), path);
}

ImageSetting parse_reference(std::string_view text) {
  ImageSetting image;
  if (auto at = text.find('@'); at != std::string_view::npos) {
    image.digest = text.substr(at + 1);
    text = text.substr(0, at);
  }
  auto colon = text.rfind(':');
  if (colon != std::string_view::npos && text.find('/', colon) == std::string_view::npos) {
    image.tag = text.substr(colon + 1);
    text = text.substr(0, colon);
  }
  image.name = text;
  return image;
}

}  // namespace

namespace {

// "image.tag" names a part of an image, as charts have it.
std::string_view last_of(std::string_view path) {
  auto dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

bool names_tag(std::string_view field) { return field == "tag" || field == "newTag"; }

// An entry of a list of images as kustomizations and Flux have it, not a chart's values.
bool is_kustomize_entry(const Value& map) {
  return map.find("newTag") != nullptr || map.find("newName") != nullptr ||
         (map.find("name") != nullptr && map.find("repository") == nullptr && map.find("tag") == nullptr);
}

// "OLD=" of an image in an Argo CD Application, which stays.
std::string_view replaced_name(std::string_view text) {
  auto equals = text.find('=');
  return equals == std::string_view::npos ? std::string_view() : text.substr(0, equals + 1);
}

// An image in another's place keeps the name that it has there.
std::string placed_reference(std::string_view before, const ImageSetting& image) {
  auto replaced = replaced_name(before);
  auto placed = image;
  if (!replaced.empty() && image.new_name.empty())
    placed.new_name = parse_reference(before.substr(replaced.size())).name;
  return std::string(replaced) + placed.reference();
}

// A tag may hold the digest as well: tag@digest.
ImageSetting with_tag(ImageSetting image, const std::string& tag) {
  auto parts = cut(tag, "@");
  image.tag = parts ? std::string(parts->first) : tag;
  if (parts) image.digest = parts->second;
  return image;
}

}  // namespace

Result<std::string> set_image_at(std::string_view text, std::string_view path, const ImageSetting& image,
                                 std::string_view source) {
  TRY(auto splicer, Splicer::open(text, source, Splicer::Documents::many));
  TRY(auto at, find_at(splicer, path));
  auto tag_with_digest = image.digest.empty() ? image.tag : image.tag + "@" + image.digest;
  if (!at->is_map()) {
    auto what = last_of(path);
    TRY_OK(splicer.set_scalar(*at, names_tag(what)    ? tag_with_digest
                                   : what == "digest" ? image.digest
                                                      : placed_reference(text_of(at), image)));
    return splicer.finish();
  }
  if (is_kustomize_entry(*at)) {
    if (!image.new_name.empty()) TRY_OK(splicer.set(*at, "newName", image.new_name));
    if (!image.tag.empty() || at->find("newTag") != nullptr) TRY_OK(splicer.set(*at, "newTag", image.tag));
    if (!image.digest.empty() || at->find("digest") != nullptr) TRY_OK(splicer.set(*at, "digest", image.digest));
    return splicer.finish();
  }
  bool own_digest = at->find("digest") != nullptr;
  if (!image.new_name.empty()) TRY_OK(splicer.set(*at, "repository", image.new_name));
  TRY_OK(splicer.set(*at, "tag", own_digest ? image.tag : tag_with_digest));
  if (own_digest) TRY_OK(splicer.set(*at, "digest", image.digest));
  return splicer.finish();
}

Result<std::optional<ImageSetting>> image_at(std::string_view text, std::string_view path, std::string_view source) {
  TRY(auto splicer, Splicer::open(text, source, Splicer::Documents::many));
  TRY(auto at, find_at(splicer, path));
  if (auto what = last_of(path); !at->is_map() && (names_tag(what) || what == "digest"))
    return std::optional(names_tag(what) ? with_tag({}, text_of(at)) : ImageSetting{{}, {}, {}, text_of(at)});
  if (const auto* reference = at->if_string())
    return std::optional(parse_reference(std::string_view(*reference).substr(replaced_name(*reference).size())));
  if (!at->is_map()) return splicer.wrong(*at, "want an image: a string, or a map with repository and tag");
  if (is_kustomize_entry(*at))
    return std::optional(ImageSetting{at->str_at({"name"}), at->str_at({"newName"}), text_of(at->find("newTag")),
                                      at->str_at({"digest"})});
  return std::optional(
      with_tag({at->str_at({"repository"}), {}, {}, at->str_at({"digest"})}, text_of(at->find("tag"))));
}

Result<std::string> set_yaml_scalar(std::string_view text, std::string_view path, const std::string& value,
                                    std::string_view source) {
  TRY(auto splicer, Splicer::open(text, source, Splicer::Documents::many));
  TRY(auto at, find_at(splicer, path));
  if (at->is_map() || at->is_list())
    return splicer.wrong(*at, fmt::format("{}: want a scalar, got a {}", path, to_string(at->type())));
  TRY_OK(splicer.set_scalar(*at, value));
  return splicer.finish();
}

}  // namespace slipway::manifest
