#include "engine/log_lines.h"

#include <sys/mman.h>

#include <gtest/gtest.h>

#include "engine/log_tail.h"
#include "platform/file.h"

namespace knarr::engine {
namespace {

constexpr std::string_view kTime = "2026-11-23T00:53:50.123456789Z";
constexpr std::size_t kPlenty = 1 << 20;

/// Entries in memory of its own, and how much of the input they hold.
std::pair<std::string, std::size_t> made(std::string_view bytes,
                                         LogStream stream,
                                         std::size_t room,
                                         bool takes_one) {
    std::string text(kPlenty, '\0');
    const LogBatch batch =
        make_entries(bytes, stream, kTime, {.memory = text, .bytes = room, .takes_one = takes_one});
    text.resize(batch.filled);
    return {text, batch.consumed};
}

std::string entries(std::string_view bytes, LogStream stream = LogStream::out) {
    const auto [text, consumed] = made(bytes, stream, kPlenty, false);
    EXPECT_EQ(consumed, bytes.size());
    return text;
}

/// What the program wrote, put together again.
std::string put_together(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const auto entry = parse_entry(text.substr(0, end));
        EXPECT_TRUE(entry) << text.substr(0, end);
        if (!entry) {
            break;
        }
        out += entry->text;
        out += entry->ends_line ? "\n" : "";
        text.remove_prefix(end + 1);
    }
    return out;
}

TEST(LogLines, AreInTheFormatOfTheCri) {
    EXPECT_EQ(entries("hello\n"), "2026-11-23T00:53:50.123456789Z stdout F hello\n");
    EXPECT_EQ(entries("oh\n", LogStream::err), "2026-11-23T00:53:50.123456789Z stderr F oh\n");
    EXPECT_EQ(entries("a prompt: "), "2026-11-23T00:53:50.123456789Z stdout P a prompt: \n");
    EXPECT_EQ(entries(""), "");
}

TEST(LogLines, GiveEveryByteBack) {
    std::string bytes = "one\n\n\r\ntab\tblank \nF stdout P \n";
    bytes += std::string("nul\0byte\n", 9) + "\xff\xfe not text\n";
    bytes += std::string(kMaxLogPart, 'x') + "\n";
    bytes += std::string(kMaxLogPart + 1, 'y') + "\n";
    bytes += std::string(3 * kMaxLogPart, 'z');
    EXPECT_EQ(put_together(entries(bytes)), bytes);
}

TEST(LogLines, LongLinesComeInParts) {
    const std::string text = entries(std::string(kMaxLogPart + 3, 'x') + "\n");
    EXPECT_NE(text.find(" P xxx"), std::string::npos);
    EXPECT_TRUE(text.ends_with(" F xxx\n"));
    const std::string whole = entries(std::string(kMaxLogPart, 'x') + "\n");
    EXPECT_EQ(whole.find(" P "), std::string::npos) << "a line that fits is one entry";
}

TEST(LogLines, StopWhereTheFileIsFull) {
    const std::string one = entries("hello\n");
    EXPECT_EQ(made("hello\nworld\n", LogStream::out, one.size(), false), std::pair(one, 6UL));
    EXPECT_EQ(made("hello\n", LogStream::out, one.size() - 1, false).second, 0U);
    EXPECT_EQ(made("hello\nworld\n", LogStream::out, 1, true), std::pair(one, 6UL));
}

TEST(LogLines, StopWhereTheirMemoryEnds) {
    const std::string line = std::string(kMaxLogPart, 'x') + "\n";
    std::string memory(kMaxLogPart + kMaxLogHead, '\0');
    const LogBatch batch = make_entries(line + line,
                                        LogStream::out,
                                        kTime,
                                        {.memory = memory, .bytes = kPlenty, .takes_one = true});
    EXPECT_EQ(batch.consumed, line.size()) << "one fits always, and not two";
    EXPECT_EQ(memory.substr(0, batch.filled), entries(line));
}

TEST(LogLines, WhatIsNoEntryIsNone) {
    for (const char* line :
         {"", "x", "time stdout", "time stdin F x", "time stdout X x", "stdout F x"}) {
        EXPECT_FALSE(parse_entry(line)) << line;
    }
    EXPECT_EQ(parse_entry("t stdout F ")->text, "");
}

/// The last lines of the files, the oldest first; nothing when there are not so many.
std::optional<std::string> tail_of(const std::vector<std::string>& files, std::uint64_t lines) {
    TailSearch search(lines);
    std::string after;
    for (auto text = files.rbegin(); text != files.rend(); ++text) {
        const sys::Fd file(memfd_create("log", MFD_CLOEXEC));
        EXPECT_TRUE(sys::write_all(file, *text));
        if (const auto found = search.look_in(file).value()) {
            return put_together(text->substr(*found)) + after;
        }
        after.insert(0, put_together(*text));
    }
    return std::nullopt;
}

TEST(LogTail, IsCountedInLinesOfTheProgram) {
    const std::string text = entries("1\n2\n3\n");
    EXPECT_EQ(tail_of({text}, 1), "3\n");
    EXPECT_EQ(tail_of({text}, 2), "2\n3\n");
    EXPECT_EQ(tail_of({text}, 0), "");
    EXPECT_FALSE(tail_of({text}, 3)) << "there may be more in an older file";
    EXPECT_EQ(tail_of({"", text}, 0), "");
    EXPECT_FALSE(tail_of({""}, 1));
}

TEST(LogTail, ALineOfManyPartsIsOneAndSoIsOneThatHasNotEnded) {
    const std::string line(20 * kMaxLogPart, 'x');
    const std::string parts = entries("1\n2\n" + line + "\nlast");
    EXPECT_EQ(tail_of({parts}, 1), "last");
    EXPECT_EQ(tail_of({parts}, 2), line + "\nlast");
    EXPECT_EQ(tail_of({parts}, 3), "2\n" + line + "\nlast");
}

TEST(LogTail, GoesOnThroughOlderFiles) {
    const std::vector<std::string> files{
        entries("1\n2\n"), entries(std::string(kMaxLogPart, 'x')), entries("y\n3\n")};
    EXPECT_EQ(tail_of(files, 1), "3\n");
    EXPECT_EQ(tail_of(files, 2), std::string(kMaxLogPart, 'x') + "y\n3\n");
    EXPECT_EQ(tail_of(files, 3), "2\n" + std::string(kMaxLogPart, 'x') + "y\n3\n");
    std::string many;
    for (int i = 0; i < 20'000; ++i) {
        many += std::to_string(i) + "\n";
    }
    EXPECT_EQ(tail_of({entries(many)}, 2), "19998\n19999\n");
    EXPECT_EQ(tail_of({entries(many)}, 19'999), many.substr(2)) << "over every block's border";
}

}  // namespace
}  // namespace knarr::engine
