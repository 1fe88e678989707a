#include "runtime/native/systemd_unit.h"

#include "runtime/native/devices.h"
#include "runtime/native/testing_config.h"

namespace knarr::runtime::native {
namespace {

using testing_config::v1_host;
using testing_config::v2_host;

constexpr std::uint64_t kInfinity = UINT64_MAX;

spec::RuntimeConfig with_path(const std::string& path) {
    spec::RuntimeConfig config;
    config.linux_ = spec::Linux{};
    config.linux_->cgroups_path = path;
    return config;
}

Result<UnitPlan> plan(const spec::RuntimeConfig& config,
                      bool rootless = false,
                      const sys::HostFacts& host = v2_host()) {
    return plan_unit(config, host, {.id = "web", .root = "/run/knarr", .rootless = rootless});
}

std::string place(const std::string& path, bool rootless = false) {
    sys::HostFacts host = v2_host();
    host.uid = rootless ? 1000 : 0;
    const auto planned = plan(with_path(path), rootless, host);
    return planned ? fmt::format("{} {} {}",
                                 planned->unit.scope.slice,
                                 planned->unit.scope.unit.name,
                                 planned->cgroup)
                   : planned.error().message;
}

/// A property's value among `all`; fails when it is not there.
template <typename T>
std::optional<T> value(const std::vector<rpc::UnitProperty>& all, std::string_view name) {
    const auto found = std::ranges::find(all, name, &rpc::UnitProperty::name);
    return found == all.end() ? std::nullopt : std::optional<T>(std::get<T>(found->value));
}

std::vector<rpc::UnitProperty> properties(const spec::Resources& resources, bool v2 = true) {
    const auto made = unit_properties(resources, v2);
    EXPECT_TRUE(made) << made.error().message;
    return made.value_or(std::vector<rpc::UnitProperty>{});
}

std::optional<std::uint64_t> quota(std::int64_t quota_us, std::uint64_t period_us) {
    spec::Resources resources;
    resources.cpu = spec::CpuLimits{.quota = quota_us, .period = period_us};
    return value<std::uint64_t>(properties(resources), "CPUQuotaPerSecUSec");
}

std::string annotated(std::string_view name, std::string_view text) {
    const auto made = annotated_property(name, text);
    return made ? fmt::format("{} {}", made->name, rpc::dbus::signature_of(made->value))
                : made.error().message;
}

}  // namespace

TEST(SystemdUnit, PathsAreSlicePrefixName) {
    EXPECT_EQ(place("machine.slice:libpod:abc"),
              "machine.slice libpod-abc.scope /machine.slice/libpod-abc.scope");
    EXPECT_EQ(place(""), "system.slice knarr-web.scope /system.slice/knarr-web.scope");
    EXPECT_EQ(place("::abc"), "system.slice abc.scope /system.slice/abc.scope");
    EXPECT_EQ(place("a-b.slice:cri:x"), "a-b.slice cri-x.scope /a.slice/a-b.slice/cri-x.scope");
    EXPECT_EQ(place("-.slice:cri:x"), "-.slice cri-x.scope /cri-x.scope");
}

TEST(SystemdUnit, WithoutRootTheScopeIsInTheUsersManager) {
    EXPECT_EQ(place("", true),
              "user.slice knarr-web.scope "
              "/user.slice/user-1000.slice/user@1000.service/user.slice/knarr-web.scope");
    sys::HostFacts podman = v2_host();
    podman.uid = 0;
    podman.initial_user_namespace = false;
    podman.uid_map = {{.inside = 0, .outside = 1000, .size = 1}};
    const auto planned = plan(with_path("user.slice:libpod:x"), true, podman);
    ASSERT_TRUE(planned);
    EXPECT_EQ(planned->unit.scope.unit.bus, rpc::SystemdBus::user);
    EXPECT_TRUE(planned->cgroup.starts_with("/user.slice/user-1000.slice/")) << planned->cgroup;
}

TEST(SystemdUnit, OtherPathsAreErrorsThatSayWhatIsWanted) {
    for (const char* path : {"/machine/web", "web", "a.slice:b", "a.slice:b:c:d", "a.slice:b:"}) {
        EXPECT_NE(place(path).find("slice:prefix:name"), std::string::npos) << path;
    }
    for (const char* slice : {"a", ".slice", "a--b.slice", "-a.slice", "a-.slice", "a/b.slice"}) {
        EXPECT_NE(place(std::string(slice) + ":p:n").find("not the name of a slice"),
                  std::string::npos)
            << slice;
    }
    EXPECT_NE(place("a.slice:p:n.slice").find("holds no processes"), std::string::npos);
    EXPECT_NE(place("a.slice:p:" + std::string(300, 'n')).find("255"), std::string::npos);
}

TEST(SystemdUnit, NamesAreEscapedAsSystemdWantsThem) {
    EXPECT_EQ(place("a.slice:p:x+y"), "a.slice p-x\\x2by.scope /a.slice/p-x\\x2by.scope");
    EXPECT_EQ(place("a.slice:p:../x"), "a.slice p-..\\x2fx.scope /a.slice/p-..\\x2fx.scope");
}

TEST(SystemdUnit, WithoutRootItNeedsV2) {
    const auto planned = plan(with_path(""), true, v1_host());
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().code, Errc::unsupported);
}

TEST(SystemdUnit, ASubCgroupIsAnnotated) {
    spec::RuntimeConfig config = with_path("");
    config.annotations["run.oci.systemd.subgroup"] = "payload";
    const auto planned = plan(config);
    ASSERT_TRUE(planned);
    EXPECT_EQ(planned->unit.sub_cgroup, "/payload");
    EXPECT_EQ(planned->cgroup, "/system.slice/knarr-web.scope/payload");
    config.annotations["run.oci.systemd.subgroup"] = "../x";
    EXPECT_FALSE(plan(config));
    config.annotations["run.oci.systemd.subgroup"] = "";
    EXPECT_EQ(plan(config)->unit.sub_cgroup, "");
}

TEST(SystemdUnit, MemoryLimitsAsProperties) {
    spec::Resources resources;
    resources.memory = spec::MemoryLimits{.limit = 1000, .reservation = 500, .swap = 1500};
    const auto all = properties(resources);
    EXPECT_EQ(value<std::uint64_t>(all, "MemoryMax"), 1000U);
    EXPECT_EQ(value<std::uint64_t>(all, "MemoryLow"), 500U);
    EXPECT_EQ(value<std::uint64_t>(all, "MemorySwapMax"), 500U);
    const auto v1 = properties(resources, false);
    EXPECT_EQ(value<std::uint64_t>(v1, "MemoryLimit"), 1000U);
    EXPECT_EQ(value<std::uint64_t>(v1, "MemorySwapMax"), std::nullopt);
    resources.memory = spec::MemoryLimits{.limit = -1};
    EXPECT_EQ(value<std::uint64_t>(properties(resources), "MemoryMax"), kInfinity);
    EXPECT_EQ(value<std::uint64_t>(properties(resources), "MemorySwapMax"), kInfinity);
}

TEST(SystemdUnit, QuotasAreRoundedUpToWholePercents) {
    EXPECT_EQ(quota(50'000, 100'000), 500'000U);
    EXPECT_EQ(quota(33'333, 100'000), 340'000U);
    EXPECT_EQ(quota(50'000, 0), 500'000U);
    EXPECT_EQ(quota(-1, 100'000), kInfinity);
    EXPECT_EQ(quota(INT64_MAX, 1), kInfinity);
    EXPECT_EQ(quota(0, 0), std::nullopt);
}

TEST(SystemdUnit, CpuSetsAreBits) {
    spec::Resources resources;
    resources.cpu = spec::CpuLimits{.shares = 1024, .cpus = "0-2,9", .mems = "0"};
    const auto all = properties(resources);
    EXPECT_EQ(value<rpc::dbus::Bytes>(all, "AllowedCPUs"), (rpc::dbus::Bytes{0x07, 0x02}));
    EXPECT_EQ(value<rpc::dbus::Bytes>(all, "AllowedMemoryNodes"), rpc::dbus::Bytes{0x01});
    EXPECT_EQ(value<std::uint64_t>(all, "CPUWeight"), 100U);
    EXPECT_EQ(value<std::uint64_t>(properties(resources, false), "CPUShares"), 1024U);
    for (const char* bad : {"x", "3-1", "99999999", "0-99999999", ",", "1,"}) {
        resources.cpu->cpus = bad;
        EXPECT_FALSE(unit_properties(resources, true)) << bad;
    }
}

TEST(SystemdUnit, UnifiedFilesWithAPropertyAreSaidToSystemdToo) {
    spec::Resources resources;
    resources.unified = {{"memory.high", "4096"},
                         {"pids.max", "max"},
                         {"cpu.max", "20000 100000"},
                         {"io.max", "8:0 rbps=1"}};
    const auto all = properties(resources);
    EXPECT_EQ(value<std::uint64_t>(all, "MemoryHigh"), 4096U);
    EXPECT_EQ(value<std::uint64_t>(all, "TasksMax"), kInfinity);
    EXPECT_EQ(value<std::uint64_t>(all, "CPUQuotaPerSecUSec"), 200'000U);
    EXPECT_EQ(all.size(), 4U);  // with the period
    resources.unified = {{"memory.high", "4096\nMemoryMax=1"}};
    EXPECT_FALSE(unit_properties(resources, true));
}

TEST(SystemdUnit, OnlyHarmlessPropertiesCanBeAnnotated) {
    EXPECT_EQ(annotated("TimeoutStopUSec", "uint64 5000000"), "TimeoutStopUSec t");
    EXPECT_EQ(annotated("KillSignal", "37"), "KillSignal i");
    EXPECT_EQ(annotated("CollectMode", "'inactive'"), "CollectMode s");
    EXPECT_EQ(annotated("SendSIGHUP", "true"), "SendSIGHUP b");
    EXPECT_EQ(annotated("After", "['a.service', \"b.service\"]"), "After as");
    const auto seconds = annotated_property("TimeoutStopSec", "90");
    ASSERT_TRUE(seconds);
    EXPECT_EQ(seconds->name, "TimeoutStopUSec");
    EXPECT_EQ(std::get<std::uint64_t>(seconds->value), 90'000'000U);
    for (const char* name : {"ExecStart",
                             "ExecStopPost",
                             "OnFailure",
                             "Requires",
                             "Wants",
                             "FailureAction",
                             "Slice",
                             "PIDs",
                             "Delegate",
                             "Description",
                             "DeviceAllow",
                             "DevicePolicy",
                             "killsignal",
                             ""}) {
        EXPECT_NE(annotated(name, "'x'").find("may not set"), std::string::npos) << name;
    }
}

TEST(SystemdUnit, AnnotatedValuesAreWholeAndOfTheirType) {
    for (const char* bad : {"", "inactive", "'a", "'a' 'b'", "'a'; x", "'a\\'b'", "\"a'", "5"}) {
        EXPECT_NE(annotated("CollectMode", bad).find("is not"), std::string::npos) << bad;
    }
    for (const char* bad : {"", "-1", "uint64", "uint64 x", "5 6", "'5'", "99999999999999999999"}) {
        EXPECT_NE(annotated("MemoryMax", bad).find("is not"), std::string::npos) << bad;
    }
    for (const char* bad : {"[", "['a'", "['a' 'b']", "['a',]x", "[a]", "'a'"}) {
        EXPECT_NE(annotated("After", bad).find("is not"), std::string::npos) << bad;
    }
    EXPECT_NE(annotated("KillSignal", "4294967296").find("is not"), std::string::npos);
    EXPECT_NE(annotated("TimeoutStopSec", "18446744073709551615").find("is not"),
              std::string::npos);
}

TEST(SystemdUnit, AnAnnotationReplacesThePropertyOfOurs) {
    spec::RuntimeConfig config = with_path("");
    config.annotations["org.systemd.property.CollectMode"] = "'inactive'";
    const auto planned = plan(config);
    ASSERT_TRUE(planned);
    EXPECT_EQ(value<std::string>(planned->unit.scope.properties, "CollectMode"), "inactive");
    config.annotations["org.systemd.property.ExecStart"] = "'/bin/sh'";
    const auto refused = plan(config);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("org.systemd.property.ExecStart"), std::string::npos);
}

TEST(SystemdUnit, DeviceRulesThatOnlyAllowAreAList) {
    constexpr std::string_view kDevices =
        "Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n\nBlock devices:\n  8 sd\n136 no\n";
    const auto all =
        device_properties(device_rules({{.allow = false, .type = 'a'}}).value(), kDevices);
    EXPECT_EQ(value<std::string>(all, "DevicePolicy"), "strict");
    const auto list = value<rpc::dbus::Pairs>(all, "DeviceAllow");
    ASSERT_TRUE(list);
    const auto has = [&](const char* device, const char* access) {
        return std::ranges::find(*list, std::pair<std::string, std::string>(device, access)) !=
               list->end();
    };
    EXPECT_TRUE(has("char-*", "m"));
    EXPECT_TRUE(has("block-*", "m"));
    EXPECT_TRUE(has("/dev/char/1:3", "rwm"));
    EXPECT_TRUE(has("char-pts", "rwm"));
}

TEST(SystemdUnit, DeviceRulesThatSystemdCannotSayAreLeftToOurs) {
    const auto policy = [](const std::vector<spec::DeviceRule>& rules, std::string_view devices) {
        return value<std::string>(device_properties(device_rules(rules).value(), devices),
                                  "DevicePolicy");
    };
    constexpr std::string_view kPts = "Character devices:\n136 pts\n";
    EXPECT_EQ(policy({}, kPts), "strict");
    EXPECT_EQ(policy({}, ""), "auto");                                // pts has no name
    EXPECT_EQ(policy({{.allow = true, .type = 'a'}}, kPts), "auto");  // everything
    EXPECT_EQ(policy({{.allow = true, .type = 'c', .major = 10},      // a hole
                      {.allow = false, .type = 'c', .major = 10, .minor = 1}},
                     kPts),
              "auto");
}

}  // namespace knarr::runtime::native
