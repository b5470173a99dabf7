#include "net/aws.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"

namespace slipway::net {
namespace {

TEST(Aws, SignsAsVersion4Says) {
  ClientRequest request{.method = "POST", .url = "https://sts.eu-west-1.amazonaws.com/"};
  request.body = "Action=AssumeRole&Version=2011-06-15";
  request.headers.set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
  request.headers.set("Accept", "not signed");
  must(sign_for_aws(request, {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "TOKEN"}, "eu-west-1", "sts",
                    must(parse_rfc3339("2015-08-30T12:36:00Z"))));
  EXPECT_EQ(request.headers.get_or("authorization", ""),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/sts/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
            "Signature=3e82a68d5593414b8641bf712810c7bff69d5a9a0fb4a27034d9e4231d25b13d");
  EXPECT_EQ(request.headers.get_or("x-amz-date", ""), "20150830T123600Z");
  EXPECT_EQ(request.headers.get_or("x-amz-security-token", ""), "TOKEN");
}

// The published example of Signature Version 4: ListUsers of IAM.
TEST(Aws, ThePublishedExample) {
  ClientRequest request{.url = "https://iam.amazonaws.com/?Version=2010-05-08&Action=ListUsers"};
  request.headers.set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
  must(sign_for_aws(request, {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""}, "us-east-1", "iam",
                    must(parse_rfc3339("2015-08-30T12:36:00Z"))));
  EXPECT_EQ(request.headers.get_or("authorization", ""),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

// The URLs are botocore's (SigV4QueryAuth), for the same keys and time.
TEST(Aws, PresignsAsBotocoreDoes) {
  for (auto& [session, token, signature] :
       {std::tuple("", "", "899830816ba49515bc8afbda61ed5b11286ee1c39ed4a5b394a658895074e67a"),
        std::tuple("TO/KEN==", "&X-Amz-Security-Token=TO%2FKEN%3D%3D",
                   "69a7cbb82d23394173bdcf794e77a69cab932c70a74dddf7b2324647cdba43b9")}) {
    ClientRequest request{.url = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"};
    request.headers.set("x-k8s-aws-id", "west");
    EXPECT_EQ(must(presign_for_aws(request, {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", session},
                                   "eu-west-1", "sts", must(parse_rfc3339("2015-08-30T12:36:00Z")), 60)),
              fmt::format("https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
                          "&X-Amz-Algorithm=AWS4-HMAC-SHA256"
                          "&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Feu-west-1%2Fsts%2Faws4_request"
                          "&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"
                          "{}&X-Amz-Signature={}",
                          token, signature));
  }
}

}  // namespace
}  // namespace slipway::net
