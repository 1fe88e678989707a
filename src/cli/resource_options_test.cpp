#include "cli/resource_options.h"

#include <gtest/gtest.h>

#include "cli/run_options.h"
#include "cli/run_way.h"

namespace knarr::cli {
namespace {

Result<ParsedRun> run(std::vector<std::string_view> words, RunKind kind = RunKind::run) {
    words.emplace_back("image");
    const auto args = parse(run_options(), words, {.options_until = 1});
    EXPECT_TRUE(args) << args.error().message;
    return args ? parse_run(*args, kind) : Result<ParsedRun>(fail(args.error()));
}

TEST(ResourceOptions, LimitsOfSingleDisks) {
    const auto out = run({"--device-read-bps",
                          "/dev/sda:1m",
                          "--device-write-iops",
                          "/dev/disk/by-path/pci-0:1:30",
                          "--blkio-weight-device",
                          "/dev/sda:500"});
    ASSERT_TRUE(out) << out.error().message;
    const ResourceSettings& limits = out->request.settings.resources;
    EXPECT_EQ(limits.read_bps.front().device, "/dev/sda");
    EXPECT_EQ(limits.read_bps.front().rate, 1U << 20U);
    EXPECT_EQ(limits.write_iops.front().device, "/dev/disk/by-path/pci-0:1");
    EXPECT_EQ(limits.write_iops.front().rate, 30U);
    EXPECT_EQ(limits.device_weights.front().rate, 500U);
    EXPECT_TRUE(limits.write_bps.empty() && limits.read_iops.empty());
}

TEST(ResourceOptions, DevicesByNumber) {
    const auto rule = parse_device_numbers("c 42:* rmw");
    ASSERT_TRUE(rule);
    EXPECT_EQ(rule->type, 'c');
    EXPECT_EQ(rule->major, 42);
    EXPECT_FALSE(rule->minor);
    EXPECT_EQ(rule->access, "rmw");
    for (const char* text :
         {"", "c", "c 1:3", "d 1:3 r", "cc 1:3 r", "c 1 r", "c 1:-1 r", "c 1:3 rx", "c 1:3  r"}) {
        EXPECT_FALSE(parse_device_numbers(text)) << text;
    }
}

TEST(ResourceOptions, WrongValuesNameTheirOption) {
    std::string deep;
    for (int part = 0; part < 65; ++part) {
        deep += "/a";
    }
    for (const auto& [option, value] : std::vector<std::pair<std::string_view, std::string_view>>{
             {"--device-read-bps", "sda:1m"},
             {"--device-read-bps", "/dev/sda"},
             {"--device-write-bps", "/dev/sda:fast"},
             {"--device-read-iops", "/dev/sda:-1"},
             {"--device-write-iops", "/dev/sda:99999999999"},
             {"--blkio-weight-device", "/dev/sda:5"},
             {"--device-cgroup-rule", "c 1:3"},
             {"--cgroup-parent", "/a/../b"},
             {"--cgroup-parent", "/"},
             {"--cgroup-parent", "a:b:c"},
             {"--cgroup-parent", deep},
             {"--cpuset-cpus", "0;rm"},
             {"--cgroup-conf", "memory.high"},
             {"--umask", "9"},
             {"--umask", "1777"},
             {"--personality", "BSD"},
             {"--unsetenv", "A=1"},
             {"--attach", "all"}}) {
        const auto out = run({option, value});
        ASSERT_FALSE(out) << option << " " << value;
        EXPECT_NE(out.error().message.find(option), std::string::npos) << out.error().message;
    }
}

TEST(ResourceOptions, TheProgramsOwnSettings) {
    const auto out =
        run({"--umask", "0077", "--unsetenv", "A", "--no-hosts", "--read-only-tmpfs=false"});
    ASSERT_TRUE(out);
    EXPECT_EQ(out->request.settings.umask, 0077U);
    EXPECT_EQ(out->request.settings.unset_env, std::vector<std::string>{"A"});
    EXPECT_TRUE(out->request.settings.image_hosts);
    EXPECT_FALSE(out->request.read_only_scratch);
    EXPECT_FALSE(run({"--no-hosts", "--add-host", "a:1.2.3.4"}));
}

TEST(ResourceOptions, OnlyChosenStreamsAreAttached) {
    const auto out = run({"-a", "stdout", "--attach=STDERR"});
    ASSERT_TRUE(out);
    const StandardStreams& streams = out->request.streams;
    EXPECT_TRUE(streams.out && streams.err);
    EXPECT_FALSE(streams.in);
    EXPECT_TRUE(run({"-a", "stdin,stdout"})->request.streams.in);
    EXPECT_FALSE(run({"-d", "-a", "stdout"}));
    EXPECT_FALSE(run({"-t", "-a", "stdin"}));
    EXPECT_TRUE(run({"-a", "stdout"}, RunKind::create)->request.streams.in);
}

}  // namespace
}  // namespace knarr::cli
