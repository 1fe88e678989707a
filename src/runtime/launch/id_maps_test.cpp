#include "runtime/launch/id_maps.h"

#include <gtest/gtest.h>

namespace knarr::runtime {
namespace {

constexpr const char* kSubuid =
    "alice:100000:65536\n"
    "bob:200000:1000\n"
    "1000:300000:10\n"
    "bob:bad:10\n"
    "bob:1:2:3\n"
    "bob:400000:0\n"
    "bob:500000:99999999999\n"
    "# bob:1:1\n";

TEST(SubordinateIds, RangesAreThoseOfTheNameAndOfTheNumber) {
    EXPECT_EQ(subordinate_ranges(kSubuid, "bob", 1000),
              (std::vector<SubordinateRange>{{200000, 1000}, {300000, 10}}));
    EXPECT_TRUE(subordinate_ranges(kSubuid, "carol", 1001).empty());
    // An empty name owns no line, not even a broken one.
    EXPECT_TRUE(subordinate_ranges(":1:2\n", "", 5).empty());
}

TEST(SubordinateIds, TheNameOfAUserIsFoundByNumber) {
    EXPECT_EQ(name_in_passwd("root:x:0:0::/:/bin/sh\nbob:x:1000:1000::/:\n", 1000), "bob");
    EXPECT_EQ(name_in_passwd("root:x:0:0::/:/bin/sh\n", 1000), "");
}

TEST(SubordinateIds, ARefusalNamesTheFirstRangeThatIsNotGivenAndTheFix) {
    const Error error = why_refused(kUserSide,
                                    {{.container_id = 0, .host_id = 1000, .size = 1},
                                     {.container_id = 1, .host_id = 200000, .size = 1000},
                                     {.container_id = 1001, .host_id = 200500, .size = 1000}},
                                    "bob",
                                    1000,
                                    {{200000, 1000}},
                                    "newuidmap: not allowed\n");

    EXPECT_EQ(error.code, Errc::denied);
    EXPECT_EQ(error.message,
              "linux.uidMappings[2]: newuidmap refuses the host IDs 200500 to 201499: /etc/subuid "
              "gives the user bob 200000 to 200999");
    EXPECT_NE(error.hint.find("usermod --add-subuids 200500-201499 bob"), std::string::npos);
}

TEST(SubordinateIds, ARefusalOfWhatIsGivenTellsTheHelpersOwnWords) {
    const Error error = why_refused(kGroupSide,
                                    {{.container_id = 0, .host_id = 200000, .size = 10}},
                                    "bob",
                                    1000,
                                    {{200000, 1000}},
                                    "newgidmap: write to gid_map failed\nmore\n");

    EXPECT_EQ(error.message,
              "linux.gidMappings: newgidmap failed: newgidmap: write to gid_map failed");
    EXPECT_NE(error.hint.find("cap_setgid"), std::string::npos);
}

TEST(SubordinateIds, LinesAreAsTheKernelWantsThem) {
    EXPECT_EQ(to_lines({{.container_id = 0, .host_id = 1000, .size = 1},
                        {.container_id = 1, .host_id = 100000, .size = 65536}}),
              "0 1000 1\n1 100000 65536\n");
}

}  // namespace
}  // namespace knarr::runtime
