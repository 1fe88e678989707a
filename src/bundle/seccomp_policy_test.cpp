#include "bundle/seccomp_policy.h"

#include <gtest/gtest.h>

namespace knarr::bundle {

namespace {

spec::Seccomp base() {
    spec::Seccomp seccomp;
    seccomp.default_action = "SCMP_ACT_ALLOW";
    return seccomp;
}

spec::SeccompRule rule(const char* name, const char* action) {
    return {.names = {name}, .action = action, .errno_ret = {}, .args = {}};
}

Errc code_of(const spec::Seccomp& seccomp) {
    const auto converted = seccomp_policy(seccomp);
    return converted ? Errc::internal : converted.error().code;
}

TEST(SeccompPolicy, NamesBecomeValues) {
    spec::Seccomp seccomp = base();
    seccomp.architectures = {"SCMP_ARCH_X86", "SCMP_ARCH_AARCH64"};
    seccomp.flags = {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"};
    seccomp.syscalls = {rule("socket", "SCMP_ACT_ERRNO")};
    seccomp.syscalls[0].args = {
        {.index = 2, .value = 7, .value_two = 9, .op = "SCMP_CMP_MASKED_EQ"}};

    const auto out = seccomp_policy(seccomp);

    ASSERT_TRUE(out);
    EXPECT_EQ(out->policy.flags, 2U);
    EXPECT_EQ(out->policy.architectures.size(), 2U);
    ASSERT_EQ(out->policy.rules.size(), 1U);
    const sys::SeccompRule& first = out->policy.rules[0];
    EXPECT_EQ(name_of(first.syscalls.at(0)), "socket");
    EXPECT_EQ(first.action.raw(), 0x50001U);  // EPERM when no errno is given
    EXPECT_EQ(first.conditions.at(0).op, sys::SeccompOp::masked_eq);
    EXPECT_EQ(first.conditions.at(0).index, 2);
    EXPECT_EQ(first.conditions.at(0).value_two, 9U);
}

TEST(SeccompPolicy, AnErrnoIsTakenForErrnoAndTraceOnly) {
    spec::Seccomp seccomp = base();
    seccomp.default_action = "SCMP_ACT_ERRNO";
    seccomp.default_errno_ret = 38;
    seccomp.syscalls = {rule("read", "SCMP_ACT_TRACE"), rule("read", "SCMP_ACT_KILL")};
    seccomp.syscalls[0].errno_ret = 9;
    seccomp.syscalls[1].errno_ret = 9;
    const auto out = seccomp_policy(seccomp);
    ASSERT_TRUE(out);
    EXPECT_EQ(out->policy.default_action.raw(), 0x50026U);
    EXPECT_EQ(out->policy.rules[0].action.raw(), 0x7ff00009U);
    EXPECT_EQ(out->policy.rules[1].action.raw(), 0U);
}

TEST(SeccompPolicy, UnknownCallsAreLeftOutAndNamed) {
    spec::Seccomp seccomp = base();
    seccomp.syscalls = {rule("read", "SCMP_ACT_LOG")};
    seccomp.syscalls[0].names = {"read", "no_such_call"};
    const auto out = seccomp_policy(seccomp);
    ASSERT_TRUE(out);
    EXPECT_EQ(out->policy.rules[0].syscalls.size(), 1U);
    EXPECT_EQ(out->unknown_syscalls, std::vector<std::string>{"no_such_call"});
}

TEST(SeccompPolicy, WhatIsNoSeccompNameIsRefusedWithItsPlace) {
    spec::Seccomp action = base(), op = base(), arch = base(), flag = base(), index = base(),
                  number = base();
    action.syscalls = {rule("read", "SCMP_ACT_MAYBE")};
    op.syscalls = {rule("read", "SCMP_ACT_LOG")};
    op.syscalls[0].args = {{.index = 0, .value = 0, .value_two = 0, .op = "EQ"}};
    index.syscalls = {rule("read", "SCMP_ACT_LOG")};
    index.syscalls[0].args = {{.index = 6, .value = 0, .value_two = 0, .op = "SCMP_CMP_EQ"}};
    arch.architectures = {"SCMP_ARCH_Z80"};
    flag.flags = {"SECCOMP_FILTER_FLAG_NEW_LISTENER"};
    number.syscalls = {rule("read", "SCMP_ACT_ERRNO")};
    number.syscalls[0].errno_ret = 4095;
    for (const spec::Seccomp& seccomp : {action, op, arch, flag, index, number}) {
        EXPECT_EQ(code_of(seccomp), Errc::invalid_config);
    }
    const auto refused = seccomp_policy(action);
    EXPECT_TRUE(refused.error().message.starts_with("linux.seccomp.syscalls[0]: "))
        << refused.error().message;
}

TEST(SeccompPolicy, AnArchitectureWithoutATableIsUnsupported) {
    spec::Seccomp seccomp = base();
    seccomp.architectures = {"SCMP_ARCH_S390X"};
    EXPECT_EQ(code_of(seccomp), Errc::unsupported);
}

TEST(SeccompPolicy, NotifyNeedsAListenerAndIsNeitherTheDefaultNorForWrite) {
    spec::Seccomp lonely = base(), writes = base(), everything = base(), right = base();
    lonely.syscalls = {rule("mkdir", "SCMP_ACT_NOTIFY")};
    writes.syscalls = {rule("write", "SCMP_ACT_NOTIFY")};
    writes.listener_path = "/run/agent";
    everything.default_action = "SCMP_ACT_NOTIFY";
    everything.listener_path = "/run/agent";
    right.syscalls = {rule("mkdir", "SCMP_ACT_NOTIFY")};
    right.listener_path = "/run/agent";
    EXPECT_EQ(code_of(lonely), Errc::invalid_config);
    EXPECT_EQ(code_of(writes), Errc::invalid_config);
    EXPECT_EQ(code_of(everything), Errc::invalid_config);
    EXPECT_TRUE(seccomp_policy(right));
}

}  // namespace

}  // namespace knarr::bundle
