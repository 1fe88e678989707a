#include "bundle/seccomp_profile.h"

#include <gtest/gtest.h>

namespace knarr::bundle {
namespace {

using Names = std::vector<std::string>;

#if defined(__x86_64__)
constexpr const char *kOwn = "amd64", *kForeign = "arm64", *kOwnSeccompName = "SCMP_ARCH_X86_64";
#else
constexpr const char *kOwn = "arm64", *kForeign = "amd64", *kOwnSeccompName = "SCMP_ARCH_AARCH64";
#endif
constexpr spec::KernelVersion kKernel{.major = 5, .minor = 10};

spec::SeccompProfileRule rule(spec::SeccompWhere includes, spec::SeccompWhere excludes = {}) {
    return {.rule = {.names = {"bpf"}, .action = "SCMP_ACT_ALLOW", .errno_ret = {}, .args = {}},
            .includes = std::move(includes),
            .excludes = std::move(excludes)};
}

bool counts(spec::SeccompWhere includes, spec::SeccompWhere excludes, const Names& capabilities) {
    const spec::SeccompProfile profile{
        .filter = {}, .arch_map = {}, .rules = {rule(std::move(includes), std::move(excludes))}};
    return !choose_rules(profile, capabilities, kKernel).syscalls.empty();
}

TEST(ChosenSeccompRules, IncludesNeedAllOfTheirCapabilities) {
    const spec::SeccompWhere two{
        .capabilities = {"CAP_BPF", "CAP_SYSLOG"}, .architectures = {}, .min_kernel = {}};
    EXPECT_FALSE(counts(two, {}, {}));
    EXPECT_FALSE(counts(two, {}, {"CAP_BPF"}));
    EXPECT_TRUE(counts(two, {}, {"CAP_SYSLOG", "CAP_BPF"}));
}

TEST(ChosenSeccompRules, ExcludesNeedOneOfThem) {
    const spec::SeccompWhere two{
        .capabilities = {"CAP_BPF", "CAP_SYSLOG"}, .architectures = {}, .min_kernel = {}};
    EXPECT_TRUE(counts({}, two, {}));
    EXPECT_FALSE(counts({}, two, {"CAP_BPF"}));
}

TEST(ChosenSeccompRules, OfThisMachine) {
    const auto on = [](const char* name) {
        return spec::SeccompWhere{.capabilities = {}, .architectures = {name}, .min_kernel = {}};
    };
    EXPECT_TRUE(counts(on(kOwn), {}, {}));
    EXPECT_FALSE(counts(on(kForeign), {}, {}));
    EXPECT_FALSE(counts({}, on(kOwn), {}));
    EXPECT_TRUE(counts({}, on(kForeign), {}));
}

TEST(ChosenSeccompRules, OfThisKernel) {
    const auto from = [](std::uint32_t major, std::uint32_t minor) {
        return spec::SeccompWhere{
            .capabilities = {},
            .architectures = {},
            .min_kernel = spec::KernelVersion{.major = major, .minor = minor}};
    };
    EXPECT_TRUE(counts(from(5, 10), {}, {}));
    EXPECT_TRUE(counts(from(4, 20), {}, {}));
    EXPECT_FALSE(counts(from(5, 11), {}, {}));
    EXPECT_FALSE(counts(from(6, 0), {}, {}));
    EXPECT_FALSE(counts({}, from(5, 10), {}));
    EXPECT_TRUE(counts({}, from(6, 0), {}));
}

TEST(ChosenSeccompRules, TheMapsEntryOfThisMachineHasTheArchitectures) {
    spec::SeccompProfile profile{
        .filter = {},
        .arch_map = {{.architecture = "SCMP_ARCH_S390X", .sub_architectures = {"SCMP_ARCH_S390"}},
                     {.architecture = kOwnSeccompName, .sub_architectures = {"SCMP_ARCH_ARM"}}},
        .rules = {}};
    profile.filter.default_action = "SCMP_ACT_LOG";
    const spec::Seccomp filter = choose_rules(profile, {}, kKernel);
    EXPECT_EQ(filter.architectures, (Names{kOwnSeccompName, "SCMP_ARCH_ARM"}));
    EXPECT_EQ(filter.default_action, "SCMP_ACT_LOG");
    profile.arch_map.pop_back();
    EXPECT_TRUE(choose_rules(profile, {}, kKernel).architectures.empty());
}

}  // namespace
}  // namespace knarr::bundle
