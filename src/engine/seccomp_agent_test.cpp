#include "engine/seccomp_agent.h"

#include <gtest/gtest.h>

namespace knarr::engine {

namespace {

TEST(SeccompAgent, TheStateNamesTheProcessTheDescriptorAndTheContainer) {
    Record record;
    record.id = "c";
    record.pid = 40;
    record.oci_version = "1.2.0";
    record.bundle = "/b";
    record.annotations = {{"k", "v"}};
    const runtime::ListenerAgent agent = agent_of("/run/agent\na=\"b\"", record, "running", 41);
    EXPECT_EQ(agent.path, "/run/agent");
    EXPECT_EQ(agent.state_json,
              R"({"ociVersion":"1.2.0","fds":["seccompFd"],"pid":41,"metadata":"a=\"b\"",)"
              R"("state":{"ociVersion":"1.2.0","id":"c","status":"running","pid":40,)"
              R"("bundle":"/b","annotations":{"k":"v"}}})");
    EXPECT_EQ(agent_of("/run/agent\n", record, "running", 41).state_json.find("metadata"),
              std::string::npos);
}

}  // namespace

}  // namespace knarr::engine
