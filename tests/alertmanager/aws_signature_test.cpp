#include "alertmanager/aws_signature.h"

#include <boost/test/unit_test.hpp>

namespace pipewarden::alertmanager {
namespace {

// The worked example of Amazon's documentation.
BOOST_AUTO_TEST_CASE(the_documented_example) {
  AwsRequest request;
  request.method = "GET";
  request.query = "Action=ListUsers&Version=2010-05-08";
  request.headers = {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"},
                     {"host", "iam.amazonaws.com"}};
  const AwsCredentials credentials{"AKIDEXAMPLE", core::Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), {}};
  const core::WallTime time{std::chrono::seconds{1440938160}};  // 2015-08-30 12:36:00 UTC
  BOOST_TEST(SignAwsRequest(request, credentials, "us-east-1", "iam", time) ==
             "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
             "SignedHeaders=content-type;host;x-amz-date, "
             "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

}  // namespace
}  // namespace pipewarden::alertmanager
