#include "engine/network_claim.h"

#include <gtest/gtest.h>

namespace slipway::engine {
namespace {

TEST(NetworkClaim, Ranges) {
  EXPECT_TRUE(in_range("10.244.3.4", "10.244.0.0/16"));
  EXPECT_FALSE(in_range("10.245.0.1", "10.244.0.0/16"));
  EXPECT_TRUE(in_range("10.240.16.1", "10.240.16.0/20"));
  EXPECT_FALSE(in_range("10.240.32.1", "10.240.16.0/20"));
  EXPECT_TRUE(in_range("1.2.3.4", "1.2.3.4/32"));
  EXPECT_FALSE(in_range("1.2.3.4", "nonsense"));
  EXPECT_FALSE(in_range("x", "10.0.0.0/8"));
}

TEST(NetworkClaim, OneSlipwayABridge) {
  Settings settings{.bridge = "sliptest-claim", .pod_cidr = "198.51.100.0/25", .service_cidr = "198.51.100.128/25"};
  auto first = claim_network(settings);
  ASSERT_TRUE(first) << first.error().what();
  if (*first == nullptr) GTEST_SKIP() << "only root sets up a network";
  auto second = claim_network(settings);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().what(), "--bridge sliptest-claim: another slipway on this host uses this bridge");
  first->reset();
  EXPECT_TRUE(claim_network(settings));
}

TEST(NetworkClaim, AddressesOfOthersAreNotTaken) {
  Settings settings{.bridge = "sliptest-other", .pod_cidr = "127.0.0.0/16", .service_cidr = "198.51.100.0/24"};
  auto claimed = claim_network(settings);
  if (claimed && *claimed == nullptr) GTEST_SKIP() << "only root sets up a network";
  ASSERT_FALSE(claimed);
  EXPECT_TRUE(claimed.error().what().starts_with("--pod-cidr 127.0.0.0/16: lo has the address 127.0.0.1"))
      << claimed.error().what();
}

}  // namespace
}  // namespace slipway::engine
