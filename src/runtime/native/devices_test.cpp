#include "runtime/native/devices.h"

#include <sys/stat.h>

#include "runtime/native/testing_config.h"

namespace knarr::runtime::native {
namespace {

using testing_config::all_of;
using testing_config::must_plan;
using testing_config::new_namespace;
using testing_config::usual_bundle;
using testing_config::v1_host;

TEST(Devices, ADeviceOfTheConfigurationReplacesTheDefaultOne) {
    const std::vector<spec::Device> config = {
        {.path = "/dev/null", .type = 'c', .major = 1, .minor = 3, .file_mode = 0600}};
    for (const auto& made : all_of<step::MakeDevice>(default_devices(config, NodeWay::make))) {
        EXPECT_NE(made.path, "/dev/null");
    }
    EXPECT_EQ(default_devices(config, NodeWay::make).size() + 1,
              default_devices({}, NodeWay::make).size());
}

TEST(Devices, EveryTypeOfNodeIsMade) {
    const Result<std::vector<Step>> steps = config_devices(
        {{.path = "/dev/fuse",
          .type = 'c',
          .major = 10,
          .minor = 229,
          .file_mode = 0660,
          .uid = 1,
          .gid = 2},
         {.path = "/dev/sda", .type = 'b', .major = 8, .minor = 0, .file_mode = 060640},
         {.path = "/dev/fifo", .type = 'p', .major = 7, .minor = 7},
         {.path = "/dev/u", .type = 'u', .major = 1, .minor = 1}},
        NodeWay::make);
    ASSERT_TRUE(steps) << steps.error().message;
    const auto made = all_of<step::MakeDevice>(*steps);
    ASSERT_EQ(made.size(), 4U);
    EXPECT_EQ(made[0].type, static_cast<mode_t>(S_IFCHR));
    EXPECT_EQ(made[0].mode, 0660U);
    EXPECT_EQ(made[0].uid, 1U);
    EXPECT_EQ(made[0].gid, 2U);
    EXPECT_EQ(made[1].type, static_cast<mode_t>(S_IFBLK));
    EXPECT_EQ(made[1].mode, 0640U);
    EXPECT_EQ(made[2].type, static_cast<mode_t>(S_IFIFO));
    EXPECT_EQ(made[2].major, 0U);
    EXPECT_EQ(made[3].type, static_cast<mode_t>(S_IFCHR));
}

TEST(Devices, AUserNamespaceBindsTheHostsNodes) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.linux_->namespaces.push_back(new_namespace(spec::NamespaceType::user));
    bundle.config.linux_->uid_mappings = bundle.config.linux_->gid_mappings = {
        {.container_id = 0, .host_id = 100'000, .size = 65'536}};
    for (const auto& made : all_of<step::MakeDevice>(must_plan(bundle, v1_host()).steps)) {
        EXPECT_TRUE(made.bind) << made.path;
    }
}

TEST(Devices, WhatIsNoDeviceIsRefusedByName) {
    const std::pair<spec::Device, const char*> rows[] = {
        {{.path = "dev/x", .type = 'c'}, "linux.devices[0].path: \"dev/x\""},
        {{.path = "/", .type = 'c'}, "linux.devices[0].path"},
        {{.path = "/dev/x", .type = 'q'}, "linux.devices[0].type: q is not c, b, u or p"},
        {{.path = "/dev/x", .type = 'c', .major = 4096}, "linux.devices[0]: 4096:0"},
        {{.path = "/dev/x", .type = 'b', .minor = -1}, "linux.devices[0]: 0:-1"},
        {{.path = "/dev/x", .type = 'c', .file_mode = 060660}, "linux.devices[0].fileMode"},
    };
    for (const auto& [device, says] : rows) {
        const Result<std::vector<Step>> steps = config_devices({device}, NodeWay::make);
        ASSERT_FALSE(steps) << says;
        EXPECT_EQ(steps.error().code, Errc::invalid_config);
        EXPECT_TRUE(steps.error().message.starts_with(says)) << steps.error().message;
    }
}

std::vector<std::string> v1_texts(const std::vector<spec::DeviceRule>& config) {
    const Result<std::vector<sys::CgroupDeviceRule>> rules = device_rules(config);
    if (!rules) {
        return {rules.error().message};
    }
    const Result<std::vector<sys::CgroupWrite>> writes = device_writes(*rules);
    if (!writes) {
        return {writes.error().message};
    }
    std::vector<std::string> out;
    for (const sys::CgroupWrite& one : *writes) {
        out.push_back((one.file == "devices.allow" ? "+" : "-") + one.text);
    }
    return out;
}

// What every container may use, after "deny all".
const std::vector<std::string> kAlways = {"+c *:* m",
                                          "+b *:* m",
                                          "+c 1:3 rwm",
                                          "+c 1:5 rwm",
                                          "+c 1:7 rwm",
                                          "+c 1:8 rwm",
                                          "+c 1:9 rwm",
                                          "+c 5:0 rwm",
                                          "+c 136:* rwm",
                                          "+c 5:2 rwm",
                                          "+c 10:200 rwm"};

std::vector<std::string> then_always(std::vector<std::string> first) {
    first.insert(first.end(), kAlways.begin(), kAlways.end());
    return first;
}

TEST(DeviceRules, WithoutRulesOnlyTheDefaultDevicesAreAllowed) {
    EXPECT_EQ(v1_texts({}), then_always({"-a"}));
}

TEST(DeviceRules, RulesKeepTheirOrder) {
    EXPECT_EQ(v1_texts({{.allow = false, .access = "rwm"},
                        {.allow = true, .type = 'c', .major = 10, .minor = 229, .access = "rwm"},
                        {.allow = true, .type = 'b', .major = 8, .access = "r"},
                        {.allow = false, .type = 'c', .major = 10, .minor = 229, .access = "m"}}),
              then_always({"-a", "+c 10:229 rwm", "+b 8:* r", "-c 10:229 m"}));
}

TEST(DeviceRules, AllowAllNeedsNoMore) {
    EXPECT_EQ(v1_texts({{.allow = true, .access = "rwm"}}), (std::vector<std::string>{"-a", "+a"}));
}

TEST(DeviceRules, AWildcardTypeWithANumberIsNotEverything) {
    EXPECT_EQ(v1_texts({{.allow = true, .type = 'a', .major = 10, .minor = 229}}),
              then_always({"-a", "+b 10:229 rwm", "+c 10:229 rwm"}));
    EXPECT_EQ(v1_texts({{.allow = true, .type = 'a', .access = "rr"}}),
              (std::vector<std::string>{"-a",
                                        "+b *:* r",
                                        "+c *:* r",
                                        "+c *:* m",
                                        "+b *:* m",
                                        "+c 1:3 rwm",
                                        "+c 1:5 rwm",
                                        "+c 1:7 rwm",
                                        "+c 1:8 rwm",
                                        "+c 1:9 rwm",
                                        "+c 5:0 rwm",
                                        "+c 136:* rwm",
                                        "+c 5:2 rwm",
                                        "+c 10:200 rwm"}));
}

TEST(DeviceRules, AHoleThatV1CannotHaveIsUnsupported) {
    const auto texts = v1_texts(
        {{.allow = true, .type = 'c'}, {.allow = false, .type = 'c', .major = 10, .minor = 229}});
    ASSERT_EQ(texts.size(), 1U);
    EXPECT_TRUE(texts[0].starts_with(
        "linux.resources.devices: \"deny c 10:229 rwm\" after \"allow c *:* rwm\" cannot be said"))
        << texts[0];
}

TEST(DeviceRules, TheLetterAOfRuncsUsersDeniesAllAndAllowsNothing) {
    const auto rules = device_rules({{.allow = true, .type = 'c', .major = 1, .access = "rwa"},
                                     {.allow = false, .type = 'c', .major = 1, .access = "rwa"}});
    ASSERT_TRUE(rules);
    EXPECT_EQ((*rules)[1].access, "rw");
    EXPECT_EQ((*rules)[2].access, "rwm");
}

TEST(DeviceRules, RefusedOnesNameTheRule) {
    EXPECT_EQ(v1_texts({{.allow = true, .type = 'x'}})[0],
              "linux.resources.devices[0]: type: x is not a, b or c");
    EXPECT_EQ(v1_texts({{.allow = true, .type = 'c', .access = "rx"}})[0],
              "linux.resources.devices[0]: access: \"rx\" holds something other than r, w and m");
    EXPECT_EQ(v1_texts({{.allow = true, .type = 'c', .access = "a"}})[0],
              "linux.resources.devices[0]: access: \"a\" holds something other than r, w and m");
    EXPECT_EQ(v1_texts({{}, {.allow = true, .type = 'c', .major = -2}})[0],
              "linux.resources.devices[1]: major: -2 is not -1 and not in 0 to 4095");
}

}  // namespace
}  // namespace knarr::runtime::native
