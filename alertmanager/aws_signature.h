// AWS Signature Version 4 (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html),
// as Amazon's query APIs want it. Pure.
#pragma once

#include <map>
#include <string>

#include "core/secret.h"
#include "core/time/clock.h"

namespace pipewarden::alertmanager {

struct AwsCredentials {
  std::string access_key;
  core::Secret secret_key;
  core::Secret session_token;  // of temporary credentials; may be empty
};

struct AwsRequest {
  std::string method = "POST";
  std::string path = "/";
  std::string query;                           // canonical: sorted and encoded
  std::map<std::string, std::string> headers;  // names in lower case, host among them
  std::string body;
};

// Adds x-amz-date (and x-amz-security-token) to the request's headers and gives the value of Authorization.
std::string SignAwsRequest(AwsRequest& request, const AwsCredentials& credentials, const std::string& region,
                           const std::string& service, core::WallTime now);

}  // namespace pipewarden::alertmanager
