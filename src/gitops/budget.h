#pragma once
// How much may be deleted at once without asking: a folder that was renamed by mistake takes no shop down.
#include <optional>
#include <string>

#include "base/result.h"

namespace slipway::gitops {

// On an Application, Kustomization, ApplicationSet or, for all of its Applications, AppProject: "5" objects, or "20%"
// of those that are there.
inline constexpr std::string_view delete_budget_annotation = "slipway.dev/delete-budget";
// When a person agreed, as RFC 3339: once, for what was asked before.
inline constexpr std::string_view deletion_approved_annotation = "slipway.dev/deletion-approved";

class DeleteBudget {
 public:
  DeleteBudget() = default;  // no end
  // "" is no end. Errors: invalid.
  static Result<DeleteBudget> parse(std::string_view text);
  bool present() const { return number_.has_value(); }
  // "" when `count` of `all` objects may go; else why they may not: "12 objects, more than the delete budget of 20%
  // (3)". A share is rounded up.
  std::string refusal(std::size_t count, std::size_t all, std::string_view what) const;

 private:
  std::optional<std::size_t> number_;
  bool share_ = false;
};

}  // namespace slipway::gitops
