#include "dispatcher/api/call_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hookd/v1/endpoint_service.pb.h"

namespace hookd {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string Fault(std::vector<CallRule> rules) {
  return std::string(CheckCallRules(PublicServices(), rules).message());
}

CallRule& Find(std::vector<CallRule>& rules, std::string_view call) {
  return *std::find_if(rules.begin(), rules.end(),
                       [call](const CallRule& rule) { return rule.call == call; });
}

TEST(CallRulesTest, EveryCallHasOne) {
  EXPECT_THAT(PublicServices(), SizeIs(12));
  EXPECT_TRUE(CheckCallRules(PublicServices(), CallRules()).ok())
      << CheckCallRules(PublicServices(), CallRules());
}

TEST(CallRulesTest, ACallWithoutOneOrWithTwoIsAFault) {
  std::vector<CallRule> rules = CallRules();
  rules.push_back(rules.front());
  EXPECT_THAT(Fault(rules), HasSubstr(std::string(CallRules().front().call) + " needs one rule"));
  rules = CallRules();
  rules.pop_back();
  EXPECT_THAT(Fault(rules), HasSubstr("ToolService/VerifyEndpoint needs one rule"));
}

TEST(CallRulesTest, ARuleHasToFitItsRequest) {
  std::vector<CallRule> rules = CallRules();
  Find(rules, "EndpointService/GetEndpoint").fields = {{CallObject::kEndpoint, "endpoint_id"}};
  EXPECT_THAT(Fault(rules),
              HasSubstr("EndpointService/GetEndpoint: its request has no text field endpoint_id"));
  rules = CallRules();
  Find(rules, "EndpointService/CreateEndpoint").fields = {};
  EXPECT_THAT(Fault(rules), HasSubstr("say what has to be the subscriber's"));
  rules = CallRules();
  Find(rules, "EndpointService/GetEndpoint").not_for_viewers = "id";
  EXPECT_THAT(Fault(rules), HasSubstr("no flag id"));
  rules = CallRules();
  Find(rules, "EndpointService/GetEndpoint").without = WithoutOwner::kFilledIn;
  EXPECT_THAT(Fault(rules), HasSubstr("nothing can be filled in"));
  rules = CallRules();
  rules.push_back({"EndpointService/Nothing", RoleBit(TokenRole::kOperator), {}});
  EXPECT_THAT(Fault(rules), HasSubstr("there is no call EndpointService/Nothing"));
}

}  // namespace
}  // namespace hookd
