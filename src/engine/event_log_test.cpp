#include "engine/event_log.h"

#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/disk.h"
#include "platform/file.h"
#include "platform/testing_directory.h"

namespace knarr::engine {
namespace {

class EventLog : public testing::Test {
protected:
    void SetUp() override { dir_ = *sys::open_path(path_, O_RDONLY | O_DIRECTORY); }
    void append(int number, std::size_t max_bytes = 1U << 20U) {
        LoggedEvent event;
        event.time = "2026-11-23T00:53:50.000000000Z";
        event.action = std::to_string(number);
        event.id = "c";
        event.attributes = {{"image", "a \"b\"\n"}};
        ASSERT_TRUE(append_event(dir_, event, max_bytes));
    }
    EventReader reader() const {
        return EventReader(*sys::open_path(path_, O_RDONLY | O_DIRECTORY));
    }
    /// "0 1 2 lost5 8": what a reader says.
    static std::string told(EventReader& reader) {
        std::string out;
        const auto events = reader.read();
        for (const LoggedEvent& event : *events) {
            out += out.empty() ? "" : " ";
            out += event.lost > 0 ? "lost" + std::to_string(event.lost) : event.action;
        }
        return out;
    }
    sys::TestDirectory scratch_;
    std::string path_ = scratch_.path();
    sys::Fd dir_;
};

TEST_F(EventLog, IsReadFromTheBeginningAndOn) {
    EventReader reader = this->reader();
    EXPECT_EQ(told(reader), "") << "nothing yet";
    append(0);
    append(1);
    EXPECT_EQ(told(reader), "0 1");
    EXPECT_EQ(told(reader), "");
    append(2);
    EXPECT_EQ(told(reader), "2");
    EventReader late = this->reader();
    EXPECT_EQ((*late.read()).front().attributes.at("image"), "a \"b\"\n");
}

TEST_F(EventLog, AFullFileIsRotatedAndAReaderFollows) {
    EventReader reader = this->reader();
    append(0);
    EXPECT_EQ(told(reader), "0");
    append(1);
    append(2, 1);  // begins the next file
    append(3);
    EXPECT_EQ(told(reader), "1 2 3");
    EventReader late = this->reader();
    EXPECT_EQ(told(late), "0 1 2 3");
}

TEST_F(EventLog, AReaderThatIsTooSlowIsToldHowManyItLost) {
    EventReader reader = this->reader();
    append(0);
    EXPECT_EQ(told(reader), "0");
    for (int i = 1; i < 8; ++i) {
        append(i, 1);
    }
    EXPECT_EQ(told(reader), "lost5 6 7");
    append(8);
    EXPECT_EQ(told(reader), "8");
}

TEST_F(EventLog, GoesOnAfterAHalfWrittenLineAndAfterAKillBetweenTwoFiles) {
    append(0);
    {
        const sys::Fd file = *sys::open_at(dir_, "log", O_WRONLY | O_APPEND);
        ASSERT_TRUE(sys::write_all(file, "{\"time\":"));
    }
    append(1);
    EventReader reader = this->reader();
    EXPECT_EQ(told(reader), "0 1");
    ASSERT_TRUE(sys::rename_at(dir_, "log", dir_, "log.1"));
    append(2);
    EXPECT_EQ(told(reader), "2") << "the half line has a number, too";
    EventReader late = this->reader();
    EXPECT_EQ(told(late), "0 1 2");
}

TEST_F(EventLog, ADamagedFirstLineHidesNoEvents) {
    const auto damage = [&] {
        const sys::Fd file = *sys::open_at(dir_, "log", O_WRONLY);
        ASSERT_TRUE(sys::write_all(file, "rubbish"));
    };
    EventReader reader = this->reader();
    append(0);
    append(1);
    EXPECT_EQ(told(reader), "0 1");
    damage();
    EventReader before = this->reader();
    EXPECT_EQ(told(before), "0 1");
    EXPECT_TRUE(before.met_damage());
    append(2);
    append(3);
    EXPECT_EQ(told(reader), "2 3") << "who read before goes on";
    EXPECT_FALSE(reader.met_damage());
    EXPECT_EQ(told(before), "2 3");
    EventReader late = this->reader();
    EXPECT_EQ(told(late), "0 1 2 3");
    damage();  // now with an older file
    append(4);
    append(5, 1);
    EXPECT_EQ(told(reader), "4 5");
}

TEST_F(EventLog, ANextFileWithADamagedFirstLineIsFollowed) {
    EventReader reader = this->reader();
    append(0);
    EXPECT_EQ(told(reader), "0");
    append(1, 1);
    {
        const sys::Fd file = *sys::open_at(dir_, "log", O_WRONLY);
        ASSERT_TRUE(sys::write_all(file, "rubbish"));
    }
    EXPECT_EQ(told(reader), "1");
    EXPECT_TRUE(reader.met_damage());
    append(2);
    EXPECT_EQ(told(reader), "2");
}

TEST_F(EventLog, TellsTheExitCodeOfTheLastEnd) {
    const auto id = ContainerId::parse("c").value();
    EXPECT_EQ(noted_exit_code(path_ + "/none", id), std::nullopt);
    const auto code = [&] { return noted_exit_code(path_, id); };
    const sys::Fd log = *sys::make_dirs(path_ + "/" + kEventDir, 0700);
    const auto note = [&](const char* who, const char* action, const char* exit_code) {
        LoggedEvent event;
        event.id = who;
        event.action = action;
        event.time = "2026-11-23T00:53:50.000000000Z";
        if (*exit_code != '\0') {
            event.attributes = {{"exitCode", exit_code}};
        }
        ASSERT_TRUE(append_event(log, event, 1U << 20U));
    };
    note("other", "die", "1");
    EXPECT_EQ(code(), std::nullopt);
    note("c", "die", "137");
    note("c", "exec_die", "3");
    note("other", "die", "2");
    EXPECT_EQ(code(), 137);
    note("c", "die", "0");
    note("c", "destroy", "");
    EXPECT_EQ(code(), 0);
    note("c", "die", "");
    EXPECT_EQ(code(), std::nullopt) << "nobody saw the last one";
    note("c", "die", "many");
    EXPECT_EQ(code(), std::nullopt);
}

TEST_F(EventLog, ALabelIsNoExitCode) {
    const auto id = ContainerId::parse("c").value();
    const sys::Fd log = *sys::make_dirs(path_ + "/" + kEventDir, 0700);
    Record record;
    record.id = "c";
    record.life.emplace().labels = {{"exitCode", "0"}, {"name", "other"}, {"tier", "web"}};
    ASSERT_TRUE(append_event(log, event_now(record, "die", {}), 1U << 20U));
    EXPECT_EQ(noted_exit_code(path_, id), std::nullopt);
    ASSERT_TRUE(append_event(log, event_now(record, "die", {{"exitCode", "7"}}), 1U << 20U));
    EXPECT_EQ(noted_exit_code(path_, id), 7);

    const auto events = EventReader(*sys::open_path(path_ + "/" + kEventDir, O_RDONLY)).read();
    const LifecycleEvent unknown = shown_event(events->at(0)), known = shown_event(events->at(1));
    EXPECT_FALSE(unknown.attributes.contains("exitCode"));
    EXPECT_FALSE(unknown.attributes.contains("name"));
    EXPECT_EQ(unknown.attributes.at("tier"), "web");
    EXPECT_EQ(known.attributes.at("exitCode"), "7");
}

TEST_F(EventLog, LabelsHaveABound) {
    Record record;
    record.id = "c";
    auto& labels = record.life.emplace().labels;
    labels["a"] = std::string(990'000, 'x');
    labels["b"] = "short";
    for (int i = 0; i < 10'000; ++i) {
        labels["many" + std::to_string(i)] = "value";
    }
    const LoggedEvent event = event_now(record, "start", {});
    EXPECT_EQ(event.labels.at("b"), "short");
    EXPECT_LT(encode_event(event).size(), 16U << 10U);
}

TEST_F(EventLog, WhatAnEarlierKnarrWroteIsShownAndItsLabelsAreNoExitCode) {
    const auto id = ContainerId::parse("c").value();
    const sys::Fd log = *sys::make_dirs(path_ + "/" + kEventDir, 0700);
    const sys::Fd file = *sys::open_at(log, "log", O_WRONLY | O_CREAT, 0600);
    ASSERT_TRUE(sys::write_all(
        file,
        "{\"first\":0}\n"
        R"({"time":"x","action":"die","id":"c","attributes":{"exitCode":"0","tier":"web"}})"
        "\n"));
    EXPECT_EQ(noted_exit_code(path_, id), std::nullopt);
    const auto events = EventReader(*sys::open_path(path_ + "/" + kEventDir, O_RDONLY)).read();
    ASSERT_EQ(events->size(), 1U);
    EXPECT_EQ(shown_event(events->front()).attributes.at("tier"), "web");
}

TEST_F(EventLog, RefusesLinesThatAreNoEvents) {
    EXPECT_FALSE(decode_event(""));
    EXPECT_FALSE(decode_event("{}"));
    EXPECT_FALSE(decode_event(R"({"time":"x","action":"y","id":1,"attributes":{}})"));
    EXPECT_FALSE(decode_event(R"({"time":"x","action":"y","id":"c","attributes":{},"labels":1})"));
}

}  // namespace
}  // namespace knarr::engine
