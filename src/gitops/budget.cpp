#include "gitops/budget.h"

#include "base/text.h"

namespace slipway::gitops {

Result<DeleteBudget> DeleteBudget::parse(std::string_view text) {
  DeleteBudget budget;
  if (text.empty()) return budget;
  auto digits = text;
  if (digits.ends_with('%')) digits.remove_suffix(1), budget.share_ = true;
  auto number = to_int(digits);
  if (!number || *number < 0 || digits.front() == '+' || (budget.share_ && *number > 100))
    return fail(Kind::invalid, "{}: got \"{}\", want a number of objects (5) or a share of them (20%)",
                delete_budget_annotation, text);
  budget.number_ = static_cast<std::size_t>(*number);
  return budget;
}

std::string DeleteBudget::refusal(std::size_t count, std::size_t all, std::string_view what) const {
  if (!number_) return "";
  auto most = share_ ? (all * *number_ + 99) / 100 : *number_;
  if (count <= most) return "";
  return fmt::format("{} {}, more than the delete budget of {}", count, what,
                     share_ ? fmt::format("{}% ({})", *number_, most) : std::to_string(most));
}

}  // namespace slipway::gitops
