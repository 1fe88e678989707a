#include "spec/seccomp_profile.h"

#include <gtest/gtest.h>

namespace knarr::spec {
namespace {

Result<SeccompProfile> decode(std::string_view json) {
    return decode_seccomp_profile(json, "p.json");
}

std::string message_of(std::string_view json) {
    const auto decoded = decode(json);
    return decoded ? "it was taken" : decoded.error().message;
}

std::string with_rule(std::string_view rule) {
    return fmt::format(R"({{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{}]}})", rule);
}

TEST(SeccompProfile, DockersFormIsRead) {
    const auto profile = decode(R"({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
        "syscalls": [
            {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "",
             "includes": {"minKernel": "4.8"}, "excludes": {}},
            {"name": "clone", "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
             "args": [{"index": 0, "value": 2114060288, "op": "SCMP_CMP_MASKED_EQ"}],
             "includes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["amd64"]},
             "excludes": {"caps": ["CAP_BPF"]}}]})");

    ASSERT_TRUE(profile) << profile.error().message;
    EXPECT_EQ(profile->filter.default_action, "SCMP_ACT_ERRNO");
    EXPECT_EQ(profile->filter.default_errno_ret, 38U);
    ASSERT_EQ(profile->arch_map.size(), 1U);
    EXPECT_EQ(profile->arch_map[0].sub_architectures, std::vector<std::string>{"SCMP_ARCH_X86"});
    ASSERT_EQ(profile->rules.size(), 2U);
    EXPECT_EQ(profile->rules[0].includes.min_kernel, (KernelVersion{.major = 4, .minor = 8}));
    EXPECT_EQ(profile->rules[1].rule.names, std::vector<std::string>{"clone"});
    EXPECT_EQ(profile->rules[1].rule.args[0].value, 2114060288U);
    EXPECT_EQ(profile->rules[1].includes.capabilities, std::vector<std::string>{"CAP_SYS_ADMIN"});
    EXPECT_EQ(profile->rules[1].excludes.capabilities, std::vector<std::string>{"CAP_BPF"});
}

TEST(SeccompProfile, PodmansNamesOfErrorsCountBeforeTheirNumbers) {
    const auto profile =
        decode(R"({"defaultAction":"SCMP_ACT_ERRNO","defaultErrno":"ENOSYS","defaultErrnoRet":1,
                   "syscalls":[{"names":["bpf"],"action":"SCMP_ACT_ERRNO","errno":"EPERM"}]})");

    ASSERT_TRUE(profile) << profile.error().message;
    EXPECT_EQ(profile->filter.default_errno_ret, 38U);
    EXPECT_EQ(profile->rules[0].rule.errno_ret, 1U);
}

TEST(SeccompProfile, ErrorsHaveDigitsAndSecondNames) {
    for (const auto& [name, number] : {std::pair{"28", 28},
                                       std::pair{"ENOTSUP", 95},
                                       std::pair{"EAGAIN", 11},
                                       std::pair{"EWOULDBLOCK", 11},
                                       std::pair{"EDEADLOCK", 35}}) {
        const auto profile = decode(
            fmt::format(R"({{"defaultAction":"SCMP_ACT_ERRNO","defaultErrno":"{}"}})", name));
        ASSERT_TRUE(profile) << profile.error().message;
        EXPECT_EQ(profile->filter.default_errno_ret, number) << name;
    }
}

TEST(SeccompProfile, WhatIsWrongIsNamedWithItsPlace) {
    struct Case {
        std::string json, message;
    };
    for (
        const Case& one : {
            Case{"{", "p.json: "},
            Case{"[]", "p.json: this is an array, not an object"},
            Case{"{}", "p.json: defaultAction: is missing"},
            Case{R"({"defaultAction":"ALLOW"})",
                 "defaultAction: \"ALLOW\" is none of SCMP_ACT_ALLOW"},
            Case{R"({"defaultAction":"SCMP_ACT_NOTIFY"})",
                 "defaultAction: SCMP_ACT_NOTIFY would stop"},
            Case{R"({"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_ARM"],
                      "archMap":[{"architecture":"SCMP_ARCH_ARM"}]})",
                 "archMap: stands beside \"architectures\""},
            Case{R"({"defaultAction":"SCMP_ACT_ERRNO","defaultErrno":"EWHAT"})",
                 "defaultErrno: \"EWHAT\" is no error"},
            Case{with_rule(R"({"action":"SCMP_ACT_ERRNO"})"),
                 "syscalls[0].names: is missing or empty"},
            Case{with_rule(R"({"names":[],"action":"SCMP_ACT_ERRNO"})"),
                 "syscalls[0].names: is missing or empty"},
            Case{with_rule(R"({"name":"a","names":["b"],"action":"SCMP_ACT_ERRNO"})"),
                 "syscalls[0].name: stands beside"},
            Case{with_rule(R"({"names":["bpf"]})"), "syscalls[0].action: is missing"},
            Case{with_rule(R"({"names":["bpf"],"action":"SCMP_ACT_ALLOW","errnoRet":1})"),
                 "syscalls[0].errnoRet: is not possible with SCMP_ACT_ALLOW"},
            Case{with_rule(R"({"names":["bpf"],"action":"SCMP_ACT_ERRNO","errnoRet":4096})"),
                 "syscalls[0].errnoRet: 4096 is not between"},
            Case{with_rule(R"({"names":["bpf"],"action":"SCMP_ACT_NOTIFY"})"),
                 "listenerPath: is missing"},
            Case{
                with_rule(
                    R"({"names":["bpf"],"action":"SCMP_ACT_ERRNO","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]})"),
                "syscalls[0].args[0].index: 6 is not between 0 and 5"},
            Case{
                with_rule(
                    R"({"names":["bpf"],"action":"SCMP_ACT_ERRNO","includes":{"minKernel":"new"}})"),
                "syscalls[0].includes.minKernel: \"new\" is no version"},
            Case{with_rule(
                     R"({"names":["bpf"],"action":"SCMP_ACT_ERRNO","includes":{"minKernel":"5"}})"),
                 "minKernel: \"5\" is no version"},
            Case{R"({"defaultAction":"SCMP_ACT_ALLOW","Syscalls":[]})",
                 "Syscalls: is written \"syscalls\""},
            Case{with_rule(R"({"names":["bpf"],"action":"SCMP_ACT_ALLOW","ARGS":[]})"),
                 "syscalls[0].ARGS: is written \"args\""},
            Case{with_rule(R"({"names":["bpf"],"action":"SCMP_ACT_ALLOW","includes":{"Caps":[]}})"),
                 "syscalls[0].includes.Caps: is written \"caps\""},
            Case{with_rule(R"({"names":["bpf"],"action":"SCMP_ACT_ALLOW","errno":"EPERM"})"),
                 "syscalls[0].errno: is not possible"},
            Case{
                with_rule(
                    R"({"names":["bpf"],"action":"SCMP_ACT_LOG","includes":{"minKernel":"5.1.9"}})"),
                "minKernel: \"5.1.9\" is no version"},
        }) {
        EXPECT_NE(message_of(one.json).find(one.message), std::string::npos)
            << one.json << "\n"
            << message_of(one.json);
    }
}

}  // namespace
}  // namespace knarr::spec
