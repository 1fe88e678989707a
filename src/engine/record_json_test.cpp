#include "engine/record_json.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

Record full_record() {
    return {
        .id = "web",
        .name = "Frieda",
        .status = ContainerState::running,
        .pid = 4711,
        .pid_start_ticks = 18'446'744'073'709'551'615U,
        .oci_version = "1.3.0",
        .bundle = "/bundles/w \"eb\"",
        .rootfs = "/bundles/web/rootfs",
        .config_file = "/configs/web.json",
        .isolation = Isolation::native,
        .created = "2026-11-23T00:53:50.123456789Z",
        .annotations = {{"org.example.key", "v\n1"}},
        .owner = 1000,
        .own_pid_namespace = true,
        .cgroup = sys::CgroupPlan{.dirs = {{.controllers = "cpu,cpuacct",
                                            .mount_point = "/sys/fs/cgroup/cpu",
                                            .path = "/knarr/web",
                                            .writes = {}}},
                                  .v2 = false,
                                  .enable = {},
                                  .device_rules = {}},
        .resctrl = sys::ResctrlGroup{.mount_point = "/sys/fs/resctrl",
                                     .name = "gold",
                                     .owned = true,
                                     .monitor = "web",
                                     .expected = {},
                                     .schemata = {}},
        .poststart = {},
        .poststop = {{.path = "/bin/h", .args = {"h", "x"}, .env = {"A=1"}, .timeout = 3}},
        .image = "docker.io/library/busybox:latest",
        .data_dir = "/var/lib/knarr/containers/web",
        .auto_remove = true,
        .exit_code = 137,
        .life = Life{.command = {"sh", "-c", "x"},
                     .stop_signal = 2,
                     .stop_seconds = 5,
                     .monitored = true,
                     .log = {.keep = true, .max_bytes = 4096, .max_files = 3},
                     .started = "2026-11-23T00:53:51.000000000Z",
                     .finished = "2026-11-23T00:53:52.000000000Z",
                     .oom_killed = true,
                     .oom_text = "out of memory",
                     .asked = Asked{.user = "web",
                                    .workdir = "/srv",
                                    .implied = {"HOME"},
                                    .image = "busybox",
                                    .entrypoint = {"sh", "-c"},
                                    .command = {"x"},
                                    .volumes = {"/data"},
                                    .groups = {"7"},
                                    .id_file = "/tmp/id",
                                    .mounts = {{"/d", true, {{"a", "1"}}}}}},
    };
}

std::string with(std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
}

TEST(RecordJson, IsReadBackAsItWasWritten) {
    const std::string text = encode_record(full_record());
    const Result<Record> back = decode_record(text);
    ASSERT_TRUE(back.has_value()) << back.error().message;
    EXPECT_EQ(encode_record(*back), text);
    EXPECT_EQ(back->pid_start_ticks, 18'446'744'073'709'551'615U);
    EXPECT_EQ(back->annotations.at("org.example.key"), "v\n1");
    EXPECT_EQ(back->poststop.at(0).timeout, 3);
    EXPECT_EQ(back->cgroup->dirs.at(0).path, "/knarr/web");
    EXPECT_EQ(back->resctrl->path(), "/sys/fs/resctrl/gold");
    EXPECT_TRUE(back->resctrl->owned);
    EXPECT_EQ(back->exit_code, 137);
    ASSERT_TRUE(back->life.has_value());
    EXPECT_EQ(back->life->command.at(2), "x");
    EXPECT_EQ(back->life->asked->implied, std::vector<std::string>{"HOME"});
    EXPECT_EQ(back->life->stop_seconds, 5U);
    EXPECT_EQ(back->life->log.max_files, 3U);
    EXPECT_TRUE(back->life->oom_killed);
    EXPECT_EQ(back->life->asked->command.at(0), "x");
    EXPECT_EQ(back->life->asked->id_file, "/tmp/id");
    EXPECT_EQ(back->life->asked->mounts.at(0).labels.at("a"), "1");
    EXPECT_EQ(back->life->oom_text, "out of memory");
}

TEST(RecordJson, KeepsWhatItsImageWasCalled) {
    Record record = full_record();
    EXPECT_EQ(image_name_of(*decode_record(encode_record(record))), "busybox");
    // One that an earlier build wrote.
    const std::string text = with(encode_record(record), R"(,"image":"busybox",)", ",");
    EXPECT_EQ(image_name_of(*decode_record(text)), "busybox:latest");
    record.life->asked.reset();
    EXPECT_EQ(image_name_of(record), "busybox:latest");
    record.image = "sha256:" + std::string(64, 'a');
    EXPECT_EQ(image_name_of(record), record.image) << "an image without a name";
    record.image.clear();
    EXPECT_EQ(image_name_of(record), "") << "of a bundle";
}

TEST(RecordJson, UnknownMembersAreIgnored) {
    const std::string text =
        with(encode_record(full_record()), "{", R"({"fromTheFuture":{"a":[1]},)");
    EXPECT_TRUE(decode_record(text).has_value());
}

TEST(RecordJson, DamageIsCorruptAndNamesThePlace) {
    const std::string good = encode_record(full_record());
    const std::pair<std::string, std::string> cases[] = {
        {good.substr(0, good.size() / 2), "state.json"},
        {"", "state.json"},
        {"[]", "state.json"},
        {with(good, R"("version":1)", R"("version":2)"), "version"},
        {with(good, R"("status":"running")", R"("status":"paused")"), "status"},
        {with(good, R"("pid":4711)", R"("pid":"4711")"), "pid"},
        {with(good, R"("isolation":"native")", R"("isolation":"cardboard")"), "isolation"},
        {with(good, R"("dirs":[)", R"("sdir":[)"), "dirs"},
    };
    for (const auto& [text, place] : cases) {
        const Result<Record> record = decode_record(text);
        ASSERT_FALSE(record.has_value()) << text;
        EXPECT_EQ(record.error().code, Errc::corrupt) << text;
        EXPECT_NE(record.error().message.find(place), std::string::npos) << record.error().message;
    }
}

}  // namespace
}  // namespace knarr::engine
