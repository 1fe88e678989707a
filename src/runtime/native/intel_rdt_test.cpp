#include "runtime/native/intel_rdt.h"

#include "runtime/native/testing_config.h"

namespace knarr::runtime::native {

namespace {

using testing_config::v1_host;
using Lines = std::vector<std::string>;

Result<std::optional<sys::ResctrlGroup>> plan_of(const spec::IntelRdt& rdt,
                                                 bool mounted = true,
                                                 const std::string& id = "web") {
    sys::HostFacts host = v1_host();
    if (mounted) {
        host.resctrl = sys::ResctrlFacts{
            .mount_point = "/sys/fs/resctrl", .classes = {"gold"}, .monitors = true};
    }
    spec::RuntimeConfig config;
    config.linux_.emplace().intel_rdt = rdt;
    return plan_intel_rdt(config, host, id);
}

TEST(IntelRdt, WithoutResctrlItIsUnsupported) {
    const auto plan = plan_of({.schemata = {"L3:0=f"}}, false);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, Errc::unsupported);
    EXPECT_NE(plan.error().message.find("linux.intelRdt"), std::string::npos);
    spec::RuntimeConfig nothing;
    EXPECT_FALSE(plan_intel_rdt(nothing, v1_host(), "web")->has_value());
}

TEST(IntelRdt, WithoutAClassTheContainersIdNamesANewOne) {
    const auto plan =
        plan_of({.l3_cache_schema = "L3:0=f", .mem_bw_schema = "MB:0=50", .schemata = {"L2:0=1"}});
    EXPECT_EQ((*plan)->path(), "/sys/fs/resctrl/web");
    EXPECT_TRUE((*plan)->make);
    EXPECT_TRUE((*plan)->owned);
    EXPECT_EQ((*plan)->schemata, (Lines{"L3:0=f", "MB:0=50", "L2:0=1"}));
    EXPECT_TRUE((*plan)->expected.empty());
}

TEST(IntelRdt, BandwidthInTheCacheSchemaGivesWayToItsOwn) {
    EXPECT_EQ(
        (*plan_of({.l3_cache_schema = "L3:0=f\nMB:0=10", .mem_bw_schema = "MB:0=50"}))->schemata,
        (Lines{"L3:0=f", "MB:0=50"}));
    EXPECT_EQ((*plan_of({.l3_cache_schema = "L3:0=f\nMB:0=10"}))->schemata,
              (Lines{"L3:0=f", "MB:0=10"}));
}

TEST(IntelRdt, AnExistingClassIsComparedAndNeverRemoved) {
    const auto plan = plan_of({.clos_id = "gold", .l3_cache_schema = "L3:0=f"});
    EXPECT_FALSE((*plan)->make);
    EXPECT_FALSE((*plan)->owned);
    EXPECT_EQ((*plan)->expected, Lines{"L3:0=f"});
    EXPECT_TRUE((*plan)->schemata.empty());
    EXPECT_EQ((*plan_of({.clos_id = "/"}))->path(), "/sys/fs/resctrl");
}

TEST(IntelRdt, AClassWithoutSchemataMustBeThere) {
    EXPECT_TRUE(plan_of({.clos_id = "gold"}));
    const auto plan = plan_of({.clos_id = "silver"});
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, Errc::invalid_config);
    const auto made = plan_of({.clos_id = "silver", .schemata = {"L3:0=1"}});
    EXPECT_TRUE((*made)->make);
    EXPECT_FALSE((*made)->owned) << "it stays when the container is deleted";
}

TEST(IntelRdt, AClassOfTheContainersNameThatIsThereIsAnError) {
    const auto plan = plan_of({.schemata = {"L3:0=1"}}, true, "gold");
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, Errc::already_exists);
    EXPECT_NE(plan.error().message.find("/sys/fs/resctrl/gold"), std::string::npos);
}

TEST(IntelRdt, MonitoringNeedsACpuThatMonitors) {
    EXPECT_EQ((*plan_of({.clos_id = "gold", .enable_monitoring = true}))->monitor, "web");
    sys::HostFacts host = v1_host();
    host.resctrl = sys::ResctrlFacts{.mount_point = "/r", .classes = {}, .monitors = false};
    spec::RuntimeConfig config;
    config.linux_.emplace().intel_rdt = spec::IntelRdt{.enable_cmt = true};
    const auto plan = plan_intel_rdt(config, host, "web");
    ASSERT_FALSE(plan);
    EXPECT_NE(plan.error().message.find("enableCMT"), std::string::npos);
}

}  // namespace

}  // namespace knarr::runtime::native
