#include "cli/setting_options.h"

#include <gtest/gtest.h>

#include "cli/run_options.h"
#include "cli/run_way.h"

namespace knarr::cli {
namespace {

using Texts = std::vector<std::string>;

Result<ParsedRun> run(std::vector<std::string_view> words) {
    words.emplace_back("image");
    const auto args = parse(run_options(), words, {.options_until = 1});
    EXPECT_TRUE(args) << args.error().message;
    return args ? parse_run(*args) : Result<ParsedRun>(fail(args.error()));
}

std::string refusal(std::vector<std::string_view> words) {
    const auto out = run(std::move(words));
    EXPECT_FALSE(out);
    return out ? std::string() : out.error().message;
}

TEST(SettingOptions, FilesOfSettingsAreReadAsDockerReadsThem) {
    const auto lines =
        parse_settings_file("\xEF\xBB\xBF# a comment\n\n  A=1 2 \nB\r\nC==\n", "env", "--env-file");
    ASSERT_TRUE(lines);
    EXPECT_EQ(*lines, (Texts{"A=1 2 ", "B", "C=="}));
    const auto bad = parse_settings_file("A=1\nB C=2\n", "env", "--env-file");
    ASSERT_FALSE(bad);
    EXPECT_NE(bad.error().message.find("line 2"), std::string::npos);
    EXPECT_FALSE(parse_settings_file("=x", "env", "--env-file"));
}

TEST(SettingOptions, Devices) {
    const auto whole = parse_device("/dev/sda:/dev/xvda:r");
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->source + " " + whole->target + " " + whole->access, "/dev/sda /dev/xvda r");
    EXPECT_EQ(parse_device("/dev/sda:rw")->access, "rw");
    EXPECT_EQ(parse_device("/dev/sda:rw")->target, "/dev/sda");
    EXPECT_EQ(parse_device("/dev/sda")->access, "rwm");
    for (const char* text : {"", "sda", "/dev/sda:x", "/dev/sda:/dev/b:rx", "/a:/b:r:w"}) {
        EXPECT_FALSE(parse_device(text)) << text;
    }
}

TEST(SettingOptions, Ulimits) {
    const auto limit = parse_ulimit("nofile=10:-1");
    ASSERT_TRUE(limit);
    EXPECT_EQ(limit->soft, 10U);
    EXPECT_EQ(limit->hard, UlimitRequest::kNone);
    EXPECT_EQ(parse_ulimit("core=7")->hard, 7U);
    for (const char* text : {"nofile", "=1", "nofile=", "nofile=2:1", "nofile=x", "a=1:2:3"}) {
        EXPECT_FALSE(parse_ulimit(text)) << text;
    }
}

TEST(SettingOptions, Hosts) {
    EXPECT_EQ(parse_host("db:10.0.0.1"), "db:10.0.0.1");
    EXPECT_EQ(parse_host("db=[::1]"), "db:::1");
    for (const char* text :
         {"db", ":1.2.3.4", "db:", "db:1.2.3", "db:256.1.1.1", "a b:1.2.3.4", "a\vb:1.2.3.4"}) {
        EXPECT_FALSE(parse_host(text)) << text;
    }
    EXPECT_EQ(parse_host("db:host-gateway").error().code, Errc::unsupported);
}

TEST(SettingOptions, SecurityOptions) {
    SecuritySettings security;
    Texts warnings;
    for (const char* text : {"no-new-privileges:false",
                             "seccomp=unconfined",
                             "systempaths=unconfined",
                             "apparmor=web",
                             "label=disable"}) {
        EXPECT_TRUE(parse_security(text, security, warnings)) << text;
    }
    EXPECT_EQ(security.no_new_privileges, false);
    EXPECT_TRUE(security.any_system_call && security.open_system_paths);
    EXPECT_EQ(security.apparmor_profile, "web");
    EXPECT_TRUE(warnings.empty());
    EXPECT_TRUE(parse_security("label=type:web_t", security, warnings));
    EXPECT_EQ(warnings.size(), 1U);
    const auto missing = parse_security("seccomp=/none/p.json", security, warnings);
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().message.find("/none/p.json"), std::string::npos);
    EXPECT_FALSE(parse_security("no-new-privileges=maybe", security, warnings));
    EXPECT_FALSE(parse_security("magic", security, warnings));
}

TEST(SettingOptions, AreTakenTogether) {
    const auto out = run({"--label",
                          "a=1",
                          "-l",
                          "b",
                          "--sysctl",
                          "net.ipv4.ip_forward=1",
                          "--init",
                          "--pid",
                          "host",
                          "--shm-size",
                          "1m",
                          "-h",
                          "box",
                          "--tmpfs",
                          "/t:size=1m,mode=700",
                          "--cpu-quota",
                          "50000",
                          "--cpu-period",
                          "50000",
                          "--oom-score-adj",
                          "-5",
                          "--cpuset-cpus",
                          "0-1"});
    ASSERT_TRUE(out) << out.error().message;
    const ContainerSettings& settings = out->request.settings;
    EXPECT_EQ(settings.labels.at("a"), "1");
    EXPECT_EQ(settings.labels.at("b"), "");
    EXPECT_TRUE(settings.init && settings.host_pid);
    EXPECT_FALSE(settings.host_ipc);
    EXPECT_EQ(settings.shm_bytes, 1 << 20);
    EXPECT_EQ(out->request.hostname, "box");
    EXPECT_EQ(settings.tmpfs.front().options, (Texts{"size=1m", "mode=700"}));
    EXPECT_EQ(settings.resources.oom_score_adj, -5);
}

TEST(SettingOptions, WrongValuesNameTheirOption) {
    for (const auto& [option, value] : std::vector<std::pair<std::string_view, std::string_view>>{
             {"--sysctl", "a"},
             {"--dns", "nowhere"},
             {"--dns-search", "a b"},
             {"--dns-search", "-1,=:/..//"},
             {"--dns-search", "a..b"},
             {"--dns-search", "a/b"},
             {"--cpu-quota", "1"},
             {"--cpu-period", "x"},
             {"--cpuset-cpus", "a-b"},
             {"--blkio-weight", "1"},
             {"--pid", "container:x"},
             {"--ipc", "magic"},
             {"--oom-score-adj", "2000"},
             {"--tmpfs", "relative"},
             {"--shm-size", "big"},
             {"--memory-swap", "x"},
             {"--label", "=x"},
             {"--annotation", "x"},
             {"--env-file", "/none"},
             {"--userns", "keep-id"},
             {"--memory-swappiness", "101"}}) {
        EXPECT_NE(refusal({option, value}).find(option), std::string::npos) << option;
    }
}

TEST(SettingOptions, ContradictionsAreRefused) {
    EXPECT_NE(refusal({"--cpus", "1", "--cpu-quota", "50000"}).find("--cpu-quota"),
              std::string::npos);
    EXPECT_NE(refusal({"--uts", "host", "--hostname", "x"}).find("--hostname"), std::string::npos);
    EXPECT_NE(refusal({"-p", "80:80"}).find("--publish"), std::string::npos);
}

TEST(SettingOptions, PublishedPortsOfTheHostsNetworkAreAWarning) {
    const auto out = run({"-p", "80:80", "--network", "host"});
    ASSERT_TRUE(out);
    EXPECT_EQ(out->warnings.size(), 1U);
}

TEST(SettingOptions, HAloneIsHelp) {
    const std::vector<std::string_view> words{"-h"};
    const auto args = parse(run_options(), words, {.options_until = 1});
    ASSERT_TRUE(args);
    EXPECT_TRUE(args->help);
}

}  // namespace
}  // namespace knarr::cli
