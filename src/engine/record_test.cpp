#include "engine/record.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/testing_directory.h"

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

TEST(Record, IsReadBackAsItWasWritten) {
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

TEST(Record, KeepsWhatItsImageWasCalled) {
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

TEST(Record, UnknownMembersAreIgnored) {
    const std::string text =
        with(encode_record(full_record()), "{", R"({"fromTheFuture":{"a":[1]},)");
    EXPECT_TRUE(decode_record(text).has_value());
}

TEST(Record, DamageIsCorruptAndNamesThePlace) {
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

TEST(Record, HooksGetTheStateWithoutAPidOfZero) {
    EXPECT_EQ(hook_state(full_record(), "stopped", 0),
              R"({"ociVersion":"1.3.0","id":"web","status":"stopped","bundle":"/bundles/w \"eb\"",)"
              R"("annotations":{"org.example.key":"v\n1"}})");
    EXPECT_NE(hook_state(full_record(), "created", 7).find(R"("pid":7)"), std::string::npos);
}

class RecordFile : public testing::Test {
protected:
    sys::TestDirectory scratch_;
    std::string base_ = scratch_.path();
};

TEST_F(RecordFile, IsForItsOwnerAlone) {
    const StateRoot root = *StateRoot::open(base_);
    const auto dir = *root.make(*ContainerId::parse("web"), nullptr);
    ASSERT_TRUE(save_record(dir, full_record()).has_value());
    struct stat st{};
    ASSERT_EQ(stat((base_ + "/web/state.json").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0600U);
    EXPECT_EQ((*load_record(dir.fd(), "x"))->id, "web");
}

TEST_F(RecordFile, IsNotThereBeforeItsCopy) {
    const StateRoot root = *StateRoot::open(base_);
    const auto dir = *root.make(*ContainerId::parse("web"), nullptr);
    Record record = full_record();
    record.auto_remove = false;
    record.life->monitored = true;
    record.data_dir = base_ + "/data";
    EXPECT_FALSE(save_record(dir, record).has_value());  // there is no place for the copy
    EXPECT_FALSE(load_record(dir.fd(), "x")->has_value());
    ASSERT_EQ(mkdir(record.data_dir.c_str(), 0700), 0);
    ASSERT_TRUE(save_record(dir, record).has_value());
    EXPECT_EQ((*kept_record(record.data_dir))->id, "web");
}

TEST_F(RecordFile, AbsenceIsNothingAndDamageNamesThePath) {
    const StateRoot root = *StateRoot::open(base_);
    const auto dir = *root.make(*ContainerId::parse("web"), nullptr);
    EXPECT_FALSE(load_record(dir.fd(), "x")->has_value());
    ASSERT_TRUE(sys::replace_file(dir.fd(), kRecordFile, "{", 0600).has_value());
    const auto damaged = load_record(dir.fd(), base_ + "/web");
    ASSERT_FALSE(damaged.has_value());
    EXPECT_EQ(damaged.error().code, Errc::corrupt);
    EXPECT_TRUE(damaged.error().message.starts_with(base_ + "/web")) << damaged.error().message;
}

}  // namespace
}  // namespace knarr::engine
