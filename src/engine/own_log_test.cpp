#include "engine/own_log.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

TEST(OwnLog, ARecordIsSpelledAsRuncsCallersReadIt) {
    const OwnRecord record{
        .level = LogLevel::warning, .text = "a \"b\"\n", .id = "box", .op = "image rm"};
    EXPECT_EQ(log_record(LogFormat::text, record, "T"),
              R"(time="T" level=warning msg="a \"b\"\\x0a" id="box" op="image rm")");
    EXPECT_EQ(log_record(LogFormat::json, record, "T"),
              R"({"level":"warning","msg":"a \"b\"\n","time":"T","id":"box","op":"image rm"})");
    EXPECT_EQ(log_record(LogFormat::json, {.text = "x"}, "T"),
              R"({"level":"error","msg":"x","time":"T"})");
}

TEST(OwnLog, WrongWordsNameWhoSaidThem) {
    const auto level = parse_log_level("loud", "KNARR_LOG_LEVEL");
    ASSERT_FALSE(level);
    EXPECT_EQ(level.error().message,
              "KNARR_LOG_LEVEL \"loud\" is none of error, warning, info, debug");
    EXPECT_FALSE(parse_log_format("", "--log-format"));
    EXPECT_EQ(parse_log_level("warn", "").value(), LogLevel::warning);
    EXPECT_EQ(parse_log_level("fatal", "").value(), LogLevel::error);
}

TEST(OwnLog, AMonitorReadsWhatItsStarterWrote) {
    const OwnLog log{.file = "/tmp/a b", .format = LogFormat::json, .level = LogLevel::info};
    for (const std::string& variable : environment_of(log)) {
        const std::size_t equals = variable.find('=');
        setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
    }
    const OwnLog read = log_of_environment();
    EXPECT_EQ(read.file, log.file);
    EXPECT_EQ(read.format, log.format);
    EXPECT_EQ(read.level, log.level);
    for (const char* name : {kLogVariable, kLogFormatVariable, kLogLevelVariable}) {
        unsetenv(name);
    }
    EXPECT_EQ(environment_of(OwnLog{}).size(), 0U);
}

}  // namespace
}  // namespace knarr::engine
